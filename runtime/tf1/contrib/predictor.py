"""tf.contrib.predictor: functions from inputs to outputs of exported models and estimators."""

from __future__ import annotations

from typing import Any

from runtime.tf1.estimator.spec import ModeKeys
from runtime.tf1.graph import Graph
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger

DEFAULT = "serving_default"


class Predictor:
    """Feeds named inputs, gives named outputs."""

    _graph: Any
    _session: Any
    _feed_tensors: dict[str, Any]
    _fetch_tensors: dict[str, Any]

    @property
    def graph(self) -> Any:
        return self._graph

    @property
    def session(self) -> Any:
        return self._session

    @property
    def feed_tensors(self) -> dict[str, Any]:
        return self._feed_tensors

    @property
    def fetch_tensors(self) -> dict[str, Any]:
        return self._fetch_tensors

    def __repr__(self) -> str:
        return f"{type(self).__name__} with feed tensors {self._feed_tensors} and fetch_tensors {self._fetch_tensors}"

    def __call__(self, input_dict: dict[str, Any]) -> dict[str, Any]:
        unexpected = set(input_dict) - set(self._feed_tensors)
        if unexpected:
            raise ValueError(f"Got unexpected keys in input_dict: {unexpected}\nexpected: {set(self._feed_tensors)}")
        fed = {t: input_dict[k] for k, t in self._feed_tensors.items() if input_dict.get(k) is not None}
        found: dict[str, Any] = self._session.run(self._fetch_tensors, feed_dict=fed)
        return found


class SavedModelPredictor(Predictor):
    def __init__(
        self, export_dir: Any, signature_def_key: str | None = None, signature_def: Any = None, input_names: Any = None, output_names: Any = None,
        tags: str | None = None, graph: Any = None, config: Any = None,
    ) -> None:  # fmt: skip
        if (input_names is None) != (output_names is None):
            raise ValueError("input_names and output_names must both be specified or both be unspecified.")
        if sum(x is not None for x in (signature_def_key, signature_def, input_names)) > 1:
            raise ValueError("You must specify at most one of signature_def_key OR signature_def OR(input_names AND output_names).")
        self._graph = graph or Graph()
        with self._graph.as_default():
            self._session = lookup("Session")(config=config)
            meta = lookup("saved_model.loader.load")(self._session, [t.strip() for t in (tags or "serve").split(",")], export_dir)
        if input_names is None:
            signature_def = signature_def or _signature(meta, signature_def_key or DEFAULT)
            input_names = {k: v.name for k, v in signature_def.inputs.items()}
            output_names = {k: v.name for k, v in signature_def.outputs.items()}
        self._feed_tensors = {k: self._graph.get_tensor_by_name(v) for k, v in input_names.items()}
        self._fetch_tensors = {k: self._graph.get_tensor_by_name(v) for k, v in output_names.items()}


def _signature(meta: Any, key: str) -> Any:
    known = dict(meta.signature_def)
    if key in known:
        return known[key]
    other = f"default_input_alternative:{key}"
    if other not in known:
        raise ValueError(f'Got signature_def_key "{key}". Available signatures are {list(known)}.')
    get_logger().warning('Could not find signature def "%s". Using "%s" instead', key, other)
    return known[other]


class EstimatorPredictor(Predictor):
    """An estimator's model at its newest checkpoint."""

    def __init__(self, estimator: Any, serving_input_receiver_fn: Any, output_key: str | None, graph: Any, config: Any) -> None:
        self._graph = graph or Graph()
        with self._graph.as_default():
            lookup("train.create_global_step")()
            receiver = serving_input_receiver_fn()
            spec = estimator.model_fn(receiver.features, None, ModeKeys.PREDICT, estimator.config)
            scaffold = spec.scaffold or lookup("train.Scaffold")()
            creator = lookup("train.ChiefSessionCreator")(
                scaffold=scaffold, checkpoint_filename_with_path=estimator.latest_checkpoint(), config=config
            )
            self._session = lookup("train.MonitoredSession")(session_creator=creator)
        self._feed_tensors = receiver.receiver_tensors
        outputs = spec.export_outputs
        key = output_key or DEFAULT
        if outputs is None or key not in outputs:
            raise KeyError(f"output_key must be one of {list(outputs or ())}; got {key}")
        self._fetch_tensors = outputs[key].outputs()


@export("contrib.predictor.from_saved_model")
def from_saved_model(
    export_dir: Any, signature_def_key: str | None = None, signature_def: Any = None, input_names: Any = None, output_names: Any = None, tags: str | None = None,
    graph: Any = None, config: Any = None,
) -> SavedModelPredictor:  # fmt: skip
    return SavedModelPredictor(export_dir, signature_def_key, signature_def, input_names, output_names, tags, graph, config)


@export("contrib.predictor.from_estimator")
def from_estimator(
    estimator: Any, serving_input_receiver_fn: Any, output_key: str | None = None, graph: Any = None, config: Any = None
) -> EstimatorPredictor:
    if not isinstance(estimator, lookup("estimator.Estimator")):
        raise TypeError(
            f"Expected estimator to be of type tf.estimator.Estimator, but got type {type(estimator)}. You likely want to use from_contrib_estimator instead."
        )
    return EstimatorPredictor(estimator, serving_input_receiver_fn, output_key, graph, config)
