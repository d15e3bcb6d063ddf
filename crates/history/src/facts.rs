//! The fold: frames in, rows out.

use crate::Standing;
use crate::candles::{CandleRow, Candles, Source};
use crate::chunks::{Chunk, Chunks, Kind};
use crate::fills::Fill;
use crate::hash::Map;
use crate::lives::{End, Life};
use crate::market::Market;
use crate::movements::told;
use crate::orders::{Open, text_of};
use crate::pack::{Packer, unpacked};
use std::collections::{BTreeMap, BTreeSet};
use xos_engine::Engine;
use xos_ledger::Posting;
use xos_protocol::{CommandRecord, EventFlags, EventKind, EventRecord};
use xos_units::{AccountId, InstrumentId, Price, Qty};

/// A frame, and what executing it gave.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// Sequence of its first command.
    pub first_sequence: u64,
    /// Its time.
    pub time_ns: u64,
    /// Its commands; none if it carries a deployment.
    pub commands: &'a [CommandRecord],
    /// Its events.
    pub events: &'a [EventRecord],
    /// Its postings, in order.
    pub postings: &'a [Posting],
    /// The engine after it.
    pub engine: &'a Engine,
}

/// Rows of some frames, for a database to write all or none of.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Sequence of the last command.
    pub sequence: u64,
    /// Logged time of it.
    pub time_ns: u64,
    /// How many rows there ever were.
    pub number: u64,
    /// Rows by owner.
    pub chunks: Vec<Chunk>,
    /// Candles that are new or changed.
    pub candles: Vec<CandleRow>,
    /// What is not over yet and new or changed.
    pub standing: Vec<Standing>,
    /// What was not over before, and is.
    pub gone: Vec<(Kind, u64, u64)>,
}

/// Follows an exchange.
pub struct Facts {
    pub(crate) number: u64,
    pub(crate) sequence: u64,
    pub(crate) time_ns: u64,
    pub(crate) balances: Map<(u32, u32), i128>,
    pub(crate) markets: Map<u32, Market>,
    pub(crate) orders: Map<u64, Open>,
    pub(crate) lives: Map<(u32, u32), Life>,
    pub(crate) candles: Candles,
    pub(crate) chunks: Chunks,
    /// Orders that changed, each once, and perhaps again where its id comes back.
    pub(crate) changed_orders: Vec<u64>,
    /// Of those that are over, which a batch has told as standing.
    pub(crate) over_orders: Vec<u64>,
    pub(crate) changed_lives: BTreeSet<(u32, u32)>,
    /// Positions that a batch has told as standing.
    pub(crate) kept_lives: BTreeSet<(u32, u32)>,
    /// Of the command that is being read.
    pub(crate) fills: Vec<Fill>,
    pub(crate) closed: Vec<(Life, End)>,
    /// The waiting order that fired last in it.
    pub(crate) fired: u64,
    /// Of the command that is being read: what events told, taken away from what was posted.
    pub(crate) told: Vec<Change>,
    /// Of the frame that is being read: what neither explains of the other.
    pub(crate) changes: Vec<Change>,
    /// How many of its postings were compared with what events told.
    pub(crate) compared: usize,
}

/// Sequence, account, asset, change, reason of the ledger.
pub(crate) type Change = (u64, u32, u32, i128, u8);

impl Facts {
    /// Goes on after the engine's last command: `number` rows were given before, and this was not over then.
    ///
    /// `None` if that is not what batches gave.
    pub fn new(engine: &Engine, number: u64, standing: &[Standing]) -> Option<Self> {
        let mut facts = Self {
            number,
            sequence: engine.sequence(),
            time_ns: engine.time_ns(),
            balances: Map::default(),
            markets: Map::default(),
            orders: Map::default(),
            lives: Map::default(),
            candles: Candles::default(),
            chunks: Chunks::default(),
            changed_orders: Vec::new(),
            over_orders: Vec::new(),
            changed_lives: BTreeSet::new(),
            kept_lives: BTreeSet::new(),
            fills: Vec::new(),
            closed: Vec::new(),
            fired: 0,
            told: Vec::new(),
            changes: Vec::new(),
            compared: 0,
        };
        for account in 1..=engine.account_count() as u32 {
            for balance in engine.balances(AccountId(account)) {
                if balance.total.0 != 0 {
                    facts.balances.insert((account, balance.asset.0), balance.total.0);
                }
            }
        }
        for (kind, first, second, bytes) in standing {
            let rows = unpacked(kind.columns().len(), bytes)?;
            let [(row, text)] = rows.as_slice() else { return None };
            match kind {
                Kind::Order => {
                    facts.orders.insert(*first, Open::restored(row, text)?);
                }
                Kind::Position => {
                    let key = (*first as u32, *second as u32);
                    facts.lives.insert(key, Life::restored(row)?);
                    facts.kept_lives.insert(key);
                }
                Kind::Candle => {
                    let (source, bar_s) = ((first >> 32) as u8, first & u64::from(u32::MAX));
                    facts.candles.restore(source, bar_s, *second as u32, row);
                }
                _ => return None,
            }
        }
        Some(facts)
    }

    /// Reads a frame.
    pub fn take(&mut self, frame: &Frame<'_>) {
        self.time_ns = frame.time_ns;
        self.compared = 0;
        let mut sequence = 0;
        for event in frame.events {
            if event.sequence != sequence {
                self.end_command(frame, sequence);
                sequence = event.sequence;
            }
            self.read(frame, event);
        }
        self.end_command(frame, sequence);
        self.explain_rest(frame);
        let prices_moved = |event: &EventRecord| {
            matches!(
                event.kind(),
                Some(
                    EventKind::Ticked | EventKind::PricePublished | EventKind::MarkSet | EventKind::IndexSet
                )
            )
        };
        if frame.events.iter().any(prices_moved) {
            self.sample(frame.engine);
        }
        self.sequence = frame.engine.sequence();
    }

    /// What was read since the last call.
    pub fn flush(&mut self) -> Batch {
        let mut batch = Batch {
            sequence: self.sequence,
            time_ns: self.time_ns,
            number: self.number,
            chunks: self.chunks.take(),
            candles: self.candles.take(),
            ..Batch::default()
        };
        let mut changed = std::mem::take(&mut self.changed_orders);
        changed.sort_unstable();
        changed.dedup();
        for id in changed {
            let Some(order) = self.orders.get_mut(&id) else { continue };
            (order.is_listed, order.is_kept) = (false, true);
            let mut packer = Packer::default();
            packer.put(&order.row(0, 0, 0), text_of(&order.client_id));
            batch.standing.push((Kind::Order, id, 0, packer.into_bytes()));
        }
        let mut over = std::mem::take(&mut self.over_orders);
        over.sort_unstable();
        batch.gone.extend(
            over.into_iter().filter(|id| !self.orders.contains_key(id)).map(|id| (Kind::Order, id, 0)),
        );
        for key in std::mem::take(&mut self.changed_lives) {
            let (first, second) = (u64::from(key.0), u64::from(key.1));
            if let Some(life) = self.lives.get(&key) {
                let mut packer = Packer::default();
                packer.put(&life.row(0, 0, 0, 0), b"");
                batch.standing.push((Kind::Position, first, second, packer.into_bytes()));
                self.kept_lives.insert(key);
            } else if self.kept_lives.remove(&key) {
                batch.gone.push((Kind::Position, first, second));
            }
        }
        let mut present = BTreeMap::new();
        for (source, bar_s, instrument, _, row) in &batch.candles {
            present.insert((u64::from(*source as u8) << 32 | bar_s, u64::from(*instrument)), row);
        }
        for ((first, second), row) in present {
            let mut packer = Packer::default();
            packer.put(row, b"");
            batch.standing.push((Kind::Candle, first, second, packer.into_bytes()));
        }
        batch
    }

    // --- one event ---

    pub(crate) fn read(&mut self, frame: &Frame<'_>, event: &EventRecord) {
        use EventKind as E;
        let Some(kind) = event.kind() else { return };
        match kind {
            E::PnlRealised => return self.realise(frame, event),
            E::FeeDivided => return,
            _ => self.settle_fills(frame, event.sequence),
        }
        match kind {
            E::Trade | E::ImpliedTrade | E::ImpliedLeg => self.trade(event),
            E::OrderAccepted if event.flags & EventFlags::RETRY == 0 => self.accept(frame, event),
            E::TriggerAccepted if event.flags & EventFlags::RETRY == 0 => self.accept_trigger(frame, event),
            E::TriggerFired => self.fired = event.order_id,
            E::TriggerCancelled => self.forget_trigger(event.order_id),
            // Of any other rejection it is the order that a command named.
            E::Rejected => {
                if event.order_id == self.fired {
                    self.forget_trigger(event.order_id);
                }
            }
            E::OrderAmended => self.with_order(event.order_id, |order| order.amend(event)),
            E::OrderCancelled => self.cancel(event),
            E::FundingSet => {
                let (rate, premium) = (event.amount.get(), event.counter_amount.get());
                self.put(Kind::Funding, event.instrument, 0, event, &[rate, premium, event.price.into()]);
            }
            _ => self.tell(event, kind),
        }
    }

    /// Money, liquidations, and prices that were set.
    pub(crate) fn tell(&mut self, event: &EventRecord, kind: EventKind) {
        use EventKind as E;
        let ticks = Price(event.price);
        match kind {
            E::MarkSet => {
                self.candles.add(Source::Mark, event.instrument, ticks, Qty(0), 1, event.time_ns);
            }
            E::IndexSet => {
                self.candles.add(Source::Index, event.instrument, ticks, Qty(0), 1, event.time_ns);
            }
            E::LiquidationOrder | E::TrancheTookOver | E::BankruptcyClosed | E::Deleveraged => {
                let row = [
                    event.kind.into(),
                    event.account.into(),
                    event.side.into(),
                    event.price.into(),
                    event.qty.into(),
                ];
                self.put(Kind::Liquidation, event.instrument, 0, event, &row);
            }
            _ => {}
        }
        for movement in told(event).into_iter().flatten() {
            self.move_money(event.sequence, movement, text_of(&event.client_id()), true);
        }
        let signed = if event.side == 0 { event.qty } else { -event.qty };
        let (account, instrument, price) = (event.account, event.instrument, event.price);
        match kind {
            E::FundingPaid => self.with_life(account, instrument, |life| life.funding += event.amount.get()),
            E::LiquidationFee => {
                self.with_life(account, instrument, |life| life.liquidation_fee += event.amount.get());
            }
            E::TrancheTookOver => {
                self.hold(account, instrument, signed, price, event.amount.get(), 0, End::Liquidated);
                self.hold(event.counter_account(), instrument, -signed, price, 0, 0, End::Closed);
            }
            E::BankruptcyClosed => {
                self.hold(account, instrument, signed, price, event.amount.get(), 0, End::Liquidated);
            }
            E::Deleveraged => {
                self.hold(account, instrument, signed, price, event.amount.get(), 0, End::Deleveraged);
            }
            // The position itself is told, not what closes it.
            E::PositionSettled => {
                self.hold(account, instrument, -event.qty, price, event.amount.get(), 0, End::Closed);
            }
            _ => {}
        }
    }

    // --- the end of a command and of a frame ---

    fn end_command(&mut self, frame: &Frame<'_>, sequence: u64) {
        self.fired = 0;
        self.settle_fills(frame, sequence);
        self.compare(frame, sequence);
        if self.closed.is_empty() {
            return;
        }
        for (life, how) in std::mem::take(&mut self.closed) {
            self.number += 1;
            let row = life.row(self.number, sequence, self.time_ns, how as u8);
            self.chunks.put(Kind::Position, life.account, 0, self.time_ns, &row, b"");
        }
    }

    fn sample(&mut self, engine: &Engine) {
        for number in 1..=engine.instrument_count() as u32 {
            let Some(view) = engine.instrument(InstrumentId(number)) else { continue };
            for (source, price) in [(Source::Mark, view.mark), (Source::Index, view.index)] {
                if price.0 > 0 {
                    self.candles.add(source, number, price, Qty(0), 1, self.time_ns);
                }
            }
        }
    }

    /// A row of an instrument: number, sequence and time, then these.
    pub(crate) fn put(&mut self, kind: Kind, owner: u32, id: u64, event: &EventRecord, rest: &[i128]) {
        self.number += 1;
        let mut row = [0; 8];
        row[..3].copy_from_slice(&[self.number.into(), event.sequence.into(), event.time_ns.into()]);
        row[3..3 + rest.len()].copy_from_slice(rest);
        self.chunks.put(kind, owner, id, event.time_ns, &row[..3 + rest.len()], b"");
    }

    pub(crate) fn market(&mut self, engine: &Engine, instrument: u32) -> Option<Market> {
        if let Some(market) = self.markets.get(&instrument) {
            return Some(*market);
        }
        let market = Market::of(engine, instrument)?;
        self.markets.insert(instrument, market);
        Some(market)
    }

    /// The balance of an account after all that was read, as the rows have it.
    pub fn balance(&self, account: u32, asset: u32) -> i128 {
        self.balances.get(&(account, asset)).copied().unwrap_or(0)
    }
}
