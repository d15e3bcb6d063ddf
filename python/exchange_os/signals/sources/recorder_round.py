"""One round of asking every venue about every symbol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from exchange_os.errors import Error, InvalidArgument
from exchange_os.signals.market_data import DAY_MS, PERPETUAL, SPOT, TABLES, MarketData, empty
from exchange_os.signals.sources import own
from exchange_os.signals.sources.ccxt_source import Address, CcxtSource, Silence, now_ms

if TYPE_CHECKING:
    from exchange_os.exchange import Exchange


@dataclass(frozen=True)
class Answers:
    data: MarketData
    silences: tuple[Silence, ...]


def sources_of(venues: Sequence[str]) -> list[CcxtSource]:
    """By ccxt's names, or as `mine=okx@http://127.0.0.1:8555`."""
    return [CcxtSource(Address.parse(venue)) for venue in venues]


def ask(sources: Sequence[CcxtSource], symbols: Sequence[str]) -> Answers:
    """What every venue says now."""
    found, silences = [], []
    for source in sources:
        for symbol in symbols:
            data, silent = source.snapshot(symbol)
            found.append(data)
            silences += silent
    return Answers(joined(found), tuple(silences))


class History:
    """Settled funding and closed bars of both markets: the last days first, then what came since."""

    def __init__(
        self, sources: Sequence[CcxtSource], symbols: Sequence[str], days: int, interval: str
    ) -> None:
        self._begins_ms = now_ms() - days * DAY_MS
        self._questions: list[tuple[CcxtSource, str, Callable[[int], pl.DataFrame]]] = [
            (source, table, question)
            for source in sources
            for symbol in symbols
            for table, question in _past(source, symbol, interval)
        ]
        self._known_ms: dict[int, int] = {}

    def ask(self) -> Answers:
        found, silences = [], []
        for place, (source, table, question) in enumerate(self._questions):
            # A settlement stands at its own time, a bar at its close, at which the next one opens.
            known_ms = self._known_ms.get(place)
            behind = 1 if table == "funding" else 0
            since_ms = self._begins_ms if known_ms is None else known_ms + behind
            try:
                frame = question(since_ms)
            except InvalidArgument:
                raise  # the question is wrong, not the venue
            except Exception as error:  # noqa: BLE001 -- one silent table must not stop the recorder
                silences.append(Silence(source.venue, table, f"{type(error).__name__}: {error}"))
                continue
            found.append(MarketData(**{table: frame}))
            newest = frame["venue_ms"].max()
            if isinstance(newest, int):
                self._known_ms[place] = newest
        return Answers(joined(found), tuple(silences))


def _past(source: CcxtSource, symbol: str, interval: str) -> list[tuple[str, Callable[[int], pl.DataFrame]]]:
    return [
        ("funding", lambda since_ms: source.funding_history(symbol, since_ms)),
        ("candles", lambda since_ms: source.candles(symbol, PERPETUAL, interval, since_ms)),
        ("candles", lambda since_ms: source.candles(symbol, SPOT, interval, since_ms)),
        ("tiers", lambda _since_ms: source.tiers(symbol)),
    ]


def both(first: Answers, second: Answers) -> Answers:
    return Answers(joined([first.data, second.data]), first.silences + second.silences)


def with_positions(answers: Answers, exchange: Exchange, venue: str, symbols: Sequence[str]) -> Answers:
    """With the positions of our own exchange beside them, under the name of its venue."""
    found, silences = [answers.data], list(answers.silences)
    for symbol in symbols:
        try:
            instrument = own.perpetual_of(exchange, symbol)
            told = own.positions(exchange, instrument, venue=venue, symbol=symbol, received_ms=now_ms())
            found.append(MarketData(positions=told))
        except Error as error:
            silences.append(Silence(venue, "positions", f"{type(error).__name__}: {error}"))
    return Answers(joined(found), tuple(silences))


def joined(parts: Sequence[MarketData]) -> MarketData:
    return MarketData(
        **{table: pl.concat([getattr(part, table) for part in parts] or [empty(table)]) for table in TABLES}
    )
