//! Section 24: outcomes that are added while a question trades.

use super::deploy::bound;
use super::events::Cause;
use super::refusal::{Refusal, check, refuse};
use super::state::{Holding, Question, World};
use xos_protocol::{
    CancelReason, EventKind, EventRecord, Int128, MarketKind, OutcomeAddition, OutcomeSpec, QuestionSpec,
    Reject, ResolutionStage,
};

/// An outcome that is being added.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Adding {
    pub(super) looked_at: u32,
    pub(super) credited: u32,
}

impl Question {
    /// The instrument behind its outcomes.
    fn reserved(&self) -> u32 {
        self.first_instrument + self.instruments().count() as u32
    }

    fn any_other(&self) -> u32 {
        self.first_instrument + self.spec.later.map_or(0, |later| later.any_other)
    }

    pub(super) fn trades(&self) -> bool {
        !self.is_decided() && self.resolution.as_ref().is_none_or(|r| r.stage == ResolutionStage::Open)
    }
}

impl World {
    /// Fields 167 and 168.
    pub(super) fn check_later(&self, spec: &QuestionSpec) -> Result<(), Refusal> {
        let Some(later) = spec.later else { return Ok(()) };
        let outcomes = spec.outcomes.len() as u32;
        bound(167, later.any_other, later.any_other < outcomes)?;
        let fits =
            outcomes < later.outcomes_max && later.outcomes_max <= self.limits.outcomes_per_question_max;
        bound(168, later.outcomes_max, fits && spec.link.is_none())
    }

    pub(super) fn check_not_adding(&self, id: u32) -> Result<(), Refusal> {
        let question = self.question(id);
        check(question.adding.is_none(), Reject::OutcomeBeingAdded, id, question.reserved())
    }

    pub(super) fn add_outcome(
        &mut self,
        cause: &Cause,
        asked: OutcomeAddition,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let id = asked.question;
        self.check_undecided(id)?;
        let question = self.question(id).clone();
        let count = question.spec.outcomes.len() as u32;
        let most = question.spec.later.map_or(0, |later| later.outcomes_max);
        check(count < most, Reject::NoOutcomeLeft, id, count)?;
        if let Some(resolution) = &question.resolution {
            check(question.trades(), Reject::NoOutcomeAfterClose, id, resolution.spec.close_ns)?;
        }
        if let Some(pending) = self.pending_on(MarketKind::Question, id) {
            return refuse(Reject::ChangePending, id, pending.id);
        }
        super::deploy::check_symbol(&asked.symbol, self.instruments.iter().map(|i| &i.symbol))?;

        let added = question.reserved();
        self.instrument_mut(added).symbol = asked.symbol.clone();
        self.instrument_mut(question.any_other()).is_closed = true;
        let place = (question.any_other() - question.first_instrument) as usize;
        let question = &mut self.questions[id as usize - 1];
        question.spec.outcomes.push(OutcomeSpec { symbol: asked.symbol, name: asked.name });
        question.adding = Some(Adding::default());
        if let Some(resolution) = &mut question.resolution {
            let void = &mut resolution.spec.void_payouts_ppm;
            void.push(void[place] / 2);
            void[place] -= void[void.len() - 1];
            question.spec.resolution = Some(Box::new(resolution.spec.clone()));
            for (_, voted) in &mut resolution.votes {
                *voted = resolution.spec.void_payouts_ppm.clone();
            }
        }
        events.push(EventRecord {
            instrument: added,
            order_id: id.into(),
            qty: count.into(),
            ..cause.event(EventKind::OutcomeAdded)
        });
        events.push(EventRecord {
            instrument: added,
            order_id: id.into(),
            ..cause.event(EventKind::InstrumentDeployed)
        });
        self.first_turn(cause, id, events);
        Ok(())
    }

    /// Goes on with an outcome that is being added; whether it is through.
    pub(super) fn add_some(
        &mut self,
        cause: &Cause,
        id: u32,
        left: &mut i64,
        events: &mut Vec<EventRecord>,
    ) -> bool {
        let question = self.question(id).clone();
        let Some(mut adding) = question.adding else { return true };
        let (any_other, added) = (question.any_other(), question.reserved());
        if !self.clear_some(cause, any_other, CancelReason::OutcomeAdded, left, events) {
            return false;
        }
        for account in adding.looked_at + 1..=self.accounts.len() as u32 {
            if !question.instruments().any(|instrument| self.stands_in(account, instrument)) {
                continue;
            }
            if *left <= 0 {
                self.questions[id as usize - 1].adding = Some(adding);
                return false;
            }
            *left -= 1;
            adding.looked_at = account;
            let Holding { position, cost, .. } = self.holding(account, any_other);
            if position == 0 {
                continue;
            }
            adding.credited += 1;
            let part = cost.div_euclid(2);
            let holdings = &mut self.account_mut(account).holdings;
            if let Some(holding) = holdings.get_mut(&any_other) {
                holding.cost -= part;
            }
            holdings.insert(added, Holding { position, cost: part, realised: 0 });
            events.push(EventRecord {
                account,
                instrument: added,
                order_id: id.into(),
                qty: position,
                amount: Int128::new(part),
                ..cause.event(EventKind::OutcomeCredited)
            });
        }
        self.questions[id as usize - 1].adding = None;
        if self.question(id).trades() {
            self.instrument_mut(any_other).is_closed = false;
            self.instrument_mut(added).is_closed = false;
        }
        events.push(EventRecord {
            instrument: added,
            order_id: id.into(),
            qty: adding.credited.into(),
            ..cause.event(EventKind::OutcomeOpened)
        });
        self.begin_pre_open(cause, added, events);
        true
    }

    /// Nobody holds an outcome that does not trade yet, but who was credited, as many as of any_other.
    pub(super) fn check_reserved(&self, id: u32) -> Result<(), String> {
        let question = self.question(id);
        let most = question.spec.later.map_or(0, |later| later.outcomes_max);
        for instrument in question.reserved()..question.first_instrument + most {
            for account in 1..=self.accounts.len() as u32 {
                let lots = self.holding(account, instrument).position;
                let is_due = question
                    .adding
                    .is_some_and(|a| instrument == question.reserved() && account <= a.looked_at);
                let due = if is_due { self.holding(account, question.any_other()).position } else { 0 };
                if lots != due {
                    return Err(format!("account {account} has {lots} lots of {instrument}, {due} are due"));
                }
            }
        }
        Ok(())
    }
}
