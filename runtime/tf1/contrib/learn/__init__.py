"""tf.contrib.learn: the Estimators before tf.estimator, and what belongs to them."""
