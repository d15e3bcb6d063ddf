"""Rows of history: what they are about, and their columns by name."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from exchange_os._core import history_columns, history_rows


class Kind(IntEnum):
    """What a row is about. Movements, orders and positions are of an account, the others of an instrument."""

    MOVEMENT = 1
    ORDER = 2
    TRADE = 3
    FUNDING = 4
    LIQUIDATION = 5
    POSITION = 6
    CANDLE = 7


class Bits(IntEnum):
    """Bits of the column `bits` of a movement."""

    FILL = 1
    MAKER = 2
    QUESTION = 4
    LIQUIDATION = 8
    DELEVERAGING = 16


class Source(IntEnum):
    """Whose prices a candle shows."""

    TRADES = 0
    MARK = 1
    INDEX = 2


COLUMNS = {kind: {name: place for place, name in enumerate(history_columns(kind))} for kind in Kind}


class Row:
    """One row; its columns are attributes, in ticks, lots, atoms and nanoseconds, its text is bytes."""

    __slots__ = ("_cells", "kind")

    def __init__(self, kind: Kind, cells: tuple[Any, ...]) -> None:
        self.kind = kind
        self._cells = cells

    def __getattr__(self, name: str) -> int:
        try:
            return self._cells[COLUMNS[self.kind][name]]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"a row of the kind {self.kind.name.lower()} has no {name}") from None

    @property
    def text(self) -> bytes:
        """The client id of the order, or nothing."""
        return self._cells[-1]  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and (self.kind, self._cells) == (other.kind, other._cells)

    def __hash__(self) -> int:
        return hash((self.kind, self._cells))

    def __repr__(self) -> str:
        names = dict(zip([*COLUMNS[self.kind], "text"], self._cells, strict=True))
        return f"{self.kind.name.lower()} {names}"


def rows_of(kind: Kind, packed: bytes) -> list[Row]:
    """The rows of a chunk, oldest first."""
    return [Row(kind, cells) for cells in history_rows(kind, packed)]
