"""The interface over an exchange of this process, for as long as a `with` lasts: to try a bot against."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

from aiohttp import web

from exchange_os.api.keys import Key, Keys
from exchange_os.api.server import application

if TYPE_CHECKING:
    from typing import Self

    from exchange_os.client.public.options import Access
    from exchange_os.exchange import Exchange


class LocalApi:
    """Serves on a free port of the loopback, in a thread of its own; no limits of rate, keys in memory."""

    def __init__(self, exchange: Exchange) -> None:
        """Serves when it is entered."""
        self._exchange, self._ready = exchange, threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="xos-api", daemon=True
        )
        self.url = ""

    def access(self, account: int, **options: Any) -> Access:
        """What a client needs to trade for an account: `Client(api.url, **api.access(1))`.

        `options` are those of `Keys.create`.
        """
        key = asyncio.run_coroutine_threadsafe(self._key(account, options), self._loop).result()
        return {"key": key.name, "secret": key.secret.decode(), "passphrase": key.passphrase}

    async def _key(self, account: int, options: dict[str, Any]) -> Key:
        return self._keys.create(account, **options)

    async def _serve(self) -> None:
        self._loop, self._stop, self._keys = asyncio.get_running_loop(), asyncio.Event(), Keys()
        runner = web.AppRunner(application(self._exchange, self._keys, limits=False))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()
        self._keys.close()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
