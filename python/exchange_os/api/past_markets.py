"""Trades, funding and liquidations of an instrument, out of history; and the paths of everything that was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from exchange_os._core import EventKind, Side
from exchange_os.api import past_candles, past_fills, past_orders, past_positions, perpetual, reference
from exchange_os.api.codes import Row as Answer
from exchange_os.api.desk import TYPES, Desk, underlying
from exchange_os.api.keys import Key
from exchange_os.api.numbers import choice, limit_of, ms, size, text, trade_text
from exchange_os.api.past_pages import NUMBER_MAX, Fields, asked_by_time, number_of, page, reading
from exchange_os.history import Asked, Kind, Row
from exchange_os.results import Instrument

_RATE = 12
"""Rates are whole numbers of 1e-12."""
_FORCED = (EventKind.LIQUIDATION_ORDER, EventKind.TRANCHE_TOOK_OVER, EventKind.BANKRUPTCY_CLOSED)


def history_trades(desk: Desk, fields: Fields) -> list[Answer]:
    """Trades newest first: `after` and `before` are trade ids (type 1) or milliseconds (type 2)."""
    if desk.history is None:
        return reference.history_trades(desk, fields)
    each, limit = desk.instrument(fields), limit_of(fields, 100, 100)
    low, high = -1, NUMBER_MAX
    if choice(fields, "type", ("1", "2"), "1") == "2":
        asked = asked_by_time(fields)
    else:
        first = int(trade_text(0))
        after, before = number_of(fields, "after"), number_of(fields, "before")
        high = NUMBER_MAX if after is None else max(0, min(int(after) - first, NUMBER_MAX))
        low = -1 if before is None else max(-1, min(int(before) - first, NUMBER_MAX))
        asked = Asked(id_after=high, id_before=low)
    with reading(desk) as store:
        rows = page(store, Kind.TRADE, [each.number], asked, limit, lambda row: low < row.trade_id < high)
    return [_trade_row(each, row) for row in rows]


def _trade_row(each: Instrument, row: Row) -> Answer:
    return {
        "instId": each.symbol,
        "tradeId": trade_text(row.trade_id),
        "px": text(each.tick_size * row.price),
        "sz": size(each, each.lot_size * row.qty),
        "side": Side(row.side).name.lower(),
        "source": "0",
        "ts": ms(row.time_ns),
    }


def funding_history(desk: Desk, fields: Fields) -> list[Answer]:
    """Rates of the intervals that are over, newest first; `after` and `before` are milliseconds."""
    if desk.history is None:
        return perpetual.funding_history(desk, fields)
    each, limit = desk.instrument(fields), limit_of(fields, 400, 400)
    with reading(desk) as store:
        rows = page(store, Kind.FUNDING, [each.number], asked_by_time(fields), limit, lambda _: True)
    answer = []
    for row in rows:
        rate = text(Decimal(row.rate).scaleb(-_RATE))
        said = {"instType": "SWAP", "instId": each.symbol, "formulaType": "", "fundingRate": rate}
        answer.append(
            {**said, "realizedRate": rate, "fundingTime": ms(row.time_ns), "method": "current_period"}
        )
    return answer


def liquidation_orders(desk: Desk, fields: Fields) -> list[Answer]:
    """What was closed against the will of its owners, one group for each instrument."""
    choice(fields, "instType", ("MARGIN", "SWAP", "FUTURES", "OPTION"))
    limit, asked = limit_of(fields, 100, 100), asked_by_time(fields)
    groups = []
    with reading(desk) as store:
        for each in desk.instruments(fields):
            if each.product != "perpetual":
                continue
            rows = page(
                store, Kind.LIQUIDATION, [each.number], asked, limit, lambda row: row.event in _FORCED
            )
            if rows:
                groups.append(_group(each, rows))
    return groups


def _group(each: Instrument, rows: list[Row]) -> Answer:
    details = [
        {
            "side": Side(row.side).name.lower(),
            "posSide": "net",
            "bkPx": text(each.tick_size * row.price),
            "sz": size(each, each.lot_size * row.qty),
            "bkLoss": "",
            "ccy": "",
            "ts": ms(row.time_ns),
            "time": ms(row.time_ns),
        }
        for row in rows
    ]
    family = underlying(each)
    said = {"instType": TYPES[each.product], "instId": each.symbol, "instFamily": family, "uly": family}
    return {**said, "totalLoss": "", "details": details}


PUBLIC: dict[str, tuple[Callable[[Desk, Fields], list[Any]], int]] = {
    "market/candles": (past_candles.candles, 40),
    "market/history-candles": (past_candles.candles, 20),
    "market/mark-price-candles": (past_candles.mark_candles, 20),
    "market/history-mark-price-candles": (past_candles.mark_candles, 10),
    "market/index-candles": (past_candles.index_candles, 20),
    "market/history-index-candles": (past_candles.index_candles, 10),
    "market/history-trades": (history_trades, 10),
    "public/funding-rate-history": (funding_history, 10),
    "public/liquidation-orders": (liquidation_orders, 40),
}
"""Path: what answers, and how many in two seconds from one address."""
PRIVATE: dict[str, tuple[Callable[[Desk, Key, Mapping[str, Any]], list[Answer]], int]] = {
    "trade/orders-history": (past_orders.history, 40),
    "trade/orders-history-archive": (past_orders.history, 20),
    "trade/fills": (past_fills.fills, 60),
    "trade/fills-history": (past_fills.fills, 10),
    "account/bills": (past_fills.bills, 10),
    "account/bills-archive": (past_fills.bills, 10),
    "account/positions-history": (past_positions.positions, 10),
}
"""Path: what answers, and how many in two seconds of one account. All need the scope read."""
