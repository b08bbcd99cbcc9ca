"""Iterators over datasets, and optional values."""

from __future__ import annotations

import contextlib
from typing import Any

from graphtools.dtypes import string
from runtime.tf1.data import structure as st
from runtime.tf1.data.structure import OptionalSpec
from runtime.tf1.graph import apply_op, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export, put


def _on_cpu() -> Any:
    """The CPU, where no device is asked for."""
    graph = get_default_graph()
    return contextlib.nullcontext() if graph._devices else graph.device("/cpu:0")


@export("data.Iterator")
class Iterator:
    """Where a pass over a dataset is: each run of get_next gives the next element."""

    def __init__(self, iterator_resource: Any, initializer: Any, element_spec: Any, *legacy: Any) -> None:
        self._iterator_resource = iterator_resource
        self._initializer = initializer
        self._element_spec = st.from_legacy(element_spec, *legacy) if legacy else element_spec
        self._string_handle = apply_op("IteratorToStringHandle", None, resource_handle=iterator_resource)

    @staticmethod
    def from_structure(
        output_types: Any, output_shapes: Any = None, shared_name: str | None = None, output_classes: Any = None
    ) -> Iterator:
        """An iterator that make_initializer connects with datasets."""
        spec = st.from_legacy(output_types, output_shapes, output_classes)
        with _on_cpu():
            handle = apply_op("IteratorV2", None, container="", shared_name=shared_name or "", **st.flat_attrs(spec))
        return Iterator(handle, None, spec)

    @staticmethod
    def from_string_handle(string_handle: Any, output_types: Any, output_shapes: Any = None, output_classes: Any = None) -> Iterator:
        """The iterator that a string handle stands for in each run."""
        spec = st.from_legacy(output_types, output_shapes, output_classes)
        string_handle = convert_to_tensor(string_handle, string)
        with _on_cpu():
            handle = apply_op("IteratorFromStringHandleV2", None, string_handle=string_handle, **st.flat_attrs(spec))
        return Iterator(handle, None, spec)

    @property
    def initializer(self) -> Any:
        if self._initializer is None:
            raise ValueError("Iterator does not have an initializer.")
        return self._initializer

    def make_initializer(self, dataset: Any, name: str | None = None) -> Any:
        """The op that starts a pass over `dataset`. Raises TypeError or ValueError when its elements are of another kind."""
        with name_scope(name, "make_initializer", ()) as scope:
            st.check_same(self._element_spec, dataset.element_spec)
            mine, others = st.flatten(self._element_spec), st.flatten(dataset.element_spec)
            if any(type(a) is not type(b) for a, b in zip(mine, others, strict=True)):
                raise TypeError(
                    f"Expected output classes {self.output_classes!r} but got dataset with output class {dataset.output_classes!r}."
                )
            if any(a.dtype is not b.dtype for a, b in zip(mine, others, strict=True)):
                raise TypeError(f"Expected output types {self.output_types!r} but got dataset with output types {dataset.output_types!r}.")
            if any(not a.shape.is_compatible_with(b.shape) for a, b in zip(mine, others, strict=True)):
                raise TypeError(
                    f"Expected output shapes compatible with {self.output_shapes!r} but got dataset with output shapes {dataset.output_shapes!r}."
                )
        with get_default_graph().colocate_with(self._iterator_resource.op):
            return apply_op("MakeIterator", scope, dataset=dataset._variant_tensor, iterator=self._iterator_resource)

    def get_next(self, name: str | None = None) -> Any:
        found = apply_op("IteratorGetNext", name, iterator=self._iterator_resource, **st.flat_attrs(self._element_spec))
        return st.from_tensors(self._element_spec, found)

    def get_next_as_optional(self) -> Optional:
        return get_next_as_optional(self)

    def string_handle(self, name: str | None = None) -> Any:
        return self._string_handle if name is None else apply_op("IteratorToStringHandle", name, resource_handle=self._iterator_resource)

    element_spec = property(lambda self: self._element_spec)
    output_types = property(lambda self: st.legacy(self._element_spec)[0])
    output_shapes = property(lambda self: st.legacy(self._element_spec)[1])
    output_classes = property(lambda self: st.legacy(self._element_spec)[2])


@export("data.experimental.Optional")
class Optional:
    """A value that may be missing."""

    def __init__(self, variant_tensor: Any, value_structure: Any) -> None:
        self._variant_tensor = variant_tensor
        self.value_structure = value_structure

    @property
    def _type_spec(self) -> OptionalSpec:
        return OptionalSpec(self.value_structure)

    @staticmethod
    def from_value(value: Any) -> Optional:
        with name_scope("optional", None, ()), name_scope("value", None, ()):
            spec = st.structure_of(value)
            tensors = st.to_tensors(spec, value)
        return Optional(apply_op("OptionalFromValue", None, components=tensors), spec)

    @staticmethod
    def none_from_structure(value_structure: Any) -> Optional:
        return Optional(apply_op("OptionalNone", None), value_structure)

    def has_value(self, name: str | None = None) -> Any:
        return apply_op("OptionalHasValue", name, optional=self._variant_tensor)

    def get_value(self, name: str | None = None) -> Any:
        with name_scope(name, "OptionalGetValue", [self._variant_tensor]) as scope:
            found = apply_op("OptionalGetValue", scope, optional=self._variant_tensor, **st.flat_attrs(self.value_structure))
            return st.from_tensors(self.value_structure, found)


@export("data.experimental.get_next_as_optional")
def get_next_as_optional(iterator: Iterator) -> Optional:
    """The next element, or none at the end."""
    found = apply_op("IteratorGetNextAsOptional", None, iterator=iterator._iterator_resource, **st.flat_attrs(iterator.element_spec))
    return Optional(found, iterator.element_spec)


put("data.experimental.DatasetStructure", st.DatasetSpec)
put("data.experimental.OptionalStructure", st.OptionalSpec)
