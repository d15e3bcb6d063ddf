//! A difference as text that a reader can run again.

use super::Difference;
use crate::workload::{Body, Frame};
use std::fmt::{self, Display, Formatter};
use xos_protocol::{CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, Reject};

/// Where two machines differ, and a short log that shows it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Seed of the chaos.
    pub seed: u64,
    /// Number of the frame, from zero, in the whole run.
    pub frame: usize,
    /// How they differed there.
    pub difference: Difference,
    /// What is left of the log.
    pub shrunk: Vec<Frame>,
    /// How the machines differ after it.
    pub last: Difference,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, frame {}: {}", self.seed, self.frame, self.difference)?;
        writeln!(f, "a shorter log, {} frames: {}", self.shrunk.len(), self.last)?;
        write_frames(f, &self.shrunk)
    }
}

/// A log as Rust that builds it.
pub fn write_frames(f: &mut impl fmt::Write, frames: &[Frame]) -> fmt::Result {
    writeln!(f, "let frames = vec![")?;
    let mut sequence = 1;
    for frame in frames {
        match &frame.body {
            Body::Commands(commands) => {
                writeln!(f, "    Frame::commands({}, vec![", frame.time_ns)?;
                for command in commands {
                    writeln!(f, "        {}, // {sequence}", command_text(command))?;
                    sequence += 1;
                }
                writeln!(f, "    ]),")?;
            }
            Body::Deploy(body) => {
                match DeployCommand::from_bytes(body) {
                    Ok(command) => writeln!(f, "    // {sequence}: {command:?}")?,
                    Err(error) => writeln!(f, "    // {sequence}: {error}")?,
                }
                writeln!(f, "    Frame {{ time_ns: {}, body: Body::Deploy(vec!{body:?}) }},", frame.time_ns)?;
                sequence += 1;
            }
        }
    }
    writeln!(f, "];")
}

/// A command as Rust; fields that are zero are left out.
pub fn command_text(command: &CommandRecord) -> String {
    let kind = command.kind().map_or("unknown", CommandKind::name);
    let mut text = format!("/* {kind} */ CommandRecord {{ kind: {}", command.kind);
    let mut field = |name: &str, value: i128| {
        if value != 0 {
            text += &format!(", {name}: {value}");
        }
    };
    field("side", command.side.into());
    field("tif", command.tif.into());
    field("flags", command.flags.into());
    field("self_trade", command.self_trade.into());
    field("venue", command.venue.into());
    field("account", command.account.into());
    field("instrument", command.instrument.into());
    field("order_id", command.order_id.into());
    field("price", command.price.into());
    field("qty", command.qty.into());
    field("expires_ns", command.expires_ns.into());
    if command.amount.get() != 0 {
        text += &format!(", amount: Int128::new({})", command.amount.get());
    }
    if command.has_client_id() {
        text += &format!(", client_id: {:?}", command.client_id);
    }
    text + ", ..CommandRecord::default() }"
}

/// An event in one line; fields that are zero are left out.
pub fn event_text(event: &EventRecord) -> String {
    let kind = event.kind().map_or("unknown", EventKind::name);
    let mut text = kind.to_string();
    if event.kind() == Some(EventKind::Rejected) {
        let name = Reject::from_code(event.reason).map_or("unknown", Reject::name);
        text += &format!(" {name}");
    }
    let mut field = |name: &str, value: i128| {
        if value != 0 {
            text += &format!(" {name}={value}");
        }
    };
    field("reason", event.reason.into());
    field("side", event.side.into());
    field("flags", event.flags.into());
    field("venue", event.venue.into());
    field("sequence", event.sequence.into());
    field("account", event.account.into());
    field("instrument", event.instrument.into());
    field("order_id", event.order_id.into());
    field("price", event.price.into());
    field("qty", event.qty.into());
    field("remaining", event.remaining.into());
    field("amount", event.amount.get());
    field("counter_amount", event.counter_amount.get());
    field("time_ns", event.time_ns.into());
    if event.kind() == Some(EventKind::Trade) {
        field("counter_order_id", event.counter_order_id().into());
        field("counter_account", event.counter_account().into());
        field("counter_venue", event.counter_venue().into());
        field("counter_remaining", event.counter_remaining().into());
        field("trade_id", event.trade_id().into());
    } else if event.detail != [0; 32] {
        text += &format!(" client_id={:?}", event.detail);
    }
    text
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let event = |event: &Option<Box<EventRecord>>| match event {
            Some(event) => event_text(event),
            None => "no event".into(),
        };
        match self {
            Self::Failure { side, message } => write!(f, "{side}: {message}"),
            Self::Admission { left, right } => write!(f, "left admits {left:?}, right {right:?}"),
            Self::Events { index, left, right } => {
                write!(f, "event {index}\n  left:  {}\n  right: {}", event(left), event(right))
            }
            Self::Margin { account, left, right } => {
                write!(f, "margin of account {account}: left {left:?}, right {right:?}")
            }
            Self::State { offset, left, right } => {
                write!(f, "state from byte {offset}\n  left:  {left:02x?}\n  right: {right:02x?}")
            }
        }
    }
}
