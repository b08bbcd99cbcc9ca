"""Inline the calls of library functions: PartitionedCall, StatefulPartitionedCall, and ops named as a function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphtools.errors import ConversionError
from graphtools.graph import AttrPlaceholder, Func, Function, Graph, Node, Tensor
from graphtools.passes.outline import free_name, unique_function
from graphtools.shapes.control_flow_ops import infer_again

CALLS = {"PartitionedCall": "f", "StatefulPartitionedCall": "f", "RemoteCall": "f", "XlaLaunch": "function"}  # op -> its func attr
# Func attrs of ops that keep their functions.
CALLEES = ("then_branch", "else_branch", "cond", "body", "branches")
MAX_DEPTH = 100
MAX_NODES = 5_000_000  # of a graph with its calls inlined


def run(graph: Graph) -> bool:
    """Inline every call in the graph and in the branches and bodies that its Ifs and Whiles call, each in a copy of its own."""
    if not graph.functions:
        return False
    if not _inline(graph, graph.functions, ()):
        return False
    infer_again(graph)
    return True


def _inline(graph: Graph, library: dict[str, Function], path: tuple[str, ...]) -> bool:
    changed = False
    waiting = [(node, path) for node in graph]
    while waiting:
        node, inside = waiting.pop()
        callee = _callee(node, library)
        if callee is None:
            changed |= _own_callees(node, library, inside)
            continue
        function, attr = callee
        if function.name in inside or len(inside) > MAX_DEPTH:
            raise ConversionError(f"Function {function.name!r} calls itself (through {' -> '.join((*inside, function.name))}).")
        waiting.extend((n, (*inside, function.name)) for n in _expand(graph, node, function, attr))
        changed = True
    return changed


def _callee(node: Node, library: Mapping[str, Function]) -> tuple[Function, Mapping[str, Any]] | None:
    if node.op in library:
        return library[node.op], node.attr
    if node.op == "SymbolicGradient":
        raise ConversionError(
            f"Node {node.name!r} (SymbolicGradient) is the gradient of function {getattr(node.attr.get('f'), 'name', '?')!r}, which TensorFlow "
            "derives when it runs the graph; build the gradients with tf.gradients instead."
        )
    name = CALLS.get(node.op)
    func = node.attr.get(name) if name is not None else None
    if not isinstance(func, Func):
        return None
    found = library.get(func.name)
    if found is None:
        raise ConversionError(f"Node {node.name!r} ({node.op}) calls the function {func.name!r}, which the graph's library lacks.")
    return found, func.attr


def _expand(graph: Graph, call: Node, function: Function, attr: Mapping[str, Any]) -> list[Node]:
    """Put a copy of a function's body in the place of a call, whose node stays as an IdentityN."""
    inputs = call.inputs[: len(function.inputs)]
    if len(inputs) < len(function.inputs):
        raise ConversionError(
            f"Node {call.name!r} ({call.op}) calls {function.name!r} with {len(inputs)} arguments; the function has {len(function.inputs)}."
        )
    if len(graph) + len(function.graph) > MAX_NODES:
        raise ConversionError(f"The graph has over {MAX_NODES:,} nodes once its function calls are inlined (the last is {call.name!r}).")
    mapped = dict(zip(function.inputs, inputs, strict=True))
    copies: dict[Node, Node] = {}
    for old in function.graph:
        if old.op == "_Arg":
            continue
        copies[old] = node = _copy(graph, old, free_name(graph, f"{call.name}/{old.name}"), attr)
        node.device = node.device or call.device
        node.source = old.source or call.source
        if "frame_name" in node.attr:  # two calls are two loops
            node.attr["frame_name"] = f"{call.name}/{node.attr['frame_name']}"
        mapped.update(zip(old.outputs, node.outputs, strict=False))
    for old, node in copies.items():
        node.inputs = [mapped[t] for t in old.inputs]
        node.control_inputs = [copies[c] for c in old.control_inputs if c in copies]
        if not node.inputs and not node.control_inputs:
            node.control_inputs = list(call.control_inputs)
    results = [mapped[t] for t in function.outputs]
    effects = [copies[c] for c in function.control_outputs if c in copies]
    if any(n.opdef is not None and n.opdef.is_stateful for n in copies.values()):
        read = {t for n in copies.values() for t in n.inputs} | set(results)
        effects += [n for n in copies.values() if n.opdef is not None and n.opdef.is_stateful and not any(t in read for t in n.outputs)]
    call.control_inputs = list(dict.fromkeys([*call.control_inputs, *effects]))
    old_outputs = list(call.outputs)
    if old_outputs:
        call.op, call.attr, call.inputs = "IdentityN", {"T": [t.dtype.base_dtype for t in results]}, results
        for output, result in zip(old_outputs, results, strict=False):
            output.dtype = result.dtype
            output.dims = result.dims if output.dims is None else output.dims
    else:
        call.op, call.attr, call.inputs = "NoOp", {}, []
    _bypass(graph, call, results)
    return list(copies.values())


def _bypass(graph: Graph, call: Node, results: list[Tensor]) -> None:
    """Let readers of a call without effects read the function's results; the call's own node is there for fetches."""
    replaced = dict(zip(call.outputs, results, strict=False))
    for node in graph:
        if node is not call and any(t in replaced for t in node.inputs):
            node.inputs = [replaced.get(t, t) for t in node.inputs]
            if call.control_inputs and not any(t.node is call for t in node.inputs):
                node.control_inputs = list(dict.fromkeys([*node.control_inputs, *call.control_inputs]))


def _copy(graph: Graph, old: Node, name: str, attr: Mapping[str, Any]) -> Node:
    """A node of a function's body under the attrs of one call."""
    generic = any(_has_placeholder(v) for v in old.attr.values())
    node = graph.add_raw_node(name, old.op, {k: _bind(v, attr, old) for k, v in old.attr.items()}, old.device)
    if generic and old.opdef is not None:
        graph.set_outputs(node)
    else:
        node.outputs = [graph.tensor_type(node, t.index, t.dtype, t.dims) for t in old.outputs]
    return node


def _has_placeholder(value: Any) -> bool:
    if isinstance(value, list):
        return any(isinstance(v, AttrPlaceholder) for v in value)
    return isinstance(value, AttrPlaceholder) or (
        isinstance(value, Func) and any(isinstance(v, AttrPlaceholder) for v in value.attr.values())
    )


def _bind(value: Any, attr: Mapping[str, Any], node: Node) -> Any:
    if isinstance(value, AttrPlaceholder):
        if value.name not in attr:
            raise ConversionError(
                f"Node {node.name!r} ({node.op}) in a function needs the attr {value.name!r} of the function, which its caller does not give."
            )
        return attr[value.name]
    if isinstance(value, list):
        return [_bind(v, attr, node) for v in value]
    if isinstance(value, Func) and value.attr:
        return Func(value.name, {k: _bind(v, attr, node) for k, v in value.attr.items()})
    return value


def _own_callees(node: Node, library: dict[str, Function], path: tuple[str, ...]) -> bool:
    """Give an If, While or Case copies of its functions in which calls are inlined."""
    changed = False
    for key in CALLEES:
        value = node.attr.get(key)
        funcs = [f for f in (value if isinstance(value, list) else [value]) if isinstance(f, Func)]
        if not funcs:
            continue
        new = []
        for func in funcs:
            if func.name not in library:
                raise ConversionError(f"Node {node.name!r} ({node.op}) calls the function {func.name!r}, which the graph's library lacks.")
            if func.name in path or len(path) > MAX_DEPTH:
                raise ConversionError(f"Function {func.name!r} calls itself (through {' -> '.join((*path, func.name))}).")
            function = clone(library[func.name], library, func.attr)
            _inline(function.graph, library, (*path, func.name))
            new.append(Func(function.name, func.attr))
        node.attr[key] = new if isinstance(value, list) else new[0]
        changed = True
    return changed


def clone(function: Function, library: dict[str, Function], attr: Mapping[str, Any]) -> Function:
    """A copy of a function, instantiated with these attrs, under a name of its own in the library."""
    body = Graph(function.graph.producer)
    body.functions = library
    copies = {old: _copy(body, old, old.name, attr) for old in function.graph}
    mapped = {t: u for old, node in copies.items() for t, u in zip(old.outputs, node.outputs, strict=False)}
    for old, node in copies.items():
        if old.op == "_Arg":
            node.outputs = [body.tensor_type(node, 0, node.attr["T"], old.outputs[0].dims)]
            mapped[old.outputs[0]] = node.outputs[0]
    for old, node in copies.items():
        node.inputs = [mapped[t] for t in old.inputs]
        node.control_inputs = [copies[c] for c in old.control_inputs]
    new = Function(
        unique_function(body, function.name),
        body,
        [mapped[t] for t in function.inputs],
        [mapped[t] for t in function.outputs],
        [copies[c] for c in function.control_outputs],
        {**function.attr, **attr},
    )
    library[new.name] = new
    return new
