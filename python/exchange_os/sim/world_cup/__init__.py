"""The 2026 World Cup as a market's world: facts, a strength model, forecasts, the tournament clock.

Nothing here touches the exchange. A caller walks `events(facts)` in order, keeps the matches that are
over, and after each final whistle asks for a new forecast:

    facts = load_facts()
    model, over = StrengthModel.prior(facts), []
    simulator = TournamentSimulator(facts, runs=10_000, seed=2026)
    for event in events(facts):
        if event.kind is EventKind.FINAL_WHISTLE:
            match = facts.match_number(event.match_number)
            model = model.after(match)
            over.append(match)
            forecast = simulator.forecast(model, over)   # champion, groups, every known match

From probability to quotes
    A share of an outcome pays 1 if it happens; the tick is 1/1000, so probability p is worth
    1000 * p ticks. With uncertainty u (probability units, one standard deviation):

        centre      c = 1000 * p - skew * inventory / inventory_limit
        half width  h = base + risk * 1000 * u,   base = 2 ticks, risk = 0.25
        bid         max(1, floor(c - h)),   ask = min(999, ceil(c + h)),   so bid < ask

    and floor and ceil turn floats into integer ticks away from the centre, so the last bit of a float
    hardly ever matters and never in the maker's disfavour. u has two parts, added in quadrature:
    sampling, sqrt(p * (1 - p) / runs), 0.005 at p = 0.5 with 10,000 runs (a match's odds are not
    sampled: 0), and model error, what ratings off by 40 points would do, measured as the spread of
    the forecasts of a few `model.perturbed(seed, 40)` at the start of each round: about 0.06 for an
    even match, 0.05 for a favourite's title at 0.18, 0.01 for a title at 0.02. So h is about 17
    ticks on an even match and 4 on an outsider. Between kick-off and final whistle the maker knows
    only the price before the match: widen h (three times is plain) or step back. Near the ends the
    bounds bite: leave out the bid where c - h < 1 and the ask where c + h > 999, so that a hopeless
    outcome (p exactly 0: eliminated) is only offered and a certain one only bid for. A maker of all
    outcomes of a question should keep the sum of its bids below 1000 ticks and the sum of its asks
    above, or a taker of the whole set profits without risk.
"""

from .facts import (
    DRAW,
    FactsError,
    Group,
    Match,
    Round,
    Team,
    TournamentFacts,
    load_facts,
)
from .schedule import Event, EventKind, Question, events, nanoseconds, questions
from .simulation import Forecast, TournamentSimulator
from .strength import MatchProbabilities, StrengthModel, StrengthParameters

__all__ = [
    "DRAW",
    "Event",
    "EventKind",
    "FactsError",
    "Forecast",
    "Group",
    "Match",
    "MatchProbabilities",
    "Question",
    "Round",
    "StrengthModel",
    "StrengthParameters",
    "Team",
    "TournamentFacts",
    "TournamentSimulator",
    "events",
    "load_facts",
    "nanoseconds",
    "questions",
]
