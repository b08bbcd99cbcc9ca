"""The `absl` that came with TensorFlow: flags, app and logging, the same objects as tf.flags, tf.app and tf.logging."""

from __future__ import annotations

import logging as python_logging
import sys
import types
from collections.abc import Callable
from typing import Any

from runtime.tf1 import system
from runtime.tf1.flag_types import Error
from runtime.tf1.flag_values import FLAGS

PARTS = ("flags", "app", "logging")


class UsageError(Exception):
    """Raised by a main function that was called wrongly."""

    def __init__(self, message: str, exitcode: int = 1) -> None:
        super().__init__(message)
        self.exitcode = exitcode


class _StrictFlags:
    """absl.flags.FLAGS: as tf.flags.FLAGS, but not to be read before the command line is."""

    def __getattr__(self, name: str) -> Any:
        from runtime.tf1.flag_types import UnparsedFlagAccessError

        if name in FLAGS and not FLAGS.is_parsed():
            raise UnparsedFlagAccessError(f"Trying to access flag --{name} before flags were parsed.")
        return getattr(FLAGS, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(FLAGS, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(FLAGS, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return FLAGS(*args, **kwargs)

    def __getitem__(self, name: str) -> Any:
        return FLAGS[name]

    def __setitem__(self, name: str, flag: Any) -> None:
        FLAGS[name] = flag

    def __contains__(self, name: object) -> bool:
        return name in FLAGS

    def __iter__(self) -> Any:
        return iter(FLAGS)

    def __len__(self) -> int:
        return len(FLAGS)

    def __dir__(self) -> list[str]:
        return dir(FLAGS)


def run(main: Callable[[list[str]], Any], argv: Any = None, flags_parser: Any = None) -> None:
    """Read the flags, call `main`, exit with what it returns."""
    given = sys.argv if argv is None else argv
    try:
        rest = flags_parser(given) if flags_parser is not None else FLAGS(given)
    except Error as e:
        sys.stderr.write(f"FATAL Flags parsing error:\n  {e}\nPass --helpshort or --helpfull to see help on flags.\n")
        sys.exit(1)
    try:
        sys.exit(main(rest))
    except UsageError as e:
        sys.stderr.write(f"{FLAGS.main_module_help()}\n\n{e}\n")
        sys.exit(e.exitcode)


def module(name: str) -> types.ModuleType:
    """One of the modules of `absl`; "" is the package."""
    made = types.ModuleType(f"absl.{name}" if name else "absl")
    if not name:
        made.__path__ = []
        for part in PARTS:
            setattr(made, part, module(part))
    elif name == "flags":
        from runtime.tf1 import flag_values, flags  # noqa: F401 (registers)
        from runtime.tf1.registry import EXPORTS

        for key, value in EXPORTS.items():
            if key.startswith("flags."):
                setattr(made, key[6:], value)
        made.FLAGS = _StrictFlags()  # type: ignore[attr-defined]
    elif name == "app":
        made.run, made.UsageError = run, UsageError  # type: ignore[attr-defined]
        made.call_after_init = lambda callback: callback()  # type: ignore[attr-defined]
    else:
        _fill_logging(made)
    return made


def _fill_logging(made: Any) -> None:
    """absl.logging, on TensorFlow's logger; its verbosity counts from -1 (warnings) up."""
    logger = system.get_logger()
    levels = {
        1: python_logging.DEBUG,
        0: python_logging.INFO,
        -1: python_logging.WARNING,
        -2: python_logging.ERROR,
        -3: python_logging.FATAL,
    }
    for text, level in (("DEBUG", 1), ("INFO", 0), ("WARNING", -1), ("WARN", -1), ("ERROR", -2), ("FATAL", -3)):
        setattr(made, text, level)
    for function in ("debug", "info", "warning", "error", "exception"):
        setattr(made, function, getattr(logger, function))
    made.warn = logger.warning

    def fatal(msg: str, *args: Any, **kwargs: Any) -> None:
        logger.critical(msg, *args, **kwargs)
        sys.exit(1)

    def at(level: Any) -> int:
        if isinstance(level, str):
            level = getattr(made, level.upper())
        return levels.get(level, python_logging.DEBUG) if level <= 1 else int(level)

    def get_verbosity() -> int:
        now = logger.getEffectiveLevel()
        return next((v for v, level in levels.items() if level == now), 0)

    made.fatal = fatal
    made.log = lambda level, msg, *args, **kwargs: logger.log(at(level), msg, *args, **kwargs)
    made.vlog = lambda level, msg, *args, **kwargs: logger.log(at(level), msg, *args, **kwargs)
    made.log_every_n = lambda level, msg, n, *args: system.log_every_n(at(level), msg, n, *args)
    made.log_first_n = lambda level, msg, n, *args: system.log_first_n(at(level), msg, n, *args)
    made.log_if = lambda level, msg, condition, *args: system.log_if(at(level), msg, condition, *args)
    made.set_verbosity = lambda v: logger.setLevel(at(v))
    made.get_verbosity = get_verbosity
    made.level_debug = lambda: get_verbosity() >= 1
    made.level_info = lambda: get_verbosity() >= 0
    made.level_warning = lambda: get_verbosity() >= -1
    made.level_error = lambda: get_verbosity() >= -2
    made.vlog_is_on = lambda level: get_verbosity() >= level
    made.flush = system.flush
    made.use_absl_handler = made.use_python_logging = lambda *args, **kwargs: None
    made.set_stderrthreshold = lambda s: None
    made.get_absl_logger = lambda: logger
    made.get_absl_handler = lambda: logger.handlers[0]
