"""tf.keras.applications: the image classifiers, built layer for layer; their weights are read from Keras' cache and never downloaded."""
