"""`xos sim adl`: the table, the JSON, the picture."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from exchange_os import _core
from exchange_os.cli import main

SMALL = ["--accounts", "1500", "--markets", "20"]


def test_the_table_names_the_rules_and_what_each_took() -> None:
    done = CliRunner().invoke(main, ["sim", "adl", *SMALL], env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    for words in ("pro-rata", "random start", "overshoot", "gini of haircut", "time, ms"):
        assert words in done.output


def test_json_and_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    image = tmp_path / "adl.svg"
    done = CliRunner().invoke(main, ["sim", "adl", *SMALL, "--seed", "3", "--json", "--picture", str(image)])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["passed"]
    assert image.read_text(encoding="utf-8").lstrip().startswith("<?xml")
    pro_rata, queue, *_ = found["rules"]
    assert queue["overshoot"] > 100 * pro_rata["overshoot"]
    assert pro_rata["gini_ppm"] < min(rule["gini_ppm"] for rule in found["rules"][1:])


def test_sizes_that_cannot_be_simulated_are_refused() -> None:
    for accounts, markets in ((199, 1), (1_000_001, 1), (200, 0), (200, 10_001)):
        with pytest.raises(ValueError, match="can be simulated"):
            _core.sim_adl(1, accounts, markets)
