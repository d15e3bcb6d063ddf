//! The journal: the log of an exchange on the local disk.
//!
//! Append-only, hash-chained segments with group commit, snapshots, recovery, reading and
//! verification. Payloads are bytes to it. It has no threads and no clock: time comes with each
//! frame, and whoever wants the sync beside the appends runs a [`SyncTicket`] on a thread of theirs.
//!
//! Promises, each enumerated by the crash matrix in `xos-sim`:
//! - What [`Journal::sync`] returned is there after kill -9, power loss, torn writes and failed syncs.
//! - What is recovered is a prefix of what was appended, with its chain of hashes intact.
//! - Damage to anything once durable is found, and the journal refuses to start: it names file,
//!   offset, sequence and the safe repair, and never cuts the log by itself.
//!
//! Not promised: that a record survives two faults at once in the same place, namely a power cut that
//! takes the marker *and* rot in the last synced frame before anything was appended after it; only
//! another copy of the log can tell that from a torn tail. A sector of 512 bytes is taken to be
//! written as a whole or not at all.
//!
//! ```
//! use std::sync::Arc;
//! use xos_journal::{Check, GenesisId, Journal, Options, RealDisk};
//!
//! # let folder = tempfile::tempdir()?;
//! let disk = Arc::new(RealDisk::new(folder.path())?);
//! let options = Options { segment_bytes: 1 << 16, ..Options::new(GenesisId::derive(b"example")) };
//! let mut journal = Journal::open(disk, options)?;
//! journal.append(0, 1, 1_700_000_000_000_000_000, 2, &[b"first", b"second"])?;
//! assert_eq!(journal.sync()?, 2);
//!
//! let mut reader = journal.read_from(1, Check::Full)?;
//! while let Some(frame) = reader.next_frame()? {
//!     assert_eq!(frame.payload, b"firstsecond");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

mod disk;
mod error;
mod frame;
mod journal;
mod marker;
mod reader;
mod recovery;
mod scan;
mod segment;
mod snapshot;
mod source;
mod survey;
mod sync;
mod tail;
mod verify;

pub use disk::{Access, DirectoryLock, Disk, DiskFile, RealDisk};
pub use error::{IoFault, JournalError};
pub use frame::{
    FORMAT_VERSION, FRAME_ALIGN, FRAME_HEADER_BYTES, Flaw, FrameHeader, Hash, Position, frame_bytes,
};
pub use journal::{Defences, Journal, Options};
pub use marker::MARKER_NAME;
pub use reader::{Check, Frame, FrameReader, ReadOnlyJournal};
pub use recovery::RecoveryReport;
pub use segment::{
    GenesisId, SECTOR_BYTES, SEGMENT_BYTES_LEAST, SEGMENT_BYTES_MOST, SEGMENT_HEADER_BYTES, SegmentHeader,
    segment_name,
};
pub use snapshot::{SNAPSHOT_HEADER_BYTES, SnapshotInfo, SnapshotWriter, snapshot_name};
pub use source::SnapshotSource;
pub use survey::{SegmentInfo, TornTail, is_journal_file};
pub use sync::{SpareOutcome, SpareTicket, SyncOutcome, SyncTicket};
pub use tail::TailReader;
pub use verify::{VerifyReport, verify};
