"""tf.distribute.cluster_resolver: which processes there are, as a ClusterSpec or the TF_CONFIG variable says."""

from __future__ import annotations

import json
import os
from typing import Any

from runtime.tf1.registry import export
from runtime.tf1.train.server_lib import ClusterSpec


def _address(master: str, rpc_layer: str | None) -> str:
    return f"{rpc_layer}://{master}" if rpc_layer and master else master


@export("distribute.cluster_resolver.ClusterResolver")
class ClusterResolver:
    """What a source of clusters tells; subclasses give cluster_spec() and master()."""

    task_type: Any = None
    task_id: Any = None
    rpc_layer: Any = None
    environment = ""

    def cluster_spec(self) -> ClusterSpec:
        raise NotImplementedError(f"{type(self).__name__} does not define cluster_spec().")

    def master(self, task_type: Any = None, task_id: Any = None, rpc_layer: Any = None) -> str:
        raise NotImplementedError(f"{type(self).__name__} does not define master().")

    def num_accelerators(self, task_type: Any = None, task_id: Any = None, config_proto: Any = None) -> dict[str, int]:
        """No accelerator has a name of its own here: work is placed by ONNX Runtime."""
        return {}


@export("distribute.cluster_resolver.SimpleClusterResolver")
class SimpleClusterResolver(ClusterResolver):
    """A ClusterSpec."""

    def __init__(
        self,
        cluster_spec: Any,
        master: str = "",
        task_type: Any = None,
        task_id: Any = None,
        environment: str = "",
        num_accelerators: Any = None,
        rpc_layer: Any = None,
    ) -> None:
        if not isinstance(cluster_spec, ClusterSpec):
            raise TypeError("cluster_spec must be a ClusterSpec.")
        if not isinstance(master, str):
            raise TypeError("master must be a string.")
        self._spec, self._master, self._accelerators = cluster_spec, master, num_accelerators
        self.task_type, self.task_id, self.environment, self.rpc_layer = task_type, task_id, environment, rpc_layer

    def cluster_spec(self) -> ClusterSpec:
        return self._spec

    def master(self, task_type: Any = None, task_id: Any = None, rpc_layer: Any = None) -> str:
        if task_type is not None and task_id is not None:
            return _address(self._spec.task_address(task_type, task_id), rpc_layer or self.rpc_layer)
        return self._master

    def num_accelerators(self, task_type: Any = None, task_id: Any = None, config_proto: Any = None) -> dict[str, int]:
        return dict(self._accelerators or {})


@export("distribute.cluster_resolver.TFConfigClusterResolver")
class TFConfigClusterResolver(ClusterResolver):
    """The TF_CONFIG environment variable."""

    def __init__(self, task_type: Any = None, task_id: Any = None, rpc_layer: Any = None, environment: Any = None) -> None:
        self._task_type, self._task_id, self._rpc_layer, self._environment = task_type, task_id, rpc_layer, environment

    @staticmethod
    def _config() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(os.environ.get("TF_CONFIG") or "{}")
        return found

    @property
    def task_type(self) -> Any:
        found = self._task_type if self._task_type is not None else self._config().get("task", {}).get("type")
        return None if found is None else str(found)

    @property
    def task_id(self) -> Any:
        found = self._task_id if self._task_id is not None else self._config().get("task", {}).get("index")
        return None if found is None else int(found)

    @property
    def environment(self) -> Any:
        return self._environment

    @property
    def rpc_layer(self) -> Any:
        return self._rpc_layer if self._rpc_layer is not None else self._config().get("rpc_layer")

    def cluster_spec(self) -> ClusterSpec:
        return ClusterSpec(self._config().get("cluster", {}))

    def master(self, task_type: Any = None, task_id: Any = None, rpc_layer: Any = None) -> str:
        spec = self.cluster_spec()
        jobs = spec.as_dict()
        if not jobs or (len(jobs) == 1 and sum(len(tasks) for tasks in jobs.values()) == 1):
            return ""
        task_type = self.task_type if task_type is None else task_type
        task_id = self.task_id if task_id is None else task_id
        return _address(spec.task_address(task_type, task_id or 0), rpc_layer or self.rpc_layer)


@export("distribute.cluster_resolver.UnionResolver")
class UnionClusterResolver(ClusterResolver):
    """Several resolvers: their jobs together; the first says which task this is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not args:
            raise ValueError("At least one ClusterResolver is required.")
        for one in args:
            if not isinstance(one, ClusterResolver):
                raise TypeError("All arguments must be a sub-class of `ClusterResolver.`")
        self._resolvers = args
        self.rpc_layer = kwargs.get("rpc_layer") or args[0].rpc_layer
        self.task_type = kwargs.get("task_type") or args[0].task_type
        self.task_id = kwargs["task_id"] if kwargs.get("task_id") is not None else args[0].task_id
        self.environment = args[0].environment

    def cluster_spec(self) -> ClusterSpec:
        jobs: dict[str, Any] = {}
        for resolver in self._resolvers:
            for job, tasks in resolver.cluster_spec().as_dict().items():
                jobs.setdefault(job, []).extend(tasks if isinstance(tasks, list) else [tasks[i] for i in sorted(tasks)])
        return ClusterSpec(jobs)

    def master(self, task_type: Any = None, task_id: Any = None, rpc_layer: Any = None) -> str:
        if task_type is not None and task_id is not None:
            return _address(self.cluster_spec().task_address(task_type, task_id), rpc_layer or self.rpc_layer)
        return str(self._resolvers[0].master(rpc_layer=rpc_layer))
