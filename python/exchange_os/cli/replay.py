"""`xos replay`: the log once more, to the same state."""

from pathlib import Path

import click
import msgspec

from exchange_os.cli._numbers import IntRange
from exchange_os.cli._progress import progress
from exchange_os.cli._say import json_option, say_json, say_pairs


@click.command(name="replay")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--to", "to_sequence", type=IntRange(1, 2**64 - 1), help="Stop after the frame with this sequence."
)
@json_option
def command(directory: Path, to_sequence: int | None, as_json: bool) -> None:
    """Execute the log in DIRECTORY again and print where it ends."""
    from exchange_os import log

    with progress("replaying") as advance:
        report = log.replay(directory, to_sequence=to_sequence, progress=advance)
    if as_json:
        say_json({**msgspec.structs.asdict(report), "commands_per_s": round(report.commands_per_s)})
        return
    say_pairs(
        f"replayed {report.commands} commands in {report.frames} frames, {report.events} events",
        {
            "sequence": report.sequence,
            "state hash": report.state_hash,
            "chain head": report.chain_hash,
            "commands a second": f"{report.commands_per_s:,.0f}",
        },
    )
