//! How long a change of one mark takes until every holder was looked at: `mark_sweep [ACCOUNTS] [ROUNDS]`. Half of the
//! accounts are long, half short, nobody falls below maintenance; the mark moves by a tick, then ticks of time follow until
//! nobody is pending. Prints the commands it took, the longest of them, and the time in all.

use std::time::Instant;
use xos_engine::{Engine, FrameHeader};
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, Fees, InstrumentSpec, InstrumentTerms, Int128,
    LiquidationSpec, Matching, Product, Split, Tif,
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

fn perpetual() -> InstrumentSpec {
    let terms = InstrumentTerms {
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
    };
    let product = Product::Perpetual { initial_margin_ppm: 50_000, maintenance_margin_ppm: 25_000 };
    let liquidation = Some(Box::new(LiquidationSpec::default()));
    InstrumentSpec { liquidation, ..InstrumentSpec::new("PERP".into(), product, terms) }
}

fn main() {
    let word = |at: usize, standard: u32| {
        std::env::args().nth(at).map_or(standard, |text| text.parse().expect("a number"))
    };
    let (accounts, rounds) = (word(1, 1_000_000) & !1, word(2, 5));
    let mut feed = Feed { engine: Engine::new(), sequence: 0, events: Vec::new() };
    feed.deploy(&DeployCommand::Asset(AssetSpec::new("USD".into(), 6)));
    feed.deploy(&DeployCommand::Instrument(perpetual()));
    let of = |kind: CommandKind, account| CommandRecord { kind: kind.code(), account, ..Default::default() };
    let mark = |price| CommandRecord { instrument: 1, price, ..of(CommandKind::SetMark, 0) };
    feed.frame(&[mark(1_000_000)]);
    let mut commands = Vec::new();
    for account in 1..=accounts {
        let mut owner = [0; 32];
        owner[..4].copy_from_slice(&account.to_le_bytes());
        commands.push(CommandRecord { client_id: owner, ..of(CommandKind::OpenAccount, 0) });
        let amount = Int128::new(100_000_000);
        commands.push(CommandRecord { instrument: 1, amount, ..of(CommandKind::Deposit, account) });
    }
    for pair in 0..accounts / 2 {
        // Neighbours in the book are not neighbours in memory.
        let (seller, buyer) = (1 + pair, accounts - pair);
        let place = CommandRecord { instrument: 1, qty: 3, price: 1_000_000, ..of(CommandKind::Place, 0) };
        commands.push(CommandRecord { account: seller, side: 1, ..place });
        commands.push(CommandRecord { account: buyer, tif: Tif::Ioc.code(), ..place });
    }
    commands.chunks(FRAME).for_each(|frame| feed.frame(frame));
    let open = feed.engine.instrument(xos_units::InstrumentId(1)).expect("it stands").open_interest_lots;
    assert_eq!(open, i128::from(3 * (accounts / 2)), "everybody holds a position");
    for round in 0..rounds {
        let begun = Instant::now();
        let (mut count, mut longest) = (0, std::time::Duration::ZERO);
        let mut command = mark(1_000_001 + i64::from(round));
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
