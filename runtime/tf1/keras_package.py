"""The `keras` that a script imports where none of its time is installed: tf.keras of TensorFlow 1.15, under the paths of Keras 1 and 2."""

from __future__ import annotations

import contextlib
import functools
import importlib.abc
import re
import sys
import types
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from runtime.tf1 import keras_arguments, modules

# Last Keras that ran on TensorFlow 1 by itself: later ones are TensorFlow 2's, or Keras 3.
_OF_THE_TIME = re.compile(r"""^__version__\s*=\s*['"](?:0|1|2\.[0-3])\.""", re.M)

# Path below `keras` -> the modules of tf.keras whose names it has; a path that is not here is that of tf.keras, or of its parent.
PLACES = {
    "backend.tensorflow_backend": ("backend",),
    "engine": ("layers", "models", ""),
    "initializations": ("initializers",),
    "legacy": (),
    "models": ("models", "layers"),
    "objectives": ("losses",),
    "utils.data_utils": ("utils",),
    "utils.generic_utils": ("utils",),
    "utils.io_utils": ("utils",),
    "utils.np_utils": ("utils",),
    "utils.training_utils": ("utils",),
    "utils.vis_utils": ("utils",),
    "utils.visualize_util": ("utils",),
}

# Names of Keras 1 -> what they are in Keras 2.
RENAMED = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "plot": "plot_model",
}


class Module(types.ModuleType):
    """One module of the package; its names are those of modules of tf.keras."""

    def __init__(self, name: str, places: Sequence[str]) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self.__file__ = f"<tfrevive>/{name.replace('.', '/')}"
        self._places = places

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name != "__version__":
            raise AttributeError(name)
        for place in self._places:
            for spelled in (name, *([RENAMED[name]] if name in RENAMED else [])):
                found = modules.lookup(f"keras.{place}.{spelled}" if place else f"keras.{spelled}")
                if isinstance(found, types.ModuleType):
                    found = importlib.import_module(f"{self.__name__}.{name}")
                if isinstance(found, type) and found.__name__ in keras_arguments.RENAMED:
                    found = keras_arguments.accepting(found)
                if found is not None:
                    setattr(self, name, found)
                    return found
        try:
            return importlib.import_module(f"{self.__name__}.{name}")
        except ImportError:
            raise AttributeError(
                f"module {self.__name__!r} has no attribute {name!r}: this is tf.keras of TensorFlow 1.15, since no Keras of the script's time is installed"
                " (pip install --no-deps keras==2.2.4 brings it)"
            ) from None

    def __dir__(self) -> list[str]:
        return sorted({n for place in self._places for n in dir(modules.module(f"keras.{place}" if place else "keras"))})


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `keras` and what is below it."""

    @functools.cached_property
    def stands_aside(self) -> bool:
        """Whether a Keras of the time can be imported."""
        spec = PathFinder.find_spec("keras")
        if spec is None or spec.origin is None:
            return False
        return _OF_THE_TIME.search(Path(spec.origin).read_text(encoding="utf-8", errors="replace")) is not None

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None) -> ModuleSpec | None:
        root, _, rest = fullname.partition(".")
        if root != "keras" or self.stands_aside or _places(rest) is None:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        if spec.name == "keras":
            print("Using TensorFlow backend.", file=sys.stderr)
        return Module(spec.name, _places(spec.name.partition(".")[2]) or ())

    def exec_module(self, module: types.ModuleType) -> None:
        """Names are found when they are asked for."""


def _places(path: str) -> Sequence[str] | None:
    """The modules of tf.keras that a path below `keras` stands for; None where it stands for none."""
    if not path:
        return ("",)
    if path in PLACES:
        return PLACES[path]
    if modules.is_module(f"keras.{path}"):
        return (path,)
    parent, _, name = path.rpartition(".")
    if not parent or modules.lookup(f"keras.{path}") is not None:
        return None  # no module: a class or a function
    if parent in PLACES:
        return PLACES[parent]
    return (parent,) if parent in ("layers", "utils", "preprocessing", "wrappers") and name.islower() else None


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """`import keras` gives tf.keras inside this block where no Keras of the time is installed."""
    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [n for n, m in sys.modules.items() if isinstance(m, Module)]:
            del sys.modules[name]
