//! Changes of instruments, venues and questions: how they are announced and taken back, and what they do.

use super::{check_standing, fixed, push_change};
use crate::deploy::{check_bounds, check_fees, check_reopening, check_terms};
use crate::engine::Engine;
use crate::instrument::{Instrument, Traded, divides_apart};
use crate::oracle::NS_PER_S;
use crate::step::{Refused, Step, refused};
use crate::tiers::PerpetualMargin;
use xos_protocol::{
    CHANGE_DELAY_S_MAX, Change, CommandRecord, EventKind, InstrumentSpec, InstrumentState, InstrumentTerms,
    InstrumentUpdate, MarketKind, PendingChange, Product, QuestionUpdate, Reject, VenueSpec, VenueUpdate,
};
use xos_units::{InstrumentId, Ppm, Price, Qty, QuestionId};

/// What an announcement says beside the change itself.
pub(super) struct Announcement {
    pub(super) account: u32,
    pub(super) kind: MarketKind,
    pub(super) target: u32,
    pub(super) delay_s: u32,
}

impl Engine {
    /// Who may announce, whether nothing is announced, and the delay.
    pub(super) fn check_announcement(&self, announcement: &Announcement) -> Result<(), Refused> {
        let Announcement { account, kind, target, delay_s } = *announcement;
        self.check_unbound(account, target)?;
        self.check_proposer(account, kind, target)?;
        if let Some(pending) = self.governance.change_of(kind, target) {
            return refused(Reject::ChangePending, target, pending.id);
        }
        let least = self.limits.change_delay_s_min;
        if delay_s < least {
            return refused(Reject::ChangeDelayTooShort, delay_s, least);
        }
        check_bounds(delay_s.into(), 0..=CHANGE_DELAY_S_MAX.into(), 182)
    }

    /// A market that still trades: number, state, and that it is not an outcome.
    pub(super) fn open_instrument(&self, id: u32) -> Result<usize, Refused> {
        check_standing(id, self.instruments.len(), Reject::UnknownInstrument)?;
        let at = id as usize - 1;
        if let Some(question) = self.instruments[at].question() {
            return refused(Reject::OutcomeOfAQuestion, id, question.0);
        }
        self.check_unsettled(at)?;
        Ok(at)
    }

    pub(crate) fn update_instrument(
        &mut self,
        step: &mut Step,
        asked: InstrumentUpdate,
    ) -> Result<(), Refused> {
        let InstrumentUpdate { instrument: target, account, delay_s, mut spec } = asked;
        self.open_instrument(target)?;
        let announcement = Announcement { account, kind: MarketKind::Instrument, target, delay_s };
        self.check_announcement(&announcement)?;
        self.check_new_instrument(target, account, &mut spec)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.tell_change(step, &announcement, Change::Instrument(Box::new(spec)));
        Ok(())
    }

    /// Another specification of an instrument, which gets the ceiling of the one that stands.
    pub(super) fn check_new_instrument(
        &self,
        target: u32,
        account: u32,
        spec: &mut InstrumentSpec,
    ) -> Result<(), Refused> {
        let at = self.open_instrument(target)?;
        let Some(before) = &self.instruments[at].spec else {
            return refused(Reject::UnknownInstrument, target, 0);
        };
        fixed::check_instrument(before, spec, target)?;
        if account != 0 {
            self.check_of_deployer(account, spec)?;
        }
        self.check_instrument(spec, Some(InstrumentId(target)))?;
        spec.terms.fees = fixed::under_ceiling(before.terms.fees, spec.terms.fees)?;
        if **before == *spec {
            return refused(Reject::NothingChanges, target, 0);
        }
        Ok(())
    }

    pub(crate) fn update_venue(&mut self, step: &mut Step, asked: VenueUpdate) -> Result<(), Refused> {
        let VenueUpdate { venue: target, account, delay_s, mut spec } = asked;
        self.standing_venue(target)?;
        let announcement = Announcement { account, kind: MarketKind::Venue, target, delay_s };
        self.check_announcement(&announcement)?;
        if account != 0 {
            self.check_venue_of_deployer(account, &spec)?;
        }
        self.check_new_venue(target, &mut spec)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.tell_change(step, &announcement, Change::Venue(Box::new(spec)));
        Ok(())
    }

    fn standing_venue(&self, target: u32) -> Result<&VenueSpec, Refused> {
        check_standing(target, self.venues.len(), Reject::UnknownVenue)?;
        self.check_venue_open(target)?;
        Ok(&self.venues[target as usize - 1])
    }

    pub(super) fn check_new_venue(&self, target: u32, spec: &mut VenueSpec) -> Result<(), Refused> {
        let before = self.standing_venue(target)?;
        fixed::check_venue(before, spec, target)?;
        if let (Some(before), Some(fees)) = (before.fees, &mut spec.fees) {
            check_fees(fees)?;
            self.check_fee_bound(Some(fees))?;
            *fees = fixed::under_ceiling(before, *fees)?;
        }
        self.check_venue_business(spec)?;
        if before == spec {
            return refused(Reject::NothingChanges, target, 0);
        }
        Ok(())
    }

    pub(crate) fn update_question(&mut self, step: &mut Step, asked: QuestionUpdate) -> Result<(), Refused> {
        let QuestionUpdate { question: target, account, delay_s, mut terms } = asked;
        self.undecided(QuestionId(target))?;
        let announcement = Announcement { account, kind: MarketKind::Question, target, delay_s };
        self.check_announcement(&announcement)?;
        self.check_new_terms(target, &mut terms)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.tell_change(step, &announcement, Change::Terms(Box::new(terms)));
        Ok(())
    }

    pub(super) fn check_new_terms(&self, target: u32, terms: &mut InstrumentTerms) -> Result<(), Refused> {
        let spec = &self.undecided(QuestionId(target))?.spec;
        fixed::check_terms(&spec.terms, terms, target)?;
        if terms.band_ppm != 0 {
            return refused(Reject::SpecOutOfBounds, terms.price_max_ticks, 20);
        }
        check_terms(terms, spec.ticks_per_unit, self.switches)?;
        self.check_fee_bound(Some(&terms.fees))?;
        self.check_terms_business(terms)?;
        check_reopening(&terms.phases, false)?;
        terms.fees = fixed::under_ceiling(spec.terms.fees, terms.fees)?;
        if spec.terms == *terms {
            return refused(Reject::NothingChanges, target, 0);
        }
        Ok(())
    }

    /// It stands on the list, and everybody is told.
    pub(super) fn tell_change(&mut self, step: &mut Step, announcement: &Announcement, change: Change) {
        let Announcement { account, kind, target, delay_s } = *announcement;
        let effective_ns = step.time_ns.saturating_add(u64::from(delay_s) * NS_PER_S);
        let id = step.sequence;
        self.tell(step, PendingChange { id, account, kind, target, effective_ns, change, is_voted: false });
    }

    /// A change is announced, by a command or by the end of a vote.
    pub(super) fn tell(&mut self, step: &mut Step, pending: PendingChange) {
        let change = &pending.change;
        let told = match change {
            Change::Delisting(_) => EventKind::DelistingAnnounced,
            _ => EventKind::ChangeAnnounced,
        };
        let specification = change.specification();
        push_change(step, told, &pending);
        if let (Some(bytes), Some(event)) = (specification, step.events.last_mut()) {
            event.detail = *blake3::hash(&bytes).as_bytes();
        }
        self.announce_change(pending);
    }

    pub(crate) fn withdraw_change(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
    ) -> Result<(), Refused> {
        let id = command.order_id;
        let is_ahead = |pending: &&PendingChange| pending.id == id && pending.effective_ns > step.time_ns;
        let Some(pending) = self.governance.state.changes.iter().find(is_ahead) else {
            return refused(Reject::UnknownChange, id, 0);
        };
        if pending.account != command.account {
            return refused(Reject::NotTheDeployer, command.account, pending.target);
        }
        if pending.is_voted {
            return refused(Reject::NeedsVote, id, 0);
        }
        self.check_unbound(command.account, id)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        if let Some(pending) = self.take_change(id) {
            push_change(step, EventKind::ChangeWithdrawn, &pending);
        }
        Ok(())
    }

    /// Whether the market of a change still trades when the change's time has come.
    pub(super) fn still_stands(&self, pending: &PendingChange) -> bool {
        match pending.kind {
            MarketKind::Instrument => {
                let at = InstrumentId(pending.target).index();
                self.instruments[at].state != InstrumentState::Settled
            }
            MarketKind::Venue => {
                !matches!(pending.change, Change::Delisting(_))
                    || self.market_of_venue(pending.target).is_none()
            }
            MarketKind::Question => {
                let question = &self.questions[QuestionId(pending.target).index()];
                let is_open = !matches!(pending.change, Change::Delisting(_)) || self.is_open(question);
                question.settlement.is_none() && is_open
            }
        }
    }

    /// An instrument trades under another specification from now on.
    pub(super) fn retune_instrument(&mut self, id: InstrumentId, spec: &InstrumentSpec) {
        let instrument = &mut self.instruments[id.index()];
        // Whether it is isolated is decided by votes alone.
        let spec = &InstrumentSpec { isolated_only: instrument.is_restricted, ..spec.clone() };
        instrument.retune(spec);
        if let Traded::Spot { base, .. } = instrument.traded
            && let Some(Some(collateral)) = self.collaterals.get_mut(base.index())
            && collateral.instrument == id
        {
            collateral.retune(instrument, spec);
            self.look_at_collateral(id.index());
        }
        self.look_at_holders(id.index());
        self.keep_clocks();
    }

    pub(super) fn retune_question(&mut self, id: QuestionId, terms: &InstrumentTerms) {
        let question = &mut self.questions[id.index()];
        question.spec.terms = terms.clone();
        for instrument in question.all_instruments() {
            self.instruments[instrument.index()].retune_terms(terms);
        }
    }
}

impl Instrument {
    /// Fields of the terms that may change.
    fn retune_terms(&mut self, terms: &InstrumentTerms) {
        (self.qty_min, self.qty_max) = (Qty(terms.qty_min_lots), Qty(terms.qty_max_lots));
        (self.notional_min, self.notional_max) = (terms.notional_min, terms.notional_max);
        (self.position_max, self.orders_max) = (terms.position_max_lots, terms.orders_per_account_max);
        (self.fees, self.split, self.band_ppm) = (terms.fees, terms.split, terms.band_ppm);
        self.phases = terms.phases;
        self.divides_apart = self.is_simulated || divides_apart(&terms.split);
        (self.band_low, self.band_high) = (Price(i64::MIN), Price(i64::MAX));
    }

    /// Everything of a specification that may change; prices, averages and what was drawn stay.
    fn retune(&mut self, spec: &InstrumentSpec) {
        self.retune_terms(&spec.terms);
        if let Product::Perpetual { initial_margin_ppm, maintenance_margin_ppm } = spec.product {
            let (initial, maintenance) = (Ppm(initial_margin_ppm), Ppm(maintenance_margin_ppm));
            self.traded = Traded::Perpetual { initial, maintenance };
        }
        self.margin = PerpetualMargin::of(spec).map(Box::new);
        if let (Some(oracle), Some(terms)) = (&mut self.oracle, &spec.oracle) {
            oracle.retune(terms);
        }
        if let (Some(funding), Some(terms)) = (&mut self.funding, &spec.funding) {
            funding.retune(terms);
        }
        if let (Some(halt), Some(terms)) = (&mut self.halt, &spec.halt) {
            halt.spec = **terms;
        }
        if let (Some(liquidation), Some(terms)) = (&mut self.liquidation, &spec.liquidation) {
            liquidation.spec = (**terms).clone();
        }
        self.spec = Some(Box::new(spec.clone()));
        // Values of one lot, the band and the rate of the open interest follow.
        self.set_mark(self.mark);
    }
}
