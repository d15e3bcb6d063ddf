//! A journal at work on a simulated disk, and the record of what it was given and what it promised.

use std::sync::Arc;

use xos_journal::{
    Check, Defences, GenesisId, Journal, JournalError, Options, Position, SnapshotInfo, SnapshotWriter,
    SyncOutcome, SyncTicket,
};
use xos_sim::disk::SimDisk;

pub(crate) const SEGMENT_BYTES: u64 = 2048;

/// One thing that the owner of a journal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Open,
    Append(usize),
    Sync,
    BeginSync,
    RunSync,
    FinishSync,
    Spare,
    BeginSnapshot,
    WriteSnapshot(usize),
    CompleteSnapshot,
    FinishSnapshot,
    RemoveSegments,
    Close,
}

/// One frame that was handed to the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) first_sequence: u64,
    pub(crate) count: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) disk: SimDisk,
    pub(crate) defences: Defences,
    pub(crate) journal: Option<Journal>,
    pub(crate) issued: Vec<Issued>,
    /// The highest durable sequence that the journal ever named.
    pub(crate) acked: u64,
    /// The newest snapshot that the journal called finished.
    pub(crate) snapshot: u64,
    /// What ended the script early.
    pub(crate) failure: Option<JournalError>,
    /// Broken promises seen while running.
    pub(crate) complaints: Vec<String>,
    ticket: Option<SyncTicket>,
    outcome: Option<SyncOutcome>,
    writer: Option<(u64, SnapshotWriter)>,
    info: Option<SnapshotInfo>,
}

pub(crate) fn options(defences: Defences) -> Options {
    Options {
        segment_bytes: SEGMENT_BYTES,
        full_scan: true,
        defences,
        ..Options::new(GenesisId::derive(b"crash matrix"))
    }
}

/// The body of the snapshot at a sequence: known, so that it can be checked.
pub(crate) fn snapshot_body(sequence: u64, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (sequence as usize * 31 + at * 7 + 1) as u8).collect()
}

/// A payload without a zero byte, different for each sequence.
pub(crate) fn payload(sequence: u64, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| ((sequence as usize * 17 + at) % 255 + 1) as u8).collect()
}

impl World {
    pub(crate) fn new(defences: Defences) -> Self {
        Self {
            disk: SimDisk::new(),
            defences,
            journal: None,
            issued: Vec::new(),
            acked: 0,
            snapshot: 0,
            failure: None,
            complaints: Vec::new(),
            ticket: None,
            outcome: None,
            writer: None,
            info: None,
        }
    }

    /// Runs the script until the first failure, and then tries what a careless owner would try: to
    /// sync again and to append again.
    pub(crate) fn run(&mut self, script: &[Step]) {
        for step in script {
            if let Err(error) = self.step(*step) {
                let log_failed = self.journal.as_ref().is_some_and(|journal| journal.poison().is_some());
                if !self.disk.stopped() && log_failed {
                    self.insist(&error);
                }
                self.failure = Some(error);
                return;
            }
        }
    }

    fn insist(&mut self, first: &JournalError) {
        let Some(journal) = &mut self.journal else { return };
        let next = journal.position().sequence + 1;
        for again in [journal.sync().map(|_| ()), journal.append(0, next, u64::MAX, 1, &[b"x"]).map(|_| ())] {
            match again {
                Err(JournalError::Poisoned { first: named }) if *named == *first => {}
                other => self.complaints.push(format!("after {first} the journal answered {other:?}")),
            }
        }
        self.acked = self.acked.max(journal.durable_sequence());
    }

    /// For the negative control of the rule that a sync is never tried again.
    pub(crate) fn retry_sync(&mut self) {
        if let Some(journal) = &mut self.journal
            && let Ok(durable) = journal.sync()
        {
            self.acked = self.acked.max(durable);
        }
    }

    fn step(&mut self, step: Step) -> Result<(), JournalError> {
        let result = self.attempt(step);
        if let Some(journal) = &self.journal {
            self.acked = self.acked.max(journal.durable_sequence());
        }
        result
    }

    fn attempt(&mut self, step: Step) -> Result<(), JournalError> {
        if step == Step::Open {
            self.journal = None;
            let journal = Journal::open(self.disk.as_disk(), options(self.defences))?;
            self.journal = Some(journal);
            return Ok(());
        }
        if step == Step::Close {
            return self.journal.take().map_or(Ok(()), |journal| journal.close().map(|_| ()));
        }
        let Some(journal) = &mut self.journal else { return Ok(()) };
        match step {
            Step::Append(bytes) => {
                let first_sequence = journal.position().sequence + 1;
                let count = (bytes % 3 + 1) as u32;
                let payload = payload(first_sequence, bytes);
                self.issued.push(Issued { first_sequence, count, payload: payload.clone() });
                journal.append(1, first_sequence, first_sequence * 1000, count, &[&payload])?;
            }
            Step::Sync => {
                journal.sync()?;
            }
            Step::BeginSync => self.ticket = journal.begin_sync()?,
            Step::RunSync => self.outcome = self.ticket.take().map(SyncTicket::run),
            Step::FinishSync => {
                if let Some(outcome) = self.outcome.take() {
                    journal.finish_sync(outcome)?;
                }
            }
            Step::Spare => {
                if let Some(ticket) = journal.begin_spare() {
                    journal.finish_spare(ticket.run())?;
                }
            }
            Step::BeginSnapshot => {
                let at = journal.position();
                self.writer = Some((at.sequence, journal.begin_snapshot(at, [3; 32])?));
            }
            Step::WriteSnapshot(bytes) => {
                if let Some((sequence, writer)) = &mut self.writer {
                    writer.write(&snapshot_body(*sequence, bytes))?;
                }
            }
            Step::CompleteSnapshot => {
                self.info = self.writer.take().map(|(_, writer)| writer.finish()).transpose()?;
            }
            Step::FinishSnapshot => {
                if let Some(info) = self.info.take() {
                    let sequence = info.at.sequence;
                    journal.finish_snapshot(info)?;
                    self.snapshot = sequence;
                }
            }
            Step::RemoveSegments => {
                let oldest = journal.snapshots().last().map_or(0, |info| info.at.sequence);
                journal.remove_segments_before(oldest)?;
            }
            Step::Open | Step::Close => {}
        }
        Ok(())
    }
}

/// What a journal holds: its first sequence, its frames, its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) first: u64,
    pub(crate) frames: Vec<Issued>,
    pub(crate) end: Position,
}

pub(crate) fn contents(journal: &Journal) -> Result<Contents, JournalError> {
    let first = journal.first_sequence();
    let mut reader = journal.read_from(first, Check::Full)?;
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        let header = frame.header;
        let payload = frame.payload.to_vec();
        frames.push(Issued { first_sequence: header.first_sequence, count: header.count, payload });
    }
    Ok(Contents { first, frames, end: journal.position() })
}

/// Opens what is on the disk.
pub(crate) fn open(disk: &SimDisk, defences: Defences) -> Result<Journal, JournalError> {
    Journal::open(Arc::new(disk.clone()), options(defences))
}
