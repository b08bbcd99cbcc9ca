"""tf.keras as TensorFlow 1.15 has it: Keras in graph mode."""
