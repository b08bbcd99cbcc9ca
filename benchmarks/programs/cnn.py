"""Two 5x5 convolutions with pooling, 1024 units with dropout, batch 128 of 28x28, Adam."""

import numpy as np
import steps
import tensorflow as tf

rng = np.random.RandomState(0)
images = rng.uniform(size=(640, 784)).astype(np.float32)
labels = np.eye(10, dtype=np.float32)[rng.randint(0, 10, 640)]
x, y, keep = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10]), tf.placeholder(tf.float32)


def variable(*shape):
    return tf.Variable((0.05 * rng.normal(size=shape)).astype(np.float32))


net = tf.reshape(x, [-1, 28, 28, 1])
for channels, filters in ((1, 32), (32, 64)):
    net = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(net, variable(5, 5, channels, filters), [1, 1, 1, 1], "SAME"), variable(filters)))
    net = tf.nn.max_pool(net, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
net = tf.nn.relu(tf.matmul(tf.reshape(net, [-1, 7 * 7 * 64]), variable(7 * 7 * 64, 1024)) + variable(1024))
logits = tf.matmul(tf.nn.dropout(net, keep), variable(1024, 10)) + variable(10)
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits))
train = tf.train.AdamOptimizer(0.001).minimize(loss)
with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=steps.THREADS, inter_op_parallelism_threads=steps.THREADS)) as sess:
    sess.run(tf.global_variables_initializer())

    def step(i):
        part = slice(i % 5 * 128, i % 5 * 128 + 128)
        sess.run([train, loss], {x: images[part], y: labels[part], keep: 0.85})

    steps.measure(step, warmup=3)
