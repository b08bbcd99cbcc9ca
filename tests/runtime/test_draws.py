"""Random numbers of loops, drawn before them: TensorFlow's numbers, and loops that ONNX Runtime runs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest

from graphtools.graph import Graph
from runtime import draws, plan
from runtime.script import run_script

# A recurrent network with dropout on all sides, trained, and a loop that counts in twos. One iteration at a time: with more, TensorFlow
# hands the numbers of a stream to iterations in the order in which they happen to ask.
SCRIPT = """
import numpy as np
import tensorflow as tf

tf.set_random_seed(7)
x = tf.placeholder(tf.float32, [None, 5, 3])
cell = tf.nn.rnn_cell.GRUCell(4, kernel_initializer=tf.constant_initializer(0.3))
cell = tf.nn.rnn_cell.DropoutWrapper(cell, input_keep_prob=0.7, state_keep_prob=0.6, output_keep_prob=0.8)
out, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32, parallel_iterations=1)
loss = tf.reduce_mean(out**2)
train = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
_, drawn = tf.while_loop(lambda i, t: (i < 9) & (i < 100), lambda i, t: (i + 2, t + tf.random_normal([2], seed=5)), [1, tf.zeros([2])])
results = []
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for n in range(4):
        value = np.linspace(-1, 1, (2 + n % 2) * 15).reshape(-1, 5, 3)
        results.append((sess.run([loss, train], {x: value})[0], *sess.run(drawn)))
"""

# By TensorFlow 1.15.5: the loss, and the numbers added up.
RECORDED = [
    (0.099618, -0.94504, 2.12821),
    (0.224074, -1.6158, -3.65976),
    (0.083867, -0.35525, 0.2032),
    (0.127549, -2.67442, -3.47713),
]


@pytest.mark.parametrize("is_hoisted", [True, False], ids=["before the loop", "in the loop"])
def test_numbers_are_tensorflows(is_hoisted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Graph] = []
    original = draws.hoist

    def hoist(graph: Graph, shared: Collection[str]) -> None:
        if is_hoisted:
            original(graph, shared)
        made.append(graph)

    monkeypatch.setattr(plan.draws, "hoist", hoist)
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    results = run_script(path)["results"]
    np.testing.assert_allclose(results, RECORDED, rtol=1e-4, atol=2e-5)
    drawn = [n for g in made for n in g if n.op == "_DrawsOfRounds"]
    assert bool(drawn) is is_hoisted
    if is_hoisted:
        assert {n.attr["shape"][0] for n in drawn} == {5}  # of the loop that counts from 0 by ones


def test_loops_of_unknown_length_draw_as_they_run(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(
        "import tensorflow as tf\n"
        "n = tf.placeholder(tf.int32, [])\n"
        "_, total = tf.while_loop(lambda i, t: i < n, lambda i, t: (i + 1, t + tf.random_uniform([], seed=3)), [0, 0.0])\n"
        "with tf.Session() as sess:\n    results = [sess.run(total, {n: k}) for k in (0, 1, 3)]\n"
    )
    results = run_script(path)["results"]
    assert results[0] == 0 and 0 < results[1] < 1 and results[2] > 0
