"""What can go wrong between a model file and an ONNX model: one class for every decision a caller can take."""

from __future__ import annotations


class FormatError(ValueError):
    """A file is not what it should be: damaged, truncated, or of no known format."""


class ShapeError(ValueError):
    """The static shapes or dtypes of a node's inputs contradict each other; the text is TensorFlow's where TensorFlow has one."""


class ConversionError(ValueError):
    """A graph cannot become an ONNX model for the reason given."""


class NotConstant(ConversionError):
    """An input that ONNX needs at conversion time is computed when the model runs."""


_DECODED = "files are decoded outside of a model: give the decoded tensor as an input"
_NO_FORM = "ONNX has no operator for it; `tfrevive run` and `tfrevive predict` compute it beside the model"
_REGIONS = "ONNX has no pooling over regions of random sizes"
_PYTHON = "the Python function it calls is not in the file"
# Why there is no conversion.
REASONS = {
    **dict.fromkeys(("DecodeBmp", "DecodeGif", "DecodeImage", "DecodeJpeg", "DecodePng", "DecodeAndCropJpeg", "DecodeWav"), _DECODED),
    **dict.fromkeys(
        (
            "CTCBeamSearchDecoder",
            "FractionalAvgPool",
            "FractionalMaxPool",
            "MatrixSquareRoot",
            "Qr",
            "SelfAdjointEig",
            "SelfAdjointEigV2",
            "Svd",
        ),
        _NO_FORM,
    ),
    **dict.fromkeys(("FractionalAvgPool", "FractionalAvgPoolGrad", "FractionalMaxPool", "FractionalMaxPoolGrad"), _REGIONS),
    **dict.fromkeys(("EagerPyFunc", "PyFunc", "PyFuncStateless"), _PYTHON),
}


class UnsupportedOps(ConversionError):
    """Ops without a conversion. `missing` maps each op type to the names of its nodes."""

    def __init__(self, missing: dict[str, list[str]]) -> None:
        self.missing = missing
        lines = [
            f"  {op}: {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}{f' ({REASONS[op]})' if op in REASONS else ''}"
            for op, names in sorted(missing.items())
        ]
        super().__init__("No ONNX conversion for these ops (op: nodes):\n" + "\n".join(lines))
