"""tf.keras.applications against TensorFlow 1.15.5: names, classes, shapes and weights of every layer, and what is done to images."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest

from runtime.tf1 import client
from runtime.tf1.graph import Graph
from runtime.tf1.keras import backend
from runtime.tf1.modules import lookup

# Network, arguments -> layers, parameters, output shape, and the first digits of the MD5 of its layers and of its weights as JSON.
NETWORKS: list[tuple[str, dict[str, Any], int, int, tuple[Any, ...], str, str]] = [
    ("VGG16", {}, 23, 138357544, (None, 1000), "95cacb91b4d6", "7bcac75a8920"),
    ("VGG16", {"include_top": False, "input_shape": (40, 48, 3), "pooling": "max"}, 20, 14714688, (None, 512), "240a6419940a", "466d49f3d6e0"),
    ("VGG19", {"classes": 7, "input_shape": (32, 32, 3)}, 26, 38935623, (None, 7), "09149affe592", "2893f18e2485"),
    ("ResNet50", {}, 177, 25636712, (None, 1000), "19b928076aa2", "1bf35edcb79d"),
    ("ResNet50", {"include_top": False, "pooling": "avg"}, 176, 23587712, (None, 2048), "ab85b58f388a", "29d5c689252f"),
    ("ResNet50V2", {}, 192, 25613800, (None, 1000), "4f93401e3e75", "21a0bad06f4a"),
    ("InceptionV3", {"include_top": False, "input_shape": (75, 90, 1)}, 311, 21802208, (None, 1, 1, 2048), "6664e46dba57", "cdfbbb120f9b"),
    ("Xception", {"include_top": False, "pooling": "avg", "input_shape": (71, 71, 3)}, 133, 20861480, (None, 2048), "cfe57d18c8da", "d62aa6515e7d"),
    ("DenseNet121", {}, 429, 8062504, (None, 1000), "21daa64fc5da", "8628312e1e44"),
    ("MobileNet", {}, 93, 4253864, (None, 1000), "fdf1328d3728", "d23ce90725a5"),
    ("MobileNet", {"alpha": 0.5, "depth_multiplier": 2, "include_top": False, "pooling": "avg", "input_shape": (128, 128, 3)}, 88, 1646672, (None, 512), "e1de44a3522d", "de98a771fd67"),
    ("MobileNetV2", {"alpha": 1.4, "include_top": False, "input_shape": (97, 96, 3)}, 155, 4363712, (None, 4, 3, 1792), "3a1900c9db09", "c188c24b8cbc"),
    ("MobileNetV2", {"alpha": 0.35, "input_shape": (96, 96, 3), "classes": 3}, 157, 414051, (None, 3), "8f6f600f0d93", "ff3a67ee5109"),
    ("NASNetMobile", {}, 771, 5326716, (None, 1000), "e80effe95161", "9fbadcbc0886"),
]  # fmt: skip
DEEP: list[tuple[str, dict[str, Any], int, int, tuple[Any, ...], str, str]] = [
    ("ResNet101", {"include_top": False}, 345, 42658176, (None, None, None, 2048), "913b9fa0dab0", "5a2da8384cf2"),
    ("ResNet152V2", {}, 566, 60380648, (None, 1000), "31dde4a669d9", "941ede644e3e"),
    ("InceptionResNetV2", {"classes": 5}, 782, 54344421, (None, 5), "daac76425f3e", "090b8d6c3268"),
    ("DenseNet201", {}, 709, 20242984, (None, 1000), "63304961f5c7", "ec45d3c6789d"),
]


def digest(value: Any) -> str:
    return hashlib.md5(json.dumps(value).encode(), usedforsecurity=False).hexdigest()[:12]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments", "layers", "parameters", "shape", "layer_digest", "weight_digest"),
    NETWORKS + DEEP,
    ids=[f"{n[0]}-{k}" for k, n in enumerate(NETWORKS + DEEP)],
)
def test_network(
    name: str, arguments: dict[str, Any], layers: int, parameters: int, shape: Any, layer_digest: str, weight_digest: str
) -> None:
    backend.clear_session()
    model = lookup(f"keras.applications.{name}")(weights=None, **arguments)
    assert len(model.layers) == layers
    assert model.count_params() == parameters
    assert model.output_shape == shape
    assert digest([(x.name, type(x).__name__, str(x.output_shape), x.count_params()) for x in model.layers]) == layer_digest
    assert digest([(w.name, w.shape.as_list()) for w in model.weights]) == weight_digest


# Module -> the sum of what becomes of np.random.RandomState(0).uniform(0, 255, (2, 3, 3, 3)).
PREPROCESSED = {"densenet": 21.089717137175302, "inception_v3": 3.9949456929290177, "resnet": 1195.19157584845, "vgg16": 1195.19157584845}


@pytest.mark.parametrize("module", PREPROCESSED)
def test_images_are_prepared(module: str) -> None:
    prepare = lookup(f"keras.applications.{module}.preprocess_input")
    images = np.random.RandomState(0).uniform(0, 255, size=(2, 3, 3, 3))
    with Graph().as_default(), client.Session() as session:
        tensors = session.run(prepare(lookup("constant")(images.astype(np.float32))))
    first = prepare(np.ascontiguousarray(np.moveaxis(images, -1, 1)), data_format="channels_first")
    arrays = prepare(images.copy())
    np.testing.assert_allclose(arrays.sum(), PREPROCESSED[module], rtol=1e-6)
    np.testing.assert_allclose(tensors, arrays, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), arrays, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": "nope"}, "The `weights` argument should be either"),
        ({"classes": 3}, "`classes` should be 1000"),
        ({"weights": None, "input_shape": (20, 20, 3)}, "Input size must be at least 32x32"),
        ({"weights": None, "input_shape": (None, 40, 3)}, "static `input_shape`"),
        ({"input_shape": (64, 64, 3)}, r"should be \(224, 224, 3\)"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lookup("keras.applications.VGG16")(**arguments)


def test_weights_are_not_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="mobilenet_2_5_128_tf_no_top"):
        lookup("keras.applications.MobileNet")(alpha=0.25, input_shape=(128, 128, 3), include_top=False)


def test_weights_are_read(tmp_path: Any) -> None:
    make = lookup("keras.applications.MobileNetV2")
    arguments: dict[str, Any] = {"alpha": 0.35, "input_shape": (32, 32, 3), "include_top": False}
    backend.clear_session()
    first = make(weights=None, **arguments)
    first.set_weights([np.full(w.shape, 0.5 + k, np.float32) for k, w in enumerate(first.get_weights())])
    first.save_weights(str(tmp_path / "weights.h5"))
    second = make(weights=str(tmp_path / "weights.h5"), **arguments)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_predictions_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    from runtime.tf1.keras.applications import imagenet

    text = json.dumps({str(i): [f"n{i:08}", f"word{i}"] for i in range(1000)})
    (tmp_path / "models/imagenet_class_index.json").write_text(text)
    monkeypatch.setattr(imagenet, "CLASSES_HASH", hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())
    rows = np.zeros((1, 1000), np.float32)
    rows[0, [3, 7, 5]] = 0.2, 0.5, 0.3
    named = lookup("keras.applications.vgg16.decode_predictions")(rows, top=2)
    assert [[(a, b, round(float(p), 2)) for a, b, p in row] for row in named] == [
        [("n00000007", "word7", 0.5), ("n00000005", "word5", 0.3)]
    ]
