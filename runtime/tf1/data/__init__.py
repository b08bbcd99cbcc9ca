"""tf.data of the stand-in."""
