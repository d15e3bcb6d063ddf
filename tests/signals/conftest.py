"""Real data, where it is, and the golden cases; small frames made by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exchange_os.signals.market_data import MarketData, empty

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """Expected numbers, each with its source; units are in the file."""
    content: dict[str, Any] = json.loads((HERE / "golden_cases.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """The path of a recorded market file; skips where the data is not there."""
    shared = Path(os.environ.get("XOS_SHARED_DATA") or REPOSITORY.parent / "shared" / "data")
    folder = shared / "markets"

    def path(name: str) -> Path:
        if not (folder / name).is_file():
            pytest.skip(f"no recorded data at {folder}; set XOS_SHARED_DATA to run this on it")
        return folder / name

    return path


@pytest.fixture(scope="session")
def three_venues(real: Callable[[str], Path]) -> MarketData:
    """Binance, Bybit and OKX, ETH and BTC, 8 h bars and settled funding, 2023-01 to 2024-07."""
    frame = pl.read_parquet(real("spot_perp_funding_3venues_8h_2023_2024.parquet")).filter(
        pl.col("pair").is_in(["BTC/USDT", "ETH/USDT", "BTCUSDT", "ETHUSDT"])
    )
    start_ms = pl.col("ts_utc").dt.epoch("ms")
    symbol = pl.when(pl.col("crypto") == "ethereum").then(pl.lit("ETH/USDT")).otherwise(pl.lit("BTC/USDT"))
    common = frame.with_columns(symbol.alias("symbol"), pl.lit("recorded 8 h bars").alias("source"))
    closed = start_ms + 28_800_000
    candles = common.with_columns(
        closed.alias("venue_ms"),
        closed.alias("received_ms"),
        pl.col("contract").alias("market"),
        pl.lit(28_800).alias("interval_s"),
        pl.col("volume").alias("base_volume"),
    )
    funding = common.filter(pl.col("contract") == "perpetual").with_columns(
        start_ms.alias("venue_ms"),
        start_ms.alias("received_ms"),
        pl.col("funding_rate").alias("rate"),
        pl.lit(28_800).alias("interval_s"),
        pl.lit("settled").alias("kind"),
    )
    return MarketData(candles=candles, funding=funding)


@pytest.fixture(scope="session")
def seven_venues(real: Callable[[str], Path]) -> pl.DataFrame:
    """Settled funding of seven venues, 2020 to 2023, as a funding table."""
    frame = pl.read_parquet(real("funding_7venues_btc_eth_2020_2023.parquet"))
    return settled_table(frame, pl.col("ts_utc").dt.epoch("ms"))


@pytest.fixture(scope="session")
def four_years(real: Callable[[str], Path]) -> pl.DataFrame:
    """Settled funding of Binance and Hyperliquid, 2022 to 2025, as a funding table."""
    frame = pl.read_parquet(real("funding_binance_hyperliquid_btc_eth_2022_2025.parquet"))
    return settled_table(frame, pl.col("ts_ms"))


def settled_table(frame: pl.DataFrame, at_ms: pl.Expr) -> pl.DataFrame:
    premium = pl.col("premium") if "premium" in frame.columns else pl.lit(None, pl.Float64)
    return frame.select(
        "venue",
        (pl.col("coin") + "/USDT").alias("symbol"),
        at_ms.alias("venue_ms"),
        at_ms.alias("received_ms"),
        pl.lit("recorded").alias("source"),
        "rate",
        (pl.col("interval_h").cast(pl.Int64) * 3_600).alias("interval_s"),
        pl.lit("settled").alias("kind"),
        premium.alias("premium"),
    )


def rows(table: str, *given: dict[str, Any]) -> pl.DataFrame:
    """A table from a few rows: what a row leaves out is filled with something ordinary."""
    ordinary: dict[str, Any] = {
        "venue": "binance",
        "symbol": "ETH/USDT",
        "source": "by hand",
        "market": "perpetual",
        "kind": "settled",
        "interval_s": 28_800,
    }
    names = list(empty(table).columns)
    filled = [
        {name: {**ordinary, "received_ms": row["venue_ms"], **row}.get(name) for name in names}
        for row in given
    ]
    return pl.DataFrame(filled, schema=empty(table).schema)
