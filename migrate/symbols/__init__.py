"""What TensorFlow exported, by version: symbol, version -> signature, and where a symbol went (verdict)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

__all__ = [
    "TARGETS",
    "VERSIONS",
    "Signature",
    "Symbol",
    "aliases",
    "canonical",
    "exists",
    "homes",
    "names",
    "public",
    "signature",
    "slim",
    "symbol",
    "versions_with",
]

Kind = Literal["module", "class", "function", "constant"]

VERSIONS = ("0.12.1", "1.0.0", "1.4.0", "1.15.5", "2.15.1", "2.21.0")
# the version whose API `--to N` promises
TARGETS: Mapping[str, str] = {"1": "1.15.5", "2": "2.15.1"}

KINDS: Mapping[str, Kind] = {"m": "module", "c": "class", "f": "function", "k": "constant"}


@dataclass(frozen=True, slots=True)
class Signature:
    """`args` are the positional parameters in order; `keyword_only` may only be named."""

    args: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    keyword_only: tuple[str, ...] = ()
    varargs: bool = False
    varkw: bool = False

    def accepts(self, name: str) -> bool:
        return self.varkw or name in self.args or name in self.keyword_only


@dataclass(frozen=True, slots=True)
class Symbol:
    name: str
    kind: Kind
    signature: Signature | None  # None for modules, constants and what C++ defines


@cache
def table(version: str) -> dict[str, str]:
    """Dotted name -> its packed description (see tools/dump_symbols.py, pack)."""
    if version not in VERSIONS:
        raise ValueError(f"no facts about TensorFlow {version!r}: expected one of {', '.join(VERSIONS)}")
    return read(f"tf-{version}.json.gz")


@cache
def canonical() -> dict[str, str]:
    """Name of TensorFlow 1 -> the name TensorFlow 2 exports the same object under, where that differs."""
    return read("canonical.json.gz")


@cache
def homes() -> dict[str, str]:
    """Private path ("tensorflow.python.ops.math_ops.matmul") -> the public name of the same object in TensorFlow 1.15."""
    return read("homes.json.gz")


@cache
def aliases() -> dict[str, str]:
    """Contrib name -> the name outside contrib of the same object in TensorFlow 1.15."""
    return read("aliases.json.gz")


@cache
def slim() -> dict[str, str]:
    """What the package tf_slim 1.1.0 has, packed like table()."""
    return read("tf_slim-1.1.0.json.gz")


@cache
def private_modules(version: str) -> dict[str, str]:
    """Module under tensorflow, "python.ops.math_ops" or "contrib.slim.python.slim", -> its names, with spaces between."""
    return read(f"private-{version}.json.gz")


@cache
def has_private(path: str, version: str) -> bool:
    """Whether tf.python.MODULE.NAME or tf.contrib.PACKAGE.MODULE.NAME can be imported from a version."""
    modules = private_modules(version)
    parts = path.split(".")[1:]
    for count in range(len(parts), 0, -1):
        names = modules.get(".".join(parts[:count]))
        if names is not None:
            return count == len(parts) or parts[count] in names.split()
    return path == "tf.python"


def public(path: str) -> str | None:
    """The public name of a private path such as tf.python.ops.math_ops.matmul, if it has one."""
    from migrate.symbols import verdicts

    return verdicts.public(path)


def read(file: str) -> dict[str, str]:
    data = resources.files(__name__).joinpath(file).read_bytes()
    loaded: dict[str, str] = json.loads(gzip.decompress(data))
    return loaded


def names(version: str) -> list[str]:
    """Every public name of the version, members of classes left out."""
    return list(table(version))


@cache
def symbol(name: str, version: str) -> Symbol | None:
    """The module, class, function or constant of that exact name; None if the version lacks it (or it is a member of a class)."""
    packed = table(version).get(name)
    if packed is None:
        return None
    if packed == "=":
        packed = table(version)["tf." + name[13:]]
    return Symbol(name, KINDS[packed[0]], unpack(packed[1:]) if packed[0] in "cf" else None)


def unpack(text: str) -> Signature | None:
    if text == "?":
        return None
    args: list[str] = []
    keyword_only: list[str] = []
    defaults: dict[str, str] = {}
    varargs = varkw = False
    for part in text.split("\t") if text else ():
        if part == "*":
            varargs = True
        elif part == "**":
            varkw = True
        elif part.startswith("|"):
            keyword_only.append(part[1:])
        else:
            name, equals, default = part.partition("=")
            args.append(name)
            if equals:
                defaults[name] = default
    return Signature(tuple(args), defaults, tuple(keyword_only), varargs, varkw)


def signature(name: str, version: str) -> Signature | None:
    found = symbol(name, version)
    return found.signature if found else None


@cache
def exists(name: str, version: str) -> bool:
    """Whether the version has the name; what follows a class, function or constant is a member and follows it."""
    return owner(name, version) is not None


@cache
def owner(name: str, version: str) -> str | None:
    """The longest prefix of a name that is a symbol, if all that follows it can only be members of it; None if the version lacks the name.

    Every module has its own `__name__`, `__file__` and the like, of which the facts say nothing.
    """
    known = table(version)
    if name in known:
        return name
    prefix = name
    while "." in prefix:
        prefix = prefix.rpartition(".")[0]
        packed = known.get(prefix)
        if packed == "=":
            packed = known["tf." + prefix[13:]]
        if packed is not None:
            return None if packed == "m" and not name.startswith("__", len(prefix) + 1) else prefix
    return None


def versions_with(name: str) -> tuple[str, ...]:
    return tuple(v for v in VERSIONS if exists(name, v))
