"""Verify, replay and inspect: the same commands, the same events, the same state."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import exchange_os as xos
from exchange_os import cli, log

Fill = Callable[[xos.Exchange], xos.Exchange]


@pytest.fixture
def logged(tmp_path: Path, filled: Fill) -> tuple[Path, list[xos.records.Events], str]:
    """A log with trades and a snapshot in the middle; what its commands gave, its state hash."""
    heard: list[xos.records.Events] = []
    exchange = filled(xos.open(tmp_path / "log"))
    exchange.subscribe(heard.append)
    batch = xos.orders(
        account=[1, 2] * 50,
        instrument=exchange.number_of("BTC-USDC"),
        side=["buy", "sell"] * 50,
        price=np.arange(1_000, 1_100),
        qty=np.arange(1, 101),
        client_id=[f"c{n}" for n in range(100)],
    )
    exchange.submit(batch)
    exchange.snapshot()
    exchange.mass_cancel(2)
    exchange.sell(2, "BTC-USDC", 1, 1, tif="ioc")
    state_hash = exchange.state_hash
    exchange.close()
    return tmp_path / "log", heard, state_hash


def test_verify(logged: tuple[Path, list[xos.records.Events], str]) -> None:
    path, _, state_hash = logged
    done: list[tuple[int, int]] = []
    report = log.verify(path, progress=lambda now, total: done.append((now, total)))
    assert report.state_hash == state_hash
    assert report.sequence == report.commands
    assert len(report.snapshots) == 1
    assert report.bad_snapshots == []
    assert report.torn_tail is None
    assert all(line.users_atoms + line.house_atoms == 0 for line in report.conservation)
    assert [line.asset for line in report.conservation] == ["USDC", "BTC"]
    assert done[-1][0] == done[-1][1] > 0
    assert log.verify(path, quick=True).chain_hash == report.chain_hash


def test_replay_gives_the_same_events(logged: tuple[Path, list[xos.records.Events], str]) -> None:
    path, heard, state_hash = logged
    first = int(heard[0]["sequence"][0])
    again: list[xos.records.Events] = []
    report = log.replay(path, from_sequence=first, on_events=again.append)
    assert report.state_hash == state_hash
    assert np.array_equal(np.concatenate(heard), np.concatenate(again))
    assert report.commands_per_s > 0
    tail = log.replay(path, from_sequence=report.sequence, use_snapshots=True)
    assert tail.snapshot_sequence > 0
    assert tail.state_hash == state_hash
    part = log.replay(path, to_sequence=first - 1)
    assert part.sequence == first - 1
    assert part.state_hash != state_hash


def test_inspect_gives_the_commands(logged: tuple[Path, list[xos.records.Events], str]) -> None:
    path, heard, _ = logged
    frames = list(log.inspect(path))
    assert [frame.first_sequence for frame in frames] == sorted(frame.first_sequence for frame in frames)
    deployment = frames[0].deployment
    assert deployment is not None
    assert deployment["asset"]["symbol"] == "USDC"
    (batch,) = [frame for frame in frames if frame.count == 100]
    assert batch.commands is not None
    assert batch.commands["client_id"][7] == b"c7"
    assert frames[-1].first_sequence == log.verify(path).sequence
    first = int(heard[0]["sequence"][0])
    assert [frame.first_sequence for frame in log.inspect(path, from_sequence=first, to_sequence=first)] == [
        first
    ]


def test_a_callback_that_raises_ends_the_read(logged: tuple[Path, list[xos.records.Events], str]) -> None:
    path, _, _ = logged
    with pytest.raises(ZeroDivisionError):
        log.replay(path, on_events=lambda _events: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        log.verify(path, progress=lambda _done, _total: 1 // 0)
    assert log.verify(path).frames > 0


def test_where_there_is_nothing(tmp_path: Path) -> None:
    for read in (log.verify, log.replay, lambda path: list(log.inspect(path))):
        with pytest.raises(xos.NoExchangeHere, match=str(tmp_path)):
            read(tmp_path)


def test_a_snapshot_of_another_state_is_found(tmp_path: Path, filled: Fill) -> None:
    """Its bytes are sound by themselves, but the log does not lead there."""
    states = {}
    for name, price in (("a", 100), ("b", 200)):
        with filled(xos.open(tmp_path / name)) as exchange:
            exchange.buy(1, "BTC-USDC", price, 1, time_ns=exchange.time_ns)
            exchange.snapshot()
            states[name] = exchange.state_hash
    assert states["a"] != states["b"]
    for name in ("a", "b"):
        assert log.verify(tmp_path / name).state_hash == states[name]


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 1
    file.write_bytes(content)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A directory with two snapshots and a head, closed."""
    with xos.open(tmp_path / "a") as exchange:
        exchange.deploy(xos.markets.loads('[[asset]]\nsymbol = "A"\ndecimals = 0\n'))
        exchange.deposit(exchange.open_account("ann"), "A", 5)
        exchange.snapshot()
        exchange.tick()
        exchange.snapshot()
    return tmp_path / "a"


def verified(path: Path) -> tuple[int, dict[str, Any]]:
    answer = CliRunner().invoke(cli.main, ["verify", str(path), "--json"])
    return answer.exit_code, json.loads(answer.stdout)


@pytest.mark.parametrize("file", ["snapshot, newest", "snapshot, oldest", "snapshot, its header", "head"])
def test_a_flipped_bit_beside_the_log_is_named_and_ends_with_5(closed: Path, file: str) -> None:
    code, said = verified(closed)
    assert (code, said["verified"], said["damaged"]) == (0, True, [])
    snapshots = sorted(closed.glob("snapshot-*.xoss"))
    if file == "head":
        target = closed / "head"
        content = target.read_bytes()
        flip(target, 16 if content[:4] == b"XOSM" else 512 + 16)
    else:
        target = snapshots[0 if "oldest" in file else -1]
        flip(target, 20 if "header" in file else target.stat().st_size // 2)
    report = log.verify(closed)
    assert len(report.damaged) == 1
    assert target.name in report.damaged[0]
    code, said = verified(closed)
    assert (code, said["verified"], said["damaged"]) == (5, False, report.damaged)
    with xos.open(closed) as exchange:
        assert exchange.state_hash == report.state_hash


def test_a_missing_head_is_mentioned(closed: Path) -> None:
    (closed / "head").unlink()
    report = log.verify(closed)
    assert (report.head_missing, report.damaged) == (True, [])
    answer = CliRunner().invoke(cli.main, ["verify", str(closed)])
    assert answer.exit_code == 0
    assert "the file head is missing" in answer.output


def test_missing_segments_are_the_same_to_verify_and_to_open(closed: Path) -> None:
    for segment in closed.glob("*.xosj"):
        segment.unlink()
    assert not [name for name in closed.iterdir() if name.suffix not in {".xoss", ""}]
    said = []
    for read in (log.verify, log.replay, log.inspect, xos.open):
        with pytest.raises(xos.Corrupt) as caught:
            read(closed)
        said.append(str(caught.value))
    assert len(set(said)) == 1


def test_a_path_that_is_not_there_holds_no_exchange(tmp_path: Path) -> None:
    for read in (log.verify, log.replay, log.inspect):
        with pytest.raises(xos.NoExchangeHere, match="nothing"):
            read(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
