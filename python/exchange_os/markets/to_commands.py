"""From a market file to the bodies of the deployments, in the order in which the engine takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import msgspec

from exchange_os import _core
from exchange_os.exact import plain_text as text
from exchange_os.markets.admission import issuer_faults, rule_body
from exchange_os.markets.ceilings import under_ceiling
from exchange_os.markets.governing import governance_body
from exchange_os.markets.later import additions, later_body
from exchange_os.markets.lines import Path
from exchange_os.markets.listings import future_instruments, listed, venue_number
from exchange_os.markets.load import Loaded, Problem
from exchange_os.markets.phases import phases_body
from exchange_os.markets.resolution import resolution_body
from exchange_os.markets.scale import (
    Contradiction,
    Money,
    asset_body,
    atoms,
    collateral_body,
    funding_body,
    link_ranges,
    margin_body,
    steps,
    terms_body,
    ticks_per_unit,
    tier_body,
)
from exchange_os.markets.spec import (
    LIMIT_DEFAULTS,
    Asset,
    Governance,
    Link,
    Oracle,
    Perpetual,
    Question,
    Spot,
    Underlying,
)
from exchange_os.markets.venues import Venue


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment: `body` is the MessagePack that travels, `path` where it stands in the file."""

    kind: str
    symbol: str
    body: bytes
    path: Path


@dataclass(frozen=True, slots=True)
class Standing:
    """What an exchange already has: the body of everything by kind and symbol, and its assets in order."""

    fresh: bool = True
    bodies: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    assets: tuple[Money, ...] = ()
    classes: Mapping[str, bool] = field(default_factory=dict)
    """In order of number; whether counterparty rules may name it."""
    publishers: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()
    underlyings: tuple[str, ...] = ()
    instruments: Mapping[str, int] = field(default_factory=dict)
    reserved: int = 0
    """Instruments kept for outcomes that may be added."""


@dataclass(slots=True)
class Plan:
    """What a file asks of an exchange: the deployments it still needs, what stands already, what is wrong."""

    missing: list[Deployment] = field(default_factory=list)
    standing: list[Deployment] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


# Outcomes are instruments: their symbols must differ from all others of instruments.
_SPACES = {"question": "instrument"}


def plan(loaded: Loaded, standing: Standing = Standing()) -> Plan:
    """Everything that a file asks for, compared with what stands."""
    return _Planner(loaded, standing).run()


def brought(deployment: Deployment, account: int) -> bytes:
    """The body of a deployment by a deployer; by the operator, account 0, as it is."""
    if account == 0:
        return deployment.body
    market = msgspec.msgpack.decode(deployment.body)
    return msgspec.msgpack.encode({"deploy_as": {"account": account, "market": market}})


class _Planner:
    def __init__(self, loaded: Loaded, standing: Standing) -> None:
        self.loaded = loaded
        self.standing = standing
        self.plan = Plan()
        self.assets = {money.symbol: money for money in standing.assets}
        self.classes = dict(standing.classes)
        self.publishers = {symbol: number for number, symbol in enumerate(standing.publishers, 1)}
        self.underlyings = {symbol: number for number, symbol in enumerate(standing.underlyings, 1)}
        self.instruments = dict(standing.instruments)
        names = [*standing.venues, *(venue.symbol for venue in loaded.spec.venues)]
        self.venues = list(dict.fromkeys(names))
        self.perpetuals: dict[str, dict[str, Any]] = {}
        self.names: dict[tuple[str, str], Path] = {}

    def run(self) -> Plan:
        spec = self.loaded.spec
        self._limits()
        for index, asset in enumerate(spec.assets):
            self._try("asset", asset, ("asset", index))
            number = len(self.assets) + 1
            self.assets.setdefault(asset.symbol, Money(number, asset.symbol, min(asset.decimals, 18)))
        if spec.governance is not None:
            self._governance(spec.governance)
        for index, each in enumerate(spec.classes):
            self._add("class", each.symbol, each.model_dump(), ("class", index))
            self.classes.setdefault(each.symbol, each.counterparty)
        for index, venue in enumerate(spec.venues):
            self._try("venue", venue, ("venue", index))
        for path, message in issuer_faults(spec.issuers, self.classes):
            self._problem(path, message)
        for index, publisher in enumerate(spec.publishers):
            self._add("publisher", publisher.symbol, publisher.model_dump(), ("publisher", index))
            self.publishers.setdefault(publisher.symbol, len(self.publishers) + 1)
        for index, instrument in enumerate(spec.instruments):
            self._try("instrument", instrument, ("instrument", index))
            number = len(self.instruments) + self.standing.reserved + 1
            self.instruments.setdefault(instrument.symbol, number)
        for index, underlying in enumerate(spec.underlyings):
            self._try("underlying", underlying, ("underlying", index))
            self.underlyings.setdefault(underlying.symbol, len(self.underlyings) + 1)
        for index, question in enumerate(spec.questions):
            self._try("question", question, ("question", index))
        return self.plan

    def _limits(self) -> None:
        limits = self.loaded.spec.limits
        if limits is None:
            return
        body = _body("genesis", limits.model_dump())
        if body is None:
            for name, value in limits.model_dump().items():
                if _body("genesis", {**LIMIT_DEFAULTS, name: value}) is None:
                    self._problem(
                        ("limits", name), f"{value} does not fit: it must be below 2^16, 2^32 or 2^64"
                    )
        elif self.standing.fresh:
            self.plan.missing.append(Deployment("genesis", "", body, ("limits",)))
        elif self.standing.bodies.get(("genesis", "")) != body:
            self._problem(("limits",), "limits can be declared only for a new exchange; this one has others")

    def _governance(self, item: Governance) -> None:
        try:
            stake, settlement = self._asset("stake_asset", item.stake_asset), self._settlement()
            content = governance_body(item, stake, settlement)
        except Contradiction as error:
            self._problem(("governance", *error.path), str(error))
        else:
            self._add("governance", "", content, ("governance",))

    def _try(
        self, kind: str, item: Asset | Venue | Spot | Perpetual | Underlying | Question, path: Path
    ) -> None:
        try:
            match item:
                case Asset():
                    content = asset_body(item)
                case Venue():
                    content = self._venue(item)
                case Question():
                    content = self._question(item)
                case Underlying():
                    content = self._underlying(item)
                case _:
                    content = self._instrument(item)
        except Contradiction as error:
            self._problem((*path, *error.path), str(error))
        else:
            self._add(kind, item.symbol, content, path)

    def _add(self, kind: str, symbol: str, content: dict[str, Any], path: Path) -> None:
        body = _body(kind, content)
        if body is None:
            why = self._unreadable(kind, content)
            self._problem(path, why)
            return
        deployment = Deployment(kind, symbol, body, path)
        for place, name in _symbols(kind, content, path):
            if self.names.setdefault((_SPACES.get(kind, kind), name), place) != place:
                self._problem((*place, "symbol"), f"{kind} {name} stands twice in this file")
                return
        before = self.standing.bodies.get((kind, symbol))
        if before is None:
            self.plan.missing.append(deployment)
        elif before in {body, under_ceiling(kind, before, body)}:
            self.plan.standing.append(deployment)
        elif kind == "question" and (added := self._added(symbol, body, path)) is not None:
            self.plan.standing.append(Deployment(kind, symbol, before, path))
            self.plan.missing.extend(added)
        else:
            self._problem(
                (*path, "symbol"), f"{kind} {symbol}".rstrip() + " stands already, with other terms"
            )

    def _added(self, symbol: str, body: bytes, path: Path) -> list[Deployment] | None:
        """Outcomes that the file adds to a question that stands; None if it asks for anything else."""
        content = msgspec.msgpack.decode(body)["question"]
        found = additions(self.standing.bodies, symbol, content)
        if found is None:
            return None
        at = (*path, "outcomes")
        return [Deployment("outcome", name, asked, (*at, place)) for place, name, asked in found]

    @staticmethod
    def _unreadable(kind: str, content: dict[str, Any]) -> str:
        try:
            _core.canonical_deployment(msgspec.msgpack.encode({kind: content}))
        except (ValueError, OverflowError) as error:
            return f"a number does not fit its field: {error}"
        return "the deployment cannot be read"

    def _problem(self, path: Path, message: str) -> None:
        self.plan.problems.append(self.loaded.problem(path, message))

    def _asset(self, name: str, symbol: str) -> Money:
        found = self.assets.get(symbol)
        if found is None:
            known = ", ".join(self.assets) or "none"
            raise Contradiction(
                name, f"asset {symbol!r} stands neither in this file nor in the exchange (assets: {known})"
            )
        return found

    def _settlement(self) -> Money:
        if not self.assets:
            raise Contradiction(
                "symbol", "an asset must stand before it; the first one is the settlement asset"
            )
        return next(iter(self.assets.values()))

    def _venue(self, item: Venue) -> dict[str, Any]:
        content = item.model_dump(exclude={"admission", "counterparty", "lists", "tiers"})
        content["tiers"] = [
            tier_body(tier, place, self._settlement()) for place, tier in enumerate(item.tiers)
        ]
        if item.lists is not None:
            numbers = future_instruments(self.loaded.spec, self.standing.instruments, self.standing.reserved)
            content["lists"] = listed(item.lists, numbers)
        for name in ("admission", "counterparty"):
            rule = getattr(item, name)
            if rule is not None:
                content[name] = rule_body(rule, name, self.classes)
        return content

    def _instrument(self, item: Spot | Perpetual) -> dict[str, Any]:
        if isinstance(item, Spot):
            base, quote = self._asset("base", item.base), self._asset("quote", item.quote)
            if base is quote:
                raise Contradiction("base", f"base and quote are both {item.base}")
            position_max = max([item.qty_max, *(tier.up_to for tier in item.collateral)])
        else:
            quote, position_max = self._settlement(), item.position_max
        price_max = steps_of_price(item)
        if isinstance(item, Spot):
            collateral = collateral_body(item)
        terms = terms_body(item, quote, price_max, position_max, item.band_ppm)
        terms["venue"] = venue_number(item.venue, self.venues)
        terms |= phases_body(item)
        if isinstance(item, Spot):
            try:
                lot = atoms("lot_size", item.lot_size, base)
            except Contradiction as error:
                raise Contradiction("lot_size", f"one lot must be whole atoms of the base: {error}") from None
            product: dict[str, Any] = {
                "spot": {"base": base.number, "quote": quote.number, "base_atoms_per_lot": lot}
            }
        else:
            if item.maintenance_margin_ppm > item.initial_margin_ppm:
                raise Contradiction(
                    "maintenance_margin_ppm",
                    f"{item.maintenance_margin_ppm} is above initial_margin_ppm = {item.initial_margin_ppm}",
                )
            product = {
                "perpetual": {
                    "initial_margin_ppm": item.initial_margin_ppm,
                    "maintenance_margin_ppm": item.maintenance_margin_ppm,
                }
            }
        content: dict[str, Any] = {"symbol": item.symbol, "product": product, "terms": terms}
        if isinstance(item, Perpetual):
            content |= margin_body(item, quote)
            self.perpetuals.setdefault(item.symbol, content)
        content |= self._liquidation(item, quote)
        content |= item.model_dump(include={"halt"}, exclude_none=True)
        if item.oracle is not None:
            content["oracle"] = self._oracle(item.oracle)
        if isinstance(item, Perpetual) and item.funding is not None:
            content["funding"] = funding_body(item.funding, quote)
        if isinstance(item, Spot):
            content |= self._collateral(item, quote, collateral)
        return content

    def _collateral(self, item: Spot, quote: Money, collateral: list[dict[str, int]]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        if item.collateral:
            if quote is not self._settlement():
                raise Contradiction(
                    "collateral", f"{item.base} is valued against {item.quote}, not the settlement asset"
                )
            content["collateral"] = collateral
        if item.conversion_slippage_ppm is not None:
            content["conversion_slippage_ppm"] = item.conversion_slippage_ppm
        return content

    def _liquidation(self, instrument: Spot | Perpetual, money: Money) -> dict[str, Any]:
        item = instrument.liquidation if isinstance(instrument, Perpetual) else None
        if item is None:
            return {}
        path = "liquidation"
        body = item.model_dump(include={"policy", "slice_ppm", "cooldown_ms", "fee_ppm", "backstop_ppm"})
        body["full_below"] = str(atoms((path, "full_below"), item.full_below, money))
        body["insurance_draw_max"] = str(atoms((path, "insurance_draw_max"), item.insurance_draw_max, money))
        if item.tranche is not None:
            cap = atoms((path, "tranche", "notional_max"), item.tranche.notional_max, money)
            body["tranche"] = {"account": item.tranche.account, "notional_max": str(cap)}
        if item.hedge is not None:
            asset = self._asset("liquidation", item.hedge.asset)
            body["hedge"] = {"asset": asset.number, "atoms_per_lot": item.hedge.atoms_per_lot}
        if item.growth is not None:
            small = atoms((path, "growth", "small_shortage"), item.growth.small_shortage, money)
            body["growth"] = item.growth.model_dump() | {"small_shortage": str(small)}
        if item.price != "bankruptcy":
            body["price"] = item.price
        if item.spread_ppm is not None:
            body["spread_ppm"] = item.spread_ppm
        return {"liquidation": body}

    def _oracle(self, oracle: Oracle) -> dict[str, Any]:
        for source in oracle.sources:
            if source.publisher not in self.publishers:
                known = ", ".join(self.publishers) or "none"
                raise Contradiction(
                    "oracle",
                    f"publisher {source.publisher!r} stands neither in this file nor in the exchange"
                    f" (publishers: {known})",
                )
        numbers = [
            {"publisher": self.publishers[source.publisher], "weight": source.weight}
            for source in oracle.sources
        ]
        return {**oracle.model_dump(), "sources": numbers}

    def _underlying(self, item: Underlying) -> dict[str, Any]:
        for index, symbol in enumerate(item.instruments):
            self._terms(("instruments", index), symbol)
        for index, scenario in enumerate(item.scenarios):
            if scenario in item.scenarios[:index]:
                raise Contradiction(("scenarios", index), "this scenario stands twice")
        return item.model_dump() | {"instruments": [self.instruments[symbol] for symbol in item.instruments]}

    def _terms(self, path: Path, symbol: str) -> dict[str, Any]:
        """The terms of a perpetual in this file or in the exchange."""
        body = self.standing.bodies.get(("instrument", symbol))
        spec = self.perpetuals.get(symbol)
        if spec is None and body is not None:
            spec = msgspec.msgpack.decode(body)["instrument"]
        if spec is None or "perpetual" not in spec["product"]:
            raise Contradiction(path, f"{symbol!r} is no perpetual of this file or of the exchange")
        return cast(dict[str, Any], spec["terms"])

    def _link(self, link: Link, outcomes: int) -> dict[str, Any]:
        if link.underlying not in self.underlyings:
            known = ", ".join(self.underlyings) or "none"
            raise Contradiction(
                ("link", "underlying"),
                f"underlying {link.underlying!r} stands neither in this file nor in the exchange"
                f" (underlyings: {known})",
            )
        terms = self._terms(("link", "instrument"), link.instrument)
        tick, price_max = Decimal(terms["tick_size"]), terms["price_max_ticks"]
        if len(link.bounds) != outcomes - 1:
            raise Contradiction(
                ("link", "bounds"), f"{len(link.bounds)} bounds for {outcomes} outcomes: one less is needed"
            )
        bounds = [steps(("link", "bounds"), bound, tick, "tick_size", price_max + 1) for bound in link.bounds]
        if any(high <= low for low, high in pairwise([0, *bounds])):
            raise Contradiction(("link", "bounds"), "bounds are above 0 and rise")
        return {
            "underlying": self.underlyings[link.underlying],
            "instrument": self.instruments[link.instrument],
            "ranges": link_ranges(bounds, price_max, link.order),
        }

    def _question(self, item: Question) -> dict[str, Any]:
        unit = ticks_per_unit(item)
        terms = terms_body(item, self._settlement(), unit - 1, item.position_max, 0)
        terms["venue"] = venue_number(item.venue, self.venues)
        terms |= phases_body(item)
        outcomes = [outcome.model_dump() for outcome in item.outcomes]
        content = {
            "symbol": item.symbol,
            "text": item.text,
            "outcomes": outcomes,
            "ticks_per_unit": unit,
            "terms": terms,
            "implied": item.implied,
        }
        content |= later_body(item)
        if item.link is not None:
            content["link"] = self._link(item.link, len(outcomes))
        if item.resolution is not None:
            symbols = [outcome.symbol for outcome in item.outcomes]
            content["resolution"] = resolution_body(item.resolution, symbols, self._settlement())
        return content


def _symbols(kind: str, content: dict[str, Any], path: Path) -> list[tuple[Path, str]]:
    """The symbols of instruments that a deployment brings, or its own, with where they stand."""
    outcomes = content.get("outcomes", [])
    if kind == "governance":
        return []
    if kind != "question":
        return [(path, content["symbol"])]
    return [((*path, "outcomes", index), outcome["symbol"]) for index, outcome in enumerate(outcomes)]


def steps_of_price(item: Spot | Perpetual) -> int:
    """The highest price in ticks."""
    if item.tick_size <= 0:
        raise Contradiction("tick_size", f"{text(item.tick_size)} is not above 0")
    return steps("price_max", item.price_max, item.tick_size, "tick_size", _core.PRICE_TICKS_BOUND)


def _body(kind: str, content: dict[str, Any]) -> bytes | None:
    try:
        return _core.canonical_deployment(msgspec.msgpack.encode({kind: content}))
    except (ValueError, OverflowError):
        return None
