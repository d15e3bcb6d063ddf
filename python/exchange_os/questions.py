"""Commands that decide questions."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from exchange_os._core import CommandKind, DecidedBy, ResolutionStage
from exchange_os.bounds import mapping, whole
from exchange_os.commands import CommandMethods
from exchange_os.errors import InvalidArgument
from exchange_os.exact import Number, Scale
from exchange_os.results import Receipt, receipt

if TYPE_CHECKING:
    from exchange_os.directory import QuestionTerms

Payouts = Mapping[str | int, Number]
_SHARE = Scale(Decimal("0.000001"), "payout", "millionth")


class Claim(msgspec.Struct, frozen=True):
    """Payouts of one lot of each outcome that an account stands for with a bond."""

    account: int
    payouts: dict[str, Decimal]


class Resolution(msgspec.Struct, frozen=True):
    """How far the resolvers of a question are, and by what terms. `ends_ns` is when the stage ends by itself,
    `bonds` what is held now, `rule_hash` the BLAKE3 of the rule in hexadecimal digits."""

    stage: ResolutionStage
    decided_by: DecidedBy | None
    ends_ns: int | None
    closes_ns: int
    proposed_ns: int | None
    challenged_ns: int | None
    decided_ns: int | None
    proposal: Claim | None
    challenger: int | None
    votes: list[Claim]
    bonds: Decimal
    rule: str
    rule_hash: str
    sources: tuple[str, ...]
    resolvers: tuple[int, ...]
    second_resolvers: tuple[int, ...]
    quorum: int
    bond: Decimal
    bond_share_ppm: int
    second_bond: Decimal
    dispute_risk: bool

    def timeline(self) -> list[tuple[int, str]]:
        """What happened and what comes by itself, with its logged time in nanoseconds, in order."""
        steps = [
            (self.closes_ns, "trading stops"),
            (self.proposed_ns, f"proposed by account {self.proposal.account}" if self.proposal else ""),
            (self.challenged_ns, f"challenged by account {self.challenger}"),
            (self.decided_ns, f"decided by {self.decided_by.name.lower()}" if self.decided_by else ""),
            (self.ends_ns if self.stage is not ResolutionStage.OPEN else None, _NEXT[self.stage]),
        ]
        known = [(time_ns, text) for time_ns, text in steps if time_ns is not None]
        return sorted(known, key=lambda step: step[0])


_NEXT = {
    ResolutionStage.OPEN: "",
    ResolutionStage.CLOSED: "void if nobody has proposed",
    ResolutionStage.PROPOSED: "decided as proposed if nobody has challenged",
    ResolutionStage.CHALLENGED: "void if no quorum agrees",
    ResolutionStage.DECIDED: "",
}


class QuestionMethods(CommandMethods):
    """What `Exchange` can do with questions."""

    def resolve(self, question: str | int, outcome: str | int, *, time_ns: int | None = None) -> Receipt:
        """Declares the outcome that pays. Orders leave, every position is paid, the outcomes are settled.

        Above `payouts_per_command_max` orders and positions the rest follows with the next ticks.
        """
        number = self._directory.question(question).number
        paying = self._directory.market(outcome).number
        return receipt(
            self._command(CommandKind.RESOLVE_QUESTION, instrument=number, order_id=paying, time_ns=time_ns)
        )

    def settle(self, question: str | int, payouts: Payouts, *, time_ns: int | None = None) -> Receipt:
        """Settles a question with a share of the unit for each outcome: `{"A": "0.5", "B": "0.5"}`, in all 1.

        An outcome that is not named gets nothing. Shares are exact to a millionth.
        """
        terms = self._directory.question(question)
        asked = {"question": terms.number, "payouts_ppm": shares(terms, payouts)}
        return self._decided({"settle_question": asked}, time_ns)

    def add_outcome(
        self, question: str | int, symbol: str, name: str = "", *, time_ns: int | None = None
    ) -> Receipt:
        """Adds an outcome to a question that takes them and trades. Who holds its `any_other`, long or short,
        holds as many lots of the new one with half of their cost; orders on `any_other` leave.

        It trades once everybody has it: at once, or above `payouts_per_command_max` orders and accounts with
        the next ticks.
        """
        if not isinstance(symbol, str):
            raise InvalidArgument(f"the symbol is a {type(symbol).__name__}, expected text")
        number = self._directory.question(question).number
        asked = {"question": number, "symbol": symbol, "name": name or symbol}
        return self._decided({"add_outcome": asked}, time_ns)

    def propose(
        self, account: int, question: str | int, payouts: Payouts, *, time_ns: int | None = None
    ) -> Receipt:
        """Proposes payouts as a resolver of the first set, with a bond, once trading has stopped."""
        return self._named("propose_resolution", account, question, payouts, time_ns)

    def challenge(self, account: int, question: str | int, *, time_ns: int | None = None) -> Receipt:
        """Challenges the payouts that were proposed, with a bond: the second set of resolvers decides."""
        return self._about(CommandKind.CHALLENGE_RESOLUTION, account, question, time_ns)

    def decide(
        self, account: int, question: str | int, payouts: Payouts, *, time_ns: int | None = None
    ) -> Receipt:
        """Votes for payouts as a resolver of the second set, with a bond; a quorum of equal votes decides."""
        return self._named("decide_resolution", account, question, payouts, time_ns)

    def void(self, account: int, question: str | int, *, time_ns: int | None = None) -> Receipt:
        """Votes as a resolver of the second set for the question to be void, at any stage of it."""
        return self._about(CommandKind.VOID_QUESTION, account, question, time_ns)

    def resolution(self, question: str | int) -> Resolution | None:
        """How far the resolvers of a question are; None: it has none, the operator settles it."""
        terms = self._directory.question(question)
        row, spec = self._core.resolution(terms.number), terms.resolution
        if row is None or spec is None:
            return None
        stage, by, until, (proposed, challenged, decided), challenger, proposals, votes, bonds, digest = row
        amount = self._directory.asset(1).amount

        def claim(found: tuple[int, list[int]]) -> Claim:
            payouts = zip(terms.outcomes, found[1], strict=False)
            return Claim(found[0], {name: terms.unit * share / 1_000_000 for name, share in payouts})

        return Resolution(
            stage=ResolutionStage(stage),
            decided_by=DecidedBy(by) if decided else None,
            ends_ns=until or None,
            closes_ns=spec["close_ns"],
            proposed_ns=proposed or None,
            challenged_ns=challenged or None,
            decided_ns=decided or None,
            proposal=claim(proposals[0]) if proposals else None,
            challenger=challenger or None,
            votes=[claim(vote) for vote in votes],
            bonds=amount.value(bonds),
            rule=spec["rule"],
            rule_hash=digest.hex(),
            sources=tuple(spec["sources"]),
            resolvers=tuple(spec["resolvers"]),
            second_resolvers=tuple(spec["second_resolvers"]),
            quorum=spec["quorum"],
            bond=amount.value(int(spec["bond"])),
            bond_share_ppm=spec.get("bond_share_ppm", 0),
            second_bond=amount.value(int(spec["second_bond"])),
            dispute_risk=spec.get("dispute_risk", False),
        )

    def _named(
        self, kind: str, account: int, question: str | int, payouts: Payouts, time_ns: int | None
    ) -> Receipt:
        terms = self._directory.question(question)
        number = whole("account", account)
        asked = {"question": terms.number, "account": number, "payouts_ppm": shares(terms, payouts)}
        return self._decided({kind: asked}, time_ns)

    def _about(self, kind: CommandKind, account: int, question: str | int, time_ns: int | None) -> Receipt:
        number = self._directory.question(question).number
        return receipt(self._command(kind, account=account, instrument=number, time_ns=time_ns))

    def _decided(self, body: dict[str, object], time_ns: int | None) -> Receipt:
        events = self.deploy_body(msgspec.msgpack.encode(body), time_ns=time_ns)
        return Receipt(int(events["sequence"][0]), int(events["time_ns"][0]), retry=False)


def shares(terms: QuestionTerms, payouts: Payouts) -> list[int]:
    """Millionths of the unit for each outcome of a question."""
    found = dict.fromkeys(terms.outcomes, 0)
    mapping("payouts", payouts)
    for name, share in payouts.items():
        if not isinstance(name, str) or name not in found:
            raise InvalidArgument(f"{name!r} is no outcome of {terms.symbol}; there are {', '.join(found)}")
        found[name] = whole("payout", _SHARE.count(share))
    return list(found.values())
