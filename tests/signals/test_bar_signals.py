"""Signals from bars: regime, volatility, strength, momentum, levels, context."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_os.signals.bars import Bars, average_true_range, bars_of, wilder
from exchange_os.signals.context import market_context
from exchange_os.signals.levels import LevelSettings, levels, merge, outcomes, pivots, value_area
from exchange_os.signals.made_up import at, made_up
from exchange_os.signals.market_data import HOUR_MS, MarketData
from exchange_os.signals.regime import (
    RegimeName,
    VolatilityClass,
    directional_index,
    efficiency_ratio,
    realised_volatility,
    regime,
    variance_ratio,
    volatility,
    with_hysteresis,
)
from exchange_os.signals.strength import leader, momentum, relative_strength

from .conftest import rows


def walk(count: int, seed: int = 5, drift: float = 0.0, symbol: str = "ETH/USDT") -> Bars:
    draws = np.random.default_rng(seed)
    close = 2_000 * np.exp(np.cumsum(draws.normal(drift, 0.006, count)))
    opened = np.concatenate([close[:1], close[:-1]])
    wick = np.abs(draws.normal(0, 0.002, (2, count)))
    return Bars(
        venue="binance",
        symbol=symbol,
        interval_s=3_600,
        source="made up",
        close_ms=HOUR_MS * np.arange(1, count + 1),
        open=opened,
        high=np.maximum(opened, close) * (1 + wick[0]),
        low=np.minimum(opened, close) * (1 - wick[1]),
        close=close,
        base_volume=draws.uniform(1, 2, count),
        received_ms=HOUR_MS * count,
    )


def plain(close: list[float]) -> Bars:
    values = np.array(close, dtype=float)
    return Bars(
        "binance", "ETH/USDT", 3_600, "by hand", HOUR_MS * np.arange(1, len(values) + 1), values, values,
        values, values, np.ones(len(values)), HOUR_MS * len(values),
    )  # fmt: skip


# --- regime -----------------------------------------------------------------------------------------


def slow_adx(bars: Bars, length: int) -> list[float]:
    """ADX as Wilder's book sums it by hand: running totals, one bar after the other."""
    true, plus, minus = [], [], []
    for i in range(1, len(bars)):
        high, low, before = float(bars.high[i]), float(bars.low[i]), float(bars.close[i - 1])
        true.append(max(high, before) - min(low, before))
        up, down = high - float(bars.high[i - 1]), float(bars.low[i - 1]) - low
        plus.append(up if up > max(down, 0) else 0.0)
        minus.append(down if down > max(up, 0) else 0.0)
    totals = [sum(series[:length]) for series in (true, plus, minus)]
    directions = []
    for i in range(length - 1, len(true)):
        if i >= length:
            totals = [
                total - total / length + series[i]
                for total, series in zip(totals, (true, plus, minus), strict=True)
            ]
        plus_di, minus_di = 100 * totals[1] / totals[0], 100 * totals[2] / totals[0]
        directions.append(100 * abs(plus_di - minus_di) / (plus_di + minus_di))
    average = sum(directions[:length]) / length
    out = [average]
    for value in directions[length:]:
        average = (average * (length - 1) + value) / length
        out.append(average)
    return out


@given(st.integers(0, 10_000), st.sampled_from([3, 7, 14]))
@settings(deadline=None)
def test_adx_equals_the_sum_by_hand(seed: int, length: int) -> None:
    bars = walk(80, seed)
    adx, *_ = directional_index(bars, length)
    known = adx[~np.isnan(adx)]
    assert known == pytest.approx(slow_adx(bars, length), rel=1e-9)
    assert ((known >= 0) & (known <= 100)).all()


def test_a_straight_rise_trends_up_and_a_flat_market_ranges() -> None:
    rising = regime(walk(200, drift=0.02))
    assert (rising.name, rising.up) == (RegimeName.TRENDING, True)
    falling = regime(walk(200, drift=-0.02))
    assert (falling.name, falling.up) == (RegimeName.TRENDING, False)
    flat = regime(plain([2_000.0] * 100))
    assert flat.name is RegimeName.RANGING
    assert flat.adx == 0
    assert regime(walk(28)).name is RegimeName.UNKNOWN
    assert regime(walk(29)).name is not None


def test_a_value_between_the_bounds_changes_nothing() -> None:
    values = np.array([np.nan, 22, 19.9, 22, 25.0, 25.1, 22, 20.0, 19.9])
    names = [str(name) for name in with_hysteresis(values)]
    told = ["unknown"] * 2 + ["ranging"] * 3 + ["trending"] * 3 + ["ranging"]
    assert names == told


def test_variance_ratio_of_a_walk_is_one_and_of_reversals_below() -> None:
    draws = np.random.default_rng(3).normal(0, 1, 50_000)
    assert variance_ratio(draws, 4) == pytest.approx(1.0, abs=0.03)
    reversing = np.diff(draws)
    ratio = variance_ratio(reversing, 4)
    assert ratio is not None
    assert ratio < 0.3
    assert variance_ratio(draws[:10], 4) is None


def test_efficiency_of_a_line_and_of_a_return() -> None:
    assert efficiency_ratio(np.arange(1.0, 30.0), 24) == pytest.approx(1.0)
    assert efficiency_ratio(np.array([1.0, 2.0] * 13)[:25], 24) == 0.0
    assert efficiency_ratio(np.arange(1.0, 10.0), 24) is None


def test_volatility_is_the_formula_and_its_class_the_percentile() -> None:
    bars = walk(24 * 100)
    found = volatility(bars)
    expected = 100 * math.sqrt(365 * float((bars.log_returns[-24:] ** 2).sum()))
    assert found.realised == pytest.approx(expected)
    series = realised_volatility(bars)
    past = series[-24 * 90 - 1 : -1]
    assert found.percentile == pytest.approx(float((past < expected).mean()))
    assert volatility(walk(24 * 40)).name is VolatilityClass.UNKNOWN
    assert volatility(walk(20)).realised is None


@given(st.floats(1.0, 3.0), st.floats(1.0, 3.0))
@settings(deadline=None)
def test_larger_last_moves_never_lower_the_class(one: float, other: float) -> None:
    order = list(VolatilityClass)
    ranks = []
    for factor in sorted((one, other)):
        calm = walk(24 * 60)
        returns = np.concatenate([[0.0], calm.log_returns])
        returns[-24:] *= factor
        ranks.append(order.index(volatility(plain((2_000 * np.exp(np.cumsum(returns))).tolist())).name))
    assert ranks[0] <= ranks[1]


# --- strength and momentum --------------------------------------------------------------------------


def test_golden_leaders(golden: dict[str, Any]) -> None:
    for case in golden["relative_strength"]:
        assert leader(case["eth_1h"], case["btc_1h"], "ETH", "BTC") == case["leader"]
    assert leader(1.0, 1.0, "ETH", "BTC") == "neither"


@given(st.floats(-5, -0.001), st.floats(-5, -0.001))
def test_with_both_falling_the_ratio_below_one_leads(ours: float, theirs: float) -> None:
    if ours != theirs:
        assert (leader(ours, theirs, "ETH", "BTC") == "ETH") == (ours / theirs < 1)


def test_the_bybit_snapshot_end_to_end(golden: dict[str, Any]) -> None:
    snapshot = golden["bybit_snapshot_2026_08_09"]
    returns = {}
    for name in ("ETHUSDT", "BTCUSDT"):
        case = snapshot[name]
        index = {"venue": "bybit", "venue_ms": case["ts"], "mark": case["mark"], "index": case["index"]}
        from exchange_os.signals.basis import latest_basis

        data = MarketData(prices=rows("prices", index))
        basis = latest_basis(data, "bybit", "ETH/USDT", case["ts"], 1_000)
        assert basis is not None
        assert basis.bps.value == pytest.approx(case["expect"]["basis_mark_bps"], abs=1e-4)
        returns[name] = 100 * (case["last"] / case["prev1h"] - 1)
        assert returns[name] == pytest.approx(case["expect"]["ret_1h_pct"], abs=1e-5)
    assert leader(returns["ETHUSDT"], returns["BTCUSDT"], "ETH", "BTC") == snapshot["leader"]


def test_strength_needs_common_bars_and_finds_beta() -> None:
    btc = walk(400, 1, symbol="BTC/USDT")
    close = 2_000 * np.exp(1.5 * np.log(btc.close / btc.close[0]))
    eth = Bars(
        "binance", "ETH/USDT", 3_600, "x", btc.close_ms, close, close, close, close, btc.base_volume,
        btc.received_ms,
    )  # fmt: skip
    found = relative_strength(eth, btc)
    assert found is not None
    assert found.beta == pytest.approx(1.5)
    assert found.alpha == pytest.approx(0.0, abs=1e-9)
    assert set(found.differences) == {1, 24, 168}
    for hours, difference in found.differences.items():
        moved = 100 * math.log(btc.close[-1] / btc.close[-1 - hours])
        assert difference == pytest.approx(0.5 * moved)
        assert found.leaders[hours] == ("ETH" if difference > 0 else "BTC")
    assert relative_strength(eth, btc.tail(0)) is None
    assert relative_strength(eth, plain([1.0, 2.0])) is None


def test_a_missing_bar_silences_the_window_over_it() -> None:
    btc = walk(60, 1, symbol="BTC/USDT")
    keep = np.arange(60) != 50
    eth = Bars(
        "binance", "ETH/USDT", 3_600, "x", btc.close_ms[keep], btc.open[keep], btc.high[keep], btc.low[keep],
        btc.close[keep], btc.base_volume[keep], btc.received_ms,
    )  # fmt: skip
    found = relative_strength(eth, btc)
    assert found is not None
    assert set(found.differences) == {1}


def test_momentum_softens_against_the_day() -> None:
    rising = [2_000 * math.exp(0.001 * i + 0.0004 * (-1) ** i) for i in range(24 * 31)]
    found = momentum(plain([*rising, rising[-1] * 0.99]))
    assert found is not None
    assert found.last == pytest.approx(100 * math.log(0.99))
    assert found.day > 0
    assert found.softening
    assert found.z is not None
    assert found.z < -5
    assert momentum(plain(rising[:24])) is None


# --- levels -----------------------------------------------------------------------------------------


def test_a_pivot_is_confirmed_so_many_bars_later() -> None:
    bars = plain([1, 2, 3, 9, 3, 2, 1, 5, 6])
    assert pivots(bars, 3) == [(9.0, 6)]
    assert pivots(plain([1, 2, 2, 2, 1]), 2) == [], "a plateau is no strict extreme"
    assert pivots(plain([1, 2]), 3) == []


def test_the_article_s_two_resistances_are_two_zones_below_their_gap(golden: dict[str, Any]) -> None:
    prices = [(2_156.88, 0), (2_168.11, 1)]
    gap = golden["article"]["resistance_gap_bps"]
    assert pytest.approx(gap, abs=1e-3) == 10_000 * (2_168.11 / 2_156.88 - 1)
    assert len(merge(prices, 2_156.88 * (gap - 1) / 10_000)) == 2
    assert len(merge(prices, 2_156.88 * (gap + 1) / 10_000)) == 1


@given(st.lists(st.floats(1, 100), min_size=1, max_size=50), st.floats(0.1, 5))
def test_merging_loses_nothing_and_bounds_the_width(prices: list[float], distance: float) -> None:
    groups = merge([(price, 0) for price in prices], distance)
    assert sorted(price for group in groups for price, _ in group) == sorted(prices)
    assert all(group[-1][0] - group[0][0] <= 2 * distance for group in groups)


def test_bounces_and_breaks_are_told_apart() -> None:
    def results(close: list[float]) -> list[int]:
        return [result for _, result in outcomes(plain(close), 99, 101, 0, 3, 4)]

    assert results([110, 105, 100.5, 105, 110]) == [1]
    assert results([110, 105, 100.5, 96, 90]) == [-1]
    assert results([110, 105, 100.5, 102, 102, 102, 102]) == [0]
    assert results([90, 95, 100, 95, 90, 95, 100, 105]) == [1, -1]
    assert results([100, 100, 100]) == []
    assert outcomes(plain([110, 105, 100.5, 105, 110]), 99, 101, 2, 3, 4) == [], "not known yet"


def test_the_value_area_holds_its_share() -> None:
    volume = np.array([1.0, 2.0, 10.0, 5.0, 1.0, 1.0])
    low, top, high = value_area(volume)
    assert (low, top, high) == (2, 2, 3)
    assert volume[low : high + 1].sum() >= 0.7 * volume.sum()


def test_levels_on_a_random_walk_do_not_claim_to_beat_random() -> None:
    claims = 0
    for seed in range(12):
        found = levels(walk(1_500, seed))
        assert found is not None
        claims += found.better_than_random
        assert all(zone.high < found.price for zone in found.supports)
        assert all(zone.low > found.price for zone in found.resistances)
        assert found.decided > 50
        assert found.random_decided > 500
    assert claims <= 2


def test_levels_of_a_market_that_bounces_beat_random() -> None:
    draws = np.random.default_rng(9)
    phase = np.arange(2_000) * 2 * np.pi / 40
    found = levels(plain((2_000 + 50 * np.sin(phase) + draws.normal(0, 1, 2_000)).tolist()))
    assert found is not None
    assert found.better_than_random


def test_the_same_seed_draws_the_same_levels() -> None:
    bars = walk(500)
    assert levels(bars) == levels(bars)
    other = levels(bars, LevelSettings(seed=2))
    assert other is not None
    assert other.random_bounce_rate != levels(bars).random_bounce_rate  # type: ignore[union-attr]
    assert levels(walk(10)) is None


def test_average_true_range_of_a_constant_range() -> None:
    bars = walk(100)
    assert wilder(np.full(50, 3.0), 14)[13:] == pytest.approx(3.0)
    assert np.isnan(wilder(np.full(5, 3.0), 14)).all()
    assert (average_true_range(bars) or 0) > 0


# --- context ----------------------------------------------------------------------------------------


def test_context_compares_the_same_bars_and_reads_open_interest_in_coins() -> None:
    data = made_up()
    found = market_context(data, symbol="ETH/USDT", venue="okx", at_ms=at(50))
    assert found.perpetual_to_spot_volume == pytest.approx(1.0, abs=0.4)
    assert found.reading is not None
    seen = data.open_interest.filter(
        pl.col("venue") == "okx", pl.col("symbol") == "ETH/USDT", pl.col("venue_ms") <= at(50)
    )["base_qty"]
    assert found.open_interest_change == pytest.approx(100 * (seen[-1] / seen[-25] - 1))
    nothing = market_context(data, symbol="ETH/USDT", venue="nowhere", at_ms=at(50))
    assert nothing.figures() == []


def test_a_symbol_without_bars_has_none() -> None:
    bars = bars_of(made_up(days=3), symbol="XRP/USDT", at_ms=at(2), venue="okx", interval_s=3_600)
    assert len(bars) == 0
    assert regime(bars).figures() == []
    assert volatility(bars).figures() == []
    assert momentum(bars) is None
    assert levels(bars) is None
