"""`xos up` as a process of its own: health, metrics, the other verbs, SIGTERM, and kill -9."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import exchange_os as xos
from exchange_os import cli
from exchange_os._core import EventKind
from exchange_os.client import position_of
from exchange_os.server import load_keys

MARKET = Path(xos.markets.__file__).parent / "templates" / "spot.toml"


@contextmanager
def up(folder: Path) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    address = "127.0.0.1:0"
    command = [sys.executable, "-c", "from exchange_os.cli import main; main()", "up", "--json"]
    command += [
        "--data",
        str(folder / "data"),
        "--listen",
        address,
        "--watch",
        address,
        "--market",
        str(MARKET),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()), process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def connect(started: dict[str, Any], **options: Any) -> xos.Exchange:
    secret = load_keys(Path(started["keys"])).rows[0][2]
    return xos.connect(started["address"], key="operator", secret=secret, **options)


def test_it_serves_says_how_it_is_and_leaves_cleanly(tmp_path: Path) -> None:
    with up(tmp_path) as (started, process):
        watch, server = started["watch"], ["--server", started["address"], "--keys", started["keys"]]
        assert Path(started["keys"]).stat().st_mode & 0o077 == 0
        with connect(started) as exchange:
            account = exchange.open_account("anna")
            exchange.deposit(account, "USDC", 1_000)
            exchange.buy(account, "ETH-USDC", 10, 1)
        assert get(f"{watch}/health") == (200, '{"alive": true}')
        assert get(f"{watch}/ready") == (200, '{"ready": true}')
        assert get(f"{watch}/nonsense")[0] == 404
        code, metrics = get(f"{watch}/metrics")
        assert code == 200
        assert "xos_commands_total 3.0" in metrics
        assert "# TYPE xos_durable_sequence gauge" in metrics
        run = CliRunner()
        status = run.invoke(cli.main, ["status", "--watch", watch.removeprefix("http://"), "--json"])
        assert json.loads(status.output)["commands"] == 3
        snapshot = run.invoke(cli.main, ["snapshot", *server, "--json"])
        assert snapshot.exit_code == 0, snapshot.output
        assert list((tmp_path / "data").glob("snapshot-*.xoss"))
        killed = run.invoke(cli.main, ["kill-switch", *server, "--json"])
        assert json.loads(killed.output) == {"state": "halted", "instruments": ["ETH-USDC"], "kept": {}}
        with connect(started) as exchange, pytest.raises(xos.Rejected):
            exchange.buy(account, "ETH-USDC", 10, 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    events = [json.loads(line)["event"] for line in (tmp_path / "node.log").read_text().splitlines()]
    assert events == ["started", "stopped"]
    with xos.open(tmp_path / "data") as exchange:
        assert len(exchange.orders(account)) == 1


def test_after_kill_9_what_was_answered_is_there_once(tmp_path: Path) -> None:
    with up(tmp_path) as (started, process), connect(started) as exchange:
        account = exchange.open_account("anna")
        exchange.deposit(account, "USDC", 1_000_000, client_id="money")
        answered = [exchange.buy(account, "ETH-USDC", 10, 1, client_id=f"o{at}") for at in range(50)]
        process.kill()
        process.wait(30)
        with pytest.raises(xos.Disconnected):
            exchange.buy(account, "ETH-USDC", 11, 1, client_id="lost")
    with up(tmp_path) as (started, _), connect(started) as exchange:
        for at, order in enumerate(answered):
            again = exchange.buy(account, "ETH-USDC", 10, 1, client_id=f"o{at}")
            assert (again.order_id, again.retry, again.remaining) == (order.order_id, True, order.remaining)
        orders = exchange.orders(account)
        assert {order.order_id for order in answered} <= {order.order_id for order in orders}
        assert len(orders) == 50


def test_a_client_hears_after_a_restart_what_it_missed(tmp_path: Path) -> None:
    copy: dict[str, Any] = {"drop_copy": True, "session": 7}
    with up(tmp_path) as (started, process), connect(started) as exchange:
        account = exchange.open_account("anna")
        exchange.deposit(account, "USDC", 1_000)
        with connect(started, **copy) as listener:
            exchange.buy(account, "ETH-USDC", 10, 1, client_id="o1")
            assert EventKind.ORDER_ACCEPTED in heard(listener)
            stood = position_of(listener)
        exchange.buy(account, "ETH-USDC", 11, 1, client_id="o2")
        exchange.cancel(account, client_id="o1")
        process.kill()
        process.wait(30)
    with up(tmp_path) as (started, _), connect(started, **copy, resume=stood) as listener:
        assert heard(listener) == [EventKind.ORDER_ACCEPTED, EventKind.ORDER_CANCELLED]
        assert position_of(listener) > stood


def heard(exchange: xos.Exchange) -> list[int]:
    """What has come, once a question has been answered: answers follow the events before them."""
    assert exchange.sequence > 0
    return [int(kind) for events in exchange.events() for kind in events["kind"]]


def test_nothing_there_is_said() -> None:
    answer = CliRunner().invoke(cli.main, ["status", "--watch", "127.0.0.1:1"])
    assert answer.exit_code == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"\[\[key\]\] tables"),
        ('[[key]]\nname = "a"\nscopes = ["all"]\nsecret = "0123456789abcdef"\n', "scopes of"),
        ('[[key]]\nname = "a"\nscopes = ["trade"]\n', "either a secret or a public_key"),
        ('[[key]]\nname = "a"\nscopes = ["trade"]\nsecret = "x"\npublic_key = "00"\n', "either a secret"),
        ('[[key]]\nname = "a"\nsome = 1\n', "its words are"),
        ("[[key]\n", "Expected"),
    ],
)
def test_a_file_of_keys_says_what_is_wrong_with_it(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "keys.toml"
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(xos.InvalidArgument, match=message):
        load_keys(path)


def test_a_file_of_keys_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(
        '[[key]]\nname = "a"\nscopes = ["operate"]\nsecret = "0123456789abcdef"\n', encoding="utf-8"
    )
    path.chmod(0o644)
    with pytest.raises(xos.InvalidArgument, match="can be read by others"):
        load_keys(path)
