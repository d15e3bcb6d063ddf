//! Checking everything: each frame, the whole chain, each snapshot.

use std::fmt;
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::JournalError;
use crate::frame::Position;
use crate::journal::Options;
use crate::reader::ReadOnlyJournal;
use crate::survey::TornTail;

/// The outcome of [`verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments read.
    pub segments: u64,
    /// Frames checked.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// Payload in them.
    pub payload_bytes: u64,
    /// The first sequence in the log.
    pub first_sequence: u64,
    /// The end of the log; its hash stands for all of it.
    pub end: Position,
    /// The tail that opening would drop.
    pub torn_tail: Option<TornTail>,
    /// Sequences of the sound snapshots, newest first.
    pub snapshots: Vec<u64>,
    /// Snapshots that cannot be used.
    pub bad_snapshots: Vec<JournalError>,
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} segments, {} frames, {} records, {} payload bytes, sequence {} to {}, {} snapshots",
            self.segments,
            self.frames,
            self.records,
            self.payload_bytes,
            self.first_sequence,
            self.end.sequence,
            self.snapshots.len()
        )?;
        if let Some(torn) = &self.torn_tail {
            write!(f, "; {torn}")?;
        }
        for bad in &self.bad_snapshots {
            write!(f, "; {bad}")?;
        }
        Ok(())
    }
}

/// Checks all segments with their chain of hashes, and all snapshots with their bodies and their
/// place in the chain. Damage to the log is an error; a damaged snapshot is reported.
pub fn verify(disk: Arc<dyn Disk>, options: &Options) -> Result<VerifyReport, JournalError> {
    let options = Options { full_scan: true, ..options.clone() };
    let journal = ReadOnlyJournal::open(disk, &options)?;
    let mut snapshots = Vec::new();
    let mut bad_snapshots = journal.report().bad_snapshots.clone();
    for info in journal.snapshots() {
        match journal.read_snapshot(info, |_| {}) {
            Ok(()) => snapshots.push(info.at.sequence),
            Err(error @ JournalError::CorruptSnapshot { .. }) => bad_snapshots.push(error),
            Err(error) => return Err(error),
        }
    }
    let scanned = journal.survey().scanned;
    Ok(VerifyReport {
        segments: scanned.segments,
        frames: scanned.frames,
        records: scanned.records,
        payload_bytes: scanned.payload_bytes,
        first_sequence: journal.first_sequence(),
        end: journal.position(),
        torn_tail: journal.report().torn_tail.clone(),
        snapshots,
        bad_snapshots,
    })
}
