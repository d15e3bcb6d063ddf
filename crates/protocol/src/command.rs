//! The fixed 96-byte command record.

use crate::{CommandKind, Int128, PriceSource, SelfTrade, Side, Tif};
use xos_units::{AccountId, AssetId, InstrumentId, OrderId, Price, Qty, QuestionId, VenueId};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A client's own id for a command: up to 32 bytes; all zero means none.
pub type ClientId = [u8; 32];

/// Bits of [`CommandRecord::flags`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// Must not take; refused where it would.
    pub const POST_ONLY: u8 = 1;
    /// May only shrink a position.
    pub const REDUCE_ONLY: u8 = 2;
    /// A market order; `price` is its protection price.
    pub const MARKET: u8 = 4;
    /// The exits of a bracket wait for its fills; told in events, set by no command.
    pub const BRACKET: u8 = 8;
    /// Counts towards the account's market-maker protection on the instrument, and leaves when it is breached.
    pub const PROTECTED: u8 = 16;
    /// All bits that a command may set.
    pub const KNOWN: u8 = Self::POST_ONLY | Self::REDUCE_ONLY | Self::MARKET | Self::PROTECTED;

    /// Whether all of `bits` are set.
    #[inline(always)]
    pub const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

/// One command as it travels, lies in the journal and stands in a numpy array. Fields that a kind does not use
/// are zero; only the venue of a cancel or amend, and the order id of a mass cancel, are not looked at. See the kinds in [`CommandKind`] and the field table in `docs/reference/records.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CommandRecord {
    /// [`CommandKind`].
    pub kind: u16,
    /// [`Side`]; for a mass cancel 2 means both; for set_instrument_state the [`crate::InstrumentState`].
    pub side: u8,
    /// [`Tif`].
    pub tif: u8,
    /// [`Flags`].
    pub flags: u8,
    /// [`SelfTrade`].
    pub self_trade: u8,
    /// The venue that brings the order.
    pub venue: u16,
    /// The account that acts.
    pub account: u32,
    /// Instrument; asset of a deposit, withdrawal or transfer; question of split, merge and resolve; 0 in a mass cancel
    /// means every instrument.
    pub instrument: u32,
    /// Order to cancel or amend (0: find it by `client_id`); the paying instrument of a resolve; the receiver of
    /// a transfer; the parent of an isolated account; of a waiting order and a bracket [`TriggerWords`].
    pub order_id: u64,
    /// Ticks. Limit or protection price; new price of an amend (0: keep); mark or index price. Of a waiting order the
    /// limit of its only leg or of the leg above, 0 with the flag market.
    pub price: i64,
    /// Lots. Quantity; new total quantity, filled part included, of an amend (0: keep); sets to split or merge;
    /// milliseconds of a countdown (0: stop it); leverage to choose (0: none); classes of set_credentials, a bit each.
    pub qty: i64,
    /// End of a good-till-date order, nanoseconds since 1970 UTC of logged time. Of an order that waits on both
    /// sides, ticks: the limit of the leg below. Of set_protection the window in the low and the freeze in the high 32
    /// bits, milliseconds. Of set_credentials the end of the credential.
    pub expires_ns: u64,
    /// Atoms to deposit, withdraw or transfer. Of a waiting order and a bracket the low half is the trigger price above, the
    /// high half the one below, ticks (0: none). Of a place the low half is the display quantity of an iceberg, lots (0:
    /// all is shown); of an amend the new one (0: keep).
    pub amount: Int128,
    /// Idempotency key of place, deposit, withdraw, transfer, split, merge; target of a cancel or amend without order id;
    /// owner of a new account; hash of a credential.
    pub client_id: ClientId,
}

const _: () = assert!(size_of::<CommandRecord>() == 96 && align_of::<CommandRecord>() == 8);

/// Set in the number of a bracket's exits, whose other bits are those of the entry.
pub const EXITS_BIT: u64 = 1 << 52;

/// What the `order_id` of place_trigger and place_bracket holds: byte 0 and 1 the [`PriceSource`] of the leg above and
/// below, bytes 4 to 7 the slippage of a market order, ppm of the price that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriggerWords {
    /// Source of the leg above.
    pub above: PriceSource,
    /// Source of the leg below.
    pub below: PriceSource,
    /// Slippage.
    pub slippage_ppm: u32,
}

impl TriggerWords {
    /// From the field; an error names the byte in it that has no meaning.
    pub const fn from_bits(bits: u64) -> Result<Self, usize> {
        let bytes = bits.to_le_bytes();
        let Some(above) = PriceSource::from_code(bytes[0]) else { return Err(0) };
        let Some(below) = PriceSource::from_code(bytes[1]) else { return Err(1) };
        if bytes[2] != 0 {
            return Err(2);
        }
        if bytes[3] != 0 {
            return Err(3);
        }
        Ok(Self { above, below, slippage_ppm: (bits >> 32) as u32 })
    }
    /// To the field.
    pub const fn bits(self) -> u64 {
        (self.slippage_ppm as u64) << 32 | (self.below.code() as u64) << 8 | self.above.code() as u64
    }
}

impl CommandRecord {
    /// The trigger prices above and below of a waiting order or bracket; 0: none.
    pub const fn triggers(&self) -> (Price, Price) {
        (Price(self.amount.low as i64), Price(self.amount.high))
    }
    /// Lots that a place or amend asks to show at a time; 0: all, or keep.
    pub const fn display(&self) -> Qty {
        Qty(self.amount.low as i64)
    }
    /// The kind, if its number is known.
    #[inline(always)]
    pub const fn kind(&self) -> Option<CommandKind> {
        CommandKind::from_code(self.kind)
    }
    /// The side, if valid.
    #[inline(always)]
    pub const fn side(&self) -> Option<Side> {
        Side::from_code(self.side)
    }
    /// Time in force, if valid.
    #[inline(always)]
    pub const fn tif(&self) -> Option<Tif> {
        Tif::from_code(self.tif)
    }
    /// Self-trade mode, if valid.
    #[inline(always)]
    pub const fn self_trade(&self) -> Option<SelfTrade> {
        SelfTrade::from_code(self.self_trade)
    }
    /// Flags.
    #[inline(always)]
    pub const fn flags(&self) -> Flags {
        Flags(self.flags)
    }
    /// The account that acts.
    #[inline(always)]
    pub const fn account(&self) -> AccountId {
        AccountId(self.account)
    }
    /// The instrument.
    #[inline(always)]
    pub const fn instrument(&self) -> InstrumentId {
        InstrumentId(self.instrument)
    }
    /// The `instrument` field read as an asset.
    #[inline(always)]
    pub const fn asset(&self) -> AssetId {
        AssetId(self.instrument)
    }
    /// The `instrument` field read as a question.
    #[inline(always)]
    pub const fn question(&self) -> QuestionId {
        QuestionId(self.instrument)
    }
    /// The venue.
    #[inline(always)]
    pub const fn venue(&self) -> VenueId {
        VenueId(self.venue)
    }
    /// The order meant.
    #[inline(always)]
    pub const fn order_id(&self) -> OrderId {
        OrderId(self.order_id)
    }
    /// Price in ticks.
    #[inline(always)]
    pub const fn price(&self) -> Price {
        Price(self.price)
    }
    /// Quantity in lots.
    #[inline(always)]
    pub const fn qty(&self) -> Qty {
        Qty(self.qty)
    }
    /// Whether a client id is given.
    #[inline(always)]
    pub fn has_client_id(&self) -> bool {
        self.client_id != [0; 32]
    }
}
