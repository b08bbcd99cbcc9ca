"""tensorflow.python.client.timeline and add_run_metadata, as a script uses them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from runtime.script import run_script

SCRIPT = """
import tensorflow as tf
from tensorflow.python.client import timeline

x = tf.placeholder(tf.float32, [2, 3], name="x")
w = tf.Variable(tf.ones([3, 2]), name="w")
y = tf.reduce_sum(tf.matmul(x, w, name="product") * tf.random_uniform([2, 2], seed=1), name="total")
step = tf.train.GradientDescentOptimizer(0.1).minimize(y)
_, looped = tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, tf.matmul(a, a, name="square")), [0, tf.eye(2)])
metadata = tf.RunMetadata()
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    sess.run([y, step, looped], {x: [[1, 2, 3], [4, 5, 6]]}, options=tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), run_metadata=metadata)
    writer = tf.summary.FileWriter("events", sess.graph)
    writer.add_run_metadata(metadata, "step 1", 1)
    writer.close()
trace = timeline.Timeline(metadata.step_stats).generate_chrome_trace_format(show_memory=True)
peaks = timeline.Timeline(step_stats=metadata.step_stats).analyze_step_stats().allocator_maximums
"""


def test_a_script_writes_a_timeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    made = run_script(tmp_path / "script.py", device="cpu")
    events = json.loads(made["trace"])["traceEvents"]
    processes = [e["args"]["name"] for e in events if e["ph"] == "M"]
    assert processes[:2] == ["Allocators", "/job:localhost/replica:0/task:0/device:CPU:0 Compute"]
    ops = [e for e in events if e["ph"] == "X"]
    product = next(e for e in ops if e["args"]["name"] == "product")
    assert product["args"] == {"name": "product", "op": "MatMul", "input0": "x", "input1": "w/read"}
    assert product["dur"] >= 1
    assert sum(e["args"]["name"].endswith("square") for e in ops) == 4
    for lane in {e["tid"] for e in ops}:  # ops of one lane do not overlap
        spans = sorted((e["ts"], e["ts"] + e["dur"]) for e in ops if e["tid"] == lane)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert made["peaks"]["cpu"].num_bytes > 0
    (file,) = (tmp_path / "events").iterdir()
    from graphtools.formats import schema
    from runtime.host import records

    logged = [schema.parse("Event", r) for r in records.read_file(str(file))]
    (tagged,) = [e.tagged_run_metadata for e in logged if e.HasField("tagged_run_metadata")]
    assert tagged.tag == "step 1"
    assert schema.parse("RunMetadata", tagged.run_metadata) == made["metadata"]
