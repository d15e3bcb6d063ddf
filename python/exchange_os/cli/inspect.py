"""`xos inspect`: what stands in a log, in words."""

from itertools import islice
from pathlib import Path
from typing import Any

import click

from exchange_os._core import CommandKind, Flags, SelfTrade, Side, Tif
from exchange_os.cli._numbers import IntRange
from exchange_os.cli._say import json_option, say_json

_KINDS = {int(kind) for kind in CommandKind}
_JOINED = {"kind", "amount_low", "amount_high"}


@click.command(name="inspect")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--from", "first", default=1, type=IntRange(1, 2**64 - 1), help="First sequence.")
@click.option("--to", "last", type=IntRange(1, 2**64 - 1), help="Last sequence.")
@click.option(
    "--limit",
    default=1_000,
    show_default=True,
    type=IntRange(1, 2**63 - 1),
    help="Most commands to print.",
)
@json_option
def command(directory: Path, first: int, last: int | None, limit: int, as_json: bool) -> None:
    """Print the frames and commands of the log in DIRECTORY. With --json each command is one line."""
    commands = _commands(directory, first, last)
    shown = 0
    for row in islice(commands, limit):
        shown += 1
        if as_json:
            say_json(row)
            continue
        if row["first_of_frame"]:
            click.echo(f"frame {row['frame']} at {row['time_ns']} ns, {row['file']} offset {row['offset']}")
        words = " ".join(f"{name}={value}" for name, value in row["fields"].items())
        click.echo(f"  {row['sequence']} {row['kind']} {words}")
    if not as_json and next(commands, None) is not None:
        click.echo(f"... more follows after {shown} commands; --from and --limit show it")


def _commands(directory: Path, first: int, last: int | None) -> Any:
    """One row for each command."""
    from exchange_os import log

    for frame in log.inspect(directory, from_sequence=first, to_sequence=last):
        place = {
            "frame": frame.first_sequence,
            "time_ns": frame.time_ns,
            "file": frame.file,
            "offset": frame.offset,
        }
        begun = False
        contents = _deployed(frame.deployment) if frame.commands is None else map(_words, frame.commands)
        for sequence, (kind, fields) in enumerate(contents, frame.first_sequence):
            if sequence < first or (last is not None and sequence > last):
                continue
            yield {"sequence": sequence, "kind": kind, "fields": fields, **place, "first_of_frame": not begun}
            begun = True


def _deployed(deployment: Any) -> Any:
    ((what, spec),) = (deployment or {"unreadable": ""}).items()
    fields = {"what": what, **spec} if isinstance(spec, dict) else {"what": what, "why": spec}
    return [("deploy", fields)]


def _words(record: Any) -> tuple[str, dict[str, Any]]:
    """Kind and fields of a record; zeros are left out, as their kinds do not use them."""
    code = int(record["kind"])
    kind = CommandKind(code).name.lower() if code in _KINDS else f"unknown kind {code}"
    fields: dict[str, Any] = {}
    for name in record.dtype.names:
        value = record[name].item()
        if value and name not in _JOINED:
            fields[name] = value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
    amount = (int(record["amount_high"]) << 64) + int(record["amount_low"])
    if amount:
        fields["amount"] = amount
    return kind, _order_words(fields) if code == CommandKind.PLACE else fields


def _order_words(fields: dict[str, Any]) -> dict[str, Any]:
    """Side, time in force, self-trade mode and flags of an order as words, where they have one."""
    words: dict[str, Any] = {"side": fields.get("side", 0), "tif": fields.get("tif", 0), **fields}
    for name, known in (("side", Side), ("tif", Tif), ("self_trade", SelfTrade)):
        if words.get(name, 0) in {int(word) for word in known}:
            words[name] = known(words.get(name, 0)).name.lower()
    if "flags" in words:
        words["flags"] = "+".join(str(flag.name).lower() for flag in Flags if flag & words["flags"])
    return words
