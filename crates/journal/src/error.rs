//! Every way the journal can refuse, each with a number and a sentence that names value and limit.

use std::fmt;
use std::io;

use crate::frame::{Flaw, hex};

/// What an I/O error said, kept in a form that can be stored and repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoFault {
    /// The portable class of the error.
    pub kind: io::ErrorKind,
    /// The operating system's number, where it gave one.
    pub os_code: Option<i32>,
    /// The error in words.
    pub text: String,
}

impl From<io::Error> for IoFault {
    fn from(error: io::Error) -> Self {
        Self { kind: error.kind(), os_code: error.raw_os_error(), text: error.to_string() }
    }
}

/// An error of the journal. [`JournalError::code`] gives its stable number.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are named in each variant's sentence
pub enum JournalError {
    /// The disk failed an operation.
    Io { action: &'static str, file: String, offset: u64, fault: IoFault },
    /// The disk, or a quota on it, is full.
    DiskFull { action: &'static str, file: String, offset: u64, fault: IoFault },
    /// An earlier failure made this journal unusable; only reopening it helps.
    Poisoned { first: Box<JournalError> },
    /// Another process, or another part of this one, has the directory open for writing.
    AlreadyOpen { directory: String },
    /// A frame does not continue the sequence.
    SequenceGap { given: u64, expected: u64 },
    /// A frame is older than its predecessor.
    TimeBackwards { given_ns: u64, previous_ns: u64 },
    /// A frame does not fit into a segment.
    FrameTooLarge { bytes: u64, limit: u64 },
    /// A frame must carry at least one record.
    EmptyFrame,
    /// The sequence would pass the largest number there is.
    SequenceExhausted { first_sequence: u64, count: u32 },
    /// An option is outside its bounds.
    BadOption { name: &'static str, value: u64, least: u64, most: u64 },
    /// Nothing is there, and creating was not asked for or not possible.
    NothingThere { directory: String, why: &'static str },
    /// A file belongs to another journal.
    WrongGenesis { file: String, found: [u8; 32], expected: [u8; 32] },
    /// A file was written by another version of the format.
    WrongVersion { file: String, found: u16, supported: u16 },
    /// A segment's header does not hold together.
    CorruptSegment { file: String, offset: u64, sequence: u64, why: String },
    /// A frame is damaged, and it is not the torn tail of an unfinished write.
    CorruptFrame { file: String, offset: u64, sequence: u64, flaw: Flaw, proof: String },
    /// Records known to be durable are not there.
    LostRecords { file: String, offset: u64, sequence: u64, last: u64, witness: String },
    /// A segment between others is missing.
    MissingSegment { file: String, expected: u64, found: u64 },
    /// Two segments claim the same records.
    DuplicateSegment { file: String, other: String, sequence: u64 },
    /// A snapshot or the marker disagrees with the log about the chain.
    ChainDisagreement { file: String, offset: u64, sequence: u64, witness: String },
    /// A snapshot cannot be used.
    CorruptSnapshot { file: String, offset: u64, sequence: u64, why: String },
    /// A snapshot may only hold what is already durable in the log.
    SnapshotNotDurable { sequence: u64, durable_sequence: u64 },
    /// Segments may go only when every kept snapshot is newer.
    StillNeeded { sequence: u64, oldest_snapshot: u64, snapshots: usize, least: usize },
    /// Reading was asked to begin outside the log.
    OutOfRange { sequence: u64, first: u64, end: u64 },
}

impl JournalError {
    /// The number of this kind of error; it never changes its meaning.
    pub fn code(&self) -> u16 {
        match self {
            Self::Io { .. } => 1,
            Self::DiskFull { .. } => 2,
            Self::Poisoned { .. } => 3,
            Self::AlreadyOpen { .. } => 4,
            Self::SequenceGap { .. } => 10,
            Self::TimeBackwards { .. } => 11,
            Self::FrameTooLarge { .. } => 12,
            Self::EmptyFrame => 13,
            Self::SequenceExhausted { .. } => 14,
            Self::BadOption { .. } => 15,
            Self::OutOfRange { .. } => 16,
            Self::SnapshotNotDurable { .. } => 17,
            Self::StillNeeded { .. } => 18,
            Self::NothingThere { .. } => 20,
            Self::WrongGenesis { .. } => 21,
            Self::WrongVersion { .. } => 22,
            Self::CorruptSegment { .. } => 30,
            Self::CorruptFrame { .. } => 31,
            Self::LostRecords { .. } => 32,
            Self::MissingSegment { .. } => 33,
            Self::DuplicateSegment { .. } => 34,
            Self::ChainDisagreement { .. } => 35,
            Self::CorruptSnapshot { .. } => 36,
        }
    }

    /// Whether the files themselves are damaged, as opposed to a refused call or a failing disk.
    pub fn is_corruption(&self) -> bool {
        (30..40).contains(&self.code())
    }

    pub(crate) fn io(action: &'static str, file: &str, offset: u64, error: io::Error) -> Self {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let (file, fault) = (file.to_string(), IoFault::from(error));
        if full {
            Self::DiskFull { action, file, offset, fault }
        } else {
            Self::Io { action, file, offset, fault }
        }
    }

    pub(crate) fn segment(file: &str, offset: u64, sequence: u64, why: impl Into<String>) -> Self {
        Self::CorruptSegment { file: file.to_string(), offset, sequence, why: why.into() }
    }
}

impl std::error::Error for JournalError {}

/// The only repair that cannot lose an acknowledged record.
const RESTORE: &str = "nothing was changed; restore this file from another copy of the log, then start again";

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { action, file, offset, fault } => {
                write!(f, "could not {action} {file} at offset {offset}: {}", fault.text)
            }
            Self::DiskFull { action, file, offset, fault } => write!(
                f,
                "the disk is full: could not {action} {file} at offset {offset}: {}; free space and start again",
                fault.text
            ),
            Self::Poisoned { first } => {
                write!(f, "the journal stopped at its first failure and takes nothing more: {first}")
            }
            Self::AlreadyOpen { directory } => write!(f, "the journal in {directory} is already open"),
            Self::SequenceGap { given, expected } => {
                write!(f, "the frame begins at sequence {given}, the log continues at {expected}")
            }
            Self::TimeBackwards { given_ns, previous_ns } => {
                write!(f, "the frame's time {given_ns} ns is before its predecessor's {previous_ns} ns")
            }
            Self::FrameTooLarge { bytes, limit } => {
                write!(f, "the frame takes {bytes} bytes, a segment has room for {limit}")
            }
            Self::EmptyFrame => write!(f, "the frame's count is 0, the least is 1"),
            Self::SequenceExhausted { first_sequence, count } => {
                write!(f, "sequence {first_sequence} plus {count} records passes the limit {}", u64::MAX)
            }
            Self::BadOption { name, value, least, most } => {
                write!(f, "the option {name} is {value}, allowed are {least} to {most}")
            }
            Self::NothingThere { directory, why } => write!(f, "no journal in {directory}: {why}"),
            Self::StillNeeded { sequence, oldest_snapshot, snapshots, least } => write!(
                f,
                "records before sequence {sequence} are still needed: {snapshots} snapshots are kept (least {least}), \
                 the oldest at sequence {oldest_snapshot}"
            ),
            Self::SnapshotNotDurable { sequence, durable_sequence } => write!(
                f,
                "a snapshot at sequence {sequence} must wait: the log is durable up to sequence {durable_sequence}"
            ),
            Self::OutOfRange { sequence, first, end } => {
                write!(f, "sequence {sequence} is outside the log, which holds {first} to {end}")
            }
            _ => self.fmt_refusal(f),
        }
    }
}

impl JournalError {
    /// The sentences of a refusal to start: file, offset, sequence, and the safe repair.
    fn fmt_refusal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongGenesis { file, found, expected } => write!(
                f,
                "{file} belongs to another journal: its genesis id is {}, expected {}",
                hex(found),
                hex(expected)
            ),
            Self::WrongVersion { file, found, supported } => {
                write!(f, "{file} has format version {found}, this program reads version {supported}")
            }
            Self::CorruptSegment { file, offset, sequence, why } => {
                write!(f, "{file} is corrupt at offset {offset}, sequence {sequence}: {why}; {RESTORE}")
            }
            Self::CorruptFrame { file, offset, sequence, flaw, proof } => write!(
                f,
                "{file} is corrupt at offset {offset}, sequence {sequence}: {flaw}; this is no torn tail, because \
                 {proof}; {RESTORE}"
            ),
            Self::LostRecords { file, offset, sequence, last, witness } => write!(
                f,
                "{file} ends at offset {offset} before sequence {sequence}, yet sequence {last} was durable according \
                 to {witness}; {RESTORE}"
            ),
            Self::MissingSegment { file, expected, found } => write!(
                f,
                "a segment is missing before {file}: at offset 0 it begins at sequence {found}, expected sequence \
                 {expected}; nothing was changed; restore the segment that holds sequence {expected} from another copy \
                 of the log, then start again"
            ),
            Self::DuplicateSegment { file, other, sequence } => write!(
                f,
                "{file} repeats records of {other}: at offset 0 it begins at sequence {sequence}; nothing was changed; \
                 move the wrong copy away, then start again"
            ),
            Self::ChainDisagreement { file, offset, sequence, witness } => write!(
                f,
                "the chain hash in {file} at offset {offset}, sequence {sequence} differs from the one in {witness}; \
                 one of them belongs to another log; {RESTORE}"
            ),
            Self::CorruptSnapshot { file, offset, sequence, why } => write!(
                f,
                "{file} is corrupt at offset {offset}, sequence {sequence}: {why}; an older snapshot and a longer \
                 tail of the log replace it"
            ),
            other => unreachable!("code {} is written elsewhere", other.code()),
        }
    }
}
