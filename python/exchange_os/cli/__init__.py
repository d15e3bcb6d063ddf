"""The command line, `xos`.

A command is a module in this folder that defines `command`, a `click.Command`. It is imported only when
it is asked for, so that `xos --version` and `xos --help` stay quick however many commands there are.
"""

import importlib
import pkgutil
from typing import Any

import click

from exchange_os._core import build_info
from exchange_os.errors import Error


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click passes it
        names = (module.name for module in pkgutil.iter_modules(__path__))
        return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name.replace('-', '_')}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is not a click.Command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """An error of the package ends the program with its sentence and its exit code; so does Ctrl-C."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except Error as error:
            from exchange_os.cli._say import refuse

            ctx.exit(refuse(error, as_json))
        except KeyboardInterrupt:
            click.echo("xos: interrupted", err=True)
            ctx.exit(_INTERRUPTED)


def _print_version(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    info = build_info()
    click.echo(f"xos {info['version']} ({info['profile']}, {info['target']}, {info['rustc']})")
    ctx.exit()


_EPILOG = """\b
Exit codes: 0 done, 1 a check failed, 2 wrong usage, 3 the file or the engine refused, 4 the directory is
open elsewhere, 5 its files are damaged, 6 there is no exchange, 7 the exchange halted, 8 the disk failed,
130 interrupted."""

_INTERRUPTED = 130


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and how it was built.",
)
def main() -> None:
    """An exchange you can import."""
