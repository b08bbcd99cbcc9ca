"""tf.train.Checkpoint: variables saved by their place among objects, and what manages such checkpoints."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphtools.dtypes import string
from graphtools.formats import checkpoint, schema
from runtime.tf1.client import get_default_session, internal_runs
from runtime.tf1.graph import get_default_graph
from runtime.tf1.registry import export
from runtime.tf1.train.optimizer import Optimizer
from runtime.tf1.train.saver import CheckpointReader, get_checkpoint_state, remove_checkpoint, update_checkpoint_state
from runtime.tf1.variables import Variable

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "VARIABLE_VALUE"


def _escaped(name: str) -> str:
    return name.replace(".", "..").replace("/", ".S") if "/" in name or "." in name else name


def children_of(thing: Any) -> list[tuple[str, Any]]:
    """What an object holds that can be saved, by name, in TensorFlow's order."""
    if isinstance(thing, Checkpoint):
        return list(thing._children.items())
    if isinstance(thing, Optimizer):
        graph = get_default_graph()
        held = sorted(((k[0] if isinstance(k, tuple) else str(k)), v) for k, v in thing._non_slot_dict.items() if v.graph is graph)
        return [(name, v) for name, v in held]
    if isinstance(thing, dict):
        return [(str(k), v) for k, v in thing.items() if is_trackable(v)]
    if isinstance(thing, list | tuple):
        return [(str(i), v) for i, v in enumerate(thing) if is_trackable(v)]
    if hasattr(thing, "layers") and hasattr(thing, "weights"):
        return _of_model(thing)
    if hasattr(thing, "weights") and not isinstance(thing, Variable):
        return [(v.name.split(":")[0].rpartition("/")[2], v) for v in thing.weights]
    if hasattr(thing, "_trackable_children"):
        return list(thing._trackable_children())
    return []


def _of_model(model: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    weighted = 0
    for i, layer in enumerate(model.layers):
        if layer.weights:
            found.append((f"layer_with_weights-{weighted}", layer))
            weighted += 1
        found.append((f"layer-{i}", layer))
    if isinstance(getattr(model, "optimizer", None), Optimizer):
        found.append(("optimizer", model.optimizer))
    return found


def is_trackable(thing: Any) -> bool:
    return (
        isinstance(thing, Variable | Checkpoint | Optimizer | dict | list | tuple)
        or hasattr(thing, "weights")
        or hasattr(thing, "_trackable_children")
    )


class _Tree:
    """The objects below a root, breadth first, with the key each variable is saved under."""

    def __init__(self, root: Any) -> None:
        self.proto = schema.message("TrackableObjectGraph")()
        self.nodes: list[Any] = [root]
        self.variables: dict[str, Any] = {}  # key -> variable
        ids = {id(root): 0}
        paths = {0: ""}
        at = 0
        while at < len(self.nodes):
            node = self.proto.nodes.add()
            for name, child in children_of(self.nodes[at]):
                if id(child) not in ids:
                    ids[id(child)] = len(self.nodes)
                    paths[len(self.nodes)] = f"{paths[at]}/{_escaped(name)}".lstrip("/")
                    self.nodes.append(child)
                node.children.add(node_id=ids[id(child)], local_name=name)
            at += 1
        for i in range(len(self.nodes)):
            if isinstance(self.nodes[i], Optimizer):
                self._slots(i, ids, paths)
        for i, thing in enumerate(self.nodes):
            if isinstance(thing, Variable):
                key = f"{paths[i]}/.ATTRIBUTES/{VALUE}"
                self.variables[key] = thing
                self.proto.nodes[i].attributes.add(name=VALUE, full_name=thing.op.name, checkpoint_key=key)

    def _slots(self, number: int, ids: dict[int, int], paths: dict[int, str]) -> None:
        """The slot variables of an optimizer, for those of the variables that are saved."""
        optimizer = self.nodes[number]
        for slot in optimizer.get_slot_names():
            for i in range(len(self.proto.nodes)):
                of = self.nodes[i]
                made = optimizer.get_slot(of, slot) if isinstance(of, Variable) else None
                if made is None:
                    continue
                new = ids.setdefault(id(made), len(self.nodes))
                if new == len(self.nodes):
                    self.nodes.append(made)
                    paths[new] = f"{paths[i]}/.OPTIMIZER_SLOT/{paths[number]}/{_escaped(slot)}"
                    self.proto.nodes.add()
                self.proto.nodes[number].slot_variables.add(original_variable_node_id=i, slot_name=slot, slot_variable_node_id=new)


@export("train.Checkpoint")
class Checkpoint:
    """Objects by name, saved and restored together: `Checkpoint(model=..., optimizer=...)`."""

    def __init__(self, **kwargs: Any) -> None:
        self.__dict__["_children"] = {}
        self.__dict__["_restoring"] = None
        self.__dict__["_counter_add"] = None
        for name, value in sorted(kwargs.items()):
            if not is_trackable(value) or isinstance(value, dict | list | tuple):
                raise ValueError(
                    f"`Checkpoint` was expecting a trackable object (an object derived from `TrackableBase`), got {value}. If you believe this object should be trackable "
                    "(i.e. it is part of the TensorFlow Python API and manages state), please open an issue."
                )
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if is_trackable(value):
            self._children[name] = value
        self.__dict__[name] = value

    def _make_counter(self) -> Any:
        if "save_counter" not in self._children:
            graph = next((v.graph for v in _Tree(self).variables.values()), get_default_graph())
            with graph.as_default(), graph.control_dependencies(None):
                self.save_counter = Variable(np.int64(0), trainable=False, collections=[], name="save_counter")
        return self._children["save_counter"]

    def __getattr__(self, name: str) -> Any:
        if name == "save_counter":
            return self._make_counter()
        raise AttributeError(f"'Checkpoint' object has no attribute '{name}'")

    def write(self, file_prefix: str, session: Any = None) -> str:
        """Save without counting or noting it; gives the path."""
        session = _session(session)
        tree = _Tree(self)
        with internal_runs():
            values = session.run(dict(tree.variables)) if tree.variables else {}
        folder = os.path.dirname(os.fspath(file_prefix))
        if folder:
            os.makedirs(folder, exist_ok=True)
        saved = [checkpoint.Saved(key, np.asarray(values[key]), tree.variables[key].dtype.base_dtype) for key in sorted(values)]
        structure = np.array(tree.proto.SerializeToString(), object)
        checkpoint.write_v2(os.fspath(file_prefix), [checkpoint.Saved(GRAPH_KEY, structure, string), *saved])
        return os.fspath(file_prefix)

    def save(self, file_prefix: str, session: Any = None) -> str:
        """Save as `file_prefix-N`, N counting the saves."""
        session = _session(session)
        number = self._count(session)
        path = self.write(f"{os.fspath(file_prefix)}-{number}", session)
        update_checkpoint_state(os.path.dirname(path) or ".", os.path.basename(path), [os.path.basename(path)])
        return path

    def _count(self, session: Any) -> int:
        counter = self._make_counter()
        with internal_runs():
            if not session.run(_initialised(counter)):
                session.run(counter.initializer)
            if self._counter_add is None:
                with counter.graph.as_default():
                    self.__dict__["_counter_add"] = counter.assign_add(1)
            return int(session.run(self._counter_add))

    def restore(self, save_path: Any) -> Any:
        """Ready the values of a checkpoint; the status' `initialize_or_restore()` or `run_restore_ops()` puts them in place."""
        if save_path is None:
            return InitializationOnlyStatus(self)
        return CheckpointLoadStatus(self, CheckpointReader(os.fspath(save_path)), os.fspath(save_path))


def _initialised(variable: Any) -> Any:
    from runtime.tf1.variables import is_variable_initialized

    key = ("initialised", variable)
    made = variable.graph.attributes.setdefault("checkpoint_ops", {})
    if key not in made:
        with variable.graph.as_default():
            made[key] = is_variable_initialized(variable)
    return made[key]


def _session(session: Any) -> Any:
    session = session or get_default_session()
    if session is None:
        raise RuntimeError(
            "When graph building, a session must be passed or a default one be there: use `with tf.Session():` around saving and restoring."
        )
    return session


class InitializationOnlyStatus:
    """The status of restoring nothing: variables are initialised."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def _fail(self) -> Any:
        raise AssertionError("No checkpoint specified (save_path=None); nothing is being restored.")

    def assert_consumed(self) -> Any:
        return self._fail()

    assert_existing_objects_matched = assert_nontrivial_match = assert_consumed

    def run_restore_ops(self, session: Any = None) -> Any:
        return self._fail()

    def initialize_or_restore(self, session: Any = None) -> None:
        variables = list(_Tree(self._root).variables.values())
        with internal_runs():
            _session(session).run([v.initializer for v in variables])


class CheckpointLoadStatus:
    """What a checkpoint holds against the objects there are."""

    def __init__(self, root: Any, reader: CheckpointReader, path: str) -> None:
        self._root, self._reader, self._path = root, reader, path
        self._names_only = not reader.has_tensor(GRAPH_KEY)
        self._proto = schema.message("TrackableObjectGraph")()
        if not self._names_only:
            self._proto.ParseFromString(reader.get_tensor(GRAPH_KEY).reshape(-1)[0])

    def _matched(self) -> dict[int, Any]:
        """Node of the checkpoint -> the object it belongs to."""
        found: dict[int, Any] = {0: self._root}
        queue = [0]
        while queue:
            number = queue.pop(0)
            mine = dict(children_of(found[number]))
            for child in self._proto.nodes[number].children:
                if child.local_name in mine and child.node_id not in found:
                    found[child.node_id] = mine[child.local_name]
                    queue.append(child.node_id)
        for number, thing in list(found.items()):
            for slot in self._proto.nodes[number].slot_variables:
                of = found.get(slot.original_variable_node_id)
                made = thing.get_slot(of, slot.slot_name) if isinstance(thing, Optimizer) and of is not None else None
                if made is not None:
                    found[slot.slot_variable_node_id] = made
        return found

    def _values(self) -> Iterator[tuple[Any, str]]:
        """Each variable and the key of its value."""
        if self._names_only:
            for variable in _Tree(self._root).variables.values():
                if self._reader.has_tensor(variable.op.name):
                    yield variable, variable.op.name
            return
        for number, thing in self._matched().items():
            for attribute in self._proto.nodes[number].attributes:
                if attribute.name == VALUE and isinstance(thing, Variable):
                    yield thing, attribute.checkpoint_key

    def run_restore_ops(self, session: Any = None) -> None:
        session = _session(session)
        for variable, key in self._values():
            value = self._reader.get_tensor(key)
            if not variable.shape.is_compatible_with(value.shape):
                raise ValueError(
                    f"Shape of variable {variable.name} {variable.shape} does not match that of {key} in {self._path}: {value.shape}."
                )
            variable.load(value, session)

    def initialize_or_restore(self, session: Any = None) -> None:
        session = _session(session)
        restored = {id(v) for v, _ in self._values()}
        others = [v for v in _Tree(self._root).variables.values() if id(v) not in restored]
        self.run_restore_ops(session)
        with internal_runs():
            missing = [v for v in others if not session.run(_initialised(v))]
            session.run([v.initializer for v in missing])

    def assert_consumed(self) -> CheckpointLoadStatus:
        """Raises AssertionError unless every value found an object and every variable a value."""
        self.assert_existing_objects_matched()
        if not self._names_only:
            matched = self._matched()
            for number, node in enumerate(self._proto.nodes):
                if number not in matched:
                    raise AssertionError(f"Unresolved object in checkpoint: {node}")
        return self

    def assert_existing_objects_matched(self) -> CheckpointLoadStatus:
        known = {id(v) for v, _ in self._values()}
        unused = [v for v in _Tree(self._root).variables.values() if id(v) not in known]
        if unused:
            raise AssertionError(
                f"Some Python objects were not bound to checkpointed values, likely due to changes in the Python program: {unused}"
            )
        return self

    def assert_nontrivial_match(self) -> CheckpointLoadStatus:
        if not any(True for _ in self._values()):
            raise AssertionError(f"Nothing to load. No dependencies have been added to {self._root} yet.")
        return self

    def expect_partial(self) -> CheckpointLoadStatus:
        return self


@export("train.CheckpointManager")
class CheckpointManager:
    """Numbers a Checkpoint's saves and deletes the old ones."""

    def __init__(
        self,
        checkpoint: Any,
        directory: str,
        max_to_keep: int | None,
        keep_checkpoint_every_n_hours: float | None = None,
        checkpoint_name: str = "ckpt",
    ) -> None:
        if max_to_keep is not None and max_to_keep <= 0:
            raise ValueError(f"Expected a positive integer or `None` for `max_to_max_to_keep`, got {max_to_keep}.")
        self._checkpoint, self._directory, self._keep, self._hours = (
            checkpoint,
            os.fspath(directory),
            max_to_keep,
            keep_checkpoint_every_n_hours,
        )
        self._prefix = os.path.join(self._directory, checkpoint_name)
        self._kept: dict[str, float] = {}
        self._preserved = time.time() - 1.0
        state = get_checkpoint_state(self._directory)
        self._latest = state.model_checkpoint_path if state is not None else None
        for path in state.all_model_checkpoint_paths if state is not None else ():
            self._kept[path] = time.time()

    @property
    def latest_checkpoint(self) -> str | None:
        return self._latest

    @property
    def checkpoints(self) -> list[str]:
        return list(self._kept)

    def save(self, checkpoint_number: Any = None, session: Any = None) -> str:
        session = _session(session)
        number = self._checkpoint._count(session)
        if checkpoint_number is not None:
            with internal_runs():
                number = int(checkpoint_number if isinstance(checkpoint_number, int | np.integer) else session.run(checkpoint_number))
        path: str = self._checkpoint.write(f"{self._prefix}-{number}", session)
        self._kept.pop(path, None)
        self._kept[path] = time.time()
        self._latest = path
        while self._keep is not None and len(self._kept) > self._keep:
            oldest, made = next(iter(self._kept.items()))
            del self._kept[oldest]
            if self._hours is not None and made - self._hours * 3600.0 >= self._preserved:
                self._preserved = made
                continue
            remove_checkpoint(oldest)
        names = [os.path.relpath(p, self._directory) for p in self._kept]
        update_checkpoint_state(self._directory, names[-1], names)
        return path
