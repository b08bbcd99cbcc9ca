"""Session: fetches, feeds, state and the order of reads and writes, on graphs built by hand."""

from __future__ import annotations

import collections
import platform
import sys
import threading
from typing import Any

import numpy as np
import pytest

from graphtools.dtypes import float32, int32, int64, string
from graphtools.graph import Graph
from runtime import errors
from runtime.session import Session


def variable(graph: Graph, name: str, value: Any) -> tuple[Any, Any]:
    """A ref variable and the op that initialises it."""
    value = np.asarray(value, np.float32)
    ref = graph.op("VariableV2", name=name, dtype=float32, shape=value.shape)
    init = graph.op("Assign", ref, graph.constant(value, float32, f"{name}/value"), name=f"{name}/Assign")
    return ref, init.node


def test_fetch_structures() -> None:
    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=(None,), name="x")
    y = graph.op("Mul", x, graph.constant(2.0, float32), name="y")
    pair = collections.namedtuple("pair", "a b")
    session = Session(graph, device="cpu")
    feed = {"x:0": [1.0, 2.0]}
    assert session.run(y.node, feed) is None
    got = session.run({"first": [y, "y:0"], "second": pair(x, (y,))}, feed)
    np.testing.assert_array_equal(got["first"][1], [2, 4])
    np.testing.assert_array_equal(got["second"].b[0], [2, 4])
    assert isinstance(got["second"], pair)


@pytest.mark.parametrize(
    ("fetch", "error"), [(None, TypeError), ("nothing:0", ValueError), (3, TypeError)], ids=["None", "unknown name", "number"]
)
def test_bad_fetches(fetch: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="Fetch argument"):
        Session(Graph(), device="cpu").run(fetch)


def test_feeds_are_checked() -> None:
    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=(None, 3), name="x")
    session = Session(graph, device="cpu")
    with pytest.raises(ValueError, match=r"Cannot feed value of shape \(2, 2\) for Tensor 'x:0', which has shape '\(\?, 3\)'"):
        session.run(x, {x: np.zeros((2, 2))})
    with pytest.raises(errors.InvalidArgumentError, match="You must feed a value for placeholder tensor 'x'"):
        session.run(x)


def test_any_tensor_may_be_fed() -> None:
    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=(2,), name="x")
    middle = graph.op("Exp", x, name="middle")
    y = graph.op("Neg", middle, name="y")
    np.testing.assert_array_equal(Session(graph, device="cpu").run(y, {middle: [1.0, 2.0]}), [-1, -2])


def test_constants_that_onnx_runtime_refuses_are_invalid_arguments() -> None:
    graph = Graph()
    y = graph.op("FloorDiv", graph.constant(3, int32), graph.constant(0, int32), name="y")
    with pytest.raises(errors.InvalidArgumentError, match=r"^Integer division by zero$"):
        Session(graph, device="cpu").run(y)


def test_uninitialized_variable_is_named() -> None:
    graph = Graph()
    ref, init = variable(graph, "w", [1.0])
    read = graph.op("Identity", ref, name="w/read")
    session = Session(graph, device="cpu")
    with pytest.raises(errors.FailedPreconditionError, match="uninitialized value w"):
        session.run(read)
    session.run(init)
    np.testing.assert_array_equal(session.run(read), [1])


def test_reads_see_the_writes_they_depend_on() -> None:
    """As in TensorFlow: what is computed before a write is so from the old value, what is computed after it from the new, through
    whichever read; a fetched read shares the variable's buffer, and so gives the last."""
    graph = Graph()
    ref, init = variable(graph, "v", [1.0])
    before = graph.op("Identity", ref, name="before")
    write = graph.op("AssignAdd", ref, graph.constant([10.0], float32), name="write")
    with graph.control_dependencies([write.node]):
        after = graph.op("Neg", before, name="after")
    negated = graph.op("Neg", before, name="negated")
    session = Session(graph, device="cpu")
    session.run(init)
    got = session.run([negated, after, before, ref, write])
    assert [float(v[0]) for v in got] == [-1.0, -11.0, 11.0, 11.0, 11.0]
    assert float(session.run(ref)[0]) == 11.0


def test_two_writes_both_count() -> None:
    graph = Graph()
    ref, init = variable(graph, "v", [0.0])
    writes = [graph.op("AssignAdd", ref, graph.constant([n], float32), name=f"add_{n}").node for n in (1.0, 2.0)]
    session = Session(graph, device="cpu")
    session.run(init)
    session.run(writes)
    assert float(session.run(ref)[0]) == 3.0


def test_fetched_values_are_the_callers_own() -> None:
    graph = Graph()
    ref, init = variable(graph, "v", [1.0, 2.0])
    session = Session(graph, device="cpu")
    session.run(init)
    session.run(ref)[:] = 7
    np.testing.assert_array_equal(session.run(ref), [1, 2])


def test_an_assigned_feed_is_copied() -> None:
    graph = Graph()
    ref, _ = variable(graph, "v", [0.0, 0.0])
    x = graph.op("Placeholder", dtype=float32, shape=(2,), name="x")
    assign = graph.op("Assign", ref, x, name="set").node
    session = Session(graph, device="cpu")
    value = np.array([1.0, 2.0], np.float32)
    session.run(assign, {x: value})
    value[:] = 9
    np.testing.assert_array_equal(session.run(ref), [1, 2])


def test_plans_are_made_once() -> None:
    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=None, name="x")
    y = graph.op("Neg", x, name="y")
    session = Session(graph, device="cpu")
    for size in (1, 2, 3):
        session.run(y, {x: np.zeros(size)})
    assert len(session._plans) == 1
    session.run(y, {x: np.zeros((1, 1))})
    assert len(session._plans) == 2


def test_the_graph_may_grow_between_runs() -> None:
    graph = Graph()
    a = graph.constant([1.0], float32)
    session = Session(graph, device="cpu")
    session.run(a)
    np.testing.assert_array_equal(session.run(graph.op("Neg", a)), [-1])


def test_strings_are_bytes() -> None:
    graph = Graph()
    x = graph.op("Placeholder", dtype=string, shape=None, name="x")
    y = graph.op("Identity", x, name="y")
    session = Session(graph, device="cpu")
    assert session.run(y, {x: "häuser"}) == "häuser".encode()
    assert session.run(y, {x: ["a", b"\xff"]}).tolist() == [b"a", b"\xff"]


def test_threads_count_without_loss() -> None:
    graph = Graph()
    ref, init = variable(graph, "n", 0.0)
    add = graph.op("AssignAdd", ref, graph.constant(1.0, float32), name="add").node
    session = Session(graph, device="cpu")
    session.run(init)

    def work() -> None:
        for _ in range(50):
            session.run(add)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert float(session.run(ref)) == 200.0


def test_a_closed_session_refuses() -> None:
    graph = Graph()
    x = graph.constant([1], int32)
    with Session(graph, device="cpu") as session:
        session.run(x)
    with pytest.raises(RuntimeError, match="closed Session"):
        session.run(x)


def test_shape_errors_at_run_name_the_node() -> None:
    graph = Graph()
    a = graph.op("Placeholder", dtype=float32, shape=(None, None), name="a")
    b = graph.op("Placeholder", dtype=float32, shape=(None, None), name="b")
    product = graph.op("MatMul", a, b, name="product")
    with pytest.raises(errors.InvalidArgumentError, match="product"):
        Session(graph, device="cpu").run(product, {a: np.zeros((2, 3)), b: np.zeros((2, 3))})


def test_denormals_are_zero_while_a_segment_runs_only() -> None:
    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=(None,), name="x")
    half = graph.op("Mul", x, graph.constant(0.5, float32))
    tiny = np.array([1e-39, 1.5e-38, 1.0], np.float32)
    got = Session(graph, device="cpu").run(half, {x: tiny})
    assert got[2] == 0.5
    if platform.machine() == "x86_64" and sys.platform == "linux":
        np.testing.assert_array_equal(got, np.array([0, 0, 0.5], np.float32))
    assert (tiny * np.float32(0.5))[0] > 0


def test_a_count_comes_before_what_is_computed_from_it() -> None:
    """Keras up to 2.2 counts its iterations and reads them in one run, in no order; on TensorFlow the count comes first."""
    graph = Graph()
    ref = graph.op("VariableV2", shape=(), dtype=int64, name="iterations")
    init = graph.op("Assign", ref, graph.constant(np.int64(0), int64)).node
    count = graph.op("AssignAdd", ref, graph.constant(np.int64(1), int64)).node
    step = graph.op("Add", graph.op("Cast", graph.op("Identity", ref), DstT=float32), graph.constant(np.float32(1), float32))
    session = Session(graph, device="cpu")
    session.run(init)
    assert [float(session.run([step, count])[0]) for _ in range(2)] == [2.0, 3.0]


def test_a_condition_that_is_a_variable_is_its_value() -> None:
    from runtime.tf1 import importer

    with importer.installed() as tf, tf.Graph().as_default():
        is_training = tf.Variable(False)
        x = tf.placeholder(tf.float32, [None])
        y = tf.cond(is_training, lambda: tf.nn.dropout(x, 0.5), lambda: x)
        with tf.Session() as sess:
            sess.run(is_training.initializer)
            np.testing.assert_array_equal(sess.run(y, {x: np.ones(50)}), np.ones(50))
            sess.run(is_training.assign(True))
            assert set(sess.run(y, {x: np.ones(50)})) == {0.0, 2.0}


def test_gradients_of_an_array_of_which_the_last_element_is_read() -> None:
    """The gradient of what is not read is zeros of a shape that is known when the model runs."""
    from runtime.tf1 import importer

    with importer.installed() as tf, tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, None, 2])
        steps = tf.shape(x)[0]
        w = tf.constant([[0.5, -0.25], [1.0, 0.75]])
        inputs = tf.TensorArray(tf.float32, size=steps).unstack(x)
        outputs = tf.TensorArray(tf.float32, size=steps)

        def step(i, array, state):  # type: ignore[no-untyped-def]
            state = tf.tanh(tf.matmul(state, w) + inputs.read(i))
            return i + 1, array.write(i, state), state

        start = tf.zeros([tf.shape(x)[1], 2])
        shapes = [tf.TensorShape([]), tf.TensorShape(None), tf.TensorShape([None, None])]
        _, array, state = tf.while_loop(lambda i, *_: i < steps, step, [0, outputs, start], shape_invariants=shapes)
        last, other = array.read(steps - 1), tf.gradients(state, x)[0]
        value = np.linspace(-1, 1, 12).reshape(3, 2, 2)
        with tf.Session() as sess:
            got, wanted = sess.run([tf.gradients(last, x)[0], other], {x: value})
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
        assert np.abs(got).min() > 0


def test_gradients_of_looking_up_a_resource_variable_in_a_loop() -> None:
    from runtime.tf1 import importer

    with importer.installed() as tf, tf.Graph().as_default():
        table = tf.Variable(np.ones((5, 3), "f"), use_resource=True)
        ids = tf.placeholder(tf.int32, [None, 4])
        rows = tf.shape(ids)[0]
        inputs, outputs = tf.TensorArray(tf.int32, size=rows).unstack(ids), tf.TensorArray(tf.float32, size=rows)
        _, found = tf.while_loop(
            lambda i, _: i < rows, lambda i, t: (i + 1, t.write(i, tf.nn.embedding_lookup(table, inputs.read(i)))), [0, outputs]
        )
        gradient = tf.convert_to_tensor(tf.gradients(tf.reduce_sum(found.stack()), table)[0])
        with tf.Session() as sess:
            sess.run(table.initializer)
            got = sess.run(gradient, {ids: [[0, 1, 1, 2], [4, 4, 0, 1]]})
        np.testing.assert_array_equal(got[:, 0], [2, 3, 1, 0, 2])


def test_keras_functions_take_tensors_and_feeds_that_change() -> None:
    from runtime.tf1 import importer

    with importer.installed() as tf, tf.Graph().as_default():
        backend = tf.keras.backend
        x, y = backend.placeholder(shape=()), backend.placeholder(shape=())
        feeds = {y: 3.0}
        f = backend.function([x], [x + y], feed_dict=feeds)
        assert f([10.0]) == [13.0]
        feeds[y] = 4.0
        assert f([tf.constant(5.0) * 2.0]) == [14.0]


def test_what_is_inside_a_branch_or_a_loop_is_not_fetched() -> None:
    from runtime.tf1 import importer

    with importer.installed() as tf, tf.Graph().as_default():
        inside: list[Any] = []

        def keep(value: Any) -> Any:
            inside.append(value)
            return value

        tf.cond(tf.placeholder(tf.bool, []), lambda: keep(tf.constant(1.0) + 1.0), lambda: tf.constant(2.0))
        tf.while_loop(lambda i: i < 3, lambda i: keep(i + 1), [0])
        with tf.Session() as session:
            for fetch in (inside[0], inside[1].op):
                with pytest.raises(ValueError, match="has been marked as not fetchable"):
                    session.run(fetch)
