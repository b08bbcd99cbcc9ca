"""Edits of import statements, and what is put after them: imports, helper functions, statements that run once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import libcst as cst

from migrate.names import Names, dotted, symbol_of_module


def _module_path(symbol: str) -> str:
    """tf.nn -> tensorflow.nn; other modules keep their name."""
    return "tensorflow" + symbol[2:] if symbol == "tf" or symbol.startswith("tf.") else symbol


def _path(text: str) -> Any:
    node: Any = None
    for part in text.split("."):
        node = cst.Name(part) if node is None else cst.Attribute(node, cst.Name(part))
    return node


def _as(name: str) -> cst.AsName:
    return cst.AsName(cst.Name(name), whitespace_before_as=cst.SimpleWhitespace(" "), whitespace_after_as=cst.SimpleWhitespace(" "))


def _import_of(symbol: str, local: str) -> cst.Import | cst.ImportFrom:
    """The import statement that binds a symbol to a name."""
    path = _module_path(symbol)
    head, dot, leaf = path.rpartition(".")
    asname = None if leaf == local else _as(local)
    if not dot:
        return cst.Import([cst.ImportAlias(cst.Name(path), asname)])
    return cst.ImportFrom(_path(head), [cst.ImportAlias(cst.Name(leaf), asname)])


def import_edits(hits: Sequence[Any], names: Names, replaced: dict[int, Any], owners: dict[int, list[Any]]) -> None:
    """Turn what rules want done to import aliases into replacements of their statements."""
    by_statement: dict[int, list[Any]] = {}
    statements: dict[int, Any] = {}
    for hit in hits:
        statement = names.parent(hit.match.node)
        if isinstance(statement, (cst.Import, cst.ImportFrom)):
            by_statement.setdefault(id(statement), []).append(hit)
            statements[id(statement)] = statement
    for key, some in by_statement.items():
        statement = statements[key]
        news = _edited(statement, {id(h.match.node): h.match for h in some})
        line = names.parent(statement)
        target, value = statement, _flat(news)
        if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 and len(news) != 1:
            target = line
            first = [line.with_changes(body=[news[0]])] if news else []
            value = _flat([*first, *(cst.SimpleStatementLine([n]) for n in news[1:])])
        replaced[id(target)] = value
        owners[id(target)] = list(some)


def _flat(nodes: Sequence[Any]) -> Any:
    if not nodes:
        return cst.RemovalSentinel.REMOVE
    return nodes[0] if len(nodes) == 1 else cst.FlattenSentinel(nodes)


def _edited(statement: cst.Import | cst.ImportFrom, wanted: dict[int, Any]) -> list[Any]:
    """The statements that take an import statement's place."""
    aliases: Sequence[cst.ImportAlias] = statement.names if not isinstance(statement.names, cst.ImportStar) else ()
    kept: list[cst.ImportAlias] = []
    apart: list[Any] = []
    base = None
    if isinstance(statement, cst.ImportFrom):
        base = symbol_of_module(dotted(statement.module) or "")
        base = base if not statement.relative else None
    moves = {k: m.rename for k, m in wanted.items() if m.rename is not None}
    heads = {moves[id(a)].rpartition(".")[0] if id(a) in moves else None for a in aliases}
    whole = heads.pop() if isinstance(statement, cst.ImportFrom) and len(heads) == 1 else None  # all go to the same module
    for alias in aliases:
        match = wanted.get(id(alias))
        if match is None:
            kept.append(alias)
            continue
        if match.rename is None:
            if isinstance(match.replacement, cst.ImportAlias):
                kept.append(match.replacement)
            continue
        symbol = match.rename
        head, _, leaf = symbol.rpartition(".")
        local = _local(alias)
        if isinstance(statement, cst.ImportFrom) and head and head in (base, whole):
            asname = None if leaf == local else (alias.asname or _as(local))
            kept.append(alias.with_changes(name=cst.Name(leaf), asname=asname))
        elif isinstance(statement, cst.Import) and alias.asname is None:
            if "." in (dotted(alias.name) or "") and not any(dotted(k.name) == "tensorflow" and k.asname is None for k in kept):
                kept.append(alias.with_changes(name=cst.Name((dotted(alias.name) or "").partition(".")[0])))
        elif isinstance(statement, cst.Import) and "." not in _module_path(symbol):
            kept.append(alias.with_changes(name=cst.Name(symbol), asname=None if local == symbol else alias.asname))
        else:
            apart.append(_import_of(symbol, local))
    news: list[Any] = []
    if kept:
        if kept[-1] is not aliases[-1]:
            kept[-1] = kept[-1].with_changes(comma=aliases[-1].comma)
        changed = statement.with_changes(names=kept)
        if whole:
            changed = changed.with_changes(module=_path(_module_path(whole)))
        news.append(changed)
    return [*news, *apart]


def _local(alias: cst.ImportAlias) -> str:
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    return (dotted(alias.name) or "").partition(".")[0]


# -------------------------------------------------------------------------- insertion


def with_body_kept(node: Any, changes: dict[str, Any]) -> Any:
    """node.with_changes, but a block never ends up empty, and a statement line without statements goes."""
    body = changes.get("body")
    if isinstance(node, cst.SimpleStatementLine) and body is not None and not body:
        return cst.RemovalSentinel.REMOVE
    if isinstance(node, cst.SimpleStatementLine) and body is not None:
        last = body[-1]
        if len(body) != len(node.body) and isinstance(last.semicolon, cst.Semicolon):
            body[-1] = last.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
    if isinstance(node, cst.IndentedBlock) and body is not None and not body:
        changes["body"] = [cst.SimpleStatementLine([cst.Pass()])]
    if isinstance(node, cst.SimpleStatementSuite) and body is not None and not body:
        changes["body"] = [cst.Pass()]
    return node.with_changes(**changes)


def with_lines_above(statement: Any, lines: Sequence[cst.EmptyLine]) -> Any:
    """The statement with what stood above the removed one before it: comments stay, blank lines if it has none of its own."""
    own = getattr(statement, "leading_lines", None)
    if own is None:
        return statement
    has_comment = any(line.comment is not None for line in lines)
    if not has_comment and any(line.comment is None for line in own):
        return statement
    return statement.with_changes(leading_lines=[*lines, *own])


def _is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and all(isinstance(s, (cst.Import, cst.ImportFrom)) for s in statement.body)


def _is_plain_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[0], cst.Import)


def _modules(statement: cst.CSTNode) -> list[str]:
    """The dotted modules a statement line imports."""
    found = []
    for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
        if isinstance(small, cst.Import):
            found += [dotted(a.name) or "" for a in small.names]
        elif isinstance(small, cst.ImportFrom) and not small.relative:
            found.append(dotted(small.module) or "")
    return found


def _imports_tensorflow(statement: cst.CSTNode) -> bool:
    if isinstance(statement, cst.SimpleStatementLine):
        return any(symbol_of_module(m) is not None or m.partition(".")[0] == "tf_slim" for m in _modules(statement))
    if isinstance(statement, (cst.Try, cst.If, cst.With)):
        stack: list[Any] = [statement]
        while stack:
            node = stack.pop()
            if isinstance(node, cst.SimpleStatementLine):
                if _imports_tensorflow(node):
                    return True
            elif isinstance(node, (cst.Try, cst.If, cst.With, cst.Else, cst.ExceptHandler, cst.IndentedBlock, cst.Finally)):
                stack += [getattr(node, n, None) for n in ("body", "orelse", "finalbody")]
                stack += getattr(node, "handlers", ())
            elif isinstance(node, (list, tuple)):
                stack += node
    return False


def _is_docstring(statement: cst.CSTNode) -> bool:
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and isinstance(statement.body[0], cst.Expr)
        and isinstance(statement.body[0].value, (cst.SimpleString, cst.ConcatenatedString))
    )


def _import_place(body: Sequence[cst.CSTNode]) -> int:
    """Where a new import goes: after TensorFlow's own or what took its place, else after the first block of imports, else after the docstring."""
    for index, statement in enumerate(body):
        if _imports_tensorflow(statement):
            place = index + 1
            while place < len(body) and _is_plain_import(body[place]) and _imports_tensorflow(body[place]):
                place += 1  # what was put here before
            return place
    place = 1 if body and _is_docstring(body[0]) else 0
    for index, statement in enumerate(body):
        if _is_import(statement):
            place = index + 1
        elif index >= place:
            break
    return place


def _imports_end(body: Sequence[cst.CSTNode]) -> int:
    """The end of the run of imports that starts the file (other statements may lie between them)."""
    place = _import_place(body)
    for index in range(place, len(body)):
        if not (_is_import(body[index]) or _is_switch(body[index])):
            break
        place = index + 1
    return place


def _is_switch(statement: cst.CSTNode) -> bool:
    """`tf.compat.v1.disable_v2_behavior()` and its like, which stand among the imports."""
    if not (isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[0], cst.Expr)):
        return False
    call = statement.body[0].value
    return isinstance(call, cst.Call) and (dotted(call.func) or "").rpartition(".")[2].startswith(("disable_", "enable_"))


def insert(module: cst.Module, *, imports: Iterable[str], helpers: Iterable[str], statements: Iterable[str]) -> tuple[cst.Module, bool]:
    """Put imports, statements and helper functions where they belong, each once."""
    imports, helpers, statements = (list(dict.fromkeys(texts)) for texts in (imports, helpers, statements))
    if not (imports or helpers or statements):
        return module, False
    config = module.config_for_parsing
    body: list[Any] = list(module.body)
    there = {re.sub(r"\s*#.*", "", module.code_for_node(s).strip()) for s in body if isinstance(s, cst.SimpleStatementLine)}
    before = len(body)
    plain = ("import tensorflow as tf", "import tensorflow")
    if any("{tf}" in text for text in (*helpers, *statements)) and _tensorflow(body) is None and not any(p in imports for p in plain):
        imports.append(plain[bool(re.search(r"\btf\b", module.code))])
    for text in sorted(imports, key=lambda text: not text.startswith("import tensorflow")):
        if text not in there:
            there.add(text)
            _put(body, _import_place(body), cst.parse_statement(text, config=config))
    name, place_of_tensorflow = _tensorflow(body) or ("tensorflow", 0)
    defined = {s.name.value for s in body if isinstance(s, (cst.FunctionDef, cst.ClassDef))}
    for text in helpers:
        parsed = cst.parse_module(text.strip("\n").replace("{tf}", name) + "\n", config=config)
        wanted = {s.name.value for s in parsed.body if isinstance(s, (cst.FunctionDef, cst.ClassDef))}
        if wanted & defined:
            continue
        defined |= wanted
        place = _imports_end(body)
        new: list[Any] = list(parsed.body)
        blank = [cst.EmptyLine(indent=False), cst.EmptyLine(indent=False)]
        new[0] = new[0].with_changes(leading_lines=blank)
        if place < len(body) and hasattr(body[place], "leading_lines"):
            lines = list(body[place].leading_lines)
            blanks = sum(1 for _ in _leading_blanks(lines))
            body[place] = body[place].with_changes(leading_lines=[*blank[: 2 - min(2, blanks)], *lines])
        body[place:place] = new
    for text in statements:
        whole = text.replace("{tf}", name)
        if whole not in there:
            there.add(whole)
            body.insert(place_of_tensorflow, cst.parse_statement(whole, config=config))
            place_of_tensorflow += 1
    if len(body) == before:
        return module, False
    return module.with_changes(body=body), True


def _put(body: list[Any], place: int, statement: Any) -> None:
    """Insert a statement; what stands above the first statement of a file stays at its top."""
    if place == 0 and body and hasattr(body[0], "leading_lines"):
        statement = statement.with_changes(leading_lines=body[0].leading_lines)
        body[0] = body[0].with_changes(leading_lines=[])
    body.insert(place, statement)


def _leading_blanks(lines: Sequence[cst.EmptyLine]) -> Iterable[cst.EmptyLine]:
    for line in lines:
        if line.comment is not None:
            return
        yield line


def _tensorflow(body: Sequence[cst.CSTNode]) -> tuple[str, int] | None:
    """The name the module body gives to TensorFlow, and the place after the statement that does."""
    for index, statement in enumerate(body):
        stack: list[Any] = [statement]
        while stack:
            node = stack.pop(0)
            if isinstance(node, cst.Import):
                for alias in node.names:
                    path = dotted(alias.name) or ""
                    if alias.asname is None and path.partition(".")[0] == "tensorflow":
                        return "tensorflow", index + 1
                    if symbol_of_module(path) == "tf":
                        return _local(alias), index + 1
            elif isinstance(node, cst.SimpleStatementLine):
                stack += node.body
            elif isinstance(node, (cst.Try, cst.If, cst.IndentedBlock)):
                inner = node.body
                stack += list(inner) if isinstance(inner, (list, tuple)) else [inner]
    return None
