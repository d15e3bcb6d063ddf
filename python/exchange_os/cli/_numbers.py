"""Numbers of the command line: digits are ASCII, for `int` and `float` take those of every script."""

from __future__ import annotations

from typing import Any

import click


def _is_foreign(value: Any) -> bool:
    return isinstance(value, str) and not value.isascii()


class IntRange(click.IntRange):
    """A whole number between bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; a usage error with another digit than 0 to 9."""
        if _is_foreign(value):
            self.fail(f"{value!r} is not a valid integer.", param, ctx)
        return super().convert(value, param, ctx)


class FloatRange(click.FloatRange):
    """A number between bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; a usage error with another digit than 0 to 9."""
        if _is_foreign(value):
            self.fail(f"{value!r} is not a valid float.", param, ctx)
        return super().convert(value, param, ctx)
