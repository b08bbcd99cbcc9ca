"""tf.keras.preprocessing.image: batches from folders of images; with the numbers of TensorFlow 1.15."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.tf1 import importer

pytest.importorskip("PIL", reason="images are read with Pillow")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from PIL import Image

    images = (np.random.RandomState(0).rand(6, 9, 7, 3) * 255).astype("uint8")
    for kind in ("cats", "dogs"):
        (tmp_path / kind).mkdir()
        for i in range(5):
            Image.fromarray(images[i] ^ (kind == "dogs")).save(tmp_path / kind / f"{i}.png")
    (tmp_path / "cats" / "notes.txt").write_text("not an image")
    return tmp_path


def generator(**settings: Any) -> Any:
    with importer.installed() as tf:
        return tf.keras.preprocessing.image.ImageDataGenerator(**settings)


@pytest.mark.parametrize(("subset", "count"), [("training", 6), ("validation", 4), (None, 10)])
def test_folders_are_classes(folder: Path, capsys: pytest.CaptureFixture[str], subset: str | None, count: int) -> None:
    batches = generator(rescale=1 / 255.0, validation_split=0.4).flow_from_directory(
        folder, target_size=(8, 8), batch_size=3, seed=1, subset=subset
    )
    assert capsys.readouterr().out == f"Found {count} images belonging to 2 classes.\n"
    assert batches.class_indices == {"cats": 0, "dogs": 1} and batches.samples == count and len(batches) == -(-count // 3)
    images, labels = next(batches)
    assert images.shape == (3, 8, 8, 3) and labels.shape == (3, 2) and images.min() >= 0 and images.max() <= 1
    assert sum(len(batches[i][0]) for i in range(len(batches))) == count


@pytest.mark.parametrize(("mode", "shape"), [("binary", (3,)), ("sparse", (3,)), ("input", (3, 8, 8, 1)), (None, None)])
def test_class_modes(folder: Path, mode: str | None, shape: Any) -> None:
    batches = generator().flow_from_directory(folder, target_size=(8, 8), class_mode=mode, batch_size=3, color_mode="grayscale")
    batch = next(batches)
    assert (batch.shape if mode is None else batch[0].shape) == (3, 8, 8, 1)
    assert mode is None or batch[1].shape == shape


def test_wrong_modes_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="Invalid class_mode: both"):
        generator().flow_from_directory(folder, class_mode="both")
    with pytest.raises(ValueError, match="Invalid color mode: cmyk"):
        generator().flow_from_directory(folder, color_mode="cmyk")
    with pytest.raises(ValueError, match='Invalid subset name: test;expected "training" or "validation"'):
        generator().flow_from_directory(folder, subset="test")


def test_changed_images_are_saved(folder: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    next(generator(rotation_range=20).flow(np.ones((2, 8, 8, 3)), save_to_dir=str(saved), save_prefix="a"))
    assert sorted(p.name[:3] for p in saved.iterdir()) == ["a_0", "a_1"]


def test_brightness(folder: Path) -> None:
    with importer.installed() as tf:
        image = np.arange(48, dtype="float32").reshape(4, 4, 3)
        darker = tf.keras.preprocessing.image.apply_brightness_shift(image, 0.5)
    np.testing.assert_array_equal(darker[0, 0], [0, 2, 5])  # scaled to 0..255, then halved
