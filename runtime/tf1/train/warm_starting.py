"""Variables that start with values of a checkpoint: tf.train.init_from_checkpoint and warm_start, and waiting for checkpoints."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from runtime.tf1 import state_ops
from runtime.tf1.graph import GraphKeys, apply_op, convert_to_tensor, get_default_graph
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger
from runtime.tf1.train.checkpoint import GRAPH_KEY
from runtime.tf1.train.saver import latest_checkpoint, load_checkpoint, saveables_of
from runtime.tf1.variable_scope import PartitionedVariable, PartitionInfo, _store
from runtime.tf1.variables import Variable

_log = get_logger()


def _filename(ckpt_dir_or_file: str) -> str:
    path = os.fspath(ckpt_dir_or_file)
    return (latest_checkpoint(path) or path) if os.path.isdir(path) else path


def _parts(name: str, variables: dict[str, Any]) -> Any:
    """A variable of the store by name; a list of the parts of a partitioned one."""
    if name in variables:
        return variables[name]
    found: list[Any] = []
    while f"{name}/part_{len(found)}" in variables:
        found.append(variables[f"{name}/part_{len(found)}"])
    return found or None


@export("train.init_from_checkpoint")
def init_from_checkpoint(ckpt_dir_or_file: str, assignment_map: Any) -> None:
    """Let variables' initializers read a checkpoint: `{name or scope/ in it: variable, list of parts, name or scope/ here}`."""
    path = _filename(ckpt_dir_or_file)
    shapes = load_checkpoint(path).get_variable_to_shape_map()
    variables = _store().variables
    pairs = assignment_map.items() if isinstance(assignment_map, dict) else assignment_map
    for source, target in sorted(pairs, key=lambda p: p[0]):
        found: Any
        if isinstance(target, Variable) or (isinstance(target, list) and target and all(isinstance(v, Variable) for v in target)):
            found = target
        elif isinstance(target, PartitionedVariable):
            found = list(target)
        else:
            found = _parts(target, variables)
        if found is not None:
            if source not in shapes:
                raise ValueError(f"Tensor {source} is not found in {ckpt_dir_or_file} checkpoint {shapes}")
            if isinstance(found, Variable) and not found.get_shape().is_compatible_with(shapes[source]):
                raise ValueError(
                    f"Shape of variable {found.name} ({found.get_shape()}) doesn't match with shape of tensor {source} ({shapes[source]}) from checkpoint reader."
                )
            _initialize(found, path, source)
            continue
        scope = target.rpartition("/")[0]
        if not source.endswith("/"):
            raise ValueError(
                f"Assignment map with scope only name {scope} should map to scope only {source}. Should be 'scope/': 'other_scope/'."
            )
        names = {n.partition("/part_")[0] for n in variables if not scope or n.startswith(f"{scope}/")}
        for name in sorted(names):
            full = name[len(scope) :]
            full = full[1:] if target != "/" else full
            full = (source + full if source != "/" else full).removesuffix("/")
            if full not in shapes:
                raise ValueError(f"Tensor {full} ({name[len(scope) + 1 :]} in {source}) is not found in {ckpt_dir_or_file} checkpoint")
            _initialize(_parts(name, variables), path, full)


def _initialize(found: Any, path: str, source: str) -> None:
    if isinstance(found, list):
        names = {v._get_save_slice_info().full_name for v in found}
        if len(names) > 1:
            raise ValueError(f"Slices must all be from the same tensor: {' != '.join(sorted(names))}")
        for v in found:
            _set_initializer(v, path, source, v._get_save_slice_info().spec)
    else:
        _set_initializer(found, path, source, "")


def _set_initializer(variable: Any, path: str, source: str, part: str) -> None:
    graph = variable.graph
    with graph.as_default():
        with graph.device(variable.device or None), graph.device("/cpu:0"):
            restored = apply_op(
                "RestoreV2",
                "checkpoint_initializer",
                prefix=path,
                tensor_names=[source],
                shape_and_slices=[part],
                dtypes=[variable.dtype.base_dtype],
            )
            restored = restored[0] if isinstance(restored, list | tuple) else restored
            saveable = saveables_of([variable])[0]
        done = saveable.restore([restored], None)
    variable._init = done
    restored.set_shape(variable.shape)
    variable._initial_value = restored


_VocabInfo = collections.namedtuple(
    "_VocabInfo", ["new_vocab", "new_vocab_size", "num_oov_buckets", "old_vocab", "old_vocab_size", "backup_initializer", "axis"]
)


@export("train.VocabInfo")
class VocabInfo(_VocabInfo):
    """The vocabulary of an embedding now and in the checkpoint."""

    def __new__(
        cls, new_vocab: Any, new_vocab_size: int, num_oov_buckets: int, old_vocab: Any, old_vocab_size: int = -1, backup_initializer: Any = None,
        axis: int = 0,
    ) -> VocabInfo:  # fmt: skip
        if axis not in (0, 1):
            raise ValueError(f"The only supported values for the axis argument are 0 and 1.  Provided axis: {axis}")
        return super().__new__(cls, new_vocab, new_vocab_size, num_oov_buckets, old_vocab, old_vocab_size, backup_initializer, axis)


@export("train.warm_start")
def warm_start(
    ckpt_to_initialize_from: str, vars_to_warm_start: Any = ".*", var_name_to_vocab_info: Any = None, var_name_to_prev_var_name: Any = None
) -> None:
    """Let variables start with a checkpoint's values, by name; embeddings row by row of their vocabularies."""
    _log.info("Warm-starting from: %s", ckpt_to_initialize_from)
    grouped = _grouped(vars_to_warm_start)
    vocabularies = var_name_to_vocab_info or {}
    renames = dict(var_name_to_prev_var_name or {}) or _object_names(ckpt_to_initialize_from, grouped)
    plain: dict[str, Any] = {}
    for name, group in grouped.items():
        previous = renames.get(name) or name
        if name in vocabularies:
            for v in group:
                _start_with_vocabulary(v, vocabularies[name], ckpt_to_initialize_from, previous, sum(p.shape.as_list()[0] for p in group))
        elif vars_to_warm_start:
            plain[previous] = group[0] if len(group) == 1 else group
    init_from_checkpoint(ckpt_to_initialize_from, plain)
    for label, given in (("prev_var_name", var_name_to_prev_var_name or {}), ("vocab_info", vocabularies)):
        if unused := set(given) - set(grouped):
            raise ValueError(
                f"You provided the following variables in var_name_to_{label} that were not used: {unused}.  Perhaps you misspelled them?  Here is the list of viable variable names: {grouped.keys()}"
            )


def _grouped(wanted: Any) -> dict[str, list[Any]]:
    """The variables, parts of a partitioned one together."""
    graph = get_default_graph()
    if isinstance(wanted, str) or wanted is None:
        found = graph.get_collection(GraphKeys.TRAINABLE_VARIABLES, wanted)
    elif isinstance(wanted, list) and all(isinstance(v, str) for v in wanted):
        found = [v for pattern in wanted for v in graph.get_collection(GraphKeys.GLOBAL_VARIABLES, pattern)]
    elif isinstance(wanted, list) and all(isinstance(v, Variable) for v in wanted):
        found = wanted
    elif isinstance(wanted, list):
        raise ValueError(
            f"If `vars_to_warm_start` is a list, it must be all `Variable` or all `str`.  Given types are {[type(v) for v in wanted]}"
        )
    else:
        raise ValueError(f"`vars_to_warm_start must be a `list` or `str`.  Given type is {type(wanted)}")
    groups: dict[str, list[Any]] = {}
    for v in found:
        info = v._get_save_slice_info()
        groups.setdefault(info.full_name if info is not None else v.op.name, []).append(v)
    return groups


def _object_names(path: str, names: Any) -> dict[str, str]:
    """Variable name -> key, where the checkpoint is one of objects."""
    from graphtools.formats import schema

    reader = load_checkpoint(path)
    if not reader.has_tensor(GRAPH_KEY):
        return {}
    proto = schema.message("TrackableObjectGraph")()
    proto.ParseFromString(reader.get_tensor(GRAPH_KEY).reshape(-1)[0])
    keys = {a.full_name: a.checkpoint_key for node in proto.nodes for a in node.attributes}
    if missing := set(names) - set(keys):
        raise ValueError(
            f"Attempting to warm-start from an object-based checkpoint, but found that the checkpoint did not contain values for all variables. The following variables were missing: {missing}"
        )
    return {n: keys[n] for n in names}


def _words(path: str, size: int = -1) -> list[str]:
    with open(path, encoding="utf-8") as file:
        words = file.read().splitlines()
    return words if size < 0 else words[:size]


def _start_with_vocabulary(variable: Any, info: VocabInfo, checkpoint: str, source: str, total_rows: int) -> None:
    """The variable's initializer: rows (columns with axis 1) of the old value where the word was known, the backup initializer elsewhere."""
    old = np.array(load_checkpoint(_filename(checkpoint)).get_tensor(source))
    place = {w: i for i, w in enumerate(_words(info.old_vocab, info.old_vocab_size))}
    words: list[str | None] = [*_words(info.new_vocab, info.new_vocab_size)]
    words += [None] * info.num_oov_buckets
    dims = variable.shape.as_list()
    part = variable._get_save_slice_info()
    start = part.var_offset[0] if part is not None else 0
    rows: list[int] = [place.get(w, -1) if w is not None else -1 for w in words]
    if info.axis == 0:
        picked, columns = rows[start : start + dims[0]], list(range(dims[1])) if len(dims) > 1 else []
    else:
        picked, columns = list(range(start, start + dims[0])), rows
    with variable.graph.as_default():
        backup = info.backup_initializer
        given: Any = np.zeros(dims, variable.dtype.base_dtype.as_numpy_dtype)
        if backup is not None:
            keywords = {"partition_info": PartitionInfo(part.full_shape, part.var_offset)} if part is not None else {}
            given = backup(dims, dtype=variable.dtype.base_dtype, **keywords)
        value, known = np.zeros(dims, variable.dtype.base_dtype.as_numpy_dtype), np.zeros(dims, bool)
        for i, row in enumerate(picked):
            if not columns and row >= 0:
                value[i], known[i] = old[row], True
            for j, column in enumerate(columns):
                if row >= 0 and column >= 0:
                    value[i, j], known[i, j] = old[row, column], True
        mixed = apply_op("Select", None, condition=known, t=value, e=convert_to_tensor(given))
        variable._init = state_ops.assign(variable, mixed)


@export("train.checkpoints_iterator")
def checkpoints_iterator(
    checkpoint_dir: str, min_interval_secs: float = 0, timeout: float | None = None, timeout_fn: Any = None
) -> Iterator[str]:
    """Each new checkpoint of a directory."""
    from runtime.tf1.modules import lookup

    iterate: Any = lookup("contrib.training.checkpoints_iterator")
    return iterate(checkpoint_dir, min_interval_secs, timeout, timeout_fn)  # type: ignore[no-any-return]
