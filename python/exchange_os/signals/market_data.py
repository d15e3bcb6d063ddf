"""The tables that signals read: polars frames of fixed columns, whoever filled them.

Live sources, recordings and historical files all give these tables, so that a signal cannot tell them apart.
Every row says when it was so (`venue_ms`) and when it was known here (`received_ms`). `as_of` keeps what was
known at a time; every signal calls it first, so no signal can see the future.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace

import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.rates import FundingKind

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

SPOT, PERPETUAL = "spot", "perpetual"
"""The words of the column `market`."""

_COMMON = {
    "venue": pl.String,
    "symbol": pl.String,  # "ETH/USDT": base and quote; the column `market` tells spot from perpetual
    "venue_ms": pl.Int64,
    "received_ms": pl.Int64,
    "source": pl.String,
}
_F = pl.Float64

SCHEMAS: Mapping[str, Mapping[str, type[pl.DataType]]] = {
    # A settled rate has the time of its settlement, an estimated one the time of the quotation.
    "funding": {
        **_COMMON,
        "rate": _F,  # fraction of the notional per interval
        "interval_s": pl.Int64,  # never assumed: a row without it is excluded and named
        "kind": pl.String,  # FundingKind
        "next_funding_ms": pl.Int64,
        "cap": _F,
        "floor": _F,
        "premium": _F,  # the venue's own mean premium, a fraction, where it tells
    },
    "prices": {
        **_COMMON,
        "market": pl.String,
        "bid": _F,
        "ask": _F,
        "last": _F,
        "mark": _F,
        "index": _F,
        "base_volume_24h": _F,
    },
    # `venue_ms` is the close of the bar; a bar is known when it has closed.
    "candles": {
        **_COMMON,
        "market": pl.String,
        "interval_s": pl.Int64,
        "open": _F,
        "high": _F,
        "low": _F,
        "close": _F,
        "base_volume": _F,
    },
    "open_interest": {**_COMMON, "base_qty": _F},  # one side, in coins
    "books": {**_COMMON, "market": pl.String, "side": pl.String, "price": _F, "base_qty": _F},
    "liquidations": {**_COMMON, "position": pl.String, "price": _F, "base_qty": _F},
    # Maintenance tiers of a perpetual: from this notional in quote currency on, this fraction of it.
    "tiers": {**_COMMON, "notional_from": _F, "maintenance_rate": _F, "leverage_max": _F},
    # Every open position, by who runs the venue: at this mark it would be liquidated; null: at none.
    "positions": {**_COMMON, "position": pl.String, "base_qty": _F, "liquidation_price": _F},
}

OPTIONAL: Mapping[str, frozenset[str]] = {
    "funding": frozenset({"interval_s", "next_funding_ms", "cap", "floor", "premium"}),
    "prices": frozenset({"bid", "ask", "last", "mark", "index", "base_volume_24h"}),
    "candles": frozenset({"base_volume"}),
    "open_interest": frozenset(),
    "books": frozenset(),
    "liquidations": frozenset(),
    "tiers": frozenset(),
    "positions": frozenset({"liquidation_price"}),
}
"""Columns that may be null. `interval_s` may, so that its absence is named and not a failure to load."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "funding": ("venue", "symbol", "source", "kind", "venue_ms"),
    "prices": ("venue", "symbol", "market", "source", "venue_ms"),
    "candles": ("venue", "symbol", "market", "source", "interval_s", "venue_ms"),
    "open_interest": ("venue", "symbol", "source", "venue_ms"),
    "books": ("venue", "symbol", "market", "source", "venue_ms", "side", "price"),
    "liquidations": ("venue", "symbol", "source", "venue_ms", "position", "price", "base_qty"),
    "tiers": ("venue", "symbol", "source", "venue_ms", "notional_from"),
    "positions": ("venue", "symbol", "source", "venue_ms", "position", "liquidation_price"),
}
"""Two rows with one key are the same message twice; the one received last counts."""

WORDS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "funding": {"kind": frozenset(FundingKind)},
    "prices": {"market": frozenset({SPOT, PERPETUAL})},
    "candles": {"market": frozenset({SPOT, PERPETUAL})},
    "books": {"market": frozenset({SPOT, PERPETUAL}), "side": frozenset({"bid", "ask"})},
    "liquidations": {"position": frozenset({"long", "short"})},
    "open_interest": {},
    "tiers": {},
    "positions": {"position": frozenset({"long", "short"})},
}


_EXACT = {table: pl.Schema(columns) for table, columns in SCHEMAS.items()}


def empty(table: str) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(SCHEMAS[table]))


def conform(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with exactly the columns of the table, in order; columns that may be null are added.

    Refuses a frame that lacks a needed column or whose types cannot be cast without loss.
    """
    schema = SCHEMAS.get(table)
    if schema is None:
        raise InvalidArgument(f"there is no table '{table}'; there are {', '.join(SCHEMAS)}")
    if frame.schema == _EXACT[table]:
        return frame
    missing = [name for name in schema if name not in frame.columns and name not in OPTIONAL[table]]
    if missing:
        raise InvalidArgument(f"table '{table}' lacks the columns {', '.join(missing)}")
    columns = [
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in schema.items()
    ]
    try:
        return frame.select(columns)
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise InvalidArgument(f"table '{table}' has a column of another type: {first}") from error


@dataclass(frozen=True)
class MarketData:
    """One frame a table. A table that nobody filled is empty, and what needs it says so."""

    funding: pl.DataFrame = field(default_factory=lambda: empty("funding"))
    prices: pl.DataFrame = field(default_factory=lambda: empty("prices"))
    candles: pl.DataFrame = field(default_factory=lambda: empty("candles"))
    open_interest: pl.DataFrame = field(default_factory=lambda: empty("open_interest"))
    books: pl.DataFrame = field(default_factory=lambda: empty("books"))
    liquidations: pl.DataFrame = field(default_factory=lambda: empty("liquidations"))
    tiers: pl.DataFrame = field(default_factory=lambda: empty("tiers"))
    positions: pl.DataFrame = field(default_factory=lambda: empty("positions"))

    def __post_init__(self) -> None:
        for table in TABLES:
            object.__setattr__(self, table, conform(table, getattr(self, table)))

    def items(self) -> Iterator[tuple[str, pl.DataFrame]]:
        for table in TABLES:
            yield table, getattr(self, table)

    def as_of(self, at_ms: int) -> MarketData:
        """What was known at a time: rows received up to it."""
        return replace(
            self, **{name: frame.filter(pl.col("received_ms") <= at_ms) for name, frame in self.items()}
        )

    def of_symbol(self, *symbols: str) -> MarketData:
        return replace(
            self, **{name: frame.filter(pl.col("symbol").is_in(symbols)) for name, frame in self.items()}
        )

    def symbols(self) -> list[str]:
        """All symbols that have funding, in order."""
        return sorted(self.funding["symbol"].unique().to_list())

    def last_ms(self) -> int:
        """When the newest row was received. Refuses empty data."""
        times = [frame["received_ms"].max() for _, frame in self.items() if not frame.is_empty()]
        known = [time for time in times if isinstance(time, int)]
        if not known:
            raise InvalidArgument("there are no rows")
        return max(known)


TABLES: tuple[str, ...] = tuple(entry.name for entry in fields(MarketData))
