"""One walk for all rules, one replacement pass, repeated until nothing changes; a Match becomes a Finding here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import libcst as cst
from libcst._nodes.internal import CodegenState

from migrate import insertion
from migrate.names import Names, dotted, fields
from migrate.report.finding import Finding, Level, Location
from migrate.rule import Context, Generation, Match, Rule, Target, load

PASSES: Final = 12  # a file needs as many as its rewrites are nested or follow from one another: 2 to 4
ENGINE: Final = "engine"
_IGNORE: Final = re.compile(r"#.*?\btfrevive:\s*ignore\b(?:\[([\w\s,-]*)\])?")


@dataclass(slots=True)
class Result:
    code: str
    findings: list[Finding]
    changed: bool
    generation: Generation = field(default_factory=Generation)
    asked: bool = False  # a rule wanted to know the generation


@dataclass(slots=True)
class _Hit:
    """A match in this pass; `old` is the node of the file as it came that its place is told by."""

    rule: Rule
    match: Match
    old: cst.CSTNode | None
    imports: Sequence[str] = ()
    applied: bool = False


class Dispatch:
    """Which rules are asked about which node: made once for a set of rules."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.references: dict[str, list[Rule]] = {}
        self.calls: dict[str, list[Rule]] = {}
        self.any_reference: list[Rule] = []  # prefix rules and rules without symbols
        self.any_call: list[Rule] = []
        self.by_type: dict[type, list[Rule]] = {}
        self.by_method: dict[str, list[Rule]] = {}  # of calls, whatever they call
        for rule in rules:
            for kind in rule.visits:
                by_symbol = rule.symbols is not None or rule.prefix
                if kind is cst.Call and rule.methods:
                    for method in rule.methods:
                        self.by_method.setdefault(method, []).append(rule)
                    continue
                if kind is cst.Call and by_symbol:
                    self._index(self.calls, self.any_call, rule)
                elif kind in (cst.Name, cst.Attribute, cst.ImportAlias):
                    if kind is rule.visits[0] or rule.visits[0] not in (cst.Name, cst.Attribute, cst.ImportAlias):
                        self._index(self.references, self.any_reference, rule)
                else:
                    self.by_type.setdefault(kind, []).append(rule)
        self.collect = frozenset(self.by_type) | (frozenset({cst.Call}) if self.by_method else frozenset())

    @staticmethod
    def _index(by_symbol: dict[str, list[Rule]], rest: list[Rule], rule: Rule) -> None:
        if rule.symbols is not None:
            for symbol in rule.symbols:  # type: ignore[union-attr]
                by_symbol.setdefault(symbol, []).append(rule)
        if rule.prefix or rule.symbols is None:
            rest.append(rule)

    def for_reference(self, symbol: str) -> list[Rule]:
        return self._merged(self.references.get(symbol), self.any_reference, symbol)

    def for_call(self, symbol: str) -> list[Rule]:
        return self._merged(self.calls.get(symbol), self.any_call, symbol)

    @staticmethod
    def _merged(exact: list[Rule] | None, rest: list[Rule], symbol: str) -> list[Rule]:
        some = [r for r in rest if not r.prefix or symbol.startswith(r.prefix)] if rest else []
        if not some:
            return exact or []
        found = {r.id: r for r in (*(exact or ()), *some)}
        return sorted(found.values(), key=lambda r: (r.order, r.id))


_DISPATCH: dict[tuple[str, frozenset[str] | None, int], Dispatch] = {}


def dispatch_for(target: Target, only: frozenset[str] | None = None, dialect: int = 3) -> Dispatch:
    key = (target, only, dialect)
    if key not in _DISPATCH:
        rules = (r for r in load() if target in r.targets and (only is None or r.id in only) and (dialect == 2 or not r.only_python2))
        _DISPATCH[key] = Dispatch(rules)
    return _DISPATCH[key]


Judge = Callable[[Names], Generation]


def rewrite(
    module: cst.Module,
    text: str,
    *,
    target: Target,
    filename: str,
    judge: Judge,
    only: frozenset[str] | None = None,
    public: Callable[[str], str | None] | None = None,
    disabled: frozenset[str] = frozenset(),
    dialect: int = 3,
    siblings: frozenset[str] = frozenset(),
) -> Result:
    """Run the rules over a module, which was read from `text`, until nothing changes. `dialect` is the Python it was written in, `siblings` the modules beside it."""
    run = _Run(module, text, target, filename, dispatch_for(target, only, dialect), disabled)
    run.surroundings = (dialect, siblings)
    generation: Generation | None = None
    first = Generation()
    tried: set[int | None] = set()
    changed = False
    for _ in range(PASSES):
        names = Names(run.module, collect=run.dispatch.collect, public=public)
        if run.first is None:
            run.first = names
        if generation is None:
            first = generation = judge(names)
            tried.add(generation.version)
        if not names.imports and not names.star_imports and not run.dispatch.by_type:
            break
        if run.one_pass(names, generation):
            changed = True
            continue
        # The new text speaks for another version than the old one did. What it still leaves open is decided by that,
        # as it would be the next time somebody upgrades the file: so that time nothing is left to change.
        again = judge(names) if changed else generation
        if again.version in tried:
            break
        tried.add(again.version)
        generation = again
    else:
        run.findings.append(
            (None, ENGINE, Level.WARNING, f"the rewriting did not settle after {PASSES} passes: run upgrade again", None, "")
        )
    findings = run.located(filename)
    return Result(run.code() if changed else text, findings, changed, first, run.asked)


def _method(call: Any) -> str:
    """`save` of x.save(...) and of save(...)."""
    func = call.func
    if isinstance(func, cst.Attribute):
        func = func.attr
    return func.value if isinstance(func, cst.Name) else ""


class _Run:
    def __init__(self, module: cst.Module, text: str, target: Target, filename: str, dispatch: Dispatch, disabled: frozenset[str]) -> None:
        self.original = module
        self.text = text
        self.module = module
        self.target: Target = target
        self.filename = filename
        self.dispatch = dispatch
        self.disabled = disabled
        self.surroundings: tuple[int, frozenset[str]] = (3, frozenset())
        self.first: Names | None = None
        self.asked = False
        self.kept: list[Any] = [module]  # ids are compared, so nothing may be freed while the run lasts
        self.origin: dict[int, cst.CSTNode] = {}
        self.findings: list[tuple[cst.CSTNode | None, str, Level, str, str | None, str]] = []
        self.seen: set[tuple[int, str, str]] = set()
        self._ignored: dict[int, frozenset[str]] | None = None

    # ---------------------------------------------------------------- one pass

    def one_pass(self, names: Names, generation: Generation) -> bool:
        context = Context(names, self.target, generation, self.filename, *self.surroundings)
        context.original = self._original
        context.first_symbol = (self.first or names).symbol
        self.names, self.context = names, context
        self.hits: dict[int, _Hit] = {}  # changes, by the node they replace
        self.extra: list[_Hit] = []  # changes that only insert
        for alias in names.imports:
            self._offer(alias, self.dispatch.for_reference(names.symbol(alias) or ""))
        later: list[Any] = []
        for node in names.references:
            if self._is_alias(node):
                self._chain(node)
            else:
                later.append(node)
        for node in later:
            self._chain(node)
        called: dict[int, list[Rule]] = {}
        for node in names.references:
            calling = names.call_of(node)
            if calling is not None:
                rules = self.dispatch.for_call(names.symbol(node) or "")
                if rules:
                    called[id(calling)] = rules
        anyway = self.dispatch.by_type.get(cst.Call, [])
        calls: Sequence[Any] = names.by_type[cst.Call] if cst.Call in names.by_type else [names.call_of(n) for n in names.references]
        for call in filter(None, calls):
            rules = called.get(id(call), [])
            more = self.dispatch.by_method.get(_method(call), [])
            if more or anyway:
                rules = sorted((*rules, *more, *anyway), key=lambda r: (r.order, r.id))
            if rules:
                self._offer(call, rules)
        for kind, rules in self.dispatch.by_type.items():
            if kind is not cst.Call:
                for other in names.by_type[kind]:
                    self._offer(other, rules)
        self.asked |= context.asked
        if not self.hits and not self.extra:
            return False
        return self._apply()

    def _is_alias(self, node: cst.CSTNode) -> bool:
        above = self.names.parents.get(id(node))
        return isinstance(above, cst.Assign) and len(above.targets) == 1 and isinstance(above.targets[0].target, cst.Name)

    def _chain(self, node: Any) -> None:
        """A chain, longest part first; what is inside a part that matched is not asked about."""
        while True:
            symbol = self.names.symbol(node)
            if symbol is None:
                return
            rules = self.dispatch.for_reference(symbol)
            if rules and self._offer(node, rules):
                return
            if not isinstance(node, cst.Attribute):
                return
            node = node.value

    def _offer(self, node: cst.CSTNode, rules: Sequence[Rule]) -> bool:
        matched = False
        for rule in rules:
            if rule.id in self.disabled:
                continue
            self.context.pending_imports = []
            try:
                for match in rule.check(node, self.names, self.context):
                    imports = (*match.imports, *self.context.pending_imports)
                    self.context.pending_imports = []
                    matched |= self._note(rule, match, imports)
            except Exception as error:  # a rule that fails must not stop the file: what it met is reported
                text = f"the rule failed here: {type(error).__name__}: {error}"
                self._record(_Hit(rule, Match(node, text, level=Level.ERROR), self._original(node)))
        return matched

    def _note(self, rule: Rule, match: Match, imports: Sequence[str]) -> bool:
        hit = _Hit(rule, match, self._original(match.node), imports)
        if self._is_ignored(hit):
            return True
        if not match.is_change:
            self._record(hit)
            return True
        if match.replacement is None and match.rename is None:
            self.extra.append(hit)
            return True
        if match.rename is not None and not self._renamed(hit):
            return True
        other = self.hits.get(id(match.node))
        if other is None or rule.order < other.rule.order:
            self.hits[id(match.node)] = hit
        return True

    def _renamed(self, hit: _Hit) -> bool:
        """Turn a new symbol into a node; False when its import or alias takes care of it."""
        node, symbol = hit.match.node, hit.match.rename
        if symbol is None or isinstance(node, cst.ImportAlias):
            if symbol is not None:
                self.context.moved.setdefault(id(node), symbol)
            return True
        before = dotted(node)
        self.context.pending_imports = []
        new = self.context.spell(symbol, node)
        if self._is_alias(node):
            self.context.moved[id(node)] = symbol
        if dotted(new) == before:
            return False
        hit.imports = (*hit.imports, *self.context.pending_imports)
        self.context.pending_imports = []
        hit.match = dataclasses.replace(hit.match, replacement=new)
        return True

    # ---------------------------------------------------------------- applying

    def _apply(self) -> bool:
        self.replaced: dict[int, Any] = {}
        self.owners: dict[int, list[_Hit]] = {}
        aliases: list[_Hit] = []
        for key, hit in self.hits.items():
            if isinstance(hit.match.node, cst.ImportAlias):
                aliases.append(hit)
            else:
                self.replaced[key] = hit.match.replacement
                self.owners[key] = [hit]
        insertion.import_edits(aliases, self.names, self.replaced, self.owners)
        self.dirty: set[int] = set()
        parents = self.names.parents
        for key in self.replaced:
            above = parents.get(key)
            while above is not None and id(above) not in self.dirty:
                self.dirty.add(id(above))
                above = parents.get(id(above))
        self.active: set[int] = set()
        module = self._rebuild(self.module)
        done = [h for hits in self.owners.values() for h in hits if h.applied]
        requests = [*done, *self.extra]
        module, inserted = insertion.insert(
            module,
            imports=[i for h in requests for i in h.imports] + [i for h in self.extra for i in h.match.imports],
            helpers=[x for h in requests for x in h.match.helpers],
            statements=[x for h in requests for x in h.match.statements],
        )
        if module is self.module:
            return False
        if inserted:
            done += self.extra
        self._trace(self.module, module)
        for hit in done:
            if hit.match.replacement is cst.RemovalSentinel.REMOVE:
                self._forget(hit)
            self._record(hit)
        self.kept.append((module, self.names, list(self.replaced.values())))
        self.module = module
        return True

    def _trace(self, old: cst.CSTNode, new: cst.CSTNode) -> None:
        if new is not old:
            self.origin.setdefault(id(new), self.origin.get(id(old), old))

    def _rebuild(self, node: Any) -> Any:
        key = id(node)
        if key in self.replaced and key not in self.active:
            for hit in self.owners.get(key, ()):
                hit.applied = True
            new = self.replaced[key]
            self.active.add(key)
            if isinstance(new, cst.FlattenSentinel):
                new = cst.FlattenSentinel([self._rebuild(n) for n in new.nodes])
                for one in new.nodes:
                    self._trace(node, one)
            elif isinstance(new, cst.CSTNode):
                new = self._rebuild(new)
                self._trace(node, new)
            self.active.discard(key)
            return new
        if key not in self.dirty and (key in self.names.parents or node is self.module):
            return node
        changes: dict[str, Any] = {}
        for name in fields(type(node)):
            value = getattr(node, name)
            if isinstance(value, cst.CSTNode):
                new = self._rebuild(value)
                if new is not value:
                    changes[name] = None if isinstance(new, cst.RemovalSentinel) else new
            elif value.__class__ in (tuple, list):
                items: list[Any] = []
                above: Sequence[cst.EmptyLine] = ()  # what stood above a statement that is gone
                for item in value:
                    new = self._rebuild(item) if isinstance(item, cst.CSTNode) else item
                    if isinstance(new, cst.RemovalSentinel):
                        above = (*above, *getattr(item, "leading_lines", ()))
                        continue
                    some = list(new.nodes) if isinstance(new, cst.FlattenSentinel) else [new]
                    if above and some:
                        kept = insertion.with_lines_above(some[0], above)
                        self._trace(some[0], kept)
                        some[0], above = kept, ()
                    items += some
                if len(items) != len(value) or any(a is not b for a, b in zip(items, value, strict=True)):
                    changes[name] = items
        if not changes:
            return node
        new = insertion.with_body_kept(node, changes)
        if isinstance(new, cst.CSTNode):
            self._trace(node, new)
        return new

    # ---------------------------------------------------------------- findings

    def _original(self, node: cst.CSTNode) -> cst.CSTNode | None:
        first = self.first.parents if self.first is not None else {}
        at: cst.CSTNode | None = node
        while at is not None:
            found = self.origin.get(id(at))
            if found is not None:
                return found
            if id(at) in first:
                return at
            at = self.names.parents.get(id(at))
        return None

    def _record(self, hit: _Hit) -> None:
        match = hit.match
        key = (id(hit.old), hit.rule.id, match.message)
        if key in self.seen:
            return
        self.seen.add(key)
        level = match.level or (Level.NOTE if match.is_change else Level.WARNING)
        fix = _fix(match) if match.is_change else None
        self.findings.append((hit.old, hit.rule.id, level, match.message, fix, match.advice))

    def _forget(self, hit: _Hit) -> None:
        """What was reported about a node that is gone now, in this pass or before, is not worth saying."""
        gone = hit.old
        first = self.first.parents if self.first is not None else {}

        def inside(node: cst.CSTNode | None) -> bool:
            while node is not None and node is not gone:
                node = first.get(id(node))
            return node is not None

        self.findings = [f for f in self.findings if f[4] is not None or not inside(f[0])]

    def located(self, filename: str) -> list[Finding]:
        self.recording = _Recording.of(
            self.original, (f[0] for f in self.findings if f[0] is not None), statements=self.module is not self.original
        )
        spans = self.recording.places()
        found = []
        for node, rule, level, message, fix, advice in self.findings:
            line, column, end_line, end_column = spans.get(id(node), (0, 0, 0, 0))
            found.append(Finding(rule, level, message, Location(filename, line, column, end_line, end_column), fix, advice))
        found.sort(key=lambda f: (f.location.line, f.location.column, f.rule, f.message))
        return found

    def code(self) -> str:
        """The new text: what the old module wrote for the statements that are the same, the rest written anew."""
        return self.recording.with_same(self.module)

    def _is_ignored(self, hit: _Hit) -> bool:
        """`# tfrevive: ignore[rule]` on a line of the match, or on the first line of its statement."""
        if self._ignored is None:
            self._ignored = {}
            text = self.text
            if "tfrevive:" in text:
                for number, content in enumerate(text.splitlines(), 1):
                    found = _IGNORE.search(content)
                    if found is not None:
                        self._ignored[number] = frozenset(re.findall(r"[\w-]+", found.group(1) or "")) or frozenset({"*"})
        if not self._ignored or hit.old is None or self.first is None:
            return False
        statement = self.first.statement(hit.old)
        spans = positions(self.original, [hit.old, *([statement] if isinstance(statement, cst.SimpleStatementLine) else [])])
        for line, _, end_line, _ in spans.values():
            for number in range(line, end_line + 1):
                if self._ignored.get(number, frozenset()) & {"*", hit.rule.id}:
                    return True
        return False


def _fix(match: Match) -> str:
    if match.rename is not None:
        return match.rename
    if match.replacement is cst.RemovalSentinel.REMOVE:
        return "removed"
    if isinstance(match.replacement, cst.CSTNode):
        text = cst.Module([]).code_for_node(match.replacement).strip()
        return text if len(text) <= 200 else text[:197] + "..."
    return (
        "rewritten"
        if match.replacement is not None
        else "; ".join((*match.statements, *(h.strip().splitlines()[0] for h in match.helpers)))
    )


# -------------------------------------------------------------------------- places


class _Recording(CodegenState):
    """Notes where the wanted nodes begin and end while the module is written out."""

    def __init__(self, indent: str, newline: str, wanted: set[int], statements: bool) -> None:
        super().__init__(default_indent=indent, default_newline=newline)
        self.wanted = wanted
        self.statements = statements
        self.outer: dict[int, list[int]] = {}
        self.exact: dict[int, list[int]] = {}
        self.texts: dict[int, str] = {}

    @classmethod
    def of(cls, module: cst.Module, nodes: Iterable[cst.CSTNode], *, statements: bool = False) -> _Recording:
        wanted = {id(n) for n in nodes}
        state = cls(module.default_indent, module.default_newline, wanted, statements)
        if wanted or statements:
            module._codegen(state)
        return state

    def before_codegen(self, node: cst.CSTNode) -> None:
        if id(node) in self.wanted or (self.statements and node.__class__ in _STATEMENT_KINDS):
            self.outer[id(node)] = [len(self.tokens), 0]

    def after_codegen(self, node: cst.CSTNode) -> None:
        span = self.outer.get(id(node))
        if span is not None:
            span[1] = len(self.tokens)

    @contextmanager
    def record_syntactic_position(self, node: cst.CSTNode, *, start_node: Any = None, end_node: Any = None) -> Any:
        start = len(self.tokens)
        yield
        if id(node) in self.wanted:
            self.exact[id(node)] = [start, len(self.tokens)]

    def pop_trailing_newline(self) -> None:
        """Keep it: the statement may not be the last one in another module."""

    def places(self) -> dict[int, tuple[int, int, int, int]]:
        """Line, column, end line, end column (from 1) of the wanted nodes, by id."""
        spans = {key: self.exact.get(key) or self.outer[key] for key in self.wanted if key in self.outer}
        place: dict[int, tuple[int, int]] = {}
        line, column, done = 1, 1, 0
        for cut in sorted({c for span in spans.values() for c in span}):
            lines = _NEWLINE.split("".join(self.tokens[done:cut]))
            if len(lines) > 1:
                line += len(lines) - 1
                column = 1
            column += len(lines[-1])
            place[cut], done = (line, column), cut
        return {key: (*place[start], *place[end]) for key, (start, end) in spans.items()}

    def with_same(self, module: cst.Module) -> str:
        """The text of a module that shares statements with the recorded one; those are not written again."""
        return cast(cst.Module, self._same(module)).code

    def _same(self, node: Any) -> Any:
        span = self.outer.get(id(node))
        if span is not None and node.__class__ in _STATEMENT_KINDS:
            return _Verbatim("".join(self.tokens[span[0] : span[1]]))
        changes: dict[str, Any] = {}
        for name in _BODIES.get(type(node), ()):
            value = getattr(node, name)
            if isinstance(value, (list, tuple)):
                changes[name] = [self._same(item) for item in value]
            elif value is not None:
                changes[name] = self._same(value)
        return node.with_changes(**changes) if changes else node


class _Verbatim:
    """Stands for a statement whose text is known."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _codegen(self, state: CodegenState) -> None:
        end = _LINE_END.search(self.text)
        cut = end.start() if end is not None else len(self.text)
        state.add_token(self.text[:cut])
        state.add_token(self.text[cut:])  # apart, since a module without a newline at its end drops its last token


# by class: isinstance() of an abstract class is slow, and this is asked of every node
_STATEMENT_KINDS: Final = frozenset(
    [cst.ClassDef, cst.For, cst.FunctionDef, cst.If, cst.Match, cst.SimpleStatementLine, cst.Try, cst.TryStar, cst.While, cst.With]
)
_BODIES: Final[dict[type, tuple[str, ...]]] = {
    cst.ClassDef: ("body",),
    cst.Else: ("body",),
    cst.ExceptHandler: ("body",),
    cst.Finally: ("body",),
    cst.For: ("body", "orelse"),
    cst.FunctionDef: ("body",),
    cst.If: ("body", "orelse"),
    cst.IndentedBlock: ("body",),
    cst.Module: ("body",),
    cst.Try: ("body", "handlers", "orelse", "finalbody"),
    cst.While: ("body", "orelse"),
    cst.With: ("body",),
}


def positions(module: cst.Module, nodes: Iterable[cst.CSTNode]) -> dict[int, tuple[int, int, int, int]]:
    """Line, column, end line, end column (from 1) of nodes of a module, by id; one pass of writing it out."""
    return _Recording.of(module, nodes).places()


_LINE_END: Final = re.compile(r"(?:\r\n?|\n)\Z")
_NEWLINE: Final = re.compile(r"\r\n?|\n")
