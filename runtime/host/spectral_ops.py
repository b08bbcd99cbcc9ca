"""Host kernels of the Fourier transforms, over the last one, two or three dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, host

Array = NDArray[Any]

_RANKS = {"": 1, "2D": 2, "3D": 3}
_COMPLEX = {np.dtype(np.float32): np.complex64, np.dtype(np.float64): np.complex128}


def _dimensions(node: Node, x: Array) -> int:
    rank = _RANKS[node.op.removeprefix("Batch").partition("FFT")[2]]
    if x.ndim < rank:
        raise InvalidArgumentError(None, None, f"Input must have rank of at least {rank} but got: {list(x.shape)}")
    return rank


def _lengths(rank: int, lengths: Array) -> tuple[int, ...]:
    if lengths.shape != (rank,):
        raise InvalidArgumentError(None, None, f"fft_length must have shape [{rank}], got {list(lengths.shape)}")
    if (lengths < 0).any():
        raise InvalidArgumentError(None, None, f"fft_length must be >= 0, got {lengths.tolist()}")
    return tuple(lengths.tolist())


@host("FFT", "FFT2D", "FFT3D", "BatchFFT", "BatchFFT2D", "BatchFFT3D")
def fft(run: Run, node: Node, x: Array) -> Array:
    rank = _dimensions(node, x)
    return np.fft.fftn(x, axes=range(-rank, 0)).astype(x.dtype) if x.size else x


@host("IFFT", "IFFT2D", "IFFT3D", "BatchIFFT", "BatchIFFT2D", "BatchIFFT3D")
def ifft(run: Run, node: Node, x: Array) -> Array:
    rank = _dimensions(node, x)
    return np.fft.ifftn(x, axes=range(-rank, 0)).astype(x.dtype) if x.size else x


@host("RFFT", "RFFT2D", "RFFT3D")
def rfft(run: Run, node: Node, x: Array, fft_length: Array) -> Array:
    rank = _dimensions(node, x)
    lengths, dtype = _lengths(rank, fft_length), _COMPLEX[x.dtype]
    if x.size:
        for given, wanted in zip(x.shape[-rank:], lengths, strict=True):
            if given < wanted:
                raise InvalidArgumentError(
                    None, None, f"Input dimensions {list(x.shape[-rank:])} must have length of at least {list(lengths)}"
                )
    shape = (*x.shape[:-rank], *lengths[:-1], lengths[-1] // 2 + 1 if lengths[-1] else 0)
    if not x.size or 0 in shape:
        return np.zeros(shape, dtype)
    return np.fft.rfftn(x, s=lengths, axes=range(-rank, 0)).astype(dtype)


@host("IRFFT", "IRFFT2D", "IRFFT3D")
def irfft(run: Run, node: Node, x: Array, fft_length: Array) -> Array:
    rank = _dimensions(node, x)
    lengths = _lengths(rank, fft_length)
    needed = (*lengths[:-1], lengths[-1] // 2 + 1 if lengths[-1] else 0)
    if x.size and any(given < wanted for given, wanted in zip(x.shape[-rank:], needed, strict=True)):
        raise InvalidArgumentError(None, None, f"Input dimensions {list(x.shape[-rank:])} must have length of at least {list(needed)}")
    shape = (*x.shape[:-rank], *lengths)
    if not x.size or 0 in shape:
        return np.zeros(shape, x.real.dtype)
    return np.fft.irfftn(x, s=lengths, axes=range(-rank, 0)).astype(x.real.dtype)
