"""tf.keras.preprocessing.image.ImageDataGenerator: batches of images changed at random, from arrays and from folders."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from runtime.tf1.keras.image import Iterator, NumpyArrayIterator, array_to_img, img_to_array, load_img
from runtime.tf1.keras.image_transforms import apply_affine_transform, apply_brightness_shift, apply_channel_shift
from runtime.tf1.registry import export

FORMATS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
CLASS_MODES = ("binary", "categorical", "input", "sparse", None)


@export("keras.preprocessing.image.ImageDataGenerator")
class ImageDataGenerator:
    """How images are changed: `flow` and `flow_from_directory` give the batches."""

    def __init__(
        self, featurewise_center: bool = False, samplewise_center: bool = False, featurewise_std_normalization: bool = False, samplewise_std_normalization: bool = False,
        zca_whitening: bool = False, zca_epsilon: float = 1e-6, rotation_range: float = 0, width_shift_range: Any = 0.0, height_shift_range: Any = 0.0, brightness_range: Any = None,
        shear_range: float = 0.0, zoom_range: Any = 0.0, channel_shift_range: float = 0.0, fill_mode: str = "nearest", cval: float = 0.0, horizontal_flip: bool = False,
        vertical_flip: bool = False, rescale: float | None = None, preprocessing_function: Any = None, data_format: str | None = None, validation_split: float = 0.0,
        dtype: Any = "float32", interpolation_order: int = 1,
    ) -> None:  # fmt: skip
        data_format = data_format or "channels_last"
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError(
                '`data_format` should be `"channels_last"` (channel after row and column) or `"channels_first"` (channel before row and column). '
                f"Received: {data_format}"
            )
        if validation_split and not 0 < validation_split < 1:
            raise ValueError(f"`validation_split` must be strictly between 0 and 1.  Received: {validation_split}")
        if brightness_range is not None and (not isinstance(brightness_range, tuple | list) or len(brightness_range) != 2):
            raise ValueError(f"`brightness_range should be tuple or list of two floats. Received: {brightness_range}")
        if isinstance(zoom_range, float | int):
            self.zoom_range = [1 - zoom_range, 1 + zoom_range]
        elif len(zoom_range) == 2:
            self.zoom_range = [zoom_range[0], zoom_range[1]]
        else:
            raise ValueError(f"`zoom_range` should be a float or a tuple or list of two floats. Received: {zoom_range}")
        self.featurewise_center = featurewise_center or featurewise_std_normalization or zca_whitening
        self.featurewise_std_normalization = featurewise_std_normalization and not zca_whitening
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.brightness_range, self.channel_shift_range = brightness_range, channel_shift_range
        self.fill_mode, self.cval, self.interpolation_order = fill_mode, cval, interpolation_order
        self.horizontal_flip, self.vertical_flip, self.rescale = horizontal_flip, vertical_flip, rescale
        self.preprocessing_function, self.dtype = preprocessing_function, dtype
        self.data_format = data_format
        self.row_axis, self.col_axis, self.channel_axis = (1, 2, 3) if data_format == "channels_last" else (2, 3, 1)
        self._validation_split = validation_split
        self.mean: Any = None
        self.std: Any = None
        self.principal_components: Any = None

    # -- one image -------------------------------------------------------------------------------------------------

    def _shift(self, given: Any, size: int) -> float:
        """A shift drawn from a list of pixels, a number of them, or a share of the size."""
        if not np.any(given):
            return 0.0
        try:
            shift = np.random.choice(given) * np.random.choice([-1, 1])
        except ValueError:  # a number with a fraction
            shift = np.random.uniform(-given, given)
        return float(shift * size if np.max(given) < 1 else shift)

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> dict[str, Any]:
        """What `apply_transform` is to do: drawn in Keras's order, so that a seed gives its images."""
        if seed is not None:
            np.random.seed(seed)
        theta = np.random.uniform(-self.rotation_range, self.rotation_range) if self.rotation_range else 0
        tx = self._shift(self.height_shift_range, img_shape[self.row_axis - 1])
        ty = self._shift(self.width_shift_range, img_shape[self.col_axis - 1])
        shear = np.random.uniform(-self.shear_range, self.shear_range) if self.shear_range else 0
        low, high = self.zoom_range
        zx, zy = (1, 1) if low == 1 and high == 1 else np.random.uniform(low, high, 2)
        horizontal = (np.random.random() < 0.5) * self.horizontal_flip
        vertical = (np.random.random() < 0.5) * self.vertical_flip
        channels = np.random.uniform(-self.channel_shift_range, self.channel_shift_range) if self.channel_shift_range != 0 else None
        brightness = None if self.brightness_range is None else np.random.uniform(self.brightness_range[0], self.brightness_range[1])
        return {
            "theta": theta, "tx": tx, "ty": ty, "shear": shear, "zx": zx, "zy": zy, "flip_horizontal": horizontal, "flip_vertical": vertical,
            "channel_shift_intensity": channels, "brightness": brightness,
        }  # fmt: skip

    def apply_transform(self, x: Any, transform_parameters: dict[str, Any]) -> Any:
        given = transform_parameters
        rows, columns, channels = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        x = apply_affine_transform(
            x, given.get("theta", 0), given.get("tx", 0), given.get("ty", 0), given.get("shear", 0), given.get("zx", 1), given.get("zy", 1),
            row_axis=rows, col_axis=columns, channel_axis=channels, fill_mode=self.fill_mode, cval=self.cval, order=self.interpolation_order,
        )  # fmt: skip
        if given.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, given["channel_shift_intensity"], channels)
        if given.get("flip_horizontal", False):
            x = np.flip(x, columns)
        if given.get("flip_vertical", False):
            x = np.flip(x, rows)
        return x if given.get("brightness") is None else apply_brightness_shift(x, given["brightness"])

    def random_transform(self, x: Any, seed: int | None = None) -> Any:
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x: Any) -> Any:
        x = self.preprocessing_function(x) if self.preprocessing_function else x
        x = x * self.rescale if self.rescale else x
        if self.samplewise_center:
            x = x - np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (np.std(x, keepdims=True) + 1e-6)
        for wanted, known, name in (
            (self.featurewise_center, self.mean, "featurewise_center"),
            (self.featurewise_std_normalization, self.std, "featurewise_std_normalization"),
            (self.zca_whitening, self.principal_components, "zca_whitening"),
        ):
            if wanted and known is None:
                warnings.warn(
                    f"This ImageDataGenerator specifies `{name}`, but it hasn't been fit on any training data. Fit it first by calling `.fit(numpy_data)`.",
                    stacklevel=2,
                )
        if self.featurewise_center and self.mean is not None:
            x = x - self.mean
        if self.featurewise_std_normalization and self.std is not None:
            x = x / (self.std + 1e-6)
        if self.zca_whitening and self.principal_components is not None:
            flat = np.reshape(x, (-1, int(np.prod(x.shape[-3:]))))
            x = np.reshape(np.dot(flat, self.principal_components), x.shape)
        return x

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Measure the mean, deviation and principal components of sample images."""
        x = np.array(x, dtype=self.dtype)
        if x.ndim != 4:
            raise ValueError(f"Input to `.fit()` should have rank 4. Got array with shape: {x.shape}")
        if seed is not None:
            np.random.seed(seed)
        x = x * self.rescale if self.rescale else x
        if augment:
            x = np.stack([self.random_transform(image) for _ in range(rounds) for image in x]).astype(self.dtype)
        shape = [1, 1, 1]
        shape[self.channel_axis - 1] = x.shape[self.channel_axis]
        if self.featurewise_center:
            self.mean = np.reshape(np.mean(x, axis=(0, self.row_axis, self.col_axis)), shape)
            x = x - self.mean
        if self.featurewise_std_normalization:
            self.std = np.reshape(np.std(x, axis=(0, self.row_axis, self.col_axis)), shape)
            x = x / (self.std + 1e-6)
        if self.zca_whitening:
            flat = np.reshape(x, (x.shape[0], -1))
            u, s, _ = np.linalg.svd(np.dot(flat.T, flat) / flat.shape[0])
            self.principal_components = (u * (1.0 / np.sqrt(s[np.newaxis] + self.zca_epsilon))).dot(u.T)

    # -- batches ---------------------------------------------------------------------------------------------------

    def flow(
        self, x: Any, y: Any = None, batch_size: int = 32, shuffle: bool = True, sample_weight: Any = None, seed: int | None = None, save_to_dir: Any = None,
        save_prefix: str = "", save_format: str = "png", subset: str | None = None,
    ) -> Any:  # fmt: skip
        if subset is not None:
            if subset not in ("training", "validation"):
                raise ValueError(f'Invalid subset name: {subset}; expected "training" or "validation".')
            cut = int(len(x) * self._validation_split)
            part = slice(0, cut) if subset == "validation" else slice(cut, None)
            x, y = x[part], None if y is None else y[part]
            sample_weight = None if sample_weight is None else sample_weight[part]
        found = NumpyArrayIterator(x, y, self, batch_size, shuffle, sample_weight, seed)
        found.saves = (save_to_dir, save_prefix, save_format)
        return found

    def flow_from_directory(
        self, directory: Any, target_size: Any = (256, 256), color_mode: str = "rgb", classes: Any = None, class_mode: str | None = "categorical", batch_size: int = 32,
        shuffle: bool = True, seed: int | None = None, save_to_dir: Any = None, save_prefix: str = "", save_format: str = "png", follow_links: bool = False,
        subset: str | None = None, interpolation: str = "nearest",
    ) -> Any:  # fmt: skip
        return DirectoryIterator(
            directory, self, target_size, color_mode, classes, class_mode, batch_size, shuffle, seed, self.data_format, save_to_dir, save_prefix, save_format, follow_links,
            subset, interpolation, self.dtype,
        )  # fmt: skip


@export("keras.preprocessing.image.DirectoryIterator")
class DirectoryIterator(Iterator):
    """Batches of the images in the folders of a folder: each folder is a class."""

    def __init__(
        self, directory: Any, image_data_generator: Any, target_size: Any = (256, 256), color_mode: str = "rgb", classes: Any = None, class_mode: str | None = "categorical",
        batch_size: int = 32, shuffle: bool = True, seed: int | None = None, data_format: str | None = None, save_to_dir: Any = None, save_prefix: str = "",
        save_format: str = "png", follow_links: bool = False, subset: str | None = None, interpolation: str = "nearest", dtype: Any = "float32",
    ) -> None:  # fmt: skip
        if color_mode not in CHANNELS:
            raise ValueError(f'Invalid color mode: {color_mode}; expected "rgb", "rgba", or "grayscale".')
        if class_mode not in CLASS_MODES:
            raise ValueError(f"Invalid class_mode: {class_mode}; expected one of: {CLASS_MODES}")
        self.directory, self.image_data_generator = directory, image_data_generator
        self.target_size, self.color_mode, self.class_mode = tuple(target_size), color_mode, class_mode
        self.data_format, self.dtype, self.interpolation = data_format or "channels_last", dtype, interpolation
        size = (CHANNELS[color_mode],)
        self.image_shape = (*self.target_size, *size) if self.data_format == "channels_last" else (*size, *self.target_size)
        self.saves = (save_to_dir, save_prefix, save_format)
        names = classes or sorted(n for n in os.listdir(directory) if os.path.isdir(os.path.join(directory, n)))
        self.num_classes = len(names)
        self.class_indices = {name: i for i, name in enumerate(names)}
        self.filenames: list[str] = []
        numbers: list[int] = []
        for name in names:
            files = [
                os.path.relpath(os.path.join(root, file), directory)
                for root, _, found in sorted(os.walk(os.path.join(directory, name), followlinks=follow_links))
                for file in sorted(found)
                if file.lower().endswith(FORMATS)
            ]
            files = files[slice(*self._split(subset, len(files)))]
            self.filenames += files
            numbers += [self.class_indices[name]] * len(files)
        self.classes = np.array(numbers, "int32")
        self.samples = len(self.filenames)
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        super().__init__(self.samples, batch_size, shuffle, seed)

    def _split(self, subset: str | None, count: int) -> tuple[int, int]:
        if subset is None:
            return 0, count
        share = getattr(self.image_data_generator, "_validation_split", 0.0)
        if subset not in ("training", "validation"):
            raise ValueError(f'Invalid subset name: {subset};expected "training" or "validation"')
        return (0, int(share * count)) if subset == "validation" else (int(share * count), count)

    @property
    def filepaths(self) -> list[str]:
        return [os.path.join(self.directory, n) for n in self.filenames]

    @property
    def labels(self) -> Any:
        return self.classes

    def _batch(self, rows: Any) -> Any:
        images = np.zeros((len(rows), *self.image_shape), self.dtype)
        for i, row in enumerate(rows):
            path = os.path.join(self.directory, self.filenames[row])
            image = load_img(path, color_mode=self.color_mode, target_size=self.target_size, interpolation=self.interpolation)
            x = img_to_array(image, data_format=self.data_format)
            if self.image_data_generator:
                x = self.image_data_generator.standardize(self.image_data_generator.random_transform(x))
            images[i] = x
        save(images, rows, self.data_format, *self.saves)
        if self.class_mode == "input":
            return images, images.copy()
        if self.class_mode in ("binary", "sparse"):
            return images, self.classes[rows].astype(self.dtype)
        if self.class_mode == "categorical":
            labels = np.zeros((len(rows), self.num_classes), self.dtype)
            labels[np.arange(len(rows)), self.classes[rows]] = 1
            return images, labels
        return images


def save(images: Any, rows: Any, data_format: str, folder: Any, prefix: str, kind: str) -> None:
    """Write a batch's images to a folder, where one is given."""
    if not folder:
        return
    for image, row in zip(images, rows, strict=True):
        name = f"{prefix}_{row}_{np.random.randint(10_000_000)}.{kind}"
        array_to_img(image, data_format, scale=True).save(os.path.join(folder, name))
