"""`xos schema`: what other programs need to read and write the exchange's own formats."""

import json

import click


@click.command(name="schema")
def command() -> None:
    """Print the JSON Schema of a market file, for editors."""
    from exchange_os.markets.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
