"""Names of tf.contrib under another module than the one that exports them."""

from __future__ import annotations

from typing import Any

from runtime.tf1.registry import EXPORTS

# Folder inside contrib -> the public module it stands for; "" is left out.
FOLDERS = {"data": "", "estimators": "", "learn_io": "io", "python": "", "session_run_hook": "train"}
# Module that contrib modules import, and that is seen through them -> where its names are.
IMPORTED = {
    "compat": ("compat",), "queue_runner": ("train",), "signature_constants": ("saved_model.signature_constants",),
    "signature_def_utils": ("saved_model.signature_def_utils", "saved_model"), "utils": ("python.layers.utils",),
}  # fmt: skip
# Name that is imported from elsewhere, whatever the module -> where it is.
ANYWHERE = {
    "constant_value": "contrib.util.constant_value", "core_numpy_input_fn": "estimator.inputs.numpy_input_fn",
    "core_pandas_input_fn": "estimator.inputs.pandas_input_fn", "deprecated": "contrib.framework.deprecated",
    "experimental": "contrib.framework.deprecated",
}  # fmt: skip


def tf_export(*names: str, **kwargs: Any) -> Any:
    """TensorFlow's decorator of public names: nothing to do here."""
    return lambda target: target


def _candidates(name: str) -> list[str]:
    """`contrib.learn.python.learn.estimators.dnn.X` is maybe `contrib.learn.dnn.X` or `contrib.learn.X`."""
    parts = name.split(".")
    family, tail = parts[1], parts[-1]
    middle = [FOLDERS.get(p, p) for p in parts[2:-1]]
    kept = [p for p in middle if p and p != family]
    paths = [kept[i:] for i in range(len(kept) + 1)] + [kept[:i] for i in range(len(kept))]
    if "ops" in kept:
        bare = [p for p in kept if p != "ops"]
        paths += [["ops"], *(bare[i:] for i in range(len(bare) + 1))]
    if "io" in kept:
        paths.append(["io"])
    return list(dict.fromkeys(".".join(["contrib", family, *path, tail]) for path in paths))


def elsewhere(name: str) -> Any:
    """The object of a name below `contrib`, found in another of its modules; None if it is in none."""
    from runtime.tf1 import modules

    parts = name.split(".")
    if len(parts) < 4:
        return None
    tail = parts[-1]
    if tail == "tf_export":
        return tf_export
    if tail in ANYWHERE:
        return modules.lookup(ANYWHERE[tail])
    for home in IMPORTED.get(parts[-2], ()):
        found = modules.lookup(f"{home}.{tail}")
        if found is not None and not isinstance(found, modules.Unsupported):
            return found
    shared = [f"contrib.{'.'.join(parts[2:])}"] if parts[1] == "slim" else []  # slim shows contrib.losses, contrib.layers and others
    for candidate in [*_candidates(name), *shared]:
        if candidate != name:
            modules._load_for(candidate)
            if candidate in EXPORTS:
                return EXPORTS[candidate]
    return None


def is_module(name: str) -> bool:
    """Whether a private path below `contrib` stands for a module of the API, or for one that something is exported from."""
    from runtime.tf1 import modules

    parts = name.split(".")
    if "python" not in parts:
        return False
    if all(not FOLDERS.get(p, p) or p == parts[1] for p in parts[2:]):
        return True
    if any(c in modules._modules() for c in _candidates(name)):
        return True
    modules._load_for(name)
    return any(n.startswith(f"{name}.") for n in EXPORTS)
