"""Rules on figures, and where to tell that one came true.

    divergence.percentile > 99
    divergence.rating is extreme
    carry.okx.net_7d >= 10

A rule speaks of one figure of a report by its id and in its unit. A figure that the guard does not trust, or
that is not there, fires nothing.
"""

from __future__ import annotations

import json
import operator
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exchange_os.errors import InvalidArgument
from exchange_os.signals.report import Report

TIMEOUT_S = 10.0
_RULE = re.compile(r"([\w.]+)\s*(>=|<=|>|<|\bis\b)\s*(\S+)")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """`figure` compared with `bound`: a number, or with `is` a word."""

    figure: str
    comparison: str
    bound: float | str

    @staticmethod
    def parse(text: str) -> Rule:
        match = _RULE.fullmatch(text.strip())
        if match is None:
            raise InvalidArgument(f"'{text}' is no rule such as 'divergence.percentile > 99'")
        figure, comparison, bound = match.groups()
        if comparison == "is":
            return Rule(figure, comparison, bound)
        try:
            return Rule(figure, comparison, float(bound))
        except ValueError as error:
            raise InvalidArgument(f"'{text}' compares with '{bound}', which is no number") from error

    def __str__(self) -> str:
        bound = f"{self.bound:g}" if isinstance(self.bound, float) else self.bound
        return f"{self.figure} {self.comparison} {bound}"

    def holds(self, value: float | str) -> bool:
        """A number never equals a word, and a word is never above a number."""
        if self.comparison == "is":
            return value == self.bound
        if isinstance(value, str) or isinstance(self.bound, str):
            return False
        return _COMPARE[self.comparison](value, self.bound)


def fired(report: Report, rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """One message a rule that holds: rule, symbol, time, and the figure as in the report's JSON."""
    figures = {figure.id: figure for figure in report.figures}
    found = []
    for rule in rules:
        figure = figures.get(rule.figure)
        if figure is None or figure.value is None or not figure.trusted or not rule.holds(figure.value):
            continue
        told = figure.as_json(report.at_ms)
        found.append({"rule": str(rule), "symbol": report.symbol, "at_ms": report.at_ms, "figure": told})
    return found


def post(address: str, messages: list[dict[str, Any]]) -> None:
    """Sends the messages as one JSON object to a webhook. Refuses other schemes; a failure is an error."""
    if not address.startswith(("https://", "http://")):
        raise InvalidArgument(f"a webhook begins with https:// or http://, not '{address}'")
    body = json.dumps({"alerts": messages}).encode()
    head = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, body, head, method="POST")  # noqa: S310 -- scheme checked
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            return
    except (urllib.error.URLError, TimeoutError) as error:
        raise InvalidArgument(f"the webhook did not take the alerts: {error}") from error
