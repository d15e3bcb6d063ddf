"""`xos population`: the traders of the demonstration on a running server."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

import click

from exchange_os.cli._connect import secret_of
from exchange_os.cli._numbers import FloatRange, IntRange
from exchange_os.cli._say import say_json

_SESSION = 80


@click.command(name="population")
@click.option("--server", default="127.0.0.1:7001", show_default=True, help="Address of the gateway.")
@click.option(
    "--keys",
    "key_path",
    default=Path("keys.toml"),
    show_default=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of keys with its secret.",
)
@click.option("--key", default="operator", show_default=True, help="Name of the key, which operates.")
@click.option(
    "--markets",
    default=Path("markets"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the market file that is deployed.",
)
@click.option("--seed", type=IntRange(0, 2**63 - 1), default=2026, show_default=True)
@click.option(
    "--steps",
    type=FloatRange(0, 50, min_open=True),
    default=1.0,
    show_default=True,
    help="How often a second prices move and everybody acts: some hundred commands each time.",
)
def command(server: str, key_path: Path, key: str, markets: Path, seed: int, steps: float) -> None:
    """Let a seeded population trade on a running server until Ctrl-C or SIGTERM.

    It deploys the markets of the demonstration and its three venues, opens and funds 250 accounts where they
    do not stand yet, and one for guests, whose number is said as JSON once everybody trades.
    """
    from exchange_os.client.pipelined import connect_pipelined
    from exchange_os.sim.live import Street

    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    proof = secret_of(key_path, key)
    with connect_pipelined(server, key=key, secret=proof, session=_SESSION) as exchange:
        street = Street(exchange, markets, seed)
        account = street.guest()
        street.step(10**9)
        say_json({"account": account, "accounts": exchange.account_count, "sequence": exchange.sequence})
        sys.stdout.flush()
        then = time.monotonic_ns()
        while not stopping.wait(1 / steps):
            now = time.monotonic_ns()
            street.step(now - then)
            then = now
