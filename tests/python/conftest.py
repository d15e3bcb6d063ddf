"""A small exchange in memory: spot, a perpetual, a question, two rich accounts."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

import exchange_os as xos
from exchange_os.markets import Loaded, loads
from exchange_os.server import KeyFile, Node

MARKET = """
[[asset]]
symbol = "USDC"
decimals = 6

[[asset]]
symbol = "BTC"
decimals = 8

[[venue]]
symbol = "front"
fees = { maker_ppm = -100, taker_ppm = 400 }

[[instrument]]
symbol = "BTC-USDC"
product = "spot"
base = "BTC"
quote = "USDC"
tick_size = "0.1"
lot_size = "0.001"
price_max = "1000000"
qty_max = "1000"
notional_max = "100000000"
fees = { maker_ppm = 200, taker_ppm = 500 }
split = { protocol_ppm = 300_000, deployer_ppm = 200_000, venue_ppm = 400_000, insurance_ppm = 100_000 }

[[instrument]]
symbol = "BTC-PERP"
product = "perpetual"
tick_size = "0.5"
lot_size = "0.001"
price_max = "1000000"
qty_max = "1000"
notional_max = "100000000"
position_max = "10000"
initial_margin_ppm = 50_000
maintenance_margin_ppm = 25_000
fees = { maker_ppm = 0, taker_ppm = 500 }

[[question]]
symbol = "RACE"
text = "Which of three comes first in this test?"
outcomes = [
    { symbol = "RACE-A", name = "A" },
    { symbol = "RACE-B", name = "B" },
    { symbol = "RACE-C", name = "C" },
]
tick_size = "0.001"
lot_size = "1"
qty_max = "100000"
notional_max = "100000"
position_max = "1000000"
"""

WEALTH = {"USDC": 1_000_000, "BTC": 10}


@pytest.fixture(scope="session")
def market() -> Loaded:
    return loads(MARKET, "test.toml")


def fill(exchange: xos.Exchange, market: Loaded) -> xos.Exchange:
    exchange.deploy(market)
    for owner in ("alice", "bob"):
        account = exchange.open_account(owner)
        for asset, amount in WEALTH.items():
            exchange.deposit(account, asset, amount)
    exchange.set_mark("BTC-PERP", 50_000)
    return exchange


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test that says what time it is has no meaning over a connection."""
    try:
        yield
    except xos.InvalidArgument as error:
        if "a server stamps its log" in str(error):
            pytest.skip(f"{item.name}: a server stamps its log by its own clock")
        raise


@contextmanager
def served(folder: Path) -> Iterator[xos.Exchange]:
    """An empty exchange behind a server and a connection of its operator."""
    secret = b"a secret of sufficient length"
    free = (0, 1)
    options = {"session_rate": free, "account_rate": free, "address_rate": free, "tick_ms": 0}
    keys = KeyFile([("operator", True, secret, ["operate"], None)])
    exchange = xos.open(folder / "served", segment_bytes=8 << 20)
    with Node(exchange, keys, address="127.0.0.1:0", options=options) as node:
        yield xos.connect(node.address, key="operator", secret=secret)
    exchange.close()


@pytest.fixture
def exchange(market: Loaded, tmp_path: Path) -> Iterator[xos.Exchange]:
    # tests/server/test_same_face.py runs files of this folder over a connection, too.
    over_wire = "XOS_TESTS_OVER_WIRE" in os.environ
    way = served(tmp_path) if over_wire else xos.open()
    with way as opened, fill(opened, market) as filled:
        yield filled
        if not filled.closed:
            assert set(filled.conservation().values()) <= {Decimal(0)}


@pytest.fixture
def filled(market: Loaded) -> Callable[[xos.Exchange], xos.Exchange]:
    """Deploys and funds an exchange that a test opened its own way."""
    return lambda exchange: fill(exchange, market)


@pytest.fixture
def unmoved(exchange: xos.Exchange) -> Callable[[], AbstractContextManager[None]]:
    """What happens inside leaves the state hash as it was."""

    @contextmanager
    def watch() -> Iterator[None]:
        before = exchange.state_hash
        yield
        assert exchange.state_hash == before

    return watch
