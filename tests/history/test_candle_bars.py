"""Bars against the calendar, and against a plain count of the candles they are made of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.history.test_history import opened

from exchange_os.api.codes import Refused
from exchange_os.api.desk import Desk
from exchange_os.api.keys import Keys
from exchange_os.api.past_candles import BARS, Bar, candles, index_candles, mark_candles
from exchange_os.history import History, Store


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("bar", "at", "begin", "end"),
    [
        ("1s", "2024-02-29 10:11:12", "2024-02-29 10:11:12", "2024-02-29 10:11:13"),
        ("3m", "2024-02-29 10:11:12", "2024-02-29 10:09", "2024-02-29 10:12"),
        ("4H", "2024-02-29 10:11", "2024-02-29 08:00", "2024-02-29 12:00"),
        ("6H", "2024-02-29 10:11", "2024-02-29 10:00", "2024-02-29 16:00"),
        ("6Hutc", "2024-02-29 10:11", "2024-02-29 06:00", "2024-02-29 12:00"),
        ("1D", "2024-02-29 15:59", "2024-02-28 16:00", "2024-02-29 16:00"),
        ("1D", "2024-02-29 16:00", "2024-02-29 16:00", "2024-03-01 16:00"),
        ("1Dutc", "2024-02-29 15:59", "2024-02-29 00:00", "2024-03-01 00:00"),
        ("1Wutc", "2024-02-29 15:59", "2024-02-26 00:00", "2024-03-04 00:00"),
        ("1W", "2024-02-25 16:00", "2024-02-25 16:00", "2024-03-03 16:00"),
        ("1Mutc", "2024-02-29 15:59", "2024-02-01 00:00", "2024-03-01 00:00"),
        ("1M", "2024-02-29 16:00", "2024-02-29 16:00", "2024-03-31 16:00"),
        ("3Mutc", "2024-02-29 15:59", "2024-01-01 00:00", "2024-04-01 00:00"),
        ("3M", "2024-12-31 16:00", "2024-12-31 16:00", "2025-03-31 16:00"),
    ],
)
def test_where_bars_begin(bar: str, at: str, begin: str, end: str) -> None:
    found = Bar(bar)
    assert found.begin(moment(at)) == moment(begin)
    assert found.end(moment(begin)) == moment(end)


@pytest.mark.parametrize("bar", sorted(BARS))
def test_bars_follow_each_other_and_are_made_of_whole_spans(bar: str) -> None:
    found, rng = Bar(bar), random.Random(bar)
    for _ in range(50):
        at = rng.randrange(0, 4_000_000_000)
        begin = found.begin(at)
        assert begin <= at < found.end(begin)
        assert found.begin(begin) == begin
        assert found.begin(found.end(begin) - 1) == begin
        assert found.begin(found.end(begin)) == found.end(begin)
        assert begin % found.base_s == 0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    exchange = opened(tmp_path / "data")
    history = History(Store(), tmp_path / "data")
    history.follow(exchange)
    keys = Keys()
    found = Desk(exchange, keys)
    found.history = history
    yield found
    history.close()
    keys.close()
    exchange.close()


def fill(desk: Desk, rng: random.Random, count: int) -> list[tuple[int, int, int]]:
    """Trades over weeks: second, ticks, lots."""
    made, exchange = [], desk.exchange
    for _ in range(count):
        time_ns = exchange.time_ns + rng.choice([10**9, 40 * 10**9, 3_000 * 10**9, 50_000 * 10**9])
        ticks, lots = rng.randint(190_000, 210_000), rng.randint(10, 60)
        price, qty = ticks / 100, lots / 10_000
        exchange.place(2, "ETH-USDC", "sell", f"{price:.2f}", f"{qty:.4f}", time_ns=time_ns)
        exchange.place(1, "ETH-USDC", "buy", f"{price:.2f}", f"{qty:.4f}", time_ns=time_ns)
        made.append((time_ns // 10**9, ticks, lots))
    return made


@pytest.mark.parametrize("bar", ["1s", "5m", "2H", "6H", "1Dutc", "1W", "1M", "3Mutc"])
def test_candles_are_those_of_a_plain_count(desk: Desk, bar: str) -> None:
    made, each = fill(desk, random.Random(bar), 80), Bar(bar)
    groups: dict[int, list[tuple[int, int]]] = {}
    for second, ticks, lots in made:
        groups.setdefault(each.begin(second), []).append((ticks, lots))
    wanted = [
        [
            str(begin * 1_000),
            *(f"{ticks / 100:.2f}" for ticks in (own[0][0], max(own)[0], min(own)[0], own[-1][0])),
            f"{sum(lots for _, lots in own) / 10_000:.4f}",
        ]
        for begin, own in sorted(groups.items(), reverse=True)
    ]
    fields = {"instId": "ETH-USDC", "bar": bar, "limit": "300"}
    found = candles(desk, fields)
    assert [row[:6] for row in found] == wanted
    assert {row[8] for row in found} == {"1"}
    pages: list[Any] = []
    after = ""
    while page := candles(desk, fields | {"limit": "7"} | ({"after": after} if after else {})):
        pages += page
        after = page[-1][0]
    assert pages == found
    middle = found[len(found) // 2][0]
    newer, older = (candles(desk, fields | {name: middle}) for name in ("before", "after"))
    assert newer + [row for row in found if row[0] == middle] + older == found


def test_marks_and_indices_have_candles_too(desk: Desk) -> None:
    exchange = desk.exchange
    begin = exchange.time_ns // 60_000_000_000 * 60_000_000_000 + 60_000_000_000
    for second, price in ((0, 2_001), (10, 2_005), (20, 1_999), (59, 2_003), (60, 2_002)):
        exchange.set_mark("ETH-USDC-SWAP", price, time_ns=begin + second * 10**9)
        exchange.set_index("ETH-USDC-SWAP", price + 1, time_ns=begin + second * 10**9)
    marks = mark_candles(desk, {"instId": "ETH-USDC-SWAP", "limit": "2"})
    prices = ["2001.00", "2005.00", "1999.00", "2003.00"]
    assert marks[1] == [str(begin // 1_000_000), *prices, "1"]
    assert [row[4] for row in index_candles(desk, {"instId": "ETH-USDC", "limit": "2"})] == [
        "2003.00",
        "2004.00",
    ]
    with pytest.raises(Refused, match="no bar below 1m"):
        mark_candles(desk, {"instId": "ETH-USDC-SWAP", "bar": "1s"})
    with pytest.raises(Refused, match="underlying of no perpetual"):
        index_candles(desk, {"instId": "BTC-USDC"})
    with pytest.raises(Refused, match="bar error"):
        candles(desk, {"instId": "ETH-USDC", "bar": "7m"})


def test_a_bar_that_is_not_over_is_not_confirmed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from exchange_os.api import past_candles

    made = fill(desk, random.Random(1), 1)
    monkeypatch.setattr(past_candles, "now_ms", lambda: made[0][0] * 1_000)
    assert [row[8] for row in candles(desk, {"instId": "ETH-USDC", "bar": "1H"})] == ["0"]


def test_a_channel_says_nothing_while_history_is_unavailable(desk: Desk) -> None:
    from exchange_os.api.past_candles import is_channel, of_channel

    fill(desk, random.Random(1), 3)
    assert len(of_channel(desk, "candle1s", "ETH-USDC")) == 2
    assert of_channel(desk, "mark-price-candle1m", "ETH-USDC-SWAP")
    desk.history = None
    assert is_channel(desk, "candle1Dutc")
    assert not is_channel(desk, "candle1M")
    assert not is_channel(desk, "mark-price-candle1m")
