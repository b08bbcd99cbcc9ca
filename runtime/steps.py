"""What a plan consists of: the steps of a run, and the numbered slots that values lie in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphtools.graph import Dims, Graph, Node
from graphtools.state import Variable


@dataclass(slots=True)
class Source:
    """Where the value of a tensor is: in a slot, or known when planning."""

    slot: int = -1
    value: Any = None


@dataclass(slots=True)
class Packed:
    """An array's handle or a list between two segments: the values it consists of, and what makes it of them."""

    parts: list[tuple[Source, Any, Dims]]
    make: Any


@dataclass(slots=True)
class Load:
    """Fill a slot with a variable's value."""

    slot: int
    variable: Variable
    reader: str


@dataclass(slots=True)
class Store:
    """Give a variable the value of a slot."""

    slot: int
    variable: Variable
    copy: bool


@dataclass(slots=True)
class Segment:
    """One ONNX model: inputs and outputs by name, each with its slot."""

    model: bytes
    external: dict[str, Any]
    inputs: list[tuple[str, int]]
    outputs: list[tuple[str, int]]
    nodes: list[Node]
    is_heavy: bool
    loads: list[Load] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)  # slots that nothing needs after this step
    has_fixed_filters: bool = True  # ONNX Runtime lays out convolutions in blocks of channels where their filters are constant
    session: Any = None
    gpu: int = 0  # TensorFlow's number of the GPU that the session is on, where it is on one
    complex_outputs: frozenset[int] = frozenset()  # slots whose value the model gives as pairs of real numbers


@dataclass(slots=True)
class HostStep:
    """One node run by a host kernel. An input is a slot's value, a constant, or the variable itself."""

    node: Node
    kernel: Any
    inputs: list[Source | Variable]
    outputs: list[int]
    loads: list[Load] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    steps: list[Segment | HostStep]
    size: int
    feeds: list[int]
    fetches: list[Source | None]
    shared: set[int]  # slots whose value is also a feed's, a variable's or a constant: copied before it is given away
    final_loads: list[Load]
    graph: Graph
    folded: list[Node]  # nodes whose value was known when planning
    first_effect: int = 0  # the steps before this one may run before assertions that they depend on
    seconds: float = 0.0  # what it cost to make
    exact: ExactPlans | None = None  # for a plan that leaves dimensions of feeds open
    needs: dict[int, frozenset[int]] | None = None  # runtime.waiting.needs, once it was asked for


class ExactPlans:
    """Plans for the very shapes that a plan has been run with: with all dimensions known, what computes shapes folds away.

    One is worth its making once runs with its shapes have taken as long as planning did, so that nothing ever takes more
    than about twice the time it would take without them.
    """

    LIMIT = 8  # plans kept for one set of feeds; other shapes are run by the general plan

    def __init__(self) -> None:
        self.spent: dict[Any, float] = {}
        self.plans: dict[Any, Plan] = {}

    def is_due(self, key: Any, seconds: float, cost: float) -> bool:
        """Note a run of the general plan; whether these shapes have earned a plan of their own."""
        if len(self.plans) >= self.LIMIT:
            return False
        if len(self.spent) > 1000:
            self.spent.clear()
        spent = self.spent[key] = self.spent.get(key, 0.0) + seconds
        return spent > cost


def has_effect(step: Segment | HostStep) -> bool:
    if isinstance(step, Segment):
        return bool(step.stores)
    return step.node.op != "Assert" and (step.node.opdef is None or step.node.opdef.is_stateful)


def find_drops(steps: Sequence[Segment | HostStep], kept: set[int]) -> None:
    """Note at each step but the last which slots it is the last to use: memory is free again, and variables are nobody's but their state's."""
    last: dict[int, Segment | HostStep] = {}
    for step in steps:
        for load in step.loads:
            last[load.slot] = step
        if isinstance(step, Segment):
            last.update({slot: step for _, slot in (*step.inputs, *step.outputs)})
            last.update({store.slot: step for store in step.stores})
        else:
            last.update({s.slot: step for s in step.inputs if isinstance(s, Source)})
            last.update(dict.fromkeys(step.outputs, step))
    for slot, step in last.items():
        if step is not steps[-1] and slot >= 0 and slot not in kept:
            step.drops.append(slot)
