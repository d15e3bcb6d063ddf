"""What the outcomes are worth: a public forecast after every result, and each account's own view of it.

Values are integers in parts per million of a unit, so that no decision hangs on the last bit of a float.
A view tilts the public forecast: the value of a team's outcomes is multiplied by the holder's tilt for that
team (1,024 is neutral) and the question is scaled back to one unit.
"""

from __future__ import annotations

import numpy as np

from .draws import Draws, Flags, Ints
from .price_paths import PPM
from .tournament_markets import INSTRUMENTS_MAX, Listings
from .world_cup import Match, StrengthModel, TournamentFacts, TournamentSimulator

NEUTRAL = 1_024
_TILT_LEAST, _TILT_MOST = 512, 2_048


def tilts(draws: Draws, views: int, teams: int, spread: int) -> Ints:
    """Tilts of `views` views for every team, the draw last and always neutral: shape (views, teams + 1)."""
    table = NEUTRAL + draws.bell(spread, views * teams).reshape(views, teams)
    return np.hstack([np.clip(table, _TILT_LEAST, _TILT_MOST), np.full((views, 1), NEUTRAL)])


class Beliefs:
    """The public forecast and what follows from it for every open outcome."""

    def __init__(self, facts: TournamentFacts, listings: Listings, runs: int, seed: int) -> None:
        self.facts, self.listings = facts, listings
        self.model = StrengthModel.prior(facts)
        self.over: list[Match] = []
        self.value = np.zeros(INSTRUMENTS_MAX, np.int64)
        self._simulator = TournamentSimulator(facts, runs=runs, seed=seed)
        self._live: dict[int, int] = {}
        self.refresh()

    def result(self, match: Match) -> None:
        """A match is over; `refresh` follows once for all that ended together."""
        self.model = self.model.after(match)
        self.over.append(match)
        self._live.pop(match.number, None)

    def in_play(self, number: int, weight_ppm: int) -> None:
        """A match is being played and has let out so much of its result to those who watch it."""
        self._live[number] = weight_ppm

    @property
    def live_matches(self) -> list[int]:
        """Numbers of the matches between kick-off and final whistle."""
        return list(self._live)

    def refresh(self) -> None:
        """A new forecast from everything that is over."""
        self._forecast = self._simulator.forecast(self.model, self.over)
        self.champion: Ints = self._forecast.champion_counts * PPM // self._forecast.runs
        self.group_winner: Ints = self._forecast.group_winner_counts * PPM // self._forecast.runs
        self.publish()

    def publish(self) -> None:
        """Writes the forecast to the outcomes that are listed now."""
        listings = self.listings
        for key in listings.first:
            here = listings.range_of(key)
            if not listings.is_open[here.start]:
                continue
            family, _, name = key.partition(".")
            if family == "champion":
                self.value[here] = self.champion
            elif family == "group_winner":
                self.value[here] = self.group_winner[ord(name) - ord("A")]
            else:
                self.value[here] = self._match_value(int(name), listings.size[key])

    def _match_value(self, number: int, outcomes: int) -> list[int]:
        chances = self._forecast.match_probabilities[number]
        home, away = int(chances.home * PPM + 0.5), int(chances.away * PPM + 0.5)
        return [home, PPM - home] if outcomes == 2 else [home, PPM - home - away, away]

    def views(self, table: Ints, informed: bool = False) -> Ints:
        """Values of the open outcomes in each view: shape (views, open outcomes), in ppm. The informed
        have watched the matches that are being played."""
        listings = self.listings
        outcomes = listings.outcomes
        value = self.value[outcomes]
        if informed:
            value = self._watched(value)
        weighted = value * table[:, listings.team[outcomes]]
        total = np.add.reduceat(weighted, listings.starts, axis=1)
        return weighted * PPM // np.maximum(total, 1)[:, listings.place_in_starts]

    def touched_by_play(self) -> Flags:
        """Which open outcomes a match that is being played may move: its own, and its teams' titles."""
        listings = self.listings
        touched = np.isin(listings.match[listings.outcomes], self.live_matches)
        return touched | (self._is_champion() & np.isin(listings.team[listings.outcomes], self._playing()))

    def _is_champion(self) -> Flags:
        here: Flags = self.listings.question[self.listings.outcomes] == self.listings.number["champion"]
        return here

    def _playing(self) -> list[int]:
        """Teams that play a knock-out match now."""
        matches = (self.facts.match_number(number) for number in self._live)
        return [self.facts.team_index[c] for m in matches if m.is_knock_out for c in (m.home, m.away)]

    def _watched(self, value: Ints) -> Ints:
        value = value.copy()
        matches = self.listings.match[self.listings.outcomes]
        teams = self.listings.team[self.listings.outcomes]
        champion = self._is_champion()
        for number, weight_ppm in self._live.items():
            match = self.facts.match_number(number)
            winner = len(self.facts.teams) if match.winner is None else self.facts.team_index[match.winner]
            here = matches == number
            truth = np.where(teams[here] == winner, PPM, 0)
            if match.is_knock_out:
                chance = max(int(value[here & (teams == winner)][0]), 1)
                won = champion & (teams == winner)
                lost = champion & (teams == self.facts.team_index[match.loser or ""])
                value[won] += value[won] * (PPM - chance) // chance * weight_ppm // PPM
                value[lost] -= value[lost] * weight_ppm // PPM
            value[here] += (truth - value[here]) * weight_ppm // PPM
        return value
