"""tf.distributions and tf.contrib.distributions: sampling, densities, moments, divergences and bijectors."""
