"""`xos api`: the interface of OKX over an exchange, in this process or behind a server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from exchange_os.cli._connect import secret_of
from exchange_os.cli._identity import Chosen, identity_options
from exchange_os.cli._numbers import IntRange
from exchange_os.cli._say import HALTED, say_json

if TYPE_CHECKING:
    from exchange_os.api import Key, Keys
    from exchange_os.exchange import Exchange
    from exchange_os.history import History

F = TypeVar("F", bound=Callable[..., Any])

_SWITCH_S = 0.000_5
_SESSION = 64
_EVENTS_KEPT = 1 << 18


def tls_options(function: F) -> F:
    """`--tls-port`, `--certificate` and `--private-key`."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    for option in (
        click.option("--private-key", type=file, help="Its private key, as PEM."),
        click.option("--certificate", type=file, help="Certificate of that port, as PEM."),
        click.option("--tls-port", type=IntRange(0, 65_535), help="Speak TLS too, on this port."),
    ):
        function = option(function)
    return function


@click.command(name="api")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8555, show_default=True, type=IntRange(0, 65_535), help="Port to listen on.")
@click.option(
    "--account", type=IntRange(1), help="Make a new key with read and trade for this account first."
)
@click.option(
    "--history", "history_url", help="URL of the database of history; a file beside DIRECTORY without one."
)
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --account: the key that this file names, if it still stands; the new one's name goes there.",
)
@click.option("--server", help="Speak to the server at this address (xos up), which has DIRECTORY open.")
@click.option(
    "--keys",
    "key_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of the server's keys.  [default: keys.toml beside DIRECTORY]",
)
@click.option("--key", default="operator", show_default=True, help="Name of the server's key.")
@tls_options
@click.option("--json", "as_json", is_flag=True, help="Say where it listens as one JSON object.")
@identity_options
@click.pass_context
def command(
    ctx: click.Context,
    directory: Path,
    host: str,
    port: int,
    account: int | None,
    key_file: Path | None,
    history_url: str | None,
    server: str | None,
    key_path: Path | None,
    key: str,
    tls_port: int | None,
    certificate: Path | None,
    private_key: Path | None,
    as_json: bool,
    chosen: Chosen,
) -> None:
    """Serve the exchange in DIRECTORY over HTTP, compatible with OKX v5, until Ctrl-C or SIGTERM.

    Keys lie in DIRECTORY.control.db, their secrets sealed by the file beside it; history in
    DIRECTORY.history.db. With --server another process has the directory open: its log is read where it lies
    here, and history begins now where it does not. Ready-made lines for ccxt are printed for a new key.
    """
    from exchange_os.api import application
    from exchange_os.api.serving import Tls, serve

    tls = None
    if tls_port is not None:
        if certificate is None or private_key is None:
            raise click.UsageError("--tls-port needs --certificate and --private-key")
        tls = Tls(tls_port, certificate, private_key)

    # The thread that sends commands waits so long at most for the event loop to let it.
    sys.setswitchinterval(_SWITCH_S)
    exchange, history = _opened(
        directory, server, key_path or directory.parent / "keys.toml", key, history_url
    )
    with exchange:
        keys = chosen.keys(directory)
        made = None if account is None else _key(keys, exchange, account, key_file)
        if history is not None:
            history.follow(exchange)

        def ready(ports: list[int]) -> None:
            port = ports[0]
            if as_json:
                said = {"address": f"http://{host}:{port}"}
                said |= {"tls": f"https://{host}:{ports[1]}"} if tls is not None else {}
                say_json(said if made is None else said | {"ccxt": ccxt_lines(made, said["address"])})
            else:
                if made is not None:
                    click.echo(f"{ccxt_lines(made, f'http://{host}:{port}')}print(okx.fetch_balance())\n")
                click.echo(f"======== Running on http://{host}:{port} ========\n(Press CTRL+C to quit)")
            sys.stdout.flush()

        app = chosen.apply(application(exchange, keys, history=history))
        told = asyncio.run(serve(app, host, port, ready, lambda: exchange.closed, tls))
        if history is not None:
            history.close()
        keys.close()
    if not told:
        click.echo("xos: the connection to the server ended; start again once it is up", err=True)
        ctx.exit(HALTED)


def ccxt_lines(key: Key, address: str) -> str:
    """How ccxt connects with this key."""
    return (
        "import ccxt\n\n"
        f'okx = ccxt.okx({{"apiKey": "{key.name}", "secret": "{key.secret.decode()}", '
        f'"password": "{key.passphrase}"}})\n'
        f'okx.urls["api"] = {{"rest": "{address}", "ws": "{address.replace("http", "ws", 1)}/ws/v5"}}\n'
    )


def _key(keys: Keys, exchange: Exchange, account: int, file: Path | None) -> Key:
    """A key of the account: a new one, or that which the file names."""
    from exchange_os.errors import UnknownName

    if account > exchange.account_count:
        raise UnknownName(f"account {account} does not exist; the newest is {exchange.account_count}")
    name = file.read_text(encoding="utf-8").strip() if file is not None and file.exists() else ""
    found = keys.find(name)
    if found is not None and found.account == account:
        return found
    made = keys.create(account)
    if file is not None:
        file.write_text(made.name + "\n", encoding="utf-8")
    return made


def _opened(
    directory: Path, server: str | None, key_path: Path, key: str, history_url: str | None
) -> tuple[Exchange, History | None]:
    """The exchange, and its history where the log lies here."""
    from exchange_os.client.pipelined import connect_pipelined
    from exchange_os.exchange import Exchange
    from exchange_os.history import History, Store

    exchange = (
        Exchange.open(directory)
        if server is None
        else connect_pipelined(
            server, key=key, secret=secret_of(key_path, key), session=_SESSION, events_kept_max=_EVENTS_KEPT
        )
    )
    if not directory.exists():
        return exchange, None
    return exchange, History(
        Store(history_url or directory.with_name(directory.name + ".history.db")), directory
    )
