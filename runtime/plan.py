"""(fetches, feeds) -> Plan: what to run, in which order, on ONNX Runtime or on the host.

The nodes that a run needs fall into segments: ONNX segments, each one InferenceSession, and host nodes between them. A
value lives in a numbered slot. Slots are filled by feeds, by loading variables, and by the steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphtools import constant, convert, passes, shapes
from graphtools.convert.builder import Builder, Value
from graphtools.convert.lists import Array, TensorList
from graphtools.convert.loop_lists import pack
from graphtools.convert.model import to_model
from graphtools.convert.optimize import optimize
from graphtools.convert.walk import Ref, StackRef, Walk
from graphtools.dtypes import resource, string, variant
from graphtools.errors import ConversionError
from graphtools.graph import Dims, Graph, Node, Tensor, topological
from graphtools.passes.prune import extract
from graphtools.shapes.control_flow_ops import infer_again
from graphtools.state import (
    STACKS,
    VARIABLES,
    Variable,
    Versions,
    called_functions,
    calls_functions,
    shared_ref,
    source_variable,
    variable_of,
)
from runtime import assertions, draws, host
from runtime.errors import UnimplementedError
from runtime.host.training_ops import IN_PLACE, updates_in_place
from runtime.steps import HostStep, Load, Packed, Plan, Segment, Source, Store, find_drops, has_effect

# Ops that the host runs although they have a conversion: what they do besides computing a value (drawing from TensorFlow's
# random streams, printing, failing, holding state between runs) is lost in a model.
PREFER_HOST = frozenset(
    {"Assert", "CheckNumerics", "Print", "PrintV2", "Multinomial", "ParameterizedTruncatedNormal", "RandomGamma", "RandomPoisson", "RandomPoissonV2",
     "RandomShuffle", "RandomStandardNormal", "RandomUniform", "RandomUniformInt", "SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2",
     "TruncatedNormal", "StatelessMultinomial", "StatelessRandomNormal", "StatelessRandomUniform", "StatelessRandomUniformInt", "StatelessTruncatedNormal",
     "HashTable", "HashTableV2", "LookupTableFind", "LookupTableFindV2", "LookupTableSize", "LookupTableSizeV2", "InitializeTable", "InitializeTableV2",
     "LookupTableImport", "LookupTableImportV2", "FIFOQueue", "FIFOQueueV2", "QueueDequeue", "QueueDequeueV2", "QueueDequeueMany", "QueueDequeueManyV2",
     "QueueDequeueUpTo", "QueueDequeueUpToV2", "Iterator", "IteratorV2", "IteratorGetNext",
     "AnonymousHashTable", "AnonymousIterator", "AnonymousIteratorV2", "AnonymousMutableHashTable", "Barrier", "BarrierTakeMany", "FixedLengthRecordReaderV2",
     "IteratorFromStringHandle", "IteratorFromStringHandleV2", "IteratorGetNextAsOptional", "IteratorGetNextSync", "LookupTableExport", "LookupTableExportV2",
     "MutableHashTable", "MutableHashTableV2", "OneShotIterator", "OptionalHasValue", "PaddingFIFOQueue", "PaddingFIFOQueueV2",
     "PriorityQueue", "PriorityQueueV2", "RandomCrop", "RandomShuffleQueue", "RandomShuffleQueueV2", "ReadFile", "ReaderRead", "ReaderReadUpTo", "ReaderReadUpToV2", "ReaderReadV2",
     "StagePeek", "Unstage",
     "BatchCholesky", "BatchMatrixInverse", "BatchMatrixSolve", "BatchMatrixTriangularSolve", "Cholesky", "MatrixInverse", "MatrixSolve", "MatrixTriangularSolve"}
)  # fmt: skip

# Handles that conversion resolves by itself, as long as all that use one are in one segment.
COMPILED_HANDLES = ("TensorArray", "TensorList", "EmptyTensorList", "Stack")

# Nodes that only carry order, or whose value is known.
NEUTRAL = frozenset({"Const", "ControlTrigger", "NoOp", *VARIABLES})

# Prefixes of the ops that wait for what another thread puts into a queue.
WAITS = ("QueueDequeue", "ReaderRead")

ONNX, HOST = 0, 1  # the parity of a level: ONNX segments are even, host steps odd


class Planner:
    """Plans one set of fetches and feeds. `bound` says which feeds are handles of variables (in a function's body).

    With `on_cpu` everything runs there: the host may update large variables where they lie, and forms that are fast on CPUs are chosen.
    With `is_strict` nothing runs before the assertions that it depends on.
    """

    def __init__(
        self,
        graph: Graph,
        fetches: Sequence[Tensor | Node],
        feeds: Sequence[Tensor],
        feed_dims: Sequence[Dims],
        bound: Mapping[Tensor, Variable] | None = None,
        on_cpu: bool = False,
        is_strict: bool = False,
        threads: int = 1,
    ) -> None:
        self.threads = threads
        self.is_strict = is_strict
        self.on_cpu = on_cpu
        part, tensors, nodes = extract(graph, fetches, feeds)
        changed = False
        for tensor, dims in zip(feeds, feed_dims, strict=True):
            here = tensors[tensor]
            if dims is not None and here.dims != dims:
                here.dims = here.node.attr["shape"] = dims
                changed = True
        if changed:
            shapes.infer_graph(part)
        if passes.run(part) and changed:
            infer_again(part)  # loops are functions now, whose shapes follow from what they are given
        assertions.settle(part, graph.functions)
        draws.hoist(part, graph.functions)
        self.graph = part
        self.feeds = [part.nodes[tensors[t].node.name].outputs[tensors[t].index] for t in feeds]
        self.bound = {part.nodes[tensors[t].node.name].outputs[0]: v for t, v in (bound or {}).items()}
        for parameter, inside in zip(bound or (), self.bound, strict=True):
            inside.dtype = parameter.dtype  # a feed's placeholder is no ref, but what reads a variable must know that it is one
        self.targets: list[Tensor | Node] = []
        for f in fetches:
            name = (nodes[f] if isinstance(f, Node) else tensors[f].node).name
            found = part.nodes.get(name)
            if found is None:  # it went into a branch or a loop
                raise ValueError(
                    f"Operation {name!r} has been marked as not fetchable. Typically this happens when it is defined in another "
                    "function or code block. Use return values, explicit Python locals or TensorFlow collections to access it."
                )
            self.targets.append(found if isinstance(f, Node) else found.outputs[tensors[f].index])
        self.forced: set[str] = set()

    def plan(self) -> Plan:
        """The plan. Raises UnimplementedError naming every op that neither conversion nor the host runs."""
        for _ in range(64):
            try:
                return self._attempt()
            except _HostInstead as e:
                self.forced.add(e.node)
        raise UnimplementedError(None, None, "Too many nodes cannot be converted; the first are: " + ", ".join(sorted(self.forced)[:10]))

    def _attempt(self) -> Plan:
        roots = [t if isinstance(t, Node) else t.node for t in self.targets]
        self.order = [n for n in topological(roots) if n not in {f.node for f in self.feeds}]
        self.versions = Versions(self.order, {t: v.key for t, v in self.bound.items()})
        self.kinds = self._kinds()
        self.levels = self._levels()
        self.size = 0
        self.shared: set[int] = set()
        self.sources: dict[Tensor, Source] = {}
        self.lists: dict[Any, Packed] = {}  # what crosses segments of handles and lists, and of stacks by (key, version)
        self.states: dict[tuple[str, int], int] = {}
        self.state_loaded: set[tuple[str, int]] = set()
        feed_slots = []
        for tensor in self.feeds:
            slot = self._slot()
            self.shared.add(slot)
            feed_slots.append(slot)
            self.sources[tensor] = Source(slot)
        by_level: dict[int, list[Node]] = {}
        for node in self.order:
            if node.op in NEUTRAL:
                continue
            by_level.setdefault(self.levels[node], []).append(node)
        self._find_needed()
        steps: list[Segment | HostStep] = []
        folded: list[Node] = [n for n in self.order if n.op == "Const"]
        for level in sorted(by_level):
            if level % 2 == HOST:
                steps.extend(self._host_step(node) for node in _waiting_last(by_level[level]))
            else:
                segment = self._segment(level, by_level[level])
                if segment is not None:
                    steps.append(segment)
                else:
                    folded.extend(by_level[level])
        self._keep_old_values(steps)
        final_loads: list[Load] = []
        fetches = [self._fetch(t, final_loads) for t in self.targets]
        find_drops(steps, {f.slot for f in fetches if f is not None})
        effect = next((i for i, step in enumerate(steps) if has_effect(step)), len(steps)) if self.is_relaxed else 0
        return Plan(steps, self.size, feed_slots, fetches, self.shared, final_loads, self.graph, folded, effect)

    def _slot(self) -> int:
        self.size += 1
        return self.size - 1

    # -- which nodes run where -----------------------------------------------------------------------------------

    def _kinds(self) -> dict[Node, int]:
        kinds: dict[Node, int] = {}
        missing: dict[str, list[str]] = {}
        for node in self.order:
            if node.op in NEUTRAL:
                continue
            is_hosted = node.name in self.forced or _asks_for_initialization(node) or self._is_in_place(node)
            kind = HOST if is_hosted else kind_of(node)
            if kind is None:
                missing.setdefault(node.op, []).append(node.name)
            else:
                kinds[node] = kind
        if missing:
            listed = "; ".join(f"{op}: {', '.join(names[:3])}" for op, names in sorted(missing.items()))
            first = next(n for n in self.order if n.op in missing)
            where = f" (made at {first.source[0]}:{first.source[1]})" if first.source else ""
            raise UnimplementedError(None, first, f"These ops can be neither converted nor run on the host: {listed}{where}")
        self._keep_handles_together(kinds)
        return kinds

    def _keep_handles_together(self, kinds: dict[Node, int]) -> None:
        """Everything that shares a TensorArray, list or stack runs where all of it can: on the host if one member must."""
        parent: dict[Node, Node] = {}

        def root(n: Node) -> Node:
            while parent.get(n, n) is not n:
                n = parent[n]
            return n

        for node in self.order:
            for tensor in node.inputs:
                if _is_compiled_handle(tensor) and tensor.node in kinds and node in kinds:
                    parent[root(node)] = root(tensor.node)
        hosted = {
            root(n)
            for n, k in kinds.items()
            if (k == HOST and n in parent) or (k == HOST and any(_is_compiled_handle(t) for t in n.outputs))
        }
        for node in list(kinds):
            if node in parent and root(node) in hosted:
                kinds[node] = HOST

    def _is_in_place(self, node: Node) -> bool:
        return self.on_cpu and node.op in IN_PLACE and updates_in_place(node, self._variable(node.inputs[0]), self.threads)

    def _levels(self) -> dict[Node, int]:
        """The level of each node. What only computes does not wait for the assertions it depends on, which would cut the segment it is in;
        what has an effect does."""
        levels: dict[Node, int] = {}
        guards: dict[Node, int] = {}
        self.is_relaxed = False
        for node in self.order:
            kind = self.kinds.get(node)
            level, guard = -1 if kind != ONNX else 0, -1
            inputs = [t for t in node.inputs if kind != HOST or not _is_known(t)]
            for need in (*(t.node for t in inputs), *node.control_inputs):
                before = levels.get(need)
                if before is None:
                    continue
                guard = max(guard, guards[need])
                if need.op == "Assert" and not self.is_strict:
                    guard = max(guard, before)
                else:
                    level = max(level, _after(before, kind))
            if kind is not None and node.op != "Assert" and _after(guard, kind) > level:
                if kind == HOST or not all(map(self._is_stack, self.versions.made_by(node))):
                    level = _after(guard, kind)
                else:
                    self.is_relaxed = True
            levels[node], guards[node] = level, guard
        return levels

    def _find_needed(self) -> None:
        """The tensors that cross levels, and the versions of variables that do."""
        self.needed: set[Tensor] = {t for t in self.targets if isinstance(t, Tensor)}
        self.last_version = {key: len(nodes) for key, nodes in self.versions.writers.items()}
        self.stored_versions = {(k, v) for k, v in self.last_version.items() if not self._is_stack(k)}
        self.needed_versions = set(self.stored_versions)
        for node in self.order:
            for tensor in node.inputs:
                source = tensor.node
                if self.kinds.get(node) == HOST or self.levels.get(source) != self.levels[node]:
                    self.needed.add(tensor)
                key = source_variable(tensor, {t: v.key for t, v in self.bound.items()})
                if key is not None:
                    version = self.versions.seen_by(node, key)
                    if version and self.levels[self.versions.writers[key][version - 1]] != self.levels[node]:
                        self.needed_versions.add((key, version))
                        if self.kinds.get(node) == HOST:  # which looks at the session's state
                            self.stored_versions.add((key, version))

    def _is_stack(self, key: str) -> bool:
        return key in self.graph.nodes and self.graph.nodes[key].op in STACKS

    # -- steps ---------------------------------------------------------------------------------------------------

    def _variable(self, tensor: Tensor) -> Variable | None:
        """The variable whose handle a tensor is."""
        for _ in range(1000):
            if tensor in self.bound:
                return self.bound[tensor]
            if tensor.node.op in VARIABLES:
                return variable_of(tensor.node)
            if (
                not (tensor.dtype.is_ref or tensor.dtype is resource)
                or not tensor.node.inputs
                or source_variable(tensor, {t: v.key for t, v in self.bound.items()}) is None
            ):
                return None
            tensor = tensor.node.inputs[0]
        return None

    def _state_slot(self, variable: Variable, version: int, reader: str, loads: list[Load]) -> int:
        known = self.states.get((variable.key, version))
        if known is None:
            known = self.states[variable.key, version] = self._slot()
            self.shared.add(known)
            loads.append(Load(known, variable, reader))
        return known

    def _host_step(self, node: Node) -> HostStep:
        loads: list[Load] = []
        inputs: list[Source | Variable] = []
        opdef = node.opdef
        ref_positions = (
            set()
            if opdef is None
            else {p for a, start, stop in opdef.input_slices(node.attr).values() if a.is_ref for p in range(start, stop)}
        )
        is_choice = node.op in ("If", "StatelessIf", "Case")  # its first input says which function: a value
        for i, tensor in enumerate(node.inputs):
            variable = self._variable(tensor)
            if variable is None:
                inputs.append(self._source(tensor, node))
            elif i in ref_positions or tensor.dtype is resource or opdef is None or (calls_functions(node) and not (i == 0 and is_choice)):
                inputs.append(variable)
            else:
                inputs.append(Source(self._state_slot(variable, self.versions.seen_by(node, variable.key), node.name, loads)))
        outputs = []
        for tensor in node.outputs:
            slot = self._slot()
            self.sources[tensor] = Source(slot)
            outputs.append(slot)
        if node.op in ("If", "StatelessIf", "Case", "While", "StatelessWhile"):
            kernel: Any = node.op
        else:
            kernel = host_kernel(node)
        return HostStep(node, kernel, inputs, outputs, loads)

    def _keep_old_values(self, steps: Sequence[Segment | HostStep]) -> None:
        """Load what later steps read of a variable as it was before the run ahead of the step that changes it in place."""
        before = {slot: key for (key, version), slot in self.states.items() if version == 0}
        changed: dict[str, HostStep] = {}
        for step in steps:
            for load in list(step.loads):
                if (earlier := changed.get(before.get(load.slot, ""))) is not None:
                    step.loads.remove(load)
                    earlier.loads.append(load)
            if isinstance(step, HostStep) and step.node.op in IN_PLACE:
                changed.update({key: step for key in self.versions.made_by(step.node) if key not in changed})

    def _source(self, tensor: Tensor, reader: Node) -> Source:
        found = self.sources.get(tensor)
        if found is None:
            value = tensor.node.attr["value"] if tensor.node.op == "Const" else constant.constant(tensor)
            if value is not None:
                found = self.sources[tensor] = Source(-1, value)
            else:
                raise ConversionError(f"Node {reader.name!r} ({reader.op}) reads {tensor.name!r}, which no step computes.")
        return found

    def _segment(self, level: int, nodes: list[Node]) -> Segment | None:
        builder = Builder(name=f"segment_{level}")
        builder.on_cpu = self.on_cpu
        loads: list[Load] = []
        inputs: list[tuple[Value, int]] = []

        def from_slot(slot: int, name: str, dtype: Any, dims: Dims) -> Value:
            value = builder.input(name, dtype.base_dtype, dims)
            inputs.append((value, slot))
            return value

        walk = Walk(
            self.graph,
            builder,
            nodes,
            lambda v: from_slot(self._state_slot(v, 0, _reader(nodes, v), loads), f"{v.key}:state", v.dtype, v.dims),
        )
        walk.versions = self.versions

        def unpacked(packed: Packed, name: str) -> Any:
            values = []
            for i, (source, dtype, dims) in enumerate(packed.parts):
                values.append(builder.const(source.value) if source.slot < 0 else from_slot(source.slot, f"{name}/part_{i}", dtype, dims))
            return packed.make(values)

        members = set(nodes)
        for node in nodes:
            for key in stack_keys(node, self.graph):
                version = self.versions.seen_by(node, key)
                if (key, version) in self.lists and (key, version) not in walk.stacks:
                    walk.stacks[key, version] = unpacked(self.lists[key, version], f"{key}/{version}")
        for node in nodes:
            for tensor in node.inputs:
                if tensor in walk.values or tensor.node in members:
                    continue
                variable = self._variable(tensor)
                if variable is not None:
                    walk.values[tensor] = Ref(variable)
                    version = self.versions.seen_by(node, variable.key)
                    if (
                        version
                        and self.levels[self.versions.writers[variable.key][version - 1]] != level
                        and (variable.key, version) not in walk.states
                    ):
                        slot = self._state_slot(variable, version, node.name, loads)
                        walk.states[variable.key, version] = from_slot(
                            slot, f"{variable.key}:state{version}", variable.dtype, variable.dims
                        )
                    continue
                if tensor.node.op == "Const":
                    walk.convert(tensor.node)
                    continue
                if tensor.node.op in STACKS:
                    walk.values[tensor] = StackRef(tensor.node.name)
                    continue
                if tensor in self.lists:
                    walk.values[tensor] = unpacked(self.lists[tensor], tensor.name)
                    continue
                source = self._source(tensor, node)
                if source.slot < 0:
                    walk.values[tensor] = (
                        source.value if not isinstance(source.value, np.ndarray | np.generic) else builder.const(source.value)
                    )
                else:
                    walk.values[tensor] = from_slot(source.slot, tensor.name, tensor.dtype, tensor.dims)
        for node in nodes:  # a version that another level made and a writer here builds upon
            for key, version in self.versions.made_by(node).items():
                before = (key, version - 1)
                if version == 1 or before in walk.states:
                    continue
                if before in self.states or self.kinds.get(self.versions.writers[key][version - 2]) == HOST:
                    variable = self._variable_by_key(key)
                    slot = self._state_slot(variable, version - 1, node.name, loads)
                    walk.states[before] = from_slot(slot, f"{key}:state{version - 1}", variable.dtype, variable.dims)
        for node in nodes:
            if walk._is_bound(node):
                continue
            try:
                walk.convert(node)
            except ConversionError as e:
                if node.op in host.load() or node.op in constant._EVALUATE or calls_functions(node):
                    raise _HostInstead(node.name) from e
                raise UnimplementedError(None, node, str(e)) from e
        slots = {id(value): slot for value, slot in inputs}
        outputs: list[tuple[Value, int]] = []

        def out_slot(value: Value) -> int:
            known = slots.get(id(value))
            if known is None:
                known = slots[id(value)] = self._slot()
                outputs.append((value, known))
            return known

        def packed(content: Any) -> Packed:
            values, make = pack(builder, content)
            return Packed([(Source(-1, v.const) if v.const is not None else Source(out_slot(v)), v.dtype, v.dims) for v in values], make)

        for node in nodes:
            for tensor in node.outputs:
                result = walk.values.get(tensor)
                if tensor not in self.needed:
                    continue
                if isinstance(result, Value):
                    self.sources[tensor] = Source(-1, result.const) if result.const is not None else Source(out_slot(result))
                elif isinstance(result, Array | TensorList):
                    self.lists[tensor] = packed(result)
        for at, content in walk.stacks.items():
            if at in self.needed_versions and at not in self.lists:
                self.lists[at] = packed(content)
        stores: list[Store] = []
        for (key, version), value in walk.states.items():
            if version == 0 or (key, version) not in self.needed_versions or (key, version) in self.states:
                continue
            slot = self.states[key, version] = out_slot(value)
            if (key, version) in self.stored_versions:
                stores.append(Store(slot, self._variable_by_key(key), slot in self.shared))
            self.shared.add(slot)
        if not outputs and not stores and not loads:
            return None
        for n, (value, _) in enumerate(outputs):
            builder.output(value, f"out_{n}")
        external: dict[str, Any] = {}
        segment = Segment(b"", external, [], [(f"out_{n}", slot) for n, (_, slot) in enumerate(outputs)], nodes, False, loads, stores)
        segment.complex_outputs = frozenset(slot for value, slot in outputs if value.dtype.is_complex)
        if outputs:
            optimize(builder)
            read = {v.name for n in builder.walk() for v in n.inputs if v is not None}
            builder.inputs = [v for v in builder.inputs if v.name in read]
            segment.inputs = [(v.name, slot) for v, slot in inputs if v.name in read]
            segment.model = to_model(builder, convert.OPSET, external=external).SerializeToString()
            nodes_made = builder.walk()
            segment.is_heavy = any(n.op_type in HEAVY for n in nodes_made)
            segment.has_fixed_filters = any(n.op_type == "Conv" and _is_fixed(n.inputs[1]) for n in nodes_made)
        return segment

    def _variable_by_key(self, key: str) -> Variable:
        for variable in self.bound.values():
            if variable.key == key:
                return variable
        for node in self.graph:
            if node.op in VARIABLES and variable_of(node).key == key:
                return variable_of(node)
        for function in self.graph.functions.values():
            for node in function.graph:
                if node.op in VARIABLES and variable_of(node).key == key:
                    return variable_of(node)
        raise ConversionError(f"The graph has no variable {key!r}.")

    def _fetch(self, target: Tensor | Node, loads: list[Load]) -> Source | None:
        if isinstance(target, Node):
            return None
        variable = self._variable(shared_ref(target) or target)
        if variable is not None:
            last = self.last_version.get(variable.key, 0)
            return Source(self._state_slot(variable, last, target.node.name, loads))
        return self._source(target, target.node)


def stack_keys(node: Node, graph: Graph) -> list[str]:
    """The stacks whose handles a node takes."""
    keys = (source_variable(t) for t in node.inputs if t.dtype is resource or t.dtype.base_dtype is string)
    return [k for k in keys if k is not None and k in graph.nodes and graph.nodes[k].op in STACKS]


class _HostInstead(Exception):
    """A node cannot be converted but can run on the host."""

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self.node = node


def _is_fixed(value: Value | None) -> bool:
    return value is not None and value.const is not None


# Ops worth more than one thread.
HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "LSTM", "GRU", "RNN", "MatMul", "Loop", "Scan", "Einsum"})


def _reader(nodes: Iterable[Node], variable: Variable) -> str:
    for node in nodes:
        for tensor in node.inputs:
            if source_variable(tensor) == variable.key:
                return node.name
    return variable.key


def _is_compiled_handle(tensor: Tensor) -> bool:
    node = tensor.node
    if node.op.startswith(COMPILED_HANDLES):
        return tensor.dtype in (resource, variant) or tensor.dtype.base_dtype is string or tensor.index == 1
    return tensor.dtype is variant


def _after(level: int, kind: int | None) -> int:
    """The first level of a kind for what needs something of a level."""
    return level + 1 if level >= 0 and kind is not None and level % 2 != kind else level


def _is_known(tensor: Tensor) -> bool:
    """Whether a shape or the like is known when planning, so that a host step need not wait for the segment that computes it."""
    return tensor.dtype.is_integer and tensor.rank in (0, 1) and constant.constant(tensor) is not None


def _waiting_last(nodes: Sequence[Node]) -> list[Node]:
    """The same order, but what may wait for a queue, and all that needs it, comes after what does not: another op may have an error to tell."""
    late: set[Node] = set()
    for node in nodes:
        needs = (*(t.node for t in node.inputs), *node.control_inputs)
        if node.op.startswith(WAITS) or any(n in late for n in needs):
            late.add(node)
    return [n for n in nodes if n not in late] + [n for n in nodes if n in late]


def _asks_for_initialization(node: Node) -> bool:
    """Whether an If chooses by a variable being initialised: only the branch taken may then read it, which the host sees to."""
    if node.op not in ("If", "StatelessIf"):
        return False
    pred = node.inputs[0].node
    while pred.op in ("Identity", "LogicalNot") and pred.inputs:
        pred = pred.inputs[0].node
    return pred.op in ("IsVariableInitialized", "VarIsInitializedOp")


def host_kernel(node: Node) -> Any:
    """The host kernel of a node, or None. Array ops on strings and complex numbers are run by numpy."""
    kernel = host.load().get(node.op)
    if kernel is None:
        evaluate = constant._EVALUATE.get(node.op)
        if evaluate is not None:
            return lambda run, node, *inputs: evaluate(node, list(inputs))
    return kernel


def _has_shape(dims: Dims, wanted: Dims) -> bool:
    """Whether a tensor of these dims is known to have the shape."""
    if wanted is None:
        return True
    return dims is not None and len(dims) == len(wanted) and all(w is None or w == d for d, w in zip(dims, wanted, strict=True))


def kind_of(node: Node) -> int | None:
    """ONNX for a node that conversion takes, HOST for one the host runs, None for neither."""
    if node.op in ("_Arg", "Placeholder", "PlaceholderV2"):
        return HOST
    has_host = host_kernel(node) is not None
    converted = node.op in convert.load()
    if calls_functions(node):
        runs_host = any(
            kind_of(member) == HOST
            for f in called_functions(node)
            for member in f.graph
            if member.op not in NEUTRAL and member.op != "_Arg"
        )
        return HOST if runs_host or not converted else ONNX
    if node.op in PREFER_HOST and has_host:
        return HOST
    if (
        has_host
        and any(t.dtype.base_dtype is string or t.dtype.is_complex for t in (*node.inputs, *node.outputs))
        and not node.op.startswith(COMPILED_HANDLES)
    ):
        return HOST
    if node.op == "Assign" and node.attr["validate_shape"] and (node.inputs[1].dims is None or None in node.inputs[1].dims):
        return HOST  # the shapes are compared when it runs
    if node.op == "EnsureShape" and has_host and not _has_shape(node.inputs[0].dims, node.attr["shape"]):
        return HOST
    if converted:
        return ONNX
    return HOST if has_host else None
