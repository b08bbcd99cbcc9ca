"""tf.contrib.slim: the names of contrib.layers and contrib.framework in one place."""

from __future__ import annotations

from migrate import symbols
from runtime.tf1.contrib import (
    arg_scope,
    batch_norm,
    feature_column_ops,
    feature_columns,
    framework_tensors,
    layer_training,
    layers,
    losses,
    metrics,
    normalization,
    regularizers,
    scattered_embeddings,
    training,
    variables,
)
from runtime.tf1.registry import EXPORTS, put

# The modules whose exports slim repeats; importing them is what registers the names.
PARTS = (
    arg_scope,
    batch_norm,
    feature_column_ops,
    feature_columns,
    framework_tensors,
    layer_training,
    layers,
    losses,
    metrics,
    normalization,
    regularizers,
    scattered_embeddings,
    training,
    variables,
)


def _repeat() -> None:
    """Export each slim name that is one of contrib.layers or contrib.framework."""
    for name in symbols.names("1.15.5"):
        if not name.startswith("tf.contrib.slim."):
            continue
        path = name.removeprefix("tf.")
        tail = path.rpartition(".")[2]
        if path in EXPORTS:
            continue
        for home in ("contrib.layers", "contrib.framework"):
            if f"{home}.{tail}" in EXPORTS:
                put(path, EXPORTS[f"{home}.{tail}"])
                break


_repeat()
