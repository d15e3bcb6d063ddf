"""What only who runs an exchange knows: every open position, and the mark at which it would be liquidated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.market_data import conform, empty

if TYPE_CHECKING:
    from exchange_os.exchange import Exchange


def perpetual_of(exchange: Exchange, symbol: str) -> str:
    """The perpetual on the base of a symbol such as "ETH/USDT"; refuses none and several."""
    base = symbol.partition("/")[0]
    found = [
        each.symbol
        for each in exchange.instruments()
        if each.product == "perpetual" and each.symbol.partition("-")[0] == base
    ]
    if len(found) != 1:
        raise InvalidArgument(
            f"one perpetual on {base} is needed, there are {len(found)}: {', '.join(found)}"
        )
    return found[0]


def positions(
    exchange: Exchange, instrument: str | int, *, venue: str, symbol: str, received_ms: int
) -> pl.DataFrame:
    """The table `positions` of one perpetual, in coins; positions with one side and price are one row.

    `exchange` is open in this process or connected by `xos.connect` with an operator's key. It holds no
    accounts: sums by liquidation price alone.
    """
    found = exchange.instrument(instrument)
    if found.product != "perpetual":
        raise InvalidArgument(f"only perpetuals have liquidation prices: {found.symbol} is {found.product}")
    open_ = exchange.positions_frame().filter(pl.col("instrument") == found.symbol, pl.col("qty") != 0)
    if open_.is_empty():
        return empty("positions")
    side = pl.when(pl.col("qty") > 0).then(pl.lit("long")).otherwise(pl.lit("short")).alias("position")
    summed = (
        open_.with_columns(side)
        .group_by("position", "liquidation_price")
        .agg(pl.col("qty").abs().sum().cast(pl.Float64).alias("base_qty"))
        .sort("position", "liquidation_price")
    )
    return conform(
        "positions",
        summed.with_columns(
            pl.lit(venue).alias("venue"),
            pl.lit(symbol).alias("symbol"),
            pl.lit(exchange.time_ns // 1_000_000).alias("venue_ms"),
            pl.lit(received_ms).alias("received_ms"),
            pl.lit(f"positions {found.symbol}").alias("source"),
        ),
    )
