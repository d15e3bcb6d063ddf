"""The report as a picture (PNG or SVG by the file's ending) and as one page of HTML with it inside."""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from exchange_os.signals.cleaning import clean
from exchange_os.signals.divergence import eight_hour_rates
from exchange_os.signals.market_data import DAY_MS, MarketData
from exchange_os.signals.report import Report

BARS_SHOWN = 240
DAYS_SHOWN = 90
_COLOURS = ("#1d70b8", "#c1121f", "#1b998b", "#e08e0b", "#6a4c93", "#9c6644")
_INK, _FAINT, _GRID, _UP, _DOWN = "#1f2933", "#7b8794", "#e4e7eb", "#1b998b", "#c1121f"


def draw_report(report: Report, data: MarketData, target: Path | io.BytesIO, kind: str = "") -> bool:
    """Funding by venue, price with its zones, the liquidation map, the reliability of the bias.

    False if matplotlib is not installed (`exchange-os[plots]`). A panel without data says so.
    """
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    form = kind or (target.suffix.lstrip(".") if isinstance(target, Path) else "svg")
    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "xos", "axes.edgecolor": _FAINT}):
        figure, axes = plt.subplots(2, 2, figsize=(13, 8), dpi=120)
        _funding(axes[0, 0], report, clean(data.of_symbol(report.symbol), report.at_ms)[0])
        _prices(axes[0, 1], report)
        _liquidations(axes[1, 0], report)
        _reliability(axes[1, 1], report)
        for part in axes.flat:
            for side in ("top", "right"):
                part.spines[side].set_visible(False)
            part.grid(color=_GRID, linewidth=0.7)
            part.set_axisbelow(True)
            part.tick_params(colors=_INK, length=0)
        figure.suptitle(report.text().partition("\n")[0], x=0.06, ha="left", fontsize=13, fontweight="bold")
        figure.tight_layout()
        metadata = {"Software": None} if form == "png" else {"Date": None}
        figure.savefig(target, format=form, metadata=metadata)
        plt.close(figure)
    return True


def _title(axes: Any, text: str) -> None:
    axes.set_title(text, loc="left", color=_INK, fontsize=10)


def _nothing(axes: Any, why: str) -> None:
    axes.text(0.5, 0.5, why, ha="center", va="center", color=_FAINT, transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])


def _days(times_ms: Any) -> Any:
    return np.asarray(times_ms).astype("datetime64[ms]")


def _length(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _funding(axes: Any, report: Report, data: MarketData) -> None:
    _title(axes, "Settled funding by venue, bps per 8 h")
    since_ms = report.at_ms - DAYS_SHOWN * DAY_MS
    rates = eight_hour_rates(data.funding, report.symbol).filter(pl.col("end_ms") > since_ms)
    if rates.is_empty():
        _nothing(axes, "no whole 8 h of settled funding")
        return
    venues = rates["venue"].unique().sort().to_list()
    for place, venue in enumerate(venues):
        part = rates.filter(pl.col("venue") == venue)
        colour = _COLOURS[place % len(_COLOURS)]
        axes.plot(_days(part["end_ms"]), part["per_hour"] * 80_000, color=colour, linewidth=1, label=venue)
    axes.axhline(0, color=_FAINT, linewidth=0.8)
    axes.margins(y=0.15)
    axes.legend(frameon=False, ncols=3, loc="upper left")
    axes.tick_params(axis="x", rotation=20)


def _prices(axes: Any, report: Report) -> None:
    bars = report.signals.bars
    if bars is None or not len(bars):
        _title(axes, "Price and zones")
        _nothing(axes, "no bars")
        return
    shown = bars.tail(BARS_SHOWN)
    _title(
        axes, f"Price on {bars.venue}, bars of {_length(bars.interval_s)}, with support and resistance zones"
    )
    days = _days(shown.close_ms)
    colours = np.where(shown.close >= shown.open, _UP, _DOWN)
    axes.vlines(days, shown.low, shown.high, color=colours, linewidth=0.7)
    axes.vlines(days, shown.open, shown.close, color=colours, linewidth=2.2)
    axes.scatter(days, shown.close, marker="_", s=5, color=colours, linewidth=1)  # bars of one price too
    low, high = float(shown.low.min()), float(shown.high.max())
    if report.signals.levels is not None:
        found = report.signals.levels
        zones = [(zone, _UP) for zone in found.supports] + [(zone, _DOWN) for zone in found.resistances]
        for zone, colour in zones:
            if low <= zone.middle <= high:
                axes.axhspan(zone.low, zone.high, color=colour, alpha=0.15, linewidth=0)
    axes.set_ylim(low * 0.998, high * 1.002)
    axes.tick_params(axis="x", rotation=20)


def _liquidations(axes: Any, report: Report) -> None:
    found = report.signals.liquidations
    if found is None or not len(found.levels):
        _title(axes, "Liquidations by price")
        _nothing(axes, "no open interest to estimate from")
        return
    coverage = 100 * min(found.long_coverage, found.short_coverage)
    kind = "within reach are" if found.model == "exact" else "an estimate that covers"
    _title(
        axes,
        f"Liquidations by price: {found.model}, {kind} {coverage:.0f} % of open interest",
    )
    near = np.abs(found.levels / found.price - 1) <= found.band_percent / 100
    if not near.any():
        _nothing(axes, f"none within {found.band_percent:g} % of the price")
        return
    width = found.levels[near] * 0.001
    prices = found.levels[near]
    for qty, colour, name in ((found.long_qty, _DOWN, "longs"), (found.short_qty, _UP, "shorts")):
        axes.bar(prices, qty[near] * prices / 1e6, width=width, color=colour, label=name)
    axes.axvline(found.price, color=_INK, linewidth=1)
    axes.set_ylabel("M quote")
    axes.legend(frameon=False)


def _reliability(axes: Any, report: Report) -> None:
    _title(axes, "Reliability of the bias, calls out of sample")
    judged = report.signals.bias.evaluation if report.signals.bias else None
    if judged is None:
        _nothing(axes, "no calls to judge")
        return
    forecast = [part.forecast for part in judged.reliability]
    observed = [part.observed for part in judged.reliability]
    axes.plot([0.3, 0.7], [0.3, 0.7], color=_FAINT, linewidth=0.8, linestyle=(0, (3, 2)))
    axes.plot(forecast, observed, "o-", color=_COLOURS[0])
    axes.set_xlim(0.35, 0.65)
    axes.set_ylim(0.35, 0.65)
    axes.set_xlabel("probability said")
    axes.set_ylabel("share that rose")
    text = f"{judged.calls} calls\nBrier {judged.brier:.4f}, base rate {judged.base_rate_brier:.4f}"
    axes.text(0.36, 0.61, text, color=_INK)


_STYLE = """
body{font:14px/1.4 system-ui,sans-serif;color:#1f2933;margin:2em auto;max-width:1100px}
table{border-collapse:collapse;width:100%}
td,th{padding:2px 8px;text-align:left;border-bottom:1px solid #e4e7eb}
td.value{font-variant-numeric:tabular-nums;white-space:nowrap}
svg{width:100%;height:auto}
.note{color:#7b8794}
"""
_COLUMNS = ("id", "text", "age", "venue", "source", "formula", "note")


def html_page(report: Report, data: MarketData) -> str:
    """One file that needs nothing else: sentences, the picture, figures with their formulas, problems."""
    told = report.as_json()
    escape = html.escape
    image = io.BytesIO()
    drawn = draw_report(report, data, image, "svg")
    svg = image.getvalue().decode() if drawn else ""
    picture = svg[svg.index("<svg") :] if drawn else "<p>matplotlib is not installed: no picture.</p>"
    rows = []
    for figure in told["figures"]:
        cells = {**figure, "age": f"{figure['age_ms'] / 1_000:,.0f} s"}
        classes = {"text": ' class="value"', "note": ' class="note"'}
        row = "".join(f"<td{classes.get(name, '')}>{escape(cells[name])}</td>" for name in _COLUMNS)
        rows.append(f"<tr>{row}</tr>")
    title = escape(report.text().partition("\n")[0])
    said = "".join(f"<li>{escape(sentence['text'])}</li>" for sentence in told["sentences"])
    problems = "".join(f"<li>{escape(problem)}</li>" for problem in told["problems"])
    heads = "".join(f"<th>{name}</th>" for name in ("figure", "value", *_COLUMNS[2:]))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1><ul>{said}</ul>{picture}"
        f"<table><tr>{heads}</tr>{''.join(rows)}</table>"
        + (f"<h2>Problems</h2><ul>{problems}</ul>" if problems else "")
        + "</body></html>\n"
    )
