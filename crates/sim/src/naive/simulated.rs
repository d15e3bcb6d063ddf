//! Section 27.6: simulated venues and accounts.

use super::deploy::bound;
use super::refusal::{Refusal, check};
use super::state::{House, Kind, SETTLEMENT, World};
use xos_protocol::Reject;

impl World {
    pub(super) fn is_simulated(&self, account: u32) -> bool {
        self.governance.simulated.contains(&account)
    }

    pub(super) fn is_simulated_venue(&self, venue: u16) -> bool {
        venue != 0 && self.venues[usize::from(venue) - 1].simulated
    }

    pub(super) fn trades_simulated(&self, instrument: u32) -> bool {
        self.is_simulated_venue(self.instrument(instrument).terms.venue)
    }

    /// 507 field 148.
    pub(super) fn check_stays_apart(&self, venue: u16, reaches: usize) -> Result<(), Refusal> {
        bound(148, reaches as i128, !self.is_simulated_venue(venue) || reaches == 0)
    }

    /// 439 of one account.
    pub(super) fn check_real(&self, account: u32) -> Result<(), Refusal> {
        check(!self.is_simulated(account), Reject::MoneyIsSimulated, account, 0)
    }

    /// 439 of two.
    pub(super) fn check_one_kind(&self, one: u32, other: u32) -> Result<(), Refusal> {
        let (simulated, real) = if self.is_simulated(one) { (one, other) } else { (other, one) };
        let differ = self.is_simulated(one) != self.is_simulated(other);
        check(!differ, Reject::MoneyIsSimulated, simulated, real)
    }

    /// 439 and 440 of an account on an instrument.
    pub(super) fn check_kind_of_money(&self, account: u32, instrument: u32) -> Result<(), Refusal> {
        let venue = self.instrument(instrument).terms.venue;
        if self.trades_simulated(instrument) {
            return check(self.is_simulated(account), Reject::InstrumentIsSimulated, instrument, venue);
        }
        self.check_real(account)
    }

    /// Who stands against the money of an account.
    pub(super) fn outside_of(&self, account: u32) -> House {
        if self.is_simulated(account) { House::Simulated } else { House::External }
    }

    /// The insurance fund that counts for an account, and its balance as events tell it.
    pub(super) fn insurance_of(&self, account: u32) -> House {
        if self.is_simulated(account) { House::Simulated } else { House::Insurance }
    }

    pub(super) fn told(&self, fund: House) -> i128 {
        if fund == House::Simulated { 0 } else { self.house(fund, SETTLEMENT) }
    }

    /// The same for an instrument, and who gets what rounding leaves there.
    pub(super) fn insurance_and_rounding(&self, instrument: u32) -> [House; 2] {
        if self.trades_simulated(instrument) {
            [House::Simulated; 2]
        } else {
            [House::Insurance, House::Rounding]
        }
    }

    /// Of every asset, what simulated accounts, their pools and what stands against them have adds up to 0.
    pub(super) fn check_worlds_apart(&self) -> Result<(), String> {
        for asset in 1..=self.assets.len() as u32 {
            let mut sum = self.house(House::Simulated, asset);
            for account in 1..=self.accounts.len() as u32 {
                if self.is_simulated(account) {
                    sum += self.total(account, asset);
                }
            }
            let mut seen = 0;
            for id in 1..=self.instruments.len() as u32 {
                if !self.trades_simulated(id) {
                    continue;
                }
                sum += self.house(House::Clearing(id), asset) + self.house(House::Deployer(id), asset);
                if let Kind::Outcome { question, .. } = self.instrument(id).kind
                    && question != seen
                {
                    seen = question;
                    sum += self.house(House::Question(question), asset);
                }
            }
            if sum != 0 {
                return Err(format!("of asset {asset} {sum} atoms went from one world to the other"));
            }
        }
        Ok(())
    }
}
