"""Questions that are divided, and what their methods refuse."""

from __future__ import annotations

from decimal import Decimal

import pytest

import exchange_os as xos
from exchange_os import errors
from exchange_os.errors import InvalidArgument, Rejected


def test_a_unit_is_divided_over_the_outcomes(exchange: xos.Exchange) -> None:
    exchange.split(1, "RACE", 100)
    exchange.sell(1, "RACE-A", "0.4", 60)
    exchange.buy(2, "RACE-A", "0.4", 60)
    receipt = exchange.settle("RACE", {"RACE-A": "0.5", "RACE-B": Decimal("0.5")})
    assert receipt.sequence == exchange.sequence
    race = exchange.question("RACE")
    assert (race.paying, race.settled, race.sets) == (None, True, 0)
    assert race.payouts == {"RACE-A": Decimal("0.5"), "RACE-B": Decimal("0.5"), "RACE-C": 0}
    assert exchange.balance(1, "USDC").total == 1_000_000 - 100 + 24 + 20 + 50
    assert exchange.balance(2, "USDC").total == 1_000_000 - 24 + 30
    assert set(exchange.conservation().values()) == {0}
    with pytest.raises(Rejected, match="209 QuestionResolved"):
        exchange.settle("RACE", {"RACE-A": 1})


@pytest.mark.parametrize(
    ("payouts", "error", "words"),
    [
        ({"RACE-A": "0.5"}, Rejected, "232 PayoutsNotOne"),
        ({"RACE-A": 2, "RACE-B": -1}, Rejected, "232 PayoutsNotOne"),
        ({}, Rejected, "232 PayoutsNotOne"),
        ({"BTC-PERP": 1}, InvalidArgument, "no outcome of RACE"),
        ({"RACE-A": "0.3333333"}, errors.Error, "payout"),
        ({"RACE-A": 0.5}, errors.Error, "payout"),
        ({"RACE-A": 2**80}, errors.OutOfRange, "payout is"),
        ({"RACE-A": -(2**80)}, errors.OutOfRange, "payout is"),
        ([("RACE-A", 1)], InvalidArgument, "payouts"),
    ],
)
def test_other_payouts_are_refused(
    exchange: xos.Exchange, payouts: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        exchange.settle("RACE", payouts)  # type: ignore[arg-type]
    assert exchange.question("RACE").payouts == {}
