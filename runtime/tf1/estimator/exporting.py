"""Estimators as SavedModels for serving."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any

from graphtools import graph as base
from runtime.tf1.client import Session
from runtime.tf1.estimator.spec import CLASSIFY_METHOD, REGRESS_METHOD, ExportOutput, ModeKeys, PredictOutput, session_config
from runtime.tf1.graph import Graph, GraphKeys
from runtime.tf1.modules import lookup
from runtime.tf1.random_ops import set_random_seed
from runtime.tf1.train.training_util import create_global_step

DEFAULT = "serving_default"


def _signatures(receiver: Any, outputs: dict[str, Any]) -> dict[str, Any]:
    """The signatures of a served model; the default one is the only one, or the one that is named so."""
    inputs = receiver if isinstance(receiver, dict) else {"input": receiver}
    info, make = lookup("saved_model.build_tensor_info"), lookup("saved_model.build_signature_def")
    if not isinstance(outputs, dict):
        raise TypeError(f"export_outputs must be a dict, given: {outputs}")
    for name, output in outputs.items():
        if not isinstance(output, ExportOutput):
            raise TypeError(f"Values in export_outputs must be ExportOutput objects. export_outputs[{name!r}] is {output!r}.")
    if DEFAULT not in outputs:
        if len(outputs) > 1:
            raise ValueError(
                f"Multiple export_outputs were provided, but none of them is specified as the default. Do this by naming one of them {DEFAULT!r}."
            )
        outputs = {**outputs, DEFAULT: next(iter(outputs.values()))}
    made = {}
    for name, output in outputs.items():
        given = inputs
        if output.method in (CLASSIFY_METHOD, REGRESS_METHOD):
            # only serialized examples can be classified: a lone string input is them
            if len(inputs) != 1 or next(iter(inputs.values())).dtype.name != "string":
                continue
            given = {"inputs": next(iter(inputs.values()))}
        tensors = output.outputs()
        made[name] = make({k: info(v) for k, v in given.items()}, {k: info(v) for k, v in tensors.items()}, output.method)
    return made


def _folder(parent: str) -> str:
    """A new folder named by the seconds since 1970."""
    stamp = int(time.time())
    while os.path.exists(os.path.join(parent, str(stamp))):
        stamp += 1
    return os.path.join(parent, str(stamp))


def export_model(
    estimator: Any,
    export_dir_base: Any,
    serving_input_receiver_fn: Any,
    assets_extra: Any,
    as_text: bool,
    checkpoint_path: str | None,
    mode: str,
) -> bytes:
    """Write a SavedModel with the values of a checkpoint."""
    if mode != ModeKeys.PREDICT:
        raise NotImplementedError("Estimator.export_saved_model exports the model for serving only (mode tf.estimator.ModeKeys.PREDICT).")
    path = checkpoint_path or estimator.latest_checkpoint()
    if not path:
        raise ValueError(f"Couldn't find trained model at {estimator.model_dir}.")
    parent = os.fspath(export_dir_base)
    parent = parent.decode() if isinstance(parent, bytes) else parent
    os.makedirs(parent, exist_ok=True)
    folder = _folder(parent)
    unfinished = os.path.join(parent, f"temp-{os.path.basename(folder)}")
    builder = lookup("saved_model.Builder")(unfinished)
    with Graph().as_default() as graph:
        create_global_step(graph)
        set_random_seed(estimator.config.tf_random_seed)
        receiver = serving_input_receiver_fn()
        spec = estimator._call_model_fn(receiver.features, getattr(receiver, "labels", None), mode, estimator.config)
        outputs = spec.export_outputs
        if outputs is None:
            outputs = {DEFAULT: PredictOutput(spec.predictions)}
        if not isinstance(receiver.receiver_tensors, dict | base.Tensor):
            raise ValueError(f"receiver_tensors must be a tensor or a dict of them, given: {receiver.receiver_tensors!r}")
        signatures = _signatures(receiver.receiver_tensors, outputs)
        with Session(config=session_config(estimator.config)) as session:
            initialize = spec.scaffold.local_init_op
            if initialize is None:
                initialize = lookup("train.Scaffold").default_local_init_op()
            saver = spec.scaffold.saver or lookup("train.Saver")(sharded=True)
            saver.restore(session, path)
            builder.add_meta_graph_and_variables(
                session, ["serve"], signature_def_map=signatures, assets_collection=graph.get_collection(GraphKeys.ASSET_FILEPATHS), main_op=initialize,
                saver=saver,
            )  # fmt: skip
    builder.save(as_text)
    for relative, source in (assets_extra or {}).items():
        target = os.path.join(unfinished, "assets.extra", relative)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)
    os.rename(unfinished, folder)
    return folder.encode()
