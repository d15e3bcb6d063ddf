//! What events say of money: whose, of what, how much, why.

use xos_ledger::{Reason, SETTLEMENT};
use xos_protocol::{EventFlags, EventKind, EventRecord};

pub(crate) const COLUMNS: [&str; 17] = [
    "number",
    "sequence",
    "time_ns",
    "reason",
    "asset",
    "change",
    "balance",
    "instrument",
    "order_id",
    "trade_id",
    "side",
    "price",
    "qty",
    "fee",
    "pnl",
    "other",
    "bits",
];

/// Bits of the column `bits` of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits;

impl Bits {
    /// It is a fill, the one row of it that counts as such.
    pub const FILL: u8 = 1;
    /// The order rested.
    pub const MAKER: u8 = 2;
    /// `instrument` names a question.
    pub const QUESTION: u8 = 4;
    /// Part of a liquidation.
    pub const LIQUIDATION: u8 = 8;
    /// Part of deleveraging.
    pub const DELEVERAGING: u8 = 16;
}

/// One movement, before its number and the balance after it are known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Movement {
    pub(crate) account: u32,
    pub(crate) asset: u32,
    pub(crate) change: i128,
    pub(crate) reason: u8,
    pub(crate) instrument: u32,
    pub(crate) order_id: u64,
    pub(crate) trade_id: u64,
    pub(crate) side: u8,
    pub(crate) price: i64,
    pub(crate) qty: i64,
    pub(crate) fee: i128,
    pub(crate) pnl: i128,
    pub(crate) other: u32,
    pub(crate) bits: u8,
}

/// What an event, but a trade, says of money; of a transfer there are two.
pub(crate) fn told(event: &EventRecord) -> [Option<Movement>; 2] {
    use EventKind as E;
    let amount = event.amount.get();
    // The first answer again moves nothing again.
    let Some(kind) = event.kind().filter(|_| event.flags & EventFlags::RETRY == 0) else { return [None; 2] };
    let (change, reason, bits) = match kind {
        E::Deposited => (amount, Reason::Deposit, 0),
        E::Withdrawn => (-amount, Reason::Withdrawal, 0),
        E::Transferred => (-amount, Reason::Transfer, 0),
        E::FeesCollected => (amount, Reason::FeesCollected, 0),
        E::SetSplit => (-amount, Reason::Split, Bits::QUESTION),
        E::SetMerged => (amount, Reason::Merge, Bits::QUESTION),
        E::Payout => (amount, Reason::Payout, Bits::QUESTION),
        E::ResolutionProposed | E::ResolutionChallenged | E::ResolutionVoted => {
            (-amount, Reason::BondGiven, Bits::QUESTION)
        }
        E::BondReturned => (amount, Reason::BondReturned, Bits::QUESTION),
        E::BondAwarded => (amount, Reason::BondLost, Bits::QUESTION),
        E::FundingPaid => (amount, Reason::Funding, 0),
        E::LiquidationFee => (-amount, Reason::LiquidationFee, Bits::LIQUIDATION),
        E::InsurancePaid => (amount, Reason::InsurancePaid, Bits::LIQUIDATION),
        E::InsuranceReceived if event.account != 0 => (-amount, Reason::InsuranceReceived, Bits::LIQUIDATION),
        E::InterestCharged => (-amount, Reason::Interest, 0),
        E::TrancheTookOver | E::BankruptcyClosed => (amount, Reason::Realised, Bits::LIQUIDATION),
        E::Deleveraged => (amount, Reason::Realised, Bits::DELEVERAGING),
        E::PnlRealised => (amount, Reason::Realised, 0),
        E::PositionSettled => (amount, Reason::Delisting, 0),
        _ => return [None; 2],
    };
    let is_of_asset = matches!(kind, E::Deposited | E::Withdrawn | E::Transferred | E::FeesCollected);
    let asset = if is_of_asset { event.instrument } else { SETTLEMENT.0 };
    let realised = matches!(reason, Reason::Realised | Reason::Delisting);
    let one = Movement {
        account: event.account,
        asset,
        change,
        reason: reason as u8,
        instrument: if is_of_asset { 0 } else { event.instrument },
        order_id: if is_of_asset { 0 } else { event.order_id },
        trade_id: 0,
        side: event.side,
        price: event.price,
        qty: event.qty,
        fee: if reason == Reason::LiquidationFee { amount } else { 0 },
        pnl: if realised { change } else { 0 },
        other: if kind == E::Transferred { event.order_id as u32 } else { 0 },
        bits,
    };
    if kind == E::Transferred {
        let other = Movement { account: event.order_id as u32, change: amount, other: event.account, ..one };
        return [Some(one), Some(other)];
    }
    [Some(one), None]
}
