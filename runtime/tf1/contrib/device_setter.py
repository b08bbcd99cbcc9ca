"""tf.contrib.training: which parameter server a variable goes to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from runtime.tf1.registry import export


@export("contrib.training.RandomStrategy")
class RandomStrategy:
    """A task by the hash of the op's name: the same in every run."""

    def __init__(self, num_ps_tasks: int, seed: int = 0) -> None:
        self._num_tasks, self._seed = num_ps_tasks, seed

    def __call__(self, op: Any) -> int:
        digest = hashlib.md5(f"{op.name}_{self._seed}".encode(), usedforsecurity=False).hexdigest()
        return int(digest, 16) % self._num_tasks


@export("contrib.training.GreedyLoadBalancingStrategy")
class GreedyLoadBalancingStrategy:
    """The task with the least load so far; `load_fn(op)` is what an op adds."""

    def __init__(self, num_tasks: int, load_fn: Callable[[Any], float]) -> None:
        self._loads = [0.0] * num_tasks
        self._load_fn = load_fn

    def __call__(self, op: Any) -> int:
        task = self._loads.index(min(self._loads))
        self._loads[task] += self._load_fn(op)
        return task


@export("contrib.training.byte_size_load_fn")
def byte_size_load_fn(op: Any) -> int:
    """The bytes of an op's only output."""
    if len(op.outputs) != 1:
        raise ValueError(f"Op {op} must have a single output")
    (output,) = op.outputs
    dims = output.dims if output.dims is not None and None not in output.dims else op.node_def.attr["shape"].shape.dim
    sizes = [d if isinstance(d, int) else d.size for d in dims]
    if any(s is None or s < 0 for s in sizes):
        raise ValueError(f"Shape {output.shape} is not fully defined")
    count = 1
    for s in sizes:
        count *= s
    return count * int(output.dtype.size)
