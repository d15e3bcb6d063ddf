"""What the kept trades of an instrument say: 24 hours and candles, counted in ticks and lots by numpy."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from exchange_os.exact import EXACT
from exchange_os.records import Events
from exchange_os.results import Instrument

if TYPE_CHECKING:
    import numpy.typing as npt

_INT64_MAX = 2**63 - 1


class Span(msgspec.Struct, frozen=True):
    """Trades of a span of time; `volume` in whole units, `value` in the quote asset."""

    begin_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    value: Decimal


class PastTrades:
    """The kept trades of one instrument, oldest first."""

    def __init__(self, instrument: Instrument, trades: Events) -> None:
        """`trades` may be those of several instruments."""
        own = trades[trades["instrument"] == instrument.number]
        self._instrument = instrument
        self._ticks, self._lots = own["price"], own["qty"]
        self._times_ms: npt.NDArray[np.int64] = (own["time_ns"] // 1_000_000).astype(np.int64)

    @property
    def last_qty(self) -> Decimal | None:
        """Of the newest trade."""
        return self._instrument.lot_size * int(self._lots[-1]) if len(self._lots) else None

    def since(self, begin_ms: int) -> Span | None:
        """Everything after a moment; None if nothing traded."""
        first = int(np.searchsorted(self._times_ms, begin_ms, side="right"))
        return self._span(begin_ms, first, len(self._lots)) if first < len(self._lots) else None

    def candles(self, span_ms: int, after_ms: int, before_ms: int, limit: int) -> Iterator[Span]:
        """Spans of one length, newest first: beginning after `before_ms` and, unless negative, before
        `after_ms`. A span without a trade is left out."""
        begins = self._times_ms // span_ms * span_ms
        found = np.unique(begins)
        found = found[found > before_ms]
        found = found[found < after_ms] if after_ms >= 0 else found
        for begin in found[::-1][:limit]:
            first, last = (int(np.searchsorted(begins, begin, side=side)) for side in ("left", "right"))
            yield self._span(int(begin), first, last)

    def _span(self, begin_ms: int, first: int, last: int) -> Span:
        ticks, lots = self._ticks[first:last], self._lots[first:last]
        price, qty = self._instrument.tick_size, self._instrument.lot_size
        most = int(ticks.max()) * int(lots.max()) * len(ticks)
        if most <= _INT64_MAX:
            value = int(ticks @ lots)
        else:
            value = sum(map(int.__mul__, ticks.tolist(), lots.tolist()))
        return Span(
            begin_ms=begin_ms,
            open=price * int(ticks[0]),
            high=price * int(ticks.max()),
            low=price * int(ticks.min()),
            close=price * int(ticks[-1]),
            volume=EXACT.multiply(qty, Decimal(sum(lots.tolist()))),
            value=EXACT.multiply(EXACT.multiply(price, qty), Decimal(value)),
        )
