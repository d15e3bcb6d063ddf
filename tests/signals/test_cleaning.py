"""Bad input: named, excluded, never a silent zero. On real data nothing good is lost."""

from __future__ import annotations

import math

import polars as pl
import pytest

from exchange_os.errors import InvalidArgument
from exchange_os.signals.cleaning import Problem, clean
from exchange_os.signals.market_data import HOUR_MS, MarketData, conform, empty

from .conftest import rows

EIGHT_MS = 8 * HOUR_MS
END_MS = 1_000 * EIGHT_MS


def settled(count: int = 20, **more: object) -> list[dict[str, object]]:
    return [{"venue_ms": (i + 1) * EIGHT_MS, "rate": 0.0001, **more} for i in range(count)]


def found(data: MarketData) -> tuple[MarketData, dict[str, Problem]]:
    kept, problems = clean(data, END_MS)
    return kept, {problem.what: problem for problem in problems}


def test_good_rows_pass_unchanged() -> None:
    frame = rows("funding", *settled())
    kept, problems = found(MarketData(funding=frame))
    assert problems == {}
    assert kept.funding.equals(frame)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"rate": math.nan}, "not_finite"),
        ({"rate": math.inf}, "not_finite"),
        ({"rate": None}, "null"),
        ({"venue": None}, "null"),
        ({"kind": "guessed"}, "unknown_word"),
        ({"venue_ms": END_MS + EIGHT_MS, "received_ms": 5}, "from_the_future"),
        ({"venue_ms": 21 * EIGHT_MS, "received_ms": 18 * EIGHT_MS}, "from_the_future"),
        ({"kind": "estimated", "interval_s": None}, "interval_missing"),
        ({"interval_s": 0}, "interval_missing"),
        ({"venue_ms": 21 * EIGHT_MS + HOUR_MS}, "off_the_settlement_grid"),
    ],
)
def test_a_bad_funding_row_is_named_and_excluded(change: dict[str, object], what: str) -> None:
    bad = {"venue_ms": 21 * EIGHT_MS, "rate": 0.0001, **change}
    kept, problems = found(MarketData(funding=rows("funding", *settled(), bad)))
    assert problems[what].rows == 1
    assert problems[what].excluded
    assert kept.funding.height == 20
    assert what in str(problems[what])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"low": 0.0}, "not_positive"),
        ({"close": 200.0}, "bar_inconsistent"),
        ({"interval_s": 0}, "interval_missing"),
        ({"received_ms": 10 * HOUR_MS - 600_000}, "from_the_future"),
        ({"base_volume": -1.0}, "not_positive"),
        ({"market": "option"}, "unknown_word"),
    ],
)
def test_a_bad_bar_is_named_and_excluded(change: dict[str, object], what: str) -> None:
    good: dict[str, object] = {
        "venue_ms": 10 * HOUR_MS,
        "interval_s": 3_600,
        "open": 100.0,
        "high": 110.0,
        "low": 90.0,
        "close": 105.0,
        "base_volume": 0.0,
    }
    kept, problems = found(
        MarketData(candles=rows("candles", {**good, "venue_ms": 9 * HOUR_MS}, {**good, **change}))
    )
    assert set(problems) == {what}
    assert kept.candles.height == 1


def test_duplicated_and_unordered_rows_give_the_ordered_ones() -> None:
    good = rows("funding", *settled())
    shuffled = pl.concat([good.sample(fraction=1, shuffle=True, seed=3), good.head(4)])
    kept, problems = found(MarketData(funding=shuffled))
    assert kept.funding.equals(good)
    assert problems["duplicate"].rows == 4
    assert problems["unordered"].rows > 0
    assert not problems["unordered"].excluded


def test_of_two_messages_the_one_received_last_counts() -> None:
    first, *rest = settled()
    frame = rows("funding", *rest, {**first, "rate": 0.5, "received_ms": EIGHT_MS + 1}, first)
    kept, _ = found(MarketData(funding=frame))
    assert kept.funding["rate"][0] == 0.5


def test_a_missing_interval_is_read_off_the_history() -> None:
    kept, problems = found(MarketData(funding=rows("funding", *settled(interval_s=None))))
    assert kept.funding["interval_s"].unique().to_list() == [28_800]
    assert kept.funding.height == 17, "the first three have no history"
    assert problems["interval_inferred"].rows == 17
    assert problems["interval_missing"].rows == 3


def test_percent_delivered_as_fractions_is_excluded() -> None:
    good = [{**row, "venue": "okx"} for row in settled()]
    wrong = settled(rate=0.01)
    kept, problems = found(MarketData(funding=rows("funding", *good, *wrong)))
    assert problems["unit_suspect"].venue == "binance"
    assert kept.funding["venue"].unique().to_list() == ["okx"]


def test_a_gap_is_named_and_its_neighbours_stay() -> None:
    every = settled(60)
    kept, problems = found(MarketData(funding=rows("funding", *every[:20], *every[50:])))
    assert kept.funding.height == 30
    assert "248 h" in problems["gap"].detail


def test_nothing_received_later_is_seen() -> None:
    late = {"venue_ms": EIGHT_MS, "rate": 0.5, "venue": "okx", "received_ms": END_MS + 1}
    kept, problems = found(MarketData(funding=rows("funding", *settled(), late)))
    assert problems == {}
    assert kept.funding["venue"].unique().to_list() == ["binance"]


def test_a_frame_that_is_no_table_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="lacks the columns venue_ms"):
        conform("funding", empty("funding").drop("venue_ms"))
    with pytest.raises(InvalidArgument, match="no table 'rates'"):
        conform("rates", empty("funding"))
    with pytest.raises(InvalidArgument, match="of another type"):
        conform("funding", rows("funding", *settled()).with_columns(rate=pl.lit("much")))
    with pytest.raises(InvalidArgument, match="no rows"):
        MarketData().last_ms()


def test_the_seven_venues_lose_nothing_good_and_a_hundredfold_loses_everything(
    seven_venues: pl.DataFrame,
) -> None:
    data = MarketData(funding=seven_venues)
    kept, problems = clean(data, data.last_ms())
    said = {(problem.what, problem.venue, problem.symbol): problem for problem in problems}
    assert "752 h" in said["gap", "gate", "ETH/USDT"].detail
    late = {
        symbol: problem for (what, _, symbol), problem in said.items() if what == "off_the_settlement_grid"
    }
    assert {problem.venue for problem in late.values()} == {"htx"}, "which settled late seven times"
    assert [problem.rows for problem in late.values()] == [7, 7]
    assert {what for what, _, _ in said} == {"gap", "off_the_settlement_grid"}
    assert kept.funding.height == seven_venues.height - 14
    wrong = seven_venues.with_columns(pl.col("rate") * 100)
    kept, problems = clean(MarketData(funding=wrong), data.last_ms())
    assert kept.funding.is_empty()
    assert {problem.venue for problem in problems if problem.what == "unit_suspect"} == set(
        seven_venues["venue"].unique()
    )


def test_the_source_s_own_time_zone_is_found_on_real_data(seven_venues: pl.DataFrame) -> None:
    """Rows of a year moved by three hours, as the source file had them, leave the venue's grid."""
    year_ms = 365 * 24 * HOUR_MS
    binance = seven_venues.filter(pl.col("venue") == "binance", pl.col("symbol") == "ETH/USDT")
    first = binance["venue_ms"][0]
    moved = pl.when(pl.col("venue_ms") < first + year_ms).then(pl.col("venue_ms") + 3 * HOUR_MS)
    wrong = binance.with_columns(moved.otherwise("venue_ms").alias("venue_ms")).with_columns(
        received_ms="venue_ms"
    )
    data = MarketData(funding=wrong)
    kept, problems = clean(data, data.last_ms())
    off = next(problem for problem in problems if problem.what == "off_the_settlement_grid")
    assert off.rows == 3 * 365
    assert kept.funding.height == wrong.height - off.rows
