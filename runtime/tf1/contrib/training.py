"""tf.contrib.training and tf.contrib.slim.learning: train ops, and loops that run them."""

from __future__ import annotations

import logging
import time
from typing import Any

from runtime.tf1.contrib.layer_training import after
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")
_log = logging.getLogger("tensorflow")
_USE_GLOBAL_STEP = 0
_USE_DEFAULT = 0


def _map_gradients(pairs: Any, function: Any) -> list[tuple[Any, Any]]:
    result = []
    for gradient, variable in pairs:
        if isinstance(gradient, tf.IndexedSlices):
            gradient = tf.IndexedSlices(function(gradient.values), gradient.indices, gradient.dense_shape)
        elif gradient is not None:
            gradient = function(gradient)
        result.append((gradient, variable))
    return result


@export("contrib.training.clip_gradient_norms", "contrib.slim.learning.clip_gradient_norms")
def clip_gradient_norms(gradients_to_variables: Any, max_norm: Any) -> list[tuple[Any, Any]]:
    """Clips each gradient by its own norm."""
    return _map_gradients(gradients_to_variables, lambda g: tf.clip_by_norm(g, max_norm))


@export("contrib.training.multiply_gradients", "contrib.slim.learning.multiply_gradients")
def multiply_gradients(grads_and_vars: Any, gradient_multipliers: Any) -> list[tuple[Any, Any]]:
    if not isinstance(grads_and_vars, list):
        raise ValueError("`grads_and_vars` must be a list.")
    if not gradient_multipliers:
        raise ValueError("`gradient_multipliers` is empty.")
    if not isinstance(gradient_multipliers, dict):
        raise ValueError("`gradient_multipliers` must be a dict.")
    result = []
    for gradient, variable in grads_and_vars:
        key = next((k for k in gradient_multipliers if k is variable or k == variable.op.name), None)
        if key is None:
            result.append((gradient, variable))
            continue
        if gradient is None:
            raise ValueError("Requested multiple of `None` gradient.")
        factor = gradient_multipliers[key]
        if not hasattr(factor, "op"):
            factor = tf.constant(factor, dtype=gradient.dtype)
        result += _map_gradients([(gradient, variable)], lambda g, factor=factor: g * factor)
    return result


@export("contrib.training.add_gradients_summaries", "contrib.slim.learning.add_gradients_summaries")
def add_gradients_summaries(grads_and_vars: Any) -> list[Any]:
    summaries = []
    for gradient, variable in grads_and_vars:
        if gradient is None:
            _log.info("Var %s has no gradient", variable.op.name)
            continue
        values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
        summaries.append(tf.summary.histogram(f"{variable.op.name}/gradient", values))
        summaries.append(tf.summary.scalar(f"{variable.op.name}/gradient_norm", tf.global_norm([values])))
    return summaries


@export("contrib.training.create_train_op")
def create_train_op(
    total_loss: Any, optimizer: Any, global_step: Any = _USE_GLOBAL_STEP, update_ops: Any = None, variables_to_train: Any = None, transform_grads_fn: Any = None,
    summarize_gradients: bool = False, gate_gradients: int = 1, aggregation_method: Any = None, colocate_gradients_with_ops: bool = False, check_numerics: bool = True,
) -> Any:  # fmt: skip
    """A tensor of the loss whose run does one step of training, the update ops (batch norm's) first."""
    if isinstance(global_step, int) and global_step == _USE_GLOBAL_STEP:
        global_step = tf.train.get_or_create_global_step()
    collected = list(dict.fromkeys(tf.get_collection(GraphKeys.UPDATE_OPS)))
    update_ops = collected if update_ops is None else list(dict.fromkeys(update_ops))
    if any(c not in update_ops for c in collected):
        _log.warning("update_ops in create_train_op does not contain all the update_ops in GraphKeys.UPDATE_OPS")
    if update_ops:
        with tf.control_dependencies(update_ops):
            barrier = tf.no_op(name="update_barrier")
        total_loss = after([barrier], total_loss)
    variables = tf.trainable_variables() if variables_to_train is None else variables_to_train
    if not variables:
        raise ValueError("No variables to optimize.")
    pairs = optimizer.compute_gradients(
        total_loss,
        variables,
        gate_gradients=gate_gradients,
        aggregation_method=aggregation_method,
        colocate_gradients_with_ops=colocate_gradients_with_ops,
    )
    if transform_grads_fn:
        pairs = transform_grads_fn(pairs)
    if summarize_gradients:
        with tf.name_scope("summarize_grads"):
            add_gradients_summaries(pairs)
    step = optimizer.apply_gradients(pairs, global_step=global_step)
    with tf.name_scope("train_op"):
        if check_numerics:
            total_loss = tf.check_numerics(total_loss, "LossTensor is inf or nan")
        train_op = after([step], total_loss)
    collection = tf.get_collection_ref(GraphKeys.TRAIN_OP)
    if not any(op is train_op for op in collection):
        collection.append(train_op)
    return train_op


@export("contrib.slim.learning.create_train_op")
def slim_create_train_op(
    total_loss: Any, optimizer: Any, global_step: Any = _USE_GLOBAL_STEP, update_ops: Any = None, variables_to_train: Any = None, clip_gradient_norm: Any = 0,
    summarize_gradients: bool = False, gate_gradients: int = 1, aggregation_method: Any = None, colocate_gradients_with_ops: bool = False,
    gradient_multipliers: Any = None, check_numerics: bool = True,
) -> Any:  # fmt: skip
    def transform(pairs: Any) -> Any:
        if gradient_multipliers:
            with tf.name_scope("multiply_grads"):
                pairs = multiply_gradients(pairs, gradient_multipliers)
        if clip_gradient_norm > 0:
            with tf.name_scope("clip_grads"):
                pairs = clip_gradient_norms(pairs, clip_gradient_norm)
        return pairs

    return create_train_op(
        total_loss=total_loss, optimizer=optimizer, global_step=global_step, update_ops=update_ops, variables_to_train=variables_to_train, transform_grads_fn=transform,
        summarize_gradients=summarize_gradients, gate_gradients=gate_gradients, aggregation_method=aggregation_method,
        colocate_gradients_with_ops=colocate_gradients_with_ops, check_numerics=check_numerics,
    )  # fmt: skip


@export("contrib.slim.learning.train_step")
def train_step(sess: Any, train_op: Any, global_step: Any, train_step_kwargs: Any) -> tuple[Any, bool]:
    """Runs the train op once: the loss, and whether to stop."""
    start = time.time()
    total_loss, step = sess.run([train_op, global_step])
    seconds = time.time() - start
    if "should_log" in train_step_kwargs and sess.run(train_step_kwargs["should_log"]):
        _log.info("global step %d: loss = %.4f (%.3f sec/step)", step, total_loss, seconds)
    return total_loss, bool(sess.run(train_step_kwargs["should_stop"])) if "should_stop" in train_step_kwargs else False


@export("contrib.slim.learning.train")
def train(
    train_op: Any, logdir: Any, train_step_fn: Any = train_step, train_step_kwargs: Any = _USE_DEFAULT, log_every_n_steps: int = 1, graph: Any = None, master: str = "",
    is_chief: bool = True, global_step: Any = None, number_of_steps: int | None = None, init_op: Any = _USE_DEFAULT, init_feed_dict: Any = None,
    local_init_op: Any = _USE_DEFAULT, init_fn: Any = None, ready_op: Any = _USE_DEFAULT, summary_op: Any = _USE_DEFAULT, save_summaries_secs: int = 600,
    summary_writer: Any = _USE_DEFAULT, startup_delay_steps: int = 0, saver: Any = None, save_interval_secs: int = 600, sync_optimizer: Any = None,
    session_config: Any = None, session_wrapper: Any = None, trace_every_n_steps: int | None = None, ignore_live_threads: bool = False,
) -> Any:  # fmt: skip
    """Runs a train op until it is to stop, under a Supervisor; the last loss."""
    if train_op is None:
        raise ValueError("train_op cannot be None.")
    if logdir is None:
        if not (isinstance(summary_op, int) and summary_op == _USE_DEFAULT):
            raise ValueError("Cannot provide summary_op because logdir=None")
        if saver is not None:
            raise ValueError("Cannot provide saver because logdir=None")
        if trace_every_n_steps is not None:
            raise ValueError("Cannot provide trace_every_n_steps because logdir=None")
    if sync_optimizer is not None:
        raise NotImplementedError(
            "slim.learning.train(sync_optimizer=...) is not supported: there is one process. Leave sync_optimizer out."
        )
    if number_of_steps is not None and number_of_steps <= 0:
        raise ValueError("`number_of_steps` must be either None or a positive number.")

    def default(value: Any) -> bool:
        return isinstance(value, int) and value == _USE_DEFAULT

    graph = graph or tf.get_default_graph()
    with graph.as_default():
        global_step = tf.train.get_or_create_global_step() if global_step is None else global_step
        saver = saver or tf.train.Saver()
        with tf.name_scope("init_ops"):
            init_op = tf.global_variables_initializer() if default(init_op) else init_op
            ready_op = tf.report_uninitialized_variables() if default(ready_op) else ready_op
            if default(local_init_op):
                local_init_op = tf.group(tf.local_variables_initializer(), tf.tables_initializer())
        summary_op = tf.summary.merge_all() if default(summary_op) else summary_op
        writer = tf.train.Supervisor.USE_DEFAULT if default(summary_writer) else summary_writer
        if default(train_step_kwargs):
            with tf.name_scope("train_step"):
                train_step_kwargs = {
                    "should_stop": tf.greater_equal(global_step, number_of_steps) if number_of_steps else tf.constant(False)
                }
                if log_every_n_steps > 0:
                    train_step_kwargs["should_log"] = tf.equal(tf.mod(global_step, log_every_n_steps), 0)
                if is_chief and trace_every_n_steps is not None:
                    train_step_kwargs["should_trace"] = tf.equal(tf.mod(global_step, trace_every_n_steps), 0)
                    train_step_kwargs["logdir"] = logdir
    supervisor = tf.train.Supervisor(
        graph=graph, is_chief=is_chief, logdir=logdir, init_op=init_op, init_feed_dict=init_feed_dict, local_init_op=local_init_op, ready_op=ready_op, summary_op=summary_op,
        summary_writer=writer, global_step=global_step, saver=saver, save_summaries_secs=save_summaries_secs, save_model_secs=save_interval_secs, init_fn=init_fn,
    )  # fmt: skip
    if summary_writer is not None:
        train_step_kwargs["summary_writer"] = supervisor.summary_writer
    total_loss = None
    with supervisor.managed_session(master, start_standard_services=False, config=session_config) as sess:
        _log.info("Starting Session.")
        if session_wrapper is not None:
            sess = session_wrapper(sess)
        if is_chief and logdir:
            supervisor.start_standard_services(sess)
        threads = supervisor.start_queue_runners(sess)
        try:
            while not supervisor.should_stop():
                total_loss, should_stop = train_step_fn(sess, train_op, global_step, train_step_kwargs)
                if should_stop:
                    _log.info("Stopping Training.")
                    supervisor.request_stop()
                    break
        except tf.errors.OutOfRangeError as e:
            _log.info("Caught OutOfRangeError. Stopping Training. %s", e)
        if logdir and supervisor.is_chief:
            _log.info("Finished training! Saving model to disk.")
            supervisor.saver.save(sess, supervisor.save_path, global_step=supervisor.global_step)
            supervisor.stop(threads, close_summary_writer=True, ignore_live_threads=ignore_live_threads)
    return total_loss


@export("contrib.training.wait_for_new_checkpoint", "contrib.slim.evaluation.wait_for_new_checkpoint")
def wait_for_new_checkpoint(
    checkpoint_dir: str, last_checkpoint: str | None = None, seconds_to_sleep: float = 1, timeout: float | None = None
) -> str | None:
    """The path of a checkpoint newer than `last_checkpoint`; None after `timeout` seconds."""
    stop = time.time() + timeout if timeout is not None else None
    while True:
        found = tf.train.latest_checkpoint(checkpoint_dir)
        if found is not None and found != last_checkpoint:
            return str(found)
        if stop is not None and time.time() + seconds_to_sleep > stop:
            return None
        time.sleep(seconds_to_sleep)


@export("contrib.training.checkpoints_iterator", "contrib.slim.evaluation.checkpoints_iterator")
def checkpoints_iterator(checkpoint_dir: str, min_interval_secs: float = 0, timeout: float | None = None, timeout_fn: Any = None) -> Any:
    """Each new checkpoint of a directory."""
    found = None
    while True:
        new = wait_for_new_checkpoint(checkpoint_dir, found, timeout=timeout)
        if new is None:
            if timeout_fn is None or timeout_fn():
                return
            continue
        start = time.time()
        found = new
        yield found
        if (left := start + min_interval_secs - time.time()) > 0:
            time.sleep(left)


@export("contrib.slim.evaluation.evaluate_once")
def evaluate_once(
    master: str, checkpoint_path: str, logdir: Any, num_evals: int = 1, initial_op: Any = None, initial_op_feed_dict: Any = None, eval_op: Any = None,
    eval_op_feed_dict: Any = None, final_op: Any = None, final_op_feed_dict: Any = None, summary_op: Any = _USE_DEFAULT, summary_op_feed_dict: Any = None,
    variables_to_restore: Any = None, session_config: Any = None, hooks: Any = None,
) -> Any:  # fmt: skip
    """Restores a checkpoint, runs `eval_op` `num_evals` times, and gives the value of `final_op`."""
    if isinstance(summary_op, int) and summary_op == _USE_DEFAULT:
        summary_op = tf.summary.merge_all()
    saver = tf.train.Saver(variables_to_restore)
    with tf.Session(master, config=session_config) as sess:
        sess.run([tf.global_variables_initializer(), tf.local_variables_initializer(), tf.tables_initializer()])
        saver.restore(sess, checkpoint_path)
        coordinator = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(sess=sess, coord=coordinator)
        if initial_op is not None:
            sess.run(initial_op, initial_op_feed_dict)
        if eval_op is not None:
            for _ in range(num_evals):
                sess.run(eval_op, eval_op_feed_dict)
        if summary_op is not None and logdir:
            writer = tf.summary.FileWriter(logdir)
            step = tf.train.get_global_step()
            writer.add_summary(sess.run(summary_op, summary_op_feed_dict), None if step is None else int(sess.run(step)))
            writer.close()
        value = sess.run(final_op, final_op_feed_dict) if final_op is not None else None
        coordinator.request_stop()
        coordinator.join(threads, stop_grace_period_secs=2, ignore_live_threads=True)
    return value


@export("contrib.slim.evaluation.evaluation_loop")
def evaluation_loop(
    master: str, checkpoint_dir: str, logdir: Any, num_evals: int = 1, initial_op: Any = None, initial_op_feed_dict: Any = None, init_fn: Any = None, eval_op: Any = None,
    eval_op_feed_dict: Any = None, final_op: Any = None, final_op_feed_dict: Any = None, summary_op: Any = _USE_DEFAULT, summary_op_feed_dict: Any = None,
    variables_to_restore: Any = None, eval_interval_secs: float = 60, max_number_of_evaluations: int | None = None, session_config: Any = None,
    timeout: float | None = None, timeout_fn: Any = None, hooks: Any = None,
) -> Any:  # fmt: skip
    """evaluate_once for each new checkpoint."""
    value = None
    for count, path in enumerate(checkpoints_iterator(checkpoint_dir, eval_interval_secs, timeout, timeout_fn), 1):
        value = evaluate_once(
            master, path, logdir, num_evals, initial_op, initial_op_feed_dict, eval_op, eval_op_feed_dict, final_op, final_op_feed_dict, summary_op, summary_op_feed_dict,
            variables_to_restore, session_config, hooks,
        )  # fmt: skip
        if max_number_of_evaluations is not None and count >= max_number_of_evaluations:
            break
    return value
