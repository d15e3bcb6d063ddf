//! Complete sets: one unit becomes one lot of every outcome, and back.

use crate::account::{Class, StandKey};
use crate::engine::Engine;
use crate::step::{Refused, Step, refused, wide};
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{CommandRecord, EventKind, EventRecord, Reject};
use xos_units::{AMOUNT_ATOMS_BOUND, AccountId, Amount, Position, Qty, QuestionId};

/// Complete sets of one question outstanding at a time, at most.
const SETS_BOUND: i64 = 1 << 60;

/// Atoms that all complete sets of a unit may lock.
fn locked_most(unit: Amount) -> Amount {
    Amount(unit.0.saturating_mul(i128::from(SETS_BOUND)).min(AMOUNT_ATOMS_BOUND - 1))
}

/// Complete sets of a unit that may be outstanding.
pub(crate) fn sets_most(unit: Amount) -> i128 {
    xos_units::division::whole_parts(locked_most(unit), unit)
}

impl Engine {
    fn open_question(&self, command: &CommandRecord) -> Result<QuestionId, Refused> {
        self.undecided(command.question())?;
        if command.qty <= 0 {
            return refused(Reject::QtyNotPositive, command.qty, 1);
        }
        Ok(command.question())
    }

    /// Keys of a question's outcomes, in order.
    fn outcome_keys(&self, question: QuestionId) -> impl Iterator<Item = StandKey> + use<> {
        self.questions[question.index()].instruments().map(|id| StandKey::new(Class::Outcome, id))
    }

    pub(crate) fn split_set(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        self.check_not_isolated(command.account())?;
        let (question, account, sets) = (self.open_question(command)?, command.account(), command.qty());
        self.check_no_resolver(account, question)?;
        self.check_money_of_sets(account, question)?;
        let (outcomes, unit) = {
            let asked = &self.questions[question.index()];
            (asked.outcomes as usize, asked.unit)
        };
        let terms = &self.instruments[self.questions[question.index()].first.index()];
        if sets > terms.qty_max {
            return refused(Reject::QtyAboveMax, sets.0, terms.qty_max.0);
        }
        let holder = &self.accounts[account.index()];
        let standing = self.outcome_keys(question).filter(|key| holder.find(*key).is_some()).count();
        self.check_room(account, Class::Outcome, outcomes - standing)?;
        for key in self.outcome_keys(question) {
            let reached = holder.stand(key).map_or(0, |stand| stand.lots + stand.buys.0) + sets.0;
            if reached > terms.position_max {
                return refused(Reject::PositionLimit, reached, terms.position_max);
            }
        }
        let value = unit.times_lots(sets);
        let locked = unit.times_lots(Qty(self.questions[question.index()].sets)) + value;
        let most = locked_most(unit);
        if locked > most {
            return refused(Reject::SupplyLimit, locked.0, most.0);
        }
        let worst = self.worst_case_with(holder, question, None, sets.0);
        let mut margin = self.margin_with_worst_case(account, question, worst, None);
        margin.equity -= value;
        if !margin.covers(Amount::ZERO) {
            let missing = -margin.headroom();
            return refused(Reject::InsufficientMargin, missing.0, self.margin(account).headroom().0);
        }
        self.check_debt(account, value)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        let (user, collateral) = (Party::User(account), Party::Question(question));
        let result = self.ledger.post(user, collateral, SETTLEMENT, value, Reason::Split, step.sequence);
        self.money(step.sequence, result);
        self.questions[question.index()].sets += sets.0;
        for (key, part) in self.outcome_keys(question).zip(parts(value, outcomes)) {
            let stand = self.accounts[account.index()].stand_mut(key);
            let mut holding = stand.holding();
            let before = holding.lots;
            // Buying back a short realises; a set adds to a position as it stands, whatever its sign.
            if before >= 0 {
                holding.lots += sets.0;
                holding.cost += part;
            } else {
                buy_back(&mut holding, part, sets);
            }
            stand.set_holding(holding);
            let after = holding.lots;
            if stand.is_empty() {
                self.emptied.push((account, key));
            }
            self.instruments[key.instrument().index()].position_changed(account, before, after);
        }
        self.finish_sets(step, command, question, value, EventKind::SetSplit);
        Ok(())
    }

    pub(crate) fn merge_set(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        self.check_not_isolated(command.account())?;
        let (question, account, sets) = (self.open_question(command)?, command.account(), command.qty());
        let holder = &self.accounts[account.index()];
        let smallest = self
            .outcome_keys(question)
            .map(|key| Position(holder.stand(key).map_or(0, |stand| stand.lots)))
            .min()
            .unwrap_or_default()
            // What others are short is not collateral: only sets that were split can be redeemed.
            .min(Position(self.questions[question.index()].sets));
        if smallest.0 < sets.0 {
            return refused(Reject::NothingToReduce, smallest.0, sets.0);
        }
        let (outcomes, value) = {
            let asked = &self.questions[question.index()];
            (asked.outcomes as usize, asked.unit.times_lots(sets))
        };
        let worst = self.worst_case_with(holder, question, None, -sets.0);
        let mut margin = self.margin_with_worst_case(account, question, worst, None);
        margin.equity += value;
        let before = self.margin(account).headroom();
        if !margin.covers(Amount::ZERO) && margin.headroom() < before {
            return refused(Reject::InsufficientMargin, -margin.headroom().0, before.0);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let (collateral, user) = (Party::Question(question), Party::User(account));
        let result = self.ledger.post(collateral, user, SETTLEMENT, value, Reason::Merge, step.sequence);
        self.money(step.sequence, result);
        self.questions[question.index()].sets -= sets.0;
        for (key, part) in self.outcome_keys(question).zip(parts(value, outcomes)) {
            let stand = self.accounts[account.index()].stand_mut(key);
            let mut holding = stand.holding();
            let before = holding.lots;
            holding.close(part, sets);
            stand.set_holding(holding);
            if stand.is_empty() {
                self.emptied.push((account, key));
            }
            self.instruments[key.instrument().index()].position_changed(account, before, before - sets.0);
        }
        self.finish_sets(step, command, question, value, EventKind::SetMerged);
        Ok(())
    }

    fn finish_sets(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
        question: QuestionId,
        value: Amount,
        kind: EventKind,
    ) {
        let account: AccountId = command.account();
        self.refresh_worst_case(account, question);
        step.emit(EventRecord {
            kind: kind.code(),
            account: account.0,
            instrument: question.0,
            qty: command.qty,
            amount: wide(value),
            ..Default::default()
        });
        self.check_sets_locked(step.sequence, question);
        for id in self.questions[question.index()].instruments() {
            self.check_open_interest(step.sequence, id.index());
        }
    }
}

impl Engine {
    /// Invariant 27: a question's account holds one unit for every complete set.
    pub(crate) fn check_sets_locked(&mut self, sequence: u64, question: QuestionId) {
        let collateral = self.ledger.house(Party::Question(question), SETTLEMENT);
        let asked = &self.questions[question.index()];
        if collateral != asked.unit.times_lots(Qty(asked.sets)) || asked.sets < 0 {
            let detail =
                format!("question {question}: {} atoms locked for {} sets", collateral.0, asked.sets);
            self.halt(27, sequence, detail);
        }
    }
}

/// A value in equal parts, rounded down, the last taking what is left.
fn parts(value: Amount, outcomes: usize) -> impl Iterator<Item = Amount> {
    let count = i128::try_from(outcomes).expect("bounded by a limit");
    let part = value.0 / count;
    (1..=count).map(move |at| Amount(if at == count { value.0 - part * (count - 1) } else { part }))
}

/// Sets reach a short position: they close it, and what is left opens at the rest of the part.
fn buy_back(holding: &mut xos_risk::Holding, part: Amount, sets: Qty) {
    let closing = sets.min(Qty(-holding.lots));
    // The part belongs to `sets` lots; the closed ones take their share rounded down, the rest the remainder.
    let closing_value = Amount(part.0 * i128::from(closing.0) / i128::from(sets.0));
    holding.close(closing_value, closing);
    let opening = sets - closing;
    if opening.0 > 0 {
        holding.lots += opening.0;
        holding.cost += part - closing_value;
    }
}
