"""Seeded index prices of ETH and BTC: random walks in integer ticks, made of integer arithmetic only.

Between two moments a price moves by a draw in parts per million whose spread grows with the square root of
the time between them: `HOURLY_SPREAD_PPM` for one hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from .draws import Draws, Ints

HOUR_NS = 3_600_000_000_000
PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Underlying:
    """What is traded: `lots` of one whole unit, `ticks` of one whole unit of the quote asset."""

    symbol: str
    first_price: int
    ticks: int
    lots: int
    hourly_spread_ppm: int


ETH = Underlying("ETH", first_price=3_000, ticks=100, lots=1_000, hourly_spread_ppm=7_000)
BTC = Underlying("BTC", first_price=100_000, ticks=10, lots=10_000, hourly_spread_ppm=5_000)
UNDERLYINGS = (ETH, BTC)


def index_path(underlying: Underlying, times_ns: list[int], draws: Draws) -> Ints:
    """The index price in ticks at each of the times, which ascend."""
    path = np.empty(len(times_ns), np.int64)
    price = underlying.first_price * underlying.ticks
    moves = draws.bell(PPM, len(times_ns)).tolist()
    for place, at_ns in enumerate(times_ns):
        elapsed_ns = at_ns - times_ns[place - 1] if place else 0
        spread_ppm = underlying.hourly_spread_ppm * isqrt(elapsed_ns * PPM // HOUR_NS) // 1_000
        price += price * (moves[place] * spread_ppm // PPM) // PPM
        path[place] = price
    return path
