"""`xos market`: a market file against an exchange that runs by it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exchange_os.cli._numbers import IntRange
from exchange_os.cli._say import FAILED, json_option, say_json

if TYPE_CHECKING:
    from exchange_os.governance import Change


@click.group(name="market")
def command() -> None:
    """Compare market files with what stands, change it, wind it down."""


@command.command(name="diff")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data",
    default=Path("data"),
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of the exchange.",
)
@json_option
@click.pass_context
def diff(ctx: click.Context, file: Path, data: Path, as_json: bool) -> None:
    """Say what a market FILE adds to an exchange and where its terms are others, field by field.

    Exit code 1 if something that stands has other terms: `xos deploy` would refuse the file.
    """
    from dataclasses import asdict

    from exchange_os.exchange import Exchange
    from exchange_os.markets import load
    from exchange_os.markets.difference import difference

    loaded = load(file)
    with Exchange.open(data) as exchange:
        found = difference(loaded, exchange._directory.standing)
    changed = [item for item in found if item.state == "changed"]
    if as_json:
        say_json({"file": str(file), "data": str(data), "differences": [asdict(item) for item in found]})
    else:
        marks = {"added": "+", "same": " ", "changed": "~"}
        for item in found:
            click.echo(f"{marks[item.state]} {item.kind} {item.symbol}".rstrip())
            for field in item.fields:
                click.echo(f"    {field.field}: {_shown(field.before)} -> {_shown(field.after)}")
        added = sum(item.state == "added" for item in found)
        click.echo(f"{file}: {added} to add, {len(changed)} with other terms, of {len(found)}")
    if changed:
        ctx.exit(FAILED)


_DATA = click.option(
    "--data",
    default=Path("data"),
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of the exchange.",
)
_DELAY = click.option(
    "--delay-s", type=IntRange(min=0), help="Seconds until it takes effect; the least one if left out."
)
_ACCOUNT = click.option(
    "--account", default=0, type=IntRange(min=0), help="Who announces it; left out: the operator."
)


@command.command(name="update")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_DATA
@_DELAY
@_ACCOUNT
@json_option
def update(file: Path, data: Path, delay_s: int | None, account: int, as_json: bool) -> None:
    """Announce a change for every market of FILE that stands with other terms.

    It takes effect after the delay; until then everybody can see it (`xos market changes`) and leave.
    """
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        announced = exchange.update(file, delay_s=delay_s, account=account)
        pending = exchange.changes()
    _say_changes(pending[len(pending) - len(announced) :], as_json)


@command.command(name="delist")
@click.argument("market")
@_DATA
@_DELAY
@_ACCOUNT
@json_option
def delist(market: str, data: Path, delay_s: int | None, account: int, as_json: bool) -> None:
    """Announce that MARKET, an instrument or a question, is wound down after the delay."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        exchange.delist(market, delay_s=delay_s, account=account)
        pending = exchange.changes()
    _say_changes(pending[-1:], as_json)


@command.command(name="withdraw")
@click.argument("change", type=IntRange(min=1))
@_DATA
@_ACCOUNT
def withdraw(change: int, data: Path, account: int) -> None:
    """Take back the announced CHANGE, named by its number."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        exchange.withdraw_change(change, account=account)
    click.echo(f"change {change} is taken back")


@command.command(name="changes")
@_DATA
@json_option
def changes(data: Path, as_json: bool) -> None:
    """Say what is announced and when it takes effect."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        pending = exchange.changes()
    _say_changes(pending, as_json)


def _say_changes(pending: list[Change], as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "id": change.id,
                "what": change.what,
                "kind": change.kind.name.lower(),
                "market": change.market,
                "account": change.account,
                "effective_ns": change.effective_ns,
            }
            for change in pending
        ]
        say_json({"changes": rows})
        return
    for change in pending:
        when = datetime.fromtimestamp(change.effective_ns // 10**9, tz=UTC)
        kind = change.kind.name.lower()
        click.echo(f"{change.id} {change.what} of {kind} {change.market} at {when:%Y-%m-%d %H:%M:%S} UTC")
    if not pending:
        click.echo("nothing is announced")


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{value}"
