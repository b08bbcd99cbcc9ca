"""tf.keras.backend: sessions, phases, variables and the names of the graph."""

from __future__ import annotations

import contextlib
import weakref
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.dtypes import as_dtype
from runtime.tf1 import client, nest
from runtime.tf1.graph import get_default_graph
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put
from runtime.tf1.tensor_shape import TensorShape
from runtime.tf1.variables import ResourceVariable, Updated, Variable

tf: Any = module("")

_settings: dict[str, Any] = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last", "session": None, "manual": False}
_uids: weakref.WeakKeyDictionary[Any, defaultdict[str, int]] = weakref.WeakKeyDictionary()
_phases: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_variables: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()


@export("keras.backend.backend")
def backend() -> str:
    return "tensorflow"


@export("keras.backend.floatx")
def floatx() -> str:
    return str(_settings["floatx"])


@export("keras.backend.set_floatx")
def set_floatx(value: str) -> None:
    if value not in ("float16", "float32", "float64"):
        raise ValueError(f"Unknown floatx type: {value}")
    _settings["floatx"] = str(value)


@export("keras.backend.epsilon")
def epsilon() -> float:
    return float(_settings["epsilon"])


@export("keras.backend.set_epsilon")
def set_epsilon(value: float) -> None:
    _settings["epsilon"] = value


@export("keras.backend.image_data_format")
def image_data_format() -> str:
    return str(_settings["image_data_format"])


@export("keras.backend.set_image_data_format")
def set_image_data_format(data_format: str) -> None:
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(f"Unknown data_format: {data_format}")
    _settings["image_data_format"] = data_format


def conv_format(data_format: Any) -> str:
    data_format = (image_data_format() if data_format is None else data_format).lower()
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(f'The `data_format` argument must be one of "channels_first", "channels_last". Received: {data_format}')
    return str(data_format)


@export("keras.backend.cast_to_floatx")
def cast_to_floatx(x: Any) -> Any:
    return tf.cast(x, floatx()) if isinstance(x, base.Tensor | Variable) else np.asarray(x, dtype=floatx())


# -- names ---------------------------------------------------------------------------------------------------------


def _uid_map() -> defaultdict[str, int]:
    return _uids.setdefault(get_default_graph(), defaultdict(int))


@export("keras.backend.get_uid")
def get_uid(prefix: str = "") -> int:
    _uid_map()[prefix] += 1
    return _uid_map()[prefix]


@export("keras.backend.reset_uids")
def reset_uids() -> None:
    _uids.clear()


def unique_object_name(name: str, zero_based: bool = False) -> str:
    """dense, dense_1, ...: the next name of a kind of object in this graph."""
    counts = _uid_map()
    if zero_based:
        number = counts[name]
        counts[name] += 1
        return f"{name}_{number}" if number else name
    counts[name] += 1
    return f"{name}_{counts[name]}"


def name_scope(name: str | None, default_name: str | None = None, values: Any = None) -> Any:
    return tf.name_scope(name, default_name, values)


# -- sessions ------------------------------------------------------------------------------------------------------


@export("keras.backend.get_session")
def get_session(op_input_list: Any = ()) -> Any:
    """The default session, or Keras' own; variables that Keras made are initialised in it."""
    session = client.get_default_session()
    if session is None:
        session = _settings["session"]
        if session is None or session.graph is not get_default_graph():
            session = _settings["session"] = client.Session()
    if not _settings["manual"]:
        with session.graph.as_default(), client.internal_runs():
            _initialize(session)
    return session


@export("keras.backend.set_session")
def set_session(session: Any) -> None:
    _settings["session"] = session


@export("keras.backend.manual_variable_initialization")
def manual_variable_initialization(value: bool) -> None:
    _settings["manual"] = value


@export("keras.backend.clear_session")
def clear_session() -> None:
    from runtime.tf1.graph import reset_default_graph

    reset_default_graph()
    reset_uids()
    _settings["session"] = None
    _phases.clear()
    _variables.clear()
    learning_phase()  # TensorFlow makes it at once, and seeds count the ops before them


def track_variable(variable: Any) -> Any:
    _variables.setdefault(variable.graph, []).append(variable)
    return variable


def _initialize(session: Any) -> None:
    candidates = [v for v in _variables.get(session.graph, []) if not getattr(v, "_keras_initialized", False)]
    if not candidates:
        return
    flags = session.run([tf.is_variable_initialized(v) for v in candidates])
    missing = []
    for flag, variable in zip(flags, candidates, strict=True):
        if not flag:
            missing.append(variable)
        variable._keras_initialized = True
    if missing:
        session.run(tf.variables_initializer(missing))


# -- learning phase --------------------------------------------------------------------------------------------------


@export("keras.backend.learning_phase")
def learning_phase() -> Any:
    graph = get_default_graph()
    if graph not in _phases:
        with tf.name_scope(""):
            _phases[graph] = tf.placeholder_with_default(False, shape=(), name="keras_learning_phase")
    return _phases[graph]


def learning_phase_is_set() -> bool:
    return get_default_graph() in _phases


@export("keras.backend.set_learning_phase")
def set_learning_phase(value: int) -> None:
    if value not in (0, 1):
        raise ValueError("Expected learning phase to be 0 or 1.")
    _phases[get_default_graph()] = value


put("keras.__version__", "2.2.4-tf")
put("python.keras.backend.get_graph", tf.get_default_graph)
put("python.keras.backend.learning_phase_is_set", learning_phase_is_set)


@export("keras.backend.learning_phase_scope")
@contextlib.contextmanager
def learning_phase_scope(value: int) -> Iterator[None]:
    graph = get_default_graph()
    previous = _phases.get(graph)
    set_learning_phase(value)
    try:
        yield
    finally:
        if previous is not None:
            _phases[graph] = previous
        else:
            _phases.pop(graph, None)


def _branch(x: Any) -> Any:
    return x if callable(x) else lambda: x


@export("keras.backend.in_train_phase")
def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`x` while training, else `alt`."""
    if training is None:
        training = learning_phase()
    if not isinstance(training, base.Tensor | Variable):
        chosen = x if training in (1, True) else alt
        return chosen() if callable(chosen) else chosen
    return switch(training, x, alt)


@export("keras.backend.in_test_phase")
def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    return in_train_phase(alt, x, training=training)


def smart_cond(pred: Any, true_fn: Any, false_fn: Any, name: str | None = None) -> Any:
    from runtime.tf1.core_layers import smart_cond as chosen

    if isinstance(pred, Variable):
        return tf.cond(pred, true_fn=true_fn, false_fn=false_fn, name=name)
    return chosen(pred, true_fn, false_fn, name)


@export("keras.backend.switch")
def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    condition = tf.convert_to_tensor(condition)
    if condition.dtype.base_dtype != tf.bool:
        condition = tf.cast(condition, "bool")
    if ndim(condition) == 0:
        return tf.cond(condition, _branch(then_expression), _branch(else_expression))
    then = then_expression() if callable(then_expression) else then_expression
    other = else_expression() if callable(else_expression) else else_expression
    rank = ndim(then)
    if ndim(condition) > 1 and ndim(condition) < rank:
        extra = rank - ndim(condition)
        shape = tf.concat([tf.shape(condition), [1] * extra], axis=0)
        full = tf.concat([tf.ones_like(tf.shape(condition)), tf.shape(then)[ndim(condition) :]], axis=0)
        condition = tf.tile(tf.reshape(condition, shape), full)
    return tf.where(condition, then, other)


# -- variables and values ----------------------------------------------------------------------------------------------


@export("keras.backend.variable")
def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Any:
    dtype = floatx() if dtype is None else dtype
    if hasattr(value, "tocoo"):
        coo = value.tocoo()
        return tf.SparseTensor(np.stack([coo.row, coo.col], 1).astype("int64"), coo.data, coo.shape)
    made = ResourceVariable(value, dtype=as_dtype(dtype), name=name, constraint=constraint)
    return track_variable(made)


@export("keras.backend.placeholder")
def placeholder(shape: Any = None, ndim: int | None = None, dtype: Any = None, sparse: bool = False, name: str | None = None) -> Any:
    dtype = floatx() if dtype is None else dtype
    if not shape and ndim:
        shape = (None,) * ndim
    if sparse:
        return tf.sparse_placeholder(dtype, shape=shape, name=name)
    return tf.placeholder(dtype, shape=shape, name=name)


def is_placeholder(x: Any) -> bool:
    return isinstance(x, base.Tensor) and x.node.op in ("Placeholder", "PlaceholderWithDefault")


@export("keras.backend.is_sparse")
def is_sparse(tensor: Any) -> bool:
    return hasattr(tensor, "dense_shape") and hasattr(tensor, "indices")


@export("keras.backend.to_dense")
def to_dense(tensor: Any) -> Any:
    return tf.sparse_tensor_to_dense(tensor) if is_sparse(tensor) else tensor


def is_keras_tensor(x: Any) -> bool:
    if not (isinstance(x, base.Tensor | Variable) or is_sparse(x)):
        raise ValueError(f"Unexpectedly found an instance of type `{type(x)}`. Expected a symbolic tensor instance.")
    return hasattr(x, "_keras_history")


@export("keras.backend.shape")
def shape(x: Any) -> Any:
    return tf.shape(x)


@export("keras.backend.int_shape")
def int_shape(x: Any) -> Any:
    dims = x.shape if not isinstance(x, np.ndarray) else TensorShape(x.shape)
    dims = dims if isinstance(dims, TensorShape) else TensorShape(dims)
    return None if dims.ndims is None else tuple(dims.as_list())


@export("keras.backend.ndim")
def ndim(x: Any) -> Any:
    return x.shape.ndims if isinstance(x.shape, TensorShape) else len(x.shape)


@export("keras.backend.dtype")
def dtype(x: Any) -> str:
    return str(x.dtype.base_dtype.name)


@export("keras.backend.count_params")
def count_params(x: Any) -> int:
    return int(np.prod(x.shape.as_list()))


@export("keras.backend.eval")
def eval_(x: Any) -> Any:
    return get_value(to_dense(x))


@export("keras.backend.get_value")
def get_value(x: Any) -> Any:
    if not isinstance(x, base.Tensor | Variable | Updated):
        return x
    with client.internal_runs():
        return get_session().run(x)


@export("keras.backend.batch_get_value")
def batch_get_value(tensors: Any) -> list[Any]:
    if not tensors:
        return []
    with client.internal_runs():
        return list(get_session().run(list(tensors)))


@export("keras.backend.set_value")
def set_value(x: Any, value: Any) -> None:
    batch_set_value([(x, value)])


@export("keras.backend.batch_set_value")
def batch_set_value(tuples: Any) -> None:
    if not tuples:
        return
    ops, feeds = [], {}
    for x, value in tuples:
        value = np.asarray(value, dtype=dtype(x))
        if not hasattr(x, "_assign_placeholder"):
            # The value may be of another size where the variable's shape is not fixed.
            x._assign_placeholder = tf.placeholder(x.dtype.base_dtype, shape=[None] * value.ndim)
            x._assign_op = x.assign(x._assign_placeholder)
        ops.append(x._assign_op.op)
        feeds[x._assign_placeholder] = value
    with client.internal_runs():
        get_session().run(ops, feed_dict=feeds)


@export("keras.backend.update")
def update(x: Any, new_x: Any) -> Any:
    return tf.assign(x, new_x)


@export("keras.backend.update_add")
def update_add(x: Any, increment: Any) -> Any:
    return tf.assign_add(x, increment)


@export("keras.backend.update_sub")
def update_sub(x: Any, decrement: Any) -> Any:
    return tf.assign_sub(x, decrement)


@export("keras.backend.moving_average_update")
def moving_average_update(x: Any, value: Any, momentum: float) -> Any:
    """x - (x - value) * (1 - momentum), as an update of x."""
    with tf.name_scope("AssignMovingAvg", values=[x, value, momentum]) as scope, tf.colocate_with(x):
        decay = tf.convert_to_tensor(1.0 - momentum, name="decay")
        if decay.dtype != x.dtype.base_dtype:
            decay = tf.cast(decay, x.dtype.base_dtype)
        return x.assign_sub((x - tf.cast(value, x.dtype.base_dtype)) * decay, name=scope)


@export("keras.backend.gradients")
def gradients(loss: Any, variables: Any) -> Any:
    return tf.gradients(loss, variables)


class Function:
    """Runs part of a graph: inputs by position, outputs and updates."""

    def __init__(self, inputs: Any, outputs: Any, updates: Any = None, name: str | None = None, **session_kwargs: Any) -> None:
        given = session_kwargs.pop("feed_dict", None)
        self.feed_dict = {} if given is None else given  # the caller may change it between calls
        self.fetches = list(session_kwargs.pop("fetches", None) or [])
        self.run_options = session_kwargs.pop("options", None)
        self.run_metadata = session_kwargs.pop("run_metadata", None)
        if session_kwargs:
            raise ValueError(f"Some keys in session_kwargs are not supported at this time: {sorted(session_kwargs)}")
        if not isinstance(inputs, list | tuple | dict):
            raise TypeError("`inputs` to a Keras backend function should be a list or tuple.")
        self.name = name
        self.inputs = nest.flatten(inputs)
        self.structure = outputs
        self.outputs = nest.flatten(outputs)
        self.fetch_callbacks: dict[Any, Any] = {}
        ops = []
        with tf.control_dependencies([self.outputs[0]] if self.outputs else []):
            for each in updates or []:
                ops.append(tf.assign(*each) if isinstance(each, tuple) else each.op if isinstance(each, Updated) else each)
        self.updates_op = tf.group(*ops, *self.outputs[:1])

    def __call__(self, inputs: Any) -> Any:
        inputs = nest.flatten(inputs) if isinstance(inputs, dict) else list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        feeds = dict(self.feed_dict)
        for tensor, value in zip(self.inputs, inputs, strict=False):
            if value is None:
                value = get_value(tensor)
            if is_sparse(tensor):
                if hasattr(value, "tocoo"):
                    coo = value.tocoo()
                    value = tf.SparseTensorValue(np.stack([coo.row, coo.col], 1).astype("int64"), coo.data, coo.shape)
                feeds[tensor] = value
                continue
            if isinstance(value, base.Tensor | Variable):
                with client.internal_runs():
                    value = get_session().run(value)
            feeds[tensor] = (
                value
                if hasattr(value, "dtype") and value.dtype == tensor.dtype.as_numpy_dtype
                else np.asarray(value, dtype=tensor.dtype.as_numpy_dtype)
            )
        with client.internal_runs():
            values = get_session().run(
                [*self.outputs, self.updates_op, *self.fetches], feed_dict=feeds, options=self.run_options, run_metadata=self.run_metadata
            )
        for fetch, value in zip(self.fetches, values[len(self.outputs) + 1 :], strict=True):
            if fetch in self.fetch_callbacks:
                self.fetch_callbacks[fetch](value)
        return nest.pack_sequence_as(self.structure, list(values[: len(self.outputs)]))


@export("keras.backend.function")
def function(inputs: Any, outputs: Any, updates: Any = None, name: str | None = None, **kwargs: Any) -> Function:
    return Function(inputs, outputs, updates, name, **kwargs)
