"""`xos api` as a program: the lines that it prints work as they stand."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import ccxt
from tests.api.conftest import MARKETS

import exchange_os as xos


def test_the_printed_lines_read_a_balance(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with xos.open(data) as exchange:
        exchange.deploy(xos.markets.loads(MARKETS))
        exchange.deposit(exchange.open_account("ann"), "USDC", 12)
    program = [sys.executable, "-uc", "from exchange_os.cli import main; main()", "api", str(data)]
    program += ["--port", "0", "--account", "1"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = ""
        while "Press CTRL+C" not in said:
            line = running.stdout.readline()
            assert line, f"it ended after {said!r}"
            said += line
        key, secret, password = (
            re.search(f'"{name}": "([^"]+)"', said)[1] for name in ("apiKey", "secret", "password")
        )
        address = re.search(r"Running on (http://127.0.0.1:\d+)", said)[1]
        client = ccxt.okx({"apiKey": key, "secret": secret, "password": password})
        client.urls["api"] = {"rest": address}
        assert client.fetch_balance()["USDC"]["total"] == 12
        client.session.close()
        running.send_signal(signal.SIGTERM)
        assert running.wait() == 0
    with xos.open(data) as exchange:
        assert exchange.account_count == 1
