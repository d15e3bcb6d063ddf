"""`xos history`: the read model beside an exchange."""

from pathlib import Path

import click

from exchange_os.cli._say import json_option, say_json


@click.group(name="history")
def command() -> None:
    """The history of an exchange, made of its log."""


@command.command(name="rebuild")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
def rebuild(directory: Path, as_json: bool) -> None:
    """Make DIRECTORY.history.db anew from the log in DIRECTORY, which nobody may have open."""
    from exchange_os import history

    path = directory.with_name(directory.name + ".history.db")
    reached = history.rebuild(directory, path)
    if as_json:
        say_json({"path": str(path), "sequence": reached})
    else:
        click.echo(f"{path} goes to sequence {reached:,}")
