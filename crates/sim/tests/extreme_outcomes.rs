//! A question of a hundred outcomes at the ends of its prices, on both engines: many accounts on every outcome, orders at
//! the lowest and the highest price, sets and steps of a hundred legs. One shape of question by default, all with
//! `XOS_LONG=1`; `XOS_SEEDS` for more.

use std::collections::BTreeMap;
use xos_engine::Engine;
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, EventKind, Fees, Flags, InstrumentTerms, Int128,
    Limits, Matching, OutcomeSpec, QuestionPayouts, QuestionSpec, Side, Split, Tif,
};
use xos_sim::differential::Pair;
use xos_sim::naive::NaiveEngine;
use xos_sim::rng::Rng;
use xos_sim::workload::{Frame, command};
use xos_units::Amount;

const OUTCOMES: i64 = 100;
/// Four rounds: orders on every outcome and what meets them, from one side and then from the other.
const COMMANDS: usize = 520;

struct Shape {
    unit: i64,
    k: i64,
    position_max: i64,
}

fn question(rng: &mut Rng, shape: &Shape) -> DeployCommand {
    let taker_ppm = *rng.pick(&[0, 1, 350, 100_000]);
    let maker_ppm = *rng.pick(&[0, -taker_ppm, 7, 100_000, -(taker_ppm / 2)]);
    let terms = InstrumentTerms {
        quote_atoms_per_tick_lot: shape.k.try_into().expect("small"),
        tick_size: "0.00001".into(),
        lot_size: "1".into(),
        price_max_ticks: shape.unit - 1,
        qty_min_lots: 1,
        qty_max_lots: shape.position_max,
        notional_min: Amount(0),
        notional_max: Amount((1 << 96) - 1),
        position_max_lots: shape.position_max,
        orders_per_account_max: 200,
        band_ppm: 0,
        fees: Fees { maker_ppm, taker_ppm, ceiling_ppm: 0 },
        split: Split::default(),
        matching: Matching::Arrival,
        fees_to: 0,
        venue: 0,
        phases: xos_protocol::Phases::default(),
    };
    let outcome = |at: i64| OutcomeSpec { symbol: format!("O{at}"), name: format!("o {at}") };
    DeployCommand::Question(QuestionSpec {
        later: None,
        symbol: "Q".into(),
        text: "?".into(),
        outcomes: (1..=OUTCOMES).map(outcome).collect(),
        ticks_per_unit: shape.unit,
        terms,
        link: None,
        resolution: None,
        implied: true,
    })
}

fn draw(rng: &mut Rng, shape: &Shape, last: u64, sweep: i64) -> CommandRecord {
    let account = 1 + rng.below(5) as u32;
    let instrument = if rng.one_in(2) { 1 + (sweep % OUTCOMES) as u32 } else { 1 + rng.below(100) as u32 };
    let ends =
        [1, 1, 1, 2, shape.unit - 1, shape.unit - 1, (shape.unit / OUTCOMES).max(1), (shape.unit / 2).max(1)];
    let price = (*rng.pick(&ends)).min(shape.unit - 1);
    let qty = *rng.pick(&[1, 1, 2, 3, 7, shape.position_max / 4, shape.position_max]);
    // Orders of one side on every outcome, then whatever comes, and then of the other side.
    let (phase, at) = (sweep / 130, sweep % 130);
    if at < 100 {
        let side = if phase % 2 == 0 { Side::Buy } else { Side::Sell };
        let even = (shape.unit / OUTCOMES).max(1);
        let price = if phase % 2 == 0 { even } else { (even + 1).min(shape.unit - 1) };
        return CommandRecord {
            account: 1 + (at % 3) as u32,
            instrument: 1 + at as u32,
            side: side.code(),
            price,
            qty: 1 + at % 4,
            ..command(CommandKind::Place)
        };
    }
    if at < 115 {
        let side = if phase % 2 == 0 { Side::Buy } else { Side::Sell };
        let price = if phase % 2 == 0 { shape.unit - 1 } else { 1 };
        let tif = *rng.pick(&[Tif::Ioc, Tif::Gtc, Tif::Fok]);
        return CommandRecord {
            account,
            instrument,
            side: side.code(),
            tif: tif.code(),
            self_trade: rng.below(5) as u8,
            price,
            qty: 1 + rng.below(3) as i64,
            ..command(CommandKind::Place)
        };
    }
    match rng.below(40) {
        0..2 => CommandRecord { account, instrument: 1, qty, ..command(CommandKind::SplitSet) },
        2..4 => CommandRecord { account, instrument: 1, qty, ..command(CommandKind::MergeSet) },
        4..7 => CommandRecord {
            account,
            order_id: last.saturating_sub(rng.below(60)),
            price: if rng.one_in(2) { price } else { 0 },
            qty: if rng.one_in(2) { qty } else { 0 },
            ..command(CommandKind::Amend)
        },
        7..9 => CommandRecord {
            account,
            order_id: last.saturating_sub(rng.below(60)),
            ..command(CommandKind::Cancel)
        },
        9 => CommandRecord {
            account,
            instrument: 1,
            amount: Int128::new(i128::from(rng.bits() >> 8)),
            ..command(CommandKind::Withdraw)
        },
        _ => {
            let side = if rng.one_in(2) { Side::Buy } else { Side::Sell };
            let tif = *rng.pick(&[Tif::Gtc, Tif::Gtc, Tif::Gtc, Tif::Ioc, Tif::Fok]);
            let flags =
                if tif == Tif::Gtc { *rng.pick(&[0, 0, 0, Flags::POST_ONLY, Flags::REDUCE_ONLY]) } else { 0 };
            CommandRecord {
                account,
                instrument,
                side: side.code(),
                tif: tif.code(),
                flags,
                self_trade: rng.below(5) as u8,
                price,
                qty,
                ..command(CommandKind::Place)
            }
        }
    }
}

fn set_up(rng: &mut Rng, shape: &Shape) -> Vec<Frame> {
    let limits = Limits { matches_per_command_max: *rng.pick(&[99, 100, 300]), ..Limits::default() };
    let mut frames = vec![
        Frame::deploy(1, &DeployCommand::Genesis(limits)),
        Frame::deploy(1, &DeployCommand::Asset(AssetSpec::new("USD".into(), 6))),
        Frame::deploy(1, &question(rng, shape)),
    ];
    for account in 1..=5u32 {
        let mut open = command(CommandKind::OpenAccount);
        open.client_id[0] = 1 + (account % 4) as u8;
        let amount = Int128::new(*rng.pick(&[(1i128 << 93), 1 << 90, 1 << 60, 5_000]));
        let deposit = CommandRecord { account, instrument: 1, amount, ..command(CommandKind::Deposit) };
        frames.push(Frame::commands(1, vec![open, deposit]));
    }
    let split = |account| CommandRecord { account, instrument: 1, qty: 9, ..command(CommandKind::SplitSet) };
    frames.push(Frame::commands(1, (1..=3).map(split).collect()));
    frames
}

fn play(seed: u64, shape: &Shape, commands: usize, seen: &mut BTreeMap<&'static str, u64>) {
    let rng = &mut Rng::new(0xE57 + seed);
    let mut pair = Pair::new(NaiveEngine::new(), Engine::new());
    let mut play = |frame: Frame| {
        pair.apply(&frame).unwrap_or_else(|difference| panic!("seed {seed}, {frame:?}: {difference:?}"));
        for event in pair.events() {
            *seen.entry(EventKind::from_code(event.kind).map_or("?", EventKind::name)).or_insert(0) += 1;
        }
    };
    let frames = set_up(rng, shape);
    let begun: u64 = frames.iter().map(Frame::sequences).sum();
    frames.into_iter().for_each(&mut play);
    for at in 0..commands {
        let record = draw(rng, shape, begun + at as u64, at as i64);
        play(Frame::commands(2, vec![record]));
    }
    let mut payouts_ppm = vec![10_000; OUTCOMES as usize];
    (payouts_ppm[0], payouts_ppm[1]) = (10_001, 9_999);
    let body = DeployCommand::SettleQuestion(QuestionPayouts { question: 1, account: 0, payouts_ppm });
    play(Frame::deploy(2, &body));
    (0..60).for_each(|at| play(Frame::commands(3 + at, vec![command(CommandKind::Tick)])));
}

#[test]
fn a_hundred_outcomes_at_the_ends_of_their_prices() {
    let shapes = [
        Shape { unit: 100, k: 1_000_000, position_max: 1 << 39 },
        Shape { unit: 2, k: 1, position_max: 1 << 20 },
        Shape { unit: 99, k: 1, position_max: 1 << 20 },
        Shape { unit: 101, k: 3, position_max: 40 },
        Shape { unit: 1_000_000, k: 10, position_max: 1 << 36 },
        Shape { unit: (1 << 40) - 1, k: 1 << 15, position_max: (1 << 40) - 1 },
    ];
    let is_long = std::env::var_os("XOS_LONG").is_some();
    let asked = std::env::var("XOS_SEEDS").ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = if is_long { asked.unwrap_or(shapes.len() as u64) } else { 1 };
    let mut seen = BTreeMap::new();
    for seed in 0..seeds {
        let commands = if is_long { COMMANDS } else { COMMANDS / 2 };
        play(seed, &shapes[seed as usize % shapes.len()], commands, &mut seen);
    }
    println!("{seen:?}");
    let wanted = [EventKind::Trade, EventKind::Payout, EventKind::ImpliedTrade];
    // Steps of a hundred legs are not of every shape.
    for kind in &wanted[..if is_long { 3 } else { 2 }] {
        assert!(seen.contains_key(kind.name()), "no {}", kind.name());
    }
}
