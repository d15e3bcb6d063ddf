//! Executing a log again: for recovery, for auditors, for whoever wants the events once more. Reading only; no
//! lock is taken. Meant for a log that nobody is writing.

use crate::body;
use crate::error::OpenError;
use crate::machine::{Failpoint, Machine};
use crate::recovery::engine_of;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use xos_engine::{Engine, FrameHeader};
use xos_journal::{Check, Disk, FrameReader, JournalError, MARKER_NAME, Position, ReadOnlyJournal, RealDisk};
use xos_protocol::EventRecord;

/// How much of a log to execute again.
#[derive(Clone, Debug, Default)]
pub struct ReplayOptions {
    /// Frames are reported from the one with this sequence on; 0 and 1: all of them.
    pub from_sequence: u64,
    /// The last frame is the one with this sequence; `None`: the log's last.
    pub to_sequence: Option<u64>,
    /// Begin with the newest snapshot before `from_sequence`, not with the log's first command.
    pub use_snapshots: bool,
    #[doc(hidden)]
    pub failpoint: Option<Failpoint>,
}

/// One frame that was executed again.
#[derive(Clone, Copy, Debug)]
pub struct ReplayedFrame<'a> {
    /// Sequence of its first command.
    pub first_sequence: u64,
    /// Number of its commands.
    pub count: u32,
    /// Its time.
    pub time_ns: u64,
    /// The events, the same ones as the first time.
    pub events: &'a [EventRecord],
    /// The segment it stands in.
    pub file: &'a str,
    /// Where in the segment it begins.
    pub offset: u64,
    /// Sequence of the last command that the log holds.
    pub log_ends: u64,
}

/// What a replay did, and where it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayReport {
    /// Sequence of the snapshot that was the beginning; 0: the log's first command.
    pub snapshot_sequence: u64,
    /// The position in the log after the last frame.
    pub end: Position,
    /// Hash of the state there.
    pub state_hash: [u8; 32],
    /// Frames executed.
    pub frames: u64,
    /// Commands in them.
    pub commands: u64,
    /// Events they gave.
    pub events: u64,
    /// How long executing took, reading included.
    pub elapsed_ns: u64,
}

impl ReplayReport {
    /// Commands per second.
    pub fn commands_per_s(&self) -> u64 {
        per_second(self.commands, self.elapsed_ns)
    }
}

pub(crate) fn per_second(count: u64, elapsed_ns: u64) -> u64 {
    let rate = u128::from(count) * 1_000_000_000 / u128::from(elapsed_ns.max(1));
    u64::try_from(rate).unwrap_or(u64::MAX)
}

pub(crate) fn elapsed_ns(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Executes the log in a directory again.
pub fn replay(
    path: impl AsRef<Path>,
    options: &ReplayOptions,
    on_frame: &mut dyn FnMut(&ReplayedFrame<'_>),
) -> Result<ReplayReport, OpenError> {
    replay_on(Arc::new(RealDisk::existing(path.as_ref())), options, on_frame)
}

/// Executes the log on any disk again.
pub fn replay_on(
    disk: Arc<dyn Disk>,
    options: &ReplayOptions,
    on_frame: &mut dyn FnMut(&ReplayedFrame<'_>),
) -> Result<ReplayReport, OpenError> {
    let journal = open_for_reading(disk.clone())?;
    let before = if options.use_snapshots { options.from_sequence.max(1) } else { 1 };
    let (engine, snapshot_sequence) = begin(&journal, before, &disk.describe())?;
    let begun = Instant::now();
    let mut machine = Machine::new(engine, options.failpoint);
    // What opening went through it has checked with its chain.
    let checked = snapshot_sequence >= journal.scanned_from().sequence;
    let check = if checked { Check::Crc } else { Check::Full };
    let mut reader = journal.read_from(snapshot_sequence + 1, check)?;
    let mut events = Vec::new();
    let (mut frames, mut commands, mut event_count) = (0, 0, 0);
    let last = options.to_sequence.unwrap_or(u64::MAX);
    while machine.engine().sequence() < last
        && let Some(frame) = replay_frame(&mut reader, &mut machine, &mut events)?
    {
        frames += 1;
        commands += u64::from(frame.count);
        event_count += frame.events.len() as u64;
        if frame.first_sequence + u64::from(frame.count) > options.from_sequence {
            on_frame(&frame);
        }
    }
    Ok(ReplayReport {
        snapshot_sequence,
        end: reader.position(),
        state_hash: machine.engine().state_hash(),
        frames,
        commands,
        events: event_count,
        elapsed_ns: elapsed_ns(begun),
    })
}

/// Opens a journal without a lock and without changing a byte.
pub(crate) fn open_for_reading(disk: Arc<dyn Disk>) -> Result<ReadOnlyJournal, OpenError> {
    let options = xos_journal::Options { create: false, ..Default::default() };
    if disk.list().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        let (directory, why) = (disk.describe(), "the directory does not exist");
        return Err(JournalError::NothingThere { directory, why }.into());
    }
    match ReadOnlyJournal::open(disk.clone(), &options) {
        Err(error @ JournalError::NothingThere { .. }) => {
            // What is left of a log says that there was one, as when it is opened for writing.
            let names = disk.list().unwrap_or_default();
            match trace_of_a_log(names) {
                Some(witness) => Err(OpenError::LogMissing { directory: disk.describe(), witness }),
                None => Err(error.into()),
            }
        }
        other => Ok(other?),
    }
}

/// The first file that only a log leaves beside its segments.
pub(crate) fn trace_of_a_log(names: Vec<String>) -> Option<String> {
    let trace =
        |name: &String| name == MARKER_NAME || name.starts_with("snapshot-") && name.ends_with(".xoss");
    names.into_iter().filter(trace).min()
}

/// The engine to begin with: a new one, or that of the newest usable snapshot before a sequence. Where the
/// log's first command is gone, the oldest usable snapshot stands in.
pub(crate) fn begin(
    journal: &ReadOnlyJournal,
    before: u64,
    directory: &str,
) -> Result<(Engine, u64), OpenError> {
    let first_sequence = journal.first_sequence();
    let whole = first_sequence == 1;
    let (early, late): (Vec<_>, Vec<_>) =
        journal.snapshots().iter().partition(|info| info.at.sequence < before.max(2));
    // Newest first among the early ones, and then oldest first among the others, which only help in need.
    let needed = late.into_iter().rev().filter(|_| !whole);
    let mut skipped = Vec::new();
    for info in early.into_iter().filter(|_| before > 1 || !whole).chain(needed) {
        if info.at.sequence + 1 < first_sequence {
            continue;
        }
        let body = journal.snapshot_body(info).map_err(|error| error.to_string());
        match body.and_then(|body| engine_of(info, &body)) {
            Ok(engine) => return Ok((engine, info.at.sequence)),
            Err(why) => skipped.push(why),
        }
    }
    if whole {
        return Ok((Engine::new(), 0));
    }
    Err(OpenError::NoSnapshot { directory: directory.to_string(), first_sequence, skipped })
}

/// Executes the next frame of the log again. The events of the frame before are forgotten.
pub(crate) fn replay_frame<'a>(
    reader: &'a mut FrameReader,
    machine: &mut Machine,
    events: &'a mut Vec<EventRecord>,
) -> Result<Option<ReplayedFrame<'a>>, OpenError> {
    events.clear();
    let log_ends = reader.end().sequence;
    let Some(frame) = reader.next_frame()? else { return Ok(None) };
    let (sequence, offset) = (frame.header.first_sequence, frame.offset);
    let file = || frame.file.to_string();
    let body =
        body::decode(&frame).map_err(|why| OpenError::BadFrame { file: file(), offset, sequence, why })?;
    let header = FrameHeader { first_sequence: sequence, time_ns: frame.header.time_ns };
    machine.apply(header, &body, events).map_err(|violation| OpenError::Halted {
        file: file(),
        offset,
        violation,
    })?;
    Ok(Some(ReplayedFrame {
        first_sequence: sequence,
        count: frame.header.count,
        time_ns: frame.header.time_ns,
        events,
        file: frame.file,
        offset,
        log_ends,
    }))
}
