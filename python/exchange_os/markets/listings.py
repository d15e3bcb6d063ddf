"""Which venues trade which instruments: names of a market file as the numbers that the engine reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exchange_os.markets.scale import Contradiction
from exchange_os.markets.spec import MarketFile


def future_instruments(spec: MarketFile, standing: Mapping[str, int], reserved: int) -> dict[str, int]:
    """Numbers of instruments that stand, and of those that the file brings in its order."""
    numbers = dict(standing)
    for instrument in spec.instruments:
        numbers.setdefault(instrument.symbol, len(numbers) + reserved + 1)
    for question in spec.questions:
        for outcome in question.outcomes:
            numbers.setdefault(outcome.symbol, len(numbers) + reserved + 1)
        reserved += max((question.outcomes_max or 0) - len(question.outcomes), 0)
    return numbers


def listed(names: Sequence[str], numbers: Mapping[str, int]) -> list[int]:
    """The instruments of a list by number, rising."""
    for place, name in enumerate(names):
        if name not in numbers:
            raise Contradiction(
                ("lists", place), f"instrument {name!r} stands neither in this file nor in the exchange"
            )
        if name in names[:place]:
            raise Contradiction(("lists", place), f"instrument {name} stands twice")
    return sorted(numbers[name] for name in names)


def venue_number(name: str | None, venues: Sequence[str]) -> int:
    """The venue whose orders alone are taken; 0: every venue's."""
    if name is None:
        return 0
    if name not in venues:
        known = ", ".join(venues) or "none"
        raise Contradiction(
            "venue", f"venue {name!r} stands neither in this file nor in the exchange (venues: {known})"
        )
    return venues.index(name) + 1
