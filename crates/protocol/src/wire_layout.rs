//! The messages of the wire as data, for schemas and documentation.

use crate::layout::{COMMAND, EVENT, Encoding, Field};
use crate::{
    Challenge, FeedRecord, Goodbye, Heartbeat, LoggedOn, Logon, MessageKind, Refused, Subscription, Taken,
};
use Encoding::{Bytes, Signed, Unsigned};
use std::mem::offset_of;

macro_rules! fields {
    ($record:ty: $($name:ident $encoding:expr),+ $(,)?) => {
        &[$(Field { name: stringify!($name), offset: offset_of!($record, $name), encoding: $encoding }),+]
    };
}

/// One kind of message: who it is, and the fields of its records.
#[derive(Clone, Copy, Debug)]
pub struct MessageLayout {
    /// The kind.
    pub kind: MessageKind,
    /// Its records' fields; empty where a record is a byte.
    pub fields: &'static [Field],
}

const SUBSCRIPTION: &[Field] = fields!(Subscription:
    instrument Unsigned(4), level Unsigned(1), from_number Unsigned(8));

const fn of(kind: MessageKind, fields: &'static [Field]) -> MessageLayout {
    MessageLayout { kind, fields }
}

/// Every kind of message, in the order of their numbers.
pub const MESSAGES: &[MessageLayout] = &[
    of(
        MessageKind::Challenge,
        fields!(Challenge: nonce Bytes(32), run Unsigned(8), time_ns Unsigned(8), durable_sequence Unsigned(8)),
    ),
    of(
        MessageKind::Logon,
        fields!(Logon: key Bytes(32), session Unsigned(4), heartbeat_ms Unsigned(4), next_number Unsigned(8),
            resume_mark Unsigned(8), resume_index Unsigned(4), scheme Unsigned(1), flags Unsigned(1),
            signature Bytes(64)),
    ),
    of(
        MessageKind::LoggedOn,
        fields!(LoggedOn: owner Bytes(32), next_number Unsigned(8), durable_sequence Unsigned(8),
            oldest_mark Unsigned(8), heartbeat_ms Unsigned(4), resumption Unsigned(1)),
    ),
    of(MessageKind::Goodbye, fields!(Goodbye: code Unsigned(2), value Unsigned(8), limit Unsigned(8))),
    of(MessageKind::Heartbeat, fields!(Heartbeat: sent_ns Unsigned(8), echo_ns Unsigned(8))),
    of(MessageKind::Commands, COMMAND),
    of(MessageKind::Deploy, &[]),
    of(MessageKind::Subscribe, SUBSCRIPTION),
    of(MessageKind::Unsubscribe, SUBSCRIPTION),
    of(MessageKind::Ask, &[]),
    of(
        MessageKind::Taken,
        fields!(Taken: first_number Unsigned(8), first_sequence Unsigned(8), count Unsigned(4)),
    ),
    of(MessageKind::Events, EVENT),
    of(
        MessageKind::Refused,
        fields!(Refused: first_number Unsigned(8), count Unsigned(4), code Unsigned(2), value Unsigned(8),
            limit Unsigned(8), retry_ns Unsigned(8)),
    ),
    of(
        MessageKind::Feed,
        fields!(FeedRecord: number Unsigned(8), sequence Unsigned(8), order_id Unsigned(8), price Signed(8),
            qty Signed(8), instrument Unsigned(4), orders Unsigned(4), side Unsigned(1), action Unsigned(1),
            level Unsigned(1)),
    ),
    of(MessageKind::Answer, &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_here_and_its_fields_lie_within_its_records() {
        let kinds: Vec<_> = MESSAGES.iter().map(|message| message.kind).collect();
        assert_eq!(kinds, MessageKind::ALL);
        for message in MESSAGES {
            let size = usize::from(message.kind.record_bytes());
            let ends = message.fields.iter().map(|field| field.offset + field.encoding.size());
            assert!(ends.clone().all(|end| end <= size), "{:?}", message.kind);
            // What no field names is reserved, less than eight bytes at the end.
            let last = ends.max().unwrap_or(1);
            assert!(size - last < 8, "{:?}", message.kind);
        }
    }
}
