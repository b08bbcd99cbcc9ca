"""A Philox stream taken one number at a time, as shuffling queues and datasets take theirs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from runtime.host.philox import Philox

_MOST_BLOCKS = 512


class SingleSamples:
    """The numbers of TensorFlow's PhiloxRandom(seed, seed2), in the order its SingleSampleAdapter hands them out."""

    __slots__ = ("_blocks", "_stream", "_words")

    def __init__(self, seed: int, seed2: int) -> None:
        self._stream = Philox.from_seeds(seed, seed2)
        self._blocks = 2
        self._words: Iterator[int] = iter(())

    @classmethod
    def seeded(cls, seed: int, seed2: int) -> SingleSamples:
        """The stream of an op's two seeds; both 0 mean no seed was given."""
        return cls(*_chosen(seed, seed2))

    def next_uint32(self) -> int:
        for word in self._words:
            return word
        words = self._stream.words(self._blocks)
        self._stream.skip(self._blocks)
        self._blocks = min(self._blocks * 4, _MOST_BLOCKS)
        self._words = iter(words.ravel().tolist())
        return next(self._words)


def _chosen(seed: int, seed2: int) -> tuple[int, int]:
    return (secrets.randbits(64), secrets.randbits(64)) if seed == 0 and seed2 == 0 else (seed, seed2)
