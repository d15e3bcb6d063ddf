"""`xos bench recovery`, `memory`, `subscribers`, `curve`, each of them small: what they report and judge."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from exchange_os import cli
from exchange_os.cli._server_bench import is_flat, quarters

SMALL = ("--connections", "2")


def bench(*words: str | Path, exit_code: int = 0) -> dict[str, Any]:
    answer = CliRunner().invoke(cli.main, ["bench", *map(str, words), "--json"])
    assert answer.exit_code == exit_code, answer.output
    report: dict[str, Any] = json.loads(answer.output)
    return report


def test_recovery_loses_nothing_and_keeps_its_bound() -> None:
    shape = ("--orders", "500", "--accounts", "50", "--rate", "2000", "--seconds", "1", *SMALL)
    report = bench("recovery", *shape, "--must-ms", "60000")
    assert report["passed"], report
    assert report["open_orders"] == 500
    assert report["last_acknowledged"] <= report["recovered_sequence"]
    assert report["acknowledged"] <= report["replayed_commands"]
    assert report["replay_commands_per_s"] > 0
    assert 0 < report["opened_ms"] < report["recovery_ms"]


def test_a_bound_that_is_missed_is_an_exit_code() -> None:
    shape = ("--orders", "500", "--accounts", "50", "--rate", "2000", "--seconds", "1", *SMALL)
    report = bench("recovery", *shape, "--must-ms", "1", exit_code=1)
    assert [check["name"] for check in report["checks"] if not check["passed"]] == ["in time"]


def test_memory_is_watched_while_commands_go_through() -> None:
    shape = ("--warm-up", "4000", "--rate", "4000", "--accounts", "50", "--resting", "100", *SMALL)
    report = bench("memory", "--count", "8000", *shape)
    assert report["passed"], report
    assert report["commands"] == 12_000
    assert report["bytes_at_the_end"] > 1 << 20
    assert len(report["samples"]) > 3


def test_memory_that_grows_is_not_flat() -> None:
    mib = 1 << 20
    flat = [(at, (300 if at < 4_000 else 500) * mib + at) for at in range(0, 12_000, 100)]
    assert is_flat(*quarters(flat, 4_000, 8_000))
    grows = [(at, 300 * mib + at * 8_000) for at in range(0, 12_000, 100)]
    assert not is_flat(*quarters(grows, 4_000, 8_000)), "8,000 bytes a command"
    late = [*flat, (12_050, 517 * mib)]
    assert not is_flat(*quarters(late, 4_000, 8_000)), "at its end"
    assert not is_flat(*quarters(flat[:40], 4_000, 8_000)), "nothing was seen after the warm-up"


def test_subscribers_are_measured_in_pairs() -> None:
    shape = ("--count", "2", "--commands", "4000", "--rate", "4000", "--pairs", "1", *SMALL)
    report = bench("subscribers", *shape, "--must-percent", "100")
    assert [readers for readers, _ in report["runs"]] == [0, 2, 0]
    assert report["passed"], report


def test_a_curve_ends_with_what_holds_and_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    results, picture = tmp_path / "curve.json", tmp_path / "curve.svg"
    report = bench(
        "curve", "--rates", "500,1000", "--seconds", "1", "--results", results, "--draw", picture, *SMALL
    )
    assert json.loads(results.read_text()) == report
    assert [run["offered_per_s"] for run in report["runs"]][:1] == [500]
    assert report["commit"]
    first = picture.read_bytes()
    assert b"<svg" in first
    # The same figures give the same picture, and nothing is measured for it.
    bench("curve", "--from", results, "--draw", picture)
    assert picture.read_bytes() == first


def test_rates_have_to_rise() -> None:
    answer = CliRunner().invoke(cli.main, ["bench", "curve", "--rates", "5,4"])
    assert answer.exit_code == 2
    assert "rising" in answer.output
