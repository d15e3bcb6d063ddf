"""Raw messages, as they were recorded, become tables; signals read them like any others."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from exchange_os.errors import InvalidArgument
from exchange_os.signals.cleaning import clean
from exchange_os.signals.sources.raw_messages import parse

ETH, BTC = {"ETHUSDT": "ETH/USDT"}, {"BTC": "BTC/USDT"}


def lines_of(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def test_recorded_quotes_of_binance(real: Callable[[str], Path]) -> None:
    lines = lines_of(real("binance_usdm_ethusdt_raw_ws_first1500.jsonl.gz"))
    found = parse("binance", lines, ETH)
    quotes = found.data.prices
    assert quotes.height + sum(found.passed_over.values()) == len(lines)
    assert set(found.passed_over) == {"depthUpdate", "trade", "unknown"}
    assert quotes.height == sum('"e":"bookTicker"' in line for line in lines) > 500
    assert (quotes["bid"] < quotes["ask"]).all()
    assert quotes["venue_ms"].is_sorted()
    # The recorder's clock was more than a second behind the venue's: no row is received before it was so.
    assert int(lines[0].split()[0]) // 1_000_000 < quotes["venue_ms"][0] - 1_000
    assert (quotes["received_ms"] >= quotes["venue_ms"]).all()
    kept, problems = clean(found.data, found.data.last_ms())
    assert {problem.what for problem in problems} <= {"duplicate"}, problems
    # Several quotes share a millisecond; the one received last of each is kept.
    assert kept.prices.height == quotes["venue_ms"].n_unique()


def test_recorded_books_of_hyperliquid(real: Callable[[str], Path]) -> None:
    lines = lines_of(real("hyperliquid_btc_l2book_trades_raw_2025_01_26.gz"))
    found = parse("hyperliquid", lines, BTC)
    books = found.data.books
    assert sum(found.passed_over.values()) == sum('"channel":"l2Book"' not in line for line in lines) > 0
    best = (
        books.group_by("venue_ms", "received_ms")
        .agg(
            pl.col("price").filter(pl.col("side") == "bid").max().alias("bid"),
            pl.col("price").filter(pl.col("side") == "ask").min().alias("ask"),
            pl.len(),
        )
        .sort("venue_ms")
    )
    assert best.height > 1
    assert (best["bid"] < best["ask"]).all()
    assert best["len"].unique().to_list() == [40], "twenty levels a side"
    first = json.loads(lines[0].partition(" ")[2])["data"]["levels"]
    assert books["price"][0] == float(first[0][0]["px"])
    assert books["base_qty"][0] == float(first[0][0]["sz"])


def test_a_liquidation_and_an_unknown_symbol() -> None:
    order = {"s": "ETHUSDT", "S": "BUY", "q": "1.5", "p": "2000", "ap": "2001", "T": 4}
    message = json.dumps({"e": "forceOrder", "o": order})
    found = parse("binance", [f"5000000 {message}", "", f"6000000 {message}"], ETH)
    rows = found.data.liquidations
    assert rows["position"].to_list() == ["short", "short"]
    assert rows["received_ms"].to_list() == [5, 6]
    assert parse("binance", [f"5000000 {message}"], {}).passed_over == {"forceOrder": 1}


def test_what_is_no_message_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidArgument, match="line 2 is no time"):
        parse("binance", ["1 {}", "x {}"], ETH)
    with pytest.raises(InvalidArgument, match="line 1"):
        parse("hyperliquid", ["1 {"], BTC)
    with pytest.raises(InvalidArgument, match="not of 'okx'"):
        parse("okx", [], ETH)
