//! From what the disk holds to a running engine: the newest snapshot that proves itself, and the tail of the
//! log behind it.

use crate::error::OpenError;
use crate::machine::Machine;
use crate::options::Options;
use crate::replay::{elapsed_ns, replay_frame};
use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;
use xos_engine::Engine;
use xos_journal::{Check, Journal, RecoveryReport, SnapshotInfo};
use xos_protocol::EventRecord;

/// What opening found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Sequence of the last command.
    pub sequence: u64,
    /// The snapshot that was taken as the beginning; `None`: the log's first command.
    pub snapshot_sequence: Option<u64>,
    /// Newer snapshots that could not be used, and why.
    pub snapshots_skipped: Vec<String>,
    /// Frames of the log executed again.
    pub frames_replayed: u64,
    /// Commands in them.
    pub commands_replayed: u64,
    /// What the log found and did.
    pub journal: RecoveryReport,
    /// How long executing them took.
    pub replay_ns: u64,
    /// How long all of it took.
    pub elapsed_ns: u64,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.journal)?;
        for skipped in &self.snapshots_skipped {
            write!(f, "\n{skipped}")?;
        }
        match self.snapshot_sequence {
            Some(sequence) => write!(f, "\nsnapshot of sequence {sequence}")?,
            None => write!(f, "\nno snapshot")?,
        }
        let (ms, us) = (self.elapsed_ns / 1_000_000, self.elapsed_ns / 1_000 % 1_000);
        write!(
            f,
            "; {} frames with {} commands replayed; at sequence {} after {ms}.{us:03} ms",
            self.frames_replayed, self.commands_replayed, self.sequence
        )
    }
}

/// The events of one frame that opening has executed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayedEvents {
    /// Sequence of the frame's first command.
    pub first_sequence: u64,
    /// Its events, the same ones as the first time.
    pub events: Vec<EventRecord>,
}

/// The last events of the log, bounded by their number.
#[derive(Debug, Default)]
pub(crate) struct ReplayedTail {
    frames: VecDeque<ReplayedEvents>,
    events: usize,
    events_max: usize,
}

impl ReplayedTail {
    pub(crate) fn new(events_max: usize) -> Self {
        Self { events_max, ..Self::default() }
    }

    pub(crate) fn note(&mut self, first_sequence: u64, events: &[EventRecord]) {
        if self.events_max == 0 {
            return;
        }
        self.events += events.len();
        self.frames.push_back(ReplayedEvents { first_sequence, events: events.to_vec() });
        while self.events > self.events_max
            && let Some(gone) = self.frames.pop_front()
        {
            self.events -= gone.events.len();
        }
    }

    pub(crate) fn take(&mut self) -> Vec<ReplayedEvents> {
        self.events = 0;
        std::mem::take(&mut self.frames).into()
    }
}

/// Builds the machine that the log describes.
pub(crate) fn recover(
    journal: &Journal,
    options: &Options,
    directory: &str,
    begun: Instant,
) -> Result<(Machine, Recovery, ReplayedTail), OpenError> {
    let (engine, from, skipped) = restore(journal, directory)?;
    let mut machine = Machine::new(engine, options.failpoint);
    // What is newer than the newest snapshot was checked with its chain when the journal was opened.
    let check = if from == journal.snapshots().first().map(|info| info.at.sequence) {
        Check::Crc
    } else {
        Check::Full
    };
    let replays = Instant::now();
    let mut reader = journal.read_from(machine.engine().sequence() + 1, check)?;
    let (mut frames, mut commands) = (0, 0);
    // They were answered, or their commands never were: only who comes back wants the last of them.
    let mut events = Vec::new();
    let mut tail = ReplayedTail::new(options.replayed_events_max);
    while let Some(frame) = replay_frame(&mut reader, &mut machine, &mut events)? {
        frames += 1;
        commands += u64::from(frame.count);
        tail.note(frame.first_sequence, frame.events);
    }
    let recovery = Recovery {
        sequence: machine.engine().sequence(),
        snapshot_sequence: from,
        snapshots_skipped: skipped,
        frames_replayed: frames,
        commands_replayed: commands,
        journal: journal.report().clone(),
        replay_ns: elapsed_ns(replays),
        elapsed_ns: elapsed_ns(begun),
    };
    Ok((machine, recovery, tail))
}

/// The engine of the newest usable snapshot, or a new one where the log still has its first command.
fn restore(journal: &Journal, directory: &str) -> Result<(Engine, Option<u64>, Vec<String>), OpenError> {
    let mut skipped: Vec<_> = journal.report().bad_snapshots.iter().map(ToString::to_string).collect();
    for info in journal.snapshots() {
        let body = journal.snapshot_body(info).map_err(|error| error.to_string());
        match body.and_then(|body| engine_of(info, &body)) {
            Ok(engine) => return Ok((engine, Some(info.at.sequence), skipped)),
            Err(why) => skipped.push(why),
        }
    }
    if journal.first_sequence() == 1 {
        return Ok((Engine::new(), None, skipped));
    }
    let (directory, first_sequence) = (directory.to_string(), journal.first_sequence());
    Err(OpenError::NoSnapshot { directory, first_sequence, skipped })
}

/// Builds the engine of a snapshot and compares it with what the snapshot's header says.
pub(crate) fn engine_of(info: &SnapshotInfo, bytes: &[u8]) -> Result<Engine, String> {
    let engine = Engine::from_snapshot(bytes).map_err(|error| format!("{}: {error}", info.file))?;
    // from_snapshot has proven that the engine's state is these bytes.
    if hash_of_state(bytes) != Some(info.state_hash) {
        return Err(format!("{}: its state has another hash than its header says", info.file));
    }
    if engine.sequence() != info.at.sequence || engine.time_ns() != info.at.time_ns {
        return Err(format!(
            "{}: its state is of sequence {}, its header says {}",
            info.file,
            engine.sequence(),
            info.at.sequence
        ));
    }
    Ok(engine)
}

/// The hash of the state in a snapshot, without walking the engine again: a snapshot is the length of the state,
/// the state, and the session behind it.
pub(crate) fn hash_of_state(snapshot: &[u8]) -> Option<[u8; 32]> {
    let (length, rest) = snapshot.split_first_chunk::<8>()?;
    let state = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    Some(*blake3::hash(state).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_snapshots_state_is_the_engines() {
        let engine = Engine::new();
        let mut bytes = engine.snapshot_bytes();
        assert_eq!(hash_of_state(&bytes), Some(engine.state_hash()));
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!((hash_of_state(&bytes), hash_of_state(&bytes[..5])), (None, None));
    }
}
