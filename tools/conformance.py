"""Installed clients of OKX against a running exchange: what each exercised, how it went (`make conformance`).

Starts `xos start` on a new directory with a certificate of its own, runs one program of tests/conformance for
each client, prints the table, and with --write keeps it as docs/reference/conformance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import authority

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "tests" / "conformance"
PAGE = ROOT / "docs" / "reference" / "conformance.md"
ENVIRONMENTS = {
    "ccxt": "clients",
    "ccxt_pro": "clients",
    "python_okx": "clients",
    "nautilus": "clients",
    "cryptofeed": "clients",
    "freqtrade": "freqtrade",
    "schemathesis": "schemathesis",
}
"""Program (`use_NAME.py`): the environment in .tools that has its client."""
_CLIENT_S = 400
_INTRODUCTION = """# Conformance

<!-- Written by tools/conformance.py (`make conformance`). Do not edit. -->

Clients of OKX as they are installed, unmodified but for their addresses, each against a new exchange of
`make up`. The programs are in [tests/conformance](../../tests/conformance).

| client | version | exercised | result |
|---|---|---|---|
"""


def main() -> int:
    """0 if every client did what it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the table as a page of the reference")
    parser.add_argument("--environments", type=Path, default=ROOT / ".tools")
    parser.add_argument("clients", nargs="*", help=f"of {', '.join(ENVIRONMENTS)}; all by default")
    given = parser.parse_args()
    names = given.clients or list(ENVIRONMENTS)
    rows: list[tuple[str, str, str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            interpreter = given.environments / ENVIRONMENTS[name] / "bin" / "python"
            if not interpreter.exists():
                rows.append((name, "", "", "not installed"))
                continue
            rows += _run(name, interpreter, Path(folder) / name)
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    sys.stdout.write(table)
    if given.write:
        PAGE.write_text(_INTRODUCTION + table, encoding="utf-8")
    return 0 if all(row[3] == "passed" for row in rows) else 1


def _run(name: str, interpreter: Path, folder: Path) -> list[tuple[str, str, str, str]]:
    """The rows of one client, against an exchange of its own."""
    folder.mkdir()
    trusted, certificate, key = authority.make(folder)
    program = [sys.executable, "-c", "from exchange_os.cli import main; main()", "start", "--json"]
    program += ["--data", str(folder / "data"), "--port", "0", "--tls-port", "0", "--steps", "0.5"]
    program += ["--listen", "127.0.0.1:0", "--watch", "127.0.0.1:0"]
    program += ["--certificate", str(certificate), "--private-key", str(key)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as exchange:
        assert exchange.stdout is not None
        try:
            said = _addresses(json.loads(exchange.stdout.readline()), trusted)
            words = os.environ | {"XOS_CONFORMANCE": json.dumps(said)}
            words.pop("PYTHONPATH", None)
            done = subprocess.run(
                [str(interpreter), str(HERE / f"use_{name}.py")],
                env=words,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=_CLIENT_S,
                check=False,
            )
        finally:
            exchange.send_signal(signal.SIGINT)
    if done.returncode:
        sys.stderr.write(done.stdout[-4_000:] + done.stderr[-8_000:])
    return _rows(name, done)


def _addresses(started: dict[str, Any], trusted: Path) -> dict[str, str]:
    def key(word: str) -> str:
        found = re.search(f'"{word}": "([^"]+)"', started["ccxt"])
        assert found is not None
        return found[1]

    rest, secure = started["api"], started["tls"].replace("127.0.0.1", "localhost")
    return {
        "rest": rest,
        "ws": rest.replace("http", "ws", 1) + "/ws/v5",
        "https": secure,
        "wss": secure.replace("http", "ws", 1) + "/ws/v5",
        "authority": str(trusted),
        "key": key("apiKey"),
        "secret": key("secret"),
        "passphrase": key("password"),
    }


def _rows(name: str, done: subprocess.CompletedProcess[str]) -> list[tuple[str, str, str, str]]:
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    who = next((each for each in said if "client" in each), {"client": name, "version": ""})
    steps = [each for each in said if "step" in each]
    rows = [(who["client"], who["version"], each["step"], each["result"]) for each in steps]
    if done.returncode and not any(row[3] == "failed" for row in rows):
        rows.append((who["client"], who["version"], "its program", "failed"))
    return rows


if __name__ == "__main__":
    sys.exit(main())
