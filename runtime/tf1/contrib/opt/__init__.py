"""tf.contrib.opt: optimizers beyond those of tf.train, and wrappers of optimizers."""
