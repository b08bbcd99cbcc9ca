"""tf.app, tf.flags, tf.gfile, tf.logging and tf.compat: what surrounds a program."""

from __future__ import annotations

import logging as python_logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from runtime.errors import AlreadyExistsError, FailedPreconditionError, NotFoundError
from runtime.files import match as matching_files
from runtime.tf1.registry import export, put

# -- flags -------------------------------------------------------------------------------------------------------------


class _Flag:
    """A command-line flag: its parser, default and value."""

    def __init__(
        self,
        name: str,
        default: Any,
        help: str | None,
        parse: Callable[[str], Any],
        is_bool: bool = False,
        is_list: bool = False,
        short_name: str | None = None,
    ) -> None:
        self.name, self.default, self.help, self.parse, self.is_bool, self.is_list = name, default, help, parse, is_bool, is_list
        self.value = list(default) if is_list and default is not None else default
        self.present = 0
        self.short_name = short_name


class FlagValues:
    """tf.flags.FLAGS: values by attribute; the command line is read when the first is asked for."""

    def __init__(self) -> None:
        self.__dict__["_flags"] = {}
        self.__dict__["_parsed"] = False

    def _add(self, flag: _Flag) -> None:
        self._flags[flag.name] = flag
        if flag.short_name:
            self._flags[flag.short_name] = flag

    def __call__(self, argv: Any = None, known_only: bool = False) -> list[str]:
        """Read a command line; what is left over of it. Raises ValueError for an unknown flag unless `known_only`."""
        argv = list(sys.argv if argv is None else argv)
        rest = argv[:1]
        i = 1
        while i < len(argv):
            text = argv[i]
            i += 1
            if text == "--":
                rest.extend(argv[i:])
                break
            if not text.startswith("-") or text == "-":
                rest.append(text)
                continue
            name, equals, value = text.lstrip("-").partition("=")
            name = name.replace("-", "_") if name not in self._flags else name
            flag = self._flags.get(name)
            if flag is None and name.startswith("no") and (negated := self._flags.get(name[2:])) is not None and negated.is_bool:
                negated.value, negated.present = False, negated.present + 1
                continue
            if flag is None:
                if name in ("help", "helpfull", "h"):
                    self._print_help()
                    sys.exit(1)
                if known_only:
                    rest.append(text)
                    continue
                raise ValueError(f"Unknown command line flag '{name}'")
            if not equals:
                if flag.is_bool:
                    if i < len(argv) and argv[i].lower() in ("true", "false", "0", "1", "t", "f"):
                        value = argv[i]
                        i += 1
                    else:
                        value = "true"
                elif i < len(argv):
                    value = argv[i]
                    i += 1
                else:
                    raise ValueError(f"Missing value for flag {text}")
            try:
                parsed = flag.parse(value)
            except (TypeError, ValueError) as e:
                raise ValueError(f"flag --{name}={value}: {e}") from None
            flag.value = parsed
            flag.present += 1
        self.__dict__["_parsed"] = True
        return rest

    def _print_help(self) -> None:
        print(f"\nusage: {sys.argv[0]} [flags]\n\nflags:")
        for name in sorted(self._flags):
            flag = self._flags[name]
            print(f"  --{name}: {flag.help or ''}\n    (default: {flag.default!r})")

    def _parse_flags(self, args: Any = None) -> None:
        self(args if args is None else [sys.argv[0], *args], known_only=True)

    def is_parsed(self) -> bool:
        return bool(self._parsed)

    def mark_as_parsed(self) -> None:
        self.__dict__["_parsed"] = True

    def unparse_flags(self) -> None:
        self.__dict__["_parsed"] = False

    def flag_values_dict(self) -> dict[str, Any]:
        return {n: f.value for n, f in self._flags.items()}

    @property
    def __flags(self) -> dict[str, Any]:  # tflearn and others look here
        return dict(self._flags)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._flags:
            raise AttributeError(name)
        if not self._parsed:
            self(known_only=True)
        return self._flags[name].value

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._flags:
            self._flags[name].value = value
        else:
            self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        self._flags.pop(name, None)

    def __getitem__(self, name: str) -> Any:
        return self._flags[name]

    def __contains__(self, name: str) -> bool:
        return name in self._flags

    def __iter__(self) -> Iterator[str]:
        return iter(self._flags)

    def __len__(self) -> int:
        return len(self._flags)

    def __dir__(self) -> list[str]:
        return list(self._flags)


FLAGS = FlagValues()
put("flags.FLAGS", FLAGS)
put("app.flags.FLAGS", FLAGS)
put("flags.FlagValues", FlagValues)


def _bool(text: Any) -> bool:
    if isinstance(text, bool):
        return text
    if str(text).lower() in ("true", "t", "1", "yes", "y"):
        return True
    if str(text).lower() in ("false", "f", "0", "no", "n"):
        return False
    raise ValueError(f"Non-boolean argument to boolean flag: {text!r}")


def _define(names: tuple[str, ...], parse: Callable[[str], Any], is_bool: bool = False) -> None:
    def define(name: str, default: Any = None, help: str = "", flag_values: Any = None, short_name: str | None = None, **args: Any) -> None:
        if "flag_name" in args:  # keywords of TensorFlow's own wrapper
            name, default, help = args["flag_name"], args.get("default_value", default), args.get("docstring", help)
        default = args.get("default_value", default)
        help = args.get("docstring", help)
        value = parse(default) if isinstance(default, str) and parse is not str else default
        (flag_values or FLAGS)._add(_Flag(name, value, help, parse, is_bool, short_name=short_name))

    for n in names:
        put(f"flags.{n}", define)


_define(("DEFINE_string",), str)
_define(("DEFINE_integer",), lambda t: int(t, 0) if isinstance(t, str) else int(t))
_define(("DEFINE_float",), float)
_define(("DEFINE_bool", "DEFINE_boolean"), _bool, is_bool=True)
_define(
    ("DEFINE_list",), lambda t: [s.strip() for s in t.split(",")] if isinstance(t, str) and t else [] if isinstance(t, str) else list(t)
)
_define(("DEFINE_spaceseplist",), lambda t: t.split() if isinstance(t, str) else list(t))


@export("flags.DEFINE_enum")
def DEFINE_enum(
    name: str, default: Any, enum_values: Any, help: str = "", flag_values: Any = None, short_name: str | None = None, **args: Any
) -> None:
    def parse(text: str) -> str:
        if text not in enum_values:
            raise ValueError(f"value should be one of <{'|'.join(enum_values)}>")
        return text

    (flag_values or FLAGS)._add(_Flag(name, default, help, parse, short_name=short_name))


@export("flags.mark_flag_as_required")
def mark_flag_as_required(flag_name: str, flag_values: Any = None) -> None:
    """Required flags are checked when the program asks for them."""


@export("flags.mark_flags_as_required")
def mark_flags_as_required(flag_names: Any, flag_values: Any = None) -> None:
    for name in flag_names:
        mark_flag_as_required(name, flag_values)


@export("app.run")
def run(main: Any = None, argv: Any = None) -> None:
    """Read the flags, call `main(argv)`, exit with what it returns."""
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
