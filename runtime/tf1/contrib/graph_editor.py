"""tf.contrib.graph_editor: finding ops of a graph, copying parts of it, and giving ops other inputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from runtime.tf1.graph import Graph, get_default_graph
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.tensor import Operation, Tensor
from runtime.tf1.tensor_shape import TensorShape

_GE = "contrib.graph_editor."
F = TypeVar("F")


def _export(name: str, module: str) -> Callable[[F], F]:
    return export(f"{_GE}{name}", f"{_GE}{module}.{name}")  # type: ignore[no-any-return]


# -- lists of ops and tensors ----------------------------------------------------------------------------------------------


def _flat(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in _flat(value)]
    if isinstance(tree, Operation | Tensor | Graph | str) or not isinstance(tree, Iterable):
        return [tree]
    return [leaf for value in tree for leaf in _flat(value)]


def _unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


@_export("make_list_of_op", "util")
def make_list_of_op(ops: Any, check_graph: bool = True, allow_graph: bool = True, ignore_ts: bool = False) -> list[Any]:
    """All ops of a graph, or an op or several as a list."""
    if isinstance(ops, Graph):
        if not allow_graph:
            raise TypeError("allow_graph is False: cannot convert a tf.Graph.")
        return list(ops.get_operations())
    if isinstance(ops, SubGraphView):
        return ops.ops
    given = [ops] if isinstance(ops, Operation | Tensor) else list(ops)
    if ignore_ts:
        given = [op for op in given if not isinstance(op, Tensor)]
    for op in given:
        if not isinstance(op, Operation):
            raise TypeError(f"Expected a type in: {Operation}, got: {type(op)}")
    if check_graph and len({id(op.graph) for op in given}) > 1:
        raise ValueError("Operation does not belong to the given graph.")
    return given


@_export("make_list_of_t", "util")
def make_list_of_t(ts: Any, check_graph: bool = True, allow_graph: bool = True, ignore_ops: bool = False) -> list[Any]:
    if isinstance(ts, Graph):
        if not allow_graph:
            raise TypeError("allow_graph is False: cannot convert a tf.Graph.")
        return get_tensors(ts)
    given = [ts] if isinstance(ts, Operation | Tensor) or not isinstance(ts, Iterable) else list(ts)
    if ignore_ops:
        given = [t for t in given if not isinstance(t, Operation)]
    for t in given:
        if not isinstance(t, Tensor):
            raise TypeError(f"Expected a type in: {Tensor}, got: {type(t)}")
    return given


@_export("get_tensors", "util")
def get_tensors(graph: Any) -> list[Any]:
    return [t for op in graph.get_operations() for t in op.outputs]


@_export("get_generating_ops", "util")
def get_generating_ops(ts: Any) -> list[Any]:
    return [t.op for t in make_list_of_t(ts, allow_graph=False)]


def _users(graph: Any) -> Callable[[Any], list[Any]]:
    """A function from a tensor to the ops that read it."""
    found = graph.consumers()
    return lambda t: _unique(op for op, _ in found.get(t, ()))


@_export("get_consuming_ops", "util")
def get_consuming_ops(ts: Any) -> list[Any]:
    given = make_list_of_t(ts, allow_graph=False)
    users = _users(given[0].graph) if given else None
    return _unique(op for t in given for op in users(t)) if users else []


@_export("ControlOutputs", "util")
class ControlOutputs:
    """The ops that wait for an op."""

    def __init__(self, graph: Any) -> None:
        if not isinstance(graph, Graph):
            raise TypeError(f"Expected a tf.Graph, got: {type(graph)}")
        self.graph = graph
        self.update()

    def update(self) -> ControlOutputs:
        self._outputs: dict[Any, list[Any]] = {}
        for op in self.graph.get_operations():
            for c in op.control_inputs:
                self._outputs.setdefault(c, []).append(op)
        return self

    def get_all(self) -> dict[Any, list[Any]]:
        return self._outputs

    def get(self, op: Any) -> list[Any]:
        return self._outputs.get(op, [])


_PREFIX = "geph"


@_export("placeholder_name", "util")
def placeholder_name(t: Any = None, scope: str | None = None, prefix: str = _PREFIX) -> str:
    scope = f"{scope.rstrip('/')}/" if scope else ""
    if t is None:
        return f"{scope}{prefix}"
    own = t.op.name.rpartition("/")
    where = scope or (f"{own[0]}/" if own[0] and not scope and scope is None else "")
    return f"{where}{prefix}__{own[2]}_{t.value_index}"


@_export("make_placeholder_from_tensor", "util")
def make_placeholder_from_tensor(t: Any, scope: str | None = None, prefix: str = _PREFIX) -> Any:
    return lookup("placeholder")(dtype=t.dtype, shape=t.get_shape(), name=placeholder_name(t, scope, prefix))


@_export("make_placeholder_from_dtype_and_shape", "util")
def make_placeholder_from_dtype_and_shape(dtype: Any, shape: Any = None, scope: str | None = None, prefix: str = _PREFIX) -> Any:
    return lookup("placeholder")(dtype=dtype, shape=shape, name=placeholder_name(None, scope, prefix))


export(f"{_GE}ph")(make_placeholder_from_dtype_and_shape)


# -- finding ---------------------------------------------------------------------------------------------------------------


@_export("can_be_regex", "select")
def can_be_regex(obj: Any) -> bool:
    return isinstance(obj, str | re.Pattern)


@_export("make_regex", "select")
def make_regex(obj: Any) -> Any:
    if not can_be_regex(obj):
        raise ValueError(f"Expected a string or a regex, got: {type(obj)}")
    return re.compile(obj) if isinstance(obj, str) else obj


@_export("filter_ops", "select")
def filter_ops(ops: Any, positive_filter: Any) -> list[Any]:
    given = make_list_of_op(ops)
    return given if positive_filter is True else [op for op in given if positive_filter(op)]


@_export("filter_ops_from_regex", "select")
def filter_ops_from_regex(ops: Any, regex: Any) -> list[Any]:
    pattern = make_regex(regex)
    return filter_ops(ops, lambda op: pattern.search(op.name))


@_export("filter_ts", "select")
def filter_ts(ops: Any, positive_filter: Any) -> list[Any]:
    given = make_list_of_op(ops)
    ts = _unique([t for op in given for t in op.inputs] + [t for op in given for t in op.outputs])
    return ts if positive_filter is True else [t for t in ts if positive_filter(t)]


@_export("filter_ts_from_regex", "select")
def filter_ts_from_regex(ops: Any, regex: Any) -> list[Any]:
    pattern = make_regex(regex)
    return filter_ts(ops, lambda t: pattern.search(t.name))


@_export("get_name_scope_ops", "select")
def get_name_scope_ops(ops: Any, scope: str) -> list[Any]:
    return filter_ops_from_regex(ops, f"^{scope.removesuffix('/')}(/.*)?$")


@_export("check_cios", "select")
def check_cios(control_inputs: Any = False, control_outputs: Any = None, control_ios: Any = None) -> tuple[Any, Any]:
    """(whether control inputs count, the control outputs or None)."""
    for given in (control_ios, control_outputs):
        if given is not None and not isinstance(given, ControlOutputs):
            raise TypeError(f"Expected a util.ControlOutputs, got: {type(given)}")
    if control_ios is not None:
        if control_outputs is not None:
            raise ValueError("control_outputs should be None when using control_ios.")
        control_inputs, control_outputs = True, control_ios
    if control_outputs is not None:
        control_outputs.update()
    return control_inputs, control_outputs


@_export("get_ops_ios", "select")
def get_ops_ios(ops: Any, control_inputs: Any = False, control_outputs: Any = None, control_ios: Any = None) -> list[Any]:
    """The ops right before and after."""
    control_inputs, control_outputs = check_cios(control_inputs, control_outputs, control_ios)
    given = make_list_of_op(ops)
    users = _users(given[0].graph) if given else None
    found: list[Any] = []
    for op in given:
        found += [t.op for t in op.inputs]
        found += [user for t in op.outputs for user in users(t)]  # type: ignore[misc]
        if control_outputs is not None:
            found += control_outputs.get(op)
        if control_inputs:
            found += op.control_inputs
    return _unique(found)


@_export("compute_boundary_ts", "select")
def compute_boundary_ts(ops: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """(what the ops read from others, what others may read from them, what they read from each other)."""
    given = make_list_of_op(ops)
    reads = _unique(t for op in given for t in op.inputs)
    makes = _unique(t for op in given for t in op.outputs)
    own, made = set(given), set(makes)
    users = _users(given[0].graph) if given else None
    inside = [t for t in reads if t in made]
    hidden = {t for t in inside if not set(users(t)) - own}  # type: ignore[misc]
    return [t for t in reads if t not in made], [t for t in makes if t not in hidden], inside


@_export("get_within_boundary_ops", "select")
def get_within_boundary_ops(
    ops: Any, seed_ops: Any, boundary_ops: Any = (), inclusive: bool = True, control_inputs: Any = False, control_outputs: Any = None, control_ios: Any = None
) -> list[Any]:  # fmt: skip
    control_inputs, control_outputs = check_cios(control_inputs, control_outputs, control_ios)
    boundary, found = set(make_list_of_op(boundary_ops)), set(make_list_of_op(seed_ops, allow_graph=False))
    if boundary & found:
        raise ValueError("Boundary is intersecting with the seeds.")
    wave = set(found)
    while wave:
        near = [op for op in get_ops_ios(list(wave), control_inputs, control_outputs) if op not in found]
        if inclusive:
            found.update(op for op in near if op in boundary)
        wave = {op for op in near if op not in boundary}
        found |= wave
    return [op for op in make_list_of_op(ops) if op in found]


def _walk(seeds: Any, of_tensors: Any, inclusive: bool, within_ops: Any, within_fn: Any, step: Callable[[Any], list[Any]]) -> list[Any]:
    seeds = [seeds] if isinstance(seeds, Operation | Tensor) or not isinstance(seeds, Iterable) else list(seeds)
    if not seeds:
        return []
    first = _unique(of_tensors(seeds) if isinstance(seeds[0], Tensor) else make_list_of_op(seeds, allow_graph=False))
    within = set(make_list_of_op(within_ops, allow_graph=False)) if within_ops else None
    if within is not None:
        first = [op for op in first if op in within]
    found = dict.fromkeys(first)
    wave = first
    while wave:
        wave = [
            op
            for op in _unique(near for op in wave for near in step(op))
            if op not in found and (within is None or op in within) and (within_fn is None or within_fn(op))
        ]
        found.update(dict.fromkeys(wave))
    return list(found) if inclusive else [op for op in found if op not in set(first)]


def _graph_of(seeds: Any) -> Any:
    given = _flat(seeds)
    return given[0].graph if given else get_default_graph()


@_export("get_forward_walk_ops", "select")
def get_forward_walk_ops(
    seed_ops: Any,
    inclusive: bool = True,
    within_ops: Any = None,
    within_ops_fn: Any = None,
    stop_at_ts: Any = (),
    control_outputs: Any = None,
) -> list[Any]:
    """The ops that depend on the seeds."""
    _, control_outputs = check_cios(False, control_outputs)
    stop, users = set(make_list_of_t(stop_at_ts)), _users(_graph_of(seed_ops))

    def step(op: Any) -> list[Any]:
        near = [user for t in op.outputs if t not in stop for user in users(t)]
        return near + (control_outputs.get(op) if control_outputs is not None else [])

    return _walk(seed_ops, get_consuming_ops, inclusive, within_ops, within_ops_fn, step)


@_export("get_backward_walk_ops", "select")
def get_backward_walk_ops(
    seed_ops: Any,
    inclusive: bool = True,
    within_ops: Any = None,
    within_ops_fn: Any = None,
    stop_at_ts: Any = (),
    control_inputs: Any = False,
) -> list[Any]:
    """The ops that the seeds depend on."""
    stop = set(make_list_of_t(stop_at_ts))

    def step(op: Any) -> list[Any]:
        return [t.op for t in op.inputs if t not in stop] + (list(op.control_inputs) if control_inputs else [])

    return _walk(seed_ops, get_generating_ops, inclusive, within_ops, within_ops_fn, step)


def _walks(forward: Any, backward: Any, ahead: bool, behind: bool, within: Any, within_fn: Any, inputs: Any, outputs: Any, ios: Any) -> Any:
    inputs, outputs = check_cios(inputs, outputs, ios)
    first = get_forward_walk_ops(forward, ahead, within, within_fn, control_outputs=outputs)
    return first, get_backward_walk_ops(backward, behind, within, within_fn, control_inputs=inputs)


@_export("get_walks_intersection_ops", "select")
def get_walks_intersection_ops(
    forward_seed_ops: Any, backward_seed_ops: Any, forward_inclusive: bool = True, backward_inclusive: bool = True, within_ops: Any = None,
    within_ops_fn: Any = None, control_inputs: Any = False, control_outputs: Any = None, control_ios: Any = None,
) -> list[Any]:  # fmt: skip
    ahead, behind = _walks(
        forward_seed_ops, backward_seed_ops, forward_inclusive, backward_inclusive, within_ops, within_ops_fn, control_inputs, control_outputs, control_ios
    )  # fmt: skip
    kept = set(behind)
    return [op for op in ahead if op in kept]


@_export("get_walks_union_ops", "select")
def get_walks_union_ops(
    forward_seed_ops: Any, backward_seed_ops: Any, forward_inclusive: bool = True, backward_inclusive: bool = True, within_ops: Any = None,
    within_ops_fn: Any = None, control_inputs: Any = False, control_outputs: Any = None, control_ios: Any = None,
) -> list[Any]:  # fmt: skip
    ahead, behind = _walks(
        forward_seed_ops, backward_seed_ops, forward_inclusive, backward_inclusive, within_ops, within_ops_fn, control_inputs, control_outputs, control_ios
    )  # fmt: skip
    return _unique([*ahead, *behind])


def _selected(args: Any, kwargs: dict[str, Any], other: str, matching: Any, listed: Any) -> list[Any]:
    """What arguments name: patterns of names in a graph (unless they are marked for the other kind), or what they are."""
    graph, positive = kwargs.pop("graph", None), kwargs.pop("positive_filter", None)
    own = "ts" if other == "ops" else "ops"
    only = kwargs.pop(f"restrict_{own}_regex", False)
    kwargs.pop(f"restrict_{other}_regex", None)
    if kwargs:
        raise ValueError(f"Wrong keywords argument: {next(iter(kwargs))}.")
    found: list[Any] = []
    for arg in args:
        if not can_be_regex(arg):
            found += [item for item in listed(arg) if positive is None or positive(item)]
            continue
        if graph is None:
            raise ValueError("Use the keyword argument 'graph' to use regex.")
        pattern = make_regex(arg)
        if pattern.pattern.startswith(f"(?#{other})") or (only and not pattern.pattern.startswith(f"(?#{own})")):
            continue
        found += [item for item in matching(graph, pattern) if positive is None or positive(item)]
    return _unique(found)


@_export("select_ops", "select")
def select_ops(*args: Any, **kwargs: Any) -> list[Any]:
    return _selected(args, kwargs, "ts", filter_ops_from_regex, lambda arg: make_list_of_op(arg, ignore_ts=True))


@_export("select_ts", "select")
def select_ts(*args: Any, **kwargs: Any) -> list[Any]:
    return _selected(args, kwargs, "ops", filter_ts_from_regex, lambda arg: make_list_of_t(arg, ignore_ops=True))


@_export("select_ops_and_ts", "select")
def select_ops_and_ts(*args: Any, **kwargs: Any) -> tuple[list[Any], list[Any]]:
    ops = select_ops(*args, **{**kwargs, "restrict_ops_regex": False})
    return ops, select_ts(*args, **{**kwargs, "restrict_ts_regex": True})


# -- views -----------------------------------------------------------------------------------------------------------------


@_export("SubGraphView", "subgraph")
class SubGraphView:
    """Some ops of a graph, with what goes in and out."""

    def __init__(self, inside_ops: Any = (), passthrough_ts: Any = ()) -> None:
        self._ops = _unique(make_list_of_op(inside_ops))
        self._passthrough = _unique(make_list_of_t(passthrough_ts))
        inputs, outputs, inside = compute_boundary_ts(self._ops)
        self._inputs = inputs + [t for t in self._passthrough if t not in set(inside) | set(inputs)]
        self._outputs = outputs + [t for t in self._passthrough if t not in set(outputs)]

    @property
    def graph(self) -> Any:
        items = self._ops or self._passthrough
        return items[0].graph if items else None

    @property
    def ops(self) -> list[Any]:
        return list(self._ops)

    @property
    def inputs(self) -> list[Any]:
        return list(self._inputs)

    @property
    def outputs(self) -> list[Any]:
        return list(self._outputs)

    @property
    def passthroughs(self) -> list[Any]:
        return list(self._passthrough)

    @property
    def connected_inputs(self) -> list[Any]:
        return [t for t in self._inputs if not self.is_passthrough(t)]

    @property
    def connected_outputs(self) -> list[Any]:
        return [t for t in self._outputs if not self.is_passthrough(t)]

    def copy(self) -> SubGraphView:
        made = SubGraphView(self._ops, self._passthrough)
        made._inputs, made._outputs = list(self._inputs), list(self._outputs)
        return made

    def op(self, op_id: int) -> Any:
        return self._ops[op_id]

    def is_passthrough(self, t: Any) -> bool:
        return t in self._passthrough

    def input_index(self, t: Any) -> int:
        return self._inputs.index(t)

    def output_index(self, t: Any) -> int:
        return self._outputs.index(t)

    def consumers(self) -> list[Any]:
        own = set(self._ops)
        return [op for op in get_consuming_ops(self._outputs) if op not in own]

    def find_op_by_name(self, op_name: str) -> Any:
        found = next((op for op in self._ops if op.name == op_name), None)
        if found is None:
            raise ValueError(f"{op_name} not found in subgraph.")
        return found

    @staticmethod
    def _chosen(values: list[Any], indices: Any) -> list[Any]:
        return [values[i] if isinstance(i, int) else i for i in indices]

    def remap_inputs(self, new_input_indices: Any) -> SubGraphView:
        made = self.copy()
        made._inputs = self._chosen(self._inputs, new_input_indices)
        return made

    def remap_outputs(self, new_output_indices: Any) -> SubGraphView:
        made = self.copy()
        made._outputs = self._chosen(self._outputs, new_output_indices)
        return made

    def remap(self, new_input_indices: Any = None, new_output_indices: Any = None) -> SubGraphView:
        made = self if new_input_indices is None else self.remap_inputs(new_input_indices)
        return made if new_output_indices is None else made.remap_outputs(new_output_indices)

    def __bool__(self) -> bool:
        return self.graph is not None

    def __len__(self) -> int:
        return len(self._ops)


@_export("make_view", "subgraph")
def make_view(*args: Any, **kwargs: Any) -> SubGraphView:
    """The ops and tensors that the arguments name, as a view."""
    if len(args) == 1 and isinstance(args[0], SubGraphView):
        return args[0]
    ops, ts = select_ops_and_ts(*args, **kwargs)
    return SubGraphView(ops, ts)


export(f"{_GE}sgv")(make_view)


@_export("make_view_from_scope", "subgraph")
def make_view_from_scope(scope: str, graph: Any) -> SubGraphView:
    return SubGraphView(get_name_scope_ops(graph, scope))


export(f"{_GE}sgv_scope")(make_view_from_scope)


# -- other inputs for ops --------------------------------------------------------------------------------------------------


def _rerouted(ts0: Any, ts1: Any, both: bool, can_modify: Any, cannot_modify: Any) -> int:
    pairs = list(zip(make_list_of_t(ts0), make_list_of_t(ts1), strict=True))
    for t0, t1 in pairs:
        if not t0.dtype.is_compatible_with(t1.dtype):
            raise ValueError(f"Dtypes {t0.dtype} and {t1.dtype} are not compatible.")
        if not t0.get_shape().is_compatible_with(t1.get_shape()):
            raise ValueError(f"Shapes {t0.get_shape()} and {t1.get_shape()} are not compatible.")
    can = None if can_modify is None else set(make_list_of_op(can_modify))
    cannot = set() if cannot_modify is None else set(make_list_of_op(cannot_modify))
    users = {t: get_consuming_ops([t]) for pair in pairs for t in pair}
    changed = 0
    for pair in pairs:
        for new, old in (pair, pair[::-1]) if both else (pair,):
            places = [
                (op, i) for op in users[old] if (can is None or op in can) and op not in cannot for i, t in enumerate(op.inputs) if t is old
            ]
            if new is not old:
                for op, i in places:
                    op._update_input(i, new)
                changed += len(places)
    return changed


@_export("reroute_ts", "reroute")
def reroute_ts(ts0: Any, ts1: Any, can_modify: Any = None, cannot_modify: Any = None) -> int:
    """What reads ts1 reads ts0 instead; how many inputs changed."""
    return _rerouted(ts0, ts1, False, can_modify, cannot_modify)


@_export("swap_ts", "reroute")
def swap_ts(ts0: Any, ts1: Any, can_modify: Any = None, cannot_modify: Any = None) -> int:
    return _rerouted(ts0, ts1, True, can_modify, cannot_modify)


def _ends(kind: str, both: bool) -> Any:
    def reroute(sgv0: Any, sgv1: Any) -> tuple[Any, Any]:
        a, b = make_view(sgv0), make_view(sgv1)
        own = a.ops + b.ops
        if kind in ("outputs", "ios"):
            _rerouted(a.outputs, b.outputs, both, None, own)
        if kind in ("inputs", "ios"):
            _rerouted(a.inputs, b.inputs, both, own, None)
            if both:
                a._inputs, b._inputs = b._inputs, a._inputs
            else:
                b._inputs = list(a._inputs)
        return a, b

    return reroute


for _kind in ("inputs", "outputs", "ios"):
    _export(f"swap_{_kind}", "reroute")(_ends(_kind, True))
    _export(f"reroute_{_kind}", "reroute")(_ends(_kind, False))


@_export("add_control_inputs", "reroute")
def add_control_inputs(op: Any, cops: Any) -> None:
    cops = make_list_of_op(cops, allow_graph=False)
    for cop in cops:
        if cop in op.control_inputs:
            raise ValueError(f"{cop.name} is already a control_input of {op.name}")
    op._add_control_inputs(cops)


@_export("remove_control_inputs", "reroute")
def remove_control_inputs(op: Any, cops: Any) -> None:
    for cop in make_list_of_op(cops, allow_graph=False):
        if cop not in op.control_inputs:
            raise ValueError(f"{op.name} is not a control input of {cop.name}")
        op.control_inputs.remove(cop)


@_export("connect", "edit")
def connect(sgv0: Any, sgv1: Any, disconnect_first: bool = False) -> tuple[Any, Any]:
    """The outputs of one view go into the other."""
    a, b = make_view(sgv0), make_view(sgv1)
    _rerouted(a.outputs, b.inputs, False, b.ops, None)
    return a, b


# -- copies ----------------------------------------------------------------------------------------------------------------


def _mapped(tree: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(tree, dict):
        return {k: _mapped(v, function) for k, v in tree.items()}
    if isinstance(tree, list | tuple):
        made = [_mapped(v, function) for v in tree]
        return type(tree)(*made) if hasattr(tree, "_fields") else type(tree)(made)
    return function(tree)


@_export("TransformerInfo", "transform")
class TransformerInfo:
    """Which ops and tensors became which."""

    def __init__(self, ops: dict[Any, Any], ts: dict[Any, Any]) -> None:
        self._ops, self._ts = ops, ts

    def _found(self, top: Any, back: bool, missing_fn: Any) -> Any:
        pairs = {**self._ops, **self._ts}
        pairs = {v: k for k, v in pairs.items()} if back else pairs
        if isinstance(top, str):
            pairs = {k.name: v for k, v in pairs.items()}
        return pairs[top] if top in pairs else None if missing_fn is None else missing_fn(top)

    def transformed(self, original: Any, missing_fn: Any = None) -> Any:
        return _mapped(original, lambda top: self._found(top, False, missing_fn))

    def original(self, transformed: Any, missing_fn: Any = None) -> Any:
        return _mapped(transformed, lambda top: self._found(top, True, missing_fn))


def _scope(name: str) -> str:
    return f"{name}/" if name and not name.endswith("/") else name


def _copied(view: SubGraphView, replacements: dict[Any, Any], hidden: bool, graph: Any, dst_scope: str, src_scope: str, reuse: bool) -> Any:
    """Copies of the ops; what comes in from outside is replaced, or kept (`hidden`) or a placeholder."""
    src, dst = _scope(src_scope), _scope(dst_scope)
    if dst and not reuse:
        dst = _scope(graph.unique_name(dst[:-1]))
    order = {op: i for i, op in enumerate(view.graph.get_operations())}
    ops: dict[Any, Any] = {}
    ts: dict[Any, Any] = {}
    late: list[tuple[Any, int, Any]] = []
    own = set(view.ops)
    for op in sorted(view.ops, key=order.__getitem__):
        if not op.name.startswith(src):
            raise ValueError(f"{op.name} does not belong to source scope: {src}.")
        inputs = []
        for i, t in enumerate(op.inputs):
            if t in ts:
                inputs.append(ts[t])
            elif t in replacements:
                inputs.append(replacements[t])
            elif t.op in own:  # a loop's way back: first what its other input is
                late.append((op, i, t))
                inputs.append(inputs[0])
            elif hidden and t.graph is graph:
                inputs.append(t)
            else:
                with graph.as_default(), graph.name_scope(None):
                    inputs.append(make_placeholder_from_tensor(t, scope=dst or None))
        with graph.as_default(), graph.control_dependencies(None), graph.name_scope(None):
            made = graph.create(op.op, inputs, dict(op.attr), graph.unique_name(dst + op.name[len(src) :]))
        made.device = op.device
        ops[op] = made
        for old, new in zip(op.outputs, made.outputs, strict=True):
            if new.get_shape().ndims is None:
                new.set_shape(TensorShape(old.dims))
            ts[old] = new
    for op, i, t in late:
        ops[op]._update_input(i, ts[t])
    for op, made in ops.items():
        waits = [ops.get(c, c if c.graph is graph else None) for c in op.control_inputs]
        made._add_control_inputs([c for c in waits if c is not None and c not in made.control_inputs])
    for key in view.graph.get_all_collection_keys():
        for item in list(view.graph.get_collection(key)):
            if isinstance(item, Operation | Tensor) and (item in ops or item in ts) and (graph is not view.graph or dst):
                copy_of = ops.get(item) or ts.get(item)
                name = key if graph is not view.graph or not isinstance(key, str) else f"{dst}{key}"
                graph.add_to_collection(name, copy_of)
    made_view = SubGraphView(list(ops.values()))
    made_view._inputs = [ts[t] for t in view.inputs if t in ts and ts[t] in made_view._inputs]
    return made_view, TransformerInfo(ops, ts)


@_export("copy", "transform")
def copy(sgv: Any, dst_graph: Any = None, dst_scope: str = "", src_scope: str = "", reuse_dst_scope: bool = False) -> Any:
    """(a copy of the view with placeholders for what it reads, what became what)."""
    view = make_view(sgv)
    return _copied(view, {}, False, dst_graph or view.graph, dst_scope, src_scope, reuse_dst_scope)


@_export("copy_with_input_replacements", "transform")
def copy_with_input_replacements(
    sgv: Any, replacement_ts: Any, dst_graph: Any = None, dst_scope: str = "", src_scope: str = "", reuse_dst_scope: bool = False
) -> Any:
    view = make_view(sgv)
    return _copied(view, dict(replacement_ts), True, dst_graph or view.graph, dst_scope, src_scope, reuse_dst_scope)


@_export("graph_replace", "transform")
def graph_replace(target_ts: Any, replacement_ts: Any, dst_scope: str = "", src_scope: str = "", reuse_dst_scope: bool = False) -> Any:
    """The targets as they are with other tensors in place of some."""
    targets = _flat(target_ts)
    ios = ControlOutputs(_graph_of(targets))
    ops = get_walks_intersection_ops(list(replacement_ts), targets, control_ios=ios)
    if not ops:
        raise ValueError("Targets and replacements are not connected!")
    _, info = copy_with_input_replacements(ops, replacement_ts, None, dst_scope, src_scope, reuse_dst_scope)
    return info.transformed(target_ts, lambda original: original)
