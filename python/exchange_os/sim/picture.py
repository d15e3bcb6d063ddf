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
_LABEL_GAP = 0.033
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
    from matplotlib import pyplot as plt

    moments: Any = [datetime.fromtimestamp(at_ns // 10**9, UTC) for at_ns in odds.times_ns]
    market, model = np.array(odds.market) / PPM, np.array(odds.model) / PPM
    shown = _chosen(market, facts)
    with mpl.rc_context({"font.size": 10, "svg.hashsalt": "xos"}):
        figure, axes = plt.subplots(figsize=(12, 6.6), dpi=130)
        _rounds(axes, facts)
        for team in range(len(facts.teams)):
            if team not in shown:
                axes.plot(moments, market[:, team], color="#cbd2d9", linewidth=0.6, zorder=1)
        for colour, team in zip(_COLOURS, shown, strict=False):
            axes.plot(moments, model[:, team], color=colour, linewidth=0.9, alpha=0.35, linestyle=(0, (3, 2)))
            axes.plot(moments, market[:, team], color=colour, linewidth=1.8, zorder=3)
        _end_labels(axes, moments, market, shown, facts)
        _frame(axes, moments, caption)
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
            xytext=(3, -11 if position % 2 == 0 else -24),
            textcoords="offset points",
            color=_FAINT,
            fontsize=8.5,
        )


def _end_labels(
    axes: Any, moments: list[datetime], market: Any, shown: list[int], facts: TournamentFacts
) -> None:
    """Each team's name where its line ends: at the right edge, or above its highest point if it went out."""
    height = 0.0
    for place, (colour, team) in enumerate(zip(_COLOURS, shown, strict=False)):
        line = market[:, team]
        alive = np.flatnonzero(line > 0.004)
        last = int(alive[-1]) if len(alive) else 0
        name = facts.teams[team].name
        peak = int(np.argmax(line[: last + 1]))
        if place == 0:
            spot, offset = (moments[-1], line[-1]), (7, -3)
        else:
            spot, offset = (moments[peak], line[peak]), (0, 6)
        height = max(height, float(line[peak]))
        axes.annotate(
            name,
            spot,
            xytext=offset,
            textcoords="offset points",
            color=colour,
            fontsize=10,
            fontweight="bold",
            ha="left" if place == 0 else "center",
            annotation_clip=False,
            zorder=5,
        )


def _frame(axes: Any, moments: list[datetime], caption: str) -> None:
    from matplotlib import dates as typed_dates
    from matplotlib.ticker import PercentFormatter

    dates: Any = typed_dates
    axes.set_xlim(moments[0], moments[-1])
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
    axes.text(0, -0.1, caption, transform=axes.transAxes, color=_FAINT, fontsize=8.5)
