"""Made-up markets from a seed: for measurements, for examples, and for tests where recorded data lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from exchange_os.signals.market_data import DAY_MS, HOUR_MS, MarketData, empty

START_MS = 1_700_006_400_000
"""A midnight in UTC."""
VENUES = ("binance", "bybit", "okx")
PRICES = {"ETH/USDT": 2_000.0, "BTC/USDT": 70_000.0}


def made_up(
    seed: int = 7,
    days: int = 120,
    venues: tuple[str, ...] = VENUES,
    prices: Mapping[str, float] = PRICES,
) -> MarketData:
    """Hourly bars of spot and perpetual, hourly open interest, funding each 8 h, quotes each hour."""
    draws = np.random.default_rng(seed)
    hours = days * 24
    close_ms = START_MS + HOUR_MS * np.arange(1, hours + 1)
    tables: dict[str, list[pl.DataFrame]] = {"candles": [], "funding": [], "open_interest": [], "prices": []}
    for symbol, price in prices.items():
        walk = price * np.exp(np.cumsum(draws.normal(0, 0.006, hours)))
        for venue in venues:
            spot = walk * np.exp(draws.normal(0, 1e-4, hours))
            premium = 1e-4 + draws.normal(0, 3e-4, hours)
            tables["candles"] += [
                _bars(draws, venue, symbol, "spot", spot, close_ms),
                _bars(draws, venue, symbol, "perpetual", spot * (1 + premium), close_ms),
            ]
            tables["funding"].append(_funding(venue, symbol, premium, close_ms))
            tables["open_interest"].append(_open_interest(draws, venue, symbol, close_ms))
            tables["prices"].append(_prices(venue, symbol, spot, premium, close_ms))
    return MarketData(**{name: pl.concat(frames) for name, frames in tables.items()})


def _common(venue: str, symbol: str, times: Any) -> dict[str, Any]:
    return {
        "venue": venue,
        "symbol": symbol,
        "venue_ms": times,
        "received_ms": times,
        "source": "made up",
    }


def _table(name: str, columns: dict[str, Any]) -> pl.DataFrame:
    schema = empty(name).schema
    rows = len(columns["venue_ms"])
    filled = {
        key: value if isinstance(value, np.ndarray) else [value] * rows
        for key, value in ({name: columns.get(name) for name in schema}).items()
    }
    return pl.DataFrame(filled, schema=schema)


def _bars(draws: Any, venue: str, symbol: str, market: str, close: Any, times: Any) -> pl.DataFrame:
    opened = np.concatenate([close[:1], close[:-1]])
    wick = np.abs(draws.normal(0, 0.002, (2, len(close))))
    columns = {
        **_common(venue, symbol, times),
        "market": market,
        "interval_s": 3_600,
        "open": opened,
        "high": np.maximum(opened, close) * (1 + wick[0]),
        "low": np.minimum(opened, close) * (1 - wick[1]),
        "close": close,
        "base_volume": draws.uniform(10, 100, len(close)),
    }
    return _table("candles", columns)


def _funding(venue: str, symbol: str, premium: Any, times: Any) -> pl.DataFrame:
    from exchange_os.signals.guard import funding_from_premium

    settled = np.array(
        [funding_from_premium(float(part.mean())) for part in np.split(premium, len(premium) // 8)]
    )
    columns = {
        **_common(venue, symbol, times[7::8]),
        "rate": settled,
        "interval_s": 28_800,
        "kind": "settled",
    }
    running = np.array([funding_from_premium(float(value)) for value in premium])
    estimated = {
        **_common(venue, symbol, times),
        "rate": running,
        "interval_s": 28_800,
        "kind": "estimated",
        "next_funding_ms": times // (8 * HOUR_MS) * 8 * HOUR_MS + 8 * HOUR_MS,
    }
    return pl.concat([_table("funding", columns), _table("funding", estimated)])


def _open_interest(draws: Any, venue: str, symbol: str, times: Any) -> pl.DataFrame:
    walk = 1_000 * np.exp(np.cumsum(draws.normal(0, 0.01, len(times))))
    return _table("open_interest", {**_common(venue, symbol, times), "base_qty": walk})


def _prices(venue: str, symbol: str, spot: Any, premium: Any, times: Any) -> pl.DataFrame:
    middle = spot * (1 + premium)
    columns = {
        **_common(venue, symbol, times),
        "market": "perpetual",
        "bid": middle * (1 - 5e-6),
        "ask": middle * (1 + 5e-6),
        "last": middle,
        "mark": middle,
        "index": spot,
    }
    return _table("prices", columns)


def at(day: float) -> int:
    """So many days after the first midnight."""
    return START_MS + round(day * DAY_MS)
