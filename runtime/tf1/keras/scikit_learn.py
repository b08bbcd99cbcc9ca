"""tf.keras.wrappers.scikit_learn: models as estimators of scikit-learn."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np

from runtime.tf1.keras.data_utils import to_categorical
from runtime.tf1.keras.engine.sequential import Sequential
from runtime.tf1.registry import export


class Estimator:
    """Builds a model by a function and trains it; its parameters are those of both."""

    def __init__(self, build_fn: Any = None, **sk_params: Any) -> None:
        self.build_fn, self.sk_params = build_fn, sk_params

    def get_params(self, **unused: Any) -> dict[str, Any]:
        return {**copy.deepcopy(self.sk_params), "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Any:
        self.sk_params.update(params)
        return self

    def _arguments(self, function: Any, given: dict[str, Any] | None = None) -> dict[str, Any]:
        names = inspect.signature(function).parameters
        return {**{k: v for k, v in self.sk_params.items() if k in names}, **(given or {})}

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        build = self.build_fn if self.build_fn is not None else self.__call__  # type: ignore[operator]
        self.model = build(**self._arguments(build))
        loss = self.model.loss.__name__ if callable(self.model.loss) else self.model.loss
        if loss == "categorical_crossentropy" and len(np.shape(y)) != 2:
            y = to_categorical(y)
        return self.model.fit(x, y, **self._arguments(Sequential.fit, kwargs))


@export("keras.wrappers.scikit_learn.KerasClassifier")
class KerasClassifier(Estimator):
    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        y = np.array(y)
        if len(y.shape) == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        elif (len(y.shape) == 2 and y.shape[1] == 1) or len(y.shape) == 1:
            self.classes_ = np.unique(y)
            y = np.searchsorted(self.classes_, y)
        else:
            raise ValueError(f"Invalid shape for y: {y.shape}")
        self.n_classes_ = len(self.classes_)
        return super().fit(x, y, **kwargs)

    def predict(self, x: Any, **kwargs: Any) -> Any:
        return self.classes_[self.model.predict_classes(x, **self._arguments(Sequential.predict_classes, kwargs))]

    def predict_proba(self, x: Any, **kwargs: Any) -> Any:
        found = self.model.predict(x, **self._arguments(Sequential.predict_classes, kwargs))
        return np.hstack([1 - found, found]) if found.shape[1] == 1 else found

    def score(self, x: Any, y: Any, **kwargs: Any) -> Any:
        y = np.searchsorted(self.classes_, y)
        loss = self.model.loss.__name__ if callable(self.model.loss) else self.model.loss
        if loss == "categorical_crossentropy" and len(y.shape) != 2:
            y = to_categorical(y)
        outputs = self.model.evaluate(x, y, **self._arguments(Sequential.evaluate, kwargs))
        for name, output in zip(self.model.metrics_names, outputs if isinstance(outputs, list) else [outputs], strict=False):
            if name in ("accuracy", "acc"):
                return output
        raise ValueError(
            'The model is not configured to compute accuracy. You should pass `metrics=["accuracy"]` to the `model.compile()` method.'
        )


@export("keras.wrappers.scikit_learn.KerasRegressor")
class KerasRegressor(Estimator):
    def predict(self, x: Any, **kwargs: Any) -> Any:
        return np.squeeze(self.model.predict(x, **self._arguments(Sequential.predict, kwargs)))

    def score(self, x: Any, y: Any, **kwargs: Any) -> Any:
        loss = self.model.evaluate(x, y, **self._arguments(Sequential.evaluate, kwargs))
        return -loss[0] if isinstance(loss, list) else -loss
