"""Host kernels of the random ops, stateful and stateless."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import FailedPreconditionError, InvalidArgumentError
from runtime.host import Run, host, philox, rejection
from runtime.host.philox import Philox, Stream, WordReader

Array = NDArray[Any]

FILLS: dict[str, Callable[[Philox, int, Any], Array]] = {
    "RandomStandardNormal": philox.normal,
    "RandomUniform": philox.uniform,
    "TruncatedNormal": philox.truncated_normal,
    "StatelessRandomNormal": philox.normal,
    "StatelessRandomUniform": philox.uniform,
    "StatelessTruncatedNormal": philox.truncated_normal,
}


def stream(run: Run, node: Node) -> Stream:
    """The stream of a node with the attrs seed and seed2, which moves on with every run."""
    return run.kernel_state(node, lambda: Stream(node.attr["seed"], node.attr["seed2"]))


def stateless(seed: Array) -> Philox:
    if seed.shape != (2,):
        raise InvalidArgumentError(None, None, f"seed must have shape [2], not {list(seed.shape)}")
    return Philox.from_stateless_seed(seed)


def dims_of(shape: Array) -> tuple[int, ...]:
    if shape.ndim > 1 or (shape.ndim == 0 and shape.dtype.kind not in "iu"):
        raise InvalidArgumentError(None, None, f"shape must be a vector of {{int32,int64}}, got shape {list(shape.shape)}")
    dims = tuple(int(d) for d in shape.reshape(-1))
    for d in dims:
        if d < 0:
            raise InvalidArgumentError(None, None, f"Dimension {d} must be >= 0")
    return dims


@host("RandomUniform", "RandomStandardNormal", "TruncatedNormal")
def fill(run: Run, node: Node, shape: Array) -> Array:
    dims = dims_of(shape)
    size = math.prod(dims)
    generator = stream(run, node).reserve_outputs(size)
    return FILLS[node.op](generator, size, node.attr["dtype"].as_numpy_dtype).reshape(dims)


@host("_DrawsOfRounds")
def draws_of_rounds(run: Run, node: Node) -> Array:
    """What the op `of` draws in as many runs as the first axis of `shape` has."""
    rounds, *dims = node.attr["shape"]
    drawn, source, size = np.empty((rounds, *dims), node.attr["dtype"].as_numpy_dtype), stream(run, node), math.prod(dims)
    for n in range(rounds):
        drawn[n] = FILLS[node.attr["of"]](source.reserve_outputs(size), size, node.attr["dtype"].as_numpy_dtype).reshape(dims)
    return drawn


@host("StatelessRandomUniform", "StatelessRandomNormal", "StatelessTruncatedNormal")
def stateless_fill(run: Run, node: Node, shape: Array, seed: Array) -> Array:
    dims = dims_of(shape)
    return FILLS[node.op](stateless(seed), math.prod(dims), node.attr["dtype"].as_numpy_dtype).reshape(dims)


def integers(generator: Philox, dims: tuple[int, ...], low: Array, high: Array) -> Array:
    for name, bound in (("minval", low), ("maxval", high)):
        if bound.ndim:
            raise InvalidArgumentError(None, None, f"{name} must be 0-D, got shape {list(bound.shape)}")
    if low >= high:
        raise InvalidArgumentError(None, None, f"Need minval < maxval, got {low} >= {high}")
    return philox.uniform_int(generator, math.prod(dims), int(low), int(high), low.dtype).reshape(dims)


@host("RandomUniformInt")
def random_uniform_int(run: Run, node: Node, shape: Array, low: Array, high: Array) -> Array:
    dims = dims_of(shape)
    return integers(stream(run, node).reserve_outputs(math.prod(dims)), dims, low, high)


@host("StatelessRandomUniformInt")
def stateless_random_uniform_int(run: Run, node: Node, shape: Array, seed: Array, low: Array, high: Array) -> Array:
    return integers(stateless(seed), dims_of(shape), low, high)


@host("StatelessRandomUniformFullInt")
def stateless_random_uniform_full_int(run: Run, node: Node, shape: Array, seed: Array) -> Array:
    dims, dtype = dims_of(shape), node.attr["dtype"].as_numpy_dtype
    bits = philox.full_int(stateless(seed), math.prod(dims), dtype)
    return np.asarray(bits.view(dtype).reshape(dims))


@host("RandomShuffle")
def random_shuffle(run: Run, node: Node, value: Array) -> Array:
    """Fisher-Yates from the front: row i changes places with row i + word % (rows left)."""
    if value.size <= 1 or value.shape[0] <= 1:
        return value
    rows = value.shape[0]
    generator = stream(run, node).reserve_words(rows - 1)
    words = generator.words((rows + 2) // 4).reshape(-1)[: rows - 1]
    steps = (words % np.arange(rows, 1, -1, dtype=np.uint32)).tolist()
    order = list(range(rows))
    for i, step in enumerate(steps):
        j = i + step
        order[i], order[j] = order[j], order[i]
    return np.asarray(value[np.array(order)])


def _categories(generator: Philox, node: Node, logits: Array, count: Array) -> Array:
    """Per row: doubles times the row's total, looked up in its running sum of exp(logit - largest logit)."""
    samples, rows = int(count), logits.shape[0]
    finite = np.isfinite(logits)
    wide = np.where(finite, logits, -np.inf).astype(np.float64)
    top = np.max(wide, axis=1, keepdims=True)
    top[np.isinf(top)] = float(np.finfo(np.float32).min) if logits.dtype != np.float64 else np.finfo(np.float64).min
    totals = np.cumsum(np.exp(wide - top), axis=1)
    units = philox.uniform(generator, rows * samples, np.float64).reshape(rows, samples)
    out = np.empty((rows, samples), node.attr["output_dtype"].as_numpy_dtype)
    for row in range(rows):
        out[row] = np.searchsorted(totals[row], units[row] * totals[row, -1], side="right")
    return out


def _check_categories(logits: Array, count: Array) -> None:
    if logits.ndim != 2:
        raise InvalidArgumentError(None, None, f"logits should be a matrix, got shape {list(logits.shape)}")
    if count.ndim:
        raise InvalidArgumentError(None, None, f"num_samples should be a scalar, got shape {list(count.shape)}")
    if count < 0:
        raise InvalidArgumentError(None, None, f"num_samples should be non-negative, got {count}")
    if logits.shape[1] == 0:
        raise InvalidArgumentError(None, None, "num_classes should be positive, got 0")


@host("Multinomial")
def multinomial(run: Run, node: Node, logits: Array, count: Array) -> Array:
    _check_categories(logits, count)
    if logits.shape[0] * int(count) == 0:
        return np.empty((logits.shape[0], int(count)), node.attr["output_dtype"].as_numpy_dtype)
    generator = stream(run, node).reserve_outputs(logits.shape[0] * -(-int(count) // 4) * 4 * 2)
    return _categories(generator, node, logits, count)


@host("StatelessMultinomial")
def stateless_multinomial(run: Run, node: Node, logits: Array, count: Array, seed: Array) -> Array:
    _check_categories(logits, count)
    if logits.shape[0] * int(count) == 0:
        return np.empty((logits.shape[0], int(count)), node.attr["output_dtype"].as_numpy_dtype)
    return _categories(stateless(seed), node, logits, count)


@host("RandomGamma")
def random_gamma(run: Run, node: Node, shape: Array, alpha: Array) -> Array:
    dims = dims_of(shape)
    samples = math.prod(dims)
    generator = stream(run, node).reserve_outputs(samples * alpha.size)
    if samples * alpha.size == 0:
        return np.empty(dims + alpha.shape, alpha.dtype)
    drawn = rejection.gamma(generator, alpha, samples).T.reshape(dims + alpha.shape)
    if alpha.dtype == np.float32:
        drawn[drawn < np.finfo(np.float32).tiny] = 0  # TensorFlow's threads flush denormal numbers
    return (drawn.astype(np.float32) if alpha.dtype.itemsize == 2 else drawn).astype(alpha.dtype)


@host("RandomPoisson", "RandomPoissonV2")
def random_poisson(run: Run, node: Node, shape: Array, rate: Array) -> Array:
    dims, dtype = dims_of(shape), node.attr["dtype"].as_numpy_dtype
    samples = math.prod(dims)
    if samples * rate.size == 0:
        return np.empty(dims + rate.shape, dtype)
    generator = stream(run, node).reserve_outputs(samples * rate.size)
    return rejection.poisson(generator, rate, samples).T.astype(dtype).reshape(dims + rate.shape)


@host("ParameterizedTruncatedNormal")
def parameterized_truncated_normal(run: Run, node: Node, shape: Array, means: Array, deviations: Array, lows: Array, highs: Array) -> Array:
    if shape.ndim != 1 or shape.size == 0:
        raise InvalidArgumentError(None, None, f"Input shape should be a vector of one dim or more, got shape: {list(shape.shape)}")
    reserve = stream(run, node).reserve
    return rejection.bounded_normal(reserve, dims_of(shape), [means, deviations, lows, highs], means.dtype)


@host("RandomCrop")
def random_crop(run: Run, node: Node, image: Array, size: Array) -> Array:
    """A window of the size asked for; its offsets are words modulo the room left plus one, rows first."""
    if image.ndim != 3:
        raise InvalidArgumentError(None, None, f"input must be 3-dimensional, got shape {list(image.shape)}")
    if size.shape != (2,):
        raise InvalidArgumentError(None, None, f"size must be of length 2, got shape {list(size.shape)}")
    height, width = (int(s) for s in size)
    if height > image.shape[0] or width > image.shape[1]:
        raise FailedPreconditionError(
            None, None, f"The size {height} x {width} must be within the image's {image.shape[0]} x {image.shape[1]}."
        )
    if (height, width) == image.shape[:2]:
        return image
    reader = WordReader(stream(run, node).reserve_words(2))
    top = reader.word() % (image.shape[0] - height + 1) if height < image.shape[0] else 0
    left = reader.word() % (image.shape[1] - width + 1) if width < image.shape[1] else 0
    return image[top : top + height, left : left + width]


_Box = tuple[int, int, int, int]  # left, top, right, bottom


def _round_half_even(value: np.float32) -> int:
    return int(np.rint(value))


def _candidate_crop(width: int, height: int, least: Any, most: Any, aspect: Any, reader: WordReader) -> _Box | None:
    """A window of that aspect ratio with an area between `least` and `most` of the image, in float32 as TensorFlow computes it."""
    f = np.float32
    if most <= 0 or aspect <= 0 or width <= 0 or height <= 0 or least > most:
        return None
    smallest, largest = f(f(least * f(width)) * f(height)), f(f(most * f(width)) * f(height))
    tall = _round_half_even(np.sqrt(smallest / aspect))
    tallest = _round_half_even(np.sqrt(largest / aspect))
    if _round_half_even(f(tallest) * aspect) > width:
        tallest = int((width + 0.5 - float(f(0.0000001))) / float(aspect))
    tallest = min(tallest, height)
    tall = min(tall, tallest)
    if tall < tallest:
        tall += reader.below(tallest - tall + 1)
    wide = _round_half_even(f(tall) * aspect)
    if f(wide * tall) < smallest:
        tall += 1
        wide = _round_half_even(f(tall) * aspect)
    if f(wide * tall) > largest:
        tall -= 1
        wide = _round_half_even(f(tall) * aspect)
    area = f(wide * tall)
    if area < smallest or area > largest or wide > width or tall > height or wide <= 0 or tall <= 0:
        return None
    top = reader.below(height - tall) if tall < height else 0
    left = reader.below(width - wide) if wide < width else 0
    return left, top, left + wide, top + tall


def _covers(crop: _Box, boxes: list[_Box], needed: Any) -> bool:
    """Whether the crop holds at least that part of one of the boxes."""
    left, top, right, bottom = crop
    if (right - left) * (bottom - top) < 1:
        return False
    for x0, y0, x1, y1 in boxes:
        area = np.float32((x1 - x0) * (y1 - y0))
        if area < 1:
            continue
        across, down = min(right, x1) - max(left, x0), min(bottom, y1) - max(top, y0)
        inside = np.float32(across * down) if across >= 0 and down >= 0 else np.float32(0)
        if inside / area >= needed:
            return True
    return False


@host("SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2")
def sample_distorted_bounding_box(
    run: Run, node: Node, image_size: Array, boxes: Array, min_object_covered: Array | None = None
) -> tuple[Array, Array, Array]:
    f = np.float32
    a = node.attr
    needed = f(a["min_object_covered"] if min_object_covered is None else min_object_covered)
    aspects, areas = [f(v) for v in a["aspect_ratio_range"]], [f(v) for v in a["area_range"]]
    if image_size.shape != (3,):
        raise InvalidArgumentError(None, None, f"image_size must contain 3 elements, got shape {list(image_size.shape)}")
    if needed < 0:
        raise InvalidArgumentError(None, None, f"Min object covered must be non-negative: {needed}")
    if len(aspects) != 2 or min(aspects) <= 0:
        raise InvalidArgumentError(None, None, f"Aspect ratio range must be two positive numbers: {a['aspect_ratio_range']}")
    if len(areas) != 2 or min(areas) <= 0 or max(areas) > 1:
        raise InvalidArgumentError(None, None, f"Area range must be two numbers of (0, 1]: {a['area_range']}")
    if boxes.ndim != 3 or boxes.shape[2] != 4:
        raise InvalidArgumentError(None, None, f"input boxes must be 3-dimensional [batch, num_boxes, coords]: {list(boxes.shape)}")
    if boxes.size and not ((boxes >= 0) & (boxes <= 1)).all():
        raise InvalidArgumentError(None, None, f"All bounding box coordinates must be in [0.0, 1.0]: {boxes.ravel().tolist()}")
    height, width = int(image_size[0]), int(image_size[1])
    scale = np.array([height, width, height, width], f)
    found = [(x0, y0, x1, y1) for y0, x0, y1, x1 in (boxes.reshape(-1, 4).astype(f) * scale).astype(np.int32).tolist()]
    if not found:
        if not a["use_image_if_no_bounding_boxes"]:
            raise InvalidArgumentError(
                None,
                None,
                "No bounding boxes provided as input. One must enable use_image_if_no_bounding_boxes if you wish to not provide any bounding boxes.",
            )
        found = [(0, 0, width, height)]
    reader = WordReader(stream(run, node).reserve_words(4 * a["max_attempts"]))
    crop = 0, 0, width, height
    for _ in range(a["max_attempts"]):
        aspect = f(f(reader.uniform_float()) * (aspects[1] - aspects[0]) + aspects[0])
        candidate = _candidate_crop(width, height, areas[0], areas[1], aspect, reader)
        if candidate is not None and _covers(candidate, found, needed):
            crop = candidate
            break
    left, top, right, bottom = crop
    begin = np.array([top, left, 0], image_size.dtype)
    size = np.array([bottom - top, right - left, -1], image_size.dtype)
    box = np.array([f(top) / f(height), f(left) / f(width), f(bottom) / f(height), f(right) / f(width)], f)
    return begin, size, box.reshape(1, 1, 4)
