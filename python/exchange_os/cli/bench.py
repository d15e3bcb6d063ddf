"""`xos bench`: measured speed, with the checks that make a number mean something."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import click

from exchange_os.cli import _server_bench
from exchange_os.cli._numbers import IntRange
from exchange_os.cli._say import FAILED, json_option, say_json, say_pairs
from exchange_os.errors import Halted, InvalidArgument


@click.group(name="bench")
def command() -> None:
    """Measure."""


@command.command(name="engine")
@click.option(
    "--commands", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Command file."
)
@click.option(
    "--prefill", default=0, type=IntRange(min=0), help="Commands of the file that only fill the book."
)
@click.option("--expect", help="Totals the file must end with: trades,lots,notional,resting.")
@click.option(
    "--workload",
    type=click.Choice(["steady", "many", "cross", "implied", "storm"]),
    help="A seeded market instead of a file.",
)
@click.option("--count", default=1_000_000, show_default=True, type=IntRange(min=1), help="Its commands.")
@click.option("--accounts", default=10_000, show_default=True, type=IntRange(min=2), help="Its accounts.")
@click.option(
    "--resting", default=10_000, show_default=True, type=IntRange(min=0), help="Its resting orders."
)
@click.option("--seed", default=1, show_default=True, type=IntRange(0, 2**64 - 1), help="Its seed.")
@click.option("--by-kind/--no-by-kind", default=True, help="Also time each kind of command in a second pass.")
@json_option
@click.pass_context
def engine(
    ctx: click.Context,
    file: Path | None,
    prefill: int,
    expect: str | None,
    workload: str | None,
    count: int,
    accounts: int,
    resting: int,
    seed: int,
    by_kind: bool,
    as_json: bool,
) -> None:
    """Run a command file or a seeded workload through the engine and judge its end.

    Exit code 1 if a closing check fails: a run that does not end in the right state has no speed.
    """
    from exchange_os import _core

    if (file is None) == (workload is None):
        raise click.UsageError("give either --commands FILE or --workload NAME")
    totals = _totals(expect)
    if file is not None:
        report = _measured(lambda: _core.bench_commands(file, prefill, totals, by_kind))
    else:
        shape = str(workload), seed, accounts, resting, count
        report = _measured(lambda: _core.bench_workload(*shape, by_kind))
    _print(report, as_json)
    if not report["passed"]:
        ctx.exit(FAILED)


_directory = click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder in which the measured exchange is made and removed again. [default: the system's for such]",
)


@command.command(name="replay")
@click.option(
    "--count", default=1_000_000, show_default=True, type=IntRange(min=1), help="Commands of the log."
)
@click.option(
    "--batch", default=4_096, show_default=True, type=IntRange(1, 65_536), help="Commands of a frame."
)
@click.option("--accounts", default=1_000, show_default=True, type=IntRange(min=2), help="Their accounts.")
@click.option("--runs", default=3, show_default=True, type=IntRange(min=1), help="Replays measured.")
@_directory
@json_option
def replay(count: int, batch: int, accounts: int, runs: int, directory: Path | None, as_json: bool) -> None:
    """Write a log and execute it again: commands per second of replaying, of reading alone, of opening.

    Every run must end in the state of the exchange that wrote the log.
    """
    from exchange_os import _core

    with TemporaryDirectory(prefix="xos-bench-", dir=directory, ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "exchange"
        report = _measured(lambda: _core.bench_replay(path, count, batch, accounts, runs))
    if as_json:
        say_json(report)
        return
    say_pairs(
        f"replay: {report['commands_per_s']:,} commands a second, median of {runs}",
        {
            "commands": report["commands"],
            "frames": report["frames"],
            "events": report["events"],
            "reading alone, a second": f"{report['read_commands_per_s']:,}",
            "opening, a second": f"{report['open_commands_per_s']:,}",
        },
    )


@command.command(name="restart")
@click.option("--accounts", default=1_000_000, show_default=True, type=IntRange(min=2), help="Accounts.")
@click.option("--orders", default=1_000_000, show_default=True, type=IntRange(min=1), help="Resting orders.")
@_directory
@json_option
def restart(accounts: int, orders: int, directory: Path | None, as_json: bool) -> None:
    """Build an exchange, take a snapshot, go on for 100,000 commands, and open it again."""
    from exchange_os import _core

    with TemporaryDirectory(prefix="xos-bench-", dir=directory, ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "exchange"
        report = _measured(lambda: _core.bench_restart(path, accounts, orders))
    if as_json:
        say_json(report)
        return
    say_pairs(
        f"restart: {report['open_ms']:,} ms",
        {
            "accounts": report["accounts"],
            "resting orders": report["resting_orders"],
            "bytes of the snapshot": f"{report['snapshot_bytes']:,}",
            "ms to write it": f"{report['snapshot_ms']:,}",
            "ms of the audit before it": f"{report['audit_ms']:,}",
            "commands behind it": report["tail_commands"],
        },
    )


@command.command(name="wire")
@click.option(
    "--rate",
    default=300_000,
    show_default=True,
    type=IntRange(1, 50_000_000),
    help="Commands a second.",
)
@click.option("--seconds", default=10, show_default=True, type=IntRange(1, 3_600), help="For how long.")
@click.option("--connections", default=8, show_default=True, type=IntRange(1, 512), help="Connections.")
@click.option(
    "--subscribers",
    default=0,
    show_default=True,
    type=IntRange(0, 512),
    help="Readers of the book by order.",
)
@click.option(
    "--commands",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Command file, W2 for instance.",
)
@click.option(
    "--prefill",
    default=2_000,
    show_default=True,
    type=IntRange(min=0),
    help="Commands of the file that only fill the book.",
)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=IntRange(0, 2**64 - 1),
    help="Seed of the market without a file.",
)
@click.option("--accounts", default=1_000, show_default=True, type=IntRange(min=2), help="Its accounts.")
@click.option("--resting", default=2_000, show_default=True, type=IntRange(min=0), help="Its resting orders.")
@click.option("--durable/--volatile", default=True, help="Whether an answer waits for the disk.")
@click.option(
    "--spin-us",
    default=0,
    show_default=True,
    type=IntRange(0, 1_000_000),
    help="Look for work so long before sleeping.",
)
@_directory
@json_option
@click.pass_context
def wire(
    ctx: click.Context,
    rate: int,
    seconds: int,
    connections: int,
    subscribers: int,
    file: Path | None,
    prefill: int,
    seed: int,
    accounts: int,
    resting: int,
    durable: bool,
    spin_us: int,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Load a server over sockets, open loop: latencies run from when a command was due to its durable answer.

    The disk's own write and sync and the loopback's own echo are measured in the same run. At the end the log
    is read again: a plain book must equal the exchange's, every asset add up to zero. Exit code 1 if not.
    """
    from exchange_os import _core

    said: list[tuple[str, str, bool]] = []

    def measure() -> dict[str, Any]:
        with TemporaryDirectory(prefix="xos-bench-", dir=directory, ignore_cleanup_errors=True) as folder:
            path = Path(folder) / "exchange"
            said.append(
                _core.bench_wire(
                    path,
                    rate,
                    seconds,
                    connections,
                    file,
                    prefill,
                    seed,
                    accounts,
                    resting,
                    durable,
                    spin_us,
                    subscribers,
                )
            )
        return {}

    _measured(measure)
    text, report, passed = said[0]
    click.echo(report if as_json else text, nl=as_json)
    if not passed:
        ctx.exit(FAILED)


@command.command(name="api")
@click.option(
    "--orders",
    default=20_000,
    show_default=True,
    type=click.IntRange(100),
    help="Single orders; batches: 5 times.",
)
@click.option(
    "--rate",
    default=1_000,
    show_default=True,
    type=click.IntRange(1),
    help="Orders a second of the second run.",
)
@click.option("--connections", default=32, show_default=True, type=click.IntRange(1, 512), help="Of HTTP.")
@_directory
@json_option
def api(orders: int, rate: int, connections: int, directory: Path | None, as_json: bool) -> None:
    """Load the public interface: signed single orders over HTTP, batches of 20 over WebSocket.

    Every answer is durable. One process serves, another sends; the orders rest, and are counted in the end.
    """
    import asyncio

    from exchange_os.cli._bench_api import measure

    with TemporaryDirectory(prefix="xos-bench-", dir=directory, ignore_cleanup_errors=True) as folder:
        report = asyncio.run(measure(Path(folder) / "exchange", orders, rate, connections))
    if as_json:
        say_json(report)
        return
    singles, paced, batches = (
        report[name] for name in ("rest_singles", "rest_singles_at_rate", "ws_batches")
    )
    say_pairs(
        f"api: {singles['orders_per_s']:,} single orders a second over HTTP",
        {
            "their p50, p99 in ms": f"{singles['p50_ms']}, {singles['p99_ms']}",
            f"at {rate:,} a second": f"{paced['p50_ms']}, {paced['p99_ms']}",
            "in batches over WebSocket, a second": f"{batches['orders_per_s']:,}",
            "µs of the server's CPU an order": f"{singles['server_cpu_us_per_order']}, "
            f"in batches {batches['server_cpu_us_per_order']}",
            "refused": singles["refused"] + paced["refused"] + batches["refused"],
        },
    )


for _command in _server_bench.COMMANDS:
    command.add_command(_command)


def _measured(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Measures in a thread of its own, so that Ctrl-C ends the program while Rust is at work."""
    done: list[dict[str, Any]] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            done.append(measure())
        except BaseException as error:  # noqa: BLE001 -- it is raised in the main thread
            failed.append(error)

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    for error in failed:
        if isinstance(error, ValueError | OverflowError):
            raise InvalidArgument(str(error)) from error
        if isinstance(error, RuntimeError):
            raise Halted(str(error)) from error
        raise error
    return done[0]


def _totals(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        totals = [int(part) for part in text.split(",")]
    except ValueError:
        totals = []
    if len(totals) != 4:
        raise click.UsageError(f"--expect is {text!r}, expected four numbers: trades,lots,notional,resting")
    return totals


def _print(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        checks = [dict(zip(("name", "passed", "detail"), check, strict=True)) for check in report["checks"]]
        say_json({**report, "checks": checks})
        return
    say_pairs(
        f"{report['workload']}: {report['commands_per_s']:,.0f} commands a second",
        {
            "commands": report["commands"],
            "trades": report["trades"],
            "traded quantity": report["traded_qty"],
            "resting orders": report["resting_orders"],
            "state hash": report["state_hash"],
        },
    )
    for kind, time in report["ns_by_kind"].items():
        click.echo(
            f"  {kind}: {time['count']} at {time['mean_ns']} ns, p50 {time['p50_ns']}, p99 {time['p99_ns']}"
        )
    for name, passed, detail in report["checks"]:
        click.echo(f"  {'ok  ' if passed else 'FAIL'} {name}: {detail}".rstrip(": "))


@command.command(name="history")
@click.option("--fills", default=1_000_000, show_default=True, type=click.IntRange(min=2), help="To write.")
@click.option("--accounts", default=10_000, show_default=True, type=click.IntRange(min=2), help="Of them.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Their seed.")
@click.option("--database", help="URL of an empty database; a file beside the log without one.")
@_directory
@json_option
def history(
    fills: int, accounts: int, seed: int, database: str | None, directory: Path | None, as_json: bool
) -> None:
    """Fold a log of fills, two orders with client ids a trade, into a new history, and ask for pages."""
    from exchange_os.history.measure import measure

    with TemporaryDirectory(prefix="xos-bench-", dir=directory, ignore_cleanup_errors=True) as folder:
        report = measure(Path(folder), fills, accounts, seed, database)
    if as_json:
        say_json(report)
    else:
        say_pairs("history", report)


@command.command(name="signals")
@click.option("--symbols", default=300, show_default=True, type=click.IntRange(min=1), help="To screen.")
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Of the markets."
)
@_directory
@json_option
def signals(symbols: int, seed: int, directory: Path | None, as_json: bool) -> None:
    """Made-up markets: a symbol on five venues reported on, all perpetuals screened, years replayed."""
    from exchange_os.signals.measure import measure

    with TemporaryDirectory(prefix="xos-bench-", dir=directory, ignore_cleanup_errors=True) as folder:
        report = measure(Path(folder), symbols, seed)
    if as_json:
        say_json(report)
    else:
        say_pairs("signals", report)
