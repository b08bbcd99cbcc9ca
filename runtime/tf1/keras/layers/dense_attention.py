"""Attention layers over [query, value] or [query, value, key]."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras import backend as K
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import Layer
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


class DenseAttention(Layer):
    """softmax(scores(query, key)) value, where masks allow."""

    def __init__(self, causal: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.causal = causal
        self.supports_masking = True
        self.scale: Any = None

    def _calculate_scores(self, query: Any, key: Any) -> Any:
        raise NotImplementedError("Must be implemented in subclasses.")

    def call(self, inputs: Any, mask: Any = None) -> Any:
        self._check(inputs, mask)
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) > 2 else value
        query_mask, value_mask = mask or (None, None)
        scores = self._calculate_scores(query=query, key=key)
        allowed = None if value_mask is None else tf.expand_dims(value_mask, axis=-2)
        if self.causal:
            shape = tf.shape(scores)
            shape = tf.concat([tf.ones_like(shape[:-2]), shape[-2:]], axis=0)
            rows = tf.cumsum(tf.ones(shape=shape, dtype=tf.int32), axis=-2)
            past = tf.greater_equal(rows, tf.cumsum(tf.ones(shape=shape, dtype=tf.int32), axis=-1))
            allowed = past if allowed is None else tf.logical_and(allowed, past)
        if allowed is not None:
            scores -= 1.0e9 * tf.cast(tf.logical_not(allowed), dtype=K.floatx())
        result = tf.matmul(tf.nn.softmax(scores), value)
        if query_mask is not None:
            result *= tf.cast(tf.expand_dims(query_mask, axis=-1), dtype=result.dtype)
        return result

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        self._check(inputs, mask)
        return None if not mask or mask[0] is None else tf.convert_to_tensor(mask[0])

    def _check(self, inputs: Any, mask: Any) -> None:
        name = type(self).__name__
        if not isinstance(inputs, list):
            raise ValueError(f"{name} layer must be called on a list of inputs, namely [query, value] or [query, value, key].")
        if not 2 <= len(inputs) <= 3:
            raise ValueError(
                f"{name} layer accepts inputs list of length 2 or 3, namely [query, value] or [query, value, key]. Given length: {len(inputs)}"
            )
        if mask and not isinstance(mask, list):
            raise ValueError(f"{name} layer mask must be a list, namely [query_mask, value_mask].")
        if mask and len(mask) != 2:
            raise ValueError(f"{name} layer mask must be a list of length 2, namely [query_mask, value_mask]. Given length: {len(mask)}")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "causal": self.causal}


@export("keras.layers.Attention")
class Attention(DenseAttention):
    """Scores are the dot products of query and key (Luong)."""

    def __init__(self, use_scale: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_scale = use_scale

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            self.scale = self.add_weight("scale", shape=(), initializer="ones", dtype=self.dtype, trainable=True)
        self.built = True

    def _calculate_scores(self, query: Any, key: Any) -> Any:
        scores = tf.matmul(query, key, transpose_b=True)
        return scores if self.scale is None else scores * self.scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_scale": self.use_scale}


@export("keras.layers.AdditiveAttention")
class AdditiveAttention(DenseAttention):
    """Scores are sums of tanh(query + key) (Bahdanau)."""

    def __init__(self, use_scale: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_scale = use_scale

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            size = TensorShape(input_shape[1]).as_list()[-1]
            self.scale = self.add_weight("scale", shape=[size], initializer="glorot_uniform", dtype=self.dtype, trainable=True)
        self.built = True

    def _calculate_scores(self, query: Any, key: Any) -> Any:
        scale = self.scale if self.use_scale else 1.0
        return tf.reduce_sum(scale * tf.tanh(tf.expand_dims(query, axis=-2) + tf.expand_dims(key, axis=-3)), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_scale": self.use_scale}
