"""`xos governance`: acts of governance of an exchange: proposed, voted on, and guardians."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exchange_os.cli._numbers import IntRange
from exchange_os.cli._say import json_option, say_json

if TYPE_CHECKING:
    from exchange_os.voting import Proposal

_DATA = click.option(
    "--data",
    default=Path("data"),
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of the exchange.",
)
_ACCOUNT = click.option(
    "--account", required=True, type=IntRange(min=1), help="The voter, or the guardian, who acts."
)
_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_STATES = ("continuous", "reduce_only", "cancel_only", "halted")


@click.group(name="governance")
def command() -> None:
    """Propose acts of governance, vote on them, and act in an emergency."""


@command.command(name="list")
@_DATA
@json_option
def list_(data: Path, as_json: bool) -> None:
    """Say what is voted on, what passed and waits, and where a guardian acted."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        proposals, changes, emergencies = exchange.proposals(), exchange.changes(), exchange.emergencies()
    if as_json:
        say_json(
            {
                "proposals": [_row(proposal) for proposal in proposals],
                "emergencies": [
                    {"market": one.market, "state": one.state.name.lower(), "account": one.account}
                    | {"until_ns": one.until_ns}
                    for one in emergencies
                ],
            }
        )
        return
    for proposal in proposals:
        click.echo(_line(proposal))
    for change in changes:
        click.echo(
            f"{change.id} {change.what} of {change.market} takes effect at {_time(change.effective_ns)}"
        )
    for one in emergencies:
        held = "rests" if one.state == 0 else f"{one.state.name.lower()} by account {one.account}"
        click.echo(f"{one.market} {held} until {_time(one.until_ns)}")
    if not proposals and not changes and not emergencies:
        click.echo("nothing is proposed")


@command.command(name="vote")
@click.argument("proposal", type=IntRange(min=1))
@click.option("--for/--against", "in_favour", required=True, help="For the act, or against it.")
@_DATA
@_ACCOUNT
def vote(proposal: int, in_favour: bool, data: Path, account: int) -> None:
    """Vote on PROPOSAL, named by its number; a vote may be changed until the end."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        exchange.vote(account, proposal, in_favour)
        found = [one for one in exchange.proposals() if one.id == proposal]
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo(f"{proposal} is decided")


@command.command(name="emergency")
@click.argument("market")
@click.argument("state", type=click.Choice(_STATES))
@_DATA
@_ACCOUNT
def emergency(market: str, state: str, data: Path, account: int) -> None:
    """Restrict MARKET for a time, as a guardian; `continuous` ends that."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        until_ns = exchange.set_emergency(account, market, state)
    held = "rests" if state == "continuous" else state
    click.echo(f"{market} {held} until {_time(until_ns)}")


@command.group(name="propose")
def propose() -> None:
    """Propose an act: it is voted on, waits its time lock, and takes effect."""


@propose.command(name="update")
@_FILE
@_DATA
@_ACCOUNT
def update(file: Path, data: Path, account: int) -> None:
    """Other terms for every market of FILE that stands otherwise."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        _say(exchange.propose_update(account, file))


@propose.command(name="terms")
@_FILE
@_DATA
@_ACCOUNT
def terms(file: Path, data: Path, account: int) -> None:
    """The [governance] of FILE: other voters, stakes, slots, bounds."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        _say([exchange.propose_terms(account, file)])


@propose.command(name="delist")
@click.argument("market")
@_DATA
@_ACCOUNT
def delist(market: str, data: Path, account: int) -> None:
    """To wind MARKET down: an instrument, a question or a venue."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        _say([exchange.propose_delisting(account, market)])


@propose.command(name="admit")
@click.argument("market")
@_DATA
@_ACCOUNT
def admit(market: str, data: Path, account: int) -> None:
    """To let every account trade MARKET, an isolated perpetual."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        _say([exchange.propose_admission(account, market)])


@propose.command(name="state")
@click.argument("market")
@click.argument("state", type=click.Choice(_STATES))
@_DATA
@_ACCOUNT
def state(market: str, state: str, data: Path, account: int) -> None:
    """To open, restrict or halt MARKET."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        _say([exchange.propose_state(account, market, state)])


@propose.command(name="confirm")
@click.argument("market")
@_DATA
@_ACCOUNT
def confirm(market: str, data: Path, account: int) -> None:
    """To keep what a guardian did to MARKET."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        _say([exchange.propose_confirmation(account, market)])


@propose.command(name="slash")
@click.argument("deployer", type=IntRange(min=1))
@click.argument("amount")
@click.option(
    "--harmed", "harmed", multiple=True, metavar="ACCOUNT=AMOUNT", help="Who is paid, at most how much."
)
@_DATA
@_ACCOUNT
def slash(deployer: int, amount: str, harmed: tuple[str, ...], data: Path, account: int) -> None:
    """To take AMOUNT of the stake of account DEPLOYER: whom it harmed is paid first."""
    from exchange_os.exchange import Exchange

    claims = {}
    for word in harmed:
        who, equals, claim = word.partition("=")
        if not equals or not who.isdecimal() or int(who) in claims:
            raise click.BadParameter(f"{word!r} is not ACCOUNT=AMOUNT, or names an account again")
        claims[int(who)] = claim
    with Exchange.open(data) as exchange:
        _say([exchange.propose_slash(account, deployer, amount, claims)])


def _say(proposals: list[int]) -> None:
    for proposal in proposals:
        click.echo(f"proposed: {proposal}")
    if not proposals:
        click.echo("nothing would change")


def _row(proposal: Proposal) -> dict[str, object]:
    return {
        "id": proposal.id,
        "act": proposal.act.name.lower(),
        "account": proposal.account,
        "on": proposal.on,
        "for": proposal.weight_for,
        "against": proposal.weight_against,
        "ends_ns": proposal.ends_ns,
        "effective_ns": proposal.effective_ns,
    }


def _line(proposal: Proposal) -> str:
    about = "" if proposal.on is None else f" {proposal.on}"
    if proposal.effective_ns is not None:
        when = f"passed, takes effect at {_time(proposal.effective_ns)}"
    else:
        weights = f"{proposal.weight_for} for, {proposal.weight_against} against"
        when = f"{weights}, votes until {_time(proposal.ends_ns)}"
    return f"{proposal.id} {proposal.act.name.lower()}{about}: {when}"


def _time(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 10**9, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"
