"""`xos market`: a market file against an exchange that runs by it."""

from pathlib import Path

import click

from exchange_os.cli._say import FAILED, json_option, say_json


@click.group(name="market")
def command() -> None:
    """Compare market files with what stands."""


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


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{value}"
