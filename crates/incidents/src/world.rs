//! A small exchange to play incidents on.

use xos_engine::{Engine, FrameHeader};
use xos_protocol::{
    AssetSpec, CollateralTier, CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, Fees,
    InstrumentSpec, InstrumentTerms, Int128, Matching, OracleSpec, Product, PublisherSpec, Side, SourceSpec,
    Split, Tif,
};
use xos_units::{AccountId, Amount, InstrumentId};

/// Buy, as records carry it.
pub(crate) const BUY: u8 = Side::Buy as u8;
/// Sell, as records carry it.
pub(crate) const SELL: u8 = Side::Sell as u8;
/// The perpetual of every world: 10 % initial, 5 % maintenance margin, no fees; its mark starts at 100.
pub(crate) const PERPETUAL: u32 = 1;
/// The settlement asset.
pub(crate) const USD: u32 = 1;

/// An exchange with one asset and one perpetual. Each command is a frame of its own.
pub struct World {
    pub(crate) engine: Engine,
    sequence: u64,
    pub(crate) time_ns: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self { engine: Engine::new(), sequence: 0, time_ns: 1_700_000_000_000_000_000 };
        world.deploy(&DeployCommand::Asset(AssetSpec::new("USD".into(), 6)));
        world.deploy(&DeployCommand::Instrument(perpetual("PERP", Fees::default())));
        world.mark(100);
        world
    }

    /// Deploys; the events.
    pub(crate) fn deploy(&mut self, body: &DeployCommand) -> Vec<EventRecord> {
        let mut events = Vec::new();
        let header = FrameHeader { first_sequence: self.sequence + 1, time_ns: self.time_ns };
        if let Err(error) = self.engine.apply_deploy(header, &body.to_bytes(), &mut events) {
            panic!("{error}");
        }
        self.sequence += 1;
        events
    }

    /// Executes one command; the events. A halt ends the play.
    pub(crate) fn send(&mut self, command: CommandRecord) -> Vec<EventRecord> {
        let mut events = Vec::new();
        let header = FrameHeader { first_sequence: self.sequence + 1, time_ns: self.time_ns };
        if let Err(error) = self.engine.apply_records(header, &[command], &mut events) {
            panic!("{error}");
        }
        self.sequence += 1;
        events
    }

    /// An account of an owner of its own, with a deposit.
    pub(crate) fn account(&mut self, deposit: i128) -> u32 {
        let mut owner = [0; 32];
        owner[..8].copy_from_slice(&(self.sequence + 1).to_le_bytes());
        self.owned_account(owner, deposit)
    }

    /// An account of a named owner, with a deposit.
    pub(crate) fn owned_account(&mut self, owner: [u8; 32], deposit: i128) -> u32 {
        let open = CommandRecord { client_id: owner, ..command(CommandKind::OpenAccount, 0) };
        let account = self.send(open)[0].account;
        if deposit > 0 {
            self.deposit(account, deposit);
        }
        account
    }

    pub(crate) fn deposit(&mut self, account: u32, amount: i128) -> Vec<EventRecord> {
        self.send(CommandRecord {
            instrument: USD,
            amount: Int128::new(amount),
            ..command(CommandKind::Deposit, account)
        })
    }

    pub(crate) fn withdrawal(&self, account: u32, amount: i128) -> CommandRecord {
        let record = command(CommandKind::Withdraw, account);
        CommandRecord { instrument: USD, amount: Int128::new(amount), ..record }
    }

    /// Withdraws; whether it was paid.
    pub(crate) fn withdraw(&mut self, account: u32, amount: i128) -> bool {
        let record = self.withdrawal(account, amount);
        happened(&self.send(record), EventKind::Withdrawn)
    }

    pub(crate) fn mark(&mut self, price: i64) -> Vec<EventRecord> {
        self.send(CommandRecord { instrument: PERPETUAL, price, ..command(CommandKind::SetMark, 0) })
    }

    /// A good-till-cancelled order.
    pub(crate) fn order(&mut self, account: u32, side: u8, price: i64, qty: i64) -> Vec<EventRecord> {
        self.send(order(account, side, price, qty))
    }

    /// `maker` rests and `taker` takes it whole.
    pub(crate) fn trade(&mut self, maker: u32, taker: u32, taker_side: u8, price: i64, qty: i64) {
        self.order(maker, 1 - taker_side, price, qty);
        let events =
            self.send(CommandRecord { tif: Tif::Ioc.code(), ..order(taker, taker_side, price, qty) });
        assert!(happened(&events, EventKind::Trade), "the trade was meant to happen: {events:?}");
    }

    /// A perpetual whose index comes from five publishers, all at `price`; its number.
    pub(crate) fn oracle_perpetual(&mut self, price: i64) -> u32 {
        let sources = (1..=5).map(|publisher| SourceSpec { publisher, weight: 1 }).collect();
        for number in 1..=5u8 {
            let spec = PublisherSpec { symbol: format!("SOURCE{number}"), key: format!("{number:064x}") };
            self.deploy(&DeployCommand::Publisher(spec));
        }
        let mut spec = perpetual("ORACLE-PERP", Fees::default());
        spec.oracle = Some(OracleSpec {
            sources,
            sources_min: 3,
            stale_after_ms: 10_000,
            deviation_ppm: 50_000,
            step_max_ppm: 0,
            mark_band_ppm: 50_000,
            reopen_ms: 10_000,
        });
        let events = self.deploy(&DeployCommand::Instrument(spec));
        let instrument = events[0].instrument;
        self.pass_s(1);
        for publisher in 1..=5 {
            self.publish(instrument, publisher, price);
        }
        instrument
    }

    /// A second asset that is collateral at a haircut of a tenth, its index at 100; the number of its spot instrument.
    pub(crate) fn collateral_spot(&mut self) -> u32 {
        self.deploy(&DeployCommand::Asset(AssetSpec::new("COIN".into(), 0)));
        let product = Product::Spot { base: 2, quote: USD, base_atoms_per_lot: 1 };
        let mut spec = InstrumentSpec { product, ..perpetual("COIN-USD", Fees::default()) };
        spec.collateral = vec![CollateralTier { up_to_lots: 1_000, haircut_ppm: 100_000 }];
        let instrument = self.deploy(&DeployCommand::Instrument(spec))[0].instrument;
        self.send(CommandRecord { instrument, price: 100, ..command(CommandKind::SetIndex, 0) });
        instrument
    }

    /// A publisher tells a price, now.
    pub(crate) fn publish(&mut self, instrument: u32, publisher: u32, price: i64) -> Vec<EventRecord> {
        self.time_ns += 1;
        let record = command(CommandKind::PublishPrice, publisher);
        self.send(CommandRecord { instrument, price, expires_ns: self.time_ns, ..record })
    }

    /// Seconds pass, each with a tick.
    pub(crate) fn pass_s(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.time_ns += 1_000_000_000;
            self.send(command(CommandKind::Tick, 0));
        }
    }

    /// Mark of an instrument.
    pub(crate) fn mark_of(&self, instrument: u32) -> i64 {
        self.engine.instrument(InstrumentId(instrument)).expect("it stands").mark.0
    }

    /// Settlement atoms of an account.
    pub(crate) fn cash(&self, account: u32) -> i128 {
        self.engine.balance(AccountId(account), xos_ledger::SETTLEMENT).total.0
    }

    /// Equity less nothing: what the account is worth at the mark.
    pub(crate) fn equity(&self, account: u32) -> Amount {
        self.engine.risk(AccountId(account)).expect("the account stands").equity
    }

    /// The full audit of the engine.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.engine.audit().map(|_| ()).map_err(|violation| violation.detail)
    }
}

/// Whether an event of this kind is among them.
pub(crate) fn happened(events: &[EventRecord], kind: EventKind) -> bool {
    events.iter().any(|event| event.kind == kind.code())
}

pub(crate) fn command(kind: CommandKind, account: u32) -> CommandRecord {
    CommandRecord { kind: kind.code(), account, ..CommandRecord::default() }
}

pub(crate) fn order(account: u32, side: u8, price: i64, qty: i64) -> CommandRecord {
    CommandRecord { side, price, qty, instrument: PERPETUAL, ..command(CommandKind::Place, account) }
}

/// A perpetual with one atom a tick and lot.
pub(crate) fn perpetual(symbol: &str, fees: Fees) -> InstrumentSpec {
    InstrumentSpec {
        symbol: symbol.into(),
        margin: None,
        isolated_only: false,
        conversion_slippage_ppm: None,
        oracle: None,
        funding: None,
        collateral: Vec::new(),
        liquidation: None,
        halt: None,
        product: Product::Perpetual { initial_margin_ppm: 100_000, maintenance_margin_ppm: 50_000 },
        terms: InstrumentTerms {
            quote_atoms_per_tick_lot: 1,
            tick_size: "0.01".into(),
            lot_size: "0.0001".into(),
            price_max_ticks: 1 << 30,
            qty_min_lots: 1,
            qty_max_lots: 1 << 30,
            notional_min: Amount(0),
            notional_max: Amount(1 << 80),
            position_max_lots: 1 << 30,
            orders_per_account_max: 20_000,
            band_ppm: 0,
            fees,
            split: Split::default(),
            matching: Matching::Arrival,
            fees_to: 0,
            venue: 0,
            phases: xos_protocol::Phases::default(),
        },
    }
}
