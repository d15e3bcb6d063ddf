"""Fills out of history, as clients ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from exchange_os._core import Side
from exchange_os.api.codes import Refused
from exchange_os.api.desk import TYPES, Desk
from exchange_os.api.numbers import decimal_of, limit_of, order_number, trade_text, word
from exchange_os.api.recorder import Fill
from exchange_os.history import FillRow, History, HistoryUnavailable
from exchange_os.history.store import Asked

_NS = 1_000_000
_INT64_MAX = 2**63 - 1
_FIRST = int(trade_text(0))


def past_fills(desk: Desk, history: History, own: list[int], fields: Mapping[str, Any]) -> list[Fill]:
    """Newest first; `Refused` (50001) while history does not know everything."""
    kind, name, number = (word(fields, each, "") for each in ("instType", "instId", "ordId"))
    given = ("after", "before", "begin", "end")
    after, before, begin, end = (decimal_of(each, word(fields, each, "-1")) for each in given)
    instruments = None
    if kind or name:
        instruments = frozenset(
            each.number
            for each in desk.exchange.instruments()
            if kind in {"", TYPES[each.product]} and name in {"", each.symbol}
        )
    asked = Asked(
        after_id=None if after < 0 else _id(after),
        before_id=_id(before),
        begin_ns=_ns(begin),
        end_ns=None if end < 0 else _ns(end) + _NS - 1,
        instruments=instruments,
        order_id=order_number(number) if number else None,
    )
    try:
        found = history.fills(own, asked, limit_of(fields, 100, 100))
    except HistoryUnavailable as error:
        raise Refused("50001", f"Service temporarily unavailable: {error}", 503) from error
    return [_fill(desk, each) for each in found]


def _id(bill: Decimal) -> int:
    """The trade of a bill, held between nothing and what there can be."""
    return max(0, min(int(bill) - _FIRST, _INT64_MAX >> 2))


def _ns(moment: Decimal) -> int:
    return max(0, min(int(moment), _INT64_MAX // _NS - 1)) * _NS


def _fill(desk: Desk, row: FillRow) -> Fill:
    instrument = desk.recorder.instrument(row.instrument)
    return Fill(
        trade_id=row.trade_id,
        order_id=row.order_id,
        account=row.account,
        instrument=instrument,
        client_id=row.client_id.decode("latin-1"),
        side=Side(row.side).name.lower(),
        price=instrument.tick_size * row.price,
        qty=instrument.lot_size * row.qty,
        fee=desk.exchange._directory.asset(instrument.quote).amount.value(row.fee),
        maker=row.maker,
        time_ns=row.time_ns,
    )
