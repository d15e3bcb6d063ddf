//! Settlement in turns of bounded work: orders leave, then account after account is paid.

use crate::account::Class;
use crate::account::StandKey;
use crate::admission::ALL;
use crate::engine::Engine;
use crate::step::{Step, wide};
use xos_book::Slot;
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{CancelReason, EventKind, MarketKind, Side};
use xos_units::{AccountId, Amount, InstrumentId, OrderId, Qty, QuestionId};

impl Engine {
    /// Time passed: questions that are closed or being settled go on, together as far as one turn reaches.
    #[cold]
    pub(crate) fn go_on_settling(&mut self, step: &mut Step) {
        let mut left = i64::from(self.limits.payouts_per_command_max);
        let mut next = self.unsettled.first().copied();
        while let Some(id) = next
            && left > 0
        {
            self.settle_some_of(step, id, &mut left);
            next = self.unsettled.range(QuestionId(id.0 + 1)..).next().copied();
        }
    }

    /// Goes on with one question. At each step something must be left to do, and work to do it with.
    pub(super) fn settle_some_of(&mut self, step: &mut Step, id: QuestionId, left: &mut i64) {
        if !self.add_some_of(step, id, left) {
            return;
        }
        if self.questions[id.index()].is_open() {
            self.unsettled.remove(&id);
            return;
        }
        let is_decided = self.questions[id.index()].settlement.is_some();
        let reason = if is_decided { CancelReason::Settled } else { CancelReason::QuestionClosed };
        for instrument in self.questions[id.index()].instruments() {
            if !self.clear_instrument(step, instrument, reason, left) {
                return;
            }
        }
        if !is_decided {
            self.unsettled.remove(&id);
            return;
        }
        // Whoever only had orders is a holder no more.
        self.forget_empty_stands();
        let mut from = AccountId::from_index(0);
        while let Some(account) = self.questions[id.index()].holders.first_from(from) {
            if *left <= 0 {
                return;
            }
            *left -= self.pay(step, id, account);
            from = account;
        }
        self.finish(step, id);
    }

    /// Orders, waiting orders and protections of an instrument leave. False: some are left for the next turn.
    pub(crate) fn clear_instrument(
        &mut self,
        step: &mut Step,
        instrument: InstrumentId,
        reason: CancelReason,
        left: &mut i64,
    ) -> bool {
        let room = usize::try_from(*left).unwrap_or(0);
        let book = &self.instruments[instrument.index()];
        let queues = book.queue(&self.pool, Side::Buy, ALL).chain(book.queue(&self.pool, Side::Sell, ALL));
        let slots: Vec<Slot> = queues.take(room).collect();
        *left -= slots.len() as i64;
        for slot in slots {
            self.cancel_resting(step, slot, reason);
        }
        if self.instruments[instrument.index()].orders() > 0 {
            return false;
        }
        while let Some(id) = self.first_waiting(instrument) {
            if *left <= 0 {
                return false;
            }
            *left -= 1;
            self.cancel_trigger(step, id, reason);
        }
        let all = (instrument, AccountId(0))..=(instrument, AccountId(u32::MAX));
        while let Some((&key, _)) = self.protections.range(all.clone()).next() {
            if *left <= 0 {
                return false;
            }
            *left -= 1;
            self.protections.remove(&key);
        }
        true
    }

    fn first_waiting(&self, instrument: InstrumentId) -> Option<OrderId> {
        self.triggers.on(instrument).next()
    }

    /// Pays one account and takes it out of the question; gives the number of its positions.
    fn pay(&mut self, step: &mut Step, id: QuestionId, account: AccountId) -> i64 {
        let question = &mut self.questions[id.index()];
        let amount = question.payout_of(&self.accounts[account.index()]);
        let paying = question.paying().map(|id| StandKey::new(Class::Outcome, id));
        question.holders.remove(account);
        if let Some(settlement) = &mut question.settlement {
            settlement.paid += 1;
        }
        let holder = &mut self.accounts[account.index()];
        let won = paying.and_then(|key| holder.stand(key)).map_or(0, |stand| stand.lots);
        let mut positions = 0;
        for stand in holder.outcomes(question.first, question.outcomes) {
            positions += 1;
            self.instruments[stand.key.instrument().index()].position_changed(account, stand.lots, 0);
        }
        holder.leave_question(id, question.first, question.outcomes);
        let (user, collateral) = (Party::User(account), Party::Question(id));
        let (from, to) = if amount >= Amount::ZERO { (collateral, user) } else { (user, collateral) };
        let result = self.ledger.post(from, to, SETTLEMENT, amount.abs(), Reason::Payout, step.sequence);
        self.money(step.sequence, result);
        self.look_at_debt(account);
        let total = self.ledger.settlement(account).total;
        let event = step.push(EventKind::Payout);
        event.account = account.0;
        event.instrument = id.0;
        event.qty = won;
        event.amount = wide(amount);
        event.counter_amount = wide(total);
        positions
    }

    /// Invariant 28: each payment left less than an atom; what is left goes to rounding, and nothing stays.
    fn finish(&mut self, step: &mut Step, id: QuestionId) {
        let question = &mut self.questions[id.index()];
        let Some(settlement) = &mut question.settlement else { return };
        settlement.is_done = true;
        let (paid, instruments) = (settlement.paid, question.instruments());
        self.unsettled.remove(&id);
        let rest = self.ledger.house(Party::Question(id), SETTLEMENT);
        if rest < Amount::ZERO || rest.0 > i128::from(paid.saturating_sub(1)) {
            let detail = format!("question {id} keeps {} atoms after {paid} payouts", rest.0);
            return self.halt(28, step.sequence, detail);
        }
        let (collateral, rounding) =
            (Party::Question(id), self.rounding_of(self.questions[id.index()].first));
        let result = self.ledger.post(collateral, rounding, SETTLEMENT, rest, Reason::Payout, step.sequence);
        self.money(step.sequence, result);
        let event = step.push(EventKind::QuestionSettled);
        event.instrument = id.0;
        event.qty = i64::from(paid);
        event.amount = wide(rest);
        self.market_ended(step, MarketKind::Question, id.0);
        for instrument in instruments {
            self.check_open_interest(step.sequence, instrument.index());
        }
    }

    /// What is still to be paid of a question that is being settled, in millionths of an atom, and what its collateral
    /// holds beyond that; at least 0 and less than an atom for each account paid.
    pub(crate) fn kept_by_rounding(&self, id: QuestionId) -> xos_units::Requirement {
        let question = &self.questions[id.index()];
        let held = self.ledger.house(Party::Question(id), SETTLEMENT).as_requirement();
        let Some(settlement) = &question.settlement else { return held };
        let mut kept = held;
        for (instrument, share) in question.instruments().zip(&settlement.payouts) {
            let instrument = &self.instruments[instrument.index()];
            let net = i64::try_from(instrument.short_lots - instrument.long_lots).unwrap_or(i64::MAX);
            kept += question.unit.times_lots(Qty(net)).times(*share);
        }
        kept
    }
}
