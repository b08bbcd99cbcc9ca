"""Embedding."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras import constraints, initializers, regularizers
from runtime.tf1.keras.backend import dtype as dtype_of
from runtime.tf1.keras.backend import floatx, tf
from runtime.tf1.keras.engine.layer import Layer
from runtime.tf1.keras.layers.core import dims_of, weight_config
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


@export("keras.layers.Embedding")
class Embedding(Layer):
    """Rows of a table by number."""

    def __init__(
        self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform", embeddings_regularizer: Any = None, activity_regularizer: Any = None, embeddings_constraint: Any = None,
        mask_zero: bool = False, input_length: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        if "input_shape" not in kwargs and "batch_input_shape" not in kwargs:
            kwargs["input_shape"] = (input_length,) if input_length else (None,)
        if isinstance(kwargs["input_shape"][0] if "input_shape" in kwargs else None, list | tuple):
            kwargs["input_shape"] = tuple(kwargs["input_shape"][0])
        dtype = kwargs.pop("dtype", floatx())
        super().__init__(dtype=dtype, activity_regularizer=regularizers.get(activity_regularizer), **kwargs)
        self.input_dim, self.output_dim, self.input_length = input_dim, output_dim, input_length
        self.embeddings_initializer, self.embeddings_regularizer, self.embeddings_constraint = (
            initializers.get(embeddings_initializer), regularizers.get(embeddings_regularizer), constraints.get(embeddings_constraint),
        )  # fmt: skip
        self.mask_zero = self.supports_masking = mask_zero

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight(
            "embeddings", shape=(self.input_dim, self.output_dim), initializer=self.embeddings_initializer, regularizer=self.embeddings_regularizer, constraint=self.embeddings_constraint,
        )  # fmt: skip
        self.built = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return tf.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        if self.input_length is not None:
            lengths = list(self.input_length) if isinstance(self.input_length, list | tuple) else [self.input_length]
            dims = [dims[0], *(d if d is not None else n for d, n in zip(dims[1:], lengths, strict=True))]
        return TensorShape([*dims, self.output_dim])

    def call(self, inputs: Any) -> Any:
        if dtype_of(inputs) not in ("int32", "int64"):
            inputs = tf.cast(inputs, "int32")
        return tf.nn.embedding_lookup(self.embeddings, inputs)

    def get_config(self) -> dict[str, Any]:
        from runtime.tf1.keras.regularizers import serialize

        return {
            **super().get_config(), "input_dim": self.input_dim, "output_dim": self.output_dim, **weight_config(self, ("embeddings",)), "activity_regularizer": serialize(self.activity_regularizer),
            "mask_zero": self.mask_zero, "input_length": self.input_length,
        }  # fmt: skip
