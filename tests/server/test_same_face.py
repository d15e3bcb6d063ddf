"""The tests of an exchange in this process, run against one behind a server: the same answers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1] / "python"


@pytest.mark.parametrize(
    ("names", "least"),
    [
        (("orders", "batches"), 28),
        pytest.param(
            (
                "triggers",
                "protection",
                "preview",
                "commands",
                "iceberg",
                "questions",
                "subscriptions",
                "implied",
            ),
            80,
            marks=pytest.mark.long,
        ),
    ],
)
def test_it_answers_as_one_in_this_process(names: tuple[str, ...], least: int) -> None:
    files = [str(TESTS / f"test_{name}.py") for name in names]
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib -m 'not long'"]
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        env=os.environ | {"XOS_TESTS_OVER_WIRE": "1"},
        capture_output=True,
        text=True,
        check=False,
        cwd=TESTS.parents[1],
    )
    assert answer.returncode == 0, answer.stdout[-4_000:]
    passed = re.search(r"(\d+) passed", answer.stdout)
    skipped = re.search(r"(\d+) skipped", answer.stdout)
    assert passed is not None
    assert int(passed[1]) >= least, answer.stdout[-500:]
    # Those that tell the exchange what time it is.
    assert skipped is None or int(skipped[1]) <= 5
