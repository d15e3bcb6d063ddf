"""`xos bench recovery`, `memory`, `subscribers`, `curve`: a server under load, measured beyond one run."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from exchange_os.cli._numbers import IntRange
from exchange_os.cli._say import FAILED, json_option, say_json, say_pairs

_OPERATOR = secrets.token_hex(16)
_ROOM_BYTES = 16 << 20  # what memory may grow by over all commands; 100 accounts warm up to some hundred MiB
_SAMPLE_S = 0.1
# Making commands beside a million orders is slow: the load repeats them under other client ids.
_COMMANDS_OF_MILLIONS = 100_000
_HOLDS_PPM = 980_000

_folder = click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the log is written meanwhile; a temporary directory without it.",
)
_seed = click.option("--seed", default=1, show_default=True, type=IntRange(0, 2**64 - 1), help="Seed.")
_connections = click.option(
    "--connections", default=8, show_default=True, type=IntRange(1, 64), help="Connections."
)


class Serving:
    """`xos up` as a process, and where it listens."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-c", "from exchange_os.cli import main; main()", "up", "--json"]
        command += ["--data", str(folder / "data"), "--keys", str(folder / "keys.toml"), "--rate", "0"]
        command += ["--listen", "127.0.0.1:0", "--watch", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise click.ClickException(f"the server ended with {self.process.wait()} before it served")
        self.started: dict[str, Any] = json.loads(line)

    @property
    def address(self) -> str:
        return str(self.started["address"])

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(120)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def resident_bytes(self) -> int:
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Load:
    """A load on a server, in a thread; it ends when all is answered, or when the server is killed."""

    def __init__(self, address: str, rate: int, seconds: int, shape: tuple[int, int, int, int, int]) -> None:
        from exchange_os import _core

        self.report: dict[str, Any] = {}

        def work() -> None:
            self.report = json.loads(_core.bench_wire_load(address, rate, seconds, shape))

        self._thread = threading.Thread(target=work, name="xos-load", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def wait(self) -> dict[str, Any]:
        self._thread.join()
        if not self.report:
            raise click.ClickException("the load has no report: it could not connect")
        return self.report


def _keys(path: Path, connections: int) -> None:
    lines = []
    for lane in range(connections + 1):
        lines += ["[[key]]", f'name = "lane-{lane}"', f'secret = "the secret of load lane {lane}"']
        lines += ['scopes = ["trade"]', f'owner = "lane-{lane}"', ""]
    lines += ["[[key]]", 'name = "operator"', f'secret = "{_OPERATOR}"', 'scopes = ["operate"]']
    path.touch(0o600)
    path.write_text("\n".join(lines), encoding="utf-8")


@contextmanager
def _prepared(
    directory: Path | None, shape: tuple[int, int, int, int, int]
) -> Iterator[tuple[Path, int, int]]:
    from exchange_os import _core

    with TemporaryDirectory(prefix="xos-bench-", dir=directory, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        sequence, resting = _core.bench_wire_prepare(folder / "data", shape)
        _keys(folder / "keys.toml", shape[4])
        yield folder, sequence, resting


@click.command(name="recovery")
@click.option("--orders", default=1_000_000, show_default=True, type=IntRange(min=1), help="Open orders.")
@click.option("--accounts", default=100_000, show_default=True, type=IntRange(min=2), help="Accounts.")
@click.option("--rate", default=100_000, show_default=True, type=IntRange(min=1), help="Commands a second.")
@click.option("--seconds", default=5, show_default=True, type=IntRange(min=1), help="Until the kill.")
@click.option("--must-ms", default=5_000, show_default=True, type=IntRange(min=1), help="Bound.")
@_connections
@_seed
@_folder
@json_option
@click.pass_context
def recovery(
    ctx: click.Context,
    orders: int,
    accounts: int,
    rate: int,
    seconds: int,
    must_ms: int,
    connections: int,
    seed: int,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Kill a loaded server with SIGKILL; the time until a new one gives a durable answer.

    The server is `xos up` with its defaults, begun with a snapshot. Exit code 1 if it takes longer than
    the bound, if a command that was acknowledged is not in the log, or if the log does not verify.
    """
    import exchange_os as xos

    shape = (seed, accounts, orders, min(rate * (seconds + 60), _COMMANDS_OF_MILLIONS), connections)
    with _prepared(directory, shape) as (folder, prepared, resting):
        server = Serving(folder)
        load = Load(server.address, rate, seconds + 60, shape)
        # The load counts from its first answer: making its commands takes a while.
        with xos.connect(server.address, key="operator", secret=_OPERATOR) as watcher:
            while load.running and watcher.sequence <= prepared + rate // 10:
                time.sleep(_SAMPLE_S)
        time.sleep(seconds)
        killed = time.monotonic()
        server.end(signal.SIGKILL)
        again = Serving(folder)
        with xos.connect(again.address, key="operator", secret=_OPERATOR) as exchange:
            exchange.tick()
            recovered_ms = round((time.monotonic() - killed) * 1_000)
            sequence = exchange.sequence
        sent = load.wait()
        again.end()
        checked = _verified(folder / "data")
        done = again.started["recovery"]
        checks = [
            ("nothing acknowledged lost", sent["last_sequence"] < sequence, f"{sent['last_sequence']:,}"),
            ("nothing was refused", sent["refused"] == 0, f"{sent['taken']:,} taken"),
            ("in time", recovered_ms <= must_ms, f"{recovered_ms:,} ms of {must_ms:,}"),
            ("chain, replay and full audit", checked, ""),
        ]
    report = {
        "open_orders": resting,
        "accounts": accounts,
        "acknowledged": sent["taken"],
        "last_acknowledged": sent["last_sequence"],
        "recovered_sequence": sequence - 1,
        "recovery_ms": recovered_ms,
        "opened_ms": done["elapsed_ms"],
        "snapshot_sequence": done["snapshot_sequence"],
        "replayed_commands": done["replayed_commands"],
        "replay_commands_per_s": done["replayed_commands"] * 1_000 // max(done["replay_ms"], 1),
    }
    _say(ctx, f"recovery: {recovered_ms:,} ms from kill -9 to a durable answer", report, checks, as_json)


def _verified(data: Path) -> bool:
    from exchange_os import errors, log

    try:
        return not log.verify(data, quick=True).damaged
    except errors.Error:
        return False


@click.command(name="memory")
@click.option("--count", default=10_000_000, show_default=True, type=IntRange(min=1_000), help="Commands.")
@click.option(
    "--warm-up",
    default=4_500_000,
    show_default=True,
    type=IntRange(min=0),
    help="Commands before them, until every account has as many client ids as are remembered (16,384).",
)
@click.option("--rate", default=200_000, show_default=True, type=IntRange(min=100), help="A second.")
@click.option("--accounts", default=100, show_default=True, type=IntRange(min=2), help="Accounts.")
@click.option("--resting", default=2_000, show_default=True, type=IntRange(min=0), help="Resting orders.")
@_connections
@_seed
@_folder
@json_option
@click.pass_context
def memory(
    ctx: click.Context,
    count: int,
    warm_up: int,
    rate: int,
    accounts: int,
    resting: int,
    connections: int,
    seed: int,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Load `xos up` and watch its resident memory: flat behind a warm-up, or exit code 1.

    Flat: the largest of the last quarter is at most 16 MiB above the largest of the first one; nothing is
    subtracted. The warm-up fills what is bounded: client ids, and the events kept for who comes back.
    """
    import exchange_os as xos

    shape = (seed, accounts, resting, min(count, 3_000_000), connections)
    commands = warm_up + count
    samples: list[tuple[int, int]] = []
    with _prepared(directory, shape) as (folder, prepared, _):
        server = Serving(folder)
        load = Load(server.address, rate, max(commands // rate, 1), shape)
        with xos.connect(server.address, key="operator", secret=_OPERATOR) as watcher:
            while load.running:
                samples.append((watcher.sequence - prepared, server.resident_bytes()))
                time.sleep(_SAMPLE_S)
        sent = load.wait()
        server.end()
    begin, end = quarters(samples, warm_up, count)
    checks = [
        ("every command was answered", sent["taken"] == sent["commands"], f"{sent['taken']:,}"),
        ("memory is flat", is_flat(begin, end), f"{begin:,} bytes, then {end:,}"),
    ]
    report = {
        "commands": sent["taken"],
        "bytes_at_start": samples[0][1],
        "bytes_after_the_warm_up": begin,
        "bytes_at_the_end": end,
        "bytes_a_command": round((end - begin) * 4 / (3 * count), 2),
        "samples": [list(sample) for sample in samples[:: max(len(samples) // 50, 1)]],
    }
    _say(ctx, f"memory: {end >> 20} MiB after {sent['taken']:,} commands", report, checks, as_json)


def quarters(samples: list[tuple[int, int]], warm_up: int, count: int) -> tuple[int, int]:
    """The most bytes in the first and the last quarter of `count` commands behind the warm-up."""

    def most(begin: int, end: float) -> int:
        return max((held for at, held in samples if begin <= at <= end), default=0)

    return most(warm_up, warm_up + count // 4), most(warm_up + count * 3 // 4, float("inf"))


def is_flat(begin: int, end: int) -> bool:
    """Whether memory of `begin` bytes, and `end` at last, did not grow."""
    return min(begin, end) > 0 and end <= begin + _ROOM_BYTES


@click.command(name="subscribers")
@click.option("--count", default=10, show_default=True, type=IntRange(1, 512), help="Readers by order.")
@click.option("--commands", default=2_000_000, show_default=True, type=IntRange(min=1_000), help="A run.")
@click.option("--rate", default=4_000_000, show_default=True, type=IntRange(min=1_000), help="Offered.")
@click.option("--pairs", default=2, show_default=True, type=IntRange(1, 20), help="With and without.")
@click.option("--must-percent", default=20, show_default=True, type=IntRange(1, 100), help="Bound.")
@_connections
@_seed
@_folder
@json_option
@click.pass_context
def subscribers(
    ctx: click.Context,
    count: int,
    commands: int,
    rate: int,
    pairs: int,
    must_percent: int,
    connections: int,
    seed: int,
    directory: Path | None,
    as_json: bool,
) -> None:
    """What readers of the book cost: more is offered than a server takes, without, with, without ...

    Readers run on the same machine and follow every number. Beside the throughput stands the processor time a
    command of server, generator and readers, without and with them. Exit code 1 if the median with them is
    below the bound.
    """
    runs: list[tuple[int, int]] = []
    spent: dict[bool, list[dict[str, int]]] = {False: [], True: []}
    passed = True
    for readers in [*([0, count] * pairs), 0]:
        report = _wire(directory, rate, commands, connections, seed, readers)
        runs.append((readers, report["achieved_per_s"]))
        spent[readers > 0].append(report)
        passed &= report["passed"]
    without, beside = (
        sorted(speed for readers, speed in runs if bool(readers) == reads) for reads in (False, True)
    )
    before, after = without[len(without) // 2], beside[len(beside) // 2]
    cost = round(100 * (1 - after / before), 1)

    def ns_a_command(reads: bool, who: str) -> int:
        each = sorted(report[f"{who}_processor_ns"] // report["taken"] for report in spent[reads])
        return each[len(each) // 2]

    checks = [
        ("every run ends in the right state", passed, f"{len(runs)} runs"),
        ("within the bound", cost <= must_percent, f"{cost} % of {must_percent} %"),
    ]
    found: dict[str, Any] = {
        "subscribers": count,
        "without_per_s": before,
        "with_per_s": after,
        "cost_percent": cost,
    }
    for who in ("server", "generator", "readers"):
        found[f"{who}_ns_a_command"] = [ns_a_command(reads, who) for reads in (False, True)]
    found["whole_books"] = [report["feed_books"] for report in spent[True]]
    found["runs"] = [list(run) for run in runs]
    _say(ctx, f"{count} readers by order cost {cost} % of throughput", found, checks, as_json)


def _wire(
    directory: Path | None, rate: int, commands: int, connections: int, seed: int, readers: int
) -> dict[str, Any]:
    """One run of `bench wire`; a fraction of a second is made a whole one at a lower rate."""
    from exchange_os import _core

    seconds = max(commands // rate, 1)
    rate = rate if seconds > 1 else max(commands, rate)
    with TemporaryDirectory(prefix="xos-bench-", dir=directory, ignore_cleanup_errors=True) as folder:
        _, report, _ = _core.bench_wire(
            Path(folder) / "exchange",
            rate,
            seconds,
            connections,
            None,
            0,
            seed,
            1_000,
            2_000,
            True,
            0,
            readers,
        )
    found: dict[str, Any] = json.loads(report)
    return found


@click.command(name="curve")
@click.option(
    "--rates",
    default="50000,100000,200000,300000,400000,500000,600000,800000,1000000,1200000",
    show_default=True,
    help="Commands a second, rising; the first that does not hold ends it.",
)
@click.option("--seconds", default=10, show_default=True, type=IntRange(1, 600), help="For each.")
@click.option(
    "--results", type=click.Path(dir_okay=False, path_type=Path), help="Where the figures go, JSON."
)
@click.option("--draw", type=click.Path(dir_okay=False, path_type=Path), help="Where the picture goes, SVG.")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Figures of before: nothing is measured, only drawn.",
)
@_connections
@_seed
@_folder
@json_option
@click.pass_context
def curve(
    ctx: click.Context,
    rates: str,
    seconds: int,
    results: Path | None,
    draw: Path | None,
    source: Path | None,
    connections: int,
    seed: int,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Latency of durable answers against the offered rate, up to the highest that holds; figures and picture.

    A rate holds if 98 % of it was achieved and every closing check passed.
    """
    if source is not None:
        found: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    else:
        found = {"machine": _machine(), "commit": _commit(), "connections": connections, "seconds": seconds}
        found["workload"], found["runs"] = f"steady, seed {seed}", []
        for rate in _rising(rates):
            report = _wire(directory, rate, rate * seconds, connections, seed, 0)
            holds = report["passed"] and report["achieved_per_s"] * 1_000_000 >= rate * _HOLDS_PPM
            kept = (
                "offered_per_s",
                "achieved_per_s",
                "latency",
                "window_p99_ns",
                "bounds",
                "commands_per_frame",
            )
            found["runs"].append({name: report[name] for name in kept} | {"holds": holds})
            if not as_json:
                p50_us = report["latency"]["p50_ns"] // 1_000
                click.echo(f"{rate:>9,} a second: p50 {p50_us:,} us{'' if holds else ', does not hold'}")
            if not holds:
                break
    if results is not None:
        results.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if draw is not None:
        from exchange_os.cli._curve_picture import draw_curve

        if not draw_curve(found, draw):
            raise click.ClickException("the picture needs matplotlib: install exchange-os[plots]")
    if as_json:
        say_json(found)
    if not any(run["holds"] for run in found["runs"]):
        ctx.exit(FAILED)


def _rising(text: str) -> list[int]:
    try:
        rates = [int(part) for part in text.split(",")]
    except ValueError:
        rates = []
    if not rates or rates != sorted(set(rates)) or rates[0] < 1:
        raise click.UsageError(f"--rates is {text!r}, expected rising numbers with commas between")
    return rates


def _machine() -> str:
    model = "a machine"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, {os.cpu_count()} cores"


def _commit() -> str:
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return asked.stdout.strip()


def _say(
    ctx: click.Context,
    title: str,
    report: dict[str, Any],
    checks: list[tuple[str, bool, str]],
    as_json: bool,
) -> None:
    passed = all(holds for _, holds, _ in checks)
    if as_json:
        told = [{"name": name, "passed": holds, "detail": detail} for name, holds, detail in checks]
        say_json({**report, "checks": told, "passed": passed})
    else:
        say_pairs(title, {name: value for name, value in report.items() if not isinstance(value, list)})
        for name, holds, detail in checks:
            click.echo(f"  {'ok  ' if holds else 'FAIL'} {name}: {detail}".rstrip(": "))
    if not passed:
        ctx.exit(FAILED)


COMMANDS = (recovery, memory, subscribers, curve)
