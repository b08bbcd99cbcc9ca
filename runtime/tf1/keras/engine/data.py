"""Training data as arrays that fit a model."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from graphtools import graph as base
from runtime.tf1.keras import backend as K
from runtime.tf1.keras import losses


def is_generator(x: Any) -> bool:
    return inspect.isgenerator(x) or is_sequence(x) or (hasattr(x, "__next__") and not hasattr(x, "get_next"))


def is_sequence(x: Any) -> bool:
    from runtime.tf1.keras.data_utils import Sequence

    return isinstance(x, Sequence)


def is_dataset(x: Any) -> bool:
    return hasattr(x, "make_one_shot_iterator") or hasattr(x, "get_next")


def _array(value: Any) -> Any:
    if value is None or hasattr(value, "tocoo"):
        return value
    if type(value).__name__ in ("DataFrame", "Series"):
        value = value.values
    value = value if hasattr(value, "shape") else np.asarray(value)
    if value.ndim == 1:
        value = np.expand_dims(value, 1)
    return value


def listed(given: Any, names: list[str], what: str) -> list[Any]:
    """Data by position or name as a list in the order of `names`."""
    if not names:
        return []
    if given is None:
        return [None] * len(names)
    if isinstance(given, dict):
        missing = [n for n in names if n not in given]
        if missing:
            raise ValueError(f'No data provided for "{missing[0]}". Need data for each key in: {names}')
        return [_array(given[n]) for n in names]
    if isinstance(given, list | tuple):
        if (given and all(np.ndim(g) == 0 for g in given)) or (
            len(names) == 1 and len(given) != 1 and all(not isinstance(g, np.ndarray) or g.ndim < 2 for g in given)
        ):
            given = [np.asarray(given)]
        elif len(names) == 1 and len(given) == 1 and not hasattr(given[0], "shape") and np.ndim(given) > 1:
            given = [np.asarray(given[0]) if np.ndim(given[0]) > 1 else np.asarray(given)]
        values = [_array(g) for g in given]
    else:
        values = [_array(given)]
    if len(values) != len(names):
        if values and hasattr(values[0], "shape"):
            raise ValueError(
                f"Error when checking model {what}: the list of Numpy arrays that you are passing to your model is not the size the model expected. Expected to see {len(names)} array(s), "
                f"but instead got the following list of {len(values)} arrays: {str(values)[:200]}..."
            )
        raise ValueError(
            f"Error when checking model {what}: data should be a Numpy array, or list/dict of Numpy arrays. Found: {str(given)[:200]}..."
        )
    return values


def _check_shapes(values: list[Any], names: list[str], shapes: list[Any], what: str) -> None:
    for value, name, shape in zip(values, names, shapes, strict=True):
        if value is None or shape is None or isinstance(value, base.Tensor):
            continue
        found = value.shape
        if len(found) != len(shape):
            raise ValueError(
                f"Error when checking {what}: expected {name} to have {len(shape)} dimensions, but got array with shape {tuple(found)}"
            )
        for wanted, dim in zip(shape[1:], found[1:], strict=True):
            if wanted is not None and wanted != dim:
                raise ValueError(
                    f"Error when checking {what}: expected {name} to have shape {tuple(shape[1:])} but got array with shape {tuple(found[1:])}"
                )


def standardize(
    model: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any, check_size: bool = True
) -> tuple[list[Any], list[Any], list[Any]]:
    """(inputs, targets, sample weights) to feed; sample weights only for the outputs that have any."""
    inputs = listed(x, model._feed_input_names, "input")
    _check_shapes(inputs, model._feed_input_names, model._feed_input_shapes, "input")
    if y is None or not model._is_compiled:
        _same_length(inputs, [], check_size)
        return inputs, [], []
    if not model._finished:
        model._finish_compile()
    names = [model.output_names[i] for i in model._feed_outputs]
    targets = listed(y, names, "target")
    shapes = []
    for i in model._feed_outputs:
        shape = K.int_shape(model.outputs[i])
        fn = getattr(model._losses_of[i], "fn", None)
        if fn is losses.sparse_categorical_crossentropy:
            shapes.append((*shape[:-1], 1))
        elif fn is None or fn not in losses.LOSSES.values():
            shapes.append(None)
        else:
            shapes.append(shape)
    if model._target_tensors is None:
        _check_shapes(
            [
                t if s is None or len(s) != 3 or t is None or t.ndim != 2 or s[-1] != 1 else t[..., None]
                for t, s in zip(targets, shapes, strict=True)
            ],
            names,
            shapes,
            "target",
        )
        for position, i in enumerate(model._feed_outputs):
            _check_categories(model, i, targets[position])
            wanted = len(K.int_shape(model.outputs[i]))
            if targets[position] is not None and targets[position].ndim == wanted - 1 and shapes[position] is not None:
                targets[position] = targets[position][..., None]
    weights_given = _weights_by_output(sample_weight, model, "sample_weight")
    classes = _weights_by_output(class_weight, model, "class_weight") if class_weight is not None else [None] * len(model.output_names)
    wanted = tuple(w is not None or c is not None for w, c in zip(weights_given, classes, strict=True))
    both = tuple(a or b for a, b in zip(wanted, model._weighted_outputs, strict=True))
    if both != model._weighted_outputs:
        model._weigh(both)
    feeds = []
    for i, (needed, w, c) in enumerate(zip(both, weights_given, classes, strict=True)):
        if needed:
            target = targets[model._feed_outputs.index(i)]
            feeds.append(_sample_weights(target, w, c, model._weight_modes[i]))
    _same_length(inputs, targets, check_size)
    if check_size and model.stateful and inputs and inputs[0] is not None:
        size = model._feed_input_shapes[0][0]
        if size and inputs[0].shape[0] % size:
            raise ValueError(
                f"In a stateful network, you should only pass inputs with a number of samples that can be divided by the batch size. Found: {inputs[0].shape[0]} samples"
            )
    return inputs, targets, feeds


def _check_categories(model: Any, i: int, target: Any) -> None:
    """categorical_crossentropy with integer labels is a frequent mistake."""
    if getattr(model._losses_of[i], "fn", None) is losses.categorical_crossentropy and target is not None and target.shape[-1] == 1:
        raise ValueError(
            f"You are passing a target array of shape {target.shape} while using as loss `categorical_crossentropy`. `categorical_crossentropy` expects targets to be binary matrices (1s and 0s) of "
            "shape (samples, classes). If your targets are integer classes, you can convert them to the expected format via:\n```\nfrom keras.utils import to_categorical\n"
            "y_binary = to_categorical(y_int)\n```\n\nAlternatively, you can use the loss function `sparse_categorical_crossentropy` instead, which does expect integer targets."
        )


def _weights_by_output(given: Any, model: Any, what: str) -> list[Any]:
    names = model.output_names
    if given is None:
        return [None] * len(names)
    if len(names) == 1:
        if isinstance(given, list | tuple) and len(given) == 1 and np.ndim(given[0]) > 0:
            return [given[0]]
        if isinstance(given, dict) and names[0] in given:
            return [given[names[0]]]
        return [given]
    if isinstance(given, list | tuple) and len(given) == len(names):
        return list(given)
    if isinstance(given, dict):
        return [given.get(n) for n in names]
    raise TypeError(
        f"The model has multiple outputs, so `{what}` should be either a list or a dict. Provided `{what}` type not understood: {given}"
    )


def _sample_weights(y: Any, sample_weight: Any, class_weight: Any, mode: Any) -> Any:
    """Weights of samples: given ones times those of their classes."""
    found = None
    if sample_weight is not None:
        found = np.asarray(sample_weight)
        if mode != "temporal" and found.ndim != 1:
            raise ValueError(
                f'Found a sample_weight array with shape {found.shape}. In order to use timestep-wise sample weights, you should specify sample_weight_mode="temporal" in compile().'
            )
        if y is not None and (found.ndim > y.ndim or y.shape[: found.ndim] != found.shape):
            raise ValueError(
                f"Found a sample_weight array with shape {found.shape} for an input with shape {y.shape}. sample_weight cannot be broadcast."
            )
    if isinstance(class_weight, dict):
        if y.ndim > 2:
            raise ValueError("`class_weight` not supported for 3+ dimensional targets.")
        labels = np.argmax(y, axis=1) if y.ndim == 2 and y.shape[1] > 1 else np.reshape(y, y.shape[0])
        missing = sorted({int(c) for c in labels} - set(class_weight))
        if missing:
            raise ValueError(
                f"`class_weight` must contain all classes in the data. The classes {set(missing)} exist in the data but not in `class_weight`."
            )
        per_class = np.asarray([class_weight[int(c)] for c in labels])
        found = per_class if found is None else found * per_class
    if found is None:
        found = np.ones((y.shape[0],) if mode != "temporal" else y.shape[:2], dtype=K.floatx())
    return found


def _same_length(inputs: list[Any], targets: list[Any], check: bool) -> None:
    sizes = {v.shape[0] for v in inputs if v is not None and not isinstance(v, base.Tensor)}
    target_sizes = {v.shape[0] for v in targets if v is not None and not isinstance(v, base.Tensor)}
    if len(sizes) > 1:
        raise ValueError(f"All input arrays (x) should have the same number of samples. Got array shapes: {[v.shape for v in inputs]}")
    if len(target_sizes) > 1:
        raise ValueError(f"All target arrays (y) should have the same number of samples. Got array shapes: {[v.shape for v in targets]}")
    if sizes and target_sizes and sizes != target_sizes:
        raise ValueError(
            f"Input arrays should have the same number of samples as target arrays. Found {next(iter(sizes))} input samples and {next(iter(target_sizes))} target samples."
        )


def rows(arrays: list[Any], index: Any) -> list[Any]:
    """The chosen samples of each array."""
    if isinstance(index, slice):
        return [None if a is None else a[index] for a in arrays]
    return [None if a is None else a[sorted(index)] if type(a).__name__ in ("HDF5Matrix", "Dataset") else a[index] for a in arrays]
