"""One round of asking every venue about every symbol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.market_data import DAY_MS, PERPETUAL, SPOT, TABLES, MarketData, empty
from exchange_os.signals.sources.ccxt_source import CcxtSource, Silence, now_ms


@dataclass(frozen=True)
class Answers:
    data: MarketData
    silences: tuple[Silence, ...]


def sources_of(venues: Sequence[str]) -> list[CcxtSource]:
    return [CcxtSource(venue) for venue in venues]


def ask(sources: Sequence[CcxtSource], symbols: Sequence[str]) -> Answers:
    """What every venue says now."""
    found, silences = [], []
    for source in sources:
        for symbol in symbols:
            data, silent = source.snapshot(symbol)
            found.append(data)
            silences += silent
    return Answers(joined(found), tuple(silences))


def history(sources: Sequence[CcxtSource], symbols: Sequence[str], days: int, interval: str) -> Answers:
    """Settled funding and closed bars of the last days, of both markets, and the margin tiers."""
    since_ms = now_ms() - days * DAY_MS
    found, silences = [], []
    for source in sources:
        for symbol in symbols:
            for table, question in _questions(source, symbol, interval, since_ms):
                try:
                    found.append(MarketData(**{table: question()}))
                except InvalidArgument:
                    raise  # the question is wrong, not the venue
                except Exception as error:  # noqa: BLE001 -- one silent table must not stop the recorder
                    silences.append(Silence(source.venue, table, f"{type(error).__name__}: {error}"))
    return Answers(joined(found), tuple(silences))


def _questions(
    source: CcxtSource, symbol: str, interval: str, since_ms: int
) -> list[tuple[str, Callable[[], pl.DataFrame]]]:
    return [
        ("funding", lambda: source.funding_history(symbol, since_ms)),
        ("candles", lambda: source.candles(symbol, PERPETUAL, interval, since_ms)),
        ("candles", lambda: source.candles(symbol, SPOT, interval, since_ms)),
        ("tiers", lambda: source.tiers(symbol)),
    ]


def joined(parts: Sequence[MarketData]) -> MarketData:
    return MarketData(
        **{table: pl.concat([getattr(part, table) for part in parts] or [empty(table)]) for table in TABLES}
    )
