"""Every scenario of spec/ through the public Python interface, in memory and over a directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from answers import Event
from desk import Desk
from player import Player
from scenario_file import Failure, Scenario, load, parse

import exchange_os as xos

SPEC = Path(__file__).parents[2] / "spec"
SCENARIOS = load(SPEC)


def play(scenario: Scenario, path: Path | None = None) -> Player:
    """Plays it and closes the exchange."""
    player = Player(scenario, Desk(path))
    try:
        player.play()
    finally:
        player.desk.exchange.close()
    return player


def _name(scenario: Scenario) -> str:
    return f"{Path(scenario.file).stem}: {scenario.title}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=_name)
def test_scenario_holds_through_the_python_interface(scenario: Scenario) -> None:
    play(scenario)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=_name)
def test_scenario_holds_over_a_directory_that_is_opened_again(scenario: Scenario, tmp_path: Path) -> None:
    play(scenario, tmp_path / "exchange")


def test_scenarios_reach_every_reject_reason_event_and_method() -> None:
    seen: list[Event] = []
    methods: set[str] = set()
    for scenario in SCENARIOS:
        player = play(scenario)
        seen += player.checked
        methods |= player.desk.methods
    assert {event["kind"] for event in seen} == set(xos.EventKind)
    rejected = {event["reason"] for event in seen if event["kind"] == xos.EventKind.REJECTED}
    assert rejected == set(xos.Reject)
    left = {xos.EventKind.ORDER_CANCELLED, xos.EventKind.TRIGGER_CANCELLED}
    cancelled = {event["reason"] for event in seen if event["kind"] in left}
    assert cancelled == set(xos.CancelReason)
    assert methods == {kind.name.lower() for kind in xos.CommandKind} - {"deploy"}


CONTROL = """
given
  asset     USD
  perpetual BTC taker=1%
  account   alice USD=1000
  account   bob   USD=1000
  mark      BTC 100
scenario a trade
when
  | # | account | do    | side | qty | price |
  | a | alice   | place | sell | 2   | 100   |
  | b | bob     | place | buy  | 3   | 100   |
then events
  | by | event          | order | left | taker fee |
  | a  | order_accepted | a     | 2    |           |
  | b  | order_accepted | b     | 3    |           |
  | b  | trade          | b     | 1    | 2         |
then book BTC
  | bids | price | asks |
  | 1    | 100   |      |
then balances
  | account | asset | total |
  | alice   | USD   | 1_000 |
  | bob     | USD   | 998   |
"""


@pytest.mark.parametrize(
    ("right", "wrong", "line", "words"),
    [
        ("| 1    | 2  ", "| 1    | 3  ", 13, "then events differs"),
        ("  | a  | order_accepted | a     | 2    |           |\n", "", 13, "order_accepted"),
        (" taker fee |\n", " total     |\n", 13, "taker fee"),
        ("| 1    | 100   |      |", "|      | 100   | 1    |", 18, "then book BTC differs"),
        ("| 998   |", "| 999   |", 21, "then balances differs"),
        ("  | alice   | USD   | 1_000 |\n", "", 21, "alice"),
        ("mark      BTC 100", "mark      BTC 0", 7, "given was refused: 307"),
        ("mark      BTC 100", "marks     BTC 100", 7, "is not understood"),
        ("| 1    | 100   |      |", "| 1    | 100   |", 20, "3 columns"),
    ],
)
def test_a_wrong_scenario_fails(right: str, wrong: str, line: int, words: str) -> None:
    play(parse("control", CONTROL)[0])
    assert right in CONTROL
    with pytest.raises(Failure, match=words) as failure:
        play(parse("control", CONTROL.replace(right, wrong, 1))[0])
    assert failure.value.line == line


def test_the_example_of_the_reference_page_holds() -> None:
    page = (SPEC.parent / "docs/reference/scenarios.md").read_text(encoding="utf-8")
    example = page.split("```")[1]
    (scenario,) = parse("docs/reference/scenarios.md", example)
    play(scenario)
