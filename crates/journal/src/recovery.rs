//! Making the files what the survey found them to mean. Every step may be cut short by a crash and
//! repeated: a dropped tail only gains zeros, and nothing else changes its bytes.

use std::fmt;
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::frame::Position;
use crate::journal::Options;
use crate::segment::{
    SegmentHeader, TEMPORARY, preallocate, read_exact, segment_name, write_all, write_zeros,
};
use crate::survey::{SegmentInfo, Survey, Tail, TornTail};

/// What opening found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The end of the log after recovery; all of it is durable.
    pub end: Position,
    /// Whether a new journal was made.
    pub created: bool,
    /// The unacknowledged tail that was dropped (or, opened read-only, would be).
    pub torn_tail: Option<TornTail>,
    /// Bytes of whole frames, written but not known durable, that were written again: after a failed
    /// sync the page cache may show bytes that the disk never got.
    pub rewritten_bytes: u64,
    /// Unfinished temporary files that were removed.
    pub removed: Vec<String>,
    /// Snapshots whose header is damaged; they are left in place and not used.
    pub bad_snapshots: Vec<JournalError>,
    /// Slots of the marker file that hold something unreadable.
    pub spoiled_marker_slots: usize,
}

impl fmt::Display for RecoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the log ends at sequence {}", self.end.sequence)?;
        if self.created {
            write!(f, "; new journal")?;
        }
        if let Some(torn) = &self.torn_tail {
            write!(f, "; dropped {torn}")?;
        }
        if self.rewritten_bytes > 0 {
            write!(f, "; wrote {} unsynced bytes again", self.rewritten_bytes)?;
        }
        for name in &self.removed {
            write!(f, "; removed the unfinished {name}")?;
        }
        for bad in &self.bad_snapshots {
            write!(f, "; {bad}")?;
        }
        Ok(())
    }
}

/// The last segment, ready for appending.
pub(crate) struct Ready {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) info: SegmentInfo,
    pub(crate) offset: u64,
    pub(crate) report: RecoveryReport,
}

pub(crate) fn recover(disk: &dyn Disk, options: &Options, survey: &Survey) -> Result<Ready, JournalError> {
    for name in &survey.temporaries {
        disk.remove(name).map_err(|e| JournalError::io("remove", name, 0, e))?;
    }
    let ready = match (survey.segments.last(), &survey.tail) {
        (Some(last), Some(tail)) => mend(disk, options, survey, last, tail)?,
        _ => begin(disk, options, survey)?,
    };
    // Also makes the removals durable, and a rename that a crash kept from being so.
    disk.sync_dir().map_err(|e| JournalError::io("sync the directory", &disk.describe(), 0, e))?;
    Ok(ready)
}

fn mend(
    disk: &dyn Disk,
    options: &Options,
    survey: &Survey,
    last: &SegmentInfo,
    tail: &Tail,
) -> Result<Ready, JournalError> {
    let name = &last.file;
    let file = disk.open(name, Access::Write).map_err(|e| JournalError::io("open", name, 0, e))?;
    if let Some(torn) = &tail.torn {
        write_zeros(&*file, name, torn.offset, torn.offset + torn.bytes)?;
    }
    let mut rewritten_bytes = 0;
    if options.defences.rewrite {
        let mut bytes = vec![0; (tail.offset - tail.unwitnessed_from) as usize];
        read_exact(&*file, name, &mut bytes, tail.unwitnessed_from)?;
        write_all(&*file, name, &bytes, tail.unwitnessed_from)?;
        rewritten_bytes = bytes.len() as u64;
    }
    file.sync_data().map_err(|e| JournalError::io("sync", name, 0, e))?;
    let report = RecoveryReport { rewritten_bytes, ..report(survey, tail.position, tail.torn.clone()) };
    Ok(Ready { file, info: last.clone(), offset: tail.offset, report })
}

fn begin(disk: &dyn Disk, options: &Options, survey: &Survey) -> Result<Ready, JournalError> {
    if !options.create {
        let directory = disk.describe();
        return Err(JournalError::NothingThere { directory, why: "there is no segment" });
    }
    let origin = survey.genesis.origin();
    let header = SegmentHeader {
        index: 0,
        first_sequence: 1,
        capacity: options.segment_bytes,
        previous_time_ns: origin.time_ns,
        previous_hash: origin.hash,
        genesis: survey.genesis,
    };
    let name = segment_name(1);
    let temporary = format!("{name}{TEMPORARY}");
    let file = preallocate(disk, &temporary, header.capacity)?;
    publish(disk, &*file, &temporary, &header, || Ok(()))?;
    let report = RecoveryReport { created: true, ..report(survey, origin, None) };
    let offset = crate::segment::SEGMENT_HEADER_BYTES;
    Ok(Ready { file, info: SegmentInfo { file: name, header }, offset, report })
}

/// Gives a pre-allocated file its header and its name. `before_rename` runs when the file is durable
/// and not yet visible.
pub(crate) fn publish(
    disk: &dyn Disk,
    file: &dyn DiskFile,
    temporary: &str,
    header: &SegmentHeader,
    before_rename: impl FnOnce() -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let io = |action, error| JournalError::io(action, temporary, 0, error);
    write_all(file, temporary, &header.encode(), 0)?;
    file.sync_all().map_err(|e| io("sync", e))?;
    before_rename()?;
    disk.rename(temporary, &segment_name(header.first_sequence)).map_err(|e| io("rename", e))?;
    disk.sync_dir().map_err(|e| io("sync the directory of", e))
}

pub(crate) fn report(survey: &Survey, end: Position, torn_tail: Option<TornTail>) -> RecoveryReport {
    RecoveryReport {
        end,
        created: false,
        torn_tail,
        rewritten_bytes: 0,
        removed: survey.temporaries.clone(),
        bad_snapshots: survey.bad_snapshots.clone(),
        spoiled_marker_slots: survey.marker.spoiled_slots,
    }
}
