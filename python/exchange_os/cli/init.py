"""`xos init`: a market file to begin with."""

from importlib import resources
from pathlib import Path

import click

from exchange_os.cli._say import json_option, say_json

TEMPLATES = {
    "example": "assets, a venue, spot, a perpetual, a question",
    "spot": "one spot pair",
    "perpetual": "a perpetual with an oracle, tiers, funding and a liquidation ladder",
    "prediction": "one question with two outcomes",
    "permissioned": "a venue for accounts with a credential and an open one, on one book",
    "simulated": "a venue for play: worthless money that cannot leave",
}


def template(name: str) -> str:
    """The text of a template."""
    return (
        resources.files("exchange_os.markets.templates").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    )


@click.command(
    name="init",
    epilog="\b\nTemplates:\n" + "\n".join(f"  {name.ljust(12)} {what}" for name, what in TEMPLATES.items()),
)
@click.argument("words", nargs=-1, metavar="[TEMPLATE] [FILE]")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@json_option
def command(words: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Write a market FILE from a TEMPLATE; without FILE print it, without TEMPLATE take "example"."""
    names = [word for word in words if word in TEMPLATES]
    files = [word for word in words if word not in TEMPLATES]
    if len(names) > 1 or len(files) > 1 or (names and files and words[0] == files[0]):
        raise click.UsageError(f"expected at most a template ({', '.join(TEMPLATES)}) and then a file")
    if files and "." not in files[0] and "/" not in files[0]:
        raise click.UsageError(
            f"{files[0]!r} is no template ({', '.join(TEMPLATES)}) and has no ending such as .toml"
        )
    text = template(names[0] if names else "example")
    if not files:
        if as_json:
            say_json({"template": names[0] if names else "example", "text": text})
        else:
            click.echo(text, nl=False)
        return
    file = Path(files[0])
    if file.exists() and not force:
        raise click.UsageError(f"{file} exists; --force replaces it")
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from error
    if as_json:
        say_json({"file": str(file), "bytes": len(text.encode())})
    else:
        click.echo(f"wrote {file}; next: xos lint {file}")
