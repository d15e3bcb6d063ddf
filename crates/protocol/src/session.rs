//! The messages of the wire: what a connection carries beside commands and events, and how all of it is framed.
//!
//! A message is a header of 32 bytes and `count` records of one size. Behind the length, header and records are a
//! Simple Binary Encoding message: a root block of 16 bytes (`number`, `mark`) and one repeating group.

use crate::words::words;
use crate::{CommandRecord, EventRecord, FeedRecord, Subscription};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The SBE schema id of these messages.
pub const SCHEMA_ID: u16 = 0x5853;
/// The version of the messages. A change that an older reader would misread raises it.
pub const WIRE_VERSION: u16 = 1;
/// The longest message a client may send, bytes, header included.
pub const MESSAGE_BYTES_MAX: u32 = 1 << 16;
/// Bytes of the root block behind each SBE header.
pub const ROOT_BYTES: u16 = 16;
/// What a signature or code of a logon covers begins with this.
pub const LOGON_CONTEXT: &[u8; 16] = b"xos wire logon 1";

words! {
    /// What a message of the wire is.
    MessageKind: u16 {
        /// Server: the first message of a connection, with the nonce that a logon signs.
        Challenge = 1 "challenge",
        /// Client: who it is.
        Logon = 2 "logon",
        /// Server: the logon was taken.
        LoggedOn = 3 "logged_on",
        /// Either side: this is the last message; why.
        Goodbye = 4 "goodbye",
        /// Either side: still here.
        Heartbeat = 5 "heartbeat",
        /// Client: command records.
        Commands = 16 "commands",
        /// Client: a part of the MessagePack body of one deployment, a byte a record; the last part has less than
        /// 65,504, and all have the same number.
        Deploy = 17 "deploy",
        /// Client: the feed of an instrument, from now on.
        Subscribe = 18 "subscribe",
        /// Client: no more of it.
        Unsubscribe = 19 "unsubscribe",
        /// Client: a question in words, a byte a record; its number comes back as the mark of the answer.
        Ask = 20 "ask",
        /// Server: commands are in the log, durable, and their events have been sent.
        Taken = 32 "taken",
        /// Server: events of the session's accounts, durable.
        Events = 33 "events",
        /// Server: commands that were not taken into the log.
        Refused = 34 "refused",
        /// Server: what changed in the books that the session subscribes to.
        Feed = 35 "feed",
        /// Server: a part of an answer, a byte a record; the last part has less than 65,535.
        Answer = 36 "answer",
    }
}

words! {
    /// Why the session layer refused, or ended a connection. The engine's rejects are other numbers.
    SessionCode: u16 {
        /// The client said goodbye.
        Farewell = 1 "farewell",
        /// Bytes that are no message.
        Malformed = 2 "malformed",
        /// The schema or version of a message is not this server's.
        WrongVersion = 3 "wrong_version",
        /// A message is longer than allowed.
        MessageTooLong = 4 "message_too_long",
        /// A message that clients do not send, or not at this time.
        UnexpectedMessage = 5 "unexpected_message",
        /// No logon came in time.
        LogonLate = 6 "logon_late",
        /// No such key, or the logon is not signed by it.
        LogonRefused = 7 "logon_refused",
        /// Another connection logged on to the same session.
        Replaced = 8 "replaced",
        /// A message number is past the one that is due.
        NumberGap = 9 "number_gap",
        /// Nothing was heard for two heartbeats.
        Silent = 10 "silent",
        /// More waits to be sent than the limit: the client reads too slowly.
        SlowConsumer = 11 "slow_consumer",
        /// The server is shutting down.
        ShuttingDown = 12 "shutting_down",
        /// As many connections as the limit are open.
        TooManyConnections = 13 "too_many_connections",
        /// The log or the engine failed; nothing more is taken.
        Halted = 14 "halted",
        /// A key has as many sessions as the limit.
        TooManySessions = 15 "too_many_sessions",
        /// The commands of the session come faster than its rate.
        SessionThrottled = 32 "session_throttled",
        /// The commands of the account come faster than its rate.
        AccountThrottled = 33 "account_throttled",
        /// The commands of the address come faster than its rate.
        AddressThrottled = 34 "address_throttled",
        /// The account is not one of the key's owner, or the key is not that of the publisher.
        NotYourAccount = 35 "not_your_account",
        /// The key has no scope for commands of this kind.
        NotPermitted = 36 "not_permitted",
        /// The session is a drop copy, which only listens.
        ListensOnly = 37 "listens_only",
        /// There is no such instrument.
        UnknownInstrument = 38 "unknown_instrument",
        /// The session has as many subscriptions as the limit.
        TooManySubscriptions = 39 "too_many_subscriptions",
        /// The node did not log it; the value is the number of its error.
        NodeRefused = 40 "node_refused",
        /// As many questions as the limit wait for their answers.
        TooManyQuestions = 41 "too_many_questions",
    }
}

words! {
    /// How a logon proves its key.
    KeyScheme: u8 {
        /// HMAC-SHA256 with a shared secret; the code stands in the first 32 bytes of `signature`.
        HmacSha256 = 1 "hmac_sha256",
        /// An Ed25519 signature.
        Ed25519 = 2 "ed25519",
    }
}

words! {
    /// What became of the wish to resume.
    Resumption: u8 {
        /// None was wished: events from now on.
        Fresh = 0 "fresh",
        /// Everything after the position follows.
        Resumed = 1 "resumed",
        /// The position is older than what the server keeps: ask for balances and orders, and go on from now.
        TooOld = 2 "too_old",
        /// The position is not in this log.
        NotInThisLog = 3 "not_in_this_log",
    }
}

/// Bits of [`Logon::flags`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogonFlags(pub u8);

impl LogonFlags {
    /// When the connection ends, all orders of the accounts it traded for are cancelled.
    pub const CANCEL_ON_DISCONNECT: u8 = 1;
    /// Only listens: events of the owner's accounts, whoever sent the commands.
    pub const DROP_COPY: u8 = 2;
    /// Send everything after `resume_mark` and `resume_index`.
    pub const RESUME: u8 = 4;
    /// All bits that a logon may set.
    pub const KNOWN: u8 = Self::CANCEL_ON_DISCONNECT | Self::DROP_COPY | Self::RESUME;

    /// Whether all of `bits` are set.
    pub const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

/// What every message begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MessageHeader {
    /// Bytes of the whole message, these included.
    pub length: u32,
    /// Bytes of the root block: [`ROOT_BYTES`].
    pub block_length: u16,
    /// [`MessageKind`].
    pub kind: u16,
    /// [`SCHEMA_ID`].
    pub schema: u16,
    /// [`WIRE_VERSION`].
    pub version: u16,
    /// Root block, `number`, low half. A client's commands: the number of the first one, one more for each. From the server: one more for
    /// each message of the connection but those of feeds, which have the number of the first record in them, the same for every reader.
    pub number_low: u32,
    /// High half.
    pub number_high: u32,
    /// Root block, `mark`, low half: of taken and events the first sequence of their frame of the log; of a server's
    /// heartbeat the sequence before which everything has been told; otherwise zero.
    pub mark_low: u32,
    /// High half.
    pub mark_high: u32,
    /// Bytes of one record.
    pub record_bytes: u16,
    /// Records that follow.
    pub count: u16,
}

/// Bytes of a message before its records.
pub const MESSAGE_HEADER_BYTES: usize = size_of::<MessageHeader>();
const _: () = assert!(MESSAGE_HEADER_BYTES == 32);
/// Bytes of a part of a deployment that is followed by another one.
pub const DEPLOY_PART_BYTES: usize = MESSAGE_BYTES_MAX as usize - MESSAGE_HEADER_BYTES;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadMessage {
    /// The code of the goodbye.
    pub code: SessionCode,
    /// The value that is wrong.
    pub value: u64,
    /// What it had to be, or its limit.
    pub limit: u64,
}

impl MessageHeader {
    /// A header for `count` records of one size.
    pub const fn new(kind: MessageKind, number: u64, mark: u64, record_bytes: u16, count: u16) -> Self {
        Self {
            length: MESSAGE_HEADER_BYTES as u32 + record_bytes as u32 * count as u32,
            block_length: ROOT_BYTES,
            kind: kind.code(),
            schema: SCHEMA_ID,
            version: WIRE_VERSION,
            number_low: number as u32,
            number_high: (number >> 32) as u32,
            mark_low: mark as u32,
            mark_high: (mark >> 32) as u32,
            record_bytes,
            count,
        }
    }

    /// The number.
    pub const fn number(&self) -> u64 {
        (self.number_high as u64) << 32 | self.number_low as u64
    }

    /// The mark.
    pub const fn mark(&self) -> u64 {
        (self.mark_high as u64) << 32 | self.mark_low as u64
    }

    /// The kind, if its number is known.
    pub const fn kind(&self) -> Option<MessageKind> {
        MessageKind::from_code(self.kind)
    }

    /// Reads the header at the front of bytes; `None` while they are too few. Every field is checked against the
    /// others, so that the records are exactly what the length leaves.
    pub fn read(bytes: &[u8], length_max: u32) -> Result<Option<Self>, BadMessage> {
        let Ok((header, _)) = Self::read_from_prefix(bytes) else { return Ok(None) };
        let bad = |code, value, limit| Err(BadMessage { code, value, limit });
        if header.schema != SCHEMA_ID {
            return bad(SessionCode::Malformed, u64::from(header.schema), u64::from(SCHEMA_ID));
        }
        if header.version != WIRE_VERSION {
            return bad(SessionCode::WrongVersion, u64::from(header.version), u64::from(WIRE_VERSION));
        }
        if header.block_length != ROOT_BYTES {
            return bad(SessionCode::Malformed, u64::from(header.block_length), u64::from(ROOT_BYTES));
        }
        if header.length > length_max {
            return bad(SessionCode::MessageTooLong, u64::from(header.length), u64::from(length_max));
        }
        let records = u32::from(header.record_bytes) * u32::from(header.count);
        if header.length != MESSAGE_HEADER_BYTES as u32 + records {
            let due = MESSAGE_HEADER_BYTES as u64 + u64::from(records);
            return bad(SessionCode::Malformed, u64::from(header.length), due);
        }
        let Some(kind) = header.kind() else {
            return bad(SessionCode::Malformed, u64::from(header.kind), 0);
        };
        let due = kind.record_bytes();
        if header.record_bytes != due {
            return bad(SessionCode::Malformed, u64::from(header.record_bytes), u64::from(due));
        }
        Ok(Some(header))
    }
}

impl MessageKind {
    /// Bytes of a record of this kind of message.
    pub const fn record_bytes(self) -> u16 {
        let bytes = match self {
            Self::Challenge => size_of::<Challenge>(),
            Self::Logon => size_of::<Logon>(),
            Self::LoggedOn => size_of::<LoggedOn>(),
            Self::Goodbye => size_of::<Goodbye>(),
            Self::Heartbeat => size_of::<Heartbeat>(),
            Self::Commands => size_of::<CommandRecord>(),
            Self::Deploy | Self::Ask | Self::Answer => 1,
            Self::Subscribe | Self::Unsubscribe => size_of::<Subscription>(),
            Self::Taken => size_of::<Taken>(),
            Self::Events => size_of::<EventRecord>(),
            Self::Refused => size_of::<Refused>(),
            Self::Feed => size_of::<FeedRecord>(),
        };
        bytes as u16
    }
}

/// The first message of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Challenge {
    /// To be signed.
    pub nonce: [u8; 32],
    /// A number that this run of the server has and no other: numbers of a client's commands hold within a run.
    pub run: u64,
    /// The server's time, nanoseconds since 1970 UTC.
    pub time_ns: u64,
    /// The highest sequence that is durable.
    pub durable_sequence: u64,
}

/// Who a client is, and what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Logon {
    /// Name of the key, filled up with zeros.
    pub key: [u8; 32],
    /// Which of the key's sessions; numbers of commands go on in it over reconnections.
    pub session: u32,
    /// How often the client says that it is there, milliseconds; after twice as long without a word it is gone.
    pub heartbeat_ms: u32,
    /// The number of the next command the client will send: the first that it has seen no outcome of.
    pub next_number: u64,
    /// With [`LogonFlags::RESUME`]: mark of the last events message received, or a later one of a heartbeat.
    pub resume_mark: u64,
    /// Events of that mark received.
    pub resume_index: u32,
    /// [`KeyScheme`].
    pub scheme: u8,
    /// [`LogonFlags`].
    pub flags: u8,
    /// Zero.
    pub reserved: u16,
    /// Over [`LOGON_CONTEXT`], the challenge's nonce and the 64 bytes of this record before this field.
    pub signature: [u8; 64],
}

/// Bytes of a [`Logon`] before its signature.
pub const LOGON_SIGNED_BYTES: usize = std::mem::offset_of!(Logon, signature);
const _: () = assert!(LOGON_SIGNED_BYTES == 64);

/// The answer to a logon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LoggedOn {
    /// Owner of the accounts that the key may act for; zero: every account.
    pub owner: [u8; 32],
    /// The number that is due; commands with a lower one were taken before and are passed over.
    pub next_number: u64,
    /// The highest sequence that is durable.
    pub durable_sequence: u64,
    /// The oldest mark that can be resumed from.
    pub oldest_mark: u64,
    /// How often the server says that it is there, milliseconds.
    pub heartbeat_ms: u32,
    /// [`Resumption`].
    pub resumption: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

/// The last message of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Goodbye {
    /// [`SessionCode`].
    pub code: u16,
    /// Zero.
    pub reserved: [u8; 6],
    /// The value that was wrong.
    pub value: u64,
    /// What it had to be, or its limit.
    pub limit: u64,
}

/// Still here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Heartbeat {
    /// The sender's time, nanoseconds; it comes back in `echo_ns`.
    pub sent_ns: u64,
    /// `sent_ns` of the heartbeat that this answers; 0: it answers none.
    pub echo_ns: u64,
}

/// Commands that are in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Taken {
    /// Number of the first of them.
    pub first_number: u64,
    /// Its sequence in the log; those behind it follow one by one.
    pub first_sequence: u64,
    /// How many.
    pub count: u32,
    /// Zero.
    pub reserved: u32,
}

/// Commands that were not taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Refused {
    /// Number of the first of them.
    pub first_number: u64,
    /// How many.
    pub count: u32,
    /// [`SessionCode`].
    pub code: u16,
    /// Zero.
    pub reserved: u16,
    /// The value refused: account, kind, instrument.
    pub value: u64,
    /// The limit it met: commands a second.
    pub limit: u64,
    /// When it would be taken, nanoseconds from now; 0: never.
    pub retry_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written_and_refused_when_a_field_lies() {
        let header = MessageHeader::new(MessageKind::Commands, 1 << 40, 7, 96, 3);
        let bytes = header.as_bytes();
        assert_eq!(MessageHeader::read(&bytes[..31], MESSAGE_BYTES_MAX), Ok(None));
        let read = MessageHeader::read(bytes, MESSAGE_BYTES_MAX);
        assert_eq!(read, Ok(Some(header)));
        assert_eq!((header.length, header.number(), header.mark()), (32 + 288, 1 << 40, 7));
        type Change = fn(&mut MessageHeader);
        let lies: [(SessionCode, Change); 7] = [
            (SessionCode::Malformed, |h| h.schema = 0),
            (SessionCode::WrongVersion, |h| h.version = 2),
            (SessionCode::Malformed, |h| h.block_length = 8),
            (SessionCode::MessageTooLong, |h| h.length = MESSAGE_BYTES_MAX + 1),
            (SessionCode::Malformed, |h| h.count = 2),
            (SessionCode::Malformed, |h| h.kind = 999),
            (SessionCode::Malformed, |h| {
                h.record_bytes = 48;
                h.count = 6;
            }),
        ];
        for (code, lie) in lies {
            let mut changed = header;
            lie(&mut changed);
            let refused = MessageHeader::read(changed.as_bytes(), MESSAGE_BYTES_MAX);
            assert_eq!(refused.err().map(|bad| bad.code), Some(code), "{changed:?}");
        }
    }

    #[test]
    fn the_longest_message_is_taken() {
        let count = ((MESSAGE_BYTES_MAX as usize - MESSAGE_HEADER_BYTES) / 96) as u16;
        let header = MessageHeader::new(MessageKind::Commands, 1, 0, 96, count);
        assert_eq!(MessageHeader::read(header.as_bytes(), header.length), Ok(Some(header)));
        assert!(MessageHeader::read(header.as_bytes(), header.length - 1).is_err());
    }
}
