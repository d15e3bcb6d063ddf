//! Outcomes that are added while a question trades: who holds `any_other` holds as much of the new one.

use super::{Claim, Question};
use crate::account::{Class, StandKey};
use crate::deploy::check_bounds;
use crate::engine::Engine;
use crate::implied::Implied;
use crate::step::{Refused, Step, refused, wide};
use xos_protocol::{
    CancelReason, EventKind, LaterOutcomes, MarketKind, OutcomeAddition, OutcomeSpec, QuestionSpec, Reject,
    ResolutionStage,
};
use xos_units::{AccountId, InstrumentId, QuestionId, division};

/// How far an outcome is that is being added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Adding {
    /// The last account that was looked at; 0: none yet.
    pub(crate) looked_at: AccountId,
    /// Accounts that hold it so far.
    pub(crate) credited: u32,
}

impl Question {
    /// The instrument behind its last outcome.
    fn next_instrument(&self) -> InstrumentId {
        InstrumentId(self.first.0 + self.outcomes)
    }

    /// The outcome that is being added.
    pub(crate) fn being_added(&self) -> Option<InstrumentId> {
        self.adding.as_ref().map(|_| self.next_instrument())
    }

    fn any_other(&self, later: LaterOutcomes) -> InstrumentId {
        InstrumentId(self.first.0 + later.any_other)
    }

    /// Whether its outcomes trade.
    pub(super) fn is_open(&self) -> bool {
        let trades = |stage| stage == ResolutionStage::Open;
        self.settlement.is_none() && self.resolution.as_ref().is_none_or(|found| trades(found.stage))
    }

    /// The new outcome takes half of any_other's share of a void question.
    fn divide_void_share(&mut self, later: LaterOutcomes) {
        let (Some(terms), Some(resolution)) = (&mut self.spec.resolution, &mut self.resolution) else {
            return;
        };
        let share = &mut terms.void_payouts_ppm[later.any_other as usize];
        let taken = *share / 2;
        *share -= taken;
        terms.void_payouts_ppm.push(taken);
        // While a question is open, votes are for its void payouts alone.
        for Claim { payouts_ppm, .. } in &mut resolution.votes {
            payouts_ppm.clone_from(&terms.void_payouts_ppm);
        }
    }
}

impl Engine {
    /// Fields 167 and 168.
    pub(crate) fn check_later(&self, spec: &QuestionSpec) -> Result<(), Refused> {
        let Some(later) = spec.later else { return Ok(()) };
        let (outcomes, most) = (spec.outcomes.len() as i128, self.limits.outcomes_per_question_max);
        check_bounds(later.any_other.into(), 0..=outcomes - 1, 167)?;
        let most = if spec.link.is_some() { 0 } else { most };
        check_bounds(later.outcomes_max.into(), outcomes + 1..=most.into(), 168)
    }

    /// The next reserved instrument becomes an outcome; it trades once everybody who holds any_other holds it too.
    pub(crate) fn add_outcome(&mut self, step: &mut Step, asked: OutcomeAddition) -> Result<(), Refused> {
        let id = QuestionId(asked.question);
        let question = self.undecided(id)?;
        let outcomes = question.outcomes;
        let later = match question.spec.later {
            Some(later) if later.outcomes_max > outcomes => later,
            _ => return refused(Reject::NoOutcomeLeft, id.0, outcomes),
        };
        if let Some(terms) = &question.spec.resolution
            && !question.is_open()
        {
            return refused(Reject::NoOutcomeAfterClose, id.0, terms.close_ns);
        }
        if let Some(pending) = self.governance.change_of(MarketKind::Question, id.0) {
            return refused(Reject::ChangePending, id.0, pending.id);
        }
        self.check_instrument_symbol(&asked.symbol)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        let question = &mut self.questions[id.index()];
        question.spec.outcomes.push(OutcomeSpec { symbol: asked.symbol, name: asked.name });
        question.divide_void_share(later);
        question.adding = Some(Adding { looked_at: AccountId(0), credited: 0 });
        let (added, any_other) = (question.next_instrument(), question.any_other(later));
        self.instruments[any_other.index()].close();
        self.unsettled.insert(id);
        let event = step.push(EventKind::OutcomeAdded);
        event.instrument = added.0;
        event.order_id = id.0.into();
        event.qty = outcomes.into();
        let event = step.push(EventKind::InstrumentDeployed);
        event.instrument = added.0;
        event.order_id = id.0.into();
        self.settle_some_of(step, id, &mut i64::from(self.limits.payouts_per_command_max));
        Ok(())
    }

    /// Goes on with an outcome that is being added. False: something is left for the next turn.
    pub(super) fn add_some_of(&mut self, step: &mut Step, id: QuestionId, left: &mut i64) -> bool {
        let question = &self.questions[id.index()];
        let (Some(later), Some(adding)) = (question.spec.later, question.adding.clone()) else { return true };
        let (added, any_other) = (question.next_instrument(), question.any_other(later));
        if !self.clear_instrument(step, any_other, CancelReason::OutcomeAdded, left) {
            return false;
        }
        self.forget_empty_stands();
        let Adding { mut looked_at, mut credited } = adding;
        let mut is_done = true;
        while let Some(account) = self.questions[id.index()].holders.first_from(AccountId(looked_at.0 + 1)) {
            if *left <= 0 {
                is_done = false;
                break;
            }
            *left -= 1;
            looked_at = account;
            credited += u32::from(self.credit_outcome(step, id, account, any_other, added));
        }
        if is_done {
            self.open_outcome(step, id, credited);
        } else {
            self.questions[id.index()].adding = Some(Adding { looked_at, credited });
        }
        is_done
    }

    /// As many lots of the outcome that is being added as the account has of any_other, with half of their cost.
    fn credit_outcome(
        &mut self,
        step: &mut Step,
        id: QuestionId,
        account: AccountId,
        any_other: InstrumentId,
        added: InstrumentId,
    ) -> bool {
        let [from, to] = [any_other, added].map(|id| StandKey::new(Class::Outcome, id));
        let holder = &mut self.accounts[account.index()];
        let Some(stand) = holder.stand(from).filter(|stand| stand.lots != 0) else { return false };
        let (mut kept, mut given) = (stand.holding(), stand.holding());
        given.cost = division::portion_down(kept.cost, 1, 2);
        given.realised = xos_units::Amount::ZERO;
        kept.cost -= given.cost;
        holder.stand_mut(from).set_holding(kept);
        holder.stand_mut(to).set_holding(given);
        self.instruments[added.index()].position_changed(account, 0, given.lots);
        let event = step.push(EventKind::OutcomeCredited);
        event.account = account.0;
        event.instrument = added.0;
        event.order_id = id.0.into();
        event.qty = given.lots;
        event.amount = wide(given.cost);
        true
    }

    /// Everybody has it: it is an outcome like the others.
    fn open_outcome(&mut self, step: &mut Step, id: QuestionId, credited: u32) {
        let question = &mut self.questions[id.index()];
        let Some(later) = question.spec.later else { return };
        let (added, any_other) = (question.next_instrument(), question.any_other(later));
        question.adding = None;
        question.outcomes += 1;
        self.instruments[added.index()].implied = question.spec.implied;
        if let Some(implied) = &mut question.implied {
            implied.add_outcome();
        }
        if question.is_open() {
            self.instruments[added.index()].reopen();
            self.instruments[any_other.index()].reopen();
        }
        let event = step.push(EventKind::OutcomeOpened);
        event.instrument = added.0;
        event.order_id = id.0.into();
        event.qty = credited.into();
        self.begin_pre_open(step, added);
        self.check_open_interest(step.sequence, added.index());
        self.check_sets_locked(step.sequence, id);
    }

    /// What a snapshot says of an outcome that is being added. Its question's books are not read yet.
    pub(crate) fn restore_adding(&mut self, id: QuestionId, adding: Option<Adding>) {
        let question = &mut self.questions[id.index()];
        let (Some(later), Some(adding)) = (question.spec.later, adding) else { return };
        question.adding = Some(adding);
        question.outcomes -= 1;
        question.implied = question.spec.implied.then(|| Box::new(Implied::of(question.outcomes as usize)));
        let (added, any_other) = (question.next_instrument(), question.any_other(later));
        self.instruments[added.index()].reserve();
        self.instruments[any_other.index()].close();
        self.unsettled.insert(id);
    }
}
