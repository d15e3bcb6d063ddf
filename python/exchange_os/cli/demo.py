"""`xos demo`: the 2026 World Cup on the embedded exchange."""

from __future__ import annotations

from pathlib import Path

import click

from exchange_os.cli._numbers import FloatRange, IntRange
from exchange_os.cli._progress import progress
from exchange_os.cli._say import FAILED, json_option, say_json

_BOOKS_SIZE = 0.05
"""How much of the flow is sent again to books of each venue alone; `xos sim books` does it at any size."""


@click.command(name="demo")
@click.argument("directory", type=click.Path(path_type=Path), default=Path("demo-data"))
@click.option("--seed", type=IntRange(0, 2**63 - 1), default=2026, show_default=True)
@click.option(
    "--size",
    type=FloatRange(0, 20, min_open=True),
    default=1.0,
    show_default=True,
    help="How much is traded, 1 being about a million commands.",
)
@click.option("--svg", is_flag=True, help="Write the picture as SVG instead of PNG.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@json_option
def command(directory: Path, seed: int, size: float, svg: bool, quiet: bool, as_json: bool) -> None:
    """Trade the 2026 World Cup in DIRECTORY (default: demo-data), from the first question to the title.

    Market makers, informed and noise takers trade champion, group and match questions, and ETH and BTC
    beside them, each on one account, through a permissioned venue and two open ones on the same books. Every
    match is resolved at its final whistle, and one question is disputed. A smaller flow of the same seed is
    then sent to shared books, and to books of each venue alone. The same seed ends with the same state hash.
    The directory of an earlier demonstration is replaced, any other refused. Exit code 1 if a proof fails.
    """
    from exchange_os.sim import demo, picture, proofs, report, shared_books
    from exchange_os.sim.progress import tournament_progress
    from exchange_os.sim.recorded_flow import record
    from exchange_os.sim.shared_picture import draw_books

    demo.prepare(directory)
    with tournament_progress(shown=not quiet and not as_json) as tell:
        played = demo.play(directory, seed, size, tell)
    image = directory / ("champion.svg" if svg else "champion.png")
    drawn = picture.draw_odds(played.odds, played.facts, image, f"Seed {seed}, {played.tape.trades:,} trades")
    with progress("replaying") as advance:
        proven = proofs.prove(played, directory, advance)
    found = report.content(played, proven, str(image) if drawn else None, str(directory))
    with progress("the same flow on separate books") as advance:
        found["books"] = shared_books.compare(record(seed, min(size, _BOOKS_SIZE)), seed, advance)
    image = directory / ("books.svg" if svg else "books.png")
    found["books"]["picture"] = str(image) if draw_books(found["books"], image) else None
    if as_json:
        say_json(found)
    else:
        from rich.console import Console

        report.show(found, Console(highlight=False))
    if not found["proven"]:
        click.get_current_context().exit(FAILED)
