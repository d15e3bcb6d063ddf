"""`xos history`: the read model beside an exchange."""

from pathlib import Path

import click

from exchange_os.cli._say import json_option, say_json


@click.group(name="history")
def command() -> None:
    """The history of an exchange, made of its log."""


@command.command(name="rebuild")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--database", help="URL of a database, such as postgresql+psycopg://host/name.")
@json_option
def rebuild(directory: Path, database: str | None, as_json: bool) -> None:
    """Make the history of the log in DIRECTORY anew: in DIRECTORY.history.db, or in a database by its URL.

    The exchange may run meanwhile; whoever has the history open must not.
    """
    import time

    from exchange_os import history
    from exchange_os.cli._progress import progress

    place = database or directory.with_name(directory.name + ".history.db")
    begun = time.perf_counter()
    with progress("rebuilding the history") as advance:
        reached = history.rebuild(directory, place, advance)
    elapsed = time.perf_counter() - begun
    if as_json:
        where = "the database" if database else str(place)
        say_json({"path": where, "sequence": reached, "elapsed_s": round(elapsed, 3)})
    else:
        click.echo(f"{'The history' if database else place} goes to sequence {reached:,} ({elapsed:.1f} s)")
