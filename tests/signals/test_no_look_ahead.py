"""No signal sees the future: what it says at a time does not change when later rows do, or are not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from exchange_os.signals.bars import bars_of
from exchange_os.signals.carry import basis_trade
from exchange_os.signals.cleaning import clean
from exchange_os.signals.context import market_context
from exchange_os.signals.divergence import DivergenceSettings, funding_divergence
from exchange_os.signals.levels import levels
from exchange_os.signals.liquidation_map import liquidation_map, open_interest_of
from exchange_os.signals.liquidation_price import tiers_from_rates
from exchange_os.signals.made_up import at, made_up
from exchange_os.signals.market_data import HOUR_MS, MarketData
from exchange_os.signals.quotes import venue_funding
from exchange_os.signals.rates import FundingKind
from exchange_os.signals.regime import regime, volatility
from exchange_os.signals.strength import momentum, relative_strength

TIERS = tiers_from_rates([0], [0.004])
ETH = "ETH/USDT"
Signal = Callable[[MarketData, int], Any]


def _bars(data: MarketData, at_ms: int, symbol: str = ETH) -> Any:
    hours = int(data.candles["interval_s"][0])
    return bars_of(data, symbol=symbol, at_ms=at_ms, venue="okx", interval_s=hours)


def _trade(data: MarketData, at_ms: int) -> Any:
    quotes = venue_funding(data, symbol=ETH, at_ms=at_ms, kind=FundingKind.SETTLED)
    return [basis_trade(quote, at_ms=at_ms) for quote in quotes]


def _map(data: MarketData, at_ms: int) -> Any:
    seen = open_interest_of(data, symbol=ETH, venue="okx", at_ms=at_ms)
    found = liquidation_map(_bars(data, at_ms), seen, tiers=TIERS)
    return found and (
        found.figures(),
        found.levels.tolist(),
        found.long_qty.tolist(),
        found.short_qty.tolist(),
    )


SIGNALS: Mapping[str, Signal] = {
    "divergence": lambda data, at_ms: funding_divergence(data, symbol=ETH, at_ms=at_ms),
    "divergence_settled": lambda data, at_ms: funding_divergence(
        data, symbol=ETH, at_ms=at_ms, settings=DivergenceSettings(kind=FundingKind.SETTLED)
    ),
    "basis_trade": _trade,
    "regime": lambda data, at_ms: regime(_bars(data, at_ms)),
    "volatility": lambda data, at_ms: volatility(_bars(data, at_ms)),
    "levels": lambda data, at_ms: levels(_bars(data, at_ms)),
    "momentum": lambda data, at_ms: momentum(_bars(data, at_ms)),
    "strength": lambda data, at_ms: relative_strength(_bars(data, at_ms), _bars(data, at_ms, "BTC/USDT")),
    "context": lambda data, at_ms: market_context(data, symbol=ETH, venue="okx", at_ms=at_ms),
    "liquidation_map": _map,
    "cleaning": lambda data, at_ms: [
        clean(data, at_ms)[1],
        {name: frame.to_dict(as_series=False) for name, frame in clean(data, at_ms)[0].items()},
    ],
}


def changed_after(data: MarketData, at_ms: int) -> MarketData:
    """Every number received later is another one."""
    tables = {}
    for name, frame in data.items():
        floats = [column for column, dtype in frame.schema.items() if dtype == pl.Float64]
        later = pl.col("received_ms") > at_ms
        tables[name] = frame.with_columns(
            pl.when(later).then(pl.col(column) * 1.5).otherwise(pl.col(column)).alias(column)
            for column in floats
        )
    return replace(data, **tables)


def check(signal: Signal, data: MarketData, at_ms: int) -> None:
    whole = signal(data, at_ms)
    assert whole == signal(changed_after(data, at_ms), at_ms), "it changes with later rows"
    assert whole == signal(data.as_of(at_ms), at_ms), "it changes without later rows"


@pytest.fixture(scope="module")
def market() -> MarketData:
    return made_up(days=100)


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("at_ms", [at(95) + 17, at(96.5)])
def test_on_made_up_markets(name: str, at_ms: int, market: MarketData) -> None:
    check(SIGNALS[name], market, at_ms)


@pytest.mark.parametrize("name", SIGNALS)
def test_on_recorded_markets(name: str, three_venues: MarketData) -> None:
    at_ms = three_venues.last_ms() - 500 * 8 * HOUR_MS
    check(SIGNALS[name], three_venues, at_ms)


def test_the_check_finds_a_signal_that_looks_ahead(market: MarketData) -> None:
    def peeking(data: MarketData, at_ms: int) -> float:
        return float(data.candles.filter(pl.col("venue_ms") > at_ms)["close"].head(1).sum())

    with pytest.raises(AssertionError, match="changes with later rows"):
        check(peeking, market, at(95))


def test_a_bar_that_has_not_closed_is_not_seen(market: MarketData) -> None:
    before = _bars(market, at(95) + HOUR_MS - 1)
    after = _bars(market, at(95) + HOUR_MS)
    assert len(after) == len(before) + 1
    assert before.close_ms[-1] == at(95)
