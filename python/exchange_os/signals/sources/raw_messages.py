"""Tables from raw messages that somebody recorded: one a line, the local time in ns before its JSON.

    1723161255088165267 {"stream":"ethusdt@bookTicker","data":{...}}

Binance's `bookTicker` becomes quotes, its `forceOrder` liquidations; Hyperliquid's `l2Book` becomes books.
Other messages are passed over and counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.market_data import PERPETUAL, MarketData, conform
from exchange_os.signals.sources.dialects import liquidation_row, number, whole

Rows = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Parsed:
    data: MarketData
    passed_over: Mapping[str, int]
    """Kinds of messages that no table takes, and how many."""


def parse(venue: str, lines: Iterable[str], symbols: Mapping[str, str]) -> Parsed:
    """The tables of one venue's lines; `symbols` says what the venue's names are, as {"ETHUSDT": "ETH/USDT"}.

    Refuses a line that is not a time and a JSON object, and names its number.
    """
    reader = _READERS.get(venue)
    if reader is None:
        raise InvalidArgument(f"raw messages are read of {', '.join(_READERS)}, not of '{venue}'")
    tables: dict[str, list[dict[str, Any]]] = {}
    passed_over: Counter[str] = Counter()
    for place, line in enumerate(lines, 1):
        if not line.strip():
            continue
        received_ns, _, text = line.partition(" ")
        try:
            received_ms, message = int(received_ns) // 1_000_000, json.loads(text)
        except ValueError as error:
            raise InvalidArgument(f"line {place} is no time in ns and JSON: {line[:60]!r}") from error
        found, kind = reader(message, received_ms, symbols)
        if not found:
            passed_over[kind] += 1
        for table, row in found:
            tables.setdefault(table, []).append(row)
    made = {
        table: conform(table, pl.DataFrame(rows, infer_schema_length=None)) for table, rows in tables.items()
    }
    return Parsed(MarketData(**made), dict(passed_over))


def _common(venue: str, symbol: str, told_ms: int | None, received_ms: int) -> dict[str, Any]:
    told = told_ms if told_ms is not None else received_ms
    return {
        "venue": venue,
        "symbol": symbol,
        "venue_ms": told,
        "received_ms": max(received_ms, told),
        "source": "raw message",
        "market": PERPETUAL,
    }


def _binance(message: dict[str, Any], received_ms: int, symbols: Mapping[str, str]) -> tuple[Rows, str]:
    body = message.get("data") or message
    kind = str(body.get("e") or "unknown")
    name = (body.get("o") or {}).get("s") if kind == "forceOrder" else body.get("s")
    symbol = symbols.get(str(name))
    if symbol is None:
        return [], kind
    if kind == "bookTicker":
        row = _common("binance", symbol, whole(body.get("T")), received_ms)
        return [("prices", {**row, "bid": number(body.get("b")), "ask": number(body.get("a"))})], kind
    if kind == "forceOrder":
        row = liquidation_row("binance", symbol, body, contract_size=1.0, received_ms=received_ms)
        return [("liquidations", row)], kind
    return [], kind


def _hyperliquid(message: dict[str, Any], received_ms: int, symbols: Mapping[str, str]) -> tuple[Rows, str]:
    kind, body = str(message.get("channel") or "unknown"), message.get("data")
    if kind != "l2Book" or not isinstance(body, dict) or str(body.get("coin")) not in symbols:
        return [], kind
    row = _common("hyperliquid", symbols[str(body["coin"])], whole(body.get("time")), received_ms)
    rows: Rows = [
        (
            "books",
            {**row, "side": side, "price": number(level.get("px")), "base_qty": number(level.get("sz"))},
        )
        for side, levels in zip(("bid", "ask"), body.get("levels") or ([], []), strict=True)
        for level in levels
    ]
    return rows, kind


_READERS: dict[str, Callable[[dict[str, Any], int, Mapping[str, str]], tuple[Rows, str]]] = {
    "binance": _binance,
    "hyperliquid": _hyperliquid,
}
