//! Following a log with an engine of one's own, while somebody else may be writing it. Reading only; no lock is taken.

use crate::body::{self, FrameBody};
use crate::error::OpenError;
use crate::machine::Machine;
use crate::replay::{begin, open_for_reading};
use std::path::Path;
use std::sync::Arc;
use xos_engine::{Engine, FrameHeader};
use xos_journal::{Disk, JournalError, Position, RealDisk, TailReader};
use xos_ledger::Posting;
use xos_protocol::EventRecord;

/// One frame, with all that executing it gave.
pub struct FollowedFrame<'a> {
    /// Sequence of its first command, and its time.
    pub header: FrameHeader,
    /// What it carries.
    pub body: &'a FrameBody<'a>,
    /// Its events, the same ones as where it was taken.
    pub events: &'a [EventRecord],
    /// How money moved, in order.
    pub postings: &'a [Posting],
    /// The engine after it.
    pub engine: &'a Engine,
}

/// An engine that executes a log from a sequence on, as far as it has been written.
pub struct Follower {
    machine: Machine,
    reader: TailReader,
    events: Vec<EventRecord>,
}

impl Follower {
    /// Follows the log in a directory from after the sequence `after`: what is before is executed, and not told.
    ///
    /// `OpenError` if the log does not go that far, or no longer begins early enough.
    pub fn open(path: impl AsRef<Path>, after: u64) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(RealDisk::existing(path.as_ref())), after)
    }

    /// The same on any disk.
    pub fn open_on(disk: Arc<dyn Disk>, after: u64) -> Result<Self, OpenError> {
        // Snapshots only save time: whoever writes the log meanwhile may keep a survey of it from succeeding.
        let early = match open_for_reading(disk.clone()) {
            Ok(journal) if after > 0 => begin(&journal, after + 1, &disk.describe()).ok(),
            _ => None,
        };
        let (engine, sequence) = early.filter(|(_, at)| *at <= after).unwrap_or((Engine::new(), 0));
        let reader = TailReader::open(disk, sequence)?;
        let mut follower = Self { machine: Machine::new(engine, None), reader, events: Vec::new() };
        while follower.sequence() < after {
            if !follower.advance(&mut |_| ())? {
                let (first, end) = (1, follower.sequence());
                return Err(JournalError::OutOfRange { sequence: after, first, end }.into());
            }
        }
        follower.machine.engine_mut().keep_postings();
        Ok(follower)
    }

    /// Sequence of the last command that it has executed.
    pub fn sequence(&self) -> u64 {
        self.machine.engine().sequence()
    }

    /// Where in the log it stands.
    pub fn position(&self) -> Position {
        self.reader.position()
    }

    /// The engine as it stands.
    pub fn engine(&self) -> &Engine {
        self.machine.engine()
    }

    /// Executes the next frame and hands it over; `false` if there is none yet.
    pub fn advance(&mut self, take: &mut dyn FnMut(&FollowedFrame<'_>)) -> Result<bool, OpenError> {
        let Some(frame) = self.reader.next_frame()? else { return Ok(false) };
        let (sequence, offset) = (frame.header.first_sequence, frame.offset);
        let file = || frame.file.to_string();
        let body = body::decode(&frame).map_err(|why| OpenError::BadFrame {
            file: file(),
            offset,
            sequence,
            why,
        })?;
        let header = FrameHeader { first_sequence: sequence, time_ns: frame.header.time_ns };
        self.events.clear();
        let done = self.machine.apply(header, &body, &mut self.events);
        done.map_err(|violation| OpenError::Halted { file: file(), offset, violation })?;
        let postings = self.machine.engine_mut().take_postings();
        let engine = self.machine.engine();
        take(&FollowedFrame { header, body: &body, events: &self.events, postings: &postings, engine });
        Ok(true)
    }
}
