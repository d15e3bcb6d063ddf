"""One WebSocket to one path: it connects again by itself, logs in, and subscribes again to what it had."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from exchange_os.client.public.calls import Signer
from exchange_os.errors import ApiRefused, ApiUnavailable, InvalidArgument

GAP = object()
"""Stands in a queue where messages may be missing: after a reconnection, or when too many waited."""
WAITING_MAX = 10_000
_PING_S = 15.0
_SILENT_S = 40.0
_WAIT_S, _WAIT_MAX_S = 0.1, 10.0
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
Arg = Mapping[str, Any]
_BROKEN = (aiohttp.ClientError, OSError, TimeoutError, TypeError, msgspec.DecodeError)
"""Also what is no text, and no JSON: another connection may be better."""


class Subscribed:
    """Messages of one argument, in order. `number` names it to the server, which repeats it in a refusal."""

    def __init__(self, arg: Arg, number: int) -> None:
        self.arg, self.number = arg, number
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    def put(self, message: Any) -> None:
        """When too much waits it is all dropped, and a gap stands in its place."""
        if self._queue.qsize() >= WAITING_MAX:
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(GAP)
        self._queue.put_nowait(message)

    async def get(self) -> Any:
        found = await self._queue.get()
        if isinstance(found, Exception):
            raise found
        return found


class Line:
    """A connection to public, private or business."""

    def __init__(self, url: str, signer: Signer, *, private: bool, retries: int) -> None:
        self._url, self._signer, self._private, self._retries = url, signer, private, retries
        self._subscribed: dict[bytes, Subscribed] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._task: asyncio.Task[None] | None = None
        self._count = 0

    async def subscribe(self, arg: Arg) -> Subscribed:
        """From now on its messages; a line that is not open yet is opened."""
        exact = _encode(arg)
        if exact in self._subscribed:
            raise InvalidArgument(f"{exact.decode()} is watched already")
        self._count += 1
        found = self._subscribed[exact] = Subscribed(arg, self._count)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        elif self._socket is not None:
            found.put(GAP)
            await self._ask("subscribe", found)
        return found

    async def again(self, found: Subscribed) -> None:
        """Leaves and subscribes anew, which brings a new snapshot."""
        await self._ask("unsubscribe", found)
        await self._ask("subscribe", found)

    async def unsubscribe(self, found: Subscribed) -> None:
        if self._subscribed.pop(_encode(found.arg), None) is not None:
            await self._ask("unsubscribe", found)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _ask(self, operation: str, found: Subscribed) -> None:
        """What is not sent because the line is down is made good when it is up again."""
        message = {"id": str(found.number), "op": operation, "args": [found.arg]}
        if self._socket is not None and not self._socket.closed:
            try:
                await self._socket.send_str(_encode(message).decode())
            except (ConnectionError, aiohttp.ClientError):
                return

    async def _run(self) -> None:
        """Patient once it was connected: before that, after some attempts, it says that nobody answers."""
        failures, was_up = 0, False
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.ws_connect(self._url, max_msg_size=0) as socket:
                        await self._begin(socket)
                        failures, was_up = 0, True
                        await self._listen(socket)
                        why = "the server closed the connection"
                except ApiRefused as refused:
                    self._end(refused)
                    return
                except _BROKEN as error:
                    why = f"{type(error).__name__}: {error}"
                finally:
                    self._socket = None
                failures += 1
                if failures > self._retries and not was_up:
                    self._end(ApiUnavailable(f"{self._url} after {failures} attempts: {why}"))
                    return
                await asyncio.sleep(min(_WAIT_S * 2 ** (failures - 1), _WAIT_MAX_S))

    async def _begin(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        if self._private:
            await socket.send_str(_encode({"op": "login", "args": [self._signer.login()]}).decode())
            said = _decode(await socket.receive_str(timeout=_SILENT_S))
            if said.get("event") != "login":
                raise ApiRefused(str(said.get("msg")), str(said.get("code")), 200)
        self._socket = socket
        for each in list(self._subscribed.values()):
            each.put(GAP)
            await self._ask("subscribe", each)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Until it ends. It says something in a short silence, and gives up in a long one."""
        silent_s = 0.0
        while silent_s < _SILENT_S:
            try:
                message = await socket.receive(timeout=_PING_S)
            except TimeoutError:
                silent_s += _PING_S
                await socket.send_str("ping")
                continue
            silent_s = 0.0
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            if message.data != "pong":
                self._hear(_decode(message.data))

    def _hear(self, said: dict[str, Any]) -> None:
        if said.get("event") == "error":
            refused = ApiRefused(str(said.get("msg")), str(said.get("code")), 200)
            for exact, each in list(self._subscribed.items()):
                if str(said.get("id")) == str(each.number):
                    each.put(refused)
                    del self._subscribed[exact]
        elif "data" in said and (found := self._subscribed.get(_encode(said["arg"]))) is not None:
            found.put(said)

    def _end(self, error: Exception) -> None:
        for each in self._subscribed.values():
            each.put(error)
        self._task = None
