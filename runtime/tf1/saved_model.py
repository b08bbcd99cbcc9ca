"""tf.saved_model: writing and loading SavedModels."""

from __future__ import annotations

import filecmp
import os
import shutil
from typing import Any

from graphtools import graph as base
from graphtools.dtypes import as_dtype, string
from graphtools.errors import FormatError
from graphtools.formats import schema
from runtime.tf1.client import internal_runs
from runtime.tf1.graph import GraphKeys, get_default_graph
from runtime.tf1.registry import export, put
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.system import get_logger
from runtime.tf1.train.meta_graph import import_meta_graph, write_atomically
from runtime.tf1.train.saver import Saver

CONSTANTS = {
    "ASSETS_DIRECTORY": "assets", "ASSETS_KEY": "saved_model_assets", "LEGACY_INIT_OP_KEY": "legacy_init_op", "MAIN_OP_KEY": "saved_model_main_op",
    "SAVED_MODEL_FILENAME_PB": "saved_model.pb", "SAVED_MODEL_FILENAME_PBTXT": "saved_model.pbtxt", "SAVED_MODEL_SCHEMA_VERSION": 1, "VARIABLES_DIRECTORY": "variables",
    "VARIABLES_FILENAME": "variables",
}  # fmt: skip
SIGNATURES = {
    "CLASSIFY_INPUTS": "inputs", "CLASSIFY_METHOD_NAME": "tensorflow/serving/classify", "CLASSIFY_OUTPUT_CLASSES": "classes", "CLASSIFY_OUTPUT_SCORES": "scores",
    "DEFAULT_SERVING_SIGNATURE_DEF_KEY": "serving_default", "PREDICT_INPUTS": "inputs", "PREDICT_METHOD_NAME": "tensorflow/serving/predict", "PREDICT_OUTPUTS": "outputs",
    "REGRESS_INPUTS": "inputs", "REGRESS_METHOD_NAME": "tensorflow/serving/regress", "REGRESS_OUTPUTS": "outputs",
}  # fmt: skip
TAGS = {"GPU": "gpu", "SERVING": "serve", "TPU": "tpu", "TRAINING": "train"}
for _names, _module in ((CONSTANTS, "constants"), (SIGNATURES, "signature_constants"), (TAGS, "tag_constants")):
    for _name, _value in _names.items():
        put(f"saved_model.{_module}.{_name}", _value)
        put(f"saved_model.{_name}", _value)

_INIT_OP = "__saved_model_init_op"
_TRAIN_OP_KEY = "saved_model_train_op"


# -- signatures --------------------------------------------------------------------------------------------------------------


@export("saved_model.build_tensor_info", "saved_model.utils.build_tensor_info")
def build_tensor_info(tensor: Any) -> Any:
    """The TensorInfo of a tensor, variable or SparseTensor."""
    info = schema.message("TensorInfo")(dtype=as_dtype(tensor.dtype).base_dtype.as_datatype_enum)
    info.tensor_shape.CopyFrom(tensor.get_shape().as_proto())
    if isinstance(tensor, SparseTensor):
        info.coo_sparse.values_tensor_name = tensor.values.name
        info.coo_sparse.indices_tensor_name = tensor.indices.name
        info.coo_sparse.dense_shape_tensor_name = tensor.dense_shape.name
    else:
        info.name = tensor.name
    return info


@export("saved_model.get_tensor_from_tensor_info", "saved_model.utils.get_tensor_from_tensor_info")
def get_tensor_from_tensor_info(tensor_info: Any, graph: Any = None, import_scope: str | None = None) -> Any:
    graph = graph or get_default_graph()

    def tensor(name: str) -> Any:
        return graph.get_tensor_by_name(f"{import_scope}/{name}" if import_scope else name)

    kind = tensor_info.WhichOneof("encoding")
    if kind == "name":
        return tensor(tensor_info.name)
    if kind == "coo_sparse":
        sparse = tensor_info.coo_sparse
        return SparseTensor(tensor(sparse.indices_tensor_name), tensor(sparse.values_tensor_name), tensor(sparse.dense_shape_tensor_name))
    raise ValueError(f"Invalid TensorInfo.encoding: {kind}")


@export("saved_model.build_signature_def", "saved_model.signature_def_utils.build_signature_def")
def build_signature_def(inputs: Any = None, outputs: Any = None, method_name: str | None = None) -> Any:
    made = schema.message("SignatureDef")()
    for key, info in (inputs or {}).items():
        made.inputs[key].CopyFrom(info)
    for key, info in (outputs or {}).items():
        made.outputs[key].CopyFrom(info)
    if method_name is not None:
        made.method_name = method_name
    return made


def _typed(tensor: Any, number: int, message: str) -> Any:
    info = build_tensor_info(tensor)
    if info.dtype != number:
        raise ValueError(message)
    return info


def _examples(what: str, examples: Any) -> Any:
    if examples is None:
        raise ValueError(f"{what} examples cannot be None.")
    if not isinstance(examples, base.Tensor):
        raise ValueError(f"{what} examples must be a string Tensor.")
    return _typed(examples, string.as_datatype_enum, f"{what} examples must be a string Tensor.")


@export("saved_model.regression_signature_def", "saved_model.signature_def_utils.regression_signature_def")
def regression_signature_def(examples: Any, predictions: Any) -> Any:
    if predictions is None:
        raise ValueError("Regression predictions cannot be None.")
    inputs = {SIGNATURES["REGRESS_INPUTS"]: _examples("Regression", examples)}
    outputs = {SIGNATURES["REGRESS_OUTPUTS"]: _typed(predictions, 1, "Regression output must be a float Tensor.")}
    return build_signature_def(inputs, outputs, SIGNATURES["REGRESS_METHOD_NAME"])


@export("saved_model.classification_signature_def", "saved_model.signature_def_utils.classification_signature_def")
def classification_signature_def(examples: Any, classes: Any, scores: Any) -> Any:
    inputs = {SIGNATURES["CLASSIFY_INPUTS"]: _examples("Classification", examples)}
    if classes is None and scores is None:
        raise ValueError("Classification classes and scores cannot both be None.")
    outputs = {}
    if classes is not None:
        outputs[SIGNATURES["CLASSIFY_OUTPUT_CLASSES"]] = _typed(
            classes, string.as_datatype_enum, "Classification classes must be a string Tensor."
        )
    if scores is not None:
        outputs[SIGNATURES["CLASSIFY_OUTPUT_SCORES"]] = _typed(scores, 1, "Classification scores must be a float Tensor.")
    return build_signature_def(inputs, outputs, SIGNATURES["CLASSIFY_METHOD_NAME"])


@export("saved_model.predict_signature_def", "saved_model.signature_def_utils.predict_signature_def")
def predict_signature_def(inputs: Any, outputs: Any) -> Any:
    if not inputs:
        raise ValueError("Prediction inputs cannot be None or empty.")
    if not outputs:
        raise ValueError("Prediction outputs cannot be None or empty.")
    return build_signature_def(
        {k: build_tensor_info(t) for k, t in inputs.items()},
        {k: build_tensor_info(t) for k, t in outputs.items()},
        SIGNATURES["PREDICT_METHOD_NAME"],
    )


@export("saved_model.is_valid_signature", "saved_model.signature_def_utils.is_valid_signature")
def is_valid_signature(signature_def: Any) -> bool:
    """Whether a signature is one of the three that serving knows."""
    if signature_def is None:
        return False
    method = signature_def.method_name
    if method == SIGNATURES["PREDICT_METHOD_NAME"]:
        return bool(signature_def.inputs) and bool(signature_def.outputs)
    if method == SIGNATURES["CLASSIFY_METHOD_NAME"]:
        inputs, outputs = dict(signature_def.inputs), dict(signature_def.outputs)
        return (
            list(inputs) == ["inputs"]
            and inputs["inputs"].dtype == 7
            and bool(outputs)
            and all((k == "classes" and v.dtype == 7) or (k == "scores" and v.dtype == 1) for k, v in outputs.items())
        )
    if method == SIGNATURES["REGRESS_METHOD_NAME"]:
        inputs, outputs = dict(signature_def.inputs), dict(signature_def.outputs)
        return list(inputs) == ["inputs"] and inputs["inputs"].dtype == 7 and list(outputs) == ["outputs"] and outputs["outputs"].dtype == 1
    return False


# -- writing -----------------------------------------------------------------------------------------------------------------


@export("saved_model.Builder", "saved_model.builder.SavedModelBuilder")
class SavedModelBuilder:
    """Writes a SavedModel: variables once, a MetaGraph for each set of tags."""

    def __init__(self, export_dir: Any) -> None:
        self._export_dir = os.fspath(export_dir)
        if os.path.exists(self._export_dir):
            if os.listdir(self._export_dir):
                raise AssertionError(
                    "Export directory already exists, and isn't empty. Please choose a different export directory, or delete all the contents of the specified "
                    f"directory: {self._export_dir}"
                )
        else:
            os.makedirs(self._export_dir)
        self._model = schema.message("SavedModel")(saved_model_schema_version=CONSTANTS["SAVED_MODEL_SCHEMA_VERSION"])
        self._has_saved_variables = False

    @staticmethod
    def _check_info(info: Any) -> None:
        if info is None:
            raise AssertionError("All TensorInfo protos used in the SignatureDefs must have the name and dtype fields set.")
        if info.WhichOneof("encoding") is None:
            raise AssertionError(
                f"All TensorInfo protos used in the SignatureDefs must have one of the 'encoding' fields (e.g., name or coo_sparse) set: {info}"
            )
        if not info.dtype:
            raise AssertionError(f"All TensorInfo protos used in the SignatureDefs must have the dtype field set: {info}")

    def _assets(self, collection: Any) -> list[Any]:
        """Copy the files that asset tensors name; their AssetFileDefs."""
        found: dict[str, str] = {}
        made = []
        for tensor in collection or ():
            if not isinstance(tensor, base.Tensor):
                raise TypeError("Asset path tensor must be a Tensor.")
            if tensor.node.op != "Const":
                raise TypeError("Asset path tensor must be of type constant.")
            if tensor.dtype is not string:
                raise TypeError("Asset path tensor must be of dtype string.")
            if tensor.node.attr["value"].size != 1:
                raise TypeError("Asset path tensor must be a scalar.")
            path = tensor.node.attr["value"].ravel()[0].decode()
            name, n = os.path.basename(path), 1
            while name in found and found[name] != path and not filecmp.cmp(path, found[name], shallow=False):
                name = f"{os.path.basename(path)}_{n}"
                n += 1
            found[name] = path
            asset = schema.message("AssetFileDef")(filename=name)
            asset.tensor_info.name = tensor.name
            made.append(asset)
        if found:
            folder = os.path.join(self._export_dir, CONSTANTS["ASSETS_DIRECTORY"])
            os.makedirs(folder, exist_ok=True)
            for name, path in found.items():
                if not os.path.exists(os.path.join(folder, name)):
                    shutil.copyfile(path, os.path.join(folder, name))
        return made

    def _add(
        self,
        sess: Any,
        tags: Any,
        signatures: Any,
        assets_collection: Any,
        main_op: Any,
        train_op: Any,
        clear_devices: bool,
        strip_default_attrs: bool,
        saver: Any,
    ) -> None:
        for signature in (signatures or {}).values():
            for info in (*signature.inputs.values(), *signature.outputs.values()):
                self._check_info(info)
        graph = get_default_graph()
        assets = self._assets(assets_collection)
        if main_op is not None:
            if not isinstance(main_op, base.Node):
                raise TypeError(f"main_op needs to be an Operation: {main_op!r}")
            for key in (CONSTANTS["MAIN_OP_KEY"], CONSTANTS["LEGACY_INIT_OP_KEY"]):
                if graph.get_collection(key):
                    raise ValueError(f"Graph already contains one or more main ops under the collection {key}.")
            graph.add_to_collection(CONSTANTS["MAIN_OP_KEY"], main_op)
        if train_op is not None:
            graph.add_to_collection(_TRAIN_OP_KEY, train_op)
        if saver is None:
            saver = Saver(sharded=True, write_version=2, allow_empty=True)
        if sess is not None:
            folder = os.path.join(self._export_dir, CONSTANTS["VARIABLES_DIRECTORY"])
            os.makedirs(folder, exist_ok=True)
            saver.save(sess, os.path.join(folder, CONSTANTS["VARIABLES_FILENAME"]), write_meta_graph=False, write_state=False)
        meta = saver.export_meta_graph(clear_devices=clear_devices, strip_default_attrs=strip_default_attrs)
        for asset in assets:
            held = meta.collection_def[CONSTANTS["ASSETS_KEY"]].any_list.value.add()
            held.type_url, held.value = "type.googleapis.com/tensorflow.AssetFileDef", asset.SerializeToString()
            meta.asset_file_def.add().CopyFrom(asset)
        meta.meta_info_def.tags.extend(tags)
        for key, signature in (signatures or {}).items():
            meta.signature_def[key].CopyFrom(signature)
        self._model.meta_graphs.add().CopyFrom(meta)

    def add_meta_graph_and_variables(
        self,
        sess: Any,
        tags: Any,
        signature_def_map: Any = None,
        assets_collection: Any = None,
        legacy_init_op: Any = None,
        clear_devices: bool = False,
        main_op: Any = None,
        strip_default_attrs: bool = False,
        saver: Any = None,
        train_op: Any = None,
    ) -> None:
        """The graph, and the values of the variables in the session."""
        if self._has_saved_variables:
            raise AssertionError(
                "Graph state including variables and assets has already been saved. Please invoke `add_meta_graph()` instead."
            )
        self._add(
            sess,
            tags,
            signature_def_map,
            assets_collection,
            main_op if main_op is not None else legacy_init_op,
            train_op,
            clear_devices,
            strip_default_attrs,
            saver,
        )
        self._has_saved_variables = True

    def add_meta_graph(
        self,
        tags: Any,
        signature_def_map: Any = None,
        assets_collection: Any = None,
        legacy_init_op: Any = None,
        clear_devices: bool = False,
        main_op: Any = None,
        strip_default_attrs: bool = False,
        saver: Any = None,
        train_op: Any = None,
    ) -> None:
        """One more graph over the variables that are saved already."""
        if not self._has_saved_variables:
            raise AssertionError(
                "Graph state including variables and assets has not been saved yet. Please invoke `add_meta_graph_and_variables()` first."
            )
        self._add(
            None,
            tags,
            signature_def_map,
            assets_collection,
            main_op if main_op is not None else legacy_init_op,
            train_op,
            clear_devices,
            strip_default_attrs,
            saver,
        )

    def save(self, as_text: bool = False) -> bytes:
        """Write the file; its path."""
        os.makedirs(self._export_dir, exist_ok=True)
        name = CONSTANTS["SAVED_MODEL_FILENAME_PBTXT" if as_text else "SAVED_MODEL_FILENAME_PB"]
        path = os.path.join(self._export_dir, str(name))
        write_atomically(path, schema.to_text(self._model).encode() if as_text else self._model.SerializeToString())
        get_logger().info("SavedModel written to: %s", path)
        return path.encode()


@export("saved_model.simple_save")
def simple_save(session: Any, export_dir: Any, inputs: Any, outputs: Any, legacy_init_op: Any = None) -> None:
    """A SavedModel with one signature for serving."""
    builder = SavedModelBuilder(export_dir)
    builder.add_meta_graph_and_variables(
        session, tags=[TAGS["SERVING"]], signature_def_map={SIGNATURES["DEFAULT_SERVING_SIGNATURE_DEF_KEY"]: predict_signature_def(inputs, outputs)},
        assets_collection=get_default_graph().get_collection(GraphKeys.ASSET_FILEPATHS), main_op=legacy_init_op, clear_devices=True,
    )  # fmt: skip
    builder.save()


@export("saved_model.main_op.main_op")
def main_op() -> Any:
    """The op that initializes everything when a model is loaded."""
    from runtime.tf1.control_flow_ops import group
    from runtime.tf1.lookup_ops import tables_initializer
    from runtime.tf1.variables import global_variables_initializer, local_variables_initializer

    init, local, tables = global_variables_initializer(), local_variables_initializer(), tables_initializer()
    return group(init, local, tables)


@export("saved_model.main_op_with_restore", "saved_model.main_op.main_op_with_restore")
def main_op_with_restore(restore_op_name: str) -> Any:
    from runtime.tf1.control_flow_ops import group

    with get_default_graph().control_dependencies([main_op()]):
        return group(get_default_graph().get_operation_by_name(restore_op_name))


# -- loading -----------------------------------------------------------------------------------------------------------------


@export("saved_model.contains_saved_model", "saved_model.maybe_saved_model_directory", "saved_model.loader.maybe_saved_model_directory")
def maybe_saved_model_directory(export_dir: Any) -> bool:
    return any(
        os.path.exists(os.path.join(export_dir, str(CONSTANTS[k]))) for k in ("SAVED_MODEL_FILENAME_PB", "SAVED_MODEL_FILENAME_PBTXT")
    )


def parse_saved_model(export_dir: Any) -> Any:
    """The SavedModel proto of a folder. Raises OSError when there is none, or it cannot be read."""
    binary, text = (os.path.join(export_dir, str(CONSTANTS[k])) for k in ("SAVED_MODEL_FILENAME_PB", "SAVED_MODEL_FILENAME_PBTXT"))
    for path, read in ((binary, schema.parse), (text, schema.parse_text)):
        if os.path.exists(path):
            with open(path, "rb") as f:
                data = f.read()
            try:
                return read("SavedModel", data, what=path)
            except FormatError as e:
                raise OSError(f"Cannot parse file {path}: {e}.") from e
    raise OSError(f"SavedModel file does not exist at: {export_dir}/{{saved_model.pbtxt|saved_model.pb}}")


@export("saved_model.load", "saved_model.loader.load")
def load(sess: Any, tags: Any, export_dir: Any, import_scope: str | None = None, **saver_kwargs: Any) -> Any:
    """Add the MetaGraph with these tags to the session's graph and restore its variables; its MetaGraphDef."""
    export_dir = os.fspath(export_dir)
    model = parse_saved_model(export_dir)
    wanted = {tags} if isinstance(tags, str) else set(tags)
    meta = next((m for m in model.meta_graphs if set(m.meta_info_def.tags) == wanted), None)
    if meta is None:
        raise RuntimeError(
            f"MetaGraphDef associated with tags {str(tags).strip('[]')} could not be found in SavedModel. To inspect available tag-sets in the SavedModel, please use the "
            f"SavedModel CLI: `saved_model_cli`\navailable_tags: {[set(m.meta_info_def.tags) for m in model.meta_graphs]}"
        )
    prefix = f"{import_scope}/" if import_scope else ""
    path = os.path.join(export_dir, str(CONSTANTS["VARIABLES_DIRECTORY"]), str(CONSTANTS["VARIABLES_FILENAME"]))
    with sess.graph.as_default() as graph, internal_runs():
        saver = import_meta_graph(meta, import_scope=import_scope, **saver_kwargs)
        if saver is not None and os.path.exists(f"{path}.index"):
            saver.restore(sess, path)
        assets = _asset_files(meta)
        for asset in assets:
            if os.path.isabs(asset.filename) or ".." in asset.filename.replace("\\", "/").split("/"):
                raise FormatError(f"The SavedModel {export_dir} has an asset {asset.filename!r}, which would be outside its folder.")
        feeds = {f"{prefix}{a.tensor_info.name}": os.path.join(export_dir, str(CONSTANTS["ASSETS_DIRECTORY"]), a.filename) for a in assets}
        init = _init_op(meta, graph, prefix)
        if init is not None:
            sess.run([init], feeds or None)
    return meta


def _asset_files(meta: Any) -> list[Any]:
    if meta.asset_file_def:
        return list(meta.asset_file_def)
    key = str(CONSTANTS["ASSETS_KEY"])
    if key in meta.collection_def:
        return [schema.parse("AssetFileDef", held.value) for held in meta.collection_def[key].any_list.value]
    return []


def _init_op(meta: Any, graph: Any, prefix: str) -> Any:
    if _INIT_OP in meta.signature_def:
        return graph.as_graph_element(prefix + meta.signature_def[_INIT_OP].outputs[_INIT_OP].name)
    for key in (str(CONSTANTS["MAIN_OP_KEY"]), str(CONSTANTS["LEGACY_INIT_OP_KEY"])):
        if key in meta.collection_def:
            names = meta.collection_def[key].node_list.value
            if len(names) != 1:
                raise RuntimeError(f"Expected exactly one SavedModel init op. Found: {list(names)}")
            return graph.as_graph_element(prefix + names[0])
    return None
