"""Every scenario of spec/ through the public Python interface, in memory and over a directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from answers import Event
from desk import Desk
from scenario_file import Failure, Row, Scenario, Step, load, nanoseconds, parse
from sight import look

import exchange_os as xos

SPEC = Path(__file__).parents[2] / "spec"
SCENARIOS = load(SPEC)


class Player:
    """Plays a scenario at a desk."""

    def __init__(self, scenario: Scenario, desk: Desk) -> None:
        self.scenario = scenario
        self.desk = desk
        self.events: list[Event] = []
        self.checked: list[Event] = []
        self.looking = False

    def play(self) -> None:
        for step in self.scenario.steps:
            if step.kind == "then":
                self.look(step)
                continue
            if self.looking:
                self.looking, self.events = False, []
            events = self.act(step)
            if step.given:
                refused = [event for event in events if event["kind"] == xos.EventKind.REJECTED]
                if refused:
                    self.fail(step, f"given was refused: {refused[0]['reason']}")
            else:
                self.events += events

    def fail(self, step: Step, what: str) -> None:
        raise Failure(self.scenario.file, step.line, f"{self.scenario.title}\n{what}")

    def look(self, step: Step) -> None:
        if not self.looking:
            self.desk.open_again()
        self.looking = True
        assert not any(self.desk.exchange.conservation().values())
        if difference := look(self.desk, step.words, step.table, self.events):
            self.fail(step, f"then {' '.join(step.words)} differs\n{difference}")
        wanted = {"trades": {xos.EventKind.TRADE}, "rejected": {xos.EventKind.REJECTED}}
        if step.words[0] in {"events", *wanted}:
            kinds = wanted.get(step.words[0], set(xos.EventKind))
            self.checked += [event for event in self.events if event["kind"] in kinds]

    def act(self, step: Step) -> list[Event]:
        desk = self.desk
        match step.kind:
            case "wait":
                desk.time_ns += nanoseconds(step.words[1]) or 0
                return []
            case "deploy":
                return desk.deploy(step.words, step.label)
            case "price":
                word, on, price = step.words
                return desk.frame([{"do": f"set_{word}", "on": on, "price": price}])
            case "account":
                return self.open_account(step.words)
            case _:
                return desk.frame(list(step.table.rows))

    def open_account(self, words: tuple[str, ...]) -> list[Event]:
        name, pairs = words[0], [word.partition("=") for word in words[1:]]
        owner = next((value for key, _, value in pairs if key == "owner"), name)
        rows: list[Row] = [{"do": "open_account", "account": name, "options": f"owner={owner}"}]
        rows += [
            {"do": "deposit", "account": name, "on": asset, "amount": amount}
            for asset, _, amount in pairs
            if asset != "owner"
        ]
        return [event for row in rows for event in self.desk.frame([row])]


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
