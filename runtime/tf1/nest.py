"""Nested structures: lists, tuples, namedtuples, dicts and what registers itself as composite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graphtools.gradients import IndexedSlices
from runtime.tf1.registry import put


def is_sequence(value: Any) -> bool:
    return isinstance(value, list | tuple | Mapping)


def _is_namedtuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        try:
            return [value[k] for k in sorted(value)]
        except TypeError:
            raise TypeError("nest only supports dicts with sortable keys.") from None
    return value  # type: ignore[no-any-return]


def composite_parts(value: Any) -> list[Any] | None:
    """The tensors of IndexedSlices and SparseTensors, None for everything else."""
    if isinstance(value, IndexedSlices):
        return [value.values, value.indices] + ([value.dense_shape] if value.dense_shape is not None else [])
    parts = getattr(value, "_composite_parts", None)
    return parts() if parts is not None else None


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves, in order; dicts by sorted key."""
    if is_sequence(structure):
        return [leaf for child in _children(structure) for leaf in flatten(child, expand_composites)]
    if expand_composites and (parts := composite_parts(structure)) is not None:
        return [leaf for part in parts for leaf in flatten(part, True)]
    return [structure]


def _like(structure: Any, children: list[Any]) -> Any:
    """A container of the same type with other children."""
    if isinstance(structure, Mapping):
        values = dict(zip(sorted(structure), children, strict=True))
        items = [(k, values[k]) for k in structure]
        return type(structure)(items) if not hasattr(structure, "default_factory") else type(structure)(structure.default_factory, items)  # type: ignore[attr-defined,call-arg]
    if _is_namedtuple(structure):
        return type(structure)(*children)
    return type(structure)(children)


def _pack(structure: Any, leaves: Any, expand_composites: bool) -> Any:
    if is_sequence(structure):
        return _like(structure, [_pack(child, leaves, expand_composites) for child in _children(structure)])
    if expand_composites and (parts := composite_parts(structure)) is not None:
        made = [next(leaves) for _ in parts]
        if isinstance(structure, IndexedSlices):
            return IndexedSlices(*made)
        return structure._from_parts(made)
    return next(leaves)


def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """`flat_sequence` in the shape of `structure`."""
    leaves = list(flat_sequence)
    wanted = len(flatten(structure, expand_composites))
    if wanted != len(leaves):
        raise ValueError(
            f"Could not pack sequence. Structure had {wanted} elements, but flat_sequence had {len(leaves)} elements.  Structure: {structure}, flat_sequence: {flat_sequence}."
        )
    return _pack(structure, iter(leaves), expand_composites)


def map_structure(func: Callable[..., Any], *structures: Any, **kwargs: Any) -> Any:
    """`func` of the corresponding leaves, in the shape of the first structure."""
    expand = kwargs.get("expand_composites", False)
    if not structures:
        raise ValueError("Must provide at least one structure")
    for other in structures[1:]:
        assert_same_structure(structures[0], other, kwargs.get("check_types", True))
    flat = [flatten(s, expand) for s in structures]
    return pack_sequence_as(structures[0], [func(*leaves) for leaves in zip(*flat, strict=True)], expand)


def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False) -> None:
    """Raises ValueError (TypeError for other container types) when two structures differ."""
    if is_sequence(nest1) != is_sequence(nest2):
        raise ValueError(
            "The two structures don't have the same nested structure.\n\n"
            f"First structure: type={type(nest1).__name__} str={nest1}\n\nSecond structure: type={type(nest2).__name__} str={nest2}"
        )
    if not is_sequence(nest1):
        return
    if (
        check_types
        and type(nest1) is not type(nest2)
        and not (_is_namedtuple(nest1) and _is_namedtuple(nest2) and type(nest1).__name__ == type(nest2).__name__)
    ):
        if not (isinstance(nest1, Mapping) and isinstance(nest2, Mapping)):
            raise TypeError(
                "The two structures don't have the same sequence type. "
                f"First structure has type {type(nest1)}, while second structure has type {type(nest2)}."
            )
    if isinstance(nest1, Mapping) and sorted(nest1) != sorted(nest2):
        raise ValueError(
            f"The two dictionaries don't have the same set of keys. First structure has keys {list(nest1)}, while second structure has keys {list(nest2)}."
        )
    first, second = list(_children(nest1)), list(_children(nest2))
    if len(first) != len(second):
        raise ValueError(
            "The two structures don't have the same nested structure.\n\n"
            f"First structure: type={type(nest1).__name__} str={nest1}\n\nSecond structure: type={type(nest2).__name__} str={nest2}\n\n"
            f"More specifically: The two structures don't have the same number of elements. First structure: {len(first)}, second structure: {len(second)}."
        )
    for a, b in zip(first, second, strict=True):
        assert_same_structure(a, b, check_types)


def flatten_up_to(shallow: Any, structure: Any) -> list[Any]:
    """The parts of `structure` at the leaves of `shallow`."""
    if not is_sequence(shallow):
        return [structure]
    return [leaf for a, b in zip(_children(shallow), _children(structure), strict=True) for leaf in flatten_up_to(a, b)]


def map_structure_up_to(shallow: Any, func: Callable[..., Any], *structures: Any) -> Any:
    flat = [flatten_up_to(shallow, s) for s in structures]
    return pack_sequence_as(shallow, [func(*leaves) for leaves in zip(*flat, strict=True)])


for _function in (is_sequence, flatten, pack_sequence_as, map_structure, assert_same_structure, flatten_up_to, map_structure_up_to):
    put(f"nest.{_function.__name__}", _function)
    put(f"contrib.framework.nest.{_function.__name__}", _function)
put("nest.is_nested", is_sequence)
