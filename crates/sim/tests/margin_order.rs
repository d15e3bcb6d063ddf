//! Margin does not depend on the order in which positions were taken, and two accounts with the same are judged alike.

use proptest::prelude::*;
use xos_engine::{AccountRisk, Engine, FrameHeader};
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, EventKind, Fees, InstrumentSpec, InstrumentTerms,
    Int128, MarginSpec, MarginTier, Matching, OpenInterestBounds, Product, Split,
};
use xos_units::{AccountId, Amount};

const MARK: i64 = 100;

fn perpetual(number: u32) -> InstrumentSpec {
    let terms = InstrumentTerms {
        quote_atoms_per_tick_lot: 3,
        tick_size: "1".into(),
        lot_size: "1".into(),
        price_max_ticks: 1_000,
        qty_min_lots: 1,
        qty_max_lots: 1_000,
        notional_min: Amount(0),
        notional_max: Amount(1 << 60),
        position_max_lots: 100_000,
        orders_per_account_max: 10,
        band_ppm: 0,
        fees: Fees::default(),
        split: Split::default(),
        matching: Matching::Arrival,
        fees_to: 0,
        venue: 0,
        phases: xos_protocol::Phases::default(),
    };
    let product = Product::Perpetual { initial_margin_ppm: 33_333, maintenance_margin_ppm: 17_777 };
    let tier = |from: i128, initial_ppm| MarginTier {
        notional_from: Amount(from),
        initial_ppm,
        maintenance_ppm: initial_ppm / 2,
    };
    let bounds = OpenInterestBounds { lower: Amount(9_000), upper: Amount(90_001) };
    let margin = MarginSpec {
        tiers: vec![tier(7_001, 71_111), tier(20_011, 250_001)],
        open_interest_scaling: (number == 2).then_some(bounds),
    };
    InstrumentSpec { margin: Some(margin), ..InstrumentSpec::new(format!("PERP{number}"), product, terms) }
}

struct Desk {
    engine: Engine,
    next: u64,
}

impl Desk {
    fn new() -> Self {
        let mut desk = Self { engine: Engine::new(), next: 1 };
        let asset = AssetSpec::new("USD".into(), 6);
        desk.deploy(&DeployCommand::Asset(asset));
        for number in 1..=3 {
            desk.deploy(&DeployCommand::Instrument(perpetual(number)));
            let kind = CommandKind::SetMark.code();
            desk.send(CommandRecord { kind, instrument: number, price: MARK, ..Default::default() });
        }
        for account in 1..=2 {
            let kind = CommandKind::OpenAccount.code();
            desk.send(CommandRecord { kind, client_id: [account; 32], ..Default::default() });
            let (kind, amount) = (CommandKind::Deposit.code(), Int128::new(1 << 50));
            let account = account.into();
            desk.send(CommandRecord { kind, account, instrument: 1, amount, ..Default::default() });
        }
        desk
    }

    fn deploy(&mut self, body: &DeployCommand) {
        let header = FrameHeader { first_sequence: self.next, time_ns: 1 };
        let mut events = Vec::new();
        self.engine.apply_deploy(header, &body.to_bytes(), &mut events).expect("the log is whole");
        self.next += 1;
    }

    fn send(&mut self, command: CommandRecord) {
        let header = FrameHeader { first_sequence: self.next, time_ns: 1 };
        let mut events = Vec::new();
        self.engine.apply_records(header, &[command], &mut events).expect("the log is whole");
        assert!(events.iter().all(|event| event.kind() != Some(EventKind::Rejected)), "{events:?}");
        self.next += 1;
    }

    /// Account 1 buys, or sells, lots at the mark from account 2.
    fn trade(&mut self, instrument: u32, lots: i64) {
        let side = u8::from(lots < 0);
        let kind = CommandKind::Place.code();
        let order = CommandRecord { kind, instrument, price: MARK, qty: lots.abs(), ..Default::default() };
        self.send(CommandRecord { account: 2, side: 1 - side, ..order });
        self.send(CommandRecord { account: 1, side, ..order });
    }

    fn risk(&self, account: u32) -> AccountRisk {
        self.engine.risk(AccountId(account)).expect("it exists")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_trades_changes_nothing(
        trades in proptest::collection::vec((1u32..=3, (1i64..200, any::<bool>())), 1..12), seed in any::<u64>(),
        mark in 50i64..200
    ) {
        let trades: Vec<_> =
            trades.into_iter().map(|(at, (lots, buys))| (at, if buys { lots } else { -lots })).collect();
        let mut shuffled: Vec<_> = trades.iter().enumerate().collect();
        shuffled.sort_by_key(|(at, _)| (*at as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (mut one, mut other) = (Desk::new(), Desk::new());
        trades.iter().for_each(|(instrument, lots)| one.trade(*instrument, *lots));
        shuffled.iter().for_each(|(_, (instrument, lots))| other.trade(*instrument, *lots));
        for desk in [&mut one, &mut other] {
            for instrument in 1..=3 {
                let kind = CommandKind::SetMark.code();
                desk.send(CommandRecord { kind, instrument, price: mark, ..Default::default() });
            }
        }
        for account in [1, 2] {
            prop_assert_eq!(one.risk(account), other.risk(account));
        }
        // Both sides of the same trades need the same, and one gains what the other loses.
        let (a, b) = (one.risk(1), one.risk(2));
        prop_assert_eq!((a.initial, a.maintenance), (b.initial, b.maintenance));
        prop_assert_eq!(a.equity + b.equity, Amount(2 << 50));
    }
}
