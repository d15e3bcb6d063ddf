"""Bad rows are named and excluded: never repaired in silence, never counted as zero."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from exchange_os.signals.market_data import (
    DAY_MS,
    HOUR_MS,
    KEYS,
    OPTIONAL,
    SCHEMAS,
    WORDS,
    MarketData,
    conform,
)
from exchange_os.signals.rates import FundingKind

EIGHT_HOURS_S = 28_800
UNIT_SUSPECT_8H = 0.003
"""A venue whose median |rate| per 8 h is above this delivers percent as fractions: on recorded data no median
passes 0.0003, and in percent the usual 0.01 % reads 0.01."""
UNIT_SUSPECT_ROWS_MIN = 10
GRID_TOLERANCE_MS = 60_000
INTERVALS_FOR_INFERENCE = 3
_WITHIN_A_MESSAGE = frozenset({"venue_ms", "side", "price", "base_qty", "notional_from", "liquidation_price"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with the data, as a report prints it."""

    table: str
    what: str
    """One of the words of `clean`: `duplicate`, `interval_missing`, ..."""
    venue: str
    symbol: str
    rows: int
    detail: str
    excluded: bool
    """Whether the rows were taken out."""

    def __str__(self) -> str:
        fate = "excluded" if self.excluded else "kept"
        where = f"{self.venue} {self.symbol}".strip()
        return f"{self.table}: {where}: {self.what}, {self.rows} rows {fate}: {self.detail}"


def clean(data: MarketData, at_ms: int) -> tuple[MarketData, list[Problem]]:
    """What was known at a time without what cannot be right, and the list of what that was.

    Words: `null`, `not_finite`, `unknown_word`, `not_positive`, `duplicate`, `unordered`, `from_the_future`,
    `bar_inconsistent`, `interval_missing`, `interval_inferred`, `unit_suspect`, `off_the_settlement_grid`,
    `gap`.
    """
    problems: list[Problem] = []
    tables = {}
    for table, frame in data.as_of(at_ms).items():
        kept = _clean_any(table, conform(table, frame), at_ms, problems)
        if table == "funding":
            kept = _clean_funding(kept, problems)
        elif table == "candles":
            kept = _clean_candles(kept, problems)
        elif table == "tiers":
            kept = _clean_tiers(kept, problems)
        tables[table] = kept
    return MarketData(**tables), problems


def _take_out(
    table: str, frame: pl.DataFrame, bad: pl.Expr, what: str, detail: str, problems: list[Problem]
) -> pl.DataFrame:
    """The frame without the rows where `bad`; each venue and symbol is one problem."""
    marked = frame.with_columns(bad.fill_null(value=True).alias("_bad"))
    rows = marked.filter("_bad")
    if rows.is_empty():
        return frame
    _name(table, rows, what, detail, problems, excluded=True)
    return marked.filter(~pl.col("_bad")).drop("_bad")


def _name(
    table: str, rows: pl.DataFrame, what: str, detail: str, problems: list[Problem], *, excluded: bool
) -> None:
    for venue, symbol, count in (
        rows.group_by("venue", "symbol").len().sort("venue", "symbol", nulls_last=True).iter_rows()
    ):
        problems.append(
            Problem(
                table, what, str(venue or "no venue"), str(symbol or "no symbol"), count, detail, excluded
            )
        )


def _clean_any(table: str, frame: pl.DataFrame, at_ms: int, problems: list[Problem]) -> pl.DataFrame:
    needed = [name for name in SCHEMAS[table] if name not in OPTIONAL[table]]
    floats = [name for name, dtype in SCHEMAS[table].items() if dtype == pl.Float64]
    null = pl.any_horizontal(pl.col(name).is_null() for name in needed)
    frame = _take_out(table, frame, null, "null", "a needed value is missing", problems)
    not_finite = pl.any_horizontal(~pl.col(name).fill_null(0.0).is_finite() for name in floats)
    frame = _take_out(table, frame, not_finite, "not_finite", "NaN or infinity", problems)
    for name, words in WORDS[table].items():
        unknown = ~pl.col(name).is_in(sorted(words))
        frame = _take_out(table, frame, unknown, "unknown_word", f"in the column {name}", problems)
    signed = {"rate", "cap", "floor", "premium"}
    zero_is_fine = {"base_volume", "base_volume_24h", "notional_from"}
    for name in (name for name in floats if name not in signed):
        column = pl.col(name).fill_null(1.0)
        bad = column < 0 if name in zero_is_fine else column <= 0
        frame = _take_out(table, frame, bad, "not_positive", f"{name} must be above 0", problems)
    ahead = pl.col("venue_ms") > at_ms + GRID_TOLERANCE_MS
    frame = _take_out(table, frame, ahead, "from_the_future", "the venue's time is after now", problems)
    early = pl.col("received_ms") < pl.col("venue_ms") - GRID_TOLERANCE_MS
    detail = "received before the venue's time: a wrong time zone, or a bar that has not closed"
    frame = _take_out(table, frame, early, "from_the_future", detail, problems)
    return _order(table, frame, problems)


def _order(table: str, frame: pl.DataFrame, problems: list[Problem]) -> pl.DataFrame:
    """Sorted by time, each key once: of two the one received last."""
    groups = [name for name in KEYS[table] if name not in _WITHIN_A_MESSAGE]
    backwards = frame.filter((pl.col("venue_ms").diff() < 0).over(groups)) if frame.height else frame
    if not backwards.is_empty():
        _name(table, backwards, "unordered", "rows were sorted by time", problems, excluded=False)
    ordered = frame.sort("venue_ms", "received_ms", maintain_order=True)
    twice = ordered.filter(pl.struct(KEYS[table]).is_duplicated())
    if not twice.is_empty():
        again = twice.filter(~pl.struct(KEYS[table]).is_last_distinct())
        _name(table, again, "duplicate", "the row received last counts", problems, excluded=True)
        ordered = ordered.unique(KEYS[table], keep="last", maintain_order=True)
    return ordered


def _clean_candles(frame: pl.DataFrame, problems: list[Problem]) -> pl.DataFrame:
    frame = _take_out(
        "candles", frame, pl.col("interval_s") <= 0, "interval_missing", "a bar needs its length", problems
    )
    inside = (pl.col("low") <= pl.min_horizontal("open", "close")) & (
        pl.max_horizontal("open", "close") <= pl.col("high")
    )
    return _take_out(
        "candles", frame, ~inside, "bar_inconsistent", "open or close outside low to high", problems
    )


def _clean_tiers(frame: pl.DataFrame, problems: list[Problem]) -> pl.DataFrame:
    """A maintenance rate is below 1 / leverage, or a position would be liquidated as it is opened."""
    impossible = pl.col("maintenance_rate") * pl.col("leverage_max") >= 1
    detail = "a maintenance rate of at least 1 / leverage: percent delivered as fractions?"
    return _take_out("tiers", frame, impossible, "unit_suspect", detail, problems)


def _clean_funding(frame: pl.DataFrame, problems: list[Problem]) -> pl.DataFrame:
    frame = _with_inferred_intervals(frame, problems)
    detail = "a rate without its interval has no meaning"
    missing = pl.col("interval_s").is_null() | (pl.col("interval_s") <= 0)
    frame = _take_out("funding", frame, missing, "interval_missing", detail, problems)
    rate_8h = pl.col("rate").abs() * EIGHT_HOURS_S / pl.col("interval_s")
    series = ["venue", "symbol", "source", "kind"]
    suspect = (rate_8h.median().over(series) > UNIT_SUSPECT_8H) & (
        pl.len().over(series) >= UNIT_SUSPECT_ROWS_MIN
    )
    detail = f"the median |rate| per 8 h is above {UNIT_SUSPECT_8H}: percent delivered as fractions?"
    frame = _take_out("funding", frame, suspect, "unit_suspect", detail, problems)
    frame = _off_grid(frame, problems)
    _name_gaps(frame, problems)
    return frame


def _with_inferred_intervals(frame: pl.DataFrame, problems: list[Problem]) -> pl.DataFrame:
    """A settled history shows its interval: the median of the last three distances, to the whole hour."""
    settled = pl.col("kind") == FundingKind.SETTLED
    distance = pl.col("venue_ms").diff().over("venue", "symbol", "source", "kind")
    inferred = (
        distance.rolling_median(INTERVALS_FOR_INFERENCE).over("venue", "symbol", "source", "kind") / HOUR_MS
    ).round()
    usable = settled & pl.col("interval_s").is_null() & inferred.is_between(1, 24)
    marked = frame.with_columns(usable.fill_null(value=False).alias("_usable"), inferred.alias("_hours"))
    rows = marked.filter("_usable")
    if rows.is_empty():
        return frame
    detail = f"from the last {INTERVALS_FOR_INFERENCE} distances between settlements"
    _name("funding", rows, "interval_inferred", detail, problems, excluded=False)
    hours = (pl.col("_hours") * 3600).cast(pl.Int64)
    chosen = pl.when("_usable").then(hours).otherwise("interval_s").alias("interval_s")
    return marked.with_columns(chosen).drop("_usable", "_hours")


def _off_grid(frame: pl.DataFrame, problems: list[Problem]) -> pl.DataFrame:
    """Settled rates of a series settle at one phase of the day's grid of its interval.

    Rows at another phase than most come from another time zone or a clock that was moved.
    """
    settled = pl.col("kind") == FundingKind.SETTLED
    step = pl.col("interval_s") * 1_000
    # To the whole minute: venues stamp settlements some milliseconds late.
    minute = (pl.col("venue_ms") + GRID_TOLERANCE_MS // 2) // GRID_TOLERANCE_MS * GRID_TOLERANCE_MS
    series = ["venue", "symbol", "source", "interval_s"]
    marked = frame.with_columns(pl.when(settled).then(minute % step).alias("_phase"))
    usual = (
        marked.filter(settled)
        .group_by(*series, "_phase")
        .len()
        .sort("len", "_phase", descending=[True, False])
        .unique(series, keep="first", maintain_order=True)
        .select(*series, pl.col("_phase").alias("_usual"))
    )
    joined = marked.join(usual, on=series, how="left", maintain_order="left")
    off = (settled & (pl.col("_phase") != pl.col("_usual"))).fill_null(value=False)
    detail = "not at the hours at which this venue settles"
    return _take_out("funding", joined, off, "off_the_settlement_grid", detail, problems).drop(
        "_phase", "_usual"
    )


def _name_gaps(frame: pl.DataFrame, problems: list[Problem]) -> None:
    settled = frame.filter(pl.col("kind") == FundingKind.SETTLED)
    distance = pl.col("venue_ms").diff().over("venue", "symbol", "source")
    holes = settled.with_columns(distance.alias("_ms")).filter(pl.col("_ms") > pl.col("interval_s") * 1_500)
    for venue, symbol, count, longest in (
        holes.group_by("venue", "symbol")
        .agg(pl.len(), pl.col("_ms").max())
        .sort("venue", "symbol")
        .iter_rows()
    ):
        days = longest / DAY_MS
        detail = f"the longest hole lasts {longest / HOUR_MS:.0f} h ({days:.1f} days)"
        problems.append(Problem("funding", "gap", venue, symbol, count, detail, excluded=False))
