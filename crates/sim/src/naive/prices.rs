//! Section 10: prices and states.

use super::events::Cause;
use super::place::check_price;
use super::refusal::{Refusal, check, check_id};
use super::state::{Kind, World};
use xos_protocol::{
    CommandKind, CommandRecord, EventKind, EventRecord, InstrumentState, PriceSource, Reject,
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
        let (id, state) = (command.instrument, command.side);
        self.check_state(id, state)?;
        check(!self.is_operator_bound(), Reject::NeedsVote, id, 0)?;
        self.enter_state(cause, id, state, events);
        Ok(())
    }

    /// Whether an instrument can be in a state of this number.
    pub(super) fn check_state(&self, id: u32, state: u8) -> Result<(), Refusal> {
        check_id(id, self.instruments.len(), Reject::UnknownInstrument)?;
        check(state <= 3, Reject::MalformedCommand, state, 2)?;
        check(!self.is_closed(id), Reject::InstrumentSettled, id, 0)
    }

    pub(super) fn enter_state(&mut self, cause: &Cause, id: u32, state: u8, events: &mut Vec<EventRecord>) {
        self.instrument_mut(id).state = InstrumentState::from_code(state).expect("it was checked");
        events.push(EventRecord {
            instrument: id,
            side: state,
            ..cause.event(EventKind::InstrumentStateSet)
        });
        self.reach_all(id);
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
