//! What goes between the threads: batches of admitted commands in, durable frames out.

use std::sync::Arc;
use xos_protocol::{CommandRecord, EventRecord};

/// Number of a session within this run of the server.
pub type SessionId = u32;
/// What the node itself brings: ticks, cancels for who is gone.
pub const NODE: SessionId = SessionId::MAX;

/// Consecutive commands of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Whose.
    pub session: SessionId,
    /// Number of the first.
    pub first_number: u64,
    /// Its place in the batch.
    pub start: usize,
    /// How many.
    pub count: usize,
}

/// A deployment, behind so many commands of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Whose.
    pub session: SessionId,
    /// Its number.
    pub number: u64,
    /// Commands of the batch that come before it.
    pub behind: usize,
    /// The MessagePack body.
    pub body: Vec<u8>,
}

/// Admitted commands on their way to the log.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order in which they will be logged.
    pub commands: Vec<CommandRecord>,
    /// Whose they are.
    pub runs: Vec<Run>,
    /// Deployments among them.
    pub deployments: Vec<Deployment>,
}

impl Batch {
    /// Adds a command of a session.
    #[inline]
    pub fn push(&mut self, session: SessionId, number: u64, command: CommandRecord) {
        let start = self.commands.len();
        self.commands.push(command);
        match self.runs.last_mut() {
            Some(run)
                if run.session == session
                    && run.first_number + run.count as u64 == number
                    && run.start + run.count == start =>
            {
                run.count += 1;
            }
            _ => self.runs.push(Run { session, first_number: number, start, count: 1 }),
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.deployments.is_empty()
    }

    /// Commands and deployments in it.
    pub fn len(&self) -> usize {
        self.commands.len() + self.deployments.len()
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.commands.clear();
        self.runs.clear();
        self.deployments.clear();
    }
}

/// Commands of a session that are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenRun {
    /// Whose.
    pub session: SessionId,
    /// Number of the first.
    pub first_number: u64,
    /// Its sequence.
    pub first_sequence: u64,
    /// How many.
    pub count: usize,
}

/// One frame of the log, durable, with what came of it.
#[derive(Debug, Default)]
pub struct DurableFrame {
    /// Sequence of its first command.
    pub mark: u64,
    /// Whose commands it has.
    pub taken: Vec<TakenRun>,
    /// Its events, in the order in which they happened.
    pub events: Vec<EventRecord>,
    /// What the node did not log, and the number of the error.
    pub refused: Vec<(SessionId, u64, u16)>,
}

/// Frames as they are handed on.
pub type Frames = Vec<Arc<DurableFrame>>;
