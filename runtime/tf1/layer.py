"""tf.layers.Layer: what layers and RNN cells share: scopes, building once, weights."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from graphtools import graph as base
from graphtools.dtypes import as_dtype
from runtime.tf1 import nest
from runtime.tf1.graph import GraphKeys, get_default_graph
from runtime.tf1.registry import export, put
from runtime.tf1.tensor_shape import TensorShape, as_shape
from runtime.tf1.variable_scope import VariableScope, get_variable, variable_scope
from runtime.tf1.variables import Variable


def snake(name: str) -> str:
    """DenseLayer -> dense_layer, as layers are named after their class."""
    text = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)).lower()
    return f"private{text}" if text.startswith("_") else text


@export("layers.InputSpec")
class InputSpec:
    """What a layer demands of an input."""

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Any = None,
    ) -> None:
        self.dtype = as_dtype(dtype).name if dtype is not None else None
        self.shape = shape
        self.ndim = len(shape) if shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(k): v for k, v in (axes or {}).items()}


put("keras.layers.InputSpec", InputSpec)


@export("layers.Layer")
class Layer:
    """A layer: weights made on the first call, in a variable scope of its own."""

    def __init__(
        self, trainable: bool = True, name: str | None = None, dtype: Any = None, activity_regularizer: Any = None, **kwargs: Any
    ) -> None:
        self._reuse = kwargs.pop("_reuse", None)
        scope = kwargs.pop("_scope", None)
        self._keras_style = False
        unknown = set(kwargs) - {"input_shape", "batch_input_shape", "batch_size", "weights", "autocast", "dynamic"}
        if unknown:
            raise TypeError(f"Keyword argument not understood: {sorted(unknown)[0]}")
        self.trainable = trainable
        self._dtype = None if dtype is None else as_dtype(dtype).name
        self._activity_regularizer = activity_regularizer
        self.built = False
        self.input_spec: Any = None
        self._trainable_weights: list[Any] = []
        self._non_trainable_weights: list[Any] = []
        self._updates: list[Any] = []
        self._losses: list[Any] = []
        self._inbound: list[tuple[Any, Any]] = []
        self._graph: Any = None
        self._base_name = name or snake(type(self).__name__)
        self._name = name or self._base_name
        self._scope: VariableScope | None = None
        self._current_scope: VariableScope | None = None
        if scope:
            with variable_scope(scope) as captured:
                self._scope = captured

    # -- what it is ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def graph(self) -> Any:
        return self._graph

    @property
    def scope_name(self) -> str:
        if self._scope is None:
            raise ValueError(
                f'No name available for layer scope because the layer "{self._name}" has not been used yet. The scope name is determined the first time the layer instance is called.'
            )
        return self._scope.name

    @property
    def trainable_weights(self) -> list[Any]:
        return self._trainable_weights if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        return self._non_trainable_weights if self.trainable else self._trainable_weights + self._non_trainable_weights

    @property
    def weights(self) -> list[Any]:
        return self.trainable_weights + self.non_trainable_weights

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    @property
    def updates(self) -> list[Any]:
        return self._updates

    @property
    def losses(self) -> list[Any]:
        return [loss() if callable(loss) else loss for loss in self._losses]

    @property
    def input(self) -> Any:
        return self._inbound[0][0]

    @property
    def output(self) -> Any:
        return self._inbound[0][1]

    @property
    def input_shape(self) -> Any:
        return nest.map_structure(lambda t: tuple(t.shape.as_list()), self.input)

    @property
    def output_shape(self) -> Any:
        return nest.map_structure(lambda t: tuple(t.shape.as_list()), self.output)

    def count_params(self) -> int:
        return sum(int(w.shape.num_elements() or 0) for w in self.weights)

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        losses = losses if isinstance(losses, list | tuple) else [losses]
        self._losses.extend(losses)
        for loss in losses:
            get_default_graph().add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        self._updates.extend(updates if isinstance(updates, list | tuple) else [updates])

    def get_losses_for(self, inputs: Any) -> list[Any]:
        return self.losses

    def get_updates_for(self, inputs: Any) -> list[Any]:
        return self._updates

    # -- building and calling --------------------------------------------------------------------------------------

    def _set_scope(self, scope: Any = None) -> None:
        if self._scope is None:
            if self._reuse:
                with variable_scope(scope if scope is not None else self._base_name) as captured:
                    self._scope = captured
            else:
                with variable_scope(scope, default_name=self._base_name) as captured:
                    self._scope = captured

    def _name_scope(self) -> str:
        return self._current_scope.original_name_scope if self._current_scope is not None else ""

    def add_weight(
        self, name: str, shape: Any = None, dtype: Any = None, initializer: Any = None, regularizer: Any = None, trainable: bool | None = None, constraint: Any = None,
        use_resource: Any = None, synchronization: Any = None, aggregation: Any = None, partitioner: Any = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """A weight in the layer's scope; its regularisation loss is added once."""
        trainable = True if trainable is None else trainable
        self._set_scope(None)
        reuse = self.built or self._reuse
        graph = get_default_graph()
        existing = set(graph.get_collection(GraphKeys.GLOBAL_VARIABLES))
        with variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope:
            self._current_scope = scope
            with graph.name_scope(self._name_scope()):
                variable = get_variable(
                    name, shape=shape if shape is None else as_shape(shape), dtype=dtype or self._dtype or "float32", initializer=initializer, trainable=trainable and self.trainable,
                    constraint=constraint, partitioner=partitioner, use_resource=use_resource,
                )  # fmt: skip
                if regularizer is not None and (variable not in existing):
                    parts = list(variable) if not isinstance(variable, Variable) and hasattr(variable, "__iter__") else [variable]
                    for part in parts:
                        with (
                            graph.colocate_with(part.op),
                            graph.name_scope(f"{name}/Regularizer" if len(parts) == 1 else f"{part.op.name.split('/')[-2]}/Regularizer"),
                        ):
                            loss = regularizer(part)
                        if loss is not None:
                            self.add_loss(loss)
        if trainable:
            self._trainable_weights.append(variable)
        else:
            self._non_trainable_weights.append(variable)
        return variable

    add_variable = add_weight

    def build(self, input_shape: Any) -> None:
        self.built = True

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        raise NotImplementedError

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        scope = kwargs.pop("scope", None)
        self._set_scope(scope)
        graph = get_default_graph()
        if self._graph is None:
            self._graph = graph
        if self.built:
            opened = variable_scope(self._scope, reuse=True, auxiliary_name_scope=False)
        else:
            opened = variable_scope(self._scope, reuse=self._reuse, auxiliary_name_scope=False)
        with opened as entered:
            self._current_scope = entered
            with self._call_scope(graph):
                inputs = nest.map_structure(_to_tensor, inputs)
                if not self.built:
                    self._check(inputs)
                    shapes = nest.map_structure(lambda t: t.shape if isinstance(t, base.Tensor) else TensorShape(None), inputs)
                    if self._dtype is None:
                        first = next((t for t in nest.flatten(inputs) if isinstance(t, base.Tensor)), None)
                        if first is not None and first.dtype.base_dtype.is_floating:
                            self._dtype = first.dtype.base_dtype.name
                    self.build(shapes)
                    self.built = True
                self._check(inputs)
                outputs = self.call(inputs, *args, **kwargs)
                if self._activity_regularizer is not None:
                    for output in nest.flatten(outputs):
                        with graph.name_scope("ActivityRegularizer"):
                            self.add_loss(self._activity_regularizer(output))
        self._inbound.append((inputs, outputs))
        return outputs

    apply = __call__

    def _call_scope(self, graph: Any) -> contextlib.AbstractContextManager[Any]:
        return graph.name_scope(self._name_scope())  # type: ignore[no-any-return]

    def _check(self, inputs: Any) -> None:
        """Raises ValueError when the inputs are not what `input_spec` says."""
        if self.input_spec is None:
            return
        specs = self.input_spec if isinstance(self.input_spec, list | tuple) else [self.input_spec]
        for spec, tensor in zip(specs, nest.flatten(inputs), strict=False):
            if spec is None or not isinstance(tensor, base.Tensor):
                continue
            rank = tensor.rank
            if rank is None and (spec.ndim is not None or spec.min_ndim is not None or spec.max_ndim is not None):
                raise ValueError(
                    f"Input 0 of layer {self.name} is incompatible with the layer: its rank is undefined, but the layer requires a defined rank."
                )
            if spec.ndim is not None and rank != spec.ndim:
                raise ValueError(
                    f"Input 0 of layer {self.name} is incompatible with the layer: expected ndim={spec.ndim}, found ndim={rank}. Full shape received: {tensor.shape.as_list()}"
                )  # type: ignore[attr-defined]
            if spec.min_ndim is not None and rank is not None and rank < spec.min_ndim:
                raise ValueError(
                    f"Input 0 of layer {self.name} is incompatible with the layer: : expected min_ndim={spec.min_ndim}, found ndim={rank}. Full shape received: {tensor.shape.as_list()}"
                )  # type: ignore[attr-defined]
            for axis, value in spec.axes.items():
                dims = tensor.dims
                if dims is not None and value is not None and dims[axis] not in (value, None):
                    raise ValueError(
                        f"Input 0 of layer {self.name} is incompatible with the layer: expected axis {axis} of input shape to have value {value} but received input with shape {list(dims)}"
                    )


def _to_tensor(value: Any) -> Any:
    from runtime.tf1.graph import convert_to_tensor

    if isinstance(value, base.Tensor) or hasattr(value, "dense_shape") or hasattr(value, "handle"):
        return value
    return convert_to_tensor(value)
