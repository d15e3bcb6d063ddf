"""Questions that take outcomes while they trade: their terms, and what a file adds to one that stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from exchange_os.markets.scale import Contradiction
from exchange_os.markets.spec import Question


def later_body(item: Question) -> dict[str, Any]:
    """`later` as it travels; nothing for a question that keeps its outcomes."""
    if item.any_other is None and item.outcomes_max is None:
        return {}
    if item.any_other is None or item.outcomes_max is None:
        missing = "any_other" if item.any_other is None else "outcomes_max"
        raise Contradiction(missing, "any_other and outcomes_max come together")
    symbols = [outcome.symbol for outcome in item.outcomes]
    if item.any_other not in symbols:
        raise Contradiction("any_other", f"{item.any_other!r} is none of the outcomes: {', '.join(symbols)}")
    return {"later": {"any_other": symbols.index(item.any_other), "outcomes_max": item.outcomes_max}}


def additions(
    bodies: Mapping[tuple[str, str], bytes], symbol: str, content: dict[str, Any]
) -> Sequence[tuple[int, str, bytes]] | None:
    """What a file adds to a question that stands: place, symbol and body of each outcome, in order.

    None if it asks for anything else. A file from before an outcome was added still fits: it adds nothing.
    """
    standing = msgspec.msgpack.decode(bodies["question", symbol])["question"]
    if not standing.get("later") or _fixed(standing) != _fixed(content):
        return None
    before, after = standing["outcomes"], content["outcomes"]
    shared = min(len(before), len(after))
    if before[:shared] != after[:shared]:
        return None
    number = 1 + [name for kind, name in bodies if kind == "question"].index(symbol)
    return [
        (
            place,
            after[place]["symbol"],
            msgspec.msgpack.encode({"add_outcome": {"question": number} | after[place]}),
        )
        for place in range(shared, len(after))
    ]


def _fixed(spec: dict[str, Any]) -> dict[str, Any]:
    """What no added outcome changes."""
    fixed = {name: value for name, value in spec.items() if name != "outcomes"}
    if fixed.get("resolution"):
        void = "void_payouts_ppm"
        fixed["resolution"] = {name: value for name, value in fixed["resolution"].items() if name != void}
    return fixed
