"""tf.test.TestCase and tf.test.main."""

from __future__ import annotations

import contextlib
import math
import os
import random
import re
import sys
import tempfile
import threading
import unittest
import unittest.mock
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.formats import schema
from runtime.errors import OpError
from runtime.tf1.client import Session, get_default_session
from runtime.tf1.graph import Graph, _graphs, get_default_graph, reset_default_graph
from runtime.tf1.random_ops import set_random_seed
from runtime.tf1.registry import export, put

put("test.mock", unittest.mock)


class _Session(Session):
    """A session whose failures say which op failed."""

    def close(self) -> None:
        if not getattr(self, "_kept", False):
            super().close()


class _CheckedThread:
    """A thread whose failure is the test's."""

    def __init__(self, testcase: Any, target: Callable[..., Any], args: Any = None, kwargs: Any = None) -> None:
        self._testcase, self._exception, self._joined = testcase, None, False

        def run() -> None:
            try:
                target(*(args or ()), **(kwargs or {}))
            except Exception as e:  # the test fails with whatever the thread raised
                self._exception = e

        self._thread = threading.Thread(target=run)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._joined = True
        self._thread.join()
        if self._exception is not None:
            self._testcase.fail(f"Error in checkedThread: {self._exception}")

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def check_termination(self) -> None:
        if not self._joined:
            self._testcase.fail("A checked thread was not joined.")


@export("test.TestCase")
class TestCase(unittest.TestCase):
    """A unit test with sessions and comparisons of arrays."""

    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)
        self._threads: list[_CheckedThread] = []
        self._tempdir: str | None = None
        self._cached: _Session | None = None

    def setUp(self) -> None:
        super().setUp()
        self._clear_cached_session()
        random.seed(87654321)
        np.random.seed(87654321)
        if not _graphs.stack:
            reset_default_graph()
        set_random_seed(87654321)

    def tearDown(self) -> None:
        for thread in self._threads:
            thread.check_termination()
        self._clear_cached_session()
        super().tearDown()

    def _clear_cached_session(self) -> None:
        if self._cached is not None:
            self._cached._kept = False  # type: ignore[attr-defined]
            self._cached.close()
            self._cached = None

    def get_temp_dir(self) -> str:
        if self._tempdir is None:
            self._tempdir = tempfile.mkdtemp(dir=get_temp_dir())
        return self._tempdir

    @contextlib.contextmanager
    def session(self, graph: Graph | None = None, config: Any = None, use_gpu: bool = False, force_gpu: bool = False) -> Iterator[Any]:
        """A new session, the default inside; on the CPU unless `use_gpu`."""
        with (
            _Session(graph=graph or get_default_graph(), config=config) as made,
            made.graph.device(None if use_gpu or force_gpu else "/cpu:0"),
        ):
            yield made

    @contextlib.contextmanager
    def cached_session(
        self, graph: Graph | None = None, config: Any = None, use_gpu: bool = False, force_gpu: bool = False
    ) -> Iterator[Any]:
        """The test's one session, which lasts as long as the test."""
        wanted = graph or get_default_graph()
        if self._cached is None:
            self._cached = _Session(graph=wanted, config=config)
            self._cached._kept = True  # type: ignore[attr-defined]
        elif graph is not None and self._cached.graph is not graph:
            raise ValueError(
                "The graph used to get the cached session is different than the one that was used to create the session. Maybe create a new session with self.session()"
            )
        made = self._cached
        with made.graph.as_default(), made.as_default(), made.graph.device(None if use_gpu or force_gpu else "/cpu:0"):
            yield made

    @contextlib.contextmanager
    def test_session(self, graph: Graph | None = None, config: Any = None, use_gpu: bool = False, force_gpu: bool = False) -> Iterator[Any]:
        """The cached session, or, with a graph or a config, a new one."""
        if graph is None and config is None:
            with self.cached_session(use_gpu=use_gpu, force_gpu=force_gpu) as made:
                yield made
        else:
            with self.session(graph, config, use_gpu, force_gpu) as made:
                yield made

    def evaluate(self, tensors: Any) -> Any:
        session = get_default_session()
        if session is not None:
            return session.run(tensors)
        with self.test_session() as made:
            return made.run(tensors)

    def checkedThread(self, target: Callable[..., Any], args: Any = None, kwargs: Any = None) -> _CheckedThread:
        made = _CheckedThread(self, target, args, kwargs)
        self._threads.append(made)
        return made

    @contextlib.contextmanager
    def captureWritesToStream(self, stream: Any) -> Iterator[Any]:
        """What is written to the file descriptor of a stream, for `.contents()` after the block."""
        captured = _Captured()
        number = stream.fileno()
        kept = os.dup(number)
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), number)
            try:
                yield captured
            finally:
                stream.flush()
                os.dup2(kept, number)
                os.close(kept)
                file.seek(0)
                captured.text = file.read().decode(errors="replace")

    # -- numbers -----------------------------------------------------------------------------------------------------

    def _GetNdArray(self, a: Any) -> Any:
        if isinstance(a, base.Tensor) or hasattr(a, "_as_tensor"):
            a = self.evaluate(a)
        return a if isinstance(a, np.ndarray) else np.array(a)

    def assertNear(self, f1: float, f2: float, err: float, msg: str | None = None) -> None:
        text = f" ({msg})" if msg is not None else ""
        self.assertTrue(f1 == f2 or math.fabs(f1 - f2) <= err, f"{f1:f} != {f2:f} +/- {err:f}{text}")

    def assertArrayNear(self, farray1: Any, farray2: Any, err: float, msg: str | None = None) -> None:
        self.assertEqual(len(farray1), len(farray2), msg=msg)
        for a, b in zip(farray1, farray2, strict=True):
            self.assertNear(float(a), float(b), err, msg=msg)

    def assertNDArrayNear(self, ndarray1: Any, ndarray2: Any, err: float, msg: str | None = None) -> None:
        self.assertTrue(np.linalg.norm(ndarray1 - ndarray2) < err, msg=msg)

    def assertAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:
        """Arrays, or dicts, lists and named tuples of them, that differ by at most `atol + rtol |b|`."""
        self._close(_plain_ragged(a, self), _plain_ragged(b, self), rtol, atol, msg or "", "")

    def _close(self, a: Any, b: Any, rtol: float, atol: float, msg: str, path: str) -> None:
        a, b = (v._asdict() if hasattr(v, "_asdict") else v for v in (a, b))
        if isinstance(a, Mapping) != isinstance(b, Mapping):
            raise ValueError(f"Can't compare dict to non-dict, a{path} vs b{path}. {msg}")
        if isinstance(a, Mapping):
            self.assertCountEqual(
                a.keys(), b.keys(), f"mismatched keys: a{path} has keys {a.keys()}, but b{path} has keys {b.keys()}. {msg}"
            )
            for key in a:
                self._close(a[key], b[key], rtol, atol, msg, f"{path}[{key}]")
            return
        text = f"Mismatched value: a{path} is different from b{path}. {msg}"
        if not isinstance(a, list | tuple):
            self._close_arrays(a, b, rtol, atol, text)
            return
        try:
            self._close_arrays(a, b, rtol, atol, text)
        except (ValueError, TypeError):
            if len(a) != len(b):
                raise ValueError(f"Mismatched length: a{path} has {len(a)} items, but b{path} has {len(b)} items. {msg}") from None
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                self._close(x, y, rtol, atol, msg, f"{path}[{i}]")

    def _close_arrays(self, a: Any, b: Any, rtol: float, atol: float, msg: str) -> None:
        a, b = self._GetNdArray(a), self._GetNdArray(b)
        shown = f" with contents {b}." if b.ndim <= 3 or b.size < 500 else "."
        self.assertEqual(a.shape, b.shape, f"Shape mismatch: expected {a.shape}, got {b.shape}{shown}")
        if np.allclose(a, b, rtol=rtol, atol=atol):
            return
        apart = np.logical_or(np.abs(a - b) > atol + rtol * np.abs(b), np.isnan(a) != np.isnan(b))
        x, y = (a[np.where(apart)], b[np.where(apart)]) if a.ndim else (a, b)
        lines = [msg, *([f"not close where = {np.where(apart)}"] if a.ndim else []), f"not close lhs = {x}", f"not close rhs = {y}"]
        lines += [f"not close dif = {np.abs(x - y)}", f"not close tol = {atol + rtol * np.abs(y)}", f"dtype = {a.dtype}, shape = {a.shape}"]
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg="\n".join(lines), equal_nan=True)

    def assertAllCloseAccordingToType(
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, float_rtol: float = 1e-6, float_atol: float = 1e-6, half_rtol: float = 1e-3,
        half_atol: float = 1e-3, bfloat16_rtol: float = 1e-2, bfloat16_atol: float = 1e-2, msg: str | None = None,
    ) -> None:  # fmt: skip
        a, b = self._GetNdArray(a), self._GetNdArray(b)
        kinds = {a.dtype.name, b.dtype.name}
        for names, more_rtol, more_atol in (
            (("float32", "complex64"), float_rtol, float_atol),
            (("float16",), half_rtol, half_atol),
            (("bfloat16",), bfloat16_rtol, bfloat16_atol),
        ):
            if kinds & set(names):
                rtol, atol = max(rtol, more_rtol), max(atol, more_atol)
        self.assertAllClose(a, b, rtol=rtol, atol=atol, msg=msg)

    def assertNotAllClose(self, a: Any, b: Any, **kwargs: Any) -> None:
        try:
            self.assertAllClose(a, b, **kwargs)
        except AssertionError:
            return
        raise AssertionError("The two values are close at all elements")

    def assertAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        a, b = _plain_ragged(a, self), _plain_ragged(b, self)
        if isinstance(a, _Nested) or isinstance(b, _Nested):
            self.assertEqual(_as_list(a), _as_list(b), msg)
            return
        a, b = self._GetNdArray(a), self._GetNdArray(b)
        shown = f" Contents: {b}. \n{msg or ''}." if b.ndim <= 3 or b.size < 500 else f" {msg or ''}"
        self.assertEqual(a.shape, b.shape, f"Shape mismatch: expected {a.shape}, got {b.shape}.{shown}")
        same = a == b
        if a.dtype.kind == "f":
            same = np.logical_or(same, np.logical_and(np.isnan(a), np.isnan(b)))
        if np.all(same):
            return
        apart = np.where(np.logical_not(same))
        x, y = (a[apart], b[apart]) if a.ndim else (a, b)
        lines = [msg or "", *([f"not equal where = {apart}"] if a.ndim else []), f"not equal lhs = {x}", f"not equal rhs = {y}"]
        np.testing.assert_array_equal(a, b, err_msg="\n".join(lines))

    def assertNotAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        try:
            self.assertAllEqual(a, b, msg)
        except AssertionError:
            return
        raise AssertionError("The two values are equal at all elements")

    def assertAllGreater(self, a: Any, comparison_target: Any) -> None:
        self.assertGreater(np.min(self._GetNdArray(a)), comparison_target)

    def assertAllLess(self, a: Any, comparison_target: Any) -> None:
        self.assertLess(np.max(self._GetNdArray(a)), comparison_target)

    def assertAllGreaterEqual(self, a: Any, comparison_target: Any) -> None:
        self.assertGreaterEqual(np.min(self._GetNdArray(a)), comparison_target)

    def assertAllLessEqual(self, a: Any, comparison_target: Any) -> None:
        self.assertLessEqual(np.max(self._GetNdArray(a)), comparison_target)

    def assertAllInRange(
        self, target: Any, lower_bound: Any, upper_bound: Any, open_lower_bound: bool = False, open_upper_bound: bool = False
    ) -> None:
        target = self._GetNdArray(target)
        if target.dtype.kind not in "fiu":
            raise AssertionError(f"The value of {target} does not have an ordered numeric type, instead it has type: {target.dtype}")
        if target.dtype.kind == "f" and np.isnan(target).any():
            raise AssertionError(
                f"{int(np.isnan(target).sum())} of the {target.size} element(s) are NaN. Subscripts(s) and value(s) of the NaN element(s):\n"
                + _subscripts(np.isnan(target), target)
            )
        low = np.less_equal(target, lower_bound) if open_lower_bound else np.less(target, lower_bound)
        high = np.greater_equal(target, upper_bound) if open_upper_bound else np.greater(target, upper_bound)
        outside = np.logical_or(low, high)
        if outside.any():
            extent = f"{'(' if open_lower_bound else '['}{lower_bound}, {upper_bound}{')' if open_upper_bound else ']'}"
            raise AssertionError(
                f"{int(outside.sum())} of the {target.size} element(s) are outside the range {extent}. Subscript(s) and value(s) of the offending elements:\n"
                + _subscripts(outside, target)
            )

    def assertAllInSet(self, target: Any, expected_set: Any) -> None:
        extra = np.setdiff1d(self._GetNdArray(target).flatten(), list(expected_set))
        if extra.size:
            raise AssertionError(f"{extra.size} unique element(s) are not in the set {expected_set}: {extra}")

    def assertDTypeEqual(self, target: Any, expected_dtype: Any) -> None:
        self.assertEqual(self._GetNdArray(target).dtype, expected_dtype)

    def assertShapeEqual(self, np_array: Any, tf_tensor: Any, msg: str | None = None) -> None:
        if not isinstance(np_array, np.ndarray | np.generic):
            raise TypeError("np_array must be a Numpy ndarray or Numpy scalar")
        if not isinstance(tf_tensor, base.Tensor):
            raise TypeError("tf_tensor must be a Tensor")
        self.assertAllEqual(np_array.shape, tf_tensor.get_shape().as_list(), msg=msg)  # type: ignore[attr-defined]

    # -- the rest ----------------------------------------------------------------------------------------------------

    def assertProtoEquals(self, expected_message_maybe_ascii: Any, message: Any, msg: str | None = None) -> None:
        expected = expected_message_maybe_ascii
        if isinstance(expected, str):
            from google.protobuf import text_format

            expected = text_format.Parse(expected, type(message)())
        elif not isinstance(expected, type(message)):
            raise AssertionError(f"Can't compare protos of type {type(expected)} and {type(message)}. {msg or ''}")
        self.assertEqual(expected, message, msg)

    def assertProtoEqualsVersion(
        self, expected: Any, actual: Any, producer: int = 134, min_consumer: int = 0, msg: str | None = None
    ) -> None:
        self.assertProtoEquals(f"versions {{ producer: {producer} min_consumer: {min_consumer} }};\n{expected}", actual, msg=msg)

    def assertStartsWith(self, actual: str, expected_start: str, msg: str | None = None) -> None:
        if not actual.startswith(expected_start):
            self.fail(f"{actual!r} does not start with {expected_start!r}" + (f" : {msg!r}" if msg else ""))

    @contextlib.contextmanager
    def assertRaisesWithPredicateMatch(self, exception_type: Any, expected_err_re_or_predicate: Any) -> Iterator[None]:
        """The block raises such an exception, whose message and ops a pattern or a predicate fits."""

        def fits(error: Any) -> Any:
            if callable(expected_err_re_or_predicate):
                return expected_err_re_or_predicate(error)
            text = error.message if isinstance(error, OpError) else str(error)
            if isinstance(error, OpError) and error.op is not None:
                text += f"\nCaused by: {error.op.name}"
            return re.search(expected_err_re_or_predicate, text)

        try:
            yield
            self.fail(f"{exception_type.__name__} not raised")
        except Exception as e:
            if not isinstance(e, exception_type) or not fits(e):
                raise AssertionError(f"Exception of type {type(e)}: {e}") from e

    def assertRaisesOpError(self, expected_err_re_or_predicate: Any) -> Any:
        return self.assertRaisesWithPredicateMatch(OpError, expected_err_re_or_predicate)

    def assertDeviceEqual(self, device1: Any, device2: Any, msg: str | None = None) -> None:
        from runtime.tf1.device import DeviceSpec

        one, two = (DeviceSpec.from_string(d or "").to_string() if isinstance(d, str | None) else d.to_string() for d in (device1, device2))
        self.assertEqual(one, two, f"Devices {one} and {two} are not equal. {msg}")

    def assertRaisesRegexp(self, *args: Any, **kwargs: Any) -> Any:
        return self.assertRaisesRegex(*args, **kwargs)

    def assertItemsEqual(self, first: Any, second: Any, msg: Any = None) -> None:
        self.assertCountEqual(first, second, msg)

    def assertEmpty(self, container: Any, msg: Any = None) -> None:
        self.assertFalse(len(container), msg)

    def assertNotEmpty(self, container: Any, msg: Any = None) -> None:
        self.assertTrue(len(container), msg)

    def assertLen(self, container: Any, expected_len: int, msg: Any = None) -> None:
        self.assertEqual(len(container), expected_len, msg)

    def assertBetween(self, value: Any, minv: Any, maxv: Any, msg: Any = None) -> None:
        self.assertTrue(minv <= value <= maxv, msg or f'"{value!r}" unexpectedly not between "{minv!r}" and "{maxv!r}"')

    def assertSameElements(self, expected_seq: Any, actual_seq: Any, msg: Any = None) -> None:
        self.assertEqual(set(expected_seq), set(actual_seq), msg)

    def assertEndsWith(self, actual: str, expected_end: str, msg: Any = None) -> None:
        self.assertTrue(actual.endswith(expected_end), msg or f"{actual!r} does not end with {expected_end!r}")

    def assertSequenceAlmostEqual(self, expected_seq: Any, actual_seq: Any, places: Any = None, msg: Any = None, delta: Any = None) -> None:
        self.assertEqual(len(expected_seq), len(actual_seq), msg)
        for a, b in zip(expected_seq, actual_seq, strict=True):
            self.assertAlmostEqual(a, b, places=places, msg=msg, delta=delta)

    def assertContainsSubset(self, expected_subset: Any, actual_set: Any, msg: Any = None) -> None:
        self.assertFalse(set(expected_subset) - set(actual_set), msg)


class _Captured:
    """What was written to a stream."""

    text = ""

    def contents(self) -> str:
        return self.text


class _Nested(list):  # type: ignore[type-arg]
    """Rows of different lengths."""


def _plain_ragged(value: Any, case: TestCase) -> Any:
    if hasattr(value, "row_splits"):
        value = case.evaluate(value) if hasattr(value, "ragged_rank") and not hasattr(value, "to_list_value") else value
        return _Nested(value.to_list())
    return value


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, _Nested) else value.tolist() if isinstance(value, np.ndarray) else value


def _subscripts(mask: Any, value: Any, limit: int = 10) -> str:
    places = np.transpose(np.where(mask))
    lines = [f"  {p} : {value[tuple(p)]}" for p in places[:limit]]
    return "\n".join([*lines, *(["  ..."] if len(places) > limit else [])])


@export("test.main")
def main(argv: Any = None) -> None:
    """Run the tests of the script, or with --benchmarks=PATTERN its benchmarks."""
    from runtime.tf1.benchmark import benchmarks_main

    benchmarks_main(lambda: unittest.main(argv=argv), sys.argv if argv is None else argv)


@export("test.get_temp_dir")
def get_temp_dir() -> str:
    return os.environ.get("TEST_TMPDIR") or tempfile.gettempdir()


@export("test.test_src_dir_path")
def test_src_dir_path(relative_path: str) -> str:
    return os.path.join(os.environ.get("TEST_SRCDIR", ""), "org_tensorflow/tensorflow", relative_path)


@export("test.assert_equal_graph_def")
def assert_equal_graph_def(actual: Any, expected: Any, checkpoint_v2: bool = False, hash_table_shared_name: bool = False) -> None:
    """Two GraphDefs with the same nodes, in whatever order. Raises AssertionError."""
    kind = schema.message("GraphDef")
    for label, value in (("actual", actual), ("expected", expected)):
        if not isinstance(value, kind):
            raise TypeError(f"Expected tf.GraphDef for {label}, got {type(value).__name__}")
    mine, theirs = {n.name: n for n in actual.node}, {n.name: n for n in expected.node}
    for name in theirs:
        if name not in mine:
            raise AssertionError(f"Did not find expected node '{_summary(theirs[name])}'")
        a, b = (
            _comparable(mine[name], checkpoint_v2, hash_table_shared_name),
            _comparable(theirs[name], checkpoint_v2, hash_table_shared_name),
        )
        if a != b:
            raise AssertionError(f"Node named '{name}' differs: actual {_summary(a)}, expected {_summary(b)}")
    for name in mine:
        if name not in theirs:
            raise AssertionError(f"Found unexpected node '{_summary(mine[name])}'")


def _comparable(node: Any, checkpoint_v2: bool, shared_name: bool) -> Any:
    made = type(node)()
    made.CopyFrom(node)
    control = sorted(i for i in node.input if i.startswith("^"))
    del made.input[:]
    made.input.extend([i for i in node.input if not i.startswith("^")] + control)
    if checkpoint_v2:
        for value in made.attr.values():
            strings = value.tensor.string_val
            for i, text in enumerate(strings):
                strings[i] = re.sub(rb"_temp_[0-9a-z]{32}/part", b"_temp/part", text)
    if shared_name and node.op == "HashTableV2":
        del made.attr["shared_name"]
    return made


def _summary(node: Any) -> str:
    return f"{{{{node {node.name}}}}} = {node.op}({', '.join(node.input)})"


@export("test.StubOutForTesting")
class StubOutForTesting:
    """Replaces attributes of modules and classes until told to put them back."""

    def __init__(self) -> None:
        self._replaced: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> StubOutForTesting:
        return self

    def __exit__(self, *unused: Any) -> None:
        self.CleanUp()

    def CleanUp(self) -> None:
        for owner, name, old in reversed(self._replaced):
            setattr(owner, name, old)
        self._replaced = []

    SmartUnsetAll = UnsetAll = CleanUp

    def Set(self, parent: Any, child_name: str, new_child: Any) -> None:
        old = getattr(parent, child_name)
        if isinstance(getattr(parent, "__dict__", {}).get(child_name), staticmethod):
            old = staticmethod(old)
        self._replaced.append((parent, child_name, old))
        setattr(parent, child_name, new_child)

    SmartSet = Set


@export("test.create_local_cluster")
def create_local_cluster(num_workers: int, num_ps: int, protocol: str = "grpc", worker_config: Any = None, ps_config: Any = None) -> Any:
    """Servers of a cluster, all in this process."""
    from runtime.tf1.train.server_lib import ClusterSpec, Server

    spec = ClusterSpec(
        {"worker": [f"localhost:{2222 + i}" for i in range(num_workers)], "ps": [f"localhost:{3222 + i}" for i in range(num_ps)]}
    )
    workers = [Server(spec, job_name="worker", task_index=i, protocol=protocol, config=worker_config) for i in range(num_workers)]
    return workers, [Server(spec, job_name="ps", task_index=i, protocol=protocol, config=ps_config) for i in range(num_ps)]


@export("test.is_built_with_rocm")
def is_built_with_rocm() -> bool:
    return False


@export("test.is_built_with_gpu_support")
def is_built_with_gpu_support() -> bool:
    from runtime.tf1.system import is_built_with_cuda

    return is_built_with_cuda()
