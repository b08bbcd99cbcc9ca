"""tf.train.Coordinator: threads that stop together."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from runtime.errors import OutOfRangeError
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger


@export("train.Coordinator")
class Coordinator:
    """Tells threads to stop, waits for them, and raises what the first of them raised."""

    def __init__(self, clean_stop_exception_types: Any = None) -> None:
        self._clean = (OutOfRangeError,) if clean_stop_exception_types is None else tuple(clean_stop_exception_types)
        self._lock = threading.Lock()
        self._stop_event = threading.Event()
        self._exc_info_to_raise: Any = None
        self._joined = False
        self._registered_threads: set[threading.Thread] = set()

    def _filter_exception(self, ex: Any) -> Any:
        error = ex[1] if isinstance(ex, tuple) else ex
        return None if isinstance(error, self._clean) else ex

    def request_stop(self, ex: Any = None) -> None:
        """Ask the threads to stop; `ex` (an exception or sys.exc_info()) is raised by `join` unless it is a clean way to stop."""
        with self._lock:
            ex = self._filter_exception(ex)
            if self._joined:
                if isinstance(ex, tuple):
                    raise ex[1].with_traceback(ex[2])
                if ex is not None:
                    raise ex
                return
            if self._stop_event.is_set():
                return
            if ex is not None and self._exc_info_to_raise is None:
                if isinstance(ex, tuple):
                    get_logger().info("Error reported to Coordinator: %s, %s", type(ex[1]), ex[1])
                    self._exc_info_to_raise = ex
                else:
                    get_logger().info("Error reported to Coordinator: %s", ex)
                    self._exc_info_to_raise = (type(ex), ex, ex.__traceback__)
                if not isinstance(self._exc_info_to_raise[1], BaseException):
                    self._exc_info_to_raise = None
                    raise TypeError(f"ex must be an exception or sys.exc_info(), not {ex!r}.")
            self._stop_event.set()

    def clear_stop(self) -> None:
        with self._lock:
            self._joined = False
            self._exc_info_to_raise = None
            self._stop_event.clear()

    def should_stop(self) -> bool:
        return self._stop_event.is_set()

    @contextlib.contextmanager
    def stop_on_exception(self) -> Iterator[None]:
        """Reports an exception of the block and stops."""
        try:
            yield
        except BaseException:
            self.request_stop(ex=sys.exc_info())

    def wait_for_stop(self, timeout: float | None = None) -> bool:
        return self._stop_event.wait(timeout=timeout)

    def register_thread(self, thread: threading.Thread) -> None:
        with self._lock:
            self._registered_threads.add(thread)

    def join(self, threads: Any = None, stop_grace_period_secs: float = 120, ignore_live_threads: bool = False) -> None:
        """Wait for the threads; raises what one of them reported, or RuntimeError when some do not stop in time."""
        with self._lock:
            everyone = list({*self._registered_threads, *(threads or ())})
        while any(t.is_alive() for t in everyone) and not self.wait_for_stop(0.05):
            pass
        deadline = time.monotonic() + stop_grace_period_secs
        for t in everyone:
            t.join(max(0.0, deadline - time.monotonic()))
        stragglers = [t.name for t in everyone if t.is_alive()]
        with self._lock:
            self._joined = True
            self._registered_threads = set()
            if self._exc_info_to_raise is not None:
                _, error, traceback = self._exc_info_to_raise
                raise error.with_traceback(traceback)
            if stragglers:
                if ignore_live_threads:
                    get_logger().info("Coordinator stopped with threads still running: %s", " ".join(stragglers))
                else:
                    raise RuntimeError(f"Coordinator stopped with threads still running: {' '.join(stragglers)}")

    @property
    def joined(self) -> bool:
        return self._joined

    def raise_requested_exception(self) -> None:
        with self._lock:
            if self._exc_info_to_raise is not None:
                _, error, traceback = self._exc_info_to_raise
                raise error.with_traceback(traceback)


@export("train.LooperThread")
class LooperThread(threading.Thread):
    """Calls a function every `timer_interval_secs` (all the time, if None) until its coordinator stops."""

    def __init__(
        self, coord: Coordinator, timer_interval_secs: float | None, target: Any = None, args: Any = None, kwargs: Any = None
    ) -> None:
        if not isinstance(coord, Coordinator):
            raise ValueError(f"'coord' argument must be a Coordinator: {coord}")
        super().__init__()
        self.daemon = True
        self._coord = coord
        self._timer_interval_secs = timer_interval_secs
        self._looped = target
        self._looped_args, self._looped_kwargs = args or (), kwargs or {}
        if (args or kwargs) and target is None:
            raise ValueError("'args' and 'kwargs' argument require that you also pass 'target'")
        coord.register_thread(self)

    @staticmethod
    def loop(coord: Coordinator, timer_interval_secs: float | None, target: Any, args: Any = None, kwargs: Any = None) -> LooperThread:
        looper = LooperThread(coord, timer_interval_secs, target=target, args=args, kwargs=kwargs)
        looper.start()
        return looper

    def run(self) -> None:
        with self._coord.stop_on_exception():
            self.start_loop()
            if self._timer_interval_secs is None:
                while not self._coord.should_stop():
                    self.run_loop()
            else:
                due = time.monotonic()
                while not self._coord.wait_for_stop(max(0.0, due - time.monotonic())):
                    due += self._timer_interval_secs
                    self.run_loop()
            self.stop_loop()

    def start_loop(self) -> None:
        """Called when the thread starts."""

    def stop_loop(self) -> None:
        """Called when the thread stops."""

    def run_loop(self) -> None:
        if self._looped is not None:
            self._looped(*self._looped_args, **self._looped_kwargs)
