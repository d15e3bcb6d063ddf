//! Rows gathered by owner, so that a database writes and reads few records.

use crate::hash::Map;
use crate::pack::Packer;

/// Rows of one epoch lie together in the database: a commit touches the newest pages, however much there is.
pub const EPOCH_BITS: u32 = 19;
/// Most rows of a chunk.
pub const ROWS_MAX: u32 = 256;

/// What a row is about. The numbers are written in databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Money of an account moved, or it had a fill.
    Movement = 1,
    /// An order of an account is over.
    Order = 2,
    /// A trade on an instrument.
    Trade = 3,
    /// An interval of funding of an instrument ended.
    Funding = 4,
    /// A position on an instrument was liquidated, or deleveraged.
    Liquidation = 5,
    /// A position of an account was closed.
    Position = 6,
    /// A candle of an instrument.
    Candle = 7,
}

impl Kind {
    /// The kind with a number.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Movement,
            2 => Self::Order,
            3 => Self::Trade,
            4 => Self::Funding,
            5 => Self::Liquidation,
            6 => Self::Position,
            7 => Self::Candle,
            _ => return None,
        })
    }

    /// Names of its columns.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Movement => &crate::movements::COLUMNS,
            Self::Order => &crate::orders::COLUMNS,
            Self::Trade => {
                &["number", "sequence", "time_ns", "trade_id", "side", "price", "qty", "is_public"]
            }
            Self::Funding => &["number", "sequence", "time_ns", "rate", "premium", "index"],
            Self::Liquidation => {
                &["number", "sequence", "time_ns", "event", "account", "side", "price", "qty"]
            }
            Self::Position => &crate::lives::COLUMNS,
            Self::Candle => &crate::candles::COLUMNS,
        }
    }
}

/// Some rows of one owner, packed; rows are numbered over all kinds and owners, in the order in which things were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// What the rows are about.
    pub kind: Kind,
    /// An account or an instrument.
    pub owner: u32,
    /// Number of the first row.
    pub first: u64,
    /// Number of the last row.
    pub last: u64,
    /// Least sequence of a command that placed one of its orders; of a movement least order id, of a trade least trade id.
    pub low: u64,
    /// The greatest of those.
    pub high: u64,
    /// Logged time of the first row.
    pub first_ns: u64,
    /// Logged time of the last row.
    pub last_ns: u64,
    /// The packed rows.
    pub rows: Vec<u8>,
}

struct Open {
    chunk: Chunk,
    packer: Packer,
    count: u32,
}

/// The chunks of a batch.
#[derive(Default)]
pub(crate) struct Chunks {
    open: Map<(u32, u32), Open>,
    full: Vec<Chunk>,
}

impl Chunks {
    /// Adds a row, whose first column is its number.
    pub(crate) fn put(
        &mut self,
        kind: Kind,
        owner: u32,
        id: u64,
        time_ns: u64,
        numbers: &[i128],
        text: &[u8],
    ) {
        debug_assert_eq!(numbers.len(), kind.columns().len());
        let number = numbers[0] as u64;
        let key = (kind as u32, owner);
        let open = self.open.entry(key).or_insert_with(|| Open {
            chunk: Chunk {
                kind,
                owner,
                first: number,
                last: number,
                low: id,
                high: id,
                first_ns: time_ns,
                last_ns: time_ns,
                rows: Vec::new(),
            },
            packer: Packer::default(),
            count: 0,
        });
        open.packer.put(numbers, text);
        let chunk = &mut open.chunk;
        (chunk.last, chunk.last_ns) = (number, time_ns);
        (chunk.low, chunk.high) = (chunk.low.min(id), chunk.high.max(id));
        open.count += 1;
        if open.count == ROWS_MAX
            && let Some(full) = self.open.remove(&key)
        {
            self.full.push(full.closed());
        }
    }

    /// All of them, in the order in which a database has them; then there are none.
    pub(crate) fn take(&mut self) -> Vec<Chunk> {
        let mut chunks = std::mem::take(&mut self.full);
        chunks.extend(std::mem::take(&mut self.open).into_values().map(Open::closed));
        chunks.sort_by_key(|chunk| (chunk.first >> EPOCH_BITS, chunk.kind, chunk.owner, chunk.first));
        chunks
    }
}

impl Open {
    fn closed(self) -> Chunk {
        Chunk { rows: self.packer.into_bytes(), ..self.chunk }
    }
}
