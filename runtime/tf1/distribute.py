"""tf.distribute where one process runs everything on its own: the strategy and the replica that are there by default."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from runtime.tf1.registry import export, put


@export("distribute.StrategyExtended")
class StrategyExtended:
    """How the one replica's values are combined: they are the values."""

    def __init__(self, container: Any = None) -> None:
        self._container = container

    experimental_require_static_shapes = False
    worker_devices = parameter_devices = ("/job:localhost",)

    def reduce_to(self, reduce_op: Any, value: Any, destinations: Any = None) -> Any:
        return value

    def batch_reduce_to(self, reduce_op: Any, value_destination_pairs: Any) -> list[Any]:
        return [value for value, _ in value_destination_pairs]

    def broadcast_to(self, tensor: Any, destinations: Any = None) -> Any:
        return tensor

    def update(self, var: Any, fn: Any, args: Any = (), kwargs: Any = None, group: bool = True) -> Any:
        result = fn(var, *args, **(kwargs or {}))
        return result if group else (result,)

    def update_non_slot(self, colocate_with: Any, fn: Any, args: Any = (), kwargs: Any = None, group: bool = True) -> Any:
        result = fn(*args, **(kwargs or {}))
        return result if group else (result,)

    def read_var(self, v: Any) -> Any:
        return v.value() if hasattr(v, "value") else v

    def call_for_each_replica(self, fn: Any, args: Any = (), kwargs: Any = None) -> Any:
        return fn(*args, **(kwargs or {}))

    @contextlib.contextmanager
    def colocate_vars_with(self, colocate_with_variable: Any) -> Iterator[None]:
        from runtime.tf1.graph import get_default_graph

        with get_default_graph().colocate_with(colocate_with_variable):
            yield

    def variable_created_in_scope(self, v: Any) -> bool:
        return True

    def value_container(self, value: Any) -> Any:
        return value


class DefaultStrategy:
    """The strategy where none was chosen."""

    num_replicas_in_sync = 1

    def __init__(self) -> None:
        self.extended = StrategyExtended(self)

    @contextlib.contextmanager
    def scope(self) -> Iterator[DefaultStrategy]:
        yield self

    def experimental_run_v2(self, fn: Any, args: Any = (), kwargs: Any = None) -> Any:
        return fn(*args, **(kwargs or {}))

    def reduce(self, reduce_op: Any, value: Any, axis: Any = None) -> Any:
        from runtime.tf1 import math_ops

        if axis is None:
            return value
        is_mean = getattr(reduce_op, "name", str(reduce_op)).upper() == "MEAN"
        return (math_ops.reduce_mean if is_mean else math_ops.reduce_sum)(value, axis=axis)

    def unwrap(self, value: Any) -> list[Any]:
        return [value]

    experimental_local_results = unwrap


@export("distribute.ReplicaContext")
class ReplicaContext:
    """The one replica."""

    def __init__(self, strategy: Any, replica_id_in_sync_group: Any = 0) -> None:
        self.strategy = strategy
        self.replica_id_in_sync_group = replica_id_in_sync_group

    num_replicas_in_sync = 1
    devices = ("",)

    def __enter__(self) -> ReplicaContext:
        return self

    def __exit__(self, *exc: Any) -> None: ...

    def merge_call(self, merge_fn: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `merge_fn` with the strategy and what every replica has, which is what the one has."""
        return merge_fn(self.strategy, *args, **(kwargs or {}))

    def all_reduce(self, reduce_op: Any, value: Any) -> Any:
        return value


_strategy = DefaultStrategy()
_replica = ReplicaContext(_strategy)

for _prefix in ("distribute", "contrib.distribute"):
    put(f"{_prefix}.get_replica_context", lambda: _replica)
    put(f"{_prefix}.get_strategy", lambda: _strategy)
    put(f"{_prefix}.has_strategy", lambda: False)
    put(f"{_prefix}.in_cross_replica_context", lambda: False)
