"""`xos lint`: what is wrong, or suspicious, with a market file."""

from pathlib import Path

import click

from exchange_os.cli._say import REFUSED, json_option, say_json
from exchange_os.errors import MarketFileError


@click.command(name="lint")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@click.pass_context
def command(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Check a market FILE: form, contradictions, bounds, and what looks like a mistake."""
    from exchange_os.markets import Problem, lint, load

    try:
        problems = lint(load(file))
    except MarketFileError as error:
        problems = [problem for problem in error.problems if isinstance(problem, Problem)]
        if not problems:
            raise
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    if as_json:
        fields = ("severity", "file", "line", "field", "message")
        listed = [{name: getattr(problem, name) for name in fields} for problem in problems]
        say_json({"file": str(file), "errors": errors, "warnings": warnings, "problems": listed})
    else:
        for problem in problems:
            click.echo(f"{problem.severity}: {problem}")
        click.echo(f"{file}: {errors} errors, {warnings} warnings")
    if errors:
        ctx.exit(REFUSED)
