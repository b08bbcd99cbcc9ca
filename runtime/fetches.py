"""What a caller asks a run for: nested structures of tensors, ops and names, flattened and rebuilt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphtools.convert.walk import resolve
from graphtools.graph import Graph, Node, Tensor

# A fetch type of the layer above: type -> (its parts, values of the parts -> its value). tf1 registers IndexedSlices, SparseTensor...
Expansion = tuple[Callable[[Any], Sequence[Any]], Callable[[Sequence[Any]], Any]]
EXPANSIONS: dict[type, Expansion] = {}

# A fetch type of a library: type -> what gives a value's parts, and its value of theirs.
CONVERSIONS: dict[type, Callable[[Any], tuple[Sequence[Any], Callable[[Sequence[Any]], Any]]]] = {}


def register_fetch_type(kind: type, parts: Callable[[Any], Sequence[Any]], rebuild: Callable[[Sequence[Any]], Any]) -> None:
    """Make objects of a type fetchable by their parts."""
    EXPANSIONS[kind] = (parts, rebuild)


@dataclass(slots=True)
class Fetches:
    """The tensors and ops to compute, once each, and how the caller's structure is made of their values."""

    flat: list[Tensor | Node]
    rebuild: Callable[[Sequence[Any]], Any]

    @staticmethod
    def of(graph: Graph, fetches: Any) -> Fetches:
        flat: dict[Tensor | Node, int] = {}
        rebuild = _compile(graph, fetches, flat)
        return Fetches(list(flat), rebuild)


def _compile(graph: Graph, fetch: Any, flat: dict[Tensor | Node, int]) -> Callable[[Sequence[Any]], Any]:
    if isinstance(fetch, Tensor | Node):
        if fetch.graph is not graph if isinstance(fetch, Node) else fetch.node.graph is not graph:
            kind = "Operation" if isinstance(fetch, Node) else "Tensor"
            raise ValueError(
                f"Fetch argument {fetch!r} cannot be interpreted as a Tensor. ({kind} {fetch} is not an element of this graph.)"
            )
        position = flat.setdefault(fetch, len(flat))
        return lambda values: values[position]
    if isinstance(fetch, str):
        try:
            as_element = getattr(graph, "as_graph_element", None)
            if as_element is not None:  # a script's graph, with TensorFlow's words
                return _compile(graph, as_element(fetch), flat)
            if ":" not in fetch:
                found: Tensor | Node = graph.node(fetch)
            else:
                found = resolve(graph, [fetch], "output")[0]
        except (KeyError, ValueError) as e:
            raise ValueError(f"Fetch argument {fetch!r} cannot be interpreted as a Tensor. ({e})") from None
        return _compile(graph, found, flat)
    if fetch is None:
        raise TypeError("Fetch argument None has invalid type <class 'NoneType'>")
    if isinstance(fetch, tuple) and hasattr(fetch, "_fields"):
        for fetch_type, (parts, rebuild) in EXPANSIONS.items():
            if isinstance(fetch, fetch_type):
                return _expand(graph, parts(fetch), rebuild, flat)
        inner = [_compile(graph, f, flat) for f in fetch]
        make = type(fetch)
        return lambda values: make(*[i(values) for i in inner])
    if isinstance(fetch, list | tuple):
        inner = [_compile(graph, f, flat) for f in fetch]
        if isinstance(fetch, list):
            return lambda values: [i(values) for i in inner]
        return lambda values: tuple([i(values) for i in inner])
    if isinstance(fetch, Mapping):
        keys = list(fetch)
        inner = [_compile(graph, fetch[k], flat) for k in keys]
        mapping_type: Any = type(fetch)
        return lambda values: mapping_type((k, i(values)) for k, i in zip(keys, inner, strict=True))
    for fetch_type, (parts, rebuild) in EXPANSIONS.items():
        if isinstance(fetch, fetch_type):
            return _expand(graph, parts(fetch), rebuild, flat)
    for fetch_type, convert in CONVERSIONS.items():
        if isinstance(fetch, fetch_type):
            return _expand(graph, *convert(fetch), flat)
    as_element = getattr(fetch, "_as_graph_element", None)
    if as_element is not None:
        return _compile(graph, as_element(), flat)
    raise TypeError(
        f"Fetch argument {fetch!r} has invalid type {type(fetch)}, must be a string or Tensor. (Can not convert a {type(fetch).__name__} into a Tensor or Operation.)"
    )


def _expand(
    graph: Graph, parts: Sequence[Any], rebuild: Callable[[Sequence[Any]], Any], flat: dict[Tensor | Node, int]
) -> Callable[[Sequence[Any]], Any]:
    inner = [_compile(graph, p, flat) for p in parts]
    return lambda values: rebuild([i(values) for i in inner])
