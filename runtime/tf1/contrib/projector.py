"""tf.contrib.tensorboard.plugins.projector: what TensorBoard shows of embeddings."""

from __future__ import annotations

import os
from typing import Any

from google.protobuf import text_format

from graphtools.formats import schema
from runtime.tf1.registry import export, put

for _name in ("EmbeddingInfo", "ProjectorConfig", "SpriteMetadata"):
    put(f"contrib.tensorboard.plugins.projector.{_name}", schema.message(_name))


@export("contrib.tensorboard.plugins.projector.visualize_embeddings")
def visualize_embeddings(summary_writer: Any, config: Any) -> None:
    """Write the projector's configuration beside the events of a writer."""
    folder = summary_writer.get_logdir()
    if folder is None:
        raise ValueError("Summary writer must have a logdir")
    with open(os.path.join(folder, "projector_config.pbtxt"), "w") as f:
        f.write(text_format.MessageToString(config))
