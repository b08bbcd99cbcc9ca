"""Plain TensorFlow operations on Keras tensors, as layers of the model."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from runtime.tf1.graph import get_default_graph
from runtime.tf1.keras.engine.layer import Layer


class TensorFlowOpLayer(Layer):
    """One operation, made again on other inputs; inputs that are not Keras tensors stay what they were."""

    def __init__(self, node: Any, **kwargs: Any) -> None:
        super().__init__(name=f"tf_op_layer_{node.name.replace('/', '_')}", trainable=False, **kwargs)
        self.node = node
        self.fixed: dict[int, Any] = {}
        self.built = True

    def call(self, inputs: Any) -> Any:
        given = iter(inputs if isinstance(inputs, list | tuple) else [inputs])
        inputs = [self.fixed[i] if i in self.fixed else next(given) for i in range(len(self.node.inputs))]
        graph = get_default_graph()
        made = graph.create(self.node.op, inputs, dict(self.node.attr), graph.unique_name(self.node.name))
        return made.outputs[0] if len(made.outputs) == 1 else list(made.outputs)

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            f"The operation {self.node.name!r} ({self.node.op}) between layers cannot be saved in a configuration: put it into a Lambda layer."
        )


def create_keras_history(tensors: list[Any]) -> None:
    """Give tensors computed from Keras tensors a place in the graph of layers."""
    reaches: dict[int, bool] = {}

    def from_keras(tensor: Any) -> bool:
        """True when a Keras tensor is among what a tensor is computed from."""
        stack = [(tensor, False)]
        while stack:
            each, done = stack.pop()
            if id(each) in reaches:
                continue
            if hasattr(each, "_keras_history"):
                reaches[id(each)] = True
            elif done:
                reaches[id(each)] = any(reaches.get(id(t), False) for t in each.node.inputs)
            else:
                stack.append((each, True))
                stack.extend((t, False) for t in each.node.inputs if id(t) not in reaches)
        return reaches[id(tensor)]

    for tensor in tensors:
        if not isinstance(tensor, base.Tensor) or not from_keras(tensor):
            continue
        pending = [tensor]
        while pending:
            each = pending[-1]
            if hasattr(each, "_keras_history"):
                pending.pop()
                continue
            waiting = [t for t in each.node.inputs if from_keras(t) and not hasattr(t, "_keras_history")]
            if waiting:
                pending.extend(waiting)
                continue
            layer = TensorFlowOpLayer(each.node)
            layer.fixed = {i: t for i, t in enumerate(each.node.inputs) if not hasattr(t, "_keras_history")}
            own = [t for t in each.node.inputs if hasattr(t, "_keras_history")]
            layer._add_node(own, list(each.node.outputs), {})
            pending.pop()
