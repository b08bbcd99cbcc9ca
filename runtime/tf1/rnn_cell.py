"""tf.nn.rnn_cell: cells that compute one step of a recurrence."""

from __future__ import annotations

import collections
import hashlib
import numbers
from collections.abc import Callable
from typing import Any

from graphtools import graph as base
from graphtools.constant import constant as known_value
from graphtools.dtypes import as_dtype
from runtime.tf1 import array_ops, init_ops, math_ops, nest, nn_ops, random_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.layer import InputSpec, Layer
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape, as_dims
from runtime.tf1.variable_scope import get_variable_scope, variable_scope

BIAS, KERNEL = "bias", "kernel"


def _part(value: Any, role: str) -> tuple[Any, list[int | None] | None]:
    """One end of a shape: as a tensor where it can be one, and as static dims."""
    if isinstance(value, base.Tensor):
        known = known_value(value)
        if value.rank not in (0, 1):
            raise ValueError(f"{role} tensor must be either a scalar or vector, but saw tensor: {value}")
        static: list[int | None] | None = [int(d) for d in known.ravel()] if known is not None else [None] if value.rank == 0 else None
        return array_ops.expand_dims(value, 0) if value.rank == 0 else value, static
    dims = as_dims(value)
    if dims is None:
        return None, None
    return (None if None in dims else constant(list(dims), "int32")), list(dims)  # type: ignore[arg-type]


def _concat(prefix: Any, suffix: Any, static: bool = False) -> Any:
    """The shape prefix + suffix, as a tensor or static. Makes the same ops either way, as TensorFlow does."""
    head, head_dims = _part(prefix, "prefix")
    tail, tail_dims = _part(suffix, "suffix")
    if static:
        return TensorShape(None if head_dims is None or tail_dims is None else [*head_dims, *tail_dims])
    if head is None or tail is None:
        raise ValueError(f"Provided a prefix or suffix of None: {prefix} and {suffix}")
    return array_ops.concat((head, tail), 0)


def zero_state_tensors(state_size: Any, batch_size: Any, dtype: Any) -> Any:
    """Zeros of [batch_size] + size for each size of a nested state."""

    def zeros(size: Any) -> Any:
        made = array_ops.zeros(_concat(batch_size, size), dtype)
        made.set_shape(_concat(batch_size, size, static=True))
        return made

    return nest.map_structure(zeros, state_size)


@export("nn.rnn_cell.RNNCell")
class RNNCell(Layer):
    """The base of cells: `output, new_state = cell(inputs, state)`."""

    def __init__(self, trainable: bool = True, name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        if scope is not None:
            with variable_scope(scope, custom_getter=self._rnn_get_variable) as entered:
                return super().__call__(inputs, state, scope=entered)
        opened = getattr(self, "_rnncell_scope", None)
        if opened is None:
            opened = self._rnncell_scope = variable_scope(get_variable_scope(), custom_getter=self._rnn_get_variable)
        with opened:
            return super().__call__(inputs, state)

    def _rnn_get_variable(self, getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        variable = getter(*args, **kwargs)
        trainable = variable in get_default_graph().get_collection("trainable_variables")
        if trainable and not any(variable is v for v in self._trainable_weights):
            self._trainable_weights.append(variable)
        elif not trainable and not any(variable is v for v in self._non_trainable_weights):
            self._non_trainable_weights.append(variable)
        return variable

    @property
    def state_size(self) -> Any:
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        raise NotImplementedError("Abstract method")

    def build(self, _: Any) -> None:
        """Cells that make their variables as they go have nothing to build."""

    def get_initial_state(self, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> Any:
        if inputs is not None:
            inputs = convert_to_tensor(inputs, name="inputs")
            batch_size = (
                inputs.dims[0] if inputs.dims and inputs.dims[0] is not None else array_ops._slice_helper(array_ops.shape(inputs), 0)
            )
            dtype = dtype or inputs.dtype
        if batch_size is None or dtype is None:
            raise ValueError("batch_size and dtype cannot be None while constructing initial state.")
        return self.zero_state(batch_size, dtype)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(f"{type(self).__name__}ZeroState", values=[batch_size]):
            return zero_state_tensors(self.state_size, batch_size, dtype)


class LayerRNNCell(RNNCell):
    """A cell whose variables are made in `build`."""

    def __call__(self, inputs: Any, state: Any, scope: Any = None, *args: Any, **kwargs: Any) -> Any:
        return Layer.__call__(self, inputs, state, *args, scope=scope, **kwargs)


def _activation(value: Any, default: Any) -> Any:
    if isinstance(value, str):
        from runtime.tf1.modules import lookup

        return lookup(f"keras.activations.{value}") if value not in ("tanh", "relu", "sigmoid") else lookup(f"nn.{value}")
    return value if value is not None else default


def _depth(inputs_shape: Any) -> int:
    depth = inputs_shape[-1].value
    if depth is None:
        raise ValueError(f"Expected inputs.shape[-1] to be known, saw shape: {inputs_shape}")
    return int(depth)


@export("nn.rnn_cell.BasicRNNCell")
class BasicRNNCell(LayerRNNCell):
    """output = new_state = act(W [input, state] + b)"""

    def __init__(
        self, num_units: int, activation: Any = None, reuse: Any = None, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=2)
        self._num_units = num_units
        self._activation = _activation(activation, math_ops.tanh)

    state_size = property(lambda self: self._num_units)
    output_size = property(lambda self: self._num_units)

    def build(self, inputs_shape: Any) -> None:
        self._kernel = self.add_weight(KERNEL, shape=[_depth(inputs_shape) + self._num_units, self._num_units])
        self._bias = self.add_weight(BIAS, shape=[self._num_units], initializer=init_ops.Zeros(dtype=self.dtype or "float32"))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        gates = nn_ops.bias_add(math_ops.matmul(array_ops.concat([inputs, state], 1), self._kernel), self._bias)
        output = self._activation(gates)
        return output, output


@export("nn.rnn_cell.GRUCell")
class GRUCell(LayerRNNCell):
    """r, u = sigmoid(W [x, h] + b); c = act(W' [x, r h] + b'); h = u h + (1 - u) c"""

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=2)
        self._num_units = num_units
        self._activation = _activation(activation, math_ops.tanh)
        self._kernel_initializer, self._bias_initializer = kernel_initializer, bias_initializer

    state_size = property(lambda self: self._num_units)
    output_size = property(lambda self: self._num_units)

    def build(self, inputs_shape: Any) -> None:
        size = _depth(inputs_shape) + self._num_units
        dtype = self.dtype or "float32"
        self._gate_kernel = self.add_weight("gates/kernel", shape=[size, 2 * self._num_units], initializer=self._kernel_initializer)
        self._gate_bias = self.add_weight(
            "gates/bias",
            shape=[2 * self._num_units],
            initializer=self._bias_initializer if self._bias_initializer is not None else init_ops.Constant(1.0, dtype=dtype),
        )
        self._candidate_kernel = self.add_weight("candidate/kernel", shape=[size, self._num_units], initializer=self._kernel_initializer)
        self._candidate_bias = self.add_weight(
            "candidate/bias",
            shape=[self._num_units],
            initializer=self._bias_initializer if self._bias_initializer is not None else init_ops.Zeros(dtype=dtype),
        )
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        gates = nn_ops.bias_add(math_ops.matmul(array_ops.concat([inputs, state], 1), self._gate_kernel), self._gate_bias)
        r, u = array_ops.split(math_ops.sigmoid(gates), num_or_size_splits=2, axis=1)
        candidate = math_ops.matmul(array_ops.concat([inputs, r * state], 1), self._candidate_kernel)
        c = self._activation(nn_ops.bias_add(candidate, self._candidate_bias))
        new_h = u * state + (1 - u) * c
        return new_h, new_h


@export("nn.rnn_cell.LSTMStateTuple")
class LSTMStateTuple(collections.namedtuple("LSTMStateTuple", ("c", "h"))):
    """The state of an LSTM cell: its memory c and output h."""

    __slots__ = ()

    @property
    def dtype(self) -> Any:
        c, h = self
        if c.dtype is not h.dtype:
            raise TypeError(f"Inconsistent internal state: {c.dtype} vs {h.dtype}")
        return c.dtype


@export("nn.rnn_cell.BasicLSTMCell")
class BasicLSTMCell(LayerRNNCell):
    """The LSTM of Zaremba et al. 2014: gates i, j, f, o of one product, forget bias added."""

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=2)
        self._num_units, self._forget_bias, self._state_is_tuple = num_units, forget_bias, state_is_tuple
        self._activation = _activation(activation, math_ops.tanh)

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units) if self._state_is_tuple else 2 * self._num_units

    output_size = property(lambda self: self._num_units)

    def build(self, inputs_shape: Any) -> None:
        self._kernel = self.add_weight(KERNEL, shape=[_depth(inputs_shape) + self._num_units, 4 * self._num_units])
        self._bias = self.add_weight(BIAS, shape=[4 * self._num_units], initializer=init_ops.Zeros(dtype=self.dtype or "float32"))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        one = constant(1, dtype="int32")
        c, h = state if self._state_is_tuple else array_ops.split(state, num_or_size_splits=2, axis=one)
        gates = nn_ops.bias_add(math_ops.matmul(array_ops.concat([inputs, h], 1), self._kernel), self._bias)
        i, j, f, o = array_ops.split(gates, num_or_size_splits=4, axis=one)
        forget = constant(self._forget_bias, dtype=f.dtype)
        new_c = math_ops.add(
            math_ops.multiply(c, math_ops.sigmoid(math_ops.add(f, forget))), math_ops.multiply(math_ops.sigmoid(i), self._activation(j))
        )
        new_h = math_ops.multiply(self._activation(new_c), math_ops.sigmoid(o))
        return new_h, LSTMStateTuple(new_c, new_h) if self._state_is_tuple else array_ops.concat([new_c, new_h], 1)


@export("nn.rnn_cell.LSTMCell")
class LSTMCell(LayerRNNCell):
    """LSTM with optional peepholes, cell clipping and a projection (Sak et al. 2014)."""

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        num_unit_shards: Any = None,
        num_proj_shards: Any = None,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=2)
        self._num_units, self._use_peepholes, self._cell_clip, self._initializer = num_units, use_peepholes, cell_clip, initializer
        self._num_proj, self._proj_clip, self._forget_bias, self._state_is_tuple = num_proj, proj_clip, forget_bias, state_is_tuple
        self._num_unit_shards, self._num_proj_shards = num_unit_shards, num_proj_shards
        self._activation = _activation(activation, math_ops.tanh)
        self._output_size = num_proj or num_units

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._output_size) if self._state_is_tuple else self._num_units + self._output_size

    output_size = property(lambda self: self._output_size)

    def _sharded(self, shards: Any) -> Any:
        from runtime.tf1.variable_scope import fixed_size_partitioner

        return fixed_size_partitioner(shards) if shards is not None else None

    def build(self, inputs_shape: Any) -> None:
        self._kernel = self.add_weight(
            KERNEL,
            shape=[_depth(inputs_shape) + self._output_size, 4 * self._num_units],
            initializer=self._initializer,
            partitioner=self._sharded(self._num_unit_shards),
        )
        initializer = init_ops.Zeros(dtype=self.dtype) if self.dtype is not None else init_ops.Zeros()
        self._bias = self.add_weight(BIAS, shape=[4 * self._num_units], initializer=initializer)
        if self._use_peepholes:
            for gate in ("f", "i", "o"):
                setattr(self, f"_w_{gate}_diag", self.add_weight(f"w_{gate}_diag", shape=[self._num_units], initializer=self._initializer))
        if self._num_proj is not None:
            self._proj_kernel = self.add_weight(
                "projection/kernel",
                shape=[self._num_units, self._num_proj],
                initializer=self._initializer,
                partitioner=self._sharded(self._num_proj_shards),
            )
        self.built = True

    def _clip(self, value: Any, limit: float | None) -> Any:
        if limit is None:
            return value
        from runtime.tf1.modules import lookup

        return lookup("clip_by_value")(value, -limit, limit)

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        if self._state_is_tuple:
            c_prev, m_prev = state
        else:
            c_prev = array_ops.slice_(state, [0, 0], [-1, self._num_units])
            m_prev = array_ops.slice_(state, [0, self._num_units], [-1, self._output_size])
        gates = nn_ops.bias_add(math_ops.matmul(array_ops.concat([inputs, m_prev], 1), self._kernel), self._bias)
        i, j, f, o = array_ops.split(gates, num_or_size_splits=4, axis=1)
        sigmoid = math_ops.sigmoid
        if self._use_peepholes:
            c = sigmoid(f + self._forget_bias + self._w_f_diag * c_prev) * c_prev + sigmoid(i + self._w_i_diag * c_prev) * self._activation(
                j
            )
        else:
            c = sigmoid(f + self._forget_bias) * c_prev + sigmoid(i) * self._activation(j)
        c = self._clip(c, self._cell_clip)
        m = sigmoid(o + self._w_o_diag * c) * self._activation(c) if self._use_peepholes else sigmoid(o) * self._activation(c)
        if self._num_proj is not None:
            m = self._clip(math_ops.matmul(m, self._proj_kernel), self._proj_clip)
        return m, LSTMStateTuple(c, m) if self._state_is_tuple else array_ops.concat([c, m], 1)


@export("nn.rnn_cell.DropoutWrapper")
class DropoutWrapper(RNNCell):
    """Dropout on a cell's inputs, outputs and states."""

    def __init__(
        self,
        cell: Any,
        input_keep_prob: Any = 1.0,
        output_keep_prob: Any = 1.0,
        state_keep_prob: Any = 1.0,
        variational_recurrent: bool = False,
        input_size: Any = None,
        dtype: Any = None,
        seed: int | None = None,
        dropout_state_filter_visitor: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype=dtype, **kwargs)
        self._cell = cell
        self._visitor = dropout_state_filter_visitor or (lambda s: not isinstance(s, LSTMStateTuple))
        self._default_visitor = dropout_state_filter_visitor is None
        with name_scope("DropoutWrapperInit"):
            for label, prob in (("input", input_keep_prob), ("state", state_keep_prob), ("output", output_keep_prob)):
                tensor = convert_to_tensor(prob)
                known = known_value(tensor)
                if known is not None and not 0 <= known <= 1:
                    raise ValueError(f"Parameter {label}_keep_prob must be between 0 and 1: {int(known)}")
                setattr(self, f"_{label}_keep_prob", tensor if known is None else float(known))
        self._variational, self._seed = variational_recurrent, seed
        self._noise: dict[str, Any] = {}
        if variational_recurrent:
            if dtype is None:
                raise ValueError("When variational_recurrent=True, dtype must be provided")
            if self._drops(self._input_keep_prob):
                if input_size is None:
                    raise ValueError("When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, input_size must be provided")
                self._noise["input"] = self._make_noise(input_size, "input", dtype)
            self._noise["state"] = self._make_noise(cell.state_size, "state", dtype)
            self._noise["output"] = self._make_noise(cell.output_size, "output", dtype)

    def _make_noise(self, sizes: Any, salt: str, dtype: Any) -> list[Any]:
        return [
            random_ops.random_uniform(
                array_ops.concat(([1], list(as_dims(s) or ())), 0), seed=self._gen_seed(salt, i), dtype=as_dtype(dtype)
            )
            for i, s in enumerate(nest.flatten(sizes))
        ]

    wrapped_cell = property(lambda self: self._cell)
    state_size = property(lambda self: self._cell.state_size)
    output_size = property(lambda self: self._cell.output_size)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(f"{type(self).__name__}ZeroState", values=[batch_size]):
            return self._cell.zero_state(batch_size, dtype)

    @staticmethod
    def _drops(prob: Any) -> bool:
        return not isinstance(prob, numbers.Real) or prob < 1

    def _gen_seed(self, salt: str, index: int) -> int | None:
        if self._seed is None:
            return None
        text = f"{self._seed}{salt}_{index}"
        return int(hashlib.md5(text.encode()).hexdigest()[:8], 16) & 0x7FFFFFFF

    def _dropout(self, values: Any, salt: str, prob: Any, shallow: Any = None) -> Any:
        """Dropout on each leaf; where `shallow` is False, the leaf stays."""
        counter = iter(range(10**6))

        def drop(keep: bool, value: Any) -> Any:
            i = next(counter)
            if not keep or hasattr(value, "handle"):
                return value
            if self._variational:
                mask = apply_op("Floor", None, x=prob + self._noise[salt][i])
                result = math_ops.div(value, prob) * mask
                result.set_shape(value.shape)
                return result
            return nn_ops.dropout(value, rate=1.0 - prob, seed=self._gen_seed(salt, i))

        def walk(structure: Any) -> Any:
            if salt == "state":
                if isinstance(structure, LSTMStateTuple) and self._default_visitor:
                    return LSTMStateTuple(drop(False, structure.c), drop(True, structure.h))
                if nest.is_sequence(structure):
                    return nest._like(structure, [walk(s) for s in nest._children(structure)])
            elif nest.is_sequence(structure):
                return nest.map_structure(lambda v: drop(True, v), structure)
            return drop(True, structure)

        return walk(values)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        if self._drops(self._input_keep_prob):
            inputs = self._dropout(inputs, "input", self._input_keep_prob)
        output, new_state = self._cell(inputs, state, scope=scope)
        if self._drops(self._state_keep_prob):
            new_state = self._dropout(new_state, "state", self._state_keep_prob)
        if self._drops(self._output_keep_prob):
            output = self._dropout(output, "output", self._output_keep_prob)
        return output, new_state


@export("nn.rnn_cell.ResidualWrapper")
class ResidualWrapper(RNNCell):
    """Adds a cell's inputs to its outputs."""

    def __init__(self, cell: Any, residual_fn: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._cell, self._residual_fn = cell, residual_fn

    wrapped_cell = property(lambda self: self._cell)
    state_size = property(lambda self: self._cell.state_size)
    output_size = property(lambda self: self._cell.output_size)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(f"{type(self).__name__}ZeroState", values=[batch_size]):
            return self._cell.zero_state(batch_size, dtype)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        outputs, new_state = self._cell(inputs, state, scope=scope)
        if self._residual_fn is not None:
            return self._residual_fn(inputs, outputs), new_state
        nest.assert_same_structure(inputs, outputs)
        return nest.map_structure(lambda i, o: i + o, inputs, outputs), new_state


@export("nn.rnn_cell.DeviceWrapper")
class DeviceWrapper(RNNCell):
    """Runs a cell on a device."""

    def __init__(self, cell: Any, device: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._cell, self._device = cell, device

    state_size = property(lambda self: self._cell.state_size)
    output_size = property(lambda self: self._cell.output_size)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(f"{type(self).__name__}ZeroState", values=[batch_size]), get_default_graph().device(self._device):
            return self._cell.zero_state(batch_size, dtype)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        with get_default_graph().device(self._device):
            return self._cell(inputs, state, scope=scope)


@export("nn.rnn_cell.MultiRNNCell")
class MultiRNNCell(RNNCell):
    """Cells on top of each other."""

    def __init__(self, cells: Any, state_is_tuple: bool = True) -> None:
        super().__init__()
        if not cells:
            raise ValueError("Must specify at least one cell for MultiRNNCell.")
        if not nest.is_sequence(cells):
            raise TypeError(f"cells must be a list or tuple, but saw: {cells}.")
        self._cells = list(cells)
        self._state_is_tuple = state_is_tuple
        if not state_is_tuple and any(nest.is_sequence(c.state_size) for c in self._cells):
            raise ValueError(
                f"Some cells return tuples of states, but the flag state_is_tuple is not set.  State sizes are: {[c.state_size for c in self._cells]}"
            )

    @property
    def state_size(self) -> Any:
        return tuple(c.state_size for c in self._cells) if self._state_is_tuple else sum(c.state_size for c in self._cells)

    output_size = property(lambda self: self._cells[-1].output_size)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(f"{type(self).__name__}ZeroState", values=[batch_size]):
            if self._state_is_tuple:
                return tuple(c.zero_state(batch_size, dtype) for c in self._cells)
            return super().zero_state(batch_size, dtype)

    @property
    def trainable_weights(self) -> list[Any]:
        return [w for c in self._cells for w in c.trainable_weights]

    @property
    def non_trainable_weights(self) -> list[Any]:
        return [w for c in self._cells for w in c.non_trainable_weights]

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        at = 0
        new_states = []
        for i, cell in enumerate(self._cells):
            with variable_scope(f"cell_{i}"):
                if self._state_is_tuple:
                    if not nest.is_sequence(state):
                        raise ValueError(f"Expected state to be a tuple of length {len(self.state_size)}, but received: {state}")
                    current = state[i]
                else:
                    current = array_ops.slice_(state, [0, at], [-1, cell.state_size])
                    at += cell.state_size
                inputs, new_state = cell(inputs, current)
                new_states.append(new_state)
        return inputs, tuple(new_states) if self._state_is_tuple else array_ops.concat(new_states, 1)
