//! Every way the node can refuse, each with a number and a sentence that names value and limit.

use std::fmt;
use xos_engine::Violation;
use xos_journal::{IoFault, JournalError};

/// Why commands were not taken, or no promise about them can be made.
///
/// After [`NodeError::Journal`] and [`NodeError::Halted`] the exchange takes nothing more, and whether the
/// commands of the failed call are in the log is known only after opening it again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are named in each variant's sentence
pub enum NodeError {
    /// The log failed, now or earlier; this is the first failure.
    Journal(JournalError),
    /// The engine stopped at a failed invariant or a panic, now or earlier.
    Halted(Violation),
    /// The given time is before the log's.
    TimeBackwards { given_ns: u64, last_ns: u64 },
    /// A call must bring a command.
    Empty,
    /// A limit under which the log could not hold a full frame.
    BadLimit { name: &'static str, value: u64, most: u64 },
    /// The body of a deployment is too long.
    DeployTooLarge { bytes: u64, limit: u64 },
    /// An exchange in memory has no place for a snapshot.
    InMemory,
    /// The sequence would pass the largest number there is.
    SequenceExhausted { first_sequence: u64, count: u64 },
    /// A snapshot could not be written. The log is unharmed and the exchange goes on.
    Snapshot(JournalError),
    /// The log belongs to the process of which this one is a fork.
    Forked { opened_by: u32, process: u32 },
}

impl NodeError {
    /// The number of this kind of error; it never changes its meaning.
    pub fn code(&self) -> u16 {
        match self {
            Self::Journal(_) => 601,
            Self::Halted(_) => 602,
            Self::TimeBackwards { .. } => 603,
            Self::Empty => 604,
            Self::BadLimit { .. } => 605,
            Self::DeployTooLarge { .. } => 606,
            Self::InMemory => 607,
            Self::SequenceExhausted { .. } => 608,
            Self::Snapshot(_) => 609,
            Self::Forked { .. } => 610,
        }
    }

    /// Whether the exchange takes nothing more after it.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Journal(_) | Self::Halted(_))
    }
}

impl From<JournalError> for NodeError {
    fn from(error: JournalError) -> Self {
        Self::Journal(first_of(error))
    }
}

/// The failure behind the repetitions of it.
fn first_of(error: JournalError) -> JournalError {
    match error {
        JournalError::Poisoned { first } => first_of(*first),
        other => other,
    }
}

impl std::error::Error for NodeError {}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(error) => write!(f, "the log failed, nothing more is taken: {error}"),
            Self::Halted(violation) => write_halt(f, violation),
            Self::TimeBackwards { given_ns, last_ns } => {
                write!(f, "the given time is {given_ns} ns, the log stands at {last_ns} ns")
            }
            Self::Empty => write!(f, "0 commands were given, the least is 1"),
            Self::BadLimit { name, value, most } => write_limit(f, name, *value, *most),
            Self::DeployTooLarge { bytes, limit } => {
                write!(f, "the body of the deployment has {bytes} bytes, the limit is {limit}")
            }
            Self::InMemory => write!(f, "an exchange in memory has no directory to write a snapshot to"),
            Self::SequenceExhausted { first_sequence, count } => {
                write!(f, "sequence {first_sequence} plus {count} commands passes the limit {}", u64::MAX)
            }
            Self::Snapshot(error) => write!(f, "no snapshot was written, the log goes on: {error}"),
            Self::Forked { opened_by, process } => write!(
                f,
                "the directory was opened by process {opened_by}, of which this process {process} is a fork; \
                 only the one that opened it uses it"
            ),
        }
    }
}

/// Why an exchange could not be opened. Nothing was changed, unless the sentence says so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are named in each variant's sentence
pub enum OpenError {
    /// The log cannot be opened or read.
    Journal(JournalError),
    /// The directory cannot be made or read.
    Directory { path: String, fault: IoFault },
    /// The log was begun with other limits than those asked for.
    LimitsDiffer { directory: String, differences: Vec<String> },
    /// A limit under which the log could not hold a full frame.
    BadLimit { name: &'static str, value: u64, most: u64 },
    /// There are traces of a log, but no log.
    LogMissing { directory: String, witness: String },
    /// A frame of the log holds what this version cannot read.
    BadFrame { file: String, offset: u64, sequence: u64, why: String },
    /// Replaying the log stopped the engine.
    Halted { file: String, offset: u64, violation: Violation },
    /// The log no longer begins at its first command, and no snapshot can stand in.
    NoSnapshot { directory: String, first_sequence: u64, skipped: Vec<String> },
    /// The directory holds files and none of an exchange.
    NotAnExchange { directory: String, found: String },
}

impl OpenError {
    /// The number of this kind of error; it never changes its meaning.
    pub fn code(&self) -> u16 {
        match self {
            Self::Journal(_) => 621,
            Self::Directory { .. } => 622,
            Self::LimitsDiffer { .. } => 623,
            Self::BadLimit { .. } => 624,
            Self::LogMissing { .. } => 625,
            Self::BadFrame { .. } => 626,
            Self::Halted { .. } => 627,
            Self::NoSnapshot { .. } => 628,
            Self::NotAnExchange { .. } => 629,
        }
    }
}

impl From<JournalError> for OpenError {
    fn from(error: JournalError) -> Self {
        Self::Journal(first_of(error))
    }
}

impl std::error::Error for OpenError {}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(error) => write!(f, "{error}"),
            Self::Directory { path, fault } => {
                write!(f, "could not open the directory {path}: {}", fault.text)
            }
            Self::LimitsDiffer { directory, differences } => write!(
                f,
                "the log in {directory} was begun with other limits: {}; limits are declared once, so open it \
                 without limits or with the same ones",
                differences.join(", ")
            ),
            Self::BadLimit { name, value, most } => write_limit(f, name, *value, *most),
            Self::LogMissing { directory, witness } => write!(
                f,
                "{directory} has {witness} but no segment of a log; nothing was changed; restore the segments from \
                 another copy of the log, then start again"
            ),
            Self::BadFrame { file, offset, sequence, why } => write!(
                f,
                "{file} holds a frame at offset {offset}, sequence {sequence}, that cannot be executed: {why}; \
                 nothing was changed; open it with the version that wrote it"
            ),
            Self::Halted { file, offset, violation } => {
                write!(f, "replaying the log stopped in {file} at offset {offset}: ")?;
                write_halt(f, violation)?;
                write!(f, "; the log is intact and waits for a version without this defect")
            }
            Self::NoSnapshot { directory, first_sequence, skipped } => write!(
                f,
                "the log in {directory} begins at sequence {first_sequence} and no snapshot can be used ({}); \
                 nothing was changed; restore a snapshot or the older segments, then start again",
                if skipped.is_empty() { "there is none".to_string() } else { skipped.join("; ") }
            ),
            Self::NotAnExchange { directory, found } => write!(
                f,
                "{directory} is not an exchange: it holds {found} and nothing of an exchange; nothing was changed; \
                 name an empty or a new directory to begin one, or the directory of an exchange"
            ),
        }
    }
}

fn write_halt(f: &mut fmt::Formatter<'_>, violation: &Violation) -> fmt::Result {
    let Violation { invariant, sequence, detail } = violation;
    match invariant {
        0 => write!(f, "the engine stopped in the frame of sequence {sequence}: {detail}"),
        _ => write!(f, "the engine is halted: invariant {invariant} failed at sequence {sequence}: {detail}"),
    }
}

fn write_limit(f: &mut fmt::Formatter<'_>, name: &str, value: u64, most: u64) -> fmt::Result {
    write!(f, "the limit {name} is {value}; a segment of the log has room for 1 to {most}")
}
