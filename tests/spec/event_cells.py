"""Events as cells: what each column says of each kind of event."""

from __future__ import annotations

from collections.abc import Callable

from answers import Event
from deployment_lines import ON_QUESTIONS
from desk import Desk
from governance_words import (
    AUCTIONS,
    OF_CHANGE,
    OF_MARKET,
    OF_STAKE,
    PRICED,
    SETTLED,
    WITH_QTY,
    divided_to,
    parts_text,
    slot_text,
    target,
)
from vote_words import ACTS, EMERGENCIES, OF_PROPOSALS, SLASHED, TALLIED, VOTES
from vote_words import on as act_on
from vote_words import state as act_state

import exchange_os as xos

_KIND = xos.EventKind
_ORDER = {
    _KIND.ORDER_ACCEPTED,
    _KIND.TRADE,
    _KIND.ORDER_CANCELLED,
    _KIND.ORDER_AMENDED,
    _KIND.ORDER_REPLENISHED,
    _KIND.PNL_REALISED,
    _KIND.IMPLIED_TRADE,
    _KIND.IMPLIED_LEG,
    _KIND.LIQUIDITY_SKIPPED,
}
_WAITING = {_KIND.TRIGGER_ACCEPTED, _KIND.TRIGGER_CANCELLED, _KIND.TRIGGER_AMENDED}
_FIRED = {_KIND.TRIGGER_FIRED}
_PROTECTION = {_KIND.PROTECTION_SET, _KIND.PROTECTION_BREACHED}
_CREDENTIALS = {_KIND.CREDENTIALS_SET, _KIND.CREDENTIALS_EXPIRED}
_FUNDING = {_KIND.FUNDING_SET, _KIND.FUNDING_PAID}
_SETS = {_KIND.SET_SPLIT, _KIND.SET_MERGED}
_TAKEN, _LEG = {_KIND.IMPLIED_TRADE}, {_KIND.IMPLIED_LEG}
_REJECTED, _TRADE, _SKIPPED = {_KIND.REJECTED}, {_KIND.TRADE}, {_KIND.LIQUIDITY_SKIPPED}
_MOVED = {_KIND.DEPOSITED, _KIND.WITHDRAWN, _KIND.TRANSFERRED, _KIND.FEES_COLLECTED}
_TOTAL = _MOVED | {_KIND.PNL_REALISED, _KIND.PAYOUT}
_COUNTDOWN = {_KIND.CANCEL_ALL_AFTER_SET, _KIND.CANCEL_ALL_AFTER_FIRED}
_OF_POSITIONS = {
    _KIND.LIQUIDATION_ORDER,
    _KIND.TRANCHE_TOOK_OVER,
    _KIND.BANKRUPTCY_CLOSED,
    _KIND.DELEVERAGED,
    _KIND.CONVERSION_ORDER,
}
_OF_LIQUIDATION = {kind for kind in _KIND if _KIND.LIQUIDATION_STARTED <= kind <= _KIND.COLLATERAL_CONVERTED}
_OF_LIQUIDATION.add(_KIND.INTEREST_CHARGED)
_EVERY = set(_KIND)
_OF_ASSET = _MOVED | {_KIND.ASSET_DEPLOYED}
_OF_QUESTION = _SETS | {
    *(_KIND.QUESTION_RESOLVED, _KIND.PAYOUT, _KIND.QUESTION_SETTLED, _KIND.QUESTION_DEPLOYED),
    *(kind for kind in _KIND if _KIND.QUESTION_CLOSED <= kind <= _KIND.BOND_FORFEITED),
}
_ADDED = {_KIND.OUTCOME_ADDED, _KIND.OUTCOME_CREDITED, _KIND.OUTCOME_OPENED}
_OF_BONDS = {kind for kind in _KIND if _KIND.RESOLUTION_PROPOSED <= kind <= _KIND.BOND_FORFEITED}
_TRANSFERS = {
    *(xos.CommandKind.DEPOSIT, xos.CommandKind.WITHDRAW, xos.CommandKind.TRANSFER),
    xos.CommandKind.COLLECT_FEES,
}
_DIVIDED = {_KIND.FEE_DIVIDED}
_ON_QUESTIONS = {xos.CommandKind[name.upper()] for name in ON_QUESTIONS}

Cell = Callable[[Desk, Event], str]


def cell(desk: Desk, event: Event, column: str) -> str:
    """The cell of an event in a column; empty where the column says nothing of this kind of event."""
    kinds, text = COLUMNS[column]
    return text(desk, event) if _KIND(event["kind"]) in kinds else ""


def flags_text(flags: int) -> str:
    """The flags of an order in words."""
    return " ".join(flag.name.lower() for flag in xos.Flags if flags & flag and flag.name)


def _field(name: str) -> Cell:
    return lambda _, event: str(event[name])


def _not_zero(name: str) -> Cell:
    return lambda _, event: str(event[name] or "")


def _qty(desk: Desk, event: Event) -> str:
    if event["kind"] in {_KIND.REJECTED, _KIND.PRICE_PUBLISHED}:
        return str(event["qty"] or "")
    return str(event["qty"])


def _event(desk: Desk, event: Event) -> str:
    words = [_KIND(event["kind"]).name.lower()]
    if event["kind"] == _KIND.REJECTED:
        words.append(_reject(desk, event))
    if event["kind"] == _KIND.PROPOSAL_FAILED and event["reason"]:
        words.append(_reject(desk, event))
    if event["kind"] in {_KIND.ORDER_CANCELLED, _KIND.TRIGGER_CANCELLED}:
        words.append(xos.CancelReason(event["reason"]).name.lower())
    if event["flags"] & xos.EventFlags.KEPT_PRIORITY:
        words.append("kept")
    if event["flags"] & xos.EventFlags.RETRY:
        words.append("again")
    if event["flags"] & xos.EventFlags.OF_TIME:
        words.append("of time")
    if event["kind"] in _TRADE | _TAKEN | _LEG and event["flags"] & xos.EventFlags.NOT_PUBLIC:
        words.append("not public")
    return " ".join(words)


def _reject(desk: Desk, event: Event) -> str:
    reject = xos.Reject(event["reason"])
    return f"{int(reject)} {reject.name.title().replace('_', '')}"


def _on(desk: Desk, event: Event) -> str:
    """The asset, venue, question or instrument that an event is about."""
    kind, number, command = event["kind"], event["instrument"], desk.kinds.get(event["sequence"], 0)
    rejected = kind == _KIND.REJECTED
    if kind in OF_MARKET:
        return target(desk, event)
    if kind in ACTS:
        return act_on(desk, event)
    if kind == _KIND.PUBLISHER_DEPLOYED:
        return desk.named(desk.publishers, number)
    if kind == _KIND.CLASS_DEPLOYED:
        return desk.named(desk.exchange.classes, number)
    if kind == _KIND.UNDERLYING_DEPLOYED:
        return desk.named(desk.exchange.underlyings, number)
    if kind == _KIND.VENUE_DEPLOYED:
        return desk.named(desk.exchange.venues, event["venue"])
    if kind in _OF_ASSET or (rejected and command in _TRANSFERS):
        return desk.named(desk.exchange.assets, number)
    if kind in _OF_QUESTION or (rejected and command in _ON_QUESTIONS):
        return desk.named(desk.questions, number)
    return desk.named(desk.instruments, number)


def _side(desk: Desk, event: Event) -> str:
    kind, side = event["kind"], event["side"]
    if kind == _KIND.REJECTED and desk.kinds.get(event["sequence"]) != xos.CommandKind.PLACE:
        return ""
    if kind == _KIND.MASS_CANCELLED and side == 2:
        return "both"
    return xos.Side(side).name.lower() if side < 2 else ""


def _venue(name: str) -> Cell:
    return lambda desk, event: desk.named(desk.exchange.venues, event[name])


def _account(name: str) -> Cell:
    return lambda desk, event: desk.account_name(event[name])


def _whose(desk: Desk, event: Event) -> str:
    """The account of an event, or the publisher where a price was told."""
    if desk.kinds.get(event["sequence"]) == xos.CommandKind.PUBLISH_PRICE and (
        event["kind"] in {_KIND.PRICE_PUBLISHED, _KIND.REJECTED}
    ):
        return desk.named(desk.publishers, event["account"])
    return desk.account_name(event["account"])


def _classes(name: str) -> Cell:
    return lambda desk, event: ",".join(desk.exchange.class_names(event[name]))


def _rule(bit: int) -> Cell:
    return lambda desk, event: ",".join(
        desk.exchange.class_names(event["counter_amount"] >> bit & 0xFFFF_FFFF)
    )


def _order(name: str) -> Cell:
    return lambda desk, event: desk.order_name(event[name])


def _order_id(desk: Desk, event: Event) -> str:
    of_words = {xos.CommandKind.PLACE_TRIGGER, xos.CommandKind.PLACE_BRACKET, *_TRANSFERS}
    of_words |= {xos.CommandKind.SET_CREDENTIALS, xos.CommandKind.SET_REFERRER, xos.CommandKind.SET_FEE_CAP}
    if event["kind"] == _KIND.REJECTED and desk.kinds.get(event["sequence"]) in of_words:
        return ""
    return desk.order_name(event["order_id"])


def _state(desk: Desk, event: Event) -> str:
    if event["kind"] in ACTS | VOTES | EMERGENCIES:
        return act_state(event)
    if event["kind"] == _KIND.SLOT_BOUGHT:
        return slot_text(desk, event)
    if event["kind"] == _KIND.QUESTION_RESOLVED:
        return xos.DecidedBy(event["side"]).name.lower() if event["side"] else ""
    if event["kind"] == _KIND.PRICE_STATUS_SET:
        return xos.PriceStatus(event["side"]).name.lower()
    return xos.InstrumentState(event["side"]).name.lower()


def _amount(desk: Desk, event: Event) -> str:
    """What is slashed stands only where something is."""
    return str(event["amount"] or "") if event["kind"] in ACTS else str(event["amount"])


def _to(desk: Desk, event: Event) -> str:
    if event["kind"] not in _DIVIDED:
        return desk.account_name(event["order_id"])
    referrer = divided_to(event)
    return desk.account_name(referrer) if referrer else ""


def _maker_fee(desk: Desk, event: Event) -> str:
    return str(event["amount" if event["kind"] in _LEG else "counter_amount"])


COLUMNS: dict[str, tuple[set[xos.EventKind], Cell]] = {
    "by": (_EVERY, lambda desk, event: desk.label_of(event["sequence"])),
    "event": (_EVERY, _event),
    "reject": (_REJECTED, _reject),
    "account": (_EVERY, _whose),
    "order": (_ORDER | _REJECTED | _WAITING | _FIRED | OF_CHANGE | OF_PROPOSALS, _order_id),
    "on": (_EVERY, _on),
    "side": (_ORDER | _OF_POSITIONS | _REJECTED | _WAITING | _FIRED | {_KIND.MASS_CANCELLED}, _side),
    "qty": (
        _ORDER
        | _OF_POSITIONS
        | _REJECTED
        | _SETS
        | _COUNTDOWN
        | {_KIND.COLLATERAL_CONVERTED, _KIND.FEE_CAP_SET}
        | _WAITING
        | _FIRED
        | _PROTECTION
        | WITH_QTY
        | {_KIND.MASS_CANCELLED, _KIND.LEVERAGE_SET, _KIND.PAYOUT, _KIND.QUESTION_DEPLOYED}
        | {_KIND.PRICE_PUBLISHED, _KIND.FUNDING_PAID, _KIND.QUESTION_SETTLED}
        | _ADDED
        | TALLIED
        | VOTES,
        _qty,
    ),
    "price": (_EVERY, _not_zero("price")),
    "left": (_ORDER - {_KIND.PNL_REALISED} | TALLIED, _field("remaining")),
    "venue": (_EVERY, _venue("venue")),
    "display": ({_KIND.ORDER_ACCEPTED, _KIND.ORDER_AMENDED}, _not_zero("amount")),
    "flags": (_EVERY - _TRADE - _TAKEN - _LEG, lambda _, event: flags_text(event["flags"])),
    "id": (
        _EVERY
        - _TRADE
        - _SKIPPED
        - _TAKEN
        - _LEG
        - _DIVIDED
        - {_KIND.CHANGE_ANNOUNCED, _KIND.PROPOSAL_MADE}
        - {_KIND.TRANCHE_TOOK_OVER, _KIND.DELEVERAGED},
        lambda _, event: event["client_id"].decode(errors="replace"),
    ),
    "above": (_WAITING, _not_zero("amount")),
    "below": (_WAITING, _not_zero("counter_amount")),
    "below limit": (_WAITING, _not_zero("remaining")),
    "trigger": (_FIRED, _field("amount")),
    "source": (_FIRED, lambda _, event: xos.PriceSource(event["counter_amount"]).name.lower()),
    "position": ({_KIND.PNL_REALISED, _KIND.PROTECTION_BREACHED} | _OF_POSITIONS, _field("remaining")),
    "amount": (
        _TOTAL
        | _DIVIDED
        | _FUNDING
        | _OF_LIQUIDATION
        | _SETS
        | _PROTECTION
        | {_KIND.CANCEL_ALL_AFTER_SET, _KIND.CREDENTIALS_SET}
        | _OF_BONDS
        | SETTLED
        | OF_STAKE
        | PRICED
        | ACTS
        | SLASHED
        | {_KIND.OUTCOME_PAYOUT, _KIND.QUESTION_SETTLED, _KIND.OUTCOME_CREDITED},
        _amount,
    ),
    "total": (
        _TOTAL
        | _DIVIDED
        | _FUNDING
        | _OF_LIQUIDATION
        | _OF_BONDS
        | SETTLED
        | OF_CHANGE
        | OF_STAKE
        | AUCTIONS
        | ACTS
        | SLASHED
        | EMERGENCIES
        | {_KIND.PROTECTION_SET, _KIND.CREDENTIALS_SET, _KIND.QUESTION_CLOSED},
        _field("counter_amount"),
    ),
    "value": (_REJECTED, _field("amount")),
    "limit": (_REJECTED, _field("counter_amount")),
    "state": (
        {
            *(ACTS | VOTES | EMERGENCIES),
            _KIND.SLOT_BOUGHT,
            _KIND.INSTRUMENT_STATE_SET,
            _KIND.PRICE_STATUS_SET,
            _KIND.VOLATILITY_HALT,
            _KIND.QUESTION_RESOLVED,
        },
        _state,
    ),
    "pays": (
        {_KIND.QUESTION_RESOLVED},
        lambda desk, event: desk.named(desk.instruments, event["order_id"]) if event["order_id"] else "",
    ),
    "classes": (
        _CREDENTIALS | _SKIPPED,
        lambda desk, event: _classes("amount" if event["kind"] in _SKIPPED else "qty")(desk, event),
    ),
    "requires": (_SKIPPED, _rule(0)),
    "forbids": (_SKIPPED, _rule(32)),
    "had": (_CREDENTIALS, _classes("remaining")),
    "to": ({_KIND.TRANSFERRED, _KIND.REFERRER_SET, _KIND.FEE_DIVIDED, _KIND.HARM_PAID}, _to),
    "parts": (_DIVIDED, parts_text),
    "maker": (_TRADE | _SKIPPED, _account("counter_account")),
    "maker order": (_TRADE | _SKIPPED, _order("counter_order_id")),
    "maker left": (_TRADE, _field("counter_remaining")),
    "maker venue": (_TRADE | _SKIPPED, _venue("counter_venue")),
    "trade": (_TRADE | _TAKEN | _LEG | _DIVIDED, _field("trade_id")),
    "taker fee": (_TRADE | _TAKEN, _field("amount")),
    "maker fee": (_TRADE | _LEG, _maker_fee),
    "taker": (_LEG, _account("counter_account")),
    "sets": (_TAKEN, _field("counter_amount")),
}
FEES = ("taker fee", "maker fee")
