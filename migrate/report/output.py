"""What a command puts out: messages, steps and progress on the terminal, files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

CLEAR: Final = "\r\x1b[K"  # back to the beginning of the line, which is emptied
BAR: Final = 24


def stop(message: str, code: int) -> NoReturn:
    """Say on stderr why the command ends, and end it."""
    print(f"tfrevive: {message}", file=sys.stderr)
    raise SystemExit(code)


def refusal(number: int, text: str) -> OSError:
    """The OSError of an errno, which says this text alone."""
    error: OSError = type(OSError(number, ""))(text)
    error.errno = number
    return error


def check_place(path: Path) -> None:
    """Raise OSError, with a text that says what is in the way, where a file cannot be written."""
    if path.is_dir():
        raise refusal(errno.EISDIR, f"{path} is a folder: expected the name of a file to write.")
    if not path.parent.is_dir():
        raise refusal(errno.ENOENT, f"There is no folder {path.parent} to write {path.name} into.")
    if not os.access(path.parent, os.W_OK) and path.parts[:2] != ("/", "dev"):
        raise refusal(errno.EACCES, f"{path} cannot be written: its folder gives you no permission to.")


def check_folder(path: Path) -> None:
    """Raise OSError, with a text that says what is in the way, where a folder cannot be written into, or made."""
    if path.exists() and not path.is_dir():
        raise refusal(errno.ENOTDIR, f"{path} is a file: expected the name of a folder to write into.")
    nearest = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise refusal(errno.EACCES, f"{path} cannot be written: {nearest} gives you no permission to.")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to: it takes its place when the block ends well, and is removed when it does not.

    What is no file, and what /dev names (/dev/stdout may be one), is written to as it is; where a link leads to a file, the
    file is replaced. Raises OSError with a text that says what is in the way.
    """
    check_place(path)
    if path.parts[:2] == ("/", "dev") or (path.exists() and not path.is_file()):
        yield path
        return
    path = path.resolve() if path.is_symlink() else path
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise refusal(error.errno or 0, f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file open for writing that takes the place of `path` when it is complete."""
    with whole(path) as temporary, temporary.open("wb") as file:
        yield file


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or, when interrupted, not at all."""
    with whole(path) as temporary:
        if isinstance(content, str):
            temporary.write_text(content, "utf-8", errors="surrogatepass")
        else:
            temporary.write_bytes(content)


class Steps:
    """The steps of a command on stderr: with `verbose` a line each with its time, else, on a terminal, the one that is under way."""

    def __init__(self, quiet: bool = False, verbose: bool = False) -> None:
        self.verbose = verbose and not quiet
        self.shown = not quiet and not verbose and sys.stderr.isatty()

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        if self.shown:
            sys.stderr.write(f"{CLEAR}{what} ...")
            sys.stderr.flush()
        begun = time.perf_counter()
        try:
            yield
        finally:
            if self.shown:
                sys.stderr.write(CLEAR)
                sys.stderr.flush()
        self.say(f"{what}: {time.perf_counter() - begun:.2f} s")

    def say(self, what: str) -> None:
        if self.verbose:
            print(what, file=sys.stderr)


class Progress:
    """A bar on a terminal, nothing elsewhere: `with Progress() as step: step(3, 10, "a.py")`."""

    def __init__(self, quiet: bool = False) -> None:
        self.off = quiet or not sys.stderr.isatty()
        self.drawn = 0.0

    def __enter__(self) -> Callable[..., None] | None:
        return None if self.off else self.step

    def step(self, done: int, total: int, what: str = "") -> None:
        now = time.monotonic()
        if done < total and now - self.drawn < 0.05:
            return
        self.drawn = now
        full = BAR * done // max(total, 1)
        line = f"[{'#' * full}{' ' * (BAR - full)}] {done}/{total} {what}"
        sys.stderr.write(CLEAR + line[: shutil.get_terminal_size().columns - 1])
        sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        if self.drawn:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()
