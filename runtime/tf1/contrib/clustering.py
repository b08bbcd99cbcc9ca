"""tf.contrib.factorization.KMeans: k-means clustering as a training graph."""

from __future__ import annotations

from typing import Any

from runtime.tf1.modules import module
from runtime.tf1.registry import export, put

tf: Any = module("")

SQUARED_EUCLIDEAN_DISTANCE, COSINE_DISTANCE = "squared_euclidean", "cosine"
RANDOM_INIT, KMEANS_PLUS_PLUS_INIT, KMC2_INIT = "random", "kmeans_plus_plus", "kmc2"
_OPS = "contrib.factorization.clustering_ops."
for _name, _value in (
    ("SQUARED_EUCLIDEAN_DISTANCE", SQUARED_EUCLIDEAN_DISTANCE), ("COSINE_DISTANCE", COSINE_DISTANCE), ("RANDOM_INIT", RANDOM_INIT),
    ("KMEANS_PLUS_PLUS_INIT", KMEANS_PLUS_PLUS_INIT), ("KMC2_INIT", KMC2_INIT),
):  # fmt: skip
    put(f"{_OPS}{_name}", _value)


@export("contrib.factorization.KMeans", f"{_OPS}KMeans")
class KMeans:
    """Clusters the rows of the inputs; its centers are the variable `clusters`."""

    def __init__(
        self, inputs: Any, num_clusters: Any, initial_clusters: Any = RANDOM_INIT, distance_metric: str = SQUARED_EUCLIDEAN_DISTANCE,
        use_mini_batch: bool = False, mini_batch_steps_per_iteration: int = 1, random_seed: int = 0, kmeans_plus_plus_num_retries: int = 2,
        kmc2_chain_length: int = 200,
    ) -> None:  # fmt: skip
        if isinstance(initial_clusters, str) and initial_clusters not in (RANDOM_INIT, KMEANS_PLUS_PLUS_INIT, KMC2_INIT):
            raise ValueError(f"Unsupported initialization algorithm '{initial_clusters}'")
        if distance_metric not in (SQUARED_EUCLIDEAN_DISTANCE, COSINE_DISTANCE):
            raise ValueError(f"Unsupported distance metric '{distance_metric}'")
        if initial_clusters in (KMEANS_PLUS_PLUS_INIT, KMC2_INIT) if isinstance(initial_clusters, str) else False:
            raise NotImplementedError(
                f"KMeans: initial_clusters={initial_clusters!r} is not supported by tfrevive's stand-in; use 'random', a function or the centers themselves."
            )
        self._inputs = inputs if isinstance(inputs, list) else [inputs]
        self._num_clusters, self._initial, self._seed = num_clusters, initial_clusters, random_seed
        self._cosine = distance_metric == COSINE_DISTANCE
        self._mini_batch, self._steps = use_mini_batch, int(mini_batch_steps_per_iteration)

    @property
    def _steps_apart(self) -> bool:
        """Whether centers are kept for several steps."""
        return self._mini_batch and self._steps > 1

    @property
    def _normalized(self) -> bool:
        return self._cosine and (not self._mini_batch or self._steps > 1)

    def _scores(self, inputs: Any, clusters: Any) -> Any:
        """Distances of a batch's rows to all centers."""
        if self._cosine:
            return 1 - tf.matmul(inputs, clusters, transpose_b=True)
        own = tf.reduce_sum(tf.square(inputs), 1, keepdims=True)
        return own - 2 * tf.matmul(inputs, clusters, transpose_b=True) + tf.transpose(tf.reduce_sum(tf.square(clusters), 1, keepdims=True))

    def _infer(self, inputs: list[Any], clusters: Any) -> tuple[Any, ...]:
        """(scores, distances, ids) of each batch."""
        found = []
        scores = [self._scores(inp, clusters) for inp in inputs]
        if self._cosine and not self._normalized:
            clusters = tf.nn.l2_normalize(clusters, dim=1)
        for inp, score in zip(inputs, scores, strict=True):
            own = tf.reduce_sum(tf.square(inp), 1, keepdims=True)
            squares = (
                own - 2 * tf.matmul(inp, clusters, transpose_b=True) + tf.transpose(tf.reduce_sum(tf.square(clusters), 1, keepdims=True))
            )
            nearest = tf.maximum(tf.reduce_min(squares, 1), 0.0)
            found.append((score, nearest * 0.5 if self._cosine else nearest, tf.argmin(squares, 1)))
        return tuple(zip(*found, strict=True))

    def training_graph(self) -> tuple[Any, ...]:
        """(scores, ids, distances, whether the centers are initialized, the op that does it, the training op)."""
        chosen = isinstance(self._initial, str) or callable(self._initial)
        initial = self._initial if chosen else tf.convert_to_tensor(self._initial)
        count = tf.convert_to_tensor(self._num_clusters) if chosen else tf.shape(initial)[0]
        inputs, empty = self._inputs, tf.constant([], dtype=tf.float32)
        centers = tf.Variable(empty, name="clusters", validate_shape=False)
        initialized = tf.Variable(False, dtype=tf.bool, name="initialized")
        updated, steps, counts = centers, None, None
        if self._steps_apart:
            updated = tf.Variable(empty, name="clusters_updated", validate_shape=False)
            steps = tf.Variable(self._steps, dtype=tf.int64, name="update_in_steps")
            counts = tf.Variable(tf.zeros([count], dtype=tf.int64))
        elif self._mini_batch:
            counts = tf.Variable(tf.ones([count], dtype=tf.int64))
        init = self._initializing(centers, updated, initialized, initial, count)
        used = centers
        if self._cosine:
            inputs = [tf.nn.l2_normalize(inp, dim=1) for inp in inputs]
            if not self._normalized:
                used = tf.nn.l2_normalize(centers, dim=1)
        scores, distances, ids = self._infer(inputs, used)
        if self._mini_batch:
            with tf.control_dependencies([self._synchronized(steps, centers, updated, counts)]):
                train = self._batch_step(inputs, ids, updated, counts)
        else:
            train = self._full_step(inputs, count, ids, centers)
        return scores, ids, distances, initialized, init, train

    def _initializing(self, centers: Any, updated: Any, initialized: Any, initial: Any, count: Any) -> Any:
        selected = tf.shape(centers)[0]
        remaining = count - selected
        rows = tf.add_n([tf.shape(inp)[0] for inp in self._inputs])

        def random() -> Any:
            at = tf.random_uniform(tf.reshape(remaining, [-1]), minval=0, maxval=tf.cast(rows, tf.int64), seed=self._seed, dtype=tf.int64)
            return tf.nn.embedding_lookup(self._inputs, at, partition_strategy="div")

        def first() -> Any:
            if isinstance(initial, str):
                return tf.cond(rows <= remaining, lambda: tf.concat(self._inputs, 0), random)
            if callable(initial):
                return initial(self._inputs, remaining)
            with tf.control_dependencies([tf.assert_equal(remaining, tf.shape(initial)[0])]):
                return tf.identity(initial)

        def initialize() -> Any:
            with tf.control_dependencies([tf.assert_positive(remaining)]):
                new = first()
                if self._cosine:
                    new = tf.nn.l2_normalize(new, dim=1)
                every = tf.cond(tf.equal(selected, 0), lambda: new, lambda: tf.concat([centers, new], 0))
                a = tf.assign(centers, every, validate_shape=False)
                if updated is not centers:
                    a = tf.assign(updated, a, validate_shape=False)
                left = count - tf.shape(a)[0]
                return tf.cond(tf.equal(left, 0), lambda: tf.assign(initialized, True), tf.no_op)

        return tf.cond(tf.equal(remaining, 0), lambda: tf.assert_equal(initialized, True), initialize)

    def _synchronized(self, steps: Any, centers: Any, updated: Any, counts: Any) -> Any:
        if not self._steps_apart:
            return tf.no_op()

        def exchange() -> Any:
            with tf.control_dependencies([tf.assign(steps, self._steps - 1)]):
                new = tf.nn.l2_normalize(updated, dim=1) if self._cosine else updated
                with (
                    tf.control_dependencies([tf.assign(centers, new)]),
                    tf.control_dependencies([tf.assign(counts, tf.zeros_like(counts))]),
                ):
                    return tf.identity(steps)

        return tf.cond(steps <= 0, exchange, lambda: tf.assign_sub(steps, 1))

    @staticmethod
    def _batch_step(inputs: list[Any], ids: Any, centers: Any, counts: Any) -> Any:
        updates = []
        for inp, own in zip(inputs, ids, strict=True):
            unique, places = tf.unique(tf.reshape(own, [-1]))
            number = tf.size(unique)
            before, old = tf.gather(counts, unique), tf.gather(centers, unique)
            more = tf.unsorted_segment_sum(tf.ones_like(places, dtype=counts.dtype.base_dtype), places, number)
            moved = tf.unsorted_segment_sum(inp, places, number)
            shape = tf.concat([tf.reshape(number, [1]), tf.ones(tf.reshape(tf.rank(inp) - 1, [1]), dtype=tf.int32)], 0)
            moved -= tf.cast(tf.reshape(more, shape), inp.dtype) * old
            moved *= tf.reshape(tf.reciprocal(tf.cast(before + more, inp.dtype)), shape)
            updates += [tf.scatter_add(counts, unique, more), tf.scatter_add(centers, unique, moved)]
        return tf.group(*updates)

    def _full_step(self, inputs: list[Any], count: Any, ids: Any, centers: Any) -> Any:
        sums, counts = [], []
        epsilon = tf.constant(1e-6, dtype=inputs[0].dtype)
        for inp, own in zip(inputs, ids, strict=True):
            sums.append(tf.unsorted_segment_sum(inp, own, count))
            ones = tf.reshape(tf.ones(tf.reshape(tf.shape(inp)[0], [-1])), [-1, 1])
            counts.append(tf.unsorted_segment_sum(ones, own, count))
        new = tf.add_n(sums) / (tf.cast(tf.add_n(counts), sums[0].dtype) + epsilon)
        if self._normalized:
            new = tf.nn.l2_normalize(new, dim=1)
        return tf.assign(centers, new)
