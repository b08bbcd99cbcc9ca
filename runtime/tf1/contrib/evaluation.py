"""Evaluation of checkpoints with sessions and hooks: tf.contrib.training's, which Estimators and slim use."""

from __future__ import annotations

import math
import time
from typing import Any

from runtime.tf1.client import internal_runs
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger
from runtime.tf1.train.session_run_hook import SessionRunArgs, SessionRunHook

tf: Any = module("")


@export("contrib.training.get_or_create_eval_step")
def get_or_create_eval_step() -> Any:
    """The variable that counts the batches of an evaluation."""
    found = tf.get_collection(GraphKeys.EVAL_STEP)
    if len(found) > 1:
        raise ValueError("Multiple tensors added to tf.GraphKeys.EVAL_STEP")
    if found:
        return found[0]
    return tf.get_variable(
        "eval_step", shape=[], dtype="int64", initializer=tf.zeros_initializer(), trainable=False,
        collections=[GraphKeys.LOCAL_VARIABLES, GraphKeys.EVAL_STEP],
    )  # fmt: skip


@export("contrib.training.StopAfterNEvalsHook")
class StopAfterNEvalsHook(SessionRunHook):
    """Stops an evaluation after so many batches."""

    def __init__(self, num_evals: int | None, log_progress: bool = True) -> None:
        self._num_evals, self._log_progress = num_evals, log_progress
        self._every = 1 if num_evals is None or num_evals < 20 else math.floor(num_evals / 10.0)
        self._done: Any = None

    def counts(self, evals_completed: Any) -> None:
        self._done = evals_completed

    def before_run(self, run_context: Any) -> Any:
        return SessionRunArgs({"evals_completed": self._done})

    def after_run(self, run_context: Any, run_values: Any) -> None:
        done = run_values.results["evals_completed"]
        if self._log_progress:
            if self._num_evals is None:
                get_logger().info("Evaluation [%d]", done)
            elif done % self._every == 0 or self._num_evals == done:
                get_logger().info("Evaluation [%d/%d]", done, self._num_evals)
        if self._num_evals is not None and done >= self._num_evals:
            run_context.request_stop()


@export("contrib.training.SummaryAtEndHook")
class SummaryAtEndHook(SessionRunHook):
    """Writes the summaries at the end of an evaluation."""

    def __init__(self, log_dir: Any = None, summary_writer: Any = None, summary_op: Any = None, feed_dict: Any = None) -> None:
        if log_dir is None and summary_writer is None:
            raise ValueError("One of log_dir or summary_writer should be used.")
        self._log_dir, self._writer, self._op, self._feed = log_dir, summary_writer, summary_op, feed_dict
        self._all = summary_op is None

    def begin(self) -> None:
        if self._all:
            self._op = tf.summary.merge_all()
        self._step = tf.train.get_or_create_global_step()

    def after_create_session(self, session: Any, coord: Any) -> None:
        if self._writer is None and self._log_dir:
            self._writer = tf.summary.FileWriterCache.get(self._log_dir)

    def end(self, session: Any) -> None:
        if self._op is not None:
            step = tf.train.global_step(session, self._step)
            summary = session.run(self._op, self._feed)
            if self._writer:
                self._writer.add_summary(summary, step)
        if self._writer:
            self._writer.flush()


def run_evaluation(
    checkpoint_path: str | None, master: str = "", scaffold: Any = None, eval_ops: Any = None, feed_dict: Any = None, final_ops: Any = None,
    final_ops_feed_dict: Any = None, hooks: Any = None, config: Any = None,
) -> Any:  # fmt: skip
    """Restore, run `eval_ops` until a hook stops it or the input ends, and give the values of `final_ops`."""
    step = get_or_create_eval_step()
    hooks = list(hooks or [])
    if eval_ops is not None:
        update = tf.assign_add(step, 1, use_locking=True)
        if isinstance(eval_ops, dict):
            eval_ops["update_eval_step"] = update
        else:
            eval_ops = [*(eval_ops if isinstance(eval_ops, list | tuple) else [eval_ops]), update]
        with tf.control_dependencies(list(eval_ops.values()) if isinstance(eval_ops, dict) else eval_ops):
            completed = tf.identity(step.read_value())
        for hook in hooks:
            if isinstance(hook, StopAfterNEvalsHook):
                hook.counts(completed)
    get_logger().info("Starting evaluation at %s", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.localtime()))
    creator = tf.train.ChiefSessionCreator(scaffold=scaffold, checkpoint_filename_with_path=checkpoint_path, master=master, config=config)
    final = tf.train.FinalOpsHook(final_ops, final_ops_feed_dict)
    hooks.append(final)
    with tf.train.MonitoredSession(session_creator=creator, hooks=hooks) as session:
        if eval_ops is not None:
            while not session.should_stop():
                session.run(eval_ops, feed_dict)
    get_logger().info("Finished evaluation at %s", time.strftime("%Y-%m-%d-%H:%M:%S", time.localtime()))
    return final.final_ops_values


@export("contrib.training.evaluate_once")
def evaluate_once(
    checkpoint_path: str | None, master: str = "", scaffold: Any = None, eval_ops: Any = None, feed_dict: Any = None, final_ops: Any = None,
    final_ops_feed_dict: Any = None, hooks: Any = None, config: Any = None,
) -> Any:  # fmt: skip
    with internal_runs():
        return run_evaluation(checkpoint_path, master, scaffold, eval_ops, feed_dict, final_ops, final_ops_feed_dict, hooks, config)


@export("contrib.training.evaluate_repeatedly")
def evaluate_repeatedly(
    checkpoint_dir: str, master: str = "", scaffold: Any = None, eval_ops: Any = None, feed_dict: Any = None, final_ops: Any = None,
    final_ops_feed_dict: Any = None, eval_interval_secs: float = 60, hooks: Any = None, config: Any = None, max_number_of_evaluations: int | None = None,
    timeout: float | None = None, timeout_fn: Any = None,
) -> Any:  # fmt: skip
    """Evaluate each new checkpoint; the values of `final_ops` for the last one."""
    step = get_or_create_eval_step()
    hooks = list(hooks or [])
    if eval_ops is not None:
        update = tf.assign_add(step, 1)
        for hook in hooks:
            if isinstance(hook, StopAfterNEvalsHook):
                hook.counts(update)
        if isinstance(eval_ops, dict):
            eval_ops["update_eval_step"] = update
        else:
            eval_ops = [*(eval_ops if isinstance(eval_ops, list | tuple) else [eval_ops]), update]
    final = tf.train.FinalOpsHook(final_ops, final_ops_feed_dict)
    hooks.append(final)
    count = 0
    with internal_runs():
        for path in tf.contrib.training.checkpoints_iterator(checkpoint_dir, eval_interval_secs, timeout, timeout_fn):
            creator = tf.train.ChiefSessionCreator(scaffold=scaffold, checkpoint_filename_with_path=path, master=master, config=config)
            with tf.train.MonitoredSession(session_creator=creator, hooks=hooks) as session:
                if eval_ops is not None:
                    while not session.should_stop():
                        session.run(eval_ops, feed_dict)
            count += 1
            if max_number_of_evaluations is not None and count >= max_number_of_evaluations:
                break
    return final.final_ops_values


@export("contrib.training.train")
def train(
    train_op: Any, logdir: Any, master: str = "", is_chief: bool = True, scaffold: Any = None, hooks: Any = None, chief_only_hooks: Any = None,
    save_checkpoint_secs: Any = 600, save_summaries_steps: Any = 100, config: Any = None, max_wait_secs: int = 7200, run_metadata: Any = None,
) -> Any:  # fmt: skip
    """Run `train_op` until a hook stops it; its last value."""
    if logdir is None and is_chief:
        if save_summaries_steps:
            raise ValueError("logdir cannot be None when save_summaries_steps is not None")
        if save_checkpoint_secs:
            raise ValueError("logdir cannot be None when save_checkpoint_secs is not None")
    with internal_runs():
        session = tf.train.MonitoredTrainingSession(
            master=master, is_chief=is_chief, checkpoint_dir=logdir, scaffold=scaffold, hooks=hooks, chief_only_hooks=chief_only_hooks,
            save_checkpoint_secs=save_checkpoint_secs, save_summaries_steps=save_summaries_steps, config=config, max_wait_secs=max_wait_secs,
        )  # fmt: skip
        loss = None
        with session:
            while not session.should_stop():
                loss = session.run(train_op, run_metadata=run_metadata)
    return loss
