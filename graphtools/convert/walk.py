"""The walk over a TensorFlow graph that calls the handlers and checks what they return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools import passes
from graphtools.constant import constant
from graphtools.convert import HANDLERS, ON_LISTS, OPSET, load_for
from graphtools.convert.builder import Builder, Value
from graphtools.convert.lists import Items, TensorList, Weaken
from graphtools.dtypes import DType, float32, resource, variant
from graphtools.errors import ConversionError, NotConstant, UnsupportedOps
from graphtools.graph import Dims, Function, Graph, Node, Tensor, topological
from graphtools.passes.prune import extract
from graphtools.state import STACKS, VARIABLES, Variable, Versions, called_functions, calls_functions, variable_of

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, Any]

# Their first input chooses: a value also where it is a variable.
CHOICES = frozenset({"Case", "If", "StatelessCase", "StatelessIf"})


@dataclass(frozen=True, slots=True)
class Ref:
    """What a variable's ref or resource handle is converted to: the variable, not its value."""

    variable: Variable

    @property
    def key(self) -> str:
        return self.variable.key


@dataclass(frozen=True, slots=True)
class StackRef:
    """What a stack's handle is converted to."""

    key: str


class NodeView:
    """A node as its handler sees it."""

    __slots__ = ("_slices", "attr", "graph", "inputs", "name", "node", "op", "outputs", "walk")

    def __init__(self, walk: Walk, node: Node, inputs: list[Any]) -> None:
        self.walk = walk
        self.node = node
        self.op = node.op
        self.name = node.name
        self.attr = node.attr
        self.outputs = node.outputs
        self.graph = node.graph
        self.inputs = inputs
        self._slices: Any = None

    def _slice(self, name: str) -> tuple[Any, int, int]:
        if self._slices is None:
            opdef = self.node.opdef
            if opdef is None:
                raise ConversionError(f"Node {self.name!r}: op {self.op!r} has no OpDef.")
            self._slices = opdef.input_slices(self.attr)
        found: tuple[Any, int, int] = self._slices[name]
        return found

    def input(self, name: str) -> Any:
        """The converted input by its OpDef name; a list for a list argument."""
        arg, start, stop = self._slice(name)
        return self.inputs[start:stop] if arg.is_list else self.inputs[start]

    def with_inputs(self, inputs: list[Any]) -> NodeView:
        """The same node, read from other values."""
        return NodeView(self.walk, self.node, inputs)

    def tensor(self, name: str) -> Tensor:
        """The TensorFlow tensor given for an input, for its dtype and static dims."""
        _, start, _ = self._slice(name)
        return self.node.inputs[start]

    def const(self, name: str) -> Array:
        """The value of an input that ONNX needs now. Raises NotConstant."""
        value = self.maybe_const(name)
        if value is None:
            _, start, _ = self._slice(name)
            raise NotConstant(
                f"Node {self.name!r} ({self.op}): input {name!r} must be a constant, but {self.node.inputs[start].name!r} is computed when the model runs."
            )
        return value

    def maybe_const(self, name: str) -> Array | None:
        """The value of an input if it is known now, else None."""
        _, start, _ = self._slice(name)
        value = self.inputs[start]
        if isinstance(value, Value) and value.const is not None:
            return value.const
        return constant(self.node.inputs[start])

    @property
    def dtype(self) -> DType:
        """The dtype of output 0."""
        return self.outputs[0].dtype.base_dtype

    @property
    def dims(self) -> Dims:
        """The static dims of output 0."""
        return self.outputs[0].dims

    def read(self, ref: Any) -> Value:
        """The value of a variable as this node sees it."""
        return self.walk.read(self.node, self._ref(ref))

    def write(self, ref: Any, value: Value) -> None:
        """Give a variable its next value."""
        self.walk.write(self.node, self._ref(ref), value)

    def _ref(self, ref: Any) -> Ref:
        if not isinstance(ref, Ref):
            raise ConversionError(f"Node {self.name!r} ({self.op}) needs a variable; its input is {ref!r}.")
        return ref

    def function(self, attr: str) -> Function:
        """The library function that a func attr names."""
        func = self.attr[attr]
        found = self.graph.functions.get(func.name)
        if found is None:
            raise ConversionError(f"Node {self.name!r} ({self.op}): the graph's library has no function {func.name!r}.")
        return found

    def fail(self, reason: str) -> ConversionError:
        """The error to raise for something this handler cannot convert."""
        return ConversionError(f"Node {self.name!r} ({self.op}): {reason}")


class Walk:
    """Converts the nodes of one graph, or of one function body, into one Builder.

    `initial(variable)` gives the Value of a variable before the run; `values` holds what tensors were converted to.
    """

    def __init__(
        self,
        graph: Graph,
        builder: Builder,
        order: Sequence[Node],
        initial: Callable[[Variable], Value],
        bound: Mapping[Tensor, Any] | None = None,
    ) -> None:
        self.graph = graph
        self.op = builder
        self.order = order
        self.versions = Versions(order, {t: v.key for t, v in (bound or {}).items() if isinstance(v, Ref | StackRef)})
        self.initial = initial
        self.values: dict[Tensor, Any] = dict(bound or {})
        self.states: dict[tuple[str, int], Value] = {}
        self.written: dict[str, Variable] = {}
        self.stacks: dict[tuple[str, int], TensorList] = {}

    def run(self) -> None:
        """Convert every node of the order that is not converted yet. Raises UnsupportedOps with all that have no handler."""
        handlers = load_for({n.op for n in self.order if n.op not in VARIABLES and not self._is_bound(n)})
        missing: dict[str, list[str]] = {}
        for node in self.order:
            if node.op not in handlers and node.op not in VARIABLES and not self._is_bound(node):
                missing.setdefault(node.op, []).append(node.name)
        open_inputs = missing.pop("Placeholder", [])
        if missing:
            raise UnsupportedOps(missing)
        if open_inputs:
            names = ", ".join(repr(f"{n}:0") for n in open_inputs)
            raise ConversionError(
                f"The outputs need {'the placeholders' if len(open_inputs) > 1 else 'the placeholder'} {names}, which the inputs lack."
            )
        for node in self.order:
            if not self._is_bound(node):
                self.convert(node)

    def _is_bound(self, node: Node) -> bool:
        return bool(node.outputs) and all(t in self.values for t in node.outputs)

    def convert(self, node: Node) -> None:
        if node.op in VARIABLES:
            self.values[node.outputs[0]] = Ref(variable_of(node))
            return
        inputs = self._inputs(node)
        op = self.op
        outer = op.origin, op.device
        op.origin, op.device = node.name, node.device
        handler = HANDLERS[node.op]
        if any(isinstance(v, TensorList) for v in inputs):
            handler = ON_LISTS.get(node.op, handler)
        try:
            result = handler(op, NodeView(self, node, inputs))
        except (ConversionError, NotImplementedError, Weaken):
            raise
        except Exception as e:
            where = f" (made at {node.source[0]}:{node.source[1]})" if node.source else ""
            raise ConversionError(f"Node {node.name!r} ({node.op}){where} cannot be converted: {type(e).__name__}: {e}") from e
        finally:
            op.origin, op.device = outer
        results = [] if result is None else list(result) if isinstance(result, tuple | list) else [result]
        if len(results) > len(node.outputs):
            raise ConversionError(
                f"The conversion of {node.op} gave {len(results)} values for node {node.name!r}, which has {len(node.outputs)} outputs."
            )
        for tensor, value in zip(node.outputs, results, strict=False):
            if isinstance(value, Value):
                self._check(node, tensor, value)
            self.values[tensor] = value

    def _inputs(self, node: Node) -> list[Any]:
        """The converted inputs; a variable's value in the place of its ref where the op takes a plain tensor."""
        values = []
        takes_ref: set[int] | None = None
        for i, tensor in enumerate(node.inputs):
            try:
                value = self.values[tensor]
            except KeyError:
                raise ConversionError(
                    f"Node {node.name!r} ({node.op}) reads {tensor.name!r}, which the conversion of {tensor.node.op!r} does not compute."
                ) from None
            if isinstance(value, Ref) and tensor.dtype.is_ref:
                if takes_ref is None:
                    opdef = node.opdef
                    takes_ref = (
                        set(range(node.op in CHOICES, len(node.inputs)))
                        if opdef is None or calls_functions(node)
                        else {p for arg, start, stop in opdef.input_slices(node.attr).values() if arg.is_ref for p in range(start, stop)}
                    )
                if i not in takes_ref:
                    value = self.read(node, value)
            values.append(value)
        return values

    def _check(self, node: Node, tensor: Tensor, value: Value) -> None:
        wanted = tensor.dtype.base_dtype
        if value.dtype.base_dtype is not wanted:
            if value.dtype.onnx != wanted.onnx or wanted in (resource, variant):
                raise ConversionError(f"The conversion of {node.op} gave {value.dtype.name} for {tensor.name!r}, which is {wanted.name}.")
        if tensor.dims is not None:
            if value.dims is None:
                if value.const is None:
                    value.dims = tensor.dims
            elif len(value.dims) != len(tensor.dims):
                raise ConversionError(
                    f"The conversion of {node.op} gave rank {len(value.dims)} for {tensor.name!r}, which has rank {len(tensor.dims)}."
                )
            elif None in value.dims and value.const is None:
                value.dims = tuple(d if d is not None else t for d, t in zip(value.dims, tensor.dims, strict=True))

    # -- state ---------------------------------------------------------------------------------------------------

    def state(self, variable: Variable, version: int) -> Value:
        known = self.states.get((variable.key, version))
        if known is None:
            if version:
                raise ConversionError(f"Variable {variable.key!r} is read before the node that writes it was converted.")
            known = self.states[variable.key, 0] = self.initial(variable)
        return known

    def read(self, node: Node, ref: Ref) -> Value:
        return self.state(ref.variable, self.versions.seen_by(node, ref.key))

    def write(self, node: Node, ref: Ref, value: Value) -> None:
        self.states[ref.key, self.versions.written_by(node, ref.key)] = value
        self.written[ref.key] = ref.variable

    def last(self, variable: Variable) -> Value:
        """The value of a variable after the run."""
        for version in range(self.versions.last(variable.key), -1, -1):
            if (variable.key, version) in self.states or version == 0:
                return self.state(variable, version)
        raise ConversionError(f"Variable {variable.key!r} has no value.")

    def value(self, tensor: Tensor) -> Value:
        """The value to give for a fetched tensor."""
        found = self.values[tensor]
        if isinstance(found, Ref):
            return self.last(found.variable)
        if not isinstance(found, Value):
            raise ConversionError(f"{tensor.name!r} is a {tensor.dtype.name}, not a tensor that a model can return.")
        return found

    # -- functions -----------------------------------------------------------------------------------------------

    def call(
        self, function: Function, args: Sequence[Any], builder: Builder, at: Node
    ) -> tuple[list[Any], dict[str, tuple[Variable, Value]]]:
        """Convert a function's body into `builder`, applied to converted values.

        Returns its outputs and the variables it wrote with their new values. State is read as the node `at` sees it.
        """
        inner = self.enter(function, args, builder, at)
        return [inner.values[t] for t in function.outputs], {k: (v, inner.last(v)) for k, v in inner.written.items()}

    def enter(self, function: Function, args: Sequence[Any], builder: Builder, at: Node, states: Mapping[str, Any] | None = None) -> Walk:
        """The walk over a function's body, done. `states` are variables and stacks whose value is not what `at` sees here."""
        if len(args) != len(function.inputs):
            raise ConversionError(
                f"Node {at.name!r} ({at.op}) calls {function.name!r} with {len(args)} arguments; the function takes {len(function.inputs)}."
            )
        known = states or {}
        bound = dict(zip(function.inputs, args, strict=True))
        order = topological([*(t.node for t in function.outputs), *function.control_outputs, *_effects(function.graph)])

        def initial(variable: Variable) -> Value:
            found = known.get(variable.key)
            return found if found is not None else self.read_variable(at, variable)

        inner = Walk(function.graph, builder, order, initial, bound)
        inner.initial_stack = lambda key: known[key] if key in known else self.stack(at, key)  # type: ignore[method-assign]
        inner.run()
        return inner

    # -- stacks, and the state that loops and branches change ------------------------------------------------------

    def initial_stack(self, key: str) -> TensorList:
        """What a stack holds before the run."""
        for node in self.graph:
            if node.op in STACKS and node.name == key:
                return Items(node.attr["elem_type"], None, [])
        raise ConversionError(f"The graph has no stack {key!r}.")

    def _stack(self, key: str, version: int) -> TensorList:
        known = self.stacks.get((key, version))
        if known is None:
            if version:
                raise ConversionError(f"Stack {key!r} is read before the node that changes it was converted.")
            known = self.stacks[key, 0] = self.initial_stack(key)
        return known

    def stack(self, node: Node, key: str) -> TensorList:
        """The content of a stack as a node sees it."""
        return self._stack(key, self.versions.seen_by(node, key))

    def set_stack(self, node: Node, key: str, content: TensorList) -> None:
        self.stacks[key, self.versions.written_by(node, key)] = content

    def read_variable(self, node: Node, variable: Variable) -> Value:
        return self.state(variable, self.versions.seen_by(node, variable.key))

    def state_of(self, node: Node) -> tuple[dict[str, Variable], list[str]]:
        """The variables and the stacks that the functions of a node change, in a fixed order."""
        variables: dict[str, Variable] = {}
        stacks: list[str] = []
        known = {v.key: v.variable for t in node.inputs if isinstance(v := self.values.get(t), Ref)}
        refs = {v.key for t in node.inputs if isinstance(v := self.values.get(t), StackRef)}
        inside = list(_variables_inside(node))
        known |= {v.key: v for v in (variable_of(n) for n in inside if n.op in VARIABLES)}
        refs |= {n.name for n in inside if n.op in STACKS}
        for key in sorted(self.versions.made_by(node)):
            if key in known:
                variables[key] = known[key]
            elif key in refs:
                stacks.append(key)
            else:
                raise ConversionError(
                    f"Node {node.name!r} ({node.op}) changes {key!r}, which is neither a variable nor a stack it is given."
                )
        return variables, stacks

    def last_state(self, key: str, variable: Variable | None) -> Any:
        """The value of a variable, or without one the content of a stack, after the walk."""
        if variable is not None:
            return self.last(variable)
        for version in range(self.versions.last(key), -1, -1):
            if (key, version) in self.stacks or version == 0:
                return self._stack(key, version)
        raise ConversionError(f"Stack {key!r} has no content.")

    def set_state(self, node: Node, key: str, variable: Variable | None, value: Any) -> None:
        """Give a variable, or with None a stack, the value that `node` leaves."""
        if variable is None:
            self.set_stack(node, key, value)
        else:
            self.write(node, Ref(variable), value)

    def bind(self, tensor: Tensor, ref: Ref) -> None:
        """Make a function parameter stand for a variable."""
        self.values[tensor] = ref


def _variables_inside(node: Node, depth: int = 0) -> Iterable[Node]:
    """The variable and stack nodes in the functions that a node calls."""
    if depth > 100:
        return
    for function in called_functions(node):
        for member in function.graph:
            if member.op in VARIABLES or member.op in STACKS:
                yield member
            yield from _variables_inside(member, depth + 1)


def _effects(graph: Graph) -> list[Node]:
    """The nodes of a function body that run for their effect: stateful ones that nothing reads."""
    return [
        n
        for n in graph
        if n.opdef is not None
        and n.opdef.is_stateful
        and n.op not in ("_Arg", "Placeholder", "Assert", "Print")
        and n.op not in VARIABLES
        and n.op not in STACKS
    ]


def resolve(graph: Graph, names: Iterable[str], what: str) -> list[Tensor | Node]:
    """Tensors (or ops without outputs) by name. Raises KeyError with the nearest names and what the graph has."""
    found: list[Tensor | Node] = []
    for name in names:
        node_name, _, index = name.partition(":")
        node = graph.nodes.get(node_name.removeprefix("^"))
        if node is None:
            available = [t.name for t in (default_outputs(graph) if what == "output" else default_inputs(graph))]
            raise KeyError(
                f"The graph has no {what} {name!r}.{graph.nearest(node_name)} Its {what}s are: {', '.join(available[:20]) or 'none'}."
            )
        if not index and not node.outputs:
            found.append(node)
        elif node.opdef is not None and int(index or 0) >= len(node.outputs):
            raise KeyError(f"Node {node_name!r} ({node.op}) has {len(node.outputs)} outputs; there is no {what} {name!r}.")
        else:
            found.append(node.output(int(index or 0)))
    return found


def default_inputs(graph: Graph) -> list[Tensor]:
    """The signature's inputs, else every placeholder."""
    if graph.signature is not None:
        return [graph.tensor(name) for name in graph.signature.inputs.values()]
    return [n.outputs[0] for n in graph if n.op in ("Placeholder", "PlaceholderV2")]


def default_outputs(graph: Graph) -> list[Tensor]:
    """The signature's outputs, else those of every op that computes something of which nothing reads any output."""
    if graph.signature is not None:
        return [graph.tensor(name) for name in graph.signature.outputs.values()]
    read = {t.node for n in graph for t in n.inputs}
    skip = {"Placeholder", "Const", "NoOp", "Assert", *VARIABLES}
    return [t for n in graph if n not in read and n.op not in skip for t in n.outputs if t.dtype not in (resource, variant)]


def _present(graph: Graph, names: Sequence[str]) -> list[str]:
    """The input names that the graph has. One that was cut off when it was frozen is not needed; the placeholders that are needed must be given."""
    missing = [n for n in names if n.partition(":")[0] not in graph.nodes]
    kept = [n for n in names if n not in missing]
    given = {n.partition(":")[0] for n in kept}
    if missing and any(n.op == "Placeholder" and n.name not in given for n in graph):
        resolve(graph, missing, "input")
    return kept


def _kept(graph: Graph, node: Node) -> Node:
    """A fetched node after the passes. Raises ConversionError for one inside a loop or branch."""
    found = graph.nodes.get(node.name)
    if found is not None:
        return found
    for function in graph.functions.values():
        if node.name in function.graph.nodes:
            where = function.name.removesuffix("_body").removesuffix("_cond").removesuffix("_then").removesuffix("_else")
            raise ConversionError(
                f"{node.name!r} ({node.op}) is inside the loop or branch {where!r}, where it has no value or many: fetch what leaves the loop or branch."
            )
    raise ConversionError(f"{node.name!r} ({node.op}) is inside a loop or branch: fetch what leaves it.")


def convert_graph(graph: Graph, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> onnx.ModelProto:
    """See graphtools.to_onnx."""
    from graphtools.convert.model import to_model

    builder, metadata = build(graph, inputs, outputs)
    return to_model(builder, OPSET, metadata=metadata)


def build(graph: Graph, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> tuple[Builder, dict[str, str] | None]:
    """The finished ONNX graph, and the metadata of its model."""
    from graphtools.convert.optimize import optimize

    if inputs is not None:
        inputs = _present(graph, inputs)
    fed = [t for t in (resolve(graph, inputs, "input") if inputs is not None else default_inputs(graph)) if isinstance(t, Tensor)]
    wanted = resolve(graph, outputs, "output") if outputs is not None else list(default_outputs(graph))
    if not wanted:
        raise ConversionError("The graph has no output to convert: name one with `outputs`.")
    part, tensors, nodes = extract(graph, wanted, fed)
    passes.run(part)
    targets = [_kept(part, nodes[w] if isinstance(w, Node) else tensors[w].node) for w in wanted]
    order = topological(targets)
    builder = Builder(name="tfrevive")
    changed = {key for key in Versions(order).writers if part.nodes.get(key) is None or part.nodes[key].op not in STACKS}
    state_inputs: dict[str, Value] = {}

    def initial(variable: Variable) -> Value:
        saved = graph.values.get(variable.key)
        if saved is not None and variable.key not in changed:
            return builder.const(np.asarray(saved))
        if saved is None and not changed:
            raise ConversionError(f"Variable {variable.key!r} has no value: give the checkpoint it was saved in.")
        value = builder.input(f"{variable.key}:0", variable.dtype.base_dtype, variable.dims)
        if saved is not None:
            state_inputs[variable.key] = value
        return value

    walk = Walk(part, builder, order, initial)
    for tensor, name in zip(fed, inputs if inputs is not None else [t.name for t in fed], strict=True):
        new = tensors[tensor]
        if tensor.dtype.is_quantized:  # fed as TensorFlow lets it be fed: numbers, made integers
            fed_value = builder.input(name, float32, tensor.dims)
            walk.values[new] = builder.Cast(fed_value, to=tensor.dtype.base_dtype.onnx)
            continue
        walk.values[new] = builder.input(name, tensor.dtype.base_dtype, tensor.dims)
    walk.run()
    for target, name in zip(wanted, outputs if outputs is not None else [t.name for t in wanted if isinstance(t, Tensor)], strict=True):
        if isinstance(target, Tensor):
            here = tensors[target]
            builder.output(walk.value(part.nodes[here.node.name].outputs[here.index]), name)
    for key, variable in walk.written.items():
        builder.output(walk.last(variable), f"{key}:next")
    optimize(builder)
    for key, value in state_inputs.items():  # only now, for a default is no constant that may be folded
        value.const = np.asarray(graph.values[key])
    return builder, {"tfrevive.state": ",".join(walk.written)} if walk.written else None


__all__ = ["NodeView", "Ref", "Walk", "build", "convert_graph", "default_inputs", "default_outputs", "resolve"]
