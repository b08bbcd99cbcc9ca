"""What a rule is: how one is declared, what it may ask for, and how all of them are loaded.

Writing a rule
--------------
A rule is one generator in a file of `migrate/rules/`; importing the file registers it. It is called for the nodes it visits and
yields matches; it never edits a tree, looks at import spelling, or makes findings.

    @rule("renamed-symbol", "Replace a symbol by its new name.", since="1.0", visits=REFERENCE, symbols=RENAMES, targets="12",
          examples=[Example("import tensorflow as tf\\ny = tf.mul(a, b)\\n", "import tensorflow as tf\\ny = tf.multiply(a, b)\\n"),
                    Example("import numpy as tf\\ntf.mul(a, b)\\n", None, "tf here is not TensorFlow")])
    def renamed_symbol(node, names, context):
        old = names.symbol(node)
        yield Match(node, f"{old} is now {RENAMES[old]}", rename=RENAMES[old])

visits  REFERENCE (a use of a symbol: Name or Attribute chain, and, with it, the ImportAlias that imports it), CALL, or any other LibCST
        class or tuple of classes. With `symbols` (any container with `in` and iteration) a REFERENCE or CALL rule is only called for these
        symbols; with `prefix="tf.contrib."` for all symbols that start so. A chain is offered longest first; once a rule matched it, its
        inner parts (`tf.contrib` of `tf.contrib.slim.conv2d`) are not offered any more. Other classes are offered without regard to symbols.
        A rule that visits cst.Call whatever it calls says methods=("save", "minimize"): only `x.save(...)`, or plain `save(...)`, is offered.
        only_python2=True: only asked in files that were written in Python 2.
Match   Match(node, message, replacement=None, rename=None, level=None, advice="", imports=(), helpers=(), statements=()).
        Neither replacement nor rename: only reported (default level WARNING; NOTE when something is replaced).
        rename       the new dotted symbol: "tf.nn.softmax", or of another module, "tf_slim.conv2d" (the engine adds `import tf_slim`).
                     The engine spells it: it changes the import instead of the use where that is right, and adds `import tensorflow as tf`
                     where no name of TensorFlow is at hand. Use it for references and imports; prefer it to a replacement.
        replacement  a node to stand for `node`; build it from the old node's parts (they keep their comments, and what other rules
                     change inside them in the same pass). REMOVE drops a statement or argument, cst.FlattenSentinel gives several statements.
        imports      statements such as "import numpy as np" that the replacement needs (added once, after the existing imports).
        helpers      source of functions to be put once after the imports (the name after `def` says whether it is there already).
        statements   such as "{tf}.compat.v1.disable_v2_behavior()": put once right after TensorFlow's import; {tf} is its name there.
Order   When two rules match the same node, the lower `order` wins and the other is asked again in the next pass, which runs until nothing
        changes. A rule that changes the arguments *and* the name of a call must do both in one replacement:
            call_with(node, args, func=context.spell("tf.stack", node.func))
names   names.symbol(node), names.path(node), names.call_of(ref), names.parent(node), names.statement(node), names.assigned(name_node),
        names.literal(node) (UNKNOWN when it is not known), names.uses(binding): see migrate/names.py. Private paths
        (`tf.python.ops.array_ops.concat`) come as the public symbol if `migrate.symbols.public(path)` gives one; names.path has the original.
context context.target is "1" or "2"; context.generation.version is 0, 1, 2 or None (not decided), .reasons says why;
        context.spell(symbol, at=node) -> expression; context.code(node) -> text; context.parse(text, **nodes) -> expression, where
        `{name}` in the text stands for a node; context.filename. Nothing else is kept between calls.
Calls   bind(call, ["value", "num", "axis"], names) -> Bound: .args (parameter -> Arg), .unresolved (a star that cannot be resolved: report),
        .unknown (keywords not in the signature), .extra (too many positionals). call_with(call, args, func=None) lays the new arguments
        out with the old commas. keyword(arg, "axis") names an argument in place. argument("axis", node) makes a new one.
Example target "1"/"2" (default: both that the rule has), generation forces what is known of the source, reported=True when a finding is due
        although nothing is rewritten. after=None: must be left alone. Examples run with this rule alone.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import libcst as cst

from migrate.report.finding import Level

if TYPE_CHECKING:
    from migrate.names import Names

Target: TypeAlias = Literal["1", "2"]
REFERENCE: Final = (cst.Name, cst.Attribute, cst.ImportAlias)
CALL: Final = (cst.Call,)
REMOVE: Final = cst.RemovalSentinel.REMOVE


@dataclass(frozen=True, slots=True)
class Example:
    """Source before and after; after=None: must be left alone (and reported=True: but reported)."""

    before: str
    after: str | None
    why: str = ""
    target: Target | None = None
    generation: int | None = None
    reported: bool | None = None
    python2: bool = False  # as if the file had been Python 2
    siblings: tuple[str, ...] = ()  # the modules beside it


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule found at a node and wants done about it."""

    node: cst.CSTNode
    message: str
    replacement: cst.CSTNode | cst.RemovalSentinel | cst.FlattenSentinel[Any] | None = None
    rename: str | None = None
    level: Level | None = None
    advice: str = ""
    imports: Sequence[str] = ()
    helpers: Sequence[str] = ()
    statements: Sequence[str] = ()

    @property
    def is_change(self) -> bool:
        return self.replacement is not None or self.rename is not None or bool(self.statements or self.helpers)


@dataclass(frozen=True, slots=True)
class Generation:
    """Which TensorFlow the source was written for, and what says so."""

    version: int | None = None  # 0, 1, 2; None: undecided
    reasons: tuple[str, ...] = ()


class Context:
    """What a rule may know and ask beyond the names of the file."""

    def __init__(
        self,
        names: Names,
        target: Target,
        generation: Generation,
        filename: str,
        dialect: int = 3,
        siblings: frozenset[str] = frozenset(),
    ) -> None:
        self.names = names
        self.target: Target = target
        self._generation = generation
        self.asked = False  # whether a rule wanted to know the generation
        self.filename = filename
        self.dialect = dialect  # the Python the file was written in, 2 or 3
        self.siblings = siblings  # the modules in its folder
        self.moved: dict[int, str] = {}  # id of an ImportAlias or aliasing assignment's value -> its new symbol in this pass
        self.pending_imports: list[str] = []  # of the match being made
        self.original: Callable[[cst.CSTNode], cst.CSTNode | None] = lambda node: node  # the node of the source that it came from
        self.first_symbol: Callable[[cst.CSTNode], str | None] = names.symbol  # of a node of the source

    @property
    def generation(self) -> Generation:
        self.asked = True
        return self._generation

    def spell(self, symbol: str, at: cst.CSTNode) -> cst.BaseExpression:
        """An expression for a dotted symbol at a place, by the names that are bound there; an import is added when none is."""
        text, needs = self._spelling(symbol, at)
        self.pending_imports += needs
        new = _chain(text)
        if isinstance(at, (cst.Name, cst.Attribute)) and (at.lpar or at.rpar):
            new = new.with_changes(lpar=at.lpar, rpar=at.rpar)
        return cast(cst.BaseExpression, new)

    def code(self, node: cst.CSTNode) -> str:
        return self.names.module.code_for_node(node)

    def parse(self, text: str, **nodes: cst.BaseExpression) -> cst.BaseExpression:
        """An expression from text in which `{name}` stands for a node (kept as it is, in parentheses where it needs them)."""
        parsed = cst.parse_expression(_PLACE.sub(r"__\1__", text), config=self.names.module.config_for_parsing)
        return cast(cst.BaseExpression, _filled(parsed, nodes))

    def parse_statement(self, text: str, **nodes: cst.BaseExpression) -> Any:
        return _filled(cst.parse_statement(_PLACE.sub(r"__\1__", text), config=self.names.module.config_for_parsing), nodes)

    def _spelling(self, symbol: str, at: cst.CSTNode) -> tuple[str, list[str]]:
        names = self.names
        binding = names.root_binding(at)
        if binding is not None:
            base = self.base_of(binding)
            if base is not None and (symbol == base or symbol.startswith(base + ".")):
                return binding.name + symbol[len(base) :], []
        if symbol != "tf" and not symbol.startswith("tf."):
            return self._foreign(symbol, at)
        for prefix in ("tf", "tf.compat.v1", "tf.compat.v2"):
            if symbol == prefix or symbol.startswith(prefix + "."):
                name = names.visible(prefix, at)
                if name is not None:
                    return name + symbol[len(prefix) :], []
        if self.target == "1":  # there the two are the same
            name = names.visible("tf.compat.v1", at)
            if name is not None:
                return name + symbol[2:], []
        if names.is_free("tf"):
            return symbol, ["import tensorflow as tf"]
        return "tensorflow" + symbol[2:], ["import tensorflow"]

    def _foreign(self, symbol: str, at: cst.CSTNode) -> tuple[str, list[str]]:
        """`np.prod`, `tf_slim.conv2d`, `six.moves.x`: the root is a module of that name (np is numpy)."""
        root, dot, rest = symbol.partition(".")
        module = {"np": "numpy"}.get(root, root)
        name = self.names.visible_module(module, at)
        if name is not None:
            return name + dot + rest, []
        return symbol, [f"import {module} as {root}" if module != root else f"import {module}"]

    def base_of(self, binding: Any) -> str | None:
        """The symbol a binding means after this pass: imports and aliases that are being renamed count by their new name."""
        names = self.names
        if isinstance(binding.node, cst.ImportAlias):
            if binding.symbol is None:
                return None
            moved = self.moved.get(id(binding.node)) if names.path(binding.node) == binding.symbol else None  # not for `import a.b`
            return moved if moved is not None else binding.symbol
        if binding.value is not None:
            moved = self.moved.get(id(binding.value))
            return moved if moved is not None else names.path(binding.value)
        return None


Check: TypeAlias = Callable[[Any, "Names", Context], Iterator[Match]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A declared rule; `symbols` and `prefix` say for which symbols it is asked."""

    id: str
    summary: str
    since: str
    visits: tuple[type, ...]
    examples: tuple[Example, ...]
    check: Check = field(repr=False)
    symbols: Container[str] | Iterable[str] | None = None
    prefix: tuple[str, ...] = ()
    targets: str = "12"
    order: int = 100
    why: str = ""
    methods: frozenset[str] = frozenset()
    only_python2: bool = False


RULES: dict[str, Rule] = {}


def rule(
    id: str,
    summary: str,
    *,
    since: str,
    visits: type | tuple[type, ...],
    examples: Sequence[Example],
    symbols: Any = None,
    prefix: str | tuple[str, ...] = (),
    targets: str = "12",
    order: int = 100,
    why: str = "",
    methods: Iterable[str] = (),
    only_python2: bool = False,
) -> Callable[[Check], Check]:
    """Declare a rule. The id is permanent: it is the name on the command line, in SARIF and in the manual."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id):
        raise ValueError(f"a rule's id is kebab-case, {id!r} is not")

    def declare(check: Check) -> Check:
        if id in RULES and RULES[id].check.__module__ != check.__module__:
            raise ValueError(f"the rule {id!r} is declared in {RULES[id].check.__module__} and in {check.__module__}")
        RULES[id] = Rule(
            id=id,
            summary=summary,
            since=since,
            visits=visits if isinstance(visits, tuple) else (visits,),
            examples=tuple(examples),
            check=check,
            symbols=symbols,
            prefix=(prefix,) if isinstance(prefix, str) else tuple(prefix),
            targets=targets,
            order=order,
            why=why,
            methods=frozenset(methods),
            only_python2=only_python2,
        )
        return check

    return declare


def load() -> list[Rule]:
    """Every rule, in the order in which they are asked."""
    package = importlib.import_module("migrate.rules")
    for module in sorted(m.name for m in pkgutil.walk_packages(package.__path__, "migrate.rules.")):
        importlib.import_module(module)
    return sorted(RULES.values(), key=lambda r: (r.order, r.id))


# -------------------------------------------------------------------------- calls


@dataclass(slots=True)
class Bound:
    """A call's arguments by the parameter they go to."""

    args: dict[str, cst.Arg]
    extra: list[cst.Arg]
    unknown: list[cst.Arg]
    unresolved: list[cst.Arg]

    @property
    def is_exact(self) -> bool:
        return not (self.extra or self.unknown or self.unresolved)


def bind(call: cst.Call, parameters: Sequence[str], names: Names | None = None) -> Bound:
    """Bind a call to a signature. `*[a, b]` and `**{"k": v}` are opened, also through a name assigned once to such a display."""
    bound = Bound({}, [], [], [])
    position = 0
    open_ended = False  # a star of unknown length came before: positions are not known any more
    for arg in call.args:
        if arg.star == "*":
            elements = _elements(arg.value, names)
            if elements is None:
                bound.unresolved.append(arg)
                open_ended = True
                continue
            for value in elements:
                position = _place(bound, parameters, position, cst.Arg(value))
        elif arg.star == "**":
            pairs = _pairs(arg.value, names)
            if pairs is None:
                bound.unresolved.append(arg)
                continue
            for key, value in pairs:
                _name(bound, parameters, argument(key, value))
        elif arg.keyword is not None:
            _name(bound, parameters, arg)
        elif open_ended:
            bound.extra.append(arg)
        else:
            position = _place(bound, parameters, position, arg)
    return bound


def _place(bound: Bound, parameters: Sequence[str], position: int, arg: cst.Arg) -> int:
    if position < len(parameters):
        bound.args[parameters[position]] = arg
    else:
        bound.extra.append(arg)
    return position + 1


def _name(bound: Bound, parameters: Sequence[str], arg: cst.Arg) -> None:
    key = arg.keyword.value if arg.keyword is not None else ""
    if key in parameters and key not in bound.args:
        bound.args[key] = arg
    else:
        bound.unknown.append(arg)


def _elements(node: cst.BaseExpression, names: Names | None) -> list[cst.BaseExpression] | None:
    if isinstance(node, cst.Name) and names is not None:
        node = names.assigned(node) or node
        if not isinstance(node, cst.Tuple):  # a list may have been changed since
            return None
    if isinstance(node, (cst.Tuple, cst.List)) and all(isinstance(e, cst.Element) for e in node.elements):
        return [e.value for e in node.elements]
    return None


def _pairs(node: cst.BaseExpression, names: Names | None) -> list[tuple[str, cst.BaseExpression]] | None:
    if isinstance(node, cst.Dict):
        pairs = []
        for element in node.elements:
            if not (isinstance(element, cst.DictElement) and isinstance(element.key, cst.SimpleString)):
                return None
            key = element.key.evaluated_value
            if not (isinstance(key, str) and key.isidentifier()):
                return None
            pairs.append((key, element.value))
        return pairs
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "dict":
        if all(a.keyword is not None for a in node.args):
            return [(a.keyword.value, a.value) for a in node.args if a.keyword is not None]
    return None


_SPACE: Final = cst.SimpleWhitespace("")
_PLAIN_EQUAL: Final = cst.AssignEqual(whitespace_before=_SPACE, whitespace_after=_SPACE)


def argument(name: str, value: cst.BaseExpression) -> cst.Arg:
    """A new keyword argument."""
    return cst.Arg(value=value, keyword=cst.Name(name), equal=_PLAIN_EQUAL)


def keyword(arg: cst.Arg, name: str | None) -> cst.Arg:
    """The same argument under this keyword (None: positional); its place, comments and commas stay."""
    if name is None:
        return arg.with_changes(keyword=None, equal=cst.MaybeSentinel.DEFAULT)
    if arg.keyword is not None:
        return arg if arg.keyword.value == name else arg.with_changes(keyword=arg.keyword.with_changes(value=name))
    return arg.with_changes(keyword=cst.Name(name), equal=_PLAIN_EQUAL)


def call_with(call: cst.Call, args: Sequence[cst.Arg], func: cst.BaseExpression | None = None) -> cst.Call:
    """The call with other arguments: commas, line breaks and the spaces before `)` stay with their place in the list."""
    old = call.args
    laid: list[cst.Arg] = []
    for index, arg in enumerate(args):
        last = index == len(args) - 1
        slot = old[index] if index < len(old) else None
        if last:
            comma = old[-1].comma if old else cst.MaybeSentinel.DEFAULT
            after = old[-1].whitespace_after_arg if old else _SPACE
        elif slot is not None and isinstance(slot.comma, cst.Comma) and index < len(old) - 1:
            comma, after = slot.comma, slot.whitespace_after_arg
        else:
            comma, after = _comma_between(old), _SPACE
        star_space = arg.whitespace_after_star
        laid.append(arg.with_changes(comma=comma, whitespace_after_arg=after, whitespace_after_star=star_space))
    changes: dict[str, Any] = {"args": laid}
    if func is not None:
        changes["func"] = func
    return call.with_changes(**changes)


def _comma_between(old: Sequence[cst.Arg]) -> cst.Comma:
    """The comma a further argument gets: one that breaks the line if the others do."""
    for arg in old[:-1]:
        if isinstance(arg.comma, cst.Comma) and isinstance(arg.comma.whitespace_after, cst.ParenthesizedWhitespace):
            space = arg.comma.whitespace_after
            return arg.comma.with_changes(whitespace_after=space.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=[]))
    return cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


# -------------------------------------------------------------------------- expressions from text

_PLACE: Final = re.compile(r"\{([a-z_]\w*)\}")
_ATOMS: Final = (
    cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.BaseNumber, cst.BaseString, cst.List, cst.Dict, cst.Set, cst.BaseComp,
)  # fmt: skip


def _chain(text: str) -> Any:
    node: cst.BaseExpression | None = None
    for part in text.split("."):
        node = cst.Name(part) if node is None else cst.Attribute(node, cst.Name(part))
    return node


def parenthesised(node: cst.BaseExpression) -> cst.BaseExpression:
    """The node, in parentheses unless it binds as tightly as a name."""
    if not isinstance(node, cst.BaseExpression) or node.lpar or isinstance(node, _ATOMS):
        return node
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _filled(tree: Any, nodes: Mapping[str, cst.BaseExpression]) -> Any:
    from migrate.names import fields

    if isinstance(tree, cst.Name):
        name = tree.value
        return nodes[name[2:-2]] if name.startswith("__") and name.endswith("__") and name[2:-2] in nodes else tree
    changes: dict[str, Any] = {}
    alone = isinstance(tree, (cst.Arg, cst.Element, cst.Index, cst.Expr, cst.Assign, cst.Return, cst.StarredElement))
    for name in fields(type(tree)):
        value = getattr(tree, name)
        if isinstance(value, cst.CSTNode):
            new = _filled(value, nodes)
            if new is not value:
                changes[name] = new if alone else parenthesised(new)
        elif isinstance(value, (list, tuple)):
            items = [_filled(v, nodes) if isinstance(v, cst.CSTNode) else v for v in value]
            if any(a is not b for a, b in zip(items, value, strict=True)):
                changes[name] = items
    return tree.with_changes(**changes) if changes else tree
