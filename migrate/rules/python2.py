"""Python 2's names, modules, methods and integer division, in files that use TensorFlow; its syntax is migrate/source.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import libcst as cst

from migrate.names import UNKNOWN, Names, dotted
from migrate.report.finding import Level
from migrate.rule import Context, Example, Match, call_with, rule

TF: Final = "import tensorflow as tf\n"

# Builtins that Python 3 has under another name; a dotted one needs an import of its first part.
BUILTINS: Final = {
    "StandardError": "Exception",
    "basestring": "str",
    "intern": "sys.intern",
    "long": "int",
    "raw_input": "input",
    "reduce": "functools.reduce",
    "reload": "importlib.reload",
    "unichr": "chr",
    "unicode": "str",
    "xrange": "range",
}

# Builtins that are gone.
GONE: Final = {
    "apply": "call the function with *args, **kwargs",
    "buffer": "use memoryview",
    "cmp": "use (a > b) - (a < b), or a key function where it sorts",
    "coerce": "convert by hand",
    "execfile": "use exec(compile(open(path).read(), path, 'exec'))",
    "file": "use open",
}

# Modules that Python 3 has under another name.
MODULES: Final = {
    "BaseHTTPServer": "http.server",
    "CGIHTTPServer": "http.server",
    "ConfigParser": "configparser",
    "Cookie": "http.cookies",
    "HTMLParser": "html.parser",
    "Queue": "queue",
    "SimpleHTTPServer": "http.server",
    "SocketServer": "socketserver",
    "StringIO": "io",
    "Tkinter": "tkinter",
    "UserDict": "collections",
    "__builtin__": "builtins",
    "cPickle": "pickle",
    "cStringIO": "io",
    "commands": "subprocess",
    "cookielib": "http.cookiejar",
    "copy_reg": "copyreg",
    "dummy_thread": "_dummy_thread",
    "httplib": "http.client",
    "repr": "reprlib",
    "robotparser": "urllib.robotparser",
    "thread": "_thread",
    "tkMessageBox": "tkinter.messagebox",
    "urllib2": "urllib.request",
    "urlparse": "urllib.parse",
    "xmlrpclib": "xmlrpc.client",
}

# Members of modules that moved or were renamed.
MEMBERS: Final = {
    "itertools.ifilter": "filter",
    "itertools.ifilterfalse": "itertools.filterfalse",
    "itertools.imap": "map",
    "itertools.izip": "zip",
    "itertools.izip_longest": "itertools.zip_longest",
    "os.getcwdu": "os.getcwd",
    "string.letters": "string.ascii_letters",
    "string.lowercase": "string.ascii_lowercase",
    "string.uppercase": "string.ascii_uppercase",
    "sys.maxint": "sys.maxsize",
    "urllib.URLopener": "urllib.request.URLopener",
    "urllib.pathname2url": "urllib.request.pathname2url",
    "urllib.quote": "urllib.parse.quote",
    "urllib.quote_plus": "urllib.parse.quote_plus",
    "urllib.unquote": "urllib.parse.unquote",
    "urllib.unquote_plus": "urllib.parse.unquote_plus",
    "urllib.urlcleanup": "urllib.request.urlcleanup",
    "urllib.urlencode": "urllib.parse.urlencode",
    "urllib.urlopen": "urllib.request.urlopen",
    "urllib.urlretrieve": "urllib.request.urlretrieve",
}

METHODS: Final = {
    "iteritems": "items",
    "iterkeys": "keys",
    "itervalues": "values",
    "viewitems": "items",
    "viewkeys": "keys",
    "viewvalues": "values",
}

# Callers that take any iterable: a lazy map or zip is as good as a list there.
ITERATING: Final = frozenset(
    [
        "all",
        "any",
        "dict",
        "enumerate",
        "filter",
        "frozenset",
        "iter",
        "list",
        "map",
        "max",
        "min",
        "set",
        "sorted",
        "sum",
        "tuple",
        "zip",
        "reversed",
    ]
)


@rule(
    "python2-name",
    "Use Python 3's name of a builtin.",
    since="0.5",
    visits=cst.Module,
    order=20,
    examples=[
        Example(TF + "for i in xrange(3):\n    tf.constant(i)\n", TF + "for i in range(3):\n    tf.constant(i)\n"),
        Example(TF + "total = reduce(tf.add, xs)\n", TF + "import functools\ntotal = functools.reduce(tf.add, xs)\n"),
        Example(TF + "xrange = range\nfor i in xrange(3):\n    pass\n", None, "bound in the file"),
        Example(TF + "try:\n    text = unicode\nexcept NameError:\n    text = str\n", None, "both Pythons are thought of"),
        Example(TF + "execfile('setup.py')\n", None, reported=True),
    ],
)
def python2_name(node: cst.Module, names: Names, context: Context) -> Iterator[Match]:
    for old, new in BUILTINS.items():
        for use in names.unbound(old):
            if not names.is_guarded(use):
                root, dot, _ = new.partition(".")
                yield Match(use, f"Python 3's {old} is {new}", _chain(new), imports=(f"import {root}",) if dot else ())
    for old, advice in GONE.items():
        for use in names.unbound(old):
            if not names.is_guarded(use) and names.call_of(use) is not None:
                yield Match(use, f"Python 3 has no {old}", advice=advice)


def _chain(text: str) -> Any:
    return cst.parse_expression(text)


@rule(
    "python2-method",
    "Use Python 3's dict methods and next().",
    since="0.5",
    visits=cst.Module,
    order=20,
    examples=[
        Example(TF + "for k, v in d.iteritems():\n    tf.add(k, v)\n", TF + "for k, v in d.items():\n    tf.add(k, v)\n"),
        Example(TF + "if d.has_key('x'):\n    tf.add(1, 2)\n", TF + "if 'x' in d:\n    tf.add(1, 2)\n"),
        Example(TF + "import six\nfor k, v in six.iteritems(d):\n    tf.add(k, v)\n", None, "six knows both"),
        Example(TF + "rows = iter(x)\nrows.next()\n", TF + "rows = iter(x)\nnext(rows)\n", python2=True),
    ],
)
def python2_method(node: cst.Module, names: Names, context: Context) -> Iterator[Match]:
    for old, new in METHODS.items():
        for use in names.attributes.get(old, ()):
            call = names.call_of(use)
            if call is not None and not call.args and names.symbol(use) is None:
                replacement = use.with_changes(attr=use.attr.with_changes(value=new))
                yield Match(use, f".{old}() is .{new}()", replacement)
    for use in names.attributes.get("has_key", ()):
        call = names.call_of(use)
        if call is not None and len(call.args) == 1 and not call.args[0].star and call.args[0].keyword is None:
            above = names.parent(call)
            negated = isinstance(above, cst.UnaryOperation) and isinstance(above.operator, cst.Not)
            tight = not isinstance(above, (cst.If, cst.While, cst.Assign, cst.Return, cst.Expr, cst.Arg, cst.BooleanOperation, cst.Assert))
            found: Any = context.parse("{key} in {d}", key=call.args[0].value, d=use.value)
            if tight and not negated:
                found = found.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
            yield Match(call, ".has_key(k) is `k in`", found)
    if context.dialect == 2:
        yield from _next(names, context)


def _next(names: Names, context: Context) -> Iterator[Match]:
    for use in names.attributes.get("next", ()):
        call = names.call_of(use)
        if call is None or call.args or names.symbol(use) is not None:
            continue
        source = names.assigned(use.value) if isinstance(use.value, cst.Name) else use.value
        maker = dotted(source.func) if isinstance(source, cst.Call) else None
        if maker is not None and maker.rpartition(".")[2] in ("iter", "reader", "open", "cycle", "enumerate", "chain", "DictReader"):
            yield Match(call, ".next() of an iterator is next()", context.parse("next({x})", x=use.value))
        else:
            yield Match(call, "an iterator has no .next() in Python 3", advice="write next(x), unless the method is one of your own")


@rule(
    "python2-module",
    "Import a module by Python 3's name.",
    since="0.5",
    visits=(cst.Import, cst.ImportFrom, cst.Module),
    order=20,
    examples=[
        Example(TF + "import cPickle as pickle\n", TF + "import pickle\n"),
        Example(TF + "import urllib2\npage = urllib2.urlopen(u)\n", TF + "import urllib.request as urllib2\npage = urllib2.urlopen(u)\n"),
        Example(TF + "from StringIO import StringIO\n", TF + "from io import StringIO\n"),
        Example(
            TF + "import urllib\nurllib.urlretrieve(u, f)\n",
            TF + "import urllib.request\nimport urllib\nurllib.request.urlretrieve(u, f)\n",
        ),
        Example(
            TF + "from urllib import urlretrieve, urlencode, splitquery\n",
            TF + "from urllib import splitquery\nfrom urllib.request import urlretrieve\nfrom urllib.parse import urlencode\n",
        ),
        Example(TF + "from itertools import imap as m, chain\n", TF + "from itertools import chain\nm = map\n"),
        Example(TF + "from itertools import izip\nfor a in izip(x, y):\n    pass\n", TF + "for a in zip(x, y):\n    pass\n"),
        Example(TF + "try:\n    import cPickle as pickle\nexcept ImportError:\n    import pickle\n", None, "both Pythons are thought of"),
    ],
)
def python2_module(node: Any, names: Names, context: Context) -> Iterator[Match]:
    if isinstance(node, cst.Module):
        yield from _members(names)
    elif names.is_guarded(node):
        return
    elif isinstance(node, cst.Import):
        aliases = []
        for alias in node.names:
            old = dotted(alias.name) or ""
            new = MODULES.get(old)
            if new is None:
                aliases.append(alias)
                continue
            local = alias.asname.name.value if alias.asname is not None and isinstance(alias.asname.name, cst.Name) else old
            asname = None if new == local else cst.AsName(cst.Name(local))
            aliases.append(alias.with_changes(name=_chain(new), asname=asname))
        if any(a is not b for a, b in zip(aliases, node.names, strict=True)):
            said = ", ".join(f"{dotted(a.name)} is {MODULES[dotted(a.name) or '']}" for a in node.names if dotted(a.name) in MODULES)
            yield Match(node, f"in Python 3 {said}", node.with_changes(names=aliases))
    elif not node.relative and not isinstance(node.names, cst.ImportStar):
        yield from _from(node, names, context)


def _from(node: cst.ImportFrom, names: Names, context: Context) -> Iterator[Match]:
    old = dotted(node.module) or ""
    new = MODULES.get(old)
    if new is not None:
        yield Match(node, f"in Python 3 {old} is {new}", node.with_changes(module=_chain(new)))
        return
    if isinstance(node.names, cst.ImportStar):
        return
    kept: list[cst.ImportAlias] = []
    apart: list[str] = []
    said: list[str] = []
    for alias in node.names:
        leaf = dotted(alias.name) or ""
        local = dotted(alias.asname.name) if alias.asname is not None else leaf
        moved = MEMBERS.get(f"{old}.{leaf}")
        if moved is None:
            kept.append(alias)
            continue
        said.append(f"{old}.{leaf} is {moved}")
        head, _, last = moved.rpartition(".")
        if head == old:
            kept.append(alias.with_changes(name=cst.Name(last), asname=alias.asname or cst.AsName(cst.Name(leaf))))
        elif head:
            apart.append(f"from {head} import {last}" + (f" as {local}" if local != last else ""))
        elif local != leaf:
            apart.append(f"{local} = {moved}")
        else:
            binding = next((b for b in names.scope_of(node).bindings.get(leaf, ()) if b.node is alias), None)
            for use in names.uses(binding) if binding is not None else ():
                yield Match(use, f"in Python 3 {old}.{leaf} is {moved}", cst.Name(moved))
    if not said:
        return
    news: list[Any] = []
    if kept:
        kept[-1] = kept[-1].with_changes(comma=node.names[-1].comma)
        news.append(node.with_changes(names=kept))
    news += [context.parse_statement(text).body[0] for text in apart]
    yield Match(*_replaced(node, news, f"in Python 3 {', '.join(said)}", names))


def _replaced(node: cst.ImportFrom, news: list[Any], message: str, names: Names) -> tuple[cst.CSTNode, str, Any]:
    """The statement, or its line where each of several new ones needs a line of its own."""
    line = names.parent(node)
    if len(news) > 1 and isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
        return line, message, cst.FlattenSentinel([line.with_changes(body=news[:1]), *(cst.SimpleStatementLine([n]) for n in news[1:])])
    if not news:
        return node, message, cst.RemovalSentinel.REMOVE
    return node, message, news[0] if len(news) == 1 else cst.FlattenSentinel(news)


def _members(names: Names) -> Iterator[Match]:
    roots = {full.partition(".")[0] for full in MEMBERS}
    for root in sorted(roots):
        for use in names.reads(root):
            above = names.parent(use)
            if not isinstance(above, cst.Attribute) or above.value is not use:
                continue
            full = names.module_of(above)
            new = MEMBERS.get(full or "")
            if new is None or names.is_guarded(above) or dotted(above) == new:
                continue
            head = new.rpartition(".")[0]
            yield Match(above, f"in Python 3 {full} is {new}", _chain(new), imports=(f"import {head}",) if "." in head else ())


# -------------------------------------------------------------------------- lists that are iterators now


@rule(
    "python2-list",
    "Make a list where Python 2's map, filter, zip, range or dict.keys() made one.",
    since="0.5",
    visits=cst.Module,
    order=30,
    only_python2=True,
    examples=[
        Example(TF + "xs = map(f, ys)\n", TF + "xs = list(map(f, ys))\n", python2=True),
        Example(TF + "for x in map(f, ys):\n    pass\n", None, "iterated at once", python2=True),
        Example(TF + "v = d.values()\nv.sort()\n", TF + "v = list(d.values())\nv.sort()\n", python2=True),
        Example(TF + "for k in d.keys():\n    pass\n", None, "iterated at once", python2=True),
        Example(TF + "k = d.keys()[0]\n", TF + "k = list(d.keys())[0]\n", python2=True),
        Example(TF + "xs = map(f, ys)\n", None, "nothing says that this file was written for Python 2"),
    ],
)
def python2_list(node: cst.Module, names: Names, context: Context) -> Iterator[Match]:
    if context.dialect != 2:
        return
    for name in ("map", "filter", "zip", "range"):
        for use in names.unbound(name):
            call = names.call_of(use)
            if call is None or _iterated(call, names) or (name == "range" and not _changed(call, names)):
                continue
            yield Match(call, f"{name}() makes no list in Python 3", context.parse("list({x})", x=call))
    for method in ("items", "keys", "values"):
        for attribute in names.attributes.get(method, ()):
            call = names.call_of(attribute)
            if call is None or call.args or names.symbol(attribute) is not None:
                continue
            above = names.parent(call)
            if (isinstance(above, cst.Subscript) and above.value is call) or _changed(call, names):
                yield Match(call, f".{method}() makes no list in Python 3", context.parse("list({x})", x=call))


def _iterated(call: cst.Call, names: Names) -> bool:
    above = names.parent(call)
    if isinstance(above, (cst.For, cst.CompFor)):
        return above.iter is call
    if isinstance(above, cst.Arg):
        outer = names.parent(above)
        if isinstance(outer, cst.Call):
            if above.star:
                return True
            if isinstance(outer.func, cst.Name):
                return outer.func.value in ITERATING
            return isinstance(outer.func, cst.Attribute) and outer.func.attr.value in ("join", "extend", "update")
    if isinstance(above, cst.Assign) and any(isinstance(t.target, (cst.Tuple, cst.List)) for t in above.targets):
        return True
    return isinstance(above, (cst.ComparisonTarget, cst.StarredElement, cst.Expr, cst.From))


_OF_LISTS: Final = frozenset(["append", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"])


def _changed(call: cst.Call, names: Names) -> bool:
    """What is used as a list: added to, shuffled, or kept under a name that is sorted, indexed or added to."""
    above = names.parent(call)
    if isinstance(above, cst.BinaryOperation):
        return True
    if isinstance(above, cst.Arg):
        return _is_shuffled(above, names)
    if not (isinstance(above, cst.Assign) and len(above.targets) == 1 and isinstance(above.targets[0].target, cst.Name)):
        return False
    target = above.targets[0].target
    found = names.scope_of(target).lookup(target.value)
    bindings = [b for b in found[1] if b.node is target] if found is not None else []
    for use in names.uses(bindings[0]) if bindings else ():
        holder = names.parent(use)
        if isinstance(holder, cst.Attribute) and holder.attr.value in _OF_LISTS:
            return True
        if isinstance(holder, cst.Subscript) and holder.value is use:
            return True
        if isinstance(holder, cst.BinaryOperation) or (isinstance(holder, cst.Arg) and _is_shuffled(holder, names)):
            return True
    return False


def _is_shuffled(arg: cst.Arg, names: Names) -> bool:
    outer = names.parent(arg)
    return isinstance(outer, cst.Call) and (dotted(outer.func) or "").endswith("shuffle")


# -------------------------------------------------------------------------- integer division


@rule(
    "python2-division",
    "Keep what `/` meant in Python 2: integers were divided without a rest.",
    since="0.5",
    visits=(cst.BinaryOperation, cst.AugAssign),
    order=30,
    only_python2=True,
    examples=[
        Example(TF + "half = 7 / 2\n", TF + "half = 7 // 2\n", python2=True),
        Example(TF + "n = len(xs)\nb = n / 10\n", TF + "n = len(xs)\nb = n // 10\n", python2=True),
        Example(TF + "half = 7 / 2.0\n", None, "a float", python2=True),
        Example("from __future__ import division\n" + TF + "half = 7 / 2\n", None, "true division was asked for", python2=True),
        Example(TF + "b = f(x) / 10\n", None, "x may be an integer", reported=True, python2=True),
        Example(TF + "half = 7 / 2\n", None, "nothing says that this file was written for Python 2"),
    ],
)
def python2_division(node: Any, names: Names, context: Context) -> Iterator[Match]:
    if context.dialect != 2 or _has_future(names, "division"):
        return
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide):
        left, right = kind(node.left, names), kind(node.right, names)
        whole: Any = cst.FloorDivide(whitespace_before=node.operator.whitespace_before, whitespace_after=node.operator.whitespace_after)
    elif isinstance(node, cst.AugAssign) and isinstance(node.operator, cst.DivideAssign):
        left, right = kind(node.target, names), kind(node.value, names)
        whole = cst.FloorDivideAssign(whitespace_before=node.operator.whitespace_before, whitespace_after=node.operator.whitespace_after)
    else:
        return
    if left == right == "int":
        yield Match(node, "in Python 2 this divided integers without a rest", node.with_changes(operator=whole))
    elif "other" not in (left, right) and "float" not in (left, right) and "int" in (left, right):
        yield Match(
            node,
            "in Python 2 this divided without a rest if both sides are integers",
            advice="write // if both are integers, or make one of them a float",
        )


_INT_CALLS: Final = frozenset({"int", "len", "ord", "hash", "long"})


def kind(node: cst.CSTNode | None, names: Names, depth: int = 0) -> str | None:
    """int, float, other (a tensor, an array, ...), or None when it cannot be told."""
    if node is None or depth > 8:
        return None
    value = names.literal(node) if not isinstance(node, cst.Name) else UNKNOWN
    if isinstance(value, bool):
        return "int"
    if isinstance(value, (int, float)):
        return "int" if isinstance(value, int) else "float"
    if isinstance(node, cst.Name):
        return kind(names.assigned(node), names, depth + 1) or _counter(node, names, depth)
    if isinstance(node, cst.UnaryOperation):
        return kind(node.expression, names, depth + 1)
    if isinstance(node, cst.BinaryOperation):
        left, right = kind(node.left, names, depth + 1), kind(node.right, names, depth + 1)
        for strong in ("other", "float"):
            if strong in (left, right):
                return strong
        return "int" if left == right == "int" else None
    if isinstance(node, cst.IfExp):
        left, right = kind(node.body, names, depth + 1), kind(node.orelse, names, depth + 1)
        return left if left == right else None
    if isinstance(node, cst.Call):
        return _call_kind(node, names, depth)
    if isinstance(node, cst.SimpleString):
        return "other"
    return None


def _call_kind(node: cst.Call, names: Names, depth: int) -> str | None:
    symbol = names.symbol(node)
    if symbol in ("tf.constant", "tf.Variable") and node.args and node.args[0].keyword is None:
        dtypes = [a for a in node.args if a.keyword is not None and a.keyword.value == "dtype"]
        return "other" if dtypes or len(node.args) > 1 else kind(node.args[0].value, names, depth + 1) or "other"
    if symbol is not None:
        return "other"
    if isinstance(node.func, cst.Name) and names.scope_of(node).lookup(node.func.value) is None:
        if node.func.value in _INT_CALLS:
            return "int"
        if node.func.value == "float":
            return "float"
        if node.func.value in ("abs", "max", "min", "sum", "round"):
            kinds = {kind(a.value, names, depth + 1) for a in node.args if not a.star}
            return "float" if "float" in kinds or node.func.value == "round" else "int" if kinds == {"int"} else None
    module = names.module_of(node.func) or ""
    if module.startswith("math.") or module in ("time.time", "random.random", "random.uniform"):
        return "float"
    return "other" if module.startswith(("numpy.", "scipy.")) else None


def _counter(node: cst.Name, names: Names, depth: int) -> str | None:
    """A loop variable over range()."""
    found = names.scope_of(node).lookup(node.value)
    if found is None or len(found[1]) != 1:
        return None
    loop = names.parent(found[1][0].node)
    if isinstance(loop, (cst.For, cst.CompFor)) and isinstance(loop.iter, cst.Call) and isinstance(loop.iter.func, cst.Name):
        if loop.iter.func.value in ("range", "xrange"):
            return "int"
    return None


def _has_future(names: Names, feature: str) -> bool:
    return any(b.module == f"__future__.{feature}" for b in names.scope.bindings.get(feature, ()))


# -------------------------------------------------------------------------- imports of siblings, pickles


@rule(
    "python2-relative-import",
    "Import a module of the same package relatively, as Python 3 needs it.",
    since="0.5",
    visits=(cst.Import, cst.ImportFrom),
    order=30,
    only_python2=True,
    examples=[
        Example(TF + "import model\n", TF + "from . import model\n", python2=True, siblings=("__init__", "model")),
        Example(TF + "from model import f\n", TF + "from .model import f\n", python2=True, siblings=("__init__", "model")),
        Example(TF + "import model\n", None, "no such module beside this file", python2=True, siblings=("__init__",)),
        Example(TF + "import model\n", None, "the folder is no package", python2=True, siblings=("model",)),
        Example(TF + "import model\n", None, "nothing says that this file was written for Python 2"),
    ],
    why="Only in a package (a folder with __init__.py), for modules that lie beside the file, and not in files that are run as scripts.",
)
def python2_relative_import(node: Any, names: Names, context: Context) -> Iterator[Match]:
    if context.dialect != 2 or "__init__" not in context.siblings or _has_future(names, "absolute_import") or names.is_guarded(node):
        return
    if isinstance(node, cst.ImportFrom):
        module = dotted(node.module) or ""
        if node.relative or module.partition(".")[0] not in context.siblings:
            return
        new: Any = node.with_changes(relative=[cst.Dot()])
    else:
        some = [dotted(a.name) or "" for a in node.names]
        if not all(name in context.siblings for name in some):
            return
        new = cst.ImportFrom(module=None, relative=[cst.Dot()], names=list(node.names))
    if _is_script(names):
        yield Match(
            node, "in Python 3 a package's module is not found by this import", advice="run the file with python -m, and import with a dot"
        )
    else:
        yield Match(node, "in Python 3 a module of the same package is imported with a dot", new)


def _is_script(names: Names) -> bool:
    return bool(names.unbound("__name__"))


@rule(
    "python2-pickle",
    "Open a pickle in binary mode.",
    since="0.5",
    visits=cst.Module,
    order=30,
    only_python2=True,
    examples=[
        Example(
            TF + "import pickle\nd = pickle.load(open(path))\n",
            TF + "import pickle\nd = pickle.load(open(path, 'rb'))\n",
            python2=True,
        ),
        Example(
            TF + "import pickle\nwith open(path, 'w') as f:\n    pickle.dump(d, f)\n",
            TF + "import pickle\nwith open(path, 'wb') as f:\n    pickle.dump(d, f)\n",
            python2=True,
        ),
        Example(TF + "import pickle\nd = pickle.load(open(path))\n", None, "nothing says that this file was written for Python 2"),
    ],
)
def python2_pickle(node: cst.Module, names: Names, context: Context) -> Iterator[Match]:
    if context.dialect != 2:
        return
    for root in ("pickle", "cPickle"):
        for use in names.reads(root):
            above = names.parent(use)
            call = names.call_of(above) if isinstance(above, cst.Attribute) else None
            if call is None or not isinstance(above, cst.Attribute) or above.attr.value not in ("load", "dump"):
                continue
            place = 0 if above.attr.value == "load" else 1
            opened = _opened(call.args[place].value, names) if len(call.args) > place else None
            if not (isinstance(opened, cst.Call) and isinstance(opened.func, cst.Name) and opened.func.value == "open" and opened.args):
                continue
            if len(opened.args) > 1 and opened.args[1].keyword is not None:
                continue
            mode = names.literal(opened.args[1].value) if len(opened.args) > 1 else "r"
            if isinstance(mode, str) and "b" not in mode and len(opened.args) <= 2:
                new = call_with(opened, [opened.args[0], cst.Arg(cst.SimpleString(repr(mode + "b")))])
                yield Match(opened, "pickles are binary files", new, level=Level.NOTE)


def _opened(node: cst.BaseExpression, names: Names) -> cst.BaseExpression | None:
    """The expression that made a file object: the node, or what its name is bound to by = or with-as."""
    if not isinstance(node, cst.Name):
        return node
    found = names.scope_of(node).lookup(node.value)
    if found is None or len(found[1]) != 1:
        return None
    above = names.parent(found[1][0].node)
    item = names.parent(above) if isinstance(above, cst.AsName) else None
    return item.item if isinstance(item, cst.WithItem) else found[1][0].value
