//! Looking at the files of a journal and deciding what they mean, without changing a byte.
//!
//! The rule for a bad frame at sequence k (see [`Survey::judge`]): it is the torn tail of an
//! unfinished write only if k was never witnessed durable, no segment follows, and either nothing
//! sound follows in its segment or the damage is a hole, a sector that was never written. Everything
//! else is corruption, and nobody may cut the log there.

use std::sync::Arc;

use crate::disk::{Access, Disk};
use crate::error::JournalError;
use crate::frame::{Flaw, Hash, Position};
use crate::journal::{Defences, LOCK_NAME, Options};
use crate::marker::{self, MARKER_NAME, MarkerState};
use crate::scan::{FrameCursor, Step};
use crate::segment::{self, GenesisId, SegmentHeader, TEMPORARY};
use crate::snapshot::{self, SnapshotInfo};

/// A segment file and its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The file.
    pub file: String,
    /// What its header says.
    pub header: SegmentHeader,
}

/// The tail of the log that was never acknowledged and is dropped at open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: String,
    /// Where the tail begins.
    pub offset: u64,
    /// The first sequence that is dropped.
    pub first_sequence: u64,
    /// How many bytes, up to the last one that is not zero.
    pub bytes: u64,
    /// What was wrong with its first frame.
    pub flaw: Flaw,
}

impl std::fmt::Display for TornTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: torn tail of {} bytes at offset {}, from sequence {} on, never acknowledged: {}",
            self.file, self.bytes, self.offset, self.first_sequence, self.flaw
        )
    }
}

/// Who says that the log was durable up to a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Witness {
    pub(crate) sequence: u64,
    pub(crate) source: String,
}

impl Witness {
    fn hear(&mut self, sequence: u64, source: &str) {
        if sequence > self.sequence {
            *self = Self { sequence, source: source.to_string() };
        }
    }
}

/// Where the log ends.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    pub(crate) position: Position,
    /// The file offset after the last frame.
    pub(crate) offset: u64,
    /// The offset of the first frame in the last segment that nobody witnessed durable before the
    /// scan; `offset` if there is none.
    pub(crate) unwitnessed_from: u64,
    pub(crate) torn: Option<TornTail>,
}

/// What the files say.
pub(crate) struct Survey {
    pub(crate) genesis: GenesisId,
    pub(crate) segments: Vec<SegmentInfo>,
    /// Newest first; only those with a sound header.
    pub(crate) snapshots: Vec<SnapshotInfo>,
    pub(crate) bad_snapshots: Vec<JournalError>,
    pub(crate) marker: MarkerState,
    pub(crate) temporaries: Vec<String>,
    pub(crate) witness: Witness,
    /// `None` if there is no segment.
    pub(crate) tail: Option<Tail>,
    pub(crate) scanned: Scanned,
    /// Where the scan began.
    pub(crate) scanned_from: Position,
    defences: Defences,
}

/// What the scan passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Scanned {
    pub(crate) segments: u64,
    pub(crate) frames: u64,
    pub(crate) records: u64,
    pub(crate) payload_bytes: u64,
}

impl Survey {
    pub(crate) fn take(disk: &Arc<dyn Disk>, options: &Options) -> Result<Self, JournalError> {
        let names = disk.list().map_err(|e| JournalError::io("list", &disk.describe(), 0, e))?;
        let mut segments = Vec::new();
        let mut snapshots = Vec::new();
        let mut temporaries = Vec::new();
        for name in names {
            if let Some(sequence) = segment::parse_name(&name) {
                segments.push((sequence, name));
            } else if let Some(sequence) = snapshot::parse_name(&name) {
                snapshots.push((sequence, name));
            } else if is_temporary(&name) {
                temporaries.push(name);
            }
        }
        segments.sort_unstable();
        snapshots.sort_unstable();
        temporaries.sort_unstable();
        let segments = read_segments(&**disk, segments, options.genesis)?;
        let genesis = match (options.genesis, segments.first()) {
            (Some(genesis), _) => genesis,
            (None, Some(first)) => first.header.genesis,
            (None, None) => {
                let directory = disk.describe();
                let why = "there is no segment, and without a genesis id none can be made";
                return Err(JournalError::NothingThere { directory, why });
            }
        };
        let mut survey = Self {
            genesis,
            segments,
            snapshots: Vec::new(),
            bad_snapshots: Vec::new(),
            marker: marker::read(&**disk, genesis)?,
            temporaries,
            witness: Witness { sequence: 0, source: String::new() },
            tail: None,
            scanned: Scanned::default(),
            scanned_from: genesis.origin(),
            defences: options.defences,
        };
        if survey.defences.marker {
            survey.witness.hear(survey.marker.sequence, MARKER_NAME);
        }
        survey.read_snapshots(&**disk, snapshots)?;
        if survey.segments.is_empty() {
            survey.nothing_may_be_lost()?;
        } else {
            survey.check_beginning()?;
            survey.scan(&**disk, options)?;
        }
        Ok(survey)
    }

    fn read_snapshots(&mut self, disk: &dyn Disk, names: Vec<(u64, String)>) -> Result<(), JournalError> {
        for (sequence, name) in names.into_iter().rev() {
            // The name alone is a witness: it was given only after the log was durable so far.
            self.witness.hear(sequence, &name);
            match snapshot::read_header(disk, &name, sequence, self.genesis) {
                Ok(info) => self.snapshots.push(info),
                Err(error @ JournalError::CorruptSnapshot { .. }) => self.bad_snapshots.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Without a segment there must be no sign that there ever was one: a journal whose segments
    /// were lost must not begin again from nothing.
    fn nothing_may_be_lost(&self) -> Result<(), JournalError> {
        if self.witness.sequence == 0 {
            return Ok(());
        }
        Err(JournalError::LostRecords {
            file: segment::segment_name(1),
            offset: 0,
            sequence: 1,
            last: self.witness.sequence,
            witness: self.witness.source.clone(),
        })
    }

    /// The log begins at the genesis, or later if a snapshot holds what is no longer there.
    fn check_beginning(&self) -> Result<(), JournalError> {
        let first = &self.segments[0];
        let start = first.header.start();
        if start.sequence == 0 {
            if start == self.genesis.origin() && first.header.index == 0 {
                return Ok(());
            }
            return Err(JournalError::segment(&first.file, 40, 1, "it does not begin at the genesis"));
        }
        if self.snapshots.iter().any(|snapshot| snapshot.at.sequence >= start.sequence) {
            return Ok(());
        }
        let (file, found) = (first.file.clone(), first.header.first_sequence);
        Err(JournalError::MissingSegment { file, expected: 1, found })
    }

    /// The first segment to scan: the one in which the newest snapshot stands, because everything
    /// before it is already in that snapshot.
    fn scan_from(&self, full: bool) -> usize {
        let anchor = self.snapshots.first().filter(|_| !full).map_or(0, |snapshot| snapshot.at.sequence);
        self.segments.iter().rposition(|s| s.header.start().sequence <= anchor).unwrap_or(0)
    }

    fn scan(&mut self, disk: &dyn Disk, options: &Options) -> Result<(), JournalError> {
        let begin = self.scan_from(options.full_scan);
        if let Some(last) = self.segments.last() {
            self.witness.hear(last.header.start().sequence, &last.file);
        }
        let mut position = self.segments[begin].header.start();
        self.scanned_from = position;
        let mut landmarks = self.landmarks();
        landmarks.reach(None, &position, &self.segments[begin].file, 0)?;
        let mut buffer = Vec::new();
        for index in begin..self.segments.len() {
            let entry = self.segments[index].clone();
            let start = entry.header.start();
            if start.sequence > position.sequence
                || (start != position && start.sequence == position.sequence)
            {
                // The first can only be a gap: the previous segment ended cleanly and too early.
                return Err(self.bad_seam(index, &position));
            }
            if start.sequence < position.sequence {
                let (file, other) = (entry.file, self.segments[index - 1].file.clone());
                return Err(JournalError::DuplicateSegment { file, other, sequence: start.sequence + 1 });
            }
            let file = disk.open(&entry.file, Access::Read);
            let file = file.map_err(|e| JournalError::io("open", &entry.file, 0, e))?;
            let mut cursor = FrameCursor::new(file, &entry.file, &entry.header, buffer);
            let tail = self.scan_segment(&mut cursor, position, index, &mut landmarks)?;
            position = tail.position;
            buffer = cursor.into_buffer();
            if index + 1 == self.segments.len() {
                self.check_end(&entry.file, &tail)?;
                self.tail = Some(tail);
            }
        }
        Ok(())
    }

    fn scan_segment(
        &mut self,
        cursor: &mut FrameCursor,
        mut position: Position,
        index: usize,
        landmarks: &mut Landmarks,
    ) -> Result<Tail, JournalError> {
        self.scanned.segments += 1;
        let mut unwitnessed_from = None;
        loop {
            let at = cursor.offset;
            match cursor.step(&position, self.defences.chain)? {
                Step::Frame(header, next) => {
                    landmarks.reach(Some(position.sequence), &next, &cursor.name, at)?;
                    if next.sequence > self.witness.sequence {
                        unwitnessed_from.get_or_insert(at);
                    }
                    if header.durable_sequence > self.witness.sequence {
                        self.witness.hear(header.durable_sequence, &frame_source(&cursor.name, at));
                    }
                    position = next;
                    self.scanned.frames += 1;
                    self.scanned.records += u64::from(header.count);
                    self.scanned.payload_bytes += u64::from(header.payload_len);
                }
                Step::End => {
                    let unwitnessed_from = unwitnessed_from.unwrap_or(at);
                    return Ok(Tail { position, offset: at, unwitnessed_from, torn: None });
                }
                Step::Bad(flaw) => {
                    let torn = self.judge(cursor, flaw, position.sequence + 1, index)?;
                    let unwitnessed_from = unwitnessed_from.unwrap_or(at);
                    return Ok(Tail { position, offset: at, unwitnessed_from, torn: Some(torn) });
                }
            }
        }
    }

    /// A torn tail, or corruption? See the head of this file.
    fn judge(
        &mut self,
        cursor: &FrameCursor,
        flaw: Flaw,
        expected: u64,
        index: usize,
    ) -> Result<TornTail, JournalError> {
        let damage = cursor.inspect(expected)?;
        self.witness.hear(damage.durable_sequence, &format!("a later frame in {}", cursor.name));
        let proof = if let Some(next) = self.segments.get(index + 1) {
            Some(format!("{} follows", next.file))
        } else if self.witness.sequence >= expected {
            Some(format!(
                "sequence {} was durable according to {}",
                self.witness.sequence, self.witness.source
            ))
        } else {
            let later = damage.later.filter(|_| !damage.hole || !self.defences.holes);
            later.map(|(offset, sequence)| {
                format!("the sound frame of sequence {sequence} follows at offset {offset}")
            })
        };
        let (file, offset) = (cursor.name.clone(), cursor.offset);
        match proof.filter(|_| self.defences.torn_rule) {
            Some(proof) => Err(JournalError::CorruptFrame { file, offset, sequence: expected, flaw, proof }),
            None => {
                let bytes = damage.dirty_end - offset;
                Ok(TornTail { file, offset, first_sequence: expected, bytes, flaw })
            }
        }
    }

    fn check_end(&self, file: &str, tail: &Tail) -> Result<(), JournalError> {
        if self.witness.sequence <= tail.position.sequence || !self.defences.torn_rule {
            return Ok(());
        }
        Err(JournalError::LostRecords {
            file: file.to_string(),
            offset: tail.offset,
            sequence: tail.position.sequence + 1,
            last: self.witness.sequence,
            witness: self.witness.source.clone(),
        })
    }

    fn bad_seam(&self, index: usize, position: &Position) -> JournalError {
        let (entry, before) = (&self.segments[index], &self.segments[index - 1]);
        if entry.header.start().sequence > position.sequence {
            return JournalError::LostRecords {
                file: before.file.clone(),
                offset: before.header.capacity,
                sequence: position.sequence + 1,
                last: entry.header.start().sequence,
                witness: entry.file.clone(),
            };
        }
        let (file, witness) = (entry.file.clone(), before.file.clone());
        JournalError::ChainDisagreement { file, offset: 40, sequence: position.sequence, witness }
    }

    fn landmarks(&self) -> Landmarks {
        let mut list: Vec<_> =
            self.snapshots.iter().map(|info| (info.at.sequence, info.at.hash, info.file.clone())).collect();
        if self.marker.found && self.defences.marker {
            list.push((self.marker.sequence, self.marker.hash, MARKER_NAME.to_string()));
        }
        list.sort_unstable();
        list.reverse();
        Landmarks { list }
    }
}

/// Chain hashes that other files know, lowest sequence last.
struct Landmarks {
    list: Vec<(u64, Hash, String)>,
}

impl Landmarks {
    /// Compares everything known between the last position and this one. `passed` is the last
    /// position's sequence, `None` at the beginning, where older landmarks are out of sight.
    fn reach(
        &mut self,
        passed: Option<u64>,
        at: &Position,
        file: &str,
        offset: u64,
    ) -> Result<(), JournalError> {
        while let Some((sequence, hash, witness)) = self.list.last() {
            if *sequence > at.sequence {
                break;
            }
            let out_of_sight = passed.is_none() && *sequence < at.sequence;
            if !out_of_sight && (*sequence != at.sequence || *hash != at.hash) {
                let (file, witness) = (file.to_string(), witness.clone());
                return Err(JournalError::ChainDisagreement { file, offset, sequence: *sequence, witness });
            }
            self.list.pop();
        }
        Ok(())
    }
}

fn frame_source(name: &str, offset: u64) -> String {
    format!("the frame at offset {offset} of {name}")
}

/// Whether a file of this name may belong to a journal. A directory with files and none of ours is somebody else's.
pub fn is_journal_file(name: &str) -> bool {
    let numbered = segment::parse_name(name).is_some() || snapshot::parse_name(name).is_some();
    numbered || is_temporary(name) || name == MARKER_NAME || name == LOCK_NAME
}

fn is_temporary(name: &str) -> bool {
    let ours = name.starts_with("segment-") || name.starts_with("snapshot-") || name.starts_with("spare.");
    ours && name.ends_with(TEMPORARY)
}

/// Reads all headers and checks that they form one row.
fn read_segments(
    disk: &dyn Disk,
    names: Vec<(u64, String)>,
    genesis: Option<GenesisId>,
) -> Result<Vec<SegmentInfo>, JournalError> {
    let mut segments: Vec<SegmentInfo> = Vec::with_capacity(names.len());
    for (sequence, name) in &names {
        let file = disk.open(name, Access::Read).map_err(|e| JournalError::io("open", name, 0, e))?;
        let genesis = genesis.or_else(|| segments.first().map(|first| first.header.genesis));
        let header = segment::read_header(&*file, name, *sequence, genesis)?;
        if header.first_sequence != *sequence {
            let other = segment::segment_name(header.first_sequence);
            if names.iter().any(|(_, name)| *name == other) {
                let (file, sequence) = (name.clone(), header.first_sequence);
                return Err(JournalError::DuplicateSegment { file, other, sequence });
            }
            let why = format!("its header says that it begins at sequence {}", header.first_sequence);
            return Err(JournalError::segment(name, 16, *sequence, why));
        }
        if let Some(before) = segments.last()
            && before.header.index.checked_add(1) != Some(header.index)
        {
            let expected = end_of(disk, before)? + 1;
            return Err(JournalError::MissingSegment { file: name.clone(), expected, found: *sequence });
        }
        segments.push(SegmentInfo { file: name.clone(), header });
    }
    Ok(segments)
}

/// The last sound sequence in a segment, to name what is missing after it.
fn end_of(disk: &dyn Disk, info: &SegmentInfo) -> Result<u64, JournalError> {
    let file = disk.open(&info.file, Access::Read).map_err(|e| JournalError::io("open", &info.file, 0, e))?;
    let mut cursor = FrameCursor::new(file, &info.file, &info.header, Vec::new());
    let mut position = info.header.start();
    while let Step::Frame(_, next) = cursor.step(&position, false)? {
        position = next;
    }
    Ok(position.sequence)
}
