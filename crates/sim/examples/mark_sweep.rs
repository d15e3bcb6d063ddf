//! How long a change of one mark takes until every holder was looked at: `mark_sweep [ACCOUNTS] [ROUNDS] [scenario]`. Half
//! of the accounts are long, half short, nobody falls below maintenance; the mark moves by a tick, then ticks of time follow
//! until nobody is pending. Prints the commands it took, the longest of them, and the time in all.
//!
//! With `scenario` every account is in scenario mode, holds a second perpetual of the underlying against the first, and
//! shares of a question that its price decides.

use std::time::Instant;
use xos_engine::{Engine, FrameHeader};
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, Fees, InstrumentSpec, InstrumentTerms, Int128,
    LiquidationSpec, Matching, OutcomeSpec, PriceRange, Product, QuestionLink, QuestionSpec, ScenarioSpec,
    Split, Tif, UnderlyingSpec,
};
use xos_units::Amount;

const FRAME: usize = 512;

struct Feed {
    engine: Engine,
    sequence: u64,
    events: Vec<xos_protocol::EventRecord>,
}

impl Feed {
    fn header(&mut self, commands: usize) -> FrameHeader {
        let first_sequence = self.sequence + 1;
        self.sequence += commands as u64;
        FrameHeader { first_sequence, time_ns: 1_700_000_000_000_000_000 + self.sequence }
    }

    fn deploy(&mut self, command: &DeployCommand) {
        let header = self.header(1);
        self.engine.apply_deploy(header, &command.to_bytes(), &mut self.events).expect("it is admitted");
    }

    fn frame(&mut self, commands: &[CommandRecord]) {
        self.events.clear();
        let header = self.header(commands.len());
        self.engine.apply_records(header, commands, &mut self.events).expect("it is admitted");
    }
}

/// Price of both perpetuals, and ticks of a unit of the question.
const MARK: i64 = 1_000_000;
const UNIT: i64 = 1_000;

fn terms() -> InstrumentTerms {
    InstrumentTerms {
        quote_atoms_per_tick_lot: 10,
        tick_size: "0.1".into(),
        lot_size: "0.001".into(),
        price_max_ticks: 1 << 24,
        qty_min_lots: 1,
        qty_max_lots: 1_000_000,
        notional_min: Amount(0),
        notional_max: Amount(1 << 90),
        position_max_lots: 1 << 30,
        orders_per_account_max: 100,
        band_ppm: 0,
        fees: Fees::default(),
        split: Split::default(),
        matching: Matching::Arrival,
        fees_to: 0,
        venue: 0,
        phases: xos_protocol::Phases::default(),
    }
}

fn perpetual(symbol: &str, margin_ppm: (i32, i32)) -> InstrumentSpec {
    let (initial_margin_ppm, maintenance_margin_ppm) = margin_ppm;
    let product = Product::Perpetual { initial_margin_ppm, maintenance_margin_ppm };
    let liquidation = Some(Box::new(LiquidationSpec::default()));
    InstrumentSpec { liquidation, ..InstrumentSpec::new(symbol.into(), product, terms()) }
}

/// The 16 scenarios of F19 for a book without options.
fn underlying() -> UnderlyingSpec {
    let plain = [-160_000, -120_000, -80_000, -40_000, 40_000, 80_000, 120_000, 160_000];
    let tails = [
        (-660_000, 240_000),
        (-330_000, 480_000),
        (500_000, 320_000),
        (1_000_000, 160_000),
        (2_000_000, 80_000),
        (3_000_000, 53_300),
        (4_000_000, 40_000),
        (5_000_000, 32_000),
    ];
    let scenarios = plain.into_iter().map(|shock| (shock, 1_000_000)).chain(tails);
    let scenario = |(shock_ppm, weight_ppm)| ScenarioSpec { shock_ppm, weight_ppm };
    UnderlyingSpec {
        symbol: "UNDERLYING".into(),
        instruments: vec![1, 2],
        scenarios: scenarios.map(scenario).collect(),
        maintenance_ppm: 500_000,
        floor_ppm: 10_000,
        width_ppm: 20_000,
    }
}

/// Whether the first perpetual ends above its mark of now.
fn question() -> QuestionSpec {
    let range = |low, high| PriceRange { low, high };
    let ranges = vec![range(0, MARK), range(MARK, terms().price_max_ticks + 1)];
    let outcome = |symbol: &str| OutcomeSpec { symbol: symbol.into(), name: symbol.into() };
    QuestionSpec {
        symbol: "QUESTION".into(),
        text: "Does PERP end at 100,000 or above?".into(),
        outcomes: ["BELOW", "ABOVE"].map(outcome).into(),
        ticks_per_unit: UNIT,
        terms: InstrumentTerms { price_max_ticks: UNIT - 1, ..terms() },
        resolution: None,
        implied: false,
        link: Some(QuestionLink { underlying: 1, instrument: 1, ranges }),
        later: None,
    }
}

/// Everybody trades three lots: the first half of the accounts sells, the other buys.
fn trades(accounts: u32, instrument: u32, price: i64) -> Vec<CommandRecord> {
    let place =
        CommandRecord { kind: CommandKind::Place.code(), instrument, qty: 3, price, ..Default::default() };
    // Neighbours in the book are not neighbours in memory.
    let pairs = (0..accounts / 2).map(|pair| (1 + pair, accounts - pair));
    pairs
        .flat_map(|(seller, buyer)| {
            let sell = CommandRecord { account: seller, side: 1, ..place };
            [sell, CommandRecord { account: buyer, tif: Tif::Ioc.code(), ..place }]
        })
        .collect()
}

fn main() {
    let word = |at: usize, standard: u32| {
        std::env::args().nth(at).map_or(standard, |text| text.parse().expect("a number"))
    };
    let (accounts, rounds) = (word(1, 1_000_000) & !1, word(2, 5));
    let is_scenario = std::env::args().nth(3).is_some_and(|text| text == "scenario");
    let mut feed = Feed { engine: Engine::new(), sequence: 0, events: Vec::new() };
    feed.deploy(&DeployCommand::Asset(AssetSpec::new("USD".into(), 6)));
    // In scenario mode nobody has the maintenance margin that the positions would need without what offsets them.
    let (margin_ppm, deposited) =
        if is_scenario { ((100_000, 99_000), 5_500_000) } else { ((50_000, 25_000), 100_000_000) };
    feed.deploy(&DeployCommand::Instrument(perpetual("PERP", margin_ppm)));
    let of = |kind: CommandKind, account| CommandRecord { kind: kind.code(), account, ..Default::default() };
    let mark = |instrument, price| CommandRecord { instrument, price, ..of(CommandKind::SetMark, 0) };
    feed.frame(&[mark(1, MARK)]);
    if is_scenario {
        feed.deploy(&DeployCommand::Instrument(perpetual("OTHER", margin_ppm)));
        feed.deploy(&DeployCommand::Underlying(underlying()));
        feed.deploy(&DeployCommand::Question(question()));
        feed.frame(&[mark(2, MARK)]);
    }
    let mut commands = Vec::new();
    for account in 1..=accounts {
        let mut owner = [0; 32];
        owner[..4].copy_from_slice(&account.to_le_bytes());
        commands.push(CommandRecord { client_id: owner, ..of(CommandKind::OpenAccount, 0) });
        let amount = Int128::new(deposited);
        commands.push(CommandRecord { instrument: 1, amount, ..of(CommandKind::Deposit, account) });
        if is_scenario {
            commands.push(CommandRecord { side: 1, ..of(CommandKind::SetMarginMode, account) });
        }
    }
    commands.extend(trades(accounts, 1, MARK));
    if is_scenario {
        // Against what they hold already.
        let against = |trade: CommandRecord| CommandRecord { account: accounts + 1 - trade.account, ..trade };
        commands.extend(trades(accounts, 2, MARK).into_iter().map(against));
        commands.extend(trades(accounts, 4, UNIT / 2));
    }
    commands.chunks(FRAME).for_each(|frame| feed.frame(frame));
    for at in if is_scenario { vec![1, 2, 4] } else { vec![1] } {
        let open = feed.engine.instrument(xos_units::InstrumentId(at)).expect("it stands").open_interest_lots;
        assert_eq!(open, i128::from(3 * (accounts / 2)), "everybody holds a position");
    }
    for round in 0..rounds {
        let begun = Instant::now();
        let (mut count, mut longest) = (0, std::time::Duration::ZERO);
        let mut command = mark(1, MARK + 1 + i64::from(round));
        loop {
            let single = Instant::now();
            feed.frame(&[command]);
            longest = longest.max(single.elapsed());
            count += 1;
            if feed.engine.pending_risk_checks() == 0 {
                break;
            }
            command = of(CommandKind::Tick, 0);
        }
        let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        println!(
            "{accounts} holders looked at in {count} commands, the longest {:.3} ms, all {:.1} ms",
            ms(longest),
            ms(begun.elapsed())
        );
        assert!(
            feed.events.iter().all(|event| event.kind != xos_protocol::EventKind::LiquidationStarted.code())
        );
    }
}
