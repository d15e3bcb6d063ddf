"""Trading phases of an instrument or a question: as the engine reads them, and what looks wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from exchange_os.markets.lines import Path
from exchange_os.markets.scale import Contradiction
from exchange_os.markets.spec import Perpetual, Question, Spot

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def logged_ns(moment: datetime, path: Path) -> int:
    """A moment as the log stamps it."""
    time_ns = (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
    if time_ns < 0:
        raise Contradiction(path, "it is before 1970")
    return time_ns


def phases_body(item: Spot | Perpetual | Question) -> dict[str, Any]:
    """The phases as terms have them; nothing where the file has none."""
    phases = item.phases
    if phases is None:
        return {}
    body = {"reopen_auction_s": phases.reopen_auction_s}
    if phases.opens is not None:
        body["pre_open_until_ns"] = logged_ns(phases.opens, ("phases", "opens"))
    if phases.closes is not None:
        body["close_ns"] = logged_ns(phases.closes, ("phases", "closes"))
    _check(item)
    return {"phases": body}


def _check(item: Spot | Perpetual | Question) -> None:
    phases = item.phases
    if phases is None:
        return
    opens, closes = phases.opens, phases.closes
    if opens is not None and closes is not None and closes <= opens:
        raise Contradiction(("phases", "closes"), f"trading would close before it opens at {opens}")
    resolution = item.resolution if isinstance(item, Question) else None
    if resolution is not None:
        if opens is not None and opens >= resolution.closes:
            raise Contradiction(
                ("phases", "opens"), f"resolvers take over before, at resolution.closes = {resolution.closes}"
            )
        if closes is not None and closes > resolution.closes:
            raise Contradiction(
                ("phases", "closes"),
                f"resolvers take over before, at resolution.closes = {resolution.closes}",
            )
    may_be_held_back = not isinstance(item, Question) and (item.halt is not None or item.oracle is not None)
    if phases.reopen_auction_s != 0 and not may_be_held_back:
        raise Contradiction(
            ("phases", "reopen_auction_s"), "nothing holds it back: it has neither a halt nor an oracle"
        )


def phase_doubts(item: Spot | Perpetual | Question) -> Iterator[tuple[str, str]]:
    """What a careful reader would ask about."""
    phases = item.phases
    if phases is None:
        return
    if isinstance(item, Perpetual) and phases.closes is not None:
        yield (
            "closes",
            "positions stay when trading closes, and are not liquidated: delist it for a time before",
        )
    halt = None if isinstance(item, Question) else item.halt
    if halt is not None and phases.reopen_auction_s and halt.post_only_s > phases.reopen_auction_s:
        wait_s = halt.post_only_s - phases.reopen_auction_s
        yield "reopen_auction_s", f"after the auction of a halt {wait_s} s of post-only orders are left"
