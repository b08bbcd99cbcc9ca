"""Which TensorFlow symbol a name stands for, through any import form; what is shadowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import libcst as cst

from migrate.syntax import FIELDS, UNKNOWN, children, dotted, fields, leftmost, literal, statements, symbol_of_module

__all__ = ["UNKNOWN", "Binding", "Names", "Scope", "children", "dotted", "fields", "symbol_of_module"]

# Attributes that the walk notes, so that rules about Python 2 need no walk of their own.
WATCHED: Final = frozenset(
    [
        "bool",
        "complex",
        "float",
        "getcwdu",
        "has_key",
        "int",
        "items",
        "iteritems",
        "iterkeys",
        "itervalues",
        "keys",
        "letters",
        "lowercase",
        "maxint",
        "next",
        "object",
        "str",
        "tostring",
        "unicode",
        "uppercase",
        "values",
        "viewitems",
        "viewkeys",
        "viewvalues",
    ]
)

Reference: TypeAlias = cst.Name | cst.Attribute


@dataclass(slots=True)
class Binding:
    """One place that gives a name its value. `symbol` is set when an import says so, `value` when an assignment does."""

    name: str
    node: cst.CSTNode
    scope: Scope
    symbol: str | None = None
    module: str | None = None  # an import of anything else: its dotted path
    value: cst.BaseExpression | None = None
    statement: cst.CSTNode | None = None


@dataclass(slots=True, eq=False)
class Scope:
    kind: str  # module, class, function
    parent: Scope | None
    node: cst.CSTNode | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    outer: dict[str, str] = field(default_factory=dict)  # names declared global or nonlocal

    def bind(self, binding: Binding) -> None:
        where = self.outer.get(binding.name)
        scope = self
        if where == "global":
            while scope.parent is not None:
                scope = scope.parent
        elif where == "nonlocal" and self.parent is not None:
            scope = self.parent
        scope.bindings.setdefault(binding.name, []).append(binding)

    def lookup(self, name: str) -> tuple[Scope, list[Binding]] | None:
        """The scope whose binding a use of `name` here means."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings and (scope is self or scope.kind != "class") and name not in scope.outer:
                return scope, scope.bindings[name]
            scope = scope.parent
        return None


class Names:
    """One walk over a module: scopes, what is bound in them, and every use of a TensorFlow symbol."""

    def __init__(
        self, module: cst.Module, *, collect: frozenset[type] = frozenset(), public: Callable[[str], str | None] | None = None
    ) -> None:
        self.module = module
        self.scope = Scope("module", None, module)
        self.parents: dict[int, cst.CSTNode] = {}
        self.by_type: dict[type, list[cst.CSTNode]] = {kind: [] for kind in collect}
        self.imports: list[cst.ImportAlias] = []  # of TensorFlow
        self.star_imports: list[cst.ImportFrom] = []  # from tensorflow... import *
        self.attributes: dict[str, list[cst.Attribute]] = {}  # those of WATCHED
        self.references: list[Reference] = []  # maximal chains that mean something of TensorFlow, in source order
        self._public = public
        self._symbols: dict[int, str] = {}
        self._paths: dict[int, str] = {}  # as written, before private paths were mapped
        self._scopes: dict[int, Scope] = {}  # of every Name that is read, and of what opens another scope than its parent's
        self._uses: dict[str, list[cst.Name]] = {}
        self._bound_symbols: dict[tuple[int, str], str | None] = {}
        self._all_bound: set[str] = set()
        self._all_scopes: list[Scope] = [self.scope]
        self._walk()
        self._resolve()

    # ---------------------------------------------------------------- questions rules ask

    def symbol(self, node: cst.CSTNode | None) -> str | None:
        """`tf.nn.softmax` for a Name, Attribute, Call (its function) or ImportAlias; private paths by their public name; else None."""
        if isinstance(node, cst.Call):
            node = node.func
        return self._symbols.get(id(node))

    def path(self, node: cst.CSTNode | None) -> str | None:
        """Like symbol(), but as the imports say it: `tf.python.ops.rnn_cell.GRUCell`."""
        if isinstance(node, cst.Call):
            node = node.func
        return self._paths.get(id(node)) or self._symbols.get(id(node))

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self.parents.get(id(node))

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        above = self.parents.get(id(node))
        while above is not None:
            yield above
            above = self.parents.get(id(above))

    def statement(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The statement line or compound statement that holds the node."""
        for above in self.ancestors(node):
            if isinstance(above, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
                return above
        return None

    def scope_of(self, node: cst.CSTNode) -> Scope:
        """The scope in which a node is evaluated."""
        while True:
            found = self._scopes.get(id(node))
            if found is not None:
                return found
            above = self.parents.get(id(node))
            if above is None:
                return self.scope
            node = above

    def call_of(self, node: cst.CSTNode) -> cst.Call | None:
        """The call whose function this node is."""
        above = self.parents.get(id(node))
        return above if isinstance(above, cst.Call) and above.func is node else None

    def root_binding(self, node: cst.CSTNode) -> Binding | None:
        """The binding that the leftmost name of a chain means."""
        while isinstance(node, (cst.Attribute, cst.Call)):
            node = node.value if isinstance(node, cst.Attribute) else node.func
        if not isinstance(node, cst.Name):
            return None
        found = self.scope_of(node).lookup(node.value)
        return found[1][0] if found else None

    def uses(self, binding: Binding) -> list[cst.Name]:
        """The names that read this binding."""
        return [u for u in self._uses.get(binding.name, ()) if self._means(u, binding)]

    def reads(self, name: str) -> list[cst.Name]:
        """Every read of a name, whatever it is bound to."""
        return self._uses.get(name, [])

    def unbound(self, name: str) -> list[cst.Name]:
        """The reads of a name that nothing in the file binds: builtins."""
        return [u for u in self._uses.get(name, ()) if self._scopes[id(u)].lookup(name) is None]

    def module_of(self, node: cst.CSTNode) -> str | None:
        """`itertools.izip` for a chain whose root an import binds to a module that is not TensorFlow's."""
        chain = dotted(node)
        if chain is None:
            return None
        root, dot, rest = chain.partition(".")
        found = self.scope_of(leftmost(node)).lookup(root)
        if found is None or len(found[1]) != 1 or found[1][0].module is None:
            return None
        return found[1][0].module + dot + rest

    def is_guarded(self, node: cst.CSTNode) -> bool:
        """In a try that expects an import or a name to fail: both Pythons are thought of already."""
        return any(isinstance(above, (cst.Try, cst.ExceptHandler)) for above in self.ancestors(node))

    def assigned(self, node: cst.CSTNode) -> cst.BaseExpression | None:
        """The expression a name stands for when exactly one assignment gives it its value, else None."""
        if not isinstance(node, cst.Name):
            return None
        found = self.scope_of(node).lookup(node.value)
        if found is None or len(found[1]) != 1:
            return None
        return found[1][0].value

    def literal(self, node: cst.CSTNode | None) -> Any:
        """The value of a literal, or of a name that is only ever bound to one; UNKNOWN otherwise."""
        for _ in range(4):
            if node is None:
                return UNKNOWN
            value = literal(node)
            if value is not UNKNOWN:
                return value
            node = self.assigned(node)
        return UNKNOWN

    def visible(self, symbol: str, at: cst.CSTNode) -> str | None:
        """A name by which `symbol` ("tf", "tf.compat.v1") can be said at a place, if an import gives it one."""
        scope = self.scope_of(at)
        seen: Scope | None = scope
        while seen is not None:
            for name, bindings in seen.bindings.items():
                if self._bound_symbol(seen, name) == symbol and any(b.symbol == symbol for b in bindings):
                    found = scope.lookup(name)
                    if found is not None and found[0] is seen:
                        return name
            seen = seen.parent
        return None

    def visible_module(self, module: str, at: cst.CSTNode) -> str | None:
        """The same for an import of a module that is not TensorFlow's."""
        scope = self.scope_of(at)
        for name, bindings in self.scope.bindings.items():
            if len(bindings) == 1 and bindings[0].module == module:
                found = scope.lookup(name)
                if found is not None and found[0] is self.scope:
                    return name
        return None

    def is_free(self, name: str) -> bool:
        """No scope of the file binds or reads this name."""
        return name not in self._uses and name not in self._all_bound

    # ---------------------------------------------------------------- the walk

    def _walk(self) -> None:
        parents, by_type, uses, scopes = self.parents, self.by_type, self._uses, self._scopes
        stack: list[tuple[cst.CSTNode, Scope]] = [(self.module, self.scope)]
        pop, push, known = stack.pop, stack.append, FIELDS
        while stack:
            node, scope = pop()
            kind = type(node)
            collected = by_type.get(kind)
            if collected is not None:
                collected.append(node)
            if kind is cst.Name:
                uses.setdefault(node.value, []).append(node)  # type: ignore[attr-defined, arg-type]
                scopes[id(node)] = scope
                continue
            special = _SPECIAL.get(kind)
            if special is not None:
                below = special(self, node, scope)
            else:
                below = []
                for name in FIELDS.get(kind) or fields(kind):
                    value = getattr(node, name)
                    if value.__class__ in (tuple, list):
                        below += [(item, scope) for item in value]
                    elif value is not None and (value.__class__ in known or isinstance(value, cst.CSTNode)):
                        below.append((value, scope))
            for pair in reversed(below):
                if pair[1] is not scope:
                    scopes[id(pair[0])] = pair[1]
                parents.setdefault(id(pair[0]), node)  # the special cases have set it where a layout node lies between
                push(pair)

    def _inner(self, kind: str, scope: Scope, node: cst.CSTNode) -> Scope:
        self._all_scopes.append(Scope(kind, scope, node))
        return self._all_scopes[-1]

    def _bind(self, scope: Scope, name: str, node: cst.CSTNode, **more: Any) -> None:
        self._all_bound.add(name)
        scope.bind(Binding(name, node, scope, **more))

    def _bind_target(self, scope: Scope, target: cst.CSTNode, value: cst.BaseExpression | None, statement: cst.CSTNode | None) -> list[Any]:
        """Bind an assignment target; returns what of it is read (subscripts, attributes)."""
        if isinstance(target, cst.Name):
            self._bind(scope, target.value, target, value=value, statement=statement)
            self._scopes[id(target)] = scope
            return []
        if isinstance(target, (cst.Tuple, cst.List)):
            values: list[cst.BaseExpression | None] = [None] * len(target.elements)
            if isinstance(value, (cst.Tuple, cst.List)) and len(value.elements) == len(target.elements):
                if not any(isinstance(e, cst.StarredElement) for e in (*value.elements, *target.elements)):
                    values = [e.value for e in value.elements]
            below: list[Any] = []
            for element, one in zip(target.elements, values, strict=True):
                self.parents[id(element)] = target
                self.parents[id(element.value)] = element
                below += self._bind_target(scope, element.value, one, statement)
            return below
        if isinstance(target, cst.StarredElement):
            self.parents[id(target.value)] = target
            return self._bind_target(scope, target.value, None, statement)
        return [(target, scope)]

    def _assign(self, node: cst.Assign, scope: Scope) -> list[Any]:
        below: list[Any] = []
        plain = len(node.targets) == 1
        for target in node.targets:
            self.parents[id(target)] = node
            self.parents[id(target.target)] = target
            for pair in self._bind_target(scope, target.target, node.value, node if plain else None):
                below.append(pair)
        return [*below, (node.value, scope)]

    def _import(self, node: cst.Import, scope: Scope) -> list[Any]:
        for alias in node.names:
            self.parents[id(alias)] = node
            module = dotted(alias.name) or ""
            symbol = symbol_of_module(module)
            if alias.asname is not None:
                name = alias.asname.name
                if isinstance(name, cst.Name):
                    self._bind(scope, name.value, alias, symbol=symbol, module=None if symbol else module, statement=node)
            else:
                root = module.partition(".")[0]
                bound = symbol_of_module(root)
                self._bind(scope, root, alias, symbol=bound, module=None if bound else root, statement=node)
            if symbol is not None:
                self._note_import(alias, symbol, scope)
        return []

    def _import_from(self, node: cst.ImportFrom, scope: Scope) -> list[Any]:
        module = dotted(node.module) if node.module is not None else ""
        symbol = symbol_of_module(module or "") if not node.relative else None
        if isinstance(node.names, cst.ImportStar):
            if symbol is not None:
                self.star_imports.append(node)
            return []
        for alias in node.names:
            self.parents[id(alias)] = node
            name = alias.asname.name if alias.asname is not None else alias.name
            if not isinstance(name, cst.Name):
                continue
            leaf = dotted(alias.name)
            whole = f"{symbol}.{leaf}" if symbol is not None else None
            other = None if whole else ("." * len(node.relative)) + (f"{module}." if module else "") + str(leaf)
            self._bind(scope, name.value, alias, symbol=whole, module=other, statement=node)
            if whole is not None:
                self._note_import(alias, whole, scope)
        return []

    def _note_import(self, alias: cst.ImportAlias, symbol: str, scope: Scope) -> None:
        self.imports.append(alias)
        self._scopes[id(alias)] = scope
        self._set(alias, symbol)

    def _function(self, node: cst.FunctionDef, scope: Scope) -> list[Any]:
        self._bind(scope, node.name.value, node)
        inner = self._inner("function", scope, node)
        below: list[Any] = [(d, scope) for d in node.decorators]
        if node.returns is not None:
            below.append((node.returns, scope))
        if node.type_parameters is not None:
            below.append((node.type_parameters, inner))
        below += self._parameters(node.params, scope, inner)
        self.parents[id(node.params)] = node
        self._declare_outer(node.body, inner)
        below.append((node.body, inner))
        return below

    def _lambda(self, node: cst.Lambda, scope: Scope) -> list[Any]:
        inner = self._inner("function", scope, node)
        self.parents[id(node.params)] = node
        return [*self._parameters(node.params, scope, inner), (node.body, inner)]

    def _parameters(self, params: cst.Parameters, outer: Scope, inner: Scope) -> list[Any]:
        below: list[Any] = []
        some: list[Any] = [*params.posonly_params, *params.params, params.star_arg, *params.kwonly_params, params.star_kwarg]
        for param in some:
            if isinstance(param, cst.Param):
                self._bind(inner, param.name.value, param)
                self.parents[id(param)] = params
                for value in (param.default, param.annotation):
                    if value is not None:
                        self.parents[id(value)] = param
                        below.append((value, outer))
        return below

    def _declare_outer(self, body: cst.CSTNode, scope: Scope) -> None:
        """global and nonlocal hold for the whole function, so they are found before its bindings."""
        for statement in statements(body):
            if isinstance(statement, (cst.Global, cst.Nonlocal)):
                word = "global" if isinstance(statement, cst.Global) else "nonlocal"
                for item in statement.names:
                    scope.outer[item.name.value] = word

    def _class(self, node: cst.ClassDef, scope: Scope) -> list[Any]:
        self._bind(scope, node.name.value, node)
        inner = self._inner("class", scope, node)
        below: list[Any] = [(item, scope) for item in (*node.decorators, *node.bases, *node.keywords)]
        if node.type_parameters is not None:
            below.append((node.type_parameters, inner))
        return [*below, (node.body, inner)]

    def _comprehension(self, node: cst.BaseComp, scope: Scope) -> list[Any]:
        inner = self._inner("function", scope, node)
        below: list[Any] = []
        part: cst.CompFor | None = node.for_in
        first = True
        above: cst.CSTNode = node
        while part is not None:
            self.parents[id(part)] = above
            self.parents[id(part.target)] = part
            below += self._bind_target(inner, part.target, None, None)
            below.append((part.iter, scope if first else inner))
            below += [(test, inner) for test in part.ifs]
            for child in (part.iter, *part.ifs):
                self.parents[id(child)] = part
            first, above, part = False, part, part.inner_for_in
        elements = [node.key, node.value] if isinstance(node, cst.DictComp) else [node.elt]  # type: ignore[attr-defined]
        return [*below, *((e, inner) for e in elements)]

    def _attribute(self, node: cst.Attribute, scope: Scope) -> list[Any]:
        if node.attr.value in WATCHED:
            self.attributes.setdefault(node.attr.value, []).append(node)
        return [(node.value, scope)]

    def _arg(self, node: cst.Arg, scope: Scope) -> list[Any]:
        return [(node.value, scope)]

    def _targets(self, node: Any, scope: Scope) -> list[Any]:
        """for, with-as, :=, augmented and annotated assignment: a target and what is read."""
        if isinstance(node, cst.For):
            self.parents[id(node.target)] = node
            below = self._bind_target(scope, node.target, None, None)
            more = [node.iter, node.body, node.orelse]
        elif isinstance(node, cst.AsName):
            self.parents[id(node.name)] = node
            below, more = self._bind_target(scope, node.name, None, None), []
        elif isinstance(node, (cst.NamedExpr, cst.AugAssign)):
            self.parents[id(node.target)] = node
            below, more = self._bind_target(scope, node.target, None, None), [node.value]
        else:
            self.parents[id(node.target)] = node
            below = self._bind_target(scope, node.target, node.value, node) if node.value is not None else []
            more = [node.annotation, node.value]
        return [*below, *((m, scope) for m in more if m is not None)]

    def _capture(self, node: Any, scope: Scope) -> list[Any]:
        """match: a captured name."""
        below = []
        for value in (node.name, getattr(node, "pattern", None)):
            if isinstance(value, cst.Name):
                self._bind(scope, value.value, node)
            elif isinstance(value, cst.CSTNode):
                below.append((value, scope))
        return below

    def _nothing(self, node: cst.CSTNode, scope: Scope) -> list[Any]:
        return []

    # ---------------------------------------------------------------- from bindings to symbols

    def _set(self, node: cst.CSTNode, path: str, inherited: str | None = None) -> str:
        """Note what a node stands for; what a private module's public equal holds is public, too."""
        symbol = (self._public(path) if self._public is not None else None) or inherited or path
        if symbol != path:
            self._paths[id(node)] = path
        self._symbols[id(node)] = symbol
        return symbol

    def _resolve(self) -> None:
        for name in self._candidates():
            for use in self._uses.get(name, ()):
                path = self._name_symbol(use)
                if path is None:
                    continue
                node: Reference = use
                symbol = self._set(node, path)
                above = self.parents.get(id(node))
                while isinstance(above, cst.Attribute) and above.value is node:
                    path = f"{path}.{above.attr.value}"
                    symbol = self._set(above, path, f"{symbol}.{above.attr.value}")
                    node = above
                    above = self.parents.get(id(node))
                self.references.append(node)
        order = {key: number for number, key in enumerate(self._scopes)}
        self.references.sort(key=lambda node: order[id(leftmost(node))])

    def _candidates(self) -> set[str]:
        """The names that some scope binds to TensorFlow, directly or through other names."""
        found: set[str] = set()
        aliases: dict[str, set[str]] = {}
        for scope in self._all_scopes:
            for name, bindings in scope.bindings.items():
                for binding in bindings:
                    if binding.symbol is not None:
                        found.add(name)
                    elif isinstance(binding.value, (cst.Name, cst.Attribute)):
                        chain = dotted(binding.value)
                        if chain is not None:
                            aliases.setdefault(chain.partition(".")[0], set()).add(name)
        todo = list(found)
        while todo:
            for alias in aliases.pop(todo.pop(), ()):
                if alias not in found:
                    found.add(alias)
                    todo.append(alias)
        return found

    def _means(self, use: cst.Name, binding: Binding) -> bool:
        found = self._scopes[id(use)].lookup(use.value)
        return found is not None and binding in found[1]

    def _name_symbol(self, use: cst.Name) -> str | None:
        found = self._scopes[id(use)].lookup(use.value)
        return self._bound_symbol(found[0], use.value) if found is not None else None

    def _bound_symbol(self, scope: Scope, name: str) -> str | None:
        """What a name means in a scope: a symbol when every binding agrees, `None` bindings of a failed import aside."""
        key = (id(scope), name)
        if key in self._bound_symbols:
            return self._bound_symbols[key]
        self._bound_symbols[key] = None  # a name bound through itself
        symbol: str | None = None
        for binding in scope.bindings[name]:
            one = binding.symbol
            if one is None and isinstance(binding.value, (cst.Name, cst.Attribute)):
                one = self._chain_symbol(binding.value, binding.scope)
            if one is None:
                if isinstance(binding.value, cst.Name) and binding.value.value == "None":
                    continue
                if self._is_fallback(binding):
                    continue
                return None
            if symbol is None:
                symbol = one
            elif symbol != one and not self._is_fallback(binding):
                return None
        self._bound_symbols[key] = symbol
        return symbol

    def _chain_symbol(self, node: cst.CSTNode, scope: Scope) -> str | None:
        chain = dotted(node)
        if chain is None:
            return None
        root, dot, rest = chain.partition(".")
        found = scope.lookup(root)
        symbol = self._bound_symbol(found[0], root) if found is not None else None
        return symbol + dot + rest if symbol is not None else None

    def _is_fallback(self, binding: Binding) -> bool:
        """Bound in an except or else branch: what is used when the import before it failed."""
        return any(isinstance(above, (cst.ExceptHandler, cst.Else)) for above in self.ancestors(binding.statement or binding.node))


_SPECIAL: dict[type, Callable[[Names, Any, Scope], list[Any]]] = {
    cst.AnnAssign: Names._targets,
    cst.Arg: Names._arg,
    cst.AsName: Names._targets,
    cst.Assign: Names._assign,
    cst.Attribute: Names._attribute,
    cst.AugAssign: Names._targets,
    cst.ClassDef: Names._class,
    cst.DictComp: Names._comprehension,
    cst.For: Names._targets,
    cst.FunctionDef: Names._function,
    cst.GeneratorExp: Names._comprehension,
    cst.Global: Names._nothing,
    cst.Import: Names._import,
    cst.ImportFrom: Names._import_from,
    cst.Lambda: Names._lambda,
    cst.ListComp: Names._comprehension,
    cst.MatchAs: Names._capture,
    cst.MatchStar: Names._capture,
    cst.NamedExpr: Names._targets,
    cst.Nonlocal: Names._nothing,
    cst.SetComp: Names._comprehension,
}
