"""Private and bundled paths that code of the time imports, and what is behind them."""

from __future__ import annotations

from typing import Any

from graphtools.formats import schema
from runtime.tf1.registry import EXPORTS

# Modules of the tensorflow package that are no part of its public API and that the stand-in has, by path below `tensorflow`.
MODULES = frozenset(
    {
        "core.framework.graph_pb2", "core.framework.summary_pb2", "core.framework.node_def_pb2", "core.framework.attr_value_pb2", "core.framework.tensor_shape_pb2",
        "core.framework.tensor_pb2", "core.framework.types_pb2", "core.protobuf.config_pb2", "core.protobuf.meta_graph_pb2", "core.protobuf.saver_pb2", "core.util.event_pb2",
        "examples.tutorials.mnist.input_data", "examples.tutorials.mnist", "python.client.device_lib", "python.client.timeline", "python.client.session",
        "python.framework.ops", "python.framework.dtypes", "python.framework.graph_util", "python.framework.tensor_shape", "python.framework.tensor_util",
        "python.framework.constant_op", "python.framework.random_seed", "python.framework.function", "python.framework.graph_io", "python.framework.errors", "python.framework.importer",
        "python.layers", "python.ops", "python.platform", "python.platform.gfile", "python.platform.flags", "python.platform.app", "python.platform.test", "python.platform.tf_logging",
        "python.training", "python.training.moving_averages", "python.util", "python.util.nest", "python.debug", "python.debug.cli_shared", "python.saved_model", "python.summary", "python.tools", "python.tools.freeze_graph",
        "contrib.image.python.ops.distort_image_ops", "contrib.opt.python.training.sign_decay", "contrib.opt.python.training.matrix_functions",
        "contrib.slim.nets.vgg", "contrib.slim.nets.alexnet", "contrib.slim.nets.overfeat", "contrib.slim.nets.resnet_utils", "contrib.slim.nets.resnet_v1", "contrib.slim.nets.resnet_v2", "contrib.slim.nets.inception", "contrib.slim.nets.inception_v1", "contrib.slim.nets.inception_v2", "contrib.slim.nets.inception_v3",
        "contrib.slim.python.slim.nets.vgg", "contrib.slim.python.slim.nets.alexnet", "contrib.slim.python.slim.nets.overfeat", "contrib.slim.python.slim.nets.resnet_utils", "contrib.slim.python.slim.nets.resnet_v1", "contrib.slim.python.slim.nets.resnet_v2", "contrib.slim.python.slim.nets.inception", "contrib.slim.python.slim.nets.inception_v1", "contrib.slim.python.slim.nets.inception_v2", "contrib.slim.python.slim.nets.inception_v3",
    }
)  # fmt: skip


# Modules whose names that are no part of the public API libraries of the time use -> the module of this package that exports them.
INTERNALS = {
    "python.client.session": "internals",
    "python.eager.context": "internals",
    "python.framework.constant_op": "internals",
    "python.debug.lib.debug_data": "internals",
    "python.debug.wrappers.hooks": "internals",
    "python.framework.function": "defun",
    "python.framework.ops": "internals",
    "python.framework.tensor_shape": "internals",
    "python.keras.backend": "keras.backend",
    "python.keras.utils.tf_utils": "internal_ops",
    "python.layers.utils": "internal_ops",
    "python.lib.io.file_io": "introspection",
    "python.ops.array_ops": "internal_ops",
    "python.ops.confusion_matrix": "internal_ops",
    "python.ops.control_flow_ops": "internal_ops",
    "python.ops.control_flow_util": "internal_ops",
    "python.ops.gradients_impl": "internal_ops",
    "python.ops.init_ops": "internal_ops",
    "python.ops.math_ops": "internal_ops",
    "python.ops.metrics_impl": "internal_ops",
    "python.ops.resource_variable_ops": "internal_ops",
    "python.ops.resources": "internal_ops",
    "python.ops.rnn_cell_impl": "internal_ops",
    "python.ops.standard_ops": "internal_ops",
    "python.ops.variable_scope": "internal_ops",
    "python.ops.weights_broadcast_ops": "internal_ops",
    "python.tf2": "internals",
    "python.training.evaluation": "internal_training",
    "python.util.all_util": "internals",
    "python.util.compat": "introspection",
    "python.util.deprecation": "introspection",
    "python.util.nest": "introspection",
    "python.util.tf_contextlib": "introspection",
    "python.util.tf_decorator": "introspection",
    "python.util.tf_inspect": "introspection",
}


def lookup(name: str) -> Any:
    """The object behind a private path: the one of the same final name that the stand-in exports for a public or raw-op name, else None."""
    from runtime.tf1 import gen_ops, modules

    parts = name.split(".")
    tail = parts[-1]
    if parts[0] == "core" and parts[-2].endswith("_pb2"):
        try:
            return schema.message(tail)
        except KeyError:
            return None
    if len(parts) > 2 and parts[-2].startswith("gen_") and not tail.startswith("_"):
        op_type = gen_ops._by_snake().get(tail)
        if op_type is not None:
            return gen_ops.generated(op_type)
    for prefix in SEARCH.get(".".join(parts[:-1]), ()):
        found = modules.lookup(f"{prefix}.{tail}" if prefix else tail)
        if found is not None:
            return found
    if parts[0] != "python" or len(parts) < 3:
        return None
    if tail in EXPORTS:
        return EXPORTS[tail]
    op_type = gen_ops._by_snake().get(tail)
    if op_type is not None and not tail.startswith("_"):
        return gen_ops.generated(op_type)  # modules of ops import the generated functions into themselves
    beside = ".".join([*parts[:-2], tail])  # and one another
    return modules.module(beside) if modules.is_module(beside) else None


# Private module -> the API modules that are searched for its names, in order.
SEARCH: dict[str, tuple[str, ...]] = {
    "python": ("",),
    "python.client.session": ("",),
    "python.framework.dtypes": ("",),
    "python.framework.ops": ("",),
    "python.ops.array_ops": ("", "manip"),
    "python.ops.control_flow_ops": ("",),
    "python.ops.math_ops": ("", "math"),
    "python.ops.nn": ("nn",),
    "python.ops.nn_ops": ("nn",),
    "python.ops.rnn": ("nn",),
    "python.ops.rnn_cell": ("nn.rnn_cell", "contrib.rnn"),
    "python.ops.rnn_cell_impl": ("nn.rnn_cell", "contrib.rnn"),
    "python.ops.variable_scope": ("",),
    "python.platform.gfile": ("gfile",),
    "python.platform.flags": ("flags",),
    "python.platform.app": ("app",),
    "python.platform.test": ("test",),
    "python.platform.tf_logging": ("logging",),
}
