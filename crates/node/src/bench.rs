//! Measuring the durable exchange: how much, how fast, how soon back. Every measurement ends with a full audit
//! and with opening the directory again to the same state.

mod mix;
mod replay;
mod restart;

pub use mix::Mix;
pub use replay::{ReplayMeasurement, durable_replay};
pub use restart::{RestartReport, durable_restart};

use crate::error::{NodeError, OpenError};
use crate::exchange::Exchange;
use crate::options::Options;
use crate::replay::{elapsed_ns, per_second};
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;
use xos_engine::Violation;
use xos_protocol::{EventKind, EventRecord};

/// Accounts of the usual market.
const ACCOUNTS: u32 = 1_000;
/// A frame with one command, on the disk.
const ORDER_FRAME_BYTES: usize = 176;
/// Orders and bare writes take turns in blocks, so that both see the same disk.
const TURN: usize = 50;

/// Why a measurement has no result.
#[derive(Debug)]
pub enum BenchError {
    /// The exchange does not open.
    Open(OpenError),
    /// A submission failed.
    Node(NodeError),
    /// The bare writes failed.
    Io(io::Error),
    /// The final audit failed.
    Unsound(Violation),
    /// The end was not what it had to be.
    Wrong(String),
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "{error}"),
            Self::Node(error) => write!(f, "{error}"),
            Self::Io(error) => write!(f, "the bare write failed: {error}"),
            Self::Unsound(violation) => {
                write!(f, "the final state fails invariant {}: {}", violation.invariant, violation.detail)
            }
            Self::Wrong(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for BenchError {}

impl From<OpenError> for BenchError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<NodeError> for BenchError {
    fn from(error: NodeError) -> Self {
        Self::Node(error)
    }
}

impl From<io::Error> for BenchError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// How many commands a second become durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThroughputReport {
    /// Commands measured.
    pub commands: u64,
    /// Commands of one call.
    pub batch: u64,
    /// Events they gave.
    pub events: u64,
    /// Trades among them.
    pub trades: u64,
    /// Rejections among them.
    pub rejected: u64,
    /// Resting orders at the end.
    pub orders: u64,
    /// How long it took.
    pub elapsed_ns: u64,
}

impl ThroughputReport {
    /// Commands per second.
    pub fn commands_per_s(&self) -> u64 {
        per_second(self.commands, self.elapsed_ns)
    }
}

impl fmt::Display for ThroughputReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "durable: {} commands in batches of {}: {} per second; {} events, {} trades, {} rejected, {} resting",
            self.commands,
            self.batch,
            self.commands_per_s(),
            self.events,
            self.trades,
            self.rejected,
            self.orders
        )
    }
}

/// How long one order takes to become durable, beside a bare write and sync of as many bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyReport {
    /// Orders measured, one at a time.
    pub orders: u64,
    /// Half of them were answered within this.
    pub p50_ns: u64,
    /// 99 of 100 were.
    pub p99_ns: u64,
    /// Half of the bare writes with `fdatasync` took this.
    pub raw_p50_ns: u64,
    /// 99 of 100 did.
    pub raw_p99_ns: u64,
}

impl fmt::Display for LatencyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "durable: {} orders one at a time: p50 {} us, p99 {} us; bare write and fdatasync: p50 {} us, p99 {} us",
            self.orders,
            self.p50_ns / 1_000,
            self.p99_ns / 1_000,
            self.raw_p50_ns / 1_000,
            self.raw_p99_ns / 1_000
        )
    }
}

/// Opens a market in a directory that has none, with its accounts.
fn open_market(path: &Path, mix: &mut Mix, options: Options) -> Result<Exchange, BenchError> {
    let mut exchange = Exchange::open(path, options)?;
    if exchange.engine().sequence() != 0 {
        return Err(BenchError::Wrong(format!("{} holds a log already", path.display())));
    }
    let mut events = Vec::new();
    for body in mix.deployments() {
        exchange.deploy(&body, None, &mut events)?;
    }
    exchange.submit(&mix.setup(), None, &mut events)?;
    match events.iter().find(|event| event.kind() == Some(EventKind::Rejected)) {
        Some(event) => Err(BenchError::Wrong(format!("setting up the market was rejected: {event:?}"))),
        None => Ok(exchange),
    }
}

/// Audits, closes, opens again: the state must be the same.
fn prove(exchange: Exchange, path: &Path, options: &Options) -> Result<(), BenchError> {
    exchange.engine().audit().map_err(BenchError::Unsound)?;
    let (hash, sequence) = (exchange.engine().state_hash(), exchange.engine().sequence());
    exchange.close()?;
    let again = Exchange::open(path, options.clone())?;
    if (again.engine().state_hash(), again.engine().sequence()) == (hash, sequence) {
        Ok(())
    } else {
        Err(BenchError::Wrong(format!("{} opens to another state than it was closed with", path.display())))
    }
}

/// Submits so many commands in batches of one size, each durable before the next, into a new directory.
pub fn durable_throughput(
    path: &Path,
    commands: usize,
    batch: usize,
) -> Result<ThroughputReport, BenchError> {
    durable_throughput_with(path, commands, batch, Mix::new(1, ACCOUNTS), Options::default())
}

/// The same with a market and options of one's own.
pub fn durable_throughput_with(
    path: &Path,
    commands: usize,
    batch: usize,
    mut mix: Mix,
    options: Options,
) -> Result<ThroughputReport, BenchError> {
    let mut exchange = open_market(path, &mut mix, options.clone())?;
    let batch = batch.max(1);
    let commands = mix.for_frames(batch as u64).commands(commands.max(1));
    let mut events: Vec<EventRecord> = Vec::with_capacity(4 * batch);
    let (mut count, mut trades, mut rejected) = (0, 0, 0);
    let mut elapsed = 0;
    let first = exchange.engine().sequence();
    for frame in commands.chunks(batch) {
        events.clear();
        let begun = Instant::now();
        exchange.submit(frame, None, &mut events)?;
        elapsed += elapsed_ns(begun);
        count += events.len() as u64;
        for event in &events {
            trades += u64::from(event.kind() == Some(EventKind::Trade));
            rejected += u64::from(event.kind() == Some(EventKind::Rejected));
        }
    }
    let report = ThroughputReport {
        commands: commands.len() as u64,
        batch: batch as u64,
        events: count,
        trades,
        rejected,
        orders: exchange.engine().orders_resting() as u64,
        elapsed_ns: elapsed,
    };
    let answered = if options.durable { exchange.durable_sequence() } else { exchange.engine().sequence() };
    if answered != first + report.commands || trades != exchange.engine().trades() {
        return Err(BenchError::Wrong(format!("{report}: the log or the trades do not fit")));
    }
    prove(exchange, path, &options)?;
    Ok(report)
}

/// Submits so many orders one at a time, in turns with bare writes of as many bytes to a file beside the log.
pub fn durable_latency(path: &Path, orders: usize) -> Result<LatencyReport, BenchError> {
    let options = Options::default();
    let mut mix = Mix::new(1, ACCOUNTS);
    let mut exchange = open_market(path, &mut mix, options.clone())?;
    let orders = orders.max(1);
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path.join("bare"))?;
    file.write_all_at(&vec![0; orders * ORDER_FRAME_BYTES], 0)?;
    file.sync_all()?;
    let bytes = [0x5a; ORDER_FRAME_BYTES];
    let (mut taken, mut raw) = (Vec::with_capacity(orders), Vec::with_capacity(orders));
    let mut events = Vec::new();
    while taken.len() < orders {
        for command in mix.commands(TURN.min(orders - taken.len())) {
            let begun = Instant::now();
            exchange.submit(&[command], None, &mut events)?;
            taken.push(elapsed_ns(begun));
        }
        for _ in raw.len()..taken.len() {
            let begun = Instant::now();
            file.write_all_at(&bytes, (raw.len() * ORDER_FRAME_BYTES) as u64)?;
            file.sync_data()?;
            raw.push(elapsed_ns(begun));
        }
    }
    std::fs::remove_file(path.join("bare"))?;
    taken.sort_unstable();
    raw.sort_unstable();
    let at = |sorted: &[u64], percent: usize| sorted[(sorted.len() - 1) * percent / 100];
    prove(exchange, path, &options)?;
    Ok(LatencyReport {
        orders: orders as u64,
        p50_ns: at(&taken, 50),
        p99_ns: at(&taken, 99),
        raw_p50_ns: at(&raw, 50),
        raw_p99_ns: at(&raw, 99),
    })
}
