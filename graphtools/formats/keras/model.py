"""Keras model configs -> Graph: sequential, functional and nested models, their weights and masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphtools.dtypes import as_dtype
from graphtools.errors import FormatError, ShapeError
from graphtools.formats.keras import Array, Call, Config, Layer, legacy
from graphtools.graph import Dims, Graph, Signature, Tensor

MODELS = frozenset({"Functional", "Graph", "Model", "Sequential"})
_MAX_DEPTH = 50

Place = tuple[str, int, int]  # a tensor of a model: layer, which call of it, which output


@dataclass(frozen=True, slots=True)
class Inbound:
    """One call of a layer in a functional model."""

    layer: Layer
    number: int
    inputs: tuple[Place, ...]
    kwargs: dict[str, Any]


@dataclass(slots=True)
class Model:
    """A model's layers, in the order in which their weights are saved, and how they are connected."""

    name: str
    layers: list[Layer]
    calls: list[Inbound] = field(default_factory=list)
    inputs: list[Place] = field(default_factory=list)
    outputs: list[Place] = field(default_factory=list)


# -- configs -----------------------------------------------------------------------------------------------------------


def parse_model(config: Any, version: str, depth: int = 0) -> Model:
    """The model that a config {"class_name": ..., "config": ...} describes. Raises FormatError."""
    class_name, inner = _class_and_config(config)
    if depth == 0 and version.startswith("1."):
        legacy.complete_orderings(config)
    if class_name == "Sequential":
        return _parse_sequential(inner, version, depth)
    if class_name == "Graph":
        raise FormatError("The model is a Graph of Keras 0.x; Keras 1 and 2 can be read. Load and save it once with Keras 1.")
    if class_name not in MODELS and not (isinstance(inner, dict) and "layers" in inner and "input_layers" in inner):
        raise FormatError(
            f"The model is of the class {class_name!r}; 'Sequential' or 'Model' was expected. A subclassed model has its code outside the file."
        )
    return _parse_functional(inner, version, depth)


def _class_and_config(config: Any) -> tuple[str, Any]:
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str) or "config" not in config:
        raise FormatError(f"A layer or model is described by {str(config)[:80]!r}; an object with class_name and config was expected.")
    return config["class_name"], config["config"]


def _parse_layer(entry: Any, version: str, depth: int) -> Layer:
    if depth > _MAX_DEPTH:
        raise FormatError(f"Models are nested more than {_MAX_DEPTH} deep.")
    class_name, config = _class_and_config(entry)
    if class_name in MODELS:
        model = parse_model(entry, version, depth + 1)
        own = {"trainable": config["trainable"]} if isinstance(config, dict) and isinstance(config.get("trainable"), bool) else {}
        return Layer("Model", entry.get("name") or model.name, own, version, model=model)
    if not isinstance(config, dict):
        raise FormatError(f"The config of a {class_name!r} is {str(config)[:80]!r}; an object was expected.")
    name = str(entry.get("name") or config.get("name") or class_name)
    if version.startswith("1."):
        new_class, config = legacy.modernize(class_name, config)
        if new_class == "Lambda" and class_name != "Lambda":
            raise FormatError(
                f"Layer {name!r} merges with Python bytecode, which is not executed. Replace it by a merge mode, or save a frozen graph."
            )
        class_name = new_class
    layer = Layer(class_name, name, config, version)
    if class_name in ("TimeDistributed", "Bidirectional") or "layer" in config:
        inner = _parse_layer(config.get("layer"), version, depth + 1)
        layer.inner = [inner]
        if class_name == "Bidirectional":
            layer.inner.append(_backward_of(config, inner, version, depth))
    elif class_name == "RNN":
        layer.inner = [_parse_layer(config.get("cell"), version, depth + 1)]
    elif class_name == "StackedRNNCells":
        layer.inner = [_parse_layer(c, version, depth + 1) for c in config.get("cells") or []]
    elif isinstance(config.get("layers"), list) and version.startswith("1."):  # a Merge of models
        layer.inner = [_parse_layer(e, version, depth + 1) for e in config["layers"]]
    for child in layer.inner:
        if "trainable" in config and config["trainable"] is False:
            child.config = {**child.config, "trainable": False}
    return layer


def _backward_of(config: Config, forward: Layer, version: str, depth: int) -> Layer:
    if config.get("backward_layer"):
        return _parse_layer(config["backward_layer"], version, depth + 1)
    copy = {**forward.config, "go_backwards": not forward.config.get("go_backwards")}
    backward = Layer(forward.class_name, f"backward_{forward.name}", copy, version)
    if forward.inner:
        backward.inner = [Layer(c.class_name, c.name, c.config, c.version, inner=c.inner) for c in forward.inner]
    return backward


def _parse_sequential(config: Any, version: str, depth: int) -> Model:
    entries = config if isinstance(config, list) else config.get("layers") if isinstance(config, dict) else None
    if not isinstance(entries, list) or not entries:
        raise FormatError("A Sequential model has no layers.")
    layers = [_parse_layer(e, version, depth + 1) for e in entries]
    taken: set[str] = set()
    for layer in [*layers, *(c for la in layers for c in la.inner if c.model is not None)]:
        while layer.name in taken:  # Keras 1 does not save the names of Sequential models
            layer.name += "_"
        taken.add(layer.name)
    name = config.get("name", "sequential") if isinstance(config, dict) else "sequential"
    model = Model(str(name), layers)
    first = layers[0]
    built = config.get("build_input_shape") if isinstance(config, dict) else None
    place = _start_of(model, first, built)
    for layer in layers:
        if layer is first and (layer.class_name == "InputLayer" or _merges_models(layer)):
            continue
        model.calls.append(Inbound(layer, 0, (place,), {}))
        place = (layer.name, 0, 0)
    model.outputs = [place]
    return model


def _merges_models(layer: Layer) -> bool:
    return bool(layer.inner) and all(c.model is not None for c in layer.inner) and layer.class_name != "TimeDistributed"


def _start_of(model: Model, first: Layer, built: Any) -> Place:
    """Where a Sequential model's first layer gets its input; makes the input layers it does without."""
    if first.class_name == "InputLayer":
        model.inputs = [(first.name, 0, 0)]
        return model.inputs[0]
    if _merges_models(first):  # branches that are models of their own
        inputs: list[Place] = []
        for branch in first.inner:
            places = tuple(_input_of(model, f"{branch.name}_input_{i}", i, branch) for i in range(len(branch.model.inputs)))  # type: ignore[union-attr]
            model.calls.append(Inbound(branch, 0, places, {}))
            inputs += places
        model.inputs = inputs
        model.calls.append(Inbound(first, 0, tuple((b.name, 0, 0) for b in first.inner), {}))
        return (first.name, 0, 0)
    source = first
    while source.inner and "batch_input_shape" not in source.config:
        source = source.inner[0]
    shape = source.config.get("batch_input_shape") or first.config.get("batch_input_shape")
    if shape is None and first.model is not None and len(first.model.inputs) == 1:
        place = _input_of(model, f"{first.name}_input", 0, first)
        model.inputs = [place]
        return place
    if shape is None:
        shape = built
    if shape is None and isinstance(source.config.get("input_dim"), int) and source.class_name in ("Dense", "Embedding"):
        shape = [None, source.config["input_dim"]] if source.class_name == "Dense" else [None, source.config.get("input_length")]
    if shape is None:
        raise FormatError(
            f"The Sequential model {model.name!r} does not say what its input is: its first layer {first.name!r} has no batch_input_shape. "
            "Build the model before saving it, or give its first layer an input_shape."
        )
    dtype = source.config.get("input_dtype") or source.config.get("dtype")
    if source.class_name == "Embedding" and source.config.get("input_dtype") is None:
        dtype = "float32" if not isinstance(source.config.get("dtype"), str) or model.layers[0].version.startswith("2.2.4-tf") else dtype
    layer = Layer("InputLayer", f"{first.name}_input", {"batch_input_shape": shape, "dtype": dtype}, first.version)
    model.calls.append(Inbound(layer, 0, (), {}))
    model.inputs = [(layer.name, 0, 0)]
    return model.inputs[0]


def _input_of(model: Model, name: str, number: int, inner: Layer) -> Place:
    """An input layer like an inner model's."""
    assert inner.model is not None
    wanted = inner.model.inputs[number][0]
    candidates = [c.layer for c in inner.model.calls if c.layer.name == wanted] + [la for la in inner.model.layers if la.name == wanted]
    config = candidates[0].config if candidates else {}
    if candidates and candidates[0].class_name == "InputLayer":
        name = wanted
    layer = Layer("InputLayer", name, dict(config), inner.version)
    model.calls.append(Inbound(layer, 0, (), {}))
    return (name, 0, 0)


def _parse_functional(config: Any, version: str, depth: int) -> Model:
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise FormatError("A model's config has no list of layers.")
    model = Model(str(config.get("name", "model")), [])
    by_name: dict[str, Layer] = {}
    for entry in config["layers"]:
        layer = _parse_layer(entry, version, depth + 1)
        if layer.name in by_name:
            raise FormatError(f"Two layers of the model {model.name!r} are named {layer.name!r}.")
        by_name[layer.name] = layer
        model.layers.append(layer)
        nodes = entry.get("inbound_nodes") or []
        if layer.class_name == "InputLayer":
            model.calls.append(Inbound(layer, 0, (), {}))
            continue
        for number, node in enumerate(nodes):
            places, kwargs = _parse_node(node, layer)
            model.calls.append(Inbound(layer, number, places, kwargs))
    model.inputs = _places(config.get("input_layers"), model.name)
    model.outputs = _places(config.get("output_layers"), model.name)
    _count_from_zero(model)
    return model


def _count_from_zero(model: Model) -> None:
    """A model that is a layer has a first call, its making, which some versions count: then its calls here start at 1."""
    for layer in model.layers:
        if layer.model is None:
            continue
        calls = [c for c in model.calls if c.layer is layer]
        places = [p for c in model.calls for p in c.inputs] + model.outputs
        if calls and max((p[1] for p in places if p[0] == layer.name), default=0) == len(calls):
            model.calls = [replace(c, number=c.number + 1) if c.layer is layer else c for c in model.calls]


def _parse_node(node: Any, layer: Layer) -> tuple[tuple[Place, ...], dict[str, Any]]:
    """An inbound node: a list of [layer, call, output(, keyword arguments)], or that with a single tensor."""
    if isinstance(node, dict):
        raise FormatError(f"Layer {layer.name!r} is connected as Keras 3 writes it; models of Keras 1 and 2 can be read.")
    if not isinstance(node, list):
        raise FormatError(f"Layer {layer.name!r} is connected to {str(node)[:60]!r}; a list was expected.")
    if node and isinstance(node[0], str):
        node = [node]
    places, kwargs = [], {}
    for entry in node:
        places.append(_place(entry, layer.name))
        if len(entry) > 3 and isinstance(entry[3], dict):
            kwargs.update(entry[3])
    return tuple(places), kwargs


def _place(entry: Any, where: str) -> Place:
    if not isinstance(entry, list) or len(entry) < 3 or not isinstance(entry[0], str) or not all(isinstance(e, int) for e in entry[1:3]):
        raise FormatError(f"{where!r} is connected to {str(entry)[:60]!r}; [layer, call, output] was expected.")
    return entry[0], entry[1], entry[2]


def _places(value: Any, name: str) -> list[Place]:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list) or not value:
        raise FormatError(f"The model {name!r} does not say what its inputs and outputs are.")
    if isinstance(value[0], str):
        value = [value]
    return [_place(v, name) for v in value]


# -- weights -----------------------------------------------------------------------------------------------------------


def assign_arrays(layers: Iterable[Layer], groups: dict[str, Callable[[], list[Array]]], backend: str) -> None:
    """Give each layer its arrays from the groups of a weights file, which go by the layer's name. Raises FormatError."""
    for layer in layers:
        trainable, other = layer.slots()
        slots = trainable + other
        if not slots:
            continue
        group = groups.get(layer.name)
        if group is None:
            children = layer.model.layers if layer.model is not None else layer.inner
            if not children:
                raise FormatError(
                    f"The weights file has nothing for the layer {layer.name!r} ({layer.class_name}); it has {', '.join(list(groups)[:8])}."
                )
            assign_arrays(children, groups, backend)
            continue
        arrays = group()
        if len(arrays) != len(slots):
            raise FormatError(
                f"The weights file has {len(arrays)} arrays for the layer {layer.name!r} ({layer.class_name}), which has {len(slots)} weights."
            )
        for (owner, index), array in zip(slots, arrays, strict=True):
            owner.arrays += [array] * (index + 1 - len(owner.arrays))
            owner.arrays[index] = array
        for owner in dict.fromkeys(owner for owner, _ in slots):
            if owner.is_keras1:
                legacy.convert_arrays(owner)
            if backend == "theano" and not owner.is_keras1:
                legacy.flip_kernels(owner)


# -- graph -------------------------------------------------------------------------------------------------------------


def build(model: Model) -> Graph:
    """The graph of a model, with its signature."""
    graph = Graph()
    places: dict[Place, tuple[Tensor, Tensor | None]] = {}
    by_name = {c.layer.name: c.layer for c in model.calls} | {la.name: la for la in model.layers}
    inputs: dict[str, str] = {}
    for name, number, index in model.inputs:
        layer = by_name.get(name)
        if layer is None or layer.class_name != "InputLayer":
            raise FormatError(f"The input {name!r} of the model is no InputLayer.")
        tensor = _placeholder(graph, layer)
        places[name, number, index] = (tensor, None)
        inputs[name] = tensor.name
    _run_calls(graph, model, places)
    outputs: dict[str, str] = {}
    for place in model.outputs:
        tensor, _ = _lookup(places, place, model.name)
        if tensor.node.op == "Placeholder" or tensor.name in outputs.values():  # an output of its own
            tensor = graph.op("Identity", tensor, name=place[0])
        alias, i = place[0], 0
        while alias in outputs:
            i += 1
            alias = f"{place[0]}_{i}"
        outputs[alias] = tensor.name
    graph.signature = Signature(inputs, outputs)
    graph.signatures = {"serving_default": graph.signature}
    return graph


def _placeholder(graph: Graph, layer: Layer) -> Tensor:
    c = layer.config
    shape = c.get("batch_input_shape", c.get("batch_shape"))
    if not isinstance(shape, list | tuple) or not all(d is None or (isinstance(d, int) and d >= 0) for d in shape):
        raise FormatError(f"The input layer {layer.name!r} has the shape {shape!r}; a list of sizes or nulls was expected.")
    if c.get("sparse") or c.get("ragged"):
        raise FormatError(f"The input layer {layer.name!r} is sparse; dense inputs can be converted.")
    try:
        dtype = as_dtype(c.get("dtype") or c.get("input_dtype") or "float32")
    except TypeError as e:
        raise FormatError(f"The input layer {layer.name!r} has the dtype {c.get('dtype')!r}, which is none of TensorFlow's.") from e
    dims: Dims = tuple(shape)
    return graph.add_node("Placeholder", (), {"dtype": dtype, "shape": dims}, name=graph.unique_name(layer.name)).outputs[0]


def _lookup(places: dict[Place, Any], place: Place, where: str) -> Any:
    found = places.get(place)
    if found is None:
        raise FormatError(f"{where!r} reads output {place[2]} of call {place[1]} of the layer {place[0]!r}, which the model has not.")
    return found


def _run_calls(graph: Graph, model: Model, places: dict[Place, tuple[Tensor, Tensor | None]]) -> None:
    """Emit the calls of a model, each once its inputs are there."""
    waiting = [c for c in model.calls if (c.layer.name, c.number, 0) not in places]
    while waiting:
        left = []
        for call in waiting:
            extra = [tuple(v[:3]) for v in call.kwargs.values() if _is_place(v, model)]
            if not all(p in places for p in (*call.inputs, *extra)):
                left.append(call)
                continue
            if call.layer.class_name == "InputLayer" and not call.inputs:
                places[call.layer.name, call.number, 0] = (_placeholder(graph, call.layer), None)
                continue
            kwargs = {n: (places[tuple(v[:3])] if _is_place(v, model) else v) for n, v in call.kwargs.items()}
            given = [places[p] for p in call.inputs]
            outputs, masks = call_layer(graph, call.layer, [t for t, _ in given], [m for _, m in given], kwargs)
            for i, output in enumerate(outputs):
                places[call.layer.name, call.number, i] = (output, masks[i] if i < len(masks) else None)
        if len(left) == len(waiting):
            # a nested model may list calls that only make sense outside of it
            needed = {p[0] for p in model.outputs if p not in places}
            if needed:
                names = ", ".join(repr(c.layer.name) for c in left[:5])
                raise FormatError(
                    f"The layers {names} of the model {model.name!r} wait for inputs that nothing gives: it has a cycle or a gap."
                )
            return
        waiting = left


def _is_place(value: Any, model: Model) -> bool:
    return (
        isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str) and isinstance(value[1], int) and isinstance(value[2], int)
        and any(la.name == value[0] for la in model.layers)
    )  # fmt: skip


def call_layer(
    graph: Graph, layer: Layer, inputs: Sequence[Tensor], masks: Sequence[Tensor | None], kwargs: dict[str, Any]
) -> tuple[list[Tensor], list[Tensor | None]]:
    """Emit one call of a layer: its outputs and their masks."""
    if layer.model is not None:
        return _call_model(graph, layer, inputs, masks)
    states = kwargs.get("initial_state")
    if isinstance(states, list | tuple) and states and all(isinstance(s, tuple) for s in states):
        inputs = [*inputs, *(t for t, _ in states)]
        masks = [*masks, *[None] * len(states)]
    kind = layer.kind
    with graph.name_scope(layer.name) as scope:
        layer.scope = layer.scope or scope.rstrip("/")
        call = Call(graph, layer, inputs, masks, kwargs)
        try:
            found = kind.emit(call)
            outputs = list(found) if isinstance(found, list | tuple) else [found]
            if kind.masked is True:
                mask = call.mask
            else:
                mask = kind.masked(call) if callable(kind.masked) else None
        except FormatError:
            raise
        except (ShapeError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, ZeroDivisionError) as e:
            shapes = [t.dims for t in inputs]
            raise FormatError(
                f"Layer {layer.name!r} ({layer.class_name}) cannot be built from its config and weights for inputs of the shapes {shapes}: {e or type(e).__name__}"
            ) from e
    return outputs, [mask] * len(outputs)


def _call_model(
    graph: Graph, layer: Layer, inputs: Sequence[Tensor], masks: Sequence[Tensor | None]
) -> tuple[list[Tensor], list[Tensor | None]]:
    model = layer.model
    assert model is not None
    if len(inputs) != len(model.inputs):
        raise FormatError(f"The model {layer.name!r} is called with {len(inputs)} inputs; it has {len(model.inputs)}.")
    with graph.name_scope(layer.name):
        places = {place: (t, m) for place, t, m in zip(model.inputs, inputs, masks, strict=True)}
        _run_calls(graph, model, places)
    found = [_lookup(places, place, layer.name) for place in model.outputs]
    return [t for t, _ in found], [m for _, m in found]
