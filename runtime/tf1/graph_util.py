"""tf.graph_util and freeze_graph: GraphDefs cut out, frozen and stripped."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from graphtools.dtypes import as_dtype
from graphtools.formats import schema, tensor
from runtime.tf1.client import internal_runs
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger

# What a resource passes through on its way to the op that reads it.
PASSING = ("Switch", "Enter", "Exit", "Identity", "Merge", "NextIteration")
VARIABLES = ("Variable", "VariableV2", "VarHandleOp")


def _node_name(name: str) -> str:
    return name[1:] if name.startswith("^") else name.split(":")[0]


@export("graph_util.must_run_on_cpu")
def must_run_on_cpu(node: Any, pin_variables_on_cpu: bool = False) -> bool:
    node_def = getattr(node, "node_def", node)
    if pin_variables_on_cpu and node_def.op in (
        "Assign", "AssignAdd", "AssignSub", "Queue", "ScatterAdd", "ScatterSub", "ScatterUpdate", "TruncatedNormal", "Variable", "VariableV2"
    ):  # fmt: skip
        return True
    key = {"Const": "dtype", "DynamicStitch": "T", "ParallelDynamicStitch": "T", "Cast": "SrcT"}.get(node_def.op)
    if key is None:
        return False
    return node_def.attr[key].type == 3 or (node_def.op == "Const" and node_def.attr[key].type == 7)


@export("graph_util.tensor_shape_from_node_def_name")
def tensor_shape_from_node_def_name(graph: Any, input_name: str) -> Any:
    return graph.get_tensor_by_name(input_name if ":" in input_name else f"{input_name}:0").get_shape()


@export("graph_util.extract_sub_graph")
def extract_sub_graph(graph_def: Any, dest_nodes: Any) -> Any:
    """The nodes that `dest_nodes` need, in the order of the graph."""
    if not hasattr(graph_def, "node"):
        raise TypeError("graph_def must be a graph_pb2.GraphDef proto.")
    if isinstance(dest_nodes, str):
        raise TypeError("dest_nodes must be a list.")
    nodes = {n.name: n for n in graph_def.node}
    for name in dest_nodes:
        if name not in nodes:
            raise AssertionError(f"{name} is not in graph")
    keep: set[str] = set()
    pending = list(dest_nodes)
    while pending:
        name = pending.pop()
        if name in keep:
            continue
        keep.add(name)
        node = nodes.get(name)
        if node is not None:
            pending.extend(_node_name(i) for i in node.input)
            if "_class" in node.attr:
                pending.extend(c.decode()[5:] for c in node.attr["_class"].list.s if c.startswith(b"loc:@"))
    made = schema.message("GraphDef")()
    made.node.extend(n for n in graph_def.node if n.name in keep)
    made.library.CopyFrom(graph_def.library)
    made.versions.CopyFrom(graph_def.versions)
    return made


def _constant(node: Any, name: str, dtype: Any, value: Any) -> None:
    node.op, node.name = "Const", name
    node.attr["dtype"].CopyFrom(dtype)
    node.attr["value"].tensor.CopyFrom(tensor.to_proto(np.asarray(value), as_dtype(dtype.type)))


@export("graph_util.convert_variables_to_constants")
def convert_variables_to_constants(
    sess: Any, input_graph_def: Any, output_node_names: Any, variable_names_whitelist: Any = None, variable_names_blacklist: Any = None
) -> Any:
    """What the outputs need, with the variables as constants of their values in the session."""
    graph = extract_sub_graph(input_graph_def, list(output_node_names))
    nodes = {n.name: n for n in graph.node}
    names: dict[str, str] = {}
    resources: dict[str, Any] = {}  # what a resource passes through -> its dtype, an AttrValue
    for node in graph.node:
        if node.op in VARIABLES:
            if (variable_names_whitelist is not None and node.name not in variable_names_whitelist) or (
                variable_names_blacklist is not None and node.name in variable_names_blacklist
            ):
                continue
            names[node.name] = f"{node.name}/Read/ReadVariableOp:0" if node.op == "VarHandleOp" else f"{node.name}:0"
        elif node.op in ("ReadVariableOp", "ResourceGather"):
            pending = [_node_name(node.input[0])]
            while pending:
                source = nodes[pending.pop()]
                if source.op in PASSING:
                    if source.name not in resources:
                        resources[source.name] = node.attr["dtype"]
                        pending.extend(_node_name(i) for i in source.input[: 2 if source.op == "Merge" else 1])
                elif source.op != "VarHandleOp":
                    raise ValueError("Cannot find the variable that is an input to the ReadVariableOp.")
    with internal_runs():
        values = dict(zip(names, sess.run(list(names.values())) if names else [], strict=True))
    get_logger().info("Froze %d variables.", len(values))
    made = schema.message("GraphDef")()
    for node in graph.node:
        if node.op == "ResourceGather":
            if node.attr["batch_dims"].i:
                raise ValueError("batch_dims != 0 is not supported by freeze_graph.")
            _constant(made.node.add(), f"{node.name}/axis", node.attr["Tindices"], 0)
        new = made.node.add()
        if node.name in values:
            _constant(new, node.name, node.attr["dtype"], values[node.name])
        elif node.name in resources:
            new.CopyFrom(node)
            new.attr.pop("_output_shapes", None)
            new.attr["T"].CopyFrom(resources[node.name])
        elif node.op == "ReadVariableOp":
            new.op, new.name = "Identity", node.name
            new.input.append(node.input[0])
            new.attr["T"].CopyFrom(node.attr["dtype"])
            if "_class" in node.attr:
                new.attr["_class"].CopyFrom(node.attr["_class"])
        elif node.op == "ResourceGather":
            new.op, new.name = "GatherV2", node.name
            new.input.extend([node.input[0], node.input[1], f"{node.name}/axis"])
            new.attr["Tparams"].CopyFrom(node.attr["dtype"])
            new.attr["Tindices"].CopyFrom(node.attr["Tindices"])
            new.attr["Taxis"].CopyFrom(node.attr["Tindices"])
            if "_class" in node.attr:
                new.attr["_class"].CopyFrom(node.attr["_class"])
        else:
            new.CopyFrom(node)
    made.library.CopyFrom(graph.library)
    get_logger().info("Converted %d variables to const ops.", len(values))
    return made


@export("graph_util.remove_training_nodes")
def remove_training_nodes(input_graph: Any, protected_nodes: Any = None) -> Any:
    """The graph without CheckNumerics, and without Identities that nothing is ordered by."""
    protected = set(protected_nodes or ())
    removed = {n.name for n in input_graph.node if n.op == "CheckNumerics" and n.name not in protected}

    def copies(nodes: Any, rename: Any) -> list[Any]:
        found = []
        for node in nodes:
            new = schema.message("NodeDef")()
            new.CopyFrom(node)
            del new.input[:]
            new.input.extend(name for name in (rename(i) for i in node.input) if name is not None)
            found.append(new)
        return found

    kept = copies((n for n in input_graph.node if n.name not in removed), lambda i: None if re.sub(r"^\^", "", i) in removed else i)
    ordering = {i[1:] for n in kept for i in n.input if i.startswith("^")}
    ordered = {n.name for n in kept if any(i.startswith("^") for i in n.input)}
    spliced = {n.name: n.input[0] for n in kept if n.op == "Identity" and n.name not in protected | ordering | ordered}

    def target(name: str) -> str:
        while re.sub(r"^\^", "", name) in spliced:
            name = spliced[re.sub(r"^\^", "", name)]
        return name

    made = schema.message("GraphDef")()
    made.node.extend(copies((n for n in kept if n.name not in spliced), target))
    return made


# -- freeze_graph --------------------------------------------------------------------------------------------------------


def _read_graph(path: str, is_binary: bool) -> Any:
    with open(path, "rb") as f:
        data = f.read()
    return schema.parse("GraphDef", data, what=path) if is_binary else schema.parse_text("GraphDef", data, what=path)


def _names(text: Any) -> list[str]:
    return [n.strip() for n in text.split(",") if n.strip()] if isinstance(text, str) else list(text or ())


@export("python.tools.freeze_graph.freeze_graph_with_def_protos")
def freeze_graph_with_def_protos(
    input_graph_def: Any,
    input_saver_def: Any,
    input_checkpoint: Any,
    output_node_names: Any,
    restore_op_name: str,
    filename_tensor_name: str,
    output_graph: Any,
    clear_devices: bool,
    initializer_nodes: Any,
    variable_names_whitelist: Any = "",
    variable_names_blacklist: Any = "",
    input_meta_graph_def: Any = None,
    input_saved_model_dir: Any = None,
    saved_model_tags: Any = None,
    checkpoint_version: int = 2,
) -> Any:
    """A graph with the variables of a checkpoint (or SavedModel) as constants; written to `output_graph`, if given."""
    from runtime.tf1.client import Session
    from runtime.tf1.graph import Graph
    from runtime.tf1.train.meta_graph import import_graph_def, import_meta_graph
    from runtime.tf1.train.saver import Saver, checkpoint_exists, load_checkpoint

    if not input_saved_model_dir and not checkpoint_exists(input_checkpoint):
        raise ValueError(f"Input checkpoint '{input_checkpoint}' doesn't exist!")
    if not output_node_names:
        raise ValueError("You need to supply the name of a node to --output_node_names.")
    graph_def = input_meta_graph_def.graph_def if input_meta_graph_def is not None else input_graph_def
    if clear_devices and graph_def is not None:
        for node in graph_def.node:
            node.device = ""
    with Graph().as_default() as graph, internal_runs():
        if graph_def is not None and input_meta_graph_def is None:
            import_graph_def(graph_def, name="")
        with Session(graph=graph) as sess:
            if input_saver_def is not None:
                Saver(saver_def=input_saver_def).restore(sess, input_checkpoint)
            elif input_meta_graph_def is not None:
                saver = import_meta_graph(input_meta_graph_def, clear_devices=True)
                saver.restore(sess, input_checkpoint)
                if initializer_nodes:
                    sess.run(_names(initializer_nodes))
            elif input_saved_model_dir:
                from runtime.tf1.saved_model import load

                graph_def = load(sess, _names(saved_model_tags or "serve"), input_saved_model_dir).graph_def
            else:
                saved = load_checkpoint(input_checkpoint).get_variable_to_shape_map()
                variables = {n: graph.nodes[n].outputs[0] for n in saved if n in graph.nodes and graph.nodes[n].op in VARIABLES}
                Saver(var_list=variables, write_version=checkpoint_version).restore(sess, input_checkpoint)
                if initializer_nodes:
                    sess.run(_names(initializer_nodes))
            frozen = convert_variables_to_constants(
                sess,
                graph_def,
                _names(output_node_names),
                _names(variable_names_whitelist) or None,
                _names(variable_names_blacklist) or None,
            )
    if output_graph:
        with open(output_graph, "wb") as f:
            f.write(frozen.SerializeToString())
    return frozen


@export("python.tools.freeze_graph.freeze_graph")
def freeze_graph(
    input_graph: Any,
    input_saver: Any,
    input_binary: bool,
    input_checkpoint: Any,
    output_node_names: Any,
    restore_op_name: str,
    filename_tensor_name: str,
    output_graph: Any,
    clear_devices: bool,
    initializer_nodes: Any,
    variable_names_whitelist: Any = "",
    variable_names_blacklist: Any = "",
    input_meta_graph: Any = None,
    input_saved_model_dir: Any = None,
    saved_model_tags: Any = "serve",
    checkpoint_version: int = 2,
) -> Any:
    """freeze_graph_with_def_protos of files."""
    from runtime.tf1.train.meta_graph import read_meta_graph

    graph_def = meta = saver_def = None
    if input_saved_model_dir:
        graph_def = None
    elif input_graph:
        graph_def = _read_graph(input_graph, input_binary)
    elif input_meta_graph:
        meta = read_meta_graph(input_meta_graph)
    if input_saver:
        with open(input_saver, "rb") as f:
            data = f.read()
        saver_def = schema.parse("SaverDef", data) if input_binary else schema.parse_text("SaverDef", data)
    return freeze_graph_with_def_protos(
        graph_def, saver_def, input_checkpoint, output_node_names, restore_op_name, filename_tensor_name, output_graph, clear_devices, initializer_nodes, variable_names_whitelist,
        variable_names_blacklist, meta, input_saved_model_dir, _names(saved_model_tags), checkpoint_version,
    )  # fmt: skip
