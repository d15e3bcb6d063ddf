//! The words of a posting.

use std::fmt;
use xos_units::{AccountId, Amount, AssetId, InstrumentId, QuestionId, VenueId};

/// One side of a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// A margin account.
    User(AccountId),
    /// The world outside: minus what came in less what went out.
    External,
    /// The protocol's share of fees.
    Protocol,
    /// The insurance fund.
    Insurance,
    /// What rounding left.
    Rounding,
    /// A venue's share of fees.
    Venue(VenueId),
    /// The share of the deployer of an instrument.
    Deployer(InstrumentId),
    /// Counterpart of the realised profit of a perpetual.
    Clearing(InstrumentId),
    /// Collateral of complete sets of a question.
    Question(QuestionId),
    /// Bonds of proposals, challenges and votes on a question.
    Bonds(QuestionId),
    /// Stakes of deployers.
    Stakes,
    /// What stands against simulated money, and receives what it pays: worthless, like it.
    Simulated,
}

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
    /// In from outside.
    Deposit = 1,
    /// Out to outside.
    Withdrawal = 2,
    /// The price of a fill, or what it delivers.
    Trade = 3,
    /// A trading fee.
    Fee = 4,
    /// A maker rebate.
    Rebate = 5,
    /// Realised profit or loss of a perpetual.
    Realised = 6,
    /// A complete set was created.
    Split = 7,
    /// A complete set was redeemed.
    Merge = 8,
    /// A question paid.
    Payout = 9,
    /// Funding of a perpetual.
    Funding = 10,
    /// Between two accounts of one owner.
    Transfer = 11,
    /// A fee on a liquidation, to the insurance fund.
    LiquidationFee = 12,
    /// The insurance fund paid a deficit.
    InsurancePaid = 13,
    /// What rounding left of a bankrupt account.
    InsuranceReceived = 14,
    /// Interest on a debt, to the insurance fund.
    Interest = 15,
    /// A share of fees was paid out.
    FeesCollected = 20,
    /// A share of a fee, to the referrer or, where there is none, to the protocol.
    Referral = 21,
    /// A bond was given.
    BondGiven = 25,
    /// A bond went back.
    BondReturned = 26,
    /// A lost bond, or a part of it, went to somebody else.
    BondLost = 27,
    /// A position of a delisted perpetual was settled.
    Delisting = 30,
    /// A deployer staked, or took its stake back.
    Stake = 31,
    /// A slot was bought.
    Slot = 32,
    /// A stake was slashed.
    Slash = 33,
}

/// One movement of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Who gave.
    pub from: Party,
    /// Who received.
    pub to: Party,
    /// Of what.
    pub asset: AssetId,
    /// How much.
    pub amount: Amount,
    /// Why.
    pub reason: Reason,
    /// Sequence of the command that caused it.
    pub sequence: u64,
}

/// A trading fee and who receives which part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fee {
    /// Who pays.
    pub payer: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// All of it.
    pub paid: Amount,
    /// Whose deployer receives.
    pub instrument: InstrumentId,
    /// The venue that receives: the one that brought the order.
    pub through: VenueId,
    /// Share of the deployer.
    pub deployer: Amount,
    /// Share of the venue.
    pub venue: Amount,
    /// Share of the insurance fund.
    pub insurance: Amount,
    /// Share of the protocol.
    pub protocol: Amount,
    /// What the rounding of the shares left.
    pub rounding: Amount,
    /// Sequence of the command that caused it.
    pub sequence: u64,
}

impl Fee {
    /// The movements that it means; shares of nothing are none.
    pub fn postings(&self) -> impl Iterator<Item = Posting> {
        let Self { payer, asset, sequence, .. } = *self;
        let shares = [
            (Party::Deployer(self.instrument), self.deployer),
            (Party::Venue(self.through), self.venue),
            (Party::Insurance, self.insurance),
            (Party::Protocol, self.protocol),
            (Party::Rounding, self.rounding),
        ];
        shares.into_iter().filter(|(_, amount)| *amount != Amount::ZERO).map(move |(to, amount)| Posting {
            from: Party::User(payer),
            to,
            asset,
            amount,
            reason: Reason::Fee,
            sequence,
        })
    }
}

/// A broken invariant of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerError {
    /// A balance that may not be negative is.
    Negative {
        /// Whose.
        party: Party,
        /// Of what.
        asset: AssetId,
        /// What it would be.
        balance: Amount,
    },
    /// An amount below zero was to be posted.
    NegativeAmount {
        /// The amount.
        amount: Amount,
        /// The reason given.
        reason: Reason,
    },
    /// The balances of an asset do not add up to zero.
    NotZeroSum {
        /// The asset.
        asset: AssetId,
        /// Their sum.
        sum: Amount,
    },
    /// A house account does not hold this asset.
    WrongAsset {
        /// The account.
        party: Party,
        /// The asset.
        asset: AssetId,
    },
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negative { party, asset, balance } => {
                write!(f, "the balance of {party:?} in asset {asset} is {} atoms, below 0", balance.0)
            }
            Self::NegativeAmount { amount, reason } => {
                write!(f, "a posting for {reason:?} of {} atoms is below 0", amount.0)
            }
            Self::NotZeroSum { asset, sum } => {
                write!(f, "the balances of asset {asset} add up to {} atoms instead of 0", sum.0)
            }
            Self::WrongAsset { party, asset } => write!(f, "{party:?} does not hold asset {asset}"),
        }
    }
}

impl std::error::Error for LedgerError {}
