"""tf.TensorArray."""

from __future__ import annotations

import contextlib
from typing import Any

from graphtools.dtypes import as_dtype
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape, as_dims


@export("TensorArray")
class TensorArray:
    """An array of tensors that a loop writes and reads by index. Every write gives a new object to go on with."""

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Any = None,
        flow: Any = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ) -> None:
        if handle is not None and tensor_array_name:
            raise ValueError("Cannot construct with both handle and tensor_array_name")
        if handle is not None and not hasattr(handle, "node"):
            raise TypeError("Handle must be a Tensor")
        if handle is None and size is None:
            raise ValueError("Size must be provided if handle is not provided")
        if handle is not None and size is not None:
            raise ValueError("Cannot provide both a handle and size at the same time")
        self._dtype = as_dtype(dtype).base_dtype
        self._infer_shape = infer_shape
        self._element_shape = [TensorShape(as_dims(element_shape))] if element_shape is not None else []
        self._colocate = [] if colocate_with_first_write_call else None
        self._dynamic_size = bool(dynamic_size)
        with name_scope(name, "TensorArray", [handle, size, flow]) as scope:
            if handle is not None:
                self._handle = handle
                if flow is None:
                    with get_default_graph().colocate_with(handle.node):
                        flow = constant(0, "float32", name="flow")
                self._flow = flow
            else:
                graph = get_default_graph()
                with graph.device(None) if colocate_with_first_write_call else contextlib.nullcontext():
                    self._handle, self._flow = apply_op(
                        "TensorArrayV3", scope, size=size, dtype=self._dtype, element_shape=self._element_shape[0] if self._element_shape else None,
                        identical_element_shapes=infer_shape, dynamic_size=bool(dynamic_size), clear_after_read=True if clear_after_read is None else clear_after_read,
                        tensor_array_name=tensor_array_name or "",
                    )  # fmt: skip

    flow = property(lambda self: self._flow)
    handle = property(lambda self: self._handle)
    dtype = property(lambda self: self._dtype)
    dynamic_size = property(lambda self: self._dynamic_size)

    @property
    def element_shape(self) -> TensorShape:
        return self._element_shape[0] if self._element_shape else TensorShape(None)

    def _with_flow(self, flow: Any) -> TensorArray:
        """The same array after what `flow` waits for."""
        made = object.__new__(TensorArray)
        made.__dict__.update(self.__dict__)
        made._flow = flow
        return made

    def identity(self) -> TensorArray:
        return self._with_flow(array_ops.identity(self._flow))

    def _near(self, value: Any) -> Any:
        """Colocated with the first value written."""
        if self._colocate is None:
            return contextlib.nullcontext()
        if not self._colocate:
            self._colocate.append(value)
        return get_default_graph().colocate_with(self._colocate[0].node)

    def _merge(self, shape: Any) -> None:
        if not self._infer_shape:
            return
        if self._element_shape:
            if not shape.is_compatible_with(self._element_shape[0]):
                raise ValueError(f"Inconsistent shapes: saw {shape} but expected {self._element_shape[0]} (and infer_shape=True)")
            if self._element_shape[0].ndims is None and shape.ndims is not None:
                self._element_shape[0] = shape
        else:
            self._element_shape.append(shape)

    def grad(self, source: str, flow: Any = None, name: str | None = None) -> TensorArray:
        """The array of this one's gradients, one for each `source`."""
        flow = self._flow if flow is None else flow
        with name_scope(name, "TensorArrayGrad", [self._handle]):
            graph = get_default_graph()
            with graph.colocate_with(self._handle.node):
                handle, _ = apply_op("TensorArrayGradV3", None, handle=self._handle, flow_in=flow, source=source)
                with graph.control_dependencies([handle]):
                    flow = array_ops.identity(flow, name="gradient_flow")
                return TensorArray(
                    dtype=self._dtype, handle=handle, flow=flow, infer_shape=self._infer_shape, colocate_with_first_write_call=False
                )

    def read(self, index: Any, name: str | None = None) -> Any:
        value = apply_op("TensorArrayReadV3", name, handle=self._handle, index=index, flow_in=self._flow, dtype=self._dtype)
        if self._element_shape:
            value.set_shape(self._element_shape[0])
        return value

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        with name_scope(name, "TensorArrayWrite", [self._handle, index, value]):
            value = convert_to_tensor(value, preferred_dtype=self._dtype, name="value")
            if value.dtype.base_dtype is not self._dtype:
                raise TypeError(f"TensorArray dtype is {self._dtype.name} but value has dtype {value.dtype.base_dtype.name}")
            self._merge(value.shape)
            with self._near(value):
                flow = apply_op("TensorArrayWriteV3", name, handle=self._handle, index=index, value=value, flow_in=self._flow)
            return self._with_flow(flow)

    def stack(self, name: str | None = None) -> Any:
        with get_default_graph().colocate_with(self._handle.node), name_scope(name, "TensorArrayStack", [self._handle]):
            return self.gather(math_ops.range(0, self.size()), name=name)

    def gather(self, indices: Any, name: str | None = None) -> Any:
        value = apply_op(
            "TensorArrayGatherV3",
            name,
            handle=self._handle,
            indices=indices,
            flow_in=self._flow,
            dtype=self._dtype,
            element_shape=self._element_shape[0] if self._element_shape else None,
        )
        if self._element_shape and self._element_shape[0].dims is not None:
            value.set_shape([None, *self._element_shape[0].as_list()])
        return value

    def concat(self, name: str | None = None) -> Any:
        rest = self._element_shape[0][1:] if self._element_shape and self._element_shape[0].dims is not None else None
        value, _ = apply_op(
            "TensorArrayConcatV3", name, handle=self._handle, flow_in=self._flow, dtype=self._dtype, element_shape_except0=rest
        )
        if rest is not None:
            value.set_shape([None, *rest.as_list()])
        return value

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        with name_scope(name, "TensorArrayUnstack", [self._handle, value]):
            count = array_ops._slice_helper(array_ops.shape(value), 0)
            return self.scatter(math_ops.range(0, count), value, name=name)

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        with name_scope(name, "TensorArrayScatter", [self._handle, value, indices]):
            value = convert_to_tensor(value, preferred_dtype=self._dtype, name="value")
            if value.dims is not None:
                self._merge(value.shape[1:])
            with self._near(value):
                flow = apply_op("TensorArrayScatterV3", name, handle=self._handle, indices=indices, value=value, flow_in=self._flow)
            return self._with_flow(flow)

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        with name_scope(name, "TensorArraySplit", [self._handle, value, lengths]):
            value = convert_to_tensor(value, name="value")
            lengths = math_ops.cast(convert_to_tensor(lengths), "int64")
            with self._near(value):
                flow = apply_op("TensorArraySplitV3", name, handle=self._handle, value=value, lengths=lengths, flow_in=self._flow)
            return self._with_flow(flow)

    def size(self, name: str | None = None) -> Any:
        return apply_op("TensorArraySizeV3", name, handle=self._handle, flow_in=self._flow)

    def close(self, name: str | None = None) -> Any:
        return apply_op("TensorArrayCloseV3", name, handle=self._handle)
