"""`xos status`: how a server stands."""

import json
import urllib.error
import urllib.request

import click

from exchange_os.cli._say import NOTHING_THERE, json_option, say_json, say_pairs

_TIMEOUT_S = 5


@click.command(name="status")
@click.option(
    "--watch", default="127.0.0.1:7002", show_default=True, help="Address of its health and metrics."
)
@json_option
@click.pass_context
def command(ctx: click.Context, watch: str, as_json: bool) -> None:
    """Say how the server that `xos up` started stands. Exit code 6 if there is none."""
    try:
        with urllib.request.urlopen(f"http://{watch}/status", timeout=_TIMEOUT_S) as answer:
            status = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        click.echo(f"xos: nothing answers at {watch}: {error}", err=True)
        ctx.exit(NOTHING_THERE)
    if as_json:
        say_json(status)
        return
    title = (
        f"serving at {status.pop('address')}" if status.pop("serving") else "not serving: it ended by itself"
    )
    say_pairs(title, {name.replace("_", " "): f"{value:,}" for name, value in status.items()})
