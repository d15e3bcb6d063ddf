"""`xos api`: the interface of OKX over an exchange."""

from pathlib import Path

import click

from exchange_os.cli._identity import Chosen, identity_options
from exchange_os.cli._numbers import IntRange

_SWITCH_S = 0.000_5


@click.command(name="api")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8555, show_default=True, type=IntRange(0, 65_535), help="Port to listen on.")
@click.option(
    "--account", type=IntRange(1), help="Make a new key with read and trade for this account first."
)
@identity_options
def command(directory: Path, host: str, port: int, account: int | None, chosen: Chosen) -> None:
    """Serve the exchange in DIRECTORY over HTTP, compatible with OKX v5, until Ctrl-C or SIGTERM.

    Keys lie in DIRECTORY.control.db, their secrets sealed by the file beside it. Ready-made lines for ccxt
    are printed for a new key.
    """
    import sys

    from aiohttp import web

    from exchange_os.api import application
    from exchange_os.errors import UnknownName
    from exchange_os.exchange import Exchange
    from exchange_os.history import History, Store

    history = History(Store(directory.with_name(directory.name + ".history.db")))
    if directory.exists():
        history.catch_up(directory)
    with Exchange.open(directory) as exchange:
        keys = chosen.keys(directory)
        if account is not None:
            if account > exchange.account_count:
                raise UnknownName(f"account {account} does not exist; the newest is {exchange.account_count}")
            key = keys.create(account)
            click.echo(
                "import ccxt\n\n"
                f'okx = ccxt.okx({{"apiKey": "{key.name}", "secret": "{key.secret.decode()}", '
                f'"password": "{key.passphrase}"}})\n'
                f'okx.urls["api"] = {{"rest": "http://{host}:{port}"}}\n'
                "print(okx.fetch_balance())\n"
            )
        # The thread that sends commands waits so long at most for the event loop to let it.
        sys.setswitchinterval(_SWITCH_S)
        history.follow(exchange)
        app = chosen.apply(application(exchange, keys, history=history))
        web.run_app(app, host=host, port=port, print=click.echo)
        history.close()
        keys.close()
