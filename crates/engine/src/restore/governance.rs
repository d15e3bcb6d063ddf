//! Announced changes, markets that are being closed, and what else governs markets.

use super::source::{Read, Source};
use crate::engine::Engine;
use crate::governance::Governance;
use crate::interest::{Interest, Owed};
use std::collections::BTreeMap;
use xos_ledger::Party;
use xos_units::{Amount, AssetId};

impl Engine {
    pub(super) fn read_governance(&mut self, source: &mut Source) -> Read<()> {
        if self.interest_ppm() > 0 {
            let (hour, hours) = (source.u64("hour of interest")?, source.u32("hours of interest")?);
            let cursor = source.u32("account of interest")?;
            let mut owed = BTreeMap::new();
            for _ in 0..source.count(28, "accounts that owed")? {
                let account = self.read_account(source)?;
                owed.insert(
                    account,
                    Owed { debt: source.amount("debt")?, left: source.u64("part of an atom")? },
                );
            }
            self.interest = Interest { hour, hours, cursor, owed };
        }
        // Without any of it the state ends before.
        if source.at == source.bytes.len() {
            return Ok(());
        }
        self.governance = Governance::of(source.spec("governance")?);
        if !self.knows_what_it_governs() {
            return source.malformed("governance");
        }
        self.refresh_curbs();
        self.refresh_emergencies();
        if !self.governance.state.charges.caps.is_empty() {
            self.heed_caps();
        }
        if !self.governance.state.closed_venues.is_empty() {
            self.admission.restricts = true;
        }
        if !self.governance.state.simulated.is_empty() {
            self.admission.restricts = true;
            for asset in (0..self.assets.len()).map(AssetId::from_index) {
                let against = -self.simulated_money(asset);
                self.restore_house(source, Party::Simulated, asset, against)?;
            }
        }
        let (asset, staked) = self.staked();
        if staked > Amount::ZERO {
            self.restore_house(source, Party::Stakes, asset, staked)?;
        }
        Ok(())
    }
}
