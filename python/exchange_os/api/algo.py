"""Algo orders: the engine's orders that wait for a price are `conditional`, `oco` and `trigger` here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from exchange_os._core import EventFlags, EventKind, Flags, Reject, Side
from exchange_os.api.codes import BATCH_MAX, Refused, Row, code_of
from exchange_os.api.desk import TYPES, Desk
from exchange_os.api.intake import (
    ACCOUNT,
    AMOUNT,
    COUNTER_AMOUNT,
    DETAIL,
    FLAGS,
    INSTRUMENT,
    KIND,
    ORDER,
    PRICE,
    QTY,
    REMAINING,
    SEQUENCE,
    SIDE,
    TIME,
    EventRow,
    Note,
)
from exchange_os.api.keys import Key
from exchange_os.api.numbers import blank, choice, contract, decimal_of, limit_of, ms, size, text, word
from exchange_os.api.numbers import order_number as number_of
from exchange_os.api.numbers import order_text as id_of
from exchange_os.api.orders import account_of, accounts, client_id_of, named
from exchange_os.errors import Error, Rejected
from exchange_os.results import Instrument
from exchange_os.triggers import Waiting

Fields = Mapping[str, Any]

KEPT_MAX = 100_000
_KINDS = ("conditional", "oco", "trigger")
_SOURCES = ("last", "mark", "index")
_MARKET_PRICE = "-1"
_ACCEPTED, _FIRED = int(EventKind.TRIGGER_ACCEPTED), int(EventKind.TRIGGER_FIRED)
_AMENDED, _CANCELLED = int(EventKind.TRIGGER_AMENDED), int(EventKind.TRIGGER_CANCELLED)
_REJECTED, _RETRY = int(EventKind.REJECTED), int(EventFlags.RETRY)
_EMPTY = (
    "clOrdId ordId closeFraction lever ccy tgtCcy triggerPx triggerPxType ordPx slTriggerPx slTriggerPxType "
    "slOrdPx tpTriggerPx tpTriggerPxType tpOrdPx callbackRatio callbackSpread activePx moveTriggerPx "
    "actualPx actualSz actualSide notionalUsd triggerTime failCode last quickMgnType pxVar pxSpread szLimit "
    "pxLimit timeInterval isTradeBorrowMode amendPxOnTriggerType"
)


class Algo(msgspec.Struct):
    """An order that waits, or waited. Prices are ticks, 0: none; `said` is what its request said of it."""

    order_id: int
    account: int
    instrument: Instrument
    side: str
    lots: int
    above: int
    below: int
    limit_above: int
    limit_below: int
    reduce_only: bool
    client_id: str
    created_ns: int
    updated_ns: int
    state: str = "live"
    fired_at: int = 0
    fired_lots: int = 0
    fired_ns: int = 0
    fired_by: int = 0
    """Sequence of the command with which it fired."""
    said: dict[str, str] = {}


class Algos:
    """Fed by events; the oldest are forgotten first."""

    def __init__(self, desk: Desk) -> None:
        self.known: OrderedDict[int, Algo] = OrderedDict()
        self._desk = desk
        self.hearers: list[Callable[[Algo], None]] = []
        """Told of every one that has come or changed."""
        desk.hearers.append(self.hear)

    def hear(self, rows: Sequence[EventRow], _notes: Mapping[int, Note]) -> None:
        for row in rows:
            kind = row[KIND]
            if kind == _ACCEPTED and not row[FLAGS] & _RETRY:
                self._accept(row)
            elif kind in {_FIRED, _AMENDED, _CANCELLED, _REJECTED}:
                found = self.known.get(row[ORDER])
                if found is not None and (kind != _REJECTED or found.fired_by == row[SEQUENCE]):
                    self._change(found, row)

    def _accept(self, row: EventRow) -> None:
        found = Algo(
            order_id=row[ORDER],
            account=row[ACCOUNT],
            instrument=self._desk.recorder.instrument(row[INSTRUMENT]),
            side="sell" if row[SIDE] else "buy",
            lots=row[QTY],
            above=row[AMOUNT],
            below=row[COUNTER_AMOUNT],
            limit_above=row[PRICE] if row[AMOUNT] else 0,
            limit_below=row[REMAINING] if row[AMOUNT] else row[PRICE],
            reduce_only=bool(row[FLAGS] & Flags.REDUCE_ONLY),
            client_id=row[DETAIL].rstrip(b"\0").decode("latin-1"),
            created_ns=row[TIME],
            updated_ns=row[TIME],
        )
        self.known[row[ORDER]] = found
        if len(self.known) > KEPT_MAX:
            self.known.popitem(last=False)
        self._tell(found)

    def _tell(self, found: Algo) -> None:
        for hearer in self.hearers:
            hearer(found)

    def _change(self, found: Algo, row: EventRow) -> None:
        found.updated_ns = row[TIME]
        kind = row[KIND]
        if kind == _FIRED:
            found.state, found.fired_at, found.fired_lots = "effective", row[PRICE], row[QTY]
            found.fired_ns, found.fired_by = row[TIME], row[SEQUENCE]
        elif kind == _REJECTED:
            found.state = "order_failed"
        elif kind == _CANCELLED:
            found.state = "canceled"
        else:
            found.lots, found.above, found.below = row[QTY], row[AMOUNT], row[COUNTER_AMOUNT]
            found.limit_above = row[PRICE] if row[AMOUNT] else 0
            found.limit_below = row[REMAINING] if row[AMOUNT] else row[PRICE]
        self._tell(found)


async def place(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """One algo order; whatever is refused is told in its row."""
    desk.limits.check(key, "algo", fields)
    kind = choice(fields, "ordType", _KINDS)
    each, side = named(desk, fields), choice(fields, "side", ("buy", "sell"))
    spot = each.product == "spot"
    mode = choice(fields, "tdMode", ("cash", "cross", "isolated"), "cash" if spot else "cross")
    if choice(fields, "posSide", ("net", "long", "short"), "net") != "net":
        raise Refused("51000", "Parameter posSide error: positions are in net mode, expected net or nothing.")
    client_id = client_id_of(fields, "algoClOrdId") or client_id_of(fields, "clOrdId")
    whole = word(fields, "closeFraction", "") == "1"
    legs = _legs(desk, each, side, kind, fields)
    qty = None if whole else decimal_of("sz", word(fields, "sz")) * contract(each)
    placing = partial(
        desk.exchange.place_trigger,
        account_of(desk, key, each, "cross" if spot else mode),
        each.symbol,
        Side[side.upper()],
        qty,
        **legs,
        reduce_only=not spot and (whole or word(fields, "reduceOnly", "false") == "true"),
        client_id=client_id or None,
    )
    said = {"tag": word(fields, "tag", "")[:16], "clOrdId": client_id, "algoClOrdId": client_id}
    try:
        placed = await desk.intake.call(placing)
    except Error as error:
        code, why = code_of(error)
        raise Refused(code, why) from error
    if placed.retry:
        raise Refused("51016", f"Duplicated algoClOrdId: {client_id} was {id_of(placed.order_id)}.")
    desk.limits.mine(key, placed.order_id)
    found = desk.algos.known.get(placed.order_id)
    if found is not None:
        found.said = {"ordType": kind, "tdMode": mode, "tag": said["tag"]} | {
            name: legs[place] for name, place in (("above", "source"), ("below", "source_below"))
        }
    return [{"algoId": id_of(placed.order_id), **said, "sCode": "0", "sMsg": ""}]


def _legs(desk: Desk, each: Instrument, side: str, kind: str, fields: Fields) -> dict[str, Any]:
    """Prices above and below at which it fires, their limits and sources."""
    if kind == "trigger":
        price = _price(fields, "triggerPx")
        source = choice(fields, "triggerPxType", _SOURCES, "last")
        now = _now(desk, each, source)
        place = "above" if now is None or price > now else "below"
        limit = _limit(fields, "orderPx" if word(fields, "orderPx", "") else "ordPx")
        return {place: price, "limit": limit, "source": source, "source_below": source}
    taking, stopping = ("above", "below") if side == "sell" else ("below", "above")
    legs: dict[str, Any] = {"source": "last", "source_below": "last"}
    limits: dict[str, Any] = {}
    for prefix, place in (("tp", taking), ("sl", stopping)):
        if not word(fields, f"{prefix}TriggerPx", ""):
            continue
        legs[place] = price = _price(fields, f"{prefix}TriggerPx")
        source = choice(fields, f"{prefix}TriggerPxType", _SOURCES, "last")
        legs["source" if place == "above" else "source_below"] = source
        limits[place] = _limit(fields, f"{prefix}OrdPx")
        now = _now(desk, each, source)
        if now is not None and (price <= now if place == "above" else price >= now):
            code = {"tpbelow": "51277", "slabove": "51278", "tpabove": "51279", "slbelow": "51280"}
            raise Refused(
                code[prefix + place],
                f"Parameter {prefix}TriggerPx error: {price} is not {place} the {source} price {text(now)}.",
            )
    if not limits or (kind == "oco" and len(limits) < 2):
        raise Refused("50015", "Either parameter tpTriggerPx or slTriggerPx is required, for oco both.")
    if len(limits) == 2:
        if (limits["above"] is None) != (limits["below"] is None):
            raise Refused(
                "51000",
                "Parameter tpOrdPx or slOrdPx error: expected both -1 or both a price, for one order.",
            )
        return legs | {"limit": limits["above"], "limit_below": limits["below"]}
    if "below" in limits:  # with one leg its source is the first
        legs["source"] = legs["source_below"]
    return legs | {"limit": next(iter(limits.values())), "source_below": legs["source"]}


def _price(fields: Fields, name: str) -> Any:
    return decimal_of(name, word(fields, name))


def _limit(fields: Fields, name: str) -> Any:
    """None for a market order, which "-1" means."""
    given = word(fields, name, _MARKET_PRICE)
    return None if given == _MARKET_PRICE else decimal_of(name, given)


def _now(desk: Desk, each: Instrument, source: str) -> Any:
    stands = desk.exchange.instrument(each.number)
    return {"last": stands.last_price, "mark": stands.mark_price, "index": stands.index_price}[source]


async def cancel(desk: Desk, key: Key, given: Sequence[Fields]) -> tuple[str, list[Row]]:
    """Up to 20, each for itself."""
    return await _each(desk, key, given, _cancel)


async def amend(desk: Desk, key: Key, given: Sequence[Fields]) -> tuple[str, list[Row]]:
    """Another size or other prices of one that waits."""
    return await _each(desk, key, given, _amend)


async def _each(
    desk: Desk, key: Key, given: Sequence[Fields], one: Callable[[Desk, Fields, Waiting], Any]
) -> tuple[str, list[Row]]:
    if not given:
        raise Refused("50014", "Parameter args can not be empty.")
    if len(given) > BATCH_MAX:
        raise Refused("51111", f"A batch of {len(given)} orders; the most is {BATCH_MAX}.")
    rows = []
    for fields in given:
        row = {"algoId": word(fields, "algoId", ""), "algoClOrdId": word(fields, "algoClOrdId", "")}
        row |= {"clOrdId": row["algoClOrdId"], "tag": "", "sCode": "0", "sMsg": ""}
        try:
            desk.limits.check(key, one.__name__.removeprefix("_"), fields)
            waiting = _find(desk, key, fields)
            await desk.intake.call(one(desk, fields, waiting))
            row["algoId"] = id_of(waiting.order_id)
        except Refused as refused:
            row |= {"sCode": refused.code, "sMsg": refused.message}
        except Error as error:
            code, why = code_of(error)
            unknown = isinstance(error, Rejected) and error.reject == Reject.UNKNOWN_ORDER
            row |= {"sCode": "51400" if unknown else code, "sMsg": why}
        rows.append(row)
    wrong = sum(row["sCode"] != "0" for row in rows)
    return ("0" if not wrong else "1" if wrong == len(rows) else "2"), rows


def _cancel(desk: Desk, _fields: Fields, waiting: Waiting) -> Callable[[], object]:
    return partial(desk.exchange.cancel, waiting.account, waiting.order_id)


def _amend(desk: Desk, fields: Fields, waiting: Waiting) -> Callable[[], object]:
    each = desk.exchange.instrument(waiting.instrument)
    changed: dict[str, Any] = {}
    if qty := word(fields, "newSz", ""):
        changed["qty"] = decimal_of("newSz", qty) * contract(each)
    taking = "above" if waiting.side == "sell" else "below"
    only = "above" if waiting.above is not None else "below"
    both = waiting.above is not None and waiting.below is not None
    for name, place in (("newTriggerPx", only), ("newTpTriggerPx", taking), ("newSlTriggerPx", "")):
        if word(fields, name, ""):
            changed[place or ("below" if taking == "above" else "above")] = _price(fields, name)
    for name, place in (("newOrdPx", only), ("newTpOrdPx", taking), ("newSlOrdPx", "")):
        if word(fields, name, ""):
            leg = place or ("below" if taking == "above" else "above")
            changed["limit_below" if both and leg == "below" else "limit"] = _limit(fields, name)
    return partial(
        desk.exchange.amend_trigger, waiting.account, waiting.instrument, waiting.order_id, **changed
    )


def _find(desk: Desk, key: Key, fields: Fields) -> Waiting:
    """One that waits, of the account, by algoId or algoClOrdId."""
    number, client_id = word(fields, "algoId", ""), client_id_of(fields, "algoClOrdId")
    if not number and not client_id:
        raise Refused("51003", "Either parameter algoId or algoClOrdId is required.")
    wanted = number_of(number) if number else 0
    for account in accounts(desk, key):
        for each in desk.exchange.triggers(account):
            if each.order_id == wanted or (not wanted and each.client_id == client_id.encode()):
                return each
    raise Refused("51400", "Cancellation failed as the order does not exist.")


# --- what waits and what has been ---


def order(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """One algo order, waiting or over."""
    number, client_id = word(fields, "algoId", ""), client_id_of(fields, "algoClOrdId")
    if not number and not client_id:
        raise Refused("51003", "Either parameter algoId or algoClOrdId is required.")
    for each in reversed(_own(desk, key)):
        if id_of(each.order_id) == number or (not number and each.client_id == client_id):
            return [algo_row(each)]
    desk.recorder.refuse_unknown()
    raise Refused("51603", "Order does not exist.")


def pending(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Those that wait, newest first."""
    return _page([each for each in _own(desk, key) if each.state == "live"], fields)


def history(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Those that are over, newest first: of a state or an algoId."""
    state, number = word(fields, "state", ""), word(fields, "algoId", "")
    if not state and not number:
        raise Refused("50015", "Either parameter state or algoId is required.")
    over = [each for each in _own(desk, key) if each.state != "live"]
    found = [each for each in over if state in {"", each.state} and number in {"", id_of(each.order_id)}]
    rows = _page(found, fields)
    if len(rows) < limit_of(fields, 100, 100):
        desk.recorder.refuse_unknown()
    return rows


def _own(desk: Desk, key: Key) -> list[Algo]:
    """Of the account, by id; what waits since before this process is asked of the exchange."""
    own = accounts(desk, key)
    found = {each.order_id: each for each in desk.algos.known.values() if each.account in own}
    for account in own:
        for waiting in desk.exchange.triggers(account):
            if waiting.order_id not in found:
                found[waiting.order_id] = _waiting(desk, waiting)
    return [found[number] for number in sorted(found)]


def _waiting(desk: Desk, waiting: Waiting) -> Algo:
    each = desk.exchange.instrument(waiting.instrument)
    prices = (waiting.above, waiting.below, waiting.limit_above, waiting.limit_below)
    above, below, limit_above, limit_below = (int(p / each.tick_size) if p else 0 for p in prices)
    return Algo(
        order_id=waiting.order_id,
        account=waiting.account,
        instrument=each,
        side=waiting.side,
        lots=int(waiting.qty / each.lot_size) if waiting.qty else 0,
        above=above,
        below=below,
        limit_above=limit_above,
        limit_below=limit_below,
        reduce_only=bool(waiting.flags & Flags.REDUCE_ONLY),
        client_id=waiting.client_id.decode("latin-1"),
        created_ns=0,
        updated_ns=0,
        said={"above": waiting.source_above, "below": waiting.source_below},
    )


def _page(found: Sequence[Algo], fields: Fields) -> list[Row]:
    kind, style = word(fields, "instType", "ANY"), word(fields, "ordType", "")
    name = word(fields, "instId", "")
    after, before = (word(fields, each, "") for each in ("after", "before"))
    rows = [
        algo_row(each)
        for each in reversed(found)
        if kind in {"ANY", TYPES[each.instrument.product]}
        and name in {"", each.instrument.symbol}
        and (not after or each.order_id < number_of(after))
        and (not before or each.order_id > number_of(before))
    ]
    wanted = set(filter(None, style.split(",")))
    rows = [row for row in rows if not wanted or row["ordType"] in wanted]
    return rows[: limit_of(fields, 100, 100)]


def algo_row(algo: Algo) -> Row:
    each = algo.instrument
    kind = algo.said.get("ordType", "oco" if algo.above and algo.below else "trigger")
    row: Row = blank(_EMPTY)
    row |= {"algoId": id_of(algo.order_id), "algoClOrdId": algo.client_id, "clOrdId": algo.client_id}
    row |= {"instId": each.symbol, "instType": TYPES[each.product], "ordType": kind, "state": algo.state}
    row |= {"side": algo.side, "posSide": "" if each.product == "spot" else "net"}
    row |= {"tdMode": algo.said.get("tdMode", ""), "tag": algo.said.get("tag", ""), "ordIdList": []}
    row |= {"sz": size(each, each.lot_size * algo.lots) if algo.lots else ""}
    row |= {"closeFraction": "" if algo.lots else "1", "attachAlgoOrds": [], "linkedOrd": {"ordId": ""}}
    row |= {"reduceOnly": "true" if algo.reduce_only else "false"}
    row |= {"cTime": ms(algo.created_ns) if algo.created_ns else ""}
    row |= {"uTime": ms(algo.updated_ns) if algo.updated_ns else ""}
    taking = "above" if algo.side == "sell" else "below"
    for place, price, limit in (
        ("above", algo.above, algo.limit_above),
        ("below", algo.below, algo.limit_below),
    ):
        if not price:
            continue
        at, then = text(each.tick_size * price), text(each.tick_size * limit) if limit else _MARKET_PRICE
        source = algo.said.get(place, "last")
        if kind == "trigger":
            row |= {"triggerPx": at, "triggerPxType": source, "ordPx": then}
        else:
            prefix = "tp" if place == taking else "sl"
            row |= {f"{prefix}TriggerPx": at, f"{prefix}TriggerPxType": source, f"{prefix}OrdPx": then}
    if algo.fired_ns:
        row |= {"ordId": id_of(algo.order_id), "ordIdList": [id_of(algo.order_id)]}
        row |= {"triggerTime": ms(algo.fired_ns), "actualPx": text(each.tick_size * algo.fired_at)}
        row |= {"actualSz": size(each, each.lot_size * algo.fired_lots), "actualSide": algo.side}
    return row
