"""tf.map_fn, tf.scan, tf.foldl and tf.foldr."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import as_dtype
from runtime.tf1 import array_ops, nest
from runtime.tf1.control_flow import while_loop
from runtime.tf1.graph import constant, convert_to_tensor, name_scope
from runtime.tf1.registry import export
from runtime.tf1.tensor_array import TensorArray


def _count(tensors: list[Any]) -> Any:
    """The size of the first dimension: a number where one of the tensors tells it."""
    for t in tensors:
        if t.dims is not None and t.dims and t.dims[0] is not None:
            return t.dims[0]
    return array_ops._slice_helper(array_ops.shape(tensors[0]), 0)


def _arrays(tensors: list[Any], n: Any, *, shaped: bool = False) -> list[TensorArray]:
    """The tensors' rows, each tensor's in an array."""
    made = [
        TensorArray(
            dtype=t.dtype,
            size=n,
            dynamic_size=False,
            element_shape=t.shape[1:] if shaped and t.dims is not None else None,
            infer_shape=True,
        )
        for t in tensors
    ]
    return [a.unstack(t) for a, t in zip(made, tensors, strict=True)]


def _restore(results: list[Any], n: Any) -> list[Any]:
    for r in results:
        if r.dims is not None:
            r.set_shape([n if isinstance(n, int) else None, *r.dims[1:]])
    return results


@export("map_fn")
def map_fn(
    fn: Any,
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
) -> Any:
    """`fn` of each element along the first dimension, stacked."""
    if not callable(fn):
        raise TypeError("fn must be callable.")
    flat = nest.flatten(elems)
    types = (
        nest.map_structure(as_dtype, dtype)
        if dtype is not None
        else nest.map_structure(lambda e: convert_to_tensor(e).dtype.base_dtype, elems)
    )
    with name_scope(name, "map", flat):
        flat = [convert_to_tensor(e, name="elem") for e in flat]
        n = _count(flat)
        inputs = _arrays(flat, n)
        i = constant(0)
        outputs = [TensorArray(dtype=t, size=n, dynamic_size=False, infer_shape=infer_shape) for t in nest.flatten(types)]

        def compute(i: Any, arrays: Any) -> Any:
            values = fn(nest.pack_sequence_as(elems, [a.read(i) for a in inputs]))
            nest.assert_same_structure(types if dtype is not None else elems, values, check_types=False)
            written = [a.write(i, v) for a, v in zip(arrays, nest.flatten(values), strict=True)]
            return i + 1, written

        _, final = while_loop(
            lambda i, _: i < n,
            compute,
            (i, outputs),
            parallel_iterations=parallel_iterations or 10,
            back_prop=back_prop,
            swap_memory=swap_memory,
            maximum_iterations=n,
        )
        return nest.pack_sequence_as(types, _restore([a.stack() for a in final], n))


@export("scan")
def scan(
    fn: Any, elems: Any, initializer: Any = None, parallel_iterations: int = 10, back_prop: bool = True, swap_memory: bool = False, infer_shape: bool = True,
    reverse: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """The accumulators `fn(accumulator, element)` after each element, stacked."""
    if not callable(fn):
        raise TypeError("fn must be callable.")
    flat = nest.flatten(elems)
    with name_scope(name, "scan", flat):
        flat = [convert_to_tensor(e, name="elem") for e in flat]
        n = _count(flat)
        inputs = _arrays(flat, n, shaped=True)
        if initializer is None:
            structure = elems
            start = [a.read(n - 1 if reverse else 0) for a in inputs]
            i = 1
        else:
            structure = initializer
            start = [convert_to_tensor(v) for v in nest.flatten(initializer)]
            i = 0
        outputs = [
            TensorArray(dtype=v.dtype, size=n, element_shape=v.shape if infer_shape else None, dynamic_size=False, infer_shape=infer_shape)
            for v in start
        ]
        if initializer is None:
            outputs = [a.write(n - 1 if reverse else 0, v) for a, v in zip(outputs, start, strict=True)]
        if reverse:
            first: Any = n - 1 - i

            def goes_on(i: Any, *unused: Any) -> Any:
                return i >= 0
        else:
            first = i

            def goes_on(i: Any, *unused: Any) -> Any:
                return i < n

        def compute(i: Any, values: Any, arrays: Any) -> Any:
            element = nest.pack_sequence_as(elems, [a.read(i) for a in inputs])
            result = fn(nest.pack_sequence_as(structure, values), element)
            nest.assert_same_structure(structure, result, check_types=False)
            leaves = nest.flatten(result)
            written = [a.write(i, v) for a, v in zip(arrays, leaves, strict=True)]
            return i - 1 if reverse else i + 1, leaves, written

        _, _, final = while_loop(
            goes_on, compute, (first, start, outputs), parallel_iterations=parallel_iterations, back_prop=back_prop,
            swap_memory=swap_memory, maximum_iterations=n,
        )  # fmt: skip
        return nest.pack_sequence_as(structure, _restore([a.stack() for a in final], n))


def _fold(
    fn: Any, elems: Any, initializer: Any, parallel_iterations: int, back_prop: bool, swap_memory: bool, name: str | None, label: str
) -> Any:
    if not callable(fn):
        raise TypeError("fn must be callable.")
    right = label == "foldr"
    flat = nest.flatten(elems)
    with name_scope(name, label, flat):
        flat = [convert_to_tensor(e, name="elem") for e in flat]
        n = _count(flat)
        inputs = [_arrays([e], n)[0] for e in flat]

        def element(i: Any) -> Any:
            return nest.pack_sequence_as(elems, [a.read(i) for a in inputs])

        if initializer is None:
            a = element(n - 1 if right else 0)
            i: Any = n - 1 if right else constant(1)
        else:
            a = nest.map_structure(convert_to_tensor, initializer)
            i = n if right else constant(0)

        def compute(i: Any, a: Any) -> Any:
            if right:
                i = i - 1
                return i, fn(a, element(i))
            result = fn(a, element(i))
            return i + 1, result

        _, result = while_loop(
            (lambda i, a: i > 0) if right else (lambda i, a: i < n),
            compute,
            [i, a],
            parallel_iterations=parallel_iterations,
            back_prop=back_prop,
            swap_memory=swap_memory,
            maximum_iterations=n,
        )
        return result


@export("foldl")
def foldl(
    fn: Any,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    return _fold(fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name, "foldl")


@export("foldr")
def foldr(
    fn: Any,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    return _fold(fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name, "foldr")
