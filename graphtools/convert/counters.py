"""What a loop's functions say of its variables: which stay, and which count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphtools.constant import constant
from graphtools.convert.builder import Builder, OnnxNode, Value
from graphtools.convert.lists import plain, same_value
from graphtools.dtypes import int64
from graphtools.graph import Function, Tensor

MAX_CHAIN = 100_000  # nodes that hand a value on: more is a cycle


def origin(tensor: Tensor) -> Tensor:
    for _ in range(MAX_CHAIN):
        if tensor.node.op not in ("Identity", "RefIdentity", "StopGradient", "LoopCond", "EnsureShape"):
            break
        tensor = tensor.node.inputs[0]
    return tensor


def passes_through(result: Tensor, parameter: Tensor, depth: int = 0) -> bool:
    """Whether a function's result is its parameter, unchanged on every way through branches and inner loops."""
    for _ in range(MAX_CHAIN):
        if result is parameter:
            return True
        node = result.node
        if node.op in ("Identity", "RefIdentity", "EnsureShape"):
            result = node.inputs[0]
        elif node.op == "IdentityN":
            result = node.inputs[result.index]
        elif node.op in ("If", "StatelessIf", "While", "StatelessWhile") and depth < 50:
            inner = _handed_on(node, result.index, depth)
            if inner is None:
                return False
            result = inner
        else:
            return False
    return False


def _handed_on(node: Any, index: int, depth: int) -> Tensor | None:
    """The input that output `index` of an If or While always is."""
    library = node.graph.functions
    if node.op in ("While", "StatelessWhile"):
        body: Function | None = library.get(node.attr["body"].name)
        if body is not None and index < len(body.outputs) and passes_through(body.outputs[index], body.inputs[index], depth + 1):
            found: Tensor = node.inputs[index]
            return found
        return None
    branches = [library.get(node.attr[a].name) for a in ("then_branch", "else_branch")]
    for position, tensor in enumerate(node.inputs[1:]):
        if all(
            b is not None
            and index < len(b.outputs)
            and position < len(b.inputs)
            and passes_through(b.outputs[index], b.inputs[position], depth + 1)
            for b in branches
        ):
            return tensor  # type: ignore[no-any-return]
    return None


def counter_step(result: Tensor, parameter: Tensor, known: Callable[[Tensor], Any] = constant) -> int | None:
    """The step of a loop variable whose next value is itself plus or minus a constant; `known` gives the values of constants."""
    node = origin(result).node
    if node.op not in ("Add", "AddV2", "Sub") or not result.dtype.is_integer:
        return None
    left, right = (origin(t) for t in node.inputs)
    if node.op != "Sub" and left is not parameter:
        left, right = right, left
    if left is not parameter:
        return None
    step = known(right)
    if step is None or step.ndim or not int(step):
        return None
    return -int(step) if node.op == "Sub" else int(step)


def is_size(value: Value) -> bool:
    """Whether an integer counts something and so is not negative."""
    for _ in range(20):
        if value.const is not None:
            return bool((value.const >= 0).all())
        node: OnnxNode | None = value.node
        if node is None:
            return False
        if node.op_type in ("Shape", "Size", "SequenceLength"):
            return True
        if node.op_type in ("Min", "Max"):
            sides = [v for v in node.inputs if v is not None]
            return (all if node.op_type == "Min" else any)(is_size(v) for v in sides)
        if node.op_type not in ("Cast", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze") or node.inputs[0] is None:
            return False
        value = node.inputs[0]
    return False


def least(op: Builder, bounds: Sequence[Value]) -> Value:
    """The least of these integers. min(a, max(1, a)), the steps that dynamic_rnn takes, is a."""
    parts: list[Value] = []
    waiting = list(reversed(bounds))
    while waiting:
        value = plain(waiting.pop())
        if value.const is None and value.node is not None and value.node.op_type == "Min":
            waiting.extend(v for v in reversed(value.node.inputs) if v is not None)
        elif not any(same_value(value, p) for p in parts):
            parts.append(value)
    kept = [p for p in parts if not _is_maximum(p, parts)]
    result = op.cast(kept[0], int64)
    for part in kept[1:]:
        result = op.Min(result, op.cast(part, int64))
    return result


def _is_maximum(value: Value, others: Sequence[Value]) -> bool:
    """Whether a value is a maximum over one of the others, and so not less than it."""
    if value.const is not None or value.node is None or value.node.op_type != "Max":
        return False
    return any(v is not None and same_value(v, o) for v in value.node.inputs for o in others if o is not value)
