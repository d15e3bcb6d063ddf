"""`xos init`: an example market file to begin with."""

from importlib import resources
from pathlib import Path

import click

from exchange_os.cli._say import json_option, say_json


@click.command(name="init")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@json_option
def command(file: Path, force: bool, as_json: bool) -> None:
    """Write an example market FILE: assets, a venue, spot, a perpetual, a question."""
    if file.exists() and not force:
        raise click.UsageError(f"{file} exists; --force replaces it")
    example = resources.files("exchange_os.markets").joinpath("example.toml").read_text(encoding="utf-8")
    try:
        file.write_text(example, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from error
    if as_json:
        say_json({"file": str(file), "bytes": len(example.encode())})
    else:
        click.echo(f"wrote {file}; next: xos lint {file}")
