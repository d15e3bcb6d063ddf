"""What stands on an exchange, by symbol and by number, with the scales of its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from exchange_os._core import canonical_deployment
from exchange_os.bounds import index, shown
from exchange_os.errors import InvalidArgument, UnknownName
from exchange_os.exact import EXACT, Scale
from exchange_os.markets.scale import Money
from exchange_os.markets.to_commands import Standing

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset and the scale of its amounts."""

    number: int
    symbol: str
    decimals: int
    amount: Scale


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """An instrument as far as its terms are fixed: names, scales, assets."""

    number: int
    symbol: str
    product: str
    base: Asset | None
    quote: Asset
    question: int
    price: Scale
    qty: Scale
    atoms_per_tick_lot: int

    @property
    def fee_asset(self) -> Asset:
        """Fees are paid in the quote asset, which is the settlement asset of all but spot."""
        return self.quote


@dataclass(frozen=True, slots=True, eq=False)
class QuestionTerms:
    """A question as far as its terms are fixed."""

    number: int
    symbol: str
    text: str
    outcomes: tuple[str, ...]
    unit: Decimal
    qty: Scale
    resolution: dict[str, Any] | None = None
    any_other: str | None = None
    """Who holds this outcome holds as much of one that is added."""
    outcomes_max: int = 0


@dataclass(frozen=True, slots=True)
class Directory:
    """Everything that stands. It is replaced as a whole when something is deployed."""

    limits: dict[str, int] = field(default_factory=dict)
    assets: dict[str | int, Asset] = field(default_factory=dict)
    venues: dict[str | int, int] = field(default_factory=dict)
    publishers: dict[str | int, int] = field(default_factory=dict)
    classes: dict[str | int, int] = field(default_factory=dict)
    markets: dict[str | int, Market] = field(default_factory=dict)
    questions: dict[str | int, QuestionTerms] = field(default_factory=dict)
    underlyings: list[tuple[str, list[tuple[int, int]]]] = field(default_factory=list)
    """Symbol, and shock and weight of each scenario, in order of number."""
    standing: Standing = field(default_factory=Standing)

    def asset(self, name: str | int) -> Asset:
        return _find(self.assets, name, "asset")

    def venue(self, name: str | int) -> int:
        return _find(self.venues, name, "venue")

    def publisher(self, name: str | int) -> int:
        return _find(self.publishers, name, "publisher")

    def credential_class(self, name: str | int) -> int:
        return _find(self.classes, name, "class")

    def market(self, name: str | int) -> Market:
        return _find(self.markets, name, "instrument")

    def question(self, name: str | int) -> QuestionTerms:
        return _find(self.questions, name, "question")


def _find(table: dict[str | int, T], name: object, noun: str) -> T:
    if not isinstance(name, str):
        try:
            name = index(noun, name)
        except InvalidArgument:
            kind = type(name).__name__
            raise InvalidArgument(f"the {noun} is a {kind}, expected its symbol or its number") from None
    found = table.get(name)
    if found is None:
        symbols = [key for key in table if isinstance(key, str)]
        known = ", ".join(symbols[:8]) + (", ..." if len(symbols) > 8 else "") if symbols else "none"
        said = shown(repr(name) if isinstance(name, str) else name)
        raise UnknownName(f"no {noun} {said} stands here (known: {known})")
    return found


def read(specification: bytes, fresh: bool) -> Directory:
    """The directory from the specifications that `_core` hands out as MessagePack.

    They are the limits and the bodies of all deployments that stand, in order of id; outcomes take the
    numbers of instruments that their question announces.
    """
    content = msgspec.msgpack.decode(specification)
    directory = Directory(limits=content["limits"], standing=_standing(content, fresh))
    directory.venues[0] = 0
    for number, body in enumerate(content["assets"], 1):
        spec = body["asset"]
        step = EXACT.scaleb(Decimal(1), -spec["decimals"])
        asset = Asset(number, spec["symbol"], spec["decimals"], Scale(step, "amount", "atom"))
        directory.assets[number] = directory.assets[asset.symbol] = asset
    for number, body in enumerate(content["venues"], 1):
        directory.venues[number] = directory.venues[body["venue"]["symbol"]] = number
    for number, body in enumerate(content["publishers"], 1):
        directory.publishers[number] = directory.publishers[body["publisher"]["symbol"]] = number
    for number, body in enumerate(content["classes"], 1):
        directory.classes[number] = directory.classes[body["class"]["symbol"]] = number
    for body in content["underlyings"]:
        spec = body["underlying"]
        scenarios = [(each["shock_ppm"], each["weight_ppm"]) for each in spec["scenarios"]]
        directory.underlyings.append((spec["symbol"], scenarios))
    for number, body in content["instruments"]:
        _add_instrument(directory, number, body["instrument"])
    for number, (first, body) in enumerate(content["questions"], 1):
        _add_question(directory, number, first, body["question"])
    return directory


def _scales(terms: dict[str, Any]) -> tuple[Scale, Scale]:
    price = Scale(Decimal(terms["tick_size"]), "price", "tick")
    return price, Scale(Decimal(terms["lot_size"]), "quantity", "lot")


def _add_instrument(directory: Directory, number: int, spec: dict[str, Any]) -> None:
    (product, details), terms = next(iter(spec["product"].items())), spec["terms"]
    spot = product == "spot"
    base = directory.assets[details["base"]] if spot else None
    quote = directory.assets[details["quote"] if spot else 1]
    k = terms["quote_atoms_per_tick_lot"]
    market = Market(number, spec["symbol"], product, base, quote, 0, *_scales(terms), k)
    directory.markets[number] = directory.markets[market.symbol] = market


def _add_question(directory: Directory, number: int, first: int, spec: dict[str, Any]) -> None:
    terms = spec["terms"]
    k = terms["quote_atoms_per_tick_lot"]
    price, qty = _scales(terms)
    symbols = tuple(outcome["symbol"] for outcome in spec["outcomes"])
    later = spec.get("later")
    question = QuestionTerms(
        number=number,
        symbol=spec["symbol"],
        text=spec["text"],
        outcomes=symbols,
        unit=price.value(spec["ticks_per_unit"]),
        qty=qty,
        resolution=spec.get("resolution"),
        any_other=symbols[later["any_other"]] if later else None,
        outcomes_max=later["outcomes_max"] if later else len(symbols),
    )
    directory.questions[number] = directory.questions[question.symbol] = question
    for place, symbol in enumerate(symbols):
        own = _scales(terms)
        market = Market(first + place, symbol, "outcome", None, directory.assets[1], number, *own, k)
        directory.markets[market.number] = directory.markets[symbol] = market


def _standing(content: dict[str, Any], fresh: bool) -> Standing:
    encode = msgspec.msgpack.encode
    bodies = {("genesis", ""): canonical_deployment(encode({"genesis": content["limits"]}))}
    assets = []
    for number, body in enumerate(content["assets"], 1):
        spec = body["asset"]
        assets.append(Money(number, spec["symbol"], spec["decimals"]))
    everything = [
        *content["assets"],
        *content["classes"],
        *content["venues"],
        *content["publishers"],
        *_by_number(content),
        # Bounds came after the markets, or were kept by them.
        *content["governance"],
    ]
    for body in everything:
        ((kind, spec),) = body.items()
        bodies[(kind, spec.get("symbol", ""))] = encode(body)
    instruments, reserved = {}, 0
    for number, body in content["instruments"]:
        instruments[body["instrument"]["symbol"]] = number
    for first, body in content["questions"]:
        for place, outcome in enumerate(body["question"]["outcomes"]):
            instruments[outcome["symbol"]] = first + place
        later = body["question"].get("later") or {}
        reserved += max(later.get("outcomes_max", 0) - len(body["question"]["outcomes"]), 0)
    return Standing(
        fresh=fresh,
        bodies=bodies,
        assets=tuple(assets),
        classes={body["class"]["symbol"]: body["class"]["counterparty"] for body in content["classes"]},
        publishers=tuple(body["publisher"]["symbol"] for body in content["publishers"]),
        venues=tuple(body["venue"]["symbol"] for body in content["venues"]),
        underlyings=tuple(body["underlying"]["symbol"] for body in content["underlyings"]),
        instruments=instruments,
        reserved=reserved,
    )


def _by_number(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Instruments, underlyings and questions in an order in which they get the numbers that they have."""
    placed = [(number, 0, body) for number, body in (*content["instruments"], *content["questions"])]
    newest = 0
    for body in content["underlyings"]:
        # After its perpetuals and the underlying before it, before the questions linked to it.
        newest = max([newest, *body["underlying"]["instruments"]])
        placed.append((newest, 1, body))
    return [body for _, _, body in sorted(placed, key=lambda item: item[:2])]
