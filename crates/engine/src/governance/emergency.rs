//! Emergencies: a guardian holds an instrument to less for a time, and can do nothing else.

use crate::engine::Engine;
use crate::instrument::stricter;
use crate::oracle::NS_PER_S;
use crate::step::{Refused, Step, refused};
use xos_protocol::{CommandRecord, Emergency, EventKind, InstrumentState, Int128, Reject};
use xos_units::InstrumentId;

impl Engine {
    fn emergency_of(&self, instrument: u32) -> Option<&Emergency> {
        self.governance.state.emergencies.iter().find(|found| found.instrument == instrument)
    }

    fn holds(&self, instrument: u32) -> bool {
        self.emergency_of(instrument).is_some_and(|found| found.state != 0)
    }

    pub(crate) fn set_emergency(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let (guardian, target, state) = (self.known_account(command)?.0, command.instrument, command.side);
        let voting = self.voting().filter(|voting| voting.guardians.contains(&guardian));
        let Some(window_s) = voting.map(|voting| voting.emergency_s) else {
            return refused(Reject::NotAGuardian, guardian, 0);
        };
        let at = self.live_instrument(command)?;
        self.check_unsettled(at)?;
        if state == 0 {
            if !self.holds(target) {
                return refused(Reject::EmergencyRests, target, 0);
            }
        } else if let Some(found) = self.emergency_of(target) {
            return refused(Reject::EmergencyRests, target, found.until_ns);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        if state == 0 {
            self.end_emergency(step, target);
        } else {
            let until_ns = step.time_ns.saturating_add(u64::from(window_s) * NS_PER_S);
            let emergency = Emergency { instrument: target, account: guardian, state, until_ns };
            let emergencies = &mut self.governance.state.emergencies;
            let place = emergencies.partition_point(|other| other.instrument < target);
            emergencies.insert(place, emergency);
            self.hold(&emergency);
            push_emergency(step, EventKind::EmergencySet, &emergency);
        }
        self.governance.refresh();
        Ok(())
    }

    fn hold(&mut self, emergency: &Emergency) {
        let instrument = &mut self.instruments[InstrumentId(emergency.instrument).index()];
        instrument.emergency = InstrumentState::from_code(emergency.state).unwrap_or(InstrumentState::Halted);
        instrument.refresh_gate();
    }

    /// After a restore.
    pub(crate) fn refresh_emergencies(&mut self) {
        for emergency in self.governance.state.emergencies.clone() {
            self.hold(&emergency);
        }
    }

    /// It holds no more, and rests from now on.
    fn end_emergency(&mut self, step: &mut Step, target: u32) {
        let rest_s = self.voting().map_or(0, |voting| voting.emergency_s);
        let until_ns = step.time_ns.saturating_add(u64::from(rest_s) * NS_PER_S);
        let mut emergencies = self.governance.state.emergencies.iter_mut();
        let Some(found) = emergencies.find(|found| found.instrument == target) else { return };
        let ended = Emergency { until_ns, ..*found };
        *found = Emergency { state: 0, ..ended };
        self.hold(&Emergency { state: 0, ..ended });
        push_emergency(step, EventKind::EmergencyEnded, &ended);
        self.prices_reached(InstrumentId(target).index());
    }

    /// The start of a frame: those whose time has come end, and what has rested is forgotten.
    pub(super) fn end_emergencies(&mut self, step: &mut Step) {
        let now_ns = step.time_ns;
        let due = self.governance.state.emergencies.iter().filter(|found| found.until_ns <= now_ns);
        let due: Vec<_> = due.map(|found| (found.instrument, found.state)).collect();
        for (instrument, state) in due {
            if state == 0 {
                self.governance.state.emergencies.retain(|found| found.instrument != instrument);
            } else {
                self.end_emergency(step, instrument);
            }
        }
    }

    pub(super) fn check_confirmation(&self, target: u32) -> Result<(), Refused> {
        super::check_standing(target, self.instruments.len(), Reject::UnknownInstrument)?;
        self.check_unsettled(target as usize - 1)?;
        if !self.holds(target) {
            return refused(Reject::EmergencyRests, target, 0);
        }
        Ok(())
    }

    /// What a guardian did becomes the instrument's state.
    pub(super) fn confirm_emergency(&mut self, step: &mut Step, target: u32) {
        let at = InstrumentId(target).index();
        let instrument = &self.instruments[at];
        let state = stricter(instrument.state, instrument.emergency);
        self.enter_state(step, at, state);
        self.end_emergency(step, target);
    }
}

fn push_emergency(step: &mut Step, kind: EventKind, emergency: &Emergency) {
    let event = step.push(kind);
    event.account = emergency.account;
    event.side = emergency.state;
    event.instrument = emergency.instrument;
    event.counter_amount = Int128::new(emergency.until_ns.into());
}
