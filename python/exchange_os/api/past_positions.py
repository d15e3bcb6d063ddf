"""Positions that were closed, out of history."""

from __future__ import annotations

from exchange_os.api import orders
from exchange_os.api.codes import Row as Answer
from exchange_os.api.desk import TYPES, Desk, underlying
from exchange_os.api.keys import Key
from exchange_os.api.numbers import limit_of, ms, size, text, word
from exchange_os.api.past_pages import Fields, asked_by_time, fee_of, instruments_of, page, reading
from exchange_os.history import Kind, Row


def positions(desk: Desk, key: Key, fields: Fields) -> list[Answer]:
    """Positions that were closed, newest first; `after` and `before` are milliseconds of that."""
    instruments, mode = instruments_of(desk, fields), word(fields, "mgnMode", "")
    how, position_id = word(fields, "type", ""), word(fields, "posId", "")
    asked, limit = asked_by_time(fields), limit_of(fields, 100, 100)
    found: list[tuple[int, Answer]] = []
    with reading(desk) as store:
        for account in orders.accounts(desk, key):

            def wanted(row: Row, account: int = account) -> bool:
                own_mode = "isolated" if account != key.account else "cross"
                return (
                    (instruments is None or row.instrument in instruments)
                    and mode in {"", own_mode}
                    and how in {"", str(row.how)}
                    and position_id in {"", _position_id(row)}
                )

            rows = page(store, Kind.POSITION, [account], asked, limit, wanted)
            found += [(row.number, _position(desk, row, isolated=account != key.account)) for row in rows]
    found.sort(key=lambda one: one[0], reverse=True)
    return [said for _, said in found[:limit]]


def _position_id(row: Row) -> str:
    return str(10**18 + row.account * 10**6 + row.instrument)


def _position(desk: Desk, row: Row, *, isolated: bool) -> Answer:
    each = desk.recorder.instrument(row.instrument)
    money = {
        name: fee_of(desk, each, amount)
        for name, amount in (
            ("pnl", row.pnl),
            ("fee", -row.fee),
            ("fundingFee", row.funding),
            ("liqPenalty", -row.liquidation_fee),
        )
    }
    average = {
        name: text((each.tick_size * value / lots).quantize(each.tick_size)) if lots else ""
        for name, value, lots in (
            ("openAvgPx", row.opened_value, row.opened_lots),
            ("closeAvgPx", row.closed_value, row.closed_lots),
        )
    }
    return {
        "instType": TYPES[each.product],
        "instId": each.symbol,
        "mgnMode": "isolated" if isolated else "cross",
        "type": str(row.how),
        "cTime": ms(row.opened_ns),
        "uTime": ms(row.time_ns),
        **average,
        "posId": _position_id(row),
        "openMaxPos": size(each, each.lot_size * abs(row.most_lots)),
        "closeTotalPos": size(each, each.lot_size * row.closed_lots),
        "realizedPnl": text(sum(money.values())),
        **{name: text(amount) for name, amount in money.items()},
        "pnlRatio": "",
        "posSide": "net",
        "lever": "",
        "direction": "long" if row.most_lots >= 0 else "short",
        "triggerPx": "",
        "uly": underlying(each),
        "ccy": each.quote,
    }
