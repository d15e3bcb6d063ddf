"""Where a number came from: venue, source, the venue's time, and when it was received here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from exchange_os.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Origin:
    """Of one number. Times are milliseconds since 1970, UTC."""

    venue: str
    source: str
    venue_ms: int
    """When it was so, by the venue's clock."""
    received_ms: int
    """When it was known here. A signal at an earlier time must not use it."""

    def age_ms(self, at_ms: int) -> int:
        """By the venue's clock, so that a late message shows its age. Negative: the clocks disagree."""
        return at_ms - self.venue_ms

    @staticmethod
    def of_row(row: dict[str, Any]) -> Origin:
        return Origin(row["venue"], row["source"], row["venue_ms"], row["received_ms"])

    @staticmethod
    def merge(origins: Iterable[Origin]) -> Origin:
        """Of a number made from several: all the names, the oldest time, received with the last of them."""
        every = list(origins)
        if not every:
            raise InvalidArgument("a number comes from somewhere: no origin was given")
        return Origin(
            venue=_names(origin.venue for origin in every),
            source=_names(origin.source for origin in every),
            venue_ms=min(origin.venue_ms for origin in every),
            received_ms=max(origin.received_ms for origin in every),
        )


def _names(names: Iterable[str]) -> str:
    parts = dict.fromkeys(part for name in names for part in name.split(" + "))
    return " + ".join(parts)


@dataclass(frozen=True, slots=True)
class Figure:
    """One printed number: text and JSON are made from the same figures, so they cannot disagree."""

    id: str
    """Dotted, unique in a report: `divergence.spread`."""
    value: float | str | None
    """None: it could not be computed; `note` says why."""
    unit: str
    formula: str
    origin: Origin
    note: str = ""
    trusted: bool = True
    """False: the guard or its age speaks against it. No sentence says it and no alert fires on it."""

    def text(self) -> str:
        if self.value is None:
            return "none"
        if isinstance(self.value, str):
            return self.value
        return f"{_rounded(self.value)} {self.unit}".strip()

    def as_json(self, at_ms: int) -> dict[str, Any]:
        return {
            "id": self.id,
            "value": self.value,
            "unit": self.unit,
            "text": self.text(),
            "formula": self.formula,
            "venue": self.origin.venue,
            "source": self.origin.source,
            "venue_ms": self.origin.venue_ms,
            "age_ms": self.origin.age_ms(at_ms),
            "note": self.note,
            "trusted": self.trusted,
        }


def _rounded(value: float) -> str:
    """Four digits that matter, no exponent."""
    size = abs(value)
    if size >= 1_000:
        return f"{value:,.2f}" if size < 100_000 else f"{value:,.0f}"
    digits = 4 if size < 10 else 2
    if 0 < size < 0.01:
        digits = 6
    return f"{value:.{digits}f}"
