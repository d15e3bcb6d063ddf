"""Seeded random integers. Nothing here depends on the machine, the clock or the version of numpy.

Everything is made of raw 64-bit words of PCG64, whose stream numpy keeps stable, by integer arithmetic.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

_BELL_MEAN, _BELL_SPREAD = 131_070, 37_837  # of the sum of four draws from 0 to 65,535


class Draws:
    """One stream of random integers; `stream` separates the streams of one seed."""

    def __init__(self, seed: int, stream: int) -> None:
        self._source = np.random.PCG64([seed, stream])

    def words(self, count: int) -> NDArray[np.uint64]:
        """Raw 64-bit words."""
        return self._source.random_raw(count) if count else np.zeros(0, np.uint64)

    def below(self, bound: int | Ints, count: int) -> Ints:
        """Integers from 0 to `bound` - 1, which is at most 2^31; a bound for each or one for all."""
        high = (self.words(count) >> np.uint64(33)).astype(np.int64)
        return high * bound >> 31

    def between(self, low: int, high: int, count: int) -> Ints:
        """Integers from `low` to `high`, both included."""
        return low + self.below(high - low + 1, count)

    def chance(self, per_mille: int, count: int) -> Flags:
        """True `per_mille` times in a thousand."""
        return self.below(1_000, count) < per_mille

    def bell(self, spread: int, count: int) -> Ints:
        """Roughly bell-shaped integers around 0 with a standard deviation of about `spread`."""
        words = self.words(count)
        total = np.zeros(count, np.int64)
        for shift in (0, 16, 32, 48):
            total += ((words >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64)
        return (total - _BELL_MEAN) * spread // _BELL_SPREAD

    def pick(self, choices: Ints, count: int, weights: Ints | None = None) -> Ints:
        """Elements of `choices`, with repetition, as often as their weights say."""
        if weights is None:
            return choices[self.below(len(choices), count)]
        bounds = np.cumsum(weights)
        return choices[np.searchsorted(bounds, self.below(int(bounds[-1]), count), side="right")]
