"""Pooling layers."""

from __future__ import annotations

from typing import Any

from runtime.tf1.core_layers import _tuple
from runtime.tf1.keras import backend as K
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import Layer
from runtime.tf1.keras.layers.core import dims_of
from runtime.tf1.layer import InputSpec
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


def window_length(size: Any, window: int, padding: str, stride: int, dilation: int = 1) -> Any:
    """How many windows fit in a length."""
    if size is None:
        return None
    wide = window + (window - 1) * (dilation - 1)
    length = size if padding in ("same", "causal") else size - wide + 1
    return (length + stride - 1) // stride


class Pool(Layer):
    rank = 2
    mode = "max"
    default: Any = (2, 2)

    def __init__(self, pool_size: Any = None, strides: Any = None, padding: str = "valid", data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pool_size = self.default if pool_size is None else pool_size
        self.pool_size = _tuple(pool_size, self.rank, "pool_size")
        self.strides = _tuple(pool_size if strides is None else strides, self.rank, "strides")
        self.padding = padding.lower()
        if self.padding not in ("valid", "same"):
            raise ValueError(f'The `padding` argument must be a list/tuple or one of "valid", "same". Received: {padding}')
        self.data_format = K.conv_format("channels_last" if data_format is None and self.rank == 1 else data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        first = self.data_format == "channels_first"
        pool = {
            ("max", 1): tf.nn.max_pool,
            ("avg", 1): tf.nn.avg_pool,
            ("max", 2): tf.nn.max_pool,
            ("avg", 2): tf.nn.avg_pool,
            ("max", 3): tf.nn.max_pool3d,
            ("avg", 3): tf.nn.avg_pool3d,
        }[self.mode, self.rank]
        if self.rank == 1:
            axis = 3 if first else 2
            wide = tf.expand_dims(inputs, axis)
            sizes = [(1, 1, v[0], 1) if first else (1, v[0], 1, 1) for v in (self.pool_size, self.strides)]
            out = pool(wide, sizes[0], sizes[1], padding=self.padding.upper(), data_format="NCHW" if first else "NHWC")
            return tf.squeeze(out, axis)

        def spread(v: Any) -> Any:
            return (1, 1, *v) if first else (1, *v, 1)

        name = {2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}[self.rank][0 if first else 1]
        return pool(inputs, ksize=spread(self.pool_size), strides=spread(self.strides), padding=self.padding.upper(), data_format=name)

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        start = 2 if self.data_format == "channels_first" else 1
        for i in range(self.rank):
            dims[start + i] = window_length(dims[start + i], self.pool_size[i], self.padding, self.strides[i])
        return TensorShape(dims)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "strides": self.strides,
            "pool_size": self.pool_size,
            "padding": self.padding,
            "data_format": self.data_format,
        }


class GlobalPool(Layer):
    rank = 2
    mode = "max"

    def __init__(self, data_format: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = K.conv_format("channels_last" if data_format is None and self.rank == 1 else data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self.supports_masking = self.rank == 1 and self.mode == "avg"

    def call(self, inputs: Any) -> Any:
        start = 2 if self.data_format == "channels_first" else 1
        axes: Any = [start + i for i in range(self.rank)]
        axes = axes[0] if self.rank == 1 else axes
        return tf.reduce_max(inputs, axis=axes) if self.mode == "max" else tf.reduce_mean(inputs, axis=axes)

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        return TensorShape([dims[0], dims[1] if self.data_format == "channels_first" else dims[-1]])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


def _pools() -> None:
    for rank, default in ((1, 2), (2, (2, 2)), (3, (2, 2, 2))):
        for mode, word in (("max", "Max"), ("avg", "Average")):
            name = f"{word}Pooling{rank}D"
            made: Any = type(name, (Pool,), {"rank": rank, "mode": mode, "default": default, "__module__": __name__})
            globals()[name] = export(f"keras.layers.{name}")(made)
            if (rank, mode) != (1, "avg"):
                made = type(f"Global{name}", (GlobalPool,), {"rank": rank, "mode": mode, "__module__": __name__})
                globals()[f"Global{name}"] = export(f"keras.layers.Global{name}")(made)


_pools()


@export("keras.layers.GlobalAveragePooling1D")
class GlobalAveragePooling1D(GlobalPool):
    """The mean over steps, masked ones left out."""

    rank = 1
    mode = "avg"

    def call(self, inputs: Any, mask: Any = None) -> Any:
        axis = 2 if self.data_format == "channels_first" else 1
        if mask is None:
            return tf.reduce_mean(inputs, axis=axis)
        mask = tf.expand_dims(tf.cast(mask, K.floatx()), 2 if self.data_format == "channels_last" else 1)
        inputs = inputs * mask
        return tf.reduce_sum(inputs, axis=axis) / tf.reduce_sum(mask, axis=axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None
