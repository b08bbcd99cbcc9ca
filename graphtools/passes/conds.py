"""Raise v1 conds (Switch, Merge) to functional If and Case nodes.

The guard of a node is what must have been decided for it to run: a set of (predicate, branch). A Switch adds to it, a
Merge takes away what its inputs differ in. Nodes under a predicate that nothing guards become the branches of an If. All
conds of one predicate that do not wait for each other become one If: what waits has a higher stage, which counts the
Merges on the way.
"""

from __future__ import annotations

import numpy as np

from graphtools.dtypes import bool_, int32, resource, string, variant
from graphtools.errors import ConversionError
from graphtools.graph import Func, Function, Graph, Node, Tensor, topological
from graphtools.passes.decided import take_decided
from graphtools.passes.frames import MERGE, SWITCH, origin
from graphtools.passes.outline import Outlined, Parameter, free_name, is_stateful, outline

Guard = frozenset[tuple[Tensor, int]]
NOTHING: Guard = frozenset()


def raise_conds(graph: Graph, function: Function | None = None) -> bool:
    """Raise every cond of a graph, the outermost first, and those in the branches that this makes.

    `function` is the one whose body the graph is.
    """
    if not any(is_switch(node) or node.op in MERGE for node in graph):
        return False
    if take_decided(graph, function) and not any(is_switch(node) or node.op in MERGE for node in graph):
        return True
    if function is not None:
        _assume(graph, function)
    conds = _Conds(graph, set() if function is None else set(function.outputs))
    conds.run()
    if function is not None:
        function.outputs[:] = [conds.moved.get(t, t) for t in function.outputs]
        function.control_outputs[:] = dict.fromkeys(conds.homes.get(n, n) for n in function.control_outputs if n not in conds.preds)
    return True


def _assume(graph: Graph, function: Function) -> None:
    """Take away the Switches that no Merge answers on the way to a function's results.

    A loop inside a branch has Switches on the branch's predicate in its body: the body only runs where they let through.
    """
    for _ in range(100):
        conds = _Conds(graph, set(function.outputs))
        guards: set[tuple[Tensor, int]] = set()
        for tensor in function.outputs:
            guards |= conds._guard_of(tensor)
        answered = {pred for pred, _ in conds.joins.values()}
        for node in function.control_outputs:
            guards |= {g for g in conds.guards[node] if g[0] not in answered}
        if not guards:
            return
        for node, pred in conds.preds.items():
            for branch, output in enumerate(node.outputs):
                if (pred, branch) in guards:
                    conds._hand_over(output, node.inputs[0], list(conds.readers.get(output, ())))
                    function.outputs[:] = [node.inputs[0] if t is output else t for t in function.outputs]


class _Conds:
    def __init__(self, graph: Graph, results: set[Tensor]) -> None:
        self.graph = graph
        self.results = results  # what is read from outside of the graph
        self.homes: dict[Node, Node] = {}  # what went into an If -> the If
        self.order = topological(graph.nodes.values())
        self.guards: dict[Node, Guard] = {}
        self.branches: dict[Tensor, int] = {}  # predicate -> how many branches
        self.joins: dict[Node, tuple[Tensor, list[int]]] = {}  # Merge -> its predicate and the branch of each input
        self.before: dict[Tensor, set[Tensor]] = {}  # predicate -> the predicates it is decided under
        self.preds: dict[Node, Tensor] = {}  # Switch -> its predicate, behind Identity nodes
        self.moved: dict[Tensor, Tensor] = {}  # what an If gives in the place of a tensor that went into it
        self.stage: dict[Node, int] = {}
        self.groups: dict[tuple[int, Tensor], list[Node]] = {}
        self.clones: dict[Node, list[Node]] = {}
        self.rank: dict[Tensor, int] = {}
        self.readers: dict[Tensor, list[Node]] = {}
        self.waiters: dict[Node, list[Node]] = {}
        for node in self.order:
            if is_switch(node):
                self.preds[node] = self._predicate(node)
                node.inputs = [node.inputs[0], self.preds[node]]
            self._guard(node)
            for tensor in node.inputs:
                self.readers.setdefault(tensor, []).append(node)
            for control in node.control_inputs:
                self.waiters.setdefault(control, []).append(node)

    def _predicate(self, node: Node) -> Tensor:
        """What a Switch asks, behind Identity nodes. The gradient of a Merge asks which input it took: that is the cond's own predicate."""
        pred = origin(node.inputs[1])
        if pred.node.op != "Equal" or len(node.outputs) != 2:
            return pred
        index, number = (origin(t) for t in pred.node.inputs)
        if index.node not in self.joins or index.index != 1 or number.node.op != "Const":
            return pred
        asked, branches = self.joins[index.node]
        place = int(number.node.attr["value"])
        if self.branches[asked] != 2 or not 0 <= place < len(branches):
            return pred
        if branches[place] == 0:  # the other way round
            node.outputs.reverse()
            for i, output in enumerate(node.outputs):
                output.index = i
        return asked

    def _guard_of(self, tensor: Tensor) -> Guard:
        """The guard of a tensor: that of its node, and of the side of a Switch."""
        node = tensor.node
        guard = self.guards.get(node)
        if guard is None:
            raise ConversionError(
                f"{tensor.name!r} is read before it is made: the loop that {node.name!r} ({node.op}) is part of is not whole."
            )
        return guard | {(self.preds[node], tensor.index)} if node in self.preds else guard

    def _guard(self, node: Node) -> None:
        guards = [self._guard_of(t) for t in node.inputs]
        controls = [self.guards[c] for c in node.control_inputs]
        if node in self.preds:
            pred = self.preds[node]
            self.branches[pred] = max(self.branches.get(pred, 0), len(node.outputs))
            self.before.setdefault(pred, set()).update(p for p, _ in self._guard_of(pred))
        if node.op in MERGE:
            guard = self._join(node, guards)
        else:
            guard = frozenset().union(*guards)
        # a Merge runs when one input has come, though a node that it waits for never runs
        self.guards[node] = guard if node.op in MERGE else frozenset().union(guard, *controls)

    def _join(self, node: Node, guards: list[Guard]) -> Guard:
        common = frozenset.intersection(*guards)
        rests = [g - common for g in guards]
        choices: dict[Tensor, dict[int, int]] = {}
        for i, rest in enumerate(rests):
            for pred, branch in rest:
                choices.setdefault(pred, {})[i] = branch
        for pred, sides in sorted(choices.items(), key=lambda c: -len(c[1])):
            count = self.branches[pred]
            missing = [i for i in range(len(rests)) if i not in sides]
            free = sorted(set(range(count)) - set(sides.values()))
            if len(set(sides.values())) == len(sides) and len(missing) <= len(free):
                taken = dict(zip(missing, free, strict=False))
                self.joins[node] = pred, [sides[i] if i in sides else taken[i] for i in range(len(rests))]
                self.before.setdefault(pred, set()).update(p for p, _ in common)
                return common
        if all(not r for r in rests):  # nothing decides: the executor takes what comes first, which here is the first
            node.inputs = node.inputs[:1]
            _become_identity(node)
            return common
        raise ConversionError(
            f"Node {node.name!r} ({node.op}) joins {', '.join(t.name for t in node.inputs)}, which are not the sides of one predicate."
        )

    # -- grouping ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        rank = self._nesting()
        first: dict[Node, Tensor | None] = {}
        for node in self.order:
            guard = self.guards[node]
            first[node] = min((p for p, _ in guard), key=rank.__getitem__) if guard else None
        for node in self.order:
            level = 0
            for need in (*(t.node for t in node.inputs), *node.control_inputs):
                level = max(level, self.stage[need])
            if node in self.joins and first[node] is None:
                level += 1
            self.stage[node] = level
        for node in reversed(self.order):
            if first[node] is not None:
                self._delay(node)
        nested = [n for n in self.order if (n in self.preds or n.op == "Const") and first[n] is not None]
        for node in reversed(nested):
            self._follow_readers(node)
        for node in self.order:
            pred = first[node]
            if pred is not None:
                self.groups.setdefault((self.stage[node], pred), []).append(node)
        merges: dict[tuple[int, Tensor], list[Node]] = {}
        for node, (pred, _) in self.joins.items():
            if first[node] is None:
                merges.setdefault((self.stage[node] - 1, pred), []).append(node)
        for node in nested:
            for clone in self.clones.get(node, ()):
                self.groups.setdefault((self.stage[clone], first[node]), []).append(clone)  # type: ignore[arg-type]
        self.rank = rank
        for key in sorted({*self.groups, *merges}, key=lambda k: (k[0], rank[k[1]])):
            self._raise(key[0], key[1], self.groups.get(key, []), merges.get(key, []))
        for node in self.preds:
            if self.graph.nodes.get(node.name) is node:
                for waiter in self.waiters.get(node, ()):
                    waiter.control_inputs = [c for c in waiter.control_inputs if c is not node]
                del self.graph.nodes[node.name]

    def _nesting(self) -> dict[Tensor, int]:
        """The predicates in an order in which each comes after those it is decided under."""
        rank: dict[Tensor, int] = {}

        def visit(pred: Tensor, path: tuple[Tensor, ...]) -> None:
            if pred in rank or pred in path:
                return
            for other in self.before.get(pred, ()):
                visit(other, (*path, pred))
            rank.setdefault(pred, len(rank))

        for pred in self.preds.values():
            visit(pred, ())
        return rank

    def _read_at(self, node: Node) -> int:
        """The stage that a node takes its inputs at."""
        return self.stage[node] - (node in self.joins and not self.guards[node])

    def _delay(self, node: Node) -> None:
        """Put a node into the first stage that needs it: what a stage gives to a later one is an output of its If."""
        needed = [self._read_at(r) for t in node.outputs for r in self.readers.get(t, ())]
        needed.extend(self._read_at(w) for w in self.waiters.get(node, ()))
        if needed:
            self.stage[node] = max(self.stage[node], min(needed))

    def _follow_readers(self, node: Node) -> None:
        """Give each stage that reads a Switch or constant inside a cond one of its own."""
        by_stage: dict[int, list[Node]] = {}
        for tensor in node.outputs:
            for reader in self.readers.get(tensor, ()):
                by_stage.setdefault(self._read_at(reader), []).append(reader)
        for stage, readers in by_stage.items():
            if stage > self.stage[node]:
                clone = self._clone(node, stage)
                self.clones.setdefault(node, []).append(clone)
                for old, new in zip(node.outputs, clone.outputs, strict=True):
                    self._hand_over(old, new, [r for r in readers if old in r.inputs])

    def _clone(self, node: Node, stage: int) -> Node:
        if node in self.preds:
            return self._switch(node.inputs[0], self.preds[node], len(node.outputs), node, self.guards[node], stage)
        clone = self.graph.add_raw_node(free_name(self.graph, f"{node.name}/again"), node.op, dict(node.attr), node.device)
        clone.outputs = [self.graph.tensor_type(clone, t.index, t.dtype, t.dims) for t in node.outputs]
        self.guards[clone], self.stage[clone] = self.guards[node], stage
        return clone

    def _switch(self, data: Tensor, pred: Tensor, count: int, like: Node, guard: Guard, stage: int) -> Node:
        """A new Switch."""
        op = "Switch" if count == 2 else "_SwitchN"
        attr = {"T": data.dtype.base_dtype} | ({} if count == 2 else {"num_outs": count})
        node = self.graph.add_raw_node(free_name(self.graph, f"{like.name}/Switch"), op, attr, like.device)
        node.outputs = [self.graph.tensor_type(node, i, data.dtype, data.dims) for i in range(count)]
        node.inputs = [data, self.moved.get(pred, pred)]
        for tensor in node.inputs:
            self.readers.setdefault(tensor, []).append(node)
        self.preds[node], self.guards[node], self.stage[node] = pred, guard, stage
        return node

    def _hand_over(self, old: Tensor, new: Tensor, readers: list[Node]) -> None:
        """Let readers of one tensor read another."""
        for reader in readers:
            reader.inputs = [new if t is old else t for t in reader.inputs]
        gone = set(readers)
        self.readers[old] = [r for r in self.readers.get(old, ()) if r not in gone]
        self.readers.setdefault(new, []).extend(readers)

    # -- raising one group ---------------------------------------------------------------------------------------

    def _branch_of(self, node: Node, pred: Tensor) -> int:
        return next(b for p, b in self.guards[node] if p is pred)

    def _raise(self, stage: int, pred: Tensor, members: list[Node], merges: list[Node]) -> None:
        graph, count = self.graph, self.branches[pred]
        for node in members:
            self._pass_through(node, pred)
        inside = set(members)
        sides: list[list[Node]] = [[] for _ in range(count)]
        for node in members:
            sides[self._branch_of(node, pred)].append(node)
        consumers = self._read_later(inside, merges)
        parameters: dict[Tensor, Parameter] = {}

        def outer(tensor: Tensor) -> Tensor:
            """What a tensor that a branch takes is outside: through the Switch that lets it in."""
            node = tensor.node
            while node not in inside and self.preds.get(node) is pred:
                tensor = node.inputs[0]
                node = tensor.node
            return tensor

        def take(tensor: Tensor) -> None:
            if tensor.node in inside:
                return
            source = outer(tensor)
            parameter = parameters.get(source)
            if parameter is None:
                parameter = parameters[source] = Parameter(source.node.name, source.dtype, source.dims)
            if tensor not in parameter.tensors:
                parameter.tensors.append(tensor)

        results: list[list[Tensor | None]] = []  # for each output, what each branch gives
        indices: list[tuple[int, list[int]]] = []  # outputs that are a Merge's value_index
        outputs: list[tuple[Tensor, int]] = []  # old tensor -> output
        for merge in merges:
            row: list[Tensor | None] = [None] * count
            places = [0] * count
            for i, (branch, tensor) in enumerate(zip(self.joins[merge][1], merge.inputs, strict=True)):
                row[branch] = tensor
                places[branch] = i
                take(tensor)
            outputs.append((merge.outputs[0], len(results)))
            results.append(row)
            if merge.outputs[1] in consumers:
                indices.append((len(results), places))
                outputs.append((merge.outputs[1], len(results)))
                results.append([None] * count)
        merged = {m.outputs[i] for m in merges for i in range(len(m.outputs))}
        kept: list[tuple[Tensor, int]] = []  # inner tensors that a later stage reads
        leaving = [t for n in members for t in n.outputs if t in consumers and t not in merged and self.preds.get(n) is not pred]
        seen: set[Tensor] = set()
        while leaving:
            tensor = leaving.pop()
            if tensor in seen:
                continue
            seen.add(tensor)
            row = [None] * count
            row[self._branch_of(tensor.node, pred)] = tensor
            kept.append((tensor, len(results)))
            results.append(row)
            leaving.extend(other for other, _ in self._extra(tensor, pred) if other.node in inside)
        for row in results:
            for result in row:
                if result is not None and result.node in inside:
                    for other, _ in self._extra(result, pred):
                        take(self.moved.get(other, other))
        for node in members:
            for tensor in node.inputs:
                take(tensor)
        taken = list(parameters.values())
        dropped = set(self.preds)
        functions, controls = [], dict[Node, None]()
        base = _scope(merges, members, pred)
        names = ("else", "then") if count == 2 else tuple(f"branch{b}" for b in range(count))
        for b, side in enumerate(sides):
            function, outside = self._branch(f"{base}_{names[b]}", b, pred, side, taken, results, indices, dropped)
            functions.append(function)
            controls.update((c, None) for c in outside)
        sources = list(parameters)
        types = [self._type(row, merges, i, indices) for i, row in enumerate(results)]
        stateful = any(is_stateful(graph.functions[f.name]) for f in functions)
        attr = {"Tin": [s.dtype for s in sources], "Tout": types, "output_shapes": []}
        if count == 2 and pred.dtype.base_dtype is bool_:
            attr |= {"Tcond": bool_, "then_branch": functions[1], "else_branch": functions[0]}
            op = "If" if stateful else "StatelessIf"
        else:
            attr |= {"branches": functions}
            op = "Case" if stateful else "StatelessCase"
        node = graph.add_raw_node(free_name(graph, base), op, attr, members[0].device if members else "")
        node.source = next((m.source for m in (*merges, *members) if m.source), None)
        graph.set_outputs(node)
        node.inputs = [self.moved.get(pred, pred), *sources]
        for tensor in node.inputs:
            self.readers.setdefault(tensor, []).append(node)
        node.control_inputs = [c for c in controls if c not in inside]
        for control in node.control_inputs:
            self.waiters.setdefault(control, []).append(node)
        self.guards[node] = NOTHING
        self._guard_again(node, pred, kept)
        self._replace(node, inside, merges, outputs, kept)
        from graphtools import shapes

        shapes.infer(node)
        for function in functions:
            raise_conds(graph.functions[function.name].graph, graph.functions[function.name])

    def _pass_through(self, node: Node, pred: Tensor) -> None:
        """Let what reads a Switch on a predicate that is decided already read what the Switch reads."""
        if self.preds.get(node) is pred:
            data, chosen = node.inputs[0], node.outputs[self._branch_of(node, pred)]
            self._hand_over(chosen, data, list(self.readers.get(chosen, ())))

    def _branch(
        self,
        name: str,
        b: int,
        pred: Tensor,
        side: list[Node],
        taken: list[Parameter],
        results: list[list[Tensor | None]],
        indices: list[tuple[int, list[int]]],
        dropped: set[Node],
    ) -> tuple[Func, list[Node]]:
        """One branch as a function. A result that only another branch has is a zero here, which nothing reads."""
        graph = self.graph
        wanted: list[Tensor] = []
        constants: dict[Tensor, object] = {}
        places = dict(indices)
        blank = Graph(graph.producer)
        for i, row in enumerate(results):
            tensor = row[b]
            if tensor is None:
                model = next((t for t in row if t is not None), None)
                dtype = int32 if model is None else model.dtype.base_dtype
                if model is not None and dtype in (resource, variant):
                    raise ConversionError(
                        f"{model.name!r}, a {dtype.name} made in one branch of {name!r}, is used after the branch by another cond."
                    )
                dims = () if model is None else tuple(d or 0 for d in model.dims or ())
                value = np.int32(places[i][b]) if model is None else np.full(dims, b"" if dtype is string else 0, dtype.as_numpy_dtype)
                holder = blank.add_raw_node(f"{name}/{'index' if model is None else 'none'}_{i}", "Const", {})
                tensor = blank.tensor_type(holder, 0, dtype, dims)
                holder.outputs = [tensor]
                constants[tensor] = value
            wanted.append(tensor)
        members = [n for n in side if self.preds.get(n) is not pred]
        read = {t for n in members for t in n.inputs} | set(wanted)
        reach = {n for n in members for n in n.control_inputs}
        effects = [n for n in members if not any(t in read for t in n.outputs) and n not in reach and n not in self.preds]
        outlined = outline(graph, name, members, taken, wanted, constants=constants, effects=effects, dropped=dropped)
        for i, tensor in enumerate(wanted):
            extra = self._extra(tensor, pred) if tensor.node in self.guards else []
            if extra and tensor.node in outlined.copies:
                outlined.function.outputs[i] = self._fill(outlined, tensor, extra)
        return Func(outlined.function.name), outlined.outside

    def _extra(self, tensor: Tensor, pred: Tensor) -> list[tuple[Tensor, int]]:
        """What must have been decided for a tensor beside `pred`, the outermost first."""
        return sorted(((p, b) for p, b in self._guard_of(tensor) if p is not pred), key=lambda g: self.rank[g[0]])

    def _fill(self, outlined: Outlined, tensor: Tensor, extra: list[tuple[Tensor, int]]) -> Tensor:
        """A tensor of one side of an inner cond, made whole: zero on its other sides."""
        body = outlined.function.graph
        result = outlined.tensors[tensor]
        for pred, branch in reversed(extra):
            dims = tuple(d or 0 for d in tensor.dims or ())
            dtype = tensor.dtype.base_dtype
            base = f"{tensor.node.name}/whole"
            blank = np.full(dims, b"" if dtype is string else 0, dtype.as_numpy_dtype)
            zero = body.add_node("Const", [], {"dtype": dtype, "value": blank}, name=free_name(body, f"{base}/zero"))
            count = self.branches[pred]
            attr = {"T": dtype} | ({} if count == 2 else {"num_outs": count})
            switch = body.add_raw_node(free_name(body, f"{base}/Switch"), "Switch" if count == 2 else "_SwitchN", attr)
            body.set_outputs(switch)
            switch.inputs = [zero.outputs[0], outlined.tensors[pred if pred in outlined.tensors else self.moved[pred]]]
            merge = body.add_raw_node(free_name(body, base), "Merge", {"T": dtype, "N": count})
            body.set_outputs(merge)
            merge.inputs = [result if b == branch else switch.outputs[b] for b in range(count)]
            result = merge.outputs[0]
        return result

    def _guard_again(self, node: Node, pred: Tensor, kept: list[tuple[Tensor, int]]) -> None:
        """Let the readers of a half dead tensor that left a group read it through the Switches of what must have been decided."""
        self.moved.update((old, node.outputs[i]) for old, i in kept)
        for old, i in kept:
            extra = self._extra(old, pred)
            if not extra:
                continue
            by_stage: dict[int, list[Node]] = {}
            for reader in self.readers.get(old, ()):
                if self.graph.nodes.get(reader.name) is reader and self.stage.get(reader, -1) > self.stage[old.node]:
                    by_stage.setdefault(self.stage[reader], []).append(reader)
            for stage, readers in by_stage.items():
                data, guard = node.outputs[i], frozenset(g for g in self.guards[old.node] if g[0] is pred)
                for inner, branch in extra:
                    switch = self._switch(data, inner, self.branches[inner], old.node, guard, stage)
                    self.groups.setdefault((stage, pred), []).append(switch)
                    data, guard = switch.outputs[branch], guard | {(inner, branch)}
                self._hand_over(old, data, readers)

    def _type(self, row: list[Tensor | None], merges: list[Node], i: int, indices: list[tuple[int, list[int]]]) -> object:
        found = next((t.dtype for t in row if t is not None), None)
        if found is None:
            return int32
        if found.is_ref and not all(t is not None and t.dtype.is_ref for t in row):
            return found.base_dtype
        return found

    def _read_later(self, inside: set[Node], merges: list[Node]) -> set[Tensor]:
        """The tensors of a group, and of its merges, that nodes outside of the group read."""
        joined = set(merges)
        found = {t for n in inside for t in n.outputs if any(r not in inside and r not in joined for r in self.readers.get(t, ()))}
        return found | {t for n in joined for t in n.outputs if self.readers.get(t) or t in self.results}

    def _replace(
        self, node: Node, inside: set[Node], merges: list[Node], outputs: list[tuple[Tensor, int]], kept: list[tuple[Tensor, int]]
    ) -> None:
        """Let what read the group read the If; a Merge stays as an Identity of its name."""
        graph = self.graph
        new = {old: node.outputs[i] for old, i in kept}
        by_tensor = dict(outputs)
        for merge in merges:
            index = merge.outputs[1]
            if index in by_tensor:
                new[index] = self.moved[index] = node.outputs[by_tensor[index]]
            merge.inputs = [node.outputs[by_tensor[merge.outputs[0]]]]
            merge.control_inputs = list(dict.fromkeys(node if c in inside else c for c in merge.control_inputs))
            _become_identity(merge)
        for old, tensor in new.items():
            self._hand_over(old, tensor, [r for r in self.readers.get(old, ()) if r not in inside])
        for member in inside:
            for waiter in self.waiters.pop(member, ()):
                if waiter not in inside:
                    waiter.control_inputs = list(dict.fromkeys(node if c is member else c for c in waiter.control_inputs))
                    self.waiters.setdefault(node, []).append(waiter)
            self.homes[member] = node
            del graph.nodes[member.name]


def is_switch(node: Node) -> bool:
    return node.op in SWITCH or node.op == "_SwitchN"


def _become_identity(node: Node) -> None:
    node.op = "Identity"
    node.attr = {k: v for k, v in node.attr.items() if k not in ("N",)} | {"T": node.inputs[0].dtype.base_dtype}
    first = node.outputs[0]
    if first.dtype.is_ref and not node.inputs[0].dtype.is_ref:
        first.dtype = first.dtype.base_dtype
    node.outputs = [first]


def _scope(merges: list[Node], members: list[Node], pred: Tensor) -> str:
    """A name for the If: the scope that its Merge was made in."""
    node = next(iter((*merges, *members)))
    scope = node.name.rpartition("/")[0]
    return scope or f"{node.name}/If"
