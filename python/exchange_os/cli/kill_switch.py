"""`xos kill-switch`: stops trading on a server at once."""

from pathlib import Path

import click

from exchange_os._core import InstrumentState
from exchange_os.cli._connect import connected, connection_options
from exchange_os.cli._say import json_option, say_json

_STATES = {name.lower(): state for name, state in InstrumentState.__members__.items()}


@click.command(name="kill-switch")
@click.option(
    "--to",
    "state",
    default="halted",
    show_default=True,
    type=click.Choice(["halted", "cancel_only", "continuous"]),
    help="What every instrument becomes; cancel_only lets everybody pull orders, continuous opens again.",
)
@connection_options
@json_option
def command(state: str, server: str, key_path: Path, key: str, as_json: bool) -> None:
    """Halt every instrument of a server, each by a command in its log. What has settled stays as it is."""
    from exchange_os.errors import Rejected

    done, kept = [], {}
    with connected(server, key_path, key) as exchange:
        for instrument in exchange.instruments():
            try:
                exchange.set_instrument_state(instrument.symbol, _STATES[state])
                done.append(instrument.symbol)
            except Rejected as rejected:
                kept[instrument.symbol] = rejected.sentence
    if as_json:
        say_json({"state": state, "instruments": done, "kept": kept})
        return
    for symbol in done:
        click.echo(f"{symbol}: {state}")
    for symbol, why in kept.items():
        click.echo(f"{symbol}: stays, {why}")
