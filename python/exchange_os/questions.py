"""Commands that decide questions."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from exchange_os._core import CommandKind
from exchange_os.bounds import mapping
from exchange_os.commands import CommandMethods
from exchange_os.errors import InvalidArgument
from exchange_os.exact import Number, Scale
from exchange_os.results import Receipt, receipt

if TYPE_CHECKING:
    from exchange_os.directory import QuestionTerms

Payouts = Mapping[str | int, Number]
_SHARE = Scale(Decimal("0.000001"), "payout", "millionth")


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
        found[name] = _SHARE.count(share)
    return list(found.values())
