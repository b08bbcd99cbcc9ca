"""How a call with the arguments of one TensorFlow is said with those of another: signatures in, new arguments out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from weakref import WeakKeyDictionary

import libcst as cst

from migrate import generation as generations
from migrate.names import Names
from migrate.rule import Context, Target, bind, call_with, keyword
from migrate.symbols import Signature, exists, legacy, native, signature
from migrate.symbols.verdicts import OLD, ONE, TWO, Step, Verdict, verdict

# what only a program that runs a graph itself uses
SESSIONS = frozenset(
    {
        "tf.InteractiveSession",
        "tf.Session",
        "tf.contrib.slim.evaluation.evaluate_once",
        "tf.contrib.slim.evaluation.evaluation_loop",
        "tf.contrib.slim.learning.train",
        "tf.contrib.training.train",
        "tf.keras.backend.get_session",
        "tf.keras.backend.gradients",
        "tf.keras.backend.set_session",
        "tf.train.MonitoredSession",
        "tf.train.MonitoredTrainingSession",
        "tf.train.SingularMonitoredSession",
        "tf.train.Supervisor",
    }
)

# 1.15 put a sentinel first: whoever gives these a position wrote for 0.x
KEYWORDS_ONLY = frozenset(
    {
        "tf.nn.sigmoid_cross_entropy_with_logits",
        "tf.nn.softmax_cross_entropy_with_logits",
        "tf.nn.sparse_softmax_cross_entropy_with_logits",
        "tf.sparse_split",
    }
)

# words in the text of an argument that say which parameter it must be
TELLING: Mapping[str, tuple[str, ...]] = {
    "inputs": ("input", "logit", "output", "hidden", "pred"),
    "labels": ("label", "target", "y_"),
    "log_input": ("input", "log", "pred"),
    "logits": ("logit", "pred", "output"),
    "targets": ("target", "label", "y_"),
}


@dataclass(slots=True)
class Item:
    """An argument, the parameter it is given to now, and whether by position."""

    parameter: str
    arg: cst.Arg
    is_known: bool = True  # the old signature has the parameter

    @property
    def is_positional(self) -> bool:
        return self.arg.keyword is None


@dataclass(slots=True)
class Plan:
    """What a call becomes: the new name and, where they change, the new arguments; or the problem that forbids it."""

    name: str
    args: list[cst.Arg] | None = None  # None: as they are
    dropped: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    problem: str = ""


_GRAPH_MODE: WeakKeyDictionary[Names, bool] = WeakKeyDictionary()


def in_graph_mode(names: Names) -> bool:
    """The file runs a session: what it says must keep meaning what it meant in TensorFlow 1."""
    found = _GRAPH_MODE.get(names)
    if found is None:
        found = any(symbol in SESSIONS or (symbol[13:] and "tf." + symbol[13:] in SESSIONS) for symbol in used(names))
        _GRAPH_MODE[names] = found
    return found


def used(names: Names) -> Iterator[str]:
    for node in names.references:
        symbol = names.symbol(node)
        while symbol is not None:
            yield symbol
            if not isinstance(node, cst.Attribute):
                break
            node = node.value  # type: ignore[assignment]
            symbol = names.symbol(node)


def verdict_of_call(call: cst.Call, symbol: str, names: Names, context: Context) -> Verdict:
    return verdict(symbol, context.target, is_old(call, symbol, names, context) is True)


# -------------------------------------------------------------------------- which version a call was written for


def is_old(call: cst.Call, symbol: str, names: Names, context: Context) -> bool | None:
    """Whether a call has the arguments of 0.x: told by itself, else by the file; None when nothing tells."""
    own = told_by_call(call, symbol, names, context)
    if own is not None:
        return own
    version = context.generation.version
    return None if version is None else version == 0


def told_by_call(call: cst.Call, symbol: str, names: Names, context: Context) -> bool | None:
    positional = [a.value for a in call.args if a.keyword is None and not a.star]
    if symbol in KEYWORDS_ONLY and (positional or any(a.star == "*" for a in call.args)):
        return True
    before, after = signature(symbol, OLD), signature(symbol, ONE)
    if before is None or after is None or before == after:
        return None
    if len(positional) > len(before.args) and len(positional) <= len(after.args):
        return False
    for arg in call.args:
        if arg.keyword is not None:
            name = arg.keyword.value
            if before.accepts(name) != after.accepts(name):
                return before.accepts(name)
    check = generations.LITERALS.get(symbol)
    if check is not None and not any(a.star for a in call.args):
        side = check(names, positional)
        if side is not None:
            return side == 0
        if symbol in ("tf.concat", "tf.split"):
            return by_kind(symbol, positional, names)
    by_type = by_literals(positional, before, after, names)
    if by_type is not None:
        return by_type
    return by_words(positional, before, after, context) if context.generation.version is None else None


def by_literals(args: Sequence[cst.BaseExpression], before: Signature, after: Signature, names: Names) -> bool | None:
    """A flag or a text where one signature has a flag or a name, and the other something else."""
    for arg, old, new in zip(args, before.args, after.args, strict=False):
        value = names.literal(arg)
        if old == new or not isinstance(value, (bool, int, str)):
            continue
        fits = [takes(value, s, p) for s, p in ((before, old), (after, new))]
        if fits[0] != fits[1]:
            return fits[0]
    return None


def takes(value: bool | int | str, shape: Signature, parameter: str) -> bool:
    if isinstance(value, str):
        return parameter == "name"
    return is_flag(shape, parameter) == isinstance(value, bool)


def is_flag(shape: Signature, parameter: str) -> bool:
    return shape.defaults.get(parameter) in ("True", "False")


def by_kind(symbol: str, args: Sequence[cst.BaseExpression], names: Names) -> bool | None:
    """Where the tensor stands: what TensorFlow computed, or a list of it, is no axis."""
    place = {"tf.concat": (0, 1), "tf.split": (0, 2)}[symbol]
    if len(args) <= place[1]:
        return None
    first, last = (makes_tensor(args[i], names) for i in place)
    return last if first != last else None


def makes_tensor(node: cst.BaseExpression, names: Names) -> bool:
    found = names.assigned(node) or node
    if isinstance(found, (cst.List, cst.Tuple, cst.ListComp)):
        return True
    return isinstance(found, cst.Call) and names.symbol(found.func) is not None


def by_words(args: Sequence[cst.BaseExpression], before: Signature, after: Signature, context: Context) -> bool | None:
    """The names that the caller chose, where two parameters changed places: labels_batch is the labels."""
    votes = {True: 0, False: 0}
    for index, arg in enumerate(args[: min(len(before.args), len(after.args))]):
        old, new = before.args[index], after.args[index]
        if old == new or old not in TELLING or new not in TELLING:
            continue
        text = context.code(arg).lower()
        is_first, is_second = (any(word in text for word in TELLING[p]) for p in (old, new))
        if is_first != is_second:
            votes[is_first] += 1
    if bool(votes[True]) == bool(votes[False]):
        return None
    return votes[True] > 0


@cache
def is_ambiguous(symbol: str, positions: int) -> bool:
    """Whether that many positional arguments mean one thing in 0.x and another in 1.x."""
    before, after = signature(symbol, OLD), signature(symbol, ONE)
    if before is None or after is None or before.args[:positions] == after.args[:positions] or positions > len(before.args):
        return False
    rename = legacy.ARGUMENTS.get(symbol, {})
    told = [rename.get(a, a) for a in before.args[:positions]]
    return any(a != b and a in after.args for a, b in zip(told, after.args, strict=False))


def is_of_two(call: cst.Call, symbol: str) -> bool:
    """A keyword says that the call is TensorFlow 2's already."""
    one, two = signature(symbol, ONE), signature(symbol, TWO)
    if two is None or one is None:
        return False
    return any(a.keyword is not None and two.accepts(a.keyword.value) and not one.accepts(a.keyword.value) for a in call.args)


# -------------------------------------------------------------------------- the arguments


def plan(call: cst.Call, symbol: str, found: Verdict, names: Names, context: Context) -> Plan | None:
    """What a call becomes; None when it has to stay: nothing to call, its version unknown, or of TensorFlow 2 already."""
    if found.name is None or is_done(call, symbol, context):
        return None
    if not any(step.changes_arguments for step in found.steps) and is_read_alike(call, found.steps, context.target):
        return Plan(found.name)
    if context.target == "2" and is_of_two(call, symbol):
        return None
    positions = sum(a.keyword is None for a in call.args)
    if is_ambiguous(symbol, positions) and is_old(call, symbol, names, context) is None:
        return None
    is_one = context.target == "1" and context.generation.version == 1 and found.name == symbol
    return respell(call, found.steps, names, context.target, keep_deprecated=is_one)


def is_read_alike(call: cst.Call, steps: Sequence[Step], target: Target) -> bool:
    """Whether the new name's signature in every version gives the positions of the call the same meaning."""
    last = steps[-1].new_signature if steps else None
    if last is None:
        return True
    positions = sum(a.keyword is None for a in call.args)
    return all(is_agreed(steps[-1].new, i, a, target) for i, a in enumerate(last.args[:positions]))


def respell(call: cst.Call, steps: Sequence[Step], names: Names, target: Target, *, keep_deprecated: bool = False) -> Plan:
    """Carry a call's arguments through the steps. `keep_deprecated`: keywords that the next version still takes are left."""
    name = steps[-1].new
    shape = steps[0].old_signature
    if shape is None or all(s.new_signature is None for s in steps):
        return Plan(name)
    bound = bind(call, (*shape.args, *shape.keyword_only), names)
    if bound.unresolved:
        return through_stars(call, steps)
    if bound.extra and not shape.varargs:
        return Plan(name, problem=f"it has {len(bound.extra)} positional arguments more than {steps[0].old} takes")
    items = [Item(p, a) for p, a in bound.args.items()]
    items += [Item(a.keyword.value if a.keyword else "", a, is_known=False) for a in bound.unknown]
    plan = Plan(name)
    for step in steps:
        after = step.new_signature
        moved: list[Item] = []
        misfit = ""
        for item in items:
            new = step.parameter(item.parameter)
            if new != item.parameter and keep_deprecated and after is not None and item.parameter in after.args and not item.is_positional:
                new = item.parameter
            if new is None:
                plan.dropped.append(item.parameter)
                continue
            if item.is_known and after is not None and not after.accepts(new):
                misfit = item.parameter
                break
            twin = next((m for m in moved if m.parameter == new), None)
            if twin is not None and names.literal(item.arg.value) is None:
                continue  # an alias that says nothing
            if twin is not None and not (twin.is_positional and not item.is_positional):
                misfit = item.parameter
                break
            if new != item.parameter:
                plan.renamed.append((item.parameter, new))
            moved.append(Item(new, item.arg, item.is_known))
        lacks = [d for d in step.demands if not misfit and d not in {m.parameter for m in moved}]
        if lacks and not step.fallback:
            return Plan(name, problem=f"{step.new} needs {' and '.join(lacks)}, for which the old call has no argument")
        if (misfit or lacks) and step.fallback:
            plan.name, plan.dropped, plan.renamed = step.fallback, [], []
            break
        if misfit:
            return Plan(name, problem=f"{step.new} takes no argument {misfit!r}")
        items = moved
        if after is not None:
            shape = after
    words = [w for a in laid_out(items, bound.extra, shape, plan.name, target) if (w := word(a)) is not None]
    if len(set(words)) < len(words):
        return Plan(name, problem="it is given the same argument twice")
    if not same(laid_out(items, bound.extra, shape), call.args) or (plan.name != steps[0].old and not is_read_alike(call, steps, target)):
        plan.args = laid_out(items, bound.extra, shape, plan.name, target)
    return plan


def laid_out(items: Sequence[Item], extra: Sequence[cst.Arg], shape: Signature, name: str = "", target: Target = "2") -> list[cst.Arg]:
    """Positional while each argument stands where its parameter does, by keyword from there on.

    Whoever reads the new call by another version's signature must read the same: else a second run would move the arguments again.
    """
    args: list[cst.Arg] = []
    in_place = True
    for index, item in enumerate(items):
        is_there = index < len(shape.args) and (shape.args[index] == item.parameter or (shape.varkw and item.parameter not in shape.args))
        in_place = in_place and item.is_positional and is_there
        in_place = in_place and (not name or is_agreed(name, index, item.parameter, target))
        args.append(keyword(item.arg, None if in_place else item.parameter))
    return [*args, *extra]


@cache
def is_agreed(name: str, index: int, parameter: str, target: Target) -> bool:
    """Whether every version up to the target's that has the name has this parameter at this position, perhaps under an older word for it."""
    for version in (OLD, ONE) if target == "1" else (OLD, ONE, TWO):
        found = signature(name, version)
        if found is None or index >= len(found.args):
            continue
        there = found.args[index]
        if there != parameter and parameter not in (
            legacy.ARGUMENTS.get(name, {}).get(there),
            native.ARGUMENTS.get(name, {}).get(there),
        ):
            return False
    return True


def same(new: Sequence[cst.Arg], old: Sequence[cst.Arg]) -> bool:
    if len(new) != len(old):
        return False
    return all(a.value is b.value and word(a) == word(b) for a, b in zip(new, old, strict=True))


def word(arg: cst.Arg) -> str | None:
    return arg.keyword.value if arg.keyword is not None else None


def through_stars(call: cst.Call, steps: Sequence[Step]) -> Plan:
    """A star hides what is given: right only where every position and keyword means the same."""
    name = steps[-1].new
    has_list = any(a.star == "*" for a in call.args)
    positions = (
        len(steps[0].old_signature.args) if has_list and steps[0].old_signature else sum(a.keyword is None for a in call.args if not a.star)
    )
    for index, step in enumerate(steps):
        if step.keeps_leading(positions) and not (step.rename and any(a.star == "**" for a in call.args)):
            continue
        if step.fallback and index == len(steps) - 1:
            return Plan(step.fallback)
        return Plan(name, problem="the arguments behind the star are not known here, and the signature changed")
    args = []
    changed = False
    for arg in call.args:
        if arg.keyword is not None:
            new: str | None = arg.keyword.value
            for step in steps:
                new = step.parameter(new) if new is not None else None
            if new is None:
                return Plan(name, problem=f"the argument {arg.keyword.value!r} is no longer taken")
            changed |= new != arg.keyword.value
            args.append(keyword(arg, new))
        else:
            args.append(arg)
    return Plan(name, args if changed else None)


def say(plan: Plan, call: cst.Call, symbol: str, context: Context) -> cst.Call:
    """The new call."""
    func = call.func if plan.name == symbol else context.spell(plan.name, call.func)
    return call_with(call, plan.args if plan.args is not None else call.args, func)


def describe(plan: Plan, symbol: str) -> str:
    parts = [f"{symbol} is now {plan.name}" if plan.name != symbol else f"{symbol} takes other arguments"]
    parts += [f"{old} is {new}" for old, new in plan.renamed if old != new]
    parts += [f"{name} is gone" for name in plan.dropped]
    if plan.args is not None and len(parts) == 1:
        parts.append("its arguments have another order")
    return "; ".join(parts)


def reference_name(found: Verdict, target: Target) -> str | None:
    """The name for a function that is passed on, not called: one whose first arguments mean the same; None when there is none."""
    for index, step in enumerate(found.steps):
        count = min(2, len(step.old_signature.args)) if step.old_signature else 0
        if step.changes_arguments and not step.keeps_leading(count):
            if step.fallback and index == len(found.steps) - 1:
                return step.fallback
            first = found.steps[0].old
            same = first if target == "1" else "tf.compat.v1." + first[3:]
            return same if exists(first, ONE) and not is_ambiguous(first, count) and is_target_name(same, target) else None
    if target != "2" or len(found.steps) != 1 or found.name is None or found.steps[0].old == found.name:
        return found.name
    if reference_name(verdict(found.name, "2"), "2") != found.name:
        # the new name is a name of 1.15 too, for something else: whoever reads it so would rename it again
        same = "tf.compat.v1." + found.steps[0].old[3:]
        return same if is_target_name(same, target) else found.name
    return found.name


def is_done(node: cst.CSTNode, symbol: str, context: Context) -> bool:
    """Whether a name is what this run made of another: what a newer TensorFlow calls so needs nothing more."""
    before = context.original(node)
    if before is None or before is node or context.target == "1":
        return False
    first = context.first_symbol(before)
    return first is not None and first != symbol and verdict(first, context.target, context.generation.version == 0).name == symbol


def is_target_name(name: str, target: Target) -> bool:
    return exists(name, ONE if target == "1" else TWO)
