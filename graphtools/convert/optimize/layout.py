"""Transposes: merged, cancelled, and moved to where they cost least.

Nodes that do not care about the order of the axes (elementwise ones, Concat, Pad, reductions, ...) form regions. A region is computed
in another order of axes where that leaves fewer Transposes around it: all of them, for the usual NHWC network of NCHW ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from graphtools.convert.builder import Array, Builder, OnnxNode, Value
from graphtools.convert.optimize.axes import ELEMENTWISE, Rule, absorb, can_absorb, rule_of
from graphtools.convert.optimize.edit import Edit, ints

Perm = tuple[int, ...]


def perm_of(node: OnnxNode) -> Perm | None:
    """The permutation of a Transpose."""
    perm = node.attrs.get("perm")
    if perm is not None:
        return tuple(perm)
    value = node.inputs[0]
    return None if value is None or value.rank is None else tuple(reversed(range(value.rank)))


def compose(first: Perm, then: Perm) -> Perm:
    """The permutation of one Transpose after another."""
    return tuple(first[t] for t in then)


def inverse(perm: Perm) -> Perm:
    return tuple(perm.index(i) for i in range(len(perm)))


def is_identity(perm: Perm) -> bool:
    return perm == tuple(range(len(perm)))


def permuted(dims: Sequence[int | None] | None, perm: Perm) -> tuple[int | None, ...] | None:
    return None if dims is None else tuple(dims[p] for p in perm)


def run(edit: Edit) -> bool:
    changed = False
    for _ in range(4):
        now = _local(edit)
        if now:
            edit.tidy()
        moved = False
        for graph in list(edit.graphs):
            moved |= _regions(edit, graph)
        if moved:
            edit.tidy()
        if not now and not moved:
            break
        changed = True
    if _as_reshapes(edit):
        edit.tidy()
        changed = True
    return changed


# -- one Transpose and its neighbour ---------------------------------------------------------------------------------


def _local(edit: Edit) -> bool:
    changed = False
    for graph, node in edit.nodes():
        if node.op_type != "Transpose" or node.domain or (not edit.reads(node.outputs[0]) and id(node.outputs[0]) not in edit.results):
            continue
        changed |= (
            _merge(edit, node)
            or _drop(edit, graph, node)
            or _past_squeeze(edit, graph, node)
            or _past_choice(edit, graph, node)
            or _before_unsqueeze(edit, graph, node)
        )
    return changed


def _merge(edit: Edit, node: OnnxNode) -> bool:
    """Two in a row are one."""
    source, perm = node.inputs[0], perm_of(node)
    if source is None or perm is None or source.node is None or source.node.op_type != "Transpose":
        return False
    before = perm_of(source.node)
    if before is None:
        return False
    node.attrs["perm"] = list(compose(before, perm))
    edit.set_input(node, 0, source.node.inputs[0])
    return True


def _drop(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """One that moves nothing goes, and one that moves only sizes of 1 before Reshapes."""
    source, perm = node.inputs[0], perm_of(node)
    if source is None or perm is None:
        return False
    if is_identity(perm):
        if edit.replace(node.outputs[0], source):
            return True
        node.op_type, node.attrs = "Identity", {}  # an output that is an input
        return True
    if not keeps_order(source.dims, perm):
        return False
    output = node.outputs[0]
    readers = edit.reads(output)
    if id(output) not in edit.results and readers and all(_reshapes(reader) for reader, _ in readers):
        for reader, position in list(readers):
            edit.set_input(reader, position, source)
        return True
    return False


def _as_reshapes(edit: Edit) -> bool:
    """The Transposes that are left and move only sizes of 1 as Reshapes, which move nothing."""
    changed = False
    for graph, node in edit.nodes():
        source, perm = node.inputs[0] if node.inputs else None, perm_of(node) if node.op_type == "Transpose" and not node.domain else None
        if source is None or perm is None or source.dims is None or not keeps_order(source.dims, perm):
            continue
        if sum(d is None for d in source.dims) > 1 or 0 in source.dims:
            continue
        shape = graph.const([-1 if source.dims[p] is None else int(source.dims[p] or 0) for p in perm])
        node.op_type, node.attrs = "Reshape", {}
        edit.add_input(node, shape)
        changed = True
    return changed


def keeps_order(dims: Sequence[int | None] | None, perm: Perm) -> bool:
    """Whether a Transpose moves only axes of size 1."""
    if dims is None:
        return False
    moved = [p for p in perm if dims[p] != 1]
    return moved == sorted(moved)


def _reshapes(node: OnnxNode) -> bool:
    """A Reshape to a shape that copies no size from its input."""
    shape = ints(node.inputs[1]) if node.op_type == "Reshape" and len(node.inputs) > 1 else None
    return shape is not None and (0 not in shape or bool(node.attrs.get("allowzero")))


def _past_squeeze(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """Squeeze(Transpose(x)) = Transpose(Squeeze(x)): the axes that are left may need no Transpose."""
    squeeze = edit.only_reader(node.outputs[0])
    perm = perm_of(node)
    if squeeze is None or squeeze.op_type != "Squeeze" or perm is None or edit.owner.get(id(squeeze)) is not graph:
        return False
    axes = ints(squeeze.inputs[1]) if len(squeeze.inputs) > 1 else None
    source = node.inputs[0]
    if axes is None or source is None:
        return False
    gone = {a % len(perm) for a in axes}
    from_axes = sorted(perm[a] for a in gone)
    left = [perm[i] for i in range(len(perm)) if i not in gone]
    rest: Perm = tuple(sorted(left).index(p) for p in left)
    squeezed = edit.add(graph, squeeze, "Squeeze", [source, from_axes], {})
    return edit.replace(squeeze.outputs[0], edit.add(graph, node, "Transpose", [squeezed], {"perm": list(rest)}))


def _past_choice(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """Gather(Transpose(x), i) with one index is a Transpose of a Gather along another axis: there is one axis less to move."""
    gather = edit.only_reader(node.outputs[0])
    perm, source = perm_of(node), node.inputs[0]
    if (
        gather is None
        or gather.op_type != "Gather"
        or gather.domain
        or perm is None
        or source is None
        or edit.owner.get(id(gather)) is not graph
    ):
        return False
    index = gather.inputs[1]
    if gather.inputs[0] is not node.outputs[0] or index is None or index.rank != 0:
        return False
    axis = perm[int(gather.attrs.get("axis", 0)) % len(perm)]
    left = [p for p in perm if p != axis]
    rest: Perm = tuple(sorted(left).index(p) for p in left)
    chosen = edit.add(graph, gather, "Gather", [source, index], {"axis": axis})
    return edit.replace(gather.outputs[0], edit.add(graph, node, "Transpose", [chosen], {"perm": list(rest)}))


def _before_unsqueeze(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """Transpose(Unsqueeze(x)) = Unsqueeze(Transpose(x))."""
    source, perm = node.inputs[0], perm_of(node)
    if source is None or perm is None or source.node is None or source.node.op_type != "Unsqueeze":
        return False
    axes, inner = ints(source.node.inputs[1]), source.node.inputs[0]
    if axes is None or inner is None or edit.owner.get(id(source.node)) is not graph:
        return False
    new = {a % len(perm) for a in axes}
    old_axis = {axis: i for i, axis in enumerate(a for a in range(len(perm)) if a not in new)}
    rest: Perm = tuple(old_axis[p] for p in perm if p not in new)
    to_axes = [i for i, p in enumerate(perm) if p in new]
    turned = edit.add(graph, node, "Transpose", [inner], {"perm": list(rest)})
    return edit.replace(node.outputs[0], edit.add(graph, source.node, "Unsqueeze", [turned, to_axes], {}))


# -- regions ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Region:
    """Nodes connected by values whose axes none of them cares about."""

    rank: int
    nodes: list[tuple[OnnxNode, Rule]] = field(default_factory=list)
    members: set[int] = field(default_factory=set)
    values: set[int] = field(default_factory=set)  # what its nodes compute

    def inputs(self) -> list[Value]:
        """The values from outside, each once."""
        found: dict[int, Value] = {}
        for node, rule in self.nodes:
            for i in rule.inputs:
                value = node.inputs[i]
                if value is not None and value.const is None and id(value) not in self.values:
                    found.setdefault(id(value), value)
        return list(found.values())

    def outputs(self) -> list[Value]:
        return [node.outputs[i] for node, rule in self.nodes for i in rule.outputs]


def _regions(edit: Edit, graph: Builder) -> bool:
    rules: dict[int, Rule] = {}
    for node in graph.nodes:
        rule = rule_of(node)
        if rule is not None:
            rules[id(node)] = rule
    parent: dict[int, int] = {key: key for key in rules}

    def find(key: int) -> int:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for node in graph.nodes:
        rule = rules.get(id(node))
        if rule is None:
            continue
        for i in rule.inputs:
            value = node.inputs[i]
            maker = value.node if value is not None else None
            if maker is not None and id(maker) in rules and rules[id(maker)].rank == rule.rank:
                if any(v is value for v in (maker.outputs[k] for k in rules[id(maker)].outputs)):
                    parent[find(id(node))] = find(id(maker))
    regions: dict[int, _Region] = {}
    for node in graph.nodes:
        rule = rules.get(id(node))
        if rule is not None:
            region = regions.setdefault(find(id(node)), _Region(rule.rank))
            region.nodes.append((node, rule))
            region.members.add(id(node))
            region.values.update(id(node.outputs[i]) for i in rule.outputs)
    changed = False
    for region in regions.values():
        perm = _better(edit, region)
        if perm is not None:
            _turn(edit, graph, region, perm)
            changed = True
    return changed


def _transpose_of(value: Value) -> Perm | None:
    return perm_of(value.node) if value.node is not None and value.node.op_type == "Transpose" and not value.node.domain else None


def _better(edit: Edit, region: _Region) -> Perm | None:
    """The order of axes that leaves fewer Transposes around a region than there are, if one does."""
    inputs, outputs = region.inputs(), region.outputs()
    candidates: dict[Perm, None] = {}
    saved_in: dict[int, Perm] = {}
    freed = 0
    for value in inputs:
        perm = _transpose_of(value)
        if perm is not None:
            if value.node is not None and id(value.node.inputs[0]) in region.values:
                return None  # the region reads a value and its transpose
            candidates.setdefault(inverse(perm))
            saved_in[id(value)] = perm
            if id(value) not in edit.results and all(id(reader) in region.members for reader, _ in edit.reads(value)):
                freed += 1
    turned_out: list[Perm] = []
    for value in outputs:
        for reader, _ in edit.reads(value):
            if id(reader) not in region.members and reader.op_type == "Transpose":
                perm = perm_of(reader)
                if perm is not None:
                    candidates.setdefault(perm)
                    turned_out.append(perm)
    best: tuple[int, Perm] | None = None
    before = freed + len(turned_out)
    for perm in candidates:
        if is_identity(perm) or len(perm) != region.rank:
            continue
        after = sum(1 for v in inputs if id(v) not in saved_in or not is_identity(compose(saved_in[id(v)], perm)))
        after += sum(1 for p in turned_out if p != perm)
        for value in outputs:
            plain = id(value) in edit.results
            for reader, position in edit.reads(value):
                if id(reader) not in region.members and reader.op_type != "Transpose" and not can_absorb(reader, position, value, perm):
                    plain = True
            after += plain
        if (after < before or (after == before and _lets_fuse(edit, region, saved_in, perm))) and (best is None or after < best[0]):
            best = after, perm
    return None if best is None else best[1]


def _lets_fuse(edit: Edit, region: _Region, transposed: dict[int, Perm], perm: Perm) -> bool:
    """Whether a bias, scale or padding of the region would then stand beside the convolution that can take it."""
    for node, rule in region.nodes:
        if node.op_type == "Pad":
            turned = edit.only_reader(node.outputs[0])
            if turned is not None and turned.op_type == "Transpose" and perm_of(turned) == perm:
                conv = edit.only_reader(turned.outputs[0])
                if conv is not None and conv.op_type == "Conv" and not conv.domain and conv.inputs[0] is turned.outputs[0]:
                    return True
        constant = any(v is not None and v.const is not None for v in node.inputs)
        if node.op_type not in ("Add", "Sub", "Mul", "Div") or not (constant or rule.vectors):
            continue
        for i in rule.inputs:
            value = node.inputs[i]
            if value is None or id(value) not in transposed or not is_identity(compose(transposed[id(value)], perm)):
                continue
            source = value.node.inputs[0] if value.node is not None else None
            maker = source.node if source is not None else None
            cut = maker.inputs[0] if maker is not None and maker.op_type == "Slice" else None
            if cut is not None and cut.node is not None and edit.only_reader(cut) is maker:
                maker = cut.node
            if maker is not None and source is not None and maker.op_type in ("Conv", "ConvTranspose") and not maker.domain:
                if edit.only_reader(value) is node and edit.only_reader(source) is value.node:
                    return True
    return False


def _turn(edit: Edit, graph: Builder, region: _Region, perm: Perm) -> None:
    """Compute a region with its axes in another order."""
    back = inverse(perm)
    turned: dict[int, Value] = {}
    for value in region.inputs():
        before = _transpose_of(value)
        near = value.node if value.node is not None else region.nodes[0][0]
        source, rest = value, perm
        if before is not None and value.node is not None and value.node.inputs[0] is not None:
            source, rest = value.node.inputs[0], compose(before, perm)
        if is_identity(rest):
            turned[id(value)] = source
        else:
            turned[id(value)] = edit.add(graph, near, "Transpose", [source], {"perm": list(rest)})
    for node, rule in region.nodes:
        for i in rule.inputs:
            given = node.inputs[i]
            if given is None:
                continue
            if given.const is not None:
                edit.set_input(node, i, graph.const(_turned_constant(given, perm, node.op_type in ELEMENTWISE)))
            elif id(given) in turned:
                edit.set_input(node, i, turned[id(given)])
        for i in rule.vectors:
            edit.set_input(node, i, _beside(edit, graph, node, node.inputs[i], perm))
        rule.turn(edit, graph, node, perm)
    places = {id(node): rule.inputs for node, rule in region.nodes}
    for node, rule in region.nodes:
        for i in rule.outputs:
            old = node.outputs[i]
            fresh = edit.remake(node, i)
            fresh.dims = permuted(old.dims, perm)
            needed = id(old) in edit.results
            for reader, position in list(edit.reads(old)):
                if position in places.get(id(reader), ()):
                    edit.set_input(reader, position, fresh)
                elif reader.op_type == "Transpose" and not reader.domain and (then := perm_of(reader)) is not None:
                    reader.attrs["perm"] = list(compose(back, then))
                    edit.set_input(reader, position, fresh)
                elif can_absorb(reader, position, old, perm):
                    absorb(edit, reader, position, fresh, perm)
                else:
                    needed = True
            old.node = None
            if needed:
                _compute(edit, graph, node, old, fresh, back)


def _compute(edit: Edit, graph: Builder, near: OnnxNode, old: Value, fresh: Value, back: Perm) -> None:
    """Let a Transpose compute a value in its former order of axes for those that need it so."""
    node = OnnxNode(
        "Transpose", [fresh], {"perm": list(back)}, graph.names.unique(near.origin or "Transpose"), "", near.origin, near.device
    )
    node.outputs.append(old)
    old.node = node
    graph.nodes.append(node)
    edit.owner[id(node)] = graph
    edit.readers.setdefault(id(fresh), []).append((node, 0))


def _turned_constant(value: Value, perm: Perm, broadcasts: bool) -> Array:
    """A constant with its axes in another order; only as many of them as broadcasting needs, where it is broadcast."""
    array = np.asarray(value.const)
    if array.ndim == 0 or (broadcasts and array.size == 1):
        return array
    full = array.reshape((1,) * (len(perm) - array.ndim) + array.shape)
    result = np.ascontiguousarray(np.transpose(full, perm))
    while broadcasts and result.ndim > 1 and result.shape[0] == 1:
        result = result[0]
    return result


def _beside(edit: Edit, graph: Builder, node: OnnxNode, value: Value | None, perm: Perm) -> Value | None:
    """A vector along what was the last axis, to broadcast along where that axis is now."""
    if value is None:
        return None
    trailing = len(perm) - 1 - perm.index(len(perm) - 1)
    if not trailing:
        return value
    return edit.add(graph, node, "Unsqueeze", [value, list(range(1, trailing + 1))], {})
