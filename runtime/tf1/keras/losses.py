"""tf.keras.losses."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras import backend as K
from runtime.tf1.keras import backend_ops as ops
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.serialization import deserialize_keras_object, serialize_keras_object, takes
from runtime.tf1.losses import broadcast_weights
from runtime.tf1.registry import export


class Reduction:
    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


def squeeze_or_expand(y_pred: Any, y_true: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Ranks brought together where they differ by a last dimension of 1."""
    if y_true is not None:
        predicted, true = y_pred.shape.ndims, y_true.shape.ndims
        if predicted is not None and true is not None and (true - predicted != 0 or y_pred.shape.as_list()[-1] == 1):
            if predicted - true == 1 and y_pred.shape.as_list()[-1] == 1:
                y_pred = tf.squeeze(y_pred, [-1])
            elif true - predicted == 1 and y_true.shape.as_list()[-1] == 1:
                y_true = tf.squeeze(y_true, [-1])
    if sample_weight is None:
        return y_pred, y_true, None
    weights_rank, rank = sample_weight.shape.ndims, y_pred.shape.ndims
    if weights_rank == 0 or weights_rank is None or rank is None:
        return y_pred, y_true, sample_weight
    if weights_rank - rank == 1:
        sample_weight = tf.squeeze(sample_weight, [-1])
    elif rank - weights_rank == 1:
        sample_weight = tf.expand_dims(sample_weight, [-1])
    return y_pred, y_true, sample_weight


def weighted(losses: Any, sample_weight: Any = None) -> Any:
    """losses times their weights, broadcast as tf.losses does."""
    with tf.name_scope("weighted_loss"):
        losses = tf.convert_to_tensor(losses)
        dtype = losses.dtype
        losses = tf.cast(losses, tf.float32) if dtype != tf.float32 and dtype != tf.float64 else losses
        weights = tf.cast(1.0 if sample_weight is None else sample_weight, losses.dtype)
        losses, _, weights = squeeze_or_expand(losses, None, weights)
        result = tf.multiply(losses, broadcast_weights(weights, losses))
        return tf.cast(result, dtype) if result.dtype != dtype else result


def reduce(losses: Any, reduction: str) -> Any:
    if reduction == Reduction.NONE:
        return losses
    total = tf.reduce_sum(losses)
    if reduction in (Reduction.SUM_OVER_BATCH_SIZE, Reduction.AUTO):
        with tf.name_scope("num_elements") as scope:
            count = tf.cast(tf.size(losses, name=scope), losses.dtype)
        return tf.div_no_nan(tf.reduce_sum(total), count, name="value")
    return total


@export("keras.losses.Loss")
class Loss:
    """A loss: per sample in `call`, reduced when called."""

    def __init__(self, reduction: str = Reduction.AUTO, name: str | None = None) -> None:
        if reduction not in ("auto", "none", "sum", "sum_over_batch_size"):
            raise ValueError(f"Invalid Reduction Key {reduction}.")
        self.reduction, self.name = reduction, name

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        scope = "lambda" if self.name == "<lambda>" else self.name
        with tf.name_scope(
            scope or type(self).__name__, None, [y_pred, y_true, sample_weight] if sample_weight is not None else [y_pred, y_true]
        ):
            losses = self.call(y_true, y_pred)
            return reduce(weighted(losses, sample_weight), self.reduction)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        raise NotImplementedError("Must be implemented in subclasses.")

    def get_config(self) -> dict[str, Any]:
        return {"reduction": self.reduction, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A function (y_true, y_pred) -> losses as a Loss."""

    def __init__(self, fn: Any, reduction: str = Reduction.AUTO, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(reduction=reduction, name=name)
        self.fn, self._fn_kwargs = fn, kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = tf.convert_to_tensor(y_pred)
        y_true = tf.convert_to_tensor(y_true) if not K.is_sparse(y_true) else y_true
        if not K.is_sparse(y_true):
            y_pred, y_true = _squeeze_last(y_pred, y_true)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._fn_kwargs}


def _squeeze_last(y_pred: Any, y_true: Any) -> tuple[Any, Any]:
    """[n, 1] and [n] brought to one rank."""
    predicted, true = y_pred.shape.ndims, y_true.shape.ndims
    if predicted is None or true is None:
        return y_pred, y_true
    if predicted - true == 1 and y_pred.shape.as_list()[-1] == 1:
        return tf.squeeze(y_pred, [-1]), y_true
    if true - predicted == 1 and y_true.shape.as_list()[-1] == 1:
        return y_pred, tf.squeeze(y_true, [-1])
    return y_pred, y_true


def _float(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    y_pred = tf.convert_to_tensor(y_pred)
    return tf.cast(y_true, y_pred.dtype), y_pred


@export("keras.losses.mean_squared_error")
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    return tf.reduce_mean(tf.squared_difference(y_pred, y_true), axis=-1)


@export("keras.losses.mean_absolute_error")
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    return tf.reduce_mean(tf.abs(y_pred - y_true), axis=-1)


@export("keras.losses.mean_absolute_percentage_error")
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    diff = tf.abs((y_true - y_pred) / ops.clip(tf.abs(y_true), K.epsilon(), None))
    return 100.0 * tf.reduce_mean(diff, axis=-1)


@export("keras.losses.mean_squared_logarithmic_error")
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    first = tf.log(ops.clip(y_pred, K.epsilon(), None) + 1.0)
    second = tf.log(ops.clip(y_true, K.epsilon(), None) + 1.0)
    return tf.reduce_mean(tf.squared_difference(first, second), axis=-1)


def _signs(y_true: Any) -> Any:
    """0/1 labels as -1/1, if they are all 0 or 1."""
    binary = tf.reduce_all(tf.logical_or(tf.equal(y_true, 0), tf.equal(y_true, 1)))
    return K.smart_cond(binary, lambda: 2.0 * y_true - 1.0, lambda: y_true)


@export("keras.losses.hinge")
def hinge(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    return tf.reduce_mean(tf.maximum(1.0 - _signs(y_true) * y_pred, 0.0), axis=-1)


@export("keras.losses.squared_hinge")
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    return tf.reduce_mean(tf.square(tf.maximum(1.0 - _signs(y_true) * y_pred, 0.0)), axis=-1)


@export("keras.losses.categorical_hinge")
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    positive = tf.reduce_sum(y_true * y_pred, axis=-1)
    negative = tf.reduce_max((1.0 - y_true) * y_pred, axis=-1)
    return tf.maximum(0.0, negative - positive + 1.0)


def huber_loss(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    y_pred, y_true = tf.cast(y_pred, K.floatx()), tf.cast(y_true, K.floatx())
    error = tf.subtract(y_pred, y_true)
    size = tf.abs(error)
    quadratic = tf.minimum(size, delta)
    linear = tf.subtract(size, quadratic)
    return tf.add(tf.multiply(tf.convert_to_tensor(0.5, quadratic.dtype), tf.multiply(quadratic, quadratic)), tf.multiply(delta, linear))


@export("keras.losses.logcosh")
def logcosh(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    x = y_pred - y_true
    return tf.reduce_mean(x + tf.nn.softplus(-2.0 * x) - tf.log(2.0), axis=-1)


@export("keras.losses.categorical_crossentropy")
def categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: Any = 0) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    smoothing = tf.convert_to_tensor(label_smoothing, dtype=K.floatx())
    if not isinstance(label_smoothing, int | float) or label_smoothing:
        classes = tf.cast(tf.shape(y_true)[1], y_pred.dtype)
        y_true = y_true * (1.0 - smoothing) + (smoothing / classes)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits)


@export("keras.losses.sparse_categorical_crossentropy")
def sparse_categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, axis: int = -1) -> Any:
    return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


@export("keras.losses.binary_crossentropy")
def binary_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: Any = 0) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    smoothing = tf.convert_to_tensor(label_smoothing, dtype=K.floatx())
    if not isinstance(label_smoothing, int | float) or label_smoothing:
        y_true = y_true * (1.0 - smoothing) + 0.5 * smoothing
    return tf.reduce_mean(ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits), axis=-1)


@export("keras.losses.kullback_leibler_divergence")
def kullback_leibler_divergence(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    y_true = ops.clip(y_true, K.epsilon(), 1)
    y_pred = ops.clip(y_pred, K.epsilon(), 1)
    return tf.reduce_sum(y_true * tf.log(y_true / y_pred), axis=-1)


@export("keras.losses.poisson")
def poisson(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = _float(y_true, y_pred)
    return tf.reduce_mean(y_pred - y_true * tf.log(y_pred + K.epsilon()), axis=-1)


@export("keras.losses.cosine_similarity")
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    y_true, y_pred = tf.nn.l2_normalize(y_true, axis=axis), tf.nn.l2_normalize(y_pred, axis=axis)
    return tf.negative(tf.reduce_sum(y_true * y_pred, axis=axis))


def _wrapper(class_name: str, fn: Any, default: str, parameters: tuple[tuple[str, Any], ...] = ()) -> Any:
    """The Loss class of a loss function, its own parameters before reduction and name."""

    class Wrapped(LossFunctionWrapper):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            names = [*(p for p, _ in parameters), "reduction", "name"]
            given = dict(zip(names, args, strict=False))
            given.update(kwargs)
            unknown = set(given) - set(names)
            if unknown:
                raise TypeError(f"__init__() got an unexpected keyword argument {sorted(unknown)[0]!r}")
            own = {p: given.pop(p, value) for p, value in parameters}
            super().__init__(fn, given.get("reduction", Reduction.AUTO), given.get("name", default), **own)

    Wrapped.__name__ = Wrapped.__qualname__ = class_name
    return export(f"keras.losses.{class_name}")(Wrapped)


MeanSquaredError = _wrapper("MeanSquaredError", mean_squared_error, "mean_squared_error")
MeanAbsoluteError = _wrapper("MeanAbsoluteError", mean_absolute_error, "mean_absolute_error")
MeanAbsolutePercentageError = _wrapper("MeanAbsolutePercentageError", mean_absolute_percentage_error, "mean_absolute_percentage_error")
MeanSquaredLogarithmicError = _wrapper("MeanSquaredLogarithmicError", mean_squared_logarithmic_error, "mean_squared_logarithmic_error")
BinaryCrossentropy = _wrapper(
    "BinaryCrossentropy", binary_crossentropy, "binary_crossentropy", (("from_logits", False), ("label_smoothing", 0))
)
CategoricalCrossentropy = _wrapper(
    "CategoricalCrossentropy", categorical_crossentropy, "categorical_crossentropy", (("from_logits", False), ("label_smoothing", 0))
)
SparseCategoricalCrossentropy = _wrapper(
    "SparseCategoricalCrossentropy", sparse_categorical_crossentropy, "sparse_categorical_crossentropy", (("from_logits", False),)
)
Hinge = _wrapper("Hinge", hinge, "hinge")
SquaredHinge = _wrapper("SquaredHinge", squared_hinge, "squared_hinge")
CategoricalHinge = _wrapper("CategoricalHinge", categorical_hinge, "categorical_hinge")
Poisson = _wrapper("Poisson", poisson, "poisson")
LogCosh = _wrapper("LogCosh", logcosh, "logcosh")
KLDivergence = _wrapper("KLDivergence", kullback_leibler_divergence, "kullback_leibler_divergence")
Huber = _wrapper("Huber", huber_loss, "huber_loss", (("delta", 1.0),))
CosineSimilarity = _wrapper("CosineSimilarity", cosine_similarity, "cosine_similarity", (("axis", -1),))

# Every name a loss is given by.
LOSSES: dict[str, Any] = {
    "MAE": mean_absolute_error, "MAPE": mean_absolute_percentage_error, "MSE": mean_squared_error, "MSLE": mean_squared_logarithmic_error, "KLD": kullback_leibler_divergence,
    "binary_crossentropy": binary_crossentropy, "categorical_crossentropy": categorical_crossentropy, "categorical_hinge": categorical_hinge, "cosine": cosine_similarity,
    "cosine_proximity": cosine_similarity, "cosine_similarity": cosine_similarity, "hinge": hinge, "huber_loss": huber_loss, "kld": kullback_leibler_divergence,
    "kullback_leibler_divergence": kullback_leibler_divergence, "logcosh": logcosh, "mae": mean_absolute_error, "mape": mean_absolute_percentage_error,
    "mean_absolute_error": mean_absolute_error, "mean_absolute_percentage_error": mean_absolute_percentage_error, "mean_squared_error": mean_squared_error,
    "mean_squared_logarithmic_error": mean_squared_logarithmic_error, "mse": mean_squared_error, "msle": mean_squared_logarithmic_error, "poisson": poisson,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy, "squared_hinge": squared_hinge,
    **{c.__name__: c for c in (
        MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy, Hinge,
        SquaredHinge, CategoricalHinge, Poisson, LogCosh, KLDivergence, Huber, CosineSimilarity,
    )},
}  # fmt: skip


@export("keras.losses.serialize")
def serialize(loss: Any) -> Any:
    return serialize_keras_object(loss)


@export("keras.losses.deserialize")
def deserialize(name: Any, custom_objects: Any = None) -> Any:
    return deserialize_keras_object(name, LOSSES, custom_objects, "loss function")


@export("keras.losses.get")
def get(identifier: Any) -> Any:
    if identifier is None:
        return None
    if isinstance(identifier, str | dict):
        return deserialize(identifier)
    if callable(identifier):
        return identifier
    raise ValueError(f"Could not interpret loss function identifier: {identifier}")


def as_loss(loss: Any, output_name: str = "") -> Any:
    """A loss as `compile` keeps it: a Loss object, or None."""
    if loss is None or isinstance(loss, Loss):
        return loss
    fn = get(loss)
    if isinstance(fn, Loss):
        return fn
    if not hasattr(fn, "__name__") and not takes(fn, "y_true"):
        return LossFunctionWrapper(fn, name=type(fn).__name__)
    return LossFunctionWrapper(fn, name=getattr(fn, "__name__", None))
