//! Section 10: prices, states and resolutions.

use super::events::Cause;
use super::place::check_price;
use super::refusal::{Refusal, check, check_id};
use super::state::{House, Kind, Party, SETTLEMENT, World};
use xos_protocol::{
    CancelReason, CommandKind, CommandRecord, EventKind, EventRecord, InstrumentState, Int128, PriceSource,
    Reject,
};

impl World {
    pub(super) fn set_price(
        &mut self,
        cause: &Cause,
        kind: CommandKind,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        check_id(command.instrument, self.instruments.len(), Reject::UnknownInstrument)?;
        let instrument = self.instrument_mut(command.instrument);
        let is_settled = instrument.state == InstrumentState::Settled;
        check(!is_settled, Reject::InstrumentSettled, command.instrument, 0)?;
        check(instrument.oracle.is_none(), Reject::PricesHaveOracle, command.instrument, 0)?;
        check_price(instrument, command.price)?;
        let source = if kind == CommandKind::SetMark { PriceSource::Mark } else { PriceSource::Index };
        let is_mark = kind == CommandKind::SetMark;
        let before = if is_mark { instrument.mark } else { instrument.index };
        if is_mark {
            instrument.mark = command.price;
        } else {
            instrument.index = command.price;
        }
        let kind = if is_mark { EventKind::MarkSet } else { EventKind::IndexSet };
        events.push(EventRecord {
            instrument: command.instrument,
            price: command.price,
            ..cause.event(kind)
        });
        self.reach(command.instrument, source);
        if before != command.price {
            if is_mark {
                self.look_at_holders_of(command.instrument);
            } else {
                self.look_at_owners_of_base(command.instrument);
            }
        }
        self.look(cause, events);
        Ok(())
    }

    pub(super) fn set_state(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        check_id(command.instrument, self.instruments.len(), Reject::UnknownInstrument)?;
        check(command.side <= 3, Reject::MalformedCommand, command.side, 2)?;
        let instrument = self.instrument_mut(command.instrument);
        let is_settled = instrument.state == InstrumentState::Settled;
        check(!is_settled, Reject::InstrumentSettled, command.instrument, 0)?;
        instrument.state = InstrumentState::from_code(command.side).expect("checked above");
        events.push(EventRecord {
            instrument: command.instrument,
            side: command.side,
            ..cause.event(EventKind::InstrumentStateSet)
        });
        self.reach_all(command.instrument);
        Ok(())
    }

    pub(super) fn resolve(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (id, winner) = (command.instrument, command.order_id);
        check_id(id, self.questions.len(), Reject::UnknownQuestion)?;
        let question = self.question(id).clone();
        check(question.paying == 0, Reject::QuestionResolved, id, 0)?;
        let paying = question.instruments().find(|&i| u64::from(i) == winner);
        check(paying.is_some(), Reject::NotAnOutcome, winner, id)?;
        let paying = paying.expect("checked above");

        events.push(EventRecord {
            instrument: id,
            order_id: winner,
            ..cause.event(EventKind::QuestionResolved)
        });
        for instrument in question.instruments() {
            for order in self.take_out(|o| o.instrument == instrument) {
                self.cancelled(cause, &order, CancelReason::Settled, events);
            }
            self.cancel_triggers(cause, CancelReason::Settled, |t| t.instrument == instrument, events);
            self.protections.retain(|(_, of), _| *of != instrument);
            self.instrument_mut(instrument).state = InstrumentState::Settled;
        }
        for account in 1..=self.accounts.len() as u32 {
            self.pay_out(cause, account, id, paying, events);
        }
        let question = &mut self.questions[id as usize - 1];
        question.sets = 0;
        question.paying = paying;
        Ok(())
    }

    fn pay_out(&mut self, cause: &Cause, account: u32, id: u32, paying: u32, events: &mut Vec<EventRecord>) {
        let question = self.question(id).clone();
        let has_position = question.instruments().any(|i| self.holding(account, i).position != 0);
        let lots = self.holding(account, paying).position;
        for instrument in question.instruments() {
            self.account_mut(account).holdings.remove(&instrument);
        }
        if !has_position {
            return;
        }
        let amount = question.unit_value(lots);
        self.post(Party::House(House::Question(id)), Party::Account(account), SETTLEMENT, amount);
        events.push(EventRecord {
            account,
            instrument: id,
            qty: lots,
            amount: Int128::new(amount),
            counter_amount: Int128::new(self.total(account, SETTLEMENT)),
            ..cause.event(EventKind::Payout)
        });
    }

    /// Whether orders on this instrument are executed makers first.
    pub(super) fn is_maker_first(&self, instrument: u32) -> bool {
        let at = (instrument as usize).checked_sub(1);
        let found = at.and_then(|at| self.instruments.get(at));
        found.is_some_and(|i| i.terms.matching == xos_protocol::Matching::MakerFirst)
    }

    /// The question of an outcome, 0 for other products.
    pub(super) fn question_of(&self, instrument: u32) -> u32 {
        match self.instrument(instrument).kind {
            Kind::Outcome { question, .. } => question,
            Kind::Spot { .. } | Kind::Perpetual { .. } => 0,
        }
    }
}
