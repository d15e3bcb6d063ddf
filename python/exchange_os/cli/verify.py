"""`xos verify`: the proof that a log, its snapshots and its money are in order."""

from pathlib import Path

import click
import msgspec

from exchange_os.cli._progress import progress
from exchange_os.cli._say import CORRUPT, json_option, say_json, say_pairs
from exchange_os.log import VerifyReport


@click.command(name="verify")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--quick", is_flag=True, help="Compare only the hashes of snapshots, not their bytes.")
@json_option
@click.pass_context
def command(ctx: click.Context, directory: Path, quick: bool, as_json: bool) -> None:
    """Check the hash chain in DIRECTORY, replay it, compare every snapshot on the way, add up the money.

    Exit code 1 if something does not agree, 5 if files are damaged, snapshots and the head included.
    """
    from exchange_os import log

    with progress("verifying") as advance:
        report = log.verify(directory, quick=quick, progress=advance)
    if as_json:
        say_json({"verified": not report.damaged, "damaged": report.damaged, **msgspec.to_builtins(report)})
    else:
        _say(report)
    if report.damaged:
        ctx.exit(CORRUPT)


def _say(report: VerifyReport) -> None:
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
    done = f"{report.commands} commands in {report.frames} frames, {report.events} events"
    say_pairs(f"{'files are damaged, the log is sound' if report.damaged else 'verified'}: {done}", pairs)
    for bad in report.damaged:
        click.echo(f"  damaged: {bad}")
    if report.head_missing:
        click.echo("  the file head is missing; opening makes it anew")
    if report.torn_tail:
        click.echo(f"  {report.torn_tail}")
