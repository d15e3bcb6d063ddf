"""Private channels: orders, fills, account and positions, for the account of a key alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from exchange_os._core import EventKind
from exchange_os.api.account import balance, position_row, positions
from exchange_os.api.algo import Algo, algo_row
from exchange_os.api.codes import Row
from exchange_os.api.desk import TYPES, Desk, underlying
from exchange_os.api.intake import KIND, EventRow
from exchange_os.api.keys import Key, now_ms
from exchange_os.api.numbers import ms, size, text, trade_text, word
from exchange_os.api.orders import order_row
from exchange_os.api.recorder import Fill, Past
from exchange_os.results import Position

Topic = tuple[Any, ...]
ALGO_CHANNELS = frozenset({"orders-algo", "algo-advance"})
"""On the path business. No algo order here is one of the advanced: of those nothing is ever told."""
Say = Callable[..., None]

_FLUSH_TICKS = 5
_AGAIN_TICKS = 500
_AMENDED = int(EventKind.ORDER_AMENDED)
_NOTHING = Decimal(0)
_PUSHED_EMPTY = dict.fromkeys(
    (
        *("fillFee", "fillFeeCcy", "fillNotionalUsd", "fillPnl", "fillMarkPx", "fillMarkVol", "fillPxVol"),
        *("fillPxUsd", "fillFwdPx", "notionalUsd", "amendResult", "amendSource", "reqId", "lastPx"),
        "execType",
    ),
    "",
)
_HELD = ("posId", "tradeId", "instId", "instType", "mgnMode", "posSide", "pos", "ccy", "posCcy", "avgPx")
_SHOWN = (*_HELD, "uTime")


class PrivateChannels:
    """`has` says whether somebody subscribed to a topic, `tell` tells them."""

    def __init__(self, desk: Desk, has: Callable[[Topic], bool], tell: Say) -> None:
        self._desk, self._has, self._tell = desk, has, tell
        self._parents: dict[int, int] = {}
        self._topics: dict[int, set[Topic]] = {}
        """By account; those that nobody hears any more leave when they are next met."""
        self._touched: set[int] = set()
        self._open: dict[Topic, set[tuple[str, str, str]]] = {}
        """Positions that subscribers know to be open."""
        self._algos: dict[int, Algo] = {}
        """Changed and not told yet: what their requests said of them is known a moment after their events."""
        desk.recorder.hearers.append(self._order)
        desk.algos.hearers.append(self._algo)

    def topic(self, channel: str, account: int, arg: Mapping[str, Any]) -> Topic:
        """Channel, account and what narrows it: type, family, instrument, currency."""
        narrow = tuple(word(arg, each, "") for each in ("instType", "instFamily", "instId", "ccy"))
        if channel in {"orders", "positions", *ALGO_CHANNELS}:
            word(arg, "instType")
        return channel, account, *narrow

    def begin(self, topic: Topic, say: Say) -> None:
        """What stands, for the one who has just subscribed; of orders and fills nothing."""
        self._topics.setdefault(topic[1], set()).add(topic)
        if topic[0] == "account":
            say(self._account(topic), eventType="snapshot", curPage=1, lastPage=True)
        elif topic[0] == "positions":
            rows = self._positions(topic)
            say(rows, eventType="snapshot", curPage=1, lastPage=True)
        elif topic[0] == "balance_and_position":
            say([self._both(topic, "snapshot", [])])

    def touch(self, account: int) -> None:
        """Something happened to an account."""
        self._touched.add(account)

    def tick(self, ticks: int) -> None:
        algos, self._algos = self._algos, {}
        for algo in algos.values():
            self._tell_algo(algo)
        if ticks % _AGAIN_TICKS == 0:
            for topic in [topic for topics in self._topics.values() for topic in topics]:
                self._push(topic, regular=True)
            self._touched.clear()
        elif self._touched and ticks % _FLUSH_TICKS == 0:
            for account in {self._parent(account) for account in self._touched}:
                for topic in list(self._topics.get(account, ())):
                    self._push(topic, regular=False)
            self._touched.clear()

    def _push(self, topic: Topic, *, regular: bool) -> None:
        if not self._has(topic):
            self._topics[topic[1]].discard(topic)
            self._open.pop(topic, None)
        elif topic[0] == "account":
            self._tell(topic, self._account(topic), latest=True, eventType="event_update")
        elif topic[0] == "positions":
            rows = self._positions(topic)
            if rows:
                self._tell(topic, rows, eventType="event_update")
        elif topic[0] == "balance_and_position" and not regular:
            self._tell(topic, [self._both(topic, "filled", [])])

    def _parent(self, account: int) -> int:
        found = self._parents.get(account)
        if found is None:
            found = self._desk.exchange.parent(account) or account
            self._parents[account] = found
        return found

    def _key(self, topic: Topic) -> Key:
        """Stands for the key of whoever subscribed: the account is all that counts."""
        return Key("", topic[1], frozenset({"read"}), b"", "")

    def _account(self, topic: Topic) -> list[Row]:
        return balance(self._desk, self._key(topic), {"ccy": topic[5]})

    def _positions(self, topic: Topic) -> list[Row]:
        """Open ones, and once more those that have closed since."""
        kind, family, name = topic[2] or "ANY", topic[3], topic[4]
        fields = {"instType": kind, "instId": name}
        rows = [
            row
            for row in positions(self._desk, self._key(topic), fields)
            if not family or family == underlying(self._desk.exchange.instrument(row["instId"]))
        ]
        now = {(row["posId"], row["instId"], row["mgnMode"]) for row in rows if row["pos"] != "0"}
        before = self._open.get(topic, set())
        self._open[topic] = now
        told = {row["posId"] for row in rows}
        for position_id, symbol, mode in before - now:
            if position_id not in told:
                rows.append(self._flat(topic[1], int(position_id), symbol, mode))
        return [row for row in rows if row["pos"] != "0" or row["posId"] in {each[0] for each in before}]

    def _flat(self, account: int, position_id: int, symbol: str, mode: str) -> Row:
        each = self._desk.exchange.instrument(symbol)
        nothing = dict.fromkeys(("qty", "cost", "realised", "unrealised", "buys", "sells"), _NOTHING)
        held = Position(
            account=account,
            instrument=symbol,
            maintenance_margin=_NOTHING,
            liquidation_price=None,
            **nothing,
        )
        risk = self._desk.exchange.risk(account)
        return position_row(self._desk, each, held, risk, mode) | {"posId": str(position_id)}

    def _both(self, topic: Topic, event: str, trades: list[Row]) -> Row:
        (whole,) = self._account((*topic[:5], ""))
        moment = str(now_ms())
        money = [{name: row[name] for name in ("ccy", "cashBal", "uTime")} for row in whole["details"]]
        held = [
            {name: row[name] for name in _SHOWN}
            for row in positions(self._desk, self._key(topic), {"instType": "ANY"})
        ]
        return {"pTime": moment, "eventType": event, "balData": money, "posData": held, "trades": trades}

    # --- orders and fills ---

    def _algo(self, algo: Algo) -> None:
        if self._topics:
            self._algos[algo.order_id] = algo

    def _tell_algo(self, algo: Algo) -> None:
        each = algo.instrument
        for topic in list(self._topics.get(self._parent(algo.account), ())):
            channel, _, kind, family, name, _ = topic
            wanted = kind in {"", "ANY", TYPES[each.product]} and name in {"", each.symbol}
            if channel == "orders-algo" and wanted and family in {"", underlying(each)}:
                self._tell(topic, [algo_row(algo)])

    def _order(self, past: Past, row: EventRow, fill: Fill | None) -> None:
        if not self._topics:
            return
        topics = self._topics.get(self._parent(past.account), ())
        for topic in topics:
            channel, _, kind, family, name, _ = topic
            each = past.instrument
            if kind not in {"", "ANY", TYPES[each.product]} or name not in {"", each.symbol}:
                continue
            if family and family != underlying(each):
                continue
            if channel == "orders":
                self._tell(topic, [pushed(past, row, fill)])
            elif channel == "fills" and fill is not None:
                self._tell(topic, [_fill_row(fill, past)])


def pushed(past: Past, event: EventRow, fill: Fill | None) -> Row:
    """An order as its channel tells it: the fields of a fill are those of this one alone."""
    row = order_row(past) | _PUSHED_EMPTY
    row |= {"code": "0", "msg": "", "fillFee": "0", "fillPnl": "0"}
    if event[KIND] == _AMENDED:
        row["amendResult"] = "0"
    if fill is None:
        return row | {"fillPx": "", "fillSz": "0", "fillTime": "", "tradeId": ""}
    each = fill.instrument
    row |= {"fillPx": text(fill.price), "fillSz": size(each, fill.qty), "fillTime": ms(fill.time_ns)}
    row |= {"tradeId": trade_text(fill.trade_id), "fillFee": text(-fill.fee), "fillFeeCcy": each.quote}
    return row | {"execType": "M" if fill.maker else "T", "fillNotionalUsd": text(fill.price * fill.qty)}


def _fill_row(fill: Fill, past: Past) -> Row:
    return {
        "instId": fill.instrument.symbol,
        "fillSz": size(fill.instrument, fill.qty),
        "fillPx": text(fill.price),
        "side": fill.side,
        "ts": ms(fill.time_ns),
        "ordId": order_row(past)["ordId"],
        "clOrdId": fill.client_id,
        "tradeId": trade_text(fill.trade_id),
        "execType": "M" if fill.maker else "T",
        "count": "1",
    }
