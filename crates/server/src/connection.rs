//! One connection: its socket, what came and is not read yet, what waits to be sent.

use crate::line::{Line, Sent};
use crate::outbox::Outbox;
use crate::sessions::Session;
use crate::throttle::Bucket;
use mio::net::TcpStream;
use std::collections::{BTreeSet, HashSet};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use xos_protocol::{
    EventRecord, Goodbye, MESSAGE_BYTES_MAX, MESSAGE_HEADER_BYTES, MessageHeader, MessageKind, SessionCode,
};
use zerocopy::{Immutable, IntoBytes};

/// Room for what came: the longest message and as much again.
const INBOX_BYTES: usize = 2 * MESSAGE_BYTES_MAX as usize;
/// Events of one message at most.
const EVENTS_PER_MESSAGE: u16 = 4_096;

/// Where a connection stands.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Challenged.
    Waiting,
    /// Logged on.
    Open(Arc<Session>),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) stream: TcpStream,
    pub(crate) address: IpAddr,
    pub(crate) nonce: [u8; 32],
    pub(crate) stage: Stage,
    /// Owner of the accounts that it may act for.
    pub(crate) owner: u32,
    pub(crate) listens_only: bool,
    pub(crate) cancels_on_disconnect: bool,
    pub(crate) traded: HashSet<u32>,
    pub(crate) bucket: Bucket,
    pub(crate) cancels: Bucket,
    /// Until then it is not read: it has sent more cancels than it may.
    pub(crate) rests_until_ns: u64,
    /// Parts of a deployment that is not whole yet.
    pub(crate) deployment: Vec<u8>,
    pub(crate) opened_ns: u64,
    pub(crate) heard_ns: u64,
    pub(crate) said_ns: u64,
    pub(crate) silence_ns: u64,
    /// More may be there to be read.
    pub(crate) readable: bool,
    /// Why it is to be closed.
    pub(crate) over: Option<Goodbye>,
    inbox: Box<[u8]>,
    inbox_start: usize,
    inbox_end: usize,
    outbox: Outbox,
    /// Where the outbox goes if a publisher sends there too.
    line: Option<Arc<Line>>,
    /// Instruments and levels of detail that it reads.
    pub(crate) subscriptions: BTreeSet<(u32, u8)>,
    outbox_max: usize,
    /// Whether the socket takes more, as far as is known: it has not refused anything since it last said so.
    writable: bool,
    /// Where the header of the events message under way stands, and how many it has.
    events_at: Option<(usize, u64, u16)>,
    messages_sent: u64,
}

/// What reading brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadOutcome {
    /// Some bytes.
    Bytes(usize),
    /// Nothing more for now.
    Drained,
    /// The other side is gone.
    Gone,
}

impl Connection {
    pub(crate) fn new(
        id: u64,
        stream: TcpStream,
        address: IpAddr,
        nonce: [u8; 32],
        now_ns: u64,
        outbox_max: usize,
    ) -> Self {
        Self {
            id,
            stream,
            address,
            nonce,
            stage: Stage::Waiting,
            owner: u32::MAX,
            listens_only: false,
            cancels_on_disconnect: false,
            traded: HashSet::new(),
            bucket: Bucket::default(),
            cancels: Bucket::default(),
            rests_until_ns: 0,
            deployment: Vec::new(),
            opened_ns: now_ns,
            heard_ns: now_ns,
            said_ns: now_ns,
            silence_ns: u64::MAX,
            readable: true,
            over: None,
            inbox: vec![0; INBOX_BYTES].into_boxed_slice(),
            inbox_start: 0,
            inbox_end: 0,
            outbox: Outbox::default(),
            line: None,
            subscriptions: BTreeSet::new(),
            outbox_max,
            writable: true,
            events_at: None,
            messages_sent: 0,
        }
    }

    /// The session it speaks for.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        match &self.stage {
            Stage::Open(session) => Some(session),
            Stage::Waiting => None,
        }
    }

    /// Whether it is to be read now.
    pub(crate) fn is_due(&self, now_ns: u64) -> bool {
        self.readable && self.rests_until_ns <= now_ns
    }

    /// Reads once.
    pub(crate) fn read(&mut self) -> ReadOutcome {
        if self.inbox_start == self.inbox_end {
            (self.inbox_start, self.inbox_end) = (0, 0);
        } else if self.inbox.len() - self.inbox_end < INBOX_BYTES / 2 {
            self.inbox.copy_within(self.inbox_start..self.inbox_end, 0);
            (self.inbox_start, self.inbox_end) = (0, self.inbox_end - self.inbox_start);
        }
        let room = self.inbox.len() - self.inbox_end;
        match self.stream.read(&mut self.inbox[self.inbox_end..]) {
            Ok(0) => ReadOutcome::Gone,
            Ok(bytes) => {
                self.inbox_end += bytes;
                // A short read has emptied the socket; the next byte raises a new edge.
                self.readable = bytes == room;
                ReadOutcome::Bytes(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                ReadOutcome::Drained
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => ReadOutcome::Bytes(0),
            Err(_) => ReadOutcome::Gone,
        }
    }

    /// Whether something lies unread in the socket: then it was this server that stood still, and not the other side.
    pub(crate) fn has_unread_bytes(&self) -> bool {
        self.readable || self.stream.peek(&mut [0]).is_ok_and(|bytes| bytes > 0)
    }

    /// What came and is not taken yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.inbox[self.inbox_start..self.inbox_end]
    }

    /// Takes bytes off the front.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.inbox_start += bytes;
    }

    /// Queues a message with records of one kind.
    pub(crate) fn say<T: IntoBytes + Immutable>(&mut self, kind: MessageKind, mark: u64, records: &[T]) {
        self.end_events();
        let header = self.next_header(kind, mark, records.len() as u16);
        self.outbox.tail.extend_from_slice(header.as_bytes());
        self.outbox.tail.extend_from_slice(records.as_bytes());
    }

    /// Lets a publisher send on this connection too; the line is shared from now on.
    pub(crate) fn share_line(&mut self) -> io::Result<Arc<Line>> {
        if let Some(line) = &self.line {
            return Ok(line.clone());
        }
        self.end_events();
        let stream = std::net::TcpStream::from(self.stream.as_fd().try_clone_to_owned()?);
        let line = Arc::new(Line::new(stream, std::mem::take(&mut self.outbox)));
        self.line = Some(line.clone());
        Ok(line)
    }

    /// The socket takes more.
    pub(crate) fn note_writable(&mut self) {
        self.writable = true;
    }

    /// Lets go of the socket.
    pub(crate) fn hang_up(&self) {
        if let Some(line) = &self.line {
            line.close();
        }
    }

    fn next_header(&mut self, kind: MessageKind, mark: u64, count: u16) -> MessageHeader {
        self.messages_sent += 1;
        MessageHeader::new(kind, self.messages_sent, mark, kind.record_bytes(), count)
    }

    /// Queues an event of a frame; events of one frame share a message.
    #[inline]
    pub(crate) fn say_event(&mut self, mark: u64, event: &EventRecord) {
        match &mut self.events_at {
            Some((_, open, count)) if *open == mark && *count < EVENTS_PER_MESSAGE => *count += 1,
            _ => {
                self.end_events();
                self.events_at = Some((self.outbox.tail.len(), mark, 1));
                self.outbox.tail.extend_from_slice(&[0; MESSAGE_HEADER_BYTES]);
            }
        }
        self.outbox.tail.extend_from_slice(event.as_bytes());
    }

    /// Writes the header of the events message under way.
    pub(crate) fn end_events(&mut self) {
        if let Some((at, mark, count)) = self.events_at.take() {
            let header = self.next_header(MessageKind::Events, mark, count);
            self.outbox.tail[at..at + MESSAGE_HEADER_BYTES].copy_from_slice(header.as_bytes());
        }
    }

    /// Sends what can be sent now; never waits. Who leaves more than the limit unread is cut.
    pub(crate) fn flush(&mut self, now_ns: u64) {
        self.end_events();
        let waiting = match &self.line {
            // Where pages wait, the publisher sends.
            Some(line) if self.outbox.tail.is_empty() && line.has_pages() => return,
            Some(line) => match line.say(&mut self.outbox.tail) {
                Sent::Waits(bytes) => Some(bytes),
                Sent::Failed => None,
            },
            None => self.send_own(now_ns),
        };
        match waiting {
            Some(bytes) if bytes > self.outbox_max => {
                self.end(SessionCode::SlowConsumer, bytes as u64, self.outbox_max as u64);
            }
            Some(0) if self.line.is_some() => self.said_ns = now_ns,
            Some(_) => {}
            None => self.end(SessionCode::Farewell, 0, 0),
        }
    }

    /// Sends without a publisher; how many bytes wait then. `None`: the connection is broken.
    fn send_own(&mut self, now_ns: u64) -> Option<usize> {
        let waited = self.outbox.waiting();
        if waited > 0 && self.writable {
            match self.outbox.send(&mut self.stream) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(_) => {
                    self.outbox.clear();
                    return None;
                }
            }
            if self.outbox.waiting() < waited {
                self.said_ns = now_ns;
            }
        }
        Some(self.outbox.waiting())
    }

    /// Notes why it is to be closed; the first reason stands.
    pub(crate) fn end(&mut self, code: SessionCode, value: u64, limit: u64) {
        self.over.get_or_insert(Goodbye { code: code.code(), reserved: [0; 6], value, limit });
    }
}
