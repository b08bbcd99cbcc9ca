"""tf.layers: dense, convolutional, pooling, normalising and dropout layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.constant import constant as known_value
from runtime.tf1 import array_ops, init_ops, math_ops, nn_ops
from runtime.tf1.control_flow_ops import choose
from runtime.tf1.graph import constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.layer import InputSpec, Layer
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape, as_dims


def _tuple(value: Any, n: int, name: str) -> tuple[int, ...]:
    """One number or n of them, as a tuple."""
    if isinstance(value, int | np.integer):
        return (int(value),) * n
    try:
        values = tuple(int(v) for v in value)
    except TypeError:
        raise ValueError(f"The `{name}` argument must be a tuple of {n} integers. Received: {value}") from None
    if len(values) != n:
        raise ValueError(f"The `{name}` argument must be a tuple of {n} integers. Received: {value}")
    return values


def _check_format(data_format: str) -> str:
    data_format = data_format.lower()
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(f'The `data_format` argument must be one of "channels_first", "channels_last". Received: {data_format}')
    return data_format


def _tf_format(data_format: str, rank: int) -> str:
    spatial = {1: "W", 2: "HW", 3: "DHW"}[rank]
    return f"NC{spatial}" if data_format == "channels_first" else f"N{spatial}C"


@export("layers.Dense")
class Dense(Layer):
    """activation(inputs . kernel + bias), along the last axis."""

    def __init__(
        self, units: int, activation: Any = None, use_bias: bool = True, kernel_initializer: Any = None, bias_initializer: Any = None, kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None, trainable: bool = True, name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(trainable=trainable, name=name, activity_regularizer=activity_regularizer, **kwargs)
        self.units, self.activation, self.use_bias = int(units), activation, use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer if bias_initializer is not None else init_ops.Zeros()
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        last = TensorShape(as_dims(input_shape))[-1].value
        if last is None:
            raise ValueError("The last dimension of the inputs to `Dense` should be defined. Found `None`.")
        self.input_spec = InputSpec(min_ndim=2, axes={-1: last})
        self.kernel = self.add_weight(
            "kernel",
            shape=[last, self.units],
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = (
            self.add_weight(
                "bias",
                shape=[self.units],
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
            if self.use_bias
            else None
        )
        self.built = True

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        inputs = convert_to_tensor(inputs)
        rank = inputs.rank
        if rank is not None and rank > 2:
            outputs = math_ops.tensordot(inputs, self.kernel, [[rank - 1], [0]])
            outputs.set_shape([*inputs.shape.as_list()[:-1], self.units])
        else:
            outputs = math_ops.matmul(inputs, self.kernel)
        if self.use_bias:
            outputs = nn_ops.bias_add(outputs, self.bias)
        return self.activation(outputs) if self.activation is not None else outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = list(as_dims(input_shape) or ())
        return TensorShape([*dims[:-1], self.units])


@export("layers.dense")
def dense(
    inputs: Any, units: int, activation: Any = None, use_bias: bool = True, kernel_initializer: Any = None, bias_initializer: Any = None, kernel_regularizer: Any = None,
    bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None, trainable: bool = True, name: str | None = None, reuse: Any = None,
) -> Any:  # fmt: skip
    layer = Dense(
        units, activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, trainable, name,
        _scope=name, _reuse=reuse,
    )  # fmt: skip
    return layer.apply(inputs)


@export("layers.Dropout")
class Dropout(Layer):
    """Drops inputs while training."""

    def __init__(self, rate: Any = 0.5, noise_shape: Any = None, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed

    def call(self, inputs: Any, training: Any = False, **kwargs: Any) -> Any:
        def dropped() -> Any:
            return nn_ops.dropout(inputs, noise_shape=self.noise_shape, seed=self.seed, rate=self.rate)

        return smart_cond(training, dropped, lambda: array_ops.identity(inputs))


@export("layers.dropout")
def dropout(
    inputs: Any, rate: Any = 0.5, noise_shape: Any = None, seed: int | None = None, training: Any = False, name: str | None = None
) -> Any:
    return Dropout(rate, noise_shape=noise_shape, seed=seed, name=name).apply(inputs, training=training)


def smart_constant(pred: Any) -> bool | None:
    """A predicate's value where it is known when the graph is built."""
    if isinstance(pred, bool | int | np.bool_):
        return bool(pred)
    if isinstance(pred, base.Tensor):
        value = known_value(pred)
        return None if value is None else bool(value)
    return None


def smart_cond(pred: Any, true_fn: Any, false_fn: Any, name: str | None = None) -> Any:
    return choose(smart_constant(pred), pred, true_fn, false_fn, name)


@export("layers.Flatten")
class Flatten(Layer):
    """Everything but the batch in one axis."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = _check_format(data_format or "channels_last")
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        if self.data_format == "channels_first" and inputs.rank is not None and inputs.rank > 1:
            inputs = array_ops.transpose(inputs, perm=[0, *np.arange(2, inputs.rank), 1])
        dims = inputs.dims
        size = None if dims is None or None in dims[1:] else int(np.prod(dims[1:]))  # type: ignore[arg-type]
        batch = dims[0] if dims else None
        outputs = array_ops.reshape(inputs, (batch if batch is not None else array_ops._slice_helper(array_ops.shape(inputs), 0), -1))
        outputs.set_shape([batch, size])
        return outputs


@export("layers.flatten")
def flatten(inputs: Any, name: str | None = None, data_format: str = "channels_last") -> Any:
    return Flatten(name=name, data_format=data_format).apply(inputs)


class _Conv(Layer):
    """Convolutions of 1 to 3 dimensions."""

    rank = 2

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid", data_format: str = "channels_last", dilation_rate: Any = 1, activation: Any = None,
        use_bias: bool = True, kernel_initializer: Any = None, bias_initializer: Any = None, kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, bias_constraint: Any = None, trainable: bool = True, name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(trainable=trainable, name=name, activity_regularizer=activity_regularizer, **kwargs)
        self.filters = int(filters)
        self.kernel_size = _tuple(kernel_size, self.rank, "kernel_size")
        self.strides = _tuple(strides, self.rank, "strides")
        self.dilation_rate = _tuple(dilation_rate, self.rank, "dilation_rate")
        self.padding = padding.lower()
        if self.padding not in ("valid", "same", "causal"):
            raise ValueError(f'The `padding` argument must be one of "valid", "same". Received: {padding}')
        self.data_format = _check_format(data_format)
        self.activation, self.use_bias = activation, use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer if bias_initializer is not None else init_ops.Zeros()
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def channel_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else -1

    def channels(self, input_shape: Any) -> int:
        found = TensorShape(as_dims(input_shape))[self.channel_axis].value
        if found is None:
            raise ValueError("The channel dimension of the inputs should be defined. Found `None`.")
        return int(found)

    def _add_bias_weight(self) -> None:
        self.bias = (
            self.add_weight(
                "bias",
                shape=[self.filters],
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
            if self.use_bias
            else None
        )

    def build(self, input_shape: Any) -> None:
        channels = self.channels(input_shape)
        self.kernel = self.add_weight(
            "kernel",
            shape=[*self.kernel_size, channels, self.filters],
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self._add_bias_weight()
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})
        self._rates = constant(list(self.dilation_rate), dtype="int32", name="dilation_rate")
        self.built = True

    def convolve(self, inputs: Any) -> Any:
        rates, first = self.dilation_rate, self.data_format == "channels_first"

        def op(converted: Any, padding: Any, **unused: Any) -> Any:
            if self.rank == 1:
                return nn_ops.conv1d(converted, self.kernel, stride=self.strides[0], padding=padding, data_format="NCW" if first else "NWC")
            return nn_ops.plain_convolution(converted, self.kernel, list(self.strides), padding, first, None, self.rank)

        if any(r > 1 for r in rates) and any(s > 1 for s in self.strides):
            raise ValueError("`strides > 1` not supported in conjunction with `dilation_rate > 1`")
        kernel = self.kernel.shape.as_list()
        return nn_ops.with_space_to_batch(
            inputs, self._rates, self.padding.upper(), op, filter_shape=kernel, data_format=_tf_format(self.data_format, self.rank)
        )

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        if self.padding == "causal":
            left = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            inputs = array_ops.pad(inputs, [[0, 0], [left, 0], [0, 0]])
            self.padding = "valid"
        return self.finish(self.convolve(inputs))

    def finish(self, outputs: Any) -> Any:
        """Bias and activation."""
        if self.use_bias:
            if self.data_format == "channels_first" and self.rank == 1:
                outputs += array_ops.reshape(self.bias, (1, self.filters, 1))
            elif self.data_format == "channels_first" and self.rank == 3:
                outputs += array_ops.reshape(self.bias, (1, self.filters, 1, 1, 1))
            else:
                outputs = nn_ops.bias_add(outputs, self.bias, data_format="NCHW" if self.data_format == "channels_first" else "NHWC")
        return self.activation(outputs) if self.activation is not None else outputs


@export("layers.Conv1D")
class Conv1D(_Conv):
    rank = 1


@export("layers.Conv2D")
class Conv2D(_Conv):
    rank = 2


@export("layers.Conv3D")
class Conv3D(_Conv):
    rank = 3


def _function(cls: Any, name: str) -> Any:
    """The function form of a layer class: makes it and applies it at once."""

    def layer_function(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        reuse, label = kwargs.pop("reuse", None), kwargs.get("name")
        return cls(*args, _scope=label, _reuse=reuse, **kwargs).apply(inputs)

    layer_function.__name__ = name
    export(f"layers.{name}")(layer_function)
    return layer_function


conv1d = _function(Conv1D, "conv1d")
conv2d = _function(Conv2D, "conv2d")
conv3d = _function(Conv3D, "conv3d")


class _ConvTranspose(_Conv):
    """Convolutions run backwards."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        activation: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, strides, padding, data_format, 1, activation, *args, **kwargs)

    def build(self, input_shape: Any) -> None:
        channels = self.channels(input_shape)
        self.kernel = self.add_weight(
            "kernel",
            shape=[*self.kernel_size, self.filters, channels],
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self._add_bias_weight()
        self.built = True

    def _size(self, size: Any, i: int) -> Any:
        """The output size along a spatial axis."""
        if size is None:
            return None
        size = size * self.strides[i]
        if self.padding == "valid":
            size += max(self.kernel_size[i] - self.strides[i], 0)
        return size

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        shape = array_ops.shape(inputs)
        start = 2 if self.data_format == "channels_first" else 1
        batch = array_ops._slice_helper(shape, 0)
        slices = [array_ops._slice_helper(shape, start + i) for i in range(self.rank)]
        sizes = [self._size(t, i) for i, t in enumerate(slices)]
        output_shape = [batch, self.filters, *sizes] if start == 2 else [batch, *sizes, self.filters]
        strides = [1, 1, *self.strides] if start == 2 else [1, *self.strides, 1]
        function = nn_ops.conv2d_transpose if self.rank == 2 else nn_ops.conv3d_transpose
        stacked = array_ops.stack(output_shape)
        if self.rank == 2:
            array_ops._slice_helper(stacked, 0)  # Keras looks at the batch size, which makes ops
        outputs = function(
            inputs,
            self.kernel,
            stacked,
            strides,
            padding=self.padding.upper(),
            data_format=_tf_format(self.data_format, self.rank),
        )
        if inputs.dims is not None:
            known = [self._size(inputs.dims[start + i], i) for i in range(self.rank)]
            outputs.set_shape([inputs.dims[0], self.filters, *known] if start == 2 else [inputs.dims[0], *known, self.filters])
        return self.finish(outputs)


@export("layers.Conv2DTranspose")
class Conv2DTranspose(_ConvTranspose):
    rank = 2


@export("layers.Conv3DTranspose")
class Conv3DTranspose(_ConvTranspose):
    rank = 3


conv2d_transpose = _function(Conv2DTranspose, "conv2d_transpose")
conv3d_transpose = _function(Conv3DTranspose, "conv3d_transpose")


@export("layers.SeparableConv2D")
class SeparableConv2D(_Conv):
    """A convolution of each channel, then one across channels."""

    rank = 2

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str = "channels_last", dilation_rate: Any = (1, 1), depth_multiplier: int = 1,
        activation: Any = None, use_bias: bool = True, depthwise_initializer: Any = None, pointwise_initializer: Any = None, bias_initializer: Any = None, depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None, depthwise_constraint: Any = None, pointwise_constraint: Any = None,
        bias_constraint: Any = None, trainable: bool = True, name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer=bias_initializer, bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer, bias_constraint=bias_constraint, trainable=trainable, name=name, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = depth_multiplier
        self.depthwise = dict(initializer=depthwise_initializer, regularizer=depthwise_regularizer, constraint=depthwise_constraint)
        self.pointwise = dict(initializer=pointwise_initializer, regularizer=pointwise_regularizer, constraint=pointwise_constraint)

    def build(self, input_shape: Any) -> None:
        channels = self.channels(input_shape)
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel", shape=[*self.kernel_size, channels, self.depth_multiplier], **self.depthwise
        )
        self.pointwise_kernel = self.add_weight(
            "pointwise_kernel", shape=[*(1,) * self.rank, self.depth_multiplier * channels, self.filters], **self.pointwise
        )
        self._add_bias_weight()
        self.built = True

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        first = self.data_format == "channels_first"
        strides = (1, 1, *self.strides) if first else (1, *self.strides, 1)
        outputs = nn_ops.separable_conv2d(
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            strides=strides,
            padding=self.padding.upper(),
            rate=self.dilation_rate,
            data_format=_tf_format(self.data_format, 2),
        )
        return self.finish(outputs)


@export("layers.SeparableConv1D")
class SeparableConv1D(SeparableConv2D):
    rank = 1  # type: ignore[assignment]

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = 1,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, strides, padding, data_format, dilation_rate, *args, **kwargs)

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        first = self.data_format == "channels_first"
        axis = 2 if first else 1
        strides = (1, 1, 1, *self.strides) if first else (1, 1, *self.strides, 1)
        wide = array_ops.expand_dims(inputs, axis)
        outputs = nn_ops.separable_conv2d(
            wide, array_ops.expand_dims(self.depthwise_kernel, 0), array_ops.expand_dims(self.pointwise_kernel, 0), strides=strides, padding=self.padding.upper(),
            rate=(1, *self.dilation_rate), data_format="NCHW" if first else "NHWC",
        )  # fmt: skip
        if self.use_bias:
            outputs = nn_ops.bias_add(outputs, self.bias, data_format="NCHW" if first else "NHWC")
        outputs = array_ops.squeeze(outputs, [axis])
        return self.activation(outputs) if self.activation is not None else outputs


separable_conv2d = _function(SeparableConv2D, "separable_conv2d")
separable_conv1d = _function(SeparableConv1D, "separable_conv1d")


class _Pooling(Layer):
    """Max and average pools of 1 to 3 dimensions."""

    rank, function = 2, "max"

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = _tuple(pool_size, self.rank, "pool_size")
        self.strides = _tuple(pool_size if strides is None else strides, self.rank, "strides")
        self.padding = padding.lower()
        self.data_format = _check_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        first = self.data_format == "channels_first"
        size, strides = list(self.pool_size), list(self.strides)
        if self.rank == 1:
            axis = 3 if first else 2
            inputs = array_ops.expand_dims(inputs, axis)
            size, strides = [*size, 1], [*strides, 1]
        rank = max(self.rank, 2)
        functions = {("max", 2): nn_ops.max_pool, ("avg", 2): nn_ops.avg_pool, ("max", 3): nn_ops.max_pool3d, ("avg", 3): nn_ops.avg_pool3d}
        expand = (lambda v: [1, 1, *v]) if first else (lambda v: [1, *v, 1])
        outputs = functions[self.function, rank](
            inputs, expand(size), expand(strides), self.padding.upper(), data_format=_tf_format(self.data_format, rank)
        )
        return array_ops.squeeze(outputs, [axis]) if self.rank == 1 else outputs


for _kind, _label in (("max", "Max"), ("avg", "Average")):
    for _rank in (1, 2, 3):
        _cls = type(f"{_label}Pooling{_rank}D", (_Pooling,), {"rank": _rank, "function": _kind})
        export(f"layers.{_label}Pooling{_rank}D")(_cls)
        _function(_cls, f"{_label.lower()}_pooling{_rank}d")


@export("layers.BatchNormalization")
class BatchNormalization(Layer):
    """Normalises by the batch's mean and variance while training, by moving ones otherwise."""

    def __init__(
        self, axis: Any = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True, scale: bool = True, beta_initializer: Any = None, gamma_initializer: Any = None,
        moving_mean_initializer: Any = None, moving_variance_initializer: Any = None, beta_regularizer: Any = None, gamma_regularizer: Any = None, beta_constraint: Any = None,
        gamma_constraint: Any = None, renorm: bool = False, renorm_clipping: Any = None, renorm_momentum: float = 0.99, fused: Any = None, trainable: bool = True,
        virtual_batch_size: Any = None, adjustment: Any = None, name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(trainable=trainable, name=name, **kwargs)
        if renorm or virtual_batch_size is not None or adjustment is not None:
            raise NotImplementedError("tf.layers.BatchNormalization: renorm, virtual_batch_size and adjustment are not supported.")
        self.axis = list(axis) if isinstance(axis, list | tuple) else [axis]
        self.momentum, self.epsilon, self.center, self.scale = momentum, epsilon, center, scale
        self.initializers = dict(
            beta=beta_initializer or init_ops.Zeros(), gamma=gamma_initializer or init_ops.Ones(), moving_mean=moving_mean_initializer or init_ops.Zeros(),
            moving_variance=moving_variance_initializer or init_ops.Ones(),
        )  # fmt: skip
        self.regularizers = dict(beta=beta_regularizer, gamma=gamma_regularizer)
        self.constraints = dict(beta=beta_constraint, gamma=gamma_constraint)
        self.fused = fused

    def build(self, input_shape: Any) -> None:
        dims = as_dims(input_shape)
        if dims is None:
            raise ValueError("Input has undefined rank")
        self.axis = [a % len(dims) for a in self.axis]
        if self.fused in (None, True):
            self.fused = len(dims) == 4 and len(self.axis) == 1 and self.axis[0] in (1, 3)
        sizes = [dims[a] for a in self.axis]
        if None in sizes:
            raise ValueError(f"Input has undefined `axis` dimension. Input shape: {TensorShape(dims)}")
        shape: Any = sizes if len(sizes) == 1 else [dims[i] if i in self.axis else 1 for i in range(len(dims))]
        self.param_shape = shape
        for name, wanted in (("gamma", self.scale), ("beta", self.center)):
            weight = (
                self.add_weight(
                    name,
                    shape=shape,
                    dtype="float32",
                    initializer=self.initializers[name],
                    regularizer=self.regularizers[name],
                    constraint=self.constraints[name],
                    trainable=True,
                )
                if wanted
                else None
            )
            setattr(self, name, weight)
            if self.fused and weight is None:
                setattr(self, f"_{name}_const", constant(1.0 if name == "gamma" else 0.0, dtype="float32", shape=shape))
        scope = self._scope
        partitioner = scope.partitioner
        scope.set_partitioner(None)  # an average is not partitioned
        try:
            for name in ("moving_mean", "moving_variance"):
                setattr(
                    self, name, self.add_weight(name, shape=shape, dtype="float32", initializer=self.initializers[name], trainable=False)
                )
        finally:
            scope.set_partitioner(partitioner)
        self.built = True

    def _moving(self, variable: Any, value: Any, momentum: Any) -> Any:
        with name_scope(None, "AssignMovingAvg", [variable, value, momentum]) as scope:
            graph = get_default_graph()
            with graph.colocate_with(variable.op):
                decay = convert_to_tensor(1.0 - momentum if not isinstance(momentum, base.Tensor) else 1 - momentum, name="decay")
                if decay.dtype is not variable.dtype.base_dtype:
                    decay = math_ops.cast(decay, variable.dtype.base_dtype)
                delta = (variable - math_ops.cast(value, variable.dtype.base_dtype)) * decay
                return variable.assign_sub(delta, name=scope)

    def _fused(self, inputs: Any, training: Any) -> Any:
        data_format = "NHWC" if self.axis[0] == 3 else "NCHW"
        gamma = self.gamma if self.scale else self._gamma_const
        beta = self.beta if self.center else self._beta_const

        def train() -> Any:
            return nn_ops.fused_batch_norm(inputs, gamma, beta, epsilon=self.epsilon, data_format=data_format)

        def infer() -> Any:
            return nn_ops.fused_batch_norm(
                inputs,
                gamma,
                beta,
                mean=self.moving_mean,
                variance=self.moving_variance,
                epsilon=self.epsilon,
                is_training=False,
                data_format=data_format,
            )

        output, mean, variance = smart_cond(training, train, infer)
        known = smart_constant(training)
        if known is None:
            momentum: Any = smart_cond(training, lambda: constant(self.momentum), lambda: constant(1.0))
        else:
            momentum = constant(self.momentum)
        if known is False:
            return output
        self.add_update(self._moving(self.moving_mean, mean, momentum))
        self.add_update(self._moving(self.moving_variance, variance, momentum))
        return output

    def call(self, inputs: Any, training: Any = False, **kwargs: Any) -> Any:
        inputs = convert_to_tensor(inputs)
        if self.fused:
            outputs = self._fused(inputs, training)
        else:
            outputs = self._plain(inputs, training)
        for update in self._updates:
            if update not in get_default_graph().get_collection("update_ops"):
                get_default_graph().add_to_collection("update_ops", update)
        return outputs

    def _plain(self, inputs: Any, training: Any) -> Any:
        rank = inputs.rank
        axes = [i for i in range(rank) if i not in self.axis]
        broadcast_shape = [inputs.dims[i] if i in self.axis else 1 for i in range(rank)]

        def broadcast(v: Any) -> Any:
            if v is not None and len(v.shape) != rank and axes != list(range(rank - 1)):
                return array_ops.reshape(v, broadcast_shape)
            return v

        known = smart_constant(training)
        if known is not False:
            mean, variance = nn_ops.moments(inputs, axes, keep_dims=len(self.axis) > 1)
            batch_mean, batch_variance = mean, variance
            mean = smart_cond(training, lambda: batch_mean, lambda: convert_to_tensor(self.moving_mean))
            variance = smart_cond(training, lambda: batch_variance, lambda: convert_to_tensor(self.moving_variance))

            def updated(variable: Any, value: Any) -> Any:
                return smart_cond(training, lambda: self._moving(variable, value, self.momentum), lambda: variable)

            self.add_update(updated(self.moving_mean, mean))
            self.add_update(updated(self.moving_variance, variance))
        else:
            mean, variance = self.moving_mean, self.moving_variance
        mean, variance = math_ops.cast(mean, inputs.dtype), math_ops.cast(variance, inputs.dtype)
        outputs = nn_ops.batch_normalization(
            inputs, broadcast(mean), broadcast(variance), broadcast(self.beta), broadcast(self.gamma), self.epsilon
        )
        outputs.set_shape(inputs.shape)
        return outputs


@export("layers.batch_normalization")
def batch_normalization(inputs: Any, *args: Any, **kwargs: Any) -> Any:
    training, reuse, name = kwargs.pop("training", False), kwargs.pop("reuse", None), kwargs.get("name")
    return BatchNormalization(*args, _scope=name, _reuse=reuse, **kwargs).apply(inputs, training=training)


@export("layers.experimental.keras_style_scope")
def keras_style_scope() -> Any:
    import contextlib

    return contextlib.nullcontext()
