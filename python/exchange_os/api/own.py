"""Private endpoints that the interface of OKX has beside balance and positions: sizes, risk, greeks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from exchange_os._core import Reject
from exchange_os.api.codes import Row
from exchange_os.api.desk import TYPES, Desk
from exchange_os.api.keys import Key, now_ms
from exchange_os.api.numbers import blank, choice, decimal_of, size, text, word
from exchange_os.api.orders import accounts
from exchange_os.results import Instrument

Fields = Mapping[str, Any]

_TOO_SMALL = (None, Reject.QTY_BELOW_MIN, Reject.NOTIONAL_BELOW_MIN)


def max_size(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """The largest order that the engine would take now on each side, found by asking it.

    At `px`, or at the best opposite price; a side without either has none. It is asked by halving, each time
    whether an order of that size would be refused.
    """
    choice(fields, "tdMode", ("cash", "cross"), "cross")
    rows = []
    for name in word(fields, "instId").split(","):
        each = desk.exchange.instrument(name)
        book, given = desk.exchange.book(each.symbol, 1), word(fields, "px", "")
        sizes = {}
        for side, levels in (("buy", book.asks), ("sell", book.bids)):
            price = decimal_of("px", given) if given else levels[0].price if levels else None
            found = Decimal(0) if price is None else _largest(desk, key.account, each, side, price)
            sizes[side] = size(each, found)
        row = {"ccy": each.quote, "instId": each.symbol}
        rows.append({**row, "maxBuy": sizes["buy"], "maxSell": sizes["sell"]})
    return rows


def _largest(desk: Desk, account: int, each: Instrument, side: str, price: Decimal) -> Decimal:
    """By halving, between nothing and the most that an order may have; 0 if that is less than the least."""

    def refused(lots: int) -> Reject | None:
        qty = each.lot_size * lots
        seen = desk.exchange.preview(account, each.symbol, side, price, qty)  # type: ignore[arg-type]
        return None if seen.rejection is None else seen.rejection.reject

    low, high = 0, desk.terms(each)["qty_max_lots"] + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if refused(middle) in _TOO_SMALL else (low, middle)
    return each.lot_size * (low if low and refused(low) is None else 0)


def position_risk(desk: Desk, key: Key, _fields: Fields) -> list[Row]:
    """Equity and what is held, in one picture of one moment."""
    risk, moment = desk.exchange.risk(key.account), str(now_ms())
    balances = [
        {"ccy": each.asset, "eq": text(each.total), "disEq": ""}
        for each in desk.exchange.balances(key.account)
    ]
    held = []
    for account in accounts(desk, key):
        for each in desk.exchange.positions(account):
            instrument = desk.exchange.instrument(each.instrument)
            if not each.qty or instrument.product == "spot":
                continue
            mark = instrument.mark_price
            held.append(
                {
                    **blank("baseBal quoteBal notionalCcy"),
                    "instType": TYPES[instrument.product],
                    "instId": each.instrument,
                    "mgnMode": "cross" if account == key.account else "isolated",
                    "posId": str(10**18 + each.account * 10**6 + instrument.number),
                    "posSide": "net",
                    "pos": size(instrument, each.qty),
                    "posCcy": "",
                    "ccy": instrument.quote,
                    "notionalUsd": "" if mark is None else text(abs(each.qty) * mark),
                }
            )
    return [{"ts": moment, "adjEq": text(risk.equity), "balData": balances, "posData": held}]


def risk_state(desk: Desk, key: Key, _fields: Fields) -> list[Row]:
    """Whether an account is in liquidation."""
    own = set(accounts(desk, key))
    at_risk = any(each.account in own for each in desk.exchange.liquidations())
    empty: Row = {"atRiskIdx": [], "atRiskMgn": []}
    return [{"atRisk": at_risk, **empty, "ts": str(now_ms())}]


def nothing(_desk: Desk, _key: Key, _fields: Fields) -> list[Row]:
    """There are no options, and nobody borrows for interest."""
    return []


ENDPOINTS: dict[str, tuple[Callable[[Desk, Key, Fields], list[Row]], int]] = {
    "account/max-size": (max_size, 20),
    "account/account-position-risk": (position_risk, 10),
    "account/risk-state": (risk_state, 10),
    "account/greeks": (nothing, 10),
    "account/interest-accrued": (nothing, 5),
}
"""Path: what answers, and how many in two seconds of one account. All need the scope read."""
