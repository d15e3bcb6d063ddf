"""Latency of durable answers against the offered rate, as a picture (SVG or PNG by the file's ending)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_COLOURS = {"p50": "#1b998b", "p90": "#1d70b8", "p99 of 100 ms, median": "#e08e0b"}
_INK, _FAINT, _GRID = "#1f2933", "#7b8794", "#e4e7eb"


def draw_curve(found: dict[str, Any], path: Path) -> bool:
    """Writes the picture; False if matplotlib is not installed (`exchange-os[plots]`)."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    runs = [run for run in found["runs"] if run["holds"]] or found["runs"]
    rates = [run["offered_per_s"] / 1_000 for run in runs]
    lines = {
        "p50": [run["latency"]["p50_ns"] / 1e6 for run in runs],
        "p90": [run["latency"]["p90_ns"] / 1e6 for run in runs],
        "p99 of 100 ms, median": [run["window_p99_ns"] / 1e6 for run in runs],
    }
    bound = [run["bounds"]["p50_ns"] / 1e6 for run in runs]
    with mpl.rc_context({"font.size": 10, "svg.hashsalt": "xos"}):
        figure, axes = plt.subplots(figsize=(9, 5), dpi=120)
        for name, values in lines.items():
            axes.plot(
                rates, values, color=_COLOURS[name], marker="o", markersize=4, linewidth=1.8, label=name
            )
        axes.plot(
            rates,
            bound,
            color=_FAINT,
            linewidth=1,
            linestyle=(0, (3, 2)),
            label="one sync and one echo (p50)",
        )
        axes.set_yscale("log")
        axes.set_xlabel("thousand commands a second offered, open loop", color=_FAINT)
        axes.set_ylabel("ms from due to durable answer", color=_FAINT)
        axes.grid(color=_GRID, linewidth=0.8)
        axes.legend(frameon=False)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.tick_params(colors=_INK, length=0)
        axes.set_axisbelow(True)
        figure.suptitle(
            f"Durable answers over sockets, client and server on {found['machine']}\n"
            f"{found['workload']}, {found['connections']} connections, {found['seconds']} s each, "
            f"commit {found['commit']}",
            x=0.01,
            ha="left",
            color=_INK,
            fontsize=10,
        )
        figure.tight_layout()
        figure.savefig(path, metadata={"Software": None} if path.suffix == ".png" else {"Date": None})
        plt.close(figure)
    return True
