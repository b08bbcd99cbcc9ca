"""Random distributions drawn by rejection, every output from a place of its own in the stream: gamma, Poisson, truncated normal within bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InternalError, InvalidArgumentError
from runtime.host import philox
from runtime.host.philox import Philox, libm

Array = NDArray[Any]
Doubles = NDArray[np.float64]

_RESERVED = 256  # blocks set aside for each output of gamma and Poisson


class _Draws:
    """Numbers for many outputs at once: each output reads blocks in its own order, and hands out a block's numbers last to first."""

    def __init__(self, generator: Philox, starts: NDArray[np.uint64]) -> None:
        self.generator = generator
        self.next = starts.copy()

    def source(self, make: Callable[[Philox, NDArray[np.uint64]], Array]) -> Callable[[NDArray[np.int64]], Array]:
        first = make(self.generator, self.next[:1])
        width = first.shape[1]
        buffer = np.zeros((len(self.next), width), first.dtype)
        left = np.zeros(len(self.next), np.int64)

        def draw(lanes: NDArray[np.int64]) -> Array:
            empty = lanes[left[lanes] == 0]
            if len(empty):
                buffer[empty] = make(self.generator, self.next[empty])
                self.next[empty] += np.uint64(1)
                left[empty] = width
            left[lanes] -= 1
            return buffer[lanes, left[lanes]]

        return draw


def _uniform_blocks(dtype: Any) -> Callable[[Philox, NDArray[np.uint64]], Array]:
    return lambda generator, at: philox.units(generator.words_at(at), dtype)


def _normal_blocks(generator: Philox, at: NDArray[np.uint64]) -> Array:
    return philox.normals(generator.words_at(at), np.dtype(np.float64))


def gamma(generator: Philox, alpha: Array, samples: int) -> Doubles:
    """`samples` draws for each alpha, as an array [alphas, samples]; Marsaglia and Tsang's method, in doubles."""
    alphas = np.repeat(alpha.ravel().astype(np.float64), samples)
    result = np.empty(len(alphas))
    starts = np.arange(len(alphas), dtype=np.uint64) * np.uint64(_RESERVED)
    draws = _Draws(generator, starts)
    uniform, normal = draws.source(_uniform_blocks(np.float64)), draws.source(_normal_blocks)

    exponential = np.flatnonzero(alphas == 1)
    if len(exponential):
        result[exponential] = -libm(math.log, 1.0 - uniform(exponential))
    small = alphas < 1
    d = alphas + np.where(small, 2.0 / 3, -1.0 / 3)
    with np.errstate(invalid="ignore"):
        c = 1.0 / 3 / np.sqrt(d)
    active = np.flatnonzero(alphas != 1)
    while len(active):
        x = normal(active)
        v = 1 + c[active] * x
        keep = v > 0
        lanes, x, v = active[keep], x[keep], v[keep]
        v = v * v * v
        u = uniform(lanes)
        accept = u < 1 - 0.0331 * (x * x) * (x * x)
        unsure = np.flatnonzero(~accept)
        if len(unsure):
            xu, vu = x[unsure], v[unsure]
            with np.errstate(divide="ignore"):
                log_u = np.log(u[unsure])
            accept[unsure] = log_u < 0.5 * xu * xu + d[lanes[unsure]] * (1 - vu + np.log(vu))
        done = lanes[accept]
        result[done] = d[done] * v[accept]
        boosted = done[small[done]]
        if len(boosted):
            result[boosted] *= libm(math.pow, uniform(boosted), 1 / alphas[boosted])
        active = np.concatenate([active[~keep], lanes[~accept]])
    return result.reshape(alpha.size, samples)


def poisson(generator: Philox, rate: Array, samples: int) -> Doubles:
    """`samples` draws for each rate, as [rates, samples]: Knuth's products of uniforms below 10, Hoermann's transformed rejection above."""
    rates = np.repeat(rate.ravel().astype(np.float64), samples)
    result = np.empty(len(rates))
    starts = np.arange(len(rates), dtype=np.uint64) * np.uint64(_RESERVED)
    uniform = _Draws(generator, starts).source(_uniform_blocks(np.float64))

    active = np.flatnonzero(np.isfinite(rates) & (rates >= 0) & (rates < 10))
    result[~(np.isfinite(rates) & (rates >= 0))] = np.nan
    limit = np.exp(-rates)
    product = np.ones(len(rates))
    result[active] = 0
    while len(active):
        product[active] *= uniform(active)
        active = active[product[active] > limit[active]]
        result[active] += 1

    active = np.flatnonzero(np.isfinite(rates) & (rates >= 10))
    with np.errstate(invalid="ignore", divide="ignore"):
        log_rate = np.log(rates)
        b = 0.931 + 2.53 * np.sqrt(rates)
        a = -0.059 + 0.02483 * b
        inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
        squeeze = 0.9277 - 3.6224 / (b - 2)
    while len(active):
        u = uniform(active) - 0.5
        v = uniform(active)
        shifted = 0.5 - np.abs(u)
        ra, rb, r = a[active], b[active], rates[active]
        with np.errstate(divide="ignore", invalid="ignore"):
            k = np.floor((2 * ra / shifted + rb) * u + r + 0.43)
            accept = (shifted >= 0.07) & (v <= squeeze[active])
            test = ~accept & ~((k < 0) | ((shifted < 0.013) & (v > shifted)))
            s = np.log(v * inverse_alpha[active] / (ra / (shifted * shifted) + rb))
        for i in np.flatnonzero(test).tolist():
            bound = -r[i] + k[i] * log_rate[active[i]] - math.lgamma(float(k[i]) + 1)
            accept[i] = s[i] <= bound
        result[active[accept]] = k[accept]
        active = active[~accept]
    return result.reshape(rate.size, samples)


def _log(units: Array) -> Array:
    """Logarithms as TensorFlow's compiler made them: 16-bit types through float32."""
    if units.dtype == np.float64:
        return np.log(units)
    single = units.astype(np.float32, order="C")
    return np.where(single > 0, philox.logf(single), -np.inf).astype(units.dtype)


_MAX_ITERATIONS = 1000
_BATCH = 100  # outputs of a batch where all share their parameters
_NORMAL_SAMPLER_BOUND = 1.3  # deviations inside the bounds from which normals are drawn and those outside thrown away


def bounded_normal(reserve: Callable[[int], Philox], shape: tuple[int, ...], parameters: list[Array], dtype: Any) -> Array:
    """Normals of the means and deviations given, within the bounds given; one batch for each row of the result."""
    means, deviations, lows, highs = parameters
    size = math.prod(shape)
    batches = shape[0] if shape else 0
    for name, value in zip(("means", "stddevs", "minvals", "maxvals"), parameters, strict=True):
        if value.ndim > 1:
            raise InvalidArgumentError(None, None, f"Input {name} should be a scalar or vector, got shape: {list(value.shape)}")
    if means.size == 1 and deviations.size == 1 and lows.ndim == 0 and highs.ndim == 0:
        batches, per_batch = -(-size // _BATCH), _BATCH
    else:
        per_batch = size // batches if batches else 0
        for name, value in zip(("means", "stddevs", "minvals", "maxvals"), parameters, strict=True):
            if value.ndim and value.shape[0] not in (1, batches):
                raise InvalidArgumentError(None, None, f"Input {name} should have length 1 or shape[0], got shape: {list(value.shape)}")
    compute = np.dtype(dtype)
    generator = reserve(batches * 2 * _MAX_ITERATIONS * (per_batch + 3) // 4)
    result = np.empty(size, compute)
    columns = [np.broadcast_to(p.reshape(-1), (batches,)) if p.size == 1 else p for p in parameters]
    for batch in range(batches):
        start, stop = batch * per_batch, min((batch + 1) * per_batch, size)
        if start < stop:
            mean, deviation, low, high = (c[batch] for c in columns)
            result[start:stop] = _bounded_batch(generator, stop - start, mean, deviation, low, high, compute)
    return result.reshape(shape)


def _bounded_batch(generator: Philox, count: int, mean: Any, deviation: Any, low: Any, high: Any, dtype: np.dtype[Any]) -> Array:
    if not (deviation > 0 and low < high and (np.isfinite(low) or np.isfinite(high))):
        raise InvalidArgumentError(
            None,
            None,
            f"Invalid parameters: stddev {deviation}, minval {low}, maxval {high}; stddev must be positive, minval < maxval and one of them finite.",
        )
    of = dtype.type
    if (np.isinf(low) and low < 0) or high < mean:
        low, high, deviation = high, low, -deviation
    with np.errstate(over="ignore", invalid="ignore"):
        least, most = of((low - mean) / deviation), of((high - mean) / deviation)
        root = np.sqrt(least * least + of(4))
        cutoff = of(2) * np.exp(of(0.5) + (least * (least - root)) / of(4)) / (least + root)
        span = most - least
    edge = of(_NORMAL_SAMPLER_BOUND)
    propose: Callable[[int], tuple[Array, Array]]
    if (least < -edge and most >= 0) or (most > edge and least <= 0):
        per_block, blocks_each = 4 if dtype.itemsize < 8 else 2, 1

        def propose(rounds: int) -> tuple[Array, Array]:
            z = philox.normals(generator.words(rounds), dtype).astype(dtype)
            return z, (z >= least) & (z <= most)

    elif span < cutoff:
        per_block, blocks_each = 4 if dtype.itemsize < 8 else 2, 2
        plus = of(0) if least < 0 else least * least

        def propose(rounds: int) -> tuple[Array, Array]:
            units = philox.units(generator.words(2 * rounds), dtype).reshape(rounds, 2, -1)
            z = units[:, 0] * span + least
            return z, units[:, 1] <= np.exp((plus - z * z) / of(2))

    else:
        per_block, blocks_each = 2 if dtype.itemsize < 8 else 1, 1
        alpha = (least + root) / of(2)

        def propose(rounds: int) -> tuple[Array, Array]:
            units = philox.units(generator.words(rounds), dtype)
            with np.errstate(divide="ignore"):
                z = -_log(units[:, 0::2]) / alpha + least
            x = alpha - z if least < alpha else least - alpha + np.zeros_like(z)
            return z, (units[:, 1::2] <= np.exp(-x * x / of(2))) & (z < most)

    accepted: list[Array] = []
    missing, idle = count, 0
    while missing:
        rounds = missing // per_block + missing // (2 * per_block) + 2
        z, ok = propose(rounds)
        found = np.cumsum(ok.sum(axis=1))
        if found[-1] >= missing:
            rounds = int(np.searchsorted(found, missing)) + 1
            z, ok = z[:rounds], ok[:rounds]
        generator.skip(rounds * blocks_each)
        taken = z[ok][:missing]
        accepted.append(taken)
        missing -= len(taken)
        idle = 0 if len(taken) else idle + z.size
        if idle > _MAX_ITERATIONS:
            raise InternalError(None, None, "TruncatedNormal rejection sampler failed to accept a sample.")
    return np.asarray(np.concatenate(accepted) * deviation + mean)
