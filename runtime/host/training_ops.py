"""Updates of large variables in the memory they have: ApplyX, SparseApplyX and scatters, where `updates_in_place` says so.

A dense update goes through the variable in pieces that stay in the processor's cache, once, where ONNX Runtime would write each
intermediate result of the formula through memory (CPU, Adam on 3136x1024: 5 ms for 15). A sparse one touches the rows it is
given, where ONNX Runtime would copy the table. Formulas: TensorFlow 1.15, training_ops.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from graphtools.dtypes import float32, float64
from graphtools.graph import Node
from graphtools.state import Variable
from runtime import denormals
from runtime.errors import InvalidArgumentError
from runtime.host import host

Array = np.ndarray[Any, Any]
Hyper = dict[str, Any]  # the scalars of an update by their OpDef names, the attrs that change its formula, and 1 in its dtype

LEAST = 1 << 15  # elements of a variable for which leaving ONNX Runtime pays
LEAST_OF_THREADS = 1 << 20  # the same for dense updates where ONNX Runtime has several threads
CHUNK = 1 << 15  # elements of a piece: six arrays of float32 are 384 kB
SHARED = 1 << 20  # elements above which two threads halve the time

# Given the scalars, what changes pieces of the state (the variable first) in place by a gradient; a and b are scratch.
Step = Callable[[Sequence[Array], Array, Array, Array], None]
Update = Callable[[Hyper], Step]


def gradient_descent(h: Hyper) -> Step:
    def step(state: Sequence[Array], grad: Array, a: Array, b: Array) -> None:
        np.multiply(grad, h["alpha"], a)
        np.subtract(state[0], a, state[0])

    return step


def momentum(h: Hyper) -> Step:
    rate, kept = h["lr"], h["momentum"]

    def step(state: Sequence[Array], grad: Array, a: Array, b: Array) -> None:
        var, accum = state
        np.multiply(accum, kept, accum)
        np.add(accum, grad, accum)
        if h["use_nesterov"]:
            np.multiply(grad, rate, a)
            np.multiply(accum, kept, b)
            np.multiply(b, rate, b)
            np.add(a, b, a)
        else:
            np.multiply(accum, rate, a)
        np.subtract(var, a, var)

    return step


def keras_momentum(h: Hyper) -> Step:
    rate, kept = h["lr"], h["momentum"]

    def step(state: Sequence[Array], grad: Array, a: Array, b: Array) -> None:
        var, accum = state
        np.multiply(grad, rate, a)
        np.multiply(accum, kept, accum)
        np.subtract(accum, a, accum)
        if h["use_nesterov"]:
            np.multiply(accum, kept, b)
            np.subtract(b, a, a)
            np.add(var, a, var)
        else:
            np.add(var, accum, var)

    return step


def _decay(average: Array, value: Array, rest: Any, a: Array) -> None:
    """average += (value - average) rest"""
    np.subtract(value, average, a)
    np.multiply(a, rest, a)
    np.add(average, a, average)


def adam(h: Hyper) -> Step:
    one = h["one"]
    rest1, rest2, epsilon = one - h["beta1"], one - h["beta2"], h["epsilon"]
    rate = h["lr"] * np.sqrt(one - h["beta2_power"]) / (one - h["beta1_power"])

    def step(state: Sequence[Array], grad: Array, a: Array, b: Array) -> None:
        var, m, v = state
        _decay(m, grad, rest1, a)
        np.multiply(grad, grad, b)
        _decay(v, b, rest2, a)
        if h["use_nesterov"]:
            np.multiply(m, h["beta1"], a)
            np.multiply(grad, rest1, b)
            np.add(a, b, a)
            np.multiply(a, rate, a)
        else:
            np.multiply(m, rate, a)
        np.sqrt(v, b)
        np.add(b, epsilon, b)
        np.divide(a, b, a)
        np.subtract(var, a, var)

    return step


def adagrad(h: Hyper) -> Step:
    def step(state: Sequence[Array], grad: Array, a: Array, b: Array) -> None:
        var, accum = state
        if h["update_slots"]:
            np.multiply(grad, grad, a)
            np.add(accum, a, accum)
        np.sqrt(accum, b)
        if "epsilon" in h:  # V2
            np.add(b, h["epsilon"], b)
        np.multiply(grad, h["lr"], a)
        np.divide(a, b, a)
        np.subtract(var, a, var)

    return step


def adadelta(h: Hyper) -> Step:
    rho, rest, epsilon = h["rho"], h["one"] - h["rho"], h["epsilon"]

    def step(state: Sequence[Array], grad: Array, a: Array, b: Array) -> None:
        var, accum, accum_update = state
        np.multiply(grad, grad, a)
        np.multiply(a, rest, a)
        np.multiply(accum, rho, accum)
        np.add(accum, a, accum)
        np.add(accum, epsilon, a)
        np.sqrt(a, a)
        np.add(accum_update, epsilon, b)
        np.sqrt(b, b)
        np.divide(b, a, b)
        np.multiply(b, grad, b)
        np.multiply(b, b, a)
        np.multiply(a, rest, a)
        np.multiply(accum_update, rho, accum_update)
        np.add(accum_update, a, accum_update)
        np.multiply(b, h["lr"], b)
        np.subtract(var, b, var)

    return step


def rms_prop(h: Hyper) -> Step:
    """With a mean of the gradients in the state: CenteredRMSProp."""
    rest = h["one"] - h["rho"]

    def step(state: Sequence[Array], grad: Array, a: Array, b: Array) -> None:
        var, *mean, ms, mom = state
        np.multiply(grad, grad, b)
        _decay(ms, b, rest, a)
        if mean:
            _decay(mean[0], grad, rest, a)
            np.multiply(mean[0], mean[0], b)
            np.subtract(ms, b, b)
            np.add(b, h["epsilon"], b)
        else:
            np.add(ms, h["epsilon"], b)
        np.sqrt(b, b)
        np.multiply(grad, h["lr"], a)
        np.divide(a, b, a)
        np.multiply(mom, h["momentum"], mom)
        np.add(mom, a, mom)
        np.subtract(var, mom, var)

    return step


def ftrl(h: Hyper) -> Step:
    l1, two, power = h["l1"], h["one"] + h["one"], -h["lr_power"]
    raised: Callable[[Array, Array], Any] = np.sqrt if power == 0.5 else lambda x, out: np.power(x, power, out)

    def step(state: Sequence[Array], grad: Array, a: Array, b: Array) -> None:
        var, accum, linear = state
        raised(accum, a)
        if "l2_shrinkage" in h:  # V2
            np.multiply(var, h["l2_shrinkage"] * two, b)
            np.add(b, grad, b)
            np.add(linear, b, linear)
        else:
            np.add(linear, grad, linear)
        np.multiply(grad, grad, b)
        np.add(accum, b, accum)
        raised(accum, b)
        np.subtract(b, a, a)
        np.divide(a, h["lr"], a)
        np.multiply(a, var, a)
        np.subtract(linear, a, linear)
        np.divide(b, h["lr"], b)
        np.add(b, h["l2"] * two, b)
        np.sign(linear, a)
        np.multiply(a, l1, a)
        np.subtract(a, linear, a)
        np.divide(a, b, var)
        var[np.abs(linear) <= l1] = 0

    return step


# Op name without Resource, Sparse, Apply -> its update, how many variables it changes, and whether a sparse op exists.
UPDATES: dict[str, tuple[Update, int, bool]] = {
    "Adadelta": (adadelta, 3, True),
    "Adagrad": (adagrad, 2, True),
    "AdagradV2": (adagrad, 2, True),
    "Adam": (adam, 3, False),
    "CenteredRMSProp": (rms_prop, 4, True),
    "Ftrl": (ftrl, 3, True),
    "FtrlV2": (ftrl, 3, True),
    "GradientDescent": (gradient_descent, 1, False),
    "KerasMomentum": (keras_momentum, 2, True),
    "Momentum": (momentum, 2, True),
    "RMSProp": (rms_prop, 3, True),
}
SCATTERS = ("ScatterAdd", "ScatterSub", "ScatterUpdate", "ResourceScatterAdd", "ResourceScatterSub", "ResourceScatterUpdate")

IN_PLACE: set[str] = set(SCATTERS)


def updates_in_place(node: Node, variable: Variable | None, threads: int) -> bool:
    """Whether a node is an update of a variable so large that it is changed where it lies."""
    if node.op not in IN_PLACE or variable is None or variable.dims is None or None in variable.dims:
        return False
    least = LEAST if threads == 1 or "Scatter" in node.op or "Sparse" in node.op else max(LEAST, LEAST_OF_THREADS)
    return variable.dtype.base_dtype in (float32, float64) and math.prod(d or 0 for d in variable.dims) >= least


# -- kernels ---------------------------------------------------------------------------------------------------------


def _kernel(update: Update, count: int, is_sparse: bool) -> Callable[..., None]:
    def kernel(run: Any, node: Node, *inputs: Any) -> None:
        opdef = node.opdef
        assert opdef is not None  # the op is in the table
        given = dict(zip((arg.name for arg in opdef.inputs), inputs, strict=True))
        grad: Array = given["delta"] if "delta" in given else given["grad"]
        attrs = {"use_nesterov": False, "update_slots": True, **node.attr}
        h = {"use_nesterov": attrs["use_nesterov"], "update_slots": attrs["update_slots"]}
        h["one"] = grad.dtype.type(1)
        h |= {k: grad.dtype.type(v) for k, v in given.items() if np.ndim(v) == 0 and not isinstance(v, Variable)}
        with run.state.lock:
            state = [run.exclusive(variable, node) for variable in inputs[:count]]
            if is_sparse:
                _sparse(update(h), state, grad, given["indices"].reshape(-1))
            else:
                _dense(update(h), state, grad, run.session.engine.threads)

    return kernel


for _name, (_update, _count, _has_sparse) in UPDATES.items():
    for _prefix in ("", "Resource"):
        for _sparsely in ("", "Sparse") if _has_sparse else ("",):
            _op = f"{_prefix}{_sparsely}Apply{_name}"
            host(_op)(_kernel(_update, _count, bool(_sparsely)))
            IN_PLACE.add(_op)


@host(*SCATTERS)
def scatter(run: Any, node: Node, variable: Any, indices: Array, updates: Array) -> None:
    indices = indices.reshape(-1)
    with run.state.lock:
        table = run.exclusive(variable, node)
        _check(indices, table)
        if updates.ndim:
            updates = updates.reshape(len(indices), *table.shape[1:])
        if node.op.endswith("Update"):
            table[indices] = updates
        else:
            _add_rows(table, indices, updates if node.op.endswith("Add") else -updates)


def _add_rows(table: Array, indices: Array, rows: Array) -> None:
    """Add rows to a table; a row that is named several times gets all of them."""
    unique, places = np.unique(indices, return_inverse=True)
    if len(unique) == len(indices):
        table[indices] += rows
        return
    rows = np.broadcast_to(rows, (len(indices), *table.shape[1:]))
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], np.arange(len(unique)))
    table[unique] += np.add.reduceat(rows[order], starts, axis=0)


def _check(indices: Array, table: Array) -> None:
    wrong = np.flatnonzero((indices < 0) | (indices >= len(table)))
    if len(wrong):
        at = int(wrong[0])
        raise InvalidArgumentError(None, None, f"indices[{at}] = {int(indices[at])} is not in [0, {len(table)})")


_ERRORS = {"divide": "ignore", "over": "ignore", "under": "ignore", "invalid": "ignore"}
_scratch = threading.local()


def _dense(step: Step, state: list[Array], grad: Array, threads: int) -> None:
    if any(s.shape != grad.shape for s in state):
        shapes = " ".join(f"[{','.join(str(d) for d in s.shape)}]" for s in (*state, grad))
        raise InvalidArgumentError(None, None, f"var, its slots and grad do not have the same shape: {shapes}")
    flat, grad = [s.reshape(-1) for s in state], grad.reshape(-1)
    if grad.size < SHARED or threads < 2:
        _pieces(step, flat, grad, 0, grad.size)
        return
    ends = [grad.size * i // threads // CHUNK * CHUNK for i in range(threads)] + [grad.size]
    rest: list[Future[None]] = [_pool().submit(_pieces, step, flat, grad, *part) for part in itertools.pairwise(ends[1:])]
    _pieces(step, flat, grad, 0, ends[1])
    for part in rest:
        part.result()


def _pieces(step: Step, state: list[Array], grad: Array, start: int, stop: int) -> None:
    """Update the elements from `start` to `stop`."""
    held: dict[str, Array] = _scratch.__dict__
    if grad.dtype.char not in held:
        held[grad.dtype.char] = np.empty((2, CHUNK), grad.dtype)
    a, b = held[grad.dtype.char]
    denormals.flush()
    try:
        with np.errstate(**_ERRORS):  # type: ignore[arg-type]
            for at in range(start, stop, CHUNK):
                end = min(at + CHUNK, stop)
                step([s[at:end] for s in state], grad[at:end], a[: end - at], b[: end - at])
    finally:
        denormals.keep()


def _sparse(step: Step, state: list[Array], grad: Array, indices: Array) -> None:
    _check(indices, state[0])
    rows = [s[indices] for s in state]
    with np.errstate(**_ERRORS):  # type: ignore[arg-type]
        step(rows, grad.reshape(rows[0].shape), np.empty_like(rows[0]), np.empty_like(rows[0]))
    for whole, new in zip(state, rows, strict=True):
        whole[indices] = new


_workers: list[ThreadPoolExecutor] = []


def _pool() -> ThreadPoolExecutor:
    if not _workers:
        _workers.append(ThreadPoolExecutor(thread_name_prefix="tfrevive-update"))
    return _workers[0]
