//! A server as a process that can be killed, and clients that load it until their connections break.

use crate::desk::{self, ANNA, BERT, SECRET, berts_request, cancel, disk_options, market, of, open_rates};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use xos_node::{Exchange, Options};
use xos_protocol::{
    CommandKind, CommandRecord, EventRecord, Heartbeat, LogonFlags, MessageKind, Refused, Resumption, Taken,
    Tif,
};
use xos_server::{Client, ClientError, LogonRequest, Server, ServerOptions, each};

const DIRECTORY: &str = "XOS_FAULT_DIRECTORY";
/// Commands that a client lets wait for their outcomes.
const WAITING_MAX: usize = 200;

/// How long a client waits from one heartbeat to the next, at least, milliseconds.
pub(crate) const WORD_MS: u64 = 10;

/// Waits until so many have been counted.
pub(crate) fn wait_until(count: &AtomicU64, target: u64) {
    let begun = Instant::now();
    while count.load(Relaxed) < target {
        assert!(begun.elapsed() < 6 * desk::WAIT, "{count:?} of {target}: the clients were cut");
        std::thread::yield_now();
    }
}

/// SplitMix64.
pub(crate) fn draw(state: &mut u64, end: u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) % end
}

pub(crate) fn first_seed() -> u64 {
    std::env::var("XOS_FAULT_SEED").map_or(1, |seed| seed.parse().expect("a seed is a number"))
}

/// How often, with `XOS_LONG=1` and without.
pub(crate) fn lives(long: u64, short: u64) -> u64 {
    if std::env::var_os("XOS_LONG").is_some() { long } else { short }
}

/// In a child: serves the directory that the parent names, until it is killed.
pub(crate) fn serves_as_child() -> bool {
    let Ok(directory) = std::env::var(DIRECTORY) else { return false };
    let options =
        Options { snapshot_every_commands: Some(20_000), replayed_events_max: 1 << 20, ..disk_options() };
    let mut exchange = Exchange::open(directory, options).expect("an exchange");
    if exchange.engine().account_count() == 0 {
        market(&mut exchange);
    }
    let options = ServerOptions { heartbeat_ms: 20, ..open_rates() };
    let address = "127.0.0.1:0".parse().expect("an address");
    let server = Server::start(exchange, address, desk::keys(), options).expect("a server");
    println!("serves {}", server.address());
    drop(server.wait());
    true
}

/// A server in a process of its own.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn start(directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let address =
            line.trim_end().strip_prefix("serves ").expect("where it serves").parse().expect("an address");
        Self { child, address }
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }
}

/// A client over all its connections: what it sent, what it was told.
pub(crate) struct Trader {
    pub(crate) owner: [u8; 32],
    accounts: Vec<u32>,
    request: LogonRequest,
    listens: bool,
    seed: u64,
    orders: u64,
    /// Commands without an outcome, by their numbers.
    pub(crate) waiting: BTreeMap<u64, CommandRecord>,
    /// Commands that are in the log, by their sequences.
    pub(crate) taken: BTreeMap<u64, CommandRecord>,
    /// Commands whose outcome never came, because the connection broke; sent again or not, they may be in the log.
    pub(crate) unknown: Vec<CommandRecord>,
    /// What it heard, with the mark. A resumption that failed begins another stretch.
    pub(crate) heard: Vec<Vec<(u64, EventRecord)>>,
    /// Where each stretch begins.
    pub(crate) begins: Vec<u64>,
    pub(crate) position: Option<(u64, u32)>,
    pub(crate) resumed: u64,
    pub(crate) too_old: u64,
}

impl Trader {
    fn new(owner: [u8; 32], accounts: Vec<u32>, request: LogonRequest, seed: u64) -> Self {
        Self {
            owner,
            accounts,
            listens: request.flags & LogonFlags::DROP_COPY != 0,
            request,
            seed,
            orders: 0,
            waiting: BTreeMap::new(),
            taken: BTreeMap::new(),
            unknown: Vec::new(),
            heard: Vec::new(),
            begins: Vec::new(),
            position: None,
            resumed: 0,
            too_old: 0,
        }
    }

    /// Two sessions of Anna, one of Bert, and a drop copy that hears of everybody.
    pub(crate) fn all(seed: u64) -> Vec<Self> {
        let anna = |session| LogonRequest { session, ..LogonRequest::with_secret("anna", SECRET) };
        let copy =
            LogonRequest { flags: LogonFlags::DROP_COPY, ..LogonRequest::with_secret("operator", SECRET) };
        vec![
            Self::new(ANNA, vec![1], anna(0), seed),
            Self::new(ANNA, vec![2], anna(1), seed + 1),
            Self::new(BERT, vec![3], berts_request(), seed + 2),
            Self::new([0; 32], Vec::new(), copy, seed + 3),
        ]
    }

    /// Whether an event is this owner's business.
    pub(crate) fn concerns(&self, event: &EventRecord) -> bool {
        let mine = |account: u32| match self.owner {
            ANNA => account == 1 || account == 2,
            BERT => account == 3,
            _ => true,
        };
        let trade = event.kind == xos_protocol::EventKind::Trade.code();
        self.listens || mine(event.account) || trade && mine(event.counter_account())
    }

    /// How often it says that it is there, as the server is told.
    pub(crate) fn say_every_ms(&mut self, heartbeat_ms: u32) {
        self.request.heartbeat_ms = heartbeat_ms;
    }

    fn command(&mut self) -> CommandRecord {
        let account = self.accounts[draw(&mut self.seed, self.accounts.len() as u64) as usize];
        let mut client_id = [0; 32];
        client_id[..8].copy_from_slice(&u64::from(account).to_le_bytes());
        if self.orders > 0 && draw(&mut self.seed, 3) == 0 {
            let earlier = draw(&mut self.seed, self.orders) + 1;
            client_id[8..16].copy_from_slice(&earlier.to_le_bytes());
            return CommandRecord { client_id, ..cancel(account, 0) };
        }
        self.orders += 1;
        client_id[8..16].copy_from_slice(&self.orders.to_le_bytes());
        CommandRecord {
            account,
            client_id,
            instrument: 1,
            side: draw(&mut self.seed, 2) as u8,
            price: 49_990 + draw(&mut self.seed, 20) as i64,
            qty: 1 + draw(&mut self.seed, 5) as i64,
            tif: Tif::Gtc.code(),
            ..of(CommandKind::Place)
        }
    }

    /// Logs on, resuming where it stood, and sends again what it knows no outcome of.
    pub(crate) fn connect(&mut self, address: SocketAddr) -> Client {
        let lost: Vec<_> = std::mem::take(&mut self.waiting).into_iter().collect();
        let next_number = lost.first().map_or(self.request.next_number, |(number, _)| *number);
        self.request = LogonRequest { next_number, resume: self.position, ..self.request.clone() };
        let mut client = Client::log_on(address, &self.request, desk::WAIT).expect("logged on");
        match Resumption::from_code(client.logged_on.resumption).expect("a known word") {
            Resumption::Resumed => self.resumed += 1,
            other => {
                assert_ne!(other, Resumption::NotInThisLog, "{:?}", self.position);
                self.too_old += u64::from(other == Resumption::TooOld);
                self.begins.push(client.position.0);
                self.heard.push(Vec::new());
            }
        }
        let again: Vec<_> = lost.into_iter().map(|(_, command)| command).collect();
        self.unknown.extend(again.iter().copied());
        self.queue(&mut client, &again);
        client
    }

    fn queue(&mut self, client: &mut Client, commands: &[CommandRecord]) {
        let first = client.queue_commands(commands);
        self.waiting.extend((first..).zip(commands.iter().copied()));
    }

    /// Sends and listens until the connection breaks, or it is told to stop and everything has its outcome.
    pub(crate) fn load(
        &mut self,
        mut client: Client,
        stopping: &AtomicBool,
        answered: &AtomicU64,
        words: &AtomicU64,
    ) {
        client.stream().set_nonblocking(true).expect("a mode");
        let mut said = Instant::now();
        loop {
            if !self.listens && !stopping.load(Relaxed) && self.waiting.len() < WAITING_MAX {
                let more: Vec<_> = (0..1 + draw(&mut self.seed, 24)).map(|_| self.command()).collect();
                self.queue(&mut client, &more);
            }
            if said.elapsed() > Duration::from_millis(WORD_MS) {
                words.fetch_add(1, Relaxed);
                client.queue(MessageKind::Heartbeat, 0, &[Heartbeat::default()]);
                said = Instant::now();
            }
            if client.send().is_err() || self.listen(&mut client, answered).is_err() {
                break;
            }
            if stopping.load(Relaxed) && self.waiting.is_empty() && (!self.listens || self.quiet(&client)) {
                break;
            }
            std::thread::yield_now();
        }
        self.position = Some(client.position);
        self.request.next_number = client.next_number;
    }

    /// A listener has heard all when a heartbeat has come after the last events.
    fn quiet(&self, client: &Client) -> bool {
        client.position.1 == 0
    }

    fn listen(&mut self, client: &mut Client, answered: &AtomicU64) -> Result<(), ClientError> {
        let broken = client.receive().err();
        while let Some((header, records)) = client.next_message()? {
            match header.kind() {
                Some(MessageKind::Events) => {
                    let events = each::<EventRecord>(records).map(|event| (header.mark(), event));
                    self.heard.last_mut().expect("a stretch").extend(events);
                }
                Some(MessageKind::Taken) => {
                    for taken in each::<Taken>(records) {
                        for at in 0..u64::from(taken.count) {
                            // Outcomes of before a resumption come again.
                            if let Some(command) = self.waiting.remove(&(taken.first_number + at)) {
                                self.taken.insert(taken.first_sequence + at, command);
                                answered.fetch_add(1, Relaxed);
                            }
                        }
                    }
                }
                Some(MessageKind::Refused) => panic!("{:?}", each::<Refused>(records).next()),
                Some(MessageKind::Goodbye) => return Err(ClientError::Unexpected(header.kind)),
                _ => {}
            }
        }
        broken.map_or(Ok(()), Err)
    }
}
