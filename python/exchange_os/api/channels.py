"""What is subscribed to, and by whom: events become messages, encoded once for all who hear the same."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from exchange_os.api import market, past_candles, perpetual, reference
from exchange_os.api.codes import Refused
from exchange_os.api.desk import Desk
from exchange_os.api.intake import (
    ACCOUNT,
    COUNTERPART,
    DETAIL,
    INSTRUMENT,
    KIND,
    TRADES,
    EventRow,
    Note,
)
from exchange_os.api.keys import now_ms
from exchange_os.api.levels import Image
from exchange_os.api.numbers import ms, size, text, trade_text, word
from exchange_os.api.private import ALGO_CHANNELS, PrivateChannels
from exchange_os.api.rates import Rates
from exchange_os.api.session import SESSIONS_MAX, Session, account_of

Topic = tuple[Any, ...]
"""Channel and what it is about: an instrument, a type, an account."""

_TICK_S = 0.01
_SLOW_TICKS = 10
_BEAT_TICKS = 6_000
_KEY_TICKS = 200
_BOOKS = {"books": (400, _SLOW_TICKS), "books-l2-tbt": (400, 1), "books50-l2-tbt": (50, 1)}
_IMAGES = {"books5": (5, _SLOW_TICKS), "bbo-tbt": (1, 1)}
_OF_TIER = frozenset({"books-l2-tbt", "books50-l2-tbt"})
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("exchange_os.api")
Rows = list[Any]


def _ticker(desk: Desk, name: str) -> Rows:
    return market.ticker(desk, {"instId": name})


def _mark(desk: Desk, name: str) -> Rows:
    return market.mark_price(desk, {"instType": "ANY", "instId": name})


def _index(desk: Desk, name: str) -> Rows:
    return market.index_tickers(desk, {"instId": name.removesuffix("-SWAP")})


def _open_interest(desk: Desk, name: str) -> Rows:
    return perpetual.open_interest(desk, {"instType": "ANY", "instId": name})


def _price_limit(desk: Desk, name: str) -> Rows:
    return reference.price_limit(desk, {"instId": name})


def _funding(desk: Desk, name: str) -> Rows:
    return perpetual.funding_rate(desk, {"instId": name})


# Channel: its rows, after how many ticks it is looked at again, after how many it is told unchanged.
_POLLED: dict[str, tuple[Callable[[Desk, str], Rows], int, int]] = {
    "tickers": (_ticker, 10, 0),
    "mark-price": (_mark, 20, 1_000),
    "index-tickers": (_index, 10, 0),
    "funding-rate": (_funding, 100, 3_000),
    "open-interest": (_open_interest, 300, 0),
    "price-limit": (_price_limit, 20, 0),
}
_PUBLIC = frozenset({*_POLLED, *_BOOKS, *_IMAGES, "trades", "instruments", "status"})
_BUSINESS = frozenset({"trades-all"})
_PRIVATE = frozenset({"orders", "account", "positions", "balance_and_position", "fills"})

_KNOWN = _PUBLIC | _BUSINESS | _PRIVATE | ALGO_CHANNELS


class Hub:
    """All sessions of an application."""

    def __init__(self, desk: Desk, rates: Rates) -> None:
        self.desk, self.rates = desk, rates
        self._heard_by: dict[Topic, dict[tuple[Session, bytes], None]] = defaultdict(dict)
        self._sessions: set[Session] = set()
        self._images: dict[Topic, Image] = {}
        self._told: dict[Topic, tuple[Rows, int]] = {}
        self._dirty: dict[int, set[Topic]] = defaultdict(set)
        """Topics of an instrument that something happened to, by how many ticks they wait."""
        self._of_instrument: dict[int, set[Topic]] = defaultdict(set)
        self._ticks = 0
        self._task: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self.private = PrivateChannels(desk, self.has, self.tell)
        desk.hearers.append(self.hear)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Says goodbye to all."""
        if self._task is not None:
            self._task.cancel()
        for session in list(self._sessions):
            session.say(event="notice", code="64008", msg="The connection will close.", connId=session.name)
            await session.hang_up()

    def enter(self, session: Session) -> None:
        if len(self._sessions) >= SESSIONS_MAX:
            raise Refused("60014", f"Requests too frequent: {SESSIONS_MAX} connections are open.", 503)
        self._sessions.add(session)

    def leave(self, session: Session) -> None:
        """Forgets a connection and all that it subscribed to."""
        self._sessions.discard(session)
        for exact in list(session.subscriptions):
            self.unsubscribe(session, exact)

    def has(self, topic: Topic) -> bool:
        return topic in self._heard_by

    def _end_revoked(self) -> None:
        """Ends connections whose key was revoked or is over."""
        logged_in = [session for session in self._sessions if session.key is not None]
        standing = self.desk.keys.names() if logged_in else set()
        for session in logged_in:
            if session.key is not None and session.key.name not in standing:
                session.refuse("60009", "Login failed: the API key was revoked or is over.")
                self._leaving.add(task := asyncio.create_task(session.hang_up()))
                task.add_done_callback(self._leaving.discard)

    # --- subscribing ---

    def topic(self, session: Session, arg: Mapping[str, Any]) -> Topic:
        """What an argument is about, or `Refused`."""
        channel = word(arg, "channel")
        candle = past_candles.is_channel(self.desk, channel)
        place = "business" if candle or channel in _BUSINESS else "public"
        place = "private" if channel in _PRIVATE else "business" if channel in ALGO_CHANNELS else place
        if channel not in _KNOWN and not candle:
            raise Refused("60018", f"The channel {channel[:40]!r} does not exist.")
        if session.place != place:
            raise Refused("64001", f"The channel {channel} is on the path {place}.")
        if channel in _PRIVATE | ALGO_CHANNELS:
            return self.private.topic(channel, account_of(session), arg)
        if channel in _OF_TIER:
            account_of(session)
        if channel == "status":
            return (channel,)
        if channel == "instruments":
            return channel, word(arg, "instType")
        name = word(arg, "instId")
        if channel == "index-tickers" or channel.startswith("index-candle"):
            return channel, name
        return channel, self.desk.exchange.instrument(name).symbol

    def subscribe(self, session: Session, topic: Topic, exact: bytes) -> None:
        """The first message, where the channel has one, is what stands."""
        session.subscriptions[exact] = topic
        self._heard_by[topic][session, exact] = None
        channel = topic[0]
        if channel in _PRIVATE | ALGO_CHANNELS:
            self.private.begin(topic, lambda rows, **words: self._say(session, exact, rows, words))
            return
        number = 0
        if len(topic) > 1 and channel != "instruments":
            found = self.desk.exchange._directory.markets
            symbol = topic[1] if topic[1] in found else f"{topic[1]}-SWAP"
            number = found[symbol].number if symbol in found else 0
            self._of_instrument[number].add(topic)
        if channel in _BOOKS:
            image = self._images.get(topic)
            if image is None:
                instrument = self.desk.exchange.instrument(topic[1])
                image = self._images[topic] = Image(self.desk, instrument, _BOOKS[channel][0])
            row = {**image.snapshot(), "prevSeqId": -1, "ts": str(now_ms())}
            self._say(session, exact, [row], {"action": "snapshot"})
        elif rows := self._rows(topic):
            self._told.setdefault(topic, (rows, self._ticks))
            self._say(session, exact, rows, {})

    def unsubscribe(self, session: Session, exact: bytes) -> None:
        """Nothing happens if it did not subscribe to that."""
        topic = session.subscriptions.pop(exact, None)
        if topic is None:
            return
        heard_by = self._heard_by[topic]
        heard_by.pop((session, exact), None)
        if not heard_by:
            del self._heard_by[topic]
            for memory in (self._images, self._told):
                memory.pop(topic, None)
            for topics in (*self._of_instrument.values(), *self._dirty.values()):
                topics.discard(topic)

    # --- telling ---

    def _say(self, session: Session, exact: bytes, rows: Rows, words: Mapping[str, Any]) -> None:
        session.push(b'{"arg":' + exact + _tail(rows, words))

    def tell(self, topic: Topic, rows: Rows, latest: bool = False, **words: Any) -> None:
        """Everybody who subscribed to a topic."""
        tail = _tail(rows, words)
        for session, exact in list(self._heard_by.get(topic, ())):
            session.push(b'{"arg":' + exact + tail, exact if latest else None)

    def hear(self, rows: Sequence[EventRow], _notes: Mapping[int, Note]) -> None:
        """Events as they come. Trades are told at once, everything else waits for its tick."""
        if not self._heard_by:
            return
        touched: set[int] = set()
        traded: dict[int, list[EventRow]] = defaultdict(list)
        for row in rows:
            touched.add(row[INSTRUMENT])
            if row[KIND] in TRADES:
                traded[row[INSTRUMENT]].append(row)
                if row[KIND] == TRADES[0]:
                    self.private.touch(COUNTERPART.unpack(row[DETAIL])[1])
            if row[ACCOUNT]:
                self.private.touch(row[ACCOUNT])
        for number in touched:
            for topic in self._of_instrument.get(number, ()):
                self._dirty[_wait(topic[0])].add(topic)
        for number, found in traded.items():
            if self._of_instrument.get(number):
                self._tell_trades(number, found)

    def _tell_trades(self, number: int, found: list[EventRow]) -> None:
        each = self.desk.recorder.instrument(number)
        rows = [
            {
                "instId": each.symbol,
                "tradeId": trade_text(COUNTERPART.unpack(row[DETAIL])[4]),
                "px": text(each.tick_size * row[9]),
                "sz": size(each, each.lot_size * row[10]),
                "side": "sell" if row[2] else "buy",
                "ts": ms(row[17]),
                "count": "1",
                "source": "0",
                "seqId": row[5],
            }
            for row in found
        ]
        for channel in ("trades", "trades-all"):
            if self.has((channel, each.symbol)):
                for row in rows:
                    self.tell((channel, each.symbol), [row])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._ticks += 1
            if not self._heard_by:
                continue
            try:
                self._tick()
            except Exception:  # noqa: BLE001 - one channel's fault must not end the others
                _log.exception("channels")

    def _tick(self) -> None:
        for wait in [wait for wait in self._dirty if self._ticks % wait == 0]:
            for topic in self._dirty.pop(wait):
                self._look(topic)
        for topic in [topic for topic in self._heard_by if topic[0] in _POLLED]:
            again = _POLLED[topic[0]][2]
            if again and self._ticks - self._told.get(topic, ([], self._ticks))[1] >= again:
                self._told.pop(topic, None)
                self._look(topic)
        if self._ticks % 100 == 0:
            for topic in list(self._heard_by):
                if "candle" in topic[0] or topic[0] == "instruments":
                    self._look(topic)
        if self._ticks % _KEY_TICKS == 0:
            self._end_revoked()
        if self._ticks % _BEAT_TICKS == 0:
            for topic, image in self._images.items():
                row = {"asks": [], "bids": [], "seqId": image.sequence, "prevSeqId": image.sequence}
                beat = {**row, "checksum": image.checksum(), "ts": str(now_ms())}
                self.tell(topic, [beat], action="update")
        self.private.tick(self._ticks)

    def _look(self, topic: Topic) -> None:
        """Tells what has changed since it was told last."""
        if topic not in self._heard_by:
            return
        channel = topic[0]
        if channel in _BOOKS:
            image = self._images[topic]
            found = image.change()
            if found is not None:
                self.tell(topic, [{**found, "ts": str(now_ms())}], action="update")
            return
        rows = self._rows(topic)
        before = self._told.get(topic, ([], 0))[0]
        news = _news(channel, before, rows)
        if news:
            self._told[topic] = (rows, self._ticks)
            self.tell(topic, news, "candle" not in channel)

    def _rows(self, topic: Topic) -> Rows:
        channel, about = topic[0], topic[-1]
        if channel in _POLLED:
            rows = _POLLED[channel][0](self.desk, about)
            return [{**row, "instId": about} for row in rows] if channel == "index-tickers" else rows
        if channel in _IMAGES:
            depth = _IMAGES[channel][0]
            rows = market.books(self.desk, {"instId": about, "sz": str(depth)})
            return [{**row, "instId": about} for row in rows] if channel == "books5" else rows
        if channel == "instruments":
            return market.instruments(self.desk, {"instType": about})
        if "candle" in channel:
            return past_candles.of_channel(self.desk, channel, about)
        return []


def _tail(rows: Rows, words: Mapping[str, Any]) -> bytes:
    return b"," + _encode({**words, "data": rows})[1:]


def _wait(channel: str) -> int:
    """Ticks between two messages of a channel."""
    if channel in _POLLED:
        return _POLLED[channel][1]
    return {**_BOOKS, **_IMAGES}.get(channel, (0, 100))[1]


def _news(channel: str, before: Rows, rows: Rows) -> Rows:
    """Rows that are not as they were; times alone are no news."""
    if "candle" in channel:
        return [row for row in rows if row not in before]
    moment = {"ts", "seqId"}
    plain = [{name: value for name, value in row.items() if name not in moment} for row in before]
    return [row for row in rows if {n: v for n, v in row.items() if n not in moment} not in plain]
