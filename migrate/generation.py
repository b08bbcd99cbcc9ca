"""Which TensorFlow a file was written for, 0.x, 1.x or 2.x, and what says so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import libcst as cst

from migrate import symbols
from migrate.dtypes import UNTOLD, kind_of
from migrate.names import UNKNOWN, Names
from migrate.rule import Generation

ZERO: Final = ("0.12.1",)
ONE: Final = ("1.0.0", "1.4.0", "1.15.5")
TWO: Final = ("2.15.1", "2.21.0")

# A name that exists on one side only says more than this many that contradict it; below it the file is undecided.
MAJORITY: Final = 3


@dataclass(slots=True)
class Evidence:
    """Votes by generation and the first few reasons of each; adds up over the files of a tree."""

    votes: Counter[int] = field(default_factory=Counter)
    reasons: dict[int, list[str]] = field(default_factory=dict)
    before_two: int = 0  # uses of names that 2.x lacks: the file is not 2.x code, whatever else it says

    def add(self, version: int, reason: str) -> None:
        self.votes[version] += 1
        some = self.reasons.setdefault(version, [])
        if len(some) < 3 and reason not in some:
            some.append(reason)

    def merge(self, other: Evidence) -> None:
        self.votes.update(other.votes)
        self.before_two += other.before_two
        for version, reasons in other.reasons.items():
            some = self.reasons.setdefault(version, [])
            some += [r for r in reasons if r not in some][: 3 - len(some)]

    def decide(self) -> Generation:
        votes = self.votes
        # an upgraded file keeps what could not be upgraded: a few names that 2.x lacks do not make it 1.x again
        if votes[2] and votes[2] >= MAJORITY * self.before_two and not votes[0]:
            return Generation(2, tuple(self.reasons[2]))
        zero, one = votes[0], votes[1] + votes[2]
        if zero and zero >= MAJORITY * one:
            return Generation(0, tuple(self.reasons[0]))
        if one and one >= MAJORITY * zero:
            return Generation(1, tuple((self.reasons.get(1) or self.reasons[2])[:3]))
        if zero or one:
            both = (*self.reasons.get(0, ())[:1], *self.reasons.get(1, ())[:1])
            return Generation(None, ("the file speaks for both", *both))
        return Generation(None, ("nothing in the file says which version",))


def judge(evidence: Evidence, tree: Generation | None = None) -> Generation:
    """The file's own evidence; the tree's where the file has none."""
    own = evidence.decide()
    if own.version is not None or tree is None or tree.version is None:
        return own
    return Generation(tree.version, tuple(f"the tree: {reason}" for reason in tree.reasons))


@cache
def side_of_name(name: str) -> tuple[int | None, bool]:
    """The only generation that has a name, and whether 2.x lacks it (None: more than one has it, or none)."""
    if name == "tf.compat.v1" or name.startswith("tf.compat.v1."):
        return 2, False
    zero = symbols.exists(name, ZERO[0])
    one = any(symbols.exists(name, v) for v in ONE)
    two = any(symbols.exists(name, v) for v in TWO)
    gone = (zero or one) and not two
    if zero and not one:
        return 0, gone
    if not zero and one:
        return (1 if not two else None if _is_private(name) else 1), gone
    if not zero and not one and two:
        return 2, False
    return None, gone


def _is_private(name: str) -> bool:
    return name.startswith(("tf.python", "tf.core"))


@cache
def side_of_keyword(name: str, keyword: str) -> int | None:
    """The only generation whose signature of `name` takes a keyword."""
    takers = set()
    for version, releases in ((0, ZERO), (1, ONE), (2, TWO)):
        for release in releases:
            signature = symbols.signature(name, release)
            if signature is not None and signature.accepts(keyword):
                takers.add(version)
            elif signature is None and symbols.exists(name, release):
                return None
    if takers == {0}:
        return 0
    if takers in ({1}, {1, 2}):
        return 1
    return 2 if takers == {2} else None


# -------------------------------------------------------------------------- literals in calls


def _is_number(names: Names, node: cst.CSTNode) -> bool:
    value = names.literal(node)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_sequence(names: Names, node: cst.CSTNode) -> bool:
    found = node if not isinstance(node, cst.Name) else names.assigned(node)
    return isinstance(found, (cst.List, cst.Tuple, cst.ListComp)) or (isinstance(found, cst.Call) and names.symbol(found) is not None)


def _axis_first(names: Names, args: list[cst.BaseExpression]) -> int | None:
    """concat, split: 0.x begins with the dimension, 1.x ends with the axis."""
    if len(args) < 2:
        return None
    first, second = _is_number(names, args[0]), _is_number(names, args[1])
    if first and (not second or len(args) > 2):
        return 0
    if not first and (second or _is_sequence(names, args[0])):
        return 1
    if not second and _is_sequence(names, args[1]) and not _is_sequence(names, args[0]):
        return 0
    return None


def _split(names: Names, args: list[cst.BaseExpression]) -> int | None:
    if len(args) >= 2 and _is_number(names, args[0]) and names.literal(args[0]) is not UNKNOWN:
        return 0
    if len(args) == 3 and _is_number(names, args[2]):
        return 1
    return None


def _bool_dims(names: Names, args: list[cst.BaseExpression]) -> int | None:
    value = names.literal(args[1]) if len(args) > 1 else UNKNOWN
    if isinstance(value, (list, tuple)) and value:
        return 0 if all(isinstance(v, bool) for v in value) else 1 if all(isinstance(v, int) for v in value) else None
    return 1 if isinstance(value, int) and not isinstance(value, bool) else None


def _positional(names: Names, args: list[cst.BaseExpression]) -> int | None:
    """Since 1.0 these take keywords only."""
    return 0 if args else None


def _labels(names: Names, args: list[cst.BaseExpression]) -> int | None:
    """nce_loss, sampled_softmax_loss: 0.x has the inputs, which are floats, before the labels, which are integers."""
    third, fourth = ((kind_of(a, names) or UNTOLD).number for a in args[2:4]) if len(args) > 3 else (None, None)
    if third == fourth:
        return None
    return 0 if third == "float" or fourth == "int" else 1


LITERALS: Final[Mapping[str, Callable[[Names, list[cst.BaseExpression]], int | None]]] = {
    "tf.concat": _axis_first,
    "tf.nn.nce_loss": _labels,
    "tf.nn.sampled_softmax_loss": _labels,
    "tf.nn.sigmoid_cross_entropy_with_logits": _positional,
    "tf.nn.softmax_cross_entropy_with_logits": _positional,
    "tf.nn.sparse_softmax_cross_entropy_with_logits": _positional,
    "tf.reverse": _bool_dims,
    "tf.split": _split,
}


def evidence(names: Names) -> Evidence:
    """Everything in a file that only one generation of TensorFlow would take."""
    found = Evidence()
    for alias in names.imports:
        _name(found, names.path(alias))
    for node in names.references:
        path = names.path(node)
        _name(found, path)
        call = names.call_of(node)
        symbol = names.symbol(node)
        if call is None or symbol is None:
            continue
        for arg in call.args:
            if arg.keyword is not None:
                side = side_of_keyword(symbol, arg.keyword.value)
                if side is not None:
                    found.add(side, f"{symbol}({arg.keyword.value}=)")
        check = LITERALS.get(symbol)
        if check is not None and not any(a.star for a in call.args):
            side = check(names, [a.value for a in call.args if a.keyword is None])
            if side is not None:
                found.add(side, f"the arguments of {symbol}")
    return found


def _name(found: Evidence, name: str | None) -> None:
    if name is None:
        return
    side, gone = side_of_name(name)
    found.before_two += gone
    if side is not None and not _is_private(name):
        found.add(side, name)


# -------------------------------------------------------------------------- the tree

_PIN: Final = re.compile(r"tensorflow(?:[-_](?:gpu|cpu))?\s*(?:\[[^\]]*\])?\s*(==|~=|>=|<=|<|>)\s*v?(\d+)\.(\d+)", re.I)
PIN_FILES: Final = ("requirements.txt", "setup.py", "environment.yml", "Pipfile", "setup.cfg", "pyproject.toml")


_SPELLED: Final = re.compile(r"(?<![\w.])tf((?:\.[A-Za-z_]\w*)+)")


def scan(data: bytes) -> Evidence:
    """A quick look at a file that is not parsed yet: the names after `tf.`, each counted once."""
    found = Evidence()
    for rest in dict.fromkeys(_SPELLED.findall(data.decode("latin-1"))):
        _name(found, "tf" + rest)
    return found


def pins(path: str, text: str) -> Evidence:
    """What a requirements file says about TensorFlow."""
    found = Evidence()
    for sign, major, minor in _PIN.findall(text):
        version = int(major)
        if (sign in ("==", "~=") and version in (0, 1, 2)) or (sign in (">=", ">") and version in (1, 2)):
            found.add(version, f"{path} asks for tensorflow{sign}{major}.{minor}")
        elif sign in ("<", "<=") and (version, int(minor)) <= (1, 0):
            found.add(0, f"{path} asks for tensorflow{sign}{major}.{minor}")
    return found


def total(parts: Iterable[Evidence]) -> Evidence:
    whole = Evidence()
    for part in parts:
        whole.merge(part)
    return whole
