//! Frames: their headers and errors, the order of execution inside one, and what the passing of time does before its
//! commands.

use crate::engine::Engine;
use crate::step::Step;
use std::fmt;
use xos_protocol::{CancelReason, CommandKind, CommandRecord, Flags, Matching};
use xos_units::OrderId;

/// What the log says of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Sequence of the first command.
    pub first_sequence: u64,
    /// Time stamped by the log, nanoseconds since 1970 UTC.
    pub time_ns: u64,
}

/// A failed check of the state: the engine has stopped and stays stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Number of the invariant, as in the reliability reference.
    pub invariant: u8,
    /// Sequence of the command during which it failed.
    pub sequence: u64,
    /// What was found.
    pub detail: String,
}

/// Why a frame was not executed, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The log and the engine disagree on what comes next.
    SequenceGap {
        /// What the frame says.
        first_sequence: u64,
        /// What was due.
        expected: u64,
    },
    /// Time would go backwards.
    TimeBackwards {
        /// What the frame says.
        time_ns: u64,
        /// The last frame's.
        last_ns: u64,
    },
    /// No commands, or more than declared.
    FrameSize {
        /// How many.
        commands: usize,
        /// The declared limit.
        limit: usize,
    },
    /// An invariant failed, now or earlier.
    Halted(Violation),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SequenceGap { first_sequence, expected } => {
                write!(f, "the frame starts at sequence {first_sequence}, {expected} is due")
            }
            Self::TimeBackwards { time_ns, last_ns } => {
                write!(f, "the frame is stamped {time_ns} ns, the log stands at {last_ns} ns")
            }
            Self::FrameSize { commands, limit } => {
                write!(f, "the frame has {commands} commands; 1 to {limit} are allowed")
            }
            Self::Halted(violation) => write!(
                f,
                "the engine is halted: invariant {} failed at sequence {}: {}",
                violation.invariant, violation.sequence, violation.detail
            ),
        }
    }
}

impl std::error::Error for FrameError {}

/// Groups of a frame, executed in this order.
const CONTROL: u8 = 0;
const CANCEL: u8 = 1;
const POST_ONLY: u8 = 2;
const TAKE: u8 = 3;

fn is_order(command: &CommandRecord) -> bool {
    use CommandKind::{Amend, Cancel, MassCancel, Place, PlaceBracket};
    matches!(command.kind(), Some(Place | PlaceBracket | Amend | Cancel | MassCancel))
}

impl Engine {
    /// Indices of the commands in order of execution: control, then on maker-first instruments cancels, then
    /// post-only orders, then everything that may take; arrival order within each. None: arrival order as it is.
    pub(crate) fn order_of(&mut self, commands: &[CommandRecord]) -> Option<Vec<u32>> {
        if commands.len() == 1 || self.maker_first_instruments == 0 {
            return None;
        }
        if !commands.iter().any(|command| is_order(command) && self.is_maker_first(command)) {
            return None;
        }
        let mut order = std::mem::take(&mut self.frame_order);
        order.clear();
        let groups: Vec<u8> = commands.iter().map(|command| self.group(command)).collect();
        for wanted in [CONTROL, CANCEL, POST_ONLY, TAKE] {
            let members = groups.iter().enumerate().filter(|(_, group)| **group == wanted);
            order.extend(members.map(|(at, _)| u32::try_from(at).expect("frames are bounded")));
        }
        Some(order)
    }

    /// Whether the command addresses a maker-first instrument. A cancel or amend that names none addresses that of its
    /// order, if the order rests as the frame begins.
    fn is_maker_first(&self, command: &CommandRecord) -> bool {
        let mut at = command.instrument().index();
        if command.instrument == 0
            && matches!(command.kind(), Some(CommandKind::Cancel | CommandKind::Amend))
            && let Ok(slot) = self.named_order(command)
        {
            at = self.pool.order(slot).instrument.index();
        }
        self.instruments.get(at).is_some_and(|instrument| instrument.matching == Matching::MakerFirst)
    }

    fn group(&self, command: &CommandRecord) -> u8 {
        let post_only = command.flags().has(Flags::POST_ONLY);
        match command.kind() {
            None | Some(CommandKind::Deploy) => TAKE,
            Some(CommandKind::MassCancel) if command.instrument == 0 || self.is_maker_first(command) => {
                CANCEL
            }
            Some(CommandKind::Cancel) if self.is_maker_first(command) => CANCEL,
            Some(CommandKind::Place | CommandKind::PlaceBracket | CommandKind::Amend)
                if post_only && self.is_maker_first(command) =>
            {
                POST_ONLY
            }
            Some(_) if is_order(command) => TAKE,
            Some(_) => CONTROL,
        }
    }

    /// Takes out the good-till-date orders whose time has come.
    pub(crate) fn expire_orders(&mut self, step: &mut Step) {
        while let Some(&(expires_ns, id)) = self.expiries.first()
            && expires_ns <= step.time_ns
        {
            let Some(slot) = self.pool.find(OrderId(id)) else {
                self.halt(10, step.sequence, format!("order {id} is due to expire but does not rest"));
                return;
            };
            self.cancel_resting(step, slot, CancelReason::Expired);
        }
        if !self.emptied.is_empty() {
            self.forget_empty_stands();
        }
    }
}
