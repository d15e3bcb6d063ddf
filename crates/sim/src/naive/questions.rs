//! Section 24: how questions are settled.

use super::events::Cause;
use super::money::Standing;
use super::refusal::{Refusal, check, check_id};
use super::state::{House, Party, Question, SETTLEMENT, World};
use xos_protocol::{
    CancelReason, CommandRecord, DecidedBy, EventKind, EventRecord, InstrumentState, Int128, QuestionPayouts,
    Reject, Side,
};

const ONE: i32 = 1_000_000;

impl Question {
    /// The outcome with all of the unit; 0 if there is none.
    pub(super) fn paying(&self) -> u32 {
        self.instruments().zip(&self.payouts).find(|(_, share)| **share == ONE).map_or(0, |(id, _)| id)
    }

    pub(super) fn is_decided(&self) -> bool {
        !self.payouts.is_empty()
    }
}

impl World {
    pub(super) fn check_undecided(&self, id: u32) -> Result<(), Refusal> {
        check_id(id, self.questions.len(), Reject::UnknownQuestion)?;
        check(!self.question(id).is_decided(), Reject::QuestionResolved, id, 0)?;
        self.check_not_adding(id)
    }

    pub(super) fn resolve(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (id, winner) = (command.instrument, command.order_id);
        self.check_undecided(id)?;
        let question = self.question(id).clone();
        let is_one = question.instruments().any(|i| u64::from(i) == winner);
        check(is_one, Reject::NotAnOutcome, winner, id)?;
        check(question.resolution.is_none(), Reject::HasResolvers, id, 0)?;
        let payouts = question.instruments().map(|i| if u64::from(i) == winner { ONE } else { 0 });
        self.announce(cause, id, payouts.collect(), DecidedBy::Operator, events);
        self.first_turn(cause, id, events);
        Ok(())
    }

    pub(super) fn settle_question(
        &mut self,
        cause: &Cause,
        asked: QuestionPayouts,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let id = asked.question;
        self.check_undecided(id)?;
        check(asked.account == 0, Reject::UnknownAccount, asked.account, 0)?;
        self.check_payouts(id, &asked.payouts_ppm)?;
        check(self.question(id).resolution.is_none(), Reject::HasResolvers, id, 0)?;
        self.announce(cause, id, asked.payouts_ppm, DecidedBy::Operator, events);
        self.first_turn(cause, id, events);
        Ok(())
    }

    pub(super) fn check_payouts(&self, id: u32, payouts: &[i32]) -> Result<(), Refusal> {
        let outcomes = self.question(id).instruments().count();
        let count = payouts.len() as i128;
        check(payouts.len() == outcomes, Reject::PayoutsMisnumbered, count, outcomes as i128)?;
        for &share in payouts {
            check((0..=ONE).contains(&share), Reject::PayoutsNotOne, share, ONE)?;
        }
        let sum: i128 = payouts.iter().map(|&share| i128::from(share)).sum();
        check(sum == i128::from(ONE), Reject::PayoutsNotOne, sum, ONE)
    }

    pub(super) fn announce(
        &mut self,
        cause: &Cause,
        id: u32,
        payouts: Vec<i32>,
        by: DecidedBy,
        events: &mut Vec<EventRecord>,
    ) {
        let question = &mut self.questions[id as usize - 1];
        question.sets = 0;
        question.payouts = payouts;
        let question = question.clone();
        events.push(EventRecord {
            instrument: id,
            side: by.code(),
            order_id: question.paying().into(),
            ..cause.event(EventKind::QuestionResolved)
        });
        if question.paying() == 0 {
            self.tell_payouts(cause, id, &question.payouts, events);
        }
        for instrument in question.instruments() {
            self.instrument_mut(instrument).state = InstrumentState::Settled;
        }
    }

    pub(super) fn tell_payouts(
        &self,
        cause: &Cause,
        id: u32,
        payouts: &[i32],
        events: &mut Vec<EventRecord>,
    ) {
        for (instrument, &share) in self.question(id).instruments().zip(payouts) {
            if share > 0 {
                events.push(EventRecord {
                    instrument,
                    order_id: id.into(),
                    amount: Int128::new(share.into()),
                    ..cause.event(EventKind::OutcomePayout)
                });
            }
        }
    }

    pub(super) fn first_turn(&mut self, cause: &Cause, id: u32, events: &mut Vec<EventRecord>) {
        let mut left = i64::from(self.limits.payouts_per_command_max);
        self.settle_some(cause, id, &mut left, events);
    }

    /// A turn of every question that is not settled.
    pub(super) fn go_on_settling(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let mut left = i64::from(self.limits.payouts_per_command_max);
        for id in 1..=self.questions.len() as u32 {
            let question = self.question(id);
            let has_work = !question.trades() || question.adding.is_some();
            if left > 0 && has_work && !question.is_settled {
                self.settle_some(cause, id, &mut left, events);
            }
        }
    }

    fn settle_some(&mut self, cause: &Cause, id: u32, left: &mut i64, events: &mut Vec<EventRecord>) {
        if !self.add_some(cause, id, left, events) || self.question(id).trades() {
            return;
        }
        let question = self.question(id).clone();
        let reason = if question.is_decided() { CancelReason::Settled } else { CancelReason::QuestionClosed };
        for instrument in question.instruments() {
            if !self.clear_some(cause, instrument, reason, left, events) {
                return;
            }
        }
        if !question.is_decided() {
            return;
        }
        for account in 1..=self.accounts.len() as u32 {
            let has_position = |i: &u32| self.holding(account, *i).position != 0;
            let positions = question.instruments().filter(has_position).count() as i64;
            if positions == 0 {
                continue;
            }
            if *left <= 0 {
                return;
            }
            *left -= positions;
            self.pay_out(cause, account, id, events);
        }
        let rest = self.house(House::Question(id), SETTLEMENT);
        let [_, rounding] = self.insurance_and_rounding(self.question(id).first_instrument);
        self.post(Party::House(House::Question(id)), Party::House(rounding), SETTLEMENT, rest);
        let question = &mut self.questions[id as usize - 1];
        question.is_settled = true;
        events.push(EventRecord {
            instrument: id,
            qty: question.paid.into(),
            amount: Int128::new(rest),
            ..cause.event(EventKind::QuestionSettled)
        });
        self.market_ended(cause, xos_protocol::MarketKind::Question, id, events);
    }

    /// Orders, waiting orders and protections of an instrument leave; false: some are left.
    pub(super) fn clear_some(
        &mut self,
        cause: &Cause,
        instrument: u32,
        reason: CancelReason,
        left: &mut i64,
        events: &mut Vec<EventRecord>,
    ) -> bool {
        while let Some(order) = self.next_to_leave(instrument) {
            if *left <= 0 {
                return false;
            }
            *left -= 1;
            for order in self.take_out(|other| other.id == order) {
                self.cancelled(cause, &order, reason, events);
            }
        }
        let first =
            |world: &Self| world.triggers.iter().filter(|t| t.instrument == instrument).map(|t| t.id).min();
        while let Some(trigger) = first(self) {
            if *left <= 0 {
                return false;
            }
            *left -= 1;
            self.cancel_triggers(cause, reason, |t| t.id == trigger, events);
        }
        while let Some(key) = self.protections.keys().copied().find(|(_, of)| *of == instrument) {
            if *left <= 0 {
                return false;
            }
            *left -= 1;
            self.protections.remove(&key);
        }
        true
    }

    /// The best bid, the oldest of its level; without bids the best ask.
    fn next_to_leave(&self, instrument: u32) -> Option<u64> {
        for side in [Side::Buy, Side::Sell] {
            let orders = self.orders.iter().filter(|o| o.instrument == instrument && o.side == side);
            // The first of several at the best price is the oldest of them.
            if let Some(order) = orders.min_by_key(|o| -o.price * side.sign()) {
                return Some(order.id);
            }
        }
        None
    }

    fn pay_out(&mut self, cause: &Cause, account: u32, id: u32, events: &mut Vec<EventRecord>) {
        let question = self.question(id).clone();
        let amount = self.payout(&self.standing(account), &question);
        let paying = question.paying();
        let lots = if paying == 0 { 0 } else { self.holding(account, paying).position };
        for instrument in question.instruments() {
            self.account_mut(account).holdings.remove(&instrument);
        }
        self.questions[id as usize - 1].paid += 1;
        self.post(Party::House(House::Question(id)), Party::Account(account), SETTLEMENT, amount);
        events.push(EventRecord {
            account,
            instrument: id,
            qty: lots,
            amount: Int128::new(amount),
            counter_amount: Int128::new(self.total(account, SETTLEMENT)),
            ..cause.event(EventKind::Payout)
        });
        self.look_at_debt(account);
    }

    /// What a decided question is worth for the account.
    pub(super) fn payout(&self, standing: &Standing, question: &Question) -> i128 {
        let shares = question.instruments().zip(&question.payouts);
        let millionths: i128 = shares
            .map(|(instrument, &share)| {
                question.unit_value(standing.position(instrument)) * i128::from(share)
            })
            .sum();
        millionths.div_euclid(i128::from(ONE))
    }

    /// What is still to be paid comes to what `question q` holds, but for what rounding left of each payout.
    pub(super) fn check_settling(&self, id: u32) -> Result<(), String> {
        let question = self.question(id);
        let mut kept = self.house(House::Question(id), SETTLEMENT) * i128::from(ONE);
        for (instrument, &share) in question.instruments().zip(&question.payouts) {
            for account in 1..=self.accounts.len() as u32 {
                let lots = self.holding(account, instrument).position;
                kept -= question.unit_value(lots) * i128::from(share);
            }
        }
        let paid = i128::from(question.paid) * i128::from(ONE);
        let is_sound = kept == 0 || (!question.is_settled && (0..paid).contains(&kept));
        if !is_sound {
            return Err(format!("question {id}: {kept} millionths were kept of {paid} payouts"));
        }
        Ok(())
    }
}
