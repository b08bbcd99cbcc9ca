"""tf.contrib.opt: workers that train copies of the variables and meet in a common centre."""

from __future__ import annotations

from typing import Any

from runtime.tf1.graph import GraphKeys, get_default_graph
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.train.optimizer import Optimizer
from runtime.tf1.train.session_run_hook import SessionRunHook

tf: Any = module("")

CENTER, LOCAL_CENTER, GRADIENT = "global_center_variable", "local_center_variable", "grad_variable"
Getter = Any


def _local(getter: Getter, device: Any, name: str, trainable: bool, args: Any, kwargs: Any) -> Any:
    with tf.device(device):
        return getter(name, *args, trainable=trainable, collections=[GraphKeys.LOCAL_VARIABLES], **kwargs)


def _untrained(getter: Getter, device: Any, name: str, trainable: Any, collections: Any, args: Any, kwargs: Any) -> Any:
    if GraphKeys.LOCAL_VARIABLES in collections:
        with tf.device(device):
            return getter(name, *args, trainable=trainable, collections=collections, **kwargs)
    return getter(name, *args, trainable=trainable, collections=collections, **kwargs)


class _PairedGetter:
    """A custom getter that gives each trainable variable a global centre and one more local variable."""

    _other: str

    def __init__(self, worker_device: Any) -> None:
        self._worker_device = worker_device
        self._global_map: dict[Any, Any] = {}
        self._paired: dict[Any, Any] = {}

    def _pair(self, getter: Getter, name: str, args: Any, kwargs: Any) -> Any:
        local = _local(getter, self._worker_device, name, True, args, kwargs)
        if kwargs["reuse"] is True:
            return local
        center = getter(f"{CENTER}/{name}", *args, trainable=False, collections=[GraphKeys.GLOBAL_VARIABLES], **kwargs)
        other = _local(getter, self._worker_device, f"{self._other}/{name}", False, args, kwargs)
        if kwargs["partitioner"] is None:
            self._paired[local], self._global_map[local] = other, center
        else:
            for v, o, c in zip(local, other, center, strict=True):
                self._paired[v], self._global_map[v] = o, c
        return local


@export("contrib.opt.ElasticAverageCustomGetter")
class ElasticAverageCustomGetter(_PairedGetter):
    _other = LOCAL_CENTER

    def __init__(self, worker_device: Any) -> None:
        super().__init__(worker_device)
        self._local_map = self._paired

    def __call__(self, getter: Getter, name: str, trainable: Any, collections: Any, *args: Any, **kwargs: Any) -> Any:
        if trainable:
            return self._pair(getter, name, args, kwargs)
        return _untrained(getter, self._worker_device, name, trainable, collections, args, kwargs)


@export("contrib.opt.AGNCustomGetter")
class AGNCustomGetter(_PairedGetter):
    _other = GRADIENT

    def __init__(self, worker_device: Any) -> None:
        super().__init__(worker_device)
        self._grad_map = self._paired

    def __call__(self, getter: Getter, name: str, trainable: Any, collections: Any, *args: Any, **kwargs: Any) -> Any:
        if trainable:
            return self._pair(getter, name, args, kwargs)
        return getter(name, *args, trainable=trainable, collections=collections, **kwargs)


@export("contrib.opt.ModelAverageCustomGetter")
class ModelAverageCustomGetter:
    def __init__(self, worker_device: Any) -> None:
        self._worker_device = worker_device
        self._local_2_global: dict[Any, Any] = {}

    def __call__(self, getter: Getter, name: str, trainable: Any, collections: Any, *args: Any, **kwargs: Any) -> Any:
        if not trainable:
            return _untrained(getter, self._worker_device, name, trainable, collections, args, kwargs)
        local = _local(getter, self._worker_device, name, True, args, kwargs)
        self._local_2_global[local] = tf.Variable(
            name=f"{CENTER}/{name}", initial_value=local.initialized_value(), trainable=False, collections=[GraphKeys.GLOBAL_VARIABLES]
        )
        return local


class _Averaging(Optimizer):
    """An optimizer around another one, with a count of this worker's own steps."""

    _opt: Any

    def _begin(self) -> None:
        self._local_step = tf.get_variable(initializer=0, trainable=False, collections=[GraphKeys.LOCAL_VARIABLES], name="local_step")
        self._opt._prepare()

    def _count(self) -> Any:
        return tf.assign_add(self._local_step, 1, name="local_step_update").op

    def _each(self, period: Any, local_update: Any) -> Any:
        return tf.equal(tf.floormod(self._local_step, period), 0)


def _no_op() -> Any:
    return tf.no_op()


@export("contrib.opt.ElasticAverageOptimizer")
class ElasticAverageOptimizer(_Averaging):
    """Elastic averaging SGD (Zhang et al. 2014)."""

    BETA = 0.9

    def __init__(
        self, opt: Any, num_worker: int, ea_custom_getter: Any, communication_period: int = 10, moving_rate: Any = None, rho: Any = None,
        use_locking: bool = True, synchronous: bool = False, name: str = "ElasticAverageOptimizer",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._opt, self._num_worker, self._period, self._synchronous = opt, num_worker, communication_period, synchronous
        self._local_map, self._global_map = ea_custom_getter._local_map, ea_custom_getter._global_map
        self._moving_rate = self.BETA / communication_period / num_worker if moving_rate is None else moving_rate
        self._rho = self._moving_rate / opt._learning_rate if rho is None else rho
        self._begin()

    def compute_gradients(
        self, loss: Any, var_list: Any = None, gate_gradients: int = Optimizer.GATE_OP, aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False, grad_loss: Any = None,
    ) -> Any:  # fmt: skip
        variables = tf.trainable_variables()
        var_list = var_list or variables
        differences = [tf.subtract(v, c) for v, c in zip(variables, [self._local_map[v] for v in var_list], strict=False)]
        distance = self._rho * tf.add_n([tf.nn.l2_loss(d) for d in differences])
        return self._opt.compute_gradients(
            loss + distance, var_list, gate_gradients, aggregation_method, colocate_gradients_with_ops, grad_loss
        )

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        grads_and_vars = list(grads_and_vars)
        before = {v.op.name for v in tf.global_variables()}
        update = self._opt.apply_gradients(grads_and_vars)
        made = {v.op.name for v in tf.global_variables()} - before
        with tf.control_dependencies([update]):
            counted = self._count()
        known = get_default_graph().get_collection_ref(GraphKeys.GLOBAL_VARIABLES)
        for v in [v for v in known if v.op.name in made]:  # slots are this worker's own
            tf.add_to_collection(GraphKeys.LOCAL_VARIABLES, v)
        known[:] = [v for v in known if v.op.name not in made]

        def meet() -> Any:
            local = [v for g, v in grads_and_vars if g is not None]
            centers, copies = [self._global_map[v] for v in local], [self._local_map[v] for v in local]
            fetched = [c.assign(g) for c, g in zip(copies, centers, strict=True)]
            updates, differences = [], []
            with tf.control_dependencies(fetched):
                for v, c in zip(local, copies, strict=True):
                    with tf.device(v.device):
                        differences.append(tf.subtract(v.read_value(), c.read_value()))  # as they are by then, not before the step
                for v, d in zip(local, differences, strict=True):
                    with tf.device(v.device):
                        updates.append(tf.assign_sub(v, tf.multiply(self._moving_rate, d)))
                for v, d in zip(centers, differences, strict=True):
                    with tf.device(v.device):
                        updates.append(tf.assign_add(v, tf.multiply(self._moving_rate, d)))
                if global_step is not None:
                    with tf.colocate_with(global_step):
                        updates.append(tf.assign_add(global_step, 1))
            return tf.group(*updates)

        with tf.control_dependencies([counted]):
            return tf.cond(self._each(self._period, counted), meet, _no_op)

    def get_init_op(self, task_index: int) -> Any:
        local = tf.trainable_variables()
        if not local or not self._global_map or not self._local_map:
            raise ValueError("The lists of local_variables, global_center_variables, local_center_variables should not be empty  ")
        ops = []
        for v in local:
            ops.append(tf.assign(v, self._global_map[v]))
            ops.append(tf.assign(self._local_map[v], self._global_map[v]))
        ready = tf.group(*ops)
        return self._barrier(ready, task_index) if self._synchronous else ready

    def _barrier(self, ready: Any, task_index: int) -> Any:
        queues = [
            tf.FIFOQueue(self._num_worker, [tf.bool], shapes=[[]], shared_name=f"variable_init_sync_queue{i}")
            for i in range(self._num_worker)
        ]
        token = tf.constant(False)
        ops = []
        with tf.control_dependencies([ready]):
            for i, queue in enumerate(queues):
                ops.append(tf.no_op() if i == task_index else queue.enqueue(token))
        ops.append(queues[task_index].dequeue_many(len(queues) - 1))
        return tf.group(*ops)

    def make_session_run_hook(self, is_chief: bool, task_index: int) -> Any:
        return _InitHook(self, is_chief, task_index)

    def swapping_saver(self, var_list: Any = None, name: str = "swapping_saver", **kwargs: Any) -> Any:
        """A Saver of the centres under the variables' names."""
        if not self._global_map:
            raise RuntimeError(
                "global_center_variable is empty, please make sure this is called after model created and ElasticAverageCustomGetter is used when declaring you model"
            )
        if var_list is None:
            var_list = tf.trainable_variables()
        if not isinstance(var_list, dict):
            var_list = {v.op.name: v for v in var_list}
        trained = {v.op.name: v for v in tf.trainable_variables()}
        saved = {}
        for key, var in var_list.items():
            if isinstance(var, list):
                saved[key] = [self._global_map.get(v, v) for v in var]
            else:
                saved[key] = self._global_map.get(trained.get(var.op.name), var)
        return tf.train.Saver(saved, name=name, **kwargs)


class _InitHook(SessionRunHook):
    """Starts a worker's variables from the centres."""

    def __init__(self, optimizer: Any, is_chief: bool, task_index: int) -> None:
        self._optimizer, self._is_chief, self._task_index = optimizer, is_chief, task_index

    def begin(self) -> None:
        self._local_init_op = tf.local_variables_initializer()
        self._global_init_op = tf.global_variables_initializer() if self._is_chief else None
        self._variable_init_op = self._optimizer.get_init_op(self._task_index)

    def after_create_session(self, session: Any, coord: Any) -> None:
        session.run(self._variable_init_op)


@export("contrib.opt.AGNOptimizer")
class AGNOptimizer(_Averaging):
    """Accumulated gradient normalisation (Hermans et al. 2017)."""

    def __init__(
        self, optimizer: Any, num_worker: int, custom_getter: Any, communication_period: int = 10, use_locking: bool = True, name: str = "AGNOptimizer"
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._opt, self._num_worker, self._period = optimizer, num_worker, communication_period
        self._global_map, self._grad_map = custom_getter._global_map, custom_getter._grad_map
        self._begin()

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        grads_and_vars = list(grads_and_vars)
        local = [v for g, v in grads_and_vars if g is not None]
        known = get_default_graph().get_collection_ref(GraphKeys.GLOBAL_VARIABLES)
        before = set(known)
        updates = [self._opt.apply_gradients(grads_and_vars)]
        for v in [v for v in known if v not in before]:
            tf.add_to_collection(GraphKeys.LOCAL_VARIABLES, v)
        known[:] = [v for v in known if v in before]
        sums = [self._grad_map[v] for v in local]
        updates += [tf.assign_add(s, g) for g, s in zip((g for g, _ in grads_and_vars if g is not None), sums, strict=True)]
        centers = [self._global_map[v] for v in local]

        def meet() -> Any:
            means = [tf.assign(s, s.read_value() / self._period) for s in sums]
            with tf.control_dependencies(means):
                applied = self._opt.apply_gradients(list(zip(sums, centers, strict=True)))
            with tf.control_dependencies([applied]):
                ops = []
                if global_step is not None:
                    with tf.colocate_with(global_step):
                        ops.append(tf.assign_add(global_step, 1))
                ops += [tf.assign(v, self._global_map[v].read_value()) for v in local]
                ops += [tf.assign(s, tf.zeros_like(s)) for s in sums]
                return tf.group(*ops)

        counted = self._count()
        with tf.control_dependencies([counted]):
            condition = self._each(self._period, counted)
        with tf.control_dependencies(updates):
            return tf.cond(condition, meet, _no_op)

    def get_init_op(self, task_index: int) -> Any:
        local = tf.trainable_variables()
        if not local or not self._global_map or not self._grad_map:
            raise ValueError("The lists of local_variables, global_center_variables,grad_center_variables should not be empty")
        ops = [tf.assign(v, self._global_map[v]) for v in local]
        ops += [tf.assign(s, tf.zeros_like(s)) for s in (self._grad_map[v] for v in local)]
        return tf.group(*ops)

    def make_session_run_hook(self, is_chief: bool, task_index: int) -> Any:
        return _InitHook(self, is_chief, task_index)


@export("contrib.opt.ModelAverageOptimizer")
class ModelAverageOptimizer(_Averaging):
    """Every some steps the workers' variables are averaged."""

    def __init__(
        self, opt: Any, num_worker: int, is_chief: bool, ma_custom_getter: Any, interval_steps: int = 100, use_locking: bool = True,
        name: str = "ModelAverageOptimizer",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._opt, self._num_worker, self._is_chief, self._interval_steps = opt, num_worker, is_chief, interval_steps
        self._local_2_global = ma_custom_getter._local_2_global
        self._accumulators: list[tuple[Any, Any]] = []
        self._chief_init_op: Any = None
        self._begin()

    def compute_gradients(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.compute_gradients(*args, **kwargs)

    def _local_vars_update(self, var_list: Any) -> Any:
        if not var_list:
            raise ValueError("The list of local_variables should not be empty")
        ops = []
        for v, center in zip(var_list, [self._local_2_global[v] for v in var_list], strict=True):
            with tf.device(v.device):
                ops.append(tf.assign(v, center.read_value()))
        return tf.group(*ops)

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        grads_and_vars = list(grads_and_vars)
        if not grads_and_vars:
            raise ValueError("Must supply at least one variable")
        if global_step is None:
            raise ValueError("Global step is required")
        update = self._opt.apply_gradients(grads_and_vars)
        with tf.control_dependencies([update]):
            counted = self._count()
        with tf.control_dependencies([counted]):
            condition = self._each(self._interval_steps, counted)
            result = tf.cond(condition, lambda: self._average(grads_and_vars, global_step), _no_op)
        ops = []
        for accumulator, device in self._accumulators:
            with tf.device(device):
                ops.append(accumulator.set_global_step(global_step, name="SetGlobalStep"))
        self._chief_init_op = tf.group(*ops)
        return result

    def _average(self, grads_and_vars: list[Any], global_step: Any) -> Any:
        local = [v for g, v in grads_and_vars if g is not None]
        centers = [self._local_2_global[v] for v in local]
        with tf.colocate_with(global_step):
            queue = tf.FIFOQueue(-1, [tf.bool], shapes=[[]], shared_name="sync_queue")
        applied, means = [], []
        with tf.name_scope(None, self._name + "/global"):
            for v, center in zip(local, centers, strict=True):
                with tf.device(center.device):
                    accumulator = tf.ConditionalAccumulator(v.dtype, shape=v.get_shape(), shared_name=center.name + "/var_accum")
                    applied.append(accumulator.apply_grad(v._ref(), local_step=global_step))
                    means.append(accumulator.take_grad(self._num_worker))
                    self._accumulators.append((accumulator, center.device))
        if self._is_chief:
            updates = []
            with tf.control_dependencies(applied):
                for mean, center in zip(means, centers, strict=True):
                    with tf.device(center.device):
                        updates.append(tf.assign(center, mean))
                with tf.device(global_step.device):
                    updates.append(tf.assign_add(global_step, 1))
            with tf.control_dependencies(updates), tf.device(global_step.device):
                sync = queue.enqueue_many(tf.fill([self._num_worker - 1], tf.constant(False)))
        else:
            with tf.control_dependencies(applied), tf.device(global_step.device):
                sync = queue.dequeue()
        with tf.control_dependencies([sync]):
            return self._local_vars_update(local)

    def get_init_op(self) -> Any:
        return self._local_vars_update(tf.trainable_variables())

    def make_session_run_hook(self) -> Any:
        return _ModelAverageHook(self, self._is_chief)


class _ModelAverageHook(SessionRunHook):
    def __init__(self, optimizer: Any, is_chief: bool) -> None:
        self._optimizer, self._is_chief = optimizer, is_chief

    def begin(self) -> None:
        self._local_init_op = tf.local_variables_initializer()
        self._global_init_op = None
        if self._is_chief:
            self._global_init_op = tf.global_variables_initializer()
            self._chief_init_op = self._optimizer._chief_init_op
        self._variable_init_op = self._optimizer.get_init_op()
