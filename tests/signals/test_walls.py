"""Walls of the book: large, lasting, and only as far as the book reaches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_os.errors import InvalidArgument
from exchange_os.signals.made_up import at, made_up
from exchange_os.signals.market_data import MarketData
from exchange_os.signals.report import make_report
from exchange_os.signals.sources.raw_messages import parse
from exchange_os.signals.walls import walls

from .conftest import rows
from .test_no_look_ahead import check
from .test_raw_messages import BTC, lines_of

ETH = "ETH/USDT"
NOW_MS = at(50)


def book(at_ms: int, big: dict[float, float]) -> list[dict[str, Any]]:
    """Ten levels a side of one coin each around 2,000, but for the big ones."""
    signs = {"bid": -1, "ask": 1}
    prices = [(side, 2_000 + sign * (0.5 + step)) for side, sign in signs.items() for step in range(10)]
    return [
        {
            "venue_ms": at_ms,
            "side": side,
            "price": price,
            "base_qty": big.get(price, 1.0),
        }
        for side, price in prices
    ]


def books(*snapshots: tuple[int, dict[float, float]]) -> MarketData:
    return MarketData(books=rows("books", *(row for at_ms, big in snapshots for row in book(at_ms, big))))


def found(data: MarketData, at_ms: int = NOW_MS, **more: Any) -> Any:
    return walls(data, symbol=ETH, venue="binance", at_ms=at_ms, **more)


def test_what_is_large_in_every_snapshot_is_a_wall() -> None:
    lasting, fleeting = {1_996.5: 20.0, 2_002.5: 6.0}, {2_004.5: 50.0}
    data = books(
        (NOW_MS - 620_000, lasting),
        (NOW_MS - 300_000, {**lasting, 1_996.5: 12.0}),
        (NOW_MS - 5_000, {**lasting, **fleeting}),
    )
    result = found(data)
    assert [(wall.price, wall.base_qty, wall.times_median) for wall in result.bids] == [(1_996.5, 12.0, 12.0)]
    assert [wall.price for wall in result.asks] == [2_002.5]
    assert result.snapshots == 3
    assert result.reach_percent == pytest.approx(100 * 9.5 / 2_000)
    assert [figure.id for figure in result.figures()] == ["walls.bid", "walls.ask"]
    assert "reaches 0.47 %" in result.figures()[0].note or "reaches 0.48 %" in result.figures()[0].note


def test_nearest_first() -> None:
    big = {1_996.5: 20.0, 1_993.5: 30.0, 2_004.5: 9.0, 2_001.5: 9.0}
    result = found(books((NOW_MS - 600_000, big), (NOW_MS, big)))
    assert [wall.price for wall in result.bids] == [1_996.5, 1_993.5]
    assert [wall.price for wall in result.asks] == [2_001.5, 2_004.5]


def test_a_short_a_stale_and_a_crossed_book_say_nothing() -> None:
    big = {1_996.5: 20.0}
    assert found(books((NOW_MS - 599_000, big), (NOW_MS, big))) is None
    old = books((NOW_MS - 900_000, big), (NOW_MS - 121_000, big))
    assert found(old) is None
    crossed = old.books.with_columns(
        pl.when(pl.col("side") == "bid").then(pl.col("price") + 10).otherwise("price").alias("price")
    )
    assert found(MarketData(books=crossed), NOW_MS - 121_000) is None
    assert found(MarketData()) is None
    for wrong in ({"factor": 1.0}, {"lasting_ms": -1}):
        with pytest.raises(InvalidArgument):
            found(old, **wrong)


@given(st.floats(1.1, 30), st.floats(1.1, 30), st.lists(st.floats(0.1, 50), min_size=4, max_size=4))
def test_a_higher_factor_never_finds_more(one: float, other: float, sizes: list[float]) -> None:
    big = dict(zip((1_999.5, 1_996.5, 2_000.5, 2_003.5), sizes, strict=True))
    data = books((NOW_MS - 600_000, big), (NOW_MS, big))
    few, many = (found(data, factor=factor) for factor in sorted((one, other), reverse=True))
    assert set(few.bids) <= set(many.bids)
    assert set(few.asks) <= set(many.asks)


def test_a_report_tells_walls_where_books_were_recorded() -> None:
    big = {1_996.5: 20.0}
    recorded = books((NOW_MS - 601_000, big), (NOW_MS - 1_000, big), (NOW_MS + 60_000, {}))
    market = made_up(days=51)
    data = MarketData(**{**dict(market.items()), "books": recorded.books})
    report = make_report(data, symbol=ETH, at_ms=NOW_MS)
    assert {figure.id: figure.value for figure in report.figures}["walls.bid"] == 1_996.5
    check(found, data, NOW_MS)


def test_recorded_books_reach_a_hundredth_of_a_percent(real: Callable[[str], Path]) -> None:
    lines = lines_of(real("hyperliquid_btc_l2book_trades_raw_2025_01_26.gz"))
    data = parse("hyperliquid", lines, BTC).data
    result = walls(data, symbol="BTC/USDT", venue="hyperliquid", at_ms=data.last_ms(), lasting_ms=0)
    assert result is not None
    assert 0 < result.reach_percent < 0.05
