"""One WebSocket connection: what it may say, what it is told, and how much may wait for it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import WSMsgType, web

from exchange_os.api import placing
from exchange_os.api.codes import BODY_BYTES_MAX, Refused, code_of
from exchange_os.api.keys import Key
from exchange_os.api.numbers import DECODE
from exchange_os.api.signing import login
from exchange_os.api.sweeping import mass_cancel
from exchange_os.errors import Error

if TYPE_CHECKING:
    from exchange_os.api.channels import Hub

IDLE_S = 30
SUBSCRIPTIONS_MAX = 480
SESSIONS_MAX = 4_096
ARG_BYTES_MAX = 1_024
BACKLOG_BYTES_MAX = 4 * 2**20
"""One that reads more slowly than it subscribed is cut when so much waits for it."""
_UNDERWAY_MAX = 64
_RATE_OF_ORDERS, _RATE_OF_BATCHES = 60, 300
_encode = msgspec.json.Encoder().encode
Arg = Mapping[str, Any]

_PREPARES = {
    "order": placing.place,
    "batch-orders": placing.place,
    "cancel-order": placing.cancel,
    "batch-cancel-orders": placing.cancel,
    "amend-order": placing.amend,
    "batch-amend-orders": placing.amend,
}


class Session:
    """One connection. `place` is public, private or business."""

    def __init__(self, hub: Hub, request: web.Request, place: str) -> None:
        self.hub, self.place = hub, place
        self.key: Key | None = None
        self.name = secrets.token_hex(4)
        self.subscriptions: dict[bytes, tuple[Any, ...]] = {}
        """What it subscribed to: the argument as it came, and its topic."""
        self._request = request
        self._socket = web.WebSocketResponse(
            max_msg_size=BODY_BYTES_MAX, receive_timeout=IDLE_S, heartbeat=None
        )
        self._waiting: deque[bytes | None] = deque()
        self._latest: dict[object, int] = {}
        self._waiting_bytes = 0
        self._taken = 0
        self._came = asyncio.Event()
        self._underway: set[asyncio.Task[None]] = set()

    async def run(self) -> web.WebSocketResponse:
        """Until the other side hangs up, is silent for too long or is cut."""
        await self._socket.prepare(self._request)
        writing = asyncio.create_task(self._write())
        try:
            async for message in self._messages():
                await self._hear(message)
        finally:
            self.hub.leave(self)
            writing.cancel()
            for task in self._underway:
                task.cancel()
            await self._socket.close()
        return self._socket

    async def _messages(self) -> Any:
        while True:
            try:
                message = await self._socket.receive()
            except TimeoutError:
                return
            if message.type is WSMsgType.TEXT:
                yield message.data
            elif message.type is WSMsgType.BINARY:
                self.refuse("60012", "Illegal request: a binary message, expected text.")
            else:
                return

    async def hang_up(self) -> None:
        """After what waits was sent."""
        while self._waiting and not self._socket.closed:
            await asyncio.sleep(0)
        await self._socket.close()

    # --- what it is told ---

    def push(self, message: bytes, latest: object = None) -> None:
        """Queues a message. One that replaces its forerunner (`latest` names what it is about) takes its
        place if that still waits."""
        at = self._latest.get(latest, -1) - self._taken if latest is not None else -1
        if at >= 0:
            before = self._waiting[at]
            self._waiting_bytes += len(message) - len(before or b"")
            self._waiting[at] = message
        else:
            if latest is not None:
                self._latest[latest] = self._taken + len(self._waiting)
            self._waiting.append(message)
            self._waiting_bytes += len(message)
        if self._waiting_bytes > BACKLOG_BYTES_MAX:
            self._waiting.clear()
            self._waiting_bytes = 0
            self.hub.leave(self)
            if self._request.transport is not None:
                self._request.transport.abort()
        self._came.set()

    async def _write(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                message = self._waiting.popleft()
                self._taken += 1
                self._waiting_bytes -= len(message or b"")
                if not self._waiting:
                    self._latest.clear()
                try:
                    await self._socket.send_str((message or b"").decode())
                except ConnectionError:
                    return

    def say(self, **words: Any) -> None:
        self.push(_encode(words))

    def refuse(self, code: str, message: str, request_id: str | None = None) -> None:
        named = {} if request_id is None else {"id": request_id}
        self.say(event="error", code=code, msg=message, connId=self.name, **named)

    # --- what it says ---

    async def _hear(self, message: str) -> None:
        if message in {"ping", '"ping"'}:
            self.push(b"pong")
            return
        try:
            said = DECODE(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            said = None
        operation = said.get("op") if isinstance(said, dict) else None
        if not isinstance(said, dict) or not isinstance(operation, str):
            self.refuse("60012", "Illegal request: expected an object with op and args.")
            return
        given = said.get("args")
        args: list[Arg] = (
            [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
        )
        named = said.get("id")
        request_id = str(named)[:32] if isinstance(named, str | int) else None
        if operation in _PREPARES or operation == "mass-cancel":
            await self._order(operation, request_id, given, args)
        elif not isinstance(given, list) or not args or len(args) != len(given):
            self.refuse("60013", "Invalid args: expected a list of objects.", request_id)
        elif operation == "login":
            self._log_in(args[0], request_id)
        elif operation in {"subscribe", "unsubscribe"}:
            for arg in args:
                self._subscribe(operation, arg, request_id)
        else:
            self.refuse("60019", f"Invalid op: {operation[:40]}.", request_id)

    def _log_in(self, arg: Arg, request_id: str | None) -> None:
        try:
            self.key = login(self.hub.desk.keys, arg, self._request.remote or "")
        except Refused as refused:
            self.refuse(refused.code, refused.message, request_id)
            return
        self.say(event="login", code="0", msg="", connId=self.name)

    def _subscribe(self, operation: str, arg: Arg, request_id: str | None) -> None:
        exact = _encode(arg)
        if len(exact) > ARG_BYTES_MAX:
            self.refuse(
                "60013", f"Invalid args: {len(exact)} bytes; the most is {ARG_BYTES_MAX}.", request_id
            )
            return
        named = {} if request_id is None else {"id": request_id}
        if operation == "unsubscribe":
            self.hub.unsubscribe(self, exact)
            self.say(event=operation, arg=arg, connId=self.name, **named)
            return
        try:
            if exact not in self.subscriptions and len(self.subscriptions) >= SUBSCRIPTIONS_MAX:
                raise Refused("60014", f"Requests too frequent: {SUBSCRIPTIONS_MAX} subscriptions stand.")
            topic = self.hub.topic(self, arg)
        except (Refused, Error) as error:
            code, why = (error.code, error.message) if isinstance(error, Refused) else code_of(error)
            known = {"51001": "60018", "51000": "60013", "50014": "60013"}
            self.refuse(known.get(code, code), why, request_id)
            return
        self.say(event=operation, arg=arg, connId=self.name, **named)
        self.hub.subscribe(self, topic, exact)

    # --- orders ---

    async def _order(self, operation: str, request_id: str | None, given: Any, args: list[Arg]) -> None:
        """Answers may overtake each other, commands do not: they are prepared in the order they come."""
        if len(self._underway) >= _UNDERWAY_MAX:
            await asyncio.wait(self._underway, return_when=asyncio.FIRST_COMPLETED)
        began = time.time_ns() // 1_000
        task = asyncio.create_task(self._execute(operation, request_id, given, args, began))
        self._underway.add(task)
        task.add_done_callback(self._underway.discard)

    async def _execute(
        self, operation: str, request_id: str | None, given: Any, args: list[Arg], began_us: int
    ) -> None:
        code, why, rows = "0", "", []
        try:
            key = self._trading(given, args)
            if operation == "mass-cancel":
                self.hub.rates.take(operation, key.account, 5)
                rows = await mass_cancel(self.hub.desk, key, args[0])
            else:
                batched = operation.startswith("batch")
                often = _RATE_OF_BATCHES if batched else _RATE_OF_ORDERS
                self.hub.rates.take(operation, key.account, often, len(args))
                code, rows = await placing.batch(_PREPARES[operation], self.hub.desk, key, args)
        except Refused as refused:
            code, why = refused.code, refused.message
        except Error as error:
            code, why = code_of(error)
        said = {"id": request_id or "", "op": operation, "code": code, "msg": why, "data": rows}
        self.push(_encode({**said, "inTime": str(began_us), "outTime": str(time.time_ns() // 1_000)}))

    def _trading(self, given: Any, args: list[Arg]) -> Key:
        if self.place != "private":
            raise Refused("64003", "Orders are taken on the path private.")
        if self.key is None:
            raise Refused("60011", "Please log in.")
        self.key = self.hub.desk.keys.find(self.key.name)
        if self.key is None:
            raise Refused("60009", "Login failed: the API key was revoked.")
        if "trade" not in self.key.scopes:
            raise Refused("50120", "This API key lacks the scope trade.")
        if self.key.expires_ms is not None and time.time_ns() // 1_000_000 >= self.key.expires_ms:
            raise Refused("50111", f"The API key ended at {self.key.expires_ms} ms.")
        if not isinstance(given, list) or len(args) != len(given) or not args:
            raise Refused("60013", "Invalid args: expected a list of objects.")
        return self.key


def account_of(session: Session) -> int:
    """Of a session that logged in to read."""
    if session.key is None:
        raise Refused("60011", "Please log in.")
    if "read" not in session.key.scopes:
        raise Refused("50120", "This API key lacks the scope read.")
    return session.key.account
