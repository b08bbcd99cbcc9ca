"""Static shapes of image resizing, cropping, colour, boxes, coding and detection."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools.constant import constant
from graphtools.errors import ShapeError
from graphtools.graph import Dims, Node, Tensor
from graphtools.shapes import shape
from graphtools.shapes.dims import Dim, at_least, merge_dim, with_rank
from graphtools.shapes.nn_ops import window_size


def _pair(tensor: Tensor) -> tuple[Dim, Dim]:
    value = constant(tensor)
    return (None, None) if value is None else (int(value[0]), int(value[1]))


def _must_be(dim: Dim, size: int) -> int:
    if dim not in (None, size):
        raise ShapeError(f"Dimension must be {size} but is {dim}")
    return size


@shape("ResizeArea", "ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor", "QuantizedResizeBilinear", "ScaleAndTranslate")
def resize(node: Node) -> Sequence[Dims]:
    dims = with_rank(node.inputs[0].dims, 4)
    return [(dims[0], *_pair(node.inputs[1]), dims[3]), *[()] * (len(node.outputs) - 1)]


@shape("ResizeNearestNeighborGrad")
def resize_nearest_grad(node: Node) -> Sequence[Dims]:
    dims = with_rank(node.inputs[0].dims, 4)
    return [(dims[0], *_pair(node.inputs[1]), dims[3])]


@shape("ResizeBicubicGrad", "ResizeBilinearGrad", "ScaleAndTranslateGrad")
def resize_grad(node: Node) -> Sequence[Dims]:
    return [node.inputs[1].dims]


@shape("AdjustContrast", "AdjustContrastv2", "AdjustHue", "AdjustSaturation")
def adjust(node: Node) -> Sequence[Dims]:
    return [at_least(node.inputs[0].dims, 3)]


@shape("RGBToHSV", "HSVToRGB")
def colour(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 1)
    return [None if dims is None else (*dims[:-1], _must_be(dims[-1], 3))]


@shape("DrawBoundingBoxes", "DrawBoundingBoxesV2")
def draw_bounding_boxes(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]


@shape("CropAndResize")
def crop_and_resize(node: Node) -> Sequence[Dims]:
    image, boxes, index = with_rank(node.inputs[0].dims, 4), with_rank(node.inputs[1].dims, 2), with_rank(node.inputs[2].dims, 1)
    _must_be(boxes[1], 4)
    return [(merge_dim(boxes[0], index[0]), *_pair(node.inputs[3]), image[3])]


@shape("CropAndResizeGradImage")
def crop_and_resize_grad_image(node: Node) -> Sequence[Dims]:
    size = constant(node.inputs[3])
    return [(None,) * 4 if size is None else tuple(int(d) for d in size)]


@shape("CropAndResizeGradBoxes")
def crop_and_resize_grad_boxes(node: Node) -> Sequence[Dims]:
    return [with_rank(node.inputs[2].dims, 2)]


@shape("ExtractImagePatches")
def extract_image_patches(node: Node) -> Sequence[Dims]:
    dims, a = with_rank(node.inputs[0].dims, 4), node.attr
    sizes = [window_size(dims[i], a["ksizes"][i], a["strides"][i], a["rates"][i], a["padding"]) for i in (1, 2)]
    return [(dims[0], *sizes, None if dims[3] is None else dims[3] * a["ksizes"][1] * a["ksizes"][2])]


@shape("ExtractVolumePatches")
def extract_volume_patches(node: Node) -> Sequence[Dims]:
    dims, a = with_rank(node.inputs[0].dims, 5), node.attr
    sizes = [window_size(dims[i], a["ksizes"][i], a["strides"][i], 1, a["padding"]) for i in (1, 2, 3)]
    return [(dims[0], *sizes, None if dims[4] is None else dims[4] * a["ksizes"][1] * a["ksizes"][2] * a["ksizes"][3])]


@shape("ExtractGlimpse", "ExtractGlimpseV2")
def extract_glimpse(node: Node) -> Sequence[Dims]:
    dims = with_rank(node.inputs[0].dims, 4)
    return [(merge_dim(dims[0], with_rank(node.inputs[2].dims, 2)[0]), *_pair(node.inputs[1]), dims[3])]


@shape("RandomCrop")
def random_crop(node: Node) -> Sequence[Dims]:
    return [(*_pair(node.inputs[1]), with_rank(node.inputs[0].dims, 3)[2])]


# -- coding ----------------------------------------------------------------------------------------------------------


@shape("DecodeBmp", "DecodeJpeg", "DecodePng", "DecodeAndCropJpeg")
def decode(node: Node) -> Sequence[Dims]:
    with_rank(node.inputs[0].dims, 0)
    channels = node.attr["channels"] or None
    size: tuple[Dim, Dim] = (None, None)
    if node.op == "DecodeAndCropJpeg" and (window := constant(node.inputs[1])) is not None:
        size = (int(window[2]), int(window[3]))
    return [(*size, channels)]


@shape("DecodeGif")
def decode_gif(node: Node) -> Sequence[Dims]:
    with_rank(node.inputs[0].dims, 0)
    return [(None, None, None, 3)]


@shape("EncodeJpeg", "EncodePng", "EncodeJpegVariableQuality")
def encode(node: Node) -> Sequence[Dims]:
    if node.op != "EncodePng":
        with_rank(node.inputs[0].dims, 3)
        return [()]
    dims = at_least(node.inputs[0].dims, 3)
    return [None if dims is None else dims[:-3]]


@shape("ExtractJpegShape")
def extract_jpeg_shape(node: Node) -> Sequence[Dims]:
    with_rank(node.inputs[0].dims, 0)
    return [(3,)]


# -- detection -------------------------------------------------------------------------------------------------------


@shape("NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionWithOverlaps")
def non_max_suppression(node: Node) -> Sequence[Dims]:
    _boxes_and_scores(node)
    return [(None,)]


def _boxes_and_scores(node: Node) -> None:
    boxes, scores = with_rank(node.inputs[0].dims, 2), with_rank(node.inputs[1].dims, 1)
    merge_dim(boxes[0], scores[0])
    if node.op != "NonMaxSuppressionWithOverlaps":
        _must_be(boxes[1], 4)


@shape("NonMaxSuppressionV4", "NonMaxSuppressionV5")
def non_max_suppression_padded(node: Node) -> Sequence[Dims]:
    _boxes_and_scores(node)
    size = constant(node.inputs[2]) if node.attr["pad_to_max_output_size"] else None
    selected: Dims = (None if size is None else int(size),)
    return [selected, ()] if node.op == "NonMaxSuppressionV4" else [selected, selected, ()]


@shape("CombinedNonMaxSuppression")
def combined_non_max_suppression(node: Node) -> Sequence[Dims]:
    boxes, scores = with_rank(node.inputs[0].dims, 4), with_rank(node.inputs[1].dims, 3)
    batch = merge_dim(boxes[0], scores[0])
    per_class, total = constant(node.inputs[2]), constant(node.inputs[3])
    size = None if total is None else int(total)
    if node.attr["pad_per_class"] and size is not None:
        size = None if per_class is None or scores[2] is None else min(size, int(per_class) * scores[2])
    return [(batch, size, 4), (batch, size), (batch, size), (batch,)]


@shape("SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2")
def sample_distorted_bounding_box(node: Node) -> Sequence[Dims]:
    with_rank(node.inputs[0].dims, 1)
    boxes = with_rank(node.inputs[1].dims, 3)
    _must_be(boxes[2], 4)
    return [(3,), (3,), (1, 1, 4)]
