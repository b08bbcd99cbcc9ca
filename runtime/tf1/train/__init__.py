"""tf.train."""
