"""tf.keras.preprocessing.image: arrays in batches, changed at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1.keras.data_utils import Sequence
from runtime.tf1.registry import export


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("Could not import PIL.Image. The use of `load_img` requires PIL: pip install pillow.") from None
    return Image


@export("keras.preprocessing.image.img_to_array")
def img_to_array(img: Any, data_format: Any = None, dtype: Any = None) -> Any:
    x = np.asarray(img, dtype=dtype or "float32")
    if x.ndim == 2:
        x = x[:, :, None]
    if x.ndim != 3:
        raise ValueError(f"Unsupported image shape: {x.shape}")
    return x.transpose(2, 0, 1) if data_format == "channels_first" else x


@export("keras.preprocessing.image.array_to_img")
def array_to_img(x: Any, data_format: Any = None, scale: bool = True, dtype: Any = None) -> Any:
    x = np.asarray(x, dtype=dtype or "float32")
    if x.ndim != 3:
        raise ValueError(f"Expected image array to have rank 3 (single image). Got array with shape: {x.shape}")
    x = x.transpose(1, 2, 0) if data_format == "channels_first" else x
    if scale:
        x = x - np.min(x)
        if np.max(x) != 0:
            x = x / np.max(x)
        x = x * 255
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(x.shape[2])
    if mode is None:
        raise ValueError(f"Unsupported channel number: {x.shape[2]}")
    return _pillow().fromarray((x[:, :, 0] if mode == "L" else x).astype("uint8"), mode)


@export("keras.preprocessing.image.load_img")
def load_img(path: Any, grayscale: bool = False, color_mode: str = "rgb", target_size: Any = None, interpolation: str = "nearest") -> Any:
    image = _pillow()
    img = image.open(path).convert({"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}["grayscale" if grayscale else color_mode])
    if target_size is not None and img.size != (target_size[1], target_size[0]):
        ways = {"nearest": image.NEAREST, "bilinear": image.BILINEAR, "bicubic": image.BICUBIC}
        img = img.resize((target_size[1], target_size[0]), ways[interpolation])
    return img


@export("keras.preprocessing.image.save_img")
def save_img(path: Any, x: Any, data_format: Any = None, file_format: Any = None, scale: bool = True, **kwargs: Any) -> None:
    array_to_img(x, data_format, scale).save(path, format=file_format, **kwargs)


@export("keras.preprocessing.image.Iterator")
class Iterator(Sequence):
    """Batches of n samples without end, in another order each time when shuffled."""

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None) -> None:
        self.n, self.batch_size, self.shuffle, self.seed = n, batch_size, shuffle, seed
        self.batch_index = self.total_batches_seen = 0
        self.index_array: Any = None

    def _order(self) -> None:
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def __len__(self) -> int:
        return (self.n + self.batch_size - 1) // self.batch_size

    def __getitem__(self, index: int) -> Any:
        if index >= len(self):
            raise ValueError(f"Asked to retrieve element {index}, but the Sequence has length {len(self)}")
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)
        self.total_batches_seen += 1
        if self.index_array is None:
            self._order()
        return self._batch(self.index_array[self.batch_size * index : self.batch_size * (index + 1)])

    def on_epoch_end(self) -> None:
        self._order()

    def reset(self) -> None:
        self.batch_index = 0

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)
        if self.batch_index == 0:
            self._order()
        start = self.batch_index * self.batch_size
        self.batch_index = 0 if self.n <= start + self.batch_size else self.batch_index + 1
        self.total_batches_seen += 1
        return self._batch(self.index_array[start : start + self.batch_size])

    next = __next__

    def _batch(self, rows: Any) -> Any:
        raise NotImplementedError


@export("keras.preprocessing.image.NumpyArrayIterator")
class NumpyArrayIterator(Iterator):
    """Batches of an array of images."""

    def __init__(
        self,
        x: Any,
        y: Any,
        generator: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
    ) -> None:
        self.x, self.y, self.generator, self.weights = (
            np.asarray(x, "float32"),
            None if y is None else np.asarray(y),
            generator,
            sample_weight,
        )
        if self.y is not None and len(self.x) != len(self.y):
            raise ValueError(
                f"`x` (images tensor) and `y` (labels) should have the same length. Found: x.shape = {self.x.shape}, y.shape = {self.y.shape}"
            )
        self.saves: tuple[Any, str, str] = (None, "", "png")
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _batch(self, rows: Any) -> Any:
        from runtime.tf1.keras.image_generator import save

        x = np.stack([self.generator.standardize(self.generator.random_transform(self.x[i])) for i in rows]).astype("float32")
        save(x, rows, self.generator.data_format, *self.saves)
        if self.y is None:
            return x
        return (x, self.y[rows]) if self.weights is None else (x, self.y[rows], np.asarray(self.weights)[rows])
