//! Making the files what the survey found them to mean. Every step may be cut short by a crash and
//! repeated: a segment with a torn tail is replaced as a whole, and nothing else changes its bytes.

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

/// Segments are copied in pieces of this size.
const COPY_BYTES: usize = 1 << 20;

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
    /// Whether the marker file is missing or empty; opening makes it anew.
    pub marker_missing: bool,
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
    let rewrite = options.defences.rewrite;
    let rewritten_bytes = if rewrite { tail.offset - tail.unwitnessed_from } else { 0 };
    let file = match &tail.torn {
        Some(_) if rewrite => without_tail(disk, &*file, last, tail.offset)?,
        Some(torn) => {
            write_zeros(&*file, name, torn.offset, torn.offset + torn.bytes)?;
            file.sync_data().map_err(|e| JournalError::io("sync", name, 0, e))?;
            file
        }
        None => {
            let mut bytes = vec![0; rewritten_bytes as usize];
            read_exact(&*file, name, &mut bytes, tail.offset - rewritten_bytes)?;
            write_all(&*file, name, &bytes, tail.offset - rewritten_bytes)?;
            file.sync_data().map_err(|e| JournalError::io("sync", name, 0, e))?;
            file
        }
    };
    let report = RecoveryReport { rewritten_bytes, ..report(survey, tail.position, tail.torn.clone()) };
    Ok(Ready { file, info: last.clone(), offset: tail.offset, report })
}

/// Puts a segment without its torn tail in the place of the one that has it. Zeros written over the tail
/// would not do: if their sync fails, the page cache shows zeros to the next start while the disk keeps the
/// tail, which a power cut then brings back behind frames that were written since.
fn without_tail(
    disk: &dyn Disk,
    torn: &dyn DiskFile,
    info: &SegmentInfo,
    end: u64,
) -> Result<Arc<dyn DiskFile>, JournalError> {
    let name = &info.file;
    let temporary = format!("{name}{TEMPORARY}");
    let file = preallocate(disk, &temporary, info.header.capacity)?;
    let mut bytes = vec![0; COPY_BYTES.min(end as usize)];
    let mut at = 0;
    while at < end {
        let piece = bytes.len().min((end - at) as usize);
        read_exact(torn, name, &mut bytes[..piece], at)?;
        write_all(&*file, &temporary, &bytes[..piece], at)?;
        at += piece as u64;
    }
    let io = |action, error| JournalError::io(action, &temporary, 0, error);
    file.sync_all().map_err(|e| io("sync", e))?;
    disk.rename(&temporary, name).map_err(|e| io("rename", e))?;
    Ok(file)
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
    publish(disk, &*file, &temporary, &header, || Ok(())).inspect_err(|_| {
        // The first failure is the one to tell of; what is left here, the next start removes.
        let _ = disk.remove(&temporary);
    })?;
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
        marker_missing: !survey.marker.found && survey.marker.spoiled_slots == 0,
    }
}
