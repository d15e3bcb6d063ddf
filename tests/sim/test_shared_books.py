"""`xos sim books`: one flow, other books. What a venue finds on shared books and alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from exchange_os import CommandKind, Exchange
from exchange_os.cli import main
from exchange_os.sim.population import Population
from exchange_os.sim.recorded_flow import Flow, record
from exchange_os.sim.shared_books import compare
from exchange_os.sim.venues import VENUES, venues_of

SEED, SIZE = 5, 0.06


@pytest.fixture(scope="module")
def flow() -> Flow:
    return record(SEED, SIZE)


def test_every_kind_of_account_is_dealt_out() -> None:
    population = Population(SEED, 48)
    venue = venues_of(population, SEED)
    assert (venue == venues_of(population, SEED)).all()
    counts = np.bincount(venue[1:], minlength=len(VENUES))
    assert counts.sum() == population.count
    assert counts[0] > counts[1] > counts[2] > population.count // 8


def test_the_same_ids_stand_for_the_same_orders(flow: Flow) -> None:
    """Frames of a venue alone have the rows of the others, for nobody: sequences are the same everywhere."""
    assert flow.population is not None
    kept = venues_of(flow.population, SEED) == 1
    for whole, alone in zip(flow.frames, flow.for_accounts(kept), strict=True):
        if whole.batch is None or alone.batch is None:
            assert whole.body == alone.body
            continue
        assert len(whole.batch) == len(alone.batch)
        mine = kept[whole.batch["account"]] | (whole.batch["account"] == 0)
        placed = whole.batch["kind"] == CommandKind.PLACE
        assert (whole.batch[mine] == alone.batch[mine]).all()
        assert (alone.batch["account"][placed & ~mine] == 0).all()


def test_alone_nobody_trades_with_another_venue(flow: Flow) -> None:
    assert flow.population is not None
    kept = venues_of(flow.population, SEED) == 0
    seen: set[int] = set()
    with Exchange.open(events_kept_max=0, trades_kept_max=0) as exchange:
        for frame in flow.for_accounts(kept):
            if frame.batch is None:
                exchange.deploy_body(frame.body, time_ns=frame.time_ns)
                continue
            events = exchange.submit(frame.batch, time_ns=frame.time_ns)
            trades = events[events["kind"] == 3]
            seen |= set(trades["account"].tolist()) | set(trades["counter_account"].tolist())
        assert set(exchange.conservation().values()) == {0}
    assert seen
    assert all(kept[account] for account in seen)


def test_shared_books_fill_more(flow: Flow) -> None:
    found = compare(flow, SEED)
    venues = found["venues"]
    assert isinstance(venues, dict)
    assert set(venues) == set(VENUES)
    for venue in venues.values():
        assert venue["shared"]["filled_percent"] >= venue["separate"]["filled_percent"]
        assert venue["shared"]["depth_usd"] > venue["separate"]["depth_usd"]
        assert venue["better_ticks"] >= 0
        assert venue["compared_lots"] > 0
    assert found == compare(flow, SEED)


def test_the_command_prints_and_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    image = tmp_path / "books.svg"
    done = CliRunner().invoke(
        main, ["sim", "books", "--seed", str(SEED), "--size", "0.05", "--json", "--picture", str(image)]
    )
    assert done.exit_code in {0, 1}, done.output
    found = json.loads(done.output)
    assert found["passed"] == (done.exit_code == 0)
    assert image.read_text(encoding="utf-8").lstrip().startswith("<?xml")
