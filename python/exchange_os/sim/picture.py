"""The champion's odds through the tournament, as a picture (PNG or SVG by the file's ending)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .price_paths import PPM
from .world_cup import Round, TournamentFacts

if TYPE_CHECKING:
    from .demo import Odds

_TEAMS_SHOWN = 8
_COLOURS = ("#c1121f", "#1d70b8", "#1b998b", "#e08e0b", "#6a4c93", "#2d6a4f", "#9c6644", "#457b9d")
_INK, _FAINT, _GRID = "#1f2933", "#7b8794", "#e4e7eb"
_ROUND_NAMES = {
    Round.GROUP: "groups",
    Round.ROUND_OF_32: "last 32",
    Round.ROUND_OF_16: "last 16",
    Round.QUARTER_FINAL: "quarter-finals",
    Round.SEMI_FINAL: "semi-finals",
    Round.FINAL: "final",
}


def draw_odds(odds: Odds, facts: TournamentFacts, path: Path, caption: str) -> bool:
    """Writes the picture; False if matplotlib is not installed (`exchange-os[plots]`)."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        return False
    mpl.use("Agg")
    from matplotlib import dates as typed_dates
    from matplotlib import pyplot as plt

    dates: Any = typed_dates
    days = dates.date2num([datetime.fromtimestamp(at_ns // 10**9, UTC) for at_ns in odds.times_ns])
    market, model = np.array(odds.market) / PPM, np.array(odds.model) / PPM
    shown = _chosen(market, facts)
    with mpl.rc_context({"font.size": 10, "svg.hashsalt": "xos"}):
        figure, axes = plt.subplots(figsize=(12, 6.6), dpi=130)
        _rounds(axes, facts)
        for team in range(len(facts.teams)):
            if team not in shown:
                axes.plot(days, market[:, team], color="#cbd2d9", linewidth=0.6, zorder=1)
        for colour, team in zip(_COLOURS, shown, strict=False):
            axes.plot(days, model[:, team], color=colour, linewidth=0.9, alpha=0.35, linestyle=(0, (3, 2)))
            axes.plot(days, market[:, team], color=colour, linewidth=1.8, zorder=3)
        _labels(axes, days, market, shown, facts)
        _frame(axes, days, caption)
        figure.tight_layout()
        metadata = {"Software": None} if path.suffix == ".png" else {"Date": None}
        figure.savefig(path, metadata=metadata)
        plt.close(figure)
    return True


def _chosen(market: Any, facts: TournamentFacts) -> list[int]:
    """The teams whose odds were ever highest, the champion first."""
    champion = facts.team_index[facts.champion]
    order = [int(team) for team in np.argsort(-market.max(axis=0), kind="stable")]
    return [champion, *(team for team in order if team != champion)][:_TEAMS_SHOWN]


def _rounds(axes: Any, facts: TournamentFacts) -> None:
    for position, (stage, name) in enumerate(_ROUND_NAMES.items()):
        begins = min(match.kick_off_utc for match in facts.matches if match.round is stage)
        axes.axvline(begins, color=_GRID, linewidth=1, zorder=0)
        axes.annotate(
            name,
            (begins, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -11 if position % 2 == 0 else -23),
            textcoords="offset points",
            color=_FAINT,
            fontsize=8.5,
        )


def _labels(axes: Any, days: Any, market: Any, shown: list[int], facts: TournamentFacts) -> None:
    """Each team's name above its line, where the fewest lines pass behind it: late and high if it can be."""
    width, low, high = 0.06 * (days[-1] - days[0]), 0.008, 0.045
    taken: list[tuple[float, float]] = []
    lines = market[:, shown]
    for colour, team in zip(_COLOURS[1:], shown[1:], strict=False):
        best: tuple[int, float, int] | None = None
        for place in np.flatnonzero(market[:, team] > 0.01)[::3].tolist():
            day, odds = float(days[place]), float(market[place, team])
            near = np.abs(days - day) < width / 2
            inside = (lines[near] > odds + low) & (lines[near] < odds + high)
            behind = int(inside.any(axis=0).sum())
            behind += sum(abs(day - x) < width and abs(odds - y) < high for x, y in taken) * 10
            behind += (day < days[0] + width) * 5
            if best is None or (behind, -odds) < best[:2]:
                best = behind, -odds, place
        if best is not None:
            place = best[2]
            taken.append((float(days[place]), float(market[place, team])))
            spot = days[place], market[place, team]
            _name(axes, facts.teams[team].name, spot, (0, 6), colour, "center")
    axes.plot(days[-1:], lines[-1:, 0], "o", color=_COLOURS[0], markersize=5, zorder=4)
    _name(axes, facts.teams[shown[0]].name, (days[-1], lines[-1, 0]), (-6, -40), _COLOURS[0], "right")


def _name(
    axes: Any, text: str, spot: tuple[Any, Any], offset: tuple[int, int], colour: str, align: str
) -> None:
    from matplotlib import patheffects

    axes.annotate(
        text,
        spot,
        xytext=offset,
        textcoords="offset points",
        color=colour,
        fontsize=10,
        fontweight="bold",
        ha=align,
        zorder=6,
        path_effects=[patheffects.withStroke(linewidth=3, foreground="white")],
    )


def _frame(axes: Any, days: Any, caption: str) -> None:
    from matplotlib import dates as typed_dates
    from matplotlib.ticker import PercentFormatter

    dates: Any = typed_dates
    axes.xaxis_date()
    axes.set_xlim(days[0], days[-1] + 1.2)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.xaxis.set_major_locator(dates.DayLocator(bymonthday=(1, 5, 10, 15, 20, 25)))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%-d %b"))
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=_INK, length=0)
    axes.set_title(
        "World Cup 2026: who wins the title? Mid prices of the champion market",
        loc="left",
        color=_INK,
        fontsize=13,
        fontweight="bold",
        pad=14,
    )
    axes.text(
        0,
        -0.1,
        f"Solid: mid price, at the end what was paid. Dashed: the public strength model. {caption}.",
        transform=axes.transAxes,
        color=_FAINT,
        fontsize=8.5,
    )
