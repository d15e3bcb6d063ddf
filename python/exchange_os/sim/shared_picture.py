"""Shared books against separate ones, as a picture (PNG or SVG by the file's ending)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_SHARED, _SEPARATE = "#1b998b", "#c1121f"
_INK, _FAINT, _GRID = "#1f2933", "#7b8794", "#e4e7eb"


def draw_books(found: dict[str, Any], path: Path) -> bool:
    """Writes the picture; False if matplotlib is not installed (`exchange-os[plots]`)."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    venues = found["venues"]
    with mpl.rc_context({"font.size": 9.5, "svg.hashsalt": "xos"}):
        figure, rows = plt.subplots(2, len(venues), figsize=(14, 7.2), dpi=120, sharex=True, sharey="row")
        for column, (name, venue) in enumerate(venues.items()):
            title = (
                f"{name}: {venue['accounts']} accounts\n"
                f"filled {venue['shared']['filled_percent']:.0f} % shared,"
                f" {venue['separate']['filled_percent']:.0f} % separate\n"
                f"the same order {venue['better_ticks']:.1f} ticks better"
            )
            _curve(rows[0][column], venue, 1, title, "spread, ticks" if column == 0 else "")
            _curve(rows[1][column], venue, 2, "", "USD within 2 cents" if column == 0 else "")
            rows[1][column].set_yscale("log")
        rows[0][0].legend(frameon=False, loc="upper left")
        figure.suptitle(
            "One book for three venues, and a book for each: the same World Cup flow,"
            f" seed {found['seed']}, {found['commands']:,} commands",
            x=0.01,
            ha="left",
            color=_INK,
            fontweight="bold",
        )
        figure.autofmt_xdate()
        figure.tight_layout()
        metadata = {"Software": None} if path.suffix == ".png" else {"Date": None}
        figure.savefig(path, metadata=metadata)
        plt.close(figure)
    return True


def _curve(axes: Any, venue: dict[str, Any], place: int, title: str, label: str) -> None:
    for world, colour in (("shared", _SHARED), ("separate", _SEPARATE)):
        curve = venue["curve"][world]
        days = [datetime.fromtimestamp(row[0] * 86_400, UTC) for row in curve]
        axes.plot(
            days,
            [row[place] or float("nan") for row in curve],
            color=colour,
            linewidth=1.7,
            label=f"{world} book",
        )
    axes.set_title(title, loc="left", color=_INK, fontsize=9.5)
    axes.set_ylabel(label, color=_FAINT)
    axes.grid(color=_GRID, linewidth=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=_INK, length=0)
