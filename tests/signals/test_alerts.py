"""Alerts: rules on figures, silence where the guard speaks, and a webhook on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from exchange_os.cli import main as xos
from exchange_os.errors import InvalidArgument
from exchange_os.signals.alerts import Rule, fired, post
from exchange_os.signals.recording import Recorder
from exchange_os.signals.report import make_report

from .test_divergence import NOW_MS, article

ETH = "ETH/USDT"


def rules_that_hold(binance_rate: float, *texts: str) -> list[str]:
    report = make_report(article(binance_rate), symbol=ETH, at_ms=NOW_MS)
    return [message["rule"] for message in fired(report, map(Rule.parse, texts))]


def test_a_rule_fires_on_its_figure_in_its_unit() -> None:
    texts = (
        "divergence.spread > 0.139",
        "divergence.spread > 0.14",
        "divergence.spread<0.14",
        "divergence.rating is normal",
        "divergence.rating is extreme",
        "divergence.rating > 1",
        "no.such.figure > 0",
        "funding.binance.per_year >= 4",
    )
    assert rules_that_hold(0.00003793, *texts) == [
        "divergence.spread > 0.139",
        "divergence.spread < 0.14",
        "divergence.rating is normal",
        "funding.binance.per_year >= 4",
    ]


def test_the_headline_fires_nothing_but_its_quarantine() -> None:
    texts = ("divergence.percentile > 99", "funding.binance.per_year > 100", "carry.binance.net_7d > 0")
    assert rules_that_hold(0.003793, *texts) == []
    quarantine = "divergence.rating is quarantined"
    assert rules_that_hold(0.003793, quarantine) == [quarantine]


@pytest.mark.parametrize("text", ["", "a.b", "a.b > ", "a.b = 1", "a.b > x", "a.b > 1 and more"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        Rule.parse(text)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_a_bound_and_its_reverse_divide_the_line(value: float, bound: float) -> None:
    holds = {word: Rule("a.b", word, bound).holds(value) for word in (">", ">=", "<", "<=")}
    assert holds[">"] != holds["<="]
    assert holds["<"] != holds[">="]


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[Any]]]:
    taken: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(json.loads(body))
            self.send_response(500 if self.path == "/broken" else 204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", taken
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_fired_reaches_the_webhook(webhook: tuple[str, list[Any]], tmp_path: Path) -> None:
    address, taken = webhook
    Recorder(tmp_path).append(article(0.00003793))
    command = ["signals", "alert", str(tmp_path), ETH, "--webhook", address, "--at", "2024-02-23T00:00"]
    quiet = CliRunner().invoke(xos, [*command, "--when", "divergence.spread > 100"])
    assert (quiet.exit_code, quiet.output) == (0, "no rule holds\n")
    assert taken == []
    loud = CliRunner().invoke(xos, [*command, "--when", "divergence.spread < 100", "--json"])
    assert loud.exit_code == 0
    assert taken == [json.loads(loud.output)]
    (message,) = taken[0]["alerts"]
    assert (message["symbol"], message["figure"]["text"]) == (ETH, "0.1393 bps per 8 h")
    text = CliRunner().invoke(xos, [*command[:4], *command[6:], "--when", "divergence.spread < 100"])
    assert text.output == "ETH/USDT: divergence.spread < 100 (0.1393 bps per 8 h)\n"


def test_a_webhook_that_fails_is_said(webhook: tuple[str, list[Any]]) -> None:
    with pytest.raises(InvalidArgument, match="did not take"):
        post(f"{webhook[0]}/broken", [])
    with pytest.raises(InvalidArgument, match="begins with"):
        post("file:///etc/passwd", [])
