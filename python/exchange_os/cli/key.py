"""`xos key`: API keys of accounts, and where they may withdraw to."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exchange_os.cli._numbers import IntRange
from exchange_os.cli._say import json_option, say_json

if TYPE_CHECKING:
    from exchange_os.api import Key
    from exchange_os.control import Database

_DAY_MS = 86_400_000
_control = click.option(
    "--control",
    default="data.control.db",
    show_default=True,
    help="The control database: a file, or the URL of a PostgreSQL one.",
)
_seal = click.option(
    "--seal",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the key that seals secrets.  [default: beside the control database]",
)


@click.group(name="key")
def command() -> None:
    """Make, list and revoke API keys, seal them anew, and list where accounts may withdraw to."""


def _database(control: str, seal: Path | None) -> Database:
    from exchange_os.control import Database

    return Database(control, key_file=seal)


@command.command(name="create")
@_control
@_seal
@click.option("--account", required=True, type=IntRange(0), help="Whose key; 0: nobody's, to operate.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("read", "trade"),
    show_default=True,
    type=click.Choice(["read", "trade", "withdraw", "operate"]),
    help="What it may do; repeat it.",
)
@click.option("--days", type=IntRange(1, 36_500), help="How long it counts.  [default: until it is revoked]")
@click.option("--address", "addresses", multiple=True, help="Address or network it may come from; repeat it.")
@click.option("--instrument", "instruments", multiple=True, help="What alone it may trade; repeat it.")
@click.option("--loss-max", help="Units of the settlement asset a day; after such a loss it only reduces.")
@click.option("--public-key", help="32 bytes of Ed25519 in hexadecimal: a key without a secret.")
@click.option("--label", default="", help="A name for people.")
@json_option
def create(
    control: str,
    seal: Path | None,
    account: int,
    scopes: tuple[str, ...],
    days: int | None,
    addresses: tuple[str, ...],
    instruments: tuple[str, ...],
    loss_max: str | None,
    public_key: str | None,
    label: str,
    as_json: bool,
) -> None:
    """Make a key and print its secret, this once."""
    from exchange_os.api import Keys

    keys = Keys(_database(control, seal))
    try:
        made = keys.create(
            account,
            scopes=set(scopes),
            expires_ms=None if days is None else time.time_ns() // 1_000_000 + days * _DAY_MS,
            addresses=set(addresses),
            instruments=set(instruments),
            loss_max=_number(loss_max),
            public_key=_bytes(public_key),
            label=label,
        )
    finally:
        keys.close()
    said = {"key": made.name, "passphrase": made.passphrase, "account": made.account}
    said |= {"secret": made.secret.decode()} if made.secret else {}
    if as_json:
        say_json(said)
    else:
        click.echo("\n".join(f"{name}: {value}" for name, value in said.items()))


@command.command(name="list")
@_control
@_seal
@click.option("--account", type=IntRange(0), help="Of this account alone.")
@json_option
def listed(control: str, seal: Path | None, account: int | None, as_json: bool) -> None:
    """Print the keys, without their secrets."""
    from exchange_os.api import Keys

    keys = Keys(_database(control, seal))
    found = [_words(each) for each in keys.all(account)]
    keys.close()
    if as_json:
        say_json({"keys": found})
        return
    for each in found:
        click.echo(
            "  ".join(f"{name} {value}" for name, value in each.items() if value not in ("", [], None))
        )


def _words(key: Key) -> dict[str, Any]:
    until = None if key.expires_ms is None else datetime.fromtimestamp(key.expires_ms / 1_000, UTC)
    return {
        "key": key.name,
        "account": key.account,
        "scopes": ",".join(sorted(key.scopes)),
        "kind": "hmac" if key.public_key is None else "ed25519",
        "until": until and until.isoformat(timespec="seconds"),
        "addresses": sorted(key.addresses),
        "instruments": sorted(key.instruments),
        "loss_max": key.loss_max and f"{key.loss_max:f}",
        "source": key.source,
        "label": key.label,
    }


@command.command(name="revoke")
@_control
@_seal
@click.argument("name")
@click.pass_context
def revoke(ctx: click.Context, control: str, seal: Path | None, name: str) -> None:
    """Take a key away. Interfaces that run notice within two seconds."""
    from exchange_os.api import Keys

    keys = Keys(_database(control, seal))
    gone = keys.revoke(name)
    keys.close()
    if not gone:
        click.echo(f"xos: there is no key {name}", err=True)
        ctx.exit(1)


@command.command(name="rotate")
@_control
@_seal
def rotate(control: str, seal: Path | None) -> None:
    """Seal all secrets under a new key and forget the old one. Start interfaces that run again."""
    from exchange_os.api import Keys

    keys = Keys(_database(control, seal))
    click.echo(f"{keys.rotate()} keys are sealed anew")
    keys.close()


@command.command(name="allow")
@_control
@_seal
@click.option("--account", required=True, type=IntRange(1), help="Whose withdrawals.")
@click.option("--label", default="", help="A name for people.")
@click.argument("address")
def allow(control: str, seal: Path | None, account: int, label: str, address: str) -> None:
    """Let an account withdraw to ADDRESS, from now on."""
    from exchange_os.control.addresses import address_of
    from exchange_os.control.withdrawals import Withdrawals

    database = _database(control, seal)
    try:
        moment = time.time_ns() // 1_000_000
        made = Withdrawals(database).allow(account, address_of(address), usable_ms=moment, label=label)
    finally:
        database.close()
    click.echo(f"account {account} may withdraw to {made.address}")


def _number(given: str | None) -> Any:
    from decimal import Decimal, InvalidOperation

    try:
        return None if given is None else Decimal(given)
    except InvalidOperation:
        raise click.UsageError(f"--loss-max is {given!r}, expected a number") from None


def _bytes(given: str | None) -> bytes | None:
    try:
        return None if given is None else bytes.fromhex(given)
    except ValueError:
        raise click.UsageError("--public-key has to be hexadecimal") from None
