"""The parts of the demonstration: seeded draws, price paths, market files, and a tape that agrees."""

import numpy as np
import pytest

import exchange_os as xos
from exchange_os.sim import demo, netting
from exchange_os.sim.draws import Draws
from exchange_os.sim.population import Kind
from exchange_os.sim.price_paths import BTC, ETH, HOUR_NS, Underlying, index_path
from exchange_os.sim.report import money
from exchange_os.sim.tape import NO_ASK, NO_BID
from exchange_os.sim.tournament_markets import step_text
from exchange_os.sim.tournament_steps import tournament_steps
from exchange_os.sim.world_cup import load_facts


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> demo.Tournament:
    """An exchange in memory, stopped in the middle of the group stage."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    demo.prepare(folder)
    tournament = demo.Tournament(xos.open(), folder, seed=7, size=0.02)
    for place, step in enumerate(tournament.steps[:150]):
        tournament.step(place, step)
    return tournament


def test_the_tape_knows_the_positions_and_orders_of_the_exchange(halfway: demo.Tournament) -> None:
    exchange, tape = halfway.exchange, halfway.tape
    perpetual = halfway.listings.product != 1
    expected = np.zeros_like(tape.position)
    resting: list[int] = []
    for account in range(1, exchange.account_count + 1):
        for position in exchange.positions(account):
            number = exchange.number_of(position.instrument)
            expected[account, number] = exchange.qty_lots(position.instrument, abs(position.qty)) * (
                1 if position.qty >= 0 else -1
            )
        resting += [order.order_id for order in exchange.orders(account)]
    assert (tape.position[:, perpetual] == expected[:, perpetual]).all()
    assert np.count_nonzero(expected) > 500
    assert sorted(tape.live.tolist()) == sorted(resting)
    for symbol in ("champion.ESP", "match.030.DRAW", "ETH-PERP"):
        number, book = exchange.number_of(symbol), exchange.book(symbol, 1)
        bid, ask = tape.best()
        bids = [exchange.price_ticks(symbol, level.price) for level in book.bids]
        asks = [exchange.price_ticks(symbol, level.price) for level in book.asks]
        assert (bids or [NO_BID]) == [bid[number]]
        assert (asks or [NO_ASK]) == [ask[number]]


def test_netted_collateral_is_what_the_engine_takes(halfway: demo.Tournament) -> None:
    listings = halfway.listings
    netted, full = netting.by_account_and_question(halfway.tape)
    numbers = listings.question[listings.outcomes[listings.starts]].tolist()
    symbols = {number: key for key, number in listings.number.items()}
    for account in range(1, halfway.exchange.account_count + 1):
        worst = halfway.exchange.risk(account).questions
        expected = [-int(worst.get(symbols[number], 0) * 10**6) for number in numbers]
        assert netted[account].tolist() == expected
    assert (full >= netted).all()
    assert (full >= 0).all()
    assert full.sum() > netted.sum()


def test_who_trades_sports_and_perpetuals_does_so_on_one_account(halfway: demo.Tournament) -> None:
    position, product = halfway.tape.position, halfway.listings.product
    both = (position[:, product == 3] != 0).any(axis=1) & (position[:, product == 2] != 0).any(axis=1)
    assert np.count_nonzero(both) > 20


def test_steps_ascend_and_no_question_is_missed() -> None:
    facts = load_facts()
    steps = tournament_steps(facts, grid_hours=6, in_play_minutes=(30, 60, 90))
    times = [step.at_ns for step in steps]
    assert times == sorted(set(times))
    assert sum(len(step.opens) for step in steps) == 117
    assert sum(event.outcome is not None for step in steps for event in step.events) == 117
    assert sum(len(step.in_play) for step in steps) == 3 * 104
    assert len([step for step in steps if step.is_grid]) > 150


def test_draws_are_those_of_their_seed_and_stream() -> None:
    first, again, other = Draws(1, 1), Draws(1, 1), Draws(1, 2)
    drawn = first.below(1_000, 10_000)
    assert drawn.tolist() == again.below(1_000, 10_000).tolist() != other.below(1_000, 10_000).tolist()
    assert (drawn.min(), drawn.max()) == (0, 999)
    assert abs(int(drawn.mean()) - 500) < 10
    assert set(first.between(3, 5, 1_000).tolist()) == {3, 4, 5}
    assert 250 < np.count_nonzero(first.chance(300, 1_000)) < 350
    bell = first.bell(100, 10_000)
    assert abs(int(bell.mean())) < 5
    assert 95 < bell.std() < 105
    weighted = first.pick(np.array([7, 8, 9]), 4_000, np.array([1, 0, 3]))
    assert 900 < np.count_nonzero(weighted == 7) < 1_100
    assert np.count_nonzero(weighted == 8) == 0
    assert first.below(5, 0).tolist() == []


def test_a_first_draw_never_changes() -> None:
    """Raw words of PCG64: another numpy or another machine must give the same demonstration."""
    assert Draws(7, 11).below(1_000_000, 4).tolist() == [158_750, 492_346, 335_821, 315_609]


@pytest.mark.parametrize("underlying", [ETH, BTC])
def test_an_index_path_moves_but_stays_a_price(underlying: Underlying) -> None:
    times = [hour * HOUR_NS for hour in range(45 * 24)]
    path = index_path(underlying, times, Draws(7, 1))
    first = underlying.first_price * underlying.ticks
    assert path[0] == first
    assert (path == index_path(underlying, times, Draws(7, 1))).all()
    assert first // 4 < path.min() < path.max() < first * 4
    moves = np.abs(np.diff(path)) * 1_000_000 // path[:-1]
    assert underlying.hourly_spread_ppm // 2 < moves.mean() < underlying.hourly_spread_ppm


def test_numbers_as_text() -> None:
    assert (step_text(100), step_text(10), step_text(10_000)) == ("0.01", "0.1", "0.0001")
    assert (money(1), money(-1), money(2_500_000)) == ("0.000001", "-0.000001", "2.500000")


@pytest.mark.parametrize("size", [0.0, -1.0, 21.0])
def test_a_size_out_of_bounds_is_refused(size: float) -> None:
    with pytest.raises(ValueError, match="expected above 0 and at most 20"):
        demo.Volume.of(size)


def test_headlines_read_like_results() -> None:
    facts = load_facts()
    assert demo.headline(facts.match_number(97)) == "FRA 2-0 MAR"
    assert demo.headline(facts.match_number(104)) == "ESP 1-0 ARG (aet)"
    assert demo.headline(facts.match_number(96)) == "SUI 0-0 COL (4-3 pens)"


def test_every_kind_of_account_has_its_money(halfway: demo.Tournament) -> None:
    exchange: xos.Exchange = halfway.exchange
    assert exchange.account_count == halfway.population.count >= 200
    maker = int(halfway.population.of(Kind.CRYPTO_MAKER)[0])
    assert exchange.balance(maker, "ETH").total > 0
    assert all(exchange.risk(account).headroom >= 0 for account in range(1, exchange.account_count + 1))
