"""Orders looked up by the account of a key: what stands and what was."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from exchange_os.api.codes import Refused, Row
from exchange_os.api.desk import TYPES, Desk
from exchange_os.api.keys import Key
from exchange_os.api.numbers import (
    blank,
    contract,
    decimal_of,
    limit_of,
    ms,
    order_number,
    order_text,
    size,
    text,
    trade_text,
    word,
)
from exchange_os.api.recorder import Past
from exchange_os.results import Instrument, Order

Fields = Mapping[str, Any]

_WALKED_MAX = 400
_CLIENT_ID_MAX = 32


# --- what stands and what was ---


def order(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """One order, live or over."""
    found = find(desk, key, fields)
    if found is None and desk.history is not None:
        from exchange_os.api import past_orders

        return past_orders.order(desk, key, fields)
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


def named(desk: Desk, fields: Fields) -> Instrument:
    """By instId or instIdCode; both have to agree. Terms alone, so that nothing waits for the exchange."""
    code, name = word(fields, "instIdCode", ""), word(fields, "instId", "")
    if not code:
        return desk.recorder.instrument(desk.exchange.number_of(word(fields, "instId")))
    each = desk.recorder.instrument(desk.exchange.number_of(int(decimal_of("instIdCode", code))))
    if name and name != each.symbol:
        raise Refused(
            "51000", f"Parameter instIdCode error: {code} is {each.symbol}, and instId is {name[:40]!r}."
        )
    return each


def account_of(desk: Desk, key: Key, each: Instrument, mode: str) -> int:
    """The isolated account of an instrument is opened with its first order."""
    if mode != "isolated":
        return key.account
    if each.product != "perpetual":
        raise Refused("51000", "Parameter tdMode error: only perpetuals are traded isolated.")
    found = desk.exchange.isolated_accounts(key.account).get(each.symbol)
    return desk.exchange.open_isolated(key.account, each.symbol) if found is None else found


def client_id_of(fields: Fields, name: str) -> str:
    found = word(fields, name, "")
    if found and not (found.isascii() and found.isalnum() and len(found) <= _CLIENT_ID_MAX):
        raise Refused("51000", f"Parameter {name} error: 1 to {_CLIENT_ID_MAX} letters and digits of ASCII.")
    return found


def swept(desk: Desk, each: Instrument, side: str, fields: Fields) -> tuple[Decimal, Decimal]:
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


def find(desk: Desk, key: Key, fields: Fields) -> Past | None:
    """An order of the account: as it stands, or as it ended."""
    number, client_id = word(fields, "ordId", ""), client_id_of(fields, "clOrdId")
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
        price_ticks=int(resting.price / each.tick_size),
        qty_lots=int(resting.qty / each.lot_size),
        client_id=resting.client_id.decode("latin-1"),
        order_type="post_only" if resting.flags & 1 else "limit",
        reduce_only=bool(resting.flags & 2),
        mode="",
        tag="",
        created_ns=0,
        updated_ns=0,
        state="partially_filled" if resting.filled else "live",
        filled_lots=int(resting.filled / each.lot_size),
        value_steps=None if resting.filled else 0,
        fee_atoms=None if resting.filled else 0,
        atom=desk.recorder.atom(each.quote),
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
