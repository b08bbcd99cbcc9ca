"""Imports what a script imports: the modules beside it and the libraries of the time, upgraded in memory as the script is."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.abc
import importlib.util
import marshal
import os
import sys
import types
import warnings
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import Any

# Roots that are never legacy code: Python's own, ours, and what we run on.
CURRENT = frozenset(
    {*sys.stdlib_module_names, "graphtools", "google", "h5py", "libcst", "migrate", "numpy", "onnx", "onnxruntime", "runtime", "tensorflow"}
)

# Module -> what installs the last release that runs on TensorFlow 1, without the TensorFlow that it asks for.
INSTALLED_BY = {
    "edward": "--no-deps edward==1.3.5",
    "keras_applications": "--no-deps keras_applications==1.0.8",
    "keras_preprocessing": "--no-deps keras_preprocessing==1.1.2",
    "prettytensor": "--no-deps prettytensor==0.7.4",
    "sonnet": "--no-deps dm-sonnet==1.36",
    "tensorflow_probability": "--no-deps tensorflow-probability==0.8.0",
    "tensorlayer": "--no-deps tensorlayer==1.11.1",
    "tf_slim": "--no-deps tf_slim==1.1.0",
    "tflearn": "--no-deps tflearn==0.5.0",
    # others whose package has another name
    "PIL": "Pillow",
    "cv2": "opencv-python",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}


class Loader(SourceFileLoader):
    """Compiles a module as it is where it neither mentions TensorFlow nor is Python 2, and upgraded otherwise; keeps the bytecode beside Python's own."""

    upgraded = False

    def get_code(self, fullname: str) -> types.CodeType | None:
        data = self.get_data(self.path)
        if self.path.endswith("_pb2.py") and b"serialized_pb=" in data:
            return self.source_to_code(_regenerated(data), self.path)
        if b"tensorflow" not in data:
            try:
                return super().get_code(fullname)
            except SyntaxError:
                self.upgraded = True
                return self._upgraded(data)
        self.upgraded = True
        return self._upgraded(data)

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> types.CodeType:  # type: ignore[override]
        with warnings.catch_warnings():  # what Python thinks of `x is 1` today helps nobody who runs it
            warnings.simplefilter("ignore", SyntaxWarning)
            return super().source_to_code(data, path)

    def _upgraded(self, data: bytes) -> types.CodeType:
        key = hashlib.sha256(_rules() + self.path.encode() + b"\0" + data).digest()
        kept = Path(importlib.util.cache_from_source(self.path)).with_suffix(".tfrevive.pyc")
        try:
            held = kept.read_bytes()
            if held[: len(key)] == key:
                code = marshal.loads(held[len(key) :])
                if isinstance(code, types.CodeType):
                    return code
        except (OSError, EOFError, ValueError, TypeError):
            pass  # absent or damaged: made again
        code = self.source_to_code(_upgrade(data, self.path).encode(), self.path)
        if not sys.dont_write_bytecode:
            with contextlib.suppress(OSError):  # a folder that cannot be written to costs time only
                kept.parent.mkdir(exist_ok=True)
                part = kept.with_name(f"{kept.name}.{os.getpid()}")
                part.write_bytes(key + marshal.dumps(code))
                part.replace(kept)
        return code


class Finder(importlib.abc.MetaPathFinder):
    """Finds source files where Python does, and has `Loader` load them."""

    def __init__(self) -> None:
        self.loaders: dict[str, Loader] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] in CURRENT:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return None
        spec.loader = self.loaders[fullname] = Loader(spec.loader.name, spec.loader.path)
        return spec


@contextlib.contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Imports go through `Finder` inside this block. After it, modules of the script's folder and packages that use TensorFlow are forgotten: the next script imports its own."""
    before = set(sys.modules)
    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        inside = str(folder.resolve()) + os.sep
        roots = {n.partition(".")[0] for n, loader in finder.loaders.items() if loader.upgraded or loader.path.startswith(inside)}
        for name in [n for n in sys.modules if n not in before and n.partition(".")[0] in roots]:
            del sys.modules[name]


# What protoc generates today, where `serialized` is the file's descriptor.
_GENERATED = """
from google.protobuf import descriptor_pool as _pool
from google.protobuf.internal import builder as _builder
DESCRIPTOR = _pool.Default().AddSerializedFile({serialized!r})
_builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
_builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, __name__, globals())
"""


def _regenerated(data: bytes) -> bytes:
    """Code that protoc before 3.19 generated, which today's protobuf refuses, as protoc generates it today: the file's descriptor is in it."""
    tree = ast.parse(data)
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "serialized_pb":
            value = node.value.args[0] if isinstance(node.value, ast.Call) else node.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str | bytes):
                serialized = value.value if isinstance(value.value, bytes) else value.value.encode("latin-1")
                others = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom) and b"_pb2" in ast.unparse(n).encode()]
                imports = "\n".join(ast.unparse(n) for n in others)
                return (imports + _GENERATED.format(serialized=serialized)).encode()
    return data


@functools.cache
def _rules() -> bytes:
    """Changes whenever the upgrade may come out otherwise: with the version, Python's bytecode and the files of the rules."""
    import migrate

    digest = hashlib.sha256(importlib.util.MAGIC_NUMBER)
    for file in sorted(Path(migrate.__file__).parent.rglob("*.*")):
        if file.suffix in (".py", ".gz", ".json"):
            digest.update(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}".encode())
    return digest.digest()


def _upgrade(data: bytes, path: str) -> str:
    """The text of a module, upgraded to TensorFlow 1.15. Imports stay, used or not: others may import them from here.
    Private paths of TensorFlow stay too: libraries use private names on them, which the stand-in has."""
    from migrate import upgrade_source
    from migrate.source import decode

    beside = frozenset(n.removesuffix(".py") for n in os.listdir(os.path.dirname(path) or "."))
    return upgrade_source(
        decode(data, path).text,
        target="1",
        filename=path,
        all_python=b"tensorflow" not in data,
        disabled=frozenset({"private-path", "unused-import"}),
        siblings=beside,
        tree=_package_generation(path),
    ).code


@functools.lru_cache(maxsize=64)
def _generation_of(root: str) -> Any:
    from migrate import generation

    return generation.total(generation.scan(p.read_bytes()) for p in sorted(Path(root).rglob("*.py"))).decide()


def _package_generation(path: str) -> Any:
    """What the package that a module belongs to says of the TensorFlow it was written for; None outside packages."""
    folder = Path(path).parent
    root = None
    while (folder / "__init__.py").exists() and folder.parent != folder:
        root, folder = folder, folder.parent
    return _generation_of(str(root)) if root is not None else None
