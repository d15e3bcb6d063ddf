"""polars frames of what an exchange holds: exact `Decimal` columns in whole units."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exchange_os._core import CancelReason, EventKind, Reject
from exchange_os.errors import OutOfRange
from exchange_os.exact import EXACT
from exchange_os.records import Events

_DIGITS = 38
_ATOM_FIELDS = ("amount", "counter_amount")


def decimals(
    counts: npt.NDArray[Any] | Sequence[int] | pl.Series,
    steps: Sequence[Decimal],
    rows: npt.NDArray[Any] | None = None,
) -> pl.Series:
    """Counts of steps as one exact Decimal column; `rows` says for every count which step is its own.

    All values of a column have the decimals of the finest step.
    """
    series = (
        counts.cast(pl.Int128) if isinstance(counts, pl.Series) else pl.Series("", counts, dtype=pl.Int128)
    )
    digits = max((_decimals(step) for step in steps), default=0)
    factors = [int(EXACT.scaleb(step, digits)) for step in steps] or [1]
    bound = 10**_DIGITS // max(factors)
    if series.is_between(-bound, bound, closed="none").not_().any():
        raise OutOfRange(f"a value needs more than the {_DIGITS} digits that a Decimal column has")
    factor = pl.Series("", factors, dtype=pl.Int128)
    places = np.zeros(len(series), np.int64) if rows is None else rows
    scaled = series * factor.gather(pl.Series("", places))
    unit = EXACT.scaleb(Decimal(1), -digits)
    column = pl.DataFrame([scaled.rename("count")]).select(
        (pl.col("count").cast(pl.Decimal(_DIGITS, 0)) * pl.lit(unit, pl.Decimal(_DIGITS, digits))).alias(
            "value"
        )
    )
    return column["value"]


def int128(low: npt.NDArray[Any], high: npt.NDArray[Any]) -> pl.Series:
    """The two halves of 128-bit numbers as one column."""
    halves = pl.DataFrame({"low": np.ascontiguousarray(low), "high": np.ascontiguousarray(high)})
    whole = pl.col("high").cast(pl.Int128) * (1 << 64) + pl.col("low").cast(pl.Int128)
    return halves.select(whole.alias("value"))["value"]


def events(array: Events) -> pl.DataFrame:
    """Events as they are, in ticks, lots and atoms, with words for kinds and reasons."""
    names = array.dtype.names
    assert names is not None
    columns: dict[str, Any] = {}
    for name in names:
        if name.endswith(("_low", "_high")):
            continue
        field = array[name]
        columns[name] = (
            pl.Series(field.tolist(), dtype=pl.Binary) if field.dtype.kind == "S" else field.copy()
        )
    columns["kind"] = words(array["kind"], EventKind)
    columns["reason"] = _reasons(array)
    for name in _ATOM_FIELDS:
        columns[name] = int128(array[f"{name}_low"], array[f"{name}_high"])
    return _only_trades_have_counterparts(pl.DataFrame(columns))


def words(codes: npt.NDArray[Any], enumeration: Any) -> pl.Series:
    """Numbers as lower-case names."""
    names = {int(member): member.name.lower() for member in enumeration}
    return pl.Series(codes.astype(np.int64)).replace_strict(names, default=None, return_dtype=pl.String)


def _reasons(array: Events) -> pl.Series:
    rejected = pl.Series(array["kind"] == EventKind.REJECTED)
    refused, cancelled = words(array["reason"], Reject), words(array["reason"], CancelReason)
    return refused.zip_with(rejected, cancelled)


def _only_trades_have_counterparts(frame: pl.DataFrame) -> pl.DataFrame:
    """The counterpart of a trade lies over the client id of every other kind: each gets its own columns."""
    trade = pl.col("kind").is_in(["trade", "implied_trade", "implied_leg"])
    numbered = trade | (pl.col("kind") == "fee_divided")
    counterpart = [name for name in frame.columns if name.startswith("counter_") and name != "counter_amount"]
    return frame.with_columns(
        *(pl.when(trade).then(pl.col(name)).alias(name) for name in counterpart),
        pl.when(numbered).then(pl.col("trade_id")).alias("trade_id"),
        pl.when(~numbered & (pl.col("client_id").bin.size() > 0))
        .then(pl.col("client_id"))
        .alias("client_id"),
    )


def _decimals(step: Decimal) -> int:
    return max(0, -int(step.normalize(EXACT).as_tuple().exponent))
