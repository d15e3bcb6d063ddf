"""The xos commands: what they print, and exit codes that mean something."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import exchange_os as xos
from exchange_os import log
from exchange_os.cli import main


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def answer(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    assert run("init", tmp_path / "market.toml").exit_code == 0
    return tmp_path / "market.toml"


@pytest.fixture
def data(tmp_path: Path, file: Path) -> Path:
    path = tmp_path / "data"
    assert run("deploy", file, "--data", path).exit_code == 0
    with xos.open(path) as exchange:
        for owner in ("alice", "bob"):
            exchange.deposit(exchange.open_account(owner), "USDC", 10_000)
        exchange.deposit(2, "BTC", 1)
        exchange.buy(1, "BTC-USDC", 5_000, 1, tif="gtc", client_id="first", self_trade="decrement")
        exchange.sell(2, "BTC-USDC", 5_000, 1, tif="ioc", market=True)
    return path


def test_init_does_not_overwrite(file: Path) -> None:
    file.write_text("mine", encoding="utf-8")
    assert run("init", file).exit_code == 2
    assert file.read_text(encoding="utf-8") == "mine"
    assert answer("init", file, "--force")["bytes"] > 1_000
    assert run("init", file.parent / "no" / "m.toml").exit_code == 2


def test_lint(file: Path) -> None:
    assert answer("lint", file, "--no-stress") == {
        "file": str(file),
        "errors": 0,
        "warnings": 0,
        "problems": [],
    }
    file.write_text(
        file.read_text(encoding="utf-8").replace("decimals = 8", "decimals = 99"), encoding="utf-8"
    )
    result = run("lint", file)
    assert result.exit_code == 3
    assert f"error: {file}:" in result.output
    assert "decimals: 99 is outside the bounds" in result.output
    file.write_text("[[asset]]\n", encoding="utf-8")
    result = run("lint", file, "--json")
    assert result.exit_code == 3
    assert [problem["field"] for problem in json.loads(result.output)["problems"]] == [
        "asset[0].symbol",
        "asset[0].decimals",
    ]
    assert run("lint", file.parent / "none.toml").exit_code == 2


def test_deploy_twice(file: Path, tmp_path: Path) -> None:
    first = answer("deploy", file, "--data", tmp_path / "d")
    again = answer("deploy", file, "--data", tmp_path / "d")
    assert [item["symbol"] for item in first["deployed"]][:2] == ["USDC", "BTC"]
    assert again["deployed"] == []
    assert again["state_hash"] == first["state_hash"]
    file.write_text(
        file.read_text(encoding="utf-8").replace("decimals = 8", "decimals = 9"), encoding="utf-8"
    )
    result = run("deploy", file, "--data", tmp_path / "d")
    assert result.exit_code == 3
    assert "asset BTC stands already, with other terms" in result.stderr
    error = json.loads(run("deploy", file, "--data", tmp_path / "d", "--json").output)["error"]
    assert (error["name"], error["number"], error["exit_code"]) == ("MarketFileError", 707, 3)


def test_an_open_directory(file: Path, data: Path) -> None:
    with xos.open(data):
        result = run("deploy", file, "--data", data)
    assert result.exit_code == 4
    assert str(data) in result.stderr


def test_verify_and_replay(data: Path) -> None:
    proof, again = answer("verify", data), answer("replay", data)
    assert proof["verified"]
    assert proof["state_hash"] == again["state_hash"]
    assert proof["conservation"][0] == {
        "asset": "USDC",
        "users_atoms": 19_996_500_000,
        "house_atoms": -19_996_500_000,
    }
    text = run("verify", data).output
    assert "users 19996500000 + house -19996500000 = 0 atoms" in text
    assert f"state hash       {proof['state_hash']}" in text
    assert "commands a second" in run("replay", data).output
    assert answer("replay", data, "--to", 1)["commands"] == 1
    assert run("verify", data / "none").exit_code == 2
    (data / "empty").mkdir()
    assert run("verify", data / "empty").exit_code == 6


def test_damage(data: Path) -> None:
    frame = list(log.inspect(data))[1]
    content = bytearray((data / frame.file).read_bytes())
    content[frame.offset + 70] ^= 1
    (data / frame.file).write_bytes(content)
    for command in ("verify", "replay", "inspect"):
        result = run(command, data)
        assert result.exit_code == 5, command
        assert f"{frame.file} is corrupt at offset" in result.stderr


def test_inspect(data: Path) -> None:
    text = run("inspect", data).output
    assert "1 deploy what=asset symbol=USDC decimals=6" in text
    assert (
        "side=buy tif=gtc self_trade=decrement account=1 instrument=1 price=50000 qty=100000 client_id=first"
        in text
    )
    assert "side=sell tif=ioc flags=market account=2" in text
    assert "deposit account=1 instrument=1 amount=10000000000" in text
    lines = [
        json.loads(line)
        for line in run("inspect", data, "--from", 9, "--to", 10, "--json").output.splitlines()
    ]
    assert [line["sequence"] for line in lines] == [9, 10]
    short = run("inspect", data, "--limit", 2).output
    assert "more follows after 2 commands" in short


def test_bench_engine(tmp_path: Path) -> None:
    small = ("--count", 2_000, "--accounts", 50, "--resting", 100)
    for workload in ("steady", "many", "cross", "storm"):
        report = answer("bench", "engine", "--workload", workload, *small)
        assert report["passed"]
        # A storm has a length of its own: four marks and 600 ticks.
        assert report["commands"] == (604 if workload == "storm" else 2_000)
        assert report["commands_per_s"] > 0
        assert len(report["state_hash"]) == 64
        assert (workload == "storm") or {"cancel", "amend"} <= set(report["ns_by_kind"])
        assert all(check["passed"] for check in report["checks"])
    assert (
        "commands a second" in run("bench", "engine", "--workload", "steady", *small, "--no-by-kind").output
    )
    assert run("bench", "engine").exit_code == 2
    (tmp_path / "w.bin").write_bytes(b"x" * 65)
    assert run("bench", "engine", "--commands", tmp_path / "w.bin").exit_code == 3
    assert run("bench", "engine", "--commands", tmp_path / "w.bin", "--expect", "1,2").exit_code == 2


def test_bench_replay_and_restart(tmp_path: Path) -> None:
    report = answer("bench", "replay", "--count", 3_000, "--batch", 64, "--runs", 1, "--directory", tmp_path)
    assert report["commands"] == 3_000 + 2 + 2_001, "deployments, accounts with their money, the mark"
    assert report["frames"] == 2 + 1 + 47
    assert report["read_commands_per_s"] > report["commands_per_s"] > 0
    assert "commands a second" in run("bench", "replay", "--count", 500, "--runs", 1, "--accounts", 9).output
    report = answer("bench", "restart", "--accounts", 500, "--orders", 700, "--directory", tmp_path)
    assert (report["accounts"], report["resting_orders"]) == (500, 700)
    assert report["snapshot_bytes"] > 0
    assert "resting orders" in run("bench", "restart", "--accounts", 5, "--orders", 7).output
    assert not list(tmp_path.iterdir()), "what was measured is removed"


def test_a_bench_that_ends_wrongly_fails(tmp_path: Path) -> None:
    record = bytearray(64)
    record[0:8] = (1).to_bytes(8, "little")
    record[8:16] = (100_000).to_bytes(8, "little")
    record[16:24] = (5).to_bytes(8, "little")
    record[32:36] = (1).to_bytes(4, "little")
    (tmp_path / "w.bin").write_bytes(bytes(record))
    right = run("bench", "engine", "--commands", tmp_path / "w.bin", "--expect", "0,0,0,1", "--json")
    assert right.exit_code == 0, right.output
    wrong = run("bench", "engine", "--commands", tmp_path / "w.bin", "--expect", "7,0,0,1", "--json")
    assert wrong.exit_code == 1
    assert json.loads(wrong.output)["passed"] is False
