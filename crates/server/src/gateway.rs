//! The gateway: sockets in, admitted commands out; durable frames in, messages out. One thread has one.
//!
//! It never touches the engine. What it admits is in a [`Batch`]; what it may tell comes in a
//! [`crate::frame::DurableFrame`], which by its making is durable.

use crate::connection::{Connection, ReadOutcome, Stage};
use crate::directory::Directory;
use crate::frame::{Batch, NODE};
use crate::kept::KeptFrames;
use crate::options::ServerOptions;
use crate::publisher::Publisher;
use crate::shared::Shared;
use crate::throttle::Bucket;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use xos_protocol::{
    Challenge, CommandKind, CommandRecord, Heartbeat, MESSAGE_BYTES_MAX, MESSAGE_HEADER_BYTES, MessageKind,
    SessionCode, Subscription,
};

pub(crate) const LISTENER: Token = Token(usize::MAX);
pub(crate) const WAKER: Token = Token(usize::MAX - 1);
/// How often connections are looked at for silence.
const SWEEP_NS: u64 = 50_000_000;
/// What one look at the sockets can tell; who is beyond it is told of at the next.
const EVENTS_PER_POLL: usize = 4_096;

/// Commands of the longest message.
const COMMANDS_PER_MESSAGE: usize =
    (MESSAGE_BYTES_MAX as usize - MESSAGE_HEADER_BYTES) / size_of::<CommandRecord>();

/// Sockets of one thread.
pub(crate) struct Gateway {
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: ServerOptions,
    poll: Poll,
    ready: Events,
    listener: Option<TcpListener>,
    pub(crate) connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    pub(crate) directory: Directory,
    pub(crate) kept: KeptFrames,
    /// From the first subscription on.
    pub(crate) publisher: Option<Publisher>,
    /// Subscriptions that wait for the end of the batch, with the connection.
    pub(crate) wanted: Vec<(usize, u64, Subscription)>,
    /// Which connection speaks for a session here.
    pub(crate) of_session: Vec<Option<usize>>,
    pub(crate) accounts: Vec<Bucket>,
    pub(crate) addresses: HashMap<IpAddr, Bucket>,
    /// Cancels for connections that ended.
    pub(crate) owed: Vec<CommandRecord>,
    pub(crate) touched: Vec<usize>,
    pub(crate) durable_sequence: u64,
    begun: Instant,
    swept_ns: u64,
    /// The log or the engine failed.
    pub(crate) halted: bool,
}

impl Gateway {
    pub(crate) fn new(
        shared: Arc<Shared>,
        poll: Poll,
        mut listener: Option<TcpListener>,
        directory: Directory,
        kept: KeptFrames,
        durable_sequence: u64,
    ) -> io::Result<Self> {
        if let Some(listener) = &mut listener {
            poll.registry().register(listener, LISTENER, Interest::READABLE)?;
        }
        let options = shared.options.clone();
        Ok(Self {
            kept,
            options,
            publisher: None,
            wanted: Vec::new(),
            shared,
            poll,
            ready: Events::with_capacity(EVENTS_PER_POLL),
            listener,
            connections: Vec::new(),
            free: Vec::new(),
            directory,
            of_session: Vec::new(),
            accounts: Vec::new(),
            addresses: HashMap::new(),
            owed: Vec::new(),
            touched: Vec::new(),
            durable_sequence,
            begun: Instant::now(),
            swept_ns: 0,
            halted: false,
        })
    }

    /// Nanoseconds since the gateway began.
    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Waits for sockets, at most so long, and admits what has come.
    pub(crate) fn poll(&mut self, timeout: Duration, batch: &mut Batch) -> io::Result<()> {
        let timeout = if self.owed.is_empty() { self.next_read(timeout) } else { Duration::ZERO };
        match self.poll.poll(&mut self.ready, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let now_ns = self.now_ns();
        let mut accepts = false;
        let mut writable = std::mem::take(&mut self.touched);
        for event in &self.ready {
            match event.token() {
                LISTENER => accepts = true,
                WAKER => {}
                Token(at) => {
                    if let Some(Some(connection)) = self.connections.get_mut(at) {
                        connection.readable |=
                            event.is_readable() || event.is_read_closed() || event.is_error();
                        if event.is_writable() {
                            connection.note_writable();
                            writable.push(at);
                        }
                    }
                }
            }
        }
        if accepts {
            self.accept(now_ns);
        }
        for at in writable.drain(..) {
            if let Some(Some(connection)) = self.connections.get_mut(at) {
                connection.flush(now_ns);
                self.close_if_over(at);
            }
        }
        self.touched = writable;
        self.owe(batch);
        self.read_all(now_ns, batch);
        if now_ns >= self.swept_ns + SWEEP_NS {
            self.swept_ns = now_ns;
            self.sweep(now_ns);
        }
        Ok(())
    }

    /// How long until a connection is to be read that has something, at most so long.
    fn next_read(&self, most: Duration) -> Duration {
        let readable = self.connections.iter().flatten().filter(|open| open.readable);
        let first_ns = readable.map(|open| open.rests_until_ns).min();
        first_ns.map_or(most, |at_ns| Duration::from_nanos(at_ns.saturating_sub(self.now_ns())).min(most))
    }

    /// Brings the cancels that are owed for connections that ended.
    pub(crate) fn owe(&mut self, batch: &mut Batch) {
        for command in self.owed.drain(..) {
            batch.push(NODE, 0, command);
        }
    }

    /// Reads connections in turn, a piece each, until none has more or the batch is full.
    fn read_all(&mut self, now_ns: u64, batch: &mut Batch) {
        let mut more = true;
        while more {
            more = false;
            for at in 0..self.connections.len() {
                // One more message has to fit: a batch that spills over costs a second sync.
                if !batch.is_empty() && batch.len() + COMMANDS_PER_MESSAGE > self.options.frame_commands_max {
                    return;
                }
                let Some(connection) = &mut self.connections[at] else { continue };
                if !connection.is_due(now_ns) {
                    continue;
                }
                match connection.read() {
                    ReadOutcome::Bytes(bytes) => {
                        connection.heard_ns = now_ns;
                        self.shared.stats.bytes_in.fetch_add(bytes as u64, Relaxed);
                        self.take_messages(at, now_ns, batch);
                    }
                    ReadOutcome::Drained => {}
                    ReadOutcome::Gone => {
                        connection.end(SessionCode::Farewell, 0, 0);
                    }
                }
                more |= self.connections[at]
                    .as_ref()
                    .is_some_and(|open| open.is_due(now_ns) && open.over.is_none());
                self.close_if_over(at);
            }
        }
    }

    fn accept(&mut self, now_ns: u64) {
        while let Some(listener) = &self.listener {
            match listener.accept() {
                Ok((stream, peer)) => self.welcome(stream, peer.ip(), now_ns),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // WouldBlock: all are taken. Anything else is the other side's or passes (no file descriptor left).
                Err(_) => return,
            }
        }
    }

    fn welcome(&mut self, stream: TcpStream, address: IpAddr, now_ns: u64) {
        let open = self.shared.stats.connections.load(Relaxed) as usize;
        let mut nonce = [0; 32];
        if stream.set_nodelay(true).is_err() || getrandom::fill(&mut nonce).is_err() {
            return;
        }
        let id = self.shared.next_connection();
        let most = self.options.outbox_bytes_max;
        let mut connection = Connection::new(id, stream, address, nonce, now_ns, most);
        let challenge = Challenge {
            nonce,
            run: self.shared.run,
            time_ns: self.shared.clock.now_ns(),
            durable_sequence: self.durable_sequence,
        };
        connection.say(MessageKind::Challenge, 0, &[challenge]);
        if open >= self.options.connections_max {
            connection.end(SessionCode::TooManyConnections, open as u64, self.options.connections_max as u64);
        } else if self.halted {
            connection.end(SessionCode::Halted, 0, 0);
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut connection.stream, Token(at), interest).is_err() {
            self.free.push(at);
            return;
        }
        self.shared.stats.connections.fetch_add(1, Relaxed);
        connection.flush(now_ns);
        self.connections[at] = Some(connection);
        self.close_if_over(at);
    }

    /// Looks at every connection: who did not log on, who fell silent, who was replaced, who has to hear from us.
    fn sweep(&mut self, now_ns: u64) {
        let heartbeat_ns = u64::from(self.options.heartbeat_ms) * 1_000_000;
        let logon_ns = u64::from(self.options.logon_ms) * 1_000_000;
        for at in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[at] else { continue };
            match &connection.stage {
                Stage::Waiting
                    if now_ns.saturating_sub(connection.opened_ns) > logon_ns
                        && !connection.has_unread_bytes() =>
                {
                    connection.end(SessionCode::LogonLate, 0, u64::from(self.options.logon_ms));
                }
                Stage::Open(session) if !session.is_bound_to(connection.id) => {
                    connection.end(SessionCode::Replaced, 0, 0);
                }
                Stage::Open(_)
                    if now_ns.saturating_sub(connection.heard_ns) > connection.silence_ns
                        && !connection.has_unread_bytes() =>
                {
                    let limit_ms = connection.silence_ns / 1_000_000;
                    connection.end(
                        SessionCode::Silent,
                        now_ns.saturating_sub(connection.heard_ns) / 1_000_000,
                        limit_ms,
                    );
                }
                Stage::Open(_) if now_ns.saturating_sub(connection.said_ns) >= heartbeat_ns => {
                    let heartbeat = Heartbeat { sent_ns: now_ns, echo_ns: 0 };
                    // Everything before the next sequence has been told, whether there was anything to tell or not.
                    connection.say(MessageKind::Heartbeat, self.durable_sequence + 1, &[heartbeat]);
                    connection.said_ns = now_ns;
                    connection.flush(now_ns);
                }
                _ => {}
            }
            self.close_if_over(at);
        }
        self.addresses.retain(|_, bucket| !bucket.is_full(now_ns));
    }

    /// Says goodbye and closes, if there is a reason to.
    pub(crate) fn close_if_over(&mut self, at: usize) {
        if self.connections[at].as_ref().is_none_or(|connection| connection.over.is_none()) {
            return;
        }
        let Some(mut connection) = self.connections[at].take() else { return };
        let now_ns = self.now_ns();
        if let Some(goodbye) = connection.over {
            self.shared.stats.count_goodbye(goodbye.code);
            // Who cannot be told hears it from the closed socket.
            if goodbye.code != SessionCode::SlowConsumer.code() {
                connection.say(MessageKind::Goodbye, 0, &[goodbye]);
                connection.flush(now_ns);
            }
        }
        if let Some(session) = connection.session().cloned() {
            self.directory.forget(connection.owner, at);
            if session.is_bound_to(connection.id) {
                session.bind(0);
            }
            if self.of_session.get(session.id as usize) == Some(&Some(at)) {
                self.of_session[session.id as usize] = None;
            }
            self.owe_cancels(&connection);
        }
        connection.hang_up();
        let _ = self.poll.registry().deregister(&mut connection.stream);
        self.free.push(at);
        self.shared.stats.connections.fetch_sub(1, Relaxed);
    }

    fn owe_cancels(&mut self, connection: &Connection) {
        if !connection.cancels_on_disconnect || self.halted {
            return;
        }
        let mut accounts: Vec<_> = connection.traded.iter().copied().collect();
        accounts.sort_unstable();
        self.owed.extend(accounts.into_iter().map(|account| CommandRecord {
            kind: CommandKind::MassCancel.code(),
            side: 2,
            account,
            ..Default::default()
        }));
    }

    /// Ends every connection with the same reason.
    pub(crate) fn end_all(&mut self, code: SessionCode) {
        for at in 0..self.connections.len() {
            if let Some(connection) = &mut self.connections[at] {
                connection.end(code, 0, 0);
                self.close_if_over(at);
            }
        }
    }

    /// Takes no more connections.
    pub(crate) fn stop_listening(&mut self) {
        if let Some(mut listener) = self.listener.take() {
            let _ = self.poll.registry().deregister(&mut listener);
        }
    }
}
