"""tf.contrib.slim.nets: residual networks, v1 and v2 (He et al. 2015, 2016)."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

from runtime.tf1.contrib.arg_scope import add_arg_scope, arg_scope
from runtime.tf1.contrib.batch_norm import batch_norm
from runtime.tf1.contrib.layers import collect, convert_collection_to_dict, convolution2d, last_dimension, max_pool2d
from runtime.tf1.contrib.normalization import softmax
from runtime.tf1.contrib.regularizers import l2_regularizer, variance_scaling_initializer
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import put

tf: Any = module("")

# Layers -> how many units each of the four blocks has.
UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}


class Block(collections.namedtuple("Block", ["scope", "unit_fn", "args"])):
    """A stack of units of one depth."""


def subsample(inputs: Any, factor: int, scope: str | None = None) -> Any:
    return inputs if factor == 1 else max_pool2d(inputs, [1, 1], stride=factor, scope=scope)


def conv2d_same(inputs: Any, num_outputs: int, kernel_size: int, stride: int, rate: int = 1, scope: str | None = None) -> Any:
    """A convolution whose padding does not depend on the input's size."""
    if stride == 1:
        return convolution2d(inputs, num_outputs, kernel_size, stride=1, rate=rate, padding="SAME", scope=scope)
    total = kernel_size + (kernel_size - 1) * (rate - 1) - 1
    before = total // 2
    padded = tf.pad(inputs, [[0, 0], [before, total - before], [before, total - before], [0, 0]])
    return convolution2d(padded, num_outputs, kernel_size, stride=stride, rate=rate, padding="VALID", scope=scope)


@add_arg_scope
def stack_blocks_dense(net: Any, blocks: Any, output_stride: Any = None, outputs_collections: Any = None) -> Any:
    """Blocks one on the other; past `output_stride` strides become dilation rates."""
    current, rate = 1, 1
    for block in blocks:
        with tf.variable_scope(block.scope, "block", [net]) as sc:
            for i, unit in enumerate(block.args):
                if output_stride is not None and current > output_stride:
                    raise ValueError("The target output_stride cannot be reached.")
                with tf.variable_scope(f"unit_{i + 1}", values=[net]):
                    if output_stride is not None and current == output_stride:
                        net = block.unit_fn(net, rate=rate, **{**unit, "stride": 1})
                        rate *= unit.get("stride", 1)
                    else:
                        net = block.unit_fn(net, rate=1, **unit)
                        current *= unit.get("stride", 1)
            net = collect(outputs_collections, sc.name, net)
    if output_stride is not None and current != output_stride:
        raise ValueError("The target output_stride cannot be reached.")
    return net


def resnet_arg_scope(
    weight_decay: float = 0.0001, batch_norm_decay: float = 0.997, batch_norm_epsilon: float = 1e-5, batch_norm_scale: bool = True
) -> Any:
    settings = {
        "decay": batch_norm_decay,
        "epsilon": batch_norm_epsilon,
        "scale": batch_norm_scale,
        "updates_collections": GraphKeys.UPDATE_OPS,
    }
    with (
        arg_scope(
            [convolution2d],
            weights_regularizer=l2_regularizer(weight_decay),
            weights_initializer=variance_scaling_initializer(),
            activation_fn=tf.nn.relu,
            normalizer_fn=batch_norm,
            normalizer_params=settings,
        ),
        arg_scope([batch_norm], **settings),
        arg_scope([max_pool2d], padding="SAME") as scope,
    ):
        return scope


@add_arg_scope
def bottleneck_v1(
    inputs: Any, depth: int, depth_bottleneck: int, stride: int, rate: int = 1, outputs_collections: Any = None, scope: Any = None
) -> Any:
    with tf.variable_scope(scope, "bottleneck_v1", [inputs]) as sc:
        if depth == last_dimension(inputs.get_shape(), min_rank=4):
            shortcut = subsample(inputs, stride, "shortcut")
        else:
            shortcut = convolution2d(inputs, depth, [1, 1], stride=stride, activation_fn=None, scope="shortcut")
        residual = convolution2d(inputs, depth_bottleneck, [1, 1], stride=1, scope="conv1")
        residual = conv2d_same(residual, depth_bottleneck, 3, stride, rate=rate, scope="conv2")
        residual = convolution2d(residual, depth, [1, 1], stride=1, activation_fn=None, scope="conv3")
        return collect(outputs_collections, sc.name, tf.nn.relu(shortcut + residual))


@add_arg_scope
def bottleneck_v2(
    inputs: Any, depth: int, depth_bottleneck: int, stride: int, rate: int = 1, outputs_collections: Any = None, scope: Any = None
) -> Any:
    with tf.variable_scope(scope, "bottleneck_v2", [inputs]) as sc:
        depth_in = last_dimension(inputs.get_shape(), min_rank=4)
        preact = batch_norm(inputs, activation_fn=tf.nn.relu, scope="preact")
        plain = {"normalizer_fn": None, "activation_fn": None}
        if depth == depth_in:
            shortcut = subsample(inputs, stride, "shortcut")
        else:
            shortcut = convolution2d(preact, depth, [1, 1], stride=stride, scope="shortcut", **plain)
        residual = convolution2d(preact, depth_bottleneck, [1, 1], stride=1, scope="conv1")
        residual = conv2d_same(residual, depth_bottleneck, 3, stride, rate=rate, scope="conv2")
        residual = convolution2d(residual, depth, [1, 1], stride=1, scope="conv3", **plain)
        return collect(outputs_collections, sc.name, shortcut + residual)


def _resnet(version: int, bottleneck: Any) -> Callable[..., Any]:
    name = f"resnet_v{version}"

    def network(
        inputs: Any,
        blocks: Any,
        num_classes: int | None = None,
        is_training: Any = True,
        global_pool: bool = True,
        output_stride: Any = None,
        include_root_block: bool = True,
        reuse: Any = None,
        scope: Any = None,
    ) -> tuple[Any, dict[str, Any]]:
        with tf.variable_scope(scope, name, [inputs], reuse=reuse) as sc:
            collection = f"{sc.original_name_scope}_end_points"
            collected = arg_scope([convolution2d, bottleneck, stack_blocks_dense], outputs_collections=collection)
            with collected, arg_scope([batch_norm], is_training=is_training):
                net = inputs
                if include_root_block:
                    if output_stride is not None:
                        if output_stride % 4 != 0:
                            raise ValueError("The output_stride needs to be a multiple of 4.")
                        output_stride /= 4
                    with arg_scope([convolution2d], **({} if version == 1 else {"activation_fn": None, "normalizer_fn": None})):
                        net = conv2d_same(net, 64, 7, stride=2, scope="conv1")
                    net = max_pool2d(net, [3, 3], stride=2, scope="pool1")
                net = stack_blocks_dense(net, blocks, output_stride)
                if version == 2:
                    net = batch_norm(net, activation_fn=tf.nn.relu, scope="postnorm")
                if global_pool:
                    net = tf.reduce_mean(net, [1, 2], name="pool5", keepdims=True)
                if num_classes is not None:
                    net = convolution2d(net, num_classes, [1, 1], activation_fn=None, normalizer_fn=None, scope="logits")
                end_points = convert_collection_to_dict(collection)
                if num_classes is not None:
                    end_points["predictions"] = softmax(net, scope="predictions")
                return net, end_points

    network.__name__ = name
    network.default_image_size = 224  # type: ignore[attr-defined]
    return network


def _block(bottleneck: Any) -> Callable[..., Block]:
    def block(scope: str, base_depth: int, num_units: int, stride: int) -> Block:
        unit = {"depth": base_depth * 4, "depth_bottleneck": base_depth}
        return Block(scope, bottleneck, [{**unit, "stride": 1}] * (num_units - 1) + [{**unit, "stride": stride}])

    return block


def _sized(name: str, units: tuple[int, ...], network: Any, block: Any) -> Callable[..., Any]:
    def sized(
        inputs: Any,
        num_classes: int | None = None,
        is_training: Any = True,
        global_pool: bool = True,
        output_stride: Any = None,
        reuse: Any = None,
        scope: Any = name,
    ) -> tuple[Any, dict[str, Any]]:
        blocks = [block(f"block{i}", 64 * 2 ** (i - 1), count, 1 if i == 4 else 2) for i, count in enumerate(units, 1)]
        result: tuple[Any, dict[str, Any]] = network(
            inputs, blocks, num_classes, is_training, global_pool, output_stride, include_root_block=True, reuse=reuse, scope=scope
        )
        return result

    sized.__name__ = name
    sized.default_image_size = 224  # type: ignore[attr-defined]
    return sized


def _declare() -> None:
    for home in ("contrib.slim.nets", "contrib.slim.python.slim.nets"):
        for function in (Block, subsample, conv2d_same, stack_blocks_dense, resnet_arg_scope):
            put(f"{home}.resnet_utils.{function.__name__}", function)
        for version, bottleneck in ((1, bottleneck_v1), (2, bottleneck_v2)):
            network, block, prefix = _resnet(version, bottleneck), _block(bottleneck), f"{home}.resnet_v{version}"
            put(f"{prefix}.bottleneck", bottleneck)
            put(f"{prefix}.resnet_arg_scope", resnet_arg_scope)
            put(f"{prefix}.resnet_v{version}", network)
            put(f"{prefix}.resnet_v{version}_block", block)
            for layers, units in UNITS.items():
                put(f"{prefix}.resnet_v{version}_{layers}", _sized(f"resnet_v{version}_{layers}", units, network, block))


_declare()
