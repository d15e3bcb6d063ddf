"""Units: rates without an interval cannot be made, and no two units mix."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_os.errors import InvalidArgument
from exchange_os.signals.origin import Figure, Origin
from exchange_os.signals.rates import (
    BasisPoints,
    CompoundedPerYear,
    FundingKind,
    FundingRate,
    MixedUnits,
    Percent,
    PerHour,
    PerYear,
    Quantity,
)

UNITS: tuple[type[Quantity], ...] = (Percent, BasisPoints, PerHour, PerYear, CompoundedPerYear)
NUMBERS = st.floats(-1e6, 1e6)
INTERVALS_S = st.integers(1, 24).map(lambda hours: hours * 3_600)
FRACTIONS = st.floats(-0.04, 0.04)


def rate(fraction: float, hours: int = 8, kind: FundingKind = FundingKind.ESTIMATED) -> FundingRate:
    return FundingRate(fraction=fraction, interval_s=hours * 3_600, kind=kind)


@pytest.mark.parametrize(("left", "right"), list(itertools.permutations(UNITS, 2)))
def test_units_never_mix(left: type[Quantity], right: type[Quantity]) -> None:
    attempts: list[Callable[[Any, Any], Any]] = [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a * b,
    ]
    for attempt in attempts:
        with pytest.raises(TypeError):
            attempt(left(1.0), right(1.0))
    assert left(1.0) != right(1.0)


@pytest.mark.parametrize("unit", UNITS)
def test_a_plain_number_is_no_quantity(unit: type[Quantity]) -> None:
    one: Any = unit(1.0)
    for attempt in (lambda: one + 1, lambda: 1 + one, lambda: one - 1.0, lambda: one < 2):
        with pytest.raises(TypeError):
            attempt()


def test_a_basis_is_never_added_to_an_annual_rate() -> None:
    annual: Any = rate(0.00003793).per_year()
    with pytest.raises(MixedUnits, match="PerYear with BasisPoints"):
        annual + BasisPoints(-4.2)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("unit", UNITS)
def test_a_quantity_is_finite(unit: type[Quantity], value: float) -> None:
    with pytest.raises(InvalidArgument):
        unit(value)


def test_a_quantity_needs_a_number() -> None:
    for value in (True, "1", None, Percent(1.0)):
        made: Any = value
        with pytest.raises(MixedUnits):
            Percent(made)


def test_a_rate_needs_interval_and_kind() -> None:
    make: Any = FundingRate
    for given_ in (
        {"fraction": 0.0001},
        {"fraction": 0.0001, "interval_s": 28_800},
        {"fraction": 0.0001, "kind": FundingKind.SETTLED},
    ):
        with pytest.raises(TypeError):
            make(**given_)
    with pytest.raises(TypeError):
        make(0.0001, 28_800, FundingKind.SETTLED)
    for interval in (0, -1, 8.0, True, None):
        with pytest.raises(InvalidArgument):
            make(fraction=0.0001, interval_s=interval, kind=FundingKind.SETTLED)
    with pytest.raises(InvalidArgument):
        make(fraction=0.0001, interval_s=28_800, kind="settled")
    with pytest.raises(InvalidArgument):
        make(fraction=math.nan, interval_s=28_800, kind=FundingKind.SETTLED)


def test_rates_of_different_kinds_are_not_compared() -> None:
    with pytest.raises(MixedUnits, match="estimated with one that is settled"):
        rate(0.0001).spread_to(rate(0.0001, kind=FundingKind.SETTLED))
    wrong: Any = 0.0001
    with pytest.raises(MixedUnits):
        rate(0.0001).spread_to(wrong)


def test_the_article_s_arithmetic(golden: dict[str, Any]) -> None:
    article = golden["article"]
    percent = article["apr_pct_from_pct"]
    quoted = rate(percent["rate_pct"] / 100, percent["interval_h"])
    assert quoted.per_year().value == pytest.approx(percent["apr_pct"], abs=1e-9)
    assert f"{quoted.per_year().value:.2f}" == percent["display"]
    assert quoted.compounded().value == pytest.approx(article["compound_apy_pct"]["apy_pct"], abs=0.01)
    assert quoted.per_year().bps_a_year == pytest.approx(article["mislabel_bps"]["apr_bps_correct"])
    okx = rate(article["apr_okx_pct"]["rate_pct"] / 100)
    assert okx.per_year().value == pytest.approx(article["apr_okx_pct"]["apr_pct"])
    spread = article["spread_pct"]
    assert quoted.spread_to(okx).over(8).to_percent().value == pytest.approx(spread["spread"])
    assert quoted.spread_to(okx).per_year().value == pytest.approx(spread["spread_apr_pct"])


def test_the_reading_in_basis_points_is_a_hundredth(golden: dict[str, Any]) -> None:
    mislabel, other = golden["article"]["mislabel_bps"], golden["article"]["spread_if_bps_reading"]
    likely = rate(mislabel["rate_that_makes_415_3_bps_true"])
    assert likely.per_year().bps_a_year == pytest.approx(mislabel["article_says_bps"], abs=0.05)
    assert likely.percent.value == pytest.approx(mislabel["rate_pct_that_makes_it_true"])
    spread = likely.spread_to(rate(other["b_pct"] / 100))
    assert spread.over(8).value == pytest.approx(other["spread_bps"])
    assert spread.per_year().value == pytest.approx(other["spread_apr_pct"], abs=1e-4)


def test_intervals_are_normalised(golden: dict[str, Any]) -> None:
    live, *tables = golden["interval_normalisation"]
    binance = rate(live["binance"]["rate"], live["binance"]["h"])
    hyperliquid = rate(live["hyperliquid"]["rate"], live["hyperliquid"]["h"])
    hourly = [binance.per_hour().value, hyperliquid.per_hour().value]
    assert hourly == pytest.approx(live["per_hour"])
    assert hourly[1] / hourly[0] == pytest.approx(live["hl_over_binance"], abs=1e-4)
    assert binance.fraction > hyperliquid.fraction, "what reading raw rates concludes"
    for case in tables:
        assert rate(case["rate"], case["h"]).per_year().value == pytest.approx(case["apr_pct"])


@given(FRACTIONS, INTERVALS_S, INTERVALS_S)
def test_another_interval_is_the_same_rate(fraction: float, one_s: int, other_s: int) -> None:
    first = FundingRate(fraction=fraction, interval_s=one_s, kind=FundingKind.SETTLED)
    second = first.scaled_to(other_s)
    assert second.per_hour().value == pytest.approx(first.per_hour().value, rel=1e-12, abs=1e-15)
    assert second.per_year().value == pytest.approx(first.per_year().value, rel=1e-12, abs=1e-12)


@given(FRACTIONS, FRACTIONS, INTERVALS_S)
def test_a_higher_rate_is_higher_in_every_unit(one: float, other: float, interval_s: int) -> None:
    low, high = (
        FundingRate(fraction=fraction, interval_s=interval_s, kind=FundingKind.SETTLED)
        for fraction in sorted((one, other))
    )
    assert low.percent <= high.percent
    assert low.bps <= high.bps
    assert low.per_hour() <= high.per_hour()
    assert low.per_year() <= high.per_year()
    assert low.compounded() <= high.compounded()
    assert high.spread_to(low).value >= 0
    assert -high.spread_to(low) == low.spread_to(high)


@given(FRACTIONS, INTERVALS_S)
def test_compounding_never_gives_less(fraction: float, interval_s: int) -> None:
    given_rate = FundingRate(fraction=fraction, interval_s=interval_s, kind=FundingKind.SETTLED)
    assert given_rate.compounded().value >= given_rate.per_year().value - 1e-9


@given(NUMBERS, NUMBERS)
def test_conversions_go_back_and_forth(one: float, other: float) -> None:
    assert Percent(one).to_bps().to_percent().value == pytest.approx(one)
    assert BasisPoints.of_fraction(one).fraction == pytest.approx(one)
    total = (Percent(one) + Percent(other)).to_bps()
    assert total.value == pytest.approx((Percent(one).to_bps() + Percent(other).to_bps()).value, abs=1e-6)
    assert abs(Percent(one)).value == abs(one)
    assert (2 * Percent(one) - Percent(one)).value == pytest.approx(one)


def test_a_rate_that_leaves_nothing_does_not_compound() -> None:
    with pytest.raises(InvalidArgument):
        rate(-1.0).compounded()


def test_a_rate_says_all_of_it() -> None:
    assert str(rate(0.0001)) == "0.0100 % per 8 h (estimated), 10.95 % a year"
    assert str(BasisPoints(-4.2)) == "-4.2000 bps"


def test_an_origin_tells_the_oldest_time_and_the_last_receipt() -> None:
    merged = Origin.merge(
        [
            Origin("okx", "rest", 900, 1_000),
            Origin("binance", "ws", 400, 1_200),
            Origin("okx", "ws", 950, 960),
        ]
    )
    assert merged == Origin("okx + binance", "rest + ws", 400, 1_200)
    assert merged.age_ms(1_500) == 1_100
    with pytest.raises(InvalidArgument):
        Origin.merge([])


def test_a_figure_prints_and_dumps_the_same_number() -> None:
    origin = Origin("okx", "rest", 900, 1_000)
    for value, text in (
        (4.153351, "4.1534 bps"),
        (0.00123456, "0.001235 bps"),
        (-41533.35, "-41,533.35 bps"),
    ):
        figure = Figure("a.b", value, "bps", "x", origin)
        assert figure.text() == text
        dumped = figure.as_json(2_000)
        assert (dumped["value"], dumped["text"], dumped["age_ms"]) == (value, text, 1_100)
    assert Figure("a.b", None, "bps", "x", origin).text() == "none"


def test_the_article_s_sum_of_a_basis_and_a_rate_a_year_is_refused(golden: dict[str, Any]) -> None:
    case = golden["article"]["combined"]
    assert case["basis_bps"] + case["apr_number"] == pytest.approx(case["article_combined"])
    annual: Any = rate(golden["article"]["mislabel_bps"]["rate_that_makes_415_3_bps_true"]).per_year()
    assert annual.bps_a_year == pytest.approx(case["apr_number"], abs=0.05)
    with pytest.raises(MixedUnits):
        annual + BasisPoints(case["basis_bps"])


def test_the_article_s_ratio_is_none_of_prices(golden: dict[str, Any]) -> None:
    case, btc = golden["article"]["eth_btc_price_ratio_range"], 76_555
    for eth, expected in ((1_988.75, "at_support"), (2_156.88, "at_r1"), (2_168.11, "at_r2")):
        assert eth / btc == pytest.approx(case[expected], abs=1e-6)
        assert eth / btc < case["article_ratio"] / 20
    assert -0.262 / case["article_ratio"] == pytest.approx(
        golden["article"]["btc_1h_if_ratio_is_return_ratio_pct"], abs=1e-6
    )
