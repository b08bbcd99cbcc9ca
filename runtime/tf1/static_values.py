"""What TensorFlow's Python layer knows of a tensor's value: less than graphtools.constant does, and graphs depend on how much."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools import constant, graph

# Ops that tf.get_static_value looks through in 1.15; those that need only a static shape are not looked through further.
FROM_SHAPE = frozenset({"Rank", "Shape", "Size"})
THROUGH = frozenset({"Cast", "Concat", "ConcatV2", "Const", "Equal", "Fill", "NotEqual", "Pack", "Range"})


def constant_value(tensor: Any) -> np.ndarray[Any, Any] | None:
    """The value of a tensor where 1.15's tensor_util.constant_value gives one."""
    if not isinstance(tensor, graph.Tensor):
        return np.asarray(tensor) if isinstance(tensor, np.ndarray | np.generic) else None
    return constant.constant(tensor) if _is_looked_through(tensor, 0) else None


def _is_looked_through(tensor: graph.Tensor, depth: int) -> bool:
    if tensor.node.op in FROM_SHAPE:
        return True
    return tensor.node.op in THROUGH and depth < 50 and all(_is_looked_through(t, depth + 1) for t in tensor.node.inputs)
