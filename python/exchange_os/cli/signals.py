"""`xos signals`: reports on recorded markets, and the recorder."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from exchange_os.cli._connect import connected, connection_options
from exchange_os.cli._numbers import FloatRange, IntRange
from exchange_os.cli._say import json_option, say_json, say_pairs

if TYPE_CHECKING:
    from exchange_os.signals.market_data import MarketData

F = TypeVar("F", bound=Callable[..., Any])

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


def _recording_options(function: F) -> F:
    time_ = click.option("--at", "at", help="Time in UTC, as 2026-11-25T08:00. Without it: the newest row.")
    return click.argument("folder", type=_FOLDER)(time_(function))


def _load(folder: Path, at: str | None, symbols: Collection[str] | None = None) -> tuple[MarketData, int]:
    """The recording, of all symbols or some, and the time that was asked for, in ms."""
    from exchange_os.errors import InvalidArgument
    from exchange_os.signals.recording import Recording

    data = Recording.open(folder).read(symbols=symbols)
    if symbols and all(frame.is_empty() for _, frame in data.items()):
        raise InvalidArgument(f"nothing of {next(iter(symbols))} is recorded in {folder}")
    return data, data.last_ms() if at is None else _milliseconds(at)


def _milliseconds(text: str) -> int:
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"'{text}' is no time such as 2026-11-25T08:00") from error
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1_000)


class _Signals(click.Group):
    """`xos signals ETH/USDT` is `xos signals report recording ETH/USDT`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and "/" in args[0] and args[0] not in self.commands:
            args = ["report", RECORDING, *args]
        return super().parse_args(ctx, args)


RECORDING = "recording"
"""The folder that is read where a symbol alone is given."""


_LIQUIDATIONS = click.option(
    "--liquidations", is_flag=True, help="Listen for liquidations too, where a venue tells them."
)


@click.group(name="signals", cls=_Signals)
def command() -> None:
    """Funding divergence, basis, levels, regime and bias of perpetuals, from recorded data.

    `xos signals ETH/USDT` prints the report of a symbol from the folder `recording`. A recording is a folder
    of Parquet files that `xos signals record` fills from exchanges, or a program with
    `exchange_os.signals.recording.Recorder`. A venue is one of ccxt's names (`binanceusdm`, `bybit`, `okx`),
    or what speaks as one at an address of its own: `mine=okx@http://127.0.0.1:8555`.
    """


@command.command(name="report")
@_recording_options
@click.argument("symbol")
@click.option("--venue", help="Whose bars are read. Without it: the venue with the most.")
@click.option("--all", "everything", is_flag=True, help="Every figure, not one page of them.")
@click.option("--picture", type=_FILE, help="Write charts, PNG or SVG by the ending.")
@click.option("--html", "page", type=_FILE, help="Write one page of HTML with figures and charts.")
@json_option
def report(
    folder: Path,
    symbol: str,
    at: str | None,
    venue: str | None,
    everything: bool,
    picture: Path | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """Print all signals of SYMBOL, such as ETH/USDT, from the recording in FOLDER.

    Every figure has its unit, age and venue; with --json its formula and source too. What is wrong with the
    data is named and left out.
    """
    from exchange_os.signals import picture as pictures
    from exchange_os.signals.report import ReportSettings, make_report

    settings = ReportSettings(venue=venue)
    data, at_ms = _load(folder, at, (symbol, settings.benchmark))
    made = make_report(data, symbol=symbol, at_ms=at_ms, settings=settings)
    if picture is not None and not pictures.draw_report(made, data, picture):
        raise click.UsageError("pictures need matplotlib: install exchange-os[plots]")
    if page is not None:
        page.write_text(pictures.html_page(made, data), encoding="utf-8")
    if as_json:
        say_json(made.as_json())
    else:
        click.echo(made.text(everything=everything))


@command.command(name="alert")
@_recording_options
@click.argument("symbol")
@click.option("--when", "texts", multiple=True, required=True, help="A rule on a figure; repeatable.")
@click.option("--webhook", help="Post what fired to this address as JSON.")
@json_option
def alert(
    folder: Path, at: str | None, symbol: str, texts: tuple[str, ...], webhook: str | None, as_json: bool
) -> None:
    """Say which rules hold for SYMBOL, such as --when 'divergence.percentile > 99'.

    A rule names a figure of `xos signals report --all` and is in its unit; 'divergence.rating is extreme'
    compares words. A figure that is quarantined or stale fires nothing.
    """
    from exchange_os.signals.alerts import Rule, fired, post
    from exchange_os.signals.report import ReportSettings, make_report

    rules = [Rule.parse(text) for text in texts]
    data, at_ms = _load(folder, at, (symbol, ReportSettings().benchmark))
    messages = fired(make_report(data, symbol=symbol, at_ms=at_ms), rules)
    if webhook is not None and messages:
        post(webhook, messages)
    if as_json:
        say_json({"alerts": messages})
        return
    for message in messages:
        click.echo(f"{message['symbol']}: {message['rule']} ({message['figure']['text']})")
    if not messages:
        click.echo("no rule holds")


@command.command(name="screen")
@_recording_options
@click.option("--top", type=IntRange(1), default=20, show_default=True, help="How many to print.")
@json_option
def screen(folder: Path, at: str | None, top: int, as_json: bool) -> None:
    """Rank every perpetual in FOLDER by funding divergence, with the best basis trade beside it."""
    from exchange_os.signals.screen import screen as screen_all

    data, at_ms = _load(folder, at)
    rows = screen_all(data, at_ms=at_ms)[:top]
    if as_json:
        say_json({"at_ms": at_ms, "symbols": [row.as_json() for row in rows]})
        return
    head = ("symbol", "rating", "spread %/y", "short", "long", "net bps", "carry 7d bps", "on")
    table = [
        (
            row.symbol,
            str(row.rating),
            _cell(row.spread_per_year),
            row.short_venue or "",
            row.long_venue or "",
            _cell(row.net_bps),
            _cell(row.carry_net_bps),
            row.carry_venue or "",
        )
        for row in rows
    ]
    widths = [max(len(row[place]) for row in (head, *table)) for place in range(len(head))]
    for row in (head, *table):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


@command.command(name="evaluate")
@click.argument("folder", type=_FOLDER)
@click.argument("symbol")
@click.option("--venue", required=True, help="Whose bars and funding are read.")
@click.option("--interval-s", type=IntRange(60), default=28_800, show_default=True, help="Of the bars.")
@json_option
def evaluate(folder: Path, symbol: str, venue: str, interval_s: int, as_json: bool) -> None:
    """Judge the bias of SYMBOL, 8 h ahead, on calls made before their outcome was known.

    Walk-forward with purge and embargo; Brier score and log loss beside those of the base rate, reliability,
    and what trading on it would have kept after costs.
    """
    from exchange_os.errors import InvalidArgument
    from exchange_os.signals.bias import judge, settings_for, walk_forward
    from exchange_os.signals.features import feature_table

    data, _ = _load(folder, None)
    settings = settings_for(interval_s)
    if settings is None:
        raise click.BadParameter(f"bars of {interval_s} s do not make up the horizon of 8 h")
    horizon = settings.horizon_bars
    table = feature_table(data, symbol=symbol, venue=venue, interval_s=interval_s, horizon_bars=horizon)
    found = judge(walk_forward(table, settings), settings) if table.height else None
    if found is None:
        why = f"{table.height} usable bars of {symbol} on {venue} are too few to judge"
        raise InvalidArgument(f"{why}: {settings.train_min} are needed before the first call")
    told = found.as_json()
    if as_json:
        say_json(told)
        return
    pairs = {name: value for name, value in told.items() if name != "reliability"}
    say_pairs(f"{symbol} on {venue}, bars of {interval_s} s, 8 h ahead", pairs)
    click.echo("  said, rose, calls")
    for part in found.reliability:
        click.echo(f"    {part.forecast:.3f}, {part.observed:.3f}, {part.calls}")


@command.command(name="record")
@click.argument("folder", type=_FOLDER)
@click.argument("symbols", nargs=-1, required=True)
@click.option("--venue", "venues", multiple=True, required=True, help="An exchange, as above; repeatable.")
@click.option("--rounds", type=IntRange(1), default=1, show_default=True, help="How often to ask.")
@click.option("--every-s", type=FloatRange(1), default=60.0, show_default=True, help="Between rounds.")
@click.option("--history-days", type=IntRange(0), default=0, help="Settled funding and bars too, since then.")
@click.option("--bars", "interval", default="1h", show_default=True, help="Length of those bars.")
@_LIQUIDATIONS
@json_option
def record(
    folder: Path,
    symbols: tuple[str, ...],
    venues: tuple[str, ...],
    rounds: int,
    every_s: float,
    history_days: int,
    interval: str,
    liquidations: bool,
    as_json: bool,
) -> None:
    """Ask outside exchanges and append what they say to FOLDER. Needs exchange-os[signals].

    A venue that is silent is named and does not stop the others.
    """
    from exchange_os.signals.recording import Recorder
    from exchange_os.signals.sources import recorder_round
    from exchange_os.signals.sources.ccxt_source import Silence
    from exchange_os.signals.sources.liquidation_watch import watching

    recorder = Recorder(folder)
    sources = recorder_round.sources_of(venues)
    rows, silences = 0, list[Silence]()
    history = recorder_round.History(sources, symbols, history_days, interval)
    with watching(sources, symbols, on=liquidations) as heard:
        for place in range(rounds):
            if place:
                time.sleep(every_s)
            found = recorder_round.both(recorder_round.ask(sources, symbols), heard())
            if history_days:
                found = recorder_round.both(history.ask(), found)
            rows += recorder.append(found.data)
            silences += found.silences
    told = [f"{silence.venue} {silence.table}: {silence.why}" for silence in silences]
    if as_json:
        say_json({"rows": rows, "silent": told})
        return
    click.echo(f"recorded {rows} rows in {folder}")
    for line in told:
        click.echo(f"  silent: {line}")


@command.command(name="serve")
@click.argument("folder", type=_FOLDER)
@click.argument("symbols", nargs=-1)
@click.option("--venue", "venues", multiple=True, help="An exchange to ask while serving; repeatable.")
@click.option("--every-s", type=FloatRange(1), default=60.0, show_default=True, help="Between two rounds.")
@click.option(
    "--history-days", type=IntRange(1), default=90, show_default=True, help="Funding and bars since then."
)
@click.option("--bars", "interval", default="1h", show_default=True, help="Length of those bars.")
@_LIQUIDATIONS
@click.option(
    "--positions-of", help="Which of the venues the server below is: its positions are recorded too."
)
@connection_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8556, show_default=True, type=IntRange(0, 65_535), help="Port to listen on.")
def serve(
    folder: Path,
    symbols: tuple[str, ...],
    venues: tuple[str, ...],
    every_s: float,
    history_days: int,
    interval: str,
    liquidations: bool,
    positions_of: str | None,
    server: str,
    key_path: Path,
    key: str,
    host: str,
    port: int,
) -> None:
    """Serve the reports of what FOLDER holds over HTTP until Ctrl-C or SIGTERM.

    With venues and SYMBOLS it asks them every round, records what they say and streams the new reports. With
    --positions-of it also records the sums of all open positions by liquidation price, which an operator's
    key of the server gives: the liquidation map of that venue is exact then. Under /api/v1/signals/ are
    symbols, report, screen, page and stream.
    """
    import asyncio

    from exchange_os.signals import serving
    from exchange_os.signals.sources import recorder_round
    from exchange_os.signals.sources.liquidation_watch import watching

    if bool(venues) != bool(symbols):
        raise click.UsageError("to ask exchanges, both --venue and symbols are needed")
    sources = recorder_round.sources_of(venues)
    history = recorder_round.History(sources, symbols, history_days, interval)
    own = connected(server, key_path, key) if positions_of else None

    with watching(sources, symbols, on=liquidations) as heard:

        def ask() -> recorder_round.Answers:
            answers = recorder_round.both(history.ask(), recorder_round.ask(sources, symbols))
            answers = recorder_round.both(answers, heard())
            if own is None or positions_of is None:
                return answers
            return recorder_round.with_positions(answers, own, positions_of, symbols)

        async def run() -> None:
            desk = serving.Desk.open(str(folder))
            await serving.run(desk, host, port, ask if sources else None, every_s, click.echo)

        asyncio.run(run())
