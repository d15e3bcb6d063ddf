//! From a snapshot back to an engine: everything derived is built again, and the state hash must come out equal.

mod choices;
mod governance;
mod icebergs;
mod liquidations;
mod prices;
mod questions;
mod source;

use self::prices::{read_funding, read_halt, read_oracle};
use self::questions::read_question;
use self::source::{Read, Source};
use crate::account::Account;
use crate::client_ids::IdsOf;
use crate::engine::Engine;
use crate::lookup::Tag;
use crate::protection::Protection;
use crate::triggers::{Trigger, Wait};
use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;
use xos_book::RestingOrder;
use xos_ledger::{Balance, Party, SETTLEMENT};
use xos_protocol::{ClientId, EventKind, EventRecord, InstrumentState, SelfTrade, Side, Tif};
use xos_risk::Holding;
use xos_units::{AccountId, Amount, AssetId, InstrumentId, OrderId, Price, Qty, QuestionId, VenueId};

/// Sizes of what there are many of.
const ACCOUNT_BYTES_LEAST: usize = 73;
const STAND_BYTES: usize = 44;
const ORDER_BYTES: usize = 86;
const TRIGGER_BYTES: usize = 109;
const PROTECTION_BYTES: usize = 64;
const PASSING_BYTES: usize = 8 + size_of::<EventRecord>();
/// Things whose memory is read ahead.
const AHEAD: usize = 16;

/// Why a snapshot cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// The bytes end, or say something impossible, at this offset.
    Malformed {
        /// Where.
        offset: usize,
        /// What was being read.
        what: &'static str,
    },
    /// The engine built from the snapshot has another state, and so another hash.
    Differs,
    /// An invariant fails in it.
    Unsound(String),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { offset, what } => {
                write!(f, "the snapshot is malformed at offset {offset} ({what})")
            }
            Self::Differs => write!(f, "the state built from the snapshot is another than the snapshot's"),
            Self::Unsound(detail) => write!(f, "the state built from the snapshot is unsound: {detail}"),
        }
    }
}

impl std::error::Error for RestoreError {}

impl Engine {
    /// Builds the engine that `snapshot_bytes` was taken of. It passes the audit, and its canonical state is, byte for
    /// byte, the one in the snapshot; whether that has the expected hash is the caller's to compare.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, RestoreError> {
        let mut source = Source { bytes, at: 0 };
        let length = usize::try_from(source.u64("length of the state")?).unwrap_or(usize::MAX);
        let state = source.take(length, "state")?;
        let session_at = source.at;
        let mut engine = Self::new();
        let mut source = Source { bytes: state, at: 0 };
        engine.read_deployments(&mut source)?;
        engine.read_accounts(&mut source)?;
        engine.read_house(&mut source)?;
        engine.last_trade_id = source.u64("last trade")?;
        engine.read_orders(&mut source)?;
        engine.read_icebergs(&mut source)?;
        engine.read_countdowns(&mut source)?;
        engine.read_triggers(&mut source)?;
        engine.read_liquidations(&mut source)?;
        engine.read_governance(&mut source)?;
        if source.at != state.len() {
            return source.malformed("end of the state");
        }
        engine.read_session(&mut Source { bytes, at: session_at })?;
        engine.restore_phases();
        if let Some(violation) = &engine.violation {
            return Err(RestoreError::Unsound(violation.detail.clone()));
        }
        engine.check_everything().map_err(|violation| RestoreError::Unsound(violation.detail))?;
        // The same bytes have the same hash, and comparing is cheaper.
        if engine.is_state(state) { Ok(engine) } else { Err(RestoreError::Differs) }
    }

    fn read_deployments(&mut self, source: &mut Source) -> Read<()> {
        self.limits = source.spec("limits")?;
        for _ in 0..source.u32("assets")? {
            let spec = source.spec("asset")?;
            self.add_asset(spec);
        }
        for _ in 0..source.u32("venues")? {
            let spec = source.spec("venue")?;
            self.add_venue(spec);
        }
        for _ in 0..source.u32("publishers")? {
            let spec = source.spec("publisher")?;
            self.add_publisher(spec);
        }
        for _ in 0..source.u32("classes")? {
            let spec = source.spec("class")?;
            self.add_class(spec);
        }
        self.read_underlyings(source)?;
        let mut questions = Vec::new();
        for _ in 0..source.u32("questions")? {
            questions.push(read_question(source)?);
        }
        let mut questions = questions.into_iter();
        let (count, mut pending) = (source.u32("instruments")? as usize, 0);
        for at in 0..count {
            let question = source.u32("question of instrument")?;
            if question == 0 {
                let spec = source.spec("instrument")?;
                self.add_instrument(spec);
            } else if pending == 0 {
                let Some(question) = questions.next() else {
                    return source.malformed("question");
                };
                if question.first as usize != at + 1 {
                    return source.malformed("first outcome");
                }
                pending = question.spec.outcomes_most();
                self.restore_question(question);
                pending -= 1;
            } else {
                pending -= 1;
            }
            let state = source.word(InstrumentState::from_code, "state")?;
            let (mark, index) = (source.i64("mark")?, source.i64("index")?);
            let last = source.i64("last price")?;
            let Some(instrument) = self.instruments.get_mut(at) else {
                return source.malformed("instrument");
            };
            instrument.set_mark(Price(mark));
            (instrument.index, instrument.last) = (Price(index), Price(last));
            if let Some(oracle) = &mut instrument.oracle {
                read_oracle(source, oracle)?;
            }
            if let Some(funding) = &mut instrument.funding {
                instrument.epoch = read_funding(source, funding)?;
                instrument.settling = funding.cursor != 0;
                instrument.cost_sum = -funding.held;
            }
            read_halt(source, instrument)?;
            instrument.set_state(state);
        }
        Ok(())
    }

    fn read_accounts(&mut self, source: &mut Source) -> Read<()> {
        let count = source.count(ACCOUNT_BYTES_LEAST, "accounts")?;
        self.accounts.reserve_exact(count);
        self.ledger.reserve_users(count);
        self.owner_ids.reserve(count);
        self.owners.reserve(count);
        let mut before = source.at;
        for at in 0..count {
            // Most accounts take as many bytes as the one before.
            let ahead = source.at + AHEAD * (source.at - before);
            if let Some(owner) = source.bytes.get(ahead..).and_then(|bytes| bytes.first_chunk()) {
                black_box(self.owners.touch(self.owners.tag(owner, 0)));
            }
            before = source.at;
            let owner = self.owner(source.array("owner")?);
            let id = AccountId::from_index(at);
            self.accounts.push(Account::of(owner));
            self.ledger.add_user();
            // The audit at the end compares what is held with the orders.
            let settlement = Balance { total: source.amount("total")?, held: source.amount("held")? };
            if !self.assets.is_empty() {
                self.ledger.restore_user(id, SETTLEMENT, settlement);
            }
            for _ in 0..source.u32("other assets")? {
                let asset = AssetId(source.u32("asset")?);
                let balance = Balance { total: source.amount("total")?, held: source.amount("held")? };
                if asset.index() >= self.assets.len() || asset == SETTLEMENT {
                    return source.malformed("asset");
                }
                self.ledger.restore_user(id, asset, balance);
                self.asset_moved(id, asset);
            }
            self.read_stands(source, id)?;
            self.read_choices(source, id)?;
        }
        Ok(())
    }

    fn read_stands(&mut self, source: &mut Source, id: AccountId) -> Read<()> {
        let count = source.count(STAND_BYTES, "stands")?;
        self.accounts[id.index()].stands.reserve_exact(count);
        for _ in 0..count {
            let instrument = InstrumentId(source.u32("instrument")?);
            let holding = Holding {
                lots: source.i64("position")?,
                cost: source.amount("cost")?,
                realised: source.amount("realised")?,
            };
            let Some(instrument) = self.instruments.get_mut(instrument.index()) else {
                return source.malformed("instrument");
            };
            instrument.position_changed(id, 0, holding.lots);
            instrument.cost_sum += holding.cost;
            let [is_due] = if instrument.funding.is_some() { source.array("funding due")? } else { [0] };
            let stand = self.accounts[id.index()].stand_mut(instrument.key);
            stand.set_holding(holding);
            stand.epoch = instrument.epoch.wrapping_sub(u32::from(is_due));
        }
        Ok(())
    }

    fn read_house(&mut self, source: &mut Source) -> Read<()> {
        let common = [Party::External, Party::Protocol, Party::Insurance, Party::Rounding];
        let venues: Vec<_> =
            (0..=self.venues.len()).map(|venue| Party::Venue(VenueId(venue as u16))).collect();
        for party in common.into_iter().chain(venues) {
            for asset in 0..source.u32("assets")? as usize {
                let amount = source.amount("house balance")?;
                if asset >= self.assets.len() {
                    return source.malformed("asset");
                }
                self.restore_house(source, party, AssetId::from_index(asset), amount)?;
            }
        }
        for at in 0..self.instruments.len() {
            let (id, quote) = (InstrumentId::from_index(at), self.instruments[at].quote());
            let (deployer, clearing) = (source.amount("deployer")?, source.amount("clearing")?);
            self.restore_house(source, Party::Deployer(id), quote, deployer)?;
            self.restore_house(source, Party::Clearing(id), SETTLEMENT, clearing)?;
        }
        for at in 0..self.questions.len() {
            let id = QuestionId::from_index(at);
            let (collateral, bonds) = (source.amount("collateral")?, source.amount("bonds")?);
            self.restore_house(source, Party::Question(id), SETTLEMENT, collateral)?;
            self.restore_house(source, Party::Bonds(id), SETTLEMENT, bonds)?;
        }
        Ok(())
    }

    fn restore_house(&mut self, source: &Source, party: Party, asset: AssetId, amount: Amount) -> Read<()> {
        self.ledger
            .restore_house(party, asset, amount)
            .map_err(|_| RestoreError::Malformed { offset: source.at, what: "house balance" })
    }

    /// Rests every order again, in the order of its queue.
    fn read_orders(&mut self, source: &mut Source) -> Read<()> {
        let mut expiries = Vec::new();
        for at in 0..self.instruments.len() {
            let count = source.count(ORDER_BYTES, "orders")?;
            self.pool.reserve(count);
            // Orders of one level have one reserve a lot, unless their venues' fees differ.
            let mut last = (VenueId(0), Side::Buy, Price::ZERO, Amount::ZERO);
            for _ in 0..count {
                self.read_accounts_ahead(source);
                let mut order = self.read_order(source, InstrumentId::from_index(at))?;
                order.profile = self.read_profile(source, order.venue)?;
                if (last.0, last.1, last.2) != (order.venue, order.side, order.price) {
                    let instrument = &self.instruments[at];
                    let per_lot = self.reserve_per_lot(instrument, order.venue, order.side, order.price);
                    last = (order.venue, order.side, order.price, per_lot);
                }
                if order.tif == Tif::Gtd {
                    expiries.push((order.expires_ns, order.id.0));
                }
                self.queue_restored(order, last.3);
            }
        }
        self.expiries = expiries.into_iter().collect();
        self.find_worst_cases();
        self.find_bests();
        Ok(())
    }

    /// An order without its client id, which is known by its answer in the session part.
    #[inline(always)]
    fn read_order(&self, source: &mut Source, instrument: InstrumentId) -> Read<RestingOrder> {
        let id = OrderId(source.u64("order")?);
        let account = AccountId(source.u32("account")?);
        let venue = VenueId(source.u16("venue")?);
        let side = source.word(Side::from_code, "side")?;
        let tif = source.word(Tif::from_code, "tif")?;
        let [flags] = source.array("flags")?;
        let self_trade = source.word(SelfTrade::from_code, "self-trade mode")?;
        let (price, total) = (Price(source.i64("price")?), Qty(source.i64("total")?));
        let (remaining, expires_ns) = (Qty(source.i64("remaining")?), source.u64("expiry")?);
        source.take(size_of::<ClientId>(), "client id")?;
        let known = account.index() < self.accounts.len() && (venue.0 as usize) <= self.venues.len();
        if !known || remaining.0 < 1 || price.0 < 1 || self.pool.find(id).is_some() {
            return source.malformed("order");
        }
        let owner = self.accounts[account.index()].owner;
        Ok(RestingOrder {
            remaining,
            expires_ns,
            account,
            owner,
            instrument,
            venue,
            tif,
            flags,
            self_trade,
            ..RestingOrder::unlinked(id, side, price, total)
        })
    }

    /// Reads the accounts of orders that come soon, so that the cache misses overlap.
    #[inline(always)]
    fn read_accounts_ahead(&self, source: &Source) {
        let account = |orders: usize| {
            let at = source.at + orders * ORDER_BYTES + size_of::<u64>();
            let bytes = source.bytes.get(at..)?.first_chunk()?;
            self.accounts.get(AccountId(u32::from_le_bytes(*bytes)).index())
        };
        let far = account(2 * AHEAD).map_or(0, |account| account.orders);
        let near = account(AHEAD).and_then(|account| account.stands.first()).map_or(0, |stand| stand.head);
        black_box(far ^ near);
    }

    /// The worst case of every question in which an account stands.
    fn find_worst_cases(&mut self) {
        for at in 0..self.accounts.len() {
            let mut last = None;
            for stand in 0..self.accounts[at].stands.len() {
                let instrument = self.accounts[at].stands[stand].key.instrument();
                let question = self.instruments[instrument.index()].question();
                if let Some(id) = question
                    && question != last
                {
                    self.refresh_worst_case(AccountId::from_index(at), id);
                    last = question;
                }
            }
        }
    }

    fn read_triggers(&mut self, source: &mut Source) -> Read<()> {
        let mut reached = BTreeMap::new();
        for _ in 0..source.count(TRIGGER_BYTES, "waiting orders")? {
            let (trigger, wait) = self.read_trigger(source)?;
            if wait != 0 {
                reached.insert(trigger.id, wait == 1);
            }
            self.add_trigger(trigger);
        }
        for _ in 0..source.count(size_of::<u64>(), "row of reached orders")? {
            let id = OrderId(source.u64("order")?);
            let Some(above) = reached.remove(&id) else { return source.malformed("row of reached orders") };
            self.triggers.reach(id, above);
            self.triggers_due = true;
        }
        if !reached.is_empty() {
            return source.malformed("row of reached orders");
        }
        for _ in 0..source.count(PROTECTION_BYTES, "protections")? {
            let account = AccountId(source.u32("account")?);
            let instrument = InstrumentId(source.u32("instrument")?);
            let protection = Protection {
                lots_max: source.i64("lots")?,
                delta_max: source.i64("delta")?,
                window_ms: source.u32("window")?,
                freeze_ms: source.u32("freeze")?,
                from_ns: source.u64("begin of window")?,
                lots: source.i64("lots traded")?,
                delta: source.i64("net lots")?,
                frozen_until_ns: source.u64("end of freeze")?,
            };
            if account.index() >= self.accounts.len() || instrument.index() >= self.instruments.len() {
                return source.malformed("protection");
            }
            self.protections.insert((instrument, account), protection);
        }
        Ok(())
    }

    /// A waiting order, and where it stood: 0 watching, 1 and 2 in the row, reached above or below.
    fn read_trigger(&self, source: &mut Source) -> Read<(Trigger, u8)> {
        let trigger = Trigger {
            id: OrderId(source.u64("order")?),
            account: AccountId(source.u32("account")?),
            instrument: InstrumentId(source.u32("instrument")?),
            venue: VenueId(source.u16("venue")?),
            side: source.word(Side::from_code, "side")?,
            tif: source.word(Tif::from_code, "tif")?,
            flags: source.word(Some, "flags")?,
            self_trade: source.word(SelfTrade::from_code, "self-trade mode")?,
            qty: Qty(source.i64("lots")?),
            above: source.leg()?,
            below: source.leg()?,
            slippage_ppm: source.u32("slippage")?,
            entry: OrderId(source.u64("entry")?),
            client_id: source.array("client id")?,
            wait: Wait::Price,
        };
        let wait = source.word(|code| (code <= 2).then_some(code), "wait")?;
        let known = trigger.account.index() < self.accounts.len()
            && trigger.instrument.index() < self.instruments.len()
            && trigger.venue.0 as usize <= self.venues.len();
        if !known || self.triggers.get(trigger.id).is_some() {
            return source.malformed("waiting order");
        }
        Ok((trigger, wait))
    }

    fn read_account(&self, source: &mut Source) -> Read<AccountId> {
        let account = AccountId(source.u32("account")?);
        if account.index() >= self.accounts.len() {
            return source.malformed("account");
        }
        Ok(account)
    }

    fn read_session(&mut self, source: &mut Source) -> Read<()> {
        self.sequence = source.u64("sequence")?;
        self.time_ns = source.u64("time")?;
        let permanent = source.count(size_of::<EventRecord>(), "permanent client ids")?;
        self.client_ids.reserve(permanent);
        for _ in 0..permanent {
            let answer = source.event()?;
            let tag = self.new_id(source, &answer)?;
            self.client_ids.remember_for_ever(tag, &answer);
        }
        for of in IdsOf::ALL {
            let passing = source.count(PASSING_BYTES, "client ids")?;
            self.client_ids.reserve(passing);
            for done in (0..passing).step_by(AHEAD) {
                self.read_ids(source, of, AHEAD.min(passing - done))?;
            }
        }
        if source.at == source.bytes.len() { Ok(()) } else { source.malformed("end of the snapshot") }
    }

    /// Some ids that pass at once, so that the cache misses overlap.
    fn read_ids(&mut self, source: &mut Source, of: IdsOf, count: usize) -> Read<()> {
        let mut answers = [(0, EventRecord::ZERO); AHEAD];
        let mut seen = 0;
        for (time_ns, answer) in &mut answers[..count] {
            (*time_ns, *answer) = (source.u64("time of a client id")?, source.event()?);
            let tag = self.client_ids.tag(AccountId(answer.account), &answer.detail);
            seen ^= self.client_ids.touch(tag) ^ self.pool.touch_index(OrderId(answer.order_id));
        }
        let mut slots = [None; AHEAD];
        for (slot, (_, answer)) in slots.iter_mut().zip(&answers[..count]) {
            let accepted = answer.kind == EventKind::OrderAccepted.code()
                || answer.kind == EventKind::TriggerAccepted.code();
            *slot = accepted.then(|| self.pool.find(OrderId(answer.order_id))).flatten();
            seen ^= slot.map_or(0, |slot| self.pool.touch(slot));
        }
        black_box(seen);
        for (slot, (time_ns, answer)) in slots.into_iter().zip(&answers[..count]) {
            let tag = self.new_id(source, answer)?;
            if let Some(slot) = slot {
                self.pool.order_mut(slot).client_id_at = self.client_ids.next_slot();
            }
            self.client_ids.remember(of, tag, answer, *time_ns);
        }
        Ok(())
    }

    fn new_id(&self, source: &Source, answer: &EventRecord) -> Read<Tag> {
        let account = AccountId(answer.account);
        let tag = self.client_ids.tag(account, &answer.detail);
        match self.client_ids.answer(tag, account, &answer.detail) {
            Some(_) => source.malformed("client id"),
            None => Ok(tag),
        }
    }
}
