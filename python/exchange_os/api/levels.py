"""Images of books for subscribers: a snapshot, then what changed, chained by sequence, with a checksum."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from exchange_os.api.desk import Desk
from exchange_os.api.numbers import contract, text
from exchange_os.exact import EXACT
from exchange_os.results import Instrument

CHECKED_LEVELS = 25
Levels = Mapping[int, tuple[int, int]]
"""Lots and orders by ticks, best first."""


class Image:
    """One book to one depth, as its subscribers last saw it."""

    def __init__(self, desk: Desk, instrument: Instrument, depth: int) -> None:
        self._desk, self._instrument, self._depth = desk, instrument, depth
        self._price = desk.exchange._directory.markets[instrument.number].price
        self._unit = EXACT.divide(instrument.lot_size, contract(instrument))
        self.sequence, self._bids, self._asks = self._read()

    def _read(self) -> tuple[int, Levels, Levels]:
        sequence, bids, asks = self._desk.exchange._core.book(self._instrument.number, self._depth)
        return sequence, _levels(bids), _levels(asks)

    def _row(self, ticks: int, lots: int, orders: int) -> list[str]:
        return [text(self._price.value(ticks)), text(self._unit * lots), "0", str(orders)]

    def _rows(self, levels: Levels) -> list[list[str]]:
        return [self._row(ticks, *level) for ticks, level in levels.items()]

    def snapshot(self) -> dict[str, Any]:
        """All of it, as subscribers that came before have it."""
        sides = {"asks": self._rows(self._asks), "bids": self._rows(self._bids)}
        return {**sides, "seqId": self.sequence, "checksum": self.checksum()}

    def change(self) -> dict[str, Any] | None:
        """What differs now from what subscribers have; None if nothing does: then no sequence is used up."""
        sequence, bids, asks = self._read()
        sides = {"asks": self._changed(self._asks, asks), "bids": self._changed(self._bids, bids)}
        if not sides["asks"] and not sides["bids"]:
            return None
        before, self.sequence, self._bids, self._asks = self.sequence, sequence, bids, asks
        return {**sides, "seqId": sequence, "prevSeqId": before, "checksum": self.checksum()}

    def _changed(self, before: Levels, after: Levels) -> list[list[str]]:
        gone = [self._row(ticks, 0, 0) for ticks in before if ticks not in after]
        return gone + [
            self._row(ticks, *level) for ticks, level in after.items() if before.get(ticks) != level
        ]

    def checksum(self) -> int:
        """CRC-32, signed, of price:size of the first 25 levels of both sides in turn, bid first."""
        bids, asks = (
            self._rows(dict(list(side.items())[:CHECKED_LEVELS])) for side in (self._bids, self._asks)
        )
        return checksum(bids, asks)


def _levels(rows: list[tuple[int, int, int]]) -> Levels:
    return {ticks: (lots, orders) for ticks, lots, orders in rows}


def checksum(bids: list[list[str]], asks: list[list[str]]) -> int:
    """Of the texts as they are sent; where one side is shorter the other goes on alone."""
    words: list[str] = []
    for place in range(min(CHECKED_LEVELS, max(len(bids), len(asks)))):
        for side in (bids, asks):
            if place < len(side):
                words += side[place][:2]
    found = zlib.crc32(":".join(words).encode())
    return found - 2**32 if found >= 2**31 else found
