//! The writer: append, group commit, roll, snapshots.

use std::sync::Arc;

use crate::disk::{DirectoryLock, Disk, DiskFile};
use crate::error::JournalError;
use crate::frame::{self, FrameHeader, Hash, Position, frame_bytes};
use crate::marker::Marker;
use crate::reader::{Check, FrameReader};
use crate::recovery::{self, RecoveryReport};
use crate::segment::{
    GenesisId, SECTOR_BYTES, SEGMENT_BYTES_LEAST, SEGMENT_BYTES_MOST, SEGMENT_HEADER_BYTES, SegmentHeader,
    SyncedFile, TEMPORARY, preallocate, segment_name, write_all,
};
use crate::snapshot::{self, SnapshotInfo, SnapshotWriter};
use crate::source::SnapshotSource;
use crate::survey::{SegmentInfo, Survey};
use crate::sync::{SpareOutcome, SpareTicket, SyncOutcome, SyncTicket, spare_name};

pub(crate) const LOCK_NAME: &str = "lock";

/// How to open a journal.
#[derive(Debug, Clone)]
pub struct Options {
    /// The journal's id. Needed to create one; without it, read-only tools take the id of the files.
    pub genesis: Option<GenesisId>,
    /// Size of new segments, a multiple of 512. An existing segment keeps its size.
    pub segment_bytes: u64,
    /// How many snapshots to keep, at least 1. Two, so that a bad one has a substitute.
    pub keep_snapshots: usize,
    /// Whether an empty directory becomes a new journal.
    pub create: bool,
    /// Whether to check the whole log at open, instead of what follows the newest snapshot.
    pub full_scan: bool,
    /// For tests that show what each defence is for. Leave it alone.
    #[doc(hidden)]
    pub defences: Defences,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            genesis: None,
            segment_bytes: 64 << 20,
            keep_snapshots: 2,
            create: true,
            full_scan: false,
            defences: Defences::default(),
        }
    }
}

impl Options {
    /// The usual options for a journal with this id.
    pub fn new(genesis: GenesisId) -> Self {
        Self { genesis: Some(genesis), ..Self::default() }
    }

    pub(crate) fn check(&self) -> Result<(), JournalError> {
        let (least, most) = (SEGMENT_BYTES_LEAST, SEGMENT_BYTES_MOST);
        let value = self.segment_bytes;
        if value < least || value > most || !value.is_multiple_of(SECTOR_BYTES) {
            return Err(JournalError::BadOption {
                name: "segment_bytes (a multiple of 512)",
                value,
                least,
                most,
            });
        }
        let value = self.keep_snapshots as u64;
        if value == 0 {
            return Err(JournalError::BadOption { name: "keep_snapshots", value, least: 1, most: u64::MAX });
        }
        Ok(())
    }
}

/// The defences that a negative control may switch off, to prove that the tests would notice.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defences {
    /// Believe the marker file.
    pub marker: bool,
    /// Refuse damage that is no torn tail; without it, cut the log at the first bad frame.
    pub torn_rule: bool,
    /// Know that a power cut may lose an unsynced frame and keep a later one.
    pub holes: bool,
    /// Write unsynced frames again at open.
    pub rewrite: bool,
    /// Check the hash chain.
    pub chain: bool,
    /// After a failure take nothing more; without it, a failed sync may be tried again.
    pub poison: bool,
}

impl Default for Defences {
    fn default() -> Self {
        Self { marker: true, torn_rule: true, holes: true, rewrite: true, chain: true, poison: true }
    }
}

/// A journal open for appending. Dropping it without [`Journal::close`] is like a crash of the
/// process: nothing durable is lost, nothing else is promised.
pub struct Journal {
    disk: Arc<dyn Disk>,
    options: Options,
    genesis: GenesisId,
    segments: Vec<SegmentInfo>,
    /// Newest first.
    snapshots: Vec<SnapshotInfo>,
    tail: Arc<SyncedFile>,
    tail_offset: u64,
    tail_seed: u32,
    spare: Option<Arc<dyn DiskFile>>,
    position: Position,
    durable_sequence: u64,
    marker: Marker,
    buffer: Vec<u8>,
    poison: Option<JournalError>,
    report: RecoveryReport,
    _lock: DirectoryLock,
}

impl Journal {
    /// Locks the directory, recovers what is there (or begins a new journal) and opens it for
    /// appending. [`Journal::report`] tells what was found.
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<Self, JournalError> {
        options.check()?;
        let lock = disk.lock(LOCK_NAME).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => JournalError::AlreadyOpen { directory: disk.describe() },
            _ => JournalError::io("lock", LOCK_NAME, 0, error),
        })?;
        let mut survey = Survey::take(&disk, &options)?;
        let ready = recovery::recover(&*disk, &options, &survey)?;
        let mut marker = Marker::open(&*disk, survey.genesis, &survey.marker)?;
        let position = ready.report.end;
        marker.write(position.sequence, &position.hash)?;
        if survey.segments.is_empty() {
            survey.segments.push(ready.info.clone());
        }
        let tail = SyncedFile::new(ready.file, ready.info.file, options.defences.poison);
        Ok(Self {
            disk,
            options,
            genesis: survey.genesis,
            segments: survey.segments,
            snapshots: survey.snapshots,
            tail_seed: ready.info.header.seed(),
            tail,
            tail_offset: ready.offset,
            spare: None,
            position,
            durable_sequence: position.sequence,
            marker,
            buffer: Vec::new(),
            poison: None,
            report: ready.report,
            _lock: lock,
        })
    }

    /// What opening found and did.
    pub fn report(&self) -> &RecoveryReport {
        &self.report
    }

    /// The journal's id.
    pub fn genesis(&self) -> GenesisId {
        self.genesis
    }

    /// The end of the log, durable or not.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The highest sequence that a sync has confirmed.
    pub fn durable_sequence(&self) -> u64 {
        self.durable_sequence
    }

    /// The first sequence that is still in the log.
    pub fn first_sequence(&self) -> u64 {
        self.segments[0].header.first_sequence
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.segments
    }

    /// The failure that ended this journal's usefulness, if one did.
    pub fn poison(&self) -> Option<&JournalError> {
        self.poison.as_ref()
    }

    /// The largest payload that [`Journal::append`] takes.
    pub fn payload_bytes_most(&self) -> u64 {
        let room = self.options.segment_bytes - SEGMENT_HEADER_BYTES - frame::FRAME_HEADER_BYTES as u64;
        room.min(u64::from(u32::MAX))
    }

    /// Appends one frame of `count` records and returns the position after it. The frame is handed to
    /// the operating system with one write and is durable only after a sync that covers it.
    ///
    /// A refused call (wrong sequence, time, size) changes nothing. A failed write poisons the journal.
    pub fn append(
        &mut self,
        kind: u16,
        first_sequence: u64,
        time_ns: u64,
        count: u32,
        payload: &[&[u8]],
    ) -> Result<Position, JournalError> {
        self.check_alive()?;
        let payload_bytes: u64 = payload.iter().map(|part| part.len() as u64).sum();
        self.check_append(first_sequence, time_ns, count, payload_bytes)?;
        let size = frame_bytes(payload_bytes);
        if size > self.tail_capacity() - self.tail_offset {
            let rolled = self.roll();
            self.poison_on_error(rolled)?;
        }
        let header = FrameHeader {
            kind,
            first_sequence,
            time_ns,
            count,
            payload_len: payload_bytes as u32,
            durable_sequence: self.durable_sequence,
            crc32c: 0,
            hash: [0; 32],
        };
        let position = frame::encode(&mut self.buffer, self.tail_seed, &self.position, header, payload);
        let written = write_all(&*self.tail.file, &self.tail.name, &self.buffer, self.tail_offset);
        self.poison_on_error(written)?;
        self.tail_offset += size;
        self.position = position;
        Ok(position)
    }

    /// The ladder of checks before an append changes anything.
    fn check_append(
        &self,
        first: u64,
        time_ns: u64,
        count: u32,
        payload_bytes: u64,
    ) -> Result<(), JournalError> {
        let expected = self.position.sequence + 1;
        if count == 0 {
            return Err(JournalError::EmptyFrame);
        }
        if first != expected {
            return Err(JournalError::SequenceGap { given: first, expected });
        }
        // One less than the largest number, so that the next sequence always exists.
        if first.checked_add(u64::from(count)).is_none() {
            return Err(JournalError::SequenceExhausted { first_sequence: first, count });
        }
        if time_ns < self.position.time_ns {
            return Err(JournalError::TimeBackwards {
                given_ns: time_ns,
                previous_ns: self.position.time_ns,
            });
        }
        if payload_bytes > self.payload_bytes_most() {
            let limit = self.payload_bytes_most() + frame::FRAME_HEADER_BYTES as u64;
            return Err(JournalError::FrameTooLarge { bytes: frame_bytes(payload_bytes), limit });
        }
        Ok(())
    }

    /// Makes everything appended so far durable and returns the new durable sequence.
    pub fn sync(&mut self) -> Result<u64, JournalError> {
        match self.begin_sync()? {
            Some(ticket) => self.finish_sync(ticket.run()),
            None => Ok(self.durable_sequence),
        }
    }

    /// Begins a sync that somebody else may run while appending goes on; `None` if all is durable.
    /// Tickets may overlap; their outcomes may be finished in any order.
    pub fn begin_sync(&mut self) -> Result<Option<SyncTicket>, JournalError> {
        self.check_alive()?;
        if self.position.sequence == self.durable_sequence {
            return Ok(None);
        }
        Ok(Some(SyncTicket { file: self.tail.clone(), covers: self.position }))
    }

    /// Takes the outcome of a sync and returns the durable sequence, which may now be acknowledged.
    pub fn finish_sync(&mut self, outcome: SyncOutcome) -> Result<u64, JournalError> {
        self.check_alive()?;
        self.poison_on_error(outcome.result)?;
        if outcome.covers.sequence > self.durable_sequence {
            self.confirm(&outcome.covers)?;
        }
        Ok(self.durable_sequence)
    }

    /// The marker is written before anybody hears of the durable sequence: an acknowledgement then
    /// always has its witness.
    fn confirm(&mut self, covers: &Position) -> Result<(), JournalError> {
        let marked = self.marker.write(covers.sequence, &covers.hash);
        self.poison_on_error(marked)?;
        self.durable_sequence = covers.sequence;
        Ok(())
    }

    /// Begins to pre-allocate the next segment, `None` if it already is. Rolling does it by itself
    /// when nobody did, and then takes as long as writing a segment of zeros.
    pub fn begin_spare(&self) -> Option<SpareTicket> {
        let wanted = self.spare.is_none() && self.poison.is_none();
        wanted.then(|| SpareTicket { disk: self.disk.clone(), bytes: self.options.segment_bytes })
    }

    /// Takes the pre-allocated file. A failure does not harm the log: rolling will try again itself.
    pub fn finish_spare(&mut self, outcome: SpareOutcome) -> Result<(), JournalError> {
        self.spare = Some(outcome.0?);
        Ok(())
    }

    /// Goes on in a new segment. The old one is synced before the new one gets its name.
    fn roll(&mut self) -> Result<(), JournalError> {
        let last = self.segments[self.segments.len() - 1].header;
        // A segment without a frame is replaced: it has the same name. It can only be too small, from
        // a time when segments were smaller.
        let replace = self.tail_offset == SEGMENT_HEADER_BYTES;
        let header = SegmentHeader {
            index: last.index + u64::from(!replace),
            first_sequence: self.position.sequence + 1,
            capacity: self.options.segment_bytes,
            previous_time_ns: self.position.time_ns,
            previous_hash: self.position.hash,
            genesis: self.genesis,
        };
        let name = segment_name(header.first_sequence);
        let (file, temporary) = match self.spare.take() {
            Some(file) => (file, spare_name()),
            None => {
                let temporary = format!("{name}{TEMPORARY}");
                (preallocate(&*self.disk, &temporary, header.capacity)?, temporary)
            }
        };
        let old = self.tail.clone();
        recovery::publish(&*self.disk, &*file, &temporary, &header, || old.sync_data())?;
        if replace {
            self.segments.pop();
        }
        self.segments.push(SegmentInfo { file: name.clone(), header });
        self.tail = SyncedFile::new(file, name, self.options.defences.poison);
        self.tail_offset = SEGMENT_HEADER_BYTES;
        self.tail_seed = header.seed();
        let all = self.position;
        self.confirm(&all)
    }

    fn tail_capacity(&self) -> u64 {
        self.segments[self.segments.len() - 1].header.capacity
    }

    /// Begins a snapshot of the state at a position of the log that is already durable. The writer
    /// may move to another thread; hand what it returns to [`Journal::finish_snapshot`].
    pub fn begin_snapshot(&self, at: Position, state_hash: Hash) -> Result<SnapshotWriter, JournalError> {
        self.check_alive()?;
        if at.sequence > self.durable_sequence {
            let (sequence, durable_sequence) = (at.sequence, self.durable_sequence);
            return Err(JournalError::SnapshotNotDurable { sequence, durable_sequence });
        }
        SnapshotWriter::new(self.disk.clone(), self.genesis, at, state_hash)
    }

    /// What a second engine needs to make a snapshot of the present end of the log, all of which is durable.
    pub fn snapshot_source(&self) -> Result<SnapshotSource, JournalError> {
        self.check_alive()?;
        let (at, durable_sequence) = (self.position, self.durable_sequence);
        if at.sequence > durable_sequence {
            return Err(JournalError::SnapshotNotDurable { sequence: at.sequence, durable_sequence });
        }
        let (segments, snapshots) = (self.segments.clone(), self.snapshots.clone());
        Ok(SnapshotSource { disk: self.disk.clone(), genesis: self.genesis, segments, snapshots, at })
    }

    /// Takes note of a completed snapshot and removes those beyond the number to keep.
    pub fn finish_snapshot(&mut self, info: SnapshotInfo) -> Result<(), JournalError> {
        self.check_alive()?;
        let synced = self.marker.sync();
        self.poison_on_error(synced)?;
        self.snapshots.retain(|other| other.at.sequence != info.at.sequence);
        self.snapshots.push(info);
        self.snapshots.sort_by_key(|info| std::cmp::Reverse(info.at.sequence));
        if self.snapshots.len() <= self.options.keep_snapshots {
            return Ok(());
        }
        while self.snapshots.len() > self.options.keep_snapshots {
            let name = &self.snapshots[self.snapshots.len() - 1].file;
            self.disk.remove(name).map_err(|e| JournalError::io("remove", name, 0, e))?;
            self.snapshots.pop();
        }
        self.sync_dir()
    }

    /// Writes a whole snapshot at once.
    pub fn write_snapshot(
        &mut self,
        at: Position,
        state_hash: Hash,
        body: &[&[u8]],
    ) -> Result<(), JournalError> {
        let mut writer = self.begin_snapshot(at, state_hash)?;
        for part in body {
            writer.write(part)?;
        }
        let info = writer.finish()?;
        self.finish_snapshot(info)
    }

    /// The snapshots with a sound header, newest first.
    pub fn snapshots(&self) -> &[SnapshotInfo] {
        &self.snapshots
    }

    /// Reads a snapshot's body piece by piece. Nothing may be believed until this returns `Ok`; on an
    /// error take the next older snapshot and a longer tail of the log.
    pub fn read_snapshot(&self, info: &SnapshotInfo, take: impl FnMut(&[u8])) -> Result<(), JournalError> {
        snapshot::read_body(&*self.disk, info, take)
    }

    /// Reads a snapshot's whole body, checked.
    pub fn snapshot_body(&self, info: &SnapshotInfo) -> Result<Vec<u8>, JournalError> {
        snapshot::whole_body(&*self.disk, info)
    }

    /// The newest snapshot whose body is sound, and what was wrong with the newer ones.
    pub fn newest_snapshot(&self) -> (Option<(SnapshotInfo, Vec<u8>)>, Vec<JournalError>) {
        snapshot::newest(&*self.disk, &self.snapshots)
    }

    /// Removes whole segments with nothing but records before `sequence`. All of them must be in
    /// every snapshot that is kept, or a fallback to the oldest would miss its tail.
    pub fn remove_segments_before(&mut self, sequence: u64) -> Result<usize, JournalError> {
        self.check_alive()?;
        let least = self.options.keep_snapshots;
        let oldest = self.snapshots.last().map_or(0, |info| info.at.sequence);
        if self.snapshots.len() < least || sequence > oldest + 1 {
            let snapshots = self.snapshots.len();
            return Err(JournalError::StillNeeded { sequence, oldest_snapshot: oldest, snapshots, least });
        }
        let mut removed = 0;
        while self.segments.len() > 1 && self.segments[1].header.first_sequence <= sequence {
            let name = &self.segments[0].file;
            self.disk.remove(name).map_err(|e| JournalError::io("remove", name, 0, e))?;
            // One by one: a power cut must not leave an older segment behind a gap.
            self.sync_dir()?;
            self.segments.remove(0);
            removed += 1;
        }
        Ok(removed)
    }

    /// Reads the log from a sequence on, up to its present end.
    pub fn read_from(&self, sequence: u64, check: Check) -> Result<FrameReader, JournalError> {
        FrameReader::new(self.disk.clone(), self.segments.clone(), sequence, self.position, check)
    }

    /// Syncs everything, the marker included, and releases the directory.
    pub fn close(mut self) -> Result<Position, JournalError> {
        self.sync()?;
        self.marker.sync()?;
        Ok(self.position)
    }

    fn sync_dir(&self) -> Result<(), JournalError> {
        self.disk.sync_dir().map_err(|e| JournalError::io("sync the directory", &self.disk.describe(), 0, e))
    }

    fn check_alive(&self) -> Result<(), JournalError> {
        match &self.poison {
            Some(first) => Err(JournalError::Poisoned { first: Box::new(first.clone()) }),
            None => Ok(()),
        }
    }

    fn poison_on_error<T>(&mut self, result: Result<T, JournalError>) -> Result<T, JournalError> {
        if let Err(error) = &result
            && self.options.defences.poison
            && self.poison.is_none()
        {
            self.poison = Some(error.clone());
        }
        result
    }
}
