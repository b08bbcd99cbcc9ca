"""TensorArrays that the host executes: lists of tensors, made anew in every run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphtools.dtypes import DType, string
from graphtools.graph import Dims, Node
from runtime.errors import InvalidArgumentError, OpError, UnimplementedError
from runtime.host import HostKernel, Run, host, rows
from runtime.host.rows import Array

# TensorFlow numbers its TensorArrays through the whole process, and shows the number in its messages.
_NUMBERS = itertools.count()
_CLEARED = object()


class TensorArray:
    """Tensors by index, each written once; gradients of it add up what is written to them instead."""

    def __init__(
        self, name: str, dtype: DType, size: int, *, dims: Dims = None, is_dynamic: bool = False, clear_after_read: bool = True,
        have_one_shape: bool = False, is_gradient: bool = False,
    ) -> None:  # fmt: skip
        if size < 0:
            raise InvalidArgumentError(None, None, f"Size should be >= 0, but {size} was given for TensorArray {name}.")
        self.name = f"{name}_{next(_NUMBERS)}"
        self.dtype = dtype
        self.dims = dims
        self.values: list[Any] = [None] * size
        self.is_dynamic = is_dynamic
        self.clear_after_read = clear_after_read
        self.have_one_shape = have_one_shape
        self.is_gradient = is_gradient
        self.gradients: dict[str, TensorArray] = {}
        self.is_closed = False

    def _error(self, text: str) -> OpError:
        return InvalidArgumentError(None, None, f"TensorArray {self.name}: {text}")

    def check_open(self) -> None:
        if self.is_closed:
            raise InvalidArgumentError(None, None, f"TensorArray {self.name} has already been closed.")

    def write(self, index: int, value: Any) -> None:
        self.check_open()
        if index < 0 or (index >= len(self.values) and not self.is_dynamic):
            raise self._error(f"Tried to write to index {index} but array is not resizeable and size is: {len(self.values)}")
        if isinstance(value, np.ndarray):
            if not rows.is_compatible(value.shape, self.dims):
                raise self._error(
                    f"Could not write to TensorArray index {index} because the value shape is {rows.shape_text(value.shape)} "
                    f"which is incompatible with the TensorArray's inferred element shape: {rows.shape_text(self.dims)} "
                    "(consider setting infer_shape=False)."
                )
            if self.have_one_shape:
                self.dims = value.shape
        if index >= len(self.values):
            self.values.extend([None] * (index + 1 - len(self.values)))
        held = self.values[index]
        if held is None:
            self.values[index] = value
        elif held is _CLEARED:
            raise self._error(f"Could not write to TensorArray index {index} because it has already been read.")
        elif self.is_gradient:
            if np.shape(held) != np.shape(value):
                raise self._error(
                    f"Could not aggregate to TensorArray index {index} because the existing shape is {rows.shape_text(np.shape(held))} "
                    f"but the new input shape is {rows.shape_text(np.shape(value))}."
                )
            self.values[index] = np.add(held, value)
        else:
            raise self._error(f"Could not write to TensorArray index {index} because it has already been written to.")

    def read(self, index: int) -> Any:
        self.check_open()
        if not 0 <= index < len(self.values):
            raise InvalidArgumentError(None, None, f"Tried to read from index {index} but array size is: {len(self.values)}")
        value = self.values[index]
        if value is _CLEARED:
            raise self._error(
                f"Could not read index {index} twice because it was cleared after a previous read (perhaps try setting clear_after_read = false?)."
            )
        if value is None:
            if self.dims is None or None in self.dims:
                raise self._error(
                    f"Could not read from TensorArray index {index}.  Furthermore, the element shape is not fully defined: "
                    f"{rows.shape_text(self.dims)}.  It is possible you are working with a resizeable TensorArray and stop_gradients is not allowing the "
                    "gradients to be written.  If you set the full element_shape property on the forward TensorArray, the proper all-zeros tensor will be "
                    "returned instead of incurring this error."
                )
            value = self.values[index] = _zeros(self.dtype, self.dims)  # type: ignore[arg-type]
        if self.clear_after_read:
            self.values[index] = _CLEARED
        return value

    def read_many(self, indices: Sequence[int]) -> list[Any]:
        values = [self.read(i) for i in indices]
        for i, value in enumerate(values[1:], 1):
            if np.shape(value) != np.shape(values[0]):
                raise InvalidArgumentError(
                    None, None,
                    f"TensorArray has inconsistent shapes.  Index 0 has shape: {rows.shape_text(np.shape(values[0]))} "
                    f"but index {i} has shape: {rows.shape_text(np.shape(value))}",
                )  # fmt: skip
        return values

    def gradient(self, source: str, leading: Sequence[int] = ()) -> TensorArray:
        """The array that gradients for `source` are written to, made on first use; its elements have `leading` dimensions more."""
        self.check_open()
        found = self.gradients.get(source)
        if found is None:
            dims = None if self.dims is None else (*leading, *self.dims)
            found = TensorArray(
                f"{self.name}@{source}", self.dtype, len(self.values), dims=dims, clear_after_read=False,
                have_one_shape=self.have_one_shape, is_gradient=True,
            )  # fmt: skip
            for i, value in enumerate(self.values):  # what was written but is not in the loss has a gradient of zeros
                if isinstance(value, np.ndarray) and (dims is None or None in dims):
                    found.values[i] = _zeros(self.dtype, (*leading, *value.shape))
            self.gradients[source] = found
        return found

    def close(self) -> None:
        self.is_closed = True
        self.values.clear()


def _zeros(dtype: DType, dims: Sequence[int]) -> Array:
    return np.full(dims, b"", np.object_) if dtype.base_dtype is string else np.zeros(dims, dtype.as_numpy_dtype)


_FLOW = np.zeros((), np.float32)


def on_array(*ops: str) -> Callable[[HostKernel], HostKernel]:
    """Declare the host kernel of ops whose first input is a TensorArray: one in a scalar, where its handle is a string."""

    def declare(kernel: HostKernel) -> HostKernel:
        def unwrapped(run: Run, node: Node, handle: Any, *inputs: Any) -> Any:
            return kernel(run, node, handle.item() if isinstance(handle, np.ndarray) else handle, *inputs)

        host(*ops)(unwrapped)
        return kernel

    return declare


@host("TensorArray", "TensorArrayV2")
def tensor_array(run: Run, node: Node, size: Array) -> TensorArray:
    return _make(node, size)


@host("TensorArrayV3")
def tensor_array_v3(run: Run, node: Node, size: Array) -> tuple[TensorArray, Array]:
    return _make(node, size), _FLOW


def _make(node: Node, size: Array) -> TensorArray:
    a = node.attr
    return TensorArray(
        a["tensor_array_name"] or node.name, a["dtype"], int(size), dims=a.get("element_shape"), is_dynamic=a["dynamic_size"],
        clear_after_read=a["clear_after_read"], have_one_shape=bool(a.get("identical_element_shapes")),
    )  # fmt: skip


@on_array("TensorArrayGrad", "TensorArrayGradV2")
def tensor_array_grad(run: Run, node: Node, handle: TensorArray, flow: Array) -> TensorArray:
    return handle.gradient(node.attr["source"])


@on_array("TensorArrayGradV3")
def tensor_array_grad_v3(run: Run, node: Node, handle: TensorArray, flow: Array) -> tuple[TensorArray, Array]:
    return handle.gradient(node.attr["source"]), flow


@on_array("TensorArrayGradWithShape")
def tensor_array_grad_with_shape(run: Run, node: Node, handle: TensorArray, flow: Array, leading: Array) -> tuple[TensorArray, Array]:
    return handle.gradient(node.attr["source"], tuple(leading.tolist())), flow


@on_array("TensorArrayWrite", "TensorArrayWriteV2", "TensorArrayWriteV3")
def tensor_array_write(run: Run, node: Node, handle: TensorArray, index: Array, value: Any, flow: Array) -> Array:
    handle.write(int(index), value)
    return flow


@on_array("TensorArrayRead", "TensorArrayReadV2", "TensorArrayReadV3")
def tensor_array_read(run: Run, node: Node, handle: TensorArray, index: Array, flow: Array) -> Any:
    return handle.read(int(index))


@on_array("TensorArrayGather", "TensorArrayGatherV2", "TensorArrayGatherV3")
def tensor_array_gather(run: Run, node: Node, handle: TensorArray, indices: Array, flow: Array) -> Array:
    return _stacked(handle, indices.tolist(), node.attr.get("element_shape"))


@on_array("TensorArrayPack")
def tensor_array_pack(run: Run, node: Node, handle: TensorArray, flow: Array) -> Array:
    return _stacked(handle, range(len(handle.values)), node.attr.get("element_shape"))


def _stacked(handle: TensorArray, indices: Sequence[int], dims: Dims) -> Array:
    if not indices:
        handle.check_open()
        dims = handle.dims if handle.dims is not None else dims
        if dims is None or None in dims:
            raise UnimplementedError(
                None, None,
                f"TensorArray has size zero, but element shape {rows.shape_text(dims)} is not fully defined. "
                "Currently only static shapes are supported when packing zero-size TensorArrays.",
            )  # fmt: skip
        return rows.empty(handle.dtype, dims)
    return rows.stack(handle.read_many(indices))


@on_array("TensorArrayScatter", "TensorArrayScatterV2", "TensorArrayScatterV3")
def tensor_array_scatter(run: Run, node: Node, handle: TensorArray, indices: Array, value: Array, flow: Array) -> Array:
    if len(indices) != len(value):
        raise InvalidArgumentError(None, None, f"Expected len(indices) == values.shape[0], but saw: {len(indices)} vs. {len(value)}")
    for i, index in enumerate(indices.tolist()):
        handle.write(index, rows.take(value, i))
    return flow


@on_array("TensorArrayUnpack")
def tensor_array_unpack(run: Run, node: Node, handle: TensorArray, value: Array, flow: Array) -> Array:
    for i in range(len(value)):
        handle.write(i, rows.take(value, i))
    return flow


@on_array("TensorArrayConcat", "TensorArrayConcatV2", "TensorArrayConcatV3")
def tensor_array_concat(run: Run, node: Node, handle: TensorArray, flow: Array) -> tuple[Array, Array]:
    count = len(handle.values)
    if count == 0:
        handle.check_open()
        dims = node.attr.get("element_shape_except0")
        if dims is None or None in dims:
            raise UnimplementedError(
                None, None,
                f"TensorArray has size zero, but element_shape_except0 {rows.shape_text(dims)} is not fully defined. "
                "Currently only static shapes are supported when concatenating zero-size TensorArrays.",
            )  # fmt: skip
        return rows.empty(handle.dtype, dims), np.zeros(0, np.int64)
    values = [handle.read(i) for i in range(count)]
    for i, value in enumerate(values):
        if value.ndim == 0:
            raise InvalidArgumentError(
                None, None, f"Concat saw a scalar shape at index {i} but requires at least vectors.  Did you mean to call pack instead?"
            )
        if value.shape[1:] != values[0].shape[1:]:
            raise InvalidArgumentError(
                None, None,
                f"TensorArray has inconsistent shapes.  Index 0 has (excepting dimension 0) shape: {rows.shape_text(values[0].shape[1:])} "
                f"but index {i} has (excepting dimension 0) shape: {rows.shape_text(value.shape[1:])}",
            )  # fmt: skip
    return np.concatenate(values), np.array([len(v) for v in values], np.int64)


@on_array("TensorArraySplit", "TensorArraySplitV2", "TensorArraySplitV3")
def tensor_array_split(run: Run, node: Node, handle: TensorArray, value: Array, lengths: Array, flow: Array) -> Array:
    if value.ndim == 0 or int(lengths.sum()) != len(value):
        raise InvalidArgumentError(
            None, None,
            f"Expected sum of lengths to be equal to values.shape[0], but sum of lengths is {int(lengths.sum())} and value's shape is: {rows.shape_text(value.shape)}",
        )  # fmt: skip
    if len(lengths) != len(handle.values) and not handle.is_dynamic:
        raise InvalidArgumentError(
            None,
            None,
            f"TensorArray's size is not equal to the size of lengths ({len(handle.values)} vs. {len(lengths)}), and the TensorArray is not marked as dynamically resizeable",
        )
    start = 0
    for i, length in enumerate(lengths.tolist()):
        handle.write(i, value[start : start + length])
        start += length
    return flow


@on_array("TensorArraySize", "TensorArraySizeV2", "TensorArraySizeV3")
def tensor_array_size(run: Run, node: Node, handle: TensorArray, flow: Array) -> Array:
    handle.check_open()
    return np.array(len(handle.values), np.int32)


@on_array("TensorArrayClose", "TensorArrayCloseV2", "TensorArrayCloseV3")
def tensor_array_close(run: Run, node: Node, handle: TensorArray) -> tuple[()]:
    handle.close()
    return ()
