"""Builder -> ModelProto."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from graphtools.convert.builder import Builder, OnnxNode, Value
from graphtools.dtypes import as_dtype

IR_VERSION = 10
DOMAINS = {"ai.onnx.ml": 4}  # domain -> version, where it is not 1


def to_model(
    builder: Builder,
    opset: int,
    *,
    metadata: Mapping[str, str] | None = None,
    external: dict[str, Any] | None = None,
    external_from: int = 1024,
) -> onnx.ModelProto:
    """The model of a finished graph.

    With `external`, constants of `external_from` bytes or more are not written into the model: it declares them as external
    data and their arrays are put into `external` under their names, for `SessionOptions.add_external_initializers`.
    """
    builder.sanitize()
    model = onnx.ModelProto(ir_version=IR_VERSION, producer_name="tfrevive")
    domains = {node.domain for node in builder.walk()} - {""}
    model.opset_import.append(onnx.OperatorSetIdProto(domain="", version=opset))
    for domain in sorted(domains):
        model.opset_import.append(onnx.OperatorSetIdProto(domain=domain, version=DOMAINS.get(domain, 1)))
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    _write_graph(builder, model.graph, external, external_from)
    return model


def _write_graph(builder: Builder, graph: onnx.GraphProto, external: dict[str, Any] | None, external_from: int) -> None:
    graph.name = builder.name
    constants: dict[int, Value] = {}
    for value in builder.inputs:
        _write_value_info(value, graph.input.add())
        if value.const is not None:
            constants[id(value)] = value
    _collect_constants(builder, constants)
    for n, value in enumerate(constants.values()):
        if not value.name:
            value.name = builder.names.unique(f"const_{n}")
        _write_tensor(value, graph.initializer.add(), external, external_from)
    _write_nodes(builder, graph)
    for node in builder.nodes:
        if node.domain:  # ONNX's own shape inference knows no types of these, and needs them
            for value in node.outputs:
                if not value.is_output and value.dtype.onnx and not value.dtype.is_complex:
                    _write_value_info(value, graph.value_info.add())
    for value in builder.outputs:
        _write_value_info(value, graph.output.add())


def _collect_constants(builder: Builder, found: dict[int, Value]) -> None:
    """The constants that nodes read, subgraphs included: all become initializers of the main graph."""
    for node in builder.nodes:
        for value in node.inputs:
            if value is not None and value.const is not None:
                found.setdefault(id(value), value)
        for body in node.subgraphs():
            _collect_constants(body, found)
            for value in body.outputs:
                if value.const is not None:
                    found.setdefault(id(value), value)


def _write_nodes(builder: Builder, graph: onnx.GraphProto) -> None:
    graph.node.extend([_node_proto(node) for node in builder.nodes])


def _node_proto(node: OnnxNode) -> onnx.NodeProto:
    proto = onnx.NodeProto(
        op_type=node.op_type,
        name=node.name,
        input=["" if v is None else v.name for v in node.inputs],
        output=[v.name for v in node.outputs],
    )
    if node.domain:
        proto.domain = node.domain
    if node.device:
        proto.metadata_props.add(key="layer_ann", value=node.device)
    for name, value in node.attrs.items():
        _write_attribute(name, value, proto.attribute.add())
    return proto


def _write_attribute(name: str, value: Any, proto: onnx.AttributeProto) -> None:
    proto.name = name
    if isinstance(value, Builder):
        proto.type = onnx.AttributeProto.GRAPH
        proto.g.name = value.name
        for v in value.inputs:
            _write_value_info(v, proto.g.input.add())
        _write_nodes(value, proto.g)
        for v in value.outputs:
            _write_value_info(v, proto.g.output.add())
    elif isinstance(value, bool | int | np.integer):
        proto.type, proto.i = onnx.AttributeProto.INT, int(value)
    elif isinstance(value, float | np.floating):
        proto.type, proto.f = onnx.AttributeProto.FLOAT, float(value)
    elif isinstance(value, str | bytes):
        proto.type, proto.s = onnx.AttributeProto.STRING, value.encode() if isinstance(value, str) else value
    elif isinstance(value, np.ndarray):
        proto.type = onnx.AttributeProto.TENSOR
        _write_array(value, proto.t)
    elif isinstance(value, list | tuple):
        if value and isinstance(value[0], str | bytes):
            proto.type = onnx.AttributeProto.STRINGS
            proto.strings.extend(v.encode() if isinstance(v, str) else v for v in value)
        elif value and any(isinstance(v, float | np.floating) for v in value):
            proto.type = onnx.AttributeProto.FLOATS
            proto.floats.extend(float(v) for v in value)
        else:
            proto.type = onnx.AttributeProto.INTS
            proto.ints.extend(int(v) for v in value)
    else:
        raise TypeError(f"Attribute {name!r} of type {type(value).__name__} has no ONNX form.")


def _write_value_info(value: Value, proto: onnx.ValueInfoProto) -> None:
    proto.name = value.name
    tensor = proto.type.sequence_type.elem_type.tensor_type if value.is_sequence else proto.type.tensor_type
    complex_parts = value.dtype.is_complex
    tensor.elem_type = value.dtype.real_dtype.onnx if complex_parts else value.dtype.onnx
    if value.dims is not None and not value.is_sequence:
        shape = tensor.shape
        shape.SetInParent()
        for i, d in enumerate((*value.dims, 2) if complex_parts else value.dims):
            dim = shape.dim.add()
            if d is None:
                dim.dim_param = f"{value.name}/dim_{i}"
            else:
                dim.dim_value = d


def _write_tensor(value: Value, proto: onnx.TensorProto, external: dict[str, Any] | None, external_from: int) -> None:
    proto.name = value.name
    array = value.const
    if array is None:
        raise ValueError(f"The value {value.name!r} is no constant.")
    if external is not None and array.nbytes >= external_from and array.dtype.kind != "O":
        external[value.name] = array
        proto.data_type = value.dtype.onnx
        proto.dims.extend(array.shape)
        proto.data_location = onnx.TensorProto.EXTERNAL
        return
    _write_array(array, proto)


def _write_array(array: np.ndarray[Any, Any], proto: onnx.TensorProto) -> None:
    proto.dims.extend(array.shape)
    if array.dtype.kind in "OSU":
        proto.data_type = onnx.TensorProto.STRING
        proto.string_data.extend(s if isinstance(s, bytes) else str(s).encode() for s in array.ravel().tolist())
        return
    proto.data_type = as_dtype(array.dtype).onnx
    proto.raw_data = np.ascontiguousarray(array).tobytes()
