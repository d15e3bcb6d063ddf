"""Signals over HTTP: reports, the screen and a stream, from a recording that grows while it is served.

    GET /api/v1/signals/symbols
    GET /api/v1/signals/report?symbol=ETH/USDT[&at_ms=...]
    GET /api/v1/signals/screen[?top=20]
    GET /api/v1/signals/page?symbol=ETH/USDT          the page of `xos signals report --html`
    GET /api/v1/signals/stream?symbol=ETH/USDT        server-sent events: a report each time rows came in

Answers have the envelope of the public interface: `code` ("0": all is well), `msg`, `data`.
Needs exchange-os[api].
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
from aiohttp import web

from exchange_os.errors import Error, InvalidArgument
from exchange_os.signals.market_data import HOUR_MS, MarketData
from exchange_os.signals.picture import html_page
from exchange_os.signals.recording import Recorder, Recording
from exchange_os.signals.report import Report, make_report
from exchange_os.signals.screen import screen
from exchange_os.signals.sources.recorder_round import Answers, joined

_ROOT = "/api/v1/signals/"
_TOP_MAX = 1_000
_STREAMS_MAX = 256
_SILENCE_S = 15.0
"""A stream says at least a comment this often, so that both ends notice when the other is gone."""
_log = logging.getLogger("exchange_os.signals")

Ask = Callable[[], Answers]


class Desk:
    """What was recorded, and the reports made of it. All methods run in one event loop."""

    def __init__(self, recorder: Recorder, data: MarketData) -> None:
        self.data = data
        self._recorder = recorder
        self._round = asyncio.Condition()
        self._rounds = 0
        self._made: dict[str, tuple[int, Report]] = {}
        self._making: dict[str, asyncio.Lock] = {}
        self.streams = 0

    @staticmethod
    def open(folder: str) -> Desk:
        """Reads what is there; an empty folder will be filled."""
        recorder = Recorder(folder)
        try:
            return Desk(recorder, _in_memory(Recording.open(folder).read()))
        except InvalidArgument:
            return Desk(recorder, MarketData())

    def close(self) -> None:
        """Lets another recorder have the folder."""
        self._recorder.close()

    @property
    def rounds(self) -> int:
        """How often rows came in since it was opened."""
        return self._rounds

    async def add(self, data: MarketData) -> int:
        """Records rows and tells every stream; how many they were."""
        rows = await asyncio.to_thread(self._recorder.append, data)
        if rows:
            self.data = await asyncio.to_thread(lambda: _in_memory(joined([self.data, data])))
            async with self._round:
                self._rounds += 1
                self._round.notify_all()
        return rows

    async def next_round(self, after: int, timeout_s: float) -> int:
        """The number of rounds once it is above `after`, or as it is when the time has passed."""
        try:
            async with asyncio.timeout(timeout_s), self._round:
                await self._round.wait_for(lambda: self._rounds > after)
        except TimeoutError:
            pass
        return self._rounds

    async def report(self, symbol: str, at_ms: int | None = None) -> Report:
        """Of a past time, or of the newest row: that one is made once a round, however many ask."""
        data = self.data
        if at_ms is not None:
            return await asyncio.to_thread(make_report, data, symbol=symbol, at_ms=at_ms)
        async with self._making.setdefault(symbol, asyncio.Lock()):
            known = self._made.get(symbol)
            if known is None or known[0] != self._rounds:
                rounds = self._rounds
                known = (rounds, await asyncio.to_thread(_newest, self.data, symbol))
                self._made[symbol] = known
            return known[1]


def _in_memory(data: MarketData) -> MarketData:
    """Without the books that no signal reads any more: they are most of what is recorded."""
    books = data.books
    if books.is_empty():
        return data
    recent = pl.col("received_ms") >= pl.col("received_ms").max() - HOUR_MS
    return replace(data, books=books.filter(recent))


def _newest(data: MarketData, symbol: str) -> Report:
    return make_report(data, symbol=symbol, at_ms=data.last_ms())


_DESK = web.AppKey("desk", Desk)


def application(desk: Desk) -> web.Application:
    app = web.Application()
    app[_DESK] = desk
    for name, answer in _ANSWERS.items():
        app.router.add_get(_ROOT + name, _answering(answer))
    app.router.add_get(_ROOT + "page", _page)
    app.router.add_get(_ROOT + "stream", _stream)
    return app


async def follow(desk: Desk, ask: Ask, every_s: float) -> None:
    """Asks the sources without end, a round every so many seconds. A failed round is named, not the last."""
    while True:
        began = asyncio.get_running_loop().time()
        try:
            found = await asyncio.to_thread(ask)
            rows = await desk.add(found.data)
            _log.info("%d rows", rows)
            for silence in found.silences:
                _log.warning("silent: %s %s: %s", silence.venue, silence.table, silence.why)
        except Error as error:
            _log.error("a round failed: %s", error)
        await asyncio.sleep(max(0.0, began + every_s - asyncio.get_running_loop().time()))


def _envelope(data: Any, code: str = "0", message: str = "", status: int = 200) -> web.Response:
    body = json.dumps({"code": code, "msg": message, "data": data})
    return web.Response(text=body, status=status, content_type="application/json")


def _answering(answer: Callable[[web.Request], Any]) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return _envelope(await answer(request))
        except InvalidArgument as error:
            return _refused(request.app[_DESK], error)

    return handle


def _refused(desk: Desk, error: InvalidArgument) -> web.Response:
    """Nothing recorded yet is not a wrong question."""
    if all(frame.is_empty() for _, frame in desk.data.items()):
        return _envelope([], "50001", "Service temporarily unavailable: nothing is recorded yet.", 503)
    return _envelope([], "51000", str(error), 400)


def _symbol(request: web.Request) -> str:
    symbol = request.query.get("symbol", "")
    if not symbol:
        raise InvalidArgument("the parameter symbol is missing, such as symbol=ETH/USDT")
    desk = request.app[_DESK]
    if symbol not in desk.data.symbols():
        raise InvalidArgument(f"nothing is recorded of '{symbol[:64]}'")
    return symbol


def _whole(request: web.Request, name: str, low: int, high: int) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or not low <= int(text[:20]) <= high:
        raise InvalidArgument(f"{name} is a whole number from {low} to {high}, not '{text[:20]}'")
    return int(text)


async def _symbols(request: web.Request) -> Any:
    data = request.app[_DESK].data
    return [{"symbol": symbol} for symbol in data.symbols()]


async def _report(request: web.Request) -> Any:
    at_ms = _whole(request, "at_ms", 0, 2**53)
    return [(await request.app[_DESK].report(_symbol(request), at_ms)).as_json()]


async def _screen(request: web.Request) -> Any:
    top, data = _whole(request, "top", 1, _TOP_MAX) or 20, request.app[_DESK].data
    at_ms = data.last_ms()
    rows = await asyncio.to_thread(screen, data, at_ms=at_ms)
    return [{"at_ms": at_ms, **row.as_json()} for row in rows[:top]]


async def _page(request: web.Request) -> web.Response:
    desk = request.app[_DESK]
    try:
        report = await desk.report(_symbol(request))
    except InvalidArgument as error:
        return _refused(desk, error)
    text = await asyncio.to_thread(html_page, report, desk.data)
    return web.Response(text=text, content_type="text/html")


async def _stream(request: web.Request) -> web.StreamResponse:
    """The report now and after every round until the client hangs up. Slow readers get the newest only."""
    desk = request.app[_DESK]
    try:
        symbol = _symbol(request)
    except InvalidArgument as error:
        return _refused(desk, error)
    if desk.streams >= _STREAMS_MAX:
        return _envelope([], "50011", f"There are {_STREAMS_MAX} streams already.", 429)
    response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-store"})
    await response.prepare(request)
    desk.streams += 1
    try:
        seen = -1
        while True:
            now = desk.rounds
            if now > seen:
                body = json.dumps((await desk.report(symbol)).as_json())
                await response.write(f"event: report\ndata: {body}\n\n".encode())
                seen = now
            elif await desk.next_round(seen, _SILENCE_S) == seen:
                await response.write(b": nothing new\n\n")
    except ConnectionResetError:
        return response
    finally:
        desk.streams -= 1


_ANSWERS = {"symbols": _symbols, "report": _report, "screen": _screen}


async def run(
    desk: Desk, host: str, port: int, ask: Ask | None, every_s: float, say: Callable[[str], object]
) -> None:
    """Serves until SIGINT or SIGTERM; `say` gets the address once it listens."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(application(desk), shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    say(f"serving at http://{host}:{runner.addresses[0][1]}{_ROOT}symbols")
    asking = asyncio.create_task(follow(desk, ask, every_s)) if ask else None
    try:
        await stop.wait()
    finally:
        if asking:
            asking.cancel()
        await runner.cleanup()
        desk.close()
