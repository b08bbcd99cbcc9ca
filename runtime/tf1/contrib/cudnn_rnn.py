"""tf.contrib.cudnn_rnn: cuDNN's recurrent layers, on any device, and their weights in TensorFlow's form."""

from __future__ import annotations

import os
from typing import Any

from runtime.tf1.contrib.rnn_cells import LSTMBlockCell
from runtime.tf1.graph import GraphKeys, apply_op
from runtime.tf1.layer import InputSpec, Layer
from runtime.tf1.modules import module
from runtime.tf1.random_ops import get_seed
from runtime.tf1.registry import export, put
from runtime.tf1.rnn_cell import GRUCell, _depth
from runtime.tf1.tensor_shape import TensorShape
from runtime.tf1.train.saver import SaveableObject, SaveSpec
from runtime.tf1.variable_scope import VariableScope

tf: Any = module("")

UNIDIRECTION, BIDIRECTION = "unidirectional", "bidirectional"
INPUT_MODES = ("linear_input", "skip_input", "auto_select")
LSTM, GRU, RELU, TANH = "lstm", "gru", "rnn_relu", "rnn_tanh"
# How many weights, and as many biases, a layer has in one direction.
PARAMS_PER_LAYER = {LSTM: 8, GRU: 6, RELU: 2, TANH: 2}
# The names of the weights and of the biases of a layer in a checkpoint, below the cell's name.
NAMES: dict[str, list[str]] = {
    LSTM: [""], RELU: [""], TANH: [""], GRU: ["gates/", "candidate/input_projection/", "candidate/hidden_projection/"],
}  # fmt: skip
CELLS = {LSTM: "cudnn_compatible_lstm_cell", GRU: "cudnn_compatible_gru_cell", RELU: "basic_rnn_cell", TANH: "basic_rnn_cell"}


def _check(direction: str, input_mode: str) -> None:
    if direction not in (UNIDIRECTION, BIDIRECTION):
        raise ValueError(f"Invalid direction: {direction}, expecting {UNIDIRECTION} or {BIDIRECTION}")
    if input_mode not in INPUT_MODES:
        raise ValueError(f"Invalid input_mode: {input_mode}, expect one of ({', '.join(INPUT_MODES)})")


@export("contrib.cudnn_rnn.CudnnCompatibleLSTMCell")
class CudnnCompatibleLSTMCell(LSTMBlockCell):
    """The step of a CudnnLSTM, with the weights that its checkpoints hold."""

    def __init__(self, num_units: int, reuse: Any = None) -> None:
        super().__init__(num_units, forget_bias=0, cell_clip=None, use_peephole=False, reuse=reuse, name="cudnn_compatible_lstm_cell")


@export("contrib.cudnn_rnn.CudnnCompatibleGRUCell")
class CudnnCompatibleGRUCell(GRUCell):
    """The step of a CudnnGRU: the reset gate is applied after the recurrent matrix, which has a bias of its own."""

    def __init__(self, num_units: int, reuse: Any = None, kernel_initializer: Any = None) -> None:
        super().__init__(num_units, activation=None, reuse=reuse, kernel_initializer=kernel_initializer)

    def build(self, inputs_shape: Any) -> None:
        depth, units, dtype = _depth(inputs_shape), self._num_units, self.dtype or "float32"

        def bias(name: str, size: int, start: Any) -> Any:
            return self.add_variable(name, shape=[size], initializer=start if self._bias_initializer is None else self._bias_initializer)

        kernel = {"initializer": self._kernel_initializer}
        self._gate_kernel = self.add_variable("gates/kernel", shape=[depth + units, 2 * units], **kernel)
        self._gate_bias = bias("gates/bias", 2 * units, tf.constant_initializer(1.0, dtype=dtype))
        self._input_kernel = self.add_variable("candidate/input_projection/kernel", shape=[depth, units], **kernel)
        self._hidden_kernel = self.add_variable("candidate/hidden_projection/kernel", shape=[units, units], **kernel)
        self._input_bias = bias("candidate/input_projection/bias", units, tf.zeros_initializer(dtype=dtype))
        self._hidden_bias = bias("candidate/hidden_projection/bias", units, tf.zeros_initializer(dtype=dtype))

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        gates = tf.nn.bias_add(tf.matmul(tf.concat([inputs, state], 1), self._gate_kernel), self._gate_bias)
        r, u = tf.split(value=tf.sigmoid(gates), num_or_size_splits=2, axis=1)
        candidate = tf.nn.bias_add(tf.matmul(inputs, self._input_kernel), self._input_bias)
        candidate += r * tf.nn.bias_add(tf.matmul(state, self._hidden_kernel), self._hidden_bias)
        candidate = self._activation(candidate)
        new_h = (1 - u) * candidate + u * state
        return new_h, new_h


# -- parameters --------------------------------------------------------------------------------------------------------


class CudnnParamsFormatConverter:
    """Between cuDNN's flat parameters and the weights of TensorFlow's cells."""

    _rnn_mode: str

    def __init__(
        self, num_layers: int, num_units: int, input_size: int, num_proj: int | None = None, input_mode: str = "linear_input",
        direction: str = UNIDIRECTION,
    ) -> None:  # fmt: skip
        if num_proj:
            raise NotImplementedError("num_proj of cuDNN's LSTM is not supported; project the outputs with tf.layers.dense.")
        self._num_layers, self._num_units, self._input_size = num_layers, num_units, input_size
        self._input_mode, self._direction = input_mode, direction
        self._num_dirs = 1 if direction == UNIDIRECTION else 2

    def tf_canonical_to_opaque(self, tf_canonicals: Any, weights_proj: Any = None) -> Any:
        weights, biases = self._to_cudnn(list(tf_canonicals))
        weights = [tf.reshape(w, [-1]) for w in weights]
        # TensorFlow places these ops on the first GPU, as nothing else can run them; here any device can.
        return apply_op("CudnnRNNCanonicalToParams", None, **self._sizes(), weights=weights, biases=biases, **self._modes())

    def opaque_to_tf_canonical(self, opaque_param: Any) -> tuple[list[Any], list[Any]]:
        count = PARAMS_PER_LAYER[self._rnn_mode] * self._num_layers * self._num_dirs
        weights, biases = apply_op(
            "CudnnRNNParamsToCanonical", None, **self._sizes(), params=opaque_param, num_params=count, **self._modes()
        )
        per, made = PARAMS_PER_LAYER[self._rnn_mode], ([], [])  # type: tuple[int, tuple[list[Any], list[Any]]]
        for i in range(0, len(weights), per):
            made[0].extend(self._cudnn_to_tf_weights(*weights[i : i + per]))
            made[1].extend(self._cudnn_to_tf_biases(*biases[i : i + per]))
        return made

    def _sizes(self) -> dict[str, int]:
        return {"num_layers": self._num_layers, "num_units": self._num_units, "input_size": self._input_size}

    def _modes(self) -> dict[str, str]:
        return {"rnn_mode": self._rnn_mode, "input_mode": self._input_mode, "direction": self._direction}

    def _to_cudnn(self, canonicals: list[Any]) -> tuple[list[Any], list[Any]]:
        half = len(canonicals) // 2
        weights, biases = canonicals[:half], canonicals[half:]
        per = len(NAMES[self._rnn_mode])
        made: tuple[list[Any], list[Any]] = ([], [])
        for i in range(self._num_layers * self._num_dirs):
            made[0].extend(self._tf_to_cudnn_weights(i // self._num_dirs, *weights[i * per : (i + 1) * per]))
            made[1].extend(self._tf_to_cudnn_biases(*biases[i * per : (i + 1) * per]))
        return made

    def _width(self, layer: int) -> int:
        return self._input_size if layer == 0 else self._num_units * self._num_dirs

    def _cudnn_to_tf_weights(self, *cu_weights: Any) -> tuple[Any, ...]:
        raise NotImplementedError("Abstract method")

    def _tf_to_cudnn_weights(self, layer: int, *tf_weights: Any) -> tuple[Any, ...]:
        raise NotImplementedError("Abstract method")

    def _cudnn_to_tf_biases(self, *biases: Any) -> tuple[Any, ...]:
        raise NotImplementedError("Abstract method")

    def _tf_to_cudnn_biases(self, *tf_biases: Any) -> tuple[Any, ...]:
        raise NotImplementedError("Abstract method")


@export("contrib.cudnn_rnn.CudnnParamsFormatConverterLSTM")
class CudnnParamsFormatConverterLSTM(CudnnParamsFormatConverter):
    """cuDNN's gates are i, f, c, o; TensorFlow's i, c, f, o. cuDNN has two biases a gate, TensorFlow their sum."""

    _rnn_mode = LSTM

    def _cudnn_to_tf_weights(self, *cu_weights: Any) -> tuple[Any, ...]:
        i, f, c, o = (tf.concat([cu_weights[k], cu_weights[k + 4]], axis=1) for k in range(4))
        return (tf.transpose(tf.concat([i, c, f, o], axis=0)),)

    def _tf_to_cudnn_weights(self, layer: int, *tf_weights: Any) -> tuple[Any, ...]:
        i, c, f, o = tf.split(tf.transpose(tf_weights[0]), 4, axis=0)
        widths = [self._width(layer), self._num_units]
        (w_i, r_i), (w_c, r_c), (w_f, r_f), (w_o, r_o) = (tf.split(gate, widths, axis=1) for gate in (i, c, f, o))
        return w_i, w_f, w_c, w_o, r_i, r_f, r_c, r_o

    def _cudnn_to_tf_biases(self, *biases: Any) -> tuple[Any, ...]:
        i, f, c, o = (biases[k] + biases[k + 4] for k in range(4))
        return (tf.concat([i, c, f, o], axis=0),)

    def _tf_to_cudnn_biases(self, *tf_biases: Any) -> tuple[Any, ...]:
        i, c, f, o = tf.split(tf_biases[0], 4, axis=0)
        halves = tuple(gate * 0.5 for gate in (i, f, c, o))
        return halves * 2


@export("contrib.cudnn_rnn.CudnnParamsFormatConverterGRU")
class CudnnParamsFormatConverterGRU(CudnnParamsFormatConverter):
    _rnn_mode = GRU

    def _cudnn_to_tf_weights(self, *cu_weights: Any) -> tuple[Any, ...]:
        w_i, w_r, w_h, r_i, r_r, r_h = cu_weights
        gates = [tf.concat([w_i, r_i], axis=1), tf.concat([w_r, r_r], axis=1)]
        return tf.transpose(tf.concat(gates, axis=0)), tf.transpose(w_h), tf.transpose(r_h)

    def _tf_to_cudnn_weights(self, layer: int, *tf_weights: Any) -> tuple[Any, ...]:
        gates, w_h, r_h = (tf.transpose(w) for w in tf_weights)
        i, r = tf.split(gates, 2, axis=0)
        widths = [self._width(layer), self._num_units]
        (w_i, r_i), (w_r, r_r) = tf.split(i, widths, axis=1), tf.split(r, widths, axis=1)
        return w_i, w_r, w_h, r_i, r_r, r_h

    def _cudnn_to_tf_biases(self, *biases: Any) -> tuple[Any, ...]:
        b_wi, b_wr, b_wh, b_ri, b_rr, b_rh = biases
        return tf.concat([b_wi, b_wr], axis=0) + tf.concat([b_ri, b_rr], axis=0), b_wh, b_rh

    def _tf_to_cudnn_biases(self, *tf_biases: Any) -> tuple[Any, ...]:
        gates, b_wh, b_rh = tf_biases
        first, second = gates * 0.5, gates * 0.5
        b_wi, b_wr = tf.split(first, 2, axis=0)
        b_ri, b_rr = tf.split(second, 2, axis=0)
        return b_wi, b_wr, b_wh, b_ri, b_rr, b_rh


class _Basic(CudnnParamsFormatConverter):
    def _cudnn_to_tf_weights(self, *cu_weights: Any) -> tuple[Any, ...]:
        return (tf.transpose(tf.concat(list(cu_weights), axis=1)),)

    def _tf_to_cudnn_weights(self, layer: int, *tf_weights: Any) -> tuple[Any, ...]:
        return tuple(tf.split(tf.transpose(tf_weights[0]), [self._width(layer), self._num_units], axis=1))

    def _cudnn_to_tf_biases(self, *biases: Any) -> tuple[Any, ...]:
        return (biases[0] + biases[1],)

    def _tf_to_cudnn_biases(self, *tf_biases: Any) -> tuple[Any, ...]:
        return tf_biases[0] * 0.5, tf_biases[0] * 0.5


@export("contrib.cudnn_rnn.CudnnParamsFormatConverterTanh")
class CudnnParamsFormatConverterTanh(_Basic):
    _rnn_mode = TANH


@export("contrib.cudnn_rnn.CudnnParamsFormatConverterRelu")
class CudnnParamsFormatConverterRelu(_Basic):
    _rnn_mode = RELU


class CudnnOpaqueParamsSaveable(SaveableObject):
    """Saves flat parameters as the weights of TensorFlow's cells, which also read them."""

    _format_converter_cls: Any

    def __init__(
        self, opaque_params: Any, num_layers: int, num_units: int, input_size: int, input_mode: str = "linear_input", direction: str = UNIDIRECTION,
        scope: Any = None, name: str = "cudnn_rnn_saveable",
    ) -> None:  # fmt: skip
        self.format_converter = self._format_converter_cls(num_layers, num_units, input_size, input_mode=input_mode, direction=direction)
        self._variables = opaque_params
        self._num_layers, self._direction = num_layers, direction
        scope = (scope.name if isinstance(scope, VariableScope) else scope) or None
        weights, biases = self.format_converter.opaque_to_tf_canonical(opaque_params)
        names = [f"{prefix}/{part}{kind}" for kind in ("kernel", "bias") for prefix, part in self._places()]
        if scope:
            names = [f"{scope}/{n}" for n in names]
        specs = [SaveSpec(value, "", n) for value, n in zip([*weights, *biases], names, strict=True)]
        super().__init__(tf.identity(opaque_params), specs, name)

    def _places(self) -> list[tuple[str, str]]:
        mode = self._format_converter_cls._rnn_mode
        if self._direction == UNIDIRECTION:
            prefixes = [f"rnn/multi_rnn_cell/cell_{i}/{CELLS[mode]}" for i in range(self._num_layers)]
        else:
            ways = [(i, way) for i in range(self._num_layers) for way in ("fw", "bw")]
            prefixes = [f"stack_bidirectional_rnn/cell_{i}/bidirectional_rnn/{way}/{CELLS[mode]}" for i, way in ways]
        return [(prefix, part) for prefix in prefixes for part in NAMES[mode]]

    def restore(self, restored_tensors: Any, restored_shapes: Any) -> Any:
        return tf.assign(self._variables, self.format_converter.tf_canonical_to_opaque(restored_tensors), validate_shape=False)


@export("contrib.cudnn_rnn.CudnnLSTMSaveable")
class CudnnLSTMSaveable(CudnnOpaqueParamsSaveable):
    _format_converter_cls = CudnnParamsFormatConverterLSTM


@export("contrib.cudnn_rnn.CudnnGRUSaveable")
class CudnnGRUSaveable(CudnnOpaqueParamsSaveable):
    _format_converter_cls = CudnnParamsFormatConverterGRU


@export("contrib.cudnn_rnn.CudnnRNNTanhSaveable")
class CudnnRNNTanhSaveable(CudnnOpaqueParamsSaveable):
    _format_converter_cls = CudnnParamsFormatConverterTanh


@export("contrib.cudnn_rnn.CudnnRNNReluSaveable")
class CudnnRNNReluSaveable(CudnnOpaqueParamsSaveable):
    _format_converter_cls = CudnnParamsFormatConverterRelu


# -- the ops as functions ------------------------------------------------------------------------------------------------


def _seeds(seed: Any) -> dict[str, int]:
    first, second = get_seed(seed)
    return {"seed": first or 0, "seed2": second or 0}


def _cudnn_rnn(
    inputs: Any, input_h: Any, input_c: Any, params: Any, is_training: bool, rnn_mode: str, sequence_lengths: Any = None, time_major: bool = True,
    input_mode: str = "linear_input", direction: str = UNIDIRECTION, dropout: float = 0.0, seed: Any = 0, num_proj: int | None = None,
    name: str | None = None,
) -> tuple[Any, Any, Any]:  # fmt: skip
    if rnn_mode not in PARAMS_PER_LAYER:
        raise ValueError(f"Invalid rnn_mode: {rnn_mode}, expect one of ({LSTM}, {GRU}, {TANH}, {RELU})")
    _check(direction, input_mode)
    given = {"input": inputs, "input_h": input_h, "input_c": input_c, "params": params, "is_training": is_training, "rnn_mode": rnn_mode}
    given.update(input_mode=input_mode, direction=direction, dropout=dropout, **_seeds(seed))
    if sequence_lengths is None and (time_major is False or num_proj):
        batch_axis = 1 if time_major else 0
        batch = tf.shape(inputs)[batch_axis]
        sequence_lengths = tf.fill([batch], tf.shape(inputs)[1 - batch_axis])
    if sequence_lengths is not None:
        given.update(sequence_lengths=sequence_lengths, time_major=time_major, num_proj=num_proj or 0)
        made = apply_op("CudnnRNNV3", name, **given)
    else:
        made = apply_op("CudnnRNNV2" if os.environ.get("TF_CUDNN_RNN_USE_V2", "0") == "1" else "CudnnRNN", name, **given)
    return made[0], made[1], made[2]


def _canonical_to_opaque(rnn_mode: str, layer: Any, weights: Any, biases: Any) -> Any:
    return apply_op(
        "CudnnRNNCanonicalToParams",
        None,
        num_layers=layer._num_layers,
        num_units=layer._num_units,
        input_size=layer._input_size,
        weights=weights,
        biases=biases,
        rnn_mode=rnn_mode,
        input_mode=layer._input_mode,
        direction=layer._direction,
        dropout=layer._dropout,
        **_seeds(layer._seed),
    )


# -- layers --------------------------------------------------------------------------------------------------------------


class _CudnnRNN(Layer):
    """A stack of recurrent layers over [time, batch, depth]; its weights are one flat variable."""

    _rnn_mode: str
    _saveable_cls: Any

    def __init__(
        self, num_layers: int, num_units: int, input_mode: str = "linear_input", direction: str = UNIDIRECTION, dropout: float = 0.0, seed: Any = None,
        dtype: Any = "float32", kernel_initializer: Any = None, bias_initializer: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        dtype = tf.as_dtype(dtype)
        super().__init__(dtype=dtype, name=name)
        _check(direction, input_mode)
        if dtype.name not in ("float16", "float32", "float64"):
            raise ValueError(f"Only support float16, float32, float64, provided {dtype}")
        self._plain_dtype, self._num_layers, self._num_units = dtype, num_layers, num_units
        self._input_mode, self._direction, self._dropout, self._seed = input_mode, direction, dropout, seed
        self._kernel_initializer, self._bias_initializer = kernel_initializer, bias_initializer
        self._input_size: int | None = None
        self._saveable: Any = None

    num_layers = property(lambda self: self._num_layers)
    num_units = property(lambda self: self._num_units)
    input_mode = property(lambda self: self._input_mode)
    rnn_mode = property(lambda self: self._rnn_mode)
    direction = property(lambda self: self._direction)
    num_dirs = property(lambda self: 1 if self._direction == UNIDIRECTION else 2)
    saveable = property(lambda self: self._saveable)

    @property
    def input_size(self) -> int:
        if not self._input_size:
            raise ValueError("'input_size' is unknown since layer has not been built.")
        return self._input_size

    @property
    def canonical_weight_shapes(self) -> list[Any]:
        if not self._input_size:
            raise RuntimeError(f"{type(self).__name__}.canonical_weight_shapes invoked before input shape is known")
        gates, units = PARAMS_PER_LAYER[self._rnn_mode] // 2, self._num_units
        shapes = []
        for layer in range(self._num_layers):
            width = self._input_size if layer == 0 else self.num_dirs * units
            shapes += ([(units, width)] * gates + [(units, units)] * gates) * self.num_dirs
        return shapes

    @property
    def canonical_bias_shapes(self) -> list[Any]:
        return [[self._num_units]] * self.num_dirs * PARAMS_PER_LAYER[self._rnn_mode] * self._num_layers

    def _tracked(self, getter: Any, *args: Any, **kwargs: Any) -> Any:
        variable = getter(*args, **kwargs)
        weights = self._trainable_weights if kwargs.get("trainable", True) else self._non_trainable_weights
        if variable not in weights:
            weights.append(variable)
        return variable

    def build(self, input_shape: Any) -> None:
        if self.built:
            return
        shape = TensorShape(input_shape)
        if shape.ndims != 3:
            raise ValueError(f"Expecting input_shape with 3 dims, got {shape.ndims}")
        if shape[-1].value is None:
            raise ValueError("The last dimension of the inputs to `CudnnRNN` should be defined. Found `None`.")
        self._input_size = shape[-1].value
        self.input_spec = InputSpec(ndim=3, axes={-1: self._input_size})
        self._set_scope(None)
        dtype = self._plain_dtype
        with tf.variable_scope(self._scope, reuse=self.built, custom_getter=self._tracked):
            if self._kernel_initializer is None:
                self._kernel_initializer = tf.glorot_uniform_initializer(seed=self._seed, dtype=dtype)
            if self._bias_initializer is None:
                self._bias_initializer = tf.constant_initializer(0.0, dtype=dtype)
            weights = [self._kernel_initializer(s, dtype=dtype) for s in self.canonical_weight_shapes]
            biases = [self._bias_initializer(s, dtype=dtype) for s in self.canonical_bias_shapes]
            flat = _canonical_to_opaque(self._rnn_mode, self, weights, biases)
            if tf.get_variable_scope().partitioner is not None:
                tf.logging.warn("Partitioner is not supported for Cudnn RNN layer variables.")
            self.kernel = tf.get_variable("opaque_kernel", dtype=dtype, initializer=flat, validate_shape=False)
        if not (self.built or tf.get_variable_scope().reuse is True):
            self._create_saveable()
        self.built = True

    def call(  # type: ignore[override]
        self, inputs: Any, initial_state: Any = None, sequence_lengths: Any = None, time_major: bool = True, training: bool = True
    ) -> Any:
        if initial_state is not None and not isinstance(initial_state, tuple):
            raise TypeError(f"Invalid initial_state type: {initial_state}, expecting tuple.")
        dtype = self._plain_dtype
        inputs = tf.convert_to_tensor(inputs, dtype=dtype)
        batch = tf.shape(inputs)[1]
        if initial_state is None:
            initial_state = self._zero_state(batch)
        h = tf.convert_to_tensor(initial_state[0], dtype=dtype)
        c = tf.convert_to_tensor(initial_state[1], dtype=dtype) if self._rnn_mode == LSTM else tf.constant([], dtype=dtype)
        outputs, output_h, output_c = _cudnn_rnn(
            inputs, h, c, self.kernel, training, self._rnn_mode, sequence_lengths=sequence_lengths, time_major=time_major, input_mode=self._input_mode,
            direction=self._direction, dropout=self._dropout, seed=self._seed,
        )  # fmt: skip
        return outputs, (output_h, output_c) if self._rnn_mode == LSTM else (output_h,)

    def state_shape(self, batch_size: Any) -> tuple[Any, ...]:
        shape = [self._num_layers * self.num_dirs, batch_size, self._num_units]
        return (shape, list(shape)) if self._rnn_mode == LSTM else (shape,)

    def _zero_state(self, batch_size: Any) -> tuple[Any, ...]:
        return tuple(tf.zeros(s, dtype=self._plain_dtype) for s in self.state_shape(batch_size))

    def _create_saveable(self) -> None:
        if self._saveable is not None:
            raise RuntimeError("Cudnn saveable already created.")
        variable = self.trainable_variables[0]
        self._saveable = self._saveable_cls(
            opaque_params=variable, num_layers=self._num_layers, num_units=self._num_units, input_size=self.input_size, input_mode=self._input_mode,
            direction=self._direction, scope=tf.get_variable_scope(), name=f"{variable.name.split(':')[0]}_saveable",
        )  # fmt: skip
        variable[0]  # TensorFlow asks a slice for its device, and op counts seed random ops
        tf.add_to_collection(GraphKeys.SAVEABLE_OBJECTS, self._saveable)


@export("contrib.cudnn_rnn.CudnnLSTM")
class CudnnLSTM(_CudnnRNN):
    _rnn_mode, _saveable_cls = LSTM, CudnnLSTMSaveable


@export("contrib.cudnn_rnn.CudnnGRU")
class CudnnGRU(_CudnnRNN):
    _rnn_mode, _saveable_cls = GRU, CudnnGRUSaveable


@export("contrib.cudnn_rnn.CudnnRNNTanh")
class CudnnRNNTanh(_CudnnRNN):
    _rnn_mode, _saveable_cls = TANH, CudnnRNNTanhSaveable


@export("contrib.cudnn_rnn.CudnnRNNRelu")
class CudnnRNNRelu(_CudnnRNN):
    _rnn_mode, _saveable_cls = RELU, CudnnRNNReluSaveable


put("contrib.cudnn_rnn.CUDNN_RNN_UNIDIRECTION", UNIDIRECTION)
put("contrib.cudnn_rnn.CUDNN_RNN_BIDIRECTION", BIDIRECTION)
