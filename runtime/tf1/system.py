"""tf.app, tf.gfile, tf.logging and tf.compat: what surrounds a program."""

from __future__ import annotations

import logging as python_logging
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from runtime.errors import AlreadyExistsError, FailedPreconditionError, NotFoundError
from runtime.files import match as matching_files
from runtime.tf1.registry import export, put

# -- programs ----------------------------------------------------------------------------------------------------------


@export("app.run")
def run(main: Any = None, argv: Any = None) -> None:
    """Read the flags, call `main(argv)`, exit with what it returns."""
    from runtime.tf1.flag_values import FLAGS

    main = main or sys.modules["__main__"].main
    rest = FLAGS(argv or sys.argv, known_only=True)
    sys.exit(main(rest))


# -- files -------------------------------------------------------------------------------------------------------------


def _path(name: Any) -> str:
    text = os.fspath(name) if not isinstance(name, bytes) else name.decode()
    return text.removeprefix("file://")


@export("gfile.GFile")
class GFile:
    """A file that opens when it is first used."""

    def __init__(self, name: Any, mode: str = "r") -> None:
        if mode not in ("r", "w", "a", "r+", "w+", "a+", "rb", "wb", "ab", "rb+", "wb+", "ab+", "r+b", "w+b", "a+b"):
            raise ValueError(f"mode is not 'r' or 'w' or 'a': {mode}")
        self._name, self._mode, self._file = name, mode, None

    name = property(lambda self: self._name)
    mode = property(lambda self: self._mode)

    def _open(self) -> Any:
        if self._file is None:
            try:
                self._file = open(  # noqa: SIM115 (closed by close())
                    _path(self._name),
                    self._mode,
                    newline="" if "b" not in self._mode else None,
                    encoding=None if "b" in self._mode else "utf-8",
                )
            except FileNotFoundError:
                raise NotFoundError(None, None, f"{_path(self._name)}; No such file or directory") from None
            except IsADirectoryError:
                raise FailedPreconditionError(None, None, f"{_path(self._name)}; Is a directory") from None
        return self._file

    def read(self, n: int = -1) -> Any:
        return self._open().read(n)

    def readline(self) -> Any:
        return self._open().readline()

    def readlines(self) -> list[Any]:
        return list(self._open().readlines())

    def write(self, file_content: Any) -> None:
        file = self._open()
        if "b" in self._mode and isinstance(file_content, str):
            file_content = file_content.encode()
        elif "b" not in self._mode and isinstance(file_content, bytes):
            file_content = file_content.decode()
        file.write(file_content)

    def seek(self, offset: int | None = None, whence: int = 0, position: int | None = None) -> None:
        self._open().seek(position if offset is None else offset, whence)

    def tell(self) -> int:
        return int(self._open().tell())

    def size(self) -> int:
        return os.path.getsize(_path(self._name))

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> GFile:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._open())

    def __next__(self) -> Any:
        line = self.readline()
        if not line:
            raise StopIteration
        return line


put("gfile.Open", GFile)
put("gfile.FastGFile", GFile)


@export("gfile.Exists")
def exists(filename: Any) -> bool:
    return os.path.exists(_path(filename))


@export("gfile.IsDirectory")
def is_directory(dirname: Any) -> bool:
    return os.path.isdir(_path(dirname))


@export("gfile.ListDirectory")
def list_directory(dirname: Any) -> list[str]:
    if not is_directory(dirname):
        raise NotFoundError(None, None, f"Could not find directory {_path(dirname)}")
    return sorted(os.listdir(_path(dirname)))


@export("gfile.MakeDirs")
def make_dirs(dirname: Any) -> None:
    os.makedirs(_path(dirname), exist_ok=True)


@export("gfile.MkDir")
def mk_dir(dirname: Any) -> None:
    try:
        os.mkdir(_path(dirname))
    except FileExistsError:
        raise AlreadyExistsError(None, None, f"{_path(dirname)}; File exists") from None


@export("gfile.Remove")
def remove(filename: Any) -> None:
    try:
        os.remove(_path(filename))
    except FileNotFoundError:
        raise NotFoundError(None, None, f"{_path(filename)}; No such file or directory") from None


@export("gfile.DeleteRecursively")
def delete_recursively(dirname: Any) -> None:
    if not os.path.exists(_path(dirname)):
        raise NotFoundError(None, None, f"{_path(dirname)}; No such file or directory")
    shutil.rmtree(_path(dirname)) if os.path.isdir(_path(dirname)) else os.remove(_path(dirname))


@export("gfile.Copy")
def copy(oldpath: Any, newpath: Any, overwrite: bool = False) -> None:
    if not overwrite and exists(newpath):
        raise AlreadyExistsError(None, None, "file already exists")
    shutil.copyfile(_path(oldpath), _path(newpath))


@export("gfile.Rename")
def rename(oldname: Any, newname: Any, overwrite: bool = False) -> None:
    if not overwrite and exists(newname):
        raise AlreadyExistsError(None, None, "file already exists")
    os.replace(_path(oldname), _path(newname))


@export("gfile.Glob")
def glob_(filename: Any) -> list[str]:
    patterns = filename if isinstance(filename, list | tuple) else [filename]
    return [p for pattern in patterns for p in matching_files(_path(pattern))]


@export("gfile.Stat")
def stat(filename: Any) -> Any:
    try:
        return os.stat(_path(filename))
    except FileNotFoundError:
        raise NotFoundError(None, None, f"{_path(filename)}; No such file or directory") from None


@export("gfile.Walk")
def walk(top: Any, in_order: bool = True) -> Iterator[tuple[str, list[str], list[str]]]:
    for where, folders, files in os.walk(_path(top), topdown=in_order):
        yield where, sorted(folders), sorted(files)


# -- logging -----------------------------------------------------------------------------------------------------------

_logger = python_logging.getLogger("tensorflow")
if not _logger.handlers:
    _handler = python_logging.StreamHandler()
    _handler.setFormatter(python_logging.Formatter("%(levelname)s:%(name)s:%(message)s"))
    _logger.addHandler(_handler)
    _logger.setLevel(python_logging.WARNING)
    _logger.propagate = False

for _level in ("DEBUG", "ERROR", "FATAL", "INFO", "WARN"):
    put(f"logging.{_level}", getattr(python_logging, _level))
for _level in ("debug", "error", "fatal", "info", "warning"):
    put(f"logging.{_level}", getattr(_logger, _level))
put("logging.warn", _logger.warning)
put("logging.log", _logger.log)


@export("logging.set_verbosity")
def set_verbosity(v: int) -> None:
    _logger.setLevel(v)


@export("logging.get_verbosity")
def get_verbosity() -> int:
    return _logger.getEffectiveLevel()


@export("get_logger")
def get_logger() -> Any:
    return _logger


@export("logging.vlog")
def vlog(level: int, msg: str, *args: Any) -> None:
    _logger.log(python_logging.DEBUG if level > 0 else python_logging.INFO, msg, *args)


_counts: dict[str, int] = {}


@export("logging.log_every_n")
def log_every_n(level: int, msg: str, n: int, *args: Any) -> None:
    count = _counts[msg] = _counts.get(msg, -1) + 1
    if count % n == 0:
        _logger.log(level, msg, *args)


@export("logging.log_first_n")
def log_first_n(level: int, msg: str, n: int, *args: Any) -> None:
    count = _counts[msg] = _counts.get(msg, -1) + 1
    if count < n:
        _logger.log(level, msg, *args)


@export("logging.log_if")
def log_if(level: int, msg: str, condition: bool, *args: Any) -> None:
    if condition:
        _logger.log(level, msg, *args)


@export("logging.flush")
def flush() -> None:
    for handler in _logger.handlers:
        handler.flush()


@export("logging.TaskLevelStatusMessage")
def task_level_status_message(msg: str) -> None:
    _logger.error(msg)


# -- compat ------------------------------------------------------------------------------------------------------------


@export("compat.as_bytes")
def as_bytes(bytes_or_text: Any, encoding: str = "utf-8") -> bytes:
    if isinstance(bytes_or_text, str):
        return bytes_or_text.encode(encoding)
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


@export("compat.as_text")
def as_text(bytes_or_text: Any, encoding: str = "utf-8") -> str:
    if isinstance(bytes_or_text, str):
        return bytes_or_text
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text.decode(encoding)
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


put("compat.as_str", as_text)


@export("compat.as_str_any")
def as_str_any(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@export("compat.path_to_str")
def path_to_str(path: Any) -> Any:
    return as_str_any(path.__fspath__()) if hasattr(path, "__fspath__") else path


put("compat.integral_types", (int, np.integer))
put("compat.real_types", (int, float, np.integer, np.floating))
put("compat.complex_types", (int, float, complex, np.number))
put("compat.bytes_or_text_types", (bytes, str))


@export("compat.forward_compatible")
def forward_compatible(year: int, month: int, day: int) -> bool:
    return (year, month, day) < (2019, 10, 1)


@export("test.is_built_with_cuda")
def is_built_with_cuda() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


@export("test.is_gpu_available")
def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    return bool(gpu_device_name())


@export("test.gpu_device_name")
def gpu_device_name() -> str:
    return ""


@export("executing_eagerly")
def executing_eagerly() -> bool:
    return False


@export("enable_eager_execution")
def enable_eager_execution(config: Any = None, device_policy: Any = None, execution_mode: Any = None) -> None:
    raise NotImplementedError(
        "Eager execution is not supported by tfrevive's stand-in: it runs graphs. TensorFlow 2 runs eager programs; upgrade the script with `tfrevive upgrade --to 2`."
    )


for _name in (
    "disable_eager_execution",
    "disable_v2_behavior",
    "disable_v2_tensorshape",
    "disable_tensor_equality",
    "disable_control_flow_v2",
):
    put(_name, lambda: None)
