//! What all threads of a server share.

use crate::keys::Keyring;
use crate::options::ServerOptions;
use crate::questions::Questions;
use crate::sessions::Sessions;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use xos_node::Clock;
use xos_protocol::SessionCode;

/// Counters, for whoever watches.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections open now.
    pub connections: AtomicU64,
    /// Commands admitted to the log.
    pub commands: AtomicU64,
    /// Cancels among them.
    pub cancels: AtomicU64,
    /// Those that came past their own budget: admitted, and their session was read again later.
    pub cancels_over: AtomicU64,
    /// Commands refused before the log.
    pub refused: AtomicU64,
    /// Those among them that came too fast.
    pub throttled: AtomicU64,
    /// Commands passed over because they were taken before.
    pub repeated: AtomicU64,
    /// Frames made durable.
    pub frames: AtomicU64,
    /// Events in them.
    pub events: AtomicU64,
    /// Events sent to connections.
    pub events_sent: AtomicU64,
    /// Bytes read from sockets.
    pub bytes_in: AtomicU64,
    /// Nanoseconds spent until frames were durable, and executed.
    pub take_ns: AtomicU64,
    /// Connections cut because they read too slowly.
    pub cut: AtomicU64,
    /// Sequence of the last durable command.
    pub durable_sequence: AtomicU64,
}

impl Stats {
    pub(crate) fn count_goodbye(&self, code: u16) {
        if code == SessionCode::SlowConsumer.code() {
            self.cut.fetch_add(1, Relaxed);
        }
    }

    /// Names and values, in a fixed order.
    pub fn read(&self) -> [(&'static str, u64); 14] {
        [
            ("connections", self.connections.load(Relaxed)),
            ("commands", self.commands.load(Relaxed)),
            ("cancels", self.cancels.load(Relaxed)),
            ("cancels_over", self.cancels_over.load(Relaxed)),
            ("refused", self.refused.load(Relaxed)),
            ("throttled", self.throttled.load(Relaxed)),
            ("repeated", self.repeated.load(Relaxed)),
            ("frames", self.frames.load(Relaxed)),
            ("events", self.events.load(Relaxed)),
            ("events_sent", self.events_sent.load(Relaxed)),
            ("bytes_in", self.bytes_in.load(Relaxed)),
            ("take_ns", self.take_ns.load(Relaxed)),
            ("cut", self.cut.load(Relaxed)),
            ("durable_sequence", self.durable_sequence.load(Relaxed)),
        ]
    }
}

/// Shared by the threads of one server.
pub(crate) struct Shared {
    pub(crate) options: ServerOptions,
    pub(crate) keys: Keyring,
    pub(crate) sessions: Sessions,
    pub(crate) stats: Stats,
    pub(crate) questions: Arc<Questions>,
    pub(crate) clock: Clock,
    /// This run's number.
    pub(crate) run: u64,
    pub(crate) stopping: AtomicBool,
    connections: AtomicU64,
}

impl Shared {
    pub(crate) fn new(options: ServerOptions, keys: Keyring, clock: Clock, run: u64) -> Self {
        Self {
            options,
            keys,
            sessions: Sessions::default(),
            stats: Stats::default(),
            questions: Arc::default(),
            clock,
            run,
            stopping: AtomicBool::new(false),
            connections: AtomicU64::new(0),
        }
    }

    /// A number that no other connection has; never 0.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Relaxed) + 1
    }
}
