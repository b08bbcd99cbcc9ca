"""tf.test.TestCase and tf.test.main."""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
import unittest
from collections.abc import Iterator
from typing import Any

import numpy as np

from runtime.tf1.client import Session
from runtime.tf1.graph import Graph, _graphs, get_default_graph, reset_default_graph
from runtime.tf1.random_ops import set_random_seed
from runtime.tf1.registry import export


@export("test.TestCase")
class TestCase(unittest.TestCase):
    """A unit test with sessions and comparisons of arrays."""

    def setUp(self) -> None:
        super().setUp()
        random.seed(87654321)
        np.random.seed(87654321)
        if not _graphs.stack:
            reset_default_graph()
        set_random_seed(87654321)

    def get_temp_dir(self) -> str:
        if not hasattr(self, "_folder"):
            self._folder = tempfile.mkdtemp()
        return self._folder

    @contextlib.contextmanager
    def session(self, graph: Graph | None = None, config: Any = None, use_gpu: bool = False, force_gpu: bool = False) -> Iterator[Any]:
        with Session(graph=graph or get_default_graph(), config=config) as made:
            yield made

    test_session = session
    cached_session = session

    def evaluate(self, tensors: Any) -> Any:
        from runtime.tf1.client import get_default_session

        session = get_default_session()
        if session is not None:
            return session.run(tensors)
        with self.session() as made:
            return made.run(tensors)

    def _array(self, value: Any) -> Any:
        return np.asarray(self.evaluate(value) if hasattr(value, "eval") else value)

    def assertAllClose(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None) -> None:
        if isinstance(a, dict):
            self.assertEqual(sorted(a), sorted(b), msg)
            for key in a:
                self.assertAllClose(a[key], b[key], rtol, atol, msg)
            return
        np.testing.assert_allclose(self._array(a), self._array(b), rtol=rtol, atol=atol, err_msg=msg or "")

    def assertAllCloseAccordingToType(self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, **loose: Any) -> None:
        a, b = self._array(a), self._array(b)
        if np.float16 in (a.dtype, b.dtype):
            rtol, atol = max(rtol, loose.get("half_rtol", 1e-3)), max(atol, loose.get("half_atol", 1e-3))
        elif np.float32 in (a.dtype, b.dtype):
            rtol, atol = max(rtol, loose.get("float_rtol", 1e-6)), max(atol, loose.get("float_atol", 1e-6))
        self.assertAllClose(a, b, rtol, atol, loose.get("msg"))

    def assertAllEqual(self, a: Any, b: Any, msg: str | None = None) -> None:
        np.testing.assert_array_equal(self._array(a), self._array(b), err_msg=msg or "")

    def assertNear(self, f1: float, f2: float, err: float, msg: str | None = None) -> None:
        self.assertTrue(f1 == f2 or abs(f1 - f2) <= err, msg or f"{f1} != {f2} +/- {err}")

    def assertArrayNear(self, farray1: Any, farray2: Any, err: float, msg: str | None = None) -> None:
        self.assertEqual(len(farray1), len(farray2), msg)
        for a, b in zip(farray1, farray2, strict=True):
            self.assertNear(float(a), float(b), err, msg)

    def assertShapeEqual(self, np_array: Any, tf_tensor: Any, msg: str | None = None) -> None:
        self.assertEqual(list(np_array.shape), tf_tensor.get_shape().as_list(), msg)

    def assertAllGreater(self, a: Any, comparison_target: Any) -> None:
        self.assertTrue((self._array(a) > comparison_target).all())

    def assertAllLess(self, a: Any, comparison_target: Any) -> None:
        self.assertTrue((self._array(a) < comparison_target).all())

    def assertStartsWith(self, actual: str, expected_start: str, msg: str | None = None) -> None:
        self.assertTrue(actual.startswith(expected_start), msg or f"{actual!r} does not start with {expected_start!r}")


@export("test.main")
def main(argv: Any = None) -> None:
    """Run the tests of the script."""
    unittest.main(argv=argv)


@export("test.get_temp_dir")
def get_temp_dir() -> str:
    return os.environ.get("TEST_TMPDIR") or tempfile.gettempdir()
