"""Plays scenarios at a desk."""

from __future__ import annotations

from answers import Event
from desk import Desk
from scenario_file import Failure, Row, Scenario, Step, nanoseconds
from sight import look

import exchange_os as xos


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
        options = f"owner={owner}" + (" simulated" if "simulated" in words else "")
        rows: list[Row] = [{"do": "open_account", "account": name, "options": options}]
        rows += [
            {"do": "deposit", "account": name, "on": asset, "amount": amount}
            for asset, _, amount in pairs
            if asset not in {"owner", "simulated"}
        ]
        return [event for row in rows for event in self.desk.frame([row])]
