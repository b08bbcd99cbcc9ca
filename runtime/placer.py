"""The devices that a graph's nodes ask for, settled as TensorFlow's placer does: colocation, soft placement, errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphtools.graph import Graph, Node
from runtime.device_names import LOCAL_FIELDS, device_fields, device_string
from runtime.errors import InvalidArgumentError


def place(graph: Graph, available: Sequence[str], *, soft: bool = False, strict: bool = True) -> dict[str, str]:
    """Node -> the device of `available` that it asks for; nodes that ask for none are left out.

    With `soft`, a node whose device is missing goes to the first of its machine. Without `strict` nothing is refused.
    Raises InvalidArgumentError with TensorFlow's words.
    """
    if not any(node.device or node.attr.get("_class") for node in graph):
        return {}
    devices = {name: device_fields(name) for name in available}
    gpus = {name: fields for name, fields in devices.items() if fields["type"] == "GPU"}
    groups = _Groups(graph)
    wishes: dict[Node, dict[str, str]] = {}
    first: dict[Node, Node] = {}  # the root of a group -> the member that asked first
    for node in graph:
        if not node.device:
            continue
        fields, root = _requested(node, strict), groups.root(node)
        wish = wishes.setdefault(root, {})
        for key, value in fields.items():
            if wish.setdefault(key, value) != value and strict and not soft:
                raise _conflict(node, first[root], fields, key)
        if root in first and soft and any(wish[k] != v for k, v in fields.items()):
            wish.pop("type", None)  # members that disagree: soft placement lets the group go anywhere on the machine
            wish.pop("index", None)
        first.setdefault(root, node)
    placed: dict[str, str] = {}
    for node in _non_generators_first(graph):
        root = groups.root(node)
        if root not in wishes:
            continue
        found = _matching(wishes[root], devices)
        if found is None and (soft or not strict):
            found = _matching({k: v for k, v in wishes[root].items() if k not in ("type", "index")}, {**gpus, **devices})
        if found is not None:
            placed[node.name] = found
        elif strict:
            raise _missing(node if node.device else first[root], wishes[root], available)
    return placed


def _requested(node: Node, strict: bool) -> dict[str, str]:
    try:
        return device_fields(node.device)
    except ValueError as e:
        if strict:
            raise InvalidArgumentError(
                None, node, f"Malformed device specification {node.device!r} in node: {_shown(node)}\n\t [[{node.name}]]"
            ) from e
        return {}


def _matching(wish: Mapping[str, str], devices: Mapping[str, Mapping[str, str]]) -> str | None:
    """The first device that has all the parts asked for; "Cpu" is CPU."""
    asked = {**wish, "type": wish["type"].upper()} if "type" in wish else wish
    return next((name for name, has in devices.items() if all(has.get(k) == v for k, v in asked.items())), None)


def _non_generators_first(graph: Graph) -> Iterable[Node]:
    """TensorFlow places nodes without inputs after the others, beside their readers: errors name the others first."""
    later = []
    for node in graph:
        if not node.inputs and len(node.outputs) == 1 and not node.outputs[0].dtype.is_ref:
            later.append(node)
        else:
            yield node
    yield from later


class _Groups:
    """Nodes that must share a device: by their `_class` attr, and through references to variables."""

    def __init__(self, graph: Graph) -> None:
        self._parent: dict[Node, Node] = {}
        for node in graph:
            for label in node.attr.get("_class") or ():
                text = label.decode() if isinstance(label, bytes) else str(label)
                other = graph.nodes.get(text.removeprefix("loc:@")) if text.startswith("loc:@") else None
                if other is not None:
                    self._join(node, other)
            opdef = node.opdef
            if opdef is None or not any(t.dtype.is_ref for t in node.inputs):
                continue
            for arg, start, stop in opdef.input_slices(node.attr).values():
                if arg.is_ref:
                    for tensor in node.inputs[start:stop]:
                        self._join(node, tensor.node)

    def root(self, node: Node) -> Node:
        while (up := self._parent.get(node)) is not None:
            node = up
        return node

    def _join(self, member: Node, other: Node) -> None:
        a, b = self.root(member), self.root(other)
        if a is not b:
            self._parent[a] = b


def _shown(node: Node) -> str:
    """A node and where the script made it."""
    return f"node {node.name} (defined at {node.source[0]}:{node.source[1]}) " if node.source else f"{{{{node {node.name}}}}}"


def _missing(node: Node, wish: Mapping[str, str], available: Sequence[str]) -> InvalidArgumentError:
    text = (
        f"Cannot assign a device for operation {node.name}: {_shown(node)} was explicitly assigned to {device_string(wish)} "
        f"but available devices are [ {', '.join(available)} ]. Make sure the device specification refers to a valid device."
    )
    if wish.get("type") == "GPU" and all(wish.get(k, v) == v for k, v in LOCAL_FIELDS.items()):
        if not any("device:GPU" in d for d in available):
            text += " The requested device appears to be a GPU, but CUDA is not enabled."
        text += " With allow_soft_placement=True in its tf.ConfigProto the session would use another device instead."
    return InvalidArgumentError(None, node, f"{text}\n\t [[{node.name}]]")


def _conflict(node: Node, other: Node, fields: Mapping[str, str], key: str) -> InvalidArgumentError:
    what = {"type": "types", "index": "ids"}.get(key, f"{key}s")
    mine, others = device_string(fields), device_string(device_fields(other.device))
    return InvalidArgumentError(
        None, node, f"Cannot colocate nodes {_shown(node)} and {_shown(other)}: Cannot merge devices with incompatible {what}: {mine!r} and {others!r}\n\t [[{node.name}]]"
    )  # fmt: skip
