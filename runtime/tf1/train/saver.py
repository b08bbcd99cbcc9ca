"""tf.train.Saver, checkpoint state and what reads checkpoints."""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.formats import checkpoint, schema
from runtime.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from runtime.tf1 import array_ops, control_flow_ops
from runtime.tf1.client import internal_runs
from runtime.tf1.device import DeviceSpec
from runtime.tf1.graph import GraphKeys, apply_op, constant, get_default_graph, name_scope
from runtime.tf1.registry import export, put
from runtime.tf1.variable_scope import PartitionedVariable
from runtime.tf1.variables import Variable, global_variables

put("train.SaverDef", schema.message("SaverDef"))


class SaveSpec:
    """One tensor (or slice of one) in a checkpoint."""

    def __init__(self, tensor: Any, slice_spec: str, name: str, dtype: Any = None) -> None:
        self.tensor, self.slice_spec, self.name = tensor, slice_spec, name
        self.dtype = dtype or tensor.dtype.base_dtype


class SaveableObject:
    """Something that a Saver saves and restores: its specs and how to restore from their tensors."""

    def __init__(self, op: Any, specs: list[SaveSpec], name: str) -> None:
        self.op, self.specs, self.name = op, specs, name

    @property
    def device(self) -> str:
        return str(self.specs[0].tensor.node.device) if self.specs else ""

    def restore(self, restored_tensors: Any, restored_shapes: Any) -> Any:
        raise NotImplementedError("Calling an abstract method.")


class _VariableSaveable(SaveableObject):
    def __init__(self, var: Any, slice_spec: str, name: str) -> None:
        if isinstance(var, Variable) and var._is_resource:
            graph = get_default_graph()
            with graph.control_dependencies([]), graph.colocate_with(var.op):
                tensor = apply_op("Identity", None, input=var._read_op())
        else:
            tensor = var._ref() if isinstance(var, Variable) else var
        super().__init__(var, [SaveSpec(tensor, slice_spec, name)], name)

    def restore(self, restored_tensors: Any, restored_shapes: Any) -> Any:
        value = restored_tensors[0]
        if restored_shapes is not None:
            value = array_ops.reshape(value, restored_shapes[0])
        if isinstance(self.op, Variable) and self.op._is_resource:
            dims = self.op.shape
            if restored_shapes is None and dims.is_fully_defined() and value.dims is None:
                value.set_shape(dims)
            return apply_op("AssignVariableOp", None, resource=self.op.handle, value=value)
        ref = self.op._ref() if isinstance(self.op, Variable) else self.op
        known = self.op.get_shape().is_fully_defined() and restored_shapes is None
        return apply_op("Assign", None, ref=ref, value=value, validate_shape=known, use_locking=True)


# Dtypes whose enum names are not their names in upper case.
_ENUM_NAMES = {"float16": "HALF", "float32": "FLOAT", "float64": "DOUBLE"}


def _restore_error(error: Any, cause: str) -> Any:
    return type(error)(
        error.node_def,
        error.op,
        f"Restoring from checkpoint failed. This is most likely due to {cause} from the checkpoint. Please ensure that you have not altered the graph expected based on the checkpoint. Original error:\n\n{error.message}",
    )


def _by_name(var_list: Any) -> dict[str, Any]:
    """Checkpoint name -> variable, partitioned variable parts, or saveable."""
    if isinstance(var_list, dict):
        return {name: list(v) if isinstance(v, PartitionedVariable) else v for name, v in var_list.items()}
    names: dict[str, Any] = {}
    for v in sorted(set(var_list), key=lambda v: v.name):
        if isinstance(v, SaveableObject):
            names[v.name] = v
        elif isinstance(v, PartitionedVariable):
            names[v.name] = list(v)
        elif isinstance(v, Variable) and v._get_save_slice_info() is not None:
            names.setdefault(v._get_save_slice_info().full_name, []).append(v)
        elif isinstance(v, Variable):
            name = v.op.name
            if name in names:
                raise ValueError(f"At least two variables have the same name: {name}")
            names[name] = v
        elif isinstance(v, base.Tensor) and v.node.op in ("Variable", "VariableV2"):
            names[v.node.name] = v
        else:
            raise TypeError(f"Variable to save is not a Variable: {v}")
    return names


def saveables_of(var_list: Any) -> list[SaveableObject]:
    found: list[SaveableObject] = []
    named = _by_name(var_list)
    for name in sorted(named):
        op = named[name]
        if isinstance(op, SaveableObject):
            found.append(op)
        elif isinstance(op, list):
            for part in op:
                info = part._get_save_slice_info()
                found.append(_VariableSaveable(part, info.spec if info is not None else "", name))
        elif isinstance(op, Variable) or (isinstance(op, base.Tensor) and op.op.type in ("Variable", "VariableV2", "VarHandleOp")):
            found.append(_VariableSaveable(op, "", name))
        elif hasattr(op, "_saveable"):
            found.append(op._saveable(name))
        else:
            raise TypeError(f"names_to_saveables must be a dict mapping string names to Tensors/Variables. Not a variable: {op}")
    return found


def _by_device(saveables: list[SaveableObject]) -> list[tuple[str, list[SaveableObject]]]:
    groups: dict[str, list[SaveableObject]] = {}
    for saveable in saveables:
        devices = {s.tensor.node.device for s in saveable.specs}
        if len(devices) != 1:
            raise ValueError(f"All tensors of a saveable object must be on the same device: {saveable.name}")
        groups.setdefault(devices.pop(), []).append(saveable)
    return sorted(groups.items())


def _on_cpu(device: str) -> str:
    """The first CPU of the task that a device is of."""
    return DeviceSpec.from_string(device).replace(device_type="CPU", device_index=0).to_string()


@export("train.Saver")
class Saver:
    """Writes variables to checkpoints and reads them back."""

    def __init__(
        self,
        var_list: Any = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        saver_def: Any = None,
        builder: Any = None,
        defer_build: bool = False,
        allow_empty: bool = False,
        write_version: int = 2,
        pad_step_number: bool = False,
        save_relative_paths: bool = False,
        filename: str | None = None,
    ) -> None:
        if defer_build and var_list:
            raise ValueError("If `var_list` is provided then build cannot be deferred. Either set defer_build=False or var_list=None.")
        self._var_list, self._reshape, self._sharded = var_list, reshape, sharded
        self._max_to_keep, self._every_hours = max_to_keep, keep_checkpoint_every_n_hours
        self._name, self._sequentially, self._filename = name, restore_sequentially, filename
        self._allow_empty, self._write_version = allow_empty, write_version
        self._pad, self._relative = pad_step_number, save_relative_paths
        self.saver_def = saver_def
        self._is_empty = False
        self._is_built = saver_def is not None
        self._last_checkpoints: list[tuple[str, float]] = []
        self._to_delete: list[tuple[str, float]] = []
        self._next_time = time.time() + keep_checkpoint_every_n_hours * 3600
        if saver_def is not None:
            self._max_to_keep = saver_def.max_to_keep
            self._write_version = saver_def.version or 2
        elif not defer_build:
            self.build()

    def build(self) -> None:
        if self._is_built:
            return
        self._is_built = True
        variables = self._var_list
        if variables is None:
            variables = [*global_variables(), *get_default_graph().get_collection(GraphKeys.SAVEABLE_OBJECTS)]
        if not variables:
            if not self._allow_empty:
                raise ValueError("No variables to save")
            self._is_empty = True
            return
        graph = get_default_graph()
        with name_scope(self._name, "save", []) as scope, graph.control_dependencies(None):
            saveables = saveables_of(variables)
            filename = array_ops.placeholder_with_default(self._filename or "model", shape=(), name="filename")
            filename = array_ops.placeholder_with_default(filename, shape=(), name="Const")
            save = self._add_save(filename, saveables)
            restore = (self._add_sharded_restore if self._sharded else self._add_restore)(filename, saveables)
        self.saver_def = schema.message("SaverDef")(
            filename_tensor_name=filename.name, save_tensor_name=save.name, restore_op_name=restore.name, max_to_keep=self._max_to_keep or 0, sharded=self._sharded,
            keep_checkpoint_every_n_hours=self._every_hours, version=self._write_version,
        )  # fmt: skip
        self._scope = scope

    def _add_save(self, filename: Any, saveables: list[SaveableObject]) -> Any:
        specs = [s for saveable in saveables for s in saveable.specs]
        if self._write_version == 1:
            op = apply_op(
                "SaveSlices",
                None,
                filename=filename,
                tensor_names=[s.name for s in specs],
                shapes_and_slices=[s.slice_spec for s in specs],
                data=[s.tensor for s in specs],
            )
            return control_flow_ops.with_dependencies([op], filename)
        if not self._sharded:
            op = apply_op(
                "SaveV2",
                None,
                prefix=filename,
                tensor_names=[s.name for s in specs],
                shape_and_slices=[s.slice_spec for s in specs],
                tensors=[s.tensor for s in specs],
            )
            return control_flow_ops.with_dependencies([op], filename)
        part = apply_op("StringJoin", None, inputs=[filename, f"_temp_{uuid.uuid4().hex}/part"])
        graph, names, saves = get_default_graph(), [], []
        shards = _by_device(saveables)
        count = constant(len(shards), name="num_shards")
        for i, (device, group) in enumerate(shards):
            with graph.device(_on_cpu(device)):
                names.append(apply_op("ShardedFilename", None, basename=part, shard=i, num_shards=count))
                specs = [s for saveable in group for s in saveable.specs]
                op = apply_op(
                    "SaveV2",
                    None,
                    prefix=names[-1],
                    tensor_names=[s.name for s in specs],
                    shape_and_slices=[s.slice_spec for s in specs],
                    tensors=[s.tensor for s in specs],
                )
                saves.append(control_flow_ops.with_dependencies([op], names[-1]).node)
        with graph.control_dependencies(saves), graph.device(_on_cpu(shards[-1][0])):
            merge = apply_op("MergeV2Checkpoints", None, checkpoint_prefixes=names, destination_prefix=filename, delete_old_dirs=True)
            with graph.control_dependencies([merge]):
                return array_ops.identity(filename)

    def _add_restore(self, filename: Any, saveables: list[SaveableObject], name: str = "restore_all") -> Any:
        specs = [s for saveable in saveables for s in saveable.specs]
        graph = get_default_graph()
        with graph.device("cpu:0"):
            tensors = apply_op(
                "RestoreV2",
                None,
                prefix=filename,
                tensor_names=[s.name for s in specs],
                shape_and_slices=[s.slice_spec for s in specs],
                dtypes=[s.dtype for s in specs],
            )
        assigns: list[Any] = []
        at = 0
        for saveable in saveables:
            mine = tensors[at : at + len(saveable.specs)]
            at += len(saveable.specs)
            shapes = None
            if self._reshape:
                shapes = [array_ops.shape(s.tensor) if not s.tensor.shape.is_fully_defined() else s.tensor.shape for s in saveable.specs]
            with graph.control_dependencies(assigns[-1:] if self._sequentially and assigns else []):
                assigns.append(saveable.restore(mine, shapes))
        return control_flow_ops.group(*(a.node if isinstance(a, base.Tensor) else a for a in assigns), name=name)

    def _add_sharded_restore(self, filename: Any, saveables: list[SaveableObject]) -> Any:
        restores = []
        for device, group in _by_device(saveables):
            with get_default_graph().device(device or None):
                restores.append(self._add_restore(filename, group, name="restore_shard"))
        return control_flow_ops.group(*restores, name="restore_all")

    # -- saving --------------------------------------------------------------------------------------------------

    def save(
        self,
        sess: Any,
        save_path: str,
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> str | None:
        """Write a checkpoint; its path, with the step appended."""
        if not self._is_built:
            raise RuntimeError("`build()` should be called before save if defer_build==True")
        save_path = os.fspath(save_path)
        latest_filename = latest_filename or "checkpoint"
        if os.path.split(latest_filename)[0]:
            raise ValueError("'latest_filename' must not contain path components")
        path = save_path
        if global_step is not None:
            if not isinstance(global_step, int | np.integer):
                with internal_runs():
                    global_step = int(sess.run(global_step))
            path = f"{save_path}-{global_step:08d}" if self._pad else f"{save_path}-{global_step}"
        elif os.path.basename(save_path) == latest_filename and not self._sharded:
            raise ValueError(f"'latest_filename' collides with 'save_path': '{latest_filename}' and '{save_path}'")
        folder = os.path.dirname(save_path)
        written: str | None = path
        if not self._is_empty:
            try:
                with internal_runs():
                    result = sess.run(self.saver_def.save_tensor_name, {self.saver_def.filename_tensor_name: path})
            except (FailedPreconditionError, NotFoundError):
                if folder and not os.path.isdir(folder):
                    raise ValueError(f"Parent directory of {save_path} doesn't exist, can't save.") from None
                raise
            written = result.decode() if isinstance(result, bytes) else str(result)
            if write_state:
                self._record(written)
                names = [p for p, _ in self._last_checkpoints]
                if self._relative:
                    names = [os.path.relpath(p, folder or ".") for p in names]
                    update_checkpoint_state(folder or ".", names[-1], names, latest_filename)
                else:
                    update_checkpoint_state(folder or ".", written, names, latest_filename)
                self._delete_old(meta_graph_suffix)
        if write_meta_graph:
            with sess.graph.as_default():
                self.export_meta_graph(f"{path}.{meta_graph_suffix}")
        return None if self._is_empty else written

    def _record(self, path: str) -> None:
        if not self._max_to_keep:
            self._last_checkpoints = [*[c for c in self._last_checkpoints if c[0] != path], (path, time.time())]
            return
        self._last_checkpoints = [c for c in self._last_checkpoints if c[0] != path]
        self._last_checkpoints.append((path, time.time()))
        while len(self._last_checkpoints) > self._max_to_keep:
            oldest = self._last_checkpoints.pop(0)
            if oldest[1] > self._next_time:
                self._next_time += self._every_hours * 3600
            else:
                self._to_delete.append(oldest)

    def _delete_old(self, suffix: str) -> None:
        for path, _ in self._to_delete:
            remove_checkpoint(path, suffix)
        self._to_delete = []

    def restore(self, sess: Any, save_path: str) -> None:
        """Set the variables to a checkpoint's values."""
        if self._is_empty:
            return
        if save_path is None:
            raise ValueError("Can't load save_path when it is None.")
        save_path = os.fspath(save_path)
        if not checkpoint_exists(save_path):
            raise ValueError(f"The passed save_path is not a valid checkpoint: {save_path}")
        try:
            with internal_runs():
                sess.run(self.saver_def.restore_op_name, {self.saver_def.filename_tensor_name: save_path})
        except NotFoundError as e:
            raise _restore_error(e, "a Variable name or other graph key that is missing") from e
        except InvalidArgumentError as e:
            raise _restore_error(e, "a mismatch between the current graph and the graph") from e

    # -- what was saved ------------------------------------------------------------------------------------------

    @property
    def last_checkpoints(self) -> list[str]:
        return [p for p, _ in self._last_checkpoints]

    def set_last_checkpoints(self, last_checkpoints: Any) -> None:
        self._last_checkpoints = [(p, np.inf) for p in last_checkpoints]

    def set_last_checkpoints_with_time(self, last_checkpoints_with_time: Any) -> None:
        self._last_checkpoints = list(last_checkpoints_with_time)

    def recover_last_checkpoints(self, checkpoint_paths: Any) -> None:
        self._last_checkpoints = [(p, os.path.getmtime(_any_file(p))) for p in checkpoint_paths if checkpoint_exists(p)]

    def as_saver_def(self) -> Any:
        return self.saver_def

    def to_proto(self, export_scope: str | None = None) -> Any:
        return self.saver_def

    @staticmethod
    def from_proto(saver_def: Any, import_scope: str | None = None) -> Saver:
        return Saver(saver_def=saver_def, name=import_scope)

    def export_meta_graph(
        self, filename: str | None = None, collection_list: Any = None, as_text: bool = False, export_scope: str | None = None, clear_devices: bool = False,
        clear_extraneous_savers: bool = False, strip_default_attrs: bool = False, save_debug_info: bool = False,
    ) -> Any:  # fmt: skip
        from runtime.tf1.train.meta_graph import export_meta_graph

        return export_meta_graph(
            filename,
            saver_def=self.saver_def,
            collection_list=collection_list,
            as_text=as_text,
            export_scope=export_scope,
            clear_devices=clear_devices,
        )


def _any_file(path: str) -> str:
    return path if os.path.exists(path) else f"{path}.index"


@export("train.checkpoint_exists")
def checkpoint_exists(checkpoint_prefix: str) -> bool:
    return (
        os.path.exists(f"{checkpoint_prefix}.index") or os.path.isfile(checkpoint_prefix) or any(True for _ in _shards(checkpoint_prefix))
    )


def _shards(prefix: str) -> Any:
    import glob

    return glob.iglob(glob.escape(prefix) + "-?????-of-?????")


@export("train.remove_checkpoint")
def remove_checkpoint(checkpoint_prefix: str, checkpoint_format_version: Any = 2, meta_graph_suffix: str = "meta") -> None:
    import glob

    suffix = checkpoint_format_version if isinstance(checkpoint_format_version, str) else meta_graph_suffix
    base_name = glob.escape(checkpoint_prefix)
    for pattern in (
        f"{base_name}.index",
        f"{base_name}.data-?????-of-?????",
        f"{base_name}.{suffix}",
        f"{base_name}-?????-of-?????",
        base_name,
    ):
        for path in glob.glob(pattern):
            if os.path.isfile(path):
                os.remove(path)


@export("train.update_checkpoint_state")
def update_checkpoint_state(
    save_dir: str, model_checkpoint_path: str, all_model_checkpoint_paths: Any = None, latest_filename: str | None = None, all_model_checkpoint_timestamps: Any = None,
    last_preserved_timestamp: Any = None,
) -> None:  # fmt: skip
    everything = list(all_model_checkpoint_paths or [])
    if not everything or everything[-1] != model_checkpoint_path:
        everything.append(model_checkpoint_path)
    if not os.path.isabs(save_dir):  # paths in the state file are relative to its folder
        everything = [
            p
            if os.path.isabs(p)
            else os.path.relpath(p, save_dir)
            if os.path.dirname(p) and not os.path.exists(os.path.join(save_dir, f"{p}.index"))
            else p
            for p in everything
        ]
        newest = everything[-1]
    else:
        newest = model_checkpoint_path
    checkpoint.write_state(save_dir, newest, everything, latest_filename or "checkpoint")


@export("train.generate_checkpoint_state_proto")
def generate_checkpoint_state_proto(
    save_dir: str, model_checkpoint_path: str, all_model_checkpoint_paths: Any = None, **unused: Any
) -> Any:
    everything = list(all_model_checkpoint_paths or [])
    if not everything or everything[-1] != model_checkpoint_path:
        everything.append(model_checkpoint_path)
    return schema.message("CheckpointState")(model_checkpoint_path=model_checkpoint_path, all_model_checkpoint_paths=everything)


@export("train.get_checkpoint_state")
def get_checkpoint_state(checkpoint_dir: str, latest_filename: str | None = None) -> Any:
    """The state file of a folder, its paths made absolute to the folder; None where there is none."""
    path = os.path.join(checkpoint_dir, latest_filename or "checkpoint")
    if not os.path.isfile(path):
        return None
    state = checkpoint.read_state(path)
    if not state.model_checkpoint_path:
        return None

    def placed(p: str) -> str:
        return p if os.path.isabs(p) else os.path.join(checkpoint_dir, p)

    state.model_checkpoint_path = placed(state.model_checkpoint_path)
    everything = [placed(p) for p in state.all_model_checkpoint_paths]
    del state.all_model_checkpoint_paths[:]
    state.all_model_checkpoint_paths.extend(everything)
    return state


@export("train.latest_checkpoint")
def latest_checkpoint(checkpoint_dir: str, latest_filename: str | None = None) -> str | None:
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is not None and state.model_checkpoint_path:
        if checkpoint_exists(state.model_checkpoint_path):
            return str(state.model_checkpoint_path)
        moved = os.path.join(checkpoint_dir, os.path.basename(state.model_checkpoint_path))
        if checkpoint_exists(moved):
            return moved
    return None


@export("train.get_checkpoint_mtimes")
def get_checkpoint_mtimes(checkpoint_prefixes: Any) -> list[float]:
    return [os.path.getmtime(_any_file(p)) for p in checkpoint_prefixes if os.path.exists(_any_file(p))]


@export("train.NewCheckpointReader")
class CheckpointReader:
    """Reads a checkpoint's tensors by name."""

    def __init__(self, filepattern: str) -> None:
        self._checkpoint = checkpoint.open_checkpoint(filepattern)

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        return {name: list(self._checkpoint.shape(name)) for name in self._checkpoint}

    def get_variable_to_dtype_map(self) -> dict[str, Any]:
        return {name: self._checkpoint.dtype(name) for name in self._checkpoint}

    def has_tensor(self, name: str) -> bool:
        return name in self._checkpoint

    def get_tensor(self, name: str) -> Any:
        return np.array(self._checkpoint[name.decode() if isinstance(name, bytes) else name])

    def debug_string(self) -> bytes:
        c = self._checkpoint
        lines = [
            f"{n} (DT_{_ENUM_NAMES.get(c.dtype(n).name, c.dtype(n).name.upper())}) [{','.join(str(d) for d in c.shape(n))}]\n" for n in c
        ]
        return "".join(lines).encode()


def _resolved(path: str) -> str:
    if os.path.isdir(path):
        found = latest_checkpoint(path)
        if found is None:
            raise ValueError(f"Couldn't find 'checkpoint' file or checkpoints in given directory {path}")
        return found
    return path


@export("train.load_checkpoint")
def load_checkpoint(ckpt_dir_or_file: str) -> CheckpointReader:
    return CheckpointReader(_resolved(ckpt_dir_or_file))


@export("train.load_variable")
def load_variable(ckpt_dir_or_file: str, name: str) -> Any:
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name.removesuffix(":0"))


@export("train.list_variables")
def list_variables(ckpt_dir_or_file: str) -> list[tuple[str, list[int]]]:
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())
