//! A run: a new exchange in a folder, a server, the lanes, the judgement.

use crate::bounds::{Bounds, elapsed_ns};
use crate::judge::judge;
use crate::lanes::{Lanes, keys_of};
use crate::latency::Latencies;
use crate::processor::{named_ns, own_ns};
use crate::readers::Readers;
use crate::report::{Check, LoadReport};
use crate::traffic::Traffic;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xos_node::{Exchange, Options};
use xos_protocol::EventKind;
use xos_server::{ClientError, Keyring, Rate, Server, ServerError, ServerOptions};

/// How long answers may take after the last command was due.
const PATIENCE: Duration = Duration::from_secs(20);
/// The write of the bound before anything is known of frames.
const FRAME_HEADER_BYTES: u64 = 80;
/// What names of the server's threads begin with.
const SERVER_THREADS: &str = "xos-server";

/// What to run.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// A folder for the log; it must be empty.
    pub folder: PathBuf,
    /// Commands a second.
    pub rate_per_s: u64,
    /// For how long.
    pub seconds: u64,
    /// Connections.
    pub connections: usize,
    /// Whether answers wait for the disk.
    pub durable: bool,
    /// Readers of the first instrument's book by order, beside the connections.
    pub subscribers: usize,
    /// The server's own options; its rates are lifted.
    pub server: ServerOptions,
}

/// Why a run has no report.
#[derive(Debug)]
pub enum LoadError {
    /// Setting up failed.
    SetUp(String),
    /// A connection failed.
    Client(ClientError),
    /// The server failed.
    Server(ServerError),
    /// The bounds could not be measured.
    Io(std::io::Error),
    /// The log could not be judged.
    Judgement(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetUp(what) => write!(f, "the exchange could not be set up: {what}"),
            Self::Client(error) => write!(f, "{error}"),
            Self::Server(error) => write!(f, "{error}"),
            Self::Io(error) => write!(f, "the machine's bounds could not be measured: {error}"),
            Self::Judgement(what) => write!(f, "the log could not be judged: {what}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<ClientError> for LoadError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<ServerError> for LoadError {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

/// Runs a load.
pub fn run(traffic: &Traffic, options: &LoadOptions) -> Result<LoadReport, LoadError> {
    let exchange = set_up(traffic, &options.folder, options.durable)?;
    let before = exchange.engine().sequence();
    let keys =
        Keyring::new(keys_of(options.connections)).map_err(|error| LoadError::SetUp(error.to_string()))?;
    let free = Rate { per_s: 0, burst: 0 };
    let server_options = ServerOptions {
        session_rate: free,
        cancel_rate: free,
        account_rate: free,
        address_rate: free,
        ..options.server.clone()
    };
    let address = "127.0.0.1:0".parse().expect("an address");
    let server = Server::start(exchange, address, keys, server_options)?;
    let commands = options.rate_per_s * options.seconds;
    let mut lanes = Lanes::connect(server.address(), options.connections, commands)?;
    let readers = Readers::start(server.address(), options.connections, options.subscribers)?;
    let mut latencies = Latencies::new(commands, options.rate_per_s);
    let begun_ns = (own_ns(), named_ns(SERVER_THREADS));
    let drive = drive(traffic, &mut lanes, &mut latencies, commands);
    let generator_processor_ns = own_ns() - begun_ns.0;
    let server_processor_ns = named_ns(SERVER_THREADS) - begun_ns.1;
    let (took_ns, late_ns) = match drive {
        Ok(done) => done,
        // The server's own word says more than the broken connection.
        Err(error) => return Err(server.stop().err().map_or(error.into(), LoadError::Server)),
    };
    lanes.close();
    let heard = readers.stop();
    let exchange = server.stop()?;
    exchange.close().map_err(|error| LoadError::SetUp(error.to_string()))?;
    let verdict = judge(&options.folder, before, lanes.taken).map_err(LoadError::Judgement)?;
    let commands_per_frame = verdict.commands / verdict.frames.max(1);
    let write_bytes = FRAME_HEADER_BYTES + 96 * commands_per_frame;
    let bounds =
        Bounds::measure(bound_folder(&options.folder), write_bytes as usize).map_err(LoadError::Io)?;
    let mut checks = verdict.checks;
    let unanswered = latencies.unanswered();
    checks.push(Check::new(
        "every command was answered",
        unanswered == lanes.refused && lanes.refused == 0,
        format!("{unanswered} without an answer, {} refused", lanes.refused),
    ));
    if options.subscribers > 0 {
        checks.push(Check::new(
            "readers missed nothing",
            heard.gaps == 0 && heard.lost == 0 && heard.books >= options.subscribers as u64,
            format!(
                "{} changes, {} whole books, {} gaps, {} readers cut",
                heard.changes, heard.books, heard.gaps, heard.lost
            ),
        ));
    }
    Ok(LoadReport {
        workload: traffic.name.clone(),
        connections: options.connections,
        offered_per_s: options.rate_per_s,
        achieved_per_s: u64::try_from(u128::from(lanes.taken) * 1_000_000_000 / u128::from(took_ns.max(1)))
            .unwrap_or(u64::MAX),
        commands,
        taken: lanes.taken,
        refused: lanes.refused,
        unanswered,
        events_heard: lanes.events,
        subscribers: options.subscribers,
        feed_records: heard.changes,
        feed_books: heard.books,
        server_processor_ns,
        generator_processor_ns,
        readers_processor_ns: heard.processor_ns,
        trades: verdict.trades,
        orders: verdict.orders,
        commands_per_frame,
        latency: latencies.whole(),
        windows_p99_ns: latencies.windows_p99_ns(),
        generator_late_ns_max: late_ns,
        durable: options.durable,
        bounds,
        checks,
    })
}

/// The bound is measured on the same file system, beside the log and not in it.
fn bound_folder(folder: &Path) -> &Path {
    folder.parent().unwrap_or(folder)
}

pub(crate) fn set_up(traffic: &Traffic, folder: &Path, durable: bool) -> Result<Exchange, LoadError> {
    let node = Options { durable, ..Options::default() };
    let failed = |what: &dyn fmt::Display| LoadError::SetUp(what.to_string());
    let mut exchange = Exchange::open(folder, node).map_err(|error| failed(&error))?;
    if exchange.engine().sequence() != 0 {
        return Err(failed(&format!("{} holds a log already", folder.display())));
    }
    let mut events = Vec::new();
    for body in &traffic.deployments {
        exchange.deploy(body, None, &mut events).map_err(|error| failed(&error))?;
    }
    for frame in traffic.prefill.chunks(4_096) {
        exchange.submit(frame, None, &mut events).map_err(|error| failed(&error))?;
    }
    match events.iter().find(|event| event.kind == EventKind::Rejected.code()) {
        Some(event) => Err(failed(&format!("a command was rejected: {event:?}"))),
        None => Ok(exchange),
    }
}

/// Sends each command when it is due and takes what comes, until all is answered; how long, and how late at worst.
pub(crate) fn drive(
    traffic: &Traffic,
    lanes: &mut Lanes,
    latencies: &mut Latencies,
    commands: u64,
) -> Result<(u64, u64), ClientError> {
    let begun = Instant::now();
    let (mut sent, mut late_ns) = (0, 0);
    let mut heard = begun;
    while lanes.taken + lanes.refused < commands {
        let now_ns = elapsed_ns(begun);
        let due = latencies.due_by(now_ns);
        if due > sent {
            late_ns = late_ns.max(now_ns - latencies.due_ns(sent));
        }
        lanes.send(traffic, sent..due)?;
        sent = due;
        if lanes.receive(begun, latencies)? {
            heard = Instant::now();
        } else if heard.elapsed() > PATIENCE {
            break;
        }
    }
    Ok((elapsed_ns(begun), late_ns))
}
