"""`xos demo`: a small world on the embedded exchange."""

import importlib

import click


@click.command(name="demo", context_settings={"ignore_unknown_options": True})
def command() -> None:
    """Run the demonstration."""
    importlib.import_module("exchange_os.sim.demo").run()
