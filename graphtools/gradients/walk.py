"""The reverse walk: from outputs back to inputs, adding the gradient ops of each node on the way."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphtools import opdefs
from graphtools.dtypes import bfloat16, complex64, complex128, float16, float32, float64, int32, int64, resource, variant
from graphtools.flow import is_exit, is_loop_switch
from graphtools.gradients import NOT_DIFFERENTIABLE, IndexedSlices, load
from graphtools.gradients.loops import LoopGradients, is_variable_switch, zeros_outside_loops
from graphtools.graph import Graph, Node, Tensor

TRAINABLE = frozenset({float16, float32, float64, complex64, complex128, bfloat16, resource, variant})


class Emit:
    """What a gradient function builds with: the graph's ops, under the current scopes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def op(self, op_type: str, *inputs: Any, name: str | None = None, **attr: Any) -> Any:
        """Add a TensorFlow op; see Graph.op."""
        return self.graph.op(op_type, *inputs, name=name, **attr)

    def const(self, value: Any, dtype: Any, name: str = "Const") -> Tensor:
        return self.graph.constant(value, dtype, name)

    def shape(self, x: Tensor, name: str = "Shape", dtype: Any = int32) -> Tensor:
        """The shape of `x`: a constant when it is known, as TensorFlow's tf.shape makes it."""
        if x.dims is not None and None not in x.dims:
            return self.const(list(x.dims), dtype, name)
        tensor: Tensor = self.op("Shape", x, name=name, out_type=dtype)
        return tensor

    def apply(self, op_type: str, *inputs: Any, name: str | None = None, **attr: Any) -> Any:
        """Add an op as TensorFlow's functions do: an input that is a Python number or list becomes a constant named after it, within the op's scope."""
        opdef = opdefs.get(op_type)
        if opdef is None:
            raise ValueError(f"No op named {op_type!r}.")
        known: dict[str | None, Any] = {
            arg.type_attr: value.dtype.base_dtype
            for arg, value in zip(opdef.inputs, inputs, strict=True)
            if isinstance(value, Tensor) and arg.type_attr is not None
        }
        with self.graph.name_scope(name or op_type) as scope:
            made = [
                value
                if isinstance(value, Tensor) or (isinstance(value, list) and value and isinstance(value[0], Tensor))
                else self.const(value, arg.type or known.get(arg.type_attr) or (float32 if isinstance(value, float) else int32), arg.name)
                for arg, value in zip(opdef.inputs, inputs, strict=True)
            ]
            return self.op(op_type, *made, name=scope, **attr)

    def size(self, x: Tensor, name: str = "Size") -> Tensor:
        """The number of elements as int32: a constant when it is known."""
        if x.dims is not None and None not in x.dims:
            return self.const(math.prod(x.dims), int32, name)
        tensor: Tensor = self.op("Size", x, name=name, out_type=int32)
        return tensor

    def rank(self, x: Tensor, name: str = "Rank") -> Tensor:
        tensor: Tensor = self.op("Rank", x, name=name) if x.dims is None else self.const(len(x.dims), int32, name)
        return tensor

    def filled(self, shape: Any, value: Any, dtype: Any, name: str) -> Tensor:
        """tf.zeros and tf.ones: of known dims a constant where it is small; of a shape tensor a Fill."""
        with self.graph.name_scope(name) as scope:
            if not isinstance(shape, Tensor):
                if math.prod(shape) < 1000:
                    return self.const(np.full(shape, value, dtype.as_numpy_dtype), dtype, scope)
                shape = self.const(list(shape), int32, "shape_as_tensor")
            result: Tensor = self.op("Fill", shape, self.const(value, dtype), name=scope)
        return result

    def zeros_like(self, x: Tensor, name: str = "zeros_like") -> Tensor:
        if x.dims is not None and None not in x.dims:
            return self.filled(x.dims, 0, x.dtype.base_dtype, name)
        result: Tensor = self.op("ZerosLike", x, name=name)
        return result

    def ones_like(self, x: Tensor, dtype: Any = None, name: str = "ones_like") -> Tensor:
        with self.graph.name_scope(name) as scope:
            return self.filled(self.shape(x), 1, dtype or x.dtype.base_dtype, scope)

    def item(self, x: Tensor, index: Any) -> Tensor:
        """x[index] for an integer or a slice of the first dimension."""
        masks = dict.fromkeys(("begin_mask", "end_mask", "shrink_axis_mask"), 0)
        if isinstance(index, slice):
            begin, end = (0 if v is None else v for v in (index.start, index.stop))
            masks["begin_mask"], masks["end_mask"] = int(index.start is None), int(index.stop is None)
        else:
            begin, masks["shrink_axis_mask"] = index, 1
            end = self.apply("AddV2", index, 1, name="add") if isinstance(index, Tensor) else index + 1
        with self.graph.name_scope("strided_slice") as scope:
            parts = [self._packed(v, n) for v, n in ((begin, "stack"), (end, "stack_1"), (1, "stack_2"))]
            result: Tensor = self.op("StridedSlice", x, *parts, name=scope, **masks)
        return result

    def _packed(self, value: Any, name: str) -> Tensor:
        if isinstance(value, Tensor):
            packed: Tensor = self.op("Pack", [value], axis=0, name=name)
            return packed
        return self.const([value], int32, name)

    def gather(self, x: Tensor, indices: Any) -> Tensor:
        """The rows of x."""
        result: Tensor = self.apply("GatherV2", x, indices, 0)
        return result

    def concat(self, parts: list[Any], dtype: Any = int32) -> Tensor:
        """Vectors one behind the other; a list of numbers is a constant."""
        with self.graph.name_scope("concat") as scope:
            values = [p if isinstance(p, Tensor) else self.const(p, dtype, f"values_{i}") for i, p in enumerate(parts)]
            result: Tensor = self.op("ConcatV2", values, self.const(0, int32, "axis"), name=scope)
        return result

    def reshape(self, x: Tensor, parts: list[Any]) -> Tensor:
        """x in the shape of these dimensions, numbers and scalar tensors."""
        with self.graph.name_scope("Reshape") as scope:
            if not any(isinstance(p, Tensor) for p in parts):
                shape = self.const(parts, int32, "shape")
            else:
                dtype = next(p.dtype for p in parts if isinstance(p, Tensor))
                with self.graph.name_scope("shape") as inner:
                    values = [p if isinstance(p, Tensor) else self.const(p, dtype, str(i)) for i, p in enumerate(parts)]
                    shape = self.op("Pack", values, axis=0, name=inner)
            result: Tensor = self.op("Reshape", x, shape, name=scope)
        return result

    def range(self, start: Any, limit: Any, step: Any = 1) -> Tensor:
        result: Tensor = self.apply("Range", start, limit, step, name="range")
        return result

    def total(self, x: Tensor) -> Tensor:
        """The sum of all elements."""
        axes = self.const(list(range(x.rank)), int32) if x.rank is not None else self.apply("Range", 0, self.op("Rank", x), 1, name="range")
        result: Tensor = self.op("Sum", x, axes, keep_dims=False)
        return result

    def sum_to(self, dx: Tensor, shape: Tensor, axes: Tensor) -> Tensor:
        """The sum of `dx` over the axes that a broadcast added, in the shape of the input it goes to."""
        summed = self.op("Sum", dx, axes, keep_dims=False)
        result: Tensor = self.op("Reshape", summed, shape)
        return result


def gradients(
    ys: Sequence[Tensor] | Tensor,
    xs: Sequence[Tensor] | Tensor,
    grad_ys: Sequence[Any] | None = None,
    *,
    name: str = "gradients",
    gate_gradients: bool = False,
    colocate_gradients_with_ops: bool = False,
    stop_gradients: Sequence[Tensor] = (),
    overrides: Callable[[Node], Any] | None = None,
    zero_unconnected: bool = False,
) -> list[Any]:
    """The gradients of the sum of `ys` with respect to each of `xs`: tensors, IndexedSlices, or None where unconnected.

    `overrides(node)` may give another gradient function for a node (None: the registered one). Raises LookupError for an op
    without a gradient.
    """
    ys = [ys] if isinstance(ys, Tensor) else list(ys)
    xs = [xs] if isinstance(xs, Tensor) else list(xs)
    graph = ys[0].node.graph
    return Walk(
        graph,
        ys,
        xs,
        list(grad_ys or [None] * len(ys)),
        gate_gradients,
        colocate_gradients_with_ops,
        stop_gradients,
        overrides,
        zero_unconnected,
    ).run(name)


class Walk:
    """One call of `gradients`."""

    def __init__(
        self,
        graph: Graph,
        ys: list[Tensor],
        xs: list[Tensor],
        grad_ys: list[Any],
        gate: bool,
        colocate: bool,
        stop_gradients: Sequence[Tensor],
        overrides: Callable[[Node], Any] | None,
        zero_unconnected: bool,
    ) -> None:
        self.graph = graph
        self.g = Emit(graph)
        self.ys = ys
        self.xs = xs
        self.grad_ys = grad_ys
        self.gate = gate
        self.colocate = colocate
        self.stop = {t.node for t in stop_gradients}
        self.overrides = overrides
        self.zero_unconnected = zero_unconnected
        self.grads: dict[Node, list[list[Any]]] = {}
        self.registry = load()
        self.loops = LoopGradients(graph)

    def run(self, name: str) -> list[Any]:
        with self.graph.name_scope(name):
            start = self._start()
            from_nodes = [x.node for x in self.xs]
            to_nodes = [y.node for y in self.ys]
            self.pending = self._pending(to_nodes, from_nodes)
            for y, dy in zip(self.ys, start, strict=True):
                self._add(y, dy)
            queue: deque[Node] = deque()
            for node in dict.fromkeys(to_nodes):
                if self.pending.get(node) == 0:  # one that no x leads to has none
                    queue.append(node)
            for tensor in self.loops.unused_exits(self.pending, set(to_nodes)):
                if tensor.dtype.base_dtype in TRAINABLE:
                    self._add(tensor, self.loops.zeros_for_exit(tensor))
                    queue.append(tensor.node)
            stops = {n for n in from_nodes if not any(self.pending.get(t.node, 0) > 0 for t in n.inputs)} | self.stop
            while queue:
                node = queue.popleft()
                with self._colocated(node):
                    self._step(node, stops)
                self._enqueue_ready(node, queue)
            self.loops.finish()
            return [self._result(x) for x in self.xs]

    def _enqueue_ready(self, node: Node, queue: deque[Node]) -> None:
        """Count a walked node off those that its inputs wait for; a loop's Switch is met twice, Exits wait for each other."""
        for tensor in node.inputs:
            source = tensor.node
            if source not in self.pending:
                continue
            self.pending[source] -= 1
            left = self.pending[source]
            if left != 0 and not (left > 0 and self.loops.states and is_loop_switch(source)):
                continue
            state = self.loops.of(source, before=False) if is_exit(source) else None
            if state is None:
                queue.append(source)
                continue
            state.deferred.append(tensor)
            state.pending_exits -= 1
            if state.pending_exits:
                continue
            used = [t for t in state.deferred if any(self.grads.get(t.node) or ())]
            queue.extend(t.node for t in used)
            state.unused.extend(t for t in state.deferred if t not in used)
            for t in state.unused:
                if used and t.dtype.base_dtype in TRAINABLE:
                    self._add(t, self.loops.zeros_for_exit(t))
                if not used or t.dtype.base_dtype in TRAINABLE:
                    queue.append(t.node)

    def _colocated(self, node: Node) -> contextlib.AbstractContextManager[None]:
        return self.graph.colocate_with(node) if self.colocate else contextlib.nullcontext()

    def _start(self) -> list[Any]:
        """The gradients of `ys`: those given, else ones."""
        start = []
        for i, (y, dy) in enumerate(zip(self.ys, self.grad_ys, strict=True)):
            if dy is not None:
                start.append(dy)
                continue
            if y.dtype.is_complex:
                raise TypeError(f"Gradients of complex tensors must set grad_ys (y.dtype = {y.dtype!r})")
            with self._colocated(y.node):
                shape = self.g.shape(y)
                start.append(self.g.op("Fill", shape, self.g.const(1, y.dtype.base_dtype, f"grad_ys_{i}"), name="Fill"))
        return start

    def _pending(self, to_nodes: list[Node], from_nodes: list[Node]) -> dict[Node, int]:
        """For each node between xs and ys, how many of its readers are still to be walked."""
        readers: dict[Node, list[Node]] = {}
        for node in self.graph:
            for tensor in node.inputs:
                if tensor.dtype.base_dtype in TRAINABLE:
                    readers.setdefault(tensor.node, []).append(node)
        reached: set[Node] = set()
        stack = list(from_nodes)
        while stack:
            node = stack.pop()
            if node not in reached:
                reached.add(node)
                stack.extend(readers.get(node, ()))
        between: dict[Node, None] = {}
        queue = deque(to_nodes)
        while queue:
            node = queue.popleft()
            if node in reached and node not in between:
                between[node] = None
                queue.extend(t.node for t in node.inputs)
        for node in list(between):
            if is_exit(node):
                with self._colocated(node):
                    self.loops.add(node, between)
        pending = dict.fromkeys(between, 0)
        for node in between:
            for tensor in node.inputs:
                if tensor.node in pending:
                    pending[tensor.node] += 1
        return pending

    def _step(self, node: Node, stops: set[Node]) -> None:
        """Add the gradient of one node and hand it to the node's inputs."""
        with self._in_loop(node, before=True):
            out_grads = self._aggregate(node)
        if node in stops or all(d is None for d in out_grads):
            return
        function = (self.overrides(node) if self.overrides is not None else None) or self.registry.get(node.op)
        if function is None:
            if node.op in NOT_DIFFERENTIABLE:
                return
            raise LookupError(f"No gradient defined for operation '{node.name}' (op type: {node.op})")
        with self._in_loop(node, before=False):
            for i, dy in enumerate(out_grads):
                dtype = node.outputs[i].dtype.base_dtype
                if (
                    dy is None
                    and dtype in TRAINABLE
                    and (dtype not in (resource, variant) or (is_variable_switch(node) and self.loops.of(node, before=False) is None))
                ):
                    out_grads[i] = self.loops.zeros_like(node, i) if self.loops.states else zeros_outside_loops(node, i)
            with self.graph.name_scope(f"{node.name}_grad"):
                result = function(self.g, node, out_grads[0] if len(out_grads) == 1 else tuple(out_grads))
                in_grads = list(result) if isinstance(result, list | tuple) else [result]
                if len(in_grads) == 1 and in_grads[0] is None:
                    in_grads = [None] * len(node.inputs)
                if len(in_grads) != len(node.inputs):
                    raise ValueError(
                        f"Num gradients {len(in_grads)} generated for op {node.name!r} do not match num inputs {len(node.inputs)}"
                    )
                if self.gate and sum(d is not None for d in in_grads) > 1:
                    in_grads = self._tuple(in_grads)
        for tensor, dx in zip(node.inputs, in_grads, strict=True):
            if dx is None:
                continue
            if isinstance(dx, Tensor) and tensor.dtype.base_dtype is not resource and tensor.dims is not None:
                dx.dims = _merge(dx.dims, tensor.dims)
            self._add(tensor, dx)

    def _in_loop(self, node: Node, *, before: bool) -> contextlib.AbstractContextManager[Any]:
        """The gradient loop that belongs to a node's loop, entered."""
        state = self.loops.of(node, before=before) if self.loops.states else None
        return state.context if state is not None else contextlib.nullcontext()

    def _tuple(self, grads: list[Any]) -> list[Any]:
        """The gradients behind a gate: none is given on before all are there."""
        graph = self.graph
        with graph.colocate_with(None), graph.name_scope("tuple"):
            nodes = [d.values.node if isinstance(d, IndexedSlices) else d.node for d in grads if d is not None]
            with graph.control_dependencies(list(dict.fromkeys(nodes))):
                gate = graph.op("NoOp", name="group_deps")
            gated: list[Any] = []
            for d in grads:
                if d is None:
                    gated.append(None)
                elif isinstance(d, IndexedSlices):
                    gated.append(IndexedSlices(self._behind(gate, d.values), d.indices, d.dense_shape))
                else:
                    gated.append(self._behind(gate, d))
        return gated

    def _behind(self, gate: Node, tensor: Tensor) -> Tensor:
        with self.graph.control_dependencies([gate]), self.graph.colocate_with(tensor.node):
            identity: Tensor = self.graph.op("Identity", tensor, name="control_dependency")
        return identity

    def _add(self, tensor: Tensor, dx: Any) -> None:
        lists = self.grads.setdefault(tensor.node, [[] for _ in tensor.node.outputs])
        lists[tensor.index].append(dx)

    def _aggregate(self, node: Node) -> list[Any]:
        """The gradient of each output of a node, summed."""
        lists = self.grads.get(node) or [[] for _ in node.outputs]
        totals = []
        for found in lists:
            total = self._sum(found)
            found[:] = [] if total is None else [total]
            totals.append(total)
        return totals

    def _joined(self, parts: list[Any]) -> Any:
        with self.graph.name_scope("concat") as scope:
            return self.graph.create("ConcatV2", [parts, self.g.const(0, int32, "axis")], {}, scope).outputs[0]

    def _sum(self, found: list[Any]) -> Any:
        if len(found) < 2:
            return found[0] if found else None
        if all(isinstance(d, Tensor) for d in found):
            with self.graph.colocate_with(found[0].node):
                return self.g.op("AddN", found, name="AddN")
        slices = [d if isinstance(d, IndexedSlices) else self._as_slices(d) for d in found]
        values = self._joined([d.values for d in slices])
        wide = any(d.indices.dtype is not int32 for d in slices)
        indices = [self._wide(d.indices) if wide else d.indices for d in slices]
        return IndexedSlices(
            values,
            self._joined(indices),
            next((d.dense_shape for d in slices if d.dense_shape is not None), None),
        )

    def _wide(self, indices: Tensor) -> Tensor:
        result: Tensor = indices if indices.dtype is int64 else self.g.op("Cast", indices, DstT=int64, name="Cast")
        return result

    def _as_slices(self, dense: Tensor) -> IndexedSlices:
        """A dense gradient as slices of all its rows."""
        shape = self.g.op("Shape", dense, name="Shape", out_type=int32)
        rows = self.g.op(
            "StridedSlice", shape, self.g.const([0], int32), self.g.const([1], int32), self.g.const([1], int32), shrink_axis_mask=1
        )
        indices = self.g.op("Range", self.g.const(0, int32, "start"), rows, self.g.const(1, int32, "delta"), name="range")
        return IndexedSlices(dense, indices, shape)

    def _result(self, x: Tensor) -> Any:
        lists = self.grads.get(x.node)
        total = self._sum(lists[x.index]) if lists else None
        if lists and total is not None:
            lists[x.index][:] = [total]
        if total is None and self.zero_unconnected:
            return self.g.op("ZerosLike", x, name="zeros_like")
        return total


def _merge(a: Any, b: Any) -> Any:
    """The dims known from either of two views of one shape."""
    if a is None or b is None or len(a) != len(b):
        return a if a is not None else b
    return tuple(x if x is not None else y for x, y in zip(a, b, strict=True))
