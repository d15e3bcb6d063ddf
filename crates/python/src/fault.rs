//! What can go wrong, and the exception of `exchange_os.errors` that says it.

use pyo3::BoundObject;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::path::Path;
use xos_journal::JournalError;
use xos_node::{NodeError, OpenError};

/// A failed call.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Closed,
    Halted(String),
    TimeBackwards(String),
    Forked(String),
    Refused(String),
    Disk(String),
    AlreadyOpen { why: String, path: String },
    NothingThere(String),
    Corrupt { why: String, file: String, offset: u64, sequence: u64 },
    VerifyFailed(String),
}

impl From<NodeError> for Fault {
    fn from(error: NodeError) -> Self {
        let why = error.to_string();
        match error {
            NodeError::TimeBackwards { .. } => Self::TimeBackwards(why),
            NodeError::Forked { .. } => Self::Forked(why),
            error if error.is_final() => Self::Halted(why),
            _ => Self::Refused(why),
        }
    }
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        let why = error.to_string();
        match error {
            JournalError::AlreadyOpen { directory } => Self::AlreadyOpen { why, path: directory },
            JournalError::NothingThere { .. } => Self::NothingThere(why),
            JournalError::Io { .. } | JournalError::DiskFull { .. } => Self::Disk(why),
            JournalError::WrongGenesis { file, .. } | JournalError::WrongVersion { file, .. } => {
                Self::Corrupt { why, file, offset: 0, sequence: 0 }
            }
            JournalError::CorruptSegment { file, offset, sequence, .. }
            | JournalError::CorruptFrame { file, offset, sequence, .. }
            | JournalError::LostRecords { file, offset, sequence, .. }
            | JournalError::ChainDisagreement { file, offset, sequence, .. }
            | JournalError::CorruptSnapshot { file, offset, sequence, .. } => {
                Self::Corrupt { why, file, offset, sequence }
            }
            JournalError::MissingSegment { file, expected, .. } => {
                Self::Corrupt { why, file, offset: 0, sequence: expected }
            }
            JournalError::DuplicateSegment { file, sequence, .. } => {
                Self::Corrupt { why, file, offset: 0, sequence }
            }
            _ => Self::Refused(why),
        }
    }
}

impl Fault {
    /// Why a directory could not be opened.
    pub(crate) fn from_open(error: OpenError, path: Option<&Path>) -> Self {
        let why = error.to_string();
        let directory = path.map(|path| path.display().to_string()).unwrap_or_default();
        match error {
            OpenError::Journal(error) => Self::from(error),
            OpenError::Directory { .. } => Self::Disk(why),
            OpenError::BadFrame { file, offset, sequence, .. } => {
                Self::Corrupt { why, file, offset, sequence }
            }
            OpenError::LogMissing { .. } => Self::Corrupt { why, file: directory, offset: 0, sequence: 1 },
            OpenError::NoSnapshot { first_sequence, .. } => {
                Self::Corrupt { why, file: directory, offset: 0, sequence: first_sequence }
            }
            OpenError::Halted { .. } => Self::Halted(why),
            OpenError::NotAnExchange { .. } => Self::NothingThere(why),
            _ => Self::Refused(why),
        }
    }

    /// The exception for it.
    pub(crate) fn into_exception(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Closed => exception(py, "Closed", ("the exchange is closed; open it again",)),
            Self::Halted(why) => exception(py, "Halted", (why,)),
            Self::TimeBackwards(why) => exception(py, "TimeBackwards", (why,)),
            Self::Forked(why) => exception(py, "Forked", (why,)),
            Self::Refused(why) => exception(py, "InvalidArgument", (why,)),
            Self::Disk(why) => exception(py, "DiskFailed", (why,)),
            Self::AlreadyOpen { why, path } => exception(py, "AlreadyOpen", (why, path)),
            Self::NothingThere(why) => exception(py, "NoExchangeHere", (why,)),
            Self::Corrupt { why, file, offset, sequence } => {
                exception(py, "Corrupt", (why, file, offset, sequence))
            }
            Self::VerifyFailed(why) => exception(py, "VerifyFailed", (why,)),
        }
    }
}

/// An exception of `exchange_os.errors` by name.
pub(crate) fn exception<'py>(
    py: Python<'py>,
    name: &str,
    arguments: impl IntoPyObject<'py, Target = PyTuple>,
) -> PyErr {
    let made = (|| {
        let arguments = arguments.into_pyobject(py).map_err(Into::into)?.into_bound();
        py.import("exchange_os.errors")?.getattr(name)?.call1(arguments)
    })();
    made.map_or_else(|error: PyErr| error, PyErr::from_value)
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("a check inside the engine failed: {}", text.unwrap_or("no message"))
}

/// For what cannot happen.
pub(crate) fn unexpected(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!("{what}: this is a defect of Exchange OS, please report it"))
}
