"""GraphDef, binary and text <-> Graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from graphtools import opdefs
from graphtools.dtypes import DType, variant
from graphtools.errors import FormatError
from graphtools.formats import schema, tensor
from graphtools.graph import AttrPlaceholder, Func, Function, Graph, Node, Tensor

# Up to this version a Placeholder's `shape {}` said nothing of its shape.
_LAST_WITHOUT_SCALAR_PLACEHOLDERS = 21
# The content of tensors in nodes bigger than this stays where the file has it.
_BIG_NODE = 1 << 14
# More inputs or outputs than any graph has.
_MAX_LIST = 1_000_000


def read(data: bytes | memoryview, *, what: str = "GraphDef", offset: int = 0) -> Graph:
    """The graph in the bytes of a binary GraphDef, which the graph's big constants keep alive.

    Raises FormatError with the offset, counted from `offset`, where they are no GraphDef.
    """
    view = memoryview(data)
    end, at = len(view), 0
    nodes: list[tuple[Any, Any]] = []
    rest: list[bytes] = []
    try:
        while at < end:
            number, wire, start, stop = schema.field_at(view, at, end)
            if number == 1 and wire == 2:
                small, content = _without_content(view, start, stop) if stop - start > _BIG_NODE else (bytes(view[start:stop]), None)
                nodes.append((_parse_node(small, view, start, stop, what, offset), content))
            else:
                rest.append(bytes(view[at:stop]))
            at = stop
    except schema.WireError as e:
        raise FormatError(f"{what} is damaged at byte {offset + e.args[0]}: {e.args[1]}.") from e
    return _graph(nodes, schema.parse("GraphDef", b"".join(rest), what=what, offset=offset))


def read_text(text: str | bytes, *, what: str = "GraphDef") -> Graph:
    """The graph in the text of a .pbtxt. Raises FormatError."""
    return from_message(schema.parse_text("GraphDef", text, what=what))


def write(graph: Graph) -> bytes:
    """The bytes of a binary GraphDef with these nodes and functions."""
    data: bytes = to_message(graph).SerializeToString(deterministic=True)
    return data


def write_text(graph: Graph) -> str:
    return schema.to_text(to_message(graph))


def from_message(message: Any) -> Graph:
    """The graph of a GraphDef message. Raises FormatError."""
    return _graph([(n, None) for n in message.node], message)


def _parse_node(small: bytes, view: memoryview, start: int, stop: int, what: str, offset: int) -> Any:
    node_def = schema.message("NodeDef")
    try:
        return node_def.FromString(small)
    except DecodeError:
        return schema.parse("NodeDef", view[start:stop], what=what, offset=offset + start)


def _without_content(view: memoryview, at: int, end: int) -> tuple[bytes, memoryview | None]:
    """A NodeDef without the tensor_content of its attr "value", and that content."""
    path = (5, 2, 8, 4)  # NodeDef.attr, its entry's value, AttrValue.tensor, TensorProto.tensor_content

    def cut(at: int, end: int, level: int) -> tuple[bytes, memoryview | None]:
        pieces: list[bytes] = []
        content: memoryview | None = None
        while at < end:
            number, wire, start, stop = schema.field_at(view, at, end)
            if content is None and wire == 2 and number == path[level] and stop - start > _BIG_NODE // 2:
                if level == 3:
                    content = view[start:stop]
                    at = stop
                    continue
                inner, content = cut(start, stop, level + 1)
                pieces += [schema.encode_varint(number << 3 | 2), schema.encode_varint(len(inner)), inner]
            else:
                pieces.append(bytes(view[at:stop]))
            at = stop
        return b"".join(pieces), content

    return cut(at, end, 0)


# -- messages -> Graph -----------------------------------------------------------------------------------------------


def _graph(node_defs: list[tuple[Any, Any]], message: Any) -> Graph:
    """The graph of these NodeDefs (each with its content kept outside, if any) and of what else the GraphDef says."""
    graph = Graph(message.versions.producer or message.version)
    graph.min_consumer = message.versions.min_consumer
    graph.function_gradients = {g.function_name: g.gradient_func for g in message.library.gradient}
    _add_functions(graph, message.library)
    nodes = []
    for node_def, content in node_defs:
        nodes.append(_add_node(graph, node_def, content))
    for node, (node_def, _) in zip(nodes, node_defs, strict=True):
        _link(graph, node, node_def.input, _source)
    return graph


def _add_node(graph: Graph, node_def: Any, content: Any = None) -> Node:
    name, op = node_def.name, node_def.op
    if not name or not op:
        raise FormatError(f"A node has the name {name!r} and the op {op!r}; both must be given.")
    attr: dict[str, Any] = {}
    for key, value in node_def.attr.items():
        found = _attr(value, name, op, key, content if key == "value" else None)
        if found is not _ABSENT:
            attr[key] = found
    if op == "Placeholder" and attr.get("shape") == () and graph.producer <= _LAST_WITHOUT_SCALAR_PLACEHOLDERS:
        attr["shape"] = None
    node = graph.add_raw_node(name, op, attr, node_def.device)
    _check_counts(node)
    graph.set_outputs(node)
    return node


def _check_counts(node: Node) -> None:
    """Refuse lists of absurdly many inputs or outputs before they are made."""
    opdef = node.opdef
    for arg in () if opdef is None else (*opdef.inputs, *opdef.outputs):
        count = 0 if arg.number_attr is None else node.attr.get(arg.number_attr, 0)
        if not isinstance(count, AttrPlaceholder) and not (isinstance(count, int) and 0 <= count <= _MAX_LIST):
            raise FormatError(
                f"Node {node.name!r} ({node.op}): attr {arg.number_attr!r} is {count!r}; a number up to {_MAX_LIST} was expected."
            )


def _link(graph: Graph, node: Node, inputs: Iterable[str], source: Any) -> None:
    """Set a node's inputs from the names a file has. `source(graph, node, text)` finds a data input's tensor."""
    for text in inputs:
        if text.startswith("^"):
            control = graph.nodes.get(text[1:])
            if control is None:
                raise _no_node(graph, node, text[1:], text)
            node.control_inputs.append(control)
        else:
            node.inputs.append(source(graph, node, text))
    opdef = None if node.op in graph.functions else node.opdef
    if opdef is None:
        return
    try:
        expected = max((stop for _, _, stop in opdef.input_slices(node.attr).values()), default=0)
    except (KeyError, TypeError, ValueError) as e:
        raise FormatError(f"Node {node.name!r} ({node.op}): attr {e} that says what its inputs are is missing or wrong.") from e
    if len(node.inputs) != expected:
        raise FormatError(f"Node {node.name!r} ({node.op}) has {len(node.inputs)} inputs; with its attrs the op takes {expected}.")


def _no_node(graph: Graph, node: Node, wanted: str, text: str) -> FormatError:
    return FormatError(
        f"Node {node.name!r} ({node.op}) has the input {text!r}, but the graph has no node {wanted!r}.{graph.nearest(wanted)}"
    )


def _source(graph: Graph, node: Node, text: str) -> Tensor:
    found = graph.nodes.get(text)
    if found is not None:
        return _output(found, 0, node, text)
    name, _, index = text.rpartition(":")
    found = graph.nodes.get(name)
    if found is None:
        raise _no_node(graph, node, name or text, text)
    if not (index.isascii() and index.isdigit() and len(index) < 10):
        raise FormatError(f"Node {node.name!r} ({node.op}) has the input {text!r}; what follows the colon must be an output's number.")
    return _output(found, int(index), node, text)


def _output(found: Node, index: int, node: Node, text: str) -> Tensor:
    try:
        return found.outputs[index] if index < len(found.outputs) else found.output(index)
    except FormatError as e:
        raise FormatError(f"Node {node.name!r} ({node.op}) has the input {text!r}. {e}") from e


_ABSENT: Any = object()


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def _attr(value: Any, name: str, op: str, key: str, content: Any = None) -> Any:
    """The Python value of an AttrValue of the node `name`; _ABSENT where it holds none."""
    kind = value.WhichOneof("value")
    if kind is None:
        return _ABSENT
    if kind == "list":
        items = value.list
        for field, entries in items.ListFields():
            return [_item(field.name, v, name, op, key) for v in entries]
        return []
    if kind == "placeholder":
        return AttrPlaceholder(value.placeholder)
    if kind == "tensor":
        return tensor.to_array(value.tensor, f"Attr {key!r} of node {name!r} ({op})", content)
    return _item(kind, getattr(value, kind), name, op, key)


def _item(kind: str, value: Any, name: str, op: str, key: str) -> Any:
    if kind == "s":
        return _text(value)
    if kind == "type":
        return variant if value == 0 else tensor.dtype_of(value, f"Attr {key!r} of node {name!r} ({op})")
    if kind == "shape":
        return tensor.dims_of(value)
    if kind == "tensor":
        return tensor.to_array(value, f"Attr {key!r} of node {name!r} ({op})")
    if kind == "func":
        attr = {k: _attr(v, name, op, k) for k, v in value.attr.items()}
        return Func(value.name, {k: v for k, v in attr.items() if v is not _ABSENT})
    return value


def attrs(message: Any, what: str) -> dict[str, Any]:
    """The Python values of a map of AttrValues."""
    found = {k: _attr(v, what, what, k) for k, v in message.items()}
    return {k: v for k, v in found.items() if v is not _ABSENT}


def _add_functions(graph: Graph, library: Any) -> None:
    if not library.function:
        return
    # Bodies call each other, so all signatures are known before the first body is read.
    for definition in library.function:
        function = _function_shell(graph, definition)
        if function.name in graph.functions:
            raise FormatError(f"Two functions of the library are named {function.name!r}.")
        graph.functions[function.name] = function
    arguments = {d.signature.name: [a.name for a in d.signature.output_arg] for d in library.function}
    for definition in library.function:
        _read_body(graph.functions[definition.signature.name], definition, arguments)


def _function_shell(graph: Graph, definition: Any) -> Function:
    """The function with its parameters, and outputs of which only the type is known."""
    signature = definition.signature
    body = Graph(graph.producer)
    body.functions = graph.functions
    inputs = []
    for i, arg in enumerate(signature.input_arg):
        attr: dict[str, Any] = {"T": _arg_type(arg, signature.name), "index": i}
        if i in definition.arg_attr:
            attr.update(attrs(definition.arg_attr[i].attr, arg.name))
        node = body.add_raw_node(arg.name, "_Arg", attr)
        node.outputs = [body.tensor_type(node, 0, attr["T"])]
        inputs.append(node.outputs[0])
    result = body.node_type(body, signature.name, "_Retval", {})
    outputs = [body.tensor_type(result, i, _arg_type(a, signature.name)) for i, a in enumerate(signature.output_arg)]
    return Function(signature.name, body, inputs, outputs, attr=attrs(definition.attr, signature.name))


def _arg_type(arg: Any, function: str) -> Any:
    if arg.number_attr or arg.type_list_attr:
        raise FormatError(f"Argument {arg.name!r} of function {function!r} is a list; tensors one by one were expected.")
    if arg.type_attr:
        return AttrPlaceholder(arg.type_attr)
    dtype = tensor.dtype_of(arg.type, f"Argument {arg.name!r} of function {function!r}")
    return dtype.as_ref if arg.is_ref else dtype


def _read_body(function: Function, definition: Any, arguments: dict[str, list[str]]) -> None:
    body = function.graph

    def source(graph: Graph, node: Node, text: str) -> Tensor:
        """Inputs in function bodies are "parameter" or "node:output argument:number in it"."""
        name, _, rest = text.partition(":")
        found = graph.nodes.get(name)
        if found is None:
            raise _no_node(graph, node, name, text)
        if not rest or found.op == "_Arg":
            return _output(found, 0, node, text)
        argument, _, number = rest.partition(":")
        index = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
        if argument.isascii() and argument.isdigit():  # "node:number", as in graphs
            return _output(found, int(argument) if len(argument) < 10 else 1 << 30, node, text)
        return _output(found, index + _first_output(found, argument, arguments, node, text), node, text)

    nodes = [_add_node(body, d) for d in definition.node_def]
    for node, node_def in zip(nodes, definition.node_def, strict=True):
        try:
            _link(body, node, node_def.input, source)
        except FormatError as e:
            raise FormatError(f"In function {function.name!r}: {e}") from e
    result = function.outputs[0].node if function.outputs else body.node_type(body, function.name, "_Retval", {})
    outputs = []
    for arg in definition.signature.output_arg:
        text = definition.ret.get(arg.name)
        if text is None:
            raise FormatError(f"Function {function.name!r} does not say what its output {arg.name!r} is.")
        outputs.append(source(body, result, text))
    function.outputs[:] = outputs
    for name, text in definition.control_ret.items():
        if text not in body.nodes:
            raise FormatError(f"Control output {name!r} of function {function.name!r} is {text!r}, which is no node of it.")
        function.control_outputs.append(body.nodes[text])


def _first_output(found: Node, argument: str, arguments: dict[str, list[str]], node: Node, text: str) -> int:
    """The number of the first output that belongs to this output argument of a node."""
    if found.op in arguments:
        names = arguments[found.op]
        if argument in names:
            return names.index(argument)
    elif found.opdef is not None:
        at = 0
        for arg in found.opdef.outputs:
            if arg.name == argument:
                return at
            at += len(arg.types(found.attr))
    else:
        return 0
    raise FormatError(f"Node {node.name!r} has the input {text!r}; op {found.op!r} has no output argument {argument!r}.")


# -- Graph -> messages -----------------------------------------------------------------------------------------------


def to_message(graph: Graph) -> Any:
    """The GraphDef message of a graph."""
    message = schema.message("GraphDef")()
    for node in graph:
        _write_whole_node(node, message.node.add())
    for function in graph.functions.values():
        _write_function(function, message.library.function.add())
    for name, gradient in graph.function_gradients.items():
        message.library.gradient.add(function_name=name, gradient_func=gradient)
    if graph.producer or graph.min_consumer:
        message.versions.producer, message.versions.min_consumer = graph.producer, graph.min_consumer
    return message


def node_message(node: Node) -> Any:
    """The NodeDef message of a node."""
    message = schema.message("NodeDef")()
    _write_whole_node(node, message)
    return message


def _write_whole_node(node: Node, node_def: Any) -> None:
    _write_node(node, node_def)
    node_def.input.extend(_input_name(t) for t in node.inputs)
    node_def.input.extend("^" + c.name for c in node.control_inputs)


def _input_name(source: Tensor) -> str:
    return source.node.name if source.index == 0 else f"{source.node.name}:{source.index}"


def _write_node(node: Node, node_def: Any) -> None:
    node_def.name, node_def.op, node_def.device = node.name, node.op, node.device
    opdef = node.opdef
    types = {} if opdef is None else opdef.attrs
    for key, value in sorted(node.attr.items()):
        spec = types.get(key)
        set_attr(node_def.attr[key], value, spec.type if spec is not None else "", node.attr.get("dtype"))


def set_attr(message: Any, value: Any, kind: str = "", dtype: Any = None) -> None:
    """Write a Python value into an AttrValue. `kind` is the attr's type in the OpDef, where there is one."""
    if isinstance(value, AttrPlaceholder):
        message.placeholder = value.name
    elif isinstance(value, list):
        message.list.SetInParent()
        for item in value:
            _append(message.list, item, kind.removeprefix("list(").removesuffix(")"))
    elif isinstance(value, bool | np.bool_):
        message.b = bool(value)
    elif isinstance(value, int | np.integer):
        if kind == "float":
            message.f = float(value)
        else:
            message.i = int(value)
    elif isinstance(value, float | np.floating):
        message.f = float(value)
    elif isinstance(value, str | bytes):
        message.s = value.encode() if isinstance(value, str) else value
    elif isinstance(value, DType):
        message.type = value.as_datatype_enum
    elif value is None or isinstance(value, tuple):
        tensor.set_shape(message.shape, value)
    elif isinstance(value, Func):
        _write_func(message.func, value)
    elif isinstance(value, np.ndarray | np.generic):
        tensor.to_proto(value, dtype if isinstance(dtype, DType) else None, message.tensor)
    else:
        raise TypeError(f"{value!r} is no value that an attr can have.")


def _append(items: Any, value: Any, kind: str) -> None:
    if isinstance(value, bool | np.bool_):
        items.b.append(bool(value))
    elif isinstance(value, int | np.integer) and kind != "float":
        items.i.append(int(value))
    elif isinstance(value, int | float | np.integer | np.floating):
        items.f.append(float(value))
    elif isinstance(value, str | bytes):
        items.s.append(value.encode() if isinstance(value, str) else value)
    elif isinstance(value, DType):
        items.type.append(value.as_datatype_enum)
    elif value is None or isinstance(value, tuple):
        tensor.set_shape(items.shape.add(), value)
    elif isinstance(value, Func):
        _write_func(items.func.add(), value)
    elif isinstance(value, np.ndarray | np.generic):
        tensor.to_proto(value, None, items.tensor.add())
    else:
        raise TypeError(f"{value!r} is no value that a list attr can hold.")


def _write_func(message: Any, func: Func) -> None:
    message.name = func.name
    for key, value in func.attr.items():
        set_attr(message.attr[key], value)


def _write_function(function: Function, definition: Any) -> None:
    signature = definition.signature
    signature.name = function.name
    parameters = set()
    for i, parameter in enumerate(function.inputs):
        arg = signature.input_arg.add(name=parameter.node.name)
        _write_arg_type(arg, parameter.dtype)
        parameters.add(parameter.node)
        for key, value in parameter.node.attr.items():
            if key.startswith("_"):
                set_attr(definition.arg_attr[i].attr[key], value)
    for key, value in function.attr.items():
        set_attr(definition.attr[key], value)
    library = function.graph.functions
    for node in function.graph:
        if node in parameters:
            continue
        node_def = definition.node_def.add()
        _write_node(node, node_def)
        node_def.input.extend(_body_input(t, library) for t in node.inputs)
        node_def.input.extend("^" + c.name for c in node.control_inputs)
        if node.opdef is not None and node.opdef.is_stateful:
            signature.is_stateful = True
    names: set[str] = set()
    for i, output in enumerate(function.outputs):
        name = f"output_{i}"
        names.add(name)
        _write_arg_type(signature.output_arg.add(name=name), output.dtype)
        definition.ret[name] = _body_input(output, library)
    for node in function.control_outputs:
        signature.control_output.append(node.name)
        definition.control_ret[node.name] = node.name


def _write_arg_type(arg: Any, dtype: Any) -> None:
    if isinstance(dtype, AttrPlaceholder):
        arg.type_attr = dtype.name
    else:
        arg.type = dtype.base_dtype.as_datatype_enum
        arg.is_ref = dtype.is_ref


def _body_input(source: Tensor, library: dict[str, Function]) -> str:
    """How a function body names a tensor: a parameter by its name, others with the output argument they belong to."""
    node = source.node
    if node.op == "_Arg":
        return node.name
    opdef: opdefs.OpDef | None = None if node.op in library else node.opdef
    if opdef is None:
        return f"{node.name}:output_{source.index}:0"
    at = 0
    for arg in opdef.outputs:
        count = len(arg.types(node.attr))
        if source.index < at + count:
            return f"{node.name}:{arg.name}:{source.index - at}"
        at += count
    raise ValueError(f"{source!r} is no output of its node.")
