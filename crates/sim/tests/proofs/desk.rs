//! An exchange that a property drives: each command a frame of its own.

use xos_engine::{AccountRisk, Engine, FrameHeader};
use xos_ledger::{Party, SETTLEMENT};
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, Fees, InstrumentSpec,
    InstrumentTerms, Int128, Limits, Matching, Product, Split, Tif,
};
use xos_units::{AccountId, Amount, InstrumentId};

pub(crate) const BUY: u8 = 0;
pub(crate) const SELL: u8 = 1;
pub(crate) const USD: u32 = 1;
pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) struct Desk {
    pub(crate) engine: Engine,
    next: u64,
    pub(crate) time_ns: u64,
}

impl Desk {
    /// One asset, the settlement asset.
    pub(crate) fn new() -> Self {
        Self::of(AssetSpec::new("USD".into(), 6))
    }

    /// One with a settlement asset of its own terms.
    pub(crate) fn of(settlement: AssetSpec) -> Self {
        let mut desk = Self { engine: Engine::new(), next: 1, time_ns: 1_700_000_000 * SECOND };
        desk.deploy(&DeployCommand::Asset(settlement));
        desk
    }

    /// The same, under other limits.
    pub(crate) fn with_limits(limits: Limits) -> Self {
        let mut desk = Self { engine: Engine::new(), next: 1, time_ns: 1_700_000_000 * SECOND };
        desk.try_deploy(&DeployCommand::Genesis(limits));
        desk.deploy(&DeployCommand::Asset(AssetSpec::new("USD".into(), 6)));
        desk
    }

    /// A command with a long body; its events.
    pub(crate) fn try_deploy(&mut self, body: &DeployCommand) -> Vec<EventRecord> {
        let header = FrameHeader { first_sequence: self.next, time_ns: self.time_ns };
        let mut events = Vec::new();
        self.engine.apply_deploy(header, &body.to_bytes(), &mut events).expect("the log is whole");
        self.next += 1;
        events
    }

    /// Deploys; the id.
    pub(crate) fn deploy(&mut self, body: &DeployCommand) -> u32 {
        let events = self.try_deploy(body);
        assert!(events[0].kind() != Some(EventKind::Rejected), "{events:?}");
        events[0].instrument
    }

    /// One command; its events.
    pub(crate) fn send(&mut self, command: CommandRecord) -> Vec<EventRecord> {
        let header = FrameHeader { first_sequence: self.next, time_ns: self.time_ns };
        let mut events = Vec::new();
        if let Err(error) = self.engine.apply_records(header, &[command], &mut events) {
            panic!("{error} at {command:?}");
        }
        self.next += 1;
        events
    }

    /// A command that is meant to be taken.
    pub(crate) fn must(&mut self, command: CommandRecord) -> Vec<EventRecord> {
        let events = self.send(command);
        assert!(events.iter().all(|event| event.kind() != Some(EventKind::Rejected)), "{events:?}");
        events
    }

    /// An account of an owner with a deposit.
    pub(crate) fn account(&mut self, owner: u8, deposit: i128) -> u32 {
        let account = self
            .must(CommandRecord { client_id: [owner; 32], ..command(CommandKind::OpenAccount, 0) })[0]
            .account;
        self.deposit(account, USD, deposit);
        account
    }

    /// The account of `parent` for one perpetual alone.
    pub(crate) fn isolated(&mut self, owner: u8, parent: u32, instrument: u32) -> u32 {
        let record = command(CommandKind::OpenAccount, 0);
        self.must(CommandRecord { client_id: [owner; 32], instrument, order_id: parent.into(), ..record })[0]
            .account
    }

    pub(crate) fn deposit(&mut self, account: u32, asset: u32, amount: i128) {
        if amount > 0 {
            let record = command(CommandKind::Deposit, account);
            self.must(CommandRecord { instrument: asset, amount: Int128::new(amount), ..record });
        }
    }

    pub(crate) fn mark(&mut self, instrument: u32, price: i64) -> Vec<EventRecord> {
        self.must(CommandRecord { instrument, price, ..command(CommandKind::SetMark, 0) })
    }

    /// `maker` rests and `taker` takes it whole.
    pub(crate) fn trade(
        &mut self,
        instrument: u32,
        maker: u32,
        taker: u32,
        taker_side: u8,
        price: i64,
        qty: i64,
    ) {
        self.must(order(maker, instrument, 1 - taker_side, price, qty));
        let take = order(taker, instrument, taker_side, price, qty);
        let events = self.must(CommandRecord { tif: Tif::Ioc.code(), ..take });
        let traded: i64 = of(&events, EventKind::Trade).map(|event| event.qty).sum();
        assert_eq!(traded, qty, "{events:?}");
    }

    pub(crate) fn cash(&self, account: u32) -> i128 {
        self.engine.balance(AccountId(account), SETTLEMENT).total.0
    }

    pub(crate) fn risk(&self, account: u32) -> AccountRisk {
        self.engine.risk(AccountId(account)).expect("the account stands")
    }

    /// Lots and cost of a position.
    pub(crate) fn position(&self, account: u32, instrument: u32) -> (i64, i128) {
        let positions = self.engine.positions(AccountId(account));
        let found = positions.iter().find(|position| position.instrument == InstrumentId(instrument));
        found.map_or((0, 0), |position| (position.lots, position.cost.0))
    }

    /// Balance of the insurance fund.
    pub(crate) fn fund(&self) -> i128 {
        let house = self.engine.house(SETTLEMENT);
        house.iter().find(|(party, _)| *party == Party::Insurance).map_or(0, |(_, amount)| amount.0)
    }

    /// Everything is added up anew.
    pub(crate) fn check(&self) {
        if let Err(violation) = self.engine.audit() {
            panic!("{violation:?}");
        }
    }
}

/// Events of a kind.
pub(crate) fn of(events: &[EventRecord], kind: EventKind) -> impl Iterator<Item = &EventRecord> {
    events.iter().filter(move |event| event.kind() == Some(kind))
}

pub(crate) fn command(kind: CommandKind, account: u32) -> CommandRecord {
    CommandRecord { kind: kind.code(), account, ..CommandRecord::default() }
}

/// A good-till-cancelled order.
pub(crate) fn order(account: u32, instrument: u32, side: u8, price: i64, qty: i64) -> CommandRecord {
    CommandRecord { instrument, side, price, qty, ..command(CommandKind::Place, account) }
}

pub(crate) fn perpetual(symbol: &str, initial_margin_ppm: i32, fees: Fees) -> InstrumentSpec {
    let product = Product::Perpetual { initial_margin_ppm, maintenance_margin_ppm: initial_margin_ppm / 2 };
    InstrumentSpec::new(symbol.into(), product, terms(fees))
}

pub(crate) fn terms(fees: Fees) -> InstrumentTerms {
    InstrumentTerms {
        quote_atoms_per_tick_lot: 3,
        tick_size: "1".into(),
        lot_size: "1".into(),
        price_max_ticks: 1 << 20,
        qty_min_lots: 1,
        qty_max_lots: 1 << 30,
        notional_min: Amount(0),
        notional_max: Amount(1 << 80),
        position_max_lots: 1 << 34,
        orders_per_account_max: 1_000,
        band_ppm: 0,
        fees,
        split: Split { insurance_ppm: 1_000_000, ..Split::NOTHING },
        matching: Matching::Arrival,
        fees_to: 0,
        venue: 0,
        phases: xos_protocol::Phases::default(),
    }
}

/// First seed and number of seeds of a search; XOS_SEED and XOS_SEEDS name others.
pub(crate) fn seeds(usual: u64) -> std::ops::Range<u64> {
    let read = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = read("XOS_SEED").unwrap_or(0);
    let long = if std::env::var_os("XOS_LONG").is_some() { 20 } else { 1 };
    first..first + read("XOS_SEEDS").unwrap_or(usual * long)
}
