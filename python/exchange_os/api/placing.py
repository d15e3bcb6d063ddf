"""Orders placed, amended and cancelled: a request becomes a record, its outcome a row.

Over HTTP and WebSocket, alone and in batches, all go through `batch`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from exchange_os._core import CommandKind, EventKind, Flags, Reject, SelfTrade, Tif
from exchange_os.api.codes import BATCH_MAX, REJECTS, Refused, Row, code_of
from exchange_os.api.desk import Desk
from exchange_os.api.intake import (
    AMOUNT,
    COMMAND,
    COUNTER_AMOUNT,
    FLAGS,
    KIND,
    ORDER,
    REASON,
    EventRow,
    Note,
)
from exchange_os.api.keys import Key, now_ms
from exchange_os.api.numbers import choice, contract, decimal_of, order_text, word
from exchange_os.api.orders import account_of, client_id_of, find, named, swept
from exchange_os.api.recorder import Past
from exchange_os.errors import Error, OutOfRange
from exchange_os.rejects import sentence
from exchange_os.results import Instrument

Fields = Mapping[str, Any]
Answer = Callable[[EventRow], Row]
Prepared = tuple[bytes, Note | None, Answer]
"""The record, what no event carries, and the row that an outcome becomes."""
Prepare = Callable[[Desk, Key, Fields], Prepared]

_TYPES = ("limit", "market", "post_only", "fok", "ioc", "optimal_limit_ioc")
_SELF_TRADES = ("cancel_maker", "cancel_taker", "cancel_both")
_SELF_TRADE = {name: int(SelfTrade[name.upper()]) for name in _SELF_TRADES}
_SIDES = ("buy", "sell")
_MODES = ("cash", "cross", "isolated")
_TIFS = {
    "limit": int(Tif.GTC),
    "post_only": int(Tif.GTC),
    "fok": int(Tif.FOK),
    "ioc": int(Tif.IOC),
    "market": int(Tif.IOC),
    "optimal_limit_ioc": int(Tif.IOC),
}
_POST_ONLY, _REDUCE_ONLY, _MARKET = int(Flags.POST_ONLY), int(Flags.REDUCE_ONLY), int(Flags.MARKET)
_PLACE, _AMEND, _CANCEL = int(CommandKind.PLACE), int(CommandKind.AMEND), int(CommandKind.CANCEL)
_REJECTED, _RETRY = int(EventKind.REJECTED), 0x80
_UNKNOWN = int(Reject.UNKNOWN_ORDER)
_INT64 = 2**63
_IDS = ("ordId", "clOrdId", "tag")


def place(desk: Desk, key: Key, fields: Fields) -> Prepared:
    """One order."""
    each = named(desk, fields)
    side, kind = choice(fields, "side", _SIDES), choice(fields, "ordType", _TYPES)
    spot = each.product == "spot"
    mode = choice(fields, "tdMode", _MODES, "cash" if spot else "cross")
    if choice(fields, "posSide", ("net", "long", "short"), "net") != "net":
        raise Refused("51000", "Parameter posSide error: positions are in net mode, expected net or nothing.")
    if each.product == "perpetual" and mode == "cash":
        raise Refused("51000", "Parameter tdMode error: a perpetual is traded cross or isolated.")
    account = account_of(desk, key, each, mode)
    client_id = client_id_of(fields, "clOrdId")
    flags = 0 if spot or word(fields, "reduceOnly", "false") != "true" else _REDUCE_ONLY
    terms = desk.exchange._directory.markets[each.number]
    if kind in {"market", "optimal_limit_ioc"}:
        price, qty = swept(desk, each, side, fields)
        ticks, lots, flags = terms.price.count(price), terms.qty.count(qty), flags | _MARKET
    else:
        ticks, lots = ticks_of(desk, each, fields, "px"), lots_of(desk, each, fields, "sz")
        flags |= _POST_ONLY if kind == "post_only" else 0
    _check_width(ticks, lots)
    mode_of_self_trade = _SELF_TRADE[choice(fields, "stpMode", _SELF_TRADES, "cancel_maker")]
    words = _SIDES.index(side), _TIFS[kind], flags, mode_of_self_trade, 0, account, each.number
    record = COMMAND.pack(_PLACE, *words, 0, ticks, lots, 0, 0, 0, client_id.encode())
    tag = word(fields, "tag", "")[:16]

    def answer(row: EventRow) -> Row:
        if row[KIND] == _REJECTED:
            raise refusal(row)
        number = order_text(row[ORDER])
        if row[FLAGS] & _RETRY:
            raise Refused("51016", f"Duplicated clOrdId: {client_id} was order {number}.")
        said = {"ordId": number, "clOrdId": client_id, "tag": tag, "ts": str(now_ms())}
        return {**said, "sCode": "0", "sMsg": "Order placed", "subCode": ""}

    return record, (kind, mode, tag), answer


def cancel(desk: Desk, key: Key, fields: Fields) -> Prepared:
    """Takes out an order that is named by ordId or clOrdId."""
    found, each = find(desk, key, fields), named(desk, fields)
    unknown = "51400" if each.product == "spot" else "51603"
    if found is None or found.instrument.symbol != each.symbol:
        raise Refused(unknown, "Cancellation failed: the order does not exist, or not on this instrument.")
    _refuse_ended(found, unknown)
    record = COMMAND.pack(_CANCEL, 0, 0, 0, 0, 0, found.account, 0, found.order_id, 0, 0, 0, 0, 0, b"")

    def answer(row: EventRow) -> Row:
        if row[KIND] == _REJECTED:
            if row[REASON] == _UNKNOWN:
                _refuse_ended(desk.recorder.orders.get(found.order_id), unknown)
                raise Refused(unknown, refusal(row).message)
            raise refusal(row)
        said = {"ordId": order_text(found.order_id), "clOrdId": found.client_id, "ts": str(now_ms())}
        return {**said, "tag": found.tag, "sCode": "0", "sMsg": ""}

    return record, None, answer


def amend(desk: Desk, key: Key, fields: Fields) -> Prepared:
    """Another price or total size of a resting order."""
    found, each = find(desk, key, fields), named(desk, fields)
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
    ticks = ticks_of(desk, each, fields, "newPx") if price else 0
    lots = lots_of(desk, each, fields, "newSz") if qty else 0
    if (price and not ticks) or (qty and not lots):
        raise Refused("51000", "Parameter newPx or newSz error: 0, expected a number above it.")
    _check_width(ticks, lots)
    flags = _POST_ONLY if found.order_type == "post_only" else 0
    words = 0, 0, flags, 0, 0, found.account, each.number
    record = COMMAND.pack(_AMEND, *words, found.order_id, ticks, lots, 0, 0, 0, b"")

    def answer(row: EventRow) -> Row:
        if row[KIND] == _REJECTED:
            refused = refusal(row)
            if row[REASON] == Reject.POST_ONLY_WOULD_CROSS:
                raise Refused("51511", refused.message)
            if row[REASON] == _UNKNOWN:
                raise Refused("51503", refused.message)
            raise refused
        said = {"ordId": order_text(found.order_id), "clOrdId": found.client_id, "ts": str(now_ms())}
        return {**said, "reqId": word(fields, "reqId", ""), "sCode": "0", "sMsg": ""}

    return record, None, answer


async def batch(prepare: Prepare, desk: Desk, key: Key, given: Sequence[Fields]) -> tuple[str, list[Row]]:
    """Each for itself; code 0 if all went well, 1 if none did, 2 otherwise, and a row for each."""
    if not given:
        raise Refused("50014", "Parameter args can not be empty.")
    if len(given) > BATCH_MAX:
        raise Refused("51111", f"A batch of {len(given)} orders; the most is {BATCH_MAX}.")
    rows: list[Row | None] = [None] * len(given)
    ready: list[tuple[int, Prepared]] = []
    ids: set[bytes] = set()
    for place_of, fields in enumerate(given):
        try:
            desk.limits.check(key, prepare.__name__, fields)
            prepared = prepare(desk, key, fields)
            own = prepared[0][64:]
            if own.strip(b"\0") and own in ids:
                raise Refused("51016", "Duplicated clOrdId: it is in the same batch twice.")
            ids.add(own)
            ready.append((place_of, prepared))
        except (Refused, Error) as error:
            rows[place_of] = _failed(fields, error)
    if ready:
        named_by = () if key.loss_max is None else (key.name,)
        found = await desk.intake.send(
            [record for _, (record, _, _) in ready],
            [note and (*note, *named_by) for _, (_, note, _) in ready],
        )
        for (place_of, (_, _, answer)), row in zip(ready, found, strict=True):
            try:
                if row is None:
                    raise Refused("50026", "System error: the order has no outcome.")
                if isinstance(row, Error):
                    raise row
                rows[place_of] = answer(row)
            except (Refused, Error) as refused:
                rows[place_of] = _failed(given[place_of], refused)
    done = [row for row in rows if row is not None]
    wrong = sum(row["sCode"] != "0" for row in done)
    return ("0" if not wrong else "1" if wrong == len(done) else "2"), done


def refusal(row: EventRow) -> Refused:
    """What a rejection says, with the engine's own sentence."""
    value, limit = (row[at] + (row[at + 1] << 64) for at in (AMOUNT, COUNTER_AMOUNT))
    return Refused(REJECTS.get(row[REASON], "51000"), sentence(row[REASON], value, limit))


def ticks_of(desk: Desk, each: Instrument, fields: Fields, name: str) -> int:
    """A price, exact or refused."""
    given = word(fields, name)
    decimal_of(name, given)
    return desk.exchange._directory.markets[each.number].price.count(given)


def lots_of(desk: Desk, each: Instrument, fields: Fields, name: str) -> int:
    """A size: lots of a perpetual are its contracts."""
    given = word(fields, name)
    size = decimal_of(name, given)
    qty = desk.exchange._directory.markets[each.number].qty
    return qty.count(size * contract(each)) if each.product == "perpetual" else qty.count(given)


def _check_width(*counts: int) -> None:
    for count in counts:
        if not -_INT64 <= count < _INT64:
            raise OutOfRange(f"a price or size has the count {count}, far beyond every limit")


def _refuse_ended(found: Past | None, unknown: str) -> None:
    if found is not None and found.state == "canceled":
        raise Refused("51401", "Cancellation failed as the order has been canceled.")
    if found is not None and found.state == "filled":
        code = "51402" if unknown == "51603" else "51400"
        raise Refused(code, "Cancellation failed as the order is completed.")


def _failed(fields: Fields, error: Refused | Error) -> Row:
    code, message = (error.code, error.message) if isinstance(error, Refused) else code_of(error)
    ids = {name: value if isinstance(value := fields.get(name), str) else "" for name in _IDS}
    return {**ids, "ts": str(now_ms()), "sCode": code, "sMsg": message, "subCode": ""}
