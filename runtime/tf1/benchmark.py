"""tf.test.Benchmark: timing ops of a program, and the program's benchmarks run from the command line."""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from graphtools.formats import schema
from runtime.tf1.client import get_default_session
from runtime.tf1.registry import export

_BENCHMARKS: list[type] = []  # every class of benchmarks, in the order they were made


class _Registering(type):
    def __new__(mcs, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> Any:
        made = super().__new__(mcs, name, bases, members)
        if bases:
            _BENCHMARKS.append(made)
        return made


@export("test.Benchmark")
class Benchmark(metaclass=_Registering):
    """A class whose methods named benchmark... are timed programs."""

    @classmethod
    def is_abstract(cls) -> bool:
        return len(cls.mro()) <= 2

    def _name(self, overwrite_name: str | None = None) -> str:
        frame, found = sys._getframe(1), "unknown"
        while frame is not None:
            if frame.f_locals.get("self") is self and frame.f_code.co_name.startswith("benchmark"):
                found = frame.f_code.co_name
            frame = frame.f_back  # type: ignore[assignment]
        return overwrite_name if overwrite_name is not None else f"{type(self).__name__}.{found}"

    def report_benchmark(
        self, iters: int | None = None, cpu_time: float | None = None, wall_time: float | None = None, throughput: float | None = None, extras: Any = None,
        name: str | None = None, metrics: Any = None,
    ) -> None:  # fmt: skip
        """Write a result: a line of text, and a file where TEST_REPORT_FILE_PREFIX says."""
        label = self._name(name)
        entry: dict[str, Any] = {"name": label}
        for key, value in (("iters", iters), ("cpu_time", cpu_time), ("wall_time", wall_time), ("throughput", throughput)):
            if value is not None:
                entry[key] = value
        if extras:
            entry["extras"] = {k: v if isinstance(v, int | float) else str(v) for k, v in extras.items()}
        if metrics:
            entry["metrics"] = metrics
        prefix = os.environ.get("TEST_REPORT_FILE_PREFIX")
        if prefix:
            with open(prefix + label.replace("/", "__"), "w", encoding="utf-8") as file:
                json.dump({"entry": [entry]}, file)
        print("entry {\n" + "".join(f"  {k}: {json.dumps(v)}\n" for k, v in entry.items()) + "}\n")

    def run_op_benchmark(
        self, sess: Any, op_or_tensor: Any, feed_dict: Any = None, burn_iters: int = 2, min_iters: int = 10, store_trace: bool = False,
        store_memory_usage: bool = True, name: str | None = None, extras: Any = None, mbs: int = 0,
    ) -> dict[str, Any]:  # fmt: skip
        """Time an op: the median of `min_iters` runs after `burn_iters` that do not count."""
        for _ in range(burn_iters):
            sess.run(op_or_tensor, feed_dict=feed_dict)
        times = []
        for _ in range(min_iters):
            start = time.time()
            sess.run(op_or_tensor, feed_dict=feed_dict)
            times.append(time.time() - start)
        median = statistics.median(times) if times else -1
        extras, traced = dict(extras or {}), {}
        if store_trace:
            from runtime.tf1.timeline import Timeline

            options = schema.message("RunOptions")(trace_level=3)
            metadata = schema.message("RunMetadata")()
            sess.run(op_or_tensor, feed_dict=feed_dict, options=options, run_metadata=metadata)
            traced["full_trace_chrome_format"] = Timeline(metadata.step_stats).generate_chrome_trace_format()
        values: dict[str, Any] = {
            "iters": min_iters,
            "wall_time": median,
            "extras": extras,
            "name": name,
            "throughput": mbs / median if median else 0.0,
        }
        self.report_benchmark(**values)
        values["extras"] = {**extras, **traced}
        return values

    def evaluate(self, tensors: Any) -> Any:
        session = get_default_session()
        if session is None:
            raise ValueError("A benchmark's evaluate() needs a default session.")
        return session.run(tensors)


@export("test.benchmark_config")
def benchmark_config() -> Any:
    """A ConfigProto that folds nothing away."""
    config = schema.message("ConfigProto")()
    config.graph_options.rewrite_options.dependency_optimization = 2  # RewriterConfig.OFF
    return config


def benchmarks_main(true_main: Callable[[], Any], argv: list[str]) -> None:
    """The benchmarks that --benchmarks=PATTERN asks for, else the program."""
    found = [a for a in argv if re.match(r"--?benchmarks=", a)]
    if not found:
        true_main()
        return
    pattern = found[0].partition("=")[2]
    for kind in list(_BENCHMARKS):
        made = None
        for attr in dir(kind):
            if not attr.startswith("benchmark") or not callable(getattr(kind, attr)):
                continue
            if pattern == "all" or re.search(pattern, f"{kind.__module__}.{kind.__name__}.{attr}"):
                made = made or kind()
                getattr(made, attr)()
