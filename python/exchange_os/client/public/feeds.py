"""A stream for plain programs: the asynchronous one runs in a thread of its own."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from exchange_os.client.public.async_client import AsyncClient

if TYPE_CHECKING:
    from typing import Self

    from exchange_os.client.public.options import Access

T = TypeVar("T")
_WAITING_MAX = 10_000
_END = object()


class Feed(Generic[T]):
    """Iterate over it; it ends when it is closed, or raises what ended the stream.

    The newest 10,000 wait for a program that is slow; then the stream itself waits, and catches up as after a
    break.
    """

    def __init__(self, url: str, access: Access, begin: Callable[[AsyncClient], AsyncIterator[T]]) -> None:
        """`begin` starts a stream of a client; use the `watch_` methods of `Client`."""
        self._queue: queue.Queue[Any] = queue.Queue(_WAITING_MAX)
        self._closed = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._work, args=(url, access, begin), daemon=True)
        self._thread.start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        found = self.next()
        assert found is not None
        return found

    def next(self, timeout_s: float | None = None) -> T | None:
        """The next one; None if none came in time. `StopIteration` after the end."""
        if self._closed.is_set():
            raise StopIteration
        try:
            found = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if found is _END:
            self._closed.set()
            raise StopIteration
        if isinstance(found, Exception):
            self._closed.set()
            raise found
        return found  # type: ignore[no-any-return]

    def close(self) -> None:
        """Unsubscribes and ends the thread."""
        self._closed.set()
        if self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)
        while self._thread.is_alive():
            try:  # it may wait for room
                self._queue.get_nowait()
            except queue.Empty:
                self._thread.join(0.05)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self, url: str, access: Access, begin: Callable[[AsyncClient], AsyncIterator[T]]) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._follow(url, access, begin))
            except asyncio.CancelledError:
                pass
            except Exception as error:  # noqa: BLE001 - whoever iterates gets it
                self._queue.put(error)
        self._queue.put(_END)

    async def _follow(
        self, url: str, access: Access, begin: Callable[[AsyncClient], AsyncIterator[T]]
    ) -> None:
        self._task = asyncio.current_task()
        async with AsyncClient(url, **access) as client:
            async for each in begin(client):
                await asyncio.to_thread(self._queue.put, each)
