//! Markets for benchmarks, generated up front: `steady` on one perpetual, `many` on fifty instruments, `cross` on
//! sixteen perpetuals of which every account holds several, `venue`, `eligible`
//! and `thirds` on one perpetual with venues and classes.
//!
//! Cancels and amends name orders by the sequence that their place will have, found by a simple book that follows
//! the commands. Every account is rich and trades with anybody, so that book is right: nothing is refused.

mod classes;
mod cross;

use self::classes::Classes;

use super::book::SimpleBook;
use super::command;
use crate::rng::Rng;
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, Fees, Flags, InstrumentSpec, InstrumentTerms,
    Int128, Matching, OutcomeSpec, Product, QuestionSpec, Side, Split, Tif,
};
use xos_units::Amount;

/// Atoms that every account has of every asset.
const WEALTH: i128 = 1_000_000_000_000_000;
/// Ticks around which perpetuals and spot instruments trade.
const MIDDLE: i64 = 50_000;
/// Ticks of one unit of a question.
const UNIT: i64 = 1_000;
/// Assets of `many`: the settlement asset and five that are traded spot.
const MANY_ASSETS: u32 = 6;

/// How large a market is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketShape {
    /// Seed of all that is random.
    pub seed: u64,
    /// Accounts, each of its own owner.
    pub accounts: u32,
    /// Orders that rest before the commands begin, and about as many all the time.
    pub resting: usize,
    /// Commands after that.
    pub commands: usize,
}

impl MarketShape {
    /// Ten thousand accounts and ten thousand resting orders.
    pub fn full(seed: u64, commands: usize) -> Self {
        Self { seed, accounts: 10_000, resting: 10_000, commands }
    }
}

/// A log in three parts, in this order; the first deployment has sequence 1.
#[derive(Clone, Debug)]
pub struct Market {
    /// `steady`, `many`, `cross`, `venue`, `eligible` or `thirds`.
    pub name: &'static str,
    /// Deployments, one frame each.
    pub deployments: Vec<Vec<u8>>,
    /// Accounts, deposits, marks, then the resting orders.
    pub prefill: Vec<CommandRecord>,
    /// The commands: of `steady` and `many` 45 % place, 40 % cancel, 10 % amend, 5 % that take.
    pub commands: Vec<CommandRecord>,
    /// What the simple books have at the end: trades, lots, ticks times lots, resting orders.
    pub expected: [i128; 4],
}

impl Market {
    /// The market of this name, if there is one.
    pub fn named(name: &str, shape: MarketShape) -> Option<Self> {
        match name {
            "steady" => Some(Self::steady(shape)),
            "many" => Some(Self::many(shape)),
            "cross" => Some(Self::cross(shape)),
            "venue" => Some(Self::classed(shape, Classes::VENUE)),
            "eligible" => Some(Self::classed(shape, Classes::ONE)),
            "thirds" => Some(Self::classed(shape, Classes::THIRDS)),
            _ => None,
        }
    }

    /// One perpetual.
    pub fn steady(shape: MarketShape) -> Self {
        let deployments = [asset(1), DeployCommand::Instrument(perpetual(1))];
        Writer::new("steady", shape, 1, vec![Middle::around(MIDDLE)]).write(&deployments, &[1])
    }

    /// `steady`, whose accounts have classes, and venues with counterparty rules.
    fn classed(shape: MarketShape, classes: Classes) -> Self {
        let mut deployments = vec![asset(1)];
        deployments.extend(classes.deployments());
        deployments.push(DeployCommand::Instrument(perpetual(1)));
        let mut writer = Writer::new(classes.name, shape, 1, vec![Middle::around(MIDDLE)]);
        writer.classes = classes;
        writer.write(&deployments, &[1])
    }

    /// Twenty perpetuals, ten spot instruments, five questions of four outcomes; how often each trades falls as
    /// one over its rank, and the ranks are dealt at random.
    pub fn many(shape: MarketShape) -> Self {
        let mut deployments: Vec<DeployCommand> = (1..=MANY_ASSETS).map(asset).collect();
        let mut middles = Vec::new();
        for number in 1..=20 {
            deployments.push(DeployCommand::Instrument(perpetual(number)));
            middles.push(Middle::around(MIDDLE));
        }
        for number in 1..=10 {
            deployments.push(DeployCommand::Instrument(spot(number)));
            middles.push(Middle::around(MIDDLE));
        }
        for number in 1..=5 {
            deployments.push(DeployCommand::Question(question(number)));
            middles.extend([Middle::around(UNIT / 2); 4]);
        }
        let perpetuals: Vec<u32> = (1..=20).collect();
        Writer::new("many", shape, MANY_ASSETS, middles).write(&deployments, &perpetuals)
    }
}

fn terms(price_max_ticks: i64) -> InstrumentTerms {
    InstrumentTerms {
        quote_atoms_per_tick_lot: 10,
        tick_size: "0.1".into(),
        lot_size: "0.001".into(),
        price_max_ticks,
        qty_min_lots: 1,
        qty_max_lots: 1_000_000,
        notional_min: Amount(0),
        notional_max: Amount(1 << 90),
        position_max_lots: 1 << 36,
        orders_per_account_max: 10_000,
        band_ppm: 0,
        fees: Fees { maker_ppm: -10, taker_ppm: 350, ceiling_ppm: 0 },
        split: Split {
            protocol_ppm: 400_000,
            deployer_ppm: 300_000,
            venue_ppm: 200_000,
            insurance_ppm: 100_000,
            ..Split::NOTHING
        },
        // A cancel must not overtake the place of its order inside a frame.
        matching: Matching::Arrival,
        fees_to: 0,
        venue: 0,
        phases: xos_protocol::Phases::default(),
    }
}

fn asset(number: u32) -> DeployCommand {
    DeployCommand::Asset(AssetSpec::new(format!("ASSET{number}"), 6))
}

fn perpetual(number: u32) -> InstrumentSpec {
    let product = Product::Perpetual { initial_margin_ppm: 50_000, maintenance_margin_ppm: 25_000 };
    InstrumentSpec::new(format!("PERP{number}"), product, terms(1 << 24))
}

fn spot(number: u32) -> InstrumentSpec {
    let product = Product::Spot { base: 2 + number % 5, quote: 1, base_atoms_per_lot: 1_000 };
    InstrumentSpec::new(format!("SPOT{number}"), product, terms(1 << 24))
}

fn question(number: u32) -> QuestionSpec {
    let outcome = |at: u32| OutcomeSpec { symbol: format!("Q{number}.{at}"), name: format!("outcome {at}") };
    QuestionSpec {
        later: None,
        link: None,
        symbol: format!("Q{number}"),
        text: "Which outcome comes?".into(),
        outcomes: (1..=4).map(outcome).collect(),
        ticks_per_unit: UNIT,
        terms: terms(UNIT - 1),
        resolution: None,
        implied: false,
    }
}

/// The price around which an instrument trades now; it walks within a half of where it started.
#[derive(Clone, Copy, Debug)]
struct Middle {
    price: i64,
    start: i64,
}

impl Middle {
    fn around(price: i64) -> Self {
        Self { price, start: price }
    }

    fn step(&mut self, step: i64) {
        self.price = (self.price + step).clamp(self.start / 2, self.start * 3 / 2);
    }
}

/// Writes a market and follows it.
struct Writer {
    name: &'static str,
    shape: MarketShape,
    assets: u32,
    rng: Rng,
    book: SimpleBook,
    middles: Vec<Middle>,
    weights: Vec<u64>,
    next_sequence: u64,
    classes: Classes,
}

impl Writer {
    fn new(name: &'static str, shape: MarketShape, assets: u32, middles: Vec<Middle>) -> Self {
        let mut rng = Rng::new(shape.seed);
        let mut weights: Vec<u64> = (1..=middles.len() as u64).map(|rank| 1_000_000 / rank).collect();
        for at in (1..weights.len()).rev() {
            weights.swap(at, rng.below(at as u64 + 1) as usize);
        }
        let book = SimpleBook::new(middles.len());
        let classes = Classes::NONE;
        Self { name, shape, assets, rng, book, middles, weights, next_sequence: 1, classes }
    }

    fn write(mut self, deployments: &[DeployCommand], perpetuals: &[u32]) -> Market {
        self.next_sequence += deployments.len() as u64;
        let mut prefill = Vec::new();
        self.set_up(&mut prefill, perpetuals);
        while self.book.resting() < self.shape.resting {
            prefill.push(self.place());
        }
        let mut commands = Vec::with_capacity(self.shape.commands);
        for _ in 0..self.shape.commands {
            commands.push(self.draw());
        }
        self.finish(deployments, prefill, commands)
    }

    /// Accounts with their deposits, and the marks of the perpetuals.
    fn set_up(&mut self, prefill: &mut Vec<CommandRecord>, perpetuals: &[u32]) {
        for account in 1..=self.shape.accounts {
            let mut open = command(CommandKind::OpenAccount);
            open.client_id[..4].copy_from_slice(&account.to_le_bytes());
            prefill.push(open);
            for instrument in 1..=self.assets {
                let amount = Int128::new(WEALTH);
                let deposit = command(CommandKind::Deposit);
                prefill.push(CommandRecord { account, instrument, amount, ..deposit });
            }
        }
        prefill.extend((1..=self.shape.accounts).filter_map(|account| self.classes.credential(account)));
        for &instrument in perpetuals {
            let price = self.middles[instrument as usize - 1].price;
            prefill.push(CommandRecord { instrument, price, ..command(CommandKind::SetMark) });
        }
        self.next_sequence += prefill.len() as u64;
    }

    fn finish(
        self,
        deployments: &[DeployCommand],
        prefill: Vec<CommandRecord>,
        commands: Vec<CommandRecord>,
    ) -> Market {
        Market {
            name: self.name,
            deployments: deployments.iter().map(DeployCommand::to_bytes).collect(),
            prefill,
            commands,
            expected: self.book.totals(),
        }
    }

    fn draw(&mut self) -> CommandRecord {
        let drawn = self.rng.below(100);
        if (45..95).contains(&drawn) {
            let number = self.rng.bits();
            if let Some(order_id) = self.book.nth(number) {
                return if drawn < 85 { self.cancel(order_id) } else { self.amend(order_id) };
            }
        }
        if drawn < 95 { self.place() } else { self.take() }
    }

    fn sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence - 1
    }

    fn order(&mut self) -> CommandRecord {
        let instrument = 1 + self.rng.weighted(&self.weights) as u32;
        if self.rng.one_in(64) {
            // A slow walk of the price.
            let step = self.rng.between(-1, 1);
            self.middles[instrument as usize - 1].step(step);
        }
        let account = 1 + self.rng.below(self.shape.accounts.into()) as u32;
        CommandRecord {
            account,
            instrument,
            venue: self.classes.venue(account),
            side: self.rng.below(2) as u8,
            qty: self.rng.between(1, 10),
            ..command(CommandKind::Place)
        }
    }

    /// A price that does not take, mostly near the best.
    fn passive_price(&mut self, instrument: u32, side: Side) -> i64 {
        let middle = self.middles[instrument as usize - 1].price;
        let distance = match self.rng.below(4) {
            0 => self.rng.between(1, 3),
            1 => self.rng.between(1, 12),
            2 => self.rng.between(1, 50),
            _ => self.rng.between(1, 200),
        };
        let price = middle - side.sign() * distance;
        match (side, self.book.best(instrument, side.opposite())) {
            (Side::Buy, Some(ask)) => price.min(ask - 1),
            (Side::Sell, Some(bid)) => price.max(bid + 1),
            _ => price,
        }
    }

    fn place(&mut self) -> CommandRecord {
        let mut record = self.order();
        let side = record.side().expect("0 or 1");
        record.price = self.passive_price(record.instrument, side);
        let sequence = self.sequence();
        self.book.rest(sequence, &record);
        record
    }

    fn cancel(&mut self, order_id: u64) -> CommandRecord {
        let order = self.book.cancel(order_id);
        self.sequence();
        CommandRecord { account: order.account, order_id, ..command(CommandKind::Cancel) }
    }

    /// Half shrink in place, half move to another price that does not take.
    fn amend(&mut self, order_id: u64) -> CommandRecord {
        let order = self.book.order(order_id);
        let mut record = CommandRecord { account: order.account, order_id, ..command(CommandKind::Amend) };
        self.sequence();
        if order.remaining > 1 && self.rng.one_in(2) {
            record.qty = order.total - self.rng.between(1, order.remaining - 1);
            self.book.shrink(order_id, record.qty);
        } else {
            record.price = self.passive_price(order.instrument, order.side);
            if record.price == order.price {
                record.price -= order.side.sign();
            }
            self.book.reprice(order_id, record.price);
        }
        record
    }

    /// An immediate-or-cancel order that reaches a few levels into the book.
    fn take(&mut self) -> CommandRecord {
        let mut record = self.order();
        let side = record.side().expect("0 or 1");
        let middle = self.middles[record.instrument as usize - 1].price;
        let best = self.book.best(record.instrument, side.opposite()).unwrap_or(middle);
        record.price = best + side.sign() * self.rng.between(0, 20);
        // Larger while the book is fuller than it should be, so that its size holds.
        let is_full = self.book.resting() > self.shape.resting;
        record.qty = if is_full { self.rng.between(4, 24) } else { self.rng.between(1, 4) };
        record.tif = Tif::Ioc.code();
        record.flags = if self.rng.one_in(2) { Flags::MARKET } else { 0 };
        self.sequence();
        let (classes, taker) = (self.classes, record.account);
        self.book.take_of(&record, |maker| classes.may_meet(taker, maker));
        record
    }
}
