"""The HTTP server: one table of endpoints, one envelope, every error an answer in JSON."""

from __future__ import annotations

import asyncio
import decimal
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from exchange_os.api import (
    account,
    algo,
    asset,
    market,
    openapi,
    orders,
    own,
    past_markets,
    perpetual,
    placing,
    precheck,
    reference,
    sub_accounts,
    sweeping,
    v1,
    v1_changes,
)
from exchange_os.api.channels import Hub
from exchange_os.api.chores import chores
from exchange_os.api.codes import BODY_BYTES_MAX, BODY_S, Refused, Row, code_of
from exchange_os.api.desk import Desk
from exchange_os.api.environment import check_environment
from exchange_os.api.keys import Key, Keys
from exchange_os.api.numbers import DECODE
from exchange_os.api.rates import Rates
from exchange_os.api.session import Session
from exchange_os.api.signing import NOBODY, authenticate, permitted
from exchange_os.errors import Error, Rejected
from exchange_os.exchange import Exchange
from exchange_os.history import History

Public = Callable[[Desk, Mapping[str, Any]], list[Any]]
Private = Callable[[Desk, Key, Mapping[str, Any]], list[Row]]
Single = placing.Prepare
Sweep = Callable[[Desk, Key, Mapping[str, Any]], Awaitable[list[Row]]]

_DIGITS = 100
_ROOT = "/api/v5/"
_SOCKETS = "/ws/v5/"
_PLACES = ("public", "private", "business")
_BEARER = "Bearer "
_RATE_OF_ORDERS = 60
_RATE_OF_BATCHES = 300
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("exchange_os.api")

# Path: what answers, and how many in two seconds from one address.
PUBLIC: dict[str, tuple[Public, int]] = {
    "public/time": (market.time_now, 10),
    "public/instruments": (market.instruments, 20),
    "public/mark-price": (market.mark_price, 10),
    "public/funding-rate": (perpetual.funding_rate, 10),
    "public/funding-rate-history": (perpetual.funding_history, 10),
    "public/open-interest": (perpetual.open_interest, 10),
    "public/position-tiers": (perpetual.position_tiers, 10),
    "public/insurance-fund": (market.insurance_fund, 10),
    "market/ticker": (market.ticker, 20),
    "market/tickers": (market.tickers, 20),
    "market/books": (market.books, 40),
    "market/trades": (market.trades, 100),
    "market/candles": (market.candles, 40),
    "market/history-candles": (market.candles, 20),
    "market/index-tickers": (market.index_tickers, 20),
    "system/status": (market.status, 10),
}
# Path: what answers, and how many in two seconds of one account. All need the scope read.
PRIVATE: dict[str, tuple[Private, int]] = {
    "account/config": (account.config, 5),
    "account/balance": (account.balance, 10),
    "account/positions": (account.positions, 10),
    "account/leverage-info": (account.leverage_info, 20),
    "account/trade-fee": (account.trade_fee, 5),
    "account/max-avail-size": (account.max_available, 20),
    "account/instruments": (account.account_instruments, 20),
    "trade/order": (orders.order, 60),
    "trade/orders-pending": (orders.pending, 60),
    "trade/order-algo": (algo.order, 20),
    "trade/orders-algo-pending": (algo.pending, 20),
    "trade/orders-algo-history": (algo.history, 20),
    "trade/orders-history": (orders.history, 40),
    "trade/orders-history-archive": (orders.history, 20),
    "trade/fills": (orders.fills, 60),
    "trade/fills-history": (orders.fills, 10),
}
PUBLIC |= reference.ENDPOINTS
PUBLIC |= {path: (each.answer, each.often) for path, each in v1.PUBLIC.items()}
PRIVATE |= own.ENDPOINTS | asset.READING | sub_accounts.READING
PUBLIC |= past_markets.PUBLIC
PRIVATE |= past_markets.PRIVATE
PRIVATE |= {path: (each.answer, each.often) for path, each in v1.PRIVATE.items()}

# These need the scope trade.
SETTINGS: dict[str, tuple[Private, int]] = {
    "account/set-leverage": (account.set_leverage, 20),
    "account/set-position-mode": (account.set_position_mode, 5),
    "trade/order-precheck": (precheck.order_precheck, 5),
}
SINGLE: dict[str, Single] = {
    "trade/order": placing.place,
    "trade/cancel-order": placing.cancel,
    "trade/amend-order": placing.amend,
}
BATCHES: dict[str, Single] = {
    "trade/batch-orders": placing.place,
    "trade/cancel-batch-orders": placing.cancel,
    "trade/amend-batch-orders": placing.amend,
}

SWEEPING: dict[str, tuple[Sweep, int]] = {
    "trade/order-algo": (algo.place, 20),
    "trade/mass-cancel": (sweeping.mass_cancel, 5),
    "trade/cancel-all-after": (sweeping.cancel_all_after, 2),
    "trade/close-position": (sweeping.close_position, 20),
}
ALGO_BATCHES: dict[str, Any] = {"trade/cancel-algos": algo.cancel, "trade/amend-algos": algo.amend}
MOVING: dict[str, tuple[Sweep, int, str]] = {**asset.CHANGING, **sub_accounts.CHANGING}
"""With the scope that each needs."""
CHANGES = v1_changes.KEYED
_CHANGING = frozenset({*ALGO_BATCHES, *SETTINGS, *SINGLE, *BATCHES, *SWEEPING, *MOVING})

DESK = web.AppKey("desk", Desk)
_RATES = web.AppKey("rates", Rates)
HUB = web.AppKey("hub", Hub)
_CHORES = web.AppKey("chores", asyncio.Task[None])


def application(
    exchange: Exchange, keys: Keys, *, limits: bool = True, history: History | None = None
) -> web.Application:
    """The application that serves one exchange. `limits=False` takes the rate limits away, for tests."""
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.router.add_get("/api/v1/openapi.json", openapi.serve)
    app[DESK] = Desk(exchange, keys)
    app[DESK].history = history
    app[_RATES] = Rates(enabled=limits)
    app[HUB] = Hub(app[DESK], app[_RATES])
    for place in _PLACES:
        app.router.add_get(_SOCKETS + place, _socket)
    app.router.add_route("*", "/{path:.*}", _handle)

    async def start(app: web.Application) -> None:
        app[DESK].intake.start()
        app[HUB].start()
        app[_CHORES] = asyncio.create_task(chores(app[DESK]))

    async def close(app: web.Application) -> None:
        app[_CHORES].cancel()
        app[DESK].intake.close()
        app[DESK].limits.write()

    async def hang_up(app: web.Application) -> None:
        await app[HUB].close()

    app.on_shutdown.append(hang_up)
    app.on_startup.append(start)
    app.on_cleanup.append(close)
    return app


async def _socket(request: web.Request) -> web.StreamResponse:
    """A WebSocket; a plain request to its path is told so."""
    if request.headers.get("upgrade", "").lower() != "websocket":
        return _envelope("50404", "This path speaks WebSocket.", [], 404)
    session = Session(request.app[HUB], request, request.path.removeprefix(_SOCKETS))
    try:
        request.app[HUB].enter(session)
    except Refused as refused:
        return _envelope(refused.code, refused.message, [], refused.status)
    return await session.run()


async def _handle(request: web.Request) -> web.Response:
    """Every request; whatever goes wrong becomes a code and a sentence."""
    try:
        async with asyncio.timeout(BODY_S):
            body = await request.read()
        with decimal.localcontext(prec=_DIGITS):  # sums and products of 128-bit numbers stay exact
            code, data = await _answer(request, body)
    except Refused as refused:
        return _envelope(refused.code, refused.message, [], refused.status)
    except TimeoutError:
        late = _envelope("50004", f"The body did not come within {BODY_S:g} seconds.", [], 408)
        late.force_close()
        return late
    except web.HTTPRequestEntityTooLarge:
        return _envelope("51000", f"The body is longer than {BODY_BYTES_MAX} bytes.", [], 413)
    except Error as error:
        code, message = code_of(error)
        if not isinstance(error, Rejected) and code == "50001":
            _log.error("the exchange refused: %s", error)
            return _envelope(code, message, [], 503)
        return _envelope(code, message, [])
    except Exception:  # noqa: BLE001 - a client gets no stack trace, the log does
        _log.exception("request to %s", request.path)
        return _envelope("50026", "System error, please try again later.", [], 500)
    return _envelope(code, "", data)


async def _answer(request: web.Request, body: bytes) -> tuple[str, list[Any]]:
    """Code and rows of a request."""
    path, method = request.path.removeprefix(_ROOT), request.method
    desk, rates, address = request.app[DESK], request.app[_RATES], request.remote or ""
    if method == "GET" and path in PUBLIC:
        answer, often = PUBLIC[path]
        rates.take(path, address, often)
        return "0", answer(desk, dict(request.query))
    if method == "GET" and path in PRIVATE:
        key = _key(request, body, "read")
        private, often = PRIVATE[path]
        rates.take(path, key.account, often)
        return "0", private(desk, key, dict(request.query))
    if method == "POST" and path in v1_changes.OPEN:
        opened = v1_changes.OPEN[path]
        rates.take(path, address, opened.often)
        return "0", await opened.answer(desk, NOBODY, _typed(opened, body))
    if method == "POST" and path in CHANGES:
        keyed = CHANGES[path]
        key = _key(request, body, *keyed.scopes)
        rates.take(path, key.account, keyed.often)
        return "0", await keyed.answer(desk, key, _typed(keyed, body))
    if method != "POST" or path not in _CHANGING:
        raise Refused("50404", f"No endpoint {method} {request.path[:100]}.", 404)
    key = _key(request, body, MOVING[path][2] if path in MOVING else "trade")
    given = _content(body)
    if path in MOVING:
        moving, often, _ = MOVING[path]
        rates.take(path, key.account, often)
        return "0", await moving(desk, key, _object(given))
    if path in BATCHES:
        many = given if isinstance(given, list) else [given]
        rates.take(path, key.account, _RATE_OF_BATCHES, max(1, len(many)))
        return await placing.batch(BATCHES[path], desk, key, [_object(each) for each in many])
    if path in ALGO_BATCHES:
        many = given if isinstance(given, list) else [given]
        rates.take(path, key.account, 20, max(1, len(many)))
        return await ALGO_BATCHES[path](desk, key, [_object(each) for each in many])  # type: ignore[no-any-return]
    if path in SINGLE:
        rates.take(path, key.account, _RATE_OF_ORDERS)
        return await placing.batch(SINGLE[path], desk, key, [_object(given)])
    if path in SWEEPING:
        sweep, often = SWEEPING[path]
        rates.take(path, key.account, often)
        return "0", await sweep(desk, key, _object(given))
    change, often = SETTINGS[path]
    rates.take(path, key.account, often)
    return "0", change(desk, key, _object(given))


def _key(request: web.Request, body: bytes, *scopes: str) -> Key:
    """Of a signed request or of a session; one of the scopes is needed."""
    desk, said = request.app[DESK], request.headers.get("Authorization", "")
    if said.startswith(_BEARER):
        return permitted(desk.identity.session_key(said.removeprefix(_BEARER)), scopes)
    asked = request.method, request.raw_path, body, request.remote or ""
    key = authenticate(desk.keys, request.headers, *asked, scopes)
    check_environment(desk, key, request.headers)
    return key


def _typed(change: v1_changes.Change, body: bytes) -> Any:
    return v1_changes.body_of(change, _object(_content(body)) if body else {})


def _content(body: bytes) -> Any:
    if not body:
        raise Refused("50000", "Body can not be empty.", 400)
    try:
        return DECODE(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("50002", f"JSON syntax error: {error}", 400) from None


def _object(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise Refused("50002", f"JSON data format error: a {type(given).__name__}, expected an object.", 400)
    return given


def _envelope(code: str, message: str, data: list[Any], status: int = 200) -> web.Response:
    body = _encode({"code": code, "msg": message, "data": data})
    return web.Response(body=body, status=status, content_type="application/json")
