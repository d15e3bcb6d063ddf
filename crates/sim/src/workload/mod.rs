//! Seeded workloads: what a world is asked to do.

mod admission;
mod book;
mod chaos;
mod collateral;
mod deployments;
mod fees;
mod implied;
mod live;
mod market;
mod questions;
mod storm;

pub use chaos::Chaos;
pub use implied::ImpliedMarket;
pub use market::{Market, MarketShape};
pub use storm::Storm;

use xos_protocol::{ClientId, CommandKind, CommandRecord, DeployCommand};

/// One frame of a log, but for its first sequence, which follows from the frames before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Time of the log.
    pub time_ns: u64,
    /// What the frame carries.
    pub body: Body,
}

/// What a frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Fixed records.
    Commands(Vec<CommandRecord>),
    /// One deployment in MessagePack.
    Deploy(Vec<u8>),
}

impl Frame {
    /// A frame of records.
    pub fn commands(time_ns: u64, commands: Vec<CommandRecord>) -> Self {
        Self { time_ns, body: Body::Commands(commands) }
    }

    /// A frame with one deployment.
    pub fn deploy(time_ns: u64, command: &DeployCommand) -> Self {
        Self { time_ns, body: Body::Deploy(command.to_bytes()) }
    }

    /// How many sequence numbers the frame takes.
    pub fn sequences(&self) -> u64 {
        match &self.body {
            Body::Commands(commands) => commands.len() as u64,
            Body::Deploy(_) => 1,
        }
    }
}

/// A record of this kind, all other fields zero.
pub fn command(kind: CommandKind) -> CommandRecord {
    CommandRecord { kind: kind.code(), ..CommandRecord::default() }
}

/// A client id that spells a number.
pub fn client_id(number: u64) -> ClientId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id[31] = b'c';
    id
}
