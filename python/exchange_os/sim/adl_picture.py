"""Who paid in a deleveraging, as a picture (PNG or SVG by the file's ending)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_COLOURS = ("#1b998b", "#c1121f", "#e08e0b", "#1d70b8")
_INK, _FAINT, _GRID = "#1f2933", "#7b8794", "#e4e7eb"


def draw_comparison(found: dict[str, Any], path: Path) -> bool:
    """Writes the picture; False if matplotlib is not installed (`exchange-os[plots]`)."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"font.size": 10, "svg.hashsalt": "xos"}):
        figure, (curves, amounts, buckets) = plt.subplots(1, 3, figsize=(15, 5.2), dpi=120)
        _curves(curves, found)
        _amounts(amounts, found)
        _buckets(buckets, found)
        for axes in (curves, amounts, buckets):
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
            axes.tick_params(colors=_INK, length=0)
            axes.set_axisbelow(True)
        figure.suptitle(
            f"One cascade, four rules of auto-deleveraging: {found['accounts']:,} accounts, "
            f"{found['markets']} markets, seed {found['seed']}",
            x=0.01,
            ha="left",
            color=_INK,
            fontweight="bold",
        )
        figure.tight_layout()
        metadata = {"Software": None} if path.suffix == ".png" else {"Date": None}
        figure.savefig(path, metadata=metadata)
        plt.close(figure)
    return True


def _curves(axes: Any, found: dict[str, Any]) -> None:
    axes.plot([0, 100], [0, 100], color=_FAINT, linewidth=0.9, linestyle=(0, (3, 2)), label="equal parts")
    for colour, rule in zip(_COLOURS, found["rules"], strict=False):
        share = [ppm / 1e4 for ppm in rule["curve_ppm"]]
        label = f"{rule['name']} (gini {rule['gini_ppm'] / 1e6:.2f})"
        axes.plot([5 * step for step in range(len(share))], share, color=colour, linewidth=1.8, label=label)
    axes.set_title("Who paid: share of the haircut", loc="left", color=_INK, fontsize=11)
    axes.set_xlabel("% of the winners' profit, least hit first", color=_FAINT)
    axes.legend(frameon=False, fontsize=8.5)
    axes.grid(color=_GRID, linewidth=0.8)


def _amounts(axes: Any, found: dict[str, Any]) -> None:
    names = [rule["name"].replace(", ", ",\n") for rule in found["rules"]]
    deficit = [rule["deficit"] / 1e12 for rule in found["rules"]]
    overshoot = [rule["overshoot"] / 1e12 for rule in found["rules"]]
    axes.bar(names, deficit, color=_FAINT, label="deficit")
    axes.bar(names, overshoot, bottom=deficit, color=_COLOURS[1], label="overshoot")
    axes.set_title("How much was taken, millions of dollars", loc="left", color=_INK, fontsize=11)
    axes.legend(frameon=False, fontsize=8.5)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)


def _buckets(axes: Any, found: dict[str, Any]) -> None:
    from exchange_os.cli.sim import leverage_names

    names = leverage_names(found)
    width = 0.8 / len(found["rules"])
    for place, (colour, rule) in enumerate(zip(_COLOURS, found["rules"], strict=False)):
        parts = [100 * haircut / max(profit, 1) for _, profit, haircut in rule["by_leverage"]]
        at = [bucket + (place - 1.5) * width for bucket in range(len(names))]
        axes.bar(at, parts, width, color=colour, label=rule["name"])
    axes.set_xticks(range(len(names)), names)
    axes.set_title("% of profit given, by leverage", loc="left", color=_INK, fontsize=11)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
