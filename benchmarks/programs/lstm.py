"""BasicLSTMCell(128) over 28 steps of 28 numbers by dynamic_rnn, batch 128, Adam."""

import numpy as np
import steps
import tensorflow as tf

rng = np.random.RandomState(0)
images = rng.uniform(size=(640, 28, 28)).astype(np.float32)
labels = np.eye(10, dtype=np.float32)[rng.randint(0, 10, 640)]
x, y = tf.placeholder(tf.float32, [None, 28, 28]), tf.placeholder(tf.float32, [None, 10])
outputs, _ = tf.nn.dynamic_rnn(tf.contrib.rnn.BasicLSTMCell(128), x, dtype=tf.float32)
w, b = tf.Variable((0.1 * rng.normal(size=(128, 10))).astype(np.float32)), tf.Variable(tf.zeros([10]))
logits = tf.matmul(outputs[:, -1], w) + b
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits))
train = tf.train.AdamOptimizer(0.001).minimize(loss)
with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=steps.THREADS, inter_op_parallelism_threads=steps.THREADS)) as sess:
    sess.run(tf.global_variables_initializer())

    def step(i):
        part = slice(i % 5 * 128, i % 5 * 128 + 128)
        sess.run([train, loss], {x: images[part], y: labels[part]})

    steps.measure(step, warmup=2)
