"""An exchange for asyncio: methods are awaited, calls run one after the other in a thread of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

    from exchange_os.exchange import Exchange


class AsyncExchange:
    """`await exchange.place(...)` is `exchange.place(...)` without holding up the event loop.

    Properties are awaited through `get`: `await exchange.get("sequence")`.
    """

    def __init__(self, exchange: Exchange, thread: ThreadPoolExecutor) -> None:
        """Use `over`, or `connect_async`."""
        self._exchange = exchange
        self._thread = thread

    @classmethod
    async def over(cls, make: Callable[[], Exchange]) -> Self:
        """Around the exchange that `make` opens or connects to, in the thread of its own."""
        thread = ThreadPoolExecutor(1, "xos-async")
        try:
            exchange = await asyncio.get_running_loop().run_in_executor(thread, make)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(exchange, thread)

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        if name.startswith("_") or not callable(getattr(type(self._exchange), name, None)):
            raise AttributeError(f"an exchange has no method {name!r}")

        async def call(*arguments: Any, **named: Any) -> Any:
            def work() -> Any:
                return getattr(self._exchange, name)(*arguments, **named)

            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

        return call

    async def get(self, name: str) -> Any:
        """The value of a property."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: getattr(self._exchange, name))

    async def close(self) -> None:
        """Hangs up."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._exchange.close)
        self._thread.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
