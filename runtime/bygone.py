"""Names that Python, numpy and their neighbours had in 2015-2019 and have lost since, put back while a script of the time runs."""

from __future__ import annotations

import collections.abc
import contextlib
import importlib
import importlib.abc
import inspect
import math
import os
import sys
import threading
import time
import types
import unittest
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any, NamedTuple

import numpy as np


class ArgSpec(NamedTuple):
    """What inspect.getargspec gave."""

    args: list[str]
    varargs: str | None
    keywords: str | None
    defaults: tuple[Any, ...] | None


def getargspec(function: Any) -> ArgSpec:
    """inspect.getargspec as it was: bound methods keep `self`; a function with keyword-only arguments is refused."""
    spec = inspect.getfullargspec(function)
    if spec.kwonlyargs:
        raise ValueError("Function has keyword-only parameters or annotations, use inspect.signature() API which can support them")
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def _array(make: Callable[..., Any]) -> Callable[..., Any]:
    """numpy.array and asarray as before 1.24: nested sequences of unequal lengths make an array of objects."""

    def array(*args: Any, **kwargs: Any) -> Any:
        try:
            return make(*args, **kwargs)
        except ValueError as e:
            if "inhomogeneous shape" not in str(e) or len(args) > 1 or kwargs.get("dtype") is not None:
                raise
            return make(*args, **{**kwargs, "dtype": object})

    array.__name__ = make.__name__
    array.__doc__ = make.__doc__
    return array


def _load(*args: Any, **kwargs: Any) -> Any:
    """numpy.load as before 1.16.3: pickled objects are read too (the weights files of the time hold dictionaries)."""
    if len(args) < 3:
        kwargs.setdefault("allow_pickle", True)
    return _numpy_load(*args, **kwargs)


_numpy_load = np.load


def _asscalar(a: Any) -> Any:
    return a.item()


def _random_integers(low: int, high: int | None = None, size: Any = None) -> Any:
    return np.random.randint(1, low + 1, size) if high is None else np.random.randint(low, high + 1, size)


# Module -> names it had. Only those it lacks today are put back, but for REPLACED.
NAMES: dict[str, dict[str, Any]] = {
    "collections": {n: getattr(collections.abc, n) for n in collections.abc.__all__},
    "fractions": {"gcd": math.gcd},
    "inspect": {"getargspec": getargspec},
    "numpy": {
        "Inf": np.inf,
        "Infinity": np.inf,
        "NAN": np.nan,
        "NINF": -np.inf,
        "NaN": np.nan,
        "PINF": np.inf,
        "alltrue": np.all,
        "asscalar": _asscalar,
        "complex": complex,
        "complex_": np.complex128,
        "cumproduct": np.cumprod,
        "float": float,
        "float_": np.float64,
        "infty": np.inf,
        "int": int,
        "int0": np.intp,
        "object": object,
        "object0": np.object_,
        "product": np.prod,
        "rank": np.ndim,
        "round_": np.round,
        "row_stack": np.vstack,
        "sometrue": np.any,
        "str": str,
        "string_": np.bytes_,
        "trapz": getattr(np, "trapezoid", None),
        "unicode": str,
        "unicode_": np.str_,
        "in1d": getattr(np, "isin", None),
    },
    "numpy.random": {"random_integers": _random_integers},
    "time": {"clock": time.perf_counter},
    "unittest": {"makeSuite": unittest.defaultTestLoader.loadTestsFromTestCase},
}

# The same for names that are there today and do something else.
REPLACED: dict[str, dict[str, Any]] = {"numpy": {"array": _array(np.array), "asarray": _array(np.asarray), "load": _load}}

# Class -> methods it had.
METHODS: dict[type, dict[str, Any]] = {
    threading.Thread: {"isAlive": threading.Thread.is_alive},
    unittest.TestCase: {
        "assertEquals": unittest.TestCase.assertEqual,
        "assertItemsEqual": unittest.TestCase.assertCountEqual,
        "assertNotEquals": unittest.TestCase.assertNotEqual,
        "assertRaisesRegexp": unittest.TestCase.assertRaisesRegex,
        "assertRegexpMatches": unittest.TestCase.assertRegex,
        "assert_": unittest.TestCase.assertTrue,
    },
}

# Modules that went elsewhere: the old name, where it is today.
MOVED = {
    "sklearn.cross_validation": "sklearn.model_selection",
    "sklearn.externals.joblib": "joblib",
    "sklearn.externals.six": "six",
    "sklearn.grid_search": "sklearn.model_selection",
    "xml.etree.cElementTree": "xml.etree.ElementTree",
}


# Modules whose content went away: the name, the module of ours that has it.
REVIVED = {"scipy.misc": "runtime.scipy_misc"}


class Nothing(np.ndarray[Any, Any]):
    """An array of no elements, which is false as it was before numpy 2.2."""

    def __bool__(self) -> bool:
        return False


class Text(str):
    """A string that can be decoded, as the bytes that it was: h5py before 3 gave attributes as bytes, and code of the time decodes them."""

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self)


def _h5py(module: Any) -> Iterator[tuple[Any, str, Any]]:
    """Attributes as h5py 2 gave them: ASCII strings as bytes, lists of bytes stored at a fixed length."""
    kind = module.AttributeManager
    get, create = kind.__getitem__, kind.create

    def getitem(self: Any, name: Any) -> Any:
        value = get(self, name)
        if type(value) is str:
            return Text(value)
        if isinstance(value, np.ndarray) and not value.size:
            return value.view(Nothing)
        if isinstance(value, np.ndarray) and value.dtype == object:
            text = module.check_string_dtype(self.get_id(name).dtype)
            if text is not None and text.encoding == "ascii":
                return np.array([v.encode() if isinstance(v, str) else v for v in value.ravel()]).reshape(value.shape)
        return value

    def create_(self: Any, name: Any, data: Any, shape: Any = None, dtype: Any = None) -> Any:
        if dtype is None and isinstance(data, list | tuple) and data and all(isinstance(v, bytes) for v in data):
            data = np.array(data)
        return create(self, name, data, shape=shape, dtype=dtype)

    open_file = module.File.__init__

    def init(self: Any, name: Any, mode: Any = None, *args: Any, **kwargs: Any) -> None:
        """Without a mode, an existing file is opened to be changed if it may be, and one that is not there is made."""
        if mode is None and kwargs.get("driver") != "fileobj":
            path = os.fspath(name) if isinstance(name, str | bytes | os.PathLike) else None
            mode = "r" if path is None or (os.path.exists(path) and not os.access(path, os.W_OK)) else "a"
        open_file(self, name, mode or "r", *args, **kwargs)

    yield kind, "__getitem__", getitem
    yield kind, "create", create_
    yield module.File, "__init__", init
    yield module.File, "fid", module.File.id


def _scipy(module: Any) -> Iterator[tuple[Any, str, Any]]:
    yield module, "misc", importlib.import_module(REVIVED["scipy.misc"])


def _yaml(module: Any) -> Iterator[tuple[Any, str, Any]]:
    """yaml.load without a Loader, as before PyYAML 6."""
    for name in ("load", "load_all"):
        load = getattr(module, name)

        def loaded(stream: Any, Loader: Any = module.FullLoader, *, load: Any = load) -> Any:
            return load(stream, Loader)

        yield module, name, loaded


def _pillow(module: Any) -> Iterator[tuple[Any, str, Any]]:
    """The filters' names before Pillow 10."""
    for old, new in {"ANTIALIAS": "LANCZOS", "CUBIC": "BICUBIC", "LINEAR": "BILINEAR"}.items():
        if not hasattr(module, old):
            yield module, old, getattr(module, new)


# Module that is imported when a script wants it -> what to put where in it: (owner, name, value).
PATCHES: dict[str, Callable[[Any], Iterator[tuple[Any, str, Any]]]] = {
    "PIL.Image": _pillow,
    "h5py": _h5py,
    "scipy": _scipy,
    "yaml": _yaml,
}


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules under the names they had."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self.names else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return importlib.import_module(self.names[spec.name])

    def exec_module(self, module: types.ModuleType) -> None:
        """It is executed already."""


class Patcher(importlib.abc.MetaPathFinder):
    """Patches what is imported for the first time."""

    def __init__(self, patch: Callable[[Any], None]) -> None:
        self.patch = patch

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in PATCHES else None
        loader: Any = spec.loader if spec is not None else None
        if loader is None:
            return None
        execute = loader.exec_module

        def executed(module: types.ModuleType) -> None:
            execute(module)
            self.patch(module)

        loader.exec_module = executed
        return spec


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """The names of the time are there inside this block."""
    undo: list[tuple[Any, str, Any]] = []
    missing = object()

    def put(owner: Any, name: str, value: Any) -> None:
        undo.append((owner, name, vars(owner).get(name, missing)))
        setattr(owner, name, value)

    def patch(module: Any) -> None:
        for place in PATCHES[module.__name__](module):
            put(*place)

    for module_name, names in NAMES.items():
        module = importlib.import_module(module_name)
        for name, value in names.items():
            if name not in vars(module) and value is not None:
                put(module, name, value)
    for module_name, names in REPLACED.items():
        for name, value in names.items():
            put(importlib.import_module(module_name), name, value)
    for owner, names in METHODS.items():
        for name, value in names.items():
            if not hasattr(owner, name):
                put(owner, name, value)
    for module_name in PATCHES:
        if module_name in sys.modules:
            patch(sys.modules[module_name])
    finders: list[Any] = [Finder(MOVED), Finder(REVIVED), Patcher(patch)]
    sys.meta_path.append(finders[0])
    sys.meta_path[:0] = finders[1:]
    hidden = {n: sys.modules.pop(n) for n in REVIVED if n in sys.modules}
    try:
        yield
    finally:
        for finder in finders:
            sys.meta_path.remove(finder)
        for name in REVIVED:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)
        for owner, name, value in reversed(undo):
            if value is missing:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
