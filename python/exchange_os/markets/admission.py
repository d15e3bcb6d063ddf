"""Classes, rules and issuers of a market file: as the engine reads them, and what looks wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from exchange_os.markets.lines import Path
from exchange_os.markets.scale import Contradiction
from exchange_os.markets.spec import Issuer, MarketFile
from exchange_os.markets.venues import Rule, Venue

_SIDES = ("requires", "forbids")


def rule_body(rule: Rule, name: str, classes: Mapping[str, bool]) -> dict[str, int]:
    """The rule as two sets of bits. `classes` in order of number: whether counterparty rules may name it."""
    bits = {symbol: 1 << place for place, symbol in enumerate(classes)}
    body = {}
    for side in _SIDES:
        path: Path = (name, side)
        mask = 0
        for symbol in getattr(rule, side):
            if symbol not in bits:
                known = ", ".join(bits) or "none"
                raise Contradiction(
                    path,
                    f"class {symbol!r} stands neither in this file nor in the exchange (classes: {known})",
                )
            if name == "counterparty" and not classes[symbol]:
                raise Contradiction(
                    path, f"class {symbol} has no counterparty = true, so a counterparty rule cannot name it"
                )
            if mask & bits[symbol]:
                raise Contradiction(path, f"class {symbol} stands twice")
            mask |= bits[symbol]
        body[side] = mask
    if body["requires"] & body["forbids"]:
        both = ", ".join(symbol for symbol in rule.requires if symbol in rule.forbids)
        raise Contradiction((name, "forbids"), f"{both} is required too: nobody can satisfy this rule")
    return body


def named_rules(venue: dict[str, Any], classes: list[str]) -> dict[str, Any]:
    """The body of a venue with the names of classes instead of their bits."""
    named = dict(venue)
    for name in ("admission", "counterparty"):
        if name in venue:
            named[name] = {
                side: ", ".join(each for bit, each in enumerate(classes) if mask >> bit & 1) or None
                for side, mask in venue[name].items()
            }
    return named


def issuer_faults(issuers: list[Issuer], classes: Iterable[str]) -> Iterator[tuple[Path, str]]:
    """What is wrong with the issuers of a file."""
    from exchange_os.credentials.keys import PublicKey

    known = tuple(classes)
    ids: set[str] = set()
    for place, issuer in enumerate(issuers):
        path: Path = ("issuer", place)
        if not issuer.id or issuer.id in ids:
            yield (
                (*path, "id"),
                f"issuer {issuer.id} stands twice in this file" if issuer.id else "it is empty",
            )
        ids.add(issuer.id)
        for symbol in issuer.classes:
            if issuer.classes.count(symbol) > 1:
                yield (*path, "classes"), f"class {symbol} stands twice"
                break
            if symbol not in known:
                said = ", ".join(known) or "none"
                yield (*path, "classes"), f"class {symbol!r} stands nowhere (classes: {said})"
        if not issuer.keys:
            yield (*path, "keys"), "an issuer without a key can sign nothing"
        names: set[str] = set()
        for at, key in enumerate(issuer.keys):
            if key.kid in names:
                yield (*path, "keys", at, "kid"), f"key {key.kid!r} stands twice"
            names.add(key.kid)
            try:
                PublicKey.of(key)
            except ValueError as error:
                yield (*path, "keys", at), str(error)


def admission_doubts(spec: MarketFile) -> Iterator[tuple[Path, str]]:
    """What a careful reader would ask about the classes of a file."""
    given = {symbol for issuer in spec.issuers for symbol in issuer.classes}
    asked, divided = (
        _named(spec.venues, ("admission", "counterparty")),
        _named(spec.venues, ("counterparty",)),
    )
    for place, each in enumerate(spec.classes):
        if each.symbol not in asked:
            yield ("class", place), f"no venue of this file asks for {each.symbol}"
        elif each.counterparty and each.symbol not in divided:
            yield (
                ("class", place, "counterparty"),
                f"no counterparty rule of this file names {each.symbol}: it divides the books for nothing",
            )
    for place, venue in enumerate(spec.venues):
        path: Path = ("venue", place)
        missing = [symbol for symbol in (venue.admission or Rule()).requires if symbol not in given]
        if missing:
            why = f"no issuer of this file gives {', '.join(missing)}"
            yield (*path, "admission", "requires"), f"nobody can enter: {why}"
        if not _meets_itself(venue):
            yield (
                (*path, "counterparty"),
                "its own orders cannot trade with each other: whom it admits its counterparty rule refuses",
            )


def _named(venues: list[Venue], rules: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for venue, name in product(venues, rules):
        rule = getattr(venue, name)
        if rule is not None:
            found |= {*rule.requires, *rule.forbids}
    return found


def _meets_itself(venue: Venue) -> bool:
    """Whether two accounts can trade through it: whom it admits its counterparty rule can accept."""
    admitted, wanted = venue.admission or Rule(), venue.counterparty or Rule()
    required, forbidden = {*admitted.requires, *wanted.requires}, {*admitted.forbids, *wanted.forbids}
    return not required & forbidden
