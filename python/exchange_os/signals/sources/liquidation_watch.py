"""Liquidations as venues tell them, through ccxt's WebSocket clients: the table `liquidations`.

What arrives is collected in a thread of its own; `take` gives what is new. A venue tells liquidations at
its own pace and not always all (Binance one a symbol and second), and nothing of the time in which the line
was down: a line that broke is named as a silence, and opened again.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl

from exchange_os.errors import InvalidArgument
from exchange_os.signals.market_data import MarketData, conform
from exchange_os.signals.sources.ccxt_source import Address, CcxtSource, Silence, market_of, now_ms
from exchange_os.signals.sources.dialects import liquidation_row, number
from exchange_os.signals.sources.recorder_round import Answers

KEPT = 10_000
"""Messages of a venue that ccxt keeps until they are taken."""
_AGAIN_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
_REMEMBERED = 100_000


class LiquidationWatch:
    """Subscribed from `start` until `close`. `made` gives ready clients instead of ccxt's own."""

    def __init__(
        self,
        venues: Sequence[Address],
        symbols: Sequence[str],
        *,
        made: Callable[[Address], Any] | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._venues, self._symbols = tuple(venues), tuple(symbols)
        self._made = made or _client
        self._clock = clock
        self._clients: list[tuple[Address, Any, dict[str, tuple[str, float]]]] = []
        self._silences: list[Silence] = []
        self._seen: dict[tuple[str, str], None] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="liquidations", daemon=True)
        self._stop: asyncio.Event

    def start(self) -> None:
        ready = threading.Event()
        self._ready = ready
        self._thread.start()
        ready.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def take(self) -> Answers:
        """Rows that came since the last call, and lines that broke. A row is received when it is taken."""
        return asyncio.run_coroutine_threadsafe(self._take(), self._loop).result()

    # --- in the thread of the loop ---

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._watch())
        self._loop.close()

    async def _watch(self) -> None:
        self._stop = asyncio.Event()
        self._ready.set()
        tasks = [asyncio.create_task(self._venue(address)) for address in self._venues]
        await self._stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _, client, _ in self._clients:
            await client.close()

    async def _venue(self, address: Address) -> None:
        """Markets once, then a line for each symbol; one that breaks is opened again after a while."""
        client = self._made(address)
        names: dict[str, tuple[str, float]] = {}
        self._clients.append((address, client, names))
        for wait_s in _longer():
            try:
                await client.load_markets()
                break
            except Exception as error:  # noqa: BLE001 -- whatever a venue does, the others are watched
                self._say(address, error)
                await asyncio.sleep(wait_s)
        if not client.has.get("watchLiquidations"):
            self._silences.append(Silence(address.venue, "liquidations", "it does not offer them"))
            return
        for symbol in self._symbols:
            market = market_of(client.markets, address, symbol)
            if market is not None:
                names[market["symbol"]] = symbol, number(market.get("contractSize")) or 1.0
        await asyncio.gather(*(self._line(address, client, name) for name in names))

    async def _line(self, address: Address, client: Any, name: str) -> None:
        waits = _longer()
        while True:
            try:
                await client.watch_liquidations(name)
                waits = _longer()
            except Exception as error:  # noqa: BLE001 -- as above
                self._say(address, error)
                await asyncio.sleep(next(waits))

    def _say(self, address: Address, error: Exception) -> None:
        why = f"{type(error).__name__}: {error}"
        self._silences.append(Silence(address.venue, "liquidations", why))

    async def _take(self) -> Answers:
        rows, received_ms = [], self._clock()
        for address, client, names in self._clients:
            for liquidation in list(client.liquidations or ()):
                if liquidation["symbol"] not in names:
                    continue
                symbol, size = names[liquidation["symbol"]]
                for message in _messages(liquidation.get("info") or {}):
                    key = (address.venue, json.dumps(message, sort_keys=True))
                    if key in self._seen:
                        continue
                    self._seen[key] = None
                    row = liquidation_row(
                        address.exchange, symbol, message, contract_size=size, received_ms=received_ms
                    )
                    rows.append({**row, "venue": address.venue, "source": f"ccxt {liquidation['symbol']}"})
        while len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        silences, self._silences = tuple(self._silences), []
        if not rows:
            return Answers(MarketData(), silences)
        frame = conform("liquidations", pl.DataFrame(rows, infer_schema_length=None))
        return Answers(MarketData(liquidations=frame), silences)


@contextmanager
def watching(
    sources: Sequence[CcxtSource], symbols: Sequence[str], *, on: bool
) -> Iterator[Callable[[], Answers]]:
    """What takes what was heard; while not `on`, nothing is."""
    if not on:
        yield lambda: Answers(MarketData(), ())
        return
    watch = LiquidationWatch([source.address for source in sources], symbols)
    watch.start()
    try:
        yield watch.take
    finally:
        watch.close()


def _longer() -> Iterator[float]:
    yield from _AGAIN_S
    while True:
        yield _AGAIN_S[-1]


def _messages(info: dict[str, Any]) -> list[dict[str, Any]]:
    """OKX puts several liquidations into one row, of which ccxt reads the first."""
    details = info.get("details")
    return [each for each in details if isinstance(each, dict)] if isinstance(details, list) else [info]


def _client(address: Address) -> Any:
    try:
        from ccxt import pro  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise InvalidArgument("outside exchanges need ccxt: install exchange-os[signals]") from error
    if address.exchange not in pro.exchanges:
        raise InvalidArgument(f"ccxt has no WebSocket client of '{address.exchange}'")
    client = getattr(pro, address.exchange)({"newUpdates": False, "options": {"liquidationsLimit": KEPT}})
    if address.url is not None:
        client.urls["api"] = {"rest": address.url, "ws": "ws" + address.url.removeprefix("http") + "/ws/v5"}
    return client
