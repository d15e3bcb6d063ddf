//! Reading the log, frame by frame, with bounded memory.

use std::sync::Arc;

use crate::disk::{Access, Disk};
use crate::error::JournalError;
use crate::frame::{Flaw, FrameHeader, Position};
use crate::journal::Options;
use crate::recovery::{self, RecoveryReport};
use crate::scan::{FrameCursor, Step};
use crate::segment::GenesisId;
use crate::snapshot::{self, SnapshotInfo};
use crate::survey::{SegmentInfo, Survey};

/// How much to check while reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Checksums and the sequence: finds damage. Enough right after opening, which checked the chain.
    Crc,
    /// Also the hash chain: finds forgery.
    Full,
}

/// One frame. The payload lies in the reader's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its header.
    pub header: FrameHeader,
    /// Its payload.
    pub payload: &'a [u8],
    /// The segment it stands in.
    pub file: &'a str,
    /// Where in the segment it begins.
    pub offset: u64,
}

/// Goes through the frames of a log in order.
pub struct FrameReader {
    disk: Arc<dyn Disk>,
    segments: Vec<SegmentInfo>,
    next_segment: usize,
    cursor: Option<FrameCursor>,
    position: Position,
    from: u64,
    end: Position,
    check: Check,
}

impl FrameReader {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        segments: Vec<SegmentInfo>,
        from: u64,
        end: Position,
        check: Check,
    ) -> Result<Self, JournalError> {
        let first = segments.first().map_or(1, |segment| segment.header.first_sequence);
        // One past the end is the empty tail after a snapshot of everything.
        if from < first || from > end.sequence + 1 {
            return Err(JournalError::OutOfRange { sequence: from, first, end: end.sequence });
        }
        let begin = segments.iter().rposition(|s| s.header.first_sequence <= from).unwrap_or(0);
        let position = segments.get(begin).map_or(end, |segment| segment.header.start());
        Ok(Self { disk, segments, next_segment: begin, cursor: None, position, from, end, check })
    }

    /// The end of the log that is read.
    pub fn end(&self) -> Position {
        self.end
    }

    /// The position after the last frame that was returned or passed over.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next frame that has a record at or after the starting sequence; `None` at the end.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, JournalError> {
        let found = loop {
            if self.position.sequence >= self.end.sequence {
                return Ok(None);
            }
            let mut cursor = match self.cursor.take() {
                Some(cursor) => cursor,
                None => self.open_segment(Vec::new())?,
            };
            let offset = cursor.offset;
            let step = cursor.step(&self.position, self.check == Check::Full);
            if matches!(step, Ok(Step::End)) && self.next_segment < self.segments.len() {
                self.cursor = Some(self.open_segment(cursor.into_buffer())?);
                continue;
            }
            // The cursor stays where it is: after an error the next call finds the same error.
            self.cursor = Some(cursor);
            match step? {
                Step::Frame(header, position) => {
                    self.position = position;
                    if position.sequence >= self.from {
                        break (header, offset);
                    }
                }
                Step::End => return Err(self.damaged(offset, Flaw::Missing)),
                Step::Bad(flaw) => return Err(self.damaged(offset, flaw)),
            }
        };
        let (header, offset) = found;
        let Some(cursor) = &self.cursor else { return Ok(None) };
        Ok(Some(Frame { header, payload: cursor.payload(&header), file: &cursor.name, offset }))
    }

    fn open_segment(&mut self, buffer: Vec<u8>) -> Result<FrameCursor, JournalError> {
        let info = &self.segments[self.next_segment];
        let start = info.header.start();
        if start.sequence > self.position.sequence {
            let (file, sequence) =
                (self.segments[self.next_segment - 1].file.clone(), self.position.sequence + 1);
            let (offset, witness) = (self.segments[self.next_segment - 1].header.capacity, info.file.clone());
            return Err(JournalError::LostRecords { file, offset, sequence, last: start.sequence, witness });
        }
        if start != self.position {
            let (file, sequence) = (info.file.clone(), self.position.sequence);
            let witness = self.segments[self.next_segment.saturating_sub(1)].file.clone();
            return Err(JournalError::ChainDisagreement { file, offset: 40, sequence, witness });
        }
        let file = self.disk.open(&info.file, Access::Read);
        let file = file.map_err(|e| JournalError::io("open", &info.file, 0, e))?;
        self.next_segment += 1;
        Ok(FrameCursor::new(file, &info.file, &info.header, buffer))
    }

    fn damaged(&self, offset: u64, flaw: Flaw) -> JournalError {
        let file = self.cursor.as_ref().map(|cursor| cursor.name.clone()).unwrap_or_default();
        let proof = format!("the log goes on to sequence {}", self.end.sequence);
        JournalError::CorruptFrame { file, offset, sequence: self.position.sequence + 1, flaw, proof }
    }
}

/// A journal opened for reading only: no lock is taken and no byte is changed. Meant for a journal
/// that nobody is writing; beside a running writer it may mistake a half-written end for damage.
pub struct ReadOnlyJournal {
    disk: Arc<dyn Disk>,
    survey: Survey,
    report: RecoveryReport,
}

impl ReadOnlyJournal {
    /// Surveys the files. A torn tail is reported, not dropped.
    pub fn open(disk: Arc<dyn Disk>, options: &Options) -> Result<Self, JournalError> {
        let survey = Survey::take(&disk, options)?;
        let Some(tail) = &survey.tail else {
            return Err(JournalError::NothingThere {
                directory: disk.describe(),
                why: "there is no segment",
            });
        };
        let report = RecoveryReport {
            removed: Vec::new(),
            ..recovery::report(&survey, tail.position, tail.torn.clone())
        };
        Ok(Self { disk, survey, report })
    }

    /// What opening found, and what opening for writing would do about it.
    pub fn report(&self) -> &RecoveryReport {
        &self.report
    }

    /// The journal's id.
    pub fn genesis(&self) -> GenesisId {
        self.survey.genesis
    }

    /// The end of the log.
    pub fn position(&self) -> Position {
        self.report.end
    }

    /// From where on opening went through the log, frame by frame, and checked its chain.
    pub fn scanned_from(&self) -> Position {
        self.survey.scanned_from
    }

    /// The first sequence that is still in the log.
    pub fn first_sequence(&self) -> u64 {
        self.survey.segments[0].header.first_sequence
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> &[SegmentInfo] {
        &self.survey.segments
    }

    /// The snapshots with a sound header, newest first.
    pub fn snapshots(&self) -> &[SnapshotInfo] {
        &self.survey.snapshots
    }

    /// The newest snapshot whose body is sound, and what was wrong with the newer ones.
    pub fn newest_snapshot(&self) -> (Option<(SnapshotInfo, Vec<u8>)>, Vec<JournalError>) {
        snapshot::newest(&*self.disk, &self.survey.snapshots)
    }

    /// Reads a snapshot's body piece by piece; see `Journal::read_snapshot`.
    pub fn read_snapshot(&self, info: &SnapshotInfo, take: impl FnMut(&[u8])) -> Result<(), JournalError> {
        snapshot::read_body(&*self.disk, info, take)
    }

    /// Reads a snapshot's whole body, checked.
    pub fn snapshot_body(&self, info: &SnapshotInfo) -> Result<Vec<u8>, JournalError> {
        snapshot::whole_body(&*self.disk, info)
    }

    /// Reads the log from a sequence on.
    pub fn read_from(&self, sequence: u64, check: Check) -> Result<FrameReader, JournalError> {
        FrameReader::new(self.disk.clone(), self.survey.segments.clone(), sequence, self.report.end, check)
    }

    pub(crate) fn survey(&self) -> &Survey {
        &self.survey
    }
}
