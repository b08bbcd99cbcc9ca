"""What libraries of the time use of tensorflow.python.training and its metrics: names that are no part of the public API."""

from __future__ import annotations

from typing import Any

from runtime.tf1.contrib import evaluation
from runtime.tf1.registry import put


class StopAfterNEvalsHook(evaluation.StopAfterNEvalsHook):
    """The hook as libraries that evaluate on their own tell it what counts the batches."""

    _set_evals_completed_tensor = evaluation.StopAfterNEvalsHook.counts


for _name, _function in {
    "_StopAfterNEvalsHook": StopAfterNEvalsHook,
    "_evaluate_once": evaluation.evaluate_once,
    "_get_or_create_eval_step": evaluation.get_or_create_eval_step,
}.items():
    put(f"python.training.evaluation.{_name}", _function)


def _latest_eval_step(update_ops: Any) -> Any:
    """The evaluation step, read after these ops."""
    from runtime.tf1 import graph, modules

    ops = list(update_ops.values()) if isinstance(update_ops, dict) else update_ops
    with graph.get_default_graph().control_dependencies(ops):
        return modules.lookup("identity")(evaluation.get_or_create_eval_step().read_value())


put("python.training.evaluation._get_latest_eval_step_value", _latest_eval_step)
