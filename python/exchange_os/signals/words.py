"""Sentences that follow from figures by rule.

A rule names the figures it speaks of; a number that is no figure of the report cannot be in a sentence, and a
figure that is missing or in conflict silences it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange_os.signals.divergence import Rating
from exchange_os.signals.origin import Figure
from exchange_os.signals.regime import RegimeName, VolatilityClass

if TYPE_CHECKING:
    from exchange_os.signals.report import Signals

_NAMED = re.compile(r"\{([\w.]+)\}")


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    rule: str
    figures: tuple[str, ...]
    """Ids of the figures in it."""


def say(rule: str, template: str, figures: Mapping[str, Figure]) -> Sentence | None:
    """The template with each `{id}` as that figure prints; None if one is missing or not trusted."""
    ids = tuple(_NAMED.findall(template))
    if not all(id_ in figures and figures[id_].value is not None and figures[id_].trusted for id_ in ids):
        return None
    return Sentence(_NAMED.sub(lambda match: figures[match[1]].text(), template), rule, ids)


def sentences(signals: Signals, figures: Sequence[Figure]) -> list[Sentence]:
    by_id = {figure.id: figure for figure in figures}
    said = [say(rule, template, by_id) for rule, template in _rules(signals)]
    return [sentence for sentence in said if sentence is not None]


def _rules(signals: Signals) -> list[tuple[str, str]]:
    return [
        *_divergence(signals),
        *_carry(signals),
        *_market(signals),
        *_levels(signals),
        *_liquidations(signals),
        *_bias(signals),
    ]


def _divergence(signals: Signals) -> list[tuple[str, str]]:
    found = signals.divergence
    conflicts = [quote for quote in found.quotes if quote.fresh and not quote.trusted]
    conflict = (
        "Data conflict: funding of {} does not fit the premium of its perpetual; nothing is said of it."
    )
    rules = [("data_conflict", conflict.format(quote.venue)) for quote in conflicts]
    if found.rating is Rating.QUARANTINED:
        return rules
    if found.rating is Rating.UNKNOWN:
        return [
            *rules,
            ("divergence_unknown", "Funding cannot be rated: too few fresh venues or too little history."),
        ]
    text = f"{found.short_venue} pays {{divergence.spread}} more than {found.long_venue}"
    text += " ({divergence.spread_per_year}): {divergence.rating}."
    rules.append(("divergence", text))
    if found.rating in {Rating.HIGH, Rating.EXTREME}:
        rules.append(("divergence_net", "Over the holding time, after four fills: {divergence.net}."))
    return rules


def _carry(signals: Signals) -> list[tuple[str, str]]:
    usable = [trade for trade in signals.trades if trade.actionable]
    trusted = {quote.venue for quote in signals.divergence.quotes if quote.trusted}
    if usable:
        best = max(usable, key=lambda trade: max(carry.net.value for carry in trade.horizons))
        label = max(best.horizons, key=lambda carry: carry.net.value).label
        legs = "short perpetual, long spot" if best.short_perpetual else "long perpetual, short spot"
        name = f"carry.{best.venue}.net_{label}"
        return [("carry", f"Basis trade on {best.venue}, {legs}: {{{name}}} after four fills ({label}).")]
    if any(trade.venue in trusted for trade in signals.trades):
        return [("carry_none", "No basis trade earns its four fills back within the horizons shown.")]
    return []


def _market(signals: Signals) -> list[tuple[str, str]]:
    rules = []
    if signals.regime is not None and signals.regime.name is not RegimeName.UNKNOWN:
        way = ""
        if signals.regime.name is RegimeName.TRENDING:
            way = " up" if signals.regime.up else " down"
        text = f"The market is {{regime.name}}{way} (ADX {{regime.adx}})"
        if signals.volatility is not None and signals.volatility.name is not VolatilityClass.UNKNOWN:
            text += ", volatility {volatility.class} ({volatility.realised})"
        rules.append(("regime", text + "."))
    if signals.strength is not None and signals.strength.leaders:
        hours = max(
            hours for hours in signals.strength.leaders if hours <= 24 or len(signals.strength.leaders) == 1
        )
        who = signals.strength.leaders[hours]
        text = f"Leader: {who}; ours less theirs {{strength.difference_{hours}h}} of log return."
        rules.append(("strength", text))
    if signals.momentum is not None and signals.momentum.softening:
        rules.append(
            ("momentum", "Momentum softens: {momentum.return_24h} over the day, less in the last bar.")
        )
    return rules


def _levels(signals: Signals) -> list[tuple[str, str]]:
    found = signals.levels
    if found is None:
        return []
    rules = []
    if found.supports and found.resistances:
        rules.append(
            ("levels", "Nearest support {levels.support_1}, nearest resistance {levels.resistance_1}.")
        )
    if not found.better_than_random:
        text = (
            "These levels held {levels.bounce_rate} of their touches, random ones {levels.random_bounce_rate}"
        )
        rules.append(("levels_random", text + ": no evidence that they matter."))
    return rules


def _liquidations(signals: Signals) -> list[tuple[str, str]]:
    if signals.liquidations is None:
        return []
    longs, shorts = signals.liquidations.in_band()
    side = "longs below" if longs > shorts else "shorts above"
    text = f"Estimated liquidations lie more with {side} the price (skew {{liquidation.skew}}); no forecast."
    return [("liquidations", text)]


def _bias(signals: Signals) -> list[tuple[str, str]]:
    found = signals.bias
    if found is None:
        return []
    if found.direction == "no view":
        return [("bias_none", f"No view: {'; '.join(found.reasons)}.")]
    return [("bias", f"View over {found.horizon_h:g} h: {{bias.direction}}, {{bias.probability}} likely.")]
