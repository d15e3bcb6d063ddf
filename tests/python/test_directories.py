"""An exchange over a directory: what was answered is there again; damage and a second opener are refused."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

import exchange_os as xos
from exchange_os import _core, log

Fill = Callable[[xos.Exchange], xos.Exchange]


def test_closed_and_opened_again_it_stands_where_it_stood(tmp_path: Path, filled: Fill) -> None:
    with filled(xos.open(tmp_path / "a")) as exchange:
        order = exchange.buy(1, "BTC-USDC", 50_000, 1, client_id="x")
        before = (exchange.sequence, exchange.state_hash, exchange.time_ns)
    with xos.open(str(tmp_path / "a")) as again:
        assert (again.sequence, again.state_hash, again.time_ns) == before
        assert again.buy(1, "BTC-USDC", 50_000, 1, client_id="x").retry
        assert again.cancel(1, order.order_id).qty == 1
        with pytest.raises(xos.EventsGone):
            again.events(1)


def test_a_snapshot_shortens_the_way_and_changes_nothing(tmp_path: Path, filled: Fill) -> None:
    with filled(xos.open(tmp_path)) as exchange:
        exchange.snapshot()
        exchange.buy(1, "BTC-USDC", 50_000, 1)
        before = exchange.state_hash
    with xos.open(tmp_path) as again:
        assert again.state_hash == before
    assert log.verify(tmp_path).snapshots == [exchange_sequence(tmp_path) - 1]


def exchange_sequence(path: Path) -> int:
    with xos.open(path) as exchange:
        return exchange.sequence


def test_in_memory_there_is_no_snapshot() -> None:
    with xos.open() as exchange:
        with pytest.raises(xos.Error, match="in memory"):
            exchange.snapshot()
        exchange.tick()


def test_after_close_everything_refuses(exchange: xos.Exchange) -> None:
    exchange.close()
    exchange.close()
    assert exchange.closed
    calls: list[Callable[[], object]] = [
        lambda: exchange.buy(1, "BTC-USDC", 1, 1),
        lambda: exchange.submit(xos.orders(account=1, instrument=1, side="buy", price=1, qty=1)),
        lambda: exchange.balances(1),
        lambda: exchange.state_hash,
        lambda: exchange.sequence,
        exchange.snapshot,
        exchange.trades,
        exchange.tick,
        lambda: list(exchange.events()),
        lambda: exchange.subscribe(print),
    ]
    for call in calls:
        with pytest.raises(xos.Closed, match="closed"):
            call()


def test_a_second_opener_is_refused(tmp_path: Path, filled: Fill) -> None:
    with filled(xos.open(tmp_path)) as exchange:
        with pytest.raises(xos.AlreadyOpen, match=str(tmp_path)) as caught:
            xos.open(tmp_path)
        assert caught.value.path == str(tmp_path)
        script = "import sys, exchange_os as xos\ntry: xos.open(sys.argv[1])\n"
        script += "except xos.AlreadyOpen as error: print(error.path)"
        command = [sys.executable, "-c", script, tmp_path]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        assert answer.stdout.strip() == str(tmp_path)
        assert exchange.tick().sequence == exchange.sequence


def damage(path: Path, filled: Fill) -> Path:
    """A directory whose third frame has a flipped bit; the file."""
    with filled(xos.open(path)) as exchange:
        exchange.buy(1, "BTC-USDC", 50_000, 1)
    frame = list(log.inspect(path))[2]
    file = path / frame.file
    content = bytearray(file.read_bytes())
    content[frame.offset + 70] ^= 1
    file.write_bytes(content)
    return file


def test_a_damaged_directory_is_refused_and_left_alone(tmp_path: Path, filled: Fill) -> None:
    file = damage(tmp_path, filled)
    content = file.read_bytes()
    with pytest.raises(xos.Corrupt, match="nothing was changed") as caught:
        xos.open(tmp_path)
    assert caught.value.file == file.name
    assert caught.value.sequence == 3
    assert 0 < caught.value.offset < len(content)
    assert str(caught.value.offset) in str(caught.value)
    with pytest.raises(xos.Corrupt):
        log.verify(tmp_path)
    assert file.read_bytes() == content


def test_other_limits_than_those_of_the_log_are_refused(tmp_path: Path) -> None:
    with xos.open(tmp_path, limits={"accounts_max": 7}) as exchange:
        assert exchange.limits["accounts_max"] == 7
    with pytest.raises(xos.InvalidArgument, match="accounts_max: 7 and not 8"):
        xos.open(tmp_path, limits={"accounts_max": 8})
    with pytest.raises(xos.InvalidArgument, match="no limit is named 'acounts_max'"):
        xos.open(limits={"acounts_max": 8})
    with xos.open(tmp_path) as exchange:
        assert exchange.limits["accounts_max"] == 7


def test_a_limit_is_met_at_it_and_refused_past_it() -> None:
    with xos.open(limits={"accounts_max": 2}) as exchange:
        assert [exchange.open_account("a"), exchange.open_account("b")] == [1, 2]
        with pytest.raises(xos.Rejected, match=r"406 AccountsLimit: 2 accounts stand; the limit is 2"):
            exchange.open_account("c")


def test_a_file_where_a_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x", encoding="utf-8")
    with pytest.raises(xos.DiskFailed, match=str(tmp_path / "f")):
        xos.open(tmp_path / "f")


@pytest.mark.parametrize("panics", [True, False])
@pytest.mark.parametrize("durable", [True, False])
def test_a_failed_check_halts_for_good(
    tmp_path: Path, panics: bool, durable: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path if durable else None
    exchange = xos.Exchange(_core.Exchange.open(path, None, True, 10, 10, None, None, (3, panics)))
    exchange.open_account("a")
    exchange.open_account("b")
    for _ in range(2):
        with pytest.raises(xos.Halted, match=r"sequence 3.*failpoint"):
            exchange.tick()
    with pytest.raises(xos.Halted):
        exchange.balances(1)
    exchange.close()
    with pytest.raises(xos.Closed):
        exchange.tick()
    capfd.readouterr()
    if durable:  # the frame is in the log; without the defect it simply executes
        with xos.open(tmp_path) as again:
            assert again.sequence == 3


_INTERRUPTED = """
import sys, threading, _thread, time
import numpy as np
import exchange_os as xos
from exchange_os.markets import loads

exchange = xos.open(sys.argv[1])
exchange.deploy(loads(open(sys.argv[2], encoding="utf-8").read()))
exchange.open_account("a")
exchange.deposit(1, "USDC", 10**9)
batch = xos.orders(account=1, instrument=1, side="buy", price=np.ones(300_000, np.int64), qty=1)
try:
    print("ready", flush=True)
    while True:
        exchange.submit(batch)
except KeyboardInterrupt:
    print(exchange.sequence, exchange.state_hash, flush=True)
"""


def test_ctrl_c_never_harms_a_directory(tmp_path: Path) -> None:
    file = tmp_path / "market.toml"
    file.write_text(
        textwrap.dedent(
            """
            [[asset]]
            symbol = "USDC"
            decimals = 6
            [[asset]]
            symbol = "BTC"
            decimals = 8
            [[instrument]]
            symbol = "S"
            product = "spot"
            base = "BTC"
            quote = "USDC"
            tick_size = "0.1"
            lot_size = "0.001"
            price_max = 1000000
            qty_max = 1000
            notional_max = 1000000
            """
        ),
        encoding="utf-8",
    )
    child = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED, tmp_path / "data", file], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    answer, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    with xos.open(tmp_path / "data") as exchange:
        assert f"{exchange.sequence} {exchange.state_hash}\n" == answer
        assert set(exchange.conservation().values()) == {Decimal(0)}


def test_a_relative_path_means_where_it_was_opened(
    tmp_path: Path, filled: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that goes elsewhere must not write the next segment there, beside another exchange's."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "first")
    first = filled(xos.open("data", segment_bytes=1 << 20, limits={"frame_commands_max": 1_000}))
    frames, filled_to = log.inspect("data"), first.sequence
    monkeypatch.chdir(tmp_path / "second")
    with filled(xos.open("data", limits={"frame_commands_max": 1_000})):
        pass
    before = sorted((file.name, file.read_bytes()) for file in Path("data").iterdir())
    batch = xos.orders(account=[1] * 1_000, instrument=1, side="buy", price=1, qty=1, tif="ioc")
    for _ in range(15):
        first.submit(batch)
    first.snapshot()
    sequence = first.sequence
    first.close()
    assert sorted((file.name, file.read_bytes()) for file in Path("data").iterdir()) == before
    assert sum(frame.count for frame in frames) == filled_to
    assert log.verify(tmp_path / "first" / "data").sequence == sequence
    with xos.open(tmp_path / "first" / "data") as again:
        assert again.sequence == sequence


def in_a_child(work: Callable[[], object]) -> str:
    """What `work` gives in a fork of this process, which then ends without any cleaning up."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = repr(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent hears of it
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read().decode()


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_of_the_process_has_no_part_in_the_log(tmp_path: Path, filled: Fill, durable: bool) -> None:
    exchange = filled(xos.open(tmp_path / "a", durable=durable))
    # A batch large enough to have begun the syncing thread, which a fork does not inherit.
    exchange.submit(xos.orders(account=[1] * 2_000, instrument=1, side="buy", price=1, qty=1, tif="ioc"))
    calls: list[Callable[[], object]] = [
        lambda: exchange.buy(1, "BTC-USDC", 50_000, 1),
        lambda: exchange.cancel(1, 1),
        lambda: exchange.submit(xos.orders(account=1, instrument=1, side="buy", price=1, qty=1)),
        lambda: exchange.deploy_body(b""),
        lambda: exchange.balance(1, "USDC"),
        lambda: exchange.state_hash,
        lambda: exchange.book("BTC-USDC"),
        exchange.snapshot,
    ]
    for call in calls:
        said = in_a_child(call)
        assert said.startswith("Forked: "), said
        assert f"opened by process {os.getpid()}" in said

    def leave() -> str:
        exchange.close()
        return "left"

    assert in_a_child(leave) == "'left'"
    with pytest.raises(xos.AlreadyOpen):
        xos.open(tmp_path / "a")
    order = exchange.buy(1, "BTC-USDC", 50_000, 1)
    sequence = exchange.sequence
    # The directory is the parent's to release, whoever else still lives.
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reading, 1)
        os._exit(0)
    exchange.close()
    with xos.open(tmp_path / "a") as again:
        assert (again.sequence, again.cancel(1, order.order_id).qty) == (sequence, 1)
    os.write(writing, b"x")
    os.waitpid(child, 0)
    assert log.verify(tmp_path / "a").sequence == sequence + 1


def test_an_exchange_in_memory_goes_on_in_a_fork_by_itself(exchange: xos.Exchange) -> None:
    sequence = exchange.sequence
    assert in_a_child(lambda: exchange.tick().sequence) == str(sequence + 1)
    assert exchange.sequence == sequence
