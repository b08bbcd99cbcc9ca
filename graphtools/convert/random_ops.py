"""Random numbers of exported models: ONNX's generators, TensorFlow's distributions (the numbers themselves differ)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.dtypes import float16, float32, float64, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView


def random_seed(node: NodeView) -> float | None:
    """ONNX's seed for an op whose seeds are set; an op without them draws other numbers in every session."""
    seed, seed2 = int(node.attr.get("seed") or 0), int(node.attr.get("seed2") or 0)
    return float((seed * 1_000_003 + seed2) % (1 << 24)) if seed or seed2 else None


def _shape(op: Builder, node: NodeView, name: str = "shape") -> Value:
    known = node.maybe_const(name)
    if known is not None:
        return op.const(known.astype(np.int64).reshape(-1))
    return op.cast(node.input(name), int64)


def uniform(op: Builder, shape: Value, seed: float | None, low: float = 0.0, high: float = 1.0) -> Value:
    """float32 numbers in [low, high)."""
    if shape.const is not None and shape.const.size:
        value: Value = op.RandomUniform(shape=shape.const.tolist(), low=low, high=high, seed=seed, dtype=float32.onnx)
        value.dims = tuple(shape.const.tolist())
        return value
    like = op._append("ConstantOfShape", [shape], {"value": np.zeros(1, np.float32)}, 1, "")
    value = op.RandomUniformLike(like, low=low, high=high, seed=seed, dtype=float32.onnx)
    value.dims = like.dims
    return value


def _normal(op: Builder, shape: Value, seed: float | None) -> Value:
    if shape.const is not None and shape.const.size:
        value: Value = op.RandomNormal(shape=shape.const.tolist(), seed=seed, dtype=float32.onnx)
        value.dims = tuple(shape.const.tolist())
        return value
    like = op._append("ConstantOfShape", [shape], {"value": np.zeros(1, np.float32)}, 1, "")
    value = op.RandomNormalLike(like, seed=seed, dtype=float32.onnx)
    value.dims = like.dims
    return value


@converts("RandomUniform", "StatelessRandomUniform")
def random_uniform(op: Builder, node: NodeView) -> Any:
    high = 1.0 - 2.0**-11 if node.dtype is float16 else 1.0  # the next number is 1 in float16
    return op.cast(uniform(op, _shape(op, node), random_seed(node), 0.0, high), node.dtype)


@converts("RandomStandardNormal", "StatelessRandomNormal")
def random_standard_normal(op: Builder, node: NodeView) -> Any:
    return op.cast(_normal(op, _shape(op, node), random_seed(node)), node.dtype)


# Giles's rational approximation of the inverse error function, for w = -log(1 - x^2) below 5 and from 5 on; highest power first.
_INVERSE_ERF_CENTRE = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941)  # fmt: skip
_INVERSE_ERF_TAIL = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682)  # fmt: skip


def inverse_erf(op: Builder, x: Value) -> Value:
    """The x of erf(x), to float32."""
    w = op.Neg(op.Log(op.Mul(op.Sub(1.0, x), op.Add(x, 1.0))))
    centre, tail = op.Sub(w, 2.5), op.Sub(op.Sqrt(w), 3.0)
    results = []
    for at, coefficients in ((centre, _INVERSE_ERF_CENTRE), (tail, _INVERSE_ERF_TAIL)):
        total: Value | None = None
        for c in coefficients:
            total = op.const(np.float32(c)) if total is None else op.Add(op.Mul(total, at), float(c))
        results.append(total)
    return op.Mul(op.Where(op.Less(w, 5.0), *results), x)  # type: ignore[no-any-return]


@converts("TruncatedNormal", "StatelessTruncatedNormal")
def truncated_normal(op: Builder, node: NodeView) -> Any:
    """Normal numbers within two standard deviations, by the inverse of the distribution; TensorFlow draws again instead."""
    edge = 0.9544997361036416  # erf(sqrt 2)
    u = uniform(op, _shape(op, node), random_seed(node), -edge, edge)
    return op.cast(op.Mul(inverse_erf(op, u), float(np.sqrt(2.0))), node.dtype)


@converts("ParameterizedTruncatedNormal")
def parameterized_truncated_normal(op: Builder, node: NodeView) -> Any:
    """One mean, deviation, lower and upper bound for each row, or for all of them."""
    shape = _shape(op, node)
    rank = node.outputs[0].rank
    if rank is None:
        raise node.fail("the rank of the output must be known.")
    mean, deviation, low, high = (
        op.Reshape(op.cast(node.input(n), float32), op.const([-1] + [1] * (rank - 1))) for n in ("means", "stdevs", "minvals", "maxvals")
    )
    root = float(np.sqrt(2.0))
    ends = [op.Erf(op.Div(op.Div(op.Sub(v, mean), deviation), root)) for v in (low, high)]
    u = uniform(op, shape, random_seed(node))
    at = op.Add(ends[0], op.Mul(u, op.Sub(ends[1], ends[0])))
    at = op.Min(op.Max(at, -0.9999999), 0.9999999)
    y = op.Add(op.Mul(op.Mul(inverse_erf(op, at), root), deviation), mean)
    return op.cast(op.Min(op.Max(y, low), high), node.dtype)


@converts("RandomUniformInt", "StatelessRandomUniformInt")
def random_uniform_int(op: Builder, node: NodeView) -> Any:
    """low + floor(u * (high - low)), in float64 so that every integer can come."""
    low, high = op.cast(node.input("minval"), float64), op.cast(node.input("maxval"), float64)
    u = op.cast(uniform(op, _shape(op, node), random_seed(node)), float64)
    span = op.Sub(high, low)
    steps = op.Min(op.Floor(op.Mul(u, span)), op.Sub(span, 1.0))
    return op.cast(op.Add(steps, low), node.dtype)


@converts("Multinomial", "StatelessMultinomial")
def multinomial(op: Builder, node: NodeView) -> Any:
    """The largest of logits + Gumbel noise: the number of samples need not be constant, and CUDA has kernels."""
    logits = op.cast(node.input("logits"), float32)
    known = node.maybe_const("num_samples")
    count = op.const([int(known)]) if known is not None else op.Reshape(op.cast(node.input("num_samples"), int64), op.const([1]))
    sizes = op.Shape(logits)
    shape = op.Concat(op.Slice(sizes, [0], [1], [0]), count, op.Slice(sizes, [1], [2], [0]), axis=0)
    u = op.Max(uniform(op, shape, random_seed(node)), float(np.finfo(np.float32).tiny))
    noise = op.Neg(op.Log(op.Neg(op.Log(u))))
    return op.cast(op.ArgMax(op.Add(op.Unsqueeze(logits, [1]), noise), axis=2, keepdims=0), node.dtype)


@converts("RandomShuffle")
def random_shuffle(op: Builder, node: NodeView) -> Any:
    """The rows in the order of as many random numbers."""
    x = node.inputs[0]
    if x.rank == 0:
        return x
    count = op.Shape(x, start=0, end=1)
    _, order = op.TopK(uniform(op, count, random_seed(node)), count, axis=0, outputs=2)
    return op.Gather(x, order, axis=0)


@converts("RandomCrop")
def random_crop(op: Builder, node: NodeView) -> Any:
    """A window of the given rows and columns at a random place."""
    image, size = node.input("image"), op.cast(node.input("size"), int64)
    room = op.Add(op.Sub(op.Shape(image, start=0, end=2), size), 1)
    u = uniform(op, op.const([2]), random_seed(node))
    start = op.Min(op.cast(op.Floor(op.Mul(u, op.cast(room, float32))), int64), op.Sub(room, 1))
    return op.Slice(image, start, op.Add(start, size), [0, 1])


@converts("RandomGamma")
def random_gamma(op: Builder, node: NodeView) -> Any:
    """Marsaglia and Tsang's d * v: of eight tries the first that is accepted (all fail once in 10^10 draws); alpha < 1 by alpha + 1."""
    alpha = op.cast(node.input("alpha"), float32)
    shape = op.Concat(_shape(op, node), op.Shape(alpha), axis=0)
    tries = 8
    seed = random_seed(node)
    boosted = op.Where(op.Less(alpha, 1.0), op.Add(alpha, 1.0), alpha)
    d = op.Sub(boosted, 1.0 / 3)
    c = op.Reciprocal(op.Sqrt(op.Mul(d, 9.0)))
    many = op.Concat(op.const([tries]), shape, axis=0)
    x = _normal(op, many, seed)
    u = uniform(op, many, None if seed is None else seed + 1)
    root = op.Add(op.Mul(x, c), 1.0)
    v = op.Mul(op.Mul(root, root), root)
    positive = op.Greater(v, 0.0)
    log_v = op.Log(op.Where(positive, v, 1.0))
    bound = op.Add(op.Mul(op.Mul(x, x), 0.5), op.Mul(d, op.Add(op.Sub(1.0, v), log_v)))
    accepted = op.And(positive, op.Less(op.Log(op.Max(u, 1e-38)), bound))
    first = op.ArgMax(op.cast(accepted, float32), axis=0, keepdims=1)
    chosen = op.Squeeze(op.GatherElements(v, first, axis=0), [0])
    low = uniform(op, shape, None if seed is None else seed + 2)
    power = op.Where(op.Less(alpha, 1.0), op.Pow(op.Max(low, 1e-38), op.Reciprocal(op.Max(alpha, 1e-38))), 1.0)
    return op.cast(op.Mul(op.Mul(chosen, d), power), node.dtype)
