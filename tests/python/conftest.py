"""A small exchange in memory: spot, a perpetual, a question, two rich accounts."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal

import pytest

import exchange_os as xos
from exchange_os.markets import Loaded, loads

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


@pytest.fixture
def exchange(market: Loaded) -> Iterator[xos.Exchange]:
    with fill(xos.open(), market) as filled:
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
