"""Attacks on the perpetuals of a market file: each defence of the file shows in what the attack finds."""

import time
from decimal import Decimal

import pytest

from exchange_os import markets
from exchange_os.cli.init import template
from exchange_os.markets.stress import Assumptions, Attack, Stress, stress

GUARDED = template("perpetual")
TRANCHE = GUARDED.replace(
    "insurance_draw_max = 500_000",
    "insurance_draw_max = 500_000\ntranche = { account = 1, notional_max = 2_000_000 }",
)
BARE = GUARDED[: GUARDED.index("[instrument.liquidation]")]


def played(text: str, assumptions: Assumptions | None = None) -> Stress:
    return stress(markets.loads(text), assumptions or Assumptions())


def named(result: Stress, name: str) -> Attack:
    (found,) = [attack for attack in result.attacks if name in attack.name]
    return found


def said(result: Stress) -> str:
    return "\n".join(problem.message for problem in result.problems)


def test_a_guarded_market_holds() -> None:
    result = played(GUARDED)
    assert result.problems == []
    assert named(result, "falls 10 %").lost_by_others == 0
    assert {attack.debts for attack in result.attacks} == {0}
    assert all((attack.attacker_gained or Decimal(0)) <= 0 for attack in result.attacks)
    assert result.bond == max(attack.lost_by_others for attack in result.attacks) > 0


def test_a_larger_gap_never_loses_less() -> None:
    result = played(GUARDED)
    lost = [named(result, f"falls {percent} %").lost_by_others for percent in (10, 25, 50)]
    assert lost == sorted(lost)


def test_without_liquidation_debts_stay_open_and_a_squeeze_pays() -> None:
    result = played(BARE)
    squeeze = named(result, "squeeze")
    assert squeeze.attacker_gained is not None
    assert squeeze.attacker_gained > 0
    assert squeeze.debts >= squeeze.attacker_gained
    assert "without [instrument.liquidation]" in said(result)
    assert "the attacker went away with" in said(result)


def test_a_tranche_is_what_a_squeeze_is_after() -> None:
    """JELLY: the backstop takes the position over and rides it up, but loses no more than it has."""
    result = played(TRANCHE)
    squeeze = named(result, "squeeze")
    assert 0 < squeeze.tranche_lost <= result.taken["ETH-PERP"].tranche == 2_000_000
    assert squeeze.attacker_gained is not None
    assert squeeze.attacker_gained > 1_000_000
    smaller = played(TRANCHE, Assumptions(tranche=Decimal(100_000)))
    assert named(smaller, "squeeze").tranche_lost <= 100_000


def test_the_book_moves_a_mark_that_may_follow_it() -> None:
    loose = GUARDED.replace("mark_band_ppm = 20_000 ", "mark_band_ppm = 500_000")
    loose = loose.replace("maintenance_margin_ppm = 50_000", "maintenance_margin_ppm = 95_000", 1)
    loose = loose.replace("maintenance_margin_ppm = 100_000", "maintenance_margin_ppm = 195_000")
    result = played(loose, Assumptions(depth=Decimal(1_000)))
    assert named(result, "book alone").liquidated > 0
    assert "while the index stood still" in said(result)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("step_max_ppm = 30_000", "step_max_ppm = 0", "the index may jump anywhere at once"),
        (
            '{ publisher = "oracle-a" }',
            '{ publisher = "oracle-a", weight = 4 }',
            "2 publishers together decide the index",
        ),
        (
            "open_interest_scaling = { lower = 5_000_000, upper = 20_000_000 }",
            "",
            "positions of 20000000 stand against a depth of 1000000 (20 times)",
        ),
    ],
)
def test_what_invites_is_said(old: str, new: str, message: str) -> None:
    assert old in GUARDED
    assert message in said(played(GUARDED.replace(old, new)))


def test_no_oracle_is_said() -> None:
    begin, end = GUARDED.index("[instrument.oracle]"), GUARDED.index("[instrument.funding]")
    result = played(GUARDED[:begin] + GUARDED[end:])
    assert "whoever may set the mark decides" in said(result)


def test_a_bond_that_is_too_small() -> None:
    bond = played(GUARDED).bond
    assert "does not cover" in said(played(GUARDED, Assumptions(bond=bond - 1)))
    assert played(GUARDED, Assumptions(bond=bond)).problems == []


def test_the_same_file_gives_the_same_figures_quickly() -> None:
    began = time.perf_counter()
    assert played(TRANCHE) == played(TRANCHE)
    assert time.perf_counter() - began < 6, "two runs; the bound of `xos lint` is 3 s"


def test_extreme_files_are_played_too() -> None:
    huge = GUARDED.replace('price_max = "100000"', 'price_max = "0.02"')
    assert len(played(huge).attacks) == 6
    assert played(template("prediction")) == Stress([], {}, [], Decimal(0))
