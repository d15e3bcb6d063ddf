"""What the interface of OKX cannot say, under /api/v1: venues, questions, terms, receipts, previews.

Rows are typed; the OpenAPI document is made of the types and of this table, never written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from exchange_os.api.codes import Refused
from exchange_os.api.desk import Desk
from exchange_os.api.keys import Key
from exchange_os.api.numbers import choice, decimal_of, word
from exchange_os.api.orders import accounts
from exchange_os.errors import EventsGone
from exchange_os.fees import FeeReceipt
from exchange_os.results import AdlReceipt, Book, Question

Fields = Mapping[str, Any]

_DEPTH_MAX = 400


class VenueRow(msgspec.Struct, frozen=True):
    """A deployed venue and its terms, in parts per million, ticks, lots and atoms."""

    number: int
    symbol: str
    terms: dict[str, Any]


class MarketRow(msgspec.Struct, frozen=True):
    """The specification of an instrument or question as it was deployed, in ticks, lots and atoms."""

    kind: str
    symbol: str
    specification: dict[str, Any]


class ResolutionRow(msgspec.Struct, frozen=True):
    """How far the resolvers of a question are. Times are nanoseconds since 1970 UTC of logged time."""

    question: str
    stage: str
    decided_by: str | None
    ends_ns: int | None
    closes_ns: int
    proposed_payouts: dict[str, Decimal] | None
    proposer: int | None
    challenger: int | None
    votes: int
    bonds: Decimal
    rule: str
    rule_hash: str
    sources: list[str]
    dispute_risk: bool


class PreviewRow(msgspec.Struct, frozen=True):
    """What an order would do now; `refused` is the engine's sentence if it would not be taken."""

    refused: str | None
    taken: Decimal
    fee: Decimal
    fee_resting: Decimal
    initial_margin_before: Decimal
    initial_margin_after: Decimal
    maintenance_margin_before: Decimal
    maintenance_margin_after: Decimal
    liquidation_price: Decimal | None
    liquidation_price_filled: Decimal | None
    loss_max: Decimal


class Field(msgspec.Struct, frozen=True):
    """A parameter of the query."""

    name: str
    about: str
    required: bool = False
    words: tuple[str, ...] = ()


class Endpoint(msgspec.Struct, frozen=True):
    """How a path answers, how often in two seconds it may be asked, and what its rows are."""

    answer: Callable[..., list[Any]]
    often: int
    row: type
    fields: tuple[Field, ...] = ()


def venues(desk: Desk, _fields: Fields) -> list[VenueRow]:
    """Deployed venues with their terms."""
    return [
        VenueRow(number, symbol, _body(desk, "venue", symbol))
        for number, symbol in enumerate(desk.exchange.venues, 1)
    ]


def markets(desk: Desk, fields: Fields) -> list[MarketRow]:
    """Specifications of instruments and questions as they were deployed."""
    wanted = word(fields, "symbol", "")
    bodies = desk.exchange._directory.standing.bodies
    named = [each for each in bodies if each[0] in {"instrument", "question"} and wanted in {"", each[1]}]
    if wanted and not named:
        question = desk.exchange.instrument(wanted).question
        named = [("question", question)] if question else []
    return [MarketRow(kind, symbol, _body(desk, kind, symbol)) for kind, symbol in named]


def questions(desk: Desk, fields: Fields) -> list[Question]:
    """Questions as they stand; payouts are those of one lot once it is decided."""
    wanted = word(fields, "question", "")
    return [desk.exchange.question(wanted)] if wanted else desk.exchange.questions()


def resolution(desk: Desk, fields: Fields) -> list[ResolutionRow]:
    """Stage, proposal and challenge of a question with resolvers; no row where the operator settles it."""
    symbol = desk.exchange.question(word(fields, "question")).symbol
    found = desk.exchange.resolution(symbol)
    if found is None:
        return []
    claim = found.proposal
    return [
        ResolutionRow(
            question=symbol,
            stage=found.stage.name.lower(),
            decided_by=None if found.decided_by is None else found.decided_by.name.lower(),
            ends_ns=found.ends_ns,
            closes_ns=found.closes_ns,
            proposed_payouts=None if claim is None else claim.payouts,
            proposer=None if claim is None else claim.account,
            challenger=found.challenger,
            votes=len(found.votes),
            bonds=found.bonds,
            rule=found.rule,
            rule_hash=found.rule_hash,
            sources=list(found.sources),
            dispute_risk=found.dispute_risk,
        )
    ]


def depth(desk: Desk, fields: Fields) -> list[Book]:
    """The book as an incoming order finds it: `implied` is what the other outcomes offer on top of `qty`."""
    levels = decimal_of("depth", word(fields, "depth", "10"))
    if not 1 <= levels <= _DEPTH_MAX or levels != int(levels):
        raise Refused("51000", f"Parameter depth error: expected a whole number from 1 to {_DEPTH_MAX}.")
    return [
        desk.exchange.book_with_implied(
            desk.exchange.instrument(word(fields, "instrument")).symbol, int(levels)
        )
    ]


def preview(desk: Desk, key: Key, fields: Fields) -> list[PreviewRow]:
    """What a limit order of the key's account would do now, without placing it."""
    side = choice(fields, "side", ("buy", "sell"))
    price, qty = (decimal_of(name, word(fields, name)) for name in ("price", "qty"))
    symbol = desk.exchange.instrument(word(fields, "instrument")).symbol
    seen = desk.exchange.preview(key.account, symbol, side, price, qty)  # type: ignore[arg-type]
    plain = {name: getattr(seen, name) for name in PreviewRow.__struct_fields__ if name != "refused"}
    return [PreviewRow(refused=None if seen.rejection is None else str(seen.rejection), **plain)]


def fee_receipts(desk: Desk, key: Key, fields: Fields) -> list[FeeReceipt]:
    """Fees that the key's accounts paid, and who received each part, oldest first."""
    since = _since(desk, fields)
    found = [each for account in accounts(desk, key) for each in desk.exchange.fee_receipts(account=account)]
    return sorted((each for each in found if each.sequence >= since), key=lambda each: each.trade_id)


def adl_receipts(desk: Desk, key: Key, fields: Fields) -> list[AdlReceipt]:
    """What deleveraging took from the key's accounts, and how the lots were divided, oldest first."""
    since = _since(desk, fields)
    found = [each for account in accounts(desk, key) for each in desk.exchange.adl_receipts(account, since)]
    return sorted(found, key=lambda each: each.sequence)


def _since(desk: Desk, fields: Fields) -> int:
    """The sequence from which on receipts are asked; `Refused` where events of then are no longer kept."""
    given = decimal_of("since_sequence", word(fields, "since_sequence", "1"))
    if given < 1 or given != int(given):
        raise Refused("51000", "Parameter since_sequence error: expected a whole number from 1 on.")
    try:
        desk.exchange.events(int(given))
    except EventsGone as error:
        raise Refused("50001", f"Service temporarily unavailable: {error}", 503) from error
    return int(given)


def _body(desk: Desk, kind: str, symbol: str) -> dict[str, Any]:
    content = msgspec.msgpack.decode(desk.exchange._directory.standing.bodies[kind, symbol])
    found: dict[str, Any] = content[kind]
    return found


_QUESTION = Field("question", "symbol of the question")
_SINCE = Field("since_sequence", "sequence of the log from which on, 1: from the beginning")

PUBLIC: dict[str, Endpoint] = {
    "/api/v1/venues": Endpoint(venues, 20, VenueRow),
    "/api/v1/markets": Endpoint(
        markets, 20, MarketRow, (Field("symbol", "of an instrument, outcome or question"),)
    ),
    "/api/v1/questions": Endpoint(questions, 20, Question, (_QUESTION,)),
    "/api/v1/resolution": Endpoint(
        resolution, 20, ResolutionRow, (msgspec.structs.replace(_QUESTION, required=True),)
    ),
    "/api/v1/depth": Endpoint(
        depth,
        40,
        Book,
        (
            Field("instrument", "symbol of the instrument", required=True),
            Field("depth", "levels of each side, 1 to 400"),
        ),
    ),
}
PRIVATE: dict[str, Endpoint] = {
    "/api/v1/preview": Endpoint(
        preview,
        40,
        PreviewRow,
        (
            Field("instrument", "symbol of the instrument", required=True),
            Field("side", "of the order", required=True, words=("buy", "sell")),
            Field("price", "limit price in whole units", required=True),
            Field("qty", "quantity in whole units", required=True),
        ),
    ),
    "/api/v1/fee-receipts": Endpoint(fee_receipts, 10, FeeReceipt, (_SINCE,)),
    "/api/v1/adl-receipts": Endpoint(adl_receipts, 10, AdlReceipt, (_SINCE,)),
}
