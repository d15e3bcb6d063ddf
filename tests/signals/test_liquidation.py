"""Liquidation prices by venue and the map of estimated liquidations: golden cases and invariants."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_os.errors import InvalidArgument
from exchange_os.signals import liquidation_price
from exchange_os.signals.bars import Bars
from exchange_os.signals.liquidation_map import (
    LEVERAGES,
    exact_liquidation_map,
    liquidation_map,
    open_interest_of,
    skew,
)
from exchange_os.signals.liquidation_price import Tier, isolated, maintenance, tier_of, tiers_from_rates
from exchange_os.signals.made_up import at, made_up
from exchange_os.signals.origin import Origin

# Binance ETHUSDT, October 2024, as far as the golden cases reach.
TIERS = tiers_from_rates([0, 50_000, 600_000, 3_000_000], [0.004, 0.005, 0.0065, 0.01])
ORIGIN = Origin("binance", "by hand", 0, 0)


def test_golden_prices_of_positions_with_a_wallet(golden: dict[str, Any]) -> None:
    for case in (case for case in golden["liquidation_price"] if "wallet" in case):
        other = case.get("other")
        extra = {}
        if other:
            value = other["qty"] * other["mark"]
            extra = {
                "other_maintenance": value * other["mmr"] - other.get("cum", 0.0),
                "other_unrealised": other["qty"] * (other["mark"] - other["entry"]),
            }
        price = liquidation_price.binance(
            wallet=case["wallet"],
            side=case["side"],
            base_qty=case["qty"],
            entry=case["entry"],
            maintenance_rate=case["mmr"],
            deduction=case["cum"],
            **extra,
        )
        if other and "cum" not in other:  # that case leaves out the deduction of the other position
            continue
        assert price == pytest.approx(case["expected"], abs=0.01), case["source"]


def test_golden_price_of_the_cross_position_whose_other_has_the_eth_tier(golden: dict[str, Any]) -> None:
    case = next(case for case in golden["liquidation_price"] if case["source"] == "freqtrade cross BTC")
    other = case["other"]
    eth = next(case for case in golden["liquidation_price"] if case["source"] == "freqtrade cross ETH")
    price = liquidation_price.binance(
        wallet=case["wallet"],
        side=1,
        base_qty=case["qty"],
        entry=case["entry"],
        maintenance_rate=case["mmr"],
        deduction=case["cum"],
        other_maintenance=other["qty"] * other["mark"] * other["mmr"] - eth["cum"],
        other_unrealised=other["qty"] * (other["mark"] - other["entry"]),
    )
    assert price == pytest.approx(case["expected"], abs=0.01)


def test_golden_isolated_prices(golden: dict[str, Any]) -> None:
    cases = [case for case in golden["liquidation_price"] if "leverage" in case]
    assert len(cases) == 18
    for case in cases:
        price = isolated(
            side=case["side"],
            entry=case["entry"],
            leverage=case["leverage"],
            notional=case["notional"],
            tiers=TIERS,
        )
        assert price == pytest.approx(case["expected"], abs=1e-4)
        tier = tier_of(TIERS, case["notional"])
        assert (tier.maintenance_rate, tier.deduction) == pytest.approx((case["mmr"], case["cum"]))


RATES = st.lists(st.floats(0.001, 0.1), min_size=2, max_size=8, unique=True).map(sorted)


@given(RATES, st.floats(0.5, 1e7))
def test_maintenance_is_continuous_and_rises_with_the_notional(rates: list[float], scale: float) -> None:
    floors = [scale * place * place for place in range(len(rates))]
    tiers = tiers_from_rates(floors, rates)
    for floor in floors[1:]:
        below, at_it = maintenance(tiers, floor * (1 - 1e-12)), maintenance(tiers, floor)
        assert below == pytest.approx(at_it, rel=1e-6)
    notionals = np.linspace(0, floors[-1] * 2, 50)
    needed = [maintenance(tiers, float(notional)) for notional in notionals]
    assert all(b >= a - 1e-9 * scale for a, b in itertools.pairwise(needed))


SIDES = st.sampled_from([1, -1])
LEVERAGE = st.floats(1.5, 100)


@given(SIDES, st.floats(1, 1e5), LEVERAGE, LEVERAGE)
def test_more_leverage_is_liquidated_nearer(side: int, entry: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    rules: list[Callable[[float], float]] = [
        lambda lev: isolated(side=side, entry=entry, leverage=lev, notional=10_000, tiers=TIERS),
        lambda lev: liquidation_price.bybit(side=side, entry=entry, leverage=lev, maintenance_rate=0.004),
        lambda lev: liquidation_price.with_fee(
            wallet=entry / lev, side=side, base_qty=1, entry=entry, maintenance_rate=0.004, taker_rate=0.0005
        ),
    ]
    for rule in rules:
        far, near = abs(rule(low) - entry), abs(rule(high) - entry)
        assert near <= far + 1e-9 * entry
        assert (rule(high) - entry) * side < 0, "a long below its entry, a short above"


@given(SIDES, st.floats(100, 1e5), LEVERAGE)
def test_at_the_liquidation_price_what_is_left_is_the_maintenance(
    side: int, entry: float, leverage: float
) -> None:
    notional = 40_000.0
    qty = notional / entry
    price = isolated(side=side, entry=entry, leverage=leverage, notional=notional, tiers=TIERS)
    left = notional / leverage + side * qty * (price - entry)
    assert left == pytest.approx(qty * price * 0.004, abs=1e-6 * notional)


def test_hyperliquid_s_rule_leaves_the_maintenance_too() -> None:
    price, qty, equity, leverage = 2_000.0, 1.0, 100.0, 40.0
    for side in (1, -1):
        found = liquidation_price.hyperliquid(
            price=price,
            side=side,
            base_qty=qty,
            margin_available=equity - price * qty / leverage,
            maintenance_leverage=leverage,
        )
        assert equity + side * qty * (found - price) == pytest.approx(found * qty / leverage)


@pytest.mark.parametrize("change", [{"side": 0}, {"entry": 0.0}, {"base_qty": -1.0}, {"entry": float("nan")}])
def test_a_position_that_is_none_is_refused(change: dict[str, Any]) -> None:
    position: dict[str, Any] = {"side": 1, "entry": 100.0, "base_qty": 1.0, **change}
    with pytest.raises(InvalidArgument):
        liquidation_price.binance(wallet=10, maintenance_rate=0.01, deduction=0, **position)


def test_tiers_that_are_none_are_refused() -> None:
    for floors, rates in (([], []), ([0, 1], [0.1]), ([1, 2], [0.1, 0.2]), ([0, 2, 2], [0.1, 0.2, 0.3])):
        with pytest.raises(InvalidArgument):
            tiers_from_rates(floors, rates)
    for leverage in (0.5, 0.0):
        with pytest.raises(InvalidArgument):
            isolated(side=1, entry=1, leverage=leverage, notional=1, tiers=TIERS)
        with pytest.raises(InvalidArgument):
            liquidation_price.bybit(side=1, entry=1, leverage=leverage, maintenance_rate=0.004)


# --- the map ----------------------------------------------------------------------------------------

HOUR_MS = 3_600_000


def bars(prices: list[float], wick: float = 0.001) -> Bars:
    close = np.array(prices)
    opened = np.concatenate([close[:1], close[:-1]])
    count = len(close)
    return Bars(
        venue="binance",
        symbol="ETH/USDT",
        interval_s=3_600,
        source="by hand",
        close_ms=HOUR_MS * np.arange(1, count + 1),
        open=opened,
        high=np.maximum(opened, close) * (1 + wick),
        low=np.minimum(opened, close) * (1 - wick),
        close=close,
        base_volume=np.ones(count),
        received_ms=HOUR_MS * count,
    )


def interest(values: list[float]) -> pl.DataFrame:
    return pl.DataFrame({"venue_ms": [HOUR_MS * (i + 1) for i in range(len(values))], "base_qty": values})


STEPS = st.lists(st.tuples(st.floats(-0.04, 0.04), st.floats(-0.2, 0.2)), min_size=3, max_size=60)


@given(STEPS)
@settings(deadline=None)
def test_the_map_never_places_more_than_is_open_and_each_side_lies_on_its_side(
    steps: list[tuple[float, float]],
) -> None:
    price = 2_000 * np.exp(np.cumsum([move for move, _ in steps]))
    quantity = 1_000 * np.exp(np.cumsum([change for _, change in steps]))
    found = liquidation_map(bars(price.tolist()), interest(quantity.tolist()), tiers=TIERS)
    assert found is not None
    assert found.long_qty.sum() <= found.open_interest * (1 + 1e-9)
    assert found.short_qty.sum() <= found.open_interest * (1 + 1e-9)
    assert (found.long_qty >= 0).all()
    assert (found.short_qty >= 0).all()
    assert (found.levels[found.long_qty > 0] < found.price).all()
    assert (found.levels[found.short_qty > 0] > found.price).all()
    assert 0 <= found.long_coverage <= 1 + 1e-9


def test_growth_opens_both_sides_alike() -> None:
    found = liquidation_map(bars([2_000.0] * 2), interest([1_000, 1_100]), tiers=TIERS)
    assert found is not None
    assert found.long_qty.sum() == pytest.approx(100.0)
    assert found.short_qty.sum() == pytest.approx(100.0)
    assert len(found.levels) == 2 * len(LEVERAGES)
    assert found.model == "oi-growth-1"


def test_crossing_takes_a_level_away_and_a_flat_market_only_ages() -> None:
    flat = liquidation_map(bars([2_000.0] * 26), interest([1_000, *[1_100] * 25]), tiers=TIERS)
    assert flat is not None
    assert flat.long_qty.sum() == pytest.approx(100 * 0.5 ** (24 / 24 / 14))
    fallen = liquidation_map(bars([2_000.0, 2_000, 1_900]), interest([1_000, 1_100, 1_100]), tiers=TIERS)
    assert fallen is not None
    assert (fallen.levels[fallen.long_qty > 0] < 1_900).all()
    assert fallen.long_qty.sum() == pytest.approx(45 * 0.5 ** (1 / 24 / 14), rel=1e-9), (
        "5 x and 10 x are left"
    )
    assert fallen.short_qty.sum() == pytest.approx(100 * 0.5 ** (1 / 24 / 14)), "no short was hurt"


def test_shrinking_interest_takes_from_all_in_proportion() -> None:
    grown = liquidation_map(bars([2_000.0] * 2), interest([1_000, 1_100]), tiers=TIERS)
    shrunk = liquidation_map(
        bars([2_000.0] * 3), interest([1_000, 1_100, 550]), tiers=TIERS, half_life_days=1e9
    )
    assert grown is not None
    assert shrunk is not None
    assert shrunk.long_qty == pytest.approx(grown.long_qty / 2)


def test_a_gap_in_the_interest_books_nothing_until_it_is_seen_again() -> None:
    seen = interest([1_000, 1_100, 1_200, 1_300])
    found = liquidation_map(bars([2_000.0] * 4), seen[[0, 3]], tiers=TIERS, half_life_days=1e9)
    assert found is not None
    assert found.long_qty.sum() == pytest.approx(300.0)
    assert liquidation_map(bars([2_000.0] * 4), seen[[0]], tiers=TIERS) is None


def test_shares_that_are_none_are_refused() -> None:
    for more in ({"leverages": [(10, 0.5)]}, {"half_life_days": 0.0}, {"leverages": [(5, 2.0), (9, -1.0)]}):
        given_: Any = more
        with pytest.raises(InvalidArgument):
            liquidation_map(bars([2_000.0] * 2), interest([1, 2]), tiers=TIERS, **given_)


def test_the_figures_say_that_they_are_estimates_with_their_coverage() -> None:
    data = made_up()
    from exchange_os.signals.bars import bars_of

    recent = bars_of(data, symbol="ETH/USDT", at_ms=at(100), venue="okx", interval_s=3_600)
    seen = open_interest_of(data, symbol="ETH/USDT", venue="okx", at_ms=at(100))
    found = liquidation_map(recent, seen, tiers=TIERS)
    assert found is not None
    figures = {figure.id: figure for figure in found.figures()}
    assert "estimate, model oi-growth-1;" in figures["liquidation.longs"].note
    assert 0 < float(figures["liquidation.coverage"].value or 0) < 100


def test_golden_skew(golden: dict[str, Any]) -> None:
    case = golden["article"]["liq"]
    longs, shorts = case["long_musd"], case["short_musd"]
    assert skew(longs, shorts) == pytest.approx(case["skew"], abs=1e-6)
    assert (1 + skew(longs, shorts)) / 2 == pytest.approx(case["long_share"], abs=1e-6)
    assert longs / shorts == pytest.approx(case["ratio"], abs=1e-6)
    assert longs + shorts == case["total"]
    with pytest.raises(InvalidArgument):
        skew(0, 0)


def test_known_positions_give_an_exact_map() -> None:
    positions = pl.DataFrame(
        {
            "position": ["long", "long", "short", "short"],
            "base_qty": [2.0, 1.0, 2.5, 0.5],
            "liquidation_price": [1_800.0, None, 2_300.0, 1_990.0],
        }
    )
    found = exact_liquidation_map(positions, price=2_000.0, origin=ORIGIN, band_percent=12)
    assert found.model == "exact"
    assert found.open_interest == 3.0
    assert found.in_band() == pytest.approx((3_600.0, 995.0))
    assert found.long_coverage == pytest.approx(2 / 3)
    with pytest.raises(InvalidArgument, match="equal"):
        exact_liquidation_map(positions[:3], price=2_000.0, origin=ORIGIN)


def test_a_tier_is_plain_data() -> None:
    assert TIERS[2] == Tier(600_000, 0.0065, pytest.approx(950.0))
