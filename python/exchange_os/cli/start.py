"""`xos start`: everything at once, on one machine: server, interface with history, and a population."""

from __future__ import annotations

import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from exchange_os.cli._child import Child
from exchange_os.cli._numbers import FloatRange, IntRange
from exchange_os.cli._say import FAILED, say_json
from exchange_os.cli.api import tls_options

_STATUS_S = 1.0


@click.command(name="start")
@click.option(
    "--data",
    default=Path("data"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the exchange; made if there is none.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the interface.")
@click.option("--port", default=8555, show_default=True, type=IntRange(0, 65_535), help="Its port.")
@click.option("--listen", default="127.0.0.1:7001", show_default=True, help="Address of the binary gateway.")
@click.option("--watch", default="127.0.0.1:7002", show_default=True, help="Address of health and metrics.")
@click.option("--seed", type=IntRange(0, 2**63 - 1), default=2026, show_default=True)
@click.option(
    "--steps", type=FloatRange(0, 50, min_open=True), default=1.0, help="Steps of the population a second."
)
@tls_options
@click.option("--json", "as_json", is_flag=True, help="Say what runs as one JSON object, and nothing more.")
@click.pass_context
def command(
    ctx: click.Context,
    data: Path,
    host: str,
    port: int,
    listen: str,
    watch: str,
    seed: int,
    steps: float,
    tls_port: int | None,
    certificate: Path | None,
    private_key: Path | None,
    as_json: bool,
) -> None:
    """Serve an exchange with the markets of the demonstration and a population that trades, until Ctrl-C.

    Three programs: the server (`xos up`), the interface of OKX (`xos api`) with its history, the population
    (`xos population`). What they say stands in DATA.NAME.log. Started again it goes on from its log.
    """
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    data.parent.mkdir(parents=True, exist_ok=True)
    with _family(data) as family:
        try:
            node = family.start("node", "up", "--json", "--data", data, "--listen", listen, "--watch", watch)
            server = ["--server", node["address"], "--keys", node["keys"]]
            markets = data.with_name(data.name + ".markets")
            traders = family.start(
                "population", "population", *server, "--markets", markets, "--seed", seed, "--steps", steps
            )
            of_guest = ["--account", traders["account"], "--key-file", data.with_name(data.name + ".guest")]
            where: list[object] = ["--host", host, "--port", port, "--json"]
            if tls_port is not None:
                where += ["--tls-port", tls_port, "--certificate", certificate, "--private-key", private_key]
            api = family.start("api", "api", data, *server, *of_guest, *where)
        except _Ended as ended:
            click.echo(f"xos: {ended}", err=True)
            ctx.exit(FAILED)
        said = {"api": api["address"], "gateway": node["address"], "watch": node["watch"]}
        said |= {"tls": api["tls"]} if "tls" in api else {}
        said["ccxt"] = f"{api['ccxt']}{_EXAMPLE}"
        if as_json:
            say_json(said)
        else:
            click.echo(_welcome(said, data, str(node["keys"])))
        sys.stdout.flush()
        ended_child = _wait(family.children, stopping, str(node["watch"]), shows=not as_json)
        if ended_child is not None:
            click.echo(f"xos: {ended_child.name} ended by itself: {ended_child.last_words()}", err=True)
            ctx.exit(FAILED)


class _Ended(Exception):
    """A program ended before it was ready."""


class _Family:
    """The programs, in the order in which they started."""

    def __init__(self, data: Path) -> None:
        self.children: list[Child] = []
        self._data = data

    def start(self, name: str, *arguments: object) -> dict[str, object]:
        """What it says once it is ready."""
        log = self._data.with_name(f"{self._data.name}.{name}.log")
        child = Child(name, [str(each) for each in arguments], log)
        self.children.append(child)
        said = child.said()
        if said is None or "error" in said:
            why = said["error"]["message"] if said else child.last_words()
            raise _Ended(f"{name} did not start: {why}")
        return said


@contextmanager
def _family(data: Path) -> Iterator[_Family]:
    family = _Family(data)
    try:
        yield family
    finally:
        for child in reversed(family.children):  # whoever speaks to another one ends before it
            child.end()


_EXAMPLE = """\
bought = okx.create_order("ETH/USD", "market", "buy", 0.1)
print(okx.fetch_order(bought["id"], "ETH/USD")["status"], okx.fetch_balance()["ETH"]["total"])
"""


def _welcome(said: dict[str, object], data: Path, keys: str) -> str:
    return (
        f"interface    {said['api']}  (REST and WebSocket of OKX v5; /api/v1/openapi.json)\n"
        f"gateway      {said['gateway']}  (keys in {keys})\n"
        f"metrics      {said['watch']}/metrics\n"
        f"exchange     {data}, history {data}.history.db; what each program says: {data}.*.log\n\n"
        "A guest's account with money, for ccxt:\n\n"
        f"{said['ccxt']}"
    )


def _wait(children: list[Child], stopping: threading.Event, watch: str, *, shows: bool) -> Child | None:
    """Until it is told to stop, with a line of what happens; the program that ended by itself, if one did."""
    shows = shows and sys.stdout.isatty()
    before, then = _counted(watch), time.monotonic()
    ended = None
    while ended is None and not stopping.wait(_STATUS_S):
        ended = next((child for child in children if not child.running), None)
        if shows and (now := _counted(watch)):
            moment = time.monotonic()
            rate = (now["commands"] - before.get("commands", 0)) / (moment - then)
            click.echo(
                f"\r\x1b[K{now['sequence']:,.0f} commands in the log, {rate:,.0f}/s, "
                f"{now['connections']:,.0f} connections; Ctrl-C stops everything",
                nl=False,
            )
            before, then = now, moment
    if shows:
        click.echo()
    return ended


def _counted(watch: str) -> dict[str, float]:
    """Some metrics of the server; empty if it does not answer."""
    names = {
        "xos_commands_total": "commands",
        "xos_durable_sequence": "sequence",
        "xos_connections": "connections",
    }
    try:
        with urllib.request.urlopen(f"{watch}/metrics", timeout=2) as answer:  # noqa: S310 - its own address
            lines = answer.read().decode().splitlines()
    except (OSError, urllib.error.URLError):
        return {}
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {names[name]: float(value) for name, _, value in pairs if name in names}
