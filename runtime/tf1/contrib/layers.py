"""tf.contrib.layers: layers as functions that make their variables in a scope (fully_connected, conv2d, dropout, pooling)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from runtime.tf1 import core_layers
from runtime.tf1.contrib.arg_scope import add_arg_scope
from runtime.tf1.contrib.regularizers import xavier_initializer
from runtime.tf1.contrib.variables import model_variable
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put
from runtime.tf1.variable_scope import PartitionedVariable

tf: Any = module("")
XAVIER = xavier_initializer()
ZEROS = tf.zeros_initializer()
relu_fn = tf.nn.relu


def collect(collections: Any, alias: str, outputs: Any) -> Any:
    """Adds a layer's outputs to collections, under the name of its scope."""
    if collections:
        aliases = getattr(outputs, "aliases", None)
        if aliases is None:
            outputs.aliases = aliases = []
        aliases.append(alias.rstrip("/"))
        tf.add_to_collections(collections, outputs)
    return outputs


@export("contrib.layers.utils.convert_collection_to_dict", "contrib.slim.utils.convert_collection_to_dict")
def convert_collection_to_dict(collection: str, clear_collection: bool = False) -> dict[str, Any]:
    """Alias -> tensor, for the layer outputs that were collected."""
    found = {
        alias: t
        for t in tf.get_collection(collection)
        for alias in getattr(t, "aliases", None) or [t.op.name if t.name.endswith(":0") else t.name]
    }
    if clear_collection:
        tf.get_default_graph().clear_collection(collection)
    return found


put("contrib.layers.utils.collect_named_outputs", collect)
put("contrib.slim.utils.collect_named_outputs", collect)


def collections_of(variables_collections: Any, name: str) -> Any:
    return variables_collections.get(name) if isinstance(variables_collections, dict) else variables_collections


def last_dimension(shape: Any, min_rank: int = 1, axis: int = -1) -> int:
    if shape.dims is None:
        raise ValueError("dims of shape must be known but is None")
    if len(shape.dims) < min_rank:
        raise ValueError(f"rank of shape must be at least {min_rank} not: {len(shape.dims)}")
    value = shape.dims[axis].value
    if value is None:
        raise ValueError(f"dimension {axis} of shape must be known but is None: {shape}")
    return int(value)


def pair(value: Any) -> tuple[int, int]:
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise ValueError(f"Must be a list with 2 elements: {value}")
        return int(value[0]), int(value[1])
    if isinstance(value, int):
        return value, value
    raise ValueError("Must be an int, a list with 2 elements or a TensorShape of length 2")


def layer_format(data_format: str | None, known: tuple[str | None, ...]) -> str:
    """tf.layers' word for a data format."""
    if data_format not in known:
        raise ValueError(
            f"data_format has to be either {known[0]} or {known[1]}." if len(known) == 2 else f"Invalid data_format: {data_format!r}"
        )
    return "channels_first" if data_format and data_format.startswith("NC") else "channels_last"


IMAGE = ("NCHW", "NHWC")
VOLUME = ("NCDHW", "NDHWC")


def _model_variable_getter(
    getter: Callable[..., Any], name: str, shape: Any = None, dtype: Any = None, initializer: Any = None, regularizer: Any = None, trainable: bool = True, collections: Any = None,
    caching_device: Any = None, partitioner: Any = None, rename: dict[str, str] | None = None, use_resource: Any = None, **_: Any,
) -> Any:  # fmt: skip
    """A custom getter that makes model variables, and gives them contrib's names (weights for kernel, biases for bias)."""
    head, slash, tail = name.rpartition("/")
    name = head + slash + (rename or {}).get(tail, tail)
    return model_variable(
        name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer, collections=collections, trainable=trainable,
        caching_device=caching_device, partitioner=partitioner, custom_getter=getter, use_resource=use_resource,
    )  # fmt: skip


def variable_getter(rename: dict[str, str] | None = None) -> Callable[..., Any]:
    def layer_variable_getter(getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        kwargs["rename"] = rename
        return _model_variable_getter(getter, *args, **kwargs)

    return layer_variable_getter


def add_to_collections(variable: Any, collections_set: Any, name: str) -> None:
    parts = list(variable) if isinstance(variable, PartitionedVariable) else [variable]
    for collection in collections_of(collections_set, name) or ():
        for part in parts:
            if not any(v is part for v in tf.get_collection(collection)):
                tf.add_to_collection(collection, part)


def _finish(outputs: Any, normalizer_fn: Any, normalizer_params: Any, activation_fn: Any) -> Any:
    if normalizer_fn is not None:
        outputs = normalizer_fn(outputs, **(normalizer_params or {}))
    return activation_fn(outputs) if activation_fn is not None else outputs


RENAME = {"bias": "biases", "kernel": "weights"}


@export("contrib.layers.fully_connected")
@add_arg_scope
def fully_connected(
    inputs: Any, num_outputs: int, activation_fn: Any = relu_fn, normalizer_fn: Any = None, normalizer_params: Any = None, weights_initializer: Any = XAVIER,
    weights_regularizer: Any = None, biases_initializer: Any = ZEROS, biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None,
    outputs_collections: Any = None, trainable: bool = True, scope: Any = None,
) -> Any:  # fmt: skip
    """act(norm(inputs W + b)); there is no bias where there is a normalizer."""
    if not isinstance(num_outputs, int):
        raise ValueError(f"num_outputs type should be one of [<class 'int'>], got {type(num_outputs)}.")
    with tf.variable_scope(scope, "fully_connected", [inputs], reuse=reuse, custom_getter=variable_getter(RENAME)) as sc:
        inputs = tf.convert_to_tensor(inputs)
        layer = core_layers.Dense(
            units=num_outputs, activation=None, use_bias=not normalizer_fn and biases_initializer, kernel_initializer=weights_initializer,
            bias_initializer=biases_initializer, kernel_regularizer=weights_regularizer, bias_regularizer=biases_regularizer, activity_regularizer=None,
            trainable=trainable, name=sc.name, dtype=inputs.dtype.base_dtype, _scope=sc, _reuse=reuse,
        )  # fmt: skip
        outputs = layer.apply(inputs)
        add_to_collections(layer.kernel, variables_collections, "weights")
        if layer.bias is not None:
            add_to_collections(layer.bias, variables_collections, "biases")
        return collect(outputs_collections, sc.name, _finish(outputs, normalizer_fn, normalizer_params, activation_fn))


for _name, _activation in (("relu", tf.nn.relu), ("relu6", tf.nn.relu6), ("elu", tf.nn.elu), ("linear", None)):
    put(f"contrib.layers.{_name}", functools.partial(fully_connected, activation_fn=_activation))


@export("contrib.layers.convolution")
@add_arg_scope
def convolution(
    inputs: Any, num_outputs: int, kernel_size: Any, stride: Any = 1, padding: str = "SAME", data_format: str | None = None, rate: Any = 1, activation_fn: Any = relu_fn,
    normalizer_fn: Any = None, normalizer_params: Any = None, weights_initializer: Any = XAVIER, weights_regularizer: Any = None,
    biases_initializer: Any = ZEROS, biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None, outputs_collections: Any = None,
    trainable: bool = True, scope: Any = None, conv_dims: int | None = None,
) -> Any:  # fmt: skip
    """A convolution over one, two or three axes, as the inputs' rank says."""
    data_format_word = layer_format(data_format, (None, "NWC", "NCW", *IMAGE, *VOLUME))
    with tf.variable_scope(scope, "Conv", [inputs], reuse=reuse, custom_getter=variable_getter(RENAME)) as sc:
        inputs = tf.convert_to_tensor(inputs)
        rank = inputs.get_shape().ndims
        if conv_dims is not None and conv_dims + 2 != rank:
            raise ValueError(f"Convolution expects input with rank {conv_dims + 2}, got {rank}")
        if rank not in (3, 4, 5):
            raise ValueError("Convolution not supported for input with rank", rank)
        layer_class: Any = {3: core_layers.Conv1D, 4: core_layers.Conv2D, 5: core_layers.Conv3D}[rank]
        layer = layer_class(
            filters=num_outputs, kernel_size=kernel_size, strides=stride, padding=padding, data_format=data_format_word, dilation_rate=rate, activation=None,
            use_bias=not normalizer_fn and biases_initializer, kernel_initializer=weights_initializer, bias_initializer=biases_initializer,
            kernel_regularizer=weights_regularizer, bias_regularizer=biases_regularizer, activity_regularizer=None, trainable=trainable, name=sc.name,
            dtype=inputs.dtype.base_dtype, _scope=sc, _reuse=reuse,
        )  # fmt: skip
        outputs = layer.apply(inputs)
        add_to_collections(layer.kernel, variables_collections, "weights")
        if layer.use_bias:
            add_to_collections(layer.bias, variables_collections, "biases")
        return collect(outputs_collections, sc.name, _finish(outputs, normalizer_fn, normalizer_params, activation_fn))


def _convolution_of(dims: int) -> Callable[..., Any]:
    def convolution_nd(
        inputs: Any, num_outputs: int, kernel_size: Any, stride: Any = 1, padding: str = "SAME", data_format: str | None = None, rate: Any = 1, activation_fn: Any = relu_fn,
        normalizer_fn: Any = None, normalizer_params: Any = None, weights_initializer: Any = XAVIER, weights_regularizer: Any = None,
        biases_initializer: Any = ZEROS, biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None, outputs_collections: Any = None,
        trainable: bool = True, scope: Any = None,
    ) -> Any:  # fmt: skip
        return convolution(
            inputs, num_outputs, kernel_size, stride, padding, data_format, rate, activation_fn, normalizer_fn, normalizer_params, weights_initializer,
            weights_regularizer, biases_initializer, biases_regularizer, reuse, variables_collections, outputs_collections, trainable, scope, conv_dims=dims,
        )  # fmt: skip

    convolution_nd.__name__ = f"convolution{dims}d"
    scoped = add_arg_scope(convolution_nd)
    put(f"contrib.layers.convolution{dims}d", scoped)
    put(f"contrib.layers.conv{dims}d", scoped)
    return scoped


convolution1d, convolution2d, convolution3d = _convolution_of(1), _convolution_of(2), _convolution_of(3)


def _transposed(dims: int, formats: tuple[str, str], layer_class: Any) -> Callable[..., Any]:
    def convolution_transpose(
        inputs: Any, num_outputs: int, kernel_size: Any, stride: Any = 1, padding: str = "SAME", data_format: str = formats[1], activation_fn: Any = relu_fn,
        normalizer_fn: Any = None, normalizer_params: Any = None, weights_initializer: Any = XAVIER, weights_regularizer: Any = None,
        biases_initializer: Any = ZEROS, biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None, outputs_collections: Any = None,
        trainable: bool = True, scope: Any = None,
    ) -> Any:  # fmt: skip
        with tf.variable_scope(scope, f"Conv{dims}d_transpose", [inputs], reuse=reuse, custom_getter=variable_getter(RENAME)) as sc:
            word = layer_format(data_format, formats)
            inputs = tf.convert_to_tensor(inputs)
            layer = layer_class(
                filters=num_outputs, kernel_size=kernel_size, strides=stride, padding=padding, data_format=word, activation=None,
                use_bias=not normalizer_fn and biases_initializer, kernel_initializer=weights_initializer, bias_initializer=biases_initializer,
                kernel_regularizer=weights_regularizer, bias_regularizer=biases_regularizer, activity_regularizer=None, trainable=trainable, name=sc.name,
                dtype=inputs.dtype.base_dtype, _scope=sc, _reuse=reuse,
            )  # fmt: skip
            outputs = layer.apply(inputs)
            add_to_collections(layer.kernel, variables_collections, "weights")
            if layer.bias is not None:
                add_to_collections(layer.bias, variables_collections, "biases")
            return collect(outputs_collections, sc.name, _finish(outputs, normalizer_fn, normalizer_params, activation_fn))

    convolution_transpose.__name__ = f"convolution{dims}d_transpose"
    scoped = add_arg_scope(convolution_transpose)
    put(f"contrib.layers.convolution{dims}d_transpose", scoped)
    put(f"contrib.layers.conv{dims}d_transpose", scoped)
    return scoped


convolution2d_transpose = _transposed(2, ("NCHW", "NHWC"), core_layers.Conv2DTranspose)
convolution3d_transpose = _transposed(3, ("NCDHW", "NDHWC"), core_layers.Conv3DTranspose)


def _biased(
    outputs: Any,
    count: int,
    normalizer_fn: Any,
    normalizer_params: Any,
    biases_initializer: Any,
    biases_regularizer: Any,
    variables_collections: Any,
    trainable: bool,
    data_format: str | None = None,
) -> Any:
    """The normalizer, or else a bias."""
    if normalizer_fn is not None:
        return normalizer_fn(outputs, **(normalizer_params or {}))
    if biases_initializer is None:
        return outputs
    biases = model_variable(
        "biases", shape=[count], dtype=outputs.dtype.base_dtype, initializer=biases_initializer, regularizer=biases_regularizer,
        collections=collections_of(variables_collections, "biases"), trainable=trainable,
    )  # fmt: skip
    return tf.nn.bias_add(outputs, biases, data_format=data_format) if data_format else tf.nn.bias_add(outputs, biases)


@export("contrib.layers.convolution2d_in_plane", "contrib.layers.conv2d_in_plane")
@add_arg_scope
def convolution2d_in_plane(
    inputs: Any, kernel_size: Any, stride: Any = 1, padding: str = "SAME", activation_fn: Any = relu_fn, normalizer_fn: Any = None, normalizer_params: Any = None,
    weights_initializer: Any = XAVIER, weights_regularizer: Any = None, biases_initializer: Any = ZEROS, biases_regularizer: Any = None,
    reuse: Any = None, variables_collections: Any = None, outputs_collections: Any = None, trainable: bool = True, scope: Any = None,
) -> Any:  # fmt: skip
    """The same kernel over each channel."""
    with tf.variable_scope(scope, "ConvInPlane", [inputs], reuse=reuse) as sc:
        kernel_h, kernel_w = pair(kernel_size)
        stride_h, stride_w = pair(stride)
        channels = last_dimension(inputs.get_shape(), min_rank=4)
        weights = model_variable(
            "weights", shape=[kernel_h, kernel_w, 1, 1], dtype=inputs.dtype.base_dtype, initializer=weights_initializer, regularizer=weights_regularizer,
            collections=collections_of(variables_collections, "weights"), trainable=trainable,
        )  # fmt: skip
        outputs = tf.nn.depthwise_conv2d(inputs, tf.tile(weights, [1, 1, channels, 1]), [1, stride_h, stride_w, 1], padding)
        outputs = _biased(
            outputs, channels, normalizer_fn, normalizer_params, biases_initializer, biases_regularizer, variables_collections, trainable
        )
        return collect(outputs_collections, sc.name, activation_fn(outputs) if activation_fn is not None else outputs)


SEPARABLE = {"bias": "biases", "depthwise_kernel": "depthwise_weights", "pointwise_kernel": "pointwise_weights"}


@export("contrib.layers.separable_convolution2d", "contrib.layers.separable_conv2d")
@add_arg_scope
def separable_convolution2d(
    inputs: Any, num_outputs: int | None, kernel_size: Any, depth_multiplier: int = 1, stride: Any = 1, padding: str = "SAME", data_format: str = "NHWC", rate: Any = 1,
    activation_fn: Any = relu_fn, normalizer_fn: Any = None, normalizer_params: Any = None, weights_initializer: Any = XAVIER, pointwise_initializer: Any = None,
    weights_regularizer: Any = None, biases_initializer: Any = ZEROS, biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None,
    outputs_collections: Any = None, trainable: bool = True, scope: Any = None,
) -> Any:  # fmt: skip
    """A depthwise convolution, then a pointwise one, which `num_outputs` None leaves out."""
    word = layer_format(data_format, IMAGE)
    with tf.variable_scope(scope, "SeparableConv2d", [inputs], reuse=reuse, custom_getter=variable_getter(SEPARABLE)) as sc:
        inputs = tf.convert_to_tensor(inputs)
        if num_outputs is not None:
            layer = core_layers.SeparableConv2D(
                filters=num_outputs, kernel_size=kernel_size, strides=stride, padding=padding, data_format=word, dilation_rate=pair(rate), activation=None,
                depth_multiplier=depth_multiplier, use_bias=not normalizer_fn and biases_initializer, depthwise_initializer=weights_initializer,
                pointwise_initializer=pointwise_initializer if pointwise_initializer is not None else weights_initializer, bias_initializer=biases_initializer,
                depthwise_regularizer=weights_regularizer, pointwise_regularizer=weights_regularizer, bias_regularizer=biases_regularizer,
                activity_regularizer=None, trainable=trainable, name=sc.name, dtype=inputs.dtype.base_dtype, _scope=sc, _reuse=reuse,
            )  # fmt: skip
            outputs = layer.apply(inputs)
            add_to_collections(layer.depthwise_kernel, variables_collections, "weights")
            add_to_collections(layer.pointwise_kernel, variables_collections, "weights")
            if layer.bias is not None:
                add_to_collections(layer.bias, variables_collections, "biases")
            if normalizer_fn is not None:
                outputs = normalizer_fn(outputs, **(normalizer_params or {}))
        else:
            kernel_h, kernel_w = pair(kernel_size)
            stride_h, stride_w = pair(stride)
            channels = last_dimension(inputs.get_shape(), min_rank=4, axis=1 if word == "channels_first" else -1)
            weights = model_variable(
                "depthwise_weights", shape=[kernel_h, kernel_w, channels, depth_multiplier], dtype=inputs.dtype.base_dtype, initializer=weights_initializer,
                regularizer=weights_regularizer, trainable=trainable, collections=collections_of(variables_collections, "weights"),
            )  # fmt: skip
            strides = [1, 1, stride_h, stride_w] if data_format.startswith("NC") else [1, stride_h, stride_w, 1]
            outputs = tf.nn.depthwise_conv2d(inputs, weights, strides, padding, rate=pair(rate), data_format=data_format)
            outputs = _biased(
                outputs,
                depth_multiplier * channels,
                normalizer_fn,
                normalizer_params,
                biases_initializer,
                biases_regularizer,
                variables_collections,
                trainable,
                data_format,
            )
        return collect(outputs_collections, sc.name, activation_fn(outputs) if activation_fn is not None else outputs)


def _pooling(name: str, scope_name: str, formats: tuple[str, str], layer_class: Any) -> Callable[..., Any]:
    def pool_nd(
        inputs: Any,
        kernel_size: Any,
        stride: Any = 2,
        padding: str = "VALID",
        data_format: str = formats[1],
        outputs_collections: Any = None,
        scope: Any = None,
    ) -> Any:
        word = layer_format(data_format, formats)
        with tf.name_scope(scope, scope_name, [inputs]) as sc:
            inputs = tf.convert_to_tensor(inputs)
            layer = layer_class(pool_size=kernel_size, strides=stride, padding=padding, data_format=word, _scope=sc)
            return collect(outputs_collections, sc, layer.apply(inputs))

    pool_nd.__name__ = name
    scoped = add_arg_scope(pool_nd)
    put(f"contrib.layers.{name}", scoped)
    return scoped


max_pool2d = _pooling("max_pool2d", "MaxPool2D", ("NCHW", "NHWC"), tf.layers.MaxPooling2D)
avg_pool2d = _pooling("avg_pool2d", "AvgPool2D", ("NCHW", "NHWC"), tf.layers.AveragePooling2D)
max_pool3d = _pooling("max_pool3d", "MaxPool3D", ("NCDHW", "NDHWC"), tf.layers.MaxPooling3D)
avg_pool3d = _pooling("avg_pool3d", "AvgPool3D", ("NCDHW", "NDHWC"), tf.layers.AveragePooling3D)


@export("contrib.slim.layers.pool", "contrib.slim.pool")
@add_arg_scope
def pool(
    inputs: Any,
    kernel_size: Any,
    pooling_type: str,
    padding: str = "VALID",
    data_format: str | None = None,
    dilation_rate: Any = 1,
    stride: Any = 1,
    outputs_collections: Any = None,
    scope: Any = None,
) -> Any:
    with tf.name_scope(scope, f"{pooling_type.lower()}_pool", [inputs]) as sc:
        inputs = tf.convert_to_tensor(inputs)
        rank = inputs.get_shape().ndims
        if rank is None:
            raise ValueError("Rank of inputs must be known")
        if rank < 3:
            raise ValueError("Rank of inputs must be >= 3")

        def sizes(value: Any) -> tuple[int, ...]:
            return tuple(int(v) for v in value) if isinstance(value, list | tuple) else (int(value),) * (rank - 2)

        output = tf.nn.pool(
            input=inputs, window_shape=sizes(kernel_size), pooling_type=pooling_type, padding=padding, data_format=data_format, dilation_rate=sizes(dilation_rate),
            strides=sizes(stride), name=sc,
        )  # fmt: skip
        return collect(outputs_collections, sc, output)


@export("contrib.layers.dropout")
@add_arg_scope
def dropout(
    inputs: Any,
    keep_prob: Any = 0.5,
    noise_shape: Any = None,
    is_training: Any = True,
    outputs_collections: Any = None,
    scope: Any = None,
    seed: int | None = None,
) -> Any:
    with tf.variable_scope(scope, "Dropout", [inputs], custom_getter=_model_variable_getter) as sc:
        inputs = tf.convert_to_tensor(inputs)
        layer = core_layers.Dropout(rate=1 - keep_prob, noise_shape=noise_shape, seed=seed, name=sc.name, _scope=sc)
        return collect(outputs_collections, sc.name, layer.apply(inputs, training=is_training))


@export("contrib.layers.flatten")
@add_arg_scope
def flatten(inputs: Any, outputs_collections: Any = None, scope: Any = None) -> Any:
    with tf.name_scope(scope, "Flatten", [inputs]) as sc:
        return collect(outputs_collections, sc, core_layers.flatten(tf.convert_to_tensor(inputs)))


@export("contrib.layers.bias_add")
@add_arg_scope
def bias_add(
    inputs: Any, activation_fn: Any = None, initializer: Any = ZEROS, regularizer: Any = None, reuse: Any = None, variables_collections: Any = None,
    outputs_collections: Any = None, trainable: bool = True, data_format: str = "NHWC", scope: Any = None,
) -> Any:  # fmt: skip
    layer_format(data_format, IMAGE)
    with tf.variable_scope(scope, "BiasAdd", [inputs], reuse=reuse) as sc:
        inputs = tf.convert_to_tensor(inputs)
        shape = inputs.get_shape()
        if shape.ndims is None:
            raise ValueError("Dims of shape must be known but is None")
        if shape.ndims != 4 and data_format == "NCHW":
            raise ValueError("Data format NCHW only supports 4D Tensor")
        count = shape.dims[1 if data_format == "NCHW" else -1].value
        if count is None:
            raise ValueError("`C` dimension must be known but is None")
        biases = model_variable(
            "biases", shape=[count], dtype=inputs.dtype.base_dtype, initializer=initializer, regularizer=regularizer,
            collections=collections_of(variables_collections, "biases"), trainable=trainable,
        )  # fmt: skip
        outputs = tf.nn.bias_add(inputs, biases, data_format=data_format)
        return collect(outputs_collections, sc.name, activation_fn(outputs) if activation_fn is not None else outputs)


@export("contrib.layers.one_hot_encoding")
@add_arg_scope
def one_hot_encoding(
    labels: Any, num_classes: int, on_value: float = 1.0, off_value: float = 0.0, outputs_collections: Any = None, scope: Any = None
) -> Any:
    with tf.name_scope(scope, "OneHotEncoding", [labels, num_classes]) as sc:
        labels = tf.convert_to_tensor(labels)
        if labels.dtype.name == "int32":
            labels = tf.to_int64(labels)
        return collect(outputs_collections, sc, tf.one_hot(labels, num_classes, on_value=on_value, off_value=off_value))


def _layer_name(layer: Any, default: str) -> str:
    return str(getattr(layer, "__name__", None) or getattr(getattr(layer, "func", None), "__name__", None) or default)


@export("contrib.layers.repeat")
def repeat(inputs: Any, repetitions: int, layer: Any, *args: Any, **kwargs: Any) -> Any:
    """A layer, several times over."""
    scope = kwargs.pop("scope", None)
    with tf.variable_scope(scope, "Repeat", [inputs]):
        outputs = tf.convert_to_tensor(inputs)
        scope = scope if scope is not None else _layer_name(layer, "repeat")
        for i in range(repetitions):
            outputs = layer(outputs, *args, **{**kwargs, "scope": f"{scope}_{i + 1}"})
        return outputs


@export("contrib.layers.stack")
def stack(inputs: Any, layer: Any, stack_args: Any, **kwargs: Any) -> Any:
    """A layer for each of `stack_args`, one on the other."""
    scope = kwargs.pop("scope", None)
    if not isinstance(stack_args, list | tuple):
        raise ValueError("stack_args need to be a list or tuple")
    with tf.variable_scope(scope, "Stack", [inputs]):
        outputs = tf.convert_to_tensor(inputs)
        scope = scope if scope is not None else _layer_name(layer, "stack")
        for i, given in enumerate(stack_args):
            layer_args = given if isinstance(given, list | tuple) else [given]
            outputs = layer(outputs, *layer_args, **{**kwargs, "scope": f"{scope}_{i + 1}"})
        return outputs


@export("contrib.layers.legacy_fully_connected")
def legacy_fully_connected(
    x: Any, num_output_units: int, activation_fn: Any = None, weight_init: Any = XAVIER, bias_init: Any = ZEROS, name: str | None = None,
    weight_collections: Any = (GraphKeys.WEIGHTS,), bias_collections: Any = (GraphKeys.BIASES,), output_collections: Any = (GraphKeys.ACTIVATIONS,), trainable: bool = True,
    weight_regularizer: Any = None, bias_regularizer: Any = None,
) -> Any:  # fmt: skip
    with tf.variable_scope(name, "fully_connected", [x]):
        x = tf.convert_to_tensor(x)
        units = last_dimension(x.get_shape(), min_rank=2)
        dtype, rank = x.dtype.base_dtype, x.get_shape().ndims

        def made(label: str, shape: list[int], initializer: Any, regularizer: Any, collections: Any) -> Any:
            own = list(dict.fromkeys([*(collections or []), GraphKeys.GLOBAL_VARIABLES]))
            return tf.get_variable(
                label, shape=shape, dtype=dtype, initializer=initializer, collections=own, regularizer=regularizer, trainable=trainable
            )

        w = made("weights", [units, num_output_units], weight_init, weight_regularizer, weight_collections)
        y = tf.matmul(x if rank <= 2 else tf.reshape(x, [-1, units]), w)
        if bias_init is not None:
            y = tf.nn.bias_add(y, made("bias", [num_output_units], bias_init, bias_regularizer, bias_collections))
        if rank > 2:
            sizes = tf.unstack(tf.shape(x))
            sizes[-1] = num_output_units
            y = tf.reshape(y, tf.stack(sizes))
            y.set_shape([*x.get_shape().as_list()[:-1], num_output_units])
        y = activation_fn(y) if activation_fn is not None else y
        tf.add_to_collections([*(output_collections or []), GraphKeys.ACTIVATIONS], y)
        return y


put("contrib.layers.legacy_relu", functools.partial(legacy_fully_connected, activation_fn=tf.nn.relu))
put("contrib.layers.legacy_linear", functools.partial(legacy_fully_connected, activation_fn=None))
