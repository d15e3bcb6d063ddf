"""Fills and bills out of history."""

from __future__ import annotations

from itertools import islice

from exchange_os._core import Side
from exchange_os.api import orders
from exchange_os.api.codes import Row as Answer
from exchange_os.api.desk import TYPES, Desk
from exchange_os.api.keys import Key
from exchange_os.api.numbers import (
    blank,
    limit_of,
    ms,
    order_number,
    order_text,
    size,
    text,
    trade_text,
    word,
)
from exchange_os.api.past_pages import (
    Fields,
    asked_by_bill,
    bill_text,
    fee_of,
    instruments_of,
    mode_of,
    page,
    reading,
)
from exchange_os.api.recorder import Fill
from exchange_os.history import Bits, Kind, Row

# Of a reason of the ledger: the type, the subtypes of less and of more, the word in the notes.
_REASONS: dict[int, tuple[str, str, str, str]] = {
    1: ("1", "", "11", "deposit"),
    2: ("1", "12", "", "withdrawal"),
    3: ("2", "", "", "trade"),
    6: ("2", "", "", "realised"),
    7: ("3", "", "", "split"),
    8: ("3", "", "", "merge"),
    9: ("3", "", "", "payout"),
    10: ("8", "173", "174", "funding"),
    11: ("1", "12", "11", "transfer"),
    12: ("5", "", "", "liquidation fee"),
    13: ("10", "", "", "insurance paid"),
    14: ("10", "", "", "insurance received"),
    15: ("7", "9", "9", "interest"),
    20: ("", "", "", "fees collected"),
    21: ("", "", "", "referral"),
    25: ("", "", "", "bond given"),
    26: ("", "", "", "bond returned"),
    27: ("", "", "", "bond awarded"),
    30: ("3", "", "", "delisting"),
    31: ("", "", "", "stake"),
    32: ("", "", "", "slot"),
}
_NARROWS = ("instType", "instId", "ccy", "type", "subType", "mgnMode")
_BILL_EMPTY = (
    "posBalChg posBal interest tag clOrdId fillIdxPx fillMarkPx fillPxVol fillPxUsd fillMarkVol fillFwdPx "
    "earnApr earnAmt"
)


def fills(desk: Desk, key: Key, fields: Fields) -> list[Answer]:
    """Fills of the account and its isolated ones, newest first; `after` and `before` are bills."""
    if desk.history is None:
        return orders.fills(desk, key, fields)
    number, instruments = word(fields, "ordId", ""), instruments_of(desk, fields)
    order_id = order_number(number) if number else None
    asked, limit = asked_by_bill(fields), limit_of(fields, 100, 100)

    def wanted(row: Row) -> bool:
        of_order = order_id is None or row.order_id == order_id
        return (
            bool(row.bits & Bits.FILL) and of_order and (instruments is None or row.instrument in instruments)
        )

    with reading(desk) as store:
        found = page(store, Kind.MOVEMENT, orders.accounts(desk, key), asked, limit, wanted)
    return [_fill_row(desk, row) for row in found]


def fill_of(desk: Desk, account: int, row: Row) -> Fill:
    """A movement that is a fill, in whole units."""
    each = desk.recorder.instrument(row.instrument)
    return Fill(
        trade_id=row.trade_id,
        order_id=row.order_id,
        account=account,
        instrument=each,
        client_id=row.text.decode("latin-1"),
        side=Side(row.side).name.lower(),
        price=each.tick_size * row.price,
        qty=each.lot_size * row.qty,
        fee=fee_of(desk, each, row.fee),
        maker=bool(row.bits & Bits.MAKER),
        time_ns=row.time_ns,
    )


def _fill_row(desk: Desk, row: Row) -> Answer:
    fill = fill_of(desk, 0, row)
    settled = "" if fill.instrument.product == "spot" else text(fee_of(desk, fill.instrument, row.pnl))
    kind = _liquidation(row) or ("2" if row.side else "1")
    number = order_text(row.order_id) if row.order_id else ""
    said = {"billId": bill_text(row.number), "fillPnl": settled, "subType": kind, "ordId": number}
    return orders.fill_row(fill) | said


def _liquidation(row: Row) -> str:
    """Subtype of what was not the account's own will."""
    if row.bits & Bits.DELEVERAGING:
        return "128" if row.side else "127"
    if row.bits & Bits.LIQUIDATION:
        return "107" if row.side else "106"
    return ""


def bills(desk: Desk, key: Key, fields: Fields) -> list[Answer]:
    """Every movement of money of the account and its isolated ones, newest first, each with the balance after
    it; `after` and `before` are bills."""
    given = {name: word(fields, name, "") for name in _NARROWS}
    asked, limit = asked_by_bill(fields), limit_of(fields, 100, 100)
    found: list[Answer] = []
    with reading(desk) as store:
        for account in orders.accounts(desk, key):
            isolated = account != key.account
            rows = store.rows(Kind.MOVEMENT, account, asked)
            said = (bill_row(desk, row, isolated=isolated) for row in rows)
            found += islice((bill for bill in said if _matches(bill, given)), limit)
    return sorted(found, key=lambda bill: bill["billId"], reverse=True)[:limit]


def _matches(bill: Answer, given: dict[str, str]) -> bool:
    return all(value in {"", bill[name]} for name, value in given.items())


def bill_row(desk: Desk, row: Row, *, isolated: bool) -> Answer:
    """All keys of a bill."""
    type_, less, more, notes = _REASONS.get(row.reason, ("", "", "", f"reason {row.reason}"))
    sub = more if row.change >= 0 else less
    if row.reason in {3, 6}:
        sub = "2" if row.side else "1"
    if forced := _liquidation(row):
        type_ = "9" if row.bits & Bits.DELEVERAGING else type_ if row.reason in {12, 13, 14} else "5"
        sub = forced if row.reason in {3, 6} else sub
    asset = desk.exchange._directory.asset(row.asset)
    said: Answer = blank(_BILL_EMPTY) | {
        "billId": bill_text(row.number),
        "type": type_,
        "subType": sub,
        "ts": ms(row.time_ns),
        "balChg": text(asset.amount.value(row.change)),
        "bal": text(asset.amount.value(row.balance)),
        "ccy": asset.symbol,
        "fee": text(-asset.amount.value(row.fee)),
        "pnl": text(asset.amount.value(row.pnl)),
        "notes": notes,
        "from": "",
        "to": "",
    }
    if row.reason == 11:
        said |= {"from": "18", "to": "18"}
    return said | _bill_market(desk, row, isolated=isolated)


def _bill_market(desk: Desk, row: Row, *, isolated: bool) -> Answer:
    """What a bill says of the instrument and the trade it came from; nothing for everything else."""
    names = "instType instId mgnMode sz px ordId tradeId execType fillTime"
    if not row.instrument or row.bits & Bits.QUESTION:
        return blank(names) | {"mgnMode": "isolated" if isolated else ""}
    each = desk.recorder.instrument(row.instrument)
    traded = bool(row.trade_id)
    return blank(names) | {
        "instType": TYPES[each.product],
        "instId": each.symbol,
        "mgnMode": "" if each.product == "spot" else mode_of(each, isolated=isolated),
        "sz": size(each, each.lot_size * abs(row.qty)) if row.qty else "",
        "px": text(each.tick_size * row.price) if row.price else "",
        "ordId": order_text(row.order_id) if row.order_id else "",
        "tradeId": trade_text(row.trade_id) if traded else "",
        "execType": ("M" if row.bits & Bits.MAKER else "T") if traded else "",
        "fillTime": ms(row.time_ns) if traded else "",
    }
