"""Random tensors, with TensorFlow's seeds."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import as_dtype, float32
from runtime.tf1.graph import apply_op, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape

DEFAULT_GRAPH_SEED = 87654321


@export("set_random_seed")
def set_random_seed(seed: int) -> None:
    get_default_graph().seed = seed


@export("get_seed")
def get_seed(op_seed: int | None) -> tuple[int | None, int | None]:
    """The two seeds of an op: from the graph's seed, the op's, and how many ops the graph has."""
    graph = get_default_graph()
    if graph.seed is not None:
        seeds = graph.seed, graph.last_id if op_seed is None else op_seed
    elif op_seed is not None:
        seeds = DEFAULT_GRAPH_SEED, op_seed
    else:
        return None, None
    wrapped = tuple(int(s) % (2**31 - 1) if abs(int(s)) > 2**31 - 1 else int(s) for s in seeds)
    return (0, 2**31 - 1) if wrapped == (0, 0) else wrapped  # type: ignore[return-value]


def _seeds(seed: int | None) -> dict[str, int]:
    first, second = get_seed(seed)
    return {"seed": first or 0, "seed2": second or 0}


def _shape(shape: Any) -> Any:
    return convert_to_tensor(shape, "int32" if isinstance(shape, list | tuple | TensorShape) else None, name="shape")


@export("random_normal")
def random_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, seed: int | None = None, name: str | None = None
) -> Any:
    return _scaled("RandomStandardNormal", "random_normal", shape, mean, stddev, dtype, seed, name)


@export("truncated_normal")
def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, seed: int | None = None, name: str | None = None
) -> Any:
    return _scaled("TruncatedNormal", "truncated_normal", shape, mean, stddev, dtype, seed, name)


def _scaled(op_type: str, label: str, shape: Any, mean: Any, stddev: Any, dtype: Any, seed: int | None, name: str | None) -> Any:
    with name_scope(name, label, [shape, mean, stddev]) as scope:
        shape = _shape(shape)
        mean = convert_to_tensor(mean, dtype, name="mean")
        stddev = convert_to_tensor(stddev, dtype, name="stddev")
        drawn = apply_op(op_type, None, shape=shape, dtype=dtype, **_seeds(seed))
        return apply_op("Add", scope, x=drawn * stddev, y=mean)


@export("random_uniform")
def random_uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, seed: int | None = None, name: str | None = None
) -> Any:
    dtype = as_dtype(dtype)
    if maxval is None:
        if dtype.is_integer:
            raise ValueError(f"Must specify maxval for integer dtype {dtype!r}")
        maxval = 1
    with name_scope(name, "random_uniform", [shape, minval, maxval]) as scope:
        shape = _shape(shape)
        minval = convert_to_tensor(minval, dtype, name="min")
        maxval = convert_to_tensor(maxval, dtype, name="max")
        if dtype.is_integer:
            return apply_op("RandomUniformInt", scope, shape=shape, minval=minval, maxval=maxval, **_seeds(seed))
        drawn = apply_op("RandomUniform", None, shape=shape, dtype=dtype, **_seeds(seed))
        return apply_op("Add", scope, x=drawn * (maxval - minval), y=minval)


@export("random_shuffle")
def random_shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Any:
    return apply_op("RandomShuffle", name, value=value, **_seeds(seed))


@export("random_crop")
def random_crop(value: Any, size: Any, seed: int | None = None, name: str | None = None) -> Any:
    """A part of this size, at random; all offsets are equally likely."""
    from runtime.tf1 import array_ops, control_flow_ops, math_ops
    from runtime.tf1.logging_ops import Assert

    with name_scope(name, "random_crop", [value, size]) as scope:
        value = convert_to_tensor(value, name="value")
        size = convert_to_tensor(size, dtype="int32", name="size")
        shape = array_ops.shape(value)
        check = Assert(math_ops.reduce_all(shape >= size), ["Need value.shape >= size, got ", shape, size], summarize=1000)
        shape = control_flow_ops.with_dependencies([check], shape)
        limit = shape - size + 1
        offset = random_uniform(array_ops.shape(shape), dtype=size.dtype, maxval=size.dtype.max, seed=seed) % limit
        return array_ops.slice_(value, offset, size, name=scope)


def _multinomial(logits: Any, num_samples: Any, dtype: Any, seed: int | None) -> Any:
    return apply_op(
        "Multinomial", None, logits=convert_to_tensor(logits, name="logits"), num_samples=num_samples, output_dtype=dtype, **_seeds(seed)
    )


@export("multinomial")
def multinomial(logits: Any, num_samples: Any, seed: int | None = None, name: str | None = None, output_dtype: Any = None) -> Any:
    with name_scope(name, "multinomial", [logits]):
        return _multinomial(logits, num_samples, output_dtype, seed)


@export("random.categorical")
def categorical(logits: Any, num_samples: Any, dtype: Any = None, seed: int | None = None, name: str | None = None) -> Any:
    with name_scope(name, "categorical", [logits]):
        return _multinomial(logits, num_samples, dtype, seed)


@export("random_gamma")
def random_gamma(shape: Any, alpha: Any, beta: Any = None, dtype: Any = float32, seed: int | None = None, name: str | None = None) -> Any:
    """Samples of Gamma(alpha) / beta, never 0."""
    import numpy as np

    from runtime.tf1 import array_ops, math_ops

    with name_scope(name, "random_gamma", [shape, alpha, beta]):
        shape = convert_to_tensor(shape, name="shape", dtype="int32")
        alpha = convert_to_tensor(alpha, name="alpha", dtype=dtype)
        beta = convert_to_tensor(beta if beta is not None else 1, name="beta", dtype=dtype)
        broadcast = alpha + array_ops.zeros_like(beta)
        drawn = apply_op("RandomGamma", None, shape=shape, alpha=broadcast, **_seeds(seed))
        return math_ops.maximum(np.finfo(alpha.dtype.as_numpy_dtype).tiny, drawn / beta)


@export("random_poisson")
def random_poisson(lam: Any, shape: Any, dtype: Any = float32, seed: int | None = None, name: str | None = None) -> Any:
    with name_scope(name, "random_poisson", [lam, shape]):
        shape = convert_to_tensor(shape, name="shape", dtype="int32")
        return apply_op("RandomPoissonV2", None, shape=shape, rate=lam, dtype=dtype, **_seeds(seed))


@export("random.stateless_uniform")
def stateless_random_uniform(
    shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = float32, name: str | None = None
) -> Any:
    from runtime.tf1 import math_ops

    dtype = as_dtype(dtype)
    if maxval is None:
        if dtype.is_integer:
            raise ValueError(f"Must specify maxval for integer dtype {dtype!r}")
        maxval = 1
    with name_scope(name, "stateless_random_uniform", [shape, seed, minval, maxval]) as scope:
        shape = _shape(shape)
        minval = convert_to_tensor(minval, dtype=dtype, name="min")
        maxval = convert_to_tensor(maxval, dtype=dtype, name="max")
        if dtype.is_integer:
            return apply_op("StatelessRandomUniformInt", scope, shape=shape, seed=seed, minval=minval, maxval=maxval)
        drawn = apply_op("StatelessRandomUniform", None, shape=shape, seed=seed, dtype=dtype)
        return math_ops.add(drawn * (maxval - minval), minval, name=scope)


def _stateless(op_type: str, label: str, shape: Any, seed: Any, mean: Any, stddev: Any, dtype: Any, name: str | None) -> Any:
    from runtime.tf1 import math_ops

    with name_scope(name, label, [shape, seed, mean, stddev]) as scope:
        shape = _shape(shape)
        mean = convert_to_tensor(mean, dtype=dtype, name="mean")
        stddev = convert_to_tensor(stddev, dtype=dtype, name="stddev")
        return math_ops.add(apply_op(op_type, None, shape=shape, seed=seed, dtype=dtype) * stddev, mean, name=scope)


@export("random.stateless_normal")
def stateless_random_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: str | None = None
) -> Any:
    return _stateless("StatelessRandomNormal", "stateless_random_normal", shape, seed, mean, stddev, dtype, name)


@export("random.stateless_truncated_normal")
def stateless_truncated_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = float32, name: str | None = None
) -> Any:
    return _stateless("StatelessTruncatedNormal", "stateless_truncated_normal", shape, seed, mean, stddev, dtype, name)


def _stateless_multinomial(label: str, logits: Any, num_samples: Any, seed: Any, dtype: Any, name: str | None) -> Any:
    with name_scope(name, label, [logits, seed]):
        return apply_op(
            "StatelessMultinomial",
            None,
            logits=convert_to_tensor(logits, name="logits"),
            num_samples=num_samples,
            seed=seed,
            output_dtype=dtype,
        )


@export("random.stateless_multinomial")
def stateless_multinomial(logits: Any, num_samples: Any, seed: Any, output_dtype: Any = "int64", name: str | None = None) -> Any:
    return _stateless_multinomial("stateless_multinomial", logits, num_samples, seed, output_dtype, name)


@export("random.stateless_categorical")
def stateless_categorical(logits: Any, num_samples: Any, seed: Any, dtype: Any = "int64", name: str | None = None) -> Any:
    return _stateless_multinomial("stateless_categorical", logits, num_samples, seed, dtype, name)
