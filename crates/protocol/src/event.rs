//! The fixed 128-byte event record.

use crate::{CancelReason, ClientId, EventKind, Int128, Split};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bits of [`EventRecord::flags`]. The low bits repeat the order's [`crate::Flags`] where an order is accepted or
/// amended, the command's where it is rejected, and are zero in trades and cancels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFlags(pub u8);

impl EventFlags {
    /// This is the first answer again: the client id had been used.
    pub const RETRY: u8 = 0x80;
    /// An amend that kept its place in the queue.
    pub const KEPT_PRIORITY: u8 = 0x40;
    /// The start of the frame caused it, not a command: liquidations that were due.
    pub const OF_TIME: u8 = 0x20;
    /// A trade that is no public price: it fires no stop and is not `last`.
    pub const NOT_PUBLIC: u8 = 0x10;
}

/// What a receipt of deleveraging says of how the lots were divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Place, from one, that the account had in a queue by profit times leverage.
    pub queue_rank: u32,
    /// Accounts on its side.
    pub candidates: u32,
    /// Bankrupt positions that the round closed.
    pub bankrupts: u32,
    /// Lots that such a queue would have taken from it.
    pub queue_lots: i64,
    /// Lots that the round closed.
    pub closed_lots: i64,
}

/// What a receipt of a fee says of how it was divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeDivision {
    /// The parts, ppm of the fee.
    pub split: Split,
    /// Account that received the referrer's part; 0: nobody, the protocol did.
    pub referrer: u32,
    /// Number of the trade.
    pub trade_id: u64,
}

/// One event. Fields that a kind does not use are zero; `docs/reference/records.md` has the table by kind.
///
/// Bytes 56 to 88 (`detail`) hold the counterpart of a trade and of skipped liquidity, what a receipt says, and in every other kind the client id of the
/// command that caused the event where it had one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct EventRecord {
    /// [`EventKind`].
    pub kind: u16,
    /// The [`crate::Reject`] of a rejection, the [`crate::CancelReason`] of a cancel.
    pub reason: u16,
    /// Side of the order; state of an instrument.
    pub side: u8,
    /// [`EventFlags`].
    pub flags: u8,
    /// Venue of the order.
    pub venue: u16,
    /// Sequence number of the command that caused it.
    pub sequence: u64,
    /// The account concerned; of a trade: the taker.
    pub account: u32,
    /// Instrument, asset or question, as in the command.
    pub instrument: u32,
    /// The order concerned; of a trade: the taker's. Of a rejection: the order the command named. Of a transfer:
    /// the receiver.
    pub order_id: u64,
    /// Ticks.
    pub price: i64,
    /// Lots: accepted total, filled, cancelled, closed, shown anew; milliseconds of a countdown.
    pub qty: i64,
    /// Lots of the order still open after this event; the position after pnl_realised.
    pub remaining: i64,
    /// See the type's documentation.
    pub detail: [u8; 32],
    /// Atoms: fee of the taker, amount credited or paid, realised profit; of a rejection: the value refused; of an
    /// accepted or amended iceberg: its display quantity, lots.
    pub amount: Int128,
    /// Atoms: fee of the maker (negative: rebate), balance after; of a rejection: the limit it met.
    pub counter_amount: Int128,
    /// Time of the frame, nanoseconds since 1970 UTC.
    pub time_ns: u64,
}

const _: () = assert!(size_of::<EventRecord>() == 128 && align_of::<EventRecord>() == 8);

impl EventRecord {
    /// Nothing yet.
    pub const ZERO: Self = Self {
        kind: 0,
        reason: 0,
        side: 0,
        flags: 0,
        venue: 0,
        sequence: 0,
        account: 0,
        instrument: 0,
        order_id: 0,
        price: 0,
        qty: 0,
        remaining: 0,
        detail: [0; 32],
        amount: Int128 { low: 0, high: 0 },
        counter_amount: Int128 { low: 0, high: 0 },
        time_ns: 0,
    };

    /// Counterpart of a trade: maker's order, account, venue, lots left, and the trade's number.
    #[inline(always)]
    pub fn set_counterpart(
        &mut self,
        order_id: u64,
        account: u32,
        venue: u16,
        remaining: i64,
        trade_id: u64,
    ) {
        self.detail[0..8].copy_from_slice(&order_id.to_le_bytes());
        self.detail[8..12].copy_from_slice(&account.to_le_bytes());
        self.detail[12..14].copy_from_slice(&venue.to_le_bytes());
        self.detail[16..24].copy_from_slice(&remaining.to_le_bytes());
        self.detail[24..32].copy_from_slice(&trade_id.to_le_bytes());
    }
    /// The maker's order.
    pub fn counter_order_id(&self) -> u64 {
        u64::from_le_bytes(self.detail[0..8].try_into().expect("eight bytes"))
    }
    /// The maker.
    pub fn counter_account(&self) -> u32 {
        u32::from_le_bytes(self.detail[8..12].try_into().expect("four bytes"))
    }
    /// The maker's venue.
    pub fn counter_venue(&self) -> u16 {
        u16::from_le_bytes(self.detail[12..14].try_into().expect("two bytes"))
    }
    /// Lots the maker's order has left.
    pub fn counter_remaining(&self) -> i64 {
        i64::from_le_bytes(self.detail[16..24].try_into().expect("eight bytes"))
    }
    /// Number of the trade, from one, over all instruments.
    pub fn trade_id(&self) -> u64 {
        u64::from_le_bytes(self.detail[24..32].try_into().expect("eight bytes"))
    }
    /// Puts what a receipt of deleveraging says beside its lots.
    pub fn set_receipt(&mut self, receipt: &Receipt) {
        self.detail[0..4].copy_from_slice(&receipt.queue_rank.to_le_bytes());
        self.detail[4..8].copy_from_slice(&receipt.candidates.to_le_bytes());
        self.detail[8..12].copy_from_slice(&receipt.bankrupts.to_le_bytes());
        self.detail[12..16].fill(0);
        self.detail[16..24].copy_from_slice(&receipt.queue_lots.to_le_bytes());
        self.detail[24..32].copy_from_slice(&receipt.closed_lots.to_le_bytes());
    }
    /// What a receipt of deleveraging says; meaningless in other kinds.
    pub fn receipt(&self) -> Receipt {
        let word = |at: usize| u32::from_le_bytes(self.detail[at..at + 4].try_into().expect("four bytes"));
        let long = |at: usize| i64::from_le_bytes(self.detail[at..at + 8].try_into().expect("eight bytes"));
        Receipt {
            queue_rank: word(0),
            candidates: word(4),
            bankrupts: word(8),
            queue_lots: long(16),
            closed_lots: long(24),
        }
    }
    /// Puts what a receipt of a fee says beside its amounts.
    pub fn set_division(&mut self, division: &FeeDivision) {
        let words = division.split.parts().map(|ppm| ppm as u32).into_iter().chain([division.referrer]);
        for (at, word) in words.enumerate() {
            self.detail[4 * at..4 * at + 4].copy_from_slice(&word.to_le_bytes());
        }
        self.detail[24..32].copy_from_slice(&division.trade_id.to_le_bytes());
    }
    /// What a receipt of a fee says; meaningless in other kinds.
    pub fn division(&self) -> FeeDivision {
        let word = |at: usize| u32::from_le_bytes(self.detail[at..at + 4].try_into().expect("four bytes"));
        let ppm = |place: usize| word(4 * place) as i32;
        FeeDivision {
            split: Split {
                deployer_ppm: ppm(0),
                venue_ppm: ppm(1),
                referrer_ppm: ppm(2),
                insurance_ppm: ppm(3),
                protocol_ppm: ppm(4),
                receipts: true,
            },
            referrer: word(20),
            trade_id: self.trade_id(),
        }
    }
    /// The client id of the causing command; meaningless in a trade.
    pub fn client_id(&self) -> ClientId {
        self.detail
    }
    /// Whether it is never the outcome of a command: the passing of time causes such events, before those of a
    /// frame's commands, or they follow from one of those.
    pub fn is_of_time(&self) -> bool {
        match self.kind() {
            _ if self.flags & EventFlags::OF_TIME != 0 => true,
            Some(EventKind::CancelAllAfterFired) => true,
            Some(EventKind::OrderCancelled | EventKind::TriggerCancelled) => matches!(
                CancelReason::from_code(self.reason),
                Some(CancelReason::Expired | CancelReason::CancelAllAfter | CancelReason::Linked)
            ),
            _ => false,
        }
    }
    /// The kind, if its number is known.
    #[inline(always)]
    pub const fn kind(&self) -> Option<EventKind> {
        EventKind::from_code(self.kind)
    }
}
