"""`xos deploy`: a market file becomes commands of an exchange."""

from pathlib import Path

import click

from exchange_os.cli._numbers import IntRange
from exchange_os.cli._say import json_option, say_json


@click.command(name="deploy")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data",
    default=Path("data"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the exchange; made if there is none.",
)
@click.option(
    "--account",
    default=0,
    type=IntRange(min=0),
    help="The deployer who brings its markets with a stake; left out: the operator.",
)
@json_option
def command(file: Path, data: Path, account: int, as_json: bool) -> None:
    """Deploy what a market FILE asks for and what does not stand yet."""
    from exchange_os.exchange import Exchange
    from exchange_os.markets import load

    loaded = load(file)
    with Exchange.open(data) as exchange:
        plan = exchange.deploy(loaded, account=account)
        sequence, state_hash = exchange.sequence, exchange.state_hash
    if as_json:
        say_json(
            {
                "deployed": [{"kind": item.kind, "symbol": item.symbol} for item in plan.missing],
                "standing": [{"kind": item.kind, "symbol": item.symbol} for item in plan.standing],
                "sequence": sequence,
                "state_hash": state_hash,
            }
        )
        return
    for item in plan.missing:
        click.echo(f"deployed {item.kind} {item.symbol}".rstrip())
    for item in plan.standing:
        click.echo(f"stands already: {item.kind} {item.symbol}")
    click.echo(f"sequence {sequence}, state hash {state_hash}")
