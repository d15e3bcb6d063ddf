"""The markets of the demonstration as market files, and what is listed at the moment, by number.

A question is listed by a TOML file like any user's: written to the demonstration's directory, read back and
deployed by `Exchange.deploy`. Every file can be checked on its own with `xos lint`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from exchange_os.exchange import Exchange

from .draws import Flags, Ints
from .price_paths import UNDERLYINGS, Underlying
from .world_cup import DRAW, Question, TournamentFacts

INSTRUMENTS_MAX = 512
QUESTIONS_MAX = 128
UNIT_TICKS = 1_000
ATOMS_PER_TICK_LOT = 1_000
TAKER_PPM, MAKER_PPM = 10_000, -2_000
SPOT, PERPETUAL, OUTCOME = 1, 2, 3
OWN_SYMBOL = "GOALS"
"""What `corner` alone lists a perpetual on: see `own_market`."""

_SPLIT = "{ protocol_ppm = 400000, deployer_ppm = 200000, venue_ppm = 200000, insurance_ppm = 200000 }"

_SETTLEMENT_ASSET = """\
[[asset]]
symbol = "USD"
decimals = 6
"""

_MORE_ASSETS = """
[[asset]]
symbol = "ETH"
decimals = 18

[[asset]]
symbol = "BTC"
decimals = 8
"""

_VENUES = """
[[class]]
symbol = "kyc"

[[class]]
symbol = "flagged"
counterparty = true

[[issuer]]
id = "did:web:issuer.example"
name = "Example Identity"
classes = ["kyc", "flagged"]
keys = [{ kid = "1", kty = "OKP", crv = "Ed25519", x = "a9T0Ouxk1qo3p8-6LB15_hBj9AInKVlj_nX7XZVmwPg" }]

[[venue]]
symbol = "arena"

[[venue]]
symbol = "licensed"
admission = { requires = ["kyc"] }
counterparty = { forbids = ["flagged"] }

[[venue]]
symbol = "corner"
"""

_SPOT = """
[[instrument]]
symbol = "{name}"
product = "spot"
base = "{symbol}"
quote = "USD"
tick_size = "{tick}"
lot_size = "{lot}"
price_max = 10000000
qty_max = 1000
notional_max = 100000000
fees = {{ maker_ppm = 0, taker_ppm = 500 }}
split = {split}
"""

_PERPETUAL = """
[[instrument]]
symbol = "{name}"
product = "perpetual"
tick_size = "{tick}"
lot_size = "{lot}"
price_max = 10000000
qty_max = 1000
notional_max = 100000000
position_max = 10000
band_ppm = 50000
initial_margin_ppm = 100000
maintenance_margin_ppm = 50000
fees = {{ maker_ppm = -50, taker_ppm = 350 }}
split = {split}
"""

_OWN_PERPETUAL = """
[[instrument]]
symbol = "{name}"
product = "perpetual"
venue = "corner"
tick_size = "0.01"
lot_size = "0.001"
price_max = 10000
qty_max = 100
notional_max = 100000
position_max = 1000
band_ppm = 50000
initial_margin_ppm = 100000
maintenance_margin_ppm = 50000
fees = {{ maker_ppm = -50, taker_ppm = 500 }}
split = {split}
"""

_QUESTION = """
[[question]]
symbol = "{symbol}"
text = "{text}"
tick_size = "0.001"
lot_size = 1
qty_max = 100000
notional_max = 1000000
position_max = 1000000
fees = {{ maker_ppm = {maker}, taker_ppm = {taker} }}
split = {split}
outcomes = [
{outcomes}
]
"""


def step_text(count: int) -> str:
    """One part of `count`, a power of ten, as decimal text: 100 gives "0.01"."""
    return "0." + "1".rjust(len(str(count)) - 1, "0")


class Symbols:
    """What instruments are called."""

    spot = "{}/USD"
    perpetual = "{}-PERP"

    def question(self, key: str) -> str:
        return key

    def outcome(self, key: str, code: str) -> str:
        return f"{self.question(key)}.{code}"


def market_file_text(
    questions: list[Question], names: dict[str, str], opening: bool, symbols: Symbols
) -> str:
    """A market file that lists the questions; the opening one also venues, spot, perpetuals."""
    parts = [_SETTLEMENT_ASSET]
    if opening:
        parts += [_MORE_ASSETS, _VENUES]
        for underlying in UNDERLYINGS:
            tick, lot = step_text(underlying.ticks), step_text(underlying.lots)
            base = underlying.symbol
            parts += [
                product.format(symbol=base, name=name.format(base), tick=tick, lot=lot, split=_SPLIT)
                for product, name in ((_SPOT, symbols.spot), (_PERPETUAL, symbols.perpetual))
            ]
        own = symbols.perpetual.format(OWN_SYMBOL)
        parts.append(_OWN_PERPETUAL.format(name=own, split=_SPLIT))
    for question in questions:
        outcomes = ",\n".join(
            f'    {{ symbol = "{symbols.outcome(question.key, code)}", name = "{names[code]}" }}'
            for code in question.outcomes
        )
        text = question.title
        if question.match_number is not None and DRAW not in question.outcomes:
            text += ": who goes through?"
        parts.append(
            _QUESTION.format(
                symbol=symbols.question(question.key),
                text=text,
                maker=MAKER_PPM,
                taker=TAKER_PPM,
                split=_SPLIT,
                outcomes=outcomes,
            )
        )
    return "".join(parts)


class Listings:
    """What is listed, as arrays by instrument number, and which file listed it."""

    def __init__(
        self, exchange: Exchange, facts: TournamentFacts, folder: Path, symbols: Symbols | None = None
    ) -> None:
        self.exchange = exchange
        self.symbols = symbols or Symbols()
        self.folder = folder
        self.team_count = len(facts.teams)
        self.product = np.zeros(INSTRUMENTS_MAX, np.int64)
        self.question = np.zeros(INSTRUMENTS_MAX, np.int64)
        self.team = np.zeros(INSTRUMENTS_MAX, np.int64)
        self.match = np.zeros(INSTRUMENTS_MAX, np.int64)
        self.is_open: Flags = np.zeros(INSTRUMENTS_MAX, np.bool_)
        self.first: dict[str, int] = {}
        self.size: dict[str, int] = {}
        self.number: dict[str, int] = {}
        self.spot: dict[str, int] = {}
        self.perpetual: dict[str, int] = {}
        self.files: list[Path] = []
        self.count = 0
        self._names = {team.code: team.name for team in facts.teams} | {DRAW: "Draw"}
        self._teams = dict(facts.team_index) | {DRAW: self.team_count}
        self.refresh()

    def list_questions(self, questions: list[Question], name: str, time_ns: int | None) -> int:
        """Writes a market file that asks for the questions, deploys it; the number of deployments sent."""
        opening = not self.files
        path = self.folder / f"{len(self.files):03d}-{name}.toml"
        text = market_file_text(questions, self._names, opening, self.symbols)
        path.write_text(text, encoding="utf-8")
        sent = len(self.exchange.deploy(path, time_ns=time_ns).missing)
        self.files.append(path)
        if opening:
            for underlying in UNDERLYINGS:
                self._note_pair(underlying)
            self._note_own()
        for question in questions:
            self._note(question)
        self.refresh()
        return sent

    def _note_pair(self, underlying: Underlying) -> None:
        spot, perpetual = (
            self.exchange.number_of(name.format(underlying.symbol))
            for name in (self.symbols.spot, self.symbols.perpetual)
        )
        self.spot[underlying.symbol], self.perpetual[underlying.symbol] = spot, perpetual
        self.product[spot], self.product[perpetual] = SPOT, PERPETUAL
        self.is_open[[spot, perpetual]] = True

    def _note_own(self) -> None:
        own = self.exchange.number_of(self.symbols.perpetual.format(OWN_SYMBOL))
        self.perpetual[OWN_SYMBOL] = own
        self.product[own] = PERPETUAL
        self.is_open[own] = True

    def _note(self, question: Question) -> None:
        terms = self.exchange.question(self.symbols.question(question.key))
        first, size = self.exchange.number_of(terms.outcomes[0]), len(terms.outcomes)
        here = slice(first, first + size)
        self.first[question.key], self.size[question.key] = first, size
        self.number[question.key] = terms.number
        self.product[here] = OUTCOME
        self.question[here] = terms.number
        self.team[here] = [self._teams[code] for code in question.outcomes]
        self.match[here] = question.match_number or 0
        self.is_open[here] = True

    def close_question(self, key: str) -> None:
        """Its outcomes are settled."""
        self.is_open[self.range_of(key)] = False

    def range_of(self, key: str) -> slice:
        """The numbers of a question's outcomes."""
        return slice(self.first[key], self.first[key] + self.size[key])

    def refresh(self) -> None:
        """Recomputes what follows from the above: the open outcomes and where their questions begin."""
        numbers = np.arange(INSTRUMENTS_MAX)
        self.count = int(np.count_nonzero(self.product))
        self.outcomes: Ints = numbers[self.is_open & (self.product == OUTCOME)]
        begins = np.diff(self.question[self.outcomes], prepend=0) != 0
        self.starts: Ints = np.flatnonzero(begins)
        self.widths: Ints = np.diff(self.starts, append=len(self.outcomes))
        self.place_in_starts: Ints = np.cumsum(begins) - 1
