"""How commands speak: one JSON object with --json, a table or lines without; errors on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from exchange_os import errors

FAILED, REFUSED, ALREADY_OPEN, CORRUPT, NOTHING_THERE, HALTED, DISK = 1, 3, 4, 5, 6, 7, 8

_EXIT_CODES: dict[type[errors.Error], int] = {
    errors.VerifyFailed: FAILED,
    errors.AlreadyOpen: ALREADY_OPEN,
    errors.Corrupt: CORRUPT,
    errors.NoExchangeHere: NOTHING_THERE,
    errors.Halted: HALTED,
    errors.DiskFailed: DISK,
}

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """The option --json, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(function)


def say_json(content: dict[str, Any]) -> None:
    """One JSON object; whatever JSON has no type for becomes text."""
    click.echo(json.dumps(content, default=str))


def say_pairs(title: str, pairs: dict[str, object]) -> None:
    """A title and a column of names and values."""
    click.echo(title)
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        click.echo(f"  {name.ljust(width)}  {value}")


def refuse(error: errors.Error, as_json: bool) -> int:
    """Says an error and gives its exit code. With --json the error is an object, on standard output."""
    kind = type(error)
    code = next((_EXIT_CODES[parent] for parent in kind.__mro__ if parent in _EXIT_CODES), REFUSED)
    if as_json:
        number = getattr(error, "code", error.number)
        said = {"name": kind.__name__, "number": number, "message": str(error), "exit_code": code}
        say_json({"error": said})
    else:
        click.echo(f"xos: {error}", err=True)
    return code
