"""An API over an exchange in memory, on a free port of the loopback, in a thread of its own."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

import exchange_os as xos
from exchange_os.api import Key, Keys, application
from exchange_os.api.server import DESK, HUB
from exchange_os.api.serving import Runner
from exchange_os.api.signing import signature
from exchange_os.client.pipelined import connect_pipelined
from exchange_os.control import Database
from exchange_os.history import History
from exchange_os.server import KeyFile, Node

SECRET = b"a secret of sufficient length"
KEYS = KeyFile([("operator", True, SECRET, ["operate"], None)])
_FREE = (0, 1)
OPTIONS = {"session_rate": _FREE, "account_rate": _FREE, "address_rate": _FREE, "tick_ms": 0}
both_faces = pytest.mark.parametrize("server", ["inside", "wire"], indirect=True)
"""Marks tests that have to hold for an exchange in the process and for one behind a node."""

MARKETS = """
[[asset]]
symbol = "USDC"
decimals = 6

[[asset]]
symbol = "ETH"
decimals = 18

[[instrument]]
symbol = "ETH-USDC"
product = "spot"
base = "ETH"
quote = "USDC"
tick_size = "0.01"
lot_size = "0.0001"
price_max = "100000"
qty_max = "1000"
notional_min = "1"
notional_max = "2000000"
fees = { maker_ppm = 200, taker_ppm = 500 }

[[instrument]]
symbol = "ETH-USDC-SWAP"
product = "perpetual"
tick_size = "0.01"
lot_size = "0.001"
price_max = "100000"
qty_max = "500"
notional_max = "1000000"
position_max = "2000"
initial_margin_ppm = 100_000
maintenance_margin_ppm = 50_000
fees = { maker_ppm = 0, taker_ppm = 500 }
"""


class Server:
    """The address of a running API, and what stands behind it."""

    def __init__(
        self,
        *,
        limits: bool = False,
        reopened: xos.Exchange | None = None,
        history: History | None = None,
        database: Database | None = None,
        wire: bool = False,
    ) -> None:
        """`wire`: the exchange is served by a node, and the API speaks to it."""
        self.exchange, self.node = reopened or xos.open(), None
        if wire:
            self.node = Node(self.exchange, KEYS, address="127.0.0.1:0", options=OPTIONS)
            self.exchange = xos.connect(self.node.address, key="operator", secret=SECRET)
        if reopened is None:
            self._fill()
        if self.node is not None:
            self.exchange.close()
            self.exchange = connect_pipelined(self.node.address, key="operator", secret=SECRET)
        self.accounts = [1, 2]
        self._limits, self._started, self._history = limits, threading.Event(), history
        self._database = database
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        self._started.wait()

    def _fill(self) -> None:
        self.exchange.deploy(xos.markets.loads(MARKETS))
        self.exchange.set_mark("ETH-USDC-SWAP", "2000")
        for account in [self.exchange.open_account(name) for name in ("ann", "bob")]:
            self.exchange.deposit(account, "USDC", 100_000)
            self.exchange.deposit(account, "ETH", 100)

    async def _serve(self) -> None:
        self.keys = Keys(self._database)
        self.ann, self.bob = (self.keys.create(account) for account in self.accounts)
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = application(self.exchange, self.keys, limits=self._limits, history=self._history)
        self.desk, self.hub = app[DESK], app[HUB]
        runner = Runner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()
        self.keys.close()

    def new_key(self, **options: Any) -> Key:
        """A key of the first account, made in the thread of the database."""
        made: Key = self.run(lambda: self.keys.create(self.accounts[0], **options))
        return made

    def run(self, work: Callable[[], Any]) -> Any:
        """What a coroutine or a plain call gives in the thread of the server."""

        async def inside() -> Any:
            found = work()
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self.exchange.close()
        if self.node is not None:
            self.node.stop().close()

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and decoded answer of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body or None, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def signed(
        self, key: Key, method: str, path: str, content: Any = None, **changed: str
    ) -> tuple[int, Any]:
        """One request with the signature of a key; `content` is encoded unless it is bytes."""
        plain = json.dumps(content).encode() if not isinstance(content, bytes) else content
        body = b"" if content is None else plain
        return self.send(method, path, body, headers_of(key, method, path, body) | changed)


def headers_of(key: Key, method: str, path: str, body: bytes = b"", timestamp: str = "") -> dict[str, str]:
    timestamp = timestamp or datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = f"{timestamp}{method}{path}".encode() + body
    return {
        "OK-ACCESS-KEY": key.name,
        "OK-ACCESS-PASSPHRASE": key.passphrase,
        "OK-ACCESS-TIMESTAMP": timestamp,
        "OK-ACCESS-SIGN": signature(key.secret, text),
    }


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Any:
    """The exchange is in the process of the API, or with `both_faces` also behind a node."""
    running = Server(wire=getattr(request, "param", "inside") == "wire")
    yield running
    running.close()


@pytest.fixture
def limited_server() -> Any:
    running = Server(limits=True)
    yield running
    running.close()
