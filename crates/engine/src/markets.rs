//! Prices and states of instruments.

use crate::defence::Defence;
use crate::engine::Engine;
use crate::step::{Refused, Step, refused};
use std::mem::offset_of;
use xos_protocol::{CommandKind, CommandRecord, EventKind, EventRecord, InstrumentState, Reject};

impl Engine {
    /// Time passed: prices age, halts end, funding is sampled and settled, questions go on, accounts are looked at.
    pub(crate) fn tick(&mut self, step: &mut Step) {
        step.emit(EventRecord { kind: EventKind::Ticked.code(), ..Default::default() });
        if self.has_oracles {
            self.age_prices(step);
        }
        if self.has_halts {
            self.pass_halts(step);
        }
        if self.has_funding {
            self.run_funding(step);
        }
        if self.interest_ppm() > 0 {
            self.charge_interest(step);
        }
        if !self.deadlines.is_empty() {
            self.end_stages(step);
        }
        if !self.unsettled.is_empty() {
            self.go_on_settling(step);
        }
        if !self.governance.state.closing.is_empty() {
            self.go_on_closing(step);
        }
        if !self.governance.state.auctions.is_empty() {
            self.pass_auctions(step);
        }
        self.look_at_pending(step);
        self.patrol(step.sequence);
    }

    pub(crate) fn live_instrument(&self, command: &CommandRecord) -> Result<usize, Refused> {
        let at = command.instrument().index();
        let Some(_) = self.instruments.get(at) else {
            return refused(Reject::UnknownInstrument, command.instrument, self.instruments.len() as i128);
        };
        Ok(at)
    }

    pub(crate) fn check_unsettled(&self, at: usize) -> Result<(), Refused> {
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
        self.check_unbound(0, command.instrument)?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.enter_state(step, at, state);
        Ok(())
    }

    pub(crate) fn enter_state(&mut self, step: &mut Step, at: usize, state: InstrumentState) {
        self.instruments[at].set_state(state);
        self.prices_reached(at);
        step.emit(EventRecord {
            kind: EventKind::InstrumentStateSet.code(),
            side: state.code(),
            instrument: self.instruments[at].id.0,
            ..Default::default()
        });
    }
}
