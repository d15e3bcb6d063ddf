//! The exchange: commands in, events out when the log holds the commands.

use crate::beside::SnapshotBeside;
use crate::body::FrameBody;
use crate::error::NodeError;
use crate::log::Log;
use crate::machine::Machine;
use crate::options::{DEPLOY_BYTES_MAX, Options, check_limits};
use crate::recovery::{Recovery, ReplayedEvents, ReplayedTail, hash_of_state};
use std::borrow::Cow;
use xos_engine::{Engine, Violation};
use xos_journal::{JournalError, Position, SnapshotInfo};
use xos_protocol::{CommandRecord, DeployCommand, EventRecord};

/// Where the commands of a call stand in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Sequence of the first command.
    pub first_sequence: u64,
    /// How many there are; their sequences follow each other in the order given.
    pub count: u64,
    /// The time they were stamped with.
    pub time_ns: u64,
}

/// A whole exchange in this process, in memory or on a disk. Dropping it closes it.
pub struct Exchange {
    machine: Machine,
    log: Option<Box<dyn Log>>,
    recovery: Option<Recovery>,
    pub(crate) options: Options,
    failure: Option<NodeError>,
    /// Sequence at which the next snapshot is due to be taken.
    snapshot_base: u64,
    snapshot_failure: Option<NodeError>,
    /// Due snapshots are made beside the log.
    snapshots_beside: bool,
    /// One under way.
    beside: Option<SnapshotBeside>,
    pub(crate) replayed: ReplayedTail,
}

impl Exchange {
    pub(crate) fn new(
        machine: Machine,
        log: Option<Box<dyn Log>>,
        recovery: Option<Recovery>,
        options: Options,
    ) -> Self {
        let snapshot_base = recovery.as_ref().and_then(|found| found.snapshot_sequence).unwrap_or(0);
        Self {
            machine,
            log,
            recovery,
            options,
            failure: None,
            snapshot_base,
            snapshot_failure: None,
            snapshots_beside: false,
            beside: None,
            replayed: ReplayedTail::default(),
        }
    }

    /// The engine, for its views. Between calls it stands exactly where the log stands; after a final error
    /// it may show what the log does not hold.
    pub fn engine(&self) -> &Engine {
        self.machine.engine()
    }

    /// What opening found and did; `None` in memory.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// The last events that opening executed again, frame by frame, as many as [`Options::replayed_events_max`] says; a
    /// second call has none.
    pub fn take_replayed(&mut self) -> Vec<ReplayedEvents> {
        self.replayed.take()
    }

    /// The end of the log; `None` in memory.
    pub fn position(&self) -> Option<Position> {
        self.log.as_ref().map(|log| log.position())
    }

    /// The highest sequence that is on the disk for certain; in memory the last one.
    pub fn durable_sequence(&self) -> u64 {
        self.log.as_ref().map_or(self.engine().sequence(), |log| log.durable_sequence())
    }

    /// Refuses in a fork of the process that opened the log: both would write it.
    pub fn check_process(&self) -> Result<(), NodeError> {
        match self.log.as_ref().and_then(|log| log.forked_from()) {
            Some(opened_by) => Err(NodeError::Forked { opened_by, process: std::process::id() }),
            None => Ok(()),
        }
    }

    /// The error after which nothing more is taken, if one happened.
    pub fn failure(&self) -> Option<&NodeError> {
        self.failure.as_ref()
    }

    /// What kept the last snapshot that was due by itself from being written. It does no harm to the log.
    pub fn snapshot_failure(&self) -> Option<&NodeError> {
        self.snapshot_failure.as_ref()
    }

    /// Takes commands: logs them, executes them, appends their events to `events` and returns when the log is
    /// durable. The commands form one frame of the log unless there are more than `frame_commands_max`; then
    /// each full frame is taken by itself, in order.
    ///
    /// Without a time they are stamped by the clock, never before the log's last time. On an error `events` is
    /// as it was; see [`NodeError`] for what is known then.
    pub fn submit(
        &mut self,
        commands: &[CommandRecord],
        time_ns: Option<u64>,
        events: &mut Vec<EventRecord>,
    ) -> Result<Submitted, NodeError> {
        let submitted = self.admit(commands.len() as u64, time_ns)?;
        let frame_commands = self.engine().limits().frame_commands_max as usize;
        let begin = events.len();
        for frame in commands.chunks(frame_commands) {
            let body = FrameBody::Commands(Cow::Borrowed(frame));
            if let Err(error) = self.take_frame(submitted.time_ns, &body, events) {
                events.truncate(begin);
                return Err(error);
            }
        }
        self.answer(submitted, begin, events)
    }

    /// Takes one deployment: the MessagePack body of a [`DeployCommand`]. Otherwise like
    /// [`Exchange::submit`]; a body that cannot be read is logged and rejected like any other command.
    pub fn deploy(
        &mut self,
        body: &[u8],
        time_ns: Option<u64>,
        events: &mut Vec<EventRecord>,
    ) -> Result<Submitted, NodeError> {
        let submitted = self.admit(1, time_ns)?;
        let room = self.log.as_ref().map_or(u64::MAX, |log| log.payload_bytes_most());
        let (bytes, limit) = (body.len() as u64, DEPLOY_BYTES_MAX.min(room));
        if bytes > limit {
            return Err(NodeError::DeployTooLarge { bytes, limit });
        }
        if submitted.first_sequence == 1
            && let Ok(DeployCommand::Genesis(limits)) = DeployCommand::from_bytes(body)
        {
            check_limits(&limits, room).map_err(|(value, most)| NodeError::BadLimit {
                name: "frame_commands_max",
                value,
                most,
            })?;
        }
        let begin = events.len();
        if let Err(error) =
            self.take_frame(submitted.time_ns, &FrameBody::Deploy(Cow::Borrowed(body)), events)
        {
            events.truncate(begin);
            return Err(error);
        }
        self.answer(submitted, begin, events)
    }

    /// Every check of a call, before anything is written: what passes here the engine does not refuse.
    fn admit(&self, count: u64, time_ns: Option<u64>) -> Result<Submitted, NodeError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.check_process()?;
        if count == 0 {
            return Err(NodeError::Empty);
        }
        let last_ns = self.engine().time_ns();
        let time_ns = match time_ns {
            Some(given_ns) if given_ns < last_ns => {
                return Err(NodeError::TimeBackwards { given_ns, last_ns });
            }
            Some(given_ns) => given_ns,
            None => self.options.clock.now_ns().max(last_ns),
        };
        let first_sequence = self.engine().sequence() + 1;
        // One less than the largest number, so that the next sequence always exists.
        if first_sequence.checked_add(count).is_none() {
            return Err(NodeError::SequenceExhausted { first_sequence, count });
        }
        Ok(Submitted { first_sequence, count, time_ns })
    }

    /// Logs one frame and executes it.
    fn take_frame(
        &mut self,
        time_ns: u64,
        body: &FrameBody<'_>,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), NodeError> {
        let header = self.machine.next_header(time_ns);
        if let Some(log) = &mut self.log {
            let appended = log.append(header, body);
            self.keep_failure(appended)?;
        }
        if let Err(violation) = self.machine.apply(header, body, events) {
            return Err(self.halt(violation));
        }
        Ok(())
    }

    /// Waits until the log is durable; only then may anybody see the events.
    fn answer(
        &mut self,
        submitted: Submitted,
        begin: usize,
        events: &mut Vec<EventRecord>,
    ) -> Result<Submitted, NodeError> {
        if let Some(log) = &mut self.log {
            let settled = log.settle();
            if let Err(error) = self.keep_failure(settled) {
                events.truncate(begin);
                return Err(error);
            }
        }
        if !self.snapshots_beside {
            self.snapshot_if_due();
        }
        Ok(submitted)
    }

    fn keep_failure<T>(&mut self, result: Result<T, JournalError>) -> Result<T, NodeError> {
        result.map_err(|error| self.failure.get_or_insert(NodeError::from(error)).clone())
    }

    /// Stops for good. The frame stays in the log, so that a replay shows the same.
    fn halt(&mut self, violation: Violation) -> NodeError {
        if let Some(log) = &mut self.log {
            // The halt stands either way; the sync only helps to see it again.
            let _ = log.settle();
        }
        self.failure.get_or_insert(NodeError::Halted(violation)).clone()
    }

    /// Whether due snapshots are made beside the log, by a second engine in a thread of its own: the exchange does not
    /// stand still for them, and [`Exchange::snapshot_if_due`] begins them.
    pub fn make_snapshots_beside(&mut self, beside: bool) {
        self.snapshots_beside = beside;
    }

    /// Takes, or begins beside the log, the snapshot that [`Options::snapshot_every_commands`] asks for, if it is due.
    pub fn snapshot_if_due(&mut self) {
        self.note_beside(false);
        let Some(every) = self.options.snapshot_every_commands else { return };
        if self.beside.is_some()
            || self.log.is_none()
            || self.engine().sequence() - self.snapshot_base < every.max(1)
        {
            return;
        }
        self.snapshot_base = self.engine().sequence();
        self.beside = if self.snapshots_beside { self.begin_beside() } else { None };
        if self.beside.is_none() {
            self.snapshot_failure = self.snapshot().err();
        }
    }

    /// `None` if the log or the system has no second reader; then the snapshot is made here.
    fn begin_beside(&mut self) -> Option<SnapshotBeside> {
        let log = self.log.as_mut()?;
        let synced = log.sync();
        self.keep_failure(synced).ok()?;
        let source = self.log.as_ref()?.snapshot_source().ok()?;
        SnapshotBeside::start(source).ok()
    }

    /// Takes note of a snapshot that was made beside the log, if one is ready, or waits for the one under way.
    fn note_beside(&mut self, waits: bool) {
        let Some(beside) = self.beside.take_if(|beside| waits || beside.is_finished()) else { return };
        let made = beside.finish();
        if let Err(NodeError::Halted(violation)) = made {
            // The log does not give what was told: nothing more is.
            let violation = self.machine.halt(violation);
            self.snapshot_failure = Some(self.halt(violation));
            return;
        }
        let Some(log) = &mut self.log else { return };
        let noted = made.and_then(|info| log.finish_snapshot(info).map_err(NodeError::Snapshot));
        if let Some(first) = log.failure() {
            let _ = self.keep_failure::<()>(Err(first));
        }
        self.snapshot_failure = noted.err();
    }

    /// Writes a snapshot of the present state, after recomputing all of its invariants, and removes the oldest
    /// beyond the number to keep. A failure of the disk here does no harm to the log.
    pub fn snapshot(&mut self) -> Result<SnapshotInfo, NodeError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.check_process()?;
        self.note_beside(true);
        let Some(log) = &mut self.log else { return Err(NodeError::InMemory) };
        if let Err(violation) = self.machine.engine().audit() {
            let violation = self.machine.halt(violation);
            return Err(self.halt(violation));
        }
        let synced = log.sync();
        self.keep_failure(synced)?;
        let written = self.write_snapshot();
        let poison = self.log.as_ref().and_then(|log| log.failure());
        match poison {
            Some(first) => self.keep_failure(Err(first)),
            None => written.map_err(NodeError::Snapshot),
        }
    }

    fn write_snapshot(&mut self) -> Result<SnapshotInfo, JournalError> {
        let Some(log) = &mut self.log else { unreachable!("snapshot() has checked it") };
        let engine = self.machine.engine();
        let bytes = engine.snapshot_bytes();
        let state_hash = hash_of_state(&bytes).unwrap_or_else(|| engine.state_hash());
        let info = log.write_snapshot(state_hash, &bytes)?;
        self.snapshot_base = info.at.sequence;
        Ok(info)
    }

    /// Syncs everything and releases the directory. Returns the end of the log; `None` in memory, and in a fork
    /// of the process that opened it, which lets go of its copy and changes nothing.
    pub fn close(mut self) -> Result<Option<Position>, NodeError> {
        self.release()
    }

    fn release(&mut self) -> Result<Option<Position>, NodeError> {
        if self.check_process().is_ok() {
            self.note_beside(true);
        }
        match self.log.take() {
            Some(log) if log.forked_from().is_some() => {
                log.abandon();
                Ok(None)
            }
            Some(log) => Ok(Some(log.close()?)),
            None => Ok(None),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // Whoever wants to know calls close().
        let _ = self.release();
    }
}
