"""tf.train.SessionManager: sessions that are initialized or restored."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from runtime.errors import DeadlineExceededError, FailedPreconditionError
from runtime.tf1.client import Session, internal_runs
from runtime.tf1.graph import get_default_graph
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger


@export("train.SessionManager")
class SessionManager:
    """Makes sessions: from a checkpoint where there is one, else by the init op."""

    def __init__(
        self,
        local_init_op: Any = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        graph: Any = None,
        recovery_wait_secs: float = 30,
        local_init_run_options: Any = None,
    ) -> None:
        self._local_init_op, self._ready_op, self._ready_for_local_init_op = local_init_op, ready_op, ready_for_local_init_op
        self._graph = get_default_graph() if graph is None else graph
        self._recovery_wait_secs, self._options = recovery_wait_secs, local_init_run_options
        if ready_for_local_init_op is not None and local_init_op is None:
            raise ValueError(
                f"If you pass a ready_for_local_init_op you must also pass a local_init_op , ready_for_local_init_op [{ready_for_local_init_op}]"
            )

    def _restored(
        self, master: str, saver: Any, folder: str | None, path: str | None, wait_for_checkpoint: bool, max_wait_secs: float, config: Any
    ) -> tuple[Session, bool]:
        """A new session, and whether a checkpoint was read into it."""
        from runtime.tf1.train.saver import get_checkpoint_state

        session = Session(master, graph=self._graph, config=config)
        if folder and path:
            raise ValueError("Can not provide both checkpoint_dir and checkpoint_filename_with_path.")
        if not saver or not (folder or path):
            return session, False
        if path:
            saver.restore(session, path)
            return session, True
        deadline = time.monotonic() + max_wait_secs
        state = get_checkpoint_state(folder)  # type: ignore[arg-type]
        while not state or not state.model_checkpoint_path:
            if not wait_for_checkpoint or time.monotonic() >= deadline:
                return session, False
            get_logger().info("Waiting for checkpoint to be available.")
            time.sleep(self._recovery_wait_secs)
            state = get_checkpoint_state(folder)  # type: ignore[arg-type]
        saver.restore(session, state.model_checkpoint_path)
        saver.recover_last_checkpoints(state.all_model_checkpoint_paths)
        return session, True

    def prepare_session(
        self,
        master: str,
        init_op: Any = None,
        saver: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
        init_feed_dict: Any = None,
        init_fn: Any = None,
    ) -> Session:
        """A session that is ready. Raises RuntimeError when the init ops did not make it so."""
        with internal_runs():
            session, is_restored = self._restored(
                master, saver, checkpoint_dir, checkpoint_filename_with_path, wait_for_checkpoint, max_wait_secs, config
            )
            if not is_restored:
                if init_op is None and not init_fn and self._local_init_op is None:
                    raise RuntimeError("Model is not initialized and no init_op or init_fn or local_init_op was given")
                if init_op is not None:
                    session.run(init_op, feed_dict=init_feed_dict)
                if init_fn:
                    init_fn(session)
            problem = self._init_locally(session)
            if problem is not None:
                raise RuntimeError(
                    f"Init operations did not make model ready for local_init.  Init op: {_name(init_op)}, init fn: {init_fn}, error: {problem}"
                )
            problem = _not_ready(self._ready_op, session)
            if problem is not None:
                raise RuntimeError(
                    f"Init operations did not make model ready.  Init op: {_name(init_op)}, init fn: {init_fn}, local_init_op: {self._local_init_op}, error: {problem}"
                )
            return session

    def recover_session(
        self,
        master: str,
        saver: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
    ) -> tuple[Session, bool]:
        """A session, and whether it was restored and is ready."""
        with internal_runs():
            session, is_restored = self._restored(
                master, saver, checkpoint_dir, checkpoint_filename_with_path, wait_for_checkpoint, max_wait_secs, config
            )
            problem = self._init_locally(session)
            if not is_restored:
                return session, False
            where = checkpoint_dir or checkpoint_filename_with_path
            problem = problem or _not_ready(self._ready_op, session)
            if problem is not None:
                get_logger().info("Restoring model from %s did not make model ready: %s", where, problem)
                return session, False
            get_logger().info("Restored model from %s", where)
            return session, True

    def wait_for_session(self, master: str, config: Any = None, max_wait_secs: float | None = float("inf")) -> Session:
        """A session on variables that another one initializes. Raises DeadlineExceededError."""
        limit = float("inf") if max_wait_secs is None else max_wait_secs
        deadline = time.monotonic() + limit
        with internal_runs():
            while True:
                session = Session(master, graph=self._graph, config=config)
                problem = self._init_locally(session) or _not_ready(self._ready_op, session)
                if problem is None:
                    return session
                session.close()
                if deadline - time.monotonic() < self._recovery_wait_secs:
                    raise DeadlineExceededError(None, None, f"Session was not ready after waiting {limit} secs.")
                get_logger().info("Waiting for model to be ready.  %s", problem)
                time.sleep(self._recovery_wait_secs)

    def _init_locally(self, session: Session) -> str | None:
        """Run the local init op; what keeps it from being run, or None."""
        if self._local_init_op is None:
            return None
        problem = _not_ready(self._ready_for_local_init_op, session)
        if problem is None:
            get_logger().info("Running local_init_op.")
            session.run(self._local_init_op, options=self._options)
            get_logger().info("Done running local_init_op.")
        return problem


def _name(op: Any) -> Any:
    return getattr(op, "name", op)


def _not_ready(op: Any, session: Session) -> str | None:
    """Which variables are not initialized, or None when all are."""
    if op is None:
        return None
    try:
        value = session.run(op)
    except FailedPreconditionError as e:
        if "uninitialized" not in str(e):
            raise
        return str(e)
    if value is None or np.asarray(value).dtype == np.int32 or np.size(value) == 0:
        return None
    return f"Variables not initialized: {', '.join(v.decode() for v in np.ravel(value))}"
