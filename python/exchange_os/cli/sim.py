"""`xos sim`: simulated worlds that compare rules."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from exchange_os.cli._numbers import FloatRange, IntRange
from exchange_os.cli._progress import progress
from exchange_os.cli._say import FAILED, json_option, say_json


@click.group(name="sim")
def command() -> None:
    """Compare rules on simulated worlds."""


@command.command(name="adl")
@click.option("--seed", type=IntRange(0, 2**63 - 1), default=1, show_default=True)
@click.option("--accounts", type=IntRange(200, 1_000_000), default=20_000, show_default=True)
@click.option("--markets", type=IntRange(1, 10_000), default=162, show_default=True)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the comparison, as PNG or SVG by the ending.",
)
@json_option
@click.pass_context
def adl(
    ctx: click.Context, seed: int, accounts: int, markets: int, picture: Path | None, as_json: bool
) -> None:
    """Send one cascade of the shape of 10 October 2025 through four rules of auto-deleveraging.

    Pro-rata is the engine's rule; the queue by profit times leverage closes at the mark before the
    bankruptcy, as Hyperliquid documents it, and once more at the bankruptcy price; the random start is
    dYdX's. Overshoot is what the other side lost against the mark beyond the deficit. Exit code 1 if
    pro-rata overshoots by more than a thousandth of the deficit.
    """
    from exchange_os import _core

    found = _core.sim_adl(seed, accounts, markets)
    drawn = None
    if picture is not None:
        from exchange_os.sim.adl_picture import draw_comparison

        drawn = str(picture) if draw_comparison(found, picture) else None
    first = found["rules"][0]
    found["passed"] = 0 <= first["overshoot"] * 1_000 <= first["deficit"] and first["unresolved"] == 0
    found["picture"] = drawn
    if as_json:
        say_json(found)
    else:
        _show(found)
    if not found["passed"]:
        ctx.exit(FAILED)


@command.command(name="books")
@click.option("--seed", type=IntRange(0, 2**63 - 1), default=2026, show_default=True)
@click.option(
    "--size",
    type=FloatRange(0, 5, min_open=True),
    default=0.6,
    show_default=True,
    help="How much is traded, as of xos demo.",
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the comparison, as PNG or SVG by the ending.",
)
@json_option
@click.pass_context
def books(ctx: click.Context, seed: int, size: float, picture: Path | None, as_json: bool) -> None:
    """Send the World Cup's flow to books that three venues share, and to books of each venue alone.

    The demonstration is played once to record its flow; whoever takes at once then names a price that does
    not depend on the book. Exit code 1 if a venue is better off alone: fewer of its orders filled, or a
    dearer fill, on the shared books.
    """
    from exchange_os.sim.progress import tournament_progress
    from exchange_os.sim.recorded_flow import record
    from exchange_os.sim.shared_books import compare

    with tournament_progress(shown=not as_json) as tell:
        flow = record(seed, size, tell)
    with progress("the same flow on other books") as advance:
        found: dict[str, Any] = compare(flow, seed, advance)
    drawn = None
    if picture is not None:
        from exchange_os.sim.shared_picture import draw_books

        drawn = str(picture) if draw_books(found, picture) else None
    venues = found["venues"].values()
    found["size"], found["picture"] = size, drawn
    found["passed"] = all(
        venue["better_ticks"] >= 0
        and venue["shared"]["filled_percent"] >= venue["separate"]["filled_percent"]
        for venue in venues
    )
    if as_json:
        say_json(found)
    else:
        _show_books(found)
    if not found["passed"]:
        ctx.exit(FAILED)


def _show_books(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    title = f"Seed {found['seed']}: {found['commands']:,} commands of the World Cup, sent again"
    table = Table(title=title, title_justify="left")
    table.add_column("venue", no_wrap=True)
    table.add_column("books", no_wrap=True)
    names = ("spread, ticks", "USD within 2 c", "two-sided, %", "filled, %", "ticks better")
    for name in names:
        table.add_column(name, justify="right", min_width=max(map(len, name.split())), no_wrap=False)
    for venue, row in found["venues"].items():
        for world in ("shared", "separate"):
            seen = row[world]
            better = f"{row['better_ticks']:.2f}" if world == "shared" else ""
            table.add_row(
                f"{venue} ({row['accounts']})" if world == "shared" else "",
                world,
                f"{seen['spread_ticks']:.2f}",
                f"{seen['depth_usd']:,.2f}",
                f"{seen['two_sided_percent']:.1f}",
                f"{seen['filled_percent']:.1f}",
                better,
            )
        table.add_section()
    console.print(table)
    if found["picture"]:
        console.print(f"picture: {found['picture']}")


def _millions(atoms: int) -> str:
    return f"{atoms / 1e12:,.3f}"


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    names = [rule["name"] for rule in found["rules"]]
    title = f"Seed {found['seed']}: {found['accounts']:,} accounts, {found['markets']} markets, "
    table = Table(title=f"{title}{found['positions']:,} positions", title_justify="left")
    table.add_column("millions of dollars", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", min_width=max(map(len, name.split())))
    rows: list[tuple[str, Any]] = [
        ("deficit", lambda rule: _millions(rule["deficit"])),
        ("haircut", lambda rule: _millions(rule["haircut"])),
        ("overshoot", lambda rule: _millions(rule["overshoot"])),
        ("overshoot, % of deficit", lambda rule: f"{100 * rule['overshoot'] / max(rule['deficit'], 1):,.4f}"),
        ("haircut beyond profit", lambda rule: _millions(rule["beyond_profit"])),
        ("closed", lambda rule: _millions(rule["closed"])),
        ("closed though hedging", lambda rule: _millions(rule["hedged_closed"])),
        ("bankrupt accounts", lambda rule: f"{rule['bankrupt']:,}"),
        ("fills, thousands", lambda rule: f"{rule['fills'] / 1e3:,.1f}"),
        ("accounts that gave", lambda rule: f"{rule['payers']:,}"),
        ("gini of haircut / profit", lambda rule: f"{rule['gini_ppm'] / 1e6:.3f}"),
        ("on hardest-hit 5 % of profit, %", lambda rule: f"{rule['hardest_twentieth_ppm'] / 1e4:.1f}"),
        ("gave 10 x the average part", lambda rule: f"{rule['hit_tenfold']:,}"),
        ("time, ms", lambda rule: f"{rule['adl_ns'] / 1e6:,.0f}"),
        ("time of a fill, ns", lambda rule: f"{rule['adl_ns'] / max(rule['fills'], 1):,.0f}"),
    ]
    for name, cell in rows:
        table.add_row(name, *(cell(rule) for rule in found["rules"]))
    table.add_section()
    for at, bucket in enumerate(leverage_names(found)):
        cells = [f"{100 * haircut / max(profit, 1):.2f}" for _, profit, haircut in _bucket(found, at)]
        table.add_row(f"% of profit, leverage {bucket}", *cells)
    console.print(table)
    if found["picture"]:
        console.print(f"picture: {found['picture']}")


def _bucket(found: dict[str, Any], at: int) -> list[tuple[int, int, int]]:
    return [rule["by_leverage"][at] for rule in found["rules"]]


def leverage_names(found: dict[str, Any]) -> list[str]:
    """What the buckets of leverage are called."""
    ends = [tenths / 10 for tenths in found["leverage_tenths"]]
    inner = [f"{low:g} to {high:g}" for low, high in pairwise(ends)]
    return [f"up to {ends[0]:g}", *inner, f"above {ends[-1]:g}"]
