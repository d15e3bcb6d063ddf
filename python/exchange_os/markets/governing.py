"""Terms of governance of a market file, as the engine reads them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from exchange_os.markets.lines import Path
from exchange_os.markets.scale import Money, atoms, rate
from exchange_os.markets.spec import ByKind, Governance, Voting

_KINDS = ("spot", "perpetual", "question", "venue")


def governance_body(item: Governance, stake: Money, settlement: Money) -> dict[str, Any]:
    """Stakes and slots in atoms of the stake asset, what insurance pays in those of the settlement asset."""

    def of(path: Path, amount: Decimal) -> str:
        return str(atoms(path, amount, stake))

    def by_kind(stakes: ByKind) -> dict[str, str]:
        return {kind: of(("stakes", kind), getattr(stakes, kind)) for kind in _KINDS}

    bounds = item.bounds.model_dump(exclude={"funding_cap", "insurance_draw_max"})
    draw = atoms(("bounds", "insurance_draw_max"), item.bounds.insurance_draw_max, settlement)
    bounds |= {"funding_cap_max": rate(("bounds", "funding_cap"), item.bounds.funding_cap)}
    voting = {} if item.voting is None else {"voting": voting_body(item.voting)}
    return voting | {
        "stake_asset": stake.number,
        "stakes": by_kind(item.stakes),
        "slots": item.slots.model_dump(),
        "slot_price_min": of(("slot_price_min",), item.slot_price_min),
        "slot_auction_s": item.slot_auction_s,
        "release_wait_s": item.release_wait_s,
        "bounds": bounds | {"insurance_draw_max": str(draw)},
    }


def voting_body(item: Voting) -> dict[str, Any]:
    """Voters and guardians in rising order of account."""
    body = item.model_dump()
    body["voters"].sort(key=lambda voter: voter["account"])
    return body | {"guardians": sorted(item.guardians)}
