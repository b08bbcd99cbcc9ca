"""One weight and one bias, one sample a step, gradient descent."""

import numpy as np
import steps
import tensorflow as tf

x, y = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
w, b = tf.Variable(0.1), tf.Variable(0.0)
loss = tf.square(w * x + b - y)
train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
xs = np.linspace(-1, 1, 64)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    steps.measure(lambda i: sess.run([train, loss], {x: xs[i % 64], y: 3 * xs[i % 64] + 1}), warmup=0.5)
