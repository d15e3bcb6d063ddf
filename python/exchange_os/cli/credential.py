"""`xos credential`: signed documents that give accounts their classes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exchange_os.cli._numbers import IntRange
from exchange_os.cli._say import json_option, say_json

if TYPE_CHECKING:
    from exchange_os.credentials import Verified

_DAY_NS = 86_400 * 10**9
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_data = click.option(
    "--data",
    default=Path("data"),
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of the exchange.",
)
_market = click.option(
    "--market", required=True, type=_FILE, help="Market file that names the issuers and their keys."
)


@click.group(name="credential")
def command() -> None:
    """Issue, check, submit and revoke credentials: signed documents that give accounts their classes."""


@command.command(name="key")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--curve", type=click.Choice(["Ed25519", "P-256"]), default="Ed25519", show_default=True)
@click.option("--kid", default="1", show_default=True, help="Name of the key among the issuer's.")
@json_option
def key(file: Path, curve: str, kid: str, as_json: bool) -> None:
    """Make a key pair: the private half into FILE, the public one as it stands in a market file."""
    from exchange_os.credentials import PrivateKey

    new = PrivateKey.generate(kid, "Ed25519" if curve == "Ed25519" else "P-256")
    try:
        new.save(file)
    except FileExistsError as error:
        raise click.UsageError(f"{file} exists; a key is not replaced") from error
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from error
    if as_json:
        say_json({"file": str(file), "public": new.public_jwk()})
    else:
        click.echo(new.toml())


@command.command(name="issue")
@click.option(
    "--key", "key_file", required=True, type=_FILE, help="Private key, as `xos credential key` makes it."
)
@click.option("--issuer", required=True, help="The issuer's id, as the market file names it.")
@click.option("--subject", required=True, help="Owner of the accounts: customer id or wallet.")
@click.option("--class", "classes", required=True, multiple=True, help="A class that it gives; repeat it.")
@click.option("--days", type=IntRange(1, 36_500), default=365, show_default=True, help="How long it counts.")
@click.option("--id", "named", help="Its id; a random one unless said.")
@json_option
def issue(
    key_file: Path,
    issuer: str,
    subject: str,
    classes: tuple[str, ...],
    days: int,
    named: str | None,
    as_json: bool,
) -> None:
    """Sign a credential, as an issuer does, and print it."""
    from exchange_os import credentials

    token = credentials.issue(
        credentials.PrivateKey.load(key_file),
        issuer=issuer,
        subject=subject,
        classes=classes,
        ends_ns=time.time_ns() + days * _DAY_NS,
        id=named,
    )
    if as_json:
        say_json({"credential": token})
    else:
        click.echo(token)


@command.command(name="check")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@_market
@_data
@click.option("--account", type=IntRange(1), help="Whose owner it has to be about.")
@json_option
def check(files: tuple[Path, ...], market: Path, data: Path, account: int | None, as_json: bool) -> None:
    """Say what the credential in each FILE gives, or why it counts for nothing. Nothing is changed."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        exchange.credentials.trust(market, register=_register(data))
        found = [exchange.credentials.check(_token(file), account) for file in files]
    if as_json:
        say_json({"credentials": [_as_object(each) for each in found]})
        return
    for each in found:
        click.echo(f"{each.issuer} gives {', '.join(each.classes)} until {_when(each.ends_ns)}")


@command.command(name="submit")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@_market
@_data
@click.option("--account", type=IntRange(1), required=True, help="Who gets the classes.")
@json_option
def submit(files: tuple[Path, ...], market: Path, data: Path, account: int, as_json: bool) -> None:
    """Give an account the classes of the credentials in FILE..., all of them together, and no others."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        exchange.credentials.trust(market, register=_register(data))
        exchange.credentials.submit(account, *map(_token, files))
        standing = exchange.credential(account)
    assert standing is not None
    if as_json:
        digest = standing.digest.hex()
        said = {"account": account, "classes": standing.classes, "ends_ns": standing.ends_ns}
        say_json({**said, "issued_ns": standing.issued_ns, "digest": digest})
    else:
        click.echo(f"account {account}: {', '.join(standing.classes)} until {_when(standing.ends_ns)}")


@command.command(name="revoke")
@click.option("--issuer", required=True, help="Who issued it.")
@click.option("--id", "named", required=True, help="Its id (claim jti).")
@_market
@_data
@json_option
def revoke(issuer: str, named: str, market: Path, data: Path, as_json: bool) -> None:
    """Let the credentials of this id count no more. Accounts that brought one lose their classes at once."""
    from exchange_os.exchange import Exchange

    with Exchange.open(data) as exchange:
        exchange.credentials.trust(market, register=_register(data))
        accounts = exchange.credentials.revoke(issuer, named)
    if as_json:
        say_json({"issuer": issuer, "id": named, "accounts": accounts})
    else:
        lost = ", ".join(map(str, accounts))
        click.echo(f"revoked; {f'account {lost} lost its classes' if accounts else 'no account had it'}")


def _register(data: Path) -> Path:
    return data / "credentials.jsonl"


def _token(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file} cannot be read as a JWT: {error}") from error


def _as_object(found: Verified) -> dict[str, Any]:
    return {
        "issuer": found.issuer,
        "id": found.id,
        "subject": found.subject,
        "classes": found.classes,
        "issued_ns": found.issued_ns,
        "ends_ns": found.ends_ns,
        "digest": found.digest.hex(),
    }


def _when(time_ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(time_ns // 10**9))
