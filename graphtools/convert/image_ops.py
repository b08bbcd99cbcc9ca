"""Resizing, cropping and cutting images into patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.nn_grad_ops import scatter_add
from graphtools.convert.windows import Window, patches, same_pads, to_channels_first, to_channels_last, window_of
from graphtools.dtypes import float32, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

# -- where the pixels of a resized axis come from --------------------------------------------------------------------


def _axis_size(op: Builder, images: Value, axis: int) -> Value:
    """One size of an image as an int64 vector of one element."""
    result: Value = op.Shape(images, start=axis, end=axis + 1)
    return result


def _scale(op: Builder, size: Value, new: Value, align_corners: bool) -> Value:
    """size / new; with aligned corners (size - 1) / (new - 1) where new > 1."""
    plain = op.Div(op.cast(size, float32), op.cast(new, float32))
    if not align_corners:
        return plain  # type: ignore[no-any-return]
    aligned = op.Div(op.cast(op.Sub(size, 1), float32), op.cast(op.Max(op.Sub(new, 1), 1), float32))
    result: Value = op.Where(op.Greater(new, 1), aligned, plain)
    return result


def _steps(op: Builder, count: Value) -> Value:
    """0, 1, ... count - 1 as floats."""
    zero, one = op.const(np.int64(0)), op.const(np.int64(1))
    return op.cast(op.Range(zero, op.Squeeze(count, [0]), one), float32)


def _sources(op: Builder, size: Value, new: Value, align_corners: bool, half_pixel: bool) -> Value:
    """The place in the image that each of `new` pixels is read from: x * scale, or (x + 1/2) * scale - 1/2."""
    steps, scale = _steps(op, new), _scale(op, size, new, align_corners)
    if half_pixel:
        return op.Sub(op.Mul(op.Add(steps, 0.5), scale), 0.5)  # type: ignore[no-any-return]
    result: Value = op.Mul(steps, scale)
    return result


def _nearest(op: Builder, size: Value, new: Value, align_corners: bool, half_pixel: bool) -> Value:
    """The index of the pixel that each of `new` pixels copies."""
    steps, scale = _steps(op, new), _scale(op, size, new, align_corners)
    at = op.Mul(op.Add(steps, 0.5) if half_pixel else steps, scale)
    index = op.cast(op.Floor(op.Add(at, 0.5) if align_corners else at), int64)
    result: Value = op.Max(op.Min(index, op.Sub(size, 1)), 0)
    return result


def _one_hot(op: Builder, index: Value, size: Value) -> Value:
    """[n] -> [n, size] of float32."""
    columns = op.Range(op.const(np.int64(0)), op.Squeeze(size, [0]), op.const(np.int64(1)))
    return op.cast(op.Equal(op.Unsqueeze(index, [1]), op.Unsqueeze(columns, [0])), float32)


def _linear_weights(op: Builder, size: Value, new: Value, align_corners: bool, half_pixel: bool) -> Value:
    """[new, size]: 1 - distance to the source, where that is positive."""
    last = op.cast(op.Sub(size, 1), float32)
    at = op.Min(op.Max(_sources(op, size, new, align_corners, half_pixel), 0.0), last)
    distance = op.Abs(op.Sub(op.Unsqueeze(at, [1]), op.Unsqueeze(_steps(op, size), [0])))
    result: Value = op.Max(op.Sub(1.0, distance), 0.0)
    return result


CUBIC_STEPS = 1024  # TensorFlow looks the cubic up in a table of this many steps


def _cubic_weights(op: Builder, size: Value, new: Value, align_corners: bool, half_pixel: bool) -> Value:
    """[new, size]: Keys's cubic at the nearest 1/1024th, a = -0.75 with the border repeated.

    With half-pixel centres a = -0.5, and pixels outside do not count.
    """
    a = -0.5 if half_pixel else -0.75
    at = _sources(op, size, new, align_corners, half_pixel)
    base = op.Floor(at)
    offset = op.Div(op.Round(op.Mul(op.Sub(at, base), float(CUBIC_STEPS))), float(CUBIC_STEPS))
    rest = op.Sub(1.0, offset)

    def near(x: Value) -> Value:
        return op.Add(op.Mul(op.Mul(op.Sub(op.Mul(x, a + 2), a + 3), x), x), 1.0)  # type: ignore[no-any-return]

    def far(x: Value) -> Value:
        x = op.Add(x, 1.0)
        return op.Sub(op.Mul(op.Add(op.Mul(op.Sub(op.Mul(x, a), 5 * a), x), 8 * a), x), 4 * a)  # type: ignore[no-any-return]

    last = op.Sub(size, 1)
    total: Value | None = None
    for step, weight in ((-1, far(offset)), (0, near(offset)), (1, near(rest)), (2, far(rest))):
        index = op.cast(op.Add(base, float(step)), int64)
        inside = op.Max(op.Min(index, last), 0)
        if half_pixel:
            weight = op.Where(op.Equal(inside, index), weight, 0.0)
        part = op.Mul(op.Unsqueeze(weight, [1]), _one_hot(op, inside, size))
        total = part if total is None else op.Add(total, part)
    assert total is not None  # four taps
    if half_pixel:
        total = op.Div(total, op.ReduceSum(total, [1], keepdims=1))
    return total


def _area_weights(op: Builder, size: Value, new: Value, align_corners: bool) -> Value:
    """[new, size]: the part of each source interval that a pixel covers; the last pixel of the image goes on for ever."""
    scale = _scale(op, size, new, align_corners)
    steps, columns = _steps(op, new), _steps(op, size)
    start, end = op.Unsqueeze(op.Mul(steps, scale), [1]), op.Unsqueeze(op.Mul(op.Add(steps, 1.0), scale), [1])
    last = op.cast(op.Sub(size, 1), float32)
    right = op.Where(op.GreaterOrEqual(columns, last), np.float32(1e30), op.Add(columns, 1.0))
    covered = op.Sub(op.Min(end, op.Unsqueeze(right, [0])), op.Max(start, op.Unsqueeze(columns, [0])))
    result: Value = op.Div(op.Max(covered, 0.0), scale)
    return result


def _apply(op: Builder, images: Value, rows: Value, columns: Value) -> Value:
    """rows x image x columns^T of every channel of images NC..."""
    result: Value = op.MatMul(rows, op.MatMul(images, op.Transpose(columns, perm=[1, 0])))
    return result


def _adjoint(op: Builder, grads: Value, rows: Value, columns: Value) -> Value:
    result: Value = op.MatMul(op.MatMul(op.Transpose(rows, perm=[1, 0]), grads), columns)
    return result


def _new_sizes(op: Builder, node: NodeView, name: str = "size") -> tuple[Value, Value]:
    known = node.maybe_const(name)
    if known is not None:
        return op.const([int(known[0])]), op.const([int(known[1])])
    size = op.cast(node.input(name), int64)
    if size.dims != (2,):  # ONNX Runtime takes the elements of a slice of unknown length for none
        size = op.Reshape(size, [2])
    return op.Slice(size, [0], [1], [0]), op.Slice(size, [1], [2], [0])


def _kind(node: NodeView) -> tuple[bool, bool]:
    return bool(node.attr.get("align_corners")), bool(node.attr.get("half_pixel_centers"))


# -- resizing --------------------------------------------------------------------------------------------------------


def resize_linear(op: Builder, images: Value, size: Value, *, align_corners: bool, half_pixel: bool) -> Value:
    """Images NC... of floats to the given rows and columns."""
    mode = "align_corners" if align_corners else "half_pixel" if half_pixel else "asymmetric"
    return _resize(op, images, size, mode="linear", coordinate_transformation_mode=mode)


def _resize(op: Builder, images: Value, size: Value, **attrs: Any) -> Value:
    """ONNX's Resize of images NC... to the given rows and columns; by scales where these give the same sizes, as no shape is needed then."""
    known = images.dims[2:] if images.dims is not None and None not in images.dims[2:] else None
    wanted = None if size.const is None else [int(d) for d in size.const]
    if known is not None and wanted is not None and all(known):
        scales = [np.float32(w) / np.float32(s) for s, w in zip(known, wanted, strict=True)]
        if all(
            int(np.floor(t(s or 0) * t(f))) == w for s, f, w in zip(known, scales, wanted, strict=True) for t in (np.float32, np.float64)
        ):
            result: Value = op.Resize(images, None, op.const(np.array([1, 1, *scales], np.float32)), **attrs)
            result.dims = (*images.dims[:2], *wanted) if images.dims is not None else None
            return result
    # not by `axes`: the transpose optimizer of ONNX Runtime 1.31 does not know them
    result = op.Resize(images, None, None, op.Concat(op.Shape(images, start=0, end=2), size, axis=0), **attrs)
    if images.dims is not None:
        result.dims = (*images.dims[:2], *(wanted if wanted is not None else (None,) * (len(images.dims) - 2)))
    return result


@converts("ResizeBilinear")
def resize_bilinear(op: Builder, node: NodeView) -> Any:
    align, half = _kind(node)
    images = to_channels_first(op, op.cast(node.input("images"), float32), 4)
    size = op.Concat(*_new_sizes(op, node), axis=0)
    return to_channels_last(op, resize_linear(op, images, size, align_corners=align, half_pixel=half), 4)


@converts("ResizeNearestNeighbor")
def resize_nearest_neighbor(op: Builder, node: NodeView) -> Any:
    """Whole factors are ONNX's Resize; other sizes pick rows and columns by TensorFlow's own float32 arithmetic."""
    align, half = _kind(node)
    images = node.input("images")
    new = _new_sizes(op, node)
    sizes = images.dims[1:3] if images.dims is not None else (None, None)
    wanted = [None if v.const is None else int(v.const[0]) for v in new]
    if not align and all(s and w is not None and w >= s and w % s == 0 for s, w in zip(sizes, wanted, strict=True)):
        if list(sizes) == wanted:
            return images
        scales = np.array([1, 1, *(int(w or 0) // int(s or 1) for s, w in zip(sizes, wanted, strict=True))], np.float32)
        image = to_channels_first(op, images, 4)
        y = op.Resize(image, None, op.const(scales), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        return to_channels_last(op, y, 4)
    if not align and not half and all(_floors_alike(s, w) for s, w in zip(sizes, wanted, strict=True)):
        image = to_channels_first(op, images, 4)
        y = _resize(op, image, op.Concat(*new, axis=0), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        return to_channels_last(op, y, 4)
    for axis, target in zip((1, 2), new, strict=True):
        images = op.Gather(images, _nearest(op, _axis_size(op, images, axis), target, align, half), axis=axis)
    return images


def _floors_alike(size: int | None, new: int | None) -> bool:
    """Whether x * (size / new), as TensorFlow computes it, and x / (new / size), as ONNX Runtime does, give the same pixels."""
    if not size or not new:
        return False
    steps = np.arange(new, dtype=np.float32)
    ours = np.minimum(np.floor(steps * (np.float32(size) / np.float32(new))), size - 1)
    theirs = np.minimum(np.floor(steps / (np.float32(new) / np.float32(size))), size - 1)
    return np.array_equal(ours, theirs)


@converts("ResizeBicubic", "ResizeArea")
def resize_by_weights(op: Builder, node: NodeView) -> Any:
    """Both are a matrix product along each axis, with TensorFlow's own weights (ONNX's cubic is another one, and it has no area)."""
    align, half = _kind(node)
    images = op.cast(node.input("images"), float32)
    new = _new_sizes(op, node)
    image = to_channels_first(op, images, 4)
    if node.op == "ResizeArea":
        factors = _whole_factors(images, new) if not align else None
        if factors is not None:
            return to_channels_last(op, op.AveragePool(image, kernel_shape=factors, strides=factors), 4)
        weights = [_area_weights(op, _axis_size(op, images, axis), target, align) for axis, target in zip((1, 2), new, strict=True)]
    else:
        weights = [_cubic_weights(op, _axis_size(op, images, axis), target, align, half) for axis, target in zip((1, 2), new, strict=True)]
    return to_channels_last(op, _apply(op, image, *weights), 4)


def _whole_factors(images: Value, new: tuple[Value, Value]) -> list[int] | None:
    """How many times smaller the new sizes are, where that is a whole number."""
    if images.dims is None:
        return None
    factors = []
    for size, target in zip(images.dims[1:3], new, strict=True):
        if size is None or target.const is None or not int(target.const[0]) or size % int(target.const[0]):
            return None
        factors.append(size // int(target.const[0]))
    return factors


@converts("ResizeBilinearGrad", "ResizeBicubicGrad")
def resize_grad(op: Builder, node: NodeView) -> Any:
    """The transposed weights along each axis."""
    align, half = _kind(node)
    grads, original = node.inputs
    weigh = _linear_weights if node.op == "ResizeBilinearGrad" else _cubic_weights
    weights = [weigh(op, _axis_size(op, original, axis), _axis_size(op, grads, axis), align, half) for axis in (1, 2)]
    dx = _adjoint(op, to_channels_first(op, op.cast(grads, float32), 4), *weights)
    return op.cast(to_channels_last(op, dx, 4), node.dtype)


@converts("ResizeNearestNeighborGrad")
def resize_nearest_neighbor_grad(op: Builder, node: NodeView) -> Any:
    """Each pixel gets the sum of the gradients of its copies."""
    align, half = _kind(node)
    grads = node.input("grads")
    weights = []
    for axis, size in zip((1, 2), _new_sizes(op, node), strict=True):
        weights.append(_one_hot(op, _nearest(op, size, _axis_size(op, grads, axis), align, half), size))
    dx = _adjoint(op, to_channels_first(op, op.cast(grads, float32), 4), *weights)
    return op.cast(to_channels_last(op, dx, 4), node.dtype)


@converts("ScaleAndTranslate", "ScaleAndTranslateGrad")
def scale_and_translate(op: Builder, node: NodeView) -> Any:
    """A kernel of its scale's width at (x + 1/2 - translation) / scale, normalised over the pixels of the image."""
    kind = str(node.attr["kernel_type"])
    radius, kernel = SCALE_KERNELS.get(kind, (0.0, None))
    if kernel is None:
        raise node.fail(f"kernel_type {kind!r} is not one of {', '.join(SCALE_KERNELS)}.")
    images = node.inputs[0]
    gradient = node.op.endswith("Grad")
    original = node.input("original_image") if gradient else images
    new = [_axis_size(op, images, a) for a in (1, 2)] if gradient else list(_new_sizes(op, node))
    scale, translation = node.input("scale"), node.input("translation")
    weights = []
    for i in (0, 1):
        size = _axis_size(op, original, i + 1)
        inverse = op.Reciprocal(op.Slice(scale, [i], [i + 1], [0]))
        shift = op.Slice(translation, [i], [i + 1], [0])
        at = op.Sub(op.Mul(op.Add(_steps(op, new[i]), 0.5), inverse), op.Mul(shift, inverse))
        width = op.Max(inverse, 1.0) if node.attr["antialias"] else op.const(np.ones(1, np.float32))
        columns = op.Unsqueeze(op.Add(_steps(op, size), 0.5), [0])
        distance = op.Div(op.Abs(op.Sub(columns, op.Unsqueeze(at, [1]))), width)
        inside = op.Less(distance, radius)
        raw = op.Where(inside, kernel(op, distance), 0.0)
        total = op.ReduceSum(raw, [1], keepdims=1)
        safe = op.Where(op.Less(op.Abs(total), 1e-30), 1.0, total)
        in_image = op.And(op.GreaterOrEqual(at, 0.0), op.LessOrEqual(at, op.cast(size, float32)))
        weights.append(op.Where(op.Unsqueeze(in_image, [1]), op.Div(raw, safe), 0.0))
    image = to_channels_first(op, op.cast(images, float32), 4)
    y = _adjoint(op, image, *weights) if gradient else _apply(op, image, *weights)
    return op.cast(to_channels_last(op, y, 4), node.dtype)


def _lanczos(radius: float) -> Any:
    def kernel(op: Builder, x: Value) -> Value:
        angle = op.Mul(op.Max(x, 1e-5), float(np.pi))
        product = op.Mul(op.Sin(angle), op.Sin(op.Div(angle, radius)))
        value = op.Mul(op.Div(product, op.Mul(angle, angle)), radius)
        return op.Where(op.Less(x, 1e-5), 1.0, value)  # type: ignore[no-any-return]

    return kernel


def _keys_cubic(op: Builder, x: Value) -> Value:
    inner = op.Add(op.Mul(op.Mul(op.Sub(op.Mul(x, 1.5), 2.5), x), x), 1.0)
    outer = op.Add(op.Mul(op.Sub(op.Mul(op.Add(op.Mul(x, -0.5), 2.5), x), 4.0), x), 2.0)
    return op.Where(op.GreaterOrEqual(x, 1.0), outer, inner)  # type: ignore[no-any-return]


def _mitchell_cubic(op: Builder, x: Value) -> Value:
    inner = op.Add(op.Mul(op.Mul(op.Sub(op.Mul(x, 7.0 / 6), 2.0), x), x), 16.0 / 18)
    outer = op.Add(op.Mul(op.Sub(op.Mul(op.Add(op.Mul(x, -7.0 / 18), 2.0), x), 10.0 / 3), x), 16.0 / 9)
    return op.Where(op.GreaterOrEqual(x, 1.0), outer, inner)  # type: ignore[no-any-return]


def _gaussian(op: Builder, x: Value) -> Value:
    scaled = op.Div(x, 1.5 / 3)
    return op.Exp(op.Mul(op.Mul(scaled, scaled), -0.5))  # type: ignore[no-any-return]


# kernel_type -> its radius and its value at a distance that is not negative.
SCALE_KERNELS: dict[str, tuple[float, Any]] = {
    "box": (1.0, lambda op, x: op.Where(op.Less(x, 0.5), 1.0, op.Where(op.Equal(x, 0.5), op.const(0.5, x.dtype), 0.0))),
    "gaussian": (1.5, _gaussian),
    "keyscubic": (2.0, _keys_cubic),
    "lanczos1": (1.0, _lanczos(1.0)),
    "lanczos3": (3.0, _lanczos(3.0)),
    "lanczos5": (5.0, _lanczos(5.0)),
    "mitchellcubic": (2.0, _mitchell_cubic),
    "triangle": (1.0, lambda op, x: op.Sub(1.0, x)),
}


# -- crops -----------------------------------------------------------------------------------------------------------


class _Crop:
    """Where along one axis the pixels of crops come from: the place, whether it is inside, the two pixels beside it."""

    def __init__(self, op: Builder, boxes: Value, axis: int, size: Value, count: Value, nearest: bool) -> None:
        low, high = (op.Slice(boxes, [i], [i + 1], [1]) for i in (axis, axis + 2))  # [n, 1]
        self.last = op.cast(op.Sub(size, 1), float32)
        steps = op.Unsqueeze(_steps(op, count), [0])
        single = op.Mul(op.Mul(op.Add(low, high), 0.5), self.last)
        if count.const is None:
            step = op.Div(op.Mul(op.Sub(high, low), self.last), op.Max(op.cast(op.Sub(count, 1), float32), 1.0))
            self.at = op.Where(op.Greater(count, 1), op.Add(op.Mul(low, self.last), op.Mul(steps, step)), single)
        elif int(count.const[0]) > 1:
            step = op.Div(op.Mul(op.Sub(high, low), self.last), float(int(count.const[0]) - 1))
            self.at = op.Add(op.Mul(low, self.last), op.Mul(steps, step))
        else:
            self.at = single
        self.steps, self.count = steps, count
        self.inside = op.And(op.GreaterOrEqual(self.at, 0.0), op.LessOrEqual(self.at, self.last))
        clipped = op.Min(op.Max(self.at, 0.0), self.last)
        if nearest:  # half away from zero
            self.low = self.high = op.cast(op.Min(op.Floor(op.Add(clipped, 0.5)), self.last), int64)
            self.share = None
        else:
            floor = op.Floor(clipped)
            self.low, self.high = op.cast(floor, int64), op.cast(op.Ceil(clipped), int64)
            self.share = op.Sub(clipped, floor)


def _crop_axes(op: Builder, node: NodeView, boxes: Value, height: Value, width: Value, new: tuple[Value, Value]) -> tuple[_Crop, _Crop]:
    nearest = str(node.attr["method"]) == "nearest"
    return _Crop(op, boxes, 0, height, new[0], nearest), _Crop(op, boxes, 1, width, new[1], nearest)


def _places(op: Builder, index: Value, rows: Value, columns: Value, height: Value, width: Value) -> Value:
    """(image * height + row) * width + column, [n, rows, columns]."""
    base = op.Unsqueeze(op.Add(op.Mul(op.Unsqueeze(index, [1]), height), rows), [2])
    result: Value = op.Add(op.Mul(base, width), op.Unsqueeze(columns, [1]))
    return result


@converts("CropAndResize")
def crop_and_resize(op: Builder, node: NodeView) -> Any:
    """Four gathers of pixels and their mean weighted by distance; `extrapolation_value` where a place is outside the image."""
    image, boxes = op.cast(node.input("image"), float32), node.input("boxes")
    index = op.cast(node.input("box_ind"), int64)
    height, width = _axis_size(op, image, 1), _axis_size(op, image, 2)
    y, x = _crop_axes(op, node, boxes, height, width, _new_sizes(op, node, "crop_size"))
    channels = op.Shape(image, start=3, end=4)
    pixels = op.Reshape(image, op.Concat(op.const([-1]), channels, axis=0))

    def pick(rows: Value, columns: Value) -> Value:
        return op.Gather(pixels, _places(op, index, rows, columns, height, width), axis=0)  # type: ignore[no-any-return]

    if y.share is None or x.share is None:
        crops = pick(y.low, x.low)
    else:
        across, down = op.Unsqueeze(x.share, [1, 3]), op.Unsqueeze(y.share, [2, 3])
        rows = []
        for edge in (y.low, y.high):
            left, right = pick(edge, x.low), pick(edge, x.high)
            rows.append(op.Add(left, op.Mul(op.Sub(right, left), across)))
        crops = op.Add(rows[0], op.Mul(op.Sub(rows[1], rows[0]), down))
    inside = op.And(op.Unsqueeze(y.inside, [2, 3]), op.Unsqueeze(x.inside, [1, 3]))
    return op.Where(inside, crops, float(node.attr["extrapolation_value"]))


@converts("CropAndResizeGradImage")
def crop_and_resize_grad_image(op: Builder, node: NodeView) -> Any:
    """The gradients of the crops added, with the weights of the forward pass, to the pixels they came from."""
    grads, boxes = node.input("grads"), node.input("boxes")
    index = op.cast(node.input("box_ind"), int64)
    shape = op.cast(node.input("image_size"), int64)
    height, width, channels = (op.Slice(shape, [i], [i + 1], [0]) for i in (1, 2, 3))
    y, x = _crop_axes(op, node, boxes, height, width, (_axis_size(op, grads, 1), _axis_size(op, grads, 2)))
    inside = op.And(op.Unsqueeze(y.inside, [2, 3]), op.Unsqueeze(x.inside, [1, 3]))
    grads = op.Where(inside, grads, 0)
    count = op.ReduceProd(op.Slice(shape, [0], [3], [0]), keepdims=1)
    total = op.Expand(op.const(0, grads.dtype), op.Concat(count, channels, axis=0))
    taps: list[tuple[Value, Value, Value | None]] = [(y.low, x.low, None)]
    if y.share is not None and x.share is not None:
        across, down = op.Unsqueeze(x.share, [1, 3]), op.Unsqueeze(y.share, [2, 3])
        above, left = op.Sub(1.0, down), op.Sub(1.0, across)
        taps = [
            (y.low, x.low, op.Mul(above, left)),
            (y.low, x.high, op.Mul(above, across)),
            (y.high, x.low, op.Mul(down, left)),
            (y.high, x.high, op.Mul(down, across)),
        ]
    for rows, columns, weight in taps:
        part = grads if weight is None else op.Mul(grads, op.cast(weight, grads.dtype))
        flat = op.Reshape(part, op.Concat(op.const([-1]), channels, axis=0))
        at = op.Reshape(_places(op, index, rows, columns, height, width), op.const([-1, 1]))
        total = scatter_add(op, total, op.Expand(at, op.Shape(flat)), flat)
    return op.Reshape(total, shape)


@converts("CropAndResizeGradBoxes")
def crop_and_resize_grad_boxes(op: Builder, node: NodeView) -> Any:
    """How the weighted means move when the places do, summed over a crop for each of its box's four ends."""
    grads, boxes = node.input("grads"), node.input("boxes")
    image, index = op.cast(node.input("image"), float32), op.cast(node.input("box_ind"), int64)
    height, width = _axis_size(op, image, 1), _axis_size(op, image, 2)
    counts = (_axis_size(op, grads, 1), _axis_size(op, grads, 2))
    y, x = _Crop(op, boxes, 0, height, counts[0], False), _Crop(op, boxes, 1, width, counts[1], False)
    assert y.share is not None and x.share is not None  # not nearest
    pixels = op.Reshape(image, op.Concat(op.const([-1]), op.Shape(image, start=3, end=4), axis=0))
    corner = [[op.Gather(pixels, _places(op, index, r, c, height, width), axis=0) for c in (x.low, x.high)] for r in (y.low, y.high)]
    across, down = op.Unsqueeze(x.share, [1, 3]), op.Unsqueeze(y.share, [2, 3])
    by_y = op.Add(op.Mul(op.Sub(1.0, across), op.Sub(corner[1][0], corner[0][0])), op.Mul(across, op.Sub(corner[1][1], corner[0][1])))
    by_x = op.Add(op.Mul(op.Sub(1.0, down), op.Sub(corner[0][1], corner[0][0])), op.Mul(down, op.Sub(corner[1][1], corner[1][0])))
    inside = op.And(op.Unsqueeze(y.inside, [2, 3]), op.Unsqueeze(x.inside, [1, 3]))
    grads = op.Where(inside, grads, 0)
    ends: list[Value] = []
    for axis, crop, slope in ((1, y, by_y), (2, x, by_x)):
        pull = op.ReduceSum(op.Mul(grads, slope), [3 - axis, 3], keepdims=0)  # [n, count]
        several = op.Greater(crop.count, 1)
        part = op.Div(crop.steps, op.Max(op.cast(op.Sub(crop.count, 1), float32), 1.0))
        toward = op.Where(several, part, 0.5)
        away = op.Where(several, op.Sub(1.0, part), 0.5)
        ends.append(op.Mul(op.ReduceSum(op.Mul(pull, away), [1], keepdims=1), crop.last))
        ends.append(op.Mul(op.ReduceSum(op.Mul(pull, toward), [1], keepdims=1), crop.last))
    return op.Concat(ends[0], ends[2], ends[1], ends[3], axis=1)


@converts("ExtractGlimpse", "ExtractGlimpseV2")
def extract_glimpse(op: Builder, node: NodeView) -> Any:
    """A window around an offset for each image: a gather of its pixels, and noise where it is outside.

    The first version halves offsets from the centre in pixels too, and takes offsets from the corner to the middle of the window.
    """
    image, offsets = node.input("input"), op.cast(node.input("offsets"), float32)
    sizes = [_axis_size(op, image, a) for a in (1, 2)]
    batch, channels = op.Shape(image, start=0, end=1), op.Shape(image, start=3, end=4)
    zero, one = op.const(np.int64(0)), op.const(np.int64(1))
    places, inside = [], []
    for axis, (size, count) in enumerate(zip(sizes, _new_sizes(op, node), strict=True)):
        at = op.Slice(offsets, [axis], [axis + 1], [1])
        whole = op.cast(size, float32)
        second = node.op.endswith("V2")
        if node.attr["normalized"]:
            at = op.Mul(at, whole)
            if second and node.attr["centered"]:
                at = op.Mul(at, 0.5)
        if node.attr["centered"]:
            at = op.Add(at, op.Mul(whole, 0.5)) if second else op.Mul(op.Add(at, whole), 0.5)
        if not second or (node.attr["centered"] and node.attr["normalized"]):
            at = op.Sub(at, op.Mul(op.cast(count, float32), 0.5))
        first = op.cast(at, int64)  # towards zero
        place = op.Add(first, op.Unsqueeze(op.Range(zero, op.Squeeze(count, [0]), one), [0]))
        inside.append(op.And(op.GreaterOrEqual(place, 0), op.Less(place, size)))
        places.append(op.Max(op.Min(place, op.Sub(size, 1)), 0))
    index = op.Range(zero, op.Squeeze(batch, [0]), one)
    pixels = op.Reshape(image, op.Concat(op.const([-1]), channels, axis=0))
    glimpse = op.Gather(pixels, _places(op, index, places[0], places[1], *sizes), axis=0)
    shown = op.And(op.Unsqueeze(inside[0], [2, 3]), op.Unsqueeze(inside[1], [1, 3]))
    kind = str(node.attr.get("noise") or ("uniform" if node.attr["uniform_noise"] else "gaussian"))
    if kind == "zero":
        return op.Where(shown, glimpse, 0)
    draw = op.RandomUniformLike if kind == "uniform" else op.RandomNormalLike
    return op.Where(shown, glimpse, draw(glimpse, dtype=glimpse.dtype.onnx))


# -- patches ---------------------------------------------------------------------------------------------------------


@converts("ExtractImagePatches", "ExtractVolumePatches")
def extract_patches(op: Builder, node: NodeView) -> Any:
    """The pixels of each window, row by row, in the last axis.

    float32: a convolution with filters that pick a pixel; other dtypes: strided slices of the padded image, side by side.
    """
    images = node.inputs[0]
    rank = 5 if node.op == "ExtractVolumePatches" else 4
    kernel = [int(k) for k in node.attr["ksizes"][1:-1]]
    window = window_of(node, kernel, rank, dilations=node.attr.get("rates"))
    channels = None if images.dims is None else images.dims[-1]
    count = int(np.prod(kernel))
    if images.dtype is float32 and channels is not None and channels:
        seen = patches(op, to_channels_first(op, images, rank), window)
        seen = op.Reshape(seen, op.Concat(op.const([-1, channels, count]), op.Shape(seen, start=2), axis=0))
        turned = op.Transpose(seen, perm=[0, *range(3, rank + 1), 2, 1])
        return op.Reshape(turned, op.Concat(op.Shape(turned, start=0, end=rank - 1), op.const([channels * count]), axis=0))
    return _sliced_patches(op, images, window)


def _sliced_patches(op: Builder, images: Value, window: Window) -> Value:
    rank = window.rank
    axes = list(range(1, rank - 1))
    if window.padding == "SAME":
        pads = window.pads(images.dims[1:-1] if images.dims is not None else (None,) * (rank - 2))
        zero = op.const([0])
        if pads is not None:
            before, after = op.const([b for b, _ in pads]), op.const([a for _, a in pads])
        else:
            before, after = same_pads(op, op.Shape(images, start=1, end=rank - 1), window)
        images = op.Pad(images, op.Concat(zero, before, zero, zero, after, zero, axis=0))
    parts = []
    for place in np.ndindex(*window.kernel):
        starts = [p * d for p, d in zip(place, window.dilations, strict=True)]
        tails = [r - 1 - s for r, s in zip(window.reach, starts, strict=True)]
        ends = [-t if t else 2**62 for t in tails]
        parts.append(op.Slice(images, starts, ends, axes, list(window.strides)))
    result: Value = op.Concat(*parts, axis=-1) if len(parts) > 1 else parts[0]
    return result
