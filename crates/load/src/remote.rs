//! A load on a server in another process, which may be killed meanwhile.

use crate::bounds::{Percentiles, elapsed_ns};
use crate::lanes::Lanes;
use crate::latency::Latencies;
use crate::run::{LoadError, drive, set_up};
use crate::traffic::Traffic;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

/// What a load on another process's server came to.
#[derive(Clone, Debug)]
pub struct RemoteReport {
    /// Commands due.
    pub commands: u64,
    /// Those in the log, as their answers said.
    pub taken: u64,
    /// Those refused before it.
    pub refused: u64,
    /// Sequence of the last one answered.
    pub last_sequence: u64,
    /// How long it went on.
    pub took_ns: u64,
    /// From the time a command was due to its durable answer.
    pub latency: Percentiles,
    /// Why it ended early, if it did.
    pub ended: Option<String>,
}

impl RemoteReport {
    /// For machines.
    pub fn to_json(&self) -> Value {
        json!({
            "commands": self.commands, "taken": self.taken, "refused": self.refused,
            "last_sequence": self.last_sequence, "took_ns": self.took_ns,
            "p50_ns": self.latency.p50_ns, "p99_ns": self.latency.p99_ns, "ended": self.ended
        })
    }
}

/// Makes the exchange that a traffic begins with in an empty folder, with a snapshot at its end; its last sequence and
/// its resting orders.
pub fn prepare(traffic: &Traffic, folder: &Path) -> Result<(u64, u64), LoadError> {
    let mut exchange = set_up(traffic, folder, true)?;
    let failed = |error: xos_node::NodeError| LoadError::SetUp(error.to_string());
    exchange.snapshot().map_err(failed)?;
    let made = (exchange.engine().sequence(), exchange.engine().orders_resting() as u64);
    exchange.close().map_err(failed)?;
    Ok(made)
}

/// Loads a server that serves such an exchange. A connection that breaks ends the load, and the report says so.
pub fn load(
    address: SocketAddr,
    traffic: &Traffic,
    rate_per_s: u64,
    seconds: u64,
    connections: usize,
) -> Result<RemoteReport, LoadError> {
    let commands = rate_per_s * seconds;
    let mut lanes = Lanes::connect(address, connections, commands)?;
    let mut latencies = Latencies::new(commands, rate_per_s);
    let begun = Instant::now();
    let ended = drive(traffic, &mut lanes, &mut latencies, commands).err().map(|error| error.to_string());
    let took_ns = elapsed_ns(begun);
    let report = RemoteReport {
        commands,
        taken: lanes.taken,
        refused: lanes.refused,
        last_sequence: lanes.last_sequence,
        took_ns,
        latency: latencies.whole(),
        ended,
    };
    lanes.close();
    Ok(report)
}
