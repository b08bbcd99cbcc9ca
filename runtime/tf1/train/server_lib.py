"""Clusters and servers: of one process, the script's own."""

from __future__ import annotations

import threading
from typing import Any

from graphtools.formats import schema
from runtime.tf1.registry import export, put

for _name in ("ClusterDef", "JobDef", "ServerDef"):
    put(f"train.{_name}", schema.message(_name))


@export("train.ClusterSpec")
class ClusterSpec:
    """The addresses of the tasks of each job."""

    def __init__(self, cluster: Any) -> None:
        jobs: dict[str, dict[int, str]] = {}
        if isinstance(cluster, ClusterSpec):
            jobs = {job: dict(tasks) for job, tasks in cluster._jobs.items()}
        elif hasattr(cluster, "job"):
            jobs = {job.name: dict(job.tasks) for job in cluster.job}
        elif isinstance(cluster, dict):
            for job, tasks in cluster.items():
                if isinstance(tasks, list | tuple):
                    jobs[job] = dict(enumerate(tasks))
                elif isinstance(tasks, dict):
                    jobs[job] = {int(i): address for i, address in tasks.items()}
                else:
                    raise TypeError(f"The tasks for job {job!r} must be a list or a dictionary from integers to strings.")
        else:
            raise TypeError(
                "`cluster` must be a dictionary mapping one or more job names to lists of network addresses, or a `ClusterDef` protocol buffer"
            )
        self._jobs = jobs

    @property
    def jobs(self) -> list[str]:
        return list(self._jobs)

    def as_dict(self) -> dict[str, Any]:
        return {job: [t[i] for i in range(len(t))] if sorted(t) == list(range(len(t))) else dict(t) for job, t in self._jobs.items()}

    def as_cluster_def(self) -> Any:
        made = schema.message("ClusterDef")()
        for name in sorted(self._jobs):
            job = made.job.add(name=name)
            for index, address in sorted(self._jobs[name].items()):
                job.tasks[index] = address
        return made

    def _tasks(self, job_name: str) -> dict[int, str]:
        if job_name not in self._jobs:
            raise ValueError(f"No such job in cluster: {job_name!r}")
        return self._jobs[job_name]

    def num_tasks(self, job_name: str) -> int:
        return len(self._tasks(job_name))

    def task_indices(self, job_name: str) -> list[int]:
        return sorted(self._tasks(job_name))

    def task_address(self, job_name: str, task_index: int) -> str:
        tasks = self._tasks(job_name)
        if task_index not in tasks:
            raise ValueError(f"No task with index {task_index!r} in job {job_name!r}")
        return tasks[task_index]

    def job_tasks(self, job_name: str) -> list[str | None]:
        tasks = self._tasks(job_name)
        return [tasks.get(i) for i in range(max(tasks) + 1)] if tasks else []

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def __eq__(self, other: object) -> bool:
        return self._jobs == ClusterSpec(other)._jobs

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(str(self._jobs))

    def __repr__(self) -> str:
        return f"ClusterSpec({self.as_dict()!r})"


@export("train.Server")
class Server:
    """A server whose sessions run in this process. Raises NotImplementedError for a cluster of several tasks."""

    def __init__(
        self,
        server_or_cluster_def: Any,
        job_name: str | None = None,
        task_index: int | None = None,
        protocol: str | None = None,
        config: Any = None,
        start: bool = True,
    ) -> None:
        made = schema.message("ServerDef")()
        if hasattr(server_or_cluster_def, "cluster"):
            made.CopyFrom(server_or_cluster_def)
        else:
            made.cluster.CopyFrom(ClusterSpec(server_or_cluster_def).as_cluster_def())
        if sum(len(job.tasks) for job in made.cluster.job) > 1:
            raise NotImplementedError(
                "tf.train.Server of a cluster of several tasks is not supported by tfrevive's stand-in for TensorFlow: run the script as one process, with tf.train.Server.create_local_server()."
            )
        made.job_name = job_name or made.job_name or (made.cluster.job[0].name if made.cluster.job else "local")
        made.task_index = task_index or 0
        made.protocol = protocol or made.protocol or "grpc"
        if config is not None:
            made.default_session_config.CopyFrom(config)
        self._server_def = made
        self._stopped = threading.Event()

    def start(self) -> None:
        """The process itself is the server."""

    def join(self) -> None:
        """Wait as long as the process lives."""
        self._stopped.wait()

    server_def = property(lambda self: self._server_def)
    target = property(lambda self: "grpc://localhost:0")

    @staticmethod
    def create_local_server(config: Any = None, start: bool = True) -> Server:
        return Server({"local": ["localhost:0"]}, protocol="grpc", config=config, start=start)


@export("train.replica_device_setter")
def replica_device_setter(
    ps_tasks: int = 0,
    ps_device: str = "/job:ps",
    worker_device: str = "/job:worker",
    merge_devices: bool = True,
    cluster: Any = None,
    ps_ops: Any = None,
    ps_strategy: Any = None,
) -> Any:
    """A device function: variables in turn on the parameter servers, everything else on the worker."""
    if cluster is not None:
        tasks = ClusterSpec(cluster).as_dict()
        job = ps_device.removeprefix("/job:").split("/")[0]
        if job not in tasks or not tasks[job]:
            return None
        ps_tasks = len(tasks[job])
    if ps_tasks == 0:
        return None
    kinds = ps_ops or ("Variable", "VariableV2", "VarHandleOp", "AutoReloadVariable", "MutableHashTable", "MutableHashTableV2", "MutableHashTableOfTensors",
                       "MutableHashTableOfTensorsV2", "MutableDenseHashTable", "MutableDenseHashTableV2", "BoostedTreesEnsembleResourceHandleOp")  # fmt: skip
    turn = [0]

    def choose(op: Any) -> str:
        from runtime.device_names import override_device

        if op.device and not merge_devices:
            return str(op.device)
        if op.type in kinds:
            task = ps_strategy(op) if ps_strategy is not None else turn[0]
            if ps_strategy is None:
                turn[0] = (turn[0] + 1) % ps_tasks
            own = f"{ps_device}/task:{task}" if "/task:" not in ps_device else ps_device
        else:
            own = worker_device
        return override_device(own, op.device)

    return choose
