"""Steps of a plan that may wait for one another: a dequeue and the enqueue of the same run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from graphtools.graph import Node, topological
from runtime.steps import HostStep, Plan

# Ops that wait until there is something to take, and ops that put something there (and may wait until there is room).
TAKERS = frozenset(
    {
        "AccumulatorTakeGradient", "BarrierTakeMany", "MapPeek", "MapUnstage", "MapUnstageNoKey", "OrderedMapPeek", "OrderedMapUnstage", "OrderedMapUnstageNoKey", "QueueDequeue",
        "QueueDequeueMany", "QueueDequeueManyV2", "QueueDequeueUpTo", "QueueDequeueUpToV2", "QueueDequeueV2", "ResourceAccumulatorTakeGradient",
        "SparseAccumulatorTakeGradient", "StagePeek", "Unstage",
    }
)  # fmt: skip
GIVERS = frozenset(
    {
        "AccumulatorApplyGradient", "BarrierClose", "BarrierInsertMany", "MapStage", "OrderedMapStage", "QueueClose", "QueueCloseV2", "QueueEnqueue", "QueueEnqueueMany",
        "QueueEnqueueManyV2", "QueueEnqueueV2", "ResourceAccumulatorApplyGradient", "SparseAccumulatorApplyGradient", "Stage",
    }
)  # fmt: skip


def needs(plan: Plan) -> dict[int, frozenset[int]]:
    """Step -> the steps that may wait whose results it needs; empty when no step could keep another waiting.

    Only a taker and a giver that do not depend on each other can.
    """
    waiting = {s.node: i for i, s in enumerate(plan.steps) if isinstance(s, HostStep) and (s.node.op in TAKERS or s.node.op in GIVERS)}
    takers = [i for n, i in waiting.items() if n.op in TAKERS]
    givers = [i for n, i in waiting.items() if n.op in GIVERS]
    if not takers or not givers:
        return {}
    behind: dict[Node, frozenset[int]] = {}

    def before(node: Node) -> frozenset[int]:
        found: frozenset[int] = frozenset()
        for need in (*(t.node for t in node.inputs), *node.control_inputs):
            found |= behind.get(need, frozenset())
        return found

    for node in topological(plan.graph.nodes.values()):
        own = before(node)
        behind[node] = own | {waiting[node]} if node in waiting else own
    found = {}
    for i, step in enumerate(plan.steps):
        nodes = [step.node] if isinstance(step, HostStep) else step.nodes
        found[i] = frozenset().union(*map(before, nodes)) - {i}
    if all(g in found[t] or t in found[g] for t in takers for g in givers):
        return {}
    return {i: needed for i, needed in found.items() if needed or i in waiting.values()}


def is_waiting(step: object) -> bool:
    return isinstance(step, HostStep) and (step.node.op in TAKERS or step.node.op in GIVERS)


class Waiting:
    """A step that runs in a thread of its own."""

    def __init__(self, run: Callable[[], None]) -> None:
        self.error: BaseException | None = None
        self._run = run
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()

    def _main(self) -> None:
        try:
            self._run()
        except BaseException as e:
            self.error = e

    def join(self, others: Iterable[Waiting]) -> None:
        """Wait for the step. Raises what it raised, or what one of the others did, which may be why it still waits."""
        while self._thread.is_alive():
            self._thread.join(0.02)
            for other in others:
                if other.error is not None:
                    raise other.error
        if self.error is not None:
            raise self.error
