//! An exchange at work on a simulated disk, and the record of what it was given and what it answered.

use std::borrow::Cow;

use xos_engine::{Engine, FrameHeader};
use xos_node::bench::Mix;
use xos_node::{Clock, Exchange, Failpoint, FrameBody, NodeError, OpenError, Options};
use xos_protocol::{CommandKind, CommandRecord, DeployCommand, EventRecord, Limits};
use xos_sim::disk::SimDisk;

pub(crate) const TIME: u64 = 1_700_000_000_000_000_000;
const FRAME_COMMANDS: usize = 8;

/// One thing that the owner of an exchange does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Open,
    /// Deploys a market and opens its accounts.
    Market,
    /// One call with so many commands.
    Submit(usize),
    Snapshot,
    Close,
}

/// One frame that was handed to the exchange, and what a fresh engine makes of it.
pub(crate) struct Issued {
    pub(crate) header: FrameHeader,
    pub(crate) body: FrameBody<'static>,
    pub(crate) events: Vec<EventRecord>,
    /// The model's snapshot after it: state, sequence, time and client ids.
    pub(crate) after: Vec<u8>,
}

impl Issued {
    pub(crate) fn last_sequence(&self) -> u64 {
        match &self.body {
            FrameBody::Commands(commands) => self.header.first_sequence + commands.len() as u64 - 1,
            FrameBody::Deploy(_) => self.header.first_sequence,
        }
    }
}

pub(crate) struct World {
    pub(crate) disk: SimDisk,
    pub(crate) exchange: Option<Exchange>,
    pub(crate) issued: Vec<Issued>,
    /// The last sequence that was answered.
    pub(crate) acked: u64,
    /// The newest snapshot that was called finished.
    pub(crate) snapshot: u64,
    /// Broken promises seen while running.
    pub(crate) complaints: Vec<String>,
    /// Why the exchange stopped, or did not open.
    pub(crate) halted: bool,
    overlap: usize,
    pub(crate) failpoint: Option<Failpoint>,
    model: Engine,
    mix: Mix,
}

pub(crate) fn options(overlap: usize, failpoint: Option<Failpoint>) -> Options {
    Options {
        limits: Some(Limits { frame_commands_max: FRAME_COMMANDS as u32, ..Limits::default() }),
        segment_bytes: 2048,
        overlap_commands: overlap,
        clock: Clock::new(|| TIME),
        failpoint,
        ..Options::default()
    }
}

/// Opens what is on the disk, as a next process would.
pub(crate) fn open(disk: &SimDisk, failpoint: Option<Failpoint>) -> Result<Exchange, OpenError> {
    Exchange::open_on(disk.as_disk(), options(usize::MAX, failpoint))
}

impl World {
    pub(crate) fn new(overlap: usize, failpoint: Option<Failpoint>) -> Self {
        Self {
            disk: SimDisk::new(),
            exchange: None,
            issued: Vec::new(),
            acked: 0,
            snapshot: 0,
            complaints: Vec::new(),
            halted: false,
            overlap,
            failpoint,
            model: Engine::new(),
            mix: Mix::new(3, 4).starting_at(2),
        }
    }

    /// Runs the script until the first failure that ends the exchange.
    pub(crate) fn run(&mut self, script: &[Step]) {
        for step in script {
            if self.halted || !self.step(*step) {
                return;
            }
        }
    }

    /// Whether the exchange goes on.
    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Open => self.open(),
            Step::Market => {
                let deployments = self.mix.deployments();
                deployments.into_iter().all(|body| self.submit(FrameBody::Deploy(Cow::Owned(body)))) && {
                    let setup = self.mix.setup();
                    self.submit(FrameBody::Commands(Cow::Owned(setup)))
                }
            }
            Step::Submit(count) => {
                let commands = self.mix.commands(count);
                self.submit(FrameBody::Commands(Cow::Owned(commands)))
            }
            Step::Snapshot => self.take_snapshot(),
            Step::Close => match self.exchange.take().map(Exchange::close) {
                Some(Ok(_)) => true,
                _ => self.stop(),
            },
        }
    }

    fn stop(&mut self) -> bool {
        self.halted = true;
        false
    }

    fn open(&mut self) -> bool {
        let options = options(self.overlap, self.failpoint);
        if self.model.sequence() == 0 {
            let genesis = options.limits.clone().map(|limits| DeployCommand::Genesis(limits).to_bytes());
            self.issue(TIME, FrameBody::Deploy(Cow::Owned(genesis.unwrap_or_default())));
        }
        match Exchange::open_on(self.disk.as_disk(), options) {
            Ok(exchange) => {
                self.acked = self.acked.max(1);
                if exchange.engine().sequence() != self.model.sequence() {
                    self.complaints.push("opened to another sequence than it was closed with".to_string());
                }
                self.exchange = Some(exchange);
                true
            }
            Err(_) => self.stop(),
        }
    }

    /// Notes a frame and lets the model execute it.
    fn issue(&mut self, time_ns: u64, body: FrameBody<'static>) {
        let header = FrameHeader { first_sequence: self.model.sequence() + 1, time_ns };
        let mut events = Vec::new();
        let done = match &body {
            FrameBody::Commands(commands) => self.model.apply_records(header, commands, &mut events),
            FrameBody::Deploy(body) => self.model.apply_deploy(header, body, &mut events),
        };
        done.expect("the model executes everything");
        self.issued.push(Issued { header, body, events, after: self.model.snapshot_bytes() });
    }

    /// One call: the model first, then the exchange, whose answer must be the model's.
    fn submit(&mut self, body: FrameBody<'static>) -> bool {
        let time_ns = TIME + 1_000 * self.issued.len() as u64;
        let first = self.issued.len();
        match &body {
            FrameBody::Commands(commands) => {
                for frame in commands.chunks(FRAME_COMMANDS) {
                    self.issue(time_ns, FrameBody::Commands(Cow::Owned(frame.to_vec())));
                }
            }
            FrameBody::Deploy(_) => self.issue(time_ns, body.clone()),
        }
        let Some(exchange) = &mut self.exchange else { return false };
        let mut events = vec![EventRecord { kind: 9_999, ..Default::default() }];
        let submitted = match &body {
            FrameBody::Commands(commands) => exchange.submit(commands, Some(time_ns), &mut events),
            FrameBody::Deploy(body) => exchange.deploy(body, Some(time_ns), &mut events),
        };
        match submitted {
            Ok(submitted) => {
                let expected = self.issued[first..].iter().flat_map(|frame| &frame.events);
                if !events[1..].iter().eq(expected) {
                    self.complaints.push(format!("{submitted:?} was answered with other events"));
                }
                if exchange.durable_sequence() < self.model.sequence() {
                    self.complaints.push(format!("{submitted:?} was answered before it was durable"));
                }
                self.acked = self.model.sequence();
                true
            }
            Err(error) => {
                if events.len() != 1 {
                    self.complaints.push(format!("{error}, and yet there were events"));
                }
                self.insist(&error);
                self.stop()
            }
        }
    }

    /// After an error that ends it the exchange must answer everything with that same error.
    fn insist(&mut self, first: &NodeError) {
        let Some(exchange) = &mut self.exchange else { return };
        let tick = CommandRecord { kind: CommandKind::Tick.code(), ..Default::default() };
        let mut events = Vec::new();
        let again = [
            exchange.submit(&[tick], None, &mut events).map(|_| ()),
            exchange.deploy(b"", None, &mut events).map(|_| ()),
            exchange.snapshot().map(|_| ()),
        ];
        let same = again.iter().all(|answer| answer.as_ref() == Err(first));
        if !same || !events.is_empty() || !first.is_final() || exchange.failure() != Some(first) {
            self.complaints.push(format!("after {first:?} the exchange answered {again:?}"));
        }
    }

    fn take_snapshot(&mut self) -> bool {
        let Some(exchange) = &mut self.exchange else { return false };
        match exchange.snapshot() {
            Ok(info) => {
                self.snapshot = info.at.sequence;
                true
            }
            Err(NodeError::Snapshot(_)) => true,
            Err(error) => {
                self.insist(&error);
                self.stop()
            }
        }
    }
}
