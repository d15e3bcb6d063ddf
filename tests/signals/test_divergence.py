"""Funding divergence and carry: the article replayed, the golden figures, the recorded distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_os.errors import InvalidArgument
from exchange_os.signals.carry import Costs, basis_trade, breakeven_intervals, expected_funding
from exchange_os.signals.clock import next_funding, next_settlement_ms
from exchange_os.signals.divergence import (
    DivergenceSettings,
    Rating,
    eight_hour_rates,
    funding_divergence,
    rate_percentile,
    spread_history,
)
from exchange_os.signals.made_up import at, made_up
from exchange_os.signals.market_data import HOUR_MS, MarketData
from exchange_os.signals.quotes import venue_funding
from exchange_os.signals.rates import BasisPoints, FundingKind, FundingRate, PerHour, PerYear

from .conftest import rows

NOW_MS = at(100)
EIGHT_MS = 8 * HOUR_MS


def article(binance_rate: float, *, basis_bps: float = -4.2, **more: Any) -> MarketData:
    """The two venues of the article beside a trailing history with a median spread of 0.63 bps per 8 h."""
    draws = np.random.default_rng(11)
    history = []
    for place in range(280):
        base = 0.0001
        gap = abs(float(draws.normal(0, 0.000093)))
        when = NOW_MS - (280 - place) * EIGHT_MS
        history += [
            {"venue": "binance", "venue_ms": when, "rate": base + gap},
            {"venue": "okx", "venue_ms": when, "rate": base},
        ]
    quoted_ms = NOW_MS - 30_000
    for venue, rate in (("binance", binance_rate), ("okx", 0.000024)):
        history.append({"venue": venue, "venue_ms": quoted_ms, "rate": rate, "kind": "estimated", **more})
    index = 2_000.0
    mark = index * (1 + basis_bps / 10_000)
    quotes = [
        {"venue": venue, "venue_ms": quoted_ms, "bid": mark, "ask": mark, "index": index}
        for venue in ("binance", "okx")
    ]
    return MarketData(funding=rows("funding", *history), prices=rows("prices", *quotes))


def test_the_likely_reading_is_ordinary() -> None:
    found = funding_divergence(article(0.00003793), symbol="ETH/USDT", at_ms=NOW_MS)
    assert found.spread is not None
    assert found.spread.over(8).value == pytest.approx(0.1393)
    assert found.spread.per_year().value == pytest.approx(1.5253, abs=1e-4)
    assert (found.short_venue, found.long_venue) == ("binance", "okx")
    assert found.rating is Rating.NORMAL
    assert found.samples == 269
    assert not found.actionable
    gates = {gate.name: gate.passed for gate in found.gates}
    assert gates == {"two_fresh_venues": True, "guard": True, "open_interest": True, "net_of_costs": False}
    printed = {figure.id: figure.text() for figure in found.figures()}
    assert printed["funding.binance.rate"].startswith("0.003793 % per 8 h")
    assert printed["funding.binance.per_year"].startswith("4.1533 % a year")
    assert printed["divergence.spread"] == "0.1393 bps per 8 h"


def test_the_headline_is_quarantined_and_never_called_extreme() -> None:
    found = funding_divergence(article(0.003793), symbol="ETH/USDT", at_ms=NOW_MS)
    assert found.percentile == 1.0, "which a rating without a guard would call extreme"
    assert found.rating is Rating.QUARANTINED
    assert not found.actionable
    assert [gate.why for gate in found.gates if gate.name == "guard"] == ["binance funding_premium_mismatch"]
    printed = {figure.id: figure for figure in found.figures()}
    assert "quarantined" in printed["funding.binance.rate"].note
    assert "extreme" not in str([figure.text() for figure in found.figures()])


def test_a_second_source_lifts_the_quarantine() -> None:
    data = article(0.003793)
    second = rows(
        "funding",
        {"venue": "binance", "venue_ms": NOW_MS - 31_000, "rate": 0.0038, "kind": "estimated", "source": "b"},
    )
    both = MarketData(funding=pl.concat([data.funding, second]), prices=data.prices)
    found = funding_divergence(both, symbol="ETH/USDT", at_ms=NOW_MS)
    assert found.rating is Rating.EXTREME
    assert "confirmed by b" in found.figures()[0].note
    far = second.with_columns(rate=pl.lit(0.00003793))
    differing = MarketData(funding=pl.concat([data.funding, far]), prices=data.prices)
    assert funding_divergence(differing, symbol="ETH/USDT", at_ms=NOW_MS).rating is Rating.QUARANTINED


def test_a_venue_s_own_premium_serves_where_there_is_no_basis() -> None:
    for premium, passes in ((-0.00046, True), (0.0042, False)):
        data = article(0.00003793, premium=premium)
        quote = venue_funding(
            MarketData(funding=data.funding), symbol="ETH/USDT", at_ms=NOW_MS, kind=FundingKind.ESTIMATED
        )[0]
        assert quote.basis is None
        assert quote.guard is not None
        assert quote.trusted is passes


def test_a_stale_venue_is_left_out_and_one_venue_alone_rates_nothing() -> None:
    found = funding_divergence(article(0.00003793), symbol="ETH/USDT", at_ms=NOW_MS + 200_000)
    assert found.rating is Rating.UNKNOWN
    assert found.spread is None
    assert [quote.fresh for quote in found.quotes] == [False, False]
    assert {figure.note for figure in found.figures()} == {"stale"}


def test_estimated_rates_are_not_compared_with_settled_ones() -> None:
    data = article(0.00003793)
    mixed = data.funding.with_columns(
        pl.when((pl.col("kind") == "estimated") & (pl.col("venue") == "okx"))
        .then(pl.lit("predicted"))
        .otherwise("kind")
        .alias("kind")
    )
    found = funding_divergence(MarketData(funding=mixed, prices=data.prices), symbol="ETH/USDT", at_ms=NOW_MS)
    assert [quote.venue for quote in found.quotes] == ["binance"]
    assert found.rating is Rating.UNKNOWN


def test_open_interest_must_be_told_and_enough_where_it_is_asked_for() -> None:
    settings = DivergenceSettings(notional_min=1e6)
    data = article(0.00003793)

    def gate(*quantities: float) -> bool | None:
        told = zip(("binance", "okx"), quantities, strict=False)
        frame = rows("open_interest", *({"venue": v, "venue_ms": NOW_MS, "base_qty": q} for v, q in told))
        whole = MarketData(funding=data.funding, prices=data.prices, open_interest=frame)
        found = funding_divergence(whole, symbol="ETH/USDT", at_ms=NOW_MS, settings=settings)
        return next(gate.passed for gate in found.gates if gate.name == "open_interest")

    assert gate(1_000.0) is None
    assert gate(1_000.0, 400.0) is False
    assert gate(1_000.0, 501.0) is True


def test_without_history_there_is_no_rating() -> None:
    data = article(0.00003793)
    short = data.funding.filter(pl.col("venue_ms") > NOW_MS - 80 * EIGHT_MS)
    found = funding_divergence(MarketData(funding=short, prices=data.prices), symbol="ETH/USDT", at_ms=NOW_MS)
    assert found.rating is Rating.UNKNOWN
    assert found.percentile is None


@pytest.mark.parametrize(
    ("percentile", "rating"),
    [
        (0.0, Rating.NORMAL),
        (0.7499, Rating.NORMAL),
        (0.75, Rating.ELEVATED),
        (0.95, Rating.HIGH),
        (0.99, Rating.EXTREME),
        (1.0, Rating.EXTREME),
    ],
)
def test_ratings_change_at_their_bounds(percentile: float, rating: Rating) -> None:
    assert rate_percentile(percentile) is rating


def test_hourly_and_eight_hour_venues_compare_and_incomplete_windows_do_not_count() -> None:
    hourly = [
        {"venue": "hyperliquid", "venue_ms": hour * HOUR_MS + 150, "rate": 0.00001, "interval_s": 3_600}
        for hour in range(1, 25)
        if hour != 20
    ]
    eight = [{"venue_ms": (place + 1) * EIGHT_MS + 9, "rate": 0.0001} for place in range(3)]
    frame = rows("funding", *hourly, *eight)
    rates = eight_hour_rates(frame, "ETH/USDT")
    assert rates.filter(pl.col("venue") == "hyperliquid")["end_ms"].to_list() == [EIGHT_MS, 2 * EIGHT_MS]
    assert rates["per_hour"].to_list() == pytest.approx([0.0001 / 8, 0.00001] * 2 + [0.0001 / 8])
    spreads = spread_history(frame, "ETH/USDT", ["binance", "hyperliquid"])["spread"].to_list()
    assert spreads == pytest.approx([0.0000025] * 2)


def quantiles(spread: pl.Series, *shares: float) -> list[float]:
    return [round(float(np.quantile((spread * 8 * 10_000).to_numpy(), share)), 2) for share in shares]


def test_recorded_spread_of_binance_and_okx(three_venues: MarketData, golden: dict[str, Any]) -> None:
    shares = (0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
    eth = spread_history(three_venues.funding, "ETH/USDT", ["binance", "okx"])["spread"]
    assert quantiles(eth, *shares) == pytest.approx([0.63, 1.10, 1.76, 2.24, 3.90, 12.6], abs=0.06)
    btc = spread_history(three_venues.funding, "BTC/USDT", ["binance", "okx"])["spread"]
    assert quantiles(btc, *shares[:5]) == pytest.approx([0.55, 0.98, 1.55, 2.00, 3.30], abs=0.02)
    likely = golden["article"]["spread_if_bps_reading"]
    below = float((eth * 8 * 10_000 < likely["spread_bps"]).mean())  # type: ignore[arg-type]
    assert below == pytest.approx(likely["pctile_of_|binance-okx|_ETH_2023_01_2024_07"], abs=0.005)


def test_recorded_spread_of_binance_and_hyperliquid(four_years: pl.DataFrame) -> None:
    spread = spread_history(four_years, "ETH/USDT", ["binance", "hyperliquid"])["spread"]
    assert quantiles(spread, 0.5, 0.95, 0.99) == pytest.approx([0.55, 3.2, 5.6], abs=0.06)


# --- carry ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fees", [20, 30])
def test_the_article_s_break_even(golden: dict[str, Any], fees: int) -> None:
    expected = golden["carry"][f"breakeven_intervals_fees_{fees}bps"]
    for fraction, intervals in ((0.003793, expected["H_pct"]), (0.00003793, expected["H_bps"])):
        rate = FundingRate(fraction=fraction, interval_s=28_800, kind=FundingKind.ESTIMATED)
        needed = breakeven_intervals(rate, BasisPoints(fees), BasisPoints(-4.2))
        assert needed == pytest.approx(intervals, abs=1e-4)


def test_a_rate_of_zero_never_earns_its_costs() -> None:
    flat = FundingRate(fraction=0.0, interval_s=28_800, kind=FundingKind.SETTLED)
    assert breakeven_intervals(flat, BasisPoints(20), BasisPoints(0)) is None


@given(st.floats(-1e-4, 1e-4), st.floats(0, 2_000), st.floats(1, 10_000))
def test_decay_never_earns_more_than_a_rate_that_stays(rate: float, hours: float, half_life: float) -> None:
    decaying = expected_funding(PerHour(rate), PerHour(0.0), hours, half_life).value
    staying = expected_funding(PerHour(rate), PerHour(0.0), hours, math.inf).value
    assert abs(decaying) <= abs(staying) + 1e-9
    assert decaying * rate >= 0
    assert staying == pytest.approx(rate * hours * 10_000)


@given(st.floats(-1e-4, 1e-4), st.floats(0, 500), st.floats(0, 500), st.floats(1, 1_000))
def test_longer_holding_earns_at_least_as_much(rate: float, one: float, other: float, half: float) -> None:
    short, long = sorted((one, other))
    earned = [abs(expected_funding(PerHour(rate), PerHour(0), hours, half).value) for hours in (short, long)]
    assert earned[0] <= earned[1] + 1e-9


def test_half_of_the_decay_lies_in_the_first_half_life() -> None:
    whole = expected_funding(PerHour(1e-5), PerHour(0), 1e9, 24.0).value
    assert expected_funding(PerHour(1e-5), PerHour(0), 24.0, 24.0).value == pytest.approx(whole / 2)
    stays = expected_funding(PerHour(1e-5), PerHour(1e-5), 100.0, 24.0)
    assert stays.value == pytest.approx(10.0)
    for hours, half_life in ((-1.0, 24.0), (1.0, 0.0), (1.0, math.nan)):
        with pytest.raises(InvalidArgument):
            expected_funding(PerHour(1e-5), PerHour(0), hours, half_life)


def trade(rate: float, basis_bps: float, **more: Any) -> Any:
    data = article(rate, basis_bps=basis_bps)
    quote = venue_funding(data, symbol="ETH/USDT", at_ms=NOW_MS, kind=FundingKind.ESTIMATED)[0]
    return basis_trade(quote, at_ms=NOW_MS, **more)


def test_the_article_s_basis_trade_pays_for_nothing() -> None:
    found = trade(
        0.00003793, -4.2, costs=Costs(fee_per_fill=BasisPoints(5), slippage_per_fill=BasisPoints(0))
    )
    assert found.short_perpetual
    assert found.basis.bps.value == pytest.approx(-4.2)
    assert found.breakeven_intervals == pytest.approx(63.8017, abs=1e-3)
    assert found.breakeven_days == pytest.approx(21.267, abs=1e-3)
    assert [carry.label for carry in found.horizons] == ["next", "7d", "30d"]
    assert all(carry.net.value < 0 for carry in found.horizons)
    assert not found.actionable
    first = found.horizons[0]
    assert first.net.value == pytest.approx(0.3793 - 4.2 - 20)


def test_a_rich_perpetual_is_actionable_and_a_quarantined_one_is_not() -> None:
    assert trade(0.0012, 17.0).actionable
    assert not trade(0.0012, -4.2).actionable, "its rate conflicts with its basis"


def test_shorting_spot_pays_to_borrow() -> None:
    free, borrowed = trade(-0.0003, -8.0), trade(-0.0003, -8.0, costs=Costs(borrow=PerYear(10.0)))
    assert not free.short_perpetual
    assert free.horizons[0].convergence.value == pytest.approx(8.0)
    month = [found.horizons[2].net.value for found in (free, borrowed)]
    assert month[0] - month[1] == pytest.approx(10.0 * 100 * 30 / 365)


@given(st.floats(0, 30), st.floats(0, 30))
def test_higher_fees_never_earn_more(one: float, other: float) -> None:
    rate = FundingRate(fraction=0.0001, interval_s=28_800, kind=FundingKind.SETTLED)
    low, high = sorted((one, other))
    cheap, dear = (
        breakeven_intervals(rate, Costs(fee_per_fill=BasisPoints(fee)).four_fills(), BasisPoints(1.0))
        for fee in (low, high)
    )
    assert cheap is not None
    assert dear is not None
    assert cheap <= dear


# --- clock ------------------------------------------------------------------------------------------


def test_the_article_s_clock(golden: dict[str, Any]) -> None:
    """2.4 h before a settlement on the 8 h grid is one of three times of day."""
    seen = set()
    for minute in range(24 * 60):
        now = minute * 60_000
        if next_settlement_ms(now, 28_800) - now == round(2.4 * HOUR_MS):
            seen.add(f"{minute // 60:02d}:{minute % 60:02d}")
    assert sorted(seen) == golden["article"]["next_funding_2_4h_utc_clock"]


def test_the_venue_s_own_time_counts_until_it_is_past(golden: dict[str, Any]) -> None:
    eth = golden["bybit_snapshot_2026_08_09"]["ETHUSDT"]
    data = MarketData(
        funding=rows(
            "funding",
            {
                "venue": "bybit",
                "venue_ms": eth["ts"],
                "rate": eth["rate"],
                "kind": "estimated",
                "next_funding_ms": eth["next_ms"],
            },
        )
    )
    (quote,) = venue_funding(data, symbol="ETH/USDT", at_ms=eth["ts"], kind=FundingKind.ESTIMATED)
    hours = (next_funding(quote, eth["ts"]) - eth["ts"]) / HOUR_MS
    assert hours == pytest.approx(eth["expect"]["hours_to_funding"], abs=1e-4)
    assert quote.rate.per_year().value == pytest.approx(eth["expect"]["apr_pct"], abs=1e-4)
    assert next_funding(quote, eth["next_ms"]) == eth["next_ms"] + EIGHT_MS


@given(st.integers(0, 2**42), st.integers(1, 24).map(lambda hours: hours * 3_600))
def test_the_next_settlement_is_after_now_and_within_an_interval(now: int, interval_s: int) -> None:
    for offset in (0, 4 * HOUR_MS):
        then = next_settlement_ms(now, interval_s, offset)
        assert 0 < then - now <= interval_s * 1_000
        assert (then - offset) % (interval_s * 1_000) == 0


def test_kucoin_settles_at_four() -> None:
    data = MarketData(funding=rows("funding", {"venue": "kucoin", "venue_ms": at(3), "rate": 0.0001}))
    (quote,) = venue_funding(data, symbol="ETH/USDT", at_ms=at(3), kind=FundingKind.SETTLED)
    assert next_funding(quote, at(3)) == at(3) + 4 * HOUR_MS
    with pytest.raises(InvalidArgument):
        next_settlement_ms(0, 0)


def test_made_up_markets_give_every_part() -> None:
    found = funding_divergence(made_up(), symbol="ETH/USDT", at_ms=at(119))
    assert len(found.quotes) == 3
    assert found.percentile is not None
    assert all(quote.guard is not None and quote.guard.passed for quote in found.quotes)
    assert len({figure.id for figure in found.figures()}) == len(found.figures())
