"""tf.signal: real Fourier and cosine transforms, frames, windows, short-time transforms and mel features."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools.constant import constant as known_value
from graphtools.constant import constant_as_shape
from runtime.tf1.graph import Tensor, apply_op
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put

tf: Any = module("")

# mel(f) = 1127 ln(1 + f / 700)
MEL_BREAK_HERTZ = 700.0
MEL_HIGH_Q = 1127.0


def _last(x: Any) -> Any:
    """The size of the innermost dimension: a number when it is known."""
    size = x.get_shape()[-1].value
    return size or tf.shape(x)[-1]


def _scalar(value: Any, name: str) -> Any:
    value = tf.convert_to_tensor(value, name=name)
    value.get_shape().assert_has_rank(0)
    return value


# -- real transforms -------------------------------------------------------------------------------------------------


def _inferred_length(x: Any, rank: int, inverse: bool) -> Any:
    inner = x.get_shape()[-rank:]
    if not inner.is_fully_defined():
        if not inverse:
            return tf.shape(x)[-rank:]
        sizes = tf.unstack(tf.shape(x)[-rank:])
        sizes[-1] = tf.maximum(0, 2 * (sizes[-1] - 1))
        return tf.stack(sizes)
    length = inner.as_list()
    if inverse and length:
        length[-1] = max(0, 2 * (length[-1] - 1))
    return tf.convert_to_tensor(length, tf.int32)


def _padded(x: Any, rank: int, fft_length: Any, inverse: bool) -> Any:
    """`x`, filled up with zeros to what the transform reads: the op itself only crops."""
    dims = x.dims
    if dims is not None and 0 in dims:
        return x
    wanted = constant_as_shape(fft_length)
    if wanted is not None and None not in wanted and dims is not None and None not in dims[-len(wanted) :]:
        if inverse:
            wanted = (*wanted[:-1], wanted[-1] // 2 + 1)  # type: ignore[operator]
        paddings = [[0, max(w - d, 0)] for w, d in zip(wanted, dims[-len(wanted) :], strict=True)]  # type: ignore[operator]
        if any(after for _, after in paddings):
            return tf.pad(x, [[0, 0]] * max(len(dims) - len(wanted), 0) + paddings)
        return x
    x_rank = tf.rank(x)
    inner = tf.shape(x)[-rank:]
    outer = tf.zeros([tf.maximum(0, x_rank - rank)], fft_length.dtype)
    if inverse:
        fft_length = tf.concat([fft_length[:-1], fft_length[-1:] // 2 + 1], 0)
    after = tf.concat([outer, tf.maximum(0, fft_length - inner)], 0)
    return tf.pad(x, tf.stack([tf.zeros_like(after), after], axis=1))


def _real_transform(op_type: str, rank: int) -> Callable[..., Any]:
    inverse = op_type.startswith("I")
    label = op_type.lower()

    def transform(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Any:
        with tf.name_scope(name, label, [input_tensor, fft_length]) as scope:
            x = tf.convert_to_tensor(input_tensor, tf.complex64 if inverse else tf.float32)
            x.get_shape().with_rank_at_least(rank)
            length = _inferred_length(x, rank, inverse) if fft_length is None else tf.convert_to_tensor(fft_length, tf.int32)
            return apply_op(op_type, scope, input=_padded(x, rank, length, inverse), fft_length=length)

    transform.__name__ = label
    put(f"signal.{label}", transform)
    return transform


rfft, irfft = _real_transform("RFFT", 1), _real_transform("IRFFT", 1)
for _op_type, _rank in (("RFFT2D", 2), ("IRFFT2D", 2), ("RFFT3D", 3), ("IRFFT3D", 3)):
    _real_transform(_op_type, _rank)


def _shift(x: Any, axes: Any, name: str | None, label: str, sign: int) -> Any:
    with tf.name_scope(name, label) as scope:
        x = tf.convert_to_tensor(x)
        sizes = x.get_shape().as_list()
        if axes is None:
            axes = tuple(range(len(sizes)))
            shift: Any = [sign * int(size // 2) for size in sizes] if sign > 0 else [-int(size // 2) for size in sizes]
        elif isinstance(axes, int):
            shift = sign * int(sizes[axes] // 2)
        else:
            shift = [sign * int(sizes[a] // 2) for a in axes]
        return tf.roll(x, shift, axes, scope)


@export("signal.fftshift")
def fftshift(x: Any, axes: Any = None, name: str | None = None) -> Any:
    """Zero frequency in the middle."""
    return _shift(x, axes, name, "fftshift", 1)


@export("signal.ifftshift")
def ifftshift(x: Any, axes: Any = None, name: str | None = None) -> Any:
    return _shift(x, axes, name, "ifftshift", -1)


# -- cosine transforms -----------------------------------------------------------------------------------------------


def _check_dct(x: Any, kind: Any, n: Any, axis: Any, norm: Any) -> None:
    if axis != -1:
        raise NotImplementedError(f"axis must be -1. Got: {axis}")
    if n is not None and n < 1:
        raise ValueError("n should be a positive integer or None")
    if kind not in (1, 2, 3):
        raise ValueError("Only Types I, II and III (I)DCT are supported.")
    if kind == 1:
        if norm == "ortho":
            raise ValueError("Normalization is not supported for the Type-I DCT.")
        size = np.shape(x)[-1] if not hasattr(x, "get_shape") else x.get_shape()[-1].value
        if size is not None and size < 2:
            raise ValueError("Type-I DCT requires the dimension to be greater than one.")
    if norm not in (None, "ortho"):
        raise ValueError(f"Unknown normalization. Expected None or 'ortho', got: {norm}")


@export("signal.dct")
def dct(input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None, name: str | None = None) -> Any:
    """The cosine transform, through real Fourier transforms of twice the length."""
    _check_dct(input, type, n, axis, norm)
    with tf.name_scope(name, "dct", [input]):
        x = tf.convert_to_tensor(input, dtype=tf.float32)
        length = _last(x)
        if n is not None:
            if n <= length:
                x = x[..., 0:n]
            else:
                paddings = [[0, 0] for _ in x.get_shape().as_list()]
                paddings[-1][1] = n - length
                x = tf.pad(x, paddings=tf.convert_to_tensor(paddings, dtype=tf.int32))
        size = _last(x)
        count = tf.cast(size, tf.float32)
        if type == 1:
            return tf.real(rfft(tf.concat([x, x[..., -2:0:-1]], axis=-1)))
        if type == 2:
            scale = 2.0 * tf.exp(tf.complex(0.0, -tf.range(count) * math.pi * 0.5 / count))
            result = tf.real(rfft(x, fft_length=[2 * size])[..., :size] * scale)
            if norm == "ortho":
                first = 0.5 * tf.rsqrt(count)
                result *= _ortho(first, first * tf.sqrt(2.0), size)
            return result
        if norm == "ortho":
            first = tf.sqrt(count)
            x *= _ortho(first, first * tf.sqrt(0.5), size)
        else:
            x *= count
        scale = 2.0 * tf.exp(tf.complex(0.0, tf.range(count) * math.pi * 0.5 / count))
        return tf.real(irfft(scale * tf.complex(x, 0.0), fft_length=[2 * size]))[..., :size]


def _ortho(first: Any, others: Any, size: Any) -> Any:
    return tf.pad(tf.expand_dims(first, 0), [[0, size - 1]], constant_values=others)


@export("signal.idct")
def idct(input: Any, type: int = 2, n: Any = None, axis: int = -1, norm: str | None = None, name: str | None = None) -> Any:
    _check_dct(input, type, n, axis, norm)
    return dct(input, type={1: 1, 2: 3, 3: 2}[type], n=n, axis=axis, norm=norm, name=name)


# -- frames and windows ----------------------------------------------------------------------------------------------


def _gcd(a: Any, b: Any) -> Any:
    with tf.name_scope(None, "gcd", [a, b]):
        known_a, known_b = known_value(a), known_value(b)
        if known_a is not None and known_b is not None:
            return tf.convert_to_tensor(math.gcd(int(known_a), int(known_b)))
        return tf.while_loop(lambda _, b: tf.greater(b, tf.zeros_like(b)), lambda a, b: [b, tf.floormod(a, b)], [a, b], back_prop=False)[0]


def _frame_shape(signal: Any, frame_length: Any, frame_step: Any, pad_end: bool, axis: Any) -> list[Any] | None:
    length, step, at = known_value(frame_length), known_value(frame_step), known_value(axis)
    dims = signal.dims
    if dims is None:
        return None
    if at is None:
        return [None] * (len(dims) + 1)
    total, at = dims[int(at)], int(at)
    frames = None
    if total is not None and step is not None:
        if pad_end:
            frames = max(0, -(-total // int(step)))
        elif length is not None:
            frames = max(0, (total - int(length) + int(step)) // int(step))
    return [*dims[:at], frames, None if length is None else int(length), *dims[at:][1:]]


@export("signal.frame")
def frame(
    signal: Any, frame_length: Any, frame_step: Any, pad_end: bool = False, pad_value: Any = 0, axis: Any = -1, name: str | None = None
) -> Any:
    """Overlapping windows of one axis: gathered in steps of the greatest common divisor of length and step."""
    with tf.name_scope(name, "frame", [signal, frame_length, frame_step, pad_value]):
        signal = tf.convert_to_tensor(signal, name="signal")
        frame_length = tf.convert_to_tensor(frame_length, name="frame_length")
        frame_step = tf.convert_to_tensor(frame_step, name="frame_step")
        axis = tf.convert_to_tensor(axis, name="axis")
        signal.get_shape().with_rank_at_least(1)
        for scalar in (frame_length, frame_step, axis):
            scalar.get_shape().assert_has_rank(0)
        static = _frame_shape(signal, frame_length, frame_step, pad_end, axis)
        rank = tf.rank(signal)
        axis = tf.range(rank)[axis]
        shape = tf.shape(signal)
        outer, total, inner = tf.split(shape, [axis, 1, rank - 1 - axis])
        total = tf.reshape(total, [])
        outer_count, inner_count = tf.size(outer), tf.size(inner)
        if pad_end:
            pad_value = tf.convert_to_tensor(pad_value, signal.dtype)
            pad_value.get_shape().assert_has_rank(0)
            frames = -(-total // frame_step)
            missing = tf.maximum(0, frame_length + frame_step * (frames - 1) - total)
            paddings = tf.concat(
                [tf.zeros([outer_count, 2], dtype=missing.dtype), [[0, missing]], tf.zeros([inner_count, 2], dtype=missing.dtype)], 0
            )
            signal = tf.pad(signal, paddings, constant_values=pad_value)
            shape = tf.shape(signal)
            total = shape[axis]
        else:
            frames = tf.maximum(0, 1 + (total - frame_length) // frame_step)
        part = _gcd(frame_length, frame_step)
        parts_per_frame, parts_per_hop, parts = frame_length // part, frame_step // part, total // part
        slice_shape = tf.concat([outer, [parts * part], inner], 0)
        part_shape = tf.concat([outer, [parts, part], inner], 0)
        pieces = tf.reshape(tf.strided_slice(signal, tf.zeros_like(shape), slice_shape), part_shape)
        first = tf.reshape(tf.range(frames) * parts_per_hop, [frames, 1])
        selector = first + tf.reshape(tf.range(parts_per_frame), [1, parts_per_frame])
        result = tf.reshape(tf.gather(pieces, selector, axis=axis), tf.concat([outer, [frames, frame_length], inner], 0))
        if static:
            result.set_shape(static)
        return result


def _raised_cosine(name: str | None, label: str, window_length: Any, periodic: Any, dtype: Any, a: float, b: float) -> Any:
    """a - b cos(2 pi k / n)"""
    dtype = tf.as_dtype(dtype)
    if not dtype.is_floating:
        raise ValueError(f"dtype must be a floating point type. Found {dtype}")
    with tf.name_scope(name, label, [window_length, periodic]):
        window_length = tf.convert_to_tensor(window_length, dtype=tf.int32, name="window_length")
        window_length.get_shape().assert_has_rank(0)
        known = known_value(window_length)
        if known == 1:
            return tf.ones([1], dtype=dtype)
        periodic = tf.cast(tf.convert_to_tensor(periodic, dtype=tf.bool, name="periodic"), tf.int32)
        even = 1 - tf.floormod(window_length, 2)
        n = tf.cast(window_length + periodic * even - 1, dtype=dtype)
        count = tf.cast(tf.range(window_length), dtype)
        angle = tf.constant(2 * np.pi, dtype=dtype) * count / n

        def window() -> Any:
            return tf.cast(a - b * tf.cos(angle), dtype=dtype)

        return window() if known is not None else tf.cond(tf.equal(window_length, 1), lambda: tf.ones([1], dtype=dtype), window)


@export("signal.hann_window")
def hann_window(window_length: Any, periodic: Any = True, dtype: Any = "float32", name: str | None = None) -> Any:
    return _raised_cosine(name, "hann_window", window_length, periodic, dtype, 0.5, 0.5)


@export("signal.hamming_window")
def hamming_window(window_length: Any, periodic: Any = True, dtype: Any = "float32", name: str | None = None) -> Any:
    return _raised_cosine(name, "hamming_window", window_length, periodic, dtype, 0.54, 0.46)


@export("signal.overlap_and_add")
def overlap_and_add(signal: Any, frame_step: Any, name: str | None = None) -> Any:
    """The signal whose frames these are: frames are cut into segments of a step, shifted, and summed."""
    with tf.name_scope(name, "overlap_and_add", [signal, frame_step]):
        signal = tf.convert_to_tensor(signal, name="signal")
        signal.get_shape().with_rank_at_least(2)
        frame_step = tf.convert_to_tensor(frame_step, name="frame_step")
        frame_step.get_shape().assert_has_rank(0)
        if not frame_step.dtype.is_integer:
            raise ValueError(f"frame_step must be an integer. Got {frame_step.dtype}")
        shape = tf.shape(signal)
        outer = shape[:-2]
        outer_rank = tf.size(outer)

        def full(inner: list[Any]) -> Any:
            return tf.concat([outer, inner], 0)

        frame_length = shape[-1]
        frames = shape[-2]
        length = frame_length + frame_step * (frames - 1)
        known_step = known_value(frame_step)
        if known_step is not None and signal.dims is not None and int(known_step) == signal.dims[-1]:
            return tf.reshape(signal, full([length]), name="fast_path")
        segments = -(-frame_length // frame_step)
        paddings = [[0, segments], [0, segments * frame_step - frame_length]]
        paddings = tf.concat([tf.zeros([outer_rank, 2], tf.int32), paddings], 0)
        signal = tf.pad(signal, paddings)
        signal = tf.reshape(signal, full([frames + segments, segments, frame_step]))
        signal = tf.transpose(signal, tf.concat([tf.range(outer_rank), outer_rank + [1, 0, 2]], 0))
        signal = tf.reshape(signal, full([(frames + segments) * segments, frame_step]))
        signal = signal[..., : (frames + segments - 1) * segments, :]
        signal = tf.reshape(signal, full([segments, (frames + segments - 1), frame_step]))
        signal = tf.reduce_sum(signal, -3)
        signal = tf.reshape(signal, full([(frames + segments - 1) * frame_step]))
        return signal[..., :length]


# -- short-time transforms -------------------------------------------------------------------------------------------


def _power_of_two(value: Any) -> Any:
    """The smallest power of two that is not less."""
    known = known_value(value)
    if known is not None:
        return tf.constant(int(2 ** np.ceil(np.log(known) / np.log(2.0))), value.dtype)
    return tf.cast(tf.pow(2.0, tf.ceil(tf.log(tf.cast(value, tf.float32)) / tf.log(2.0))), value.dtype)


@export("signal.stft")
def stft(
    signals: Any, frame_length: Any, frame_step: Any, fft_length: Any = None, window_fn: Any = hann_window, pad_end: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    with tf.name_scope(name, "stft", [signals, frame_length, frame_step]):
        signals = tf.convert_to_tensor(signals, name="signals")
        signals.get_shape().with_rank_at_least(1)
        frame_length, frame_step = _scalar(frame_length, "frame_length"), _scalar(frame_step, "frame_step")
        length = _power_of_two(frame_length) if fft_length is None else tf.convert_to_tensor(fft_length, name="fft_length")
        frames = frame(signals, frame_length, frame_step, pad_end=pad_end)
        if window_fn is not None:
            frames *= window_fn(frame_length, dtype=frames.dtype)
        return rfft(frames, [length])


@export("signal.inverse_stft_window_fn")
def inverse_stft_window_fn(frame_step: Any, forward_window_fn: Any = hann_window, name: str | None = None) -> Callable[..., Any]:
    """The window that makes inverse_stft give back what stft with `forward_window_fn` read."""
    with tf.name_scope(name, "inverse_stft_window_fn", [forward_window_fn]):
        frame_step = _scalar(frame_step, "frame_step")

    def window_fn(frame_length: Any, dtype: Any) -> Any:
        with tf.name_scope(name, "inverse_stft_window_fn", [forward_window_fn]):
            frame_length = _scalar(frame_length, "frame_length")
            window = forward_window_fn(frame_length, dtype=dtype)
            total = tf.square(window)
            overlaps = -(-frame_length // frame_step)
            total = tf.pad(total, [(0, overlaps * frame_step - frame_length)])
            total = tf.reshape(total, [overlaps, frame_step])
            total = tf.reduce_sum(total, 0, keepdims=True)
            total = tf.tile(total, [overlaps, 1])
            total = tf.reshape(total, [overlaps * frame_step])
            return window / total[:frame_length]

    return window_fn


@export("signal.inverse_stft")
def inverse_stft(
    stfts: Any, frame_length: Any, frame_step: Any, fft_length: Any = None, window_fn: Any = hann_window, name: str | None = None
) -> Any:
    with tf.name_scope(name, "inverse_stft", [stfts]):
        stfts = tf.convert_to_tensor(stfts, name="stfts")
        stfts.get_shape().with_rank_at_least(2)
        frame_length, frame_step = _scalar(frame_length, "frame_length"), _scalar(frame_step, "frame_step")
        length = _power_of_two(frame_length) if fft_length is None else _scalar(fft_length, "fft_length")
        frames = irfft(stfts, [length])
        known = known_value(frame_length)
        size = frames.dims[-1] if frames.dims is not None else None
        if known is None or size is None:
            frames = frames[..., :frame_length]
            rank, shape = tf.rank(frames), tf.shape(frames)
            paddings = tf.concat([tf.zeros([rank - 1, 2], dtype=frame_length.dtype), [[0, tf.maximum(0, frame_length - shape[-1])]]], 0)
            frames = tf.pad(frames, paddings)
        elif size > known:
            frames = frames[..., : int(known)]
        elif size < known:
            frames = tf.pad(frames, [[0, 0]] * (len(frames.dims) - 1) + [[0, int(known) - size]])
        if known is not None and frames.dims is not None:
            frames.set_shape([None] * (len(frames.dims) - 1) + [int(known)])
        if window_fn is not None:
            frames *= window_fn(frame_length, dtype=stfts.dtype.real_dtype)
        return overlap_and_add(frames, frame_step)


# -- mel features ----------------------------------------------------------------------------------------------------


def _hertz_to_mel(frequencies: Any) -> Any:
    with tf.name_scope(None, "hertz_to_mel", [frequencies]):
        return MEL_HIGH_Q * tf.log(1.0 + (frequencies / MEL_BREAK_HERTZ))


@export("signal.linear_to_mel_weight_matrix")
def linear_to_mel_weight_matrix(
    num_mel_bins: int = 20, num_spectrogram_bins: int = 129, sample_rate: Any = 8000, lower_edge_hertz: Any = 125.0,
    upper_edge_hertz: Any = 3800.0, dtype: Any = "float32", name: str | None = None,
) -> Any:  # fmt: skip
    """Triangles, evenly spaced on the mel scale, over the bins of a spectrogram."""
    dtype = tf.as_dtype(dtype)
    with tf.name_scope(name, "linear_to_mel_weight_matrix") as scope:
        if isinstance(sample_rate, Tensor):
            rate = known_value(sample_rate)
            if rate is None:
                raise ValueError("`sample_rate` was a non-constant Tensor. Must be a Python float or a constant Tensor.")
            sample_rate = rate.item()
        if num_mel_bins <= 0:
            raise ValueError(f"num_mel_bins must be positive. Got: {num_mel_bins}")
        if sample_rate <= 0.0:
            raise ValueError(f"sample_rate must be positive. Got: {sample_rate}")
        if lower_edge_hertz < 0.0:
            raise ValueError(f"lower_edge_hertz must be non-negative. Got: {lower_edge_hertz}")
        if lower_edge_hertz >= upper_edge_hertz:
            raise ValueError(f"lower_edge_hertz {lower_edge_hertz:.1f} >= upper_edge_hertz {upper_edge_hertz:.1f}")
        if upper_edge_hertz > sample_rate / 2:
            raise ValueError(
                f"upper_edge_hertz must not be larger than the Nyquist frequency (sample_rate / 2). Got: {upper_edge_hertz} for sample_rate: {sample_rate}"
            )
        if not dtype.is_floating:
            raise ValueError(f"dtype must be a floating point type. Got: {dtype}")
        rate = tf.convert_to_tensor(sample_rate, dtype, name="sample_rate")
        lower = tf.convert_to_tensor(lower_edge_hertz, dtype, name="lower_edge_hertz")
        upper = tf.convert_to_tensor(upper_edge_hertz, dtype, name="upper_edge_hertz")
        zero = tf.convert_to_tensor(0.0, dtype)
        frequencies = tf.linspace(zero, rate / 2.0, num_spectrogram_bins)[1:]
        bins = tf.expand_dims(_hertz_to_mel(frequencies), 1)
        edges = frame(tf.linspace(_hertz_to_mel(lower), _hertz_to_mel(upper), num_mel_bins + 2), frame_length=3, frame_step=1)
        low, center, high = tuple(tf.reshape(t, [1, num_mel_bins]) for t in tf.split(edges, 3, axis=1))
        rising = (bins - low) / (center - low)
        falling = (high - bins) / (high - center)
        weights = tf.maximum(zero, tf.minimum(rising, falling))
        return tf.pad(weights, [[1, 0], [0, 0]], name=scope)


@export("signal.mfccs_from_log_mel_spectrograms")
def mfccs_from_log_mel_spectrograms(log_mel_spectrograms: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "mfccs_from_log_mel_spectrograms", [log_mel_spectrograms]):
        mel = tf.convert_to_tensor(log_mel_spectrograms, dtype=tf.float32)
        bins = mel.dims[-1] if mel.dims else None
        if bins == 0:
            raise ValueError(f"num_mel_bins must be positive. Got: {mel}")
        if bins is None:
            bins = tf.shape(mel)[-1]
        return dct(mel, type=2) * tf.rsqrt(tf.cast(bins, tf.float32) * 2.0)
