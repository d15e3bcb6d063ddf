//! The slow parts of writing, as tickets that another thread may run: the sync of the current
//! segment, and the pre-allocation of the next one.

use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::error::JournalError;
use crate::frame::Position;
use crate::segment::{SyncedFile, TEMPORARY, preallocate};

/// One `fdatasync` to be run. Appending may go on meanwhile. Hand what [`SyncTicket::run`] returns to
/// `Journal::finish_sync`; a ticket that is dropped promises nothing and harms nothing.
#[must_use = "nothing becomes durable until the ticket has run"]
pub struct SyncTicket {
    pub(crate) file: Arc<SyncedFile>,
    pub(crate) covers: Position,
}

impl SyncTicket {
    /// The position up to which the log will be durable.
    pub fn covers(&self) -> Position {
        self.covers
    }

    /// Runs the sync.
    pub fn run(self) -> SyncOutcome {
        SyncOutcome { covers: self.covers, result: self.file.sync_data() }
    }
}

/// What came of a [`SyncTicket`].
#[must_use = "the journal does not know about the sync until finish_sync"]
pub struct SyncOutcome {
    pub(crate) covers: Position,
    pub(crate) result: Result<(), JournalError>,
}

/// The next segment's file to be pre-allocated ahead of need, so that the append that needs it does
/// not wait for megabytes of zeros.
#[must_use = "nothing is pre-allocated until the ticket has run"]
pub struct SpareTicket {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) bytes: u64,
}

/// The name of the pre-allocated file.
pub(crate) fn spare_name() -> String {
    format!("spare.xosj{TEMPORARY}")
}

impl SpareTicket {
    /// Writes and syncs the zeros.
    pub fn run(self) -> SpareOutcome {
        let name = spare_name();
        let file = preallocate(&*self.disk, &name, self.bytes);
        SpareOutcome(file.and_then(|file| {
            file.sync_all().map_err(|e| JournalError::io("sync", &name, 0, e))?;
            Ok(file)
        }))
    }
}

/// What came of a [`SpareTicket`]; for `Journal::finish_spare`.
#[must_use = "the journal does not know about the file until finish_spare"]
pub struct SpareOutcome(pub(crate) Result<Arc<dyn DiskFile>, JournalError>);
