//! Section 30: how markets that stand change, and how they are wound down.

use super::deploy::{bound, check_terms};
use super::events::Cause;
use super::refusal::{Refusal, check, check_id, refuse};
use super::state::{Kind, World};
use xos_protocol::{
    Change, CommandRecord, EventFlags, EventKind, EventRecord, Fees, InstrumentSpec, InstrumentState,
    InstrumentTerms, InstrumentUpdate, Int128, MarketKind, MeasuredPrice, PendingChange, Product,
    QuestionUpdate, Reject,
};

const YEAR_S: u32 = 31_536_000;
const SECOND_NS: u64 = 1_000_000_000;

/// The rate that orders reserve for.
pub(super) fn highest(fees: Fees) -> i32 {
    fees.maker_ppm.max(fees.taker_ppm).max(fees.ceiling_ppm)
}

/// Whose change of what is asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) account: u32,
    pub(super) kind: MarketKind,
    pub(super) target: u32,
    pub(super) delay_s: i64,
}

impl World {
    pub(super) fn pending_on(&self, kind: MarketKind, target: u32) -> Option<&PendingChange> {
        self.governance.changes.iter().find(|p| p.kind == kind && p.target == target)
    }

    pub(super) fn check_asked(&self, asked: Asked) -> Result<(), Refusal> {
        let Asked { account, target, .. } = asked;
        check(account != 0 || !self.is_operator_bound(), Reject::NeedsVote, target, 0)?;
        check(self.may_change(asked), Reject::NotTheDeployer, account, target)?;
        if let Some(pending) = self.pending_on(asked.kind, target) {
            return refuse(Reject::ChangePending, target, pending.id);
        }
        let least = self.limits.change_delay_s_min;
        check(asked.delay_s >= least.into(), Reject::ChangeDelayTooShort, asked.delay_s, least)?;
        bound(182, asked.delay_s, asked.delay_s <= YEAR_S.into())
    }

    /// An instrument that trades and is no outcome.
    pub(super) fn check_own(&self, id: u32) -> Result<(), Refusal> {
        check_id(id, self.instruments.len(), Reject::UnknownInstrument)?;
        let question = self.question_of(id);
        check(question == 0, Reject::OutcomeOfAQuestion, id, question)?;
        check(!self.is_closed(id), Reject::InstrumentSettled, id, 0)
    }

    pub(super) fn is_closed(&self, id: u32) -> bool {
        self.instrument(id).state == InstrumentState::Settled
    }

    pub(super) fn update_instrument(
        &mut self,
        cause: &Cause,
        update: InstrumentUpdate,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let id = update.instrument;
        self.check_own(id)?;
        let (account, delay_s) = (update.account, i64::from(update.delay_s));
        let asked = Asked { account, kind: MarketKind::Instrument, target: id, delay_s };
        self.check_asked(asked)?;
        let spec = self.check_update_of_instrument(id, account, update.spec)?;
        self.announce_change(cause, asked, Change::Instrument(Box::new(spec)), events);
        Ok(())
    }

    /// What an instrument would be; the ceiling of its fees is the one before.
    pub(super) fn check_update_of_instrument(
        &self,
        id: u32,
        account: u32,
        mut spec: InstrumentSpec,
    ) -> Result<InstrumentSpec, Refusal> {
        self.check_own(id)?;
        let old = self.instrument(id).spec.clone().expect("no outcome");
        let fixed = |field: i128, holds: bool| check(holds, Reject::FieldIsFixed, id, field);
        fixed(183, old.symbol == spec.symbol)?;
        match (old.product, spec.product) {
            (
                Product::Spot { base, quote, base_atoms_per_lot },
                Product::Spot { base: new_base, quote: new_quote, base_atoms_per_lot: new_atoms },
            ) => {
                fixed(14, base == new_base && quote == new_quote)?;
                fixed(15, base_atoms_per_lot == new_atoms)?;
            }
            (Product::Perpetual { .. }, Product::Perpetual { .. }) => {}
            _ => fixed(14, false)?,
        }
        check_fixed_terms(id, &old.terms, &spec.terms)?;
        fixed(32, old.oracle.is_some() == spec.oracle.is_some())?;
        fixed(42, old.funding.is_some() == spec.funding.is_some())?;
        if let (Some(old), Some(new)) = (&old.funding, &spec.funding) {
            fixed(43, old.interval_h == new.interval_h)?;
        }
        fixed(58, old.collateral.is_empty() == spec.collateral.is_empty())?;
        fixed(83, old.conversion_slippage_ppm.is_some() == spec.conversion_slippage_ppm.is_some())?;
        fixed(71, old.liquidation.is_some() == spec.liquidation.is_some())?;
        fixed(62, old.isolated_only == spec.isolated_only)?;
        fixed(101, old.halt.is_some() == spec.halt.is_some())?;
        if account != 0 {
            self.check_of_deployer(account, &spec, false)?;
        }
        self.check_instrument(&spec, true)?;
        spec.terms.fees = check_ceiling(old.terms.fees, spec.terms.fees)?;
        check(spec != old, Reject::NothingChanges, id, 0)?;
        Ok(spec)
    }

    pub(super) fn update_question(
        &mut self,
        cause: &Cause,
        update: QuestionUpdate,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let id = update.question;
        self.check_undecided(id)?;
        let (account, delay_s) = (update.account, i64::from(update.delay_s));
        let asked = Asked { account, kind: MarketKind::Question, target: id, delay_s };
        self.check_asked(asked)?;
        let terms = self.check_update_of_question(id, update.terms)?;
        self.announce_change(cause, asked, Change::Terms(Box::new(terms)), events);
        Ok(())
    }

    pub(super) fn check_update_of_question(
        &self,
        id: u32,
        mut terms: InstrumentTerms,
    ) -> Result<InstrumentTerms, Refusal> {
        self.check_undecided(id)?;
        let old = self.question(id).spec.clone();
        check_fixed_terms(id, &old.terms, &terms)?;
        bound(20, terms.price_max_ticks, terms.band_ppm == 0)?;
        check_terms(&terms, old.ticks_per_unit)?;
        self.check_fee_bound(terms.fees)?;
        self.check_terms_140(&terms)?;
        super::phases::check_173(terms.phases, false)?;
        terms.fees = check_ceiling(old.terms.fees, terms.fees)?;
        check(terms != old.terms, Reject::NothingChanges, id, 0)?;
        Ok(terms)
    }

    pub(super) fn announce_change(
        &mut self,
        cause: &Cause,
        asked: Asked,
        change: Change,
        events: &mut Vec<EventRecord>,
    ) {
        let wait_ns = asked.delay_s.unsigned_abs().saturating_mul(SECOND_NS);
        let pending = PendingChange {
            id: cause.sequence,
            account: asked.account,
            kind: asked.kind,
            target: asked.target,
            effective_ns: cause.time_ns.saturating_add(wait_ns),
            change,
            is_voted: false,
        };
        self.list_change(cause, pending, events);
    }

    pub(super) fn list_change(
        &mut self,
        cause: &Cause,
        pending: PendingChange,
        events: &mut Vec<EventRecord>,
    ) {
        let event = match &pending.change {
            Change::Delisting(_) => of_change(cause, EventKind::DelistingAnnounced, &pending),
            Change::Instrument(spec) => with_hash(cause, &pending, spec.as_ref()),
            Change::Venue(spec) => with_hash(cause, &pending, spec.as_ref()),
            Change::Terms(terms) => with_hash(cause, &pending, terms.as_ref()),
        };
        events.push(event);
        self.governance.changes.push(pending);
        self.governance.changes.sort_by_key(|pending| pending.id);
        self.see_what_winds_down();
    }

    pub(super) fn withdraw_change(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let id = command.order_id;
        let found = self.governance.changes.iter().position(|p| p.id == id && p.effective_ns > cause.time_ns);
        let Some(at) = found else { return refuse(Reject::UnknownChange, id, 0) };
        let pending = self.governance.changes[at].clone();
        check(pending.account == command.account, Reject::NotTheDeployer, command.account, pending.target)?;
        let is_bound = command.account == 0 && self.is_operator_bound();
        check(!pending.is_voted && !is_bound, Reject::NeedsVote, id, 0)?;
        self.take_back(cause, at, events);
        Ok(())
    }

    pub(super) fn take_back(&mut self, cause: &Cause, at: usize, events: &mut Vec<EventRecord>) {
        let pending = self.governance.changes.remove(at);
        self.see_what_winds_down();
        events.push(of_change(cause, EventKind::ChangeWithdrawn, &pending));
    }

    pub(super) fn delist(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (id, account) = (command.instrument, command.account);
        let kind = MarketKind::from_code(command.side).expect("its bytes were checked");
        self.check_end_of(kind, id, account)?;
        let delay_s = command.qty.clamp(0, i64::from(u32::MAX));
        let asked = Asked { account, kind, target: id, delay_s };
        self.check_asked(asked)?;
        self.announce_change(cause, asked, Change::Delisting(MeasuredPrice::default()), events);
        Ok(())
    }

    /// Whether a market may be delisted.
    pub(super) fn check_end_of(&self, kind: MarketKind, id: u32, account: u32) -> Result<(), Refusal> {
        if kind == MarketKind::Instrument {
            self.check_own(id)?;
            let instrument = self.instrument(id);
            let is_collateral = instrument.spec.as_ref().is_some_and(|spec| !spec.collateral.is_empty());
            if let Kind::Spot { base, .. } = instrument.kind {
                check(!is_collateral, Reject::CannotBeDelisted, id, base)?;
            }
        } else if kind == MarketKind::Venue {
            check_id(id, self.venues.len(), Reject::UnknownVenue)?;
            check(!self.governance.closed_venues.contains(&id), Reject::VenueClosed, id, 0)?;
            if let Some(instrument) = self.trades_for(id) {
                return refuse(Reject::VenueHasMarkets, instrument, id);
            }
        } else {
            self.check_undecided(id)?;
            check(self.question(id).resolution.is_some(), Reject::NotResolvable, id, 0)?;
            check(self.trades(id), Reject::CannotBeDelisted, id, 0)?;
            let sets = self.question(id).sets;
            check(account == 0 || sets == 0, Reject::SetsOutstanding, sets, id)?;
        }
        Ok(())
    }

    /// Whether the resolvers of a question wait for its close time.
    fn trades(&self, question: u32) -> bool {
        let resolution = &self.question(question).resolution;
        resolution.as_ref().is_some_and(|r| r.stage == xos_protocol::ResolutionStage::Open)
    }

    /// What an announced delisting lets an instrument accept.
    fn see_what_winds_down(&mut self) {
        for id in 1..=self.instruments.len() as u32 {
            self.instrument_mut(id).winds_down = self.is_wound_down(id);
        }
    }

    fn is_wound_down(&self, instrument: u32) -> bool {
        let question = self.question_of(instrument);
        self.governance.changes.iter().any(|pending| {
            matches!(pending.change, Change::Delisting(_))
                && match pending.kind {
                    MarketKind::Instrument => {
                        pending.target == instrument && self.instrument(instrument).is_perpetual()
                    }
                    MarketKind::Question => question != 0 && pending.target == question,
                    MarketKind::Venue => false,
                }
        })
    }

    pub(super) fn price_to_settle(&self, id: u32) -> i64 {
        let instrument = self.instrument(id);
        if instrument.index > 0 { instrument.index } else { instrument.mark }
    }

    /// The start of a frame: prices stood since the last one, then changes take effect.
    pub(super) fn govern(&mut self, cause: &Cause, before_ns: u64, events: &mut Vec<EventRecord>) {
        let window_ns = u64::from(self.limits.delisting_window_s) * SECOND_NS;
        for at in 0..self.governance.changes.len() {
            let pending = self.governance.changes[at].clone();
            let (Change::Delisting(mut measured), MarketKind::Instrument) = (pending.change, pending.kind)
            else {
                continue;
            };
            let begins_ns = pending.effective_ns.saturating_sub(window_ns).max(before_ns);
            let ends_ns = pending.effective_ns.min(cause.time_ns);
            let price = self.price_to_settle(pending.target);
            if ends_ns > begins_ns && price > 0 {
                let ns = ends_ns - begins_ns;
                let sum = i128::from(price) * i128::from(ns);
                measured.any_ns += ns;
                measured.any_sum.0 += sum;
                if !self.is_silent(pending.target) {
                    measured.fresh_ns += ns;
                    measured.fresh_sum.0 += sum;
                }
            }
            self.governance.changes[at].change = Change::Delisting(measured);
        }
        self.run_last_auctions(cause, events);
        self.run_votes(cause, events);
        let waits =
            |pending: &PendingChange| self.is_of_instrument(pending) && self.is_in_auction(pending.target);
        let mut due: Vec<(u64, u64)> = self
            .governance
            .changes
            .iter()
            .filter(|pending| pending.effective_ns <= cause.time_ns && !waits(pending))
            .map(|pending| (pending.effective_ns, pending.id))
            .collect();
        due.sort_unstable();
        let first = events.len();
        for (_, id) in due {
            let at = self.governance.changes.iter().position(|p| p.id == id).expect("just listed");
            let pending = self.governance.changes.remove(at);
            self.see_what_winds_down();
            self.take_effect(cause, &pending, events);
        }
        for event in &mut events[first..] {
            event.flags |= EventFlags::OF_TIME;
        }
    }

    fn take_effect(&mut self, cause: &Cause, pending: &PendingChange, events: &mut Vec<EventRecord>) {
        let id = pending.target;
        let is_gone = match (pending.kind, &pending.change) {
            (MarketKind::Instrument, _) => self.is_closed(id),
            (MarketKind::Venue, Change::Delisting(_)) => self.trades_for(id).is_some(),
            (MarketKind::Venue, _) => false,
            (MarketKind::Question, Change::Delisting(_)) => {
                self.question(id).is_decided() || !self.trades(id)
            }
            (MarketKind::Question, _) => self.question(id).is_decided(),
        };
        if is_gone {
            events.push(of_change(cause, EventKind::ChangeWithdrawn, pending));
            return;
        }
        match &pending.change {
            Change::Delisting(measured) => return self.begin_closing(cause, pending, *measured, events),
            Change::Instrument(spec) => self.retune(id, spec),
            Change::Venue(spec) => self.venues[id as usize - 1] = spec.as_ref().clone(),
            Change::Terms(terms) => {
                let question = &mut self.questions[id as usize - 1];
                question.spec.terms = terms.as_ref().clone();
                let first = question.first_instrument;
                for instrument in first..first + question.spec.outcomes_most() as u32 {
                    self.instrument_mut(instrument).terms = terms.as_ref().clone();
                }
            }
        }
        events.push(of_change(cause, EventKind::ChangeEffective, pending));
    }

    fn retune(&mut self, id: u32, spec: &InstrumentSpec) {
        let instrument = self.instrument_mut(id);
        let is_isolated = instrument.spec.as_ref().is_some_and(|old| old.isolated_only);
        instrument.spec = Some(InstrumentSpec { isolated_only: is_isolated, ..spec.clone() });
        instrument.terms = spec.terms.clone();
        if let Product::Perpetual { initial_margin_ppm, maintenance_margin_ppm } = spec.product {
            let (im_ppm, mm_ppm) = (initial_margin_ppm.into(), maintenance_margin_ppm.into());
            instrument.kind = Kind::Perpetual { im_ppm, mm_ppm };
        }
        if let (Some(oracle), Some(spec)) = (&mut instrument.oracle, &spec.oracle) {
            let told = |publisher: u32| oracle.told.get(&publisher).copied().unwrap_or_default();
            oracle.told = spec.sources.iter().map(|s| (s.publisher, told(s.publisher))).collect();
            oracle.spec = spec.clone();
        }
        if let (Some(funding), Some(spec)) = (&mut instrument.funding, &spec.funding) {
            funding.spec = spec.as_ref().clone();
        }
        if let (Some(halt), Some(spec)) = (&mut instrument.halt, &spec.halt) {
            halt.spec = **spec;
        }
        self.look_at_owners_of_base(id);
        self.look_at_holders_of(id);
        self.end_clocks();
    }
}

/// Fields of terms that never change.
fn check_fixed_terms(id: u32, old: &InstrumentTerms, new: &InstrumentTerms) -> Result<(), Refusal> {
    let fixed = |field: i128, holds: bool| check(holds, Reject::FieldIsFixed, id, field);
    fixed(2, old.quote_atoms_per_tick_lot == new.quote_atoms_per_tick_lot)?;
    fixed(21, old.tick_size == new.tick_size && old.lot_size == new.lot_size)?;
    fixed(3, old.price_max_ticks == new.price_max_ticks)?;
    fixed(185, old.matching == new.matching)?;
    fixed(142, old.venue == new.venue)?;
    fixed(171, old.phases.pre_open_until_ns == new.phases.pre_open_until_ns)?;
    fixed(172, old.phases.close_ns == new.phases.close_ns)?;
    fixed(186, new.fees.ceiling_ppm == 0 || new.fees.ceiling_ppm == highest(old.fees))
}

/// New rates with the ceiling of the old ones.
pub(super) fn check_ceiling(old: Fees, new: Fees) -> Result<Fees, Refusal> {
    let (ceiling, rate) = (highest(old), new.maker_ppm.max(new.taker_ppm));
    check(rate <= ceiling, Reject::FeeAboveCeiling, rate, ceiling)?;
    Ok(Fees { ceiling_ppm: if rate == ceiling { 0 } else { ceiling }, ..new })
}

pub(super) fn of_change(cause: &Cause, kind: EventKind, pending: &PendingChange) -> EventRecord {
    EventRecord {
        side: pending.kind.code(),
        account: pending.account,
        instrument: pending.target,
        order_id: pending.id,
        counter_amount: Int128::new(pending.effective_ns.into()),
        ..cause.event(kind)
    }
}

fn with_hash(cause: &Cause, pending: &PendingChange, spec: &impl serde::Serialize) -> EventRecord {
    let bytes = rmp_serde::to_vec_named(spec).expect("a specification always serialises");
    let detail = *blake3::hash(&bytes).as_bytes();
    EventRecord { detail, ..of_change(cause, EventKind::ChangeAnnounced, pending) }
}
