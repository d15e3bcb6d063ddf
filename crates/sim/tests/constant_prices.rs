//! At constant marks and indices nobody comes under water, whatever the orders.

use xos_engine::{Engine, FrameHeader};
use xos_protocol::{
    AssetSpec, CollateralTier, CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, Fees,
    Flags, InstrumentSpec, InstrumentTerms, Int128, Matching, OutcomeSpec, Phases, PriceRange, Product,
    QuestionLink, QuestionSpec, ScenarioSpec, Split, Tif, UnderlyingSpec,
};
use xos_sim::rng::Rng;
use xos_sim::workload::command;
use xos_units::{AccountId, Amount};

fn terms(rng: &mut Rng, price_max: i64) -> InstrumentTerms {
    let taker_ppm = *rng.pick(&[0, 500, 20_000]);
    InstrumentTerms {
        quote_atoms_per_tick_lot: 10,
        tick_size: "1".into(),
        lot_size: "1".into(),
        price_max_ticks: price_max,
        qty_min_lots: 1,
        qty_max_lots: 1_000,
        notional_min: Amount(0),
        notional_max: Amount(1 << 90),
        position_max_lots: 10_000,
        orders_per_account_max: 100,
        band_ppm: 0,
        fees: Fees { maker_ppm: *rng.pick(&[0, 300, -taker_ppm]), taker_ppm, ceiling_ppm: 0 },
        split: Split::default(),
        matching: Matching::Arrival,
        fees_to: 0,
        venue: 0,
        phases: Phases::default(),
    }
}

fn draw(rng: &mut Rng, sequence: u64) -> CommandRecord {
    let account = 1 + rng.below(8) as u32;
    let instrument = 1 + rng.below(6) as u32;
    let price = *rng.pick(&[1, 2, 50, 90, 95, 99, 100, 100, 101, 105, 110, 150, 400, 900]);
    let price = if instrument > 4 { price.min(99) } else { price };
    let qty = *rng.pick(&[1, 2, 5, 10, 30, 100]);
    match rng.below(34) {
        0 => CommandRecord {
            account,
            instrument: 1,
            amount: Int128::new(rng.between(1, 20_000).into()),
            ..command(CommandKind::Withdraw)
        },
        1 => CommandRecord {
            account,
            instrument: 2,
            amount: Int128::new(rng.between(1, 200).into()),
            ..command(CommandKind::Withdraw)
        },
        2..5 => CommandRecord {
            account,
            instrument: 1 + rng.below(2) as u32,
            order_id: 1 + rng.below(8),
            amount: Int128::new(rng.between(1, 20_000).into()),
            ..command(CommandKind::Transfer)
        },
        5 => CommandRecord { account, instrument: 1, qty, ..command(CommandKind::SplitSet) },
        6 => CommandRecord { account, instrument: 1, qty, ..command(CommandKind::MergeSet) },
        7 => CommandRecord { account, side: rng.below(2) as u8, ..command(CommandKind::SetMarginMode) },
        8 => CommandRecord {
            account,
            instrument,
            qty: rng.between(0, 20),
            ..command(CommandKind::SetLeverage)
        },
        9..11 => CommandRecord {
            account,
            order_id: sequence.saturating_sub(rng.below(80)),
            ..command(CommandKind::Cancel)
        },
        11..13 => CommandRecord {
            account,
            order_id: sequence.saturating_sub(rng.below(80)),
            price: if rng.one_in(2) { price } else { 0 },
            qty: if rng.one_in(2) { qty } else { 0 },
            ..command(CommandKind::Amend)
        },
        _ => {
            let tif = *rng.pick(&[Tif::Gtc, Tif::Gtc, Tif::Gtc, Tif::Ioc, Tif::Fok]);
            CommandRecord {
                account,
                instrument,
                side: rng.below(2) as u8,
                tif: tif.code(),
                flags: if rng.one_in(6) { Flags::REDUCE_ONLY } else { 0 },
                price,
                qty,
                ..command(CommandKind::Place)
            }
        }
    }
}

fn deployments(rng: &mut Rng) -> Vec<DeployCommand> {
    let margin = Product::Perpetual { initial_margin_ppm: 100_000, maintenance_margin_ppm: 50_000 };
    let perpetual = |rng: &mut Rng, symbol: &str| {
        DeployCommand::Instrument(InstrumentSpec::new(symbol.into(), margin, terms(rng, 1_000)))
    };
    let spot = Product::Spot { base: 2, quote: 1, base_atoms_per_lot: 10 };
    let mut gold = InstrumentSpec::new("GOLD-USD".into(), spot, terms(rng, 1_000));
    gold.collateral = vec![CollateralTier { up_to_lots: 1_000, haircut_ppm: 100_000 }];
    gold.conversion_slippage_ppm = *rng.pick(&[None, Some(50_000)]);
    let debt_max = *rng.pick(&[None, Some(Amount(0)), Some(Amount(5_000))]);
    let scenario = |shock_ppm, weight_ppm| ScenarioSpec { shock_ppm, weight_ppm };
    let underlying = UnderlyingSpec {
        symbol: "U".into(),
        instruments: vec![1, 2],
        scenarios: vec![
            scenario(-160_000, 1_000_000),
            scenario(160_000, 1_000_000),
            scenario(1_000_000, 160_000),
        ],
        maintenance_ppm: 500_000,
        floor_ppm: 10_000,
        width_ppm: 20_000,
    };
    vec![
        DeployCommand::Asset(AssetSpec { debt_max, ..AssetSpec::new("USD".into(), 2) }),
        DeployCommand::Asset(AssetSpec::new("GOLD".into(), 2)),
        perpetual(rng, "BTC"),
        perpetual(rng, "ETH"),
        DeployCommand::Instrument(gold),
        perpetual(rng, "SOL"),
        DeployCommand::Underlying(underlying),
        question(rng),
    ]
}

fn question(rng: &mut Rng) -> DeployCommand {
    let outcome = |symbol: &str| OutcomeSpec { symbol: symbol.into(), name: symbol.into() };
    let range = |low, high| PriceRange { low, high };
    DeployCommand::Question(QuestionSpec {
        later: None,
        symbol: "Q".into(),
        text: "Is BTC at 110 or above?".into(),
        outcomes: vec![outcome("NO"), outcome("YES")],
        ticks_per_unit: 100,
        terms: terms(rng, 99),
        link: Some(QuestionLink {
            underlying: 1,
            instrument: 1,
            ranges: vec![range(0, 110), range(110, 1_001)],
        }),
        resolution: None,
        implied: rng.one_in(2),
    })
}

/// Six accounts of two owners with money and gold, two isolated ones, and the prices that stay.
fn setup(rng: &mut Rng) -> Vec<CommandRecord> {
    let mut records = Vec::new();
    for number in 1..=8u8 {
        // The last two are isolated, of accounts 1 and 2.
        let mut open = command(CommandKind::OpenAccount);
        if number > 6 {
            (open.instrument, open.order_id) = (u32::from(number) - 6, u64::from(number) - 6);
        }
        open.client_id[0] = 1 + number % 2;
        records.push(open);
    }
    for account in 1..=6 {
        for (instrument, amounts) in [(1, [1, 1_000, 20_000, 100_000]), (2, [1, 10, 300, 2_000])] {
            let amount = Int128::new(*rng.pick(&amounts));
            records.push(CommandRecord { account, instrument, amount, ..command(CommandKind::Deposit) });
        }
    }
    for instrument in [1, 2, 4] {
        records.push(CommandRecord { instrument, price: 100, ..command(CommandKind::SetMark) });
    }
    records.push(CommandRecord { instrument: 3, price: 100, ..command(CommandKind::SetIndex) });
    records
}

/// Trades of one world of chance; the first account under water, if there is one.
fn play(seed: u64, moves: bool) -> (usize, Option<String>) {
    let (rng, mut engine) = (&mut Rng::new(seed), Engine::new());
    let (mut events, mut sequence, mut trades) = (Vec::<EventRecord>::new(), 0, 0);
    for body in deployments(rng) {
        sequence += 1;
        let header = FrameHeader { first_sequence: sequence, time_ns: 1 };
        engine.apply_deploy(header, &body.to_bytes(), &mut events).expect("it is well formed");
    }
    assert!(events.iter().all(|event| event.kind != EventKind::Rejected.code()));
    let setup = setup(rng);
    for at in 0..setup.len() + 500 {
        let mut record = setup.get(at).copied().unwrap_or_else(|| draw(rng, sequence));
        if moves && at == 400 {
            record = CommandRecord { instrument: 1, price: 250, ..command(CommandKind::SetMark) };
        }
        sequence += 1;
        events.clear();
        let header = FrameHeader { first_sequence: sequence, time_ns: 1 + at as u64 };
        engine.apply_records(header, &[record], &mut events).expect("a frame of one command");
        trades += events.iter().filter(|event| event.kind == EventKind::Trade.code()).count();
        for id in (1..=engine.account_count() as u32).map(AccountId) {
            let equity = engine.maintenance(id).0.floor();
            if equity < Amount(0) || engine.violation().is_some() {
                return (
                    trades,
                    Some(format!("seed {seed} at {at}: {id} has {} after {record:?}", equity.0)),
                );
            }
        }
    }
    (trades, None)
}

#[test]
fn nobody_comes_under_water_while_prices_stand_still() {
    let seeds = std::env::var("XOS_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let mut trades = 0;
    for seed in 0..seeds {
        let (some, found) = play(0xC057 + seed, false);
        assert_eq!(found, None);
        trades += some;
    }
    println!("{trades} trades in {seeds} worlds");
    assert!(trades as u64 > 20 * seeds);
}

#[test]
fn a_mark_that_jumps_puts_somebody_under_water() {
    let under_water = (0..40).filter(|seed| play(0xC057 + seed, true).1.is_some()).count();
    assert!(under_water > 4, "{under_water} of 40 worlds");
}
