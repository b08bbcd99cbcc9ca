"""Host kernels of TensorFlow 2's stateless random ops, whose key and counter are tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, host, philox, rejection
from runtime.host.philox import Philox
from runtime.host.random_ops import FILLS, dims_of, integers, stateless

Array = NDArray[Any]

_PHILOX, _AUTO = 1, 3  # numbers of the algorithms


def _generator(key: Array, counter: Array, algorithm: Array) -> Philox:
    if algorithm not in (_PHILOX, _AUTO):
        raise InvalidArgumentError(
            None, None, f"Unsupported random number generator {algorithm}; {_PHILOX} (Philox) and {_AUTO} (auto) are supported."
        )
    if key.shape != (1,) or counter.ndim != 1 or not 1 <= len(counter) <= 2:
        raise InvalidArgumentError(None, None, f"key must have shape [1] and counter [2], got {list(key.shape)} and {list(counter.shape)}")
    words = [int(c) for c in counter]
    return Philox(int(key[0]), words[0] | (words[1] << 64 if len(words) > 1 else 0))


def _key_counter(seed: Array) -> tuple[Array, Array]:
    generator = stateless(seed)
    low, high = generator.counter & (1 << 64) - 1, generator.counter >> 64
    return np.array([generator.key], np.uint64), np.array([low, high], np.uint64)


@host("StatelessRandomGetKeyCounter")
def get_key_counter(run: Run, node: Node, seed: Array) -> tuple[Array, Array]:
    return _key_counter(seed)


@host("StatelessRandomGetAlg")
def get_algorithm(run: Run, node: Node) -> Array:
    return np.array(_PHILOX, np.int32)


@host("StatelessRandomGetKeyCounterAlg")
def get_key_counter_algorithm(run: Run, node: Node, seed: Array) -> tuple[Array, Array, Array]:
    return (*_key_counter(seed), np.array(_PHILOX, np.int32))


@host("StatelessRandomUniformV2", "StatelessRandomNormalV2", "StatelessTruncatedNormalV2")
def fill(run: Run, node: Node, shape: Array, key: Array, counter: Array, algorithm: Array) -> Array:
    dims = dims_of(shape)
    draw = FILLS[node.op.removesuffix("V2")]
    return draw(_generator(key, counter, algorithm), math.prod(dims), node.attr["dtype"].as_numpy_dtype).reshape(dims)


@host("StatelessRandomUniformIntV2")
def uniform_int(run: Run, node: Node, shape: Array, key: Array, counter: Array, algorithm: Array, low: Array, high: Array) -> Array:
    return integers(_generator(key, counter, algorithm), dims_of(shape), low, high)


@host("StatelessRandomUniformFullIntV2")
def uniform_full_int(run: Run, node: Node, shape: Array, key: Array, counter: Array, algorithm: Array) -> Array:
    dims, dtype = dims_of(shape), node.attr["dtype"].as_numpy_dtype
    bits = philox.full_int(_generator(key, counter, algorithm), math.prod(dims), dtype)
    return np.asarray(bits.view(dtype).reshape(dims))


def _per_parameter(shape: Array, parameter: Array, name: str) -> tuple[tuple[int, ...], int]:
    """The result's dims, which end in the parameter's, and how many draws each of its values gets."""
    dims = dims_of(shape)
    if dims[len(dims) - parameter.ndim :] != parameter.shape:
        raise InvalidArgumentError(
            None, None, f"Shape passed in must end with broadcasted shape of {name}: {list(dims)} and {list(parameter.shape)}"
        )
    return dims, math.prod(dims[: len(dims) - parameter.ndim])


@host("StatelessRandomGammaV2")
def random_gamma(run: Run, node: Node, shape: Array, seed: Array, alpha: Array) -> Array:
    dims, samples = _per_parameter(shape, alpha, "alpha")
    if not math.prod(dims):
        return np.empty(dims, alpha.dtype)
    return rejection.gamma(stateless(seed), alpha, samples).T.reshape(dims).astype(alpha.dtype)


@host("StatelessRandomGammaV3")
def random_gamma_v3(run: Run, node: Node, shape: Array, key: Array, counter: Array, algorithm: Array, alpha: Array) -> Array:
    dims, samples = _per_parameter(shape, alpha, "alpha")
    if not math.prod(dims):
        return np.empty(dims, alpha.dtype)
    return rejection.gamma(_generator(key, counter, algorithm), alpha, samples).T.reshape(dims).astype(alpha.dtype)


@host("StatelessRandomPoisson")
def random_poisson(run: Run, node: Node, shape: Array, seed: Array, rate: Array) -> Array:
    dims, samples = _per_parameter(shape, rate, "rate")
    dtype = node.attr["dtype"].as_numpy_dtype
    if not math.prod(dims):
        return np.empty(dims, dtype)
    return rejection.poisson(stateless(seed), rate, samples).T.reshape(dims).astype(dtype)
