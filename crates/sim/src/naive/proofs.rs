//! Proofs of the reserve and of the worst case of a question by brute force, on random small cases.

use super::money::{Standing, fee_up};
use super::state::{Holding, Instrument, Kind, Order, Question, World};
use crate::rng::Rng;
use std::collections::BTreeMap;
use xos_protocol::{
    Fees, Flags, InstrumentState, InstrumentTerms, Matching, OutcomeSpec, QuestionSpec, SelfTrade, Side,
    Split, Tif,
};
use xos_units::Amount;

const CASES: u64 = 3_000;

fn terms(rng: &mut Rng, fees: Fees, price_max_ticks: i64) -> InstrumentTerms {
    InstrumentTerms {
        quote_atoms_per_tick_lot: *rng.pick(&[1, 2, 3, 7, 10, 1_000]),
        tick_size: "1".into(),
        lot_size: "1".into(),
        price_max_ticks,
        qty_min_lots: 1,
        qty_max_lots: 100,
        notional_min: Amount(0),
        notional_max: Amount(1 << 90),
        position_max_lots: 1_000,
        orders_per_account_max: 100,
        band_ppm: 0,
        fees,
        split: Split::default(),
        matching: Matching::Arrival,
        fees_to: 0,
        venue: 0,
        phases: xos_protocol::Phases::default(),
    }
}

fn fees(rng: &mut Rng) -> Fees {
    let taker_ppm = *rng.pick(&[0, 1, 333, 12_345, 100_000]);
    let maker_ppm = *rng.pick(&[0, -taker_ppm, 777, 100_000]);
    Fees { maker_ppm, taker_ppm, ceiling_ppm: 0 }
}

fn instrument(terms: InstrumentTerms, kind: Kind) -> Instrument {
    let state = InstrumentState::Continuous;
    Instrument {
        symbol: String::new(),
        spec: None,
        terms,
        kind,
        state,
        mark: 0,
        index: 0,
        last: 0,
        oracle: None,
        funding: None,
        halt: None,
        is_closed: false,
        is_over: false,
        winds_down: false,
        emergency: InstrumentState::Continuous,
        auction: InstrumentState::Continuous,
    }
}

/// A world with one question.
fn world(rng: &mut Rng, fees: Fees) -> (World, i64) {
    let unit_ticks = rng.between(2, 40);
    let outcomes = rng.between(2, 4) as usize;
    let terms = terms(rng, fees, unit_ticks - 1);
    let outcome = OutcomeSpec { symbol: "O".into(), name: String::new() };
    let spec = QuestionSpec {
        link: None,
        symbol: "Q".into(),
        text: String::new(),
        outcomes: vec![outcome; outcomes],
        ticks_per_unit: unit_ticks,
        terms: terms.clone(),
        resolution: None,
        implied: false,
        later: None,
    };
    let kind = Kind::Outcome { question: 1, unit_ticks };
    let world = World {
        questions: vec![Question {
            spec,
            first_instrument: 1,
            sets: 0,
            payouts: Vec::new(),
            paid: 0,
            is_settled: false,
            resolution: None,
            adding: None,
        }],
        instruments: vec![instrument(terms, kind); outcomes],
        ..World::default()
    };
    (world, unit_ticks)
}

fn order(id: u64, instrument: u32, side: Side, price: i64, lots: i64) -> Order {
    Order {
        id,
        account: 1,
        instrument,
        side,
        tif: Tif::Gtc,
        flags: Flags(0),
        self_trade: SelfTrade::None,
        venue: 0,
        price,
        total: lots,
        remaining: lots,
        display: 0,
        shown: 0,
        expires_ns: 0,
        client_id: [0; 32],
        classes: 0,
    }
}

/// An account with positions and up to six open orders, at any price or only at prices of the cheaper side.
fn standing(rng: &mut Rng, world: &World, unit_ticks: i64, only_cheap: bool) -> Standing {
    let outcomes = world.instruments.len() as u32;
    let mut holdings = BTreeMap::new();
    for instrument in 1..=outcomes {
        if rng.one_in(2) {
            let position = rng.between(-9, 9);
            holdings.insert(instrument, Holding { position, ..Holding::default() });
        }
    }
    let mut orders = Vec::new();
    for id in 1..=rng.below(7) {
        let side = if rng.one_in(2) { Side::Buy } else { Side::Sell };
        let instrument = 1 + rng.below(outcomes.into()) as u32;
        let (low, high) = match side {
            _ if !only_cheap => (1, unit_ticks - 1),
            Side::Buy => (1, unit_ticks / 2),
            Side::Sell => (unit_ticks - unit_ticks / 2, unit_ticks - 1),
        };
        orders.push(order(id, instrument, side, rng.between(low, high), rng.between(1, 9)));
    }
    Standing {
        totals: BTreeMap::new(),
        funding: 0,
        holdings,
        orders,
        leverages: BTreeMap::new(),
        is_scenario: false,
    }
}

/// Cash and lots of the winner after every order in `filled` has filled at its limit, each lot with this fee.
fn outcome_value(
    world: &World,
    standing: &Standing,
    winner: u32,
    filled: u64,
    fee_per_lot: impl Fn(&Order) -> i128,
) -> i128 {
    let instrument = world.instrument(winner);
    let Kind::Outcome { unit_ticks, .. } = instrument.kind else { unreachable!("only outcomes here") };
    let position = standing.holdings.get(&winner).map_or(0, |holding| holding.position);
    let mut value = instrument.value(unit_ticks, position);
    for (at, order) in standing.orders.iter().enumerate() {
        if filled & (1 << at) == 0 {
            continue;
        }
        let lots = order.remaining;
        let sign = i128::from(order.side.sign());
        value -= sign * instrument.value(order.price, lots) + fee_per_lot(order) * i128::from(lots);
        if order.instrument == winner {
            value += sign * instrument.value(unit_ticks, lots);
        }
    }
    value
}

/// The least value over every subset of the orders and every winner.
fn brute_force(world: &World, standing: &Standing, fee_per_lot: impl Fn(&Order) -> i128 + Copy) -> i128 {
    let winners = 1..=world.instruments.len() as u32;
    let subsets = 0..1 << standing.orders.len();
    let values = winners.flat_map(|winner| {
        subsets.clone().map(move |filled| outcome_value(world, standing, winner, filled, fee_per_lot))
    });
    values.min().expect("there are outcomes")
}

fn outcome_fee(world: &World, order: &Order, lots: i64, price: i64, rate: i32) -> i128 {
    let instrument = world.instrument(order.instrument);
    let Kind::Outcome { unit_ticks, .. } = instrument.kind else { unreachable!("only outcomes here") };
    fee_up(instrument.value(price.min(unit_ticks - price), lots), rate)
}

fn worst_rate(fees: Fees) -> i32 {
    fees.maker_ppm.max(fees.taker_ppm).max(0)
}

#[test]
fn the_worst_case_is_the_least_over_all_fills_and_winners() {
    for seed in 0..CASES {
        let mut rng = Rng::new(seed);
        let fees = if rng.one_in(3) { Fees::default() } else { fees(&mut rng) };
        let rate = worst_rate(fees);
        let (world, unit_ticks) = world(&mut rng, fees);
        let only_cheap = rate > 0;
        let standing = standing(&mut rng, &world, unit_ticks, only_cheap);
        let fee = |order: &Order| outcome_fee(&world, order, 1, order.price, rate);
        assert_eq!(world.worst_case(&standing, 1), brute_force(&world, &standing, fee), "seed {seed}");
    }
}

#[test]
fn the_worst_case_is_never_above_what_can_happen() {
    for seed in 0..CASES {
        let mut rng = Rng::new(seed);
        let fees = fees(&mut rng);
        let rate = worst_rate(fees);
        let (world, unit_ticks) = world(&mut rng, fees);
        let standing = standing(&mut rng, &world, unit_ticks, false);
        let fee = |order: &Order| outcome_fee(&world, order, 1, order.price, rate);
        assert!(world.worst_case(&standing, 1) <= brute_force(&world, &standing, fee), "seed {seed}");
    }
}

/// Cuts an order into fills at random, at prices that its limit allows.
fn random_fills(rng: &mut Rng, order: &Order, price_max: i64) -> Vec<(i64, i64)> {
    let mut left = order.remaining;
    let mut fills = Vec::new();
    while left > 0 {
        let lots = rng.between(1, left);
        let price = match order.side {
            Side::Buy => rng.between(1, order.price),
            Side::Sell => rng.between(order.price, price_max),
        };
        left -= lots;
        fills.push((lots, price));
    }
    fills
}

#[test]
fn a_reserve_covers_any_way_to_fill() {
    for seed in 0..CASES {
        let mut rng = Rng::new(seed);
        let fees = fees(&mut rng);
        let rate = worst_rate(fees);
        let (mut world, unit_ticks) = world(&mut rng, fees);
        let price_max = unit_ticks - 1;
        let spot_terms = terms(&mut rng, fees, price_max);
        let spot = Kind::Spot { base: 2, quote: 1, base_atoms_per_lot: 5 };
        world.instruments[0] = instrument(spot_terms.clone(), spot);
        let perpetual = instrument(spot_terms, Kind::Perpetual { im_ppm: 50_000, mm_ppm: 25_000 });
        world.instruments.push(perpetual);
        let last = world.instruments.len() as u32;
        for (instrument, side) in
            [(1, Side::Buy), (2, Side::Buy), (2, Side::Sell), (last, Side::Buy), (last, Side::Sell)]
        {
            let order = order(1, instrument, side, rng.between(1, price_max), rng.between(1, 60));
            let fills = random_fills(&mut rng, &order, price_max);
            let paid: i128 = fills.iter().map(|&(lots, price)| paid(&world, &order, lots, price, rate)).sum();
            let reserve = world.reserve(&order);
            assert!(paid <= reserve, "seed {seed}: {order:?} paid {paid} of {reserve} in {fills:?}");
        }
    }
}

/// What one fill takes from the reserve: of a perpetual the fee, less what the price was better than the limit.
fn paid(world: &World, order: &Order, lots: i64, price: i64, rate: i32) -> i128 {
    let instrument = world.instrument(order.instrument);
    let value = instrument.value(price, lots);
    match (instrument.kind, order.side) {
        (Kind::Spot { .. }, Side::Buy) => value + fee_up(value, rate),
        (Kind::Outcome { .. }, Side::Buy) => value + outcome_fee(world, order, lots, price, rate),
        (Kind::Outcome { unit_ticks, .. }, Side::Sell) => {
            instrument.value(unit_ticks - price, lots) + outcome_fee(world, order, lots, price, rate)
        }
        (Kind::Perpetual { .. }, _) => {
            fee_up(value, rate) - instrument.value((price - order.price).abs(), lots)
        }
        (Kind::Spot { .. }, Side::Sell) => unreachable!("a spot sell pays no quote"),
    }
}
