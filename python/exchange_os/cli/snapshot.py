"""`xos snapshot`: a snapshot of a served exchange."""

from pathlib import Path

import click

from exchange_os.cli._connect import connected, connection_options
from exchange_os.cli._say import json_option, say_json


@click.command(name="snapshot")
@connection_options
@json_option
def command(server: str, key_path: Path, key: str, as_json: bool) -> None:
    """Let the server write a snapshot, so that its next start replays less. It serves nobody meanwhile."""
    with connected(server, key_path, key) as exchange:
        exchange.snapshot()
        sequence = exchange.sequence
    if as_json:
        say_json({"sequence": sequence})
    else:
        click.echo(f"snapshot written, at sequence {sequence} now")
