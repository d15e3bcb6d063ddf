//! The log beside the engine: appending, and syncing in a second thread where that wins.

use crate::body::{FRAME_COMMANDS, FRAME_DEPLOY, FrameBody, command_bytes};
use crate::options::Options;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use xos_engine::FrameHeader;
use xos_journal::{
    Journal, JournalError, Position, SnapshotInfo, SnapshotSource, SpareOutcome, SyncOutcome, SyncTicket,
    frame_bytes,
};

/// Segments smaller than this are pre-allocated when they are needed.
const SPARE_SEGMENT_BYTES: u64 = 4 << 20;

/// The ordered log as an exchange uses it: one writer, frames in, a promise when they are durable.
///
/// The local journal stands behind it; a log that other nodes keep too would stand there the same way. Whatever
/// fails once stays failed: [`Log::failure`] tells it for ever after.
pub trait Log: Send {
    /// The end of the log, durable or not.
    fn position(&self) -> Position;
    /// The highest sequence that is durable for certain.
    fn durable_sequence(&self) -> u64;
    /// The longest payload of a frame.
    fn payload_bytes_most(&self) -> u64;
    /// The failure that ended its usefulness, if one did.
    fn failure(&self) -> Option<JournalError>;
    /// The process that opened it, if this is a fork of it.
    fn forked_from(&self) -> Option<u32>;
    /// Takes the next frame. It may become durable from now on, and is at the latest when [`Log::settle`] returns.
    fn append(&mut self, header: FrameHeader, body: &FrameBody<'_>) -> Result<(), JournalError>;
    /// Returns when everything appended may be answered.
    fn settle(&mut self) -> Result<(), JournalError>;
    /// Makes everything appended durable, also where answers do not wait for it.
    fn sync(&mut self) -> Result<(), JournalError>;
    /// Keeps a snapshot of the state at the end of the log, all of which is durable.
    fn write_snapshot(&mut self, state_hash: [u8; 32], body: &[u8]) -> Result<SnapshotInfo, JournalError>;
    /// What a second engine needs to make a snapshot of the end of the log, all of which is durable, while it goes on.
    fn snapshot_source(&self) -> Result<SnapshotSource, JournalError>;
    /// Takes note of the snapshot that came of it.
    fn finish_snapshot(&mut self, info: SnapshotInfo) -> Result<(), JournalError>;
    /// Makes everything durable and lets go of it.
    fn close(self: Box<Self>) -> Result<Position, JournalError>;
    /// In a fork: lets go of it and changes nothing.
    fn abandon(self: Box<Self>);
}

/// The log on the local disk: the journal and the threads that work for it.
pub(crate) struct LocalLog {
    journal: Journal,
    durable: bool,
    overlap_commands: usize,
    segment_bytes: u64,
    syncer: Option<Syncer>,
    /// Bytes appended since the segment began or the log was opened.
    tail_bytes: u64,
    segments: usize,
    spare: Option<JoinHandle<SpareOutcome>>,
    /// The process that opened it.
    process: u32,
}

impl LocalLog {
    pub(crate) fn new(journal: Journal, options: &Options) -> Self {
        Self {
            segments: journal.segments().len(),
            journal,
            durable: options.durable,
            overlap_commands: options.overlap_commands,
            segment_bytes: options.segment_bytes,
            syncer: None,
            tail_bytes: 0,
            spare: None,
            process: std::process::id(),
        }
    }

    /// Begins a sync of everything appended so far, unless one is under way: what is appended meanwhile goes
    /// with the next one.
    fn begin_sync(&mut self) -> Result<(), JournalError> {
        let syncer = self.syncer.get_or_insert_with(Syncer::start);
        if let Some(outcome) = syncer.poll() {
            self.journal.finish_sync(outcome)?;
        }
        if !syncer.busy
            && let Some(ticket) = self.journal.begin_sync()?
            && let Some(outcome) = syncer.send(ticket)
        {
            self.journal.finish_sync(outcome)?;
        }
        Ok(())
    }

    /// Keeps the next segment ready once the present one is half full.
    fn note_segment(&mut self, payload_bytes: u64) -> Result<(), JournalError> {
        self.tail_bytes += frame_bytes(payload_bytes);
        if self.segments != self.journal.segments().len() {
            self.segments = self.journal.segments().len();
            self.tail_bytes = 0;
        }
        if self.segment_bytes < SPARE_SEGMENT_BYTES || self.overlap_commands == usize::MAX {
            return Ok(());
        }
        if let Some(ready) = self.spare.take_if(|thread| thread.is_finished()) {
            // A failure costs time only: rolling makes the file itself.
            let _ = ready.join().map(|outcome| self.journal.finish_spare(outcome));
        } else if self.spare.is_none()
            && self.tail_bytes > self.segment_bytes / 2
            && let Some(ticket) = self.journal.begin_spare()
        {
            self.spare = Some(std::thread::spawn(move || ticket.run()));
        }
        Ok(())
    }
}

impl Log for LocalLog {
    fn position(&self) -> Position {
        self.journal.position()
    }

    fn durable_sequence(&self) -> u64 {
        self.journal.durable_sequence()
    }

    fn payload_bytes_most(&self) -> u64 {
        self.journal.payload_bytes_most()
    }

    fn failure(&self) -> Option<JournalError> {
        self.journal.poison().cloned()
    }

    /// A fork has a copy of everything here and would write over what its parent writes.
    fn forked_from(&self) -> Option<u32> {
        (std::process::id() != self.process).then_some(self.process)
    }

    /// Hands a frame to the operating system and, if it is large, begins to sync it.
    fn append(&mut self, header: FrameHeader, body: &FrameBody<'_>) -> Result<(), JournalError> {
        let (kind, count, payload) = match body {
            FrameBody::Commands(commands) => (FRAME_COMMANDS, commands.len(), command_bytes(commands)),
            FrameBody::Deploy(body) => (FRAME_DEPLOY, 1, &**body),
        };
        self.journal.append(kind, header.first_sequence, header.time_ns, count as u32, &[payload])?;
        self.note_segment(payload.len() as u64)?;
        if self.durable && count >= self.overlap_commands { self.begin_sync() } else { Ok(()) }
    }

    fn settle(&mut self) -> Result<(), JournalError> {
        if !self.durable {
            return Ok(());
        }
        if let Some(outcome) = self.syncer.as_mut().and_then(Syncer::wait) {
            self.journal.finish_sync(outcome)?;
        }
        self.journal.sync().map(|_| ())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        self.journal.sync().map(|_| ())
    }

    fn write_snapshot(&mut self, state_hash: [u8; 32], body: &[u8]) -> Result<SnapshotInfo, JournalError> {
        let mut writer = self.journal.begin_snapshot(self.journal.position(), state_hash)?;
        writer.write(body)?;
        let info = writer.finish()?;
        self.journal.finish_snapshot(info.clone())?;
        Ok(info)
    }

    fn snapshot_source(&self) -> Result<SnapshotSource, JournalError> {
        self.journal.snapshot_source()
    }

    fn finish_snapshot(&mut self, info: SnapshotInfo) -> Result<(), JournalError> {
        self.journal.finish_snapshot(info)
    }

    /// The marker is synced too, and the directory released.
    fn close(mut self: Box<Self>) -> Result<Position, JournalError> {
        if let Some(outcome) = self.syncer.as_mut().and_then(Syncer::wait) {
            self.journal.finish_sync(outcome)?;
        }
        if let Some(spare) = self.spare.take() {
            let _ = spare.join();
        }
        self.journal.close()
    }

    /// The threads exist only in the parent.
    fn abandon(self: Box<Self>) {
        let Self { syncer, spare, .. } = *self;
        std::mem::forget((syncer, spare));
    }
}

/// A thread that runs one sync at a time.
struct Syncer {
    tickets: SyncSender<SyncTicket>,
    outcomes: Receiver<SyncOutcome>,
    busy: bool,
}

impl Syncer {
    fn start() -> Self {
        let (tickets, work) = sync_channel::<SyncTicket>(1);
        let (done, outcomes) = sync_channel(1);
        std::thread::spawn(move || {
            while let Ok(ticket) = work.recv() {
                if done.send(ticket.run()).is_err() {
                    return;
                }
            }
        });
        Self { tickets, outcomes, busy: false }
    }

    /// Begins a sync; if the thread is gone, runs it here and returns its outcome.
    fn send(&mut self, ticket: SyncTicket) -> Option<SyncOutcome> {
        match self.tickets.send(ticket) {
            Ok(()) => {
                self.busy = true;
                None
            }
            Err(back) => Some(back.0.run()),
        }
    }

    /// The outcome of the sync under way, if it has come.
    fn poll(&mut self) -> Option<SyncOutcome> {
        let outcome = self.outcomes.try_recv().ok()?;
        self.busy = false;
        Some(outcome)
    }

    /// The outcome of the sync under way, if there is one. `None` if the thread is gone: nothing is then
    /// confirmed, and whoever needs it syncs once more.
    fn wait(&mut self) -> Option<SyncOutcome> {
        if !std::mem::take(&mut self.busy) {
            return None;
        }
        self.outcomes.recv().ok()
    }
}
