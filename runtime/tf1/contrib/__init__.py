"""tf.contrib: what scripts of TensorFlow 1.x took from outside the core API."""
