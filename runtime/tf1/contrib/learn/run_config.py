"""tf.contrib.learn.RunConfig: where and how often an Estimator saves, and how its sessions are made."""

from __future__ import annotations

import copy
import json
import os
from typing import Any

from graphtools.formats import schema
from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")

UNSET = 0


@export("contrib.learn.TaskType")
class TaskType:
    MASTER = "master"
    PS = "ps"
    WORKER = "worker"


def _environment() -> dict[str, Any]:
    return dict(json.loads(os.environ.get("TF_CONFIG") or "{}"))


@export("contrib.learn.RunConfig")
class RunConfig:
    """The settings of a run; those of clusters come from the environment variable TF_CONFIG."""

    # What may differ between two configurations of the same run.
    FREE = (
        "tf_random_seed", "save_summary_steps", "save_checkpoints_steps", "save_checkpoints_secs", "session_config", "keep_checkpoint_max",
        "keep_checkpoint_every_n_hours", "log_step_count_steps",
    )  # fmt: skip

    def __init__(
        self, master: str | None = None, num_cores: int = 0, log_device_placement: bool = False, gpu_memory_fraction: float = 1, tf_random_seed: Any = None,
        save_summary_steps: int = 100, save_checkpoints_secs: Any = UNSET, save_checkpoints_steps: int | None = None, keep_checkpoint_max: int = 5,
        keep_checkpoint_every_n_hours: float = 10000, log_step_count_steps: int = 100, protocol: Any = None, evaluation_master: str = "",
        model_dir: Any = None, session_config: Any = None, session_creation_timeout_secs: int = 7200,
    ) -> None:  # fmt: skip
        given = _environment()
        task = given.get("task", {})
        self.task_type = task.get("type")
        self.task_id = int(task.get("index") or 0)
        self.cluster_spec = tf.train.ClusterSpec(given.get("cluster", {}))
        cluster = self.cluster_spec.as_dict()
        self.master = master or ""
        self.evaluation_master = evaluation_master or ""
        self.num_ps_replicas = len(cluster.get("ps", []))
        self.num_worker_replicas = len(cluster.get("worker", [])) + len(cluster.get("master", []))
        self.environment = given.get("environment", "local")
        leader = self.task_type is None or self.task_type == (TaskType.MASTER if self.environment == "cloud" else TaskType.WORKER)
        self.is_chief = leader and self.task_id == 0
        self.tf_config = schema.message("ConfigProto")(
            log_device_placement=log_device_placement, inter_op_parallelism_threads=num_cores, intra_op_parallelism_threads=num_cores,
            gpu_options=schema.message("GPUOptions")(per_process_gpu_memory_fraction=gpu_memory_fraction),
        )  # fmt: skip
        self.tf_random_seed, self.save_summary_steps = tf_random_seed, save_summary_steps
        if save_checkpoints_secs == UNSET:
            save_checkpoints_secs = 600 if save_checkpoints_steps is None else None
        self.save_checkpoints_secs, self.save_checkpoints_steps = save_checkpoints_secs, save_checkpoints_steps
        self.keep_checkpoint_max, self.keep_checkpoint_every_n_hours = keep_checkpoint_max, keep_checkpoint_every_n_hours
        self.log_step_count_steps, self.protocol, self.session_config = log_step_count_steps, protocol, session_config
        named = given.get("model_dir")
        if named is not None and model_dir is not None and named != model_dir:
            raise ValueError(
                "`model_dir` provided in RunConfig construct, if set, must have the same value as the model_dir in TF_CONFIG. "
                f'model_dir: {model_dir}\nTF_CONFIG["model_dir"]: {named}.\n'
            )
        self.model_dir = model_dir or named
        self.session_creation_timeout_secs = session_creation_timeout_secs
        self.train_distribute = self.eval_distribute = self.device_fn = self.service = None
        self.global_id_in_cluster = 0

    def uid(self, whitelist: Any = None) -> str:
        """What must be the same in two configurations of one run."""
        free = self.FREE if whitelist is None else whitelist
        return ", ".join(f"_{k}={v!r}" for k, v in sorted(vars(self).items()) if k not in free and k not in ("cluster_spec", "tf_config"))

    def replace(self, **kwargs: Any) -> RunConfig:
        """A copy with some settings changed."""
        changed = copy.copy(self)
        for name, value in kwargs.items():
            if not hasattr(self, name):
                raise ValueError(f"Replacing {name} is not supported. Known settings: {', '.join(sorted(vars(self)))}")
            setattr(changed, name, value)
        return changed
