"""What the bias looks at, one row a closed bar, from trailing windows only."""

from __future__ import annotations

import polars as pl

from exchange_os.signals.divergence import eight_hour_rates
from exchange_os.signals.market_data import PERPETUAL, SPOT, MarketData
from exchange_os.signals.rates import FundingKind

FEATURES = (
    "return_bar",
    "return_24h",
    "return_168h",
    "strength_24h",
    "volatility_z",
    "funding",
    "funding_z",
    "spread_z",
    "basis_z",
)
Z_WINDOW_H = 90 * 24
Z_SHARE_MIN = 0.2


def feature_table(
    data: MarketData,
    *,
    symbol: str,
    venue: str,
    interval_s: int,
    horizon_bars: int,
    benchmark: str = "BTC/USDT",
) -> pl.DataFrame:
    """`at_ms` (close of the bar), the features, `label`, `result` and `resolved_ms`.

    A row knows what was received up to its close: closed bars, settled funding. `result` is what a long earns
    from the open of the next bar to the close `horizon_bars` later, a log return without costs; the label is
    1 if it is above 0. Both are null while the future is not there, or if a bar is missing in between. `paid`
    is the funding that a long pays meanwhile. A row whose windows are not full is left out.
    """
    bars = _closes(data, symbol, venue, PERPETUAL, interval_s)
    day, week = (max(1, round(hours * 3_600 / interval_s)) for hours in (24, 168))
    window = max(10, Z_WINDOW_H * 3_600 // interval_s)
    log_close = pl.col("close").log()
    frame = bars.with_columns(
        log_close.diff().alias("return_bar"),
        log_close.diff(day).alias("return_24h"),
        log_close.diff(week).alias("return_168h"),
    )
    frame = _with_strength(frame, data, symbol, benchmark, venue, interval_s, day)
    squares = (pl.col("return_bar") ** 2).rolling_sum(day)
    frame = frame.with_columns(_z(squares.sqrt(), window).alias("volatility_z"))
    frame = _with_funding(frame, data, symbol, venue, window, horizon_bars)
    frame = _with_basis(frame, data, symbol, venue, interval_s, window)
    horizon_ms = interval_s * 1_000 * horizon_bars
    result = log_close.shift(-horizon_bars) - pl.col("open").log().shift(-1)
    complete = pl.col("at_ms").shift(-horizon_bars) - pl.col("at_ms") == horizon_ms
    return (
        frame.with_columns(pl.when(complete).then(result).alias("result"))
        .with_columns(
            pl.when(pl.col("result").is_not_null())
            .then((pl.col("result") > 0).cast(pl.Float64))
            .alias("label"),
            (pl.col("at_ms") + horizon_ms).alias("resolved_ms"),
        )
        .select("at_ms", *FEATURES, "label", "result", "resolved_ms", "paid")
        .filter(pl.all_horizontal(pl.col(name).is_finite() for name in FEATURES))
    )


def _closes(data: MarketData, symbol: str, venue: str, market: str, interval_s: int) -> pl.DataFrame:
    return (
        data.candles.filter(
            pl.col("symbol") == symbol,
            pl.col("venue") == venue,
            pl.col("market") == market,
            pl.col("interval_s") == interval_s,
        )
        .sort("venue_ms", "received_ms", maintain_order=True)
        .unique("venue_ms", keep="last", maintain_order=True)
        .select(pl.col("venue_ms").alias("at_ms"), "open", "close")
    )


def _z(values: pl.Expr, window: int) -> pl.Expr:
    """Distance from the mean of the trailing window, this row included, in its standard deviations."""
    least = max(10, round(Z_SHARE_MIN * window))
    mean = values.rolling_mean(window, min_samples=least)
    deviation = values.rolling_std(window, min_samples=least)
    return pl.when(deviation > 0).then((values - mean) / deviation).otherwise(0.0 * deviation)


def _with_strength(
    frame: pl.DataFrame,
    data: MarketData,
    symbol: str,
    benchmark: str,
    venue: str,
    interval_s: int,
    day: int,
) -> pl.DataFrame:
    if symbol == benchmark:
        return frame.with_columns(pl.lit(0.0).alias("strength_24h"))
    other = _closes(data, benchmark, venue, PERPETUAL, interval_s).select(
        "at_ms", pl.col("close").log().diff(day).alias("theirs")
    )
    joined = frame.join(other, on="at_ms", how="left", maintain_order="left")
    return joined.with_columns((pl.col("return_24h") - pl.col("theirs")).alias("strength_24h"))


def _with_funding(
    frame: pl.DataFrame, data: MarketData, symbol: str, venue: str, window: int, horizon_bars: int
) -> pl.DataFrame:
    """The last settled rate an hour, its z, the z of the spread over the venues of each window; `paid`."""
    settled = (
        data.funding.filter(
            pl.col("symbol") == symbol,
            pl.col("venue") == venue,
            pl.col("kind") == FundingKind.SETTLED.value,
        )
        .sort("received_ms", "venue_ms", maintain_order=True)
        .select("received_ms", (pl.col("rate") / pl.col("interval_s") * 3_600).alias("funding"), "rate")
    )
    joined = frame.join_asof(
        settled.select("received_ms", "funding"), left_on="at_ms", right_on="received_ms", strategy="backward"
    ).drop("received_ms", strict=False)
    spreads = _spreads(data, symbol)
    joined = joined.join_asof(spreads, left_on="at_ms", right_on="known_ms", strategy="backward")
    # Settlements after this close, up to that of the horizon: what a position opened at the next bar pays.
    total = settled.with_columns(pl.col("rate").cum_sum().alias("total")).select("received_ms", "total")
    joined = joined.join_asof(total, left_on="at_ms", right_on="received_ms", strategy="backward")
    so_far = pl.col("total").fill_null(0.0)
    paid = (so_far.shift(-horizon_bars) - so_far).fill_null(0.0)
    return joined.with_columns(
        _z(pl.col("funding"), window).alias("funding_z"),
        _z(pl.col("spread").fill_null(0.0), window).alias("spread_z"),
        paid.alias("paid"),
    )


def _spreads(data: MarketData, symbol: str) -> pl.DataFrame:
    """Max - min of the venues that a window has, two at least: a later venue changes no earlier window."""
    return (
        eight_hour_rates(data.funding, symbol)
        .group_by("end_ms")
        .agg(
            (pl.col("per_hour").max() - pl.col("per_hour").min()).alias("spread"),
            pl.col("known_ms").max(),
            pl.len(),
        )
        .filter(pl.col("len") >= 2)
        .sort("known_ms", "end_ms")
        .select("known_ms", "spread")
    )


def _with_basis(
    frame: pl.DataFrame, data: MarketData, symbol: str, venue: str, interval_s: int, window: int
) -> pl.DataFrame:
    spot = _closes(data, symbol, venue, SPOT, interval_s).select("at_ms", pl.col("close").alias("spot"))
    joined = frame.join(spot, on="at_ms", how="left", maintain_order="left")
    basis = (pl.col("close") / pl.col("spot") - 1).fill_null(0.0)
    return joined.with_columns(_z(basis, window).alias("basis_z"))
