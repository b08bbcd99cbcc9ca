"""tf.contrib.slim.nets: AlexNet, OverFeat and the VGG networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.tf1.contrib.arg_scope import arg_scope
from runtime.tf1.contrib.layers import convert_collection_to_dict, convolution2d, dropout, fully_connected, max_pool2d, repeat
from runtime.tf1.contrib.regularizers import l2_regularizer
from runtime.tf1.modules import module
from runtime.tf1.registry import put

tf: Any = module("")
Step = tuple[Any, ...]

# VGG: name -> how many convolutions each of the five stages has.
VGG = {"vgg_a": (1, 1, 2, 2, 2), "vgg_16": (2, 2, 3, 3, 3), "vgg_19": (2, 2, 4, 4, 4)}
VGG_DEPTHS = (64, 128, 256, 512, 512)

# Convolutions as (depth, kernel, stride, padding), pools as (kernel, stride), then the kernel and the depth of fc6.
ALEXNET = (
    [("conv1", 64, 11, 4, "VALID"), ("pool1", 3, 2), ("conv2", 192, 5, 1, None), ("pool2", 3, 2), ("conv3", 384, 3, 1, None), ("conv4", 384, 3, 1, None),
     ("conv5", 256, 3, 1, None), ("pool5", 3, 2)], 5, 4096,
)  # fmt: skip
OVERFEAT = (
    [("conv1", 64, 11, 4, "VALID"), ("pool1", 2, 2), ("conv2", 256, 5, 1, "VALID"), ("pool2", 2, 2), ("conv3", 512, 3, 1, None), ("conv4", 1024, 3, 1, None),
     ("conv5", 1024, 3, 1, None), ("pool5", 2, 2)], 6, 3072,
)  # fmt: skip


def _arg_scope(bias: Callable[[], Any], pool_padding: str | None) -> Callable[..., Any]:
    def net_arg_scope(weight_decay: float = 0.0005) -> Any:
        with (
            arg_scope(
                [convolution2d, fully_connected],
                activation_fn=tf.nn.relu,
                weights_regularizer=l2_regularizer(weight_decay),
                biases_initializer=bias(),
            ),
            arg_scope([convolution2d], padding="SAME") as scope,
        ):
            if pool_padding is None:
                return scope
            with arg_scope([max_pool2d], padding=pool_padding) as inner:
                return inner

    return net_arg_scope


def _head(net: Any, num_classes: int, kernel: int, depth: int, is_training: Any, keep_prob: Any, **last: Any) -> Any:
    """The fully connected layers, as convolutions."""
    net = convolution2d(net, depth, [kernel, kernel], padding="VALID", scope="fc6")
    net = dropout(net, keep_prob, is_training=is_training, scope="dropout6")
    net = convolution2d(net, 4096, [1, 1], scope="fc7")
    net = dropout(net, keep_prob, is_training=is_training, scope="dropout7")
    return convolution2d(net, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope="fc8", **last)


def _finish(net: Any, collection: str, scope_name: str, squeeze: bool) -> tuple[Any, dict[str, Any]]:
    end_points = convert_collection_to_dict(collection)
    if squeeze:
        net = tf.squeeze(net, [1, 2], name="fc8/squeezed")
        end_points[f"{scope_name}/fc8"] = net
    return net, end_points


def _vgg(name: str, counts: tuple[int, ...]) -> Callable[..., Any]:
    def network(
        inputs: Any,
        num_classes: int = 1000,
        is_training: Any = True,
        dropout_keep_prob: Any = 0.5,
        spatial_squeeze: bool = True,
        scope: Any = name,
    ) -> tuple[Any, dict[str, Any]]:
        with tf.variable_scope(scope, name, [inputs]) as sc:
            collection = f"{sc.name if name == 'vgg_19' else sc.original_name_scope}_end_points"
            collected = [convolution2d, max_pool2d] if name == "vgg_a" else [convolution2d, fully_connected, max_pool2d]
            with arg_scope(collected, outputs_collections=collection):
                net = inputs
                for stage, (count, depth) in enumerate(zip(counts, VGG_DEPTHS, strict=True), 1):
                    net = repeat(net, count, convolution2d, depth, [3, 3], scope=f"conv{stage}")
                    net = max_pool2d(net, [2, 2], scope=f"pool{stage}")
                net = _head(net, num_classes, 7, 4096, is_training, dropout_keep_prob)
                return _finish(net, collection, sc.name, spatial_squeeze)

    network.__name__ = name
    network.default_image_size = 224  # type: ignore[attr-defined]
    return network


def _stacked(name: str, layout: tuple[list[Step], int, int], own_name: bool, size: int) -> Callable[..., Any]:
    steps, kernel, depth = layout

    def network(
        inputs: Any,
        num_classes: int = 1000,
        is_training: Any = True,
        dropout_keep_prob: Any = 0.5,
        spatial_squeeze: bool = True,
        scope: Any = name,
    ) -> tuple[Any, dict[str, Any]]:
        with tf.variable_scope(scope, name, [inputs]) as sc:
            collection = f"{sc.name if own_name else sc.original_name_scope}_end_points"
            with arg_scope([convolution2d, fully_connected, max_pool2d], outputs_collections=[collection]):
                net = inputs
                for label, *given in steps:
                    if label.startswith("pool"):
                        net = max_pool2d(net, [given[0], given[0]], given[1], scope=label)
                    else:
                        padding = {"padding": given[3]} if given[3] else {}
                        net = convolution2d(net, given[0], [given[1], given[1]], given[2], scope=label, **padding)
                initializers = {
                    "weights_initializer": tf.truncated_normal_initializer(0.0, 0.005),
                    "biases_initializer": tf.constant_initializer(0.1),
                }
                with arg_scope([convolution2d], **initializers):
                    net = _head(net, num_classes, kernel, depth, is_training, dropout_keep_prob, biases_initializer=tf.zeros_initializer())
                return _finish(net, collection, sc.name, spatial_squeeze)

    network.__name__ = name
    network.default_image_size = size  # type: ignore[attr-defined]
    return network


def _declare() -> None:
    for home in ("contrib.slim.nets", "contrib.slim.python.slim.nets"):
        for name, counts in VGG.items():
            network = _vgg(name, counts)
            put(f"{home}.vgg.{name}", network)
            if name != "vgg_a":
                put(f"{home}.vgg.{'vgg_d' if name == 'vgg_16' else 'vgg_e'}", network)
        put(f"{home}.vgg.vgg_arg_scope", _arg_scope(tf.zeros_initializer, None))
        put(f"{home}.alexnet.alexnet_v2", _stacked("alexnet_v2", ALEXNET, False, 224))
        put(f"{home}.alexnet.alexnet_v2_arg_scope", _arg_scope(lambda: tf.constant_initializer(0.1), "VALID"))
        put(f"{home}.overfeat.overfeat", _stacked("overfeat", OVERFEAT, True, 231))
        put(f"{home}.overfeat.overfeat_arg_scope", _arg_scope(tf.zeros_initializer, "VALID"))


_declare()
