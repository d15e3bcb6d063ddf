//! The canonical bytes of the state: the same for any engine that follows the rules, whatever its structures. The
//! state hash is their BLAKE3; a snapshot is these bytes and the session part behind them.

use crate::account::Stand;
use crate::admission::ALL;
use crate::client_ids::IdsOf;
use crate::engine::Engine;
use crate::funding::Funding;
use crate::halt::Halt;
use crate::oracle::Oracle;
use crate::questions::{Adding, Claim, Resolution, Settlement};
use crate::triggers::Wait;
use xos_ledger::{Party, SETTLEMENT};
use xos_protocol::Side;
use xos_units::{AccountId, Amount, AssetId, InstrumentId, Qty, QuestionId, VenueId};
use zerocopy::IntoBytes;

/// Receives canonical bytes: a buffer or a hasher.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    fn u16(&mut self, value: u16) {
        self.put(&value.to_le_bytes());
    }
    fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }
    fn u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }
    fn i64(&mut self, value: i64) {
        self.put(&value.to_le_bytes());
    }
    fn amount(&mut self, value: Amount) {
        self.put(&value.0.to_le_bytes());
    }
    fn count(&mut self, value: usize) {
        self.u32(u32::try_from(value).expect("counts are bounded by limits"));
    }
    fn bytes(&mut self, value: &[u8]) {
        self.count(value.len());
        self.put(value);
    }
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Hashes in pieces large enough for the hash to run wide.
struct Hasher {
    hash: blake3::Hasher,
    buffer: Vec<u8>,
}

const PIECE_BYTES: usize = 1 << 16;

/// Compares with bytes that are there already.
struct Comparison<'a> {
    rest: &'a [u8],
    same: bool,
}

impl Sink for Comparison<'_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        match self.rest.split_at_checked(bytes.len()) {
            Some((expected, rest)) if expected == bytes => self.rest = rest,
            _ => self.same = false,
        }
    }
}

impl Sink for Hasher {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            self.hash.update(&self.buffer);
            self.buffer.clear();
        }
    }
}

impl Engine {
    /// BLAKE3 of the canonical state. Sequence, time and client ids are not part of it, so a rejected command
    /// leaves it as it was.
    pub fn state_hash(&self) -> [u8; 32] {
        let mut hasher = Hasher { hash: blake3::Hasher::new(), buffer: Vec::with_capacity(2 * PIECE_BYTES) };
        self.write_state(&mut hasher);
        hasher.hash.update(&hasher.buffer);
        *hasher.hash.finalize().as_bytes()
    }

    /// The canonical state.
    pub fn state_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_state(&mut bytes);
        bytes
    }

    /// Whether these bytes are the canonical state.
    pub(crate) fn is_state(&self, bytes: &[u8]) -> bool {
        let mut comparison = Comparison { rest: bytes, same: true };
        self.write_state(&mut comparison);
        comparison.same && comparison.rest.is_empty()
    }

    /// A snapshot: the length of the canonical state, the state, and the session part (sequence, time, client
    /// ids).
    pub fn snapshot_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 8];
        self.write_state(&mut bytes);
        let state = (bytes.len() - 8) as u64;
        bytes[..8].copy_from_slice(&state.to_le_bytes());
        self.write_session(&mut bytes);
        bytes
    }

    fn write_session(&self, sink: &mut Vec<u8>) {
        sink.u64(self.sequence);
        sink.u64(self.time_ns);
        let permanent = self.client_ids.permanent();
        sink.count(permanent.len());
        sink.put(permanent.as_bytes());
        for of in IdsOf::ALL {
            sink.count(self.client_ids.remembered(of));
            for (time_ns, answer) in self.client_ids.passing(of) {
                sink.u64(time_ns);
                sink.put(answer.as_bytes());
            }
        }
    }

    fn write_state(&self, sink: &mut impl Sink) {
        self.write_deployments(sink);
        self.write_accounts(sink);
        self.write_house(sink);
        sink.u64(self.last_trade_id);
        for instrument in &self.instruments {
            sink.u32(instrument.orders());
            for side in [Side::Buy, Side::Sell] {
                for slot in instrument.queue(&self.pool, side, ALL) {
                    self.write_order(sink, slot);
                }
            }
        }
        sink.count(self.icebergs.len());
        for (id, iceberg) in &self.icebergs {
            let shown = self.pool.find(*id).map_or(Qty::ZERO, |slot| self.pool.order(slot).remaining);
            sink.u64(id.0);
            sink.i64(iceberg.display.0);
            sink.i64(shown.0);
        }
        sink.count(self.countdowns.running().len());
        for (account, deadline_ns) in self.countdowns.running() {
            sink.u32(account.0);
            sink.u64(deadline_ns);
        }
        self.write_triggers(sink);
        self.write_liquidations(sink);
        if !self.governance.state.is_empty() {
            sink.bytes(&self.governance.state.to_bytes());
        }
    }

    fn write_triggers(&self, sink: &mut impl Sink) {
        sink.count(self.triggers.all().len());
        for trigger in self.triggers.all() {
            sink.u64(trigger.id.0);
            sink.u32(trigger.account.0);
            sink.u32(trigger.instrument.0);
            sink.u16(trigger.venue.0);
            sink.put(&[trigger.side.code(), trigger.tif.code(), trigger.flags, trigger.self_trade.code()]);
            sink.i64(trigger.qty.0);
            for leg in [trigger.above, trigger.below] {
                sink.i64(leg.trigger.0);
                sink.i64(leg.limit.0);
                sink.put(&[leg.source.code()]);
            }
            sink.u32(trigger.slippage_ppm);
            sink.u64(trigger.entry.0);
            sink.put(&trigger.client_id);
            sink.put(&[match trigger.wait {
                Wait::Price => 0,
                Wait::Turn { above: true, .. } => 1,
                Wait::Turn { above: false, .. } => 2,
            }]);
        }
        sink.count(self.triggers.row().len());
        self.triggers.row().ids().for_each(|id| sink.u64(id.0));
        sink.count(self.protections.len());
        for ((instrument, account), protection) in &self.protections {
            sink.u32(account.0);
            sink.u32(instrument.0);
            sink.i64(protection.lots_max);
            sink.i64(protection.delta_max);
            sink.u32(protection.window_ms);
            sink.u32(protection.freeze_ms);
            sink.u64(protection.from_ns);
            sink.i64(protection.lots);
            sink.i64(protection.delta);
            sink.u64(protection.frozen_until_ns);
        }
    }

    fn write_liquidations(&self, sink: &mut impl Sink) {
        let liquidations = &self.liquidations;
        sink.u32(liquidations.cursor.0);
        sink.count(liquidations.pending.len());
        liquidations.pending.iter().for_each(|account| sink.u32(account.0));
        for schedule in [&liquidations.visits, &liquidations.repayments] {
            sink.count(schedule.iter().len());
            for (account, next_ns) in schedule.iter() {
                sink.u32(account.0);
                sink.u64(next_ns);
            }
        }
        for terms in self.instruments.iter().filter_map(|instrument| instrument.liquidation.as_ref()) {
            sink.u64(terms.drawn_day);
            sink.amount(terms.drawn);
        }
        if liquidations.growing {
            sink.count(liquidations.clocks.len());
            for (account, clock) in &liquidations.clocks {
                sink.u32(account.0);
                sink.u64(clock.start_ns);
                sink.amount(clock.freed);
            }
        }
        if self.interest_ppm() > 0 {
            sink.u64(self.interest.hour);
            sink.u32(self.interest.hours);
            sink.u32(self.interest.cursor);
            sink.count(self.interest.owed.len());
            for (account, owed) in &self.interest.owed {
                sink.u32(account.0);
                sink.amount(owed.debt);
                sink.u64(owed.left);
            }
        }
    }

    fn write_deployments(&self, sink: &mut impl Sink) {
        sink.bytes(&rmp(&self.limits));
        sink.count(self.assets.len());
        self.assets.iter().for_each(|spec| sink.bytes(&rmp(spec)));
        sink.count(self.venues.len());
        self.venues.iter().for_each(|spec| sink.bytes(&rmp(spec)));
        sink.count(self.publishers.len());
        self.publishers.iter().for_each(|spec| sink.bytes(&rmp(spec)));
        sink.count(self.admission.classes.len());
        self.admission.classes.iter().for_each(|spec| sink.bytes(&rmp(spec)));
        sink.count(self.scenarios.underlyings.len());
        self.scenarios.underlyings.iter().for_each(|underlying| sink.bytes(&rmp(&underlying.spec)));
        sink.count(self.questions.len());
        for question in &self.questions {
            sink.bytes(&rmp(&question.spec));
            sink.u32(question.first.0);
            sink.i64(question.sets);
            write_settlement(sink, question.settlement.as_deref());
            if let Some(resolution) = &question.resolution {
                write_resolution(sink, resolution);
            }
            if question.spec.later.is_some() {
                write_adding(sink, question.adding.as_ref());
            }
        }
        sink.count(self.instruments.len());
        for instrument in &self.instruments {
            sink.u32(instrument.question().map_or(0, |id| id.0));
            if let Some(spec) = &instrument.spec {
                sink.bytes(&rmp(spec));
            }
            sink.put(&[instrument.state.code()]);
            sink.i64(instrument.mark.0);
            sink.i64(instrument.index.0);
            sink.i64(instrument.last.0);
            if let Some(oracle) = &instrument.oracle {
                write_oracle(sink, oracle);
            }
            if let Some(funding) = &instrument.funding {
                write_funding(sink, funding, instrument.epoch);
            }
            if let Some(halt) = &instrument.halt {
                write_halt(sink, halt);
            }
        }
    }

    fn write_accounts(&self, sink: &mut impl Sink) {
        sink.count(self.accounts.len());
        for (at, account) in self.accounts.iter().enumerate() {
            let id = AccountId::from_index(at);
            sink.put(&self.owner_ids[account.owner.0 as usize]);
            let settlement =
                if self.assets.is_empty() { Default::default() } else { self.ledger.settlement(id) };
            sink.amount(settlement.total);
            sink.amount(settlement.held);
            let others: Vec<_> = self.ledger.others(id).collect();
            sink.count(others.len());
            for (asset, balance) in others {
                sink.u32(asset.0);
                sink.amount(balance.total);
                sink.amount(balance.held);
            }
            sink.count(account.stands.len());
            if account.stands.is_sorted_by_key(|stand| stand.key.instrument()) {
                account.stands.iter().for_each(|stand| self.write_stand(sink, stand));
            } else {
                let mut stands: Vec<_> = account.stands.iter().collect();
                stands.sort_unstable_by_key(|stand| stand.key.instrument());
                stands.into_iter().for_each(|stand| self.write_stand(sink, stand));
            }
            let leverages = account.leverages.as_ref().map_or(&[][..], |chosen| chosen);
            sink.count(leverages.len());
            for (instrument, leverage) in leverages {
                sink.u32(instrument.0);
                sink.u32(*leverage);
            }
            sink.u32(account.isolated.map_or(0, |isolated| isolated.parent.0));
            if let Some(isolated) = account.isolated {
                sink.u32(isolated.instrument.0);
            }
            let credential = self.admission.credential(id);
            sink.put(&[u8::from(credential.is_some())]);
            if let Some(credential) = credential {
                sink.u32(account.classes);
                sink.u64(credential.ends_ns);
                sink.u64(credential.issued_ns);
                sink.put(&credential.hash);
            }
            sink.put(&[u8::from(self.is_scenario(id))]);
        }
    }

    fn write_house(&self, sink: &mut impl Sink) {
        let assets = self.assets.len();
        let common = [Party::External, Party::Protocol, Party::Insurance, Party::Rounding];
        let venues = (0..=self.venues.len()).map(|venue| Party::Venue(VenueId(venue as u16)));
        for party in common.into_iter().chain(venues) {
            sink.count(assets);
            for asset in 0..assets {
                sink.amount(self.ledger.house(party, AssetId::from_index(asset)));
            }
        }
        for instrument in &self.instruments {
            let id = InstrumentId(instrument.id.0);
            sink.amount(self.ledger.house(Party::Deployer(id), instrument.quote()));
            sink.amount(self.ledger.house(Party::Clearing(id), SETTLEMENT));
        }
        for at in 0..self.questions.len() {
            let id = QuestionId::from_index(at);
            sink.amount(self.ledger.house(Party::Question(id), SETTLEMENT));
            sink.amount(self.ledger.house(Party::Bonds(id), SETTLEMENT));
        }
    }

    fn write_stand(&self, sink: &mut impl Sink, stand: &Stand) {
        sink.u32(stand.key.instrument().0);
        sink.i64(stand.lots);
        sink.amount(stand.holding().cost);
        sink.amount(stand.holding().realised);
        let instrument = &self.instruments[stand.key.instrument().index()];
        if instrument.funding.is_some() {
            sink.put(&[u8::from(stand.lots != 0 && instrument.is_due(stand))]);
        }
    }

    fn write_order(&self, sink: &mut impl Sink, slot: xos_book::Slot) {
        let order = self.whole_order(slot);
        sink.u64(order.id.0);
        sink.u32(order.account.0);
        sink.u16(order.venue.0);
        sink.put(&[order.side.code(), order.tif.code(), order.flags, order.self_trade.code()]);
        sink.i64(order.price.0);
        sink.i64(order.total.0);
        sink.i64(order.remaining.0);
        sink.u64(order.expires_ns);
        sink.put(&self.client_id_of(&order));
        sink.u32(self.profiles.at(order.profile).classes);
    }
}

fn write_oracle(sink: &mut impl Sink, oracle: &Oracle) {
    sink.put(&[oracle.status.code()]);
    sink.u64(oracle.reopens_at_ns);
    sink.u64(oracle.second);
    for ema in [&oracle.basis, &oracle.own] {
        sink.amount(Amount(ema.sum));
        sink.i64(ema.weight);
    }
    for source in &oracle.sources {
        sink.i64(source.price.0);
        sink.i64(source.external.0);
        sink.u64(source.time_ns);
    }
}

fn write_funding(sink: &mut impl Sink, funding: &Funding, epoch: u32) {
    sink.u32(epoch);
    sink.i64(funding.sum);
    sink.u32(funding.samples);
    sink.u64(funding.slot);
    sink.u64(funding.interval);
    sink.i64(funding.rate.0);
    sink.i64(funding.index.0);
    sink.u32(funding.cursor);
    sink.u32(funding.payments);
    sink.amount(funding.held);
    sink.count(funding.history.len());
    for record in &funding.history {
        sink.u64(record.time_ns);
        sink.i64(record.premium.0);
        sink.i64(record.rate.0);
        sink.i64(record.index.0);
    }
}

fn write_settlement(sink: &mut impl Sink, settlement: Option<&Settlement>) {
    let payouts = settlement.map_or(&[][..], |settlement| &settlement.payouts);
    sink.count(payouts.len());
    payouts.iter().for_each(|share| sink.put(&share.0.to_le_bytes()));
    if let Some(settlement) = settlement {
        sink.u32(settlement.paid);
        sink.put(&[u8::from(settlement.is_done)]);
    }
}

fn write_adding(sink: &mut impl Sink, adding: Option<&Adding>) {
    sink.put(&[u8::from(adding.is_some())]);
    if let Some(Adding { looked_at, credited }) = adding {
        sink.u32(looked_at.0);
        sink.u32(*credited);
    }
}

fn write_resolution(sink: &mut impl Sink, resolution: &Resolution) {
    sink.put(&[resolution.stage.code(), resolution.decided_by.code()]);
    sink.u64(resolution.until_ns);
    resolution.times_ns.iter().for_each(|time_ns| sink.u64(*time_ns));
    sink.u32(resolution.challenger.map_or(0, |account| account.0));
    let proposal = resolution.proposal.as_slice();
    for claims in [proposal, &resolution.votes] {
        sink.count(claims.len());
        claims.iter().for_each(|claim| write_claim(sink, claim));
    }
}

fn write_claim(sink: &mut impl Sink, claim: &Claim) {
    sink.u32(claim.account.0);
    sink.count(claim.payouts_ppm.len());
    claim.payouts_ppm.iter().for_each(|share| sink.put(&share.to_le_bytes()));
}

/// MessagePack by field name.
fn rmp<T: serde::Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("a specification always serialises")
}

fn write_halt(sink: &mut impl Sink, halt: &Halt) {
    sink.put(&[halt.status.code()]);
    sink.u64(halt.halted_until_ns);
    sink.u64(halt.post_only_until_ns);
    sink.count(halt.prices.len());
    for &(second, price) in &halt.prices {
        sink.u64(second);
        sink.i64(price.0);
    }
}
