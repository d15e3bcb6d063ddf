"""`xos verify`: the proof that a log, its snapshots and its money are in order."""

from pathlib import Path

import click
import msgspec

from exchange_os.cli._progress import progress
from exchange_os.cli._say import json_option, say_json, say_pairs


@click.command(name="verify")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--quick", is_flag=True, help="Compare only the hashes of snapshots, not their bytes.")
@json_option
def command(directory: Path, quick: bool, as_json: bool) -> None:
    """Check the hash chain in DIRECTORY, replay it, compare every snapshot on the way, add up the money.

    Exit code 1 if something does not agree, 5 if files are damaged.
    """
    from exchange_os import log

    with progress("verifying") as advance:
        report = log.verify(directory, quick=quick, progress=advance)
    if as_json:
        say_json({"verified": True, **msgspec.to_builtins(report)})
        return
    pairs: dict[str, object] = {
        "segments": report.segments,
        "sequence": f"{report.from_sequence} to {report.sequence}",
        "state hash": report.state_hash,
        "chain head": report.chain_hash,
        "snapshots equal": ", ".join(map(str, report.snapshots)) or "none",
        "accounts": report.accounts,
        "resting orders": report.orders,
    }
    for line in report.conservation:
        users, house = line.users_atoms, line.house_atoms
        pairs[line.asset] = f"users {users} + house {house} = {users + house} atoms"
    say_pairs(
        f"verified: {report.commands} commands in {report.frames} frames, {report.events} events", pairs
    )
    for bad in report.bad_snapshots:
        click.echo(f"  a snapshot cannot be used: {bad}")
    if report.torn_tail:
        click.echo(f"  {report.torn_tail}")
