"""Graph, Node, Tensor: the TensorFlow graph in memory, in GraphDef's own words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from graphtools import opdefs
from graphtools.dtypes import DType, variant
from graphtools.errors import FormatError

Dims = tuple[int | None, ...] | None  # a static shape; None where nothing is known of it


@dataclass(frozen=True, slots=True)
class Func:
    """The value of a func attr: a function of the graph's library and the attrs it is instantiated with."""

    name: str
    attr: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttrPlaceholder:
    """An attr of a node in a function body that stands for the function's own attr of that name."""

    name: str


class Tensor:
    """One output of a node. `dims` is its static shape."""

    __slots__ = ("__weakref__", "dims", "dtype", "index", "node")

    def __init__(self, node: Node, index: int, dtype: DType, dims: Dims = None) -> None:
        self.node = node
        self.index = index
        self.dtype = dtype
        self.dims = dims

    @property
    def name(self) -> str:
        return f"{self.node.name}:{self.index}"

    @property
    def rank(self) -> int | None:
        return None if self.dims is None else len(self.dims)

    def __repr__(self) -> str:
        shape = "<unknown>" if self.dims is None else "(" + ", ".join("?" if d is None else str(d) for d in self.dims) + ")"
        return f"<{type(self).__name__} {self.name!r} shape={shape} dtype={self.dtype.name}>"


class Node:
    """An op of the graph.

    `inputs` are its data inputs, flat, in OpDef order; `attr` holds every attr of the OpDef, defaults filled in, as Python
    values: int, float, bool, str (bytes where not UTF-8), DType, dims, numpy arrays for tensors, Func, and lists of these.
    `source` is the (path, line) of the script that made it.
    """

    __slots__ = ("__weakref__", "attr", "control_inputs", "device", "flow", "graph", "inputs", "name", "op", "outputs", "source")

    def __init__(self, graph: Graph, name: str, op: str, attr: dict[str, Any], device: str = "") -> None:
        self.graph = graph
        self.name = name
        self.op = op
        self.attr = attr
        self.device = device
        self.inputs: list[Tensor] = []
        self.control_inputs: list[Node] = []
        self.outputs: list[Tensor] = []
        self.source: tuple[str, int] | None = None
        self.flow: Any = None  # the control flow context it was built in; see graphtools.flow

    @property
    def opdef(self) -> opdefs.OpDef | None:
        return opdefs.get(self.op)

    def output(self, index: int) -> Tensor:
        """The output of this index; grows the list of an op whose OpDef is unknown."""
        while index >= len(self.outputs):
            if self.opdef is not None or self.op in self.graph.functions:
                raise FormatError(f"Node {self.name!r} ({self.op}) has {len(self.outputs)} outputs; output {index} was asked for.")
            if index > 10_000:
                raise FormatError(f"Output {index} of node {self.name!r} ({self.op}): too many outputs.")
            self.outputs.append(self.graph.tensor_type(self, len(self.outputs), variant))
        return self.outputs[index]

    def input(self, name: str) -> Any:
        """The tensor (a list of tensors for a list argument) given for the OpDef's input argument `name`."""
        opdef = self.opdef
        if opdef is None:
            raise KeyError(f"Op {self.op!r} of node {self.name!r} has no OpDef.")
        arg, start, stop = opdef.input_slices(self.attr)[name]
        return self.inputs[start:stop] if arg.is_list else self.inputs[start]

    @property
    def colocation(self) -> list[str]:
        """The names of the nodes this one asks to share a device with."""
        return [c.removeprefix("loc:@") for c in self.attr.get("_class") or [] if isinstance(c, str) and c.startswith("loc:@")]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} op={self.op}>"


@dataclass(slots=True)
class Function:
    """A function of the graph's library: a body whose `_Arg` nodes are the parameters."""

    name: str
    graph: Graph
    inputs: list[Tensor]
    outputs: list[Tensor]
    control_outputs: list[Node] = field(default_factory=list)
    attr: dict[str, Any] = field(default_factory=dict)


class Controller:
    """The nodes of one control_dependencies block, and those made in it so far: what reads these runs after it anyway."""

    __slots__ = ("nodes", "seen")

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.seen: set[Node] = set()


class Graph:
    """Nodes by name in the order they were added, and the functions they call.

    What a model file says beside its nodes: `producer` (GraphDef version), `values` (variable name -> saved array),
    `signature` (input and output names a caller gets by default), `collections` (name -> formats.metagraph.Collection), `assets`
    (file name, as its asset tensor has it, -> content) and `meta` (the rest of a MetaGraphDef: tags, versions, SaverDef, SavedObjectGraph).
    """

    node_type: ClassVar[type[Node]] = Node
    tensor_type: ClassVar[type[Tensor]] = Tensor

    def __init__(self, producer: int = 134) -> None:
        self.broadcasts: set[Any] = set()  # the known shapes whose arithmetic gradients have built
        self.nodes: dict[str, Node] = {}
        self.functions: dict[str, Function] = {}
        self.function_gradients: dict[str, str] = {}  # function -> the function that is its gradient
        self.producer = producer
        self.min_consumer = 0
        self.values: Mapping[str, np.ndarray[Any, Any]] = {}
        self.signature: Signature | None = None
        self.signatures: dict[str, Signature] = {}
        self.collections: dict[str, Any] = {}
        self.assets: Mapping[str, bytes] = {}
        self.meta: Any = None
        self.scope = ""  # the current name scope, without a final slash
        self._names: dict[str, int] = {}  # names in use, in lower case -> the next number to try
        self._controllers: list[Controller] = []
        self._colocation: list[Node | None] = []
        self._devices: list[Any] = []
        self.flow: Any = None  # the control flow context being built; see graphtools.flow

    # -- building ------------------------------------------------------------------------------------------------

    def add_node(
        self,
        op: str,
        inputs: Sequence[Any] = (),
        attr: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        control_inputs: Iterable[Node] = (),
        device: str = "",
    ) -> Node:
        """Add a node. `inputs` has one entry for each input argument of the OpDef: a tensor, or a list for a list argument.

        Type, number and type-list attrs are read off the inputs; missing attrs take their defaults; the outputs get dtypes
        and static shapes. Raises ShapeError where TensorFlow's shape function would, ValueError for inputs or attrs that do
        not fit the OpDef.
        """
        opdef = opdefs.get(op)
        if opdef is None:
            raise ValueError(f"No TensorFlow of 0.12 to 2.15 has an op {op!r}.")
        filled = bind_attrs(opdef, inputs, attr or {})
        if name is None:
            name = self.unique_name(op)
        elif name in self.nodes:
            raise ValueError(f"The graph has a node {name!r} already.")
        node = self.node_type(self, name, op, filled, device)
        for value in inputs:
            if isinstance(value, Tensor):
                node.inputs.append(value)
            else:
                node.inputs.extend(value)
        node.control_inputs.extend(control_inputs)
        return self._finish(node)

    def add_raw_node(self, name: str, op: str, attr: dict[str, Any], device: str = "") -> Node:
        """Add a node as a file has it; the reader sets inputs, then calls `set_outputs`."""
        if name in self.nodes:
            raise FormatError(f"Two nodes are named {name!r}.")
        node = self.node_type(self, name, op, attr, device)
        self.nodes[name] = node
        return node

    def set_outputs(self, node: Node) -> None:
        """Make a node's outputs from its OpDef (or library function) and attrs."""
        opdef = opdefs.get(node.op)
        if opdef is not None:
            for attr in opdef.attrs.values():
                if attr.default is not opdefs.REQUIRED and attr.name not in node.attr:
                    node.attr[attr.name] = attr.default
            try:
                types = opdef.output_types(node.attr)
            except (KeyError, TypeError, ValueError) as e:
                raise FormatError(f"Node {node.name!r} ({node.op}): attr {e} that says what its outputs are is missing or wrong.") from e
        elif node.op in self.functions:
            types = [t.dtype for t in self.functions[node.op].outputs]
        else:
            return
        node.outputs = [self.tensor_type(node, i, t) for i, t in enumerate(types)]

    def _finish(self, node: Node) -> Node:
        from graphtools import shapes  # the registry of shape functions needs this module

        self.set_outputs(node)
        shapes.infer(node)
        self.nodes[node.name] = node
        self._added(node)
        if self.flow is not None:
            self.flow.add_op(node)
        return node

    def _added(self, node: Node) -> None:
        """What a subclass notes of a node when it is added."""

    def unique_name(self, name: str, *, mark: bool = True) -> str:
        """`name` in the current name scope, numbered as TensorFlow numbers it when it is taken; `mark` takes it."""
        if self.scope:
            name = f"{self.scope}/{name}"
        if len(self._names) < len(self.nodes):  # nodes that came from a file
            for known in self.nodes:
                self._names.setdefault(known.lower(), 1)
        key = name.lower()
        i = self._names.get(key, 0)
        if mark:
            self._names[key] = i + 1
        if not i:
            return name
        numbered = f"{key}_{i}"
        while numbered in self._names:
            i += 1
            numbered = f"{key}_{i}"
        if mark:
            self._names[numbered] = 1
        return f"{name}_{i}"

    # -- building as a script does: in scopes ------------------------------------------------------------------------

    def op(self, op_type: str, *inputs: Any, name: str | None = None, **attr: Any) -> Any:
        """Add an op in the current scopes: its output, a tuple of them if it has several, the node if it has none."""
        with self.name_scope(name or op_type) as scope:
            node = self.create(op_type, inputs, attr, scope)
        outputs = node.outputs
        return outputs[0] if len(outputs) == 1 else tuple(outputs) if outputs else node

    def create(self, op_type: str, inputs: Sequence[Any], attr: Mapping[str, Any], name: str) -> Node:
        """Add a node of this very name (a final slash is dropped) under the current control dependencies, device and colocation."""
        flat = [t.node for value in inputs for t in (value if isinstance(value, list | tuple) else (value,))]
        control: dict[Node, None] = {}
        for controller in self._controllers:
            if not any(n in controller.seen for n in flat):
                control.update((c, None) for c in controller.nodes if c not in flat)
        attr = dict(attr)
        if self._colocation and self._colocation[-1] is not None and "_class" not in attr:
            target = self._colocation[-1]
            attr["_class"] = list(target.attr.get("_class") or []) or [f"loc:@{target.name}"]
        node = self.add_node(op_type, inputs, attr, name=name.removesuffix("/"), control_inputs=control, device=self.device_of(op_type))
        for controller in self._controllers:
            controller.seen.add(node)
        return node

    def constant(self, value: Any, dtype: DType, name: str = "Const") -> Tensor:
        """A Const in the current scopes."""
        tensor: Tensor = self.op("Const", name=name, dtype=dtype, value=np.asarray(value, dtype.as_numpy_dtype))
        return tensor

    def device_of(self, op_type: str) -> str:
        """The device string that the current device scopes ask for."""
        return self._devices[-1] if self._devices else ""

    @contextlib.contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Enter a name scope; gives its full name with a final slash. A name that ends with a slash is re-entered as it is; None or "" is the top."""
        outer = self.scope
        self.scope = "" if not name else name[:-1] if name.endswith("/") else self.unique_name(name)
        try:
            yield f"{self.scope}/" if self.scope else ""
        finally:
            self.scope = outer

    @contextlib.contextmanager
    def control_dependencies(self, nodes: Iterable[Node] | None) -> Iterator[None]:
        """Nodes made inside run after `nodes`; None clears the dependencies and the control flow from outside."""
        outer, flow = self._controllers, self.flow
        if nodes is None:
            self._controllers, self.flow = [], None
        else:
            self._controllers = [*outer, Controller(list(nodes))]
        try:
            yield
        finally:
            self._controllers = outer
            if nodes is None:
                self.flow = flow

    @contextlib.contextmanager
    def colocate_with(self, node: Node | None) -> Iterator[None]:
        """Nodes made inside ask for the device of `node`; None clears what was asked outside."""
        self._colocation.append(node)
        try:
            yield
        finally:
            self._colocation.pop()

    # -- looking up ----------------------------------------------------------------------------------------------

    def tensor(self, name: str) -> Tensor:
        """The tensor called "node:index"; "node" alone is its output 0. Raises KeyError naming the nearest nodes."""
        node_name, _, index = name.partition(":")
        return self.node(node_name).output(int(index or 0))

    def node(self, name: str) -> Node:
        node = self.nodes.get(name)
        if node is None:
            raise KeyError(f"The graph has no node {name!r}.{self.nearest(name)}")
        return node

    def nearest(self, name: str) -> str:
        import difflib

        nodes: Iterable[str] = self.nodes
        if len(self.nodes) > 3000:  # comparing all would take seconds
            tail = name.rpartition("/")[2][:3].lower()
            nodes = [n for n in self.nodes if tail in n.lower()][:3000]
        close = difflib.get_close_matches(name, nodes, n=3, cutoff=0.5)
        return f" Nearest names: {', '.join(map(repr, close))}." if close else ""

    def consumers(self) -> dict[Tensor, list[tuple[Node, int]]]:
        """Tensor -> the (node, input position) pairs that read it, for every tensor that is read."""
        found: dict[Tensor, list[tuple[Node, int]]] = {}
        for node in self.nodes.values():
            for i, tensor in enumerate(node.inputs):
                found.setdefault(tensor, []).append((node, i))
        return found

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __len__(self) -> int:
        return len(self.nodes)


@dataclass(slots=True)
class Signature:
    """Names a model gives its inputs and outputs: alias -> tensor name, in order."""

    inputs: dict[str, str]
    outputs: dict[str, str]
    method: str = ""


def bind_attrs(opdef: opdefs.OpDef, inputs: Sequence[Any], attr: Mapping[str, Any]) -> dict[str, Any]:
    """All attrs of a node: those given, those its inputs say, and the OpDef's defaults."""
    if len(inputs) != len(opdef.inputs):
        raise ValueError(
            f"Op {opdef.name!r} takes {len(opdef.inputs)} inputs ({', '.join(a.name for a in opdef.inputs)}); {len(inputs)} were given."
        )
    filled = dict(attr)
    for arg, value in zip(opdef.inputs, inputs, strict=True):
        if arg.type_list_attr is not None:
            filled[arg.type_list_attr] = [t.dtype.base_dtype for t in value]
            continue
        if arg.number_attr is not None:
            filled[arg.number_attr] = len(value)
            first = value[0] if value else None
        else:
            first = value
        if arg.type_attr is not None and first is not None:
            filled[arg.type_attr] = first.dtype.base_dtype
    for spec in opdef.attrs.values():
        if spec.name not in filled:
            if spec.default is opdefs.REQUIRED:
                raise ValueError(f"Op {opdef.name!r} needs the attr {spec.name!r} ({spec.type}).")
            filled[spec.name] = spec.default
    return filled


def topological(targets: Iterable[Node], stop: Iterable[Tensor] = ()) -> list[Node]:
    """The nodes that `targets` need, through data and control edges, each after what it needs; the tensors in `stop` need nothing.

    A loop's back edge (into a Merge from a NextIteration) is no constraint on the order. Raises FormatError on any other cycle.
    """
    fed = set(stop)
    order: list[Node] = []
    state: dict[Node, int] = {}  # 1: being visited, 2: done
    roots = list(targets)
    roots.reverse()
    while roots:
        stack: list[tuple[Node, Iterator[Node]]] = []
        root = roots.pop()
        if root in state:
            continue
        state[root] = 1
        stack.append((root, iter(_needs(root, fed))))
        while stack:
            node, rest = stack[-1]
            for need in rest:
                if node.op in ("Merge", "RefMerge") and need.op in ("NextIteration", "RefNextIteration"):
                    roots.insert(0, need)
                    continue
                seen = state.get(need)
                if seen is None:
                    state[need] = 1
                    stack.append((need, iter(_needs(need, fed))))
                    break
                if seen == 1:
                    raise FormatError(f"The graph has a cycle through the nodes {node.name!r} and {need.name!r} that is not a while loop.")
            else:
                stack.pop()
                state[node] = 2
                order.append(node)
    return order


def _needs(node: Node, fed: set[Tensor]) -> list[Node]:
    if not fed:
        return [*(t.node for t in node.inputs), *node.control_inputs]
    # TensorFlow replaces a fed Placeholder: what waits for it waits for the feed. Any other fed node still runs for those that wait for it.
    return [*(t.node for t in node.inputs if t not in fed), *(c for c in node.control_inputs if not is_fed_placeholder(c, fed))]


def is_fed_placeholder(node: Node, fed: set[Tensor]) -> bool:
    return node.op in ("Placeholder", "PlaceholderV2") and node.outputs[0] in fed
