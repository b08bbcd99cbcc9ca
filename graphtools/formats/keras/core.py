"""Core, normalisation, embedding, noise and activation layers, and the wrappers that only reshape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphtools.dtypes import bool_, float32, int32, int64
from graphtools.formats.keras import Call, Layer, channels_first, layer
from graphtools.formats.keras.activations import activate, elu, number, relu, softmax
from graphtools.graph import Tensor


def has_bias(layer: Layer) -> int:
    return 1 if layer.config.get("use_bias", True) else 0


def add_bias(k: Call, x: Tensor, index: int = 1, *, first: bool = False) -> Tensor:
    if not k.config.get("use_bias", True):
        return x
    bias = k.weight(index, "bias")
    if first and (x.rank or 0) not in (4, 5):
        first = False
    return k.op("BiasAdd", x, bias, data_format="NCHW" if first else "NHWC")


@layer("Dense", weights=lambda la: (1 + has_bias(la), 0), masked=True)
def dense(k: Call) -> Tensor:
    x, kernel = k.x, k.weight(0, "kernel")
    rank = k.rank(x)
    if rank == 2:
        y = k.op("MatMul", x, kernel)
    else:
        y = k.op("MatMul", k.reshape(x, [-1, k.array(0).shape[0]]), kernel)
        y = k.reshape(y, [*(k.size(x, i) for i in range(rank - 1)), k.array(0).shape[1]])
    if k.config.get("use_bias", True):
        y = k.op("BiasAdd", y, k.weight(1, "bias"))
    return activate(k, y, k.config.get("activation"))


@layer("Activation", masked=True)
def activation(k: Call) -> Tensor:
    return activate(k, k.x, k.config["activation"])


@layer("InputLayer", masked=True)
def input_layer(k: Call) -> Tensor:
    return k.x


# What these do happens only in training.
@layer(
    "ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
    masked=True,
)  # fmt: skip
def identity(k: Call) -> Tensor:
    return k.op("Identity", k.x)


@layer("Flatten")
def flatten(k: Call) -> Tensor:
    x = k.x
    rank = k.rank(x)
    if channels_first(k.config) and rank > 2:
        x = k.transpose(x, 0, *range(2, rank), 1)
    if rank == 1:
        return k.expand(x, 1)
    return _flat(k, x)


def _flat(k: Call, x: Tensor) -> Tensor:
    sizes = [d for d in (x.dims or ())[1:] if d is not None]
    if len(sizes) == k.rank(x) - 1:
        return k.reshape(x, [-1, math.prod(sizes)])
    rest = k.op("StridedSlice", k.shape(x), k.ints(1), k.ints(0), k.ints(1), end_mask=1)
    return k.reshape(x, [-1, k.op("Prod", rest, k.ints(0))])


@layer("Reshape")
def reshape(k: Call) -> Tensor:
    target = [int(d) for d in k.config["target_shape"]]
    batch: Tensor | int = -1
    if -1 in target:
        sizes = (k.x.dims or (None, None))[1:]
        known = int(np.prod([d for d in target if d != -1], dtype=np.int64))
        if None not in sizes and known:
            target[target.index(-1)] = int(np.prod(sizes, dtype=np.int64)) // known  # type: ignore[arg-type]
        else:
            batch = k.size(k.x, 0)
            return k.op("Reshape", k.x, k.sizes([batch, *target]))
    return k.op("Reshape", k.x, k.ints(-1, *target))


@layer("Permute")
def permute(k: Call) -> Tensor:
    return k.transpose(k.x, 0, *(int(d) for d in k.config["dims"]))


@layer("RepeatVector")
def repeat_vector(k: Call) -> Tensor:
    return k.op("Tile", k.expand(k.x, 1), k.ints(1, int(k.config["n"]), 1))


def _mask_of_masking(k: Call) -> Tensor:
    different = k.op("NotEqual", k.x, k.like(k.config["mask_value"], k.x))
    return k.op("Any", different, k.ints(-1), keep_dims=False)


@layer("Masking", masked=_mask_of_masking)
def masking(k: Call) -> Tensor:
    different = k.op("Any", k.op("NotEqual", k.x, k.like(k.config["mask_value"], k.x)), k.ints(-1), keep_dims=True)
    return k.op("Mul", k.x, k.cast(different, k.x.dtype))


@layer("Lambda")
def lambda_layer(k: Call) -> Tensor:
    raise k.fail(
        "holds Python bytecode, which is not executed: it could do anything, and it only runs on the Python that wrote it. Replace the Lambda "
        "by Keras layers, or save the model as a SavedModel or frozen graph with the Keras that wrote it"
    )


def _mask_of_embedding(k: Call) -> Tensor | None:
    return k.op("NotEqual", k.x, k.like(0, k.x)) if k.config.get("mask_zero") else None


@layer("Embedding", weights=lambda la: (1, 0), masked=_mask_of_embedding)
def embedding(k: Call) -> Tensor:
    ids = k.x if k.x.dtype in (int32, int64) else k.cast(k.x, int32)
    return k.op("GatherV2", k.weight(0, "embeddings"), ids, k.scalar(0))


# -- normalisation ---------------------------------------------------------------------------------------------------


@layer("BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization",
       weights=lambda la: (bool(la.config.get("scale", True)) + bool(la.config.get("center", True)), 2), masked=True)  # fmt: skip
def batch_normalization(k: Call) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the moving statistics."""
    x, c = k.x, k.config
    rank = k.rank(x)
    axis = c.get("axis", -1)
    axis = (
        int(axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis)
        if not isinstance(axis, list | tuple) or len(axis) == 1
        else -1
    )
    axis %= rank
    scale, center = c.get("scale", True), c.get("center", True)
    at = int(bool(scale)) + int(bool(center))
    mean = k.array(at)
    size = mean.shape
    arrays = {
        "gamma": k.array(0) if scale else np.ones(size, mean.dtype),
        "beta": k.array(int(bool(scale))) if center else np.zeros(size, mean.dtype),
        "moving_mean": mean,
        "moving_variance": k.array(at + 1),
    }
    weights = [k.weight(0, name, array) for name, array in arrays.items()]
    epsilon = float(c.get("epsilon", 1e-3))
    if rank == 4 and axis in (1, 3) and mean.dtype == np.float32:
        outputs = k.outputs(
            "FusedBatchNormV3",
            x,
            *weights,
            epsilon=epsilon,
            is_training=False,
            data_format="NCHW" if axis == 1 else "NHWC",
            name="FusedBatchNorm",
        )
        return outputs[0]
    if axis != rank - 1:
        shape = [1] * rank
        shape[axis] = -1
        weights = [k.reshape(w, shape) for w in weights]
    gamma, beta, mean_, variance = weights
    factor = k.op("Mul", k.op("Rsqrt", k.op("AddV2", variance, k.like(epsilon, variance))), gamma)
    return k.op("AddV2", k.op("Mul", x, factor), k.op("Sub", beta, k.op("Mul", mean_, factor)))


@layer("LayerNormalization", weights=lambda la: (bool(la.config.get("scale", True)) + bool(la.config.get("center", True)), 0), masked=True)
def layer_normalization(k: Call) -> Tensor:
    x, c = k.x, k.config
    rank = k.rank(x)
    axis = c.get("axis", -1)
    axes = sorted(int(a) % rank for a in (axis if isinstance(axis, list | tuple) else [axis]))
    mean = k.op("Mean", x, k.ints(*axes), keep_dims=True)
    variance = k.op("Mean", k.op("SquaredDifference", x, mean), k.ints(*axes), keep_dims=True)
    y = k.op("Mul", k.op("Sub", x, mean), k.op("Rsqrt", k.op("AddV2", variance, k.like(float(c.get("epsilon", 1e-3)), x))))
    shape = [k.known(x, i) if i in axes else 1 for i in range(rank)]
    at = 0
    for wanted, name, op_type in ((c.get("scale", True), "gamma", "Mul"), (c.get("center", True), "beta", "AddV2")):
        if wanted:
            weight = k.weight(at, name)
            y = k.op(op_type, y, weight if axes == [rank - 1] else k.reshape(weight, shape))
            at += 1
    return y


# -- activations with settings of their own ----------------------------------------------------------------------------


@layer("LeakyReLU", masked=True)
def leaky_relu(k: Call) -> Tensor:
    return relu(k, k.x, number(k.config.get("alpha", k.config.get("negative_slope")), 0.3))


@layer("ReLU", masked=True)
def relu_layer(k: Call) -> Tensor:
    c = k.config
    return relu(k, k.x, number(c.get("negative_slope"), 0.0), number(c.get("max_value"), None), number(c.get("threshold"), 0.0))


@layer("ELU", masked=True)
def elu_layer(k: Call) -> Tensor:
    return elu(k, k.x, number(k.config.get("alpha"), 1.0))


@layer("ThresholdedReLU", masked=True)
def thresholded_relu(k: Call) -> Tensor:
    return k.op("Mul", k.x, k.cast(k.op("Greater", k.x, k.like(number(k.config.get("theta"), 1.0), k.x)), k.x.dtype))


@layer("Softmax", masked=True)
def softmax_layer(k: Call) -> Tensor:
    axis = k.config.get("axis", -1)
    return softmax(k, k.x, int(axis[0] if isinstance(axis, list) else axis))


@layer("PReLU", weights=lambda la: (1, 0), masked=True)
def prelu(k: Call) -> Tensor:
    """relu(x) - alpha * relu(-x), alpha shared along some axes."""
    alpha = k.weight(0, "alpha")
    return k.op("Sub", k.op("Relu", k.x), k.op("Mul", alpha, k.op("Relu", k.op("Neg", k.x))))


@layer("Rescaling", masked=True)
def rescaling(k: Call) -> Tensor:
    """x * scale + offset."""
    x = k.x if k.x.dtype.is_floating else k.cast(k.x, float32)
    return k.op("AddV2", k.op("Mul", x, k.like(k.config["scale"], x)), k.like(k.config.get("offset", 0.0), x))


# -- wrappers ----- --------------------------------------------------------------------------------------------------


@layer("TimeDistributed", masked=True)
def time_distributed(k: Call) -> Any:
    """The inner layer on each step: steps are moved into the batch."""
    x = k.x
    rank = k.rank(x)
    steps = k.size(x, 1)
    inner = k.reshape(x, [-1, *(k.size(x, i) for i in range(2, rank))])
    mask = None
    if k.mask is not None and (k.mask.rank or 0) > 2:
        mask = k.reshape(k.mask, [-1, *(k.size(k.mask, i) for i in range(2, k.mask.rank or 0))])
    outputs, _ = k.run(k.layer.inner[0], [inner], [mask])
    return [
        k.reshape(y, [k.size(x, 0) if not isinstance(steps, int) else -1, steps, *(k.size(y, i) for i in range(1, k.rank(y)))])
        for y in outputs
    ]


def mask_as(k: Call, mask: Tensor, x: Tensor) -> Tensor:
    """A mask as numbers of the dtype of x."""
    return k.cast(mask, x.dtype) if mask.dtype is bool_ else mask
