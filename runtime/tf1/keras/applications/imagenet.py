"""What the image classifiers share: their input, their end, their weights files, and how images and predictions are read."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from runtime.tf1.keras import backend, backend_ops
from runtime.tf1.keras.data_utils import get_file
from runtime.tf1.keras.engine.layer import Input
from runtime.tf1.keras.engine.sequential import get_source_inputs
from runtime.tf1.keras.engine.training import Model
from runtime.tf1.keras.layers.core import Dense
from runtime.tf1.keras.layers.pooling import GlobalAveragePooling2D, GlobalMaxPooling2D
from runtime.tf1.registry import export, put

_RELEASES = "https://github.com/fchollet/deep-learning-models/releases/download/"
KERAS_TEAM = "https://github.com/keras-team/keras-applications/releases/download/"
CLASSES_URL = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
CLASSES_HASH = "c2c37ea517e94d9795004a39431a14cb"

# Mode -> mean and standard deviation of each channel, of pixels from 0 to 255 (caffe, in the order blue, green, red) or to 1 (torch).
CHANNELS: dict[str, tuple[list[float], list[float] | None]] = {
    "caffe": ([103.939, 116.779, 123.68], None),
    "torch": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
}


@dataclass(frozen=True)
class File:
    """A weights file: its address, its name in the cache, and its hash where one is known."""

    address: str
    name: str
    hash: str | None = None

    def path(self) -> str:
        return str(get_file(self.name, self.address, cache_subdir="models", file_hash=self.hash))


def files(base: str, name: str, whole: str, headless: str) -> tuple[File, File]:
    """The two files of most networks, with the classifier and without."""
    stem = f"{name}_weights_tf_dim_ordering_tf_kernels"
    return File(f"{base}{stem}.h5", f"{stem}.h5", whole), File(f"{base}{stem}_notop.h5", f"{stem}_notop.h5", headless)


def released(version: str) -> str:
    return f"{_RELEASES}{version}/"


@dataclass
class Request:
    """The arguments that all of the networks take."""

    include_top: bool
    weights: Any
    input_tensor: Any
    input_shape: Any
    pooling: str | None
    classes: int

    def check(self) -> None:
        if not (self.weights in ("imagenet", None) or os.path.exists(self.weights)):
            raise ValueError(
                f"The `weights` argument should be either `None` (random initialization), `imagenet` (pre-training on ImageNet), or the path to the weights file to be loaded. It is {self.weights!r}."
            )
        if self.weights == "imagenet" and self.include_top and self.classes != 1000:
            raise ValueError('If using `weights` as `"imagenet"` with `include_top` as true, `classes` should be 1000')

    def entry(self, default_size: int, least: int, flat: bool | None = None) -> Any:
        """The tensor that the images come in by."""
        self.check()
        static = self.include_top if flat is None else flat
        self.input_shape = input_shape(self.input_shape, default_size, least, backend.image_data_format(), static, self.weights)
        if self.input_tensor is None:
            return Input(shape=self.input_shape)
        if not backend.is_keras_tensor(self.input_tensor):
            return Input(tensor=self.input_tensor, shape=self.input_shape)
        return self.input_tensor

    def pooled(self, x: Any, average: str | None = None, largest: str | None = None) -> Any:
        """The output of a network without its classifier."""
        if self.pooling == "avg":
            return GlobalAveragePooling2D(name=average)(x)
        if self.pooling == "max":
            return GlobalMaxPooling2D(name=largest)(x)
        return x

    def classified(self, x: Any, average: str | None, dense: str, named_pools: bool = False) -> Any:
        """Pooling and one dense layer, or what `pooling` asks for."""
        if not self.include_top:
            return self.pooled(x, "avg_pool" if named_pools else None, "max_pool" if named_pools else None)
        return Dense(self.classes, activation="softmax", name=dense)(GlobalAveragePooling2D(name=average)(x))

    def model(self, entry: Any, x: Any, name: str, saved: Callable[[], File] | tuple[File, File] | None) -> Model:
        """The network, with its weights."""
        model = Model(entry if self.input_tensor is None else get_source_inputs(self.input_tensor), x, name=name)
        if self.weights == "imagenet" and saved is not None:
            file = saved() if callable(saved) else saved[0 if self.include_top else 1]
            model.load_weights(file.path())
        elif self.weights is not None:
            model.load_weights(self.weights)
        return model


def request(arguments: dict[str, Any]) -> Request:
    """The common arguments out of a network's local variables; what Keras itself would have injected is passed over."""
    unknown = set(arguments.get("kwargs", ())) - {"backend", "layers", "models", "utils"}
    if unknown:
        raise TypeError(f"Unknown arguments: {', '.join(sorted(unknown))}.")
    return Request(*(arguments[n] for n in ("include_top", "weights", "input_tensor", "input_shape", "pooling", "classes")))


def input_shape(shape: Any, default_size: int, least: int, data_format: str, static: bool, weights: Any) -> Any:
    """A network's input shape, checked; sizes may stay open where nothing is flattened."""
    first = data_format == "channels_first"
    channels = 3
    if weights != "imagenet" and shape and len(shape) == 3:
        channels = shape[0 if first else -1]
        if channels not in (1, 3):
            warnings.warn(
                f"This model usually expects 1 or 3 input channels. However, it was passed an input_shape with {channels} input channels.",
                stacklevel=2,
            )
    default = (channels, default_size, default_size) if first else (default_size, default_size, channels)
    if weights == "imagenet" and static:
        if shape is not None and shape != default:
            raise ValueError(f"When setting `include_top=True` and loading `imagenet` weights, `input_shape` should be {default}.")
        return default
    if shape:
        if len(shape) != 3:
            raise ValueError(f"`input_shape` must be a tuple of three integers; got {shape!r}.")
        if shape[0 if first else -1] != 3 and weights == "imagenet":
            raise ValueError(f"The input must have 3 channels; got `input_shape={shape}`")
        if any(size is not None and size < least for size in (shape[1:] if first else shape[:2])):
            raise ValueError(f"Input size must be at least {least}x{least}; got `input_shape={shape}`")
    elif static:
        shape = default
    else:
        shape = (3, None, None) if first else (None, None, 3)
    if static and None in shape:
        raise ValueError(f"If `include_top` is True, you should specify a static `input_shape`. Got `input_shape={shape}`")
    return shape


def channel_axis() -> int:
    return 1 if backend.image_data_format() == "channels_first" else 3


def correct_pad(x: Any, kernel: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The padding under which a strided valid convolution sees what a same one does."""
    first = 2 if backend.image_data_format() == "channels_first" else 1
    sizes = backend.int_shape(x)[first : first + 2]
    odd = (1, 1) if sizes[0] is None else (1 - sizes[0] % 2, 1 - sizes[1] % 2)
    half = kernel // 2
    return (half - odd[0], half), (half - odd[1], half)


# -- images and predictions ------------------------------------------------------------------------------------------


@export("keras.applications.imagenet_utils.preprocess_input")
def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Images of 0 to 255 as a network was trained on them; an array of floats is changed where it is."""
    data_format = data_format or backend.image_data_format()
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(f"Unknown data_format {data_format}")
    if isinstance(x, np.ndarray):
        return _array(x, data_format, mode)
    return _tensor(x, data_format, mode)


def _array(x: Any, data_format: str, mode: str) -> Any:
    if not issubclass(x.dtype.type, np.floating):
        x = x.astype(backend.floatx(), copy=False)
    if mode == "tf":
        x /= 127.5
        x -= 1.0
        return x
    axis = x.ndim - 3 if data_format == "channels_first" else x.ndim - 1
    if mode == "torch":
        x /= 255.0
    else:
        x = np.flip(x, axis)
    mean, deviation = CHANNELS["torch" if mode == "torch" else "caffe"]
    channels = np.moveaxis(x, axis, 0)
    for k in range(3):
        channels[k] -= mean[k]
        if deviation is not None:
            channels[k] /= deviation[k]
    return x


def _tensor(x: Any, data_format: str, mode: str) -> Any:
    if mode == "tf":
        return x / 127.5 - 1.0
    if mode == "torch":
        x = x / 255.0
    elif data_format == "channels_last":
        x = x[..., ::-1]
    else:
        x = x[::-1, ...] if backend.ndim(x) == 3 else x[:, ::-1, ...]
    mean, deviation = CHANNELS["torch" if mode == "torch" else "caffe"]
    x = backend_ops.bias_add(x, backend_ops.cast(backend_ops.constant(-np.array(mean)), backend.dtype(x)), data_format=data_format)
    return x if deviation is None else x / deviation


@export("keras.applications.imagenet_utils.decode_predictions")
def decode_predictions(preds: Any, top: int = 5) -> Any:
    """The likeliest classes of each row: (WordNet's name, the word, the probability)."""
    if len(preds.shape) != 2 or preds.shape[1] != 1000:
        raise ValueError(
            f"`decode_predictions` expects a batch of predictions (i.e. a 2D array of shape (samples, 1000)). Found array with shape: {preds.shape}"
        )
    with open(get_file("imagenet_class_index.json", CLASSES_URL, cache_subdir="models", file_hash=CLASSES_HASH), encoding="utf-8") as f:
        words = json.load(f)
    found = []
    for row in preds:
        best = [(*words[str(i)], row[i]) for i in row.argsort()[-top:][::-1]]
        found.append(sorted(best, key=lambda entry: entry[2], reverse=True))
    return found


def put_preprocessing(module: str, mode: str) -> None:
    """The two functions that each network's module has."""

    def preprocess(x: Any, data_format: str | None = None) -> Any:
        return preprocess_input(x, data_format, mode)

    preprocess.__name__ = "preprocess_input"
    put(f"keras.applications.{module}.preprocess_input", preprocess)
    put(f"keras.applications.{module}.decode_predictions", lambda preds, top=5: decode_predictions(preds, top))
