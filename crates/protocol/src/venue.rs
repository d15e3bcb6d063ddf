//! Venues, fees, who receives them, and what is kept of accounts for them.

use crate::{ClassRule, atoms};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use xos_units::{Amount, PPM_ONE};

/// A venue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueSpec {
    /// Unique among venues.
    pub symbol: String,
    /// Fees of orders that this venue brings; none: the instrument's own.
    #[serde(default)]
    pub fees: Option<Fees>,
    /// Classes of the accounts whose orders it brings; left out: anybody's.
    #[serde(default, skip_serializing_if = "ClassRule::is_none")]
    pub admission: ClassRule,
    /// Classes of the accounts with whom its orders trade; left out: anybody.
    #[serde(default, skip_serializing_if = "ClassRule::is_none")]
    pub counterparty: ClassRule,
    /// Account that may be paid its share of fees; 0: nobody yet.
    #[serde(default, skip_serializing_if = "is_nobody")]
    pub fees_to: u32,
    /// Numbers, rising, of the instruments of all venues whose orders it brings; left out: all of them. Its own
    /// instruments need not be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<Vec<u32>>,
    /// Lower fees of accounts that trade much through it, below those of `fees`; at most [`VenueSpec::TIERS_MAX`], by
    /// rising volume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<VolumeTier>,
    /// Its instruments, its own alone, are traded with worthless money, by simulated accounts and nobody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
}

impl VenueSpec {
    /// Most tiers of a venue.
    pub const TIERS_MAX: usize = 16;
}

/// Rates of an account from a volume on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeTier {
    /// Volume of thirty whole days from which it counts, settlement atoms; more than that of the tier before.
    #[serde(with = "atoms")]
    pub volume_from: Amount,
    /// At most that of the tier before; not below minus the least taker fee of all tiers.
    pub maker_ppm: i32,
    /// At most that of the tier before.
    pub taker_ppm: i32,
}

/// Maker and taker fee in ppm of the fee base; a negative maker fee is a rebate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fees {
    /// -100,000 to 100,000; not below minus the taker fee.
    pub maker_ppm: i32,
    /// 0 to 100,000.
    pub taker_ppm: i32,
    /// Highest rate that a later change may give; orders reserve for it. 0: the higher of the two rates.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ceiling_ppm: i32,
}

impl Fees {
    /// The rate that orders reserve for, and that no change passes.
    #[inline(always)]
    pub const fn highest_ppm(&self) -> i32 {
        let rate = if self.maker_ppm > self.taker_ppm { self.maker_ppm } else { self.taker_ppm };
        if rate > self.ceiling_ppm { rate } else { self.ceiling_ppm }
    }
}

/// Who receives a fee, in ppm of it; the five add up to one million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The protocol.
    pub protocol_ppm: i32,
    /// The instrument's deployer.
    pub deployer_ppm: i32,
    /// The venue that brought the order.
    pub venue_ppm: i32,
    /// The insurance fund.
    pub insurance_ppm: i32,
    /// The account that brought the payer; where there is none the protocol gets it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub referrer_ppm: i32,
    /// Whether a receipt follows each fee that is divided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub receipts: bool,
}

impl Split {
    /// The parts: of the deployer, the venue, the referrer, the insurance fund, the protocol.
    pub const fn parts(&self) -> [i32; 5] {
        [self.deployer_ppm, self.venue_ppm, self.referrer_ppm, self.insurance_ppm, self.protocol_ppm]
    }
}

impl Split {
    /// Nobody receives anything: what specifications begin with.
    pub const NOTHING: Self = Self {
        protocol_ppm: 0,
        deployer_ppm: 0,
        venue_ppm: 0,
        insurance_ppm: 0,
        referrer_ppm: 0,
        receipts: false,
    };
}

impl Default for Split {
    fn default() -> Self {
        Self { protocol_ppm: PPM_ONE, ..Self::NOTHING }
    }
}

/// What an account traded through a venue on one day: the day since 1970 UTC, and the sum of fee bases, settlement atoms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayVolume(pub u32, #[serde(with = "atoms")] pub Amount);

/// What the fees of accounts depend on beside schedules. An isolated account has what its parent has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Charges {
    /// Highest rate of an account through a venue, ppm.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub caps: BTreeMap<(u32, u16), i32>,
    /// The account that brought an account.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub referrers: BTreeMap<u32, u32>,
    /// By venue with tiers and account, the days on which it traded there, in order.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<(u16, u32), Vec<DayVolume>>,
}

impl Charges {
    /// Whole days before a day whose volume counts on it.
    pub const DAYS: u32 = 30;

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.caps.is_empty() && self.referrers.is_empty() && self.volumes.is_empty()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(rate: &i32) -> bool {
    *rate == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)]
pub(crate) fn is_nobody(account: &u32) -> bool {
    *account == 0
}
