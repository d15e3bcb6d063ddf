"""The endpoints as steps: what both clients offer, written once."""

from __future__ import annotations

import decimal
import secrets
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from exchange_os.client.public import rows
from exchange_os.client.public.calls import Answer, Caller, Steps
from exchange_os.client.public.rows import (
    AccountFill,
    AccountPosition,
    AssetBalance,
    Candle,
    Market,
    MarketTrade,
    Moved,
    OrderState,
    Placed,
    Ticker,
    WithdrawalState,
)
from exchange_os.errors import ApiRefused, FloatRefused, Inexact, InvalidArgument, UnknownName
from exchange_os.exact import EXACT, Number
from exchange_os.results import Book

Side = Literal["buy", "sell"]
OrderType = Literal["limit", "market", "post_only", "ioc", "fok"]
Mode = Literal["cash", "cross", "isolated"]
PAGE = 100
_V5 = "/api/v5"
_DUPLICATE = "51016"
_GONE = frozenset({"51400", "51401", "51402", "51603"})
_CODE_OF_USED_ID = "51000"


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order to be placed. Without `price` it has to be a market order."""

    instrument: str
    side: Side
    qty: Number
    price: Number | None = None
    type: OrderType = "limit"
    mode: Mode | None = None
    reduce_only: bool = False
    client_id: str = ""
    tag: str = ""


def market_of(caller: Caller, instrument: str) -> Steps[Market]:
    """Terms of an instrument, asked for once."""
    if instrument not in caller.markets:
        yield from markets(caller)
    if instrument not in caller.markets:
        raise UnknownName(f"no instrument is named {instrument!r}")
    return caller.markets[instrument]


def markets(caller: Caller) -> Steps[list[Market]]:
    found = yield from caller.get(f"{_V5}/public/instruments", instType="ANY")
    caller.markets = {row["instId"]: rows.market(row) for row in found}
    return list(caller.markets.values())


def server_time_ms(caller: Caller) -> Steps[int]:
    found = yield from caller.get(f"{_V5}/public/time")
    return int(found[0]["ts"])


def ticker(caller: Caller, instrument: str) -> Steps[Ticker]:
    each = yield from market_of(caller, instrument)
    found = yield from caller.get(f"{_V5}/market/ticker", instId=instrument)
    return rows.ticker(found[0], each.contract)


def book(caller: Caller, instrument: str, depth: int) -> Steps[Book]:
    each = yield from market_of(caller, instrument)
    (row,) = yield from caller.get(f"{_V5}/market/books", instId=instrument, sz=depth)
    return rows.book(instrument, row["seqId"], row["bids"], row["asks"], each.contract)


def trades(caller: Caller, instrument: str, limit: int) -> Steps[list[MarketTrade]]:
    each = yield from market_of(caller, instrument)
    found = yield from caller.get(f"{_V5}/market/trades", instId=instrument, limit=limit)
    return [rows.market_trade(row, each.contract) for row in found]


def candles(caller: Caller, instrument: str, bar: str, after: int | None) -> Steps[list[Candle]]:
    """A page, newest first."""
    each = yield from market_of(caller, instrument)
    path = f"{_V5}/market/history-candles"
    found = yield from caller.get(path, instId=instrument, bar=bar, after=after, limit=PAGE)
    return [rows.candle(row, each.contract) for row in found]


def balances(caller: Caller) -> Steps[dict[str, AssetBalance]]:
    (whole,) = yield from caller.get(f"{_V5}/account/balance", private=True)
    found = (rows.balance(row) for row in whole["details"])
    return {each.asset: each for each in found}


def positions(caller: Caller) -> Steps[list[AccountPosition]]:
    found = yield from caller.get(f"{_V5}/account/positions", private=True)
    made = []
    for row in found:
        each = yield from market_of(caller, row["instId"])
        made.append(rows.position(row, each.contract))
    return made


def set_leverage(caller: Caller, instrument: str, leverage: int, mode: str) -> Steps[int]:
    content = {"instId": instrument, "lever": str(leverage), "mgnMode": mode}
    answer = yield from caller.post(f"{_V5}/account/set-leverage", content)
    return int(_rows(answer)[0]["lever"])


# --- orders ---


def place(caller: Caller, wanted: NewOrder) -> Steps[Placed]:
    """Sent again under its client id until it is known whether it was taken."""
    (done,) = yield from place_many(caller, [wanted])
    if isinstance(done, ApiRefused):
        raise done
    return done


def place_many(caller: Caller, wanted: Sequence[NewOrder]) -> Steps[list[Placed | ApiRefused]]:
    """Up to 20 at once, each for itself: for every one what was placed, or why not."""
    contents = []
    for order in wanted:
        each = yield from market_of(caller, order.instrument)
        contents.append(_content(order, each))
    answer = yield from caller.post(f"{_V5}/trade/batch-orders", contents)
    found = _rows(answer, of_rows=True)
    done: list[Placed | ApiRefused] = []
    for content, row in zip(contents, found, strict=True):
        refused = _refused(row)
        if refused is not None and refused.code == _DUPLICATE and answer.repeated:
            before = yield from order_of(caller, content["instId"], "", content["clOrdId"])
            done.append(Placed(before.order_id, before.client_id))
        else:
            done.append(refused or Placed(row["ordId"], row["clOrdId"]))
    return done


def _content(order: NewOrder, each: Market) -> dict[str, Any]:
    if (order.price is None) != (order.type == "market"):
        raise InvalidArgument(f"a {order.type} order {'needs' if order.price is None else 'has no'} price")
    mode = order.mode or ("cash" if each.product == "spot" else "cross")
    content = {
        "instId": order.instrument,
        "tdMode": mode,
        "side": order.side,
        "ordType": order.type,
        "sz": _size(order.qty, each),
        "clOrdId": order.client_id or new_client_id(),
        "reduceOnly": "true" if order.reduce_only else "",
        "tag": order.tag,
    }
    if order.price is not None:
        content["px"] = _plain(order.price)
    if order.type == "market" and each.product == "spot":
        content["tgtCcy"] = "base_ccy"
    return {name: value for name, value in content.items() if value}


def new_client_id() -> str:
    """32 letters and digits that nobody used before."""
    return secrets.token_hex(16)


def cancel(caller: Caller, instrument: str, order_id: str, client_id: str) -> Steps[bool]:
    """True if this took it out, or may have; False if it was over or is unknown."""
    content = {"instId": instrument, "ordId": order_id, "clOrdId": client_id}
    answer = yield from caller.post(f"{_V5}/trade/cancel-order", content)
    refused = _refused(_rows(answer, of_rows=True)[0])
    if refused is None or (answer.repeated and refused.code == "51401"):
        return True
    if refused.code in _GONE:
        return False
    raise refused


def cancel_all(caller: Caller, instrument: str) -> Steps[None]:
    """Takes out all orders on an instrument."""
    each = yield from market_of(caller, instrument)
    kind = next(kind for kind, product in rows.PRODUCTS.items() if product == each.product)
    answer = yield from caller.post(f"{_V5}/trade/mass-cancel", {"instType": kind, "instId": instrument})
    _rows(answer)


def amend(
    caller: Caller, instrument: str, order_id: str, client_id: str, price: Number | None, qty: Number | None
) -> Steps[Placed]:
    """Another price or total quantity. Sent again it means the same, and may stand already."""
    each = yield from market_of(caller, instrument)
    content = {"instId": instrument, "ordId": order_id, "clOrdId": client_id}
    content |= {} if price is None else {"newPx": _plain(price)}
    content |= {} if qty is None else {"newSz": _size(qty, each)}
    answer = yield from caller.post(f"{_V5}/trade/amend-order", content)
    row = _rows(answer, of_rows=True)[0]
    refused = _refused(row)
    if refused is not None and answer.repeated:
        stands = yield from order_of(caller, instrument, order_id, client_id)
        if (price is None or stands.price == Decimal(_plain(price))) and (
            qty is None or stands.qty == Decimal(_plain(qty))
        ):
            return Placed(stands.order_id, stands.client_id)
    if refused is not None:
        raise refused
    return Placed(row["ordId"], row["clOrdId"])


def order_of(caller: Caller, instrument: str, order_id: str, client_id: str) -> Steps[OrderState]:
    each = yield from market_of(caller, instrument)
    words = {"instId": instrument, "ordId": order_id, "clOrdId": client_id}
    (row,) = yield from caller.get(f"{_V5}/trade/order", private=True, **words)
    return rows.order(row, each.contract)


def open_orders(caller: Caller, instrument: str, after: str) -> Steps[list[OrderState]]:
    """A page, newest first."""
    path = f"{_V5}/trade/orders-pending"
    found = yield from caller.get(path, private=True, instId=instrument, after=after, limit=PAGE)
    return (yield from _orders(caller, found))


def past_orders(caller: Caller, instrument: str, after: str, begin_ms: int | None) -> Steps[list[OrderState]]:
    """A page, newest first, of orders that are over."""
    found = yield from caller.get(
        f"{_V5}/trade/orders-history",
        private=True,
        instType="ANY",
        instId=instrument,
        after=after,
        begin=begin_ms,
        limit=PAGE,
    )
    return (yield from _orders(caller, found))


def _orders(caller: Caller, found: list[Any]) -> Steps[list[OrderState]]:
    made = []
    for row in found:
        each = yield from market_of(caller, row["instId"])
        made.append(rows.order(row, each.contract))
    return made


def fills(
    caller: Caller, instrument: str, after: int | None, begin_ms: int | None
) -> Steps[list[AccountFill]]:
    """A page, newest first."""
    path = f"{_V5}/trade/fills-history"
    words = {"instId": instrument, "after": after, "begin": begin_ms, "limit": PAGE}
    found = yield from caller.get(path, private=True, **words)
    made = []
    for row in found:
        each = yield from market_of(caller, row["instId"])
        made.append(rows.fill(row, each.contract))
    return made


# --- the wallet ---


def funds(caller: Caller) -> Steps[dict[str, Decimal]]:
    """What is available in the funding account, by asset."""
    found = yield from caller.get(f"{_V5}/asset/balances", private=True)
    return {row["ccy"]: rows.exact(row, "availBal") for row in found}


def transfer(
    caller: Caller, asset: str, amount: Number, sender: str, receiver: str, client_id: str
) -> Steps[Moved]:
    """Between `trading` and `funding`."""
    places = {"funding": "6", "trading": "18"}
    if sender not in places or receiver not in places:
        raise InvalidArgument(f"from {sender!r} to {receiver!r}, expected funding and trading")
    client_id = client_id or new_client_id()
    content = {"ccy": asset, "amt": _plain(amount), "from": places[sender], "to": places[receiver]}
    answer = yield from caller.post(f"{_V5}/asset/transfer", content | {"clientId": client_id})
    if answer.repeated and answer.code == _CODE_OF_USED_ID:
        found = yield from caller.get(f"{_V5}/asset/transfer-state", private=True, clientId=client_id)
        if found[0]["state"] == "success":
            return Moved(found[0]["transId"], asset, rows.exact(found[0], "amt"), client_id)
    row = _rows(answer)[0]
    return Moved(row["transId"], row["ccy"], rows.exact(row, "amt"), client_id)


def withdraw(caller: Caller, asset: str, amount: Number, address: str, client_id: str) -> Steps[Moved]:
    """From the funding account to an address of the account's list."""
    client_id = client_id or new_client_id()
    content = {"ccy": asset, "amt": _plain(amount), "dest": "4", "toAddr": address, "clientId": client_id}
    answer = yield from caller.post(f"{_V5}/asset/withdrawal", content)
    if answer.repeated and answer.code == _CODE_OF_USED_ID:
        path = f"{_V5}/asset/withdrawal-history"
        for row in (yield from caller.get(path, private=True, clientId=client_id)):
            return Moved(row["wdId"], row["ccy"], rows.exact(row, "amt"), client_id)
    row = _rows(answer)[0]
    return Moved(row["wdId"], row["ccy"], rows.exact(row, "amt"), client_id)


def withdrawals(caller: Caller, after: int | None) -> Steps[list[WithdrawalState]]:
    """A page, newest first."""
    path = f"{_V5}/asset/withdrawal-history"
    found = yield from caller.get(path, private=True, after=after, limit=PAGE)
    return [rows.withdrawal(row) for row in found]


def cancel_withdrawal(caller: Caller, number: str) -> Steps[bool]:
    """False if it no longer waits."""
    answer = yield from caller.post(f"{_V5}/asset/cancel-withdrawal", {"wdId": number})
    if answer.code == "58220" and answer.repeated:
        return True
    if answer.code in {"58216", "58220"}:
        return False
    _rows(answer)
    return True


# --- inside ---


def _rows(answer: Answer, *, of_rows: bool = False) -> list[Any]:
    """The rows; `of_rows`: each tells its own refusal."""
    if answer.code == "0" or (of_rows and answer.data and answer.code in {"1", "2"}):
        return answer.data
    raise ApiRefused(answer.message, answer.code, answer.status)


def _refused(row: rows.Row) -> ApiRefused | None:
    return None if row["sCode"] == "0" else ApiRefused(row["sMsg"], row["sCode"], 200)


def _plain(value: Number) -> str:
    if isinstance(value, float):
        raise FloatRefused(f"{value!r} is a float; give a Decimal, an int or a text")
    return f"{Decimal(value):f}"


def _size(qty: Number, each: Market) -> str:
    """Whole units as a size of OKX; what is no whole number of contracts the server refuses."""
    try:
        return f"{EXACT.divide(Decimal(_plain(qty)), each.contract).normalize():f}"
    except decimal.Inexact:
        raise Inexact(f"{qty} is no whole number of contracts of {each.contract}") from None
