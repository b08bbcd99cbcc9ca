"""Raise while frames (Enter, Merge, Switch, NextIteration, Exit, LoopCond) to functional While nodes."""

from __future__ import annotations

from collections.abc import Iterable

from graphtools.dtypes import resource
from graphtools.errors import ConversionError
from graphtools.graph import Func, Graph, Node, Tensor, topological
from graphtools.passes.outline import Parameter, free_name, is_stateful, outline

ENTER = frozenset({"Enter", "RefEnter"})
EXIT = frozenset({"Exit", "RefExit"})
MERGE = frozenset({"Merge", "RefMerge"})
NEXT = frozenset({"NextIteration", "RefNextIteration"})
SWITCH = frozenset({"Switch", "RefSwitch"})
STACK_PUSH = frozenset({"StackPush", "StackPushV2"})
STACK_POP = frozenset({"StackPop", "StackPopV2"})


class Frame:
    """A while frame: the loop that nodes of the same frame name under the same parent belong to."""

    def __init__(self, name: str, parent: Frame | None) -> None:
        self.name = name
        self.parent = parent
        self.depth: int = 1 if parent is None else parent.depth + 1
        self.nodes: list[Node] = []
        self.exits: list[Node] = []


def raise_frames(graph: Graph) -> bool:
    """Raise every while frame of a graph, the innermost first. Raises ConversionError for a frame that is not a while loop."""
    if not any(node.op in ENTER for node in graph):
        return False
    home: dict[Node, Frame | None] = {}
    frames = find_frames(graph, home)
    if _hoist_stacks(graph, home):
        home.clear()
        frames = find_frames(graph, home)
    for frame in sorted(frames, key=lambda f: -f.depth):
        _raise_frame(graph, frame, home)
    return True


def find_frames(graph: Graph, home: dict[Node, Frame | None]) -> list[Frame]:
    """The frames of a graph; `home` is told the frame that each node's outputs belong to."""
    frames: dict[tuple[str, Frame | None], Frame] = {}
    for node in topological(graph.nodes.values()):
        if node.op in ENTER:
            key = (str(node.attr.get("frame_name", "")), home.get(node.inputs[0].node))
            frame = frames.get(key)
            if frame is None:
                frame = frames[key] = Frame(*key)
            home[node] = frame
            frame.nodes.append(node)
            continue
        inside: Frame | None = None
        for need in (*(t.node for t in node.inputs), *node.control_inputs):
            found = home.get(need)
            if found is not None and (inside is None or found.depth > inside.depth):
                inside = found
        if node.op in EXIT:
            if inside is None:
                raise ConversionError(f"Node {node.name!r} ({node.op}) leaves a while loop, but {node.inputs[0].name!r} is in none.")
            inside.exits.append(node)
            inside = inside.parent
        home[node] = inside
        if inside is not None:
            inside.nodes.append(node)
    return list(frames.values())


def origin(tensor: Tensor) -> Tensor:
    """The tensor behind Identity nodes."""
    for _ in range(100_000):  # more is a cycle
        if tensor.node.op not in ("Identity", "RefIdentity"):
            break
        tensor = tensor.node.inputs[0]
    return tensor


class _Loop:
    """The parts of one frame."""

    def __init__(self, graph: Graph, frame: Frame) -> None:
        self.graph = graph
        self.frame = frame
        conds = [n for n in frame.nodes if n.op == "LoopCond"]
        if len(conds) != 1:
            raise ConversionError(
                f"The while frame {frame.name!r} has {len(conds)} LoopCond nodes ({', '.join(n.name for n in conds[:5]) or 'none'}); a loop has one."
            )
        self.cond = conds[0]
        self.merges = [n for n in frame.nodes if n.op in MERGE and any(t.node.op in NEXT for t in n.inputs)]
        self.switches = [n for n in frame.nodes if n.op in SWITCH and origin(n.inputs[1]).node is self.cond]
        self.enters: list[Node] = []
        self.nexts: list[Tensor] = []
        for merge in self.merges:
            back = [t for t in merge.inputs if t.node.op in NEXT]
            entries = [origin(t) for t in merge.inputs if t.node.op not in NEXT]
            if len(back) != 1 or len(entries) != 1 or entries[0].node.op not in ENTER:
                raise ConversionError(
                    f"Node {merge.name!r} ({merge.op}) of the while frame {frame.name!r} joins {', '.join(t.name for t in merge.inputs)}; "
                    "one Enter and one NextIteration were expected."
                )
            self.enters.append(entries[0].node)
            self.nexts.append(back[0].node.inputs[0])
        carried = set(self.enters)
        self.invariants = [n for n in frame.nodes if n.op in ENTER and n not in carried]

    def parameters(self) -> list[Parameter]:
        """One parameter for each loop variable, then one for each tensor that the loop takes from outside."""
        parameters = []
        by_merge: dict[Node, Parameter] = {}
        for merge, enter in zip(self.merges, self.enters, strict=True):
            parameter = Parameter(merge.name, merge.outputs[0].dtype, None, [merge.outputs[0]])
            if merge.outputs[0].dtype.is_ref and not enter.inputs[0].dtype.is_ref:
                parameter.dtype = merge.outputs[0].dtype.base_dtype
            by_merge[merge] = parameter
            parameters.append(parameter)
        for switch in self.switches:
            merge = origin(switch.inputs[0]).node
            if merge in by_merge:
                by_merge[merge].tensors.append(switch.outputs[1])
        sources: dict[Tensor, Parameter] = {}
        for enter in self.invariants:
            source = enter.inputs[0]
            if source not in sources:
                sources[source] = Parameter(enter.name, enter.outputs[0].dtype, source.dims)
                parameters.append(sources[source])
            sources[source].tensors.append(enter.outputs[0])
        self.sources = list(sources)
        return parameters


def _raise_frame(graph: Graph, frame: Frame, home: dict[Node, Frame | None]) -> None:
    loop = _Loop(graph, frame)
    parameters = loop.parameters()
    stops = {t for p in parameters for t in p.tensors}
    edges = {*loop.merges, *loop.switches, *loop.enters, *loop.invariants, loop.cond, *(n for n in frame.nodes if n.op in NEXT)}
    inside = {n for n in frame.nodes if n not in edges}
    # Where a switch takes something other than a loop variable, its outputs are that something.
    passed: dict[Tensor, Tensor] = {}
    for switch in loop.switches:
        for output in switch.outputs:
            if output not in stops:
                passed[output] = switch.inputs[0]

    truth = {loop.cond.outputs[0]: True}
    cond_nodes = _needed([loop.cond.inputs[0]], [], inside, stops, passed)
    nexts = [m for m in frame.nodes if m.op in NEXT]
    effects = [c for n in (*nexts, *loop.switches, *loop.merges) for c in n.control_inputs]
    body_nodes = _needed(loop.nexts, effects, inside, stops, passed)
    _rewire([*cond_nodes, *body_nodes], passed)
    # What members take from outside without an Enter.
    taken = {t for n in (*cond_nodes, *body_nodes) for t in n.inputs} | {_follow(t, passed) for t in (loop.cond.inputs[0], *loop.nexts)}
    for tensor in sorted(taken - stops - set(truth), key=lambda t: t.name):
        if tensor.node not in inside and tensor.node not in edges:
            parameters.append(Parameter(tensor.node.name, tensor.dtype, tensor.dims, [tensor]))
            loop.sources.append(tensor)
            stops.add(tensor)
    base = frame.name.removesuffix("/while_context")
    cond = outline(graph, f"{base}_cond", cond_nodes, parameters, [_follow(loop.cond.inputs[0], passed)], dropped=edges)
    results = [_follow(t, passed) for t in loop.nexts] + [p.tensors[0] for p in parameters[len(loop.merges) :]]
    body = outline(
        graph,
        f"{base}_body",
        body_nodes,
        parameters,
        results,
        constants=truth,
        effects=dict.fromkeys(e for e in effects if e in set(body_nodes)),
        dropped=edges,
    )

    inits = [e.inputs[0] for e in loop.enters] + loop.sources
    controls: dict[Node, None] = {}
    for node in (*(c for e in (*loop.enters, *loop.invariants) for c in e.control_inputs), *cond.outside, *body.outside):
        if node not in inside and node not in edges:
            controls[node] = None
    stateful = is_stateful(cond.function) or is_stateful(body.function)
    node = graph.add_raw_node(
        free_name(graph, base),
        "While" if stateful else "StatelessWhile",
        {
            "T": [p.dtype for p in parameters],
            "cond": Func(cond.function.name),
            "body": Func(body.function.name),
            "output_shapes": [],
            "parallel_iterations": int(loop.enters[0].attr.get("parallel_iterations", 10)) if loop.enters else 10,
        },
        loop.cond.device,
    )
    node.source = loop.cond.source
    graph.set_outputs(node)
    node.inputs = inits
    node.control_inputs = list(controls)
    index = {m: k for k, m in enumerate(loop.merges)}
    outputs: dict[Tensor, Tensor] = {}
    for merge, k in index.items():
        outputs[merge.outputs[0]] = node.outputs[k]
    for k, source in enumerate(loop.sources, len(loop.merges)):
        for tensor in parameters[k].tensors:
            outputs[tensor] = source
    for exit_ in frame.exits:
        tensor = _follow(origin(exit_.inputs[0]), passed)
        if tensor.node in loop.switches:
            tensor = origin(tensor.node.inputs[0])
        exit_.inputs = [_outside(graph, tensor, outputs, inside, frame)]
        exit_.op = "Identity"
        exit_.attr = {k: v for k, v in exit_.attr.items() if k != "parallel_iterations"} | {"T": exit_.outputs[0].dtype.base_dtype}
        exit_.control_inputs = [node if c in inside or c in edges else c for c in exit_.control_inputs]
    gone = inside | edges
    for other in [n for n in graph if n not in gone]:
        if any(c in gone for c in other.control_inputs):
            other.control_inputs = list(dict.fromkeys(node if c in gone else c for c in other.control_inputs))
        for tensor in other.inputs:
            if tensor.node in gone and other is not node:
                raise ConversionError(
                    f"Node {other.name!r} ({other.op}) reads {tensor.name!r} inside the loop {base!r} from outside; only what an Exit gives leaves a loop."
                )
    for member in gone:
        del graph.nodes[member.name]
    home[node] = frame.parent
    if frame.parent is not None:
        frame.parent.nodes = [n for n in frame.parent.nodes if n not in gone]
        frame.parent.nodes.append(node)
    _infer(node)


def _infer(node: Node) -> None:
    from graphtools import shapes

    shapes.infer(node)


def _outside(graph: Graph, tensor: Tensor, outputs: dict[Tensor, Tensor], inside: set[Node], frame: Frame) -> Tensor:
    """A tensor of the last, unfinished round of a loop as the outer graph has it."""
    found = outputs.get(tensor)
    if found is not None:
        return found
    if tensor.node not in inside:
        raise ConversionError(f"The while frame {frame.name!r} gives {tensor.name!r} out, which is no value of the loop.")
    old = tensor.node
    copy = graph.add_raw_node(free_name(graph, f"{old.name}/last"), old.op, dict(old.attr), old.device)
    copy.source = old.source
    for output in old.outputs:
        copy.outputs.append(graph.tensor_type(copy, output.index, output.dtype, output.dims))
        outputs[output] = copy.outputs[-1]
    copy.inputs = [_outside(graph, origin(t), outputs, inside, frame) for t in old.inputs]
    return outputs[tensor]


def _follow(tensor: Tensor, passed: dict[Tensor, Tensor]) -> Tensor:
    while tensor in passed:
        tensor = passed[tensor]
    return tensor


def _rewire(nodes: Iterable[Node], passed: dict[Tensor, Tensor]) -> None:
    if passed:
        for node in nodes:
            node.inputs = [_follow(t, passed) for t in node.inputs]


def _needed(
    tensors: Iterable[Tensor], nodes: Iterable[Node], inside: set[Node], stops: set[Tensor], passed: dict[Tensor, Tensor]
) -> list[Node]:
    """The nodes of a frame that these need, in the order of execution."""
    found: list[Node] = []
    done: set[Node] = set()
    stack: list[tuple[Node, bool]] = []

    def push(tensor: Tensor) -> None:
        tensor = _follow(tensor, passed)
        if tensor not in stops and tensor.node in inside and tensor.node not in done:
            stack.append((tensor.node, False))

    for tensor in reversed(list(tensors)):
        push(tensor)
    for node in nodes:
        if node in inside:
            stack.append((node, False))
    while stack:
        node, ready = stack.pop()
        if ready:
            found.append(node)
            continue
        if node in done:
            continue
        done.add(node)
        stack.append((node, True))
        for tensor in node.inputs:
            push(tensor)
        for control in node.control_inputs:
            if control in inside and control not in done:
                stack.append((control, False))
    return found


# -- stacks of stacks ------------------------------------------------------------------------------------------------


def _hoist_stacks(graph: Graph, home: dict[Node, Frame | None]) -> bool:
    """Make the stacks that an outer loop creates in each round for an inner loop into one stack outside of both.

    The backward loop empties in each round what the forward loop's round has pushed, last in first out, so one stack gives
    the same values; the stacks that hold the handles in between are not needed then.
    """
    inner = [n for n in graph if n.op in ("Stack", "StackV2") and home.get(n) is not None]
    if not inner:
        return False
    handles: dict[Node, Node] = {}  # stack of handles -> the stack it holds
    for node in graph:
        if node.op in STACK_PUSH and node.inputs[1].dtype is resource:
            outer, held = _stack_of(node.inputs[0]), _stack_of(node.inputs[1])
            if outer is not None and held is not None:
                handles[outer] = held
    popped: dict[Tensor, Node] = {}
    for node in graph:
        if node.op in STACK_POP and node.outputs[0].dtype is resource:
            outer = _stack_of(node.inputs[0])
            if outer in handles:
                popped[node.outputs[0]] = handles[outer]
    places = {n: home.get(n) for n in inner}
    users = [(n, i, t) for n in graph for i, t in enumerate(n.inputs) if t in popped or t.node in places]
    for stack in inner:
        stack.control_inputs = []
        for i, tensor in enumerate(stack.inputs):
            if home.get(tensor.node) is not None and tensor.node.op == "Const":
                tensor.node.control_inputs = []
                home[tensor.node] = None
            stack.inputs[i] = tensor
    entered: dict[tuple[Node, Frame], Tensor] = {}
    for node, i, tensor in users:
        stack = popped.get(tensor) or tensor.node
        if node.op in STACK_PUSH and i == 1:
            continue
        place = home.get(node)
        if node.op in ENTER and place is not None:
            place = place.parent
        node.inputs[i] = _entered(graph, stack, place, entered)
    for node in [n for n in graph if n.op in STACK_PUSH | STACK_POP]:
        outer = _stack_of(node.inputs[0])
        if outer is not None and outer in handles:
            _replace_by_nothing(graph, node)
    graph.nodes = {n.name: n for n in topological(graph.nodes.values())}
    return True


def _replace_by_nothing(graph: Graph, node: Node) -> None:
    """Turn a push or pop of a handle into a NoOp, for those that wait for it."""
    node.op, node.attr, node.outputs = "NoOp", {}, []
    controls = [t.node for t in node.inputs] + node.control_inputs
    node.inputs = []
    node.control_inputs = [c for c in controls if c.op not in ("Stack", "StackV2") and c.op not in ENTER]


def _entered(graph: Graph, stack: Node, frame: Frame | None, known: dict[tuple[Node, Frame], Tensor]) -> Tensor:
    """The handle of a stack in the outer graph as a frame sees it."""
    if frame is None:
        return stack.outputs[0]
    found = known.get((stack, frame))
    if found is None:
        source = _entered(graph, stack, frame.parent, known)
        enter = graph.add_raw_node(
            free_name(graph, f"{stack.name}/Enter"),
            "Enter",
            {"T": source.dtype.base_dtype, "frame_name": frame.name, "is_constant": True, "parallel_iterations": 10},
        )
        graph.set_outputs(enter)
        enter.inputs = [source]
        found = known[stack, frame] = enter.outputs[0]
    return found


def _stack_of(tensor: Tensor) -> Node | None:
    for _ in range(100):
        node = tensor.node
        if node.op in ("Stack", "StackV2"):
            return node
        if node.op not in ENTER and node.op not in ("Identity", "RefIdentity"):
            return None
        tensor = node.inputs[0]
    return None
