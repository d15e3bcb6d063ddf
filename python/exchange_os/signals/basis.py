"""The basis of a perpetual: how far it trades from its index or from spot, at one time on one venue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from exchange_os.signals.market_data import PERPETUAL, SPOT, MarketData
from exchange_os.signals.origin import Figure, Origin
from exchange_os.signals.rates import BasisPoints

TOGETHER_MS_MAX = 2_000
"""Two quotes further apart than this are not one basis: prices move more than it in between."""


@dataclass(frozen=True, slots=True)
class Basis:
    """(perpetual - reference) / reference. Positive: the perpetual is dearer. Not a rate: no time in it."""

    bps: BasisPoints
    of: str
    """Which two prices: `mid/index`, `mark/index`, `mid/spot mid`, `close/spot close`."""
    perpetual: float
    reference: float
    origin: Origin

    def figure(self, name: str) -> Figure:
        formula = f"(perpetual - reference) / reference, {self.of}"
        return Figure(name, self.bps.value, "bps", formula, self.origin)


def middle(row: dict[str, Any]) -> float | None:
    """Between best bid and ask; None if one is missing or they cross."""
    bid, ask = row.get("bid"), row.get("ask")
    if bid is None or ask is None or bid > ask:
        return None
    return float(bid + ask) / 2


def latest_basis(data: MarketData, venue: str, symbol: str, at_ms: int, age_ms_max: int) -> Basis | None:
    """The newest basis that is not too old: from quotes if there are any, else from bars of one close."""
    quoted = _from_prices(data, venue, symbol, at_ms, age_ms_max)
    return quoted or _from_candles(data, venue, symbol, at_ms, age_ms_max)


def _made(perpetual: float, reference: float, of: str, *origins: Origin) -> Basis:
    return Basis(
        BasisPoints.of_fraction(perpetual / reference - 1), of, perpetual, reference, Origin.merge(origins)
    )


def _from_prices(data: MarketData, venue: str, symbol: str, at_ms: int, age_ms_max: int) -> Basis | None:
    fresh = data.prices.filter(
        pl.col("venue") == venue,
        pl.col("symbol") == symbol,
        pl.col("received_ms") <= at_ms,
        pl.col("venue_ms").is_between(at_ms - age_ms_max, at_ms),
    ).sort("venue_ms", maintain_order=True)
    perpetual = _last(fresh.filter(pl.col("market") == PERPETUAL))
    if perpetual is None:
        return None
    origin, mid = Origin.of_row(perpetual), middle(perpetual)
    if perpetual["index"] is not None:
        if mid is not None:
            return _made(mid, perpetual["index"], "mid/index", origin)
        if perpetual["mark"] is not None:
            return _made(perpetual["mark"], perpetual["index"], "mark/index", origin)
    spot = _last(fresh.filter(pl.col("market") == SPOT))
    if spot is None or mid is None or abs(spot["venue_ms"] - perpetual["venue_ms"]) > TOGETHER_MS_MAX:
        return None
    spot_mid = middle(spot)
    return None if spot_mid is None else _made(mid, spot_mid, "mid/spot mid", origin, Origin.of_row(spot))


def _from_candles(data: MarketData, venue: str, symbol: str, at_ms: int, age_ms_max: int) -> Basis | None:
    fresh = data.candles.filter(
        pl.col("venue") == venue,
        pl.col("symbol") == symbol,
        pl.col("received_ms") <= at_ms,
        pl.col("venue_ms").is_between(at_ms - age_ms_max, at_ms),
    )
    perpetual = _last(fresh.filter(pl.col("market") == PERPETUAL).sort("venue_ms", maintain_order=True))
    if perpetual is None:
        return None
    spot = _last(fresh.filter(pl.col("market") == SPOT, pl.col("venue_ms") == perpetual["venue_ms"]))
    if spot is None:
        return None
    origins = Origin.of_row(perpetual), Origin.of_row(spot)
    return _made(perpetual["close"], spot["close"], "close/spot close", *origins)


def _last(frame: pl.DataFrame) -> dict[str, Any] | None:
    return None if frame.is_empty() else frame.row(-1, named=True)
