"""tf.keras.utils.plot_model: a model as a graph that Graphviz draws."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from runtime.tf1.keras.engine.network import Network
from runtime.tf1.keras.layers.wrappers import Wrapper
from runtime.tf1.registry import export


def _pydot() -> Any:
    try:
        found = import_module("pydot")
        found.Dot.create(found.Dot())
    except (ImportError, OSError) as e:
        raise ImportError("Failed to import pydot. You must install pydot and graphviz for `pydotprint` to work.") from e
    return found


def _shown(shape: Any) -> str:
    return str(shape).replace(str(None), "?")


def _label(layer: Any, show_shapes: bool, show_layer_names: bool) -> str:
    name, kind = layer.name, type(layer).__name__
    if isinstance(layer, Wrapper):
        name, kind = f"{name}({layer.layer.name})", f"{kind}({type(layer.layer).__name__})"
    label = f"{name}: {kind}" if show_layer_names else kind
    if not show_shapes:
        return label

    def shape_of(which: str) -> str:
        try:
            return _shown(getattr(layer, which))
        except (AttributeError, RuntimeError):
            return "?"

    return f"{label}\n|{{input:|output:}}|{{{{{shape_of('input_shape')}}}|{{{shape_of('output_shape')}}}}}"


@export("keras.utils.model_to_dot")
def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 96,
    subgraph: bool = False,
) -> Any:
    """A pydot graph: a node for each layer, an edge for each use of a layer's output; a model inside becomes a cluster when expanded."""
    pydot = _pydot()
    if subgraph:
        dot = pydot.Cluster(style="dashed", graph_name=model.name)
        dot.set("label", model.name)
        dot.set("labeljust", "l")
    else:
        dot = pydot.Dot()
        for key, value in (("rankdir", rankdir), ("concentrate", True), ("dpi", dpi)):
            dot.set(key, value)
        dot.set_node_defaults(shape="record")
    if not getattr(model, "inputs", None):
        dot.add_node(pydot.Node(str(id(model)), label=model.name))
        return dot
    layers = list(getattr(model, "_layers", None) or model.layers)
    ends: dict[int, tuple[str, str]] = {}  # by layer: the nodes that edges to it, and from it, meet
    for layer in layers:
        if expand_nested and isinstance(layer, Network):
            inner = model_to_dot(layer, show_shapes, show_layer_names, rankdir, expand_nested, subgraph=True)
            dot.add_subgraph(inner)
            nodes = inner.get_nodes()
            ends[id(layer)] = nodes[0].get_name(), nodes[-1].get_name()
        else:
            dot.add_node(pydot.Node(str(id(layer)), label=_label(layer, show_shapes, show_layer_names)))
            ends[id(layer)] = str(id(layer)), str(id(layer))
    for layer in layers:
        for node in layer._inbound_nodes:
            for inbound in node.inbound_layers:
                if id(inbound) in ends:
                    source, target = ends[id(inbound)][1], ends[id(layer)][0]
                    if not dot.get_edge(source, target):
                        dot.add_edge(pydot.Edge(source, target))
    return dot


@export("keras.utils.plot_model")
def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 96,
) -> None:
    """Draw a model into a file; the extension says in what format."""
    dot = model_to_dot(model, show_shapes, show_layer_names, rankdir, expand_nested, dpi)
    _, extension = os.path.splitext(os.fspath(to_file))
    dot.write(os.fspath(to_file), format=extension[1:] if extension else "png")
