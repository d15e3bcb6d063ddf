"""What stands around the signals: volume of spot and perpetual, open interest, and which way both went."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from exchange_os.signals.market_data import DAY_MS, HOUR_MS, PERPETUAL, SPOT, MarketData
from exchange_os.signals.origin import Figure, Origin

READINGS = {
    (True, True): "price and open interest rise: positions are opened into the rise",
    (True, False): "price rises, open interest falls: shorts are closed",
    (False, True): "price falls, open interest rises: positions are opened into the fall",
    (False, False): "price and open interest fall: longs are closed",
}
_VOLUMES = ("base_volume", "base_volume_spot")


@dataclass(frozen=True, slots=True)
class MarketContext:
    """Of one venue over the last day; None where the venue tells nothing."""

    perpetual_to_spot_volume: float | None
    open_interest_base: float | None
    open_interest_change: float | None
    """Percent over a day, in coins: in money it would contain the change of the price."""
    reading: str | None
    figures_: tuple[Figure, ...]

    def figures(self) -> list[Figure]:
        return list(self.figures_)


def market_context(data: MarketData, *, symbol: str, venue: str, at_ms: int) -> MarketContext:
    figures: list[Figure] = []
    ratio = _volume_ratio(data, symbol, venue, at_ms, figures)
    interest, change = _open_interest(data, symbol, venue, at_ms, figures)
    price = _price_change(data, symbol, venue, at_ms)
    reading = None
    if change and price:
        reading = READINGS[price > 0, change > 0]
    return MarketContext(ratio, interest, change, reading, tuple(figures))


def _day_of_bars(data: MarketData, symbol: str, venue: str, market: str, at_ms: int) -> pl.DataFrame:
    return data.candles.filter(
        pl.col("symbol") == symbol,
        pl.col("venue") == venue,
        pl.col("market") == market,
        pl.col("received_ms") <= at_ms,
        pl.col("venue_ms").is_between(at_ms - DAY_MS, at_ms, closed="right"),
    ).sort("venue_ms")


def _volume_ratio(
    data: MarketData, symbol: str, venue: str, at_ms: int, figures: list[Figure]
) -> float | None:
    """Coins traded on the perpetual over coins traded on spot, on the bars that both have."""
    perpetual, spot = (_day_of_bars(data, symbol, venue, market, at_ms) for market in (PERPETUAL, SPOT))
    both = perpetual.join(spot, on=["venue_ms", "interval_s"], suffix="_spot")
    total, total_spot = (float(both[name].fill_null(0.0).to_numpy().sum()) for name in _VOLUMES)
    if both.is_empty() or total_spot == 0:
        return None
    last = both.row(-1, named=True)
    received_ms = max(last["received_ms"], last["received_ms_spot"])
    origin = Origin(venue, last["source"], last["venue_ms"], received_ms)
    ratio = total / total_spot
    formula = "perpetual volume / spot volume in coins, last 24 h"
    figures.append(Figure("context.perpetual_to_spot_volume", ratio, "x", formula, origin))
    return ratio


def _open_interest(
    data: MarketData, symbol: str, venue: str, at_ms: int, figures: list[Figure]
) -> tuple[float | None, float | None]:
    rows = data.open_interest.filter(
        pl.col("symbol") == symbol, pl.col("venue") == venue, pl.col("received_ms") <= at_ms
    ).sort("venue_ms")
    if rows.is_empty():
        return None, None
    last = rows.row(-1, named=True)
    origin, coin = Origin.of_row(last), symbol.partition("/")[0]
    figures.append(Figure("context.open_interest", last["base_qty"], coin, "one side", origin))
    before = rows.filter(pl.col("venue_ms") <= last["venue_ms"] - DAY_MS)
    if before.is_empty() or last["venue_ms"] - before["venue_ms"][-1] > DAY_MS + HOUR_MS:
        return float(last["base_qty"]), None
    change = float(last["base_qty"] / before["base_qty"][-1] - 1) * 100
    figures.append(Figure("context.open_interest_change", change, "% in 24 h", "in coins", origin))
    return float(last["base_qty"]), change


def _price_change(data: MarketData, symbol: str, venue: str, at_ms: int) -> float | None:
    bars = _day_of_bars(data, symbol, venue, PERPETUAL, at_ms)
    return None if bars.is_empty() else float(bars["close"][-1] - bars["open"][0])
