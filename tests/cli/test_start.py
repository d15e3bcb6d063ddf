"""`xos start` (`make up`): everything from nothing in an empty folder; the printed lines buy something."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import exchange_os as xos

_FREE = "127.0.0.1:0"


@contextmanager
def started(folder: Path) -> Iterator[dict[str, Any]]:
    program = [sys.executable, "-c", "from exchange_os.cli import main; main()", "start", "--json"]
    program += ["--data", str(folder / "data"), "--port", "0", "--listen", _FREE, "--watch", _FREE]
    # Prices stand still long enough for an order to meet the book that it saw.
    with subprocess.Popen([*program, "--steps", "0.3"], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        assert line, running.wait()
        try:
            yield json.loads(line)
        finally:
            running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0


def test_the_printed_lines_buy_and_a_second_start_goes_on(tmp_path: Path) -> None:
    totals = []
    for _ in range(2):
        with started(tmp_path) as said:
            done = subprocess.run(
                [sys.executable, "-c", said["ccxt"]], check=False, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stderr
            totals.append(done.stdout.split())
    # The same guest, whose money and key are still there.
    assert totals == [["closed", "50.1"], ["closed", "50.2"]]
    assert xos.log.verify(tmp_path / "data").torn_tail is None
    words = [path.read_text(encoding="utf-8") for path in tmp_path.glob("data.*.log")]
    assert words == [""] * 3


def test_what_cannot_start_says_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "stranger").write_text("not an exchange")
    program = [sys.executable, "-c", "from exchange_os.cli import main; main()", "start"]
    program += ["--data", str(tmp_path / "data"), "--port", "0", "--listen", _FREE, "--watch", _FREE]
    done = subprocess.run(program, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "node did not start" in done.stderr
