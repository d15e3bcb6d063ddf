//! The fields of the records as data, for numpy dtypes, schemas and documentation.

use crate::{CommandRecord, EventRecord};
use std::mem::offset_of;

/// How the bytes of a field are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Unsigned, little-endian, this many bytes.
    Unsigned(usize),
    /// Signed, little-endian, this many bytes.
    Signed(usize),
    /// Raw bytes.
    Bytes(usize),
}

impl Encoding {
    /// Bytes of the field.
    pub const fn size(self) -> usize {
        match self {
            Self::Unsigned(size) | Self::Signed(size) | Self::Bytes(size) => size,
        }
    }

    /// As numpy writes it.
    pub fn numpy(self) -> String {
        match self {
            Self::Unsigned(size) => format!("<u{size}"),
            Self::Signed(size) => format!("<i{size}"),
            Self::Bytes(size) => format!("S{size}"),
        }
    }
}

/// One field of a record. Fields may overlap: a trade's counterpart stands where other events have a client id.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name.
    pub name: &'static str,
    /// First byte.
    pub offset: usize,
    /// Bytes and their meaning.
    pub encoding: Encoding,
}

const fn field(name: &'static str, offset: usize, encoding: Encoding) -> Field {
    Field { name, offset, encoding }
}

use Encoding::{Bytes, Signed, Unsigned};

/// Fields of [`CommandRecord`]. A 128-bit amount is two fields.
pub const COMMAND: &[Field] = &[
    field("kind", offset_of!(CommandRecord, kind), Unsigned(2)),
    field("side", offset_of!(CommandRecord, side), Unsigned(1)),
    field("tif", offset_of!(CommandRecord, tif), Unsigned(1)),
    field("flags", offset_of!(CommandRecord, flags), Unsigned(1)),
    field("self_trade", offset_of!(CommandRecord, self_trade), Unsigned(1)),
    field("venue", offset_of!(CommandRecord, venue), Unsigned(2)),
    field("account", offset_of!(CommandRecord, account), Unsigned(4)),
    field("instrument", offset_of!(CommandRecord, instrument), Unsigned(4)),
    field("order_id", offset_of!(CommandRecord, order_id), Unsigned(8)),
    field("price", offset_of!(CommandRecord, price), Signed(8)),
    field("qty", offset_of!(CommandRecord, qty), Signed(8)),
    field("expires_ns", offset_of!(CommandRecord, expires_ns), Unsigned(8)),
    field("amount_low", offset_of!(CommandRecord, amount), Unsigned(8)),
    field("amount_high", offset_of!(CommandRecord, amount) + 8, Signed(8)),
    field("client_id", offset_of!(CommandRecord, client_id), Bytes(32)),
];

/// Fields of [`EventRecord`].
pub const EVENT: &[Field] = &[
    field("kind", offset_of!(EventRecord, kind), Unsigned(2)),
    field("reason", offset_of!(EventRecord, reason), Unsigned(2)),
    field("side", offset_of!(EventRecord, side), Unsigned(1)),
    field("flags", offset_of!(EventRecord, flags), Unsigned(1)),
    field("venue", offset_of!(EventRecord, venue), Unsigned(2)),
    field("sequence", offset_of!(EventRecord, sequence), Unsigned(8)),
    field("account", offset_of!(EventRecord, account), Unsigned(4)),
    field("instrument", offset_of!(EventRecord, instrument), Unsigned(4)),
    field("order_id", offset_of!(EventRecord, order_id), Unsigned(8)),
    field("price", offset_of!(EventRecord, price), Signed(8)),
    field("qty", offset_of!(EventRecord, qty), Signed(8)),
    field("remaining", offset_of!(EventRecord, remaining), Signed(8)),
    field("client_id", offset_of!(EventRecord, detail), Bytes(32)),
    field("counter_order_id", offset_of!(EventRecord, detail), Unsigned(8)),
    field("counter_account", offset_of!(EventRecord, detail) + 8, Unsigned(4)),
    field("counter_venue", offset_of!(EventRecord, detail) + 12, Unsigned(2)),
    field("counter_remaining", offset_of!(EventRecord, detail) + 16, Signed(8)),
    field("trade_id", offset_of!(EventRecord, detail) + 24, Unsigned(8)),
    field("amount_low", offset_of!(EventRecord, amount), Unsigned(8)),
    field("amount_high", offset_of!(EventRecord, amount) + 8, Signed(8)),
    field("counter_amount_low", offset_of!(EventRecord, counter_amount), Unsigned(8)),
    field("counter_amount_high", offset_of!(EventRecord, counter_amount) + 8, Signed(8)),
    field("time_ns", offset_of!(EventRecord, time_ns), Unsigned(8)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Int128;
    use zerocopy::IntoBytes;

    #[test]
    fn every_byte_of_a_record_belongs_to_a_field() {
        for (fields, size) in [(COMMAND, size_of::<CommandRecord>()), (EVENT, size_of::<EventRecord>())] {
            let mut covered = vec![false; size];
            for field in fields {
                covered[field.offset..field.offset + field.encoding.size()].fill(true);
            }
            assert!(covered.iter().all(|&byte| byte));
        }
    }

    #[test]
    fn bytes_are_pinned() {
        let mut command = CommandRecord { kind: 1, price: 0x0102, ..Default::default() };
        command.amount = Int128::new(-2);
        let bytes = command.as_bytes();
        assert_eq!((bytes[0], bytes[24], bytes[25]), (1, 2, 1));
        assert_eq!(&bytes[48..64], &(-2i128).to_le_bytes());
        for value in [0, 1, -1, i128::MAX, i128::MIN, 1 << 64, -(1 << 64)] {
            assert_eq!(Int128::new(value).get(), value);
        }
    }
}
