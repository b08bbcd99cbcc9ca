"""tf.train.SyncReplicasOptimizer: gradients of several replicas averaged before they are applied."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from graphtools.gradients import IndexedSlices
from runtime.tf1 import array_ops, control_flow_ops, state_ops
from runtime.tf1.data_flow_ops import ConditionalAccumulator, FIFOQueue, SparseConditionalAccumulator
from runtime.tf1.graph import GraphKeys, get_default_graph, name_scope
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger
from runtime.tf1.train.optimizer import Optimizer
from runtime.tf1.train.queue_runner import QueueRunner
from runtime.tf1.train.session_run_hook import SessionRunHook
from runtime.tf1.variables import Variable, global_variables, report_uninitialized_variables


@export("train.SyncReplicasOptimizer")
class SyncReplicasOptimizer(Optimizer):
    """Wraps an optimizer: gradients go to accumulators; a queue runner applies them when enough came and hands out tokens for the next step."""

    def __init__(
        self, opt: Optimizer, replicas_to_aggregate: int, total_num_replicas: int | None = None, variable_averages: Any = None, variables_to_average: Any = None,
        use_locking: bool = False, name: str = "sync_replicas",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        total = replicas_to_aggregate if total_num_replicas is None else total_num_replicas
        get_logger().info("SyncReplicasV2: replicas_to_aggregate=%s; total_num_replicas=%s", replicas_to_aggregate, total)
        self._opt, self._aggregate, self._total = opt, replicas_to_aggregate, total
        self._averages, self._averaged = variable_averages, variables_to_average
        self._gradients_applied = False
        self._runner: Any = None

    def compute_gradients(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        pairs = list(grads_and_vars)
        if not pairs:
            raise ValueError("Must supply at least one variable")
        if global_step is None:
            raise ValueError("Global step is required to check staleness")
        self._global_step = global_step
        dtype = global_step.dtype.base_dtype
        graph = get_default_graph()
        anchor = control_flow_ops.no_op()
        with graph.colocate_with(anchor):
            self._local_step = Variable(
                0, trainable=False, collections=[GraphKeys.LOCAL_VARIABLES], dtype=dtype, name="sync_rep_local_step"
            )
        self.local_step_init_op = state_ops.assign(self._local_step, global_step)
        first = [self.local_step_init_op]
        self.ready_for_local_init_op = report_uninitialized_variables(global_variables())
        accumulators: list[tuple[Any, str]] = []
        given, taken = [], []
        with name_scope(None, self._name):
            for grad, var in pairs:
                with graph.device(var.device or None):
                    if grad is None:
                        taken.append(None)
                        continue
                    shared = f"{var.name}/grad_accum"
                    accumulator: Any
                    if isinstance(grad, base.Tensor):
                        accumulator = ConditionalAccumulator(grad.dtype, shape=var.get_shape(), shared_name=shared)
                        given.append(accumulator.apply_grad(grad, local_step=self._local_step))
                        taken.append(accumulator.take_grad(self._aggregate))
                    elif isinstance(grad, IndexedSlices):
                        accumulator = SparseConditionalAccumulator(grad.values.dtype, shape=(), shared_name=shared)
                        given.append(accumulator.apply_indexed_slices_grad(grad, local_step=self._local_step))
                        taken.append(accumulator.take_indexed_slices_grad(self._aggregate))
                    else:
                        raise ValueError("Unknown grad type!")
                    accumulators.append((accumulator, var.device))
            where = global_step.device or None
            with graph.device(where), name_scope(""):
                update = self._opt.apply_gradients(list(zip(taken, [v for _, v in pairs], strict=True)), global_step)
            with graph.device(where), name_scope(""):
                self._tokens = FIFOQueue(-1, dtype, shapes=[()], name="sync_token_q", shared_name="sync_token_q")
                dummy = FIFOQueue(1, "int32", shapes=[()], name="dummy_queue", shared_name="dummy_queue")
            with graph.device(where), name_scope(""):
                with graph.control_dependencies(given):
                    token = self._tokens.dequeue()
                train = state_ops.assign(self._local_step, token)
                with graph.control_dependencies([update]):
                    tokens = array_ops.fill([max(self._total, self._aggregate)], global_step)
                    sync = self._tokens.enqueue_many((tokens,))
                if self._averages is not None:
                    with graph.control_dependencies([sync]), name_scope(""):
                        sync = self._averages.apply(self._averaged)
                self._runner = QueueRunner(dummy, [sync])
            for accumulator, device in accumulators:
                with graph.device(device or None):
                    first.append(accumulator.set_global_step(global_step, name="SetGlobalStep"))
            self.chief_init_op = control_flow_ops.group(*first)
        self._gradients_applied = True
        return train

    def get_chief_queue_runner(self) -> Any:
        if not self._gradients_applied:
            raise ValueError("Should be called after apply_gradients().")
        return self._runner

    def get_slot(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.get_slot(*args, **kwargs)

    def get_slot_names(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.get_slot_names(*args, **kwargs)

    def variables(self) -> Any:
        return self._opt.variables()

    def get_init_tokens_op(self, num_tokens: int = -1) -> Any:
        if not self._gradients_applied:
            raise ValueError("get_init_tokens_op() should be called after apply_gradients().")
        needed = self._aggregate - self._total
        if num_tokens == -1:
            num_tokens = self._aggregate
        elif num_tokens < needed:
            raise ValueError(f"Too few tokens to finish the first step: {num_tokens} (given) vs {needed} (needed)")
        if num_tokens <= 0:
            return control_flow_ops.no_op(name="no_init_tokens")
        with get_default_graph().device(self._global_step.device or None), name_scope(""):
            return self._tokens.enqueue_many((array_ops.fill([num_tokens], self._global_step),))

    def make_session_run_hook(self, is_chief: bool, num_tokens: int = -1) -> Any:
        return _SyncReplicasOptimizerHook(self, is_chief, num_tokens)


class _SyncReplicasOptimizerHook(SessionRunHook):
    """Starts the synchronisation with a session."""

    def __init__(self, sync_optimizer: SyncReplicasOptimizer, is_chief: bool, num_tokens: int) -> None:
        self._optimizer, self._is_chief, self._num_tokens = sync_optimizer, is_chief, num_tokens

    def begin(self) -> None:
        made = self._optimizer
        if not made._gradients_applied:
            raise ValueError("SyncReplicasOptimizer.apply_gradient should be called before using the hook.")
        self._local_init_op = made.chief_init_op if self._is_chief else made.local_step_init_op
        self._ready = made.ready_for_local_init_op
        self._runner = made.get_chief_queue_runner() if self._is_chief else None
        self._tokens = made.get_init_tokens_op(self._num_tokens) if self._is_chief else None

    def after_create_session(self, session: Any, coord: Any) -> None:
        missing = session.run(self._ready)
        if len(missing):
            names = ", ".join(n.decode() if isinstance(n, bytes) else str(n) for n in missing)
            raise RuntimeError(
                f"Init operations did not make model ready for local_init. Init op: None, init fn: None, error: Variables not initialized: {names}"
            )
        session.run(self._local_init_op)
        if self._tokens is not None:
            session.run(self._tokens)
        if self._runner is not None:
            self._runner.create_threads(session, coord=coord, daemon=True, start=True)
