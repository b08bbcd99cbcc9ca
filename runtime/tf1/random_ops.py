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
