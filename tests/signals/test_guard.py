"""The funding and premium guard: what it must catch, what it must let pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_os.signals.guard import check_funding, funding_from_premium, implied_premium_bps
from exchange_os.signals.market_data import MarketData
from exchange_os.signals.rates import BasisPoints, FundingKind, FundingRate, MixedUnits

PREMIA = st.floats(-0.02, 0.02)
INTERVALS_S = st.sampled_from([3_600, 4 * 3_600, 8 * 3_600])


def rate(fraction: float, interval_s: int = 28_800) -> FundingRate:
    return FundingRate(fraction=fraction, interval_s=interval_s, kind=FundingKind.ESTIMATED)


def test_the_article_s_headline_is_caught_and_its_likely_reading_passes(golden: dict[str, Any]) -> None:
    headline, likely, *_ = golden["funding_identity"]["inverse"]
    for case, passes in ((headline, False), (likely, True)):
        verdict = check_funding(rate(case["rate_pct"] / 100), BasisPoints(case["basis_bps"]))
        assert verdict.implied_low.value == pytest.approx(case["implied_premium_bps"], abs=1e-3)
        assert verdict.gap.value == pytest.approx(case["gap_bps"], abs=1e-3)
        assert verdict.passed is passes
    assert check_funding(rate(0.003793), BasisPoints(-4.2)).reason == "funding_premium_mismatch"


def test_other_golden_rates(golden: dict[str, Any]) -> None:
    _, _, okx, base = golden["funding_identity"]["inverse"]
    low, high = implied_premium_bps(rate(okx["rate_pct"] / 100))
    assert low == high == pytest.approx(okx["implied_premium_bps"], abs=1e-3)
    assert implied_premium_bps(rate(base["rate_pct"] / 100)) == pytest.approx((-4, 6))
    example = golden["funding_identity"]["hl_doc_example"]
    assert funding_from_premium(example["premium"]) == pytest.approx(example["F8"])


def test_the_bybit_snapshot_is_consistent(golden: dict[str, Any]) -> None:
    eth = golden["bybit_snapshot_2026_08_09"]["ETHUSDT"]
    basis = BasisPoints.of_fraction(eth["mark"] / eth["index"] - 1)
    verdict = check_funding(rate(eth["rate"]), basis)
    assert verdict.passed
    assert verdict.implied_low.value == pytest.approx(eth["expect"]["implied_premium_bps"], abs=1e-3)
    assert verdict.gap.value == pytest.approx(eth["expect"]["gap_bps"], abs=1e-3)


def test_hyperliquid_rows_of_the_golden_file(golden: dict[str, Any]) -> None:
    for row in golden["funding_identity"]["hyperliquid_rows"]:
        assert funding_from_premium(row["premium"], 3_600) == pytest.approx(row["rate_1h"], abs=1e-9)


def test_hyperliquid_identity_on_every_recorded_row(four_years: pl.DataFrame, golden: dict[str, Any]) -> None:
    rows = four_years.filter(pl.col("venue") == "hyperliquid", pl.col("premium").is_not_null())
    assert rows.height == golden["funding_identity"]["n_rows"]
    for premium, hourly in rows.select("premium", "rate").iter_rows():
        assert abs(funding_from_premium(premium, 3_600) - hourly) <= 1e-9
        assert check_funding(rate(hourly, 3_600), BasisPoints.of_fraction(premium)).gap.value < 0.01


def test_a_rate_at_its_cap_only_bounds_the_premium_and_beyond_it_is_wrong() -> None:
    capped = rate(0.00375)
    assert not check_funding(capped, BasisPoints(120.0)).passed
    assert check_funding(capped, BasisPoints(120.0), cap=0.00375).passed
    assert not check_funding(capped, BasisPoints(-4.2), cap=0.00375).passed
    assert check_funding(rate(0.3793), BasisPoints(3800.0), cap=0.00375).reason == "above_the_cap"
    assert check_funding(rate(-0.00375), BasisPoints(-120.0), floor=-0.00375).passed
    assert check_funding(rate(-0.004), BasisPoints(-45.0), floor=-0.00375).reason == "above_the_cap"


def test_a_basis_in_another_unit_is_refused() -> None:
    basis: Any = -4.2
    with pytest.raises(MixedUnits):
        check_funding(rate(0.0001), basis)


@given(PREMIA, INTERVALS_S)
def test_the_premium_lies_in_what_its_own_rate_implies(premium: float, interval_s: int) -> None:
    low, high = implied_premium_bps(rate(funding_from_premium(premium, interval_s), interval_s))
    assert low - 0.001 <= premium * 10_000 <= high + 0.001
    verdict = check_funding(
        rate(funding_from_premium(premium, interval_s), interval_s), BasisPoints.of_fraction(premium)
    )
    assert verdict.passed


@given(PREMIA, PREMIA, INTERVALS_S)
def test_a_higher_premium_never_gives_a_lower_rate(one: float, other: float, interval_s: int) -> None:
    low, high = sorted((one, other))
    assert funding_from_premium(low, interval_s) <= funding_from_premium(high, interval_s) + 1e-15


@given(st.floats(1e-4, 0.004), st.floats(-8, 8), INTERVALS_S)
def test_a_rate_read_a_hundredfold_never_passes_beside_an_ordinary_basis(
    fraction_8h: float, basis: float, interval_s: int
) -> None:
    wrong = rate(fraction_8h * 100 * interval_s / 28_800, interval_s)
    assert not check_funding(wrong, BasisPoints(basis)).passed


def test_real_binance_funding_passes_beside_the_recorded_basis(real: Callable[[str], Path]) -> None:
    """The mean basis of the 344 recorded seconds belongs to an ordinary rate, not to a hundredfold one."""
    book = pl.read_parquet(real("binance_spot_usdm_coinm_bbo_1s_2024_08_08.parquet"))
    middle = book.with_columns(((pl.col("bid") + pl.col("ask")) / 2).alias("middle"))
    markets = {name: middle.filter(pl.col("market") == name) for name in middle["market"].unique().to_list()}
    spot = markets["spot_ETHUSDT"].select("sec", spot="middle")
    perpetual = next(frame for name, frame in markets.items() if name.startswith("usdm") and "ETH" in name)
    joined = perpetual.select("sec", perpetual="middle").join(spot, on="sec")
    basis = BasisPoints.of_fraction((joined["perpetual"] / joined["spot"] - 1).mean())  # type: ignore[arg-type]
    assert basis.value == pytest.approx(-4.392, abs=0.001)
    assert check_funding(rate(0.00003793), basis).passed
    assert not check_funding(rate(0.003793), basis).passed


def test_false_alarms_on_recorded_bars_are_few_and_hundredfold_rates_all_fail(
    three_venues: MarketData,
) -> None:
    """Each settlement beside the basis of the bar that closed then, ETH and BTC."""
    keys = ["venue", "symbol", "venue_ms"]
    bars = three_venues.candles.select(*keys, "market", "close")
    spot, perpetual = (bars.filter(pl.col("market") == market) for market in ("spot", "perpetual"))
    both = perpetual.join(spot, on=keys, suffix="_spot").join(
        three_venues.funding.select(*keys, "rate"), on=keys
    )
    failed: dict[tuple[str, str], int] = {}
    for venue, symbol, paid, close, spot_close in both.select(
        "venue", "symbol", "rate", "close", "close_spot"
    ).iter_rows():
        basis = BasisPoints.of_fraction(close / spot_close - 1)
        key = venue, symbol
        failed[key] = failed.get(key, 0) + (not check_funding(rate(paid), basis).passed)
        if abs(paid) >= 0.0001:
            assert not check_funding(rate(paid * 100), basis).passed
    assert both.height == 6 * 1_641
    counts = {"binance": (1, 2), "bybit": (0, 0), "okx": (0, 7)}
    assert failed == {
        (venue, symbol): count
        for venue, pair in counts.items()
        for symbol, count in zip(("BTC/USDT", "ETH/USDT"), pair, strict=True)
    }
