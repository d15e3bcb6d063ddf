"""`xos schema`: what other programs need to read and write the exchange's own formats."""

import json

import click


@click.command(name="schema")
@click.option("--sbe", is_flag=True, help="The messages of the binary gateway, as an SBE schema.")
def command(sbe: bool) -> None:
    """Print the JSON Schema of a market file, for editors."""
    if sbe:
        from exchange_os.server.sbe import sbe_schema

        click.echo(sbe_schema())
        return
    from exchange_os.markets.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
