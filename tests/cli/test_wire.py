"""`xos bench wire`: a small load over real sockets, judged at its end."""

import json

import pytest
from click.testing import CliRunner

from exchange_os import cli


@pytest.mark.parametrize("extra", [(), ("--subscribers", "2"), ("--volatile",)])
def test_a_small_load_ends_in_the_right_state(extra: tuple[str, ...]) -> None:
    shape = ("--rate", "5000", "--seconds", "1", "--connections", "3", "--accounts", "40", "--resting", "60")
    answer = CliRunner().invoke(cli.main, ["bench", "wire", *shape, "--json", *extra])
    assert answer.exit_code == 0, answer.output
    report = json.loads(answer.output)
    assert report["passed"]
    assert report["commands"] == report["taken"] == 5_000
    assert report["latency"]["count"] == 5_000
    assert report["bounds"]["sync"]["p50_ns"] > 0
    of_readers = {"readers missed nothing"} if "--subscribers" in extra else set()
    assert {check["name"] for check in report["checks"]} == of_readers | {
        "accepted equals logged",
        "every asset adds up to zero",
        "chain, replay and full audit",
        "the books equal the naive replay's",
        "every command was answered",
    }
    assert (report["feed_records"] > 5_000) == ("--subscribers" in extra)
