"""`xos up`: an exchange as a server."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exchange_os.cli._numbers import IntRange
from exchange_os.cli._say import HALTED, say_json

if TYPE_CHECKING:
    import logging

    from exchange_os.exchange import Exchange
    from exchange_os.server.node import Node

_STATUS_S = 0.5
# Of the log's end, for clients that come back after a restart: 128 MiB of events at most.
_EVENTS_KEPT_MAX = 1 << 20


@click.command(name="up")
@click.option(
    "--data",
    default=Path("data"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the exchange; made if there is none.",
)
@click.option("--listen", default="127.0.0.1:7001", show_default=True, help="Address of the binary gateway.")
@click.option("--watch", default="127.0.0.1:7002", show_default=True, help="Address of health and metrics.")
@click.option(
    "--keys",
    "key_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of keys.  [default: keys.toml beside the data, made with an operator's key if missing]",
)
@click.option(
    "--market",
    "markets",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Market file to deploy first, where it does not stand; repeat it.",
)
@click.option(
    "--snapshot-every",
    default=5_000_000,
    show_default=True,
    type=IntRange(min=1),
    help="Commands between two snapshots.",
)
@click.option(
    "--rate",
    default=50_000,
    show_default=True,
    type=IntRange(min=0),
    help="Commands a second of a session; 0: no limit.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Say where it listens as one JSON object, and nothing more."
)
@click.pass_context
def command(
    ctx: click.Context,
    data: Path,
    listen: str,
    watch: str,
    key_path: Path | None,
    markets: tuple[Path, ...],
    snapshot_every: int,
    rate: int,
    as_json: bool,
) -> None:
    """Serve the exchange in a directory until Ctrl-C or SIGTERM.

    Every answer is durable before it is given. On the way down clients are told, and what was taken
    is in the log.
    """
    from exchange_os.exchange import Exchange
    from exchange_os.server import Node, load_keys, make_keys
    from exchange_os.server.logs import open_log
    from exchange_os.server.metrics import Watch

    key_path = key_path or data.parent / "keys.toml"
    if not key_path.exists():
        make_keys(key_path)
    keys = load_keys(key_path)
    begun = time.monotonic()
    exchange = Exchange.open(data, snapshot_every_commands=snapshot_every, events_kept_max=_EVENTS_KEPT_MAX)
    recovery = _recovery(exchange)
    for market in markets:
        exchange.deploy(market)
    log = open_log(data.parent / "node.log")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    each = (rate, max(rate, 1))
    options = {
        "session_rate": each,
        "cancel_rate": (rate * 2, max(rate * 2, 1)),
        "account_rate": each,
        "address_rate": (rate * 4, max(rate * 4, 1)),
    }
    node = Node(exchange, keys, address=listen, options=options)
    host, _, port = watch.rpartition(":")
    watcher = Watch(node, host, int(port))
    started = {"address": node.address, "watch": watcher.address, "sequence": node.query("sequence")}
    started |= {"opened_ms": round((time.monotonic() - begun) * 1_000), "keys": str(key_path)}
    started["recovery"] = recovery
    log.info("started", extra={"fields": started})
    if as_json:
        say_json(started)
        sys.stdout.flush()
    else:
        click.echo(
            f"exchange of {data} on {node.address}, keys in {key_path}; "
            f"health and metrics on {watcher.address}"
        )
    try:
        _serve(node, stopping, log, quiet=as_json)
    finally:
        watcher.stop()
        serving = node.running
        node.stop().close() if serving else None
        log.info("stopped", extra={"fields": {"by_itself": not serving}})
    if not serving:
        click.echo("xos: the server ended by itself; the log says why, open the directory again", err=True)
        ctx.exit(HALTED)


def _recovery(exchange: Exchange) -> dict[str, int | None]:
    """What opening did, in the words of the log."""
    snapshot_sequence, commands, replay_ns, elapsed_ns = exchange._core.recovery() or (None, 0, 0, 0)
    return {
        "snapshot_sequence": snapshot_sequence,
        "replayed_commands": commands,
        "replay_ms": replay_ns // 1_000_000,
        "elapsed_ms": elapsed_ns // 1_000_000,
    }


def _serve(node: Node, stopping: threading.Event, log: logging.Logger, *, quiet: bool) -> None:
    """Until it is told to stop, with a line of its state where somebody looks."""
    shows = not quiet and sys.stdout.isatty()
    before, then = node.stats(), time.monotonic()
    noted = then
    while not stopping.wait(_STATUS_S) and node.running:
        now, stats = time.monotonic(), node.stats()
        if shows:
            click.echo(f"\r\x1b[K{_line(before, stats, now - then)}", nl=False)
        if now - noted > 60:
            log.info("status", extra={"fields": stats})
            noted = now
        before, then = stats, now
    if shows:
        click.echo()


def _line(before: dict[str, int], stats: dict[str, int], seconds: float) -> str:
    def per_s(name: str) -> int:
        return round((stats[name] - before[name]) / max(seconds, 1e-9))

    frames: Any = max(stats["frames"] - before["frames"], 1)
    take_us = (stats["take_ns"] - before["take_ns"]) // frames // 1_000
    return (
        f"sequence {stats['durable_sequence']:,}  {per_s('commands'):,} commands/s  "
        f"{per_s('events'):,} events/s  "
        f"{take_us:,} us a frame  {stats['connections']} connections  {stats['refused']:,} refused"
    )
