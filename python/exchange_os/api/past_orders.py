"""Orders that are over, out of history."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice

from exchange_os._core import CancelReason, Flags, Side, Tif
from exchange_os.api import orders
from exchange_os.api.codes import Refused
from exchange_os.api.codes import Row as Answer
from exchange_os.api.desk import Desk
from exchange_os.api.keys import Key
from exchange_os.api.numbers import limit_of, order_number, text, word
from exchange_os.api.past_pages import (
    NUMBER_MAX,
    Fields,
    fee_of,
    instruments_of,
    mode_of,
    reading,
    times_of,
)
from exchange_os.api.recorder import Fill, Past
from exchange_os.history import Asked, Kind, Row, Store

_PLACED = 2**52 - 1
"""The bits of an id that are the sequence of a command; exits of a bracket have one more."""
_LOOKED_AT_MAX = 2_000


class Ended(Past):
    """An order that is over, with what only history knows of it."""

    pnl: Decimal | None = None
    reason: str = ""
    """Why it was cancelled, in a word."""


def history(desk: Desk, key: Key, fields: Fields) -> list[Answer]:
    """Orders that are over, the one placed last first; `begin` and `end` are about their end."""
    kind = word(fields, "instType")
    if desk.history is None:
        return orders.history(desk, key, fields)
    instruments = instruments_of(desk, {**fields, "instType": "ANY" if kind == "ANY" else kind})
    state, style = word(fields, "state", ""), word(fields, "ordType", "")
    after, before = (word(fields, each, "") for each in ("after", "before"))
    newest = _place(order_number(after)) if after else NUMBER_MAX
    oldest = _place(order_number(before)) if before else -1
    limit = limit_of(fields, 100, 100)

    def wanted(past: Ended) -> bool:
        return (
            oldest < _place(past.order_id) < newest
            and (instruments is None or past.instrument.number in instruments)
            and state in {"", past.state}
            and style in {"", past.order_type}
        )

    # A chunk has the sequences of the commands alone.
    asked = Asked(id_after=newest // 2 + 1, id_before=oldest // 2 - 1, **times_of(fields))
    found: list[Ended] = []
    with reading(desk) as store:
        for account in orders.accounts(desk, key):
            found += _placed_last(desk, store, account, asked, limit, wanted, isolated=account != key.account)
    found.sort(key=lambda past: _place(past.order_id), reverse=True)
    return [row_of(past) for past in found[:limit]]


def _place(order_id: int) -> int:
    """Where an order stands: by the command that placed it, the exits of a bracket behind their entry."""
    return (order_id & _PLACED) * 2 + (order_id > _PLACED)


def _placed_last(
    desk: Desk,
    store: Store,
    account: int,
    asked: Asked,
    limit: int,
    wanted: Callable[[Ended], bool],
    *,
    isolated: bool,
) -> list[Ended]:
    """Rows come by the end of the orders. Whatever comes later ended earlier still, and so was placed before
    that: once enough are newer, nothing that is left belongs to the page."""
    kept: list[tuple[int, int, Ended]] = []
    for row in store.rows(Kind.ORDER, account, asked):
        if len(kept) == limit and kept[0][0] // 2 > row.sequence:
            break
        past = past_of(desk, row, isolated=isolated)
        if wanted(past):
            heapq.heappush(kept, (_place(row.order_id), row.number, past))
            if len(kept) > limit:
                heapq.heappop(kept)
    return [past for _, _, past in kept]


def order(desk: Desk, key: Key, fields: Fields) -> list[Answer]:
    """One order that is over."""
    number, client_id = word(fields, "ordId", ""), orders.client_id_of(fields, "clOrdId")
    own = orders.accounts(desk, key)
    if number:
        found = find(desk, key, own, order_id=order_number(number))
    else:
        found = find(desk, key, own, client_id=client_id)
    if found is None or found.instrument.symbol != word(fields, "instId"):
        raise Refused("51603", "Order does not exist.")
    return [row_of(found)]


def find(
    desk: Desk, key: Key, own: list[int], *, order_id: int | None = None, client_id: str = ""
) -> Ended | None:
    """An order that is over, by its id, or by its client id among the newest of the account."""
    if desk.history is None:
        return None
    asked = Asked()
    if order_id is not None:
        placed = order_id & _PLACED
        asked = Asked(id_after=placed + 1, id_before=placed - 1)
    with reading(desk) as store:
        for account in own:
            rows: Iterator[Row] = store.rows(Kind.ORDER, account, asked)
            for row in islice(rows, _LOOKED_AT_MAX):
                if row.order_id == order_id or (client_id and row.text == client_id.encode()):
                    return past_of(desk, row, isolated=account != key.account)
    return None


def past_of(desk: Desk, row: Row, *, isolated: bool) -> Ended:
    """The order in a row. What only this process was told of it, a tag and the exact type, it adds."""
    each = desk.recorder.instrument(row.instrument)
    known = desk.recorder.orders.get(row.order_id)
    past = Ended(
        order_id=row.order_id,
        account=row.account,
        instrument=each,
        side=Side(row.side).name.lower(),
        price_ticks=row.price,
        qty_lots=row.qty,
        client_id=row.text.decode("latin-1"),
        order_type=known.order_type if known else _type_of(row),
        reduce_only=bool(row.flags & Flags.REDUCE_ONLY),
        mode=mode_of(each, isolated=isolated),
        tag=known.tag if known else "",
        created_ns=row.created_ns,
        updated_ns=row.time_ns,
        state="canceled" if row.reason else "filled",
        filled_lots=row.filled,
        value_steps=row.value,
        fee_atoms=row.fee,
        cancel_source=_cancel_source(row.reason),
        atom=desk.recorder.atom(each.quote),
    )
    if row.last_trade_id:
        past.last = Fill(
            trade_id=row.last_trade_id,
            order_id=row.order_id,
            account=row.account,
            instrument=each,
            client_id=past.client_id,
            side=past.side,
            price=each.tick_size * row.last_price,
            qty=each.lot_size * row.last_qty,
            fee=fee_of(desk, each, 0),
            maker=False,
            time_ns=row.last_ns,
        )
    past.pnl = None if each.product == "spot" else fee_of(desk, each, row.pnl)
    past.reason = CancelReason(row.reason).name.lower() if row.reason else ""
    return past


def row_of(past: Ended) -> Answer:
    """All keys of an order that is over."""
    said = orders.order_row(past)
    return said | {"pnl": text(past.pnl) if past.pnl is not None else "", "cancelSourceReason": past.reason}


def _type_of(row: Row) -> str:
    if row.flags & Flags.MARKET:
        return "market"
    if row.flags & Flags.POST_ONLY:
        return "post_only"
    return {Tif.IOC: "ioc", Tif.FOK: "fok"}.get(Tif(row.tif), "limit")


def _cancel_source(reason: int) -> str:
    return "" if not reason else "1" if reason == CancelReason.REQUESTED else "0"
