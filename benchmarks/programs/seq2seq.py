"""LSTM encoder and decoder of 128 units with Luong attention, 1000 words, batch 32, 20 steps, clipped gradients, Adam."""

import numpy as np
import steps
import tensorflow as tf
from tensorflow.python.layers.core import Dense

WORDS, UNITS, BATCH, LENGTH = 1000, 128, 32, 20
seq2seq = tf.contrib.seq2seq
rng = np.random.RandomState(0)
source, given, wanted = (tf.placeholder(tf.int32, [None, None]) for _ in range(3))
source_length, length = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.int32, [None])
with tf.variable_scope("encoder"):
    embedded = tf.nn.embedding_lookup(tf.get_variable("words", [WORDS, UNITS]), source)
    memory, state = tf.nn.dynamic_rnn(tf.contrib.rnn.BasicLSTMCell(UNITS), embedded, source_length, dtype=tf.float32)
with tf.variable_scope("decoder"):
    attention = seq2seq.LuongAttention(UNITS, memory, memory_sequence_length=source_length, scale=True)
    cell = seq2seq.AttentionWrapper(tf.contrib.rnn.BasicLSTMCell(UNITS), attention, attention_layer_size=UNITS)
    helper = seq2seq.TrainingHelper(tf.nn.embedding_lookup(tf.get_variable("words", [WORDS, UNITS]), given), length)
    start = cell.zero_state(tf.shape(source)[0], tf.float32).clone(cell_state=state)
    decoded, _, _ = seq2seq.dynamic_decode(seq2seq.BasicDecoder(cell, helper, start, Dense(WORDS, use_bias=False)))
losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=wanted, logits=decoded.rnn_output)
loss = tf.reduce_sum(losses * tf.sequence_mask(length, tf.shape(wanted)[1], dtype=tf.float32)) / tf.to_float(tf.shape(source)[0])
variables = tf.trainable_variables()
gradients, _ = tf.clip_by_global_norm(tf.gradients(loss, variables), 5.0)
train = tf.train.AdamOptimizer(0.001).apply_gradients(zip(gradients, variables))  # noqa: B905 - also runs on Python 3.7
batches = [rng.randint(3, WORDS, (3, BATCH, LENGTH)) for _ in range(8)]
lengths = np.full(BATCH, LENGTH)
with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=steps.THREADS, inter_op_parallelism_threads=steps.THREADS)) as sess:
    sess.run(tf.global_variables_initializer())

    def step(i):
        a, b, c = batches[i % 8]
        sess.run([train, loss], {source: a, source_length: lengths, given: b, wanted: c, length: lengths})

    steps.measure(step, warmup=4)
