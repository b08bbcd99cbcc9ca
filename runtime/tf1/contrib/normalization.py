"""tf.contrib.layers: layer, instance and group normalisation, and other layers without weights of their own."""

from __future__ import annotations

from typing import Any

from runtime.tf1.contrib.arg_scope import add_arg_scope
from runtime.tf1.contrib.layers import IMAGE, collect, collections_of, last_dimension, layer_format
from runtime.tf1.contrib.variables import model_variable
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put

tf: Any = module("")


def _scale_and_center(
    shape: Any,
    dtype: Any,
    center: bool,
    scale: bool,
    initializers: Any,
    collections: Any,
    trainable: bool,
    broadcast: list[int] | None = None,
) -> tuple[Any, Any]:
    """beta and gamma, None where they are not wanted."""
    made: dict[str, Any] = {}
    for name, wanted, default in (("beta", center, tf.zeros_initializer), ("gamma", scale, tf.ones_initializer)):
        made[name] = None
        if wanted:
            initializer = (initializers or {}).get(name, default())
            made[name] = model_variable(
                name, shape=shape, dtype=dtype, initializer=initializer, collections=collections_of(collections, name), trainable=trainable
            )
            if broadcast:
                made[name] = tf.reshape(made[name], broadcast)
    return made["beta"], made["gamma"]


@export("contrib.layers.layer_norm")
@add_arg_scope
def layer_norm(
    inputs: Any, center: bool = True, scale: bool = True, activation_fn: Any = None, reuse: Any = None, variables_collections: Any = None, outputs_collections: Any = None,
    trainable: bool = True, begin_norm_axis: int = 1, begin_params_axis: int = -1, scope: Any = None,
) -> Any:  # fmt: skip
    """Normalises each example over the axes from `begin_norm_axis` on."""
    with tf.variable_scope(scope, "LayerNorm", [inputs], reuse=reuse) as sc:
        inputs = tf.convert_to_tensor(inputs)
        shape = inputs.shape
        rank = shape.ndims
        if rank is None:
            raise ValueError(f"Inputs {inputs.name} has undefined rank.")
        dtype = inputs.dtype.base_dtype
        if begin_norm_axis < 0:
            begin_norm_axis += rank
        if begin_params_axis >= rank or begin_norm_axis >= rank:
            raise ValueError(
                f"begin_params_axis ({begin_params_axis}) and begin_norm_axis ({begin_norm_axis}) must be < rank(inputs) ({rank})"
            )
        params_shape = shape[begin_params_axis:]
        if not params_shape.is_fully_defined():
            raise ValueError(f"Inputs {inputs.name}: shape(inputs)[{begin_params_axis}:] is not fully defined: {shape}")
        beta, gamma = _scale_and_center(params_shape, dtype, center, scale, None, variables_collections, trainable)
        mean, variance = tf.nn.moments(inputs, list(range(begin_norm_axis, rank)), keep_dims=True)
        outputs = tf.nn.batch_normalization(
            inputs, mean, variance, offset=beta, scale=gamma, variance_epsilon=1e-3 if dtype.name == "float16" else 1e-12
        )
        outputs.set_shape(shape)
        return collect(outputs_collections, sc.name, activation_fn(outputs) if activation_fn is not None else outputs)


@export("contrib.layers.instance_norm")
@add_arg_scope
def instance_norm(
    inputs: Any, center: bool = True, scale: bool = True, epsilon: float = 1e-6, activation_fn: Any = None, param_initializers: Any = None, reuse: Any = None,
    variables_collections: Any = None, outputs_collections: Any = None, trainable: bool = True, data_format: str = "NHWC", scope: Any = None,
) -> Any:  # fmt: skip
    """Normalises each channel of each example."""
    inputs = tf.convert_to_tensor(inputs)
    shape = inputs.shape
    if shape.ndims is None:
        raise ValueError(f"Inputs {inputs.name} has undefined rank.")
    layer_format(data_format, IMAGE)
    with tf.variable_scope(scope, "InstanceNorm", [inputs], reuse=reuse) as sc:
        axis = 1 if data_format == "NCHW" else shape.ndims - 1
        params_shape = shape[axis : axis + 1]
        if not params_shape.is_fully_defined():
            raise ValueError(f"Inputs {inputs.name} has undefined channels dimension {params_shape}.")
        broadcast = [1, shape.dims[1].value] + [1] * (shape.ndims - 2) if data_format == "NCHW" else None
        beta, gamma = _scale_and_center(
            params_shape, inputs.dtype.base_dtype, center, scale, param_initializers, variables_collections, trainable, broadcast
        )
        mean, variance = tf.nn.moments(inputs, [i for i in range(1, shape.ndims) if i != axis], keep_dims=True)
        outputs = tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, epsilon, name="instancenorm")
        return collect(outputs_collections, sc.name, activation_fn(outputs) if activation_fn is not None else outputs)


@export("contrib.layers.group_norm")
@add_arg_scope
def group_norm(
    inputs: Any, groups: int = 32, channels_axis: int = -1, reduction_axes: Any = (-3, -2), center: bool = True, scale: bool = True, epsilon: float = 1e-6,
    activation_fn: Any = None, param_initializers: Any = None, reuse: Any = None, variables_collections: Any = None, outputs_collections: Any = None,
    trainable: bool = True, scope: Any = None, mean_close_to_zero: bool = False,
) -> Any:  # fmt: skip
    """Normalises groups of channels of each example."""
    inputs = tf.convert_to_tensor(inputs)
    rank = inputs.shape.ndims
    if rank is None:
        raise ValueError(f"Inputs {inputs.name} has undefined rank.")
    if channels_axis > rank - 1:
        raise ValueError("Axis is out of bounds.")
    dynamic = tf.shape(inputs)
    sizes: list[Any] = [dynamic[i] if d is None else d for i, d in enumerate(inputs.shape.as_list())]
    axis = channels_axis % rank if channels_axis < 0 else channels_axis
    channels = inputs.shape.as_list()[axis]
    if channels is None:
        raise ValueError(f"Inputs {inputs.name} has undefined channel dimension: {axis}.")
    reduced = [a + rank if a < 0 else a for a in reduction_axes]
    for a in reduced:
        if a > rank:
            raise ValueError("Axis is out of bounds.")
        if inputs.shape.as_list()[a] is None:
            raise ValueError(f"Inputs {inputs.name} has undefined dimensions {a}.")
        if a == axis:
            raise ValueError("reduction_axis must be mutually exclusive with channels_axis")
    if groups > channels:
        raise ValueError(f"Invalid groups {groups} for {channels} channels.")
    if channels % groups:
        raise ValueError(f"{channels} channels is not commensurate with {groups} groups.")
    before, after = sizes[:axis], sizes[axis + 1 :]
    parts = [groups, channels // groups]
    inputs = tf.reshape(inputs, before + parts + after)
    axes = [axis + 1] + [a + 1 if a > axis else a for a in reduced]
    with tf.variable_scope(scope, "GroupNorm", [inputs], reuse=reuse) as sc:
        broadcast = [1] * len(before) + parts + [1] * len(after)
        beta, gamma = _scale_and_center(
            [channels], inputs.dtype.base_dtype, center, scale, param_initializers, variables_collections, trainable, broadcast
        )
        if mean_close_to_zero:
            counts, mean_sums, variance_sums, _ = tf.nn.sufficient_statistics(inputs, axes, keep_dims=True)
            mean, variance = tf.nn.normalize_moments(counts, mean_sums, variance_sums, shift=None)
        else:
            mean, variance = tf.nn.moments(inputs, axes, keep_dims=True)
        gain = tf.rsqrt(variance + epsilon)
        offset = -mean * gain
        if gamma is not None:
            gain *= gamma
            offset *= gamma
        if beta is not None:
            offset += beta
        outputs = tf.reshape(inputs * gain + offset, sizes)
        return collect(outputs_collections, sc.name, activation_fn(outputs) if activation_fn is not None else outputs)


@export("contrib.layers.unit_norm")
@add_arg_scope
def unit_norm(inputs: Any, dim: int, epsilon: float = 1e-7, scope: Any = None) -> Any:
    """inputs / |inputs| along an axis"""
    with tf.variable_scope(scope, "UnitNorm", [inputs]):
        if not inputs.get_shape():
            raise ValueError("The input rank must be known.")
        rank = inputs.get_shape().ndims
        if dim < 0 or dim >= rank:
            raise ValueError("dim must be positive but smaller than the input rank.")
        lengths = tf.sqrt(epsilon + tf.reduce_sum(tf.square(inputs), dim, True))
        multiples = [tf.ones([dim], "int32")] if dim > 0 else []
        multiples.append(tf.strided_slice(tf.shape(inputs), [dim], [dim + 1]))
        if dim < rank - 1:
            multiples.append(tf.ones([rank - 1 - dim], "int32"))
        return tf.div(inputs, tf.tile(lengths, tf.concat(multiples, 0)))


@export("contrib.layers.softmax")
@add_arg_scope
def softmax(logits: Any, scope: Any = None) -> Any:
    """Softmax over the last axis of logits of any rank."""
    with tf.variable_scope(scope, "softmax", [logits]):
        count = last_dimension(logits.get_shape(), min_rank=2)
        predictions = tf.reshape(tf.nn.softmax(tf.reshape(logits, [-1, count])), tf.shape(logits))
        predictions.set_shape(logits.get_shape())
        return predictions


@export("contrib.layers.maxout")
@add_arg_scope
def maxout(inputs: Any, num_units: int, axis: int = -1, scope: Any = None) -> Any:
    with tf.variable_scope(scope, "MaxOut", [inputs]):
        inputs = tf.convert_to_tensor(inputs)
        shape: list[Any] = inputs.get_shape().as_list()
        channels = shape[axis]
        if channels % num_units:
            raise ValueError(f"number of features({channels}) is not a multiple of num_units({num_units})")
        shape[axis] = num_units
        shape.append(channels // num_units)
        shape = [tf.shape(inputs)[i] if d is None else d for i, d in enumerate(shape)]
        return tf.reduce_max(tf.reshape(inputs, shape), -1, keepdims=False)


@export("contrib.layers.dense_to_sparse")
@add_arg_scope
def dense_to_sparse(tensor: Any, eos_token: int = 0, outputs_collections: Any = None, scope: Any = None) -> Any:
    """The elements that are not `eos_token`."""
    with tf.variable_scope(scope, "dense_to_sparse", [tensor]) as sc:
        tensor = tf.convert_to_tensor(tensor)
        indices = tf.where(tf.not_equal(tensor, tf.constant(eos_token, tensor.dtype)))
        outputs = tf.SparseTensor(indices, tf.gather_nd(tensor, indices), tf.shape(tensor, out_type="int64"))
        return collect(outputs_collections, sc.name, outputs)


@export("contrib.layers.images_to_sequence")
@add_arg_scope
def images_to_sequence(inputs: Any, data_format: str = "NHWC", outputs_collections: Any = None, scope: Any = None) -> Any:
    """[batch, height, width, depth] -> [width, batch * height, depth]"""
    word = layer_format(data_format, IMAGE)
    with tf.name_scope(scope, "ImagesToSequence", [inputs]) as sc:
        inputs = tf.convert_to_tensor(inputs)
        if word == "channels_first":
            inputs = tf.transpose(inputs, [0, 2, 3, 1])
        _, _, width, depth = inputs.get_shape().as_list()
        sizes = tf.shape(inputs)
        batch, height = sizes[0], sizes[1]
        return collect(outputs_collections, sc, tf.reshape(tf.transpose(inputs, [2, 0, 1, 3]), [width, batch * height, depth]))


@export("contrib.layers.sequence_to_images")
@add_arg_scope
def sequence_to_images(
    inputs: Any, height: int, output_data_format: str = "channels_last", outputs_collections: Any = None, scope: Any = None
) -> Any:
    with tf.name_scope(scope, "SequenceToImages", [inputs]) as sc:
        inputs = tf.convert_to_tensor(inputs)
        width, batches, depth = inputs.get_shape().as_list()
        reshaped = tf.reshape(inputs, [width, -1 if batches is None else batches // height, height, depth])
        order = [1, 3, 2, 0] if output_data_format == "channels_first" else [1, 2, 0, 3]
        return collect(outputs_collections, sc, tf.transpose(reshaped, order))


@export("contrib.layers.spatial_softmax")
@add_arg_scope
def spatial_softmax(
    features: Any,
    temperature: Any = None,
    name: str | None = None,
    variables_collections: Any = None,
    trainable: bool = True,
    data_format: str = "NHWC",
) -> Any:
    """The expected position of each channel's activation, in [-1, 1]."""
    with tf.variable_scope(name, "spatial_softmax"):
        layer_format(data_format, IMAGE)
        shape, static = tf.shape(features), features.shape.as_list()
        first = data_format == "NCHW"
        if first:
            channels, height, width = static[1], shape[2], shape[3]
        else:
            height, width, channels = shape[1], shape[2], static[3]
        if channels is None:
            raise ValueError("The num_channels dimension of the inputs to `spatial_softmax` should be defined. Found `None`.")
        with tf.name_scope("spatial_softmax_op", "spatial_softmax_op", [features]):
            pos_x, pos_y = tf.meshgrid(tf.lin_space(-1.0, 1.0, num=height), tf.lin_space(-1.0, 1.0, num=width), indexing="ij")
            pos_x, pos_y = tf.reshape(pos_x, [height * width]), tf.reshape(pos_y, [height * width])
            initializer = tf.ones_initializer() if temperature is None else tf.constant_initializer(temperature)
            temperature = model_variable(
                "temperature", shape=(), dtype="float32", initializer=initializer, collections=collections_of(variables_collections, "temperature") if trainable else None,
                trainable=trainable,
            )  # fmt: skip
            flat = tf.reshape(features if first else tf.transpose(features, [0, 3, 1, 2]), [-1, height * width])
            attention = tf.nn.softmax(flat / temperature)
            expected = [tf.reduce_sum(position * attention, [1], keepdims=True) for position in (pos_x, pos_y)]
            keypoints = tf.reshape(tf.concat(expected, 1), [-1, channels * 2])
            keypoints.set_shape([None, channels * 2])
    return keypoints


def poincare_normalize(x: Any, axis: int = 1, epsilon: float = 1e-5, name: str | None = None) -> Any:
    """x scaled to a norm of at most 1 - epsilon."""
    with tf.name_scope(name, "poincare_normalize", [x]) as name:
        x = tf.convert_to_tensor(x, name="x")
        inverse = tf.rsqrt(tf.reduce_sum(tf.square(x), axis, keepdims=True))
        return tf.multiply(x, tf.minimum((1.0 - epsilon) * inverse, 1.0), name=name)


put("contrib.slim.layers.poincare_normalize", poincare_normalize)
