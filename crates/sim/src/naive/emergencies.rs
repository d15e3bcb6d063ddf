//! Section 30.8: what a guardian does in an emergency.

use super::events::Cause;
use super::refusal::{Refusal, check, check_id};
use super::state::World;
use xos_protocol::{CommandRecord, Emergency, EventKind, EventRecord, InstrumentState, Int128, Reject};

const SECOND_NS: u64 = 1_000_000_000;

impl World {
    fn emergency_of(&self, instrument: u32) -> Option<Emergency> {
        self.governance.emergencies.iter().find(|e| e.instrument == instrument).copied()
    }

    fn is_held(&self, instrument: u32) -> bool {
        self.emergency_of(instrument).is_some_and(|e| e.state > 0)
    }

    pub(super) fn set_emergency(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (account, instrument, state) = (command.account, command.instrument, command.side);
        let (guardians, length_s) = self.voting().map_or((Vec::new(), 0), |v| (v.guardians, v.emergency_s));
        check(guardians.contains(&account), Reject::NotAGuardian, account, 0)?;
        check_id(instrument, self.instruments.len(), Reject::UnknownInstrument)?;
        check(!self.is_closed(instrument), Reject::InstrumentSettled, instrument, 0)?;
        if state == 0 {
            check(self.is_held(instrument), Reject::EmergencyRests, instrument, 0)?;
            self.end_emergency(cause, instrument, events);
            return Ok(());
        }
        let before = self.emergency_of(instrument);
        let until_ns = before.map_or(0, |e| e.until_ns);
        check(before.is_none(), Reject::EmergencyRests, instrument, until_ns)?;
        let until_ns = cause.time_ns.saturating_add(u64::from(length_s) * SECOND_NS);
        self.governance.emergencies.push(Emergency { instrument, account, state, until_ns });
        self.governance.emergencies.sort_by_key(|e| e.instrument);
        self.instrument_mut(instrument).emergency = InstrumentState::from_code(state).expect("1 to 3");
        events.push(EventRecord {
            account,
            instrument,
            side: state,
            counter_amount: Int128::new(until_ns.into()),
            ..cause.event(EventKind::EmergencySet)
        });
        Ok(())
    }

    fn end_emergency(&mut self, cause: &Cause, instrument: u32, events: &mut Vec<EventRecord>) {
        let length_s = self.voting().map_or(0, |voting| voting.emergency_s);
        let until_ns = cause.time_ns.saturating_add(u64::from(length_s) * SECOND_NS);
        for emergency in &mut self.governance.emergencies {
            if emergency.instrument == instrument {
                events.push(EventRecord {
                    account: emergency.account,
                    instrument,
                    side: emergency.state,
                    counter_amount: Int128::new(until_ns.into()),
                    ..cause.event(EventKind::EmergencyEnded)
                });
                (emergency.state, emergency.until_ns) = (0, until_ns);
            }
        }
        self.instrument_mut(instrument).emergency = InstrumentState::Continuous;
        self.reach_all(instrument);
    }

    /// The start of a frame.
    pub(super) fn end_emergencies(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let is_over = |e: &Emergency| e.until_ns <= cause.time_ns;
        self.governance.emergencies.retain(|e| e.state > 0 || !is_over(e));
        for emergency in self.governance.emergencies.clone() {
            if is_over(&emergency) {
                self.end_emergency(cause, emergency.instrument, events);
            }
        }
    }

    pub(super) fn check_confirmation(&self, instrument: u32) -> Result<(), Refusal> {
        check_id(instrument, self.instruments.len(), Reject::UnknownInstrument)?;
        check(!self.is_closed(instrument), Reject::InstrumentSettled, instrument, 0)?;
        check(self.is_held(instrument), Reject::EmergencyRests, instrument, 0)
    }

    pub(super) fn confirm(&mut self, cause: &Cause, instrument: u32, events: &mut Vec<EventRecord>) {
        let held = self.emergency_of(instrument).expect("it was checked").state;
        // Numbers of the states that commands set are in order of strictness.
        let state = self.instrument(instrument).state.code().max(held);
        self.enter_state(cause, instrument, state, events);
        self.end_emergency(cause, instrument, events);
    }
}
