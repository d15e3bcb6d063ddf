"""The bias: the fit, its calibration, the judge, and what it honestly finds on recorded data."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_os.errors import InvalidArgument
from exchange_os.signals.bias import BiasSettings, bias, judge, settings_for, train, walk_forward
from exchange_os.signals.evaluation import (
    auc,
    best_sharpe_by_luck,
    brier,
    deflated_sharpe,
    log_loss,
    position_returns,
    probabilistic_sharpe,
    reliability,
    reliability_slope,
    sharpe_deviation,
)
from exchange_os.signals.features import FEATURES, feature_table
from exchange_os.signals.logistic import calibrate, fit, logit, sigmoid
from exchange_os.signals.made_up import at, made_up
from exchange_os.signals.market_data import HOUR_MS, MarketData

from .test_no_look_ahead import changed_after

ETH = "ETH/USDT"


def sample(seed: int, rows: int = 400) -> Any:
    weights = (1.0, -0.5, 0.0)
    draws = np.random.default_rng(seed)
    features = draws.normal(3, 2, (rows, len(weights)))
    chance = sigmoid((features - 3) @ np.array(weights))
    return features, (draws.uniform(size=rows) < chance).astype(float)


@given(st.integers(0, 1_000), st.floats(0.01, 100))
@settings(deadline=None, max_examples=30)
def test_the_fit_is_at_the_minimum(seed: int, l2: float) -> None:
    """The gradient of the penalised likelihood is zero, which only its one minimum has."""
    features, labels = sample(seed)
    found = fit(features, labels, l2)
    standard = (features - found.mean) / found.scale
    missed = found.probability(features) - labels
    assert standard.T @ missed + l2 * found.weights == pytest.approx(0, abs=1e-7)
    assert missed.sum() == pytest.approx(0, abs=1e-7)


def test_the_fit_finds_what_made_the_data() -> None:
    features, labels = sample(1, rows=20_000)
    found = fit(features, labels, 1.0)
    assert found.weights / found.scale == pytest.approx([1.0, -0.5, 0.0], abs=0.06)


def test_separable_data_has_a_fit_and_a_constant_feature_no_weight() -> None:
    features = np.column_stack([np.arange(50.0), np.full(50, 7.0)])
    found = fit(features, (np.arange(50) >= 25).astype(float), 1.0)
    assert np.isfinite(found.weights).all()
    assert found.weights[0] > 0
    assert found.weights[1] == 0


def test_what_cannot_be_fitted_is_refused() -> None:
    features, labels = np.ones((10, 2)), np.array([0.0, 1.0] * 5)
    for wrong in (
        (features[:3], labels[:3], 1.0),
        (features, labels[:9], 1.0),
        (features, np.zeros(10), 1.0),
        (features, labels, 0.0),
        (features * np.nan, labels, 1.0),
        (features, labels * 2, 1.0),
    ):
        with pytest.raises(InvalidArgument):
            fit(*wrong)


def test_calibration_keeps_order_and_never_turns_a_score_round() -> None:
    draws = np.random.default_rng(5)
    scores = draws.normal(0, 1, 5_000)
    labels = (draws.uniform(size=5_000) < sigmoid(0.5 * scores - 0.2)).astype(float)
    found = calibrate(scores, labels)
    assert (found.slope, found.intercept) == pytest.approx((0.5, -0.2), abs=0.07)
    turned = calibrate(-scores, labels)
    assert turned.slope == 0
    assert sigmoid(np.array([turned.intercept]))[0] == pytest.approx(labels.mean(), abs=1e-3)
    assert calibrate(scores[:5], labels[:5]).slope == 0


def test_scores_of_known_forecasts() -> None:
    half, truth = np.full(4, 0.5), np.array([0.0, 1.0, 1.0, 0.0])
    assert brier(half, truth) == 0.25
    assert log_loss(half, truth) == pytest.approx(math.log(2))
    assert brier(truth, truth) == 0
    assert auc(truth, truth) == 1.0
    assert auc(1 - truth, truth) == 0.0
    assert auc(half, truth) == 0.5
    with pytest.raises(InvalidArgument):
        auc(half, np.ones(4))


@given(st.integers(0, 500))
@settings(deadline=None, max_examples=25)
def test_auc_is_the_share_of_pairs_in_order(seed: int) -> None:
    draws = np.random.default_rng(seed)
    scores, labels = draws.integers(0, 6, 40).astype(float), (draws.uniform(size=40) < 0.4).astype(float)
    if labels.min() == labels.max():
        return
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[labels == 1] for b in scores[labels == 0]]
    assert auc(scores, labels) == pytest.approx(float(np.mean(pairs)))


def test_reliability_of_calibrated_and_of_bold_forecasts() -> None:
    draws = np.random.default_rng(8)
    chance = sigmoid(draws.normal(0, 1, 20_000))
    labels = (draws.uniform(size=20_000) < chance).astype(float)
    assert reliability_slope(chance, labels) == pytest.approx(1.0, abs=0.05)
    assert reliability_slope(sigmoid(2 * logit(chance)), labels) == pytest.approx(0.5, abs=0.03)
    assert reliability_slope(np.full(100, 0.5), labels[:100]) is None
    bins = reliability(chance, labels)
    assert [part.calls for part in bins] == [4_000] * 5
    assert all(abs(part.forecast - part.observed) < 0.03 for part in bins)


def test_sharpe_statistics_follow_their_formulas() -> None:
    normal = sharpe_deviation(0.1, 0.0, 3.0, 101)
    assert normal == pytest.approx(math.sqrt((1 + 0.1**2 / 2) / 100))
    assert sharpe_deviation(0.1, -1.0, 9.0, 101) > normal, "crashes make a Sharpe ratio less certain"
    lucky = [best_sharpe_by_luck(trials, 1_000) for trials in (1, 2, 20, 1_000)]
    assert lucky[0] == 0
    assert lucky == sorted(lucky)
    draws = np.random.default_rng(4)
    simulated = draws.normal(0, 1, (400, 20, 250))
    best = (simulated.mean(axis=2) / simulated.std(axis=2)).max(axis=1).mean()
    assert best_sharpe_by_luck(20, 250) == pytest.approx(float(best), rel=0.05)
    returns = draws.normal(0.05, 1, 500)
    assert deflated_sharpe(returns, 1) == probabilistic_sharpe(returns)
    assert deflated_sharpe(returns, 50) < deflated_sharpe(returns, 2) < probabilistic_sharpe(returns)
    assert probabilistic_sharpe(np.zeros(10)) == 0.5
    with pytest.raises(InvalidArgument):
        best_sharpe_by_luck(0, 100)


def test_costs_are_paid_on_changes_and_funding_by_longs() -> None:
    positions, results = np.array([1.0, 1.0, -1.0, 0.0]), np.array([0.01, -0.02, 0.01, 0.5])
    gross, net = position_returns(positions, results, np.array([0.001, 0.0, 0.001, 0.001]), 5.0)
    assert gross == pytest.approx([0.01, -0.02, -0.01, 0.0])
    assert net == pytest.approx([0.01 - 0.0005 - 0.001, -0.02, -0.01 - 0.001 + 0.001, -0.0005])


# --- features and walk-forward ----------------------------------------------------------------------


def table_of(data: MarketData, horizon: int = 1) -> pl.DataFrame:
    return feature_table(data, symbol=ETH, venue="binance", interval_s=28_800, horizon_bars=horizon)


def eight_hours(data: MarketData) -> MarketData:
    """The hourly bars as bars of 8 h."""
    keys = ["venue", "symbol", "market", "source"]
    end = ((pl.col("venue_ms") + 8 * HOUR_MS - 1) // (8 * HOUR_MS) * 8 * HOUR_MS).alias("end")
    bars = (
        data.candles.group_by(*keys, end, maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("base_volume").sum(),
        )
        .with_columns(venue_ms="end", received_ms="end", interval_s=pl.lit(28_800))
    )
    return replace(data, candles=bars)


@pytest.fixture(scope="module")
def market() -> MarketData:
    return eight_hours(made_up(days=400))


@pytest.mark.parametrize("horizon", [1, 3])
def test_features_do_not_change_with_the_future(market: MarketData, horizon: int) -> None:
    whole = table_of(market, horizon)
    assert whole.height > 900
    for at_ms in (at(300), at(333)):
        for other in (market.as_of(at_ms), changed_after(market, at_ms)):
            cut = table_of(other, horizon).filter(pl.col("at_ms") <= at_ms)
            same = whole.filter(pl.col("at_ms") <= at_ms)
            assert cut.select("at_ms", *FEATURES).equals(same.select("at_ms", *FEATURES))
            known = pl.col("resolved_ms") <= at_ms
            assert cut.filter(known).equals(same.filter(known))


def test_the_result_is_that_of_the_next_bars(market: MarketData) -> None:
    row = table_of(market, 3).row(100, named=True)
    bars = market.candles.filter(
        pl.col("venue") == "binance", pl.col("symbol") == ETH, pl.col("market") == "perpetual"
    ).sort("venue_ms")
    place = bars["venue_ms"].to_list().index(row["at_ms"])
    expected = math.log(bars["close"][place + 3] / bars["open"][place + 1])
    assert row["result"] == pytest.approx(expected)
    assert row["label"] == float(expected > 0)
    assert row["resolved_ms"] == bars["venue_ms"][place + 3]
    paid = market.funding.filter(
        pl.col("venue") == "binance",
        pl.col("symbol") == ETH,
        pl.col("kind") == "settled",
        pl.col("venue_ms").is_in(bars["venue_ms"][place + 1 : place + 4].to_list()),
    )["rate"]
    assert len(paid) == 3
    assert row["paid"] == pytest.approx(paid.sum())


def test_a_venue_that_starts_later_changes_no_earlier_row(market: MarketData) -> None:
    late = market.funding.filter(pl.col("venue") == "okx", pl.col("received_ms") > at(300))
    more = replace(market, funding=pl.concat([market.funding, late.with_columns(venue=pl.lit("new"))]))
    before = pl.col("at_ms") <= at(300)
    assert table_of(more).filter(before).equals(table_of(market).filter(before))


def test_bars_that_make_up_the_horizon_have_settings() -> None:
    assert settings_for(28_800) == BiasSettings()
    hourly = settings_for(3_600)
    assert hourly is not None
    assert (hourly.horizon_bars, hourly.embargo_bars, hourly.train_min) == (8, 8, 3_200)
    assert settings_for(86_400) is None
    assert settings_for(7 * 3_600) is None


def test_a_missing_bar_leaves_the_label_open(market: MarketData) -> None:
    gone = table_of(market)["at_ms"][500]
    holed = replace(market, candles=market.candles.filter(pl.col("venue_ms") != gone + 8 * HOUR_MS))
    assert table_of(holed).filter(pl.col("at_ms") == gone)["label"].to_list() == [None]


def test_calls_do_not_change_with_the_future(market: MarketData) -> None:
    whole = walk_forward(table_of(market))
    cut = walk_forward(table_of(changed_after(market, at(350))))
    before = pl.col("at_ms") <= at(350)
    names = ["at_ms", "probability_up", "base_rate", "position"]
    assert whole.filter(before).select(names).equals(cut.filter(before).select(names))
    assert whole.filter(before).height > 500


def test_training_sees_only_results_that_were_known(
    market: MarketData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def spy(table: pl.DataFrame, given_settings: BiasSettings) -> object:
        seen.append(int(table["resolved_ms"].max()))
        return train(table, given_settings)

    monkeypatch.setattr("exchange_os.signals.bias.train", spy)
    chosen = BiasSettings(horizon_bars=3, embargo_bars=2)
    table = table_of(market, 3)
    starts = walk_forward(table, chosen)["at_ms"][:: chosen.refit_every].to_list()
    assert len(starts) == len(seen) > 3
    for start, late in zip(starts, seen, strict=True):
        assert start - late == 2 * 8 * HOUR_MS, "the embargo, and not a bar more"
    assert seen == sorted(seen)


def test_on_a_random_walk_there_is_nothing_to_say(market: MarketData) -> None:
    found = bias(market, symbol=ETH, venue="binance", at_ms=market.last_ms())
    assert found.evaluation is not None
    assert found.evaluation.brier <= found.evaluation.base_rate_brier + 0.003
    assert found.direction == "no view"
    assert found.reasons
    assert {figure.id for figure in found.figures()} >= {
        "bias.direction",
        "bias.brier",
        "bias.base_rate_brier",
    }


def test_a_market_with_a_real_edge_gives_a_view_and_its_three_outputs() -> None:
    """Returns that follow the sign of the last one three times in four."""
    draws = np.random.default_rng(2)
    data = eight_hours(made_up(days=400))
    chosen = pl.col("symbol") == ETH
    count = data.candles.filter(chosen, pl.col("venue") == "binance", pl.col("market") == "spot").height
    sign, moves = 1.0, []
    for _ in range(count):
        sign = sign if draws.uniform() < 0.75 else -sign
        moves.append(sign * abs(draws.normal(0, 0.01)))
    close = 2_000 * np.exp(np.cumsum(moves))
    path = pl.DataFrame(
        {
            "venue_ms": data.candles["venue_ms"].unique().sort(),
            "close": close,
            "open": np.concatenate([[2_000.0], close[:-1]]),
        }
    )
    bars = data.candles.filter(chosen).drop("open", "close").join(path, on="venue_ms")
    trending = replace(data, candles=pl.concat([data.candles.filter(~chosen), bars], how="diagonal"))
    found = bias(trending, symbol=ETH, venue="binance", at_ms=trending.last_ms())
    assert found.evaluation is not None
    assert found.evaluation.beats_base_rate
    assert found.evaluation.auc > 0.7
    assert found.evaluation.reliability_slope == pytest.approx(1.0, abs=0.3)
    assert found.direction in {"long", "short"}
    assert found.probability is not None
    assert found.strength == pytest.approx(2 * found.probability - 1)
    assert found.probability >= 0.55
    silenced = bias(
        trending, symbol=ETH, venue="binance", at_ms=trending.last_ms(), distrusted="binance is quarantined"
    )
    assert silenced.direction == "no view"
    assert silenced.reasons == ("binance is quarantined",)
    late = bias(trending, symbol=ETH, venue="binance", at_ms=trending.last_ms() + 9 * HOUR_MS)
    assert late.direction == "no view"
    assert "9.0 h ago" in late.reasons[0]


def test_too_little_history_is_said() -> None:
    data = eight_hours(made_up(days=60))
    found = bias(data, symbol=ETH, venue="binance", at_ms=data.last_ms())
    assert found.direction == "no view"
    assert "are needed" in found.reasons[0]
    assert [figure.text() for figure in found.figures()] == ["no view"]
    for wrong in (BiasSettings(horizon_bars=0), BiasSettings(embargo_bars=-1), BiasSettings(refit_every=0)):
        with pytest.raises(InvalidArgument):
            walk_forward(table_of(data), wrong)


@pytest.mark.parametrize("venue", ["binance", "bybit", "okx"])
@pytest.mark.parametrize("symbol", [ETH, "BTC/USDT"])
def test_recorded_walk_forward_is_calibrated_and_claims_no_profit(
    three_venues: MarketData, symbol: str, venue: str
) -> None:
    table = feature_table(three_venues, symbol=symbol, venue=venue, interval_s=28_800, horizon_bars=1)
    chosen = BiasSettings()
    found = judge(walk_forward(table, chosen), chosen)
    assert found is not None
    print(symbol, venue, found)
    assert found.calls == 1_184
    assert found.brier <= found.base_rate_brier + 0.0005
    assert 0 <= found.deflated_sharpe <= 1
    if symbol == ETH:
        assert found.reliability_slope == pytest.approx(1.0, abs=0.3)


def test_the_article_s_confidence_is_a_strength_or_it_is_nothing(golden: dict[str, Any]) -> None:
    """48 % for one of two sides is no probability of that side; as 2 p - 1 it says 74 %."""
    case = golden["article"]["confidence"]
    probability = (1 + case["stated"]) / 2
    assert probability == pytest.approx(case["as_strength_2p_minus_1"])
    assert case["stated"] < 0.5 <= probability
