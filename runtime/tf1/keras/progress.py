"""tf.keras.utils.Progbar."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from runtime.tf1.registry import export


@export("keras.utils.Progbar")
class Progbar:
    """A progress bar on standard output, with averages of values."""

    def __init__(
        self,
        target: int | None,
        width: int = 30,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Any = None,
        unit_name: str = "step",
    ) -> None:
        self.target, self.width, self.verbose, self.interval, self.unit_name = target, width, verbose, interval, unit_name
        self.stateful_metrics = set(stateful_metrics or [])
        self._dynamic = (hasattr(sys.stdout, "isatty") and sys.stdout.isatty()) or "ipykernel" in sys.modules
        self._total_width = self._seen_so_far = 0
        self._values: dict[str, Any] = {}
        self._start = time.time()
        self._last_update = 0.0

    def update(self, current: int, values: Any = None) -> None:
        for name, value in values or []:
            if name not in self.stateful_metrics:
                step = current - self._seen_so_far
                if name not in self._values:
                    self._values[name] = [value * max(step, 1), max(step, 1)]
                else:
                    self._values[name][0] += value * max(step, 0)
                    self._values[name][1] += max(step, 0)
            else:
                self._values[name] = [value, 1]
        self._seen_so_far = current
        now = time.time()
        if self.verbose == 1:
            self._bar(current, now)
        elif self.verbose == 2 and self.target is not None and current >= self.target:
            digits = int(np.floor(np.log10(self.target))) + 1
            text = f"{current:{digits}d}/{self.target}"
            sys.stdout.write(f"{text} - {now - self._start:.0f}s{self._averages()}\n")
            sys.stdout.flush()
        self._last_update = now

    def _averages(self) -> str:
        text = ""
        for name, (total, count) in self._values.items():
            average = float(np.mean(total / max(1, count)))
            text += f" - {name}: {average:.4f}" if abs(average) > 1e-3 else f" - {name}: {average:.4e}"
        return text

    def _bar(self, current: int, now: float) -> None:
        if now - self._last_update < self.interval and self.target is not None and current < self.target:
            return
        previous = self._total_width
        sys.stdout.write("\b" * previous + "\r" if self._dynamic else "\n")
        if self.target is not None:
            digits = int(np.log10(self.target)) + 1
            bar = f"{current:{digits}d}/{self.target} ["
            done = int(self.width * float(current) / self.target)
            if done > 0:
                bar += "=" * (done - 1) + (">" if current < self.target else "=")
            bar += "." * (self.width - done) + "]"
        else:
            bar = f"{current:7d}/Unknown"
        self._total_width = len(bar)
        sys.stdout.write(bar)
        per_unit = (now - self._start) / current if current else 0
        if self.target is not None and current < self.target:
            eta = per_unit * (self.target - current)
            if eta > 3600:
                info = f" - ETA: {int(eta // 3600)}:{int((eta % 3600) // 60):02d}:{int(eta % 60):02d}"
            elif eta > 60:
                info = f" - ETA: {int(eta // 60)}:{int(eta % 60):02d}"
            else:
                info = f" - ETA: {int(eta)}s"
        else:
            info = f" {now - self._start:.0f}s"
            info += (
                f" {per_unit:.0f}s/{self.unit_name}"
                if per_unit >= 1
                else f" {per_unit * 1e3:.0f}ms/{self.unit_name}"
                if per_unit >= 1e-3
                else f" {per_unit * 1e6:.0f}us/{self.unit_name}"
            )
        info += self._averages()
        self._total_width += len(info)
        if previous > self._total_width:
            info += " " * (previous - self._total_width)
        if self.target is not None and current >= self.target:
            info += "\n"
        sys.stdout.write(info)
        sys.stdout.flush()

    def add(self, n: int, values: Any = None) -> None:
        self.update(self._seen_so_far + n, values)
