"""A server in this process with a spot market, and its operator's connection."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import exchange_os as xos
from exchange_os.server import KeyFile, Node

SECRET = b"a secret of sufficient length"
FREE = (0, 1)
OPTIONS = {"session_rate": FREE, "account_rate": FREE, "address_rate": FREE, "tick_ms": 0}


def keys() -> KeyFile:
    return KeyFile(
        [
            ("operator", True, SECRET, ["operate"], None),
            ("anna", True, SECRET, ["trade"], b"anna".ljust(32, b"\0")),
            ("bert", True, SECRET, ["trade"], b"bert".ljust(32, b"\0")),
        ]
    )


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    exchange = xos.open(tmp_path / "data", segment_bytes=8 << 20)
    with Node(exchange, keys(), address="127.0.0.1:0", options=OPTIONS) as node:
        yield node
    exchange.close()


@pytest.fixture
def market() -> Path:
    return Path(xos.markets.__file__).parent / "templates" / "spot.toml"


@pytest.fixture
def operator(node: Node, market: Path) -> Iterator[xos.Exchange]:
    """Two accounts, each with money, of Anna and of Bert."""
    with xos.connect(node.address, key="operator", secret=SECRET) as exchange:
        exchange.deploy(market)
        for owner in ("anna", "bert"):
            account = exchange.open_account(owner)
            exchange.deposit(account, "USDC", 1_000_000)
            exchange.deposit(account, "ETH", 100)
        yield exchange
