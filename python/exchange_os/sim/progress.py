"""A progress bar through the tournament, by date, with the latest result; in a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from .demo import Progress


@contextmanager
def tournament_progress(shown: bool) -> Iterator[Progress | None]:
    """A function that hears of every step; None where nothing is to be shown."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[date]:<7}"),
        BarColumn(),
        TextColumn("{task.fields[headline]:<26}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("tournament", total=None, date="", headline="")

        def tell(done: int, total: int, time_ns: int, headline: str) -> None:
            date = f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%d %b}"
            bar.update(task, completed=done, total=total, date=date, headline=headline)

        yield tell
