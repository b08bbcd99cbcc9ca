"""784-256-10 with relu and softmax cross entropy, batch 100, Adam."""

import numpy as np
import steps
import tensorflow as tf

rng = np.random.RandomState(0)
images = rng.uniform(size=(1000, 784)).astype(np.float32)
labels = np.eye(10, dtype=np.float32)[rng.randint(0, 10, 1000)]
x, y = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
w1 = tf.Variable((0.05 * rng.normal(size=(784, 256))).astype(np.float32))
w2 = tf.Variable((0.05 * rng.normal(size=(256, 10))).astype(np.float32))
b1, b2 = tf.Variable(tf.zeros([256])), tf.Variable(tf.zeros([10]))
logits = tf.matmul(tf.nn.relu(tf.matmul(x, w1) + b1), w2) + b2
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits))
train = tf.train.AdamOptimizer(0.001).minimize(loss)
with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=steps.THREADS, inter_op_parallelism_threads=steps.THREADS)) as sess:
    sess.run(tf.global_variables_initializer())

    def step(i):
        part = slice(i % 10 * 100, i % 10 * 100 + 100)
        sess.run([train, loss], {x: images[part], y: labels[part]})

    steps.measure(step, warmup=1)
