"""tf.keras.backend: arithmetic, shapes, random values, losses and convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools import graph as base
from runtime.tf1.keras import activations
from runtime.tf1.keras.backend import *  # noqa: F403 - `K` has both modules' names
from runtime.tf1.keras.backend import conv_format, epsilon, floatx, int_shape, is_sparse, ndim, tf, variable
from runtime.tf1.registry import export, put
from runtime.tf1.variables import Variable

# One K function is one TensorFlow function of the same arguments.
SAME = {
    "abs": "abs", "cos": "cos", "equal": "equal", "exp": "exp", "eye": "eye", "greater": "greater", "greater_equal": "greater_equal", "less": "less", "less_equal": "less_equal", "log": "log",
    "maximum": "maximum", "minimum": "minimum", "not_equal": "not_equal", "ones_like": "ones_like", "pow": "pow", "round": "round", "sigmoid": "nn.sigmoid", "sign": "sign", "sin": "sin",
    "square": "square", "stop_gradient": "stop_gradient", "tanh": "nn.tanh", "transpose": "transpose", "zeros_like": "zeros_like", "softplus": "nn.softplus", "softsign": "nn.softsign",
    "map_fn": "map_fn", "foldl": "foldl", "foldr": "foldr", "gather": "gather", "reverse": "reverse",
}  # fmt: skip


def _same(name: str, target: str) -> Any:
    def function(*args: Any, **kwargs: Any) -> Any:
        found = tf
        for part in target.split("."):
            found = getattr(found, part)
        return found(*args, **kwargs)

    function.__name__ = name
    put(f"keras.backend.{name}", function)
    return function


globals().update({name: _same(name, target) for name, target in SAME.items()})


@export("keras.backend.relu")
def relu(x: Any, alpha: float = 0.0, max_value: Any = None, threshold: float = 0) -> Any:
    return activations.relu(x, alpha, max_value, threshold)


@export("keras.backend.elu")
def elu(x: Any, alpha: float = 1.0) -> Any:
    return activations.elu(x, alpha)


@export("keras.backend.hard_sigmoid")
def hard_sigmoid(x: Any) -> Any:
    return activations.hard_sigmoid(x)


@export("keras.backend.softmax")
def softmax(x: Any, axis: int = -1) -> Any:
    return tf.nn.softmax(x, axis=axis)


def _reduction(name: str, target: str) -> Any:
    def function(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if target == "reduce_mean" and x.dtype.base_dtype == tf.bool:
            x = tf.cast(x, floatx())
        if target in ("reduce_any", "reduce_all"):
            x = tf.cast(x, tf.bool)
        return getattr(tf, target)(x, axis, keepdims)

    function.__name__ = name
    put(f"keras.backend.{name}", function)
    return function


sum = _reduction("sum", "reduce_sum")
mean = _reduction("mean", "reduce_mean")
prod = _reduction("prod", "reduce_prod")
max = _reduction("max", "reduce_max")
min = _reduction("min", "reduce_min")
any = _reduction("any", "reduce_any")
all = _reduction("all", "reduce_all")
var = _reduction("var", "reduce_variance")
std = _reduction("std", "reduce_std")


@export("keras.backend.cumsum")
def cumsum(x: Any, axis: int = 0) -> Any:
    return tf.cumsum(x, axis=axis)


@export("keras.backend.cumprod")
def cumprod(x: Any, axis: int = 0) -> Any:
    return tf.cumprod(x, axis=axis)


@export("keras.backend.argmax")
def argmax(x: Any, axis: int = -1) -> Any:
    return tf.argmax(x, axis)


@export("keras.backend.argmin")
def argmin(x: Any, axis: int = -1) -> Any:
    return tf.argmin(x, axis)


@export("keras.backend.sqrt")
def sqrt(x: Any) -> Any:
    return tf.sqrt(tf.clip_by_value(x, tf.constant(0.0, x.dtype.base_dtype), tf.constant(np.inf, x.dtype.base_dtype)))


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return tf.reduce_logsumexp(x, axis, keepdims)


@export("keras.backend.clip")
def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    if max_value is not None and min_value is not None and not isinstance(max_value, base.Tensor) and max_value < min_value:
        max_value = min_value
    if max_value is None:
        max_value = np.inf
    return tf.clip_by_value(x, tf.constant(min_value, x.dtype.base_dtype), tf.constant(max_value, x.dtype.base_dtype))


@export("keras.backend.cast")
def cast(x: Any, dtype: Any) -> Any:
    return tf.cast(x, dtype)


@export("keras.backend.constant")
def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    return tf.constant(value, dtype=floatx() if dtype is None else dtype, shape=shape, **({"name": name} if name else {}))


@export("keras.backend.zeros")
def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    value = tf.zeros(shape=shape, dtype=dtype or floatx(), name=name)
    return variable(value, dtype=dtype, name=name) if value.shape.is_fully_defined() else value


@export("keras.backend.ones")
def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    value = tf.ones(shape=shape, dtype=dtype or floatx(), name=name)
    return variable(value, dtype=dtype, name=name) if value.shape.is_fully_defined() else value


def identity(x: Any, name: str | None = None) -> Any:
    return tf.identity(x, name=name)


@export("keras.backend.random_uniform_variable")
def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: str | None = None, seed: int | None = None
) -> Any:
    seed = np.random.randint(10e8) if seed is None else seed
    return variable(tf.random_uniform(tuple(shape), low, high, dtype=dtype or floatx(), seed=seed), dtype=dtype, name=name)


@export("keras.backend.random_normal_variable")
def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: str | None = None, seed: int | None = None
) -> Any:
    seed = np.random.randint(10e8) if seed is None else seed
    return variable(tf.random_normal(tuple(shape), mean, scale, dtype=dtype or floatx(), seed=seed), dtype=dtype, name=name)


@export("keras.backend.random_normal")
def random_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: int | None = None) -> Any:
    return tf.random_normal(
        shape, mean=mean, stddev=stddev, dtype=dtype or floatx(), seed=np.random.randint(10e6) if seed is None else seed
    )


@export("keras.backend.random_uniform")
def random_uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: int | None = None) -> Any:
    return tf.random_uniform(
        shape, minval=minval, maxval=maxval, dtype=dtype or floatx(), seed=np.random.randint(10e6) if seed is None else seed
    )


@export("keras.backend.random_binomial")
def random_binomial(shape: Any, p: float = 0.0, dtype: Any = None, seed: int | None = None) -> Any:
    dtype = dtype or floatx()
    seed = np.random.randint(10e6) if seed is None else seed
    return tf.where(tf.random_uniform(shape, dtype=dtype, seed=seed) <= p, tf.ones(shape, dtype=dtype), tf.zeros(shape, dtype=dtype))


@export("keras.backend.truncated_normal")
def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: int | None = None) -> Any:
    return tf.truncated_normal(shape, mean, stddev, dtype=dtype or floatx(), seed=np.random.randint(10e6) if seed is None else seed)


@export("keras.backend.dropout")
def dropout(x: Any, level: float, noise_shape: Any = None, seed: int | None = None) -> Any:
    return tf.nn.dropout(x, rate=level, noise_shape=noise_shape, seed=np.random.randint(10e6) if seed is None else seed)


# -- shapes ------------------------------------------------------------------------------------------------------------


@export("keras.backend.dot")
def dot(x: Any, y: Any) -> Any:
    """The last axis of x with the last but one of y."""
    if ndim(x) is not None and (ndim(x) > 2 or ndim(y) > 2):
        x_shape = [d if d is not None else tf.shape(x)[i] for i, d in enumerate(int_shape(x))]
        y_shape = [d if d is not None else tf.shape(y)[i] for i, d in enumerate(int_shape(y))]
        order = list(range(ndim(y)))
        order = [order.pop(-2), *order]
        flat = tf.matmul(tf.reshape(x, [-1, x_shape[-1]]), tf.reshape(tf.transpose(y, perm=order), [y_shape[-2], -1]))
        return tf.reshape(flat, x_shape[:-1] + y_shape[:-2] + y_shape[-1:])
    return tf.sparse_tensor_dense_matmul(x, y) if is_sparse(x) else tf.matmul(x, y)


@export("keras.backend.batch_dot")
def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """Dot products per sample along `axes`."""
    x_rank, y_rank = ndim(x), ndim(y)
    if x_rank < 2 or y_rank < 2:
        raise ValueError(f"Cannot do batch_dot on inputs with rank < 2. Received inputs with shapes {int_shape(x)} and {int_shape(y)}.")
    if axes is None:
        axes = [x_rank - 1, y_rank - 1] if y_rank == 2 else [x_rank - 1, y_rank - 2]
    axes = [axes, axes] if isinstance(axes, int) else list(axes)
    a, b = (axes[0] % x_rank, axes[1] % y_rank)
    if a == 0 or b == 0:
        raise ValueError(
            "Cannot perform batch_dot over axis 0. If your inputs are not batched, add a dummy batch dimension to your inputs using K.expand_dims(x, 0)"
        )
    x = tf.transpose(x, [i for i in range(x_rank) if i != a] + [a]) if a != x_rank - 1 else x
    y = tf.transpose(y, [0, b] + [i for i in range(1, y_rank) if i != b]) if b != 1 else y
    x_dims = [d if d is not None else tf.shape(x)[i] for i, d in enumerate(int_shape(x))]
    y_dims = [d if d is not None else tf.shape(y)[i] for i, d in enumerate(int_shape(y))]
    left = tf.reshape(x, [x_dims[0], -1, x_dims[-1]]) if x_rank != 3 else x
    right = tf.reshape(y, [y_dims[0], y_dims[1], -1]) if y_rank != 3 else y
    result = tf.matmul(left, right)
    dims = x_dims[:-1] + y_dims[2:]
    if x_rank == 3 and y_rank == 3:
        return result
    return tf.reshape(result, dims if len(dims) > 1 else [*dims, 1])


@export("keras.backend.reshape")
def reshape(x: Any, shape: Any) -> Any:
    return tf.reshape(x, shape)


@export("keras.backend.permute_dimensions")
def permute_dimensions(x: Any, pattern: Any) -> Any:
    return tf.transpose(x, perm=pattern)


@export("keras.backend.concatenate")
def concatenate(tensors: Any, axis: int = -1) -> Any:
    if axis < 0:
        rank = ndim(tensors[0])
        axis = axis % rank if rank else 0
    return tf.concat([to_dense(x) for x in tensors], axis)  # noqa: F405


@export("keras.backend.stack")
def stack(x: Any, axis: int = 0) -> Any:
    return tf.stack(x, axis=axis)


@export("keras.backend.tile")
def tile(x: Any, n: Any) -> Any:
    return tf.tile(x, [n] if isinstance(n, int) else n)


@export("keras.backend.repeat")
def repeat(x: Any, n: int) -> Any:
    return tf.tile(tf.expand_dims(x, 1), tf.stack([1, n, 1]))


@export("keras.backend.repeat_elements")
def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    dims = int_shape(x)
    if dims[axis] is not None:
        return tf.concat([s for s in tf.split(value=x, num_or_size_splits=dims[axis], axis=axis) for _ in range(rep)], axis)
    wide = tf.expand_dims(x, axis + 1)
    multiples = np.ones(len(dims) + 1, dtype="int32")
    multiples[axis + 1] = rep
    factors = np.ones(len(dims), dtype="int32")
    factors[axis] = rep
    made = tf.reshape(tf.tile(wide, multiples), tf.shape(x) * factors)
    made.set_shape(dims)
    return made


@export("keras.backend.arange")
def arange(start: Any, stop: Any = None, step: int = 1, dtype: str = "int32") -> Any:
    if stop is None and start < 0:
        start = 0
    made = tf.range(start, limit=stop, delta=step)
    return made if dtype == "int32" else tf.cast(made, dtype)


@export("keras.backend.flatten")
def flatten(x: Any) -> Any:
    return tf.reshape(x, [-1])


@export("keras.backend.batch_flatten")
def batch_flatten(x: Any) -> Any:
    return tf.reshape(x, tf.stack([-1, tf.reduce_prod(tf.shape(x)[1:])]))


@export("keras.backend.expand_dims")
def expand_dims(x: Any, axis: int = -1) -> Any:
    return tf.expand_dims(x, axis)


@export("keras.backend.squeeze")
def squeeze(x: Any, axis: int) -> Any:
    return tf.squeeze(x, [axis])


@export("keras.backend.temporal_padding")
def temporal_padding(x: Any, padding: Any = (1, 1)) -> Any:
    return tf.pad(x, [[0, 0], [padding[0], padding[1]], [0, 0]])


def spatial_padding(x: Any, padding: Any, data_format: Any) -> Any:
    inner = [list(p) for p in padding]
    return tf.pad(x, [[0, 0], [0, 0], *inner] if conv_format(data_format) == "channels_first" else [[0, 0], *inner, [0, 0]])


@export("keras.backend.spatial_2d_padding")
def spatial_2d_padding(x: Any, padding: Any = ((1, 1), (1, 1)), data_format: Any = None) -> Any:
    return spatial_padding(x, padding, data_format)


@export("keras.backend.spatial_3d_padding")
def spatial_3d_padding(x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: Any = None) -> Any:
    return spatial_padding(x, padding, data_format)


@export("keras.backend.one_hot")
def one_hot(indices: Any, num_classes: int) -> Any:
    return tf.one_hot(indices, depth=num_classes, axis=-1)


@export("keras.backend.resize_images")
def resize_images(x: Any, height_factor: int, width_factor: int, data_format: str, interpolation: str = "nearest") -> Any:
    rows, cols = (2, 3) if data_format == "channels_first" else (1, 2)
    dims = int_shape(x)
    if dims[rows] is not None and dims[cols] is not None:
        size: Any = tf.constant([dims[rows] * height_factor, dims[cols] * width_factor], dtype="int32")
    else:
        size = tf.shape(x)[rows : cols + 1] * tf.constant(np.array([height_factor, width_factor], dtype="int32"))
    if data_format == "channels_first":
        x = tf.transpose(x, [0, 2, 3, 1])
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError('interpolation should be one of "nearest" or "bilinear".')
    from runtime.tf1.graph import apply_op

    op = "ResizeNearestNeighbor" if interpolation == "nearest" else "ResizeBilinear"
    with tf.name_scope("resize"):
        x = (
            apply_op(op, None, images=x, size=size, align_corners=False, half_pixel_centers=False)
            if interpolation == "nearest"
            else apply_op(op, None, images=x, size=size)
        )
    return tf.transpose(x, [0, 3, 1, 2]) if data_format == "channels_first" else x


@export("keras.backend.resize_volumes")
def resize_volumes(x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str) -> Any:
    first = 2 if data_format == "channels_first" else 1
    for i, factor in enumerate((depth_factor, height_factor, width_factor)):
        x = repeat_elements(x, factor, axis=first + i)
    return x


# -- losses and networks -------------------------------------------------------------------------------------------------


@export("keras.backend.l2_normalize")
def l2_normalize(x: Any, axis: Any = None) -> Any:
    return tf.nn.l2_normalize(x, axis=axis)


@export("keras.backend.in_top_k")
def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    return tf.nn.in_top_k(predictions, targets, k)


def _logits(output: Any, op_type: str) -> Any:
    """What an activation was computed from, where the output is one."""
    if isinstance(output, Variable) or output.op.type != op_type:
        return None
    return output.op.inputs[0]


@export("keras.backend.categorical_crossentropy")
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    if not from_logits:
        logits = _logits(output, "Softmax")
        if logits is None:
            output = output / tf.reduce_sum(output, axis, True)
            small = tf.constant(epsilon(), output.dtype.base_dtype)
            output = tf.clip_by_value(output, small, 1.0 - small)
            return -tf.reduce_sum(target * tf.log(output), axis)
        output = logits
    return tf.nn.softmax_cross_entropy_with_logits_v2(labels=target, logits=output, axis=axis)


@export("keras.backend.sparse_categorical_crossentropy")
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    if not from_logits:
        logits = _logits(output, "Softmax")
        if logits is None:
            small = tf.constant(epsilon(), output.dtype.base_dtype)
            output = tf.log(tf.clip_by_value(output, small, 1 - small))
        else:
            output = logits
    rank = output.shape.ndims
    if rank is not None and axis % rank != rank - 1:
        axis %= rank
        output = tf.transpose(output, perm=[*range(axis), *range(axis + 1, rank), axis])
    target = tf.cast(target, "int64")
    dims = tf.shape(output)
    flat = target.shape.ndims is not None and rank is not None and target.shape.ndims != rank - 1
    if flat:
        target = flatten(target)
        output = tf.reshape(output, [-1, dims[-1]])
    result = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=output)
    return tf.reshape(result, dims[:-1]) if flat and rank >= 3 else result


@export("keras.backend.binary_crossentropy")
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    if not from_logits:
        logits = _logits(output, "Sigmoid")
        if logits is None:
            small = tf.constant(epsilon(), output.dtype.base_dtype)
            output = tf.clip_by_value(output, small, 1.0 - small)
            bce = target * tf.log(output + epsilon())
            bce += (1 - target) * tf.log(1 - output + epsilon())
            return -bce
        output = logits
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=output)


@export("keras.backend.bias_add")
def bias_add(x: Any, bias: Any, data_format: Any = None) -> Any:
    data_format = conv_format(data_format)
    dims = int_shape(bias)
    if len(dims) == 1:
        if ndim(x) in (3, 4, 5) and data_format == "channels_first":
            return (
                x + tf.reshape(bias, (1, dims[0], *(1,) * (ndim(x) - 2))) if ndim(x) != 4 else tf.nn.bias_add(x, bias, data_format="NCHW")
            )
        return tf.nn.bias_add(x, bias)
    if len(dims) != ndim(x) - 1:
        raise ValueError(f"Unexpected bias dimensions {len(dims)}, expect to be 1 or {ndim(x) - 1} dimensions")
    return x + tf.reshape(bias, (1, dims[-1], *dims[:-1]) if data_format == "channels_first" else (1, *dims))


@export("keras.backend.batch_normalization")
def batch_normalization(x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3) -> Any:
    return tf.nn.batch_normalization(x, mean, var, beta, gamma, epsilon)


@export("keras.backend.normalize_batch_in_training")
def normalize_batch_in_training(x: Any, gamma: Any, beta: Any, reduction_axes: Any, epsilon: float = 1e-3) -> Any:
    average, variance = tf.nn.moments(x, reduction_axes)
    if sorted(reduction_axes) == list(range(ndim(x)))[:-1]:
        return tf.nn.batch_normalization(x, average, variance, beta, gamma, epsilon), average, variance
    dims = tf.stack([1 if i in reduction_axes else tf.shape(x)[i] for i in range(ndim(x))])
    wide = [None if t is None else tf.reshape(t, dims) for t in (average, variance, beta, gamma)]
    return tf.nn.batch_normalization(x, *wide, epsilon), average, variance


def _padded(padding: str) -> str:
    if padding not in ("same", "valid"):
        raise ValueError(f"Invalid padding: {padding}")
    return padding.upper()


_FORMATS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


def convolve(x: Any, kernel: Any, rank: int, strides: Any, padding: str, data_format: Any, dilation_rate: Any) -> Any:
    tf_format = _FORMATS[rank][0 if conv_format(data_format) == "channels_first" else 1]

    def spread(v: Any) -> Any:
        return (v,) * rank if isinstance(v, int) else tuple(v)

    return tf.nn.convolution(
        input=x,
        filter=kernel,
        dilation_rate=spread(dilation_rate),
        strides=spread(strides),
        padding=_padded(padding),
        data_format=tf_format,
    )


@export("keras.backend.conv1d")
def conv1d(x: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1) -> Any:
    if padding == "causal":
        x = temporal_padding(x, (dilation_rate * (int_shape(kernel)[0] - 1), 0))
        padding = "valid"
    return convolve(x, kernel, 1, strides, padding, data_format, dilation_rate)


@export("keras.backend.conv2d")
def conv2d(x: Any, kernel: Any, strides: Any = (1, 1), padding: str = "valid", data_format: Any = None, dilation_rate: Any = (1, 1)) -> Any:
    return convolve(x, kernel, 2, strides, padding, data_format, dilation_rate)


@export("keras.backend.conv3d")
def conv3d(
    x: Any, kernel: Any, strides: Any = (1, 1, 1), padding: str = "valid", data_format: Any = None, dilation_rate: Any = (1, 1, 1)
) -> Any:
    return convolve(x, kernel, 3, strides, padding, data_format, dilation_rate)


@export("keras.backend.conv2d_transpose")
def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    first = conv_format(data_format) == "channels_first"
    output_shape = tf.stack(list(output_shape)) if isinstance(output_shape, list | tuple) else output_shape
    steps = (1, 1, *strides) if first else (1, *strides, 1)
    return tf.nn.conv2d_transpose(x, kernel, output_shape, steps, padding=_padded(padding), data_format="NCHW" if first else "NHWC")


@export("keras.backend.separable_conv2d")
def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    first = conv_format(data_format) == "channels_first"
    steps = (1, 1, *strides) if first else (1, *strides, 1)
    return tf.nn.separable_conv2d(
        x,
        depthwise_kernel,
        pointwise_kernel,
        strides=steps,
        padding=_padded(padding),
        rate=dilation_rate,
        data_format="NCHW" if first else "NHWC",
    )


def depthwise_conv2d(
    x: Any, kernel: Any, strides: Any = (1, 1), padding: str = "valid", data_format: Any = None, dilation_rate: Any = (1, 1)
) -> Any:
    first = conv_format(data_format) == "channels_first"
    steps = (1, 1, *strides) if first else (1, *strides, 1)
    return tf.nn.depthwise_conv2d(
        x, kernel, strides=steps, padding=_padded(padding), rate=dilation_rate, data_format="NCHW" if first else "NHWC"
    )


@export("keras.backend.pool2d")
def pool2d(x: Any, pool_size: Any, strides: Any = (1, 1), padding: str = "valid", data_format: Any = None, pool_mode: str = "max") -> Any:
    first = conv_format(data_format) == "channels_first"

    def wide(v: Any) -> Any:
        return (1, 1, *v) if first else (1, *v, 1)

    pool = {"max": tf.nn.max_pool, "avg": tf.nn.avg_pool}.get(pool_mode)
    if pool is None:
        raise ValueError(f"Invalid pooling mode: {pool_mode}")
    return pool(x, wide(pool_size), wide(strides), padding=_padded(padding), data_format="NCHW" if first else "NHWC")


@export("keras.backend.pool3d")
def pool3d(
    x: Any, pool_size: Any, strides: Any = (1, 1, 1), padding: str = "valid", data_format: Any = None, pool_mode: str = "max"
) -> Any:
    first = conv_format(data_format) == "channels_first"

    def wide(v: Any) -> Any:
        return (1, 1, *v) if first else (1, *v, 1)

    pool = {"max": tf.nn.max_pool3d, "avg": tf.nn.avg_pool3d}.get(pool_mode)
    if pool is None:
        raise ValueError(f"Invalid pooling mode: {pool_mode}")
    return pool(x, wide(pool_size), wide(strides), padding=_padded(padding), data_format="NCDHW" if first else "NDHWC")


@export("keras.backend.print_tensor")
def print_tensor(x: Any, message: str = "") -> Any:
    with tf.control_dependencies([tf.print(message, x)]):
        return tf.identity(x)


@export("keras.backend.ctc_label_dense_to_sparse")
def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> Any:
    mask = tf.sequence_mask(tf.cast(label_lengths, tf.int32), maxlen=tf.shape(labels)[1])
    return tf.SparseTensor(tf.cast(tf.where(mask), tf.int64), tf.boolean_mask(labels, mask), tf.cast(tf.shape(labels), tf.int64))


@export("keras.backend.ctc_batch_cost")
def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    label_length, input_length = tf.cast(tf.squeeze(label_length, axis=-1), tf.int32), tf.cast(tf.squeeze(input_length, axis=-1), tf.int32)
    labels = tf.cast(ctc_label_dense_to_sparse(y_true, label_length), tf.int32)
    y_pred = tf.log(tf.transpose(y_pred, perm=[1, 0, 2]) + epsilon())
    return tf.expand_dims(tf.nn.ctc_loss(inputs=y_pred, labels=labels, sequence_length=input_length), 1)


@export("keras.backend.ctc_decode")
def ctc_decode(y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1) -> Any:
    y_pred = tf.log(tf.transpose(y_pred, perm=[1, 0, 2]) + epsilon())
    input_length = tf.cast(input_length, tf.int32)
    if greedy:
        decoded, score = tf.nn.ctc_greedy_decoder(inputs=y_pred, sequence_length=input_length)
    else:
        decoded, score = tf.nn.ctc_beam_search_decoder(
            inputs=y_pred, sequence_length=input_length, beam_width=beam_width, top_paths=top_paths
        )
    return [tf.sparse_to_dense(s.indices, s.dense_shape, s.values, default_value=-1) for s in decoded], score
