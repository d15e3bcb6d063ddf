"""The demonstration, small: the same seed ends with the same state, and everything it promises holds."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from exchange_os import AlreadyOpen, EventKind, Exchange, InvalidArgument, Rejected, cli, log, records
from exchange_os.markets.lint import lint
from exchange_os.markets.load import load
from exchange_os.sim import demo, picture, proofs, report
from exchange_os.sim.own_market import goals_path
from exchange_os.sim.population import Kind
from exchange_os.sim.tournament_steps import tournament_steps
from exchange_os.sim.venues import LICENSED, flagged, forbidden, venues_of
from exchange_os.sim.world_cup import load_facts

SIZE = 0.02


def run(folder: Path, seed: int) -> demo.Played:
    demo.prepare(folder)
    return demo.play(folder, seed, SIZE, durable=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "data"


@pytest.fixture(scope="module")
def played(folder: Path) -> demo.Played:
    return run(folder, 7)


def test_the_same_seed_gives_the_same_state(played: demo.Played, tmp_path: Path) -> None:
    again = run(tmp_path / "again", 7)
    assert again.state_hash == played.state_hash
    assert again.tape.commands == played.tape.commands


def test_every_question_is_resolved_and_every_market_has_traded(played: demo.Played) -> None:
    found = report.content(played, [], None, "data")
    assert found["questions"] == found["questions_resolved"] == 117
    assert found["accounts"] >= 200
    assert found["champion"] == "ESP"
    assert list(found["markets"]) == [
        "champion",
        "group winners",
        "matches",
        "spot",
        "perpetuals",
        "goals, own",
    ]
    for name, market in found["markets"].items():
        assert market["trades"] > 100, name
        assert float(market["fees_usd"]) > 0, name
    for column in ("questions", "instruments", "orders", "trades"):
        assert sum(market[column] for market in found["markets"].values()) == found[column]
    assert found["commands"] == sum(found["commands_by_kind"].values())
    assert sum(found["rejects"].values()) <= found["commands"] // 1_000


def test_money_is_conserved_and_netting_leaves_collateral_free(played: demo.Played) -> None:
    assert {asset: float(total) for asset, total in played.conservation.items()} == {
        "USD": 0,
        "ETH": 0,
        "BTC": 0,
    }
    assert all(sample.saved >= 0 for sample in played.netting.samples)
    assert 0 < played.netting.peak.netted < played.netting.peak.full
    assert played.netting.mean_saved > 0
    basket = played.netting.basket
    assert basket is not None
    assert basket.short_outcomes > 1
    assert played.population.kind[basket.account] == Kind.BASKET_SELLER
    assert basket.collateral.netted < basket.collateral.full
    questions = [amounts for name, amounts in played.house.items() if name.startswith("question ")]
    assert questions == [], "every question has paid out what it held"


def test_accounts_come_through_three_venues_on_the_same_books(played: demo.Played) -> None:
    assert sum(played.accounts_by_venue) == played.population.count
    assert min(played.accounts_by_venue) > 40
    with Exchange.open(events_kept_max=0) as exchange:
        exchange.deploy(played.listings.files[0], time_ns=1)
        account = exchange.open_account("stranger", time_ns=1)
        exchange.deposit(account, "USD", 100, time_ns=1)
        with pytest.raises(Rejected, match="226 ClassesMissing"):
            exchange.buy(account, "champion.ESP", "0.10", 1, venue="licensed", time_ns=1)
        assert exchange.buy(account, "champion.ESP", "0.10", 1, venue="corner", time_ns=1).order_id


def test_corner_has_a_market_of_its_own(played: demo.Played) -> None:
    with Exchange.open(events_kept_max=0) as exchange:
        exchange.deploy(played.listings.files[0], time_ns=1)
        account = exchange.open_account("stranger", time_ns=1)
        exchange.deposit(account, "USD", 100, time_ns=1)
        exchange.set_mark("GOALS-PERP", 286, time_ns=1)
        with pytest.raises(Rejected, match="432 "):
            exchange.buy(account, "GOALS-PERP", 286, "0.1", venue="arena", time_ns=1)
        assert exchange.buy(account, "GOALS-PERP", 286, "0.1", venue="corner", time_ns=1).order_id


def test_the_goals_index_ends_at_the_goals_that_were_scored() -> None:
    facts = load_facts()
    times = [step.at_ns for step in tournament_steps(facts, 6, (60,))]
    path = goals_path(facts, times)
    assert path[0] == 104 * 275
    assert path[-1] == 100 * sum(sum(match.goals) for match in facts.matches)
    assert np.abs(np.diff(path)).max() < path.min() // 20, "no whistle moves it past its band"


def test_orders_of_the_licensed_venue_pass_flagged_liquidity_and_never_meet_it(played: demo.Played) -> None:
    assert played.tape.skips > 10
    venue = venues_of(played.population, played.seed)
    warned_of = flagged(played.population, venue)
    assert 5 < len(warned_of) < 20
    assert (played.tape.position[warned_of] != 0).any(), "others do meet them"
    assert played.forbidden == 0
    trade = np.zeros(2, records.EVENT)
    trade["kind"] = EventKind.TRADE
    trade["account"] = np.flatnonzero(venue == LICENSED)[0], warned_of[0]
    trade["counter_account"] = trade["account"][::-1]
    assert forbidden(trade, venue, warned_of) == 2


def test_who_proposed_what_did_not_happen_lost_his_bond(played: demo.Played) -> None:
    dispute = played.dispute
    assert [part.split(" by ")[0] for part in dispute.timeline] == [
        "trading stops",
        "proposed",
        "challenged",
        "decided",
    ]
    assert (dispute.paying, dispute.proposer_lost, dispute.pool) == ("final-by-penalties.no", 1_000, 0)


def test_its_directory_proves_itself(played: demo.Played, folder: Path) -> None:
    found = proofs.prove(played, folder)
    assert [proof.name for proof in found if not proof.holds] == []
    assert len(found) == 6
    verified = log.verify(folder)
    assert verified.state_hash == played.state_hash
    assert verified.commands == sum(played.tape.commands.values())
    assert verified.events == played.tape.events


def test_a_log_of_another_run_proves_nothing(played: demo.Played, tmp_path: Path) -> None:
    demo.prepare(tmp_path / "empty")
    failed = [proof.name for proof in proofs.prove(played, tmp_path / "empty") if not proof.holds]
    assert failed == ["replay", "reopened"]


def test_every_market_file_is_accepted_without_a_word(played: demo.Played) -> None:
    files = played.listings.files
    assert len(files) > 50
    for path in (files[0], files[1], files[-1]):
        assert lint(load(path)) == []


@pytest.mark.parametrize(("name", "begins"), [("odds.png", b"\x89PNG\r\n\x1a\n"), ("odds.svg", b"<?xml")])
def test_the_picture_is_written(played: demo.Played, tmp_path: Path, name: str, begins: bytes) -> None:
    path = tmp_path / name
    assert picture.draw_odds(played.odds, played.facts, path, "Seed 7")
    data = path.read_bytes()
    assert data.startswith(begins)
    assert len(data) > 20_000
    if path.suffix == ".svg":
        assert data.rstrip().endswith(b"</svg>")


def test_odds_end_with_what_was_paid(played: demo.Played) -> None:
    odds, spain = played.odds, played.facts.team_index["ESP"]
    assert odds.times_ns == sorted(odds.times_ns)
    assert odds.market[-1].tolist() == [1_000_000 if team == spain else 0 for team in range(48)]
    for row in odds.market[:-1]:
        assert 0 <= row.min() <= row.max() < 1_000_000


def test_only_the_directory_of_a_demonstration_is_replaced(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(InvalidArgument, match="not made by a demonstration"):
        demo.prepare(foreign)
    with pytest.raises(InvalidArgument, match="not a directory"):
        demo.prepare(foreign / "thesis.txt")
    assert (foreign / "thesis.txt").read_text(encoding="utf-8") == "years of work"
    ours = tmp_path / "ours"
    demo.prepare(ours)
    fresh = sorted(path.name for path in ours.iterdir())
    (ours / "champion.svg").write_text("old", encoding="utf-8")
    demo.prepare(ours)
    assert sorted(path.name for path in ours.iterdir()) == fresh
    (ours / "segment-1").write_text("not of this name", encoding="utf-8")
    with pytest.raises(InvalidArgument, match="segment-1 is not a demonstration's"):
        demo.prepare(ours)


def test_a_demonstration_that_is_running_keeps_its_directory(tmp_path: Path) -> None:
    demo.prepare(tmp_path / "data")
    with Exchange.open(tmp_path / "data"), pytest.raises(AlreadyOpen):
        demo.prepare(tmp_path / "data")
    demo.prepare(tmp_path / "data")


def test_another_seed_ends_otherwise_and_the_command_prints_one_json_document(
    played: demo.Played, tmp_path: Path
) -> None:
    directory = str(tmp_path / "data")
    arguments = ["demo", directory, "--seed", "8", "--size", str(SIZE), "--svg", "--json"]
    answer = CliRunner().invoke(cli.main, arguments)
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["proven"] is True
    assert found["seed"] == 8
    assert found["state_hash"] != played.state_hash
    assert found["directory"] == directory
    assert Path(found["picture"]).read_bytes().startswith(b"<?xml")
    assert Path(found["books"]["picture"]).read_bytes().startswith(b"<?xml")
    for venue in found["books"]["venues"].values():
        assert venue["shared"]["depth_usd"] > venue["separate"]["depth_usd"]
        assert venue["shared"]["filled_percent"] > venue["separate"]["filled_percent"]
    assert CliRunner().invoke(cli.main, ["verify", directory, "--json"]).exit_code == 0


def test_a_reader_gets_tables_and_every_proof(played: demo.Played, folder: Path) -> None:
    found = report.content(played, proofs.prove(played, folder), None, "data")
    console = Console(record=True, width=140, file=io.StringIO())
    report.show(found, console)
    text = console.export_text()
    assert played.state_hash in text
    assert text.count("holds ") == 6
    assert "conservation USD  users + house = 0.000000" in text
    assert "saved by netting" in text


def test_the_command_refuses_a_foreign_directory(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    answer = CliRunner().invoke(cli.main, ["demo", str(tmp_path)])
    assert answer.exit_code == 3
    assert "choose another directory" in answer.stderr


@pytest.mark.parametrize("name", ["notes.txt", "markets/mine.toml", "keep/x", "segment-1.xosj"])
def test_a_file_that_no_demonstration_wrote_is_not_deleted(tmp_path: Path, name: str) -> None:
    demo.prepare(tmp_path / "demo")
    demo.prepare(tmp_path / "demo")
    mine = tmp_path / "demo" / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidArgument, match="would delete it"):
        demo.prepare(tmp_path / "demo")
    assert mine.read_text(encoding="utf-8") == "mine"
