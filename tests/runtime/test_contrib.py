"""The stand-in's tf.contrib: against NumPy, and against the core cells that compute the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from runtime.tf1.modules import load_core, module

load_core()
tf: Any = module("")


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def run(*fetches: Any) -> list[Any]:
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        return list(session.run(list(fetches)))


def uniform(shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
    return tf.constant(np.random.RandomState(int(np.prod(shape))).uniform(-0.5, 0.5, [int(d) for d in shape]).astype(np.float32))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_arg_scope_gives_defaults_that_calls_override() -> None:
    slim = tf.contrib.slim
    with slim.arg_scope([slim.fully_connected], activation_fn=None, scope="given") as captured:
        slim.fully_connected(tf.zeros([2, 3]), 4)
    with slim.arg_scope(captured):
        slim.fully_connected(tf.zeros([2, 3]), 4, scope="own")
    assert [v.op.name for v in slim.get_model_variables()] == ["given/weights", "given/biases", "own/weights", "own/biases"]
    assert not [op for op in tf.get_default_graph().get_operations() if op.type == "Relu"]


def test_arg_scope_refuses_functions_without_the_decorator() -> None:
    with pytest.raises(ValueError, match="is not decorated with @add_arg_scope"), tf.contrib.framework.arg_scope([len], x=1):
        pass


def test_layer_norm_is_normal_per_example() -> None:
    x = np.random.RandomState(0).randn(3, 4, 5).astype(np.float32)
    (found,) = run(tf.contrib.layers.layer_norm(tf.constant(x)))
    flat = x.reshape(3, -1)
    wanted = ((flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)).reshape(x.shape)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_batch_norm_updates_in_place_without_collections() -> None:
    x = np.random.RandomState(1).randn(6, 3).astype(np.float32) + 2
    out = tf.contrib.layers.batch_norm(tf.constant(x), decay=0.5, updates_collections=None, scope="bn")
    assert not tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    mean = next(v for v in tf.global_variables() if v.op.name == "bn/moving_mean")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found = session.run(out)
        np.testing.assert_allclose(session.run(mean), x.mean(0) * 0.5, rtol=1e-4)
    np.testing.assert_allclose(found, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), rtol=1e-3, atol=1e-4)


def test_regularizers_refuse_integers_and_sum_up() -> None:
    with pytest.raises(ValueError, match="scale cannot be an integer"):
        tf.contrib.layers.l2_regularizer(1)
    w = np.array([1.0, -2.0], np.float32)
    (found,) = run(tf.contrib.layers.l1_l2_regularizer(0.5, 0.25)(tf.constant(w)))
    assert found == pytest.approx(0.5 * 3 + 0.25 * 5 / 2)


@pytest.mark.parametrize("peephole", [False, True])
def test_block_cell_is_the_lstm_cell_and_has_its_gradient(peephole: bool) -> None:
    x = tf.constant(np.random.RandomState(2).randn(2, 5, 3).astype(np.float32))
    results = []
    for name, cell in (
        ("plain", tf.nn.rnn_cell.LSTMCell(4, use_peepholes=peephole)),
        ("block", tf.contrib.rnn.LSTMBlockCell(4, use_peephole=peephole)),
    ):
        with tf.variable_scope(name, initializer=uniform):
            outputs, _ = tf.nn.dynamic_rnn(cell, x, sequence_length=[5, 3], dtype=tf.float32)
        kernel = next(v for v in tf.trainable_variables() if v.op.name.startswith(name) and v.op.name.endswith("kernel"))
        results.append([outputs, tf.gradients(tf.reduce_sum(tf.square(outputs)), [kernel])[0]])
    (plain, plain_gradient), (block, block_gradient) = results
    found = run(plain, plain_gradient, block, block_gradient)
    # The op orders its gates i, c, f, o as LSTMCell does, and adds the same forget bias.
    np.testing.assert_allclose(found[0], found[2], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], found[3], rtol=1e-3, atol=1e-4)


def test_crf_normalises_over_all_sequences() -> None:
    rng = np.random.RandomState(3)
    unary, transitions = rng.randn(1, 4, 3).astype(np.float32), rng.randn(3, 3).astype(np.float32)
    scores = {}
    for tags in itertools.product(range(3), repeat=4):
        score = sum(unary[0, i, t] for i, t in enumerate(tags)) + sum(transitions[a, b] for a, b in itertools.pairwise(tags))
        scores[tags] = float(score)
    best = max(scores, key=scores.__getitem__)
    crf = tf.contrib.crf
    length = tf.constant([4])
    likelihood, _ = crf.crf_log_likelihood(tf.constant(unary), tf.constant([[0, 2, 1, 1]]), length, tf.constant(transitions))
    decoded, best_score = crf.crf_decode(tf.constant(unary), tf.constant(transitions), length)
    found, tags, score = run(likelihood, decoded, best_score)
    total = np.log(np.sum(np.exp(list(scores.values()))))
    assert found[0] == pytest.approx(scores[(0, 2, 1, 1)] - total, rel=1e-4)
    assert tuple(tags[0]) == best
    assert score[0] == pytest.approx(scores[best], rel=1e-4)
    assert tuple(crf.viterbi_decode(unary[0], transitions)[0]) == best


def test_luong_attention_attends_within_the_length() -> None:
    memory = np.random.RandomState(4).randn(2, 5, 3).astype(np.float32)
    query = np.random.RandomState(5).randn(2, 3).astype(np.float32)
    with tf.variable_scope("a", initializer=uniform):
        mechanism = tf.contrib.seq2seq.LuongAttention(3, tf.constant(memory), memory_sequence_length=tf.constant([5, 2]))
        alignments, _ = mechanism(tf.constant(query), mechanism.initial_state(2, tf.float32))
    found, keys = run(alignments, mechanism.keys)
    scores = np.einsum("bd,btd->bt", query, keys)
    scores[1, 2:] = -np.inf
    np.testing.assert_allclose(found, softmax(scores), rtol=1e-4, atol=1e-6)


def test_beam_search_finds_the_likeliest_sequence() -> None:
    """With as many beams as sequences, nothing is lost; the cell's next word depends on its last one only."""
    table = np.random.RandomState(6).randn(4, 4).astype(np.float32)

    class Chain(tf.nn.rnn_cell.RNNCell):  # type: ignore[misc,name-defined]
        state_size = property(lambda self: 1)
        output_size = property(lambda self: 4)

        def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
            return inputs, state

    steps, beams = 3, 16
    seq2seq = tf.contrib.seq2seq
    decoder = seq2seq.BeamSearchDecoder(Chain(), tf.constant(table), [1], 0, tf.zeros([beams, 1]), beams)
    outputs, _, _ = seq2seq.dynamic_decode(decoder, maximum_iterations=steps)
    (found,) = run(outputs.predicted_ids)
    logs = np.log(softmax(table))
    best, best_score = None, -np.inf
    for words in itertools.product(range(4), repeat=steps):
        end = words.index(0) + 1 if 0 in words else steps
        score = sum(logs[a, b] for a, b in itertools.pairwise((1, *words[:end])))
        if score > best_score:
            best, best_score = words[:end], score
    assert best is not None
    assert tuple(found[0, : len(best), 0]) == best


def test_sequence_loss_averages_over_the_weights() -> None:
    rng = np.random.RandomState(7)
    logits, targets = rng.randn(2, 3, 4).astype(np.float32), rng.randint(0, 4, (2, 3))
    weights = np.array([[1, 1, 0], [1, 0, 0]], np.float32)
    (found,) = run(tf.contrib.seq2seq.sequence_loss(tf.constant(logits), tf.constant(targets), tf.constant(weights)))
    losses = -np.log(np.take_along_axis(softmax(logits), targets[..., None], -1))[..., 0]
    assert found == pytest.approx(float((losses * weights).sum() / weights.sum()), rel=1e-5)


def test_legacy_buckets_share_their_variables() -> None:
    s2s = tf.contrib.legacy_seq2seq
    encoder = [tf.constant([1, 2]) for _ in range(3)]
    decoder = [tf.constant([0, 1]) for _ in range(3)]
    weights = [tf.ones([2]) for _ in range(3)]

    def model(e: Any, d: Any) -> Any:
        return s2s.embedding_attention_seq2seq(e, d, tf.nn.rnn_cell.GRUCell(3), 4, 4, 3)

    outputs, losses = s2s.model_with_buckets(encoder, decoder, decoder, weights, [(2, 2), (3, 3)], model)
    assert [len(o) for o in outputs] == [2, 3]
    names = [v.op.name for v in tf.trainable_variables()]
    # The encoder's embedding and GRU; the decoder's embedding, attention, GRU, and four linear layers.
    assert len(names) == len(set(names)) == (1 + 4) + (1 + 2 + 4 + 4 * 2)
    assert all(np.isfinite(v) for v in run(*losses))


def test_create_train_op_runs_update_ops_and_steps() -> None:
    slim = tf.contrib.slim
    counter = tf.Variable(0)
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign_add(counter, 1))
    weight = tf.Variable(2.0)
    train = slim.learning.create_train_op(tf.square(weight), tf.train.GradientDescentOptimizer(0.25))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(train) == pytest.approx(4.0)
        assert session.run([weight, counter, tf.train.get_global_step()]) == [pytest.approx(1.0), 1, 1]
