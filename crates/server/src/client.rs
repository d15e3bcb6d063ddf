//! A client: the other end of a connection. It blocks, or does not, as its socket is set.

use crate::intake::goodbye_text;
use crate::keys::{Key, sign_with_private_key, sign_with_secret};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use xos_protocol::{
    BadMessage, Challenge, CommandRecord, DEPLOY_PART_BYTES, EventRecord, Goodbye, LoggedOn, Logon,
    LogonFlags, MESSAGE_HEADER_BYTES, MessageHeader, MessageKind, Refused, Resumption, SessionCode, Taken,
};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Servers may send messages as long as a header can say.
const LENGTH_MAX: u32 = u32::MAX;

/// What a client proves its key with.
#[derive(Clone)]
pub enum Credential {
    /// The shared secret.
    Secret(Vec<u8>),
    /// The private half of an Ed25519 key.
    Private([u8; 32]),
}

/// How to log on.
#[derive(Clone)]
pub struct LogonRequest {
    /// Name of the key.
    pub key: String,
    /// Its proof.
    pub credential: Credential,
    /// Which of the key's sessions.
    pub session: u32,
    /// [`LogonFlags`] without `RESUME`.
    pub flags: u8,
    /// How often this client says that it is there, milliseconds.
    pub heartbeat_ms: u32,
    /// Number of the next command, the first without an outcome.
    pub next_number: u64,
    /// Mark of the last events received, and how many of it.
    pub resume: Option<(u64, u32)>,
}

impl LogonRequest {
    /// A first logon with a secret.
    pub fn with_secret(key: &str, secret: &[u8]) -> Self {
        Self {
            key: key.into(),
            credential: Credential::Secret(secret.to_vec()),
            session: 0,
            flags: 0,
            heartbeat_ms: 10_000,
            next_number: 1,
            resume: None,
        }
    }
}

/// Why a client has no answer.
#[derive(Debug)]
pub enum ClientError {
    /// The connection failed.
    Io(io::Error),
    /// The server ended it, and why.
    Goodbye(Goodbye),
    /// The server sent what is no message.
    Malformed(BadMessage),
    /// Another message was due.
    Unexpected(u16),
    /// The name of a key has 1 to 32 bytes.
    BadKeyName,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the connection failed: {error}"),
            Self::Goodbye(goodbye) => write!(f, "the server said goodbye: {}", goodbye_text(goodbye)),
            Self::Malformed(bad) => {
                let name = bad.code.name();
                write!(f, "what came is no message: {name} (value {}, due {})", bad.value, bad.limit)
            }
            Self::Unexpected(kind) => write!(f, "a message of kind {kind} came where it was not due"),
            Self::BadKeyName => f.write_str("the name of a key has 1 to 32 bytes"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// One end of a connection.
pub struct Client {
    stream: TcpStream,
    inbox: Vec<u8>,
    start: usize,
    end: usize,
    outbox: Vec<u8>,
    sent: usize,
    /// Number of the next command.
    pub next_number: u64,
    /// What the server said first.
    pub challenge: Challenge,
    /// What it answered to the logon.
    pub logged_on: LoggedOn,
    /// Mark of the last events received and how many of it: what to resume from.
    pub position: (u64, u32),
}

impl Client {
    /// Connects and waits for the challenge; nobody is logged on yet.
    pub fn connect(address: SocketAddr, timeout: Duration) -> Result<Self, ClientError> {
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        let mut client = Self {
            stream,
            inbox: vec![0; 1 << 20],
            start: 0,
            end: 0,
            outbox: Vec::new(),
            sent: 0,
            next_number: 1,
            challenge: Challenge::default(),
            logged_on: LoggedOn::default(),
            position: (0, 0),
        };
        client.challenge = client.expect(MessageKind::Challenge)?;
        Ok(client)
    }

    /// Connects and logs on.
    pub fn log_on(
        address: SocketAddr,
        request: &LogonRequest,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let mut client = Self::connect(address, timeout)?;
        let key = Key::wire_name(&request.key).ok_or(ClientError::BadKeyName)?;
        let resumes = if request.resume.is_some() { LogonFlags::RESUME } else { 0 };
        let (resume_mark, resume_index) = request.resume.unwrap_or_default();
        let mut logon = Logon {
            key,
            session: request.session,
            heartbeat_ms: request.heartbeat_ms,
            next_number: request.next_number,
            resume_mark,
            resume_index,
            scheme: 0,
            flags: request.flags | resumes,
            reserved: 0,
            signature: [0; 64],
        };
        match &request.credential {
            Credential::Secret(secret) => sign_with_secret(&mut logon, &client.challenge.nonce, secret),
            Credential::Private(key) => sign_with_private_key(&mut logon, &client.challenge.nonce, key),
        }
        client.queue(MessageKind::Logon, 0, &[logon]);
        client.send()?;
        client.logged_on = client.expect(MessageKind::LoggedOn)?;
        client.next_number = client.logged_on.next_number.max(request.next_number);
        client.position = match request.resume {
            Some(position) if client.logged_on.resumption == Resumption::Resumed.code() => position,
            _ => (client.logged_on.durable_sequence + 1, 0),
        };
        Ok(client)
    }

    /// The socket alone, and what has come and was not read.
    pub fn into_stream(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.inbox[self.start..self.end].to_vec())
    }

    /// The socket, to set its modes.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Queues any message.
    pub fn queue<T: IntoBytes + Immutable>(&mut self, kind: MessageKind, number: u64, records: &[T]) {
        let header = MessageHeader::new(kind, number, 0, kind.record_bytes(), records.len() as u16);
        self.outbox.extend_from_slice(header.as_bytes());
        self.outbox.extend_from_slice(records.as_bytes());
    }

    /// Queues commands and returns the number of the first.
    pub fn queue_commands(&mut self, commands: &[CommandRecord]) -> u64 {
        let first = self.next_number;
        for piece in commands.chunks(600) {
            self.queue(MessageKind::Commands, self.next_number, piece);
            self.next_number += piece.len() as u64;
        }
        first
    }

    /// Queues the body of a deployment, in parts where it is long, and returns its number.
    pub fn queue_deployment(&mut self, body: &[u8]) -> u64 {
        let number = self.next_number;
        let mut rest = body;
        loop {
            let (part, behind) = rest.split_at(rest.len().min(DEPLOY_PART_BYTES));
            self.queue(MessageKind::Deploy, number, part);
            if part.len() < DEPLOY_PART_BYTES {
                break;
            }
            rest = behind;
        }
        self.next_number += 1;
        number
    }

    /// Bytes that were queued and not sent.
    pub fn unsent(&self) -> usize {
        self.outbox.len() - self.sent
    }

    /// Sends what is queued; of a socket that does not block, as much as goes.
    pub fn send(&mut self) -> io::Result<()> {
        while self.unsent() > 0 {
            match self.stream.write(&self.outbox[self.sent..]) {
                Ok(bytes) => self.sent += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outbox.clear();
        self.sent = 0;
        Ok(())
    }

    /// Reads once; whether something came.
    pub fn receive(&mut self) -> Result<bool, ClientError> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.inbox.len() - self.end < self.inbox.len() / 4 {
            self.inbox.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end > self.inbox.len() / 2 {
                self.inbox.resize(2 * self.inbox.len(), 0);
            }
        }
        match self.stream.read(&mut self.inbox[self.end..]) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(bytes) => {
                self.end += bytes;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The next whole message that has come: its header and its records.
    pub fn next_message(&mut self) -> Result<Option<(MessageHeader, &[u8])>, ClientError> {
        let unread = &self.inbox[self.start..self.end];
        match MessageHeader::read(unread, LENGTH_MAX).map_err(ClientError::Malformed)? {
            Some(header) if unread.len() >= header.length as usize => {
                let from = self.start + MESSAGE_HEADER_BYTES;
                self.start += header.length as usize;
                self.follow(&header);
                Ok(Some((header, &self.inbox[from..self.start])))
            }
            _ => Ok(None),
        }
    }

    /// Events count within their frame; a heartbeat says that all before its mark has been told.
    fn follow(&mut self, header: &MessageHeader) {
        let (mark, count) = (header.mark(), u32::from(header.count));
        match header.kind() {
            Some(MessageKind::Events) if mark == self.position.0 => self.position.1 += count,
            Some(MessageKind::Events) => self.position = (mark, count),
            Some(MessageKind::Heartbeat) if mark > self.position.0 => self.position = (mark, 0),
            _ => {}
        }
    }

    /// Waits for the next message; a goodbye is an error.
    pub fn wait_message(&mut self) -> Result<(MessageHeader, Vec<u8>), ClientError> {
        loop {
            if let Some((header, records)) = self.next_message()? {
                let records = records.to_vec();
                if header.kind == MessageKind::Goodbye.code() {
                    return Err(goodbye_of(&records));
                }
                return Ok((header, records));
            }
            if !self.receive()? {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
        }
    }

    fn expect<T: FromBytes>(&mut self, kind: MessageKind) -> Result<T, ClientError> {
        let (header, records) = self.wait_message()?;
        if header.kind != kind.code() {
            return Err(ClientError::Unexpected(header.kind));
        }
        T::read_from_prefix(&records)
            .map(|(record, _)| record)
            .map_err(|_| ClientError::Unexpected(header.kind))
    }

    /// Waits until so many commands have an outcome: taken or refused.
    pub fn wait_outcomes(&mut self, commands: u64) -> Result<Outcomes, ClientError> {
        let mut outcomes = Outcomes::default();
        while outcomes.settled < commands {
            let (header, records) = self.wait_message()?;
            outcomes.note(&header, &records);
        }
        Ok(outcomes)
    }
}

impl Client {
    /// Waits for the answer to a question; what came meanwhile is handed out beside it.
    pub fn wait_answer(&mut self, number: u64) -> Result<(Vec<u8>, Outcomes), ClientError> {
        let (mut answer, mut outcomes) = (Vec::new(), Outcomes::default());
        loop {
            let (header, records) = self.wait_message()?;
            if header.kind == MessageKind::Answer.code() && header.mark() == number {
                answer.extend_from_slice(&records);
                if header.count < u16::MAX {
                    return Ok((answer, outcomes));
                }
            } else {
                outcomes.note(&header, &records);
                let turned_away = |refused: &Refused| {
                    refused.code == SessionCode::TooManyQuestions.code() && refused.value == number
                };
                if outcomes.refused.iter().any(turned_away) {
                    return Err(ClientError::Unexpected(header.kind));
                }
            }
        }
    }
}

fn goodbye_of(records: &[u8]) -> ClientError {
    match Goodbye::read_from_prefix(records) {
        Ok((goodbye, _)) => ClientError::Goodbye(goodbye),
        Err(_) => ClientError::Malformed(BadMessage { code: SessionCode::Malformed, value: 0, limit: 0 }),
    }
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// The events, with the mark of their frame.
    pub events: Vec<(u64, EventRecord)>,
    /// Commands that are in the log.
    pub taken: Vec<Taken>,
    /// Commands that are not.
    pub refused: Vec<Refused>,
    /// How many commands have an outcome.
    pub settled: u64,
}

impl Outcomes {
    /// Takes note of a message.
    pub fn note(&mut self, header: &MessageHeader, records: &[u8]) {
        match header.kind() {
            Some(MessageKind::Events) => {
                let mark = header.mark();
                self.events.extend(each::<EventRecord>(records).map(|event| (mark, event)));
            }
            Some(MessageKind::Taken) => {
                for taken in each::<Taken>(records) {
                    self.settled += u64::from(taken.count);
                    self.taken.push(taken);
                }
            }
            Some(MessageKind::Refused) => {
                for refused in each::<Refused>(records) {
                    self.settled += u64::from(refused.count);
                    self.refused.push(refused);
                }
            }
            _ => {}
        }
    }
}

/// The records of a message, copied one by one: they may lie askew.
pub fn each<T: FromBytes + Immutable>(records: &[u8]) -> impl Iterator<Item = T> + '_ {
    records.chunks_exact(size_of::<T>()).filter_map(|bytes| T::read_from_bytes(bytes).ok())
}
