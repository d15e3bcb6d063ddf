//! `implied`: one question of 48 outcomes with implied liquidity. Makers quote all of them; where the middle of their
//! quotes drifts up, bids of all outcomes reach a unit together, where it drifts down, asks do.

use super::live::Live;
use super::{MarketShape, command};
use crate::rng::Rng;
use xos_engine::{Engine, FrameHeader};
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, EventRecord, Fees, InstrumentTerms, Int128,
    Matching, OutcomeSpec, QuestionSpec, Side, Split, Tif,
};
use xos_units::{Amount, InstrumentId};

const OUTCOMES: i64 = 48;
/// Ticks of one unit.
const UNIT: i64 = 100_000;
/// An even share of it.
const MIDDLE: i64 = UNIT / OUTCOMES;
/// Ticks from the middle of the quotes to the best of them, and how far it drifts.
const HALF_SPREAD: i64 = 4;
const DRIFT: i64 = 24;
/// Commands of one drift up and down.
const PERIOD: i64 = 40_000;
/// Accounts that quote; each begins with complete sets.
const MAKERS: u32 = 64;
const SETS: i64 = 1_000_000;

/// A log in three parts, as of a market.
#[derive(Clone, Debug)]
pub struct ImpliedMarket {
    /// Deployments, one frame each.
    pub deployments: Vec<Vec<u8>>,
    /// Accounts, deposits, complete sets, then the resting orders.
    pub prefill: Vec<CommandRecord>,
    /// 45 % place, 40 % cancel (or place, where too few rest), 10 % amend, 5 % that take what is offered.
    pub commands: Vec<CommandRecord>,
}

/// Writes commands, and asks an engine what became of them.
struct Writer {
    rng: Rng,
    engine: Engine,
    live: Live,
    sequence: u64,
    accounts: u32,
    resting: usize,
    written: i64,
    events: Vec<EventRecord>,
}

impl ImpliedMarket {
    /// The market of this shape.
    pub fn new(shape: MarketShape) -> Self {
        let mut writer = Writer {
            rng: Rng::new(shape.seed),
            engine: Engine::new(),
            live: Live::default(),
            sequence: 0,
            accounts: shape.accounts.max(MAKERS + 1),
            resting: shape.resting,
            written: 0,
            events: Vec::new(),
        };
        let deployments: Vec<Vec<u8>> = deployments().iter().map(DeployCommand::to_bytes).collect();
        for body in &deployments {
            let header = FrameHeader { first_sequence: writer.sequence + 1, time_ns: 1 };
            writer.engine.apply_deploy(header, body, &mut writer.events).expect("it is well formed");
            writer.sequence += 1;
        }
        let mut prefill = writer.set_up();
        while writer.live.orders.len() < shape.resting {
            let record = writer.quote();
            prefill.push(writer.sent(record));
        }
        let commands = (0..shape.commands).map(|_| {
            let record = writer.draw();
            writer.sent(record)
        });
        let commands = commands.collect();
        Self { deployments, prefill, commands }
    }
}

impl Writer {
    fn sent(&mut self, record: CommandRecord) -> CommandRecord {
        self.events.clear();
        let header = FrameHeader { first_sequence: self.sequence + 1, time_ns: 1 };
        self.engine.apply_records(header, &[record], &mut self.events).expect("a frame of one command");
        self.sequence += 1;
        self.written += 1;
        self.events.iter().for_each(|event| self.live.observe(event));
        record
    }

    fn set_up(&mut self) -> Vec<CommandRecord> {
        let mut prefill = Vec::new();
        for account in 1..=self.accounts {
            let mut open = command(CommandKind::OpenAccount);
            open.client_id[..4].copy_from_slice(&account.to_le_bytes());
            prefill.push(self.sent(open));
            let amount = Int128::new(1 << 60);
            let deposit = command(CommandKind::Deposit);
            prefill.push(self.sent(CommandRecord { account, instrument: 1, amount, ..deposit }));
        }
        for account in 1..=MAKERS {
            let split = command(CommandKind::SplitSet);
            prefill.push(self.sent(CommandRecord { account, instrument: 1, qty: SETS, ..split }));
        }
        prefill
    }

    /// Where the middle of the quotes is now.
    fn middle(&self) -> i64 {
        let at = self.written % PERIOD;
        let up = if at < PERIOD / 2 { at } else { PERIOD - at };
        MIDDLE - DRIFT + 2 * DRIFT * up / (PERIOD / 2)
    }

    fn price(&mut self, side: Side) -> i64 {
        let away = if self.rng.one_in(4) { self.rng.between(0, 3) } else { self.rng.between(0, 60) };
        self.middle() - side.sign() * (HALF_SPREAD + away)
    }

    fn quote(&mut self) -> CommandRecord {
        let side = if self.rng.one_in(2) { Side::Buy } else { Side::Sell };
        CommandRecord {
            account: 1 + self.rng.below(MAKERS.into()) as u32,
            instrument: 1 + self.rng.below(OUTCOMES as u64) as u32,
            side: side.code(),
            price: self.price(side),
            qty: self.rng.between(1, 10),
            ..command(CommandKind::Place)
        }
    }

    fn draw(&mut self) -> CommandRecord {
        let drawn = self.rng.below(100);
        let number = self.rng.bits();
        match drawn {
            0..45 => self.quote(),
            45..95 => {
                let Some(order) = self.live.nth(number) else { return self.quote() };
                let named = CommandRecord {
                    account: order.account,
                    order_id: order.id,
                    ..command(CommandKind::Cancel)
                };
                // Steps take many orders: the book is filled again.
                if drawn < 85 && self.live.orders.len() < self.resting {
                    return self.quote();
                }
                let side = if order.side == 0 { Side::Buy } else { Side::Sell };
                let (kind, price) = (CommandKind::Amend.code(), self.price(side));
                if drawn < 85 || price == order.price {
                    return named;
                }
                CommandRecord { kind, price, ..named }
            }
            _ => self.take(),
        }
    }

    /// An immediate-or-cancel order at the best price, or a few ticks beyond.
    fn take(&mut self) -> CommandRecord {
        let record = self.quote();
        let book = self.engine.book_with_implied(InstrumentId(record.instrument), 1);
        let offered = if record.side == 0 { book.asks } else { book.bids };
        let Some((best, _)) = offered.first() else { return record };
        let beyond = self.rng.between(0, 4);
        let price = best.price.0 + if record.side == 0 { beyond } else { -beyond };
        let account = 1 + self.rng.below(self.accounts.into()) as u32;
        CommandRecord { account, price, tif: Tif::Ioc.code(), ..record }
    }
}

fn deployments() -> [DeployCommand; 2] {
    let terms = InstrumentTerms {
        quote_atoms_per_tick_lot: 10,
        tick_size: "0.00001".into(),
        lot_size: "1".into(),
        price_max_ticks: UNIT - 1,
        qty_min_lots: 1,
        qty_max_lots: 1_000_000,
        notional_min: Amount(0),
        notional_max: Amount(1 << 90),
        position_max_lots: 1 << 36,
        orders_per_account_max: 10_000,
        band_ppm: 0,
        fees: Fees { maker_ppm: 0, taker_ppm: 350, ceiling_ppm: 0 },
        split: Split::default(),
        matching: Matching::Arrival,
        fees_to: 0,
        venue: 0,
        phases: xos_protocol::Phases::default(),
    };
    let outcome = |at: i64| OutcomeSpec { symbol: format!("TEAM{at}"), name: format!("team {at}") };
    let question = QuestionSpec {
        later: None,
        symbol: "CUP".into(),
        text: "Which team wins the cup?".into(),
        outcomes: (1..=OUTCOMES).map(outcome).collect(),
        ticks_per_unit: UNIT,
        terms,
        link: None,
        resolution: None,
        implied: true,
    };
    [DeployCommand::Asset(AssetSpec::new("USD".into(), 6)), DeployCommand::Question(question)]
}
