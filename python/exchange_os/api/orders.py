"""Orders: placed, amended, cancelled and looked up by the account of a key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange_os._core import Reject, SelfTrade
from exchange_os.api.codes import BATCH_MAX, Refused, Row, code_of
from exchange_os.api.desk import TYPES, Desk
from exchange_os.api.keys import Key, now_ms
from exchange_os.api.numbers import (
    blank,
    choice,
    contract,
    decimal_of,
    limit_of,
    ms,
    order_number,
    order_text,
    quantity,
    size,
    text,
    trade_text,
    word,
)
from exchange_os.api.recorder import Past
from exchange_os.errors import Error, Rejected
from exchange_os.results import Instrument, Order

if TYPE_CHECKING:
    from exchange_os.words import OrderOptions

Fields = Mapping[str, Any]

_TYPES = ("limit", "market", "post_only", "fok", "ioc", "optimal_limit_ioc")
_SELF_TRADES = ("cancel_maker", "cancel_taker", "cancel_both")
_WALKED_MAX = 400
_CLIENT_ID_MAX = 32
_SIDES = ("buy", "sell")


def place(desk: Desk, key: Key, fields: Fields) -> Row:
    """One order; its row of the answer."""
    each = _named(desk, fields)
    side, kind = choice(fields, "side", _SIDES), choice(fields, "ordType", _TYPES)
    mode = choice(
        fields, "tdMode", ("cash", "cross", "isolated"), "cash" if each.product == "spot" else "cross"
    )
    if choice(fields, "posSide", ("net", "long", "short"), "net") != "net":
        raise Refused("51000", "Parameter posSide error: positions are in net mode, expected net or nothing.")
    if each.product == "perpetual" and mode == "cash":
        raise Refused("51000", "Parameter tdMode error: a perpetual is traded cross or isolated.")
    account = _account(desk, key, each, mode)
    client_id = _client_id(fields, "clOrdId")
    options: OrderOptions = {"reduce_only": word(fields, "reduceOnly", "false") == "true"}
    if each.product == "spot":
        options["reduce_only"] = False
    if client_id:
        options["client_id"] = client_id
    options["self_trade"] = SelfTrade[choice(fields, "stpMode", _SELF_TRADES, "cancel_maker").upper()]
    if kind in {"market", "optimal_limit_ioc"}:
        price, qty = _swept(desk, each, side, fields)
        options |= {"market": True, "tif": "ioc"}
    else:
        price, qty = decimal_of("px", word(fields, "px")), quantity(each, word(fields, "sz"))
        options |= {
            "post_only": kind == "post_only",
            "tif": "fok" if kind == "fok" else "ioc" if kind == "ioc" else "gtc",
        }
    tag = word(fields, "tag", "")[:16]
    desk.recorder.placing = {"ordType": kind, "tdMode": mode, "tag": tag}
    try:
        result = desk.exchange.place(account, each.symbol, side, price, qty, **options)  # type: ignore[arg-type]
    finally:
        desk.recorder.placing = {}
    if result.retry:
        raise Refused("51016", f"Duplicated clOrdId: {client_id} was order {order_text(result.order_id)}.")
    said = {"ordId": order_text(result.order_id), "clOrdId": client_id, "tag": tag, "ts": str(now_ms())}
    return {**said, "sCode": "0", "sMsg": "Order placed", "subCode": ""}


def cancel(desk: Desk, key: Key, fields: Fields) -> Row:
    """Takes out an order that is named by ordId or clOrdId."""
    found = _find(desk, key, fields)
    each = _named(desk, fields)
    unknown = "51400" if each.product == "spot" else "51603"
    if found is None or found.instrument.symbol != each.symbol:
        raise Refused(unknown, "Cancellation failed: the order does not exist, or not on this instrument.")
    if found.state == "canceled":
        raise Refused("51401", "Cancellation failed as the order has been canceled.")
    if found.state == "filled":
        raise Refused(
            "51402" if each.product != "spot" else "51400", "Cancellation failed as the order is completed."
        )
    try:
        desk.exchange.cancel(found.account, found.order_id)
    except Rejected as error:
        if error.reject == Reject.UNKNOWN_ORDER:
            raise Refused(unknown, str(error)) from error
        raise
    said = {"ordId": order_text(found.order_id), "clOrdId": found.client_id, "ts": str(now_ms())}
    return {**said, "tag": found.tag, "sCode": "0", "sMsg": ""}


def amend(desk: Desk, key: Key, fields: Fields) -> Row:
    """Another price or total size of a resting order."""
    found, each = _find(desk, key, fields), _named(desk, fields)
    if found is None or found.instrument.symbol != each.symbol:
        raise Refused(
            "51503", "Order modification failed: the order does not exist, or not on this instrument."
        )
    if found.state in {"canceled", "filled"}:
        code = "51509" if found.state == "canceled" else "51510"
        raise Refused(code, f"Order modification failed as the order is {found.state}.")
    price, qty = word(fields, "newPx", ""), word(fields, "newSz", "")
    if not price and not qty:
        raise Refused("50015", "Either parameter newPx or newSz is required.")
    try:
        desk.exchange.amend(
            found.account,
            each.symbol,
            found.order_id,
            price=decimal_of("newPx", price) if price else None,
            qty=decimal_of("newSz", qty) * contract(each) if qty else None,
            post_only=found.order_type == "post_only",
        )
    except Rejected as error:
        if error.reject == Reject.POST_ONLY_WOULD_CROSS:
            raise Refused("51511", str(error)) from error
        raise
    said = {"ordId": order_text(found.order_id), "clOrdId": found.client_id, "ts": str(now_ms())}
    return {**said, "reqId": word(fields, "reqId", ""), "sCode": "0", "sMsg": ""}


def batch(
    one: Callable[[Desk, Key, Fields], Row], desk: Desk, key: Key, given: Sequence[Fields]
) -> tuple[str, list[Row]]:
    """Each for itself; code 0 if all went well, 1 if none did, 2 otherwise, and a row for each."""
    if not given:
        raise Refused("50014", "Parameter args can not be empty.")
    if len(given) > BATCH_MAX:
        raise Refused("51111", f"A batch of {len(given)} orders; the most is {BATCH_MAX}.")
    rows = [_attempt(one, desk, key, fields) for fields in given]
    wrong = sum(row["sCode"] != "0" for row in rows)
    return ("0" if not wrong else "1" if wrong == len(rows) else "2"), rows


def _attempt(one: Callable[[Desk, Key, Fields], Row], desk: Desk, key: Key, fields: Fields) -> Row:
    try:
        return one(desk, key, fields)
    except Refused as refused:
        code, message = refused.code, refused.message
    except Error as error:
        code, message = code_of(error)
    ids = {
        name: value if isinstance(value := fields.get(name), str) else ""
        for name in ("ordId", "clOrdId", "tag")
    }
    return {**ids, "ts": str(now_ms()), "sCode": code, "sMsg": message, "subCode": ""}


# --- what stands and what was ---


def order(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """One order, live or over."""
    found = _find(desk, key, fields)
    if found is None:
        _refuse_forgotten(desk, fields)
    if found is None or found.instrument.symbol != word(fields, "instId"):
        raise Refused("51603", "Order does not exist.")
    return [order_row(found)]


def pending(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Resting orders, newest first."""
    found = [
        _standing(desk, each) for account in accounts(desk, key) for each in desk.exchange.orders(account)
    ]
    return _page(found, fields)


def history(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Orders that are over, newest first; `begin` and `end` are about their creation."""
    word(fields, "instType")
    own = set(accounts(desk, key))
    begin, end = (decimal_of(each, word(fields, each, "-1")) for each in ("begin", "end"))
    found = [
        each
        for each in desk.recorder.orders.values()
        if each.account in own
        and each.state in {"filled", "canceled"}
        and each.created_ns // 1_000_000 >= begin
        and (end < 0 or each.created_ns // 1_000_000 <= end)
    ]
    rows, before = _page(found, fields), word(fields, "before", "")
    bounded = bool(before) and order_number(before) >= next(iter(desk.recorder.orders), 2**64)
    return _known(desk, rows, fields, begin, bounded=bounded)


def fills(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Fills of the account, newest first; the bill of a fill is its trade."""
    own, kind = set(accounts(desk, key)), word(fields, "instType", "")
    name, number = word(fields, "instId", ""), word(fields, "ordId", "")
    after, before = (decimal_of(each, word(fields, each, "-1")) for each in ("after", "before"))
    begin, end = (decimal_of(each, word(fields, each, "-1")) for each in ("begin", "end"))
    rows: list[Row] = []
    for fill in reversed(desk.recorder.fills):
        bill, moment = int(trade_text(fill.trade_id)), fill.time_ns // 1_000_000
        wanted = fill.account in own and name in {"", fill.instrument.symbol}
        wanted = wanted and kind in {"", TYPES[fill.instrument.product]}
        wanted = wanted and number in {"", order_text(fill.order_id)} and bill > before and moment >= begin
        if wanted and (after < 0 or bill < after) and (end < 0 or moment <= end):
            rows.append(fill_row(fill))
    known = desk.recorder.fills
    bounded = bool(known) and before >= int(trade_text(known[0].trade_id))
    return _known(desk, rows[: limit_of(fields, 100, 100)], fields, begin, bounded=bounded)


def _known(desk: Desk, rows: list[Row], fields: Fields, begin_ms: Decimal, *, bounded: bool) -> list[Row]:
    """The rows, unless more of them may lie before what is known: neither full nor bounded below."""
    full = len(rows) == limit_of(fields, 100, 100)
    if not full and not bounded and begin_ms * 1_000_000 <= desk.recorder.known_after_ns:
        desk.recorder.refuse_unknown()
    return rows


def _refuse_forgotten(desk: Desk, fields: Fields) -> None:
    """Whether an order that is not found may have ended before what is known."""
    number = word(fields, "ordId", "")
    oldest = next(iter(desk.recorder.orders), 2**64)
    if not number or (order_number(number) < oldest and desk.exchange.order(order_number(number)) is None):
        desk.recorder.refuse_unknown()


def fill_row(fill: Any) -> Row:
    each = fill.instrument
    empty = "subType tag fillIdxPx fillPnl fillPxVol fillPxUsd fillMarkVol fillFwdPx fillMarkPx feeRate"
    number, moment = trade_text(fill.trade_id), ms(fill.time_ns)
    row: Row = blank(empty)
    row |= {"instType": TYPES[each.product], "instId": each.symbol, "tradeId": number, "billId": number}
    row |= {"ordId": order_text(fill.order_id), "clOrdId": fill.client_id, "fillPx": text(fill.price)}
    row |= {
        "fillSz": size(each, fill.qty),
        "side": fill.side,
        "posSide": "" if each.product == "spot" else "net",
    }
    row |= {"execType": "M" if fill.maker else "T", "fee": text(-fill.fee), "feeCcy": each.quote}
    row |= {"ts": moment, "fillTime": moment, "tradeQuoteCcy": each.quote if each.product == "spot" else ""}
    return row


_ORDER_EMPTY = (
    "algoClOrdId algoId attachAlgoClOrdId ccy lever outcome pnl pxType pxUsd pxVol quickMgnType slOrdPx "
    "slTriggerPx slTriggerPxType source stpId tgtCcy tpOrdPx tpTriggerPx tpTriggerPxType "
    "cancelSourceReason isTpLimit"
)


def order_row(past: Past) -> Row:
    """All keys of an order."""
    each, last = past.instrument, past.last
    average = text((past.value / past.filled).quantize(each.tick_size)) if past.filled and past.value else ""
    unknown = "" if past.value is None else "0"
    row: Row = blank(_ORDER_EMPTY)
    row |= {"instType": TYPES[each.product], "instId": each.symbol, "ordId": order_text(past.order_id)}
    row |= {"clOrdId": past.client_id, "tag": past.tag, "side": past.side, "ordType": past.order_type}
    row |= {"posSide": "" if each.product == "spot" else "net", "tdMode": past.mode, "state": past.state}
    row |= {"px": "" if past.order_type == "market" else text(past.price), "sz": size(each, past.qty)}
    row |= {"accFillSz": size(each, past.filled), "avgPx": average, "category": "normal"}
    row |= {"fillPx": text(last.price) if last else "", "fillSz": size(each, last.qty) if last else unknown}
    row |= {
        "fillTime": ms(last.time_ns) if last else "",
        "tradeId": trade_text(last.trade_id) if last else "",
    }
    row |= {
        "fee": "" if past.fee is None else text(-past.fee),
        "feeCcy": each.quote,
        "rebate": "0",
        "rebateCcy": each.quote,
    }
    row |= {"reduceOnly": "true" if past.reduce_only else "false", "stpMode": "cancel_maker"}
    row |= {"cancelSource": past.cancel_source, "attachAlgoOrds": [], "linkedAlgoOrd": {"algoId": ""}}
    row |= {"tradeQuoteCcy": each.quote if each.product == "spot" else ""}
    row |= {"cTime": ms(past.created_ns) if past.created_ns else ""}
    row |= {"uTime": ms(past.updated_ns) if past.updated_ns else ""}
    return row


# --- inside ---


def accounts(desk: Desk, key: Key) -> list[int]:
    """The account of a key and its isolated accounts."""
    return [key.account, *desk.exchange.isolated_accounts(key.account).values()]


def _named(desk: Desk, fields: Fields) -> Instrument:
    """By instId or instIdCode; both have to agree."""
    code, name = word(fields, "instIdCode", ""), word(fields, "instId", "")
    if not code:
        return desk.exchange.instrument(word(fields, "instId"))
    each = desk.exchange.instrument(int(decimal_of("instIdCode", code)))
    if name and name != each.symbol:
        raise Refused(
            "51000", f"Parameter instIdCode error: {code} is {each.symbol}, and instId is {name[:40]!r}."
        )
    return each


def _account(desk: Desk, key: Key, each: Instrument, mode: str) -> int:
    """The isolated account of an instrument is opened with its first order."""
    if mode != "isolated":
        return key.account
    if each.product != "perpetual":
        raise Refused("51000", "Parameter tdMode error: only perpetuals are traded isolated.")
    found = desk.exchange.isolated_accounts(key.account).get(each.symbol)
    return desk.exchange.open_isolated(key.account, each.symbol) if found is None else found


def _client_id(fields: Fields, name: str) -> str:
    found = word(fields, name, "")
    if found and not (found.isascii() and found.isalnum() and len(found) <= _CLIENT_ID_MAX):
        raise Refused("51000", f"Parameter {name} error: 1 to {_CLIENT_ID_MAX} letters and digits of ASCII.")
    return found


def _swept(desk: Desk, each: Instrument, side: str, fields: Fields) -> tuple[Decimal, Decimal]:
    """Protection price and quantity of a market order: the worst level that it needs as the book stands."""
    sz = decimal_of("sz", word(fields, "sz"))
    by_value = word(fields, "tgtCcy", "quote_ccy" if side == "buy" else "base_ccy") == "quote_ccy"
    by_value = by_value and each.product == "spot"
    book = desk.exchange.book(each.symbol, _WALKED_MAX)
    levels = book.asks if side == "buy" else book.bids
    if not levels:
        raise Refused("51109", "No opposite offer: the book has no order on the other side.")
    left, qty, price = (sz if by_value else sz * contract(each)), Decimal(0), levels[0].price
    for level in levels:
        price = level.price
        share = (
            min(level.qty, left / level.price // each.lot_size * each.lot_size)
            if by_value
            else min(level.qty, left)
        )
        qty += share
        left -= share * level.price if by_value else share
        if share < level.qty:
            break
    if by_value and not qty:
        raise Refused(
            "51020", f"Your order should meet or exceed the minimum order amount: {text(each.lot_size)}."
        )
    return price, qty if by_value else sz * contract(each)


def _find(desk: Desk, key: Key, fields: Fields) -> Past | None:
    """An order of the account: as it stands, or as it ended."""
    number, client_id = word(fields, "ordId", ""), _client_id(fields, "clOrdId")
    if not number and not client_id:
        raise Refused("51003", "Either parameter ordId or clOrdId is required.")
    own = accounts(desk, key)
    if number:
        order_id = order_number(number)
        found = desk.exchange.order(order_id)
        if found is not None:
            return _standing(desk, found) if found.account in own else None
        past = desk.recorder.orders.get(order_id)
        return past if past is not None and past.account in own else None
    for account in own:
        for resting in desk.exchange.orders(account):
            if resting.client_id == client_id.encode():
                return _standing(desk, resting)
    ended = (
        p for p in reversed(desk.recorder.orders.values()) if p.client_id == client_id and p.account in own
    )
    return next(ended, None)


def _standing(desk: Desk, resting: Order) -> Past:
    """A resting order with what the recorder knows of it; what it does not know stays empty."""
    known = desk.recorder.orders.get(resting.order_id)
    if known is not None:
        return known
    each = desk.recorder.instrument(desk.exchange.number_of(resting.instrument))
    return Past(
        order_id=resting.order_id,
        account=resting.account,
        instrument=each,
        side=resting.side,
        price=resting.price,
        qty=resting.qty,
        client_id=resting.client_id.decode("latin-1"),
        order_type="post_only" if resting.flags & 1 else "limit",
        reduce_only=bool(resting.flags & 2),
        mode="",
        tag="",
        created_ns=0,
        updated_ns=0,
        state="partially_filled" if resting.filled else "live",
        filled=resting.filled,
        value=None if resting.filled else Decimal(0),
        fee=None if resting.filled else Decimal(0),
    )


def _page(found: list[Past], fields: Fields) -> list[Row]:
    kind, name = word(fields, "instType", "ANY"), word(fields, "instId", "")
    state, style = word(fields, "state", ""), word(fields, "ordType", "")
    after, before = (word(fields, each, "") for each in ("after", "before"))
    oldest = order_number(before) if before else 0
    newest = order_number(after) if after else 2**64
    rows = [
        order_row(each)
        for each in sorted(found, key=lambda past: past.order_id, reverse=True)
        if oldest < each.order_id < newest
        and kind in {"ANY", TYPES[each.instrument.product]}
        and name in {"", each.instrument.symbol}
        and state in {"", each.state}
        and style in {"", each.order_type}
    ]
    return rows[: limit_of(fields, 100, 100)]
