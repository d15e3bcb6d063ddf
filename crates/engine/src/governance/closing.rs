//! Delisting: a market only reduces until its time, then its positions are settled at an average that was measured on
//! the way, in turns of bounded work.

use super::changes::Announcement;
use super::push_change;
use crate::engine::Engine;
use crate::oracle::NS_PER_S;
use crate::questions::Question;
use crate::step::{Refused, Step, refused, wide};
use std::mem::offset_of;
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{
    CancelReason, Change, ClosingMarket, CommandRecord, DecidedBy, EventKind, InstrumentState, MarketKind,
    MeasuredPrice, PendingChange, Reject, ResolutionStage,
};
use xos_risk::Holding;
use xos_units::{AccountId, Amount, InstrumentId, Price, Qty, QuestionId};

impl Engine {
    pub(crate) fn delist(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let (target, account) = (command.instrument, command.account);
        let kind = match MarketKind::from_code(command.side) {
            Some(kind) => kind,
            None => {
                let offset = offset_of!(CommandRecord, side) as i128;
                return refused(Reject::MalformedCommand, command.side, offset);
            }
        };
        self.check_end_of(kind, target, account)?;
        let delay_s = u32::try_from(command.qty.max(0)).unwrap_or(u32::MAX);
        let announcement = Announcement { account, kind, target, delay_s };
        self.check_announcement(&announcement)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.tell_change(step, &announcement, Change::Delisting(MeasuredPrice::default()));
        Ok(())
    }

    /// Whether a market stands, and may be wound down at all.
    pub(super) fn check_end_of(&self, kind: MarketKind, target: u32, account: u32) -> Result<(), Refused> {
        if kind == MarketKind::Instrument {
            let at = self.open_instrument(target)?;
            let spec = self.instruments[at].spec.as_deref();
            if let Some(spec) = spec.filter(|spec| !spec.collateral.is_empty()) {
                let asset = match spec.product {
                    xos_protocol::Product::Spot { base, .. } => base,
                    xos_protocol::Product::Perpetual { .. } => 0,
                };
                return refused(Reject::CannotBeDelisted, target, asset);
            }
        } else if kind == MarketKind::Venue {
            self.check_venue_ended(target)?;
        } else {
            let question = self.undecided(QuestionId(target))?;
            if question.resolution.is_none() {
                return refused(Reject::NotResolvable, target, 0);
            }
            if !self.is_open(question) {
                return refused(Reject::CannotBeDelisted, target, 0);
            }
            // Whoever is about to lose would call it off.
            if account != 0 && question.sets > 0 {
                return refused(Reject::SetsOutstanding, question.sets, target);
            }
        }
        Ok(())
    }

    /// Whether a question with resolvers still trades.
    pub(super) fn is_open(&self, question: &Question) -> bool {
        let resolution = question.resolution.as_ref();
        resolution.is_some_and(|resolution| resolution.stage == ResolutionStage::Open)
    }

    /// Holds a market with positions to orders that reduce, or lets it go.
    pub(super) fn curb(&mut self, kind: MarketKind, target: u32, is_held: bool) {
        let curb = if is_held { InstrumentState::ReduceOnly } else { InstrumentState::Continuous };
        match kind {
            MarketKind::Instrument => {
                let instrument = &mut self.instruments[InstrumentId(target).index()];
                if instrument.key.is_perpetual() {
                    instrument.curb = curb;
                    instrument.refresh_gate();
                }
            }
            MarketKind::Question => {
                for instrument in self.questions[QuestionId(target).index()].instruments() {
                    self.instruments[instrument.index()].curb = curb;
                    self.instruments[instrument.index()].refresh_gate();
                }
            }
            MarketKind::Venue => {}
        }
    }

    /// After a restore.
    pub(crate) fn refresh_curbs(&mut self) {
        let changes = self.governance.state.changes.iter();
        let delisted = changes.filter(|pending| matches!(pending.change, Change::Delisting(_)));
        let held: Vec<_> = delisted.map(|pending| (pending.kind, pending.target)).collect();
        held.into_iter().for_each(|(kind, target)| self.curb(kind, target, true));
        for auction in self.governance.state.auctions.clone() {
            self.enter_auction(&auction);
        }
    }

    /// The price that stands for settlement now: the index, or the mark where there is none.
    fn price_to_settle(&self, at: usize) -> Price {
        let instrument = &self.instruments[at];
        if instrument.index > Price::ZERO { instrument.index } else { instrument.mark }
    }

    /// Adds the time since the last frame to the averages of perpetuals that are wound down, as far as it lies in their
    /// windows: prices have stood still in it.
    pub(super) fn measure(&mut self, before_ns: u64, now_ns: u64) {
        let window_ns = u64::from(self.limits.delisting_window_s) * NS_PER_S;
        for at in 0..self.governance.state.changes.len() {
            let pending = &self.governance.state.changes[at];
            if pending.kind != MarketKind::Instrument || !matches!(pending.change, Change::Delisting(_)) {
                continue;
            }
            let from_ns = before_ns.max(pending.effective_ns.saturating_sub(window_ns));
            let ns = now_ns.min(pending.effective_ns).saturating_sub(from_ns);
            let instrument = InstrumentId(pending.target).index();
            let price = self.price_to_settle(instrument);
            let is_fresh = self.instruments[instrument].has_fresh_prices();
            let pending = &mut self.governance.state.changes[at];
            if let Change::Delisting(measured) = &mut pending.change
                && price > Price::ZERO
            {
                let sum = Amount(i128::from(price.0) * i128::from(ns));
                measured.any_sum += sum;
                measured.any_ns += ns;
                if is_fresh {
                    measured.fresh_sum += sum;
                    measured.fresh_ns += ns;
                }
            }
        }
    }

    /// What was agreed on, within the band around the average of the window; or that average.
    fn settlement_price(&self, at: usize, measured: &MeasuredPrice) -> Price {
        let average = self.average_price(at, measured);
        let instrument = &self.instruments[at];
        match measured.agreed {
            Some(agreed) if instrument.band_ppm > 0 => {
                xos_risk::within(Price(agreed), average, instrument.band_ppm)
            }
            Some(agreed) => Price(agreed),
            None => average,
        }
    }

    /// Of fresh prices, else of any, else what stands.
    fn average_price(&self, at: usize, measured: &MeasuredPrice) -> Price {
        let (sum, ns) = match measured {
            MeasuredPrice { fresh_sum, fresh_ns: 1.., .. } => (fresh_sum.0, measured.fresh_ns),
            MeasuredPrice { any_sum, any_ns: 1.., .. } => (any_sum.0, measured.any_ns),
            _ => return self.price_to_settle(at),
        };
        let nearest = (2 * sum + i128::from(ns)) / (2 * i128::from(ns));
        Price(i64::try_from(nearest).unwrap_or(i64::MAX)).min(self.instruments[at].price_max)
    }

    /// The time of a delisting came.
    pub(super) fn begin_closing(
        &mut self,
        step: &mut Step,
        pending: &PendingChange,
        measured: MeasuredPrice,
    ) {
        if pending.kind == MarketKind::Question {
            push_change(step, EventKind::DelistingBegun, pending);
            let id = QuestionId(pending.target);
            let spec = &self.questions[id.index()].spec.resolution;
            let void = spec.as_ref().map(|spec| spec.void_payouts_ppm.clone()).unwrap_or_default();
            return self.conclude(step, id, &void, DecidedBy::Delisting);
        }
        if pending.kind == MarketKind::Venue {
            push_change(step, EventKind::DelistingBegun, pending);
            return self.close_venue(step, pending.target);
        }
        let id = InstrumentId(pending.target);
        let at = id.index();
        push_change(step, EventKind::DelistingBegun, pending);
        self.instruments[at].set_state(InstrumentState::Settled);
        if self.instruments[at].key.is_perpetual() {
            let price = self.settlement_price(at, &measured);
            if let Some(event) = step.events.last_mut() {
                event.price = price.0;
                event.qty = self.instruments[at].holders.len() as i64;
            }
            self.instruments[at].set_mark(price);
            // It is what their positions will bring.
            self.look_at_holders(at);
        }
        let closing = &mut self.governance.state.closing;
        let place = closing.partition_point(|other| other.instrument < id.0);
        closing.insert(place, ClosingMarket { instrument: id.0, settled: 0 });
    }

    /// A tick: markets that are being closed go on, together as far as one turn reaches.
    #[cold]
    pub(crate) fn go_on_closing(&mut self, step: &mut Step) {
        let mut left = i64::from(self.limits.payouts_per_command_max);
        let mut at = 0;
        while left > 0
            && let Some(closing) = self.governance.state.closing.get(at).copied()
        {
            if self.close_some_of(step, at, InstrumentId(closing.instrument), &mut left) {
                self.governance.state.closing.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Orders leave, then positions are settled, then it is closed: true.
    fn close_some_of(&mut self, step: &mut Step, place: usize, id: InstrumentId, left: &mut i64) -> bool {
        if !self.clear_instrument(step, id, CancelReason::Delisted, left) {
            return false;
        }
        // Whoever owes more than he has is closed before, at the cost of the other side: nobody is paid what nobody has.
        if self.liquidations.pending.meets(&self.instruments[id.index()].holders) {
            return false;
        }
        while let Some(account) = self.instruments[id.index()].holders.first_from(AccountId::from_index(0)) {
            if *left <= 0 {
                return false;
            }
            *left -= 1;
            self.settle_position(step, id, account);
            self.governance.state.closing[place].settled += 1;
        }
        let at = id.index();
        if self.instruments[at].settling {
            self.finish_settlement(step.sequence, at);
        }
        self.check_open_interest(step.sequence, at);
        let event = step.push(EventKind::MarketClosed);
        event.instrument = id.0;
        event.price = if self.instruments[at].key.is_perpetual() { self.instruments[at].mark.0 } else { 0 };
        event.qty = self.governance.state.closing[place].settled.into();
        self.market_ended(step, MarketKind::Instrument, id.0);
        true
    }

    /// A position is worth its lots at the settlement price, which is the mark: the difference to its cost is paid.
    fn settle_position(&mut self, step: &mut Step, id: InstrumentId, account: AccountId) {
        let at = id.index();
        if self.instruments[at].settling {
            self.settle_funding(step, at, account);
        }
        let instrument = &mut self.instruments[at];
        let (key, price) = (instrument.key, instrument.mark);
        let stand = self.accounts[account.index()].stand_mut(key);
        let holding = stand.holding();
        stand.set_holding(Holding::default());
        instrument.position_changed(account, holding.lots, 0);
        instrument.cost_sum -= holding.cost;
        let value = xos_units::notional(price, Qty(holding.lots), instrument.k);
        let realised = value - holding.cost;
        self.emptied.push((account, key));
        let (user, clearing) = (Party::User(account), Party::Clearing(id));
        let (from, to) = if realised >= Amount::ZERO { (clearing, user) } else { (user, clearing) };
        let result = self.ledger.post(from, to, SETTLEMENT, realised.abs(), Reason::Delisting, step.sequence);
        self.money(step.sequence, result);
        self.look_at(account);
        self.look_at_debt(account);
        let total = self.ledger.settlement(account).total;
        let event = step.push(EventKind::PositionSettled);
        event.account = account.0;
        event.instrument = id.0;
        event.price = price.0;
        event.qty = holding.lots;
        event.amount = wide(realised);
        event.counter_amount = wide(total);
    }
}
