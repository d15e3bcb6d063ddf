"""Terms of resolution of a question: as the engine reads them, in a rehearsal, and what looks wrong."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

from exchange_os.exact import plain_text as text
from exchange_os.markets.lines import Path
from exchange_os.markets.phases import logged_ns
from exchange_os.markets.scale import Contradiction, Money, atoms
from exchange_os.markets.spec import Resolution

_ONE = 1_000_000
_HOUR_S = 3_600
_RULE_CHARACTERS = 60
_BONDS_MOST = 100


def resolution_body(item: Resolution, outcomes: list[str], money: Money) -> dict[str, Any]:
    """The terms as the engine reads them."""
    kept = {
        "rule",
        "sources",
        "propose_s",
        "resolvers",
        "challenge_s",
        "second_resolvers",
        "quorum",
        "decide_s",
    }
    _check_twice(item)
    body: dict[str, Any] = item.model_dump(include=kept)
    body["close_ns"] = logged_ns(item.closes, ("resolution", "closes"))
    body["bond"] = str(atoms(("resolution", "bond"), item.bond, money))
    body["second_bond"] = str(atoms(("resolution", "second_bond"), item.second_bond, money))
    body["void_payouts_ppm"] = _shares(item, outcomes)
    if item.bond_share_ppm:
        body["bond_share_ppm"] = item.bond_share_ppm
    if item.dispute_risk:
        body["dispute_risk"] = True
    return body


def _check_twice(item: Resolution) -> None:
    named: set[int | str] = set()
    for name, values in (
        ("sources", item.sources),
        ("resolvers", item.resolvers),
        ("second_resolvers", item.second_resolvers),
    ):
        for value in values:
            if value in named:
                raise Contradiction(("resolution", name), f"{value} is named twice")
            named.add(value)


def _shares(item: Resolution, outcomes: list[str]) -> list[int]:
    """Millionths of the unit by outcome; whoever is not named gets nothing."""
    path: Path = ("resolution", "void")
    shares = dict.fromkeys(outcomes, 0)
    for name, share in item.void.items():
        if name not in shares:
            raise Contradiction(path, f"{name!r} is no outcome; there are {', '.join(outcomes)}")
        count = Fraction(share) * _ONE
        if count.denominator != 1 or not 0 <= count <= _ONE:
            raise Contradiction(path, f"{text(share)} is no share of the unit from 0 to 1, to a millionth")
        shares[name] = int(count)
    if sum(shares.values()) != _ONE:
        total = text(Fraction(sum(shares.values()), _ONE))
        raise Contradiction(path, f"the shares of a void question add up to {total}, not to 1")
    return list(shares.values())


class Rehearsal(NamedTuple):
    """Deployments for an exchange without accounts. Before the `first` that names resolvers so many accounts
    are opened."""

    bodies: list[bytes]
    first: int
    accounts: int


def rehearsed(bodies: list[bytes]) -> Rehearsal:
    """The same deployments, whose resolvers are called 1, 2, ... in the order in which they are named."""
    numbers: dict[int, int] = {}
    changed: list[bytes] = []
    first = len(bodies)
    for place, body in enumerate(bodies):
        spec = msgspec.msgpack.decode(body)
        terms = spec.get("question", {}).get("resolution")
        if terms is None:
            changed.append(body)
            continue
        first = min(first, place)
        for name in ("resolvers", "second_resolvers"):
            terms[name] = [numbers.setdefault(account, len(numbers) + 1) for account in terms[name]]
        changed.append(msgspec.msgpack.encode(spec))
    return Rehearsal(changed, first, len(numbers))


def doubts(item: Resolution) -> Iterator[tuple[str, str]]:
    """What a careful reader would ask about."""
    if len(item.rule) < _RULE_CHARACTERS:
        yield "rule", f"{len(item.rule)} characters hardly say what decides, and what if nothing does"
    if item.challenge_s < _HOUR_S:
        yield "challenge_s", f"{item.challenge_s} s are short for anybody to notice a wrong proposal"
    if len(item.sources) == 1:
        yield "sources", "one source alone: name what counts if it is silent or wrong"
    if len(item.second_resolvers) == 1:
        yield "second_resolvers", "one account alone decides every dispute"
    if item.second_bond > _BONDS_MOST * item.bond:
        times = text(Fraction(item.second_bond) / Fraction(item.bond)) if item.bond else "endlessly"
        yield (
            "second_bond",
            f"{times} times the bond: where nobody affords a vote, a challenge makes it void",
        )
    if 1 in item.void.values():
        yield (
            "void",
            "one outcome has everything if it is void: who holds it gains by a deadlock",
        )
    if item.dispute_risk:
        yield "dispute_risk", "the file itself says that the rule leaves room for dispute"
