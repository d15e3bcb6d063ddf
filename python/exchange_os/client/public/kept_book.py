"""A book kept from a snapshot and its changes: sequences must chain, and the checksum must agree."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import Any

from exchange_os.client.public import rows
from exchange_os.results import Book

CHECKED_LEVELS = 25
_Level = list[str]


class OutOfStep(Exception):
    """The changes do not fit what is kept: a new snapshot is needed."""


class KeptBook:
    """One book of one instrument, in the texts of the wire."""

    def __init__(self, instrument: str, contract: Decimal) -> None:
        self._instrument, self._contract = instrument, contract
        self._sides: dict[str, dict[Decimal, _Level]] = {"bids": {}, "asks": {}}
        self._sequence = -1

    def take(self, message: dict[str, Any]) -> bool:
        """A message of the channel; whether the book changed. `OutOfStep` if something is missing."""
        (row,) = message["data"]
        if message.get("action") == "snapshot":
            self._sides = {"bids": {}, "asks": {}}
        elif self._sequence < 0 or row["prevSeqId"] != self._sequence:
            raise OutOfStep(f"after sequence {self._sequence} came a change of {row['prevSeqId']}")
        for name, levels in self._sides.items():
            for level in row[name]:
                price = Decimal(level[0])
                if Decimal(level[1]):
                    levels[price] = level
                else:
                    levels.pop(price, None)
        self._sequence = row["seqId"]
        bids, asks = self._sorted()
        if row.get("checksum") and row["checksum"] != checksum(bids, asks):
            raise OutOfStep(f"the checksum after sequence {self._sequence} is another")
        return bool(row["bids"] or row["asks"] or message.get("action") == "snapshot")

    def book(self) -> Book:
        """As it stands."""
        return rows.book(self._instrument, self._sequence, *self._sorted(), self._contract)

    def _sorted(self) -> tuple[list[_Level], list[_Level]]:
        bids, asks = self._sides["bids"], self._sides["asks"]
        return [bids[price] for price in sorted(bids, reverse=True)], [asks[price] for price in sorted(asks)]


def checksum(bids: list[_Level], asks: list[_Level]) -> int:
    """CRC-32, signed, of price:size of the first 25 levels of both sides in turn, bid first."""
    words: list[str] = []
    for place in range(min(CHECKED_LEVELS, max(len(bids), len(asks)))):
        for side in (bids, asks):
            words += side[place][:2] if place < len(side) else []
    found = zlib.crc32(":".join(words).encode())
    return found - 2**32 if found >= 2**31 else found
