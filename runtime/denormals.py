"""Numbers too small for their dtype's exponent are zero while a segment runs, as on TensorFlow's threads.

Processors take a hundred times as long for them, and optimizers make them: an average that decays by a tenth a step reaches
them in a thousand steps. The calling thread's own mode comes back after the run: numpy and the script keep theirs.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable

# Where a machine's floating point environment (fenv_t of glibc) keeps the bits that flush denormals: byte offset, bits.
CONTROL = {"x86_64": (28, 0x8040), "aarch64": (0, 1 << 24)}


def _modes() -> tuple[Callable[[], object], Callable[[], object]]:
    """Functions that start and end the mode for the calling thread; they do nothing where it is not known how."""
    if platform.machine() not in CONTROL:
        return (lambda: None), (lambda: None)
    offset, bits = CONTROL[platform.machine()]
    try:
        library = ctypes.PyDLL("libm.so.6")  # a PyDLL keeps the interpreter's lock: a call takes nanoseconds
        library.fesetenv  # noqa: B018
    except (OSError, AttributeError):
        return (lambda: None), (lambda: None)
    library.fesetenv.argtypes = library.fegetenv.argtypes = (ctypes.c_void_p,)
    usual, flushing = ctypes.create_string_buffer(64), ctypes.create_string_buffer(64)
    library.fegetenv(usual)
    library.fegetenv(flushing)
    control = ctypes.c_uint32.from_buffer(flushing, offset)
    control.value |= bits
    at_usual, at_flushing = ctypes.addressof(usual), ctypes.addressof(flushing)
    held = usual, flushing  # their memory must outlive the functions

    def start(set_mode: Callable[[int], int] = library.fesetenv, mode: int = at_flushing) -> object:
        return set_mode(mode)

    def end(set_mode: Callable[[int], int] = library.fesetenv, mode: int = at_usual, held: object = held) -> object:
        return set_mode(mode)

    return start, end


flush, keep = _modes()
