//! Snapshots beside the log: a second engine executes the log again in a thread of its own, from the newest snapshot
//! up to a durable position, and writes what it has become. Whoever serves never stands still for it.

use crate::error::{NodeError, OpenError};
use crate::machine::Machine;
use crate::recovery::{engine_of, hash_of_state};
use crate::replay::replay_frame;
use std::io;
use std::thread::JoinHandle;
use xos_engine::{Engine, Violation};
use xos_journal::{Check, SnapshotInfo, SnapshotSource};

/// A snapshot under way.
pub(crate) struct SnapshotBeside(JoinHandle<Result<SnapshotInfo, NodeError>>);

impl SnapshotBeside {
    pub(crate) fn start(source: SnapshotSource) -> io::Result<Self> {
        let thread = std::thread::Builder::new().name("xos-snapshot".into()).spawn(move || make(source))?;
        Ok(Self(thread))
    }

    /// Whether waiting for it takes no time.
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits until it is written.
    pub(crate) fn finish(self) -> Result<SnapshotInfo, NodeError> {
        self.0.join().unwrap_or_else(|_| {
            let detail = "the thread that executed the log again panicked".into();
            Err(NodeError::Halted(Violation { invariant: 0, sequence: 0, detail }))
        })
    }
}

fn make(source: SnapshotSource) -> Result<SnapshotInfo, NodeError> {
    let mut machine = Machine::new(base(&source), None);
    let first = machine.engine().sequence() + 1;
    let mut reader = source.read_from(first, Check::Full).map_err(NodeError::Snapshot)?;
    let mut events = Vec::new();
    while replay_frame(&mut reader, &mut machine, &mut events).map_err(of_replay)?.is_some() {}
    machine.engine().audit().map_err(NodeError::Halted)?;
    let bytes = machine.engine().snapshot_bytes();
    let state_hash = hash_of_state(&bytes).unwrap_or_else(|| machine.engine().state_hash());
    // What is on its way to the disk needs no engine beside it.
    drop(machine);
    let written = source.begin_snapshot(state_hash).and_then(|mut writer| {
        writer.write(&bytes)?;
        writer.finish()
    });
    written.map_err(NodeError::Snapshot)
}

/// The engine of the newest snapshot that proves itself; without one the log is executed from its beginning.
fn base(source: &SnapshotSource) -> Engine {
    source
        .snapshots()
        .iter()
        .find_map(|info| engine_of(info, &source.body(info).ok()?).ok())
        .unwrap_or_default()
}

fn of_replay(error: OpenError) -> NodeError {
    match error {
        OpenError::Halted { violation, .. } => NodeError::Halted(violation),
        OpenError::Journal(error) => NodeError::Snapshot(error),
        other => {
            let (sequence, detail) = (0, other.to_string());
            NodeError::Halted(Violation { invariant: 0, sequence, detail })
        }
    }
}
