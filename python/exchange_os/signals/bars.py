"""Closed bars of one market as arrays, and the averages that bars are smoothed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.market_data import PERPETUAL, MarketData
from exchange_os.signals.origin import Origin

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bars:
    """In order of time, all closed and known; `close_ms` is when each bar closed."""

    venue: str
    symbol: str
    interval_s: int
    source: str
    close_ms: npt.NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    base_volume: Floats
    received_ms: int

    def __len__(self) -> int:
        return len(self.close)

    @property
    def origin(self) -> Origin:
        """Of what is computed from all of them: the time of the newest bar."""
        if not len(self):
            raise InvalidArgument("there are no bars")
        return Origin(self.venue, self.source, int(self.close_ms[-1]), self.received_ms)

    @property
    def log_returns(self) -> Floats:
        """Close to close; one shorter than the bars."""
        return np.diff(np.log(self.close))

    def per(self, hours: float) -> int:
        """How many bars make so many hours; at least one."""
        return max(1, round(hours * 3_600 / self.interval_s))

    def tail(self, count: int) -> Bars:
        cut = slice(max(0, len(self) - count), None)
        return Bars(
            self.venue, self.symbol, self.interval_s, self.source, self.close_ms[cut], self.open[cut],
            self.high[cut], self.low[cut], self.close[cut], self.base_volume[cut], self.received_ms,
        )  # fmt: skip


def bars_of(
    data: MarketData, *, symbol: str, at_ms: int, venue: str, interval_s: int, market: str = PERPETUAL
) -> Bars:
    """The closed bars known at a time. A missing bar stays missing: nothing is filled in."""
    frame = (
        data.candles.filter(
            pl.col("symbol") == symbol,
            pl.col("venue") == venue,
            pl.col("market") == market,
            pl.col("interval_s") == interval_s,
            pl.col("received_ms") <= at_ms,
            pl.col("venue_ms") <= at_ms,
        )
        .sort("venue_ms", "received_ms", maintain_order=True)
        .unique("venue_ms", keep="last", maintain_order=True)
    )
    received = frame["received_ms"].max()
    values = {
        name: frame[name].fill_null(0.0).to_numpy()
        for name in ("open", "high", "low", "close", "base_volume")
    }
    return Bars(
        venue=venue,
        symbol=symbol,
        interval_s=interval_s,
        source=" + ".join(frame["source"].unique(maintain_order=True).to_list()),
        close_ms=frame["venue_ms"].to_numpy(),
        **values,
        received_ms=received if isinstance(received, int) else 0,
    )


def wilder(values: Floats, length: int) -> Floats:
    """Wilder's average: the mean of the first `length`, then a = a + (x - a) / length. NaN before."""
    out = np.full(len(values), np.nan)
    if length < 1:
        raise InvalidArgument(f"a length is from 1, not {length}")
    if len(values) < length:
        return out
    average = float(values[:length].mean())
    out[length - 1] = average
    for place in range(length, len(values)):
        average += (float(values[place]) - average) / length
        out[place] = average
    return out


def true_range(bars: Bars) -> Floats:
    """max(high - low, |high - close before|, |low - close before|); one shorter than the bars."""
    before = bars.close[:-1]
    high, low = bars.high[1:], bars.low[1:]
    return np.maximum(high - low, np.maximum(np.abs(high - before), np.abs(low - before)))


def average_true_range(bars: Bars, length: int = 14) -> float | None:
    """Wilder's average of the true range at the last bar; None with too few bars."""
    averages = wilder(true_range(bars), length) if len(bars) > length else np.array([np.nan])
    return None if np.isnan(averages[-1]) else float(averages[-1])
