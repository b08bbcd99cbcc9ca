"""tf.contrib.slim.nets: Inception v1, v2 and v3 (Szegedy et al. 2014, 2015; Ioffe & Szegedy 2015)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from runtime.tf1.contrib.arg_scope import arg_scope
from runtime.tf1.contrib.batch_norm import batch_norm
from runtime.tf1.contrib.layers import avg_pool2d, convolution2d, dropout, fully_connected, max_pool2d, separable_convolution2d
from runtime.tf1.contrib.normalization import softmax
from runtime.tf1.contrib.regularizers import l2_regularizer, variance_scaling_initializer
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import put

tf: Any = module("")

# The end points of each network, in order: a layer, or the branches of a Mixed block. A layer is "<depth> <height>x<width> <place>" for a convolution,
# "sep ..." for a separable one, "max|avg <height>x<width> <place>" for a pool; then s2 = stride 2, v = VALID, p = SAME, w.09 = weights of this deviation.
# "a > b" is b on a, "a + b" both on the same input; a place that is no "0a" is the whole scope name.
V1: list[tuple[str, Any]] = [
    ("Conv2d_1a_7x7", "64 7x7 . s2"), ("MaxPool_2a_3x3", "max 3x3 . s2"), ("Conv2d_2b_1x1", "64 1x1 ."), ("Conv2d_2c_3x3", "192 3x3 ."),
    ("MaxPool_3a_3x3", "max 3x3 . s2"),
    ("Mixed_3b", ("64 1x1 0a", "96 1x1 0a > 128 3x3 0b", "16 1x1 0a > 32 3x3 0b", "max 3x3 0a > 32 1x1 0b")),
    ("Mixed_3c", ("128 1x1 0a", "128 1x1 0a > 192 3x3 0b", "32 1x1 0a > 96 3x3 0b", "max 3x3 0a > 64 1x1 0b")),
    ("MaxPool_4a_3x3", "max 3x3 . s2"),
    ("Mixed_4b", ("192 1x1 0a", "96 1x1 0a > 208 3x3 0b", "16 1x1 0a > 48 3x3 0b", "max 3x3 0a > 64 1x1 0b")),
    ("Mixed_4c", ("160 1x1 0a", "112 1x1 0a > 224 3x3 0b", "24 1x1 0a > 64 3x3 0b", "max 3x3 0a > 64 1x1 0b")),
    ("Mixed_4d", ("128 1x1 0a", "128 1x1 0a > 256 3x3 0b", "24 1x1 0a > 64 3x3 0b", "max 3x3 0a > 64 1x1 0b")),
    ("Mixed_4e", ("112 1x1 0a", "144 1x1 0a > 288 3x3 0b", "32 1x1 0a > 64 3x3 0b", "max 3x3 0a > 64 1x1 0b")),
    ("Mixed_4f", ("256 1x1 0a", "160 1x1 0a > 320 3x3 0b", "32 1x1 0a > 128 3x3 0b", "max 3x3 0a > 128 1x1 0b")),
    ("MaxPool_5a_2x2", "max 2x2 . s2"),
    ("Mixed_5b", ("256 1x1 0a", "160 1x1 0a > 320 3x3 0b", "32 1x1 0a > 128 3x3 0a", "max 3x3 0a > 128 1x1 0b")),
    ("Mixed_5c", ("384 1x1 0a", "192 1x1 0a > 384 3x3 0b", "48 1x1 0a > 128 3x3 0b", "max 3x3 0a > 128 1x1 0b")),
]  # fmt: skip


def _v2_block(name: str, a: int, b: tuple[int, int], c: tuple[int, int], d: int, pool: str = "avg") -> tuple[str, Any]:
    return name, (
        f"{a} 1x1 0a", f"{b[0]} 1x1 0a w.09 > {b[1]} 3x3 0b", f"{c[0]} 1x1 0a w.09 > {c[1]} 3x3 0b > {c[1]} 3x3 0c",
        f"{pool} 3x3 0a > {d} 1x1 0b w.1",
    )  # fmt: skip


V2: list[tuple[str, Any]] = [
    ("Conv2d_1a_7x7", "sep 64 7x7 . s2 w1"), ("MaxPool_2a_3x3", "max 3x3 . s2"), ("Conv2d_2b_1x1", "64 1x1 . w.1"), ("Conv2d_2c_3x3", "192 3x3 ."),
    ("MaxPool_3a_3x3", "max 3x3 . s2"),
    _v2_block("Mixed_3b", 64, (64, 64), (64, 96), 32), _v2_block("Mixed_3c", 64, (64, 96), (64, 96), 64),
    ("Mixed_4a", ("128 1x1 0a w.09 > 160 3x3 1a s2", "64 1x1 0a w.09 > 96 3x3 0b > 96 3x3 1a s2", "max 3x3 1a s2")),
    _v2_block("Mixed_4b", 224, (64, 96), (96, 128), 128), _v2_block("Mixed_4c", 192, (96, 128), (96, 128), 128),
    _v2_block("Mixed_4d", 160, (128, 160), (128, 160), 96), _v2_block("Mixed_4e", 96, (128, 192), (160, 192), 96),
    ("Mixed_5a", ("128 1x1 0a w.09 > 192 3x3 1a s2", "192 1x1 0a w.09 > 256 3x3 0b > 256 3x3 1a s2", "max 3x3 1a s2")),
    _v2_block("Mixed_5b", 352, (192, 320), (160, 224), 128), _v2_block("Mixed_5c", 352, (192, 320), (192, 224), 128, "max"),
]  # fmt: skip


def _v3_5(name: str, pool: int, second: str = "48 1x1 0a > 64 5x5 0b") -> tuple[str, Any]:
    return name, ("64 1x1 0a", second, "64 1x1 0a > 96 3x3 0b > 96 3x3 0c", f"avg 3x3 0a > {pool} 1x1 0b")


def _v3_6(name: str, n: int) -> tuple[str, Any]:
    return name, (
        "192 1x1 0a", f"{n} 1x1 0a > {n} 1x7 0b > 192 7x1 0c", f"{n} 1x1 0a > {n} 7x1 0b > {n} 1x7 0c > {n} 7x1 0d > 192 1x7 0e",
        "avg 3x3 0a > 192 1x1 0b",
    )  # fmt: skip


def _v3_7(name: str, place: str) -> tuple[str, Any]:
    return name, (
        "320 1x1 0a", f"384 1x1 0a > 384 1x3 0b + 384 3x1 {place}", "448 1x1 0a > 384 3x3 0b > 384 1x3 0c + 384 3x1 0d", "avg 3x3 0a > 192 1x1 0b",
    )  # fmt: skip


V3_STEM: list[tuple[str, Any]] = [
    ("Conv2d_1a_3x3", "32 3x3 . s2"), ("Conv2d_2a_3x3", "32 3x3 ."), ("Conv2d_2b_3x3", "64 3x3 . p"), ("MaxPool_3a_3x3", "max 3x3 . s2"),
    ("Conv2d_3b_1x1", "80 1x1 ."), ("Conv2d_4a_3x3", "192 3x3 ."), ("MaxPool_5a_3x3", "max 3x3 . s2"),
]  # fmt: skip
V3_BLOCKS: list[tuple[str, Any]] = [
    _v3_5("Mixed_5b", 32), _v3_5("Mixed_5c", 64, "48 1x1 0b > 64 5x5 Conv_1_0c_5x5"), _v3_5("Mixed_5d", 64),
    ("Mixed_6a", ("384 3x3 Conv2d_1a_1x1 s2 v", "64 1x1 0a > 96 3x3 0b > 96 3x3 Conv2d_1a_1x1 s2 v", "max 3x3 1a s2 v")),
    _v3_6("Mixed_6b", 128), _v3_6("Mixed_6c", 160), _v3_6("Mixed_6d", 160), _v3_6("Mixed_6e", 192),
    ("Mixed_7a", ("192 1x1 0a > 320 3x3 1a s2 v", "192 1x1 0a > 192 1x7 0b > 192 7x1 0c > 192 3x3 1a s2 v", "max 3x3 1a s2 v")),
    _v3_7("Mixed_7b", "0b"), _v3_7("Mixed_7c", "0c"),
]  # fmt: skip

Depth = Callable[[int], int]


def _normal(deviation: float) -> Any:
    return tf.truncated_normal_initializer(0.0, deviation)


def _layer(net: Any, text: str, label: str, depth: Depth) -> Any:
    if " + " in text:
        return tf.concat([_layer(net, part, label, depth) for part in text.split(" + ")], 3)
    words = text.split()
    kind = words.pop(0) if words[0] in ("max", "avg", "sep") else "conv"
    count = int(words.pop(0)) if kind in ("conv", "sep") else 0
    kernel = [int(n) for n in words[0].split("x")]
    prefix = {"max": "MaxPool", "avg": "AvgPool"}.get(kind, "Conv2d")
    place = words[1]
    scope = label if place == "." else place if "_" in place else f"{prefix}_{place}_{words[0]}"
    given: dict[str, Any] = {"scope": scope}
    for flag in words[2:]:
        if flag == "s2":
            given["stride"] = 2
        elif flag in ("v", "p"):
            given["padding"] = "VALID" if flag == "v" else "SAME"
        else:
            given["weights_initializer"] = _normal(float(flag[1:]))
    if kind in ("max", "avg"):
        return (max_pool2d if kind == "max" else avg_pool2d)(net, kernel, **given)
    if kind == "sep":
        return separable_convolution2d(net, depth(count), kernel, depth_multiplier=min(int(depth(count) / 3), 8), **given)
    return convolution2d(net, depth(count), kernel, **given)


def _point(net: Any, name: str, plan: Any, depth: Depth) -> Any:
    """One end point: a layer, or the branches of a block joined."""
    if isinstance(plan, str):
        return _layer(net, plan, name, depth)
    with tf.variable_scope(name):
        branches = []
        for i, steps in enumerate(plan):
            with tf.variable_scope(f"Branch_{i}"):
                branch = net
                for step in steps.split(" > "):
                    branch = _layer(branch, step, name, depth)
                branches.append(branch)
        return tf.concat(branches, 3)


def _walk(net: Any, parts: list[tuple[Any, list[tuple[str, Any]]]], final_endpoint: str, depth: Depth) -> tuple[Any, dict[str, Any]]:
    end_points: dict[str, Any] = {}
    for scope, points in parts:
        with scope:
            for name, plan in points:
                net = end_points[name] = _point(net, name, plan, depth)
                if name == final_endpoint:
                    return net, end_points
    raise ValueError(f"Unknown final endpoint {final_endpoint}")


def _depth(min_depth: int, depth_multiplier: float) -> Depth:
    if depth_multiplier <= 0:
        raise ValueError("depth_multiplier is not greater than zero.")
    return lambda count: max(int(count * depth_multiplier), min_depth)


def inception_v1_base(inputs: Any, final_endpoint: str = "Mixed_5c", scope: Any = "InceptionV1") -> tuple[Any, dict[str, Any]]:
    @contextlib.contextmanager
    def scopes() -> Any:
        with (
            arg_scope([convolution2d, fully_connected], weights_initializer=_normal(0.01)),
            arg_scope([convolution2d, max_pool2d], stride=1, padding="SAME"),
        ):
            yield

    with tf.variable_scope(scope, "InceptionV1", [inputs]):
        return _walk(inputs, [(scopes(), V1)], final_endpoint, int)


def inception_v2_base(
    inputs: Any, final_endpoint: str = "Mixed_5c", min_depth: int = 16, depth_multiplier: float = 1.0, scope: Any = None
) -> tuple[Any, dict[str, Any]]:
    depth = _depth(min_depth, depth_multiplier)
    with tf.variable_scope(scope, "InceptionV2", [inputs]):
        same = arg_scope([convolution2d, max_pool2d, avg_pool2d, separable_convolution2d], stride=1, padding="SAME")
        return _walk(inputs, [(same, V2)], final_endpoint, depth)


def inception_v3_base(
    inputs: Any, final_endpoint: str = "Mixed_7c", min_depth: int = 16, depth_multiplier: float = 1.0, scope: Any = None
) -> tuple[Any, dict[str, Any]]:
    depth = _depth(min_depth, depth_multiplier)
    layers = [convolution2d, max_pool2d, avg_pool2d]
    with tf.variable_scope(scope, "InceptionV3", [inputs]):
        parts = [(arg_scope(layers, stride=1, padding="VALID"), V3_STEM), (arg_scope(layers, stride=1, padding="SAME"), V3_BLOCKS)]
        return _walk(inputs, parts, final_endpoint, depth)


def _kernel_for(x: Any, kernel: list[int]) -> list[int]:
    """A kernel no larger than what it goes over."""
    dims = x.get_shape().as_list()
    return kernel if dims[1] is None or dims[2] is None else [min(dims[1], kernel[0]), min(dims[2], kernel[1])]


def _logits(net: Any, num_classes: int, scope: str, spatial_squeeze: bool) -> Any:
    logits = convolution2d(net, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope=scope)
    return tf.squeeze(logits, [1, 2], name="SpatialSqueeze") if spatial_squeeze else logits


def _pooled_logits(
    net: Any, kernel: list[int], num_classes: int, keep_prob: Any, spatial_squeeze: bool, end_points: dict[str, Any] | None = None
) -> Any:
    with tf.variable_scope("Logits"):
        kernel = _kernel_for(net, kernel)
        net = avg_pool2d(net, kernel, padding="VALID", scope=f"AvgPool_1a_{kernel[0]}x{kernel[1]}")
        net = dropout(net, keep_prob=keep_prob, scope="Dropout_1b")
        if end_points is not None:
            end_points["PreLogits"] = net
        return _logits(net, num_classes, "Conv2d_1c_1x1", spatial_squeeze)


def inception_v1(
    inputs: Any, num_classes: int = 1000, is_training: Any = True, dropout_keep_prob: Any = 0.8, prediction_fn: Any = softmax,
    spatial_squeeze: bool = True, reuse: Any = None, scope: Any = "InceptionV1",
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    with (
        tf.variable_scope(scope, "InceptionV1", [inputs, num_classes], reuse=reuse) as own,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        net, end_points = inception_v1_base(inputs, scope=own)
        with tf.variable_scope("Logits"):
            net = avg_pool2d(net, [7, 7], stride=1, scope="MaxPool_0a_7x7")
            net = dropout(net, dropout_keep_prob, scope="Dropout_0b")
            logits = end_points["Logits"] = _logits(net, num_classes, "Conv2d_0c_1x1", spatial_squeeze)
            end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


def inception_v2(
    inputs: Any, num_classes: int = 1000, is_training: Any = True, dropout_keep_prob: Any = 0.8, min_depth: int = 16, depth_multiplier: float = 1.0,
    prediction_fn: Any = softmax, spatial_squeeze: bool = True, reuse: Any = None, scope: Any = "InceptionV2",
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    _depth(min_depth, depth_multiplier)
    with (
        tf.variable_scope(scope, "InceptionV2", [inputs, num_classes], reuse=reuse) as own,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        net, end_points = inception_v2_base(inputs, scope=own, min_depth=min_depth, depth_multiplier=depth_multiplier)
        logits = end_points["Logits"] = _pooled_logits(net, [7, 7], num_classes, dropout_keep_prob, spatial_squeeze)
        end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


def inception_v3(
    inputs: Any, num_classes: int = 1000, is_training: Any = True, dropout_keep_prob: Any = 0.8, min_depth: int = 16, depth_multiplier: float = 1.0,
    prediction_fn: Any = softmax, spatial_squeeze: bool = True, reuse: Any = None, scope: Any = "InceptionV3",
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    depth = _depth(min_depth, depth_multiplier)
    with (
        tf.variable_scope(scope, "InceptionV3", [inputs, num_classes], reuse=reuse) as own,
        arg_scope([batch_norm, dropout], is_training=is_training),
    ):
        net, end_points = inception_v3_base(inputs, scope=own, min_depth=min_depth, depth_multiplier=depth_multiplier)
        with arg_scope([convolution2d, max_pool2d, avg_pool2d], stride=1, padding="SAME"), tf.variable_scope("AuxLogits"):
            aux = avg_pool2d(end_points["Mixed_6e"], [5, 5], stride=3, padding="VALID", scope="AvgPool_1a_5x5")
            aux = convolution2d(aux, depth(128), [1, 1], scope="Conv2d_1b_1x1")
            kernel = _kernel_for(aux, [5, 5])
            aux = convolution2d(
                aux, depth(768), kernel, weights_initializer=_normal(0.01), padding="VALID", scope=f"Conv2d_2a_{kernel[0]}x{kernel[1]}"
            )
            aux = convolution2d(
                aux, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, weights_initializer=_normal(0.001), scope="Conv2d_2b_1x1"
            )
            if spatial_squeeze:
                aux = tf.squeeze(aux, [1, 2], name="SpatialSqueeze")
            end_points["AuxLogits"] = aux
        logits = end_points["Logits"] = _pooled_logits(net, [8, 8], num_classes, dropout_keep_prob, spatial_squeeze, end_points)
        end_points["Predictions"] = prediction_fn(logits, scope="Predictions")
    return logits, end_points


inception_v1.default_image_size = inception_v2.default_image_size = 224  # type: ignore[attr-defined]
inception_v3.default_image_size = 299  # type: ignore[attr-defined]


def _arg_scope(weight_decay: float, normalizer_fn: Any, normalizer_params: dict[str, Any]) -> Any:
    with (
        arg_scope([convolution2d, fully_connected], weights_regularizer=l2_regularizer(weight_decay)),
        arg_scope(
            [convolution2d],
            weights_initializer=variance_scaling_initializer(),
            activation_fn=tf.nn.relu,
            normalizer_fn=normalizer_fn,
            normalizer_params=normalizer_params,
        ) as scope,
    ):
        return scope


def _norm_params(
    collection: str, decay: float = 0.9997, epsilon: float = 0.001, updates: Any = GraphKeys.UPDATE_OPS, **more: Any
) -> dict[str, Any]:
    moving = {"beta": None, "gamma": None, "moving_mean": [collection], "moving_variance": [collection]}
    return {"decay": decay, "epsilon": epsilon, "updates_collections": updates, **more, "variables_collections": moving}


def inception_v1_arg_scope(
    weight_decay: float = 0.00004, use_batch_norm: bool = True, batch_norm_var_collection: str = "moving_vars"
) -> Any:
    return (
        _arg_scope(weight_decay, batch_norm, _norm_params(batch_norm_var_collection))
        if use_batch_norm
        else _arg_scope(weight_decay, None, {})
    )


def inception_v2_arg_scope(weight_decay: float = 0.00004, batch_norm_var_collection: str = "moving_vars") -> Any:
    return _arg_scope(weight_decay, batch_norm, _norm_params(batch_norm_var_collection))


def inception_v3_arg_scope(
    weight_decay: float = 0.00004, batch_norm_var_collection: str = "moving_vars", batch_norm_decay: float = 0.9997, batch_norm_epsilon: float = 0.001,
    updates_collections: Any = GraphKeys.UPDATE_OPS, use_fused_batchnorm: bool = True,
) -> Any:  # fmt: skip
    params = _norm_params(batch_norm_var_collection, batch_norm_decay, batch_norm_epsilon, updates_collections, fused=use_fused_batchnorm)
    return _arg_scope(weight_decay, batch_norm, params)


def _declare() -> None:
    made = {
        "inception_v1": (inception_v1, inception_v1_base, inception_v1_arg_scope),
        "inception_v2": (inception_v2, inception_v2_base, inception_v2_arg_scope),
        "inception_v3": (inception_v3, inception_v3_base, inception_v3_arg_scope),
    }
    for home in ("contrib.slim.nets", "contrib.slim.python.slim.nets"):
        for version, functions in made.items():
            for function, suffix in zip(functions, ("", "_base", "_arg_scope"), strict=True):
                put(f"{home}.inception.{version}{suffix}", function)
                put(f"{home}.{version}.{version}{suffix}", function)


_declare()
