"""Locally connected layers: convolutions whose filter differs from place to place."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

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


def local_conv(inputs: Any, kernel: Any, kernel_size: Any, strides: Any, output_shape: Any, data_format: Any = None) -> Any:
    """Each place's own filter: the patches under the windows, stacked, times the filters, stacked."""
    data_format = K.conv_format(data_format)
    first = data_format == "channels_first"
    _, feature_dim, channels_out = K.int_shape(kernel)
    ndims = len(output_shape)
    patches = []
    for position in itertools.product(*(range(n) for n in output_shape)):
        window = [slice(p * s, p * s + k) for p, s, k in zip(position, strides, kernel_size, strict=True)]
        index = (slice(None), slice(None), *window) if first else (slice(None), *window, slice(None))
        patches.append(tf.reshape(inputs[index], (1, -1, feature_dim)))
    output = ops.batch_dot(ops.concatenate(patches, axis=0), kernel)
    output = tf.reshape(output, (*output_shape, -1, channels_out))
    order = [ndims, ndims + 1, *range(ndims)] if first else [ndims, *range(ndims), ndims + 1]
    return tf.transpose(output, order)


@export("keras.backend.local_conv1d")
def local_conv1d(inputs: Any, kernel: Any, kernel_size: Any, strides: Any, data_format: Any = None) -> Any:
    return local_conv(inputs, kernel, kernel_size, strides, (int(kernel.shape[0]),), data_format)


@export("keras.backend.local_conv2d")
def local_conv2d(inputs: Any, kernel: Any, kernel_size: Any, strides: Any, output_shape: Any, data_format: Any = None) -> Any:
    return local_conv(inputs, kernel, kernel_size, strides, tuple(output_shape), data_format)


class LocallyConnected(Layer):
    """activation(local convolution(inputs, kernel) + bias). `implementation` 1 loops over places, 2 multiplies by a masked dense matrix, 3 by a sparse one."""

    rank = 1

    def __init__(
        self, filters: Any, kernel_size: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, bias_constraint: Any = None, implementation: int = 1, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=regularizers.get(activity_regularizer), **kwargs)
        self.filters = filters
        self.kernel_size, self.strides = _tuple(kernel_size, self.rank, "kernel_size"), _tuple(strides, self.rank, "strides")
        self.padding = padding.lower()
        if self.padding not in ("valid", "same"):
            raise ValueError(f'The `padding` argument must be one of "valid", "same". Received: {padding}')
        if self.padding != "valid" and implementation == 1:
            raise ValueError(
                f'Invalid border mode for {type(self).__name__} (only "valid" is supported if implementation is 1): {self.padding}'
            )
        if implementation not in (1, 2, 3):
            raise ValueError(f"Unrecognized implementation mode: {implementation}.")
        self.data_format = K.conv_format(data_format)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer, self.bias_initializer = initializers.get(kernel_initializer), initializers.get(bias_initializer)
        self.kernel_regularizer, self.bias_regularizer = regularizers.get(kernel_regularizer), regularizers.get(bias_regularizer)
        self.kernel_constraint, self.bias_constraint = constraints.get(kernel_constraint), constraints.get(bias_constraint)
        self.implementation = implementation
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _is_first(self) -> bool:
        return self.data_format == "channels_first"

    def build(self, input_shape: Any) -> None:
        dims = dims_of(input_shape)
        channels, space = (dims[1], dims[2:]) if self._is_first else (dims[-1], dims[1:-1])
        if channels is None or (self.rank == 2 and None in space):
            raise ValueError(
                f"The spatial dimensions of the inputs to a {type(self).__name__} layer should be fully-defined, but layer received the inputs shape {dims}"
            )
        self._places = tuple(self._lengths(space))
        places, filters = self._places, self.filters
        if self.implementation == 1:
            shape: tuple[int, ...] = (int(np.prod(places)), int(np.prod(self.kernel_size)) * channels, filters)
        elif self.implementation == 2:
            shape = (channels, *space, filters, *places) if self._is_first else (*space, channels, *places, filters)
            self.kernel_mask = self._mask(space)
        else:
            self._matrix = (int(np.prod(places)) * filters, int(np.prod(space)) * channels)
            self.kernel_idxs = self._connections(space, channels)
            shape = (len(self.kernel_idxs),)
        self.kernel_shape = self._matrix if self.implementation == 3 else shape
        self.kernel = self.add_weight(
            "kernel",
            shape=shape,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                shape=(*places, filters),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={1 if self._is_first else -1: channels})
        self.built = True

    def _lengths(self, space: Any) -> list[Any]:
        return [window_length(n, k, self.padding, s) for n, k, s in zip(space, self.kernel_size, self.strides, strict=True)]

    def _seen_from(self, place: tuple[int, ...], space: Any) -> Any:
        """The places of the input that a place of the output sees."""
        ranges = []
        for at, size, k, s in zip(place, space, self.kernel_size, self.strides, strict=True):
            left = k // 2
            center = at * s + (left if self.padding == "valid" else 0)
            ranges.append(range(max(0, center - left), min(size, center + k - left)))
        return itertools.product(*ranges)

    def _mask(self, space: Any) -> Any:
        """1 where an input and an output place are connected."""
        mask = np.zeros((*space, *self._places), bool)
        for place in itertools.product(*(range(n) for n in self._places)):
            for seen in self._seen_from(place, space):
                mask[(*seen, *place)] = True
        n = self.rank
        mask = np.expand_dims(np.expand_dims(mask, 0), -n - 1) if self._is_first else np.expand_dims(np.expand_dims(mask, n), -1)
        return mask.astype(K.floatx())

    def _connections(self, space: Any, channels: int) -> list[tuple[int, int]]:
        """(output, input) numbers of what is connected, sorted: the places of the sparse matrix's elements."""
        found = []
        for place in itertools.product(*(range(n) for n in self._places)):
            for seen in self._seen_from(place, space):
                for into, out in itertools.product(range(channels), range(self.filters)):
                    if self._is_first:
                        row = np.ravel_multi_index((out, *place), (self.filters, *self._places))
                        column = np.ravel_multi_index((into, *seen), (channels, *space))
                    else:
                        row = np.ravel_multi_index((*place, out), (*self._places, self.filters))
                        column = np.ravel_multi_index((*seen, into), (*space, channels))
                    found.append((int(row), int(column)))
        return sorted(found)

    def call(self, inputs: Any) -> Any:
        if self.implementation == 1:
            output = local_conv(inputs, self.kernel, self.kernel_size, self.strides, self._places, self.data_format)
        else:
            flat = tf.reshape(inputs, (tf.shape(inputs)[0], -1))
            if self.implementation == 2:
                kernel = self.kernel_mask * self.kernel
                half = len(self.kernel_shape) // 2
                shape = tf.shape(kernel)
                matrix = tf.reshape(kernel, (tf.reduce_prod(shape[:half]), tf.reduce_prod(shape[half:])))
                result = tf.sparse_matmul(flat, matrix, b_is_sparse=True)
            else:
                sparse = tf.SparseTensor(np.array(self.kernel_idxs, np.int64), self.kernel, self._matrix)
                result = tf.transpose(tf.sparse_tensor_dense_matmul(sparse, flat, adjoint_b=True))
            output = tf.reshape(result, [tf.shape(result)[0], *self.compute_output_shape(inputs.shape).as_list()[1:]])
        if self.use_bias:
            output = ops.bias_add(output, self.bias, data_format=self.data_format)
        return self.activation(output)

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        lengths = self._lengths(dims[2:] if self._is_first else dims[1:-1])
        return TensorShape([dims[0], self.filters, *lengths] if self._is_first else [dims[0], *lengths, self.filters])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "filters": self.filters, "kernel_size": self.kernel_size, "strides": self.strides, "padding": self.padding, "data_format": self.data_format,
            "activation": activations.serialize(self.activation), "use_bias": self.use_bias, **weight_config(self, ("kernel", "bias")),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer), "implementation": self.implementation,
        }  # fmt: skip


@export("keras.layers.LocallyConnected1D")
class LocallyConnected1D(LocallyConnected):
    rank = 1


@export("keras.layers.LocallyConnected2D")
class LocallyConnected2D(LocallyConnected):
    rank = 2
