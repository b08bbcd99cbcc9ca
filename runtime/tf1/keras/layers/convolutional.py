"""Convolutions, and the layers that crop, pad and enlarge."""

from __future__ import annotations

from typing import Any

from runtime.tf1.core_layers import _tuple
from runtime.tf1.keras import activations, constraints, initializers, regularizers
from runtime.tf1.keras import backend as K
from runtime.tf1.keras import backend_ops as ops
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import Layer
from runtime.tf1.keras.layers.core import dims_of, weight_config
from runtime.tf1.keras.layers.pooling import window_length
from runtime.tf1.layer import InputSpec
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


class Conv(Layer):
    """activation(convolution(inputs, kernel) + bias)."""

    rank = 2

    def __init__(
        self, filters: Any, kernel_size: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1, activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=regularizers.get(activity_regularizer), **kwargs)
        self.filters = None if filters is None else int(filters)
        self.kernel_size, self.strides = _tuple(kernel_size, self.rank, "kernel_size"), _tuple(strides, self.rank, "strides")
        self.padding = padding.lower()
        if self.padding not in ("valid", "same", *(("causal",) if self.rank == 1 else ())):
            raise ValueError(
                f'The `padding` argument must be a list/tuple or one of "valid", "same" (or "causal", only for `Conv1D). Received: {padding}'
            )
        self.data_format = K.conv_format("channels_last" if data_format is None and self.rank == 1 else data_format)
        self.dilation_rate = _tuple(dilation_rate, self.rank, "dilation_rate")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer, self.bias_initializer = initializers.get(kernel_initializer), initializers.get(bias_initializer)
        self.kernel_regularizer, self.bias_regularizer = regularizers.get(kernel_regularizer), regularizers.get(bias_regularizer)
        self.kernel_constraint, self.bias_constraint = constraints.get(kernel_constraint), constraints.get(bias_constraint)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _channel_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else -1

    def _channels(self, input_shape: Any) -> int:
        found = dims_of(input_shape)[self._channel_axis]
        if found is None:
            raise ValueError("The channel dimension of the inputs should be defined. Found `None`.")
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self._channel_axis: found})
        return int(found)

    def _add_bias(self, size: Any) -> None:
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", shape=(size,), initializer=self.bias_initializer, regularizer=self.bias_regularizer, constraint=self.bias_constraint
            )

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.kernel = self.add_weight(
            "kernel", shape=(*self.kernel_size, channels, self.filters), initializer=self.kernel_initializer, regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self._add_bias(self.filters)
        # The convolution object of TensorFlow 1.15 makes this constant; seeds count the ops before them.
        tf.constant(self.dilation_rate, dtype="int32", name="dilation_rate")
        self.built = True

    def _tf_format(self) -> str:
        return {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}[self.rank][0 if self.data_format == "channels_first" else 1]

    def call(self, inputs: Any) -> Any:
        if self.padding == "causal":
            left = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            inputs = tf.pad(inputs, [[0, 0], [left, 0], [0, 0]] if self.data_format == "channels_last" else [[0, 0], [0, 0], [left, 0]])
        outputs = self._convolved(inputs)
        return self._finish(outputs)

    def _convolved(self, inputs: Any) -> Any:
        from runtime.tf1 import nn_ops

        padding = "VALID" if self.padding == "causal" else self.padding.upper()
        if all(d == 1 for d in self.dilation_rate):
            if self.rank == 1:
                return nn_ops.conv1d(
                    inputs, self.kernel, stride=self.strides[0], padding=padding, data_format=self._tf_format(), name="conv1d"
                )
            first = self.data_format == "channels_first"
            steps = (1, 1, *self.strides) if first else (1, *self.strides, 1)
            from runtime.tf1.graph import apply_op

            op = "Conv2D" if self.rank == 2 else "Conv3D"
            return apply_op(op, op, input=inputs, filter=self.kernel, strides=list(steps), padding=padding, data_format=self._tf_format())
        return tf.nn.convolution(
            inputs, self.kernel, padding, strides=self.strides, dilation_rate=self.dilation_rate, data_format=self._tf_format()
        )

    def _finish(self, outputs: Any) -> Any:
        if self.use_bias:
            if self.data_format == "channels_first" and self.rank == 1:
                outputs += tf.reshape(self.bias, (1, -1, 1))
            elif self.data_format == "channels_first":
                outputs = tf.nn.bias_add(outputs, self.bias, data_format="NCHW")
            else:
                outputs = tf.nn.bias_add(outputs, self.bias, data_format="NHWC")
        return self.activation(outputs) if self.activation is not None else outputs

    def _spatial(self, dims: list[Any]) -> list[Any]:
        return [
            window_length(d, k, self.padding, s, r)
            for d, k, s, r in zip(dims, self.kernel_size, self.strides, self.dilation_rate, strict=True)
        ]

    def _shape(self, batch: Any, spatial: list[Any], channels: Any) -> Any:
        return TensorShape([batch, channels, *spatial] if self.data_format == "channels_first" else [batch, *spatial, channels])

    def _space(self, dims: list[Any]) -> list[Any]:
        return dims[2:] if self.data_format == "channels_first" else dims[1:-1]

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        return self._shape(dims[0], self._spatial(self._space(dims)), self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "filters": self.filters, "kernel_size": self.kernel_size, "strides": self.strides, "padding": self.padding, "data_format": self.data_format,
            "dilation_rate": self.dilation_rate, "activation": activations.serialize(self.activation), "use_bias": self.use_bias,
            **weight_config(self, ("kernel", "bias")), "activity_regularizer": regularizers.serialize(self.activity_regularizer),
        }  # fmt: skip


@export("keras.layers.Conv1D")
class Conv1D(Conv):
    rank = 1


@export("keras.layers.Conv2D")
class Conv2D(Conv):
    rank = 2


@export("keras.layers.Conv3D")
class Conv3D(Conv):
    rank = 3


class ConvTranspose(Conv):
    """The transpose of a convolution, with its bias."""

    def __init__(
        self,
        filters: Any,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: Any = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(output_padding, str):
            data_format, output_padding = output_padding, None
        super().__init__(filters, kernel_size, strides, padding, data_format, **kwargs)
        self.output_padding = None if output_padding is None else _tuple(output_padding, self.rank, "output_padding")
        for stride, extra in zip(self.strides, self.output_padding or (), strict=False):
            if extra >= stride:
                raise ValueError(f"Stride {self.strides} must be greater than output padding {self.output_padding}")

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.kernel = self.add_weight(
            "kernel", shape=(*self.kernel_size, self.filters, channels), initializer=self.kernel_initializer, regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self._add_bias(self.filters)
        self.built = True

    def _length(self, size: Any, i: int) -> Any:
        if size is None:
            return None
        window, stride = self.kernel_size[i], self.strides[i]
        if self.output_padding is None:
            return size * stride + (max(window - stride, 0) if self.padding == "valid" else 0)
        pad = window // 2 if self.padding == "same" else 0
        return (size - 1) * stride + window - 2 * pad + self.output_padding[i]

    def _spatial(self, dims: list[Any]) -> list[Any]:
        return [self._length(d, i) for i, d in enumerate(dims)]

    def call(self, inputs: Any) -> Any:
        shape = tf.shape(inputs)
        first = self.data_format == "channels_first"
        known = self._space(list(K.int_shape(inputs)))
        start = 2 if first else 1
        spatial = [self._length(shape[start + i], i) for i in range(self.rank)]
        output_shape = tf.stack((shape[0], self.filters, *spatial) if first else (shape[0], *spatial, self.filters))
        steps = (1, 1, *self.strides) if first else (1, *self.strides, 1)
        transpose = tf.nn.conv2d_transpose if self.rank == 2 else tf.nn.conv3d_transpose
        outputs = transpose(inputs, self.kernel, output_shape, list(steps), padding=self.padding.upper(), data_format=self._tf_format())
        outputs.set_shape(self._shape(K.int_shape(inputs)[0], self._spatial(known), self.filters))
        return self._finish(outputs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["dilation_rate"]
        return {**config, "output_padding": self.output_padding}


@export("keras.layers.Conv2DTranspose")
class Conv2DTranspose(ConvTranspose):
    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", output_padding: Any = None, data_format: Any = None, dilation_rate: Any = (1, 1), activation: Any = None,
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate=dilation_rate, activation=activation, use_bias=use_bias, kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer, **kwargs,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dilation_rate": self.dilation_rate}


@export("keras.layers.Conv3DTranspose")
class Conv3DTranspose(ConvTranspose):
    rank = 3

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1, 1), padding: str = "valid", output_padding: Any = None, data_format: Any = None, activation: Any = None, use_bias: bool = True,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, activation=activation, use_bias=use_bias, **kwargs
        )


class Separable(Conv):
    """A convolution of each channel, then one of size 1 over channels."""

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1, depth_multiplier: int = 1, activation: Any = None,
        use_bias: bool = True, depthwise_initializer: Any = "glorot_uniform", pointwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None, depthwise_constraint: Any = None, pointwise_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer=bias_initializer, bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer, bias_constraint=bias_constraint, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = depth_multiplier
        self.depthwise_initializer, self.pointwise_initializer = (
            initializers.get(depthwise_initializer),
            initializers.get(pointwise_initializer),
        )
        self.depthwise_regularizer, self.pointwise_regularizer = (
            regularizers.get(depthwise_regularizer),
            regularizers.get(pointwise_regularizer),
        )
        self.depthwise_constraint, self.pointwise_constraint = constraints.get(depthwise_constraint), constraints.get(pointwise_constraint)

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel", shape=(*self.kernel_size, channels, self.depth_multiplier), initializer=self.depthwise_initializer, regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )  # fmt: skip
        self.pointwise_kernel = self.add_weight(
            "pointwise_kernel", shape=((1,) * self.rank + (self.depth_multiplier * channels, self.filters)), initializer=self.pointwise_initializer, regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )  # fmt: skip
        self._add_bias(self.filters)
        self.built = True

    def _convolved(self, inputs: Any) -> Any:
        first = self.data_format == "channels_first"
        depthwise, pointwise = self.depthwise_kernel, self.pointwise_kernel
        strides, rate = self.strides, self.dilation_rate
        axis = 2 if first else 1
        if self.rank == 1:
            inputs = tf.expand_dims(inputs, axis)
            depthwise, pointwise = tf.expand_dims(depthwise, 0), tf.expand_dims(pointwise, 0)
            strides, rate = strides * 2, (1, *rate)
        padding = "VALID" if self.padding == "causal" else self.padding.upper()
        steps = (1, 1, *strides) if first else (1, *strides, 1)
        made = tf.nn.separable_conv2d(
            inputs, depthwise, pointwise, strides=steps, padding=padding, rate=rate, data_format="NCHW" if first else "NHWC"
        )
        return tf.squeeze(made, [axis]) if self.rank == 1 else made

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for kind in ("initializer", "regularizer", "constraint"):
            config.pop(f"kernel_{kind}", None)
        return {**config, "depth_multiplier": self.depth_multiplier, **weight_config(self, ("depthwise", "pointwise"))}


@export("keras.layers.SeparableConv1D")
class SeparableConv1D(Separable):
    rank = 1


@export("keras.layers.SeparableConv2D")
class SeparableConv2D(Separable):
    rank = 2


@export("keras.layers.DepthwiseConv2D")
class DepthwiseConv2D(Conv):
    def __init__(
        self, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", depth_multiplier: int = 1, data_format: Any = None, activation: Any = None, use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", depthwise_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        depthwise_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            None, kernel_size, strides, padding, data_format, kwargs.pop("dilation_rate", 1), activation, use_bias, bias_initializer=bias_initializer, bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer, bias_constraint=bias_constraint, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = depth_multiplier
        self.depthwise_initializer, self.depthwise_regularizer, self.depthwise_constraint = (
            initializers.get(depthwise_initializer), regularizers.get(depthwise_regularizer), constraints.get(depthwise_constraint),
        )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel", shape=(*self.kernel_size, channels, self.depth_multiplier), initializer=self.depthwise_initializer, regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )  # fmt: skip
        self._add_bias(channels * self.depth_multiplier)
        self.built = True

    def _convolved(self, inputs: Any) -> Any:
        return ops.depthwise_conv2d(
            inputs,
            self.depthwise_kernel,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        return self._shape(dims[0], self._spatial(self._space(dims)), dims[self._channel_axis] * self.depth_multiplier)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("filters", "kernel_initializer", "kernel_regularizer", "kernel_constraint", "dilation_rate"):
            config.pop(name)
        return {**config, "depth_multiplier": self.depth_multiplier, **weight_config(self, ("depthwise",))}


# -- sizes -----------------------------------------------------------------------------------------------------------------


class Resizing(Layer):
    """Changes the lengths of the spatial dimensions."""

    rank = 2

    def __init__(self, data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = K.conv_format("channels_last" if data_format is None and self.rank == 1 else data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def length(self, size: int, i: int) -> int:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        start = 2 if self.data_format == "channels_first" else 1
        for i in range(self.rank):
            dims[start + i] = None if dims[start + i] is None else self.length(dims[start + i], i)
        return TensorShape(dims)


class UpSampling(Resizing):
    def __init__(self, size: Any = 2, data_format: Any = None, interpolation: str = "nearest", **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.size = _tuple(size, self.rank, "size")
        self.interpolation = interpolation

    def length(self, size: int, i: int) -> int:
        return size * self.size[i]

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "size": self.size if self.rank > 1 else self.size[0]}
        if self.rank > 1:
            config["data_format"] = self.data_format
        return {**config, "interpolation": self.interpolation} if self.rank == 2 else config


@export("keras.layers.UpSampling1D")
class UpSampling1D(UpSampling):
    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(size, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.repeat_elements(inputs, self.size[0], axis=1)


@export("keras.layers.UpSampling2D")
class UpSampling2D(UpSampling):
    def call(self, inputs: Any) -> Any:
        return ops.resize_images(inputs, self.size[0], self.size[1], self.data_format, interpolation=self.interpolation)


@export("keras.layers.UpSampling3D")
class UpSampling3D(UpSampling):
    rank = 3

    def call(self, inputs: Any) -> Any:
        return ops.resize_volumes(inputs, *self.size, self.data_format)


def _pairs(value: Any, rank: int, name: str) -> tuple[Any, ...]:
    """One number, one per dimension, or two per dimension, as pairs."""
    if isinstance(value, int):
        return ((value, value),) * rank
    if rank == 1 and not isinstance(value[0], list | tuple):
        return (_tuple(value, 2, name),)
    if len(value) != rank:
        raise ValueError(f"`{name}` should have {rank} elements. Found: {value}")
    return tuple((v, v) if isinstance(v, int) else _tuple(v, 2, name) for v in value)


class ZeroPadding(Resizing):
    def __init__(self, padding: Any = 1, data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.pairs = _pairs(padding, self.rank, "padding")

    @property
    def padding(self) -> Any:
        return self.pairs[0] if self.rank == 1 else self.pairs

    def length(self, size: int, i: int) -> int:
        return size + sum(self.pairs[i])

    def call(self, inputs: Any) -> Any:
        return ops.spatial_padding(inputs, self.pairs, self.data_format)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding, **({"data_format": self.data_format} if self.rank > 1 else {})}


class Cropping(Resizing):
    def __init__(self, cropping: Any = 0, data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.pairs = _pairs(cropping, self.rank, "cropping")

    @property
    def cropping(self) -> Any:
        return self.pairs[0] if self.rank == 1 else self.pairs

    def length(self, size: int, i: int) -> int:
        return size - sum(self.pairs[i])

    def call(self, inputs: Any) -> Any:
        cuts = [slice(a, -b if b else None) for a, b in self.pairs]
        every = slice(None)
        return inputs[tuple([every, every, *cuts] if self.data_format == "channels_first" else [every, *cuts, every])]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping, **({"data_format": self.data_format} if self.rank > 1 else {})}


@export("keras.layers.ZeroPadding1D")
class ZeroPadding1D(ZeroPadding):
    rank = 1

    def __init__(self, padding: Any = 1, **kwargs: Any) -> None:
        super().__init__(padding, **kwargs)


@export("keras.layers.ZeroPadding2D")
class ZeroPadding2D(ZeroPadding):
    rank = 2


@export("keras.layers.ZeroPadding3D")
class ZeroPadding3D(ZeroPadding):
    rank = 3


@export("keras.layers.Cropping1D")
class Cropping1D(Cropping):
    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, **kwargs)


@export("keras.layers.Cropping2D")
class Cropping2D(Cropping):
    rank = 2


@export("keras.layers.Cropping3D")
class Cropping3D(Cropping):
    rank = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)
