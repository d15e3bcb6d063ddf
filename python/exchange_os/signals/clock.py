"""When funding is next paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_os.errors import InvalidArgument

if TYPE_CHECKING:
    from exchange_os.signals.quotes import VenueFunding

GRID_OFFSET_MS = {"kucoin": 4 * 3_600_000, "kucoinfutures": 4 * 3_600_000, "bitmex": 4 * 3_600_000}
"""Venues that do not settle at multiples of the interval after midnight UTC: 04, 12 and 20 o'clock."""


def next_settlement_ms(at_ms: int, interval_s: int, offset_ms: int = 0) -> int:
    """The first time after now on the grid of an interval, in UTC."""
    if interval_s <= 0:
        raise InvalidArgument(f"a funding interval needs whole seconds above 0, not {interval_s}")
    step = interval_s * 1_000
    return (at_ms - offset_ms) // step * step + step + offset_ms


def next_funding(funding: VenueFunding, at_ms: int) -> int:
    """The venue's own word if it is not past, else the next time on the venue's grid."""
    told = funding.next_funding_ms
    if told is not None and told > at_ms:
        return told
    return next_settlement_ms(at_ms, funding.rate.interval_s, GRID_OFFSET_MS.get(funding.venue, 0))
