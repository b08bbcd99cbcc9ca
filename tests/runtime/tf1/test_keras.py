"""tf.keras of the stand-in against what TensorFlow 1.15.5 gave for the same programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.tf1.modules import module

tf: Any = module("")


@pytest.fixture(autouse=True)
def fresh() -> None:
    tf.keras.backend.clear_session()


def small(optimizer: Any) -> Any:
    layers = tf.keras.layers
    model = tf.keras.models.Sequential([layers.Dense(5, input_shape=(3,), activation="tanh"), layers.Dense(2)])
    rng = np.random.RandomState(0)
    model.set_weights([rng.randn(*w.shape) for w in model.get_weights()])
    model.compile(optimizer, loss="mse", metrics=["mae"])
    return model


def data() -> tuple[Any, Any]:
    rng = np.random.RandomState(1)
    return rng.rand(12, 3).astype("float32"), rng.rand(12, 2)


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adagrad", "adadelta", "adamax", "nadam"])
def test_optimizers_make_the_loss_smaller(name: str) -> None:
    x, y = data()
    history = small(name).fit(x, y, epochs=3, batch_size=4, verbose=0, shuffle=False).history
    assert sorted(history) == ["loss", "mean_absolute_error"]
    assert history["loss"][-1] < history["loss"][0]


def test_sgd_step_is_the_gradient() -> None:
    x, y = data()
    model = small(tf.keras.optimizers.SGD(lr=0.5))
    before = model.get_weights()
    model.train_on_batch(x, y)
    w1, b1, w2, b2 = before
    hidden = np.tanh(x @ w1 + b1)
    error = (hidden @ w2 + b2 - y) * 2 / y.size
    np.testing.assert_allclose(model.get_weights()[2], w2 - 0.5 * hidden.T @ error, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.get_weights()[3], b2 - 0.5 * error.sum(0), rtol=1e-4, atol=1e-6)


def test_names_of_variables_and_ops() -> None:
    model = small("adam")
    model._make_train_function()
    names = {n.name for n in tf.get_default_graph().get_operations()}
    assert {
        "dense/kernel/Initializer/random_uniform",
        "dense_1/BiasAdd",
        "loss/dense_1_loss/value",
        "training/Adam/dense/kernel/m",
        "metrics/mean_absolute_error/div_no_nan",
    } <= names
    assert [v.name for v in model.weights] == ["dense/kernel:0", "dense/bias:0", "dense_1/kernel:0", "dense_1/bias:0"]


def test_a_saved_model_comes_back_with_its_optimizer(tmp_path: Path) -> None:
    x, y = data()
    model = small("adam")
    model.fit(x, y, epochs=1, verbose=0)
    path = str(tmp_path / "model.h5")
    model.save(path)
    loaded = tf.keras.models.load_model(path)
    np.testing.assert_allclose(loaded.predict(x), model.predict(x), rtol=1e-6)
    for a, b in zip(loaded.optimizer.get_weights(), model.optimizer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_functional_models_share_layers_and_use_plain_operations() -> None:
    layers = tf.keras.layers
    a, b = layers.Input((4,)), layers.Input((4,))
    shared = layers.Dense(3, name="shared")
    out = layers.Dense(1)(layers.concatenate([shared(a), shared(b)]) * 2.0 + 1.0)
    model = tf.keras.Model([a, b], out)
    assert [layer.name for layer in model.layers] == [
        "input_1",
        "input_2",
        "shared",
        "concatenate",
        "tf_op_layer_mul",
        "tf_op_layer_add",
        "dense",
    ]
    w, c, v, d = model.get_weights()
    x, y = np.ones((2, 4), "float32"), np.full((2, 4), 2, "float32")
    expected = (np.concatenate([x @ w + c, y @ w + c], 1) * 2 + 1) @ v + d
    np.testing.assert_allclose(model.predict([x, y]), expected, rtol=1e-5)


def test_a_mask_leaves_steps_out() -> None:
    layers = tf.keras.layers
    model = tf.keras.models.Sequential([layers.Embedding(9, 4, mask_zero=True, input_length=5), layers.LSTM(3)])
    padded, longer = model.predict(np.array([[3, 4, 0, 0, 0]])), model.predict(np.array([[3, 0, 0, 4, 0]]))
    np.testing.assert_allclose(padded, longer, rtol=1e-5)


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"expected dense_input to have shape \(3,\) but got array with shape \(4,\)"):
        small("sgd").predict(np.ones((2, 4)))
