//! The engine behind a wall: a failed invariant or a panic in it halts the node instead of passing through.

use crate::body::FrameBody;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use xos_engine::{Engine, FrameError, FrameHeader, Violation};
use xos_protocol::{CommandRecord, EventRecord};

/// Makes the frame that holds a sequence fail, as a defect of the engine would.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failpoint {
    /// The sequence.
    pub sequence: u64,
    /// With a panic; otherwise with a failed invariant.
    pub panics: bool,
}

/// The engine and why it stopped, if it did.
pub(crate) struct Machine {
    engine: Engine,
    halted: Option<Violation>,
    failpoint: Option<Failpoint>,
}

impl Machine {
    pub(crate) fn new(engine: Engine, failpoint: Option<Failpoint>) -> Self {
        Self { engine, halted: None, failpoint }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// For what does not touch its state: which postings it keeps.
    pub(crate) fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Why it stopped.
    pub(crate) fn halted(&self) -> Option<&Violation> {
        self.halted.as_ref().or(self.engine.violation())
    }

    /// Stops it for good.
    pub(crate) fn halt(&mut self, violation: Violation) -> Violation {
        self.halted.get_or_insert(violation).clone()
    }

    /// The header of the next frame.
    pub(crate) fn next_header(&self, time_ns: u64) -> FrameHeader {
        FrameHeader { first_sequence: self.engine.sequence() + 1, time_ns }
    }

    /// Executes a frame that the log holds. If that fails, the machine is halted and its state is not to be
    /// trusted; events that were appended are not to be released.
    pub(crate) fn apply(
        &mut self,
        header: FrameHeader,
        body: &FrameBody<'_>,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Violation> {
        match body {
            FrameBody::Commands(commands) => self.apply_records(header, commands, events),
            FrameBody::Deploy(body) => self.apply_deploy(header, body, events),
        }
    }

    pub(crate) fn apply_records(
        &mut self,
        header: FrameHeader,
        commands: &[CommandRecord],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Violation> {
        let count = commands.len() as u64;
        self.guarded(header, count, |engine| engine.apply_records(header, commands, events))
    }

    pub(crate) fn apply_deploy(
        &mut self,
        header: FrameHeader,
        body: &[u8],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Violation> {
        self.guarded(header, 1, |engine| engine.apply_deploy(header, body, events))
    }

    fn guarded(
        &mut self,
        header: FrameHeader,
        count: u64,
        act: impl FnOnce(&mut Engine) -> Result<(), FrameError>,
    ) -> Result<(), Violation> {
        if let Some(violation) = self.halted() {
            return Err(violation.clone());
        }
        let first = header.first_sequence;
        let failpoint = self.failpoint.filter(|point| (first..first + count).contains(&point.sequence));
        let engine = &mut self.engine;
        let result = catch_unwind(AssertUnwindSafe(|| {
            if failpoint.is_some_and(|point| point.panics) {
                panic!("failpoint");
            }
            act(engine)
        }));
        let stopped = |sequence, detail| Violation { invariant: 0, sequence, detail };
        let violation = match (result, failpoint) {
            (Ok(Ok(())), None) => return Ok(()),
            (Ok(Ok(())), Some(point)) => stopped(point.sequence, "failpoint".to_string()),
            (Ok(Err(FrameError::Halted(violation))), _) => violation,
            (Ok(Err(refusal)), _) => stopped(first, format!("a frame of the log was refused: {refusal}")),
            (Err(panic), _) => stopped(first, format!("the engine panicked: {}", words_of(&*panic))),
        };
        Err(self.halt(violation))
    }
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
