"""Writing and reading MetaGraphs and GraphDefs."""

from __future__ import annotations

import os
from typing import Any

from graphtools.formats import graphdef, schema
from graphtools.graph import Node, Tensor
from runtime.tf1.graph import Graph, get_default_graph
from runtime.tf1.registry import export
from runtime.tf1.tensor import Operation

# Collections whose items are protos of these types.
PROTOS = {
    "variables": "VariableDef", "trainable_variables": "VariableDef", "local_variables": "VariableDef", "model_variables": "VariableDef",
    "moving_average_variables": "VariableDef", "metric_variables": "VariableDef", "global_step": "VariableDef", "trainable_resource_variables": "VariableDef",
    "concatenated_variables": "VariableDef", "queue_runners": "QueueRunnerDef", "savers": "SaverDef",
}  # fmt: skip


def write_atomically(path: str, data: bytes) -> None:
    temporary = f"{path}.tmp{os.getpid()}"
    with open(temporary, "wb") as f:
        f.write(data)
    os.replace(temporary, path)


@export("train.export_meta_graph")
def export_meta_graph(
    filename: str | None = None,
    meta_info_def: Any = None,
    graph_def: Any = None,
    saver_def: Any = None,
    collection_list: Any = None,
    as_text: bool = False,
    graph: Graph | None = None,
    export_scope: str | None = None,
    clear_devices: bool = False,
    clear_extraneous_savers: bool = False,
    strip_default_attrs: bool = False,
    save_debug_info: bool = False,
    **kwargs: Any,
) -> Any:
    """The MetaGraph of a graph: its nodes, saver and collections; written to `filename`, if given."""
    graph = graph or get_default_graph()
    meta = schema.message("MetaGraphDef")()
    if meta_info_def is not None:
        meta.meta_info_def.CopyFrom(meta_info_def)
    meta.meta_info_def.tensorflow_version = "1.15.5"
    meta.meta_info_def.tensorflow_git_version = "tfrevive"
    meta.graph_def.CopyFrom(graph_def if graph_def is not None else graphdef.to_message(graph))
    if clear_devices:
        for node in meta.graph_def.node:
            node.device = ""
    if saver_def is not None:
        meta.saver_def.CopyFrom(saver_def)
    for key in collection_list if collection_list is not None else graph.get_all_collection_keys():
        add_collection(meta, key, graph.get_collection(key), export_scope)
    if filename:
        folder = os.path.dirname(filename)
        if folder:
            os.makedirs(folder, exist_ok=True)
        write_atomically(filename, schema.to_text(meta).encode() if as_text else meta.SerializeToString())
    return meta


def add_collection(meta: Any, key: str, items: Any, export_scope: str | None) -> None:
    """Write a collection as protos, names, numbers or bytes; items that have no form are left out."""
    if not items:
        return
    target = meta.collection_def[key]
    proto_type = PROTOS.get(key)
    for item in items:
        if proto_type is not None or hasattr(item, "to_proto"):
            proto = (
                item
                if hasattr(item, "SerializeToString")
                else item.to_proto(export_scope=export_scope)
                if hasattr(item, "to_proto")
                else None
            )
            if proto is not None:
                target.bytes_list.value.append(proto.SerializeToString())
        elif isinstance(item, Tensor | Node):
            target.node_list.value.append(item.name)
        elif isinstance(item, bool | int):
            target.int64_list.value.append(int(item))
        elif isinstance(item, float):
            target.float_list.value.append(item)
        elif isinstance(item, str | bytes):
            target.bytes_list.value.append(item.encode() if isinstance(item, str) else item)
    if not target.WhichOneof("kind"):
        del meta.collection_def[key]


@export("train.import_meta_graph")
def import_meta_graph(meta_graph_or_file: Any, clear_devices: bool = False, import_scope: str | None = None, **kwargs: Any) -> Any:
    """Add a MetaGraph's nodes and collections to the default graph; a Saver for it, or None when it has no variables to save."""
    from runtime.tf1.train.saver import Saver

    meta = meta_graph_or_file if not isinstance(meta_graph_or_file, str | os.PathLike) else read_meta_graph(os.fspath(meta_graph_or_file))
    graph = get_default_graph()
    if clear_devices:
        for node in meta.graph_def.node:
            node.device = ""
    import_graph_def(meta.graph_def, input_map=kwargs.get("input_map"), name=import_scope or "")
    prefix = f"{graph.scope}/{import_scope}".strip("/") if import_scope else graph.scope
    _restore_collections(graph, meta, prefix)
    if meta.HasField("saver_def"):
        saver_def = schema.message("SaverDef")()
        saver_def.CopyFrom(meta.saver_def)
        if prefix:
            for field in ("filename_tensor_name", "save_tensor_name", "restore_op_name"):
                setattr(saver_def, field, f"{prefix}/{getattr(saver_def, field)}")
        return Saver(saver_def=saver_def, name=import_scope)
    return Saver() if graph.get_collection("variables") else None


def _restore_collections(graph: Graph, meta: Any, prefix: str) -> None:
    from runtime.tf1.variables import Variable

    made: dict[str, Any] = {}
    for key in sorted(meta.collection_def):
        collection = meta.collection_def[key]
        kind = collection.WhichOneof("kind")
        if kind is None or key in ("cond_context", "while_context"):
            continue
        values = getattr(collection, kind).value
        if kind == "node_list":
            for name in values:
                graph.add_to_collection(key, graph.as_graph_element(f"{prefix}/{name}" if prefix else name))
        elif PROTOS.get(key) == "VariableDef":
            for data in values:
                proto = schema.parse("VariableDef", data)
                name = f"{prefix}/{proto.variable_name}" if prefix else proto.variable_name
                if name not in made:
                    made[name] = Variable.from_proto(proto, import_scope=prefix or None)
                    made[name]._trainable = key == "trainable_variables" or made[name]._trainable
                graph.add_to_collection(key, made[name])
        elif PROTOS.get(key) == "QueueRunnerDef":
            from runtime.tf1.modules import lookup

            for data in values:
                graph.add_to_collection(
                    key, lookup("train.QueueRunner").from_proto(schema.parse("QueueRunnerDef", data), import_scope=prefix or None)
                )
        elif kind == "bytes_list":
            for data in values:
                graph.add_to_collection(key, data)
        elif kind == "int64_list":
            for v in values:
                graph.add_to_collection(key, int(v))
        elif kind == "float_list":
            for v in values:
                graph.add_to_collection(key, float(v))


def read_meta_graph(path: str) -> Any:
    """The MetaGraphDef in a file, binary or text. Raises OSError with TensorFlow's words when there is none."""
    if not os.path.exists(path):
        raise OSError(f"File {path} does not exist.")
    with open(path, "rb") as f:
        data = f.read()
    from graphtools.errors import FormatError

    try:
        return schema.parse("MetaGraphDef", data, what=path)
    except FormatError:
        return schema.parse_text("MetaGraphDef", data, what=path)


@export("import_graph_def")
def import_graph_def(
    graph_def: Any,
    input_map: Any = None,
    return_elements: Any = None,
    name: str | None = None,
    op_dict: Any = None,
    producer_op_list: Any = None,
) -> Any:
    """Add a GraphDef's nodes to the default graph, under the name scope `name` ("import" when None)."""
    graph = get_default_graph()
    source = graphdef.from_message(graph_def) if hasattr(graph_def, "node") else graphdef.read(graph_def)
    mapped = {(k if ":" in k else f"{k}:0"): v for k, v in (input_map or {}).items()}
    scope = "import" if name is None else name
    with graph.name_scope(scope) if scope else _nothing() as entered:
        prefix = entered or (f"{graph.scope}/" if graph.scope else "")
    tensors: dict[Any, Any] = {}
    nodes: dict[Any, Operation] = {}
    graph.functions.update(source.functions)
    for old in source:
        new_name = prefix + old.name
        if new_name in graph.nodes:
            raise ValueError(f"Node name {new_name!r} already exists in the Graph")
        node = graph.add_raw_node(new_name, old.op, dict(old.attr), old.device)
        graph._names.setdefault(new_name.lower(), 1)
        node.source = None
        nodes[old] = node  # type: ignore[assignment]
        for t in old.outputs:
            made = graph.tensor_type(node, t.index, t.dtype, t.dims)
            node.outputs.append(made)
            tensors[t] = made
        graph.last_id += 1
        node._id = graph.last_id  # type: ignore[attr-defined]
    for old in source:
        node = nodes[old]
        node.inputs = [mapped[t.name] if t.name in mapped else tensors[t] for t in old.inputs]
        node.control_inputs = [nodes[c] for c in old.control_inputs]
        if old.attr.get("_class"):
            node.attr["_class"] = [
                f"loc:@{prefix}{c[5:]}" if isinstance(c, str) and c.startswith("loc:@") and prefix else c for c in old.attr["_class"]
            ]
        graph.settle_device(node)
    if input_map:
        from graphtools import shapes

        for old in source:
            try:
                shapes.infer(nodes[old])
            except ValueError:
                continue
    if return_elements is None:
        return None
    found = []
    for element in return_elements:
        if ":" in element:
            node_name, _, index = element.partition(":")
            found.append(mapped.get(element) if element in mapped else graph.nodes[prefix + node_name].outputs[int(index)])
        else:
            if prefix + element not in graph.nodes:
                raise ValueError(f"Requested return_element {element!r} not found in graph_def.")
            found.append(graph.nodes[prefix + element])
    return found


class _nothing:
    def __enter__(self) -> str:
        return ""

    def __exit__(self, *exc: Any) -> None:
        return None


@export("train.write_graph")
def write_graph(graph_or_graph_def: Any, logdir: str, name: str, as_text: bool = True) -> str:
    message = graph_or_graph_def.as_graph_def() if isinstance(graph_or_graph_def, Graph) else graph_or_graph_def
    os.makedirs(logdir, exist_ok=True)
    path = os.path.join(logdir, name)
    write_atomically(path, schema.to_text(message).encode() if as_text else message.SerializeToString(deterministic=True))
    return path
