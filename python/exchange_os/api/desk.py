"""What every handler works with: the exchange, its recorder, and instruments by the names of clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from exchange_os.api.codes import Refused
from exchange_os.api.intake import EventRow, Hear, Note
from exchange_os.api.keys import Keys
from exchange_os.api.numbers import word
from exchange_os.api.recorder import Recorder
from exchange_os.api.wire_intake import intake_of
from exchange_os.exchange import Exchange
from exchange_os.history import History
from exchange_os.results import Instrument

TYPES = {"spot": "SPOT", "perpetual": "SWAP", "outcome": "EVENTS"}
KNOWN_TYPES = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION", "EVENTS")


class Desk:
    """Shared by all requests of an application."""

    def __init__(self, exchange: Exchange, keys: Keys) -> None:
        from exchange_os.api.algo import Algos
        from exchange_os.api.identity import Identity
        from exchange_os.api.limits import Limits
        from exchange_os.api.wallet import Wallet

        self.exchange = exchange
        self.keys = keys
        self.recorder = Recorder(exchange)
        self.history: History | None = None
        """Fills since the beginning, where there is a history; otherwise the recorder has those of late."""
        self.leverage: dict[tuple[int, int, str], int] = {}
        """Chosen through this process, by account, instrument and mode; the engine holds what counts."""
        self.simulated: dict[int, bool] = {}
        """Whether the money of an account is simulated, as far as it was asked."""
        self.hearers: list[Hear] = [self.recorder.hear]
        """Told all events, one after the other."""
        self.intake = intake_of(exchange, self._hear)
        self.algos = Algos(self)
        self.limits = Limits(self)
        self.hearers.append(self.limits.hear)
        self.wallet = Wallet(self)
        self.identity = Identity(self)
        before = self.intake.before()
        if before:
            self._hear(before, {})
        self.recorder.begin(before)

    def _hear(self, rows: Sequence[EventRow], notes: Mapping[int, Note]) -> None:
        for hear in self.hearers:
            hear(rows, notes)

    def instrument(self, fields: Mapping[str, Any]) -> Instrument:
        """The one that a request names by `instId`, as it stands."""
        return self.exchange.instrument(word(fields, "instId"))

    def instruments(self, fields: Mapping[str, Any], *, needs_type: bool = True) -> list[Instrument]:
        """Those of a type, underlying and name."""
        wanted = word(fields, "instType", None if needs_type else "ANY")
        if wanted not in {*KNOWN_TYPES, "ANY"}:
            raise Refused(
                "51000", f"Parameter instType error: {wanted[:40]!r}, expected {', '.join(KNOWN_TYPES)}."
            )
        name, family = word(fields, "instId", ""), word(fields, "uly", "") or word(fields, "instFamily", "")
        found = [self.exchange.instrument(name)] if name else self.exchange.instruments()
        return [
            each
            for each in found
            if wanted in {TYPES[each.product], "ANY"} and (not family or family == underlying(each))
        ]

    def terms(self, instrument: Instrument) -> dict[str, Any]:
        """The specification of an instrument as it was deployed, in ticks, lots and atoms."""
        bodies = self.exchange._directory.standing.bodies
        kind, name = (
            ("question", instrument.question) if instrument.question else ("instrument", instrument.symbol)
        )
        body = msgspec.msgpack.decode(bodies[kind, name or ""])[kind]
        details = {} if instrument.question else next(iter(body["product"].values()))
        return {**details, **body["terms"]}


def underlying(instrument: Instrument) -> str:
    """Base and quote of a perpetual by its symbol; nothing for everything else."""
    if instrument.product != "perpetual":
        return ""
    base = instrument.symbol.split("-", 1)[0]
    return f"{base}-{instrument.quote}"
