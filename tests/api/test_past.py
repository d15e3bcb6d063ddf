"""Candles and 24 hours against a plain count of the same trades."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal

import numpy as np
import pytest
from tests.api.conftest import MARKETS

import exchange_os as xos
from exchange_os.api.past import PastTrades
from exchange_os.exact import EXACT
from exchange_os.records import EVENT, Events


def made(rows: list[tuple[int, int, int, int]]) -> Events:
    """Trades of instrument, milliseconds, ticks and lots."""
    trades = np.zeros(len(rows), EVENT)
    for place, (instrument, time_ms, ticks, lots) in enumerate(rows):
        trades[place]["instrument"], trades[place]["time_ns"] = instrument, time_ms * 1_000_000 + 999_999
        trades[place]["price"], trades[place]["qty"] = ticks, lots
    return trades


@pytest.fixture
def instrument() -> xos.Instrument:
    with xos.open() as exchange:
        exchange.deploy(xos.markets.loads(MARKETS))
        return exchange.instrument("ETH-USDC")


@pytest.mark.parametrize("seed", range(5))
def test_spans_against_a_plain_count(instrument: xos.Instrument, seed: int) -> None:
    rng = random.Random(seed)
    times = sorted(rng.randrange(1_800_000) for _ in range(400))
    rows = [(rng.choice([1, 2]), time_ms, rng.randint(1, 2**39), rng.randint(1, 2**39)) for time_ms in times]
    past = PastTrades(instrument, made(rows))
    groups: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, time_ms, ticks, lots in rows:
        if number == 1:
            groups[time_ms // 60_000 * 60_000].append((ticks, lots))
    spans = list(past.candles(60_000, -1, -1, 1_000))
    assert [span.begin_ms for span in spans] == sorted(groups, reverse=True)
    for span in spans:
        prices = [Decimal(ticks).scaleb(-2) for ticks, _ in groups[span.begin_ms]]
        lots = [Decimal(lots).scaleb(-4) for _, lots in groups[span.begin_ms]]
        assert (span.open, span.high) == (prices[0], max(prices))
        assert (span.low, span.close) == (min(prices), prices[-1])
        assert span.volume == sum(lots)
        exact = sum(ticks * lots for ticks, lots in groups[span.begin_ms])
        assert span.value == EXACT.scaleb(Decimal(exact), -6)


def test_windows_are_exclusive(instrument: xos.Instrument) -> None:
    past = PastTrades(instrument, made([(1, minute * 60_000, 100 + minute, 1) for minute in range(5)]))
    window = [span.begin_ms // 60_000 for span in past.candles(60_000, 240_000, 60_000, 10)]
    assert window == [3, 2]
    assert [span.begin_ms for span in past.candles(60_000, -1, -1, 1)] == [240_000]
    assert past.since(180_000) is not None
    assert past.since(240_000) is None
    assert past.last_qty == Decimal("0.0001")


def test_nothing_traded(instrument: xos.Instrument) -> None:
    past = PastTrades(instrument, made([(2, 1, 1, 1)]))
    assert past.since(0) is None
    assert past.last_qty is None
    assert list(past.candles(1_000, -1, -1, 10)) == []
