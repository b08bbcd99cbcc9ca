"""tf.train.QueueRunner: threads that fill queues."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from graphtools.formats import schema
from runtime.errors import BY_CODE, CancelledError, OutOfRangeError
from runtime.tf1.client import get_default_session, internal_runs
from runtime.tf1.graph import GraphKeys, get_default_graph
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger


@export("train.QueueRunner", "train.queue_runner.QueueRunner")
class QueueRunner:
    """Runs a queue's enqueue ops in threads, one each, and closes the queue when they end."""

    def __init__(
        self,
        queue: Any = None,
        enqueue_ops: Any = None,
        close_op: Any = None,
        cancel_op: Any = None,
        queue_closed_exception_types: Any = None,
        queue_runner_def: Any = None,
        import_scope: str | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._runs_per_session: Any = weakref.WeakKeyDictionary()
        self._exceptions_raised: list[BaseException] = []
        if queue_runner_def is not None:
            if queue or enqueue_ops:
                raise ValueError("queue_runner_def and queue are mutually exclusive.")
            self._from_def(queue_runner_def, import_scope)
            return
        if queue is None or not enqueue_ops:
            raise ValueError("Must provide queue and enqueue_ops.")
        self._queue, self._enqueue_ops = queue, list(enqueue_ops)
        self._close_op = queue.close() if close_op is None else close_op
        self._cancel_op = queue.close(cancel_pending_enqueues=True) if cancel_op is None else cancel_op
        if queue_closed_exception_types is None:
            self._closed_types: tuple[Any, ...] = (OutOfRangeError,)
        else:
            if not isinstance(queue_closed_exception_types, tuple) or not queue_closed_exception_types:
                raise TypeError(
                    f"queue_closed_exception_types, when provided, must be a tuple of tf.error types, but saw: {queue_closed_exception_types}"
                )
            self._closed_types = queue_closed_exception_types

    def _from_def(self, proto: Any, import_scope: str | None) -> None:
        graph = get_default_graph()

        def element(name: str) -> Any:
            return graph.as_graph_element(f"{import_scope}/{name}" if import_scope else name)

        self._queue = element(proto.queue_name)
        self._enqueue_ops = [element(n) for n in proto.enqueue_op_name]
        self._close_op, self._cancel_op = element(proto.close_op_name), element(proto.cancel_op_name)
        self._closed_types = tuple(BY_CODE[c] for c in proto.queue_closed_exception_types) or (OutOfRangeError,)

    queue = property(lambda self: self._queue)
    enqueue_ops = property(lambda self: self._enqueue_ops)
    close_op = property(lambda self: self._close_op)
    cancel_op = property(lambda self: self._cancel_op)
    queue_closed_exception_types = property(lambda self: self._closed_types)
    exceptions_raised = property(lambda self: self._exceptions_raised)

    @property
    def name(self) -> str:
        return str(self._queue.name)

    def _run(self, sess: Any, enqueue_op: Any, coord: Any) -> None:
        is_done = False
        try:
            with internal_runs():
                while True:
                    if coord and coord.should_stop():
                        break
                    try:
                        sess.run(enqueue_op)
                    except self._closed_types:
                        with self._lock:
                            self._runs_per_session[sess] -= 1
                            is_done = True
                            if self._runs_per_session[sess] == 0:
                                try:
                                    sess.run(self._close_op)
                                except Exception as e:
                                    get_logger().log(10, "Ignored exception: %s", e)
                            return
        except Exception as e:
            if coord:
                coord.request_stop(e)
                if not isinstance(e, CancelledError) and not (isinstance(e, RuntimeError) and "closed Session" in str(e)):
                    get_logger().error("Exception in QueueRunner: %s", e)
                with self._lock:
                    self._exceptions_raised.append(e)
            elif not (isinstance(e, CancelledError) or (isinstance(e, RuntimeError) and "closed Session" in str(e))):
                get_logger().error("Exception in QueueRunner: %s", e)
                with self._lock:
                    self._exceptions_raised.append(e)
                raise
        finally:
            if not is_done:
                with self._lock:
                    self._runs_per_session[sess] -= 1

    def _close_on_stop(self, sess: Any, cancel_op: Any, coord: Any) -> None:
        coord.wait_for_stop()
        try:
            with internal_runs():
                sess.run(cancel_op)
        except Exception as e:
            get_logger().log(10, "Ignored exception: %s", e)

    def create_threads(self, sess: Any, coord: Any = None, daemon: bool = False, start: bool = False) -> list[threading.Thread]:
        """The threads that run the enqueue ops, and with a coordinator one that closes the queue when it stops; none if they run already."""
        with self._lock:
            if self._runs_per_session.get(sess, 0) > 0:
                return []
            self._runs_per_session[sess] = len(self._enqueue_ops)
            self._exceptions_raised = []
        made = [
            threading.Thread(
                target=self._run, args=(sess, op, coord), name=f"QueueRunnerThread-{self.name}-{op if isinstance(op, str) else op.name}"
            )
            for op in self._enqueue_ops
        ]
        if coord:
            made.append(
                threading.Thread(
                    target=self._close_on_stop, args=(sess, self._cancel_op, coord), name=f"QueueRunnerThread-{self.name}-close_on_stop"
                )
            )
        for t in made:
            if coord:
                coord.register_thread(t)
            if daemon:
                t.daemon = True
            if start:
                t.start()
        return made

    def to_proto(self, export_scope: str | None = None) -> Any:
        if export_scope is not None and not self._queue.name.startswith(export_scope):
            return None

        def strip(name: str) -> str:
            return name.removeprefix(f"{export_scope}/") if export_scope else name

        return schema.message("QueueRunnerDef")(
            queue_name=strip(self._queue.name), enqueue_op_name=[strip(op.name) for op in self._enqueue_ops], close_op_name=strip(self._close_op.name),
            cancel_op_name=strip(self._cancel_op.name), queue_closed_exception_types=[t.code for t in self._closed_types],
        )  # fmt: skip

    @staticmethod
    def from_proto(queue_runner_def: Any, import_scope: str | None = None) -> QueueRunner:
        return QueueRunner(queue_runner_def=queue_runner_def, import_scope=import_scope)


@export("train.add_queue_runner", "train.queue_runner.add_queue_runner")
def add_queue_runner(qr: QueueRunner, collection: str = GraphKeys.QUEUE_RUNNERS) -> None:
    get_default_graph().add_to_collection(collection, qr)


@export("train.start_queue_runners", "train.queue_runner.start_queue_runners")
def start_queue_runners(
    sess: Any = None, coord: Any = None, daemon: bool = True, start: bool = True, collection: str = GraphKeys.QUEUE_RUNNERS
) -> list[threading.Thread]:
    """Start the threads of every queue runner of the graph."""
    if sess is None:
        sess = get_default_session()
        if sess is None:
            raise ValueError(
                "Cannot start queue runners: No default session is registered. Use `with sess.as_default()` or pass an explicit session to tf.start_queue_runners(sess=sess)"
            )
    graph = sess.graph
    runners = graph.get_collection(collection)
    if not runners:
        get_logger().warning(
            "`tf.train.start_queue_runners()` was called when no queue runners were defined. You can safely remove the call to this deprecated function."
        )
    return [t for runner in runners for t in runner.create_threads(sess, coord=coord, daemon=daemon, start=start)]
