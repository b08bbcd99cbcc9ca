"""Times the training steps of a program: under TensorFlow 1.15 (Python 3.7) and under tfrevive alike."""

import json
import os
import time

THREADS = int(os.environ.get("BENCH_THREADS", "2"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
WINDOWS = int(os.environ.get("BENCH_WINDOWS", "5"))


def measure(step, warmup):
    """Run `step(i)` for some windows of time; print the best window as JSON: steps a second, and processor milliseconds a step."""
    started = time.perf_counter()
    step(0)
    first = time.perf_counter() - started
    end, n = time.perf_counter() + warmup, 1
    while time.perf_counter() < end:
        step(n)
        n += 1
    rates, costs = [], []
    for _ in range(WINDOWS):
        wall, cpu, done = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - wall < SECONDS or done < 3:
            step(n)
            n += 1
            done += 1
        rates.append(done / (time.perf_counter() - wall))
        costs.append(1000 * (time.process_time() - cpu) / done)
    print(json.dumps({"steps_per_second": max(rates), "cpu_ms": min(costs), "first_step_s": first}))
