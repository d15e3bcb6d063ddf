//! What it takes to make a snapshot out of the log itself while the log goes on.

use crate::disk::Disk;
use crate::error::JournalError;
use crate::frame::{Hash, Position};
use crate::reader::{Check, FrameReader};
use crate::segment::GenesisId;
use crate::snapshot::{self, SnapshotInfo, SnapshotWriter};
use crate::survey::SegmentInfo;
use std::sync::Arc;

/// The log up to a durable position and the snapshots before it. It may move to another thread: it only reads, but for the
/// snapshot's own file; hand what the writer returns to `Journal::finish_snapshot`.
pub struct SnapshotSource {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) genesis: GenesisId,
    pub(crate) segments: Vec<SegmentInfo>,
    pub(crate) snapshots: Vec<SnapshotInfo>,
    pub(crate) at: Position,
}

impl SnapshotSource {
    /// The position whose effects the snapshot will contain.
    pub fn at(&self) -> Position {
        self.at
    }

    /// The snapshots that are there, newest first.
    pub fn snapshots(&self) -> &[SnapshotInfo] {
        &self.snapshots
    }

    /// The first sequence that the log has.
    pub fn first_sequence(&self) -> u64 {
        self.segments.first().map_or(1, |segment| segment.header.first_sequence)
    }

    /// Reads a snapshot's whole body, checked.
    pub fn body(&self, info: &SnapshotInfo) -> Result<Vec<u8>, JournalError> {
        snapshot::whole_body(&*self.disk, info)
    }

    /// Reads the log from a sequence on, up to the position.
    pub fn read_from(&self, sequence: u64, check: Check) -> Result<FrameReader, JournalError> {
        FrameReader::new(self.disk.clone(), self.segments.clone(), sequence, self.at, check)
    }

    /// Begins the snapshot.
    pub fn begin_snapshot(self, state_hash: Hash) -> Result<SnapshotWriter, JournalError> {
        SnapshotWriter::new(self.disk, self.genesis, self.at, state_hash)
    }
}
