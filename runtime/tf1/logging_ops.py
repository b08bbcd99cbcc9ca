"""Printing, asserting and calling Python from a graph."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from graphtools.constant import constant as known_value
from graphtools.dtypes import as_dtype, bool_
from runtime.errors import InvalidArgumentError
from runtime.host.script_ops import register_py_func
from runtime.tf1.graph import apply_op, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export


@export("Print")
def Print(
    input_: Any, data: Any, message: str | None = None, first_n: int | None = None, summarize: int | None = None, name: str | None = None
) -> Any:
    return apply_op("Print", name, input=input_, data=list(data), message=message, first_n=first_n, summarize=summarize)


@export("Assert")
def Assert(condition: Any, data: Any, summarize: int | None = None, name: str | None = None) -> Any:
    """An op that fails with `data` when the condition does not hold; at once where the condition is known to be false."""
    known = known_value(condition) if isinstance(condition, base.Tensor) else condition if isinstance(condition, bool) else None
    if known is not None and not known and get_default_graph().flow is None:
        shown = [str(v if not isinstance(v, base.Tensor) else known_value(v) if known_value(v) is not None else v.name) for v in data]
        raise InvalidArgumentError(None, None, f"Expected '{condition}' to be true. Summarized data: " + "\n".join(shown))
    with name_scope(name, "Assert", [condition, *data]):
        given, data = list(data), [convert_to_tensor(v) for v in data]
        condition = convert_to_tensor(condition, bool_)
        if all(t.dtype.name in ("string", "int32") for t in data):
            return apply_op("Assert", "Assert", condition=condition, data=given, summarize=3 if summarize is None else summarize)
        from runtime.tf1.control_flow import cond
        from runtime.tf1.control_flow_ops import no_op

        def fail() -> Any:
            return apply_op("Assert", "Assert", condition=condition, data=given, summarize=3 if summarize is None else summarize)

        guarded = cond(condition, no_op, fail, name="AssertGuard")
        return guarded.node if isinstance(guarded, base.Tensor) else guarded


@export("print")
def print_(*inputs: Any, **kwargs: Any) -> Any:
    """An op that prints; placeholders in the text stand for tensors."""
    import sys

    stream = kwargs.pop("output_stream", sys.stderr)
    name, summarize = kwargs.pop("name", None), kwargs.pop("summarize", 3)
    sep, end = kwargs.pop("sep", " "), kwargs.pop("end", "\n")
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments for tf.print: {kwargs}")
    where = {sys.stdout: "stdout", sys.stderr: "stderr"}.get(stream, "stderr" if not isinstance(stream, str) else stream)
    with name_scope(name, "print"):
        parts, tensors = [], []
        for value in inputs:
            if isinstance(value, base.Tensor) or hasattr(value, "_as_tensor"):
                parts.append("{}")
                tensors.append(value)
            else:
                parts.append(str(value).replace("{}", "{ }"))
        text = apply_op("StringFormat", None, inputs=tensors, template=sep.join(parts), placeholder="{}", summarize=summarize)
        return apply_op("PrintV2", None, input=text, output_stream=where, end=end)


@export("py_func")
def py_func(func: Any, inp: Any, Tout: Any, stateful: bool = True, name: str | None = None) -> Any:
    """The values of a Python function of tensors' values, called when the graph runs."""
    if not callable(func):
        raise ValueError(f"Expected func to be callable, got func of type {type(func)}")
    token = register_py_func(func)
    several = isinstance(Tout, list | tuple)
    types = [as_dtype(t) for t in (Tout if several else [Tout])]
    graph = get_default_graph()
    graph.attributes.setdefault("py_funcs", []).append(func)
    result = apply_op("PyFunc" if stateful else "PyFuncStateless", name, input=list(inp), token=token, Tout=types)
    if several:
        return result
    return result[0] if isinstance(result, list) else result


@export("numpy_function")
def numpy_function(func: Any, inp: Any, Tout: Any, name: str | None = None) -> Any:
    return py_func(func, inp, Tout, stateful=True, name=name)


@export("check_numerics")
def check_numerics(tensor: Any, message: str, name: str | None = None) -> Any:
    return apply_op("CheckNumerics", name, tensor=tensor, message=message)


@export("add_check_numerics_ops")
def add_check_numerics_ops() -> Any:
    """One op that checks every float tensor of the graph for Inf and NaN."""
    from runtime.tf1.control_flow_ops import group

    graph = get_default_graph()
    checks: list[Any] = []
    for node in list(graph.nodes.values()):
        for output in node.outputs:
            if output.dtype.name in ("float16", "float32", "float64"):
                with graph.control_dependencies(checks[-1:]):
                    checks.append(check_numerics(output, message=output.name).node)
    return group(*checks)


@export("verify_tensor_all_finite")
def verify_tensor_all_finite(
    t: Any = None, msg: str | None = None, name: str | None = None, x: Any = None, message: str | None = None
) -> Any:
    from runtime.tf1.control_flow_ops import with_dependencies

    tensor = convert_to_tensor(x if t is None else t, name="x")
    with name_scope(name, "VerifyFinite", [tensor]):
        return with_dependencies([check_numerics(tensor, message=message or msg or "")], tensor)
