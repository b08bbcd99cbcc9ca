"""model.summary()."""

from __future__ import annotations

from typing import Any

import numpy as np


def _count(weights: list[Any]) -> int:
    return sum(int(np.prod(w.shape.as_list())) for w in {id(w): w for w in weights}.values())


def print_summary(model: Any, line_length: int | None = None, positions: Any = None, print_fn: Any = None) -> None:
    """Layers, output shapes and parameters as a table, as Keras prints it."""
    write = print if print_fn is None else print_fn
    sequential = type(model).__name__ == "Sequential" or not model._is_graph_network
    if not sequential:
        by_depth: dict[int, int] = {}
        inbound = 0
        for depth, nodes in model._depths.items():
            by_depth[depth] = len(nodes)
        sequential = all(n <= 1 for n in by_depth.values()) and all(
            len(n.keras_inputs) <= 1 for nodes in model._depths.values() for n in nodes
        )
        del inbound
    if sequential:
        line_length, positions = line_length or 65, positions or [0.45, 0.85, 1.0]
        header = ["Layer (type)", "Output Shape", "Param #"]
    else:
        line_length, positions = line_length or 98, positions or [0.33, 0.55, 0.67, 1.0]
        header = ["Layer (type)", "Output Shape", "Param #", "Connected to"]
    if positions[-1] <= 1:
        positions = [int(line_length * p) for p in positions]

    def row(fields: list[Any]) -> None:
        line = ""
        for i, field in enumerate(fields):
            if i > 0:
                line = line[:-1] + " "
            line += str(field)
            line = line[: positions[i]]
            line += " " * (positions[i] - len(line))
        write(line)

    write(f'Model: "{model.name}"')
    write("_" * line_length)
    row(header)
    write("=" * line_length)
    layers = model.layers
    for i, layer in enumerate(layers):
        try:
            shape = layer.output_shape
        except AttributeError:
            shape = "multiple"
        except RuntimeError:
            shape = "?"
        shape = [tuple(s) for s in shape] if isinstance(shape, list) else shape
        parameters = 0 if not layer.built and not getattr(layer, "_is_graph_network", False) and not layer.weights else layer.count_params()
        fields = [f"{layer.name} ({type(layer).__name__})", shape, parameters]
        if sequential:
            row(fields)
        else:
            connections = []
            for node in layer._inbound_nodes:
                if id(node) not in model._nodes:
                    continue
                for source, index, position in zip(node.inbound_layers, node.node_indices, node.tensor_indices, strict=True):
                    connections.append(f"{source.name}[{index}][{position}]")
            row([*fields, connections[0] if connections else ""])
            for each in connections[1:]:
                row(["", "", "", each])
        write(("=" if i == len(layers) - 1 else "_") * line_length)
    trainable, fixed = _count(getattr(model, "_collected", None) or model.trainable_weights), _count(model.non_trainable_weights)
    write(f"Total params: {trainable + fixed:,}")
    write(f"Trainable params: {trainable:,}")
    write(f"Non-trainable params: {fixed:,}")
    write("_" * line_length)
