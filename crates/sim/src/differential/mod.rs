//! Two machines, one log: after every frame they must show the same events and the same state.
//!
//! [`run_chaos`] drives both with seeded chaos. On a difference it drops frames and commands as long as the two
//! still differ and returns a [`Report`] whose text reproduces it.

mod report;
mod shrink;

pub use report::{Report, command_text, event_text, write_frames};

use crate::coverage::Coverage;
use crate::naive::{FrameError, NaiveEngine};
use crate::workload::{Body, Chaos, Frame};
use std::panic::{AssertUnwindSafe, catch_unwind};
use xos_protocol::{CommandRecord, DeployCommand, EventRecord};

/// Margin of an account, settlement atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountMargin {
    /// Equity that the maintenance requirement is held against.
    pub equity: i128,
    /// Maintenance requirement.
    pub maintenance: i128,
    /// Initial requirement.
    pub initial: i128,
    /// Equity less requirement.
    pub headroom: i128,
    /// What may leave in the settlement asset.
    pub withdrawable: i128,
}

/// What an engine shows to the outside.
pub trait Machine {
    /// Applies a frame of fixed records; events are appended.
    fn apply_records(
        &mut self,
        first_sequence: u64,
        time_ns: u64,
        commands: &[CommandRecord],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError>;

    /// Applies a frame with one deployment; events are appended.
    fn apply_deploy(
        &mut self,
        first_sequence: u64,
        time_ns: u64,
        body: &[u8],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError>;

    /// The canonical bytes of the state.
    fn state_bytes(&self) -> Vec<u8>;

    /// Their hash.
    fn state_hash(&self) -> [u8; 32];

    /// What is computed of each account and not stored, in order of account.
    fn margins(&self) -> Vec<AccountMargin>;

    /// What the machine itself finds wrong in its state, if it looks.
    fn complaint(&self) -> Option<String> {
        None
    }

    /// Applies a frame of either kind.
    fn apply(
        &mut self,
        first_sequence: u64,
        frame: &Frame,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        match &frame.body {
            Body::Commands(commands) => self.apply_records(first_sequence, frame.time_ns, commands, events),
            Body::Deploy(body) => self.apply_deploy(first_sequence, frame.time_ns, body, events),
        }
    }
}

impl Machine for NaiveEngine {
    fn apply_records(
        &mut self,
        first_sequence: u64,
        time_ns: u64,
        commands: &[CommandRecord],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        NaiveEngine::apply_records(self, first_sequence, time_ns, commands, events)
    }

    fn apply_deploy(
        &mut self,
        first_sequence: u64,
        time_ns: u64,
        body: &[u8],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        NaiveEngine::apply_deploy(self, first_sequence, time_ns, body, events)
    }

    fn state_bytes(&self) -> Vec<u8> {
        NaiveEngine::state_bytes(self)
    }

    fn state_hash(&self) -> [u8; 32] {
        NaiveEngine::state_hash(self)
    }

    fn margins(&self) -> Vec<AccountMargin> {
        NaiveEngine::margins(self)
    }

    fn complaint(&self) -> Option<String> {
        self.check_invariants().err()
    }
}

/// How two machines differ after a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// One of them panicked or complained; in words.
    Failure {
        /// `left` or `right`.
        side: &'static str,
        /// What it said.
        message: String,
    },
    /// One refused the frame, the other did not.
    Admission {
        /// The left one's answer.
        left: Result<(), FrameError>,
        /// The right one's answer.
        right: Result<(), FrameError>,
    },
    /// The first events that differ.
    Events {
        /// Place among the frame's events.
        index: usize,
        /// The left one's event, if it has one there.
        left: Option<Box<EventRecord>>,
        /// The right one's event, if it has one there.
        right: Option<Box<EventRecord>>,
    },
    /// The margin of an account.
    Margin {
        /// The first account that differs.
        account: usize,
        /// The left one's.
        left: Option<Box<AccountMargin>>,
        /// The right one's.
        right: Option<Box<AccountMargin>>,
    },
    /// The states differ from this byte on.
    State {
        /// Offset in the canonical bytes.
        offset: usize,
        /// Up to 64 bytes of the left one from there.
        left: Vec<u8>,
        /// Up to 64 bytes of the right one from there.
        right: Vec<u8>,
    },
}

/// Two machines side by side.
#[derive(Debug)]
pub struct Pair<A, B> {
    left: A,
    right: B,
    next_sequence: u64,
    events: (Vec<EventRecord>, Vec<EventRecord>),
}

impl<A: Machine, B: Machine> Pair<A, B> {
    /// Two fresh machines.
    pub fn new(left: A, right: B) -> Self {
        Self { left, right, next_sequence: 1, events: (Vec::new(), Vec::new()) }
    }

    /// Applies a frame to both; whether it was admitted, or how they differ.
    pub fn apply(&mut self, frame: &Frame) -> Result<bool, Difference> {
        self.events.0.clear();
        self.events.1.clear();
        let left = guarded("left", &mut self.left, self.next_sequence, frame, &mut self.events.0)?;
        let right = guarded("right", &mut self.right, self.next_sequence, frame, &mut self.events.1)?;
        if left.is_ok() != right.is_ok() {
            return Err(Difference::Admission { left, right });
        }
        self.compare_events()?;
        self.compare_states()?;
        self.compare_margins()?;
        if left.is_ok() {
            self.next_sequence += frame.sequences();
        }
        Ok(left.is_ok())
    }

    /// The events of the last frame.
    pub fn events(&self) -> &[EventRecord] {
        &self.events.0
    }

    fn compare_events(&self) -> Result<(), Difference> {
        let (left, right) = &self.events;
        for index in 0..left.len().max(right.len()) {
            let (left, right) = (left.get(index), right.get(index));
            if left != right {
                let boxed = |event: Option<&EventRecord>| event.copied().map(Box::new);
                return Err(Difference::Events { index, left: boxed(left), right: boxed(right) });
            }
        }
        Ok(())
    }

    fn compare_margins(&self) -> Result<(), Difference> {
        let (left, right) = (self.left.margins(), self.right.margins());
        match (0..left.len().max(right.len())).find(|at| left.get(*at) != right.get(*at)) {
            None => Ok(()),
            Some(at) => Err(Difference::Margin {
                account: at + 1,
                left: left.get(at).copied().map(Box::new),
                right: right.get(at).copied().map(Box::new),
            }),
        }
    }

    fn compare_states(&self) -> Result<(), Difference> {
        if self.left.state_hash() == self.right.state_hash() {
            return Ok(());
        }
        let (left, right) = (self.left.state_bytes(), self.right.state_bytes());
        let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
        let window = |bytes: &[u8]| bytes[same.min(bytes.len())..(same + 64).min(bytes.len())].to_vec();
        Err(Difference::State { offset: same, left: window(&left), right: window(&right) })
    }
}

/// Applies a frame; a panic or a complaint becomes a difference.
fn guarded<M: Machine>(
    side: &'static str,
    machine: &mut M,
    first_sequence: u64,
    frame: &Frame,
    events: &mut Vec<EventRecord>,
) -> Result<Result<(), FrameError>, Difference> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let admitted = machine.apply(first_sequence, frame, events);
        (admitted, machine.complaint())
    }));
    let message = match outcome {
        Ok((admitted, None)) => return Ok(admitted),
        Ok((_, Some(complaint))) => complaint,
        Err(panic) => match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(text), _) => format!("panic: {text}"),
            (_, Some(text)) => format!("panic: {text}"),
            _ => "panic".into(),
        },
    };
    Err(Difference::Failure { side, message })
}

/// The first frame after which two fresh machines differ, and how.
pub fn first_difference<A: Machine, B: Machine>(
    left: A,
    right: B,
    frames: &[Frame],
) -> Option<(usize, Difference)> {
    let mut pair = Pair::new(left, right);
    frames.iter().enumerate().find_map(|(at, frame)| Some((at, pair.apply(frame).err()?)))
}

/// Runs `frames` frames of seeded chaos on two machines. What was covered, or how they differ in short.
pub fn run_chaos<A: Machine, B: Machine>(
    seed: u64,
    frames: usize,
    left: impl Fn() -> A,
    right: impl Fn() -> B,
) -> Result<Coverage, Box<Report>> {
    let mut chaos = Chaos::new(seed);
    let mut pair = Pair::new(left(), right());
    let mut coverage = Coverage::default();
    let mut log = Vec::new();
    for at in 0..frames {
        let frame = chaos.next_frame();
        log.push(frame);
        let frame = &log[at];
        match pair.apply(frame) {
            Ok(admitted) => {
                if let Body::Deploy(body) = &frame.body
                    && let Ok(body) = DeployCommand::from_bytes(body)
                {
                    coverage.observe_deployed(&body, pair.events());
                }
                pair.events().iter().for_each(|event| coverage.observe(event));
                chaos.observe(frame, admitted, pair.events());
            }
            Err(difference) => {
                let differ = |frames: &[Frame]| first_difference(left(), right(), frames);
                let (shrunk, last) = shrink::shrink(log, difference.clone(), differ);
                return Err(Box::new(Report { seed, frame: at, difference, shrunk, last }));
            }
        }
    }
    Ok(coverage)
}
