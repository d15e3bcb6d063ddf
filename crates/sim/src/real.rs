//! The engine itself as a machine of the differential harness.

use crate::differential::{AccountMargin, Machine};
use crate::naive::FrameError;
use xos_engine::{Engine, FrameHeader};
use xos_protocol::{CommandRecord, EventRecord};
use xos_units::AccountId;

fn admission(result: Result<(), xos_engine::FrameError>) -> Result<(), FrameError> {
    use xos_engine::FrameError as Engine;
    result.map_err(|error| match error {
        Engine::SequenceGap { first_sequence, expected } => {
            FrameError::SequenceGap { expected, found: first_sequence }
        }
        Engine::TimeBackwards { time_ns, last_ns } => {
            FrameError::TimeBackwards { last_ns, found_ns: time_ns }
        }
        Engine::FrameSize { commands: 0, .. } => FrameError::Empty,
        Engine::FrameSize { commands, limit } => FrameError::TooLong { commands, limit },
        Engine::Halted(_) => FrameError::Halted,
    })
}

impl Machine for Engine {
    fn apply_records(
        &mut self,
        first_sequence: u64,
        time_ns: u64,
        commands: &[CommandRecord],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        admission(Engine::apply_records(self, FrameHeader { first_sequence, time_ns }, commands, events))
    }

    fn apply_deploy(
        &mut self,
        first_sequence: u64,
        time_ns: u64,
        body: &[u8],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        admission(Engine::apply_deploy(self, FrameHeader { first_sequence, time_ns }, body, events))
    }

    fn state_bytes(&self) -> Vec<u8> {
        Engine::state_bytes(self)
    }

    fn state_hash(&self) -> [u8; 32] {
        Engine::state_hash(self)
    }

    fn margins(&self) -> Vec<AccountMargin> {
        let ids = (0..self.account_count()).map(AccountId::from_index);
        let margin = |id| {
            let risk = self.risk(id)?;
            Some(AccountMargin {
                equity: risk.equity_for_maintenance.0,
                maintenance: risk.maintenance.0,
                initial: risk.initial.0,
                headroom: risk.headroom.0,
                withdrawable: risk.withdrawable.0,
            })
        };
        ids.map(|id| margin(id).unwrap_or_default()).collect()
    }

    /// The full audit, and that a snapshot brings the same engine back.
    fn complaint(&self) -> Option<String> {
        if let Some(violation) = self.violation() {
            return Some(format!("invariant {}: {}", violation.invariant, violation.detail));
        }
        if let Err(violation) = self.audit() {
            return Some(format!("audit, invariant {}: {}", violation.invariant, violation.detail));
        }
        let snapshot = self.snapshot_bytes();
        match Engine::from_snapshot(&snapshot) {
            Err(error) => Some(format!("restore: {error}")),
            Ok(restored) if restored.snapshot_bytes() != snapshot => {
                Some("restored, but not the same".into())
            }
            Ok(_) => None,
        }
    }
}
