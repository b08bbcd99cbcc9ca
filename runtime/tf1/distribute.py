"""tf.distribute where one process runs everything on its own: each strategy is one replica, and its sums are its values."""

from __future__ import annotations

import contextlib
import enum
import re
from collections.abc import Iterator
from typing import Any

from runtime.tf1 import nest
from runtime.tf1.registry import export, put

_DEVICE = "/replica:0/task:0/device:CPU:0"


@export("distribute.ReduceOp")
class ReduceOp(enum.Enum):
    SUM = "SUM"
    MEAN = "MEAN"


@export("distribute.InputReplicationMode")
class InputReplicationMode(enum.Enum):
    PER_WORKER = "PER_WORKER"

    def __str__(self) -> str:
        return f"InputReplicationMode.{self.name}"


@export("distribute.experimental.CollectiveCommunication")
class CollectiveCommunication(enum.Enum):
    AUTO = "AUTO"
    RING = "RING"
    NCCL = "NCCL"


@export("distribute.InputContext")
class InputContext:
    """Which part of the input a pipeline reads."""

    def __init__(self, num_input_pipelines: int = 1, input_pipeline_id: int = 0, num_replicas_in_sync: int = 1) -> None:
        self.num_input_pipelines, self.input_pipeline_id, self.num_replicas_in_sync = (
            num_input_pipelines,
            input_pipeline_id,
            num_replicas_in_sync,
        )

    def get_per_replica_batch_size(self, global_batch_size: int) -> int:
        if global_batch_size % self.num_replicas_in_sync:
            raise ValueError(
                f"The `global_batch_size` {global_batch_size} is not divisible by `num_replicas_in_sync` {self.num_replicas_in_sync} "
            )
        return global_batch_size // self.num_replicas_in_sync


class InputIterator:
    """The batches of a data set for the one replica."""

    def __init__(self, dataset: Any) -> None:
        self._iterator = dataset.make_initializable_iterator()

    @property
    def initializer(self) -> Any:
        return self._iterator.initializer

    def initialize(self) -> list[Any]:
        return [self._iterator.initializer]

    def get_next(self, name: str | None = None) -> Any:
        return self._iterator.get_next()

    @property
    def output_shapes(self) -> Any:
        return self._iterator.output_shapes

    @property
    def output_types(self) -> Any:
        return self._iterator.output_types

    @property
    def output_classes(self) -> Any:
        return self._iterator.output_classes


@export("distribute.StrategyExtended")
class StrategyExtended:
    """How the one replica's values are combined: they are the values."""

    def __init__(self, container: Any = None, devices: Any = (_DEVICE,)) -> None:
        self._container = container
        self.worker_devices = self.parameter_devices = tuple(devices)

    experimental_require_static_shapes = False
    experimental_between_graph = False
    experimental_should_init = should_checkpoint = should_save_summary = True

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

    def non_slot_devices(self, var_list: Any) -> Any:
        return min(var_list, key=lambda v: v.name)

    def read_var(self, v: Any) -> Any:
        return v.value() if hasattr(v, "value") else v

    def call_for_each_replica(self, fn: Any, args: Any = (), kwargs: Any = None) -> Any:
        with _in_replica(ReplicaContext(self._container)):
            return fn(*args, **(kwargs or {}))

    def experimental_make_numpy_dataset(self, numpy_input: Any, session: Any = None) -> Any:
        from runtime.tf1.modules import lookup

        return lookup("data.Dataset").from_tensor_slices(numpy_input)

    @contextlib.contextmanager
    def colocate_vars_with(self, colocate_with_variable: Any) -> Iterator[None]:
        from runtime.tf1.graph import get_default_graph

        with get_default_graph().colocate_with(colocate_with_variable):
            yield

    def variable_created_in_scope(self, v: Any) -> bool:
        return True

    def value_container(self, value: Any) -> Any:
        return value


@export("distribute.Strategy")
class Strategy:
    """A strategy of one replica: what a script asks of several is done by the one."""

    num_replicas_in_sync = 1

    def __init__(self, extended: Any = None) -> None:
        self.extended = extended or StrategyExtended(self)

    @contextlib.contextmanager
    def scope(self) -> Iterator[Strategy]:
        if _chosen and _chosen[-1] is not self:
            raise RuntimeError(f"Mixing different tf.distribute.Strategy objects: {_chosen[-1]!r} is not {self!r}")
        _chosen.append(self)
        _replicas.append(None)
        try:
            yield self
        finally:
            _chosen.pop()
            _replicas.pop()

    def experimental_run_v2(self, fn: Any, args: Any = (), kwargs: Any = None) -> Any:
        with self._choose():
            return self.extended.call_for_each_replica(fn, args, kwargs)

    run = experimental_run_v2

    def experimental_run(self, fn: Any, input_iterator: Any = None) -> Any:
        return self.experimental_run_v2(fn, () if input_iterator is None else (input_iterator.get_next(),))

    def _choose(self) -> Any:
        return contextlib.nullcontext() if not _chosen or _chosen[-1] is self else self.scope()

    def reduce(self, reduce_op: Any, value: Any, axis: Any = None) -> Any:
        from runtime.tf1 import math_ops

        if axis is None:
            return value
        is_mean = getattr(reduce_op, "name", str(reduce_op)).upper() == "MEAN"
        return (math_ops.reduce_mean if is_mean else math_ops.reduce_sum)(value, axis=axis)

    def experimental_local_results(self, value: Any) -> tuple[Any, ...]:
        return (value,)

    unwrap = experimental_local_results

    def group(self, value: Any, name: str | None = None) -> Any:
        from runtime.tf1.modules import lookup

        return lookup("group")(*nest.flatten(value), name=name)

    def make_dataset_iterator(self, dataset: Any) -> InputIterator:
        return InputIterator(dataset)

    def make_input_fn_iterator(self, input_fn: Any, replication_mode: Any = InputReplicationMode.PER_WORKER) -> Any:
        if replication_mode is not InputReplicationMode.PER_WORKER:
            raise ValueError(f"Input replication mode not supported: {replication_mode}")
        made = input_fn(InputContext())
        return InputIterator(made) if hasattr(made, "make_initializable_iterator") else made

    def experimental_distribute_dataset(self, dataset: Any) -> Any:
        return dataset

    def experimental_distribute_datasets_from_function(self, dataset_fn: Any) -> Any:
        return dataset_fn(InputContext())

    def experimental_make_numpy_dataset(self, numpy_input: Any, session: Any = None) -> Any:
        return self.extended.experimental_make_numpy_dataset(numpy_input, session)

    def colocate_vars_with(self, colocate_with_variable: Any) -> Any:
        return self.extended.colocate_vars_with(colocate_with_variable)

    def configure(
        self, session_config: Any = None, cluster_spec: Any = None, task_type: str | None = None, task_id: int | None = None
    ) -> None: ...

    def update_config_proto(self, config_proto: Any) -> Any:
        return config_proto


class DefaultStrategy(Strategy):
    """The strategy where none was chosen."""

    def experimental_run_v2(self, fn: Any, args: Any = (), kwargs: Any = None) -> Any:
        return fn(*args, **(kwargs or {}))


class _OneReplica(Strategy):
    _devices: Any = (_DEVICE,)

    def __init__(self, *unused: Any, **options: Any) -> None:
        super().__init__(StrategyExtended(self, self._devices))


@export("distribute.OneDeviceStrategy")
class OneDeviceStrategy(_OneReplica):
    """Everything on one device."""

    def __init__(self, device: str) -> None:
        found = re.search(r"(?:device:)?([A-Za-z_]+):(\d+)$", device)
        if found is None:
            raise ValueError(f"OneDeviceStrategy needs the name of a device, such as /cpu:0; got {device!r}.")
        self._devices = (f"/replica:0/task:0/device:{found[1].upper()}:{found[2]}",)
        super().__init__()

    @contextlib.contextmanager
    def scope(self) -> Iterator[Strategy]:
        from runtime.tf1.graph import get_default_graph

        with super().scope(), get_default_graph().device(self._devices[0]):
            yield self


@export("distribute.MirroredStrategy")
class MirroredStrategy(_OneReplica):
    """The replicas of one machine: here one, with the whole batch."""

    def __init__(self, devices: Any = None, cross_device_ops: Any = None) -> None:
        super().__init__()


for _name in ("MultiWorkerMirroredStrategy", "ParameterServerStrategy", "CentralStorageStrategy"):
    put(f"distribute.experimental.{_name}", type(_name, (_OneReplica,), {"__doc__": "One process: one replica, with the whole batch."}))
put("contrib.distribute.OneDeviceStrategy", OneDeviceStrategy)
for _name in ("MirroredStrategy", "ParameterServerStrategy", "CollectiveAllReduceStrategy"):
    put(f"contrib.distribute.{_name}", type(_name, (_OneReplica,), {"__doc__": "One process: one replica, with the whole batch."}))


@export("distribute.ReplicaContext")
class ReplicaContext:
    """The one replica."""

    def __init__(self, strategy: Any, replica_id_in_sync_group: Any = 0) -> None:
        self.strategy = strategy
        self.replica_id_in_sync_group = replica_id_in_sync_group

    num_replicas_in_sync = 1

    @property
    def devices(self) -> tuple[str, ...]:
        return () if isinstance(self.strategy, DefaultStrategy) else tuple(self.strategy.extended.worker_devices)

    def __enter__(self) -> ReplicaContext:
        return self

    def __exit__(self, *exc: Any) -> None: ...

    def merge_call(self, merge_fn: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `merge_fn` with the strategy and what every replica has, which is what the one has."""
        with _in_replica(None):
            return merge_fn(self.strategy, *args, **(kwargs or {}))

    def all_reduce(self, reduce_op: Any, value: Any) -> Any:
        return value


# -- how replicas' values are combined ---------------------------------------------------------------------------------


@export("distribute.CrossDeviceOps")
class CrossDeviceOps:
    """Combines the values of replicas: of one, the value."""

    def reduce(self, reduce_op: Any, per_replica_value: Any, destinations: Any) -> Any:
        return self.reduce_implementation(reduce_op, per_replica_value, destinations)

    def batch_reduce(self, reduce_op: Any, value_destination_pairs: Any) -> Any:
        return self.batch_reduce_implementation(reduce_op, value_destination_pairs)

    def broadcast(self, tensor: Any, destinations: Any) -> Any:
        return self.broadcast_implementation(tensor, destinations)

    def reduce_implementation(self, reduce_op: Any, per_replica_value: Any, destinations: Any) -> Any:
        return per_replica_value

    def batch_reduce_implementation(self, reduce_op: Any, value_destination_pairs: Any) -> Any:
        return [value for value, _ in value_destination_pairs]

    def broadcast_implementation(self, tensor: Any, destinations: Any) -> Any:
        return tensor


@export("distribute.ReductionToOneDevice")
class ReductionToOneDevice(CrossDeviceOps):
    def __init__(self, reduce_to_device: Any = None, accumulation_fn: Any = None) -> None:
        self.reduce_to_device, self.accumulation_fn = reduce_to_device, accumulation_fn


@export("distribute.NcclAllReduce")
class NcclAllReduce(CrossDeviceOps):
    def __init__(self, num_packs: int = 1) -> None:
        if num_packs < 0:
            raise ValueError(f"NCCL all-reduce requires num_packs >= 0, but {num_packs} is specified")


@export("distribute.HierarchicalCopyAllReduce")
class HierarchicalCopyAllReduce(CrossDeviceOps):
    def __init__(self, num_packs: int = 1) -> None:
        if num_packs < 0:
            raise ValueError(f"HierarchicalCopy requires num_packs >= 0, but {num_packs} is specified")


# -- which strategy and replica there is -------------------------------------------------------------------------------

_default = DefaultStrategy()
_default_replica = ReplicaContext(_default)
_chosen: list[Strategy] = []
_replicas: list[ReplicaContext | None] = [_default_replica]  # None between the replicas' calls


@contextlib.contextmanager
def _in_replica(replica: ReplicaContext | None) -> Iterator[None]:
    _replicas.append(replica)
    try:
        yield
    finally:
        _replicas.pop()


def _set_strategy(strategy: Strategy | None) -> None:
    _chosen[:] = [] if strategy is None else [strategy]
    _replicas[:] = [_default_replica] if strategy is None else [_default_replica, None]


def reset() -> None:
    _set_strategy(None)


for _prefix in ("distribute", "contrib.distribute"):
    put(f"{_prefix}.get_replica_context", lambda: _replicas[-1])
    put(f"{_prefix}.get_strategy", lambda: _chosen[-1] if _chosen else _default)
    put(f"{_prefix}.has_strategy", lambda: bool(_chosen))
    put(f"{_prefix}.in_cross_replica_context", lambda: _replicas[-1] is None)
put("distribute.experimental_set_strategy", _set_strategy)
put("distribute.get_loss_reduction", lambda: ReduceOp.SUM)
