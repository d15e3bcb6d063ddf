//! Prices, states and the resolution of questions.

use crate::account::{Class, StandKey};
use crate::defence::Defence;
use crate::engine::Engine;
use crate::step::{Refused, Step, refused, wide};
use std::mem::offset_of;
use xos_book::Slot;
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{
    CancelReason, CommandKind, CommandRecord, EventKind, EventRecord, InstrumentState, Reject, Side,
};
use xos_units::{AccountId, Amount, InstrumentId, OrderId, Qty, QuestionId};

impl Engine {
    pub(crate) fn live_instrument(&self, command: &CommandRecord) -> Result<usize, Refused> {
        let at = command.instrument().index();
        let Some(_) = self.instruments.get(at) else {
            return refused(Reject::UnknownInstrument, command.instrument, self.instruments.len() as i128);
        };
        Ok(at)
    }

    fn check_unsettled(&self, at: usize) -> Result<(), Refused> {
        if self.instruments[at].state == InstrumentState::Settled {
            return refused(Reject::InstrumentSettled, at as i128 + 1, 0);
        }
        Ok(())
    }

    pub(crate) fn set_price(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
        kind: CommandKind,
    ) -> Result<(), Refused> {
        let at = self.live_instrument(command)?;
        self.check_unsettled(at)?;
        if self.instruments[at].oracle.is_some() {
            return refused(Reject::PricesHaveOracle, command.instrument, 0);
        }
        if self.defends(Defence::PricesArePositive) {
            crate::orders::check_price(&self.instruments[at], command.price())?;
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let kind = if kind == CommandKind::SetMark {
            EventKind::MarkSet
        } else {
            self.set_index(at, command.price());
            EventKind::IndexSet
        };
        step.emit(EventRecord {
            kind: kind.code(),
            instrument: command.instrument,
            price: command.price,
            ..Default::default()
        });
        if kind == EventKind::MarkSet {
            self.set_mark(step, at, command.price());
        } else {
            self.index_changed(at);
        }
        Ok(())
    }

    pub(crate) fn set_instrument_state(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
    ) -> Result<(), Refused> {
        let at = self.live_instrument(command)?;
        let state = match InstrumentState::from_code(command.side) {
            Some(state) if state.code() <= InstrumentState::Halted.code() => state,
            _ => {
                let offset = offset_of!(CommandRecord, side);
                return refused(Reject::MalformedCommand, command.side, offset as i128);
            }
        };
        self.check_unsettled(at)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.instruments[at].set_state(state);
        self.prices_reached(at);
        step.emit(EventRecord {
            kind: EventKind::InstrumentStateSet.code(),
            side: state.code(),
            instrument: command.instrument,
            ..Default::default()
        });
        Ok(())
    }

    pub(crate) fn resolve_question(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
    ) -> Result<(), Refused> {
        let id = command.question();
        let Some(question) = self.questions.get(id.index()) else {
            return refused(Reject::UnknownQuestion, command.instrument, self.questions.len() as i128);
        };
        if question.paying.is_some() {
            return refused(Reject::QuestionResolved, command.instrument, 0);
        }
        let paying = question.instruments().find(|instrument| u64::from(instrument.0) == command.order_id);
        let Some(paying) = paying else {
            return refused(Reject::NotAnOutcome, command.order_id, command.instrument);
        };
        // ---- Everything is checked. Below this line nothing fails. ----
        step.emit(EventRecord {
            kind: EventKind::QuestionResolved.code(),
            instrument: id.0,
            order_id: command.order_id,
            ..Default::default()
        });
        for instrument in self.questions[id.index()].instruments() {
            self.settle_orders(step, instrument);
        }
        self.pay_out(step, id, paying);
        self.forget_empty_stands();
        Ok(())
    }

    fn settle_orders(&mut self, step: &mut Step, instrument: InstrumentId) {
        let book = &self.instruments[instrument.index()].book;
        let mut slots: Vec<Slot> =
            book.queue(&self.pool, Side::Buy).chain(book.queue(&self.pool, Side::Sell)).collect();
        slots.sort_unstable_by_key(|slot| self.pool.order(*slot).id);
        for slot in slots {
            self.cancel_resting(step, slot, CancelReason::Settled);
        }
        let waiting: Vec<OrderId> =
            self.triggers.all().filter(|trigger| trigger.instrument == instrument).map(|t| t.id).collect();
        for id in waiting {
            self.cancel_trigger(step, id, CancelReason::Settled);
        }
        self.protections.retain(|(_, of), _| *of != instrument);
        self.instruments[instrument.index()].set_state(InstrumentState::Settled);
    }

    /// Pays every holder and checks that the question's collateral comes out even.
    fn pay_out(&mut self, step: &mut Step, id: QuestionId, paying: InstrumentId) {
        let question = &mut self.questions[id.index()];
        question.paying = Some(paying);
        question.sets = 0;
        let (unit, instruments) = (question.unit, question.instruments());
        let keys: Vec<StandKey> = instruments.map(|id| StandKey::new(Class::Outcome, id)).collect();
        for holder in std::mem::take(&mut question.holders) {
            let account = AccountId(holder);
            let (mut holds, mut won) = (false, 0);
            for key in &keys {
                let holder = &mut self.accounts[account.index()];
                let Some(at) = holder.find(*key) else { continue };
                let lots = holder.stands[at].lots;
                holder.stands[at].set_holding(Default::default());
                holds |= lots != 0;
                if key.instrument() == paying {
                    won = lots;
                }
                self.instruments[key.instrument().index()].position_changed(account, lots, 0);
                self.emptied.push((account, *key));
            }
            if holds {
                self.pay_holder(step, id, account, won, unit.times_lots(Qty(won)));
            }
        }
        let left = self.ledger.house(Party::Question(id), SETTLEMENT);
        if left != Amount::ZERO {
            self.halt(28, step.sequence, format!("question {id} keeps {} atoms after its payout", left.0));
        }
        for key in keys {
            self.check_open_interest(step.sequence, key.instrument().index());
        }
    }

    fn pay_holder(&mut self, step: &mut Step, id: QuestionId, account: AccountId, won: i64, amount: Amount) {
        let (user, collateral) = (Party::User(account), Party::Question(id));
        let (from, to) = if amount >= Amount::ZERO { (collateral, user) } else { (user, collateral) };
        let result = self.ledger.post(from, to, SETTLEMENT, amount.abs(), Reason::Payout, step.sequence);
        self.money(step.sequence, result);
        step.emit(EventRecord {
            kind: EventKind::Payout.code(),
            account: account.0,
            instrument: id.0,
            qty: won,
            amount: wide(amount),
            counter_amount: wide(self.ledger.settlement(account).total),
            ..Default::default()
        });
    }
}
