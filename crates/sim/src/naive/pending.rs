//! Section 19: what makes an account pending, and that nobody below the requirement is missed.

use super::events::Closed;
use super::state::{Kind, Order, World};

impl World {
    fn has_terms_of_liquidation(&self) -> bool {
        (1..=self.instruments.len() as u32).any(|i| self.terms_of_liquidation(i).is_some())
    }

    fn holds_a_perpetual(&self, account: u32) -> bool {
        let mut all = 1..=self.instruments.len() as u32;
        all.any(|i| self.instrument(i).is_perpetual() && self.holding(account, i).position != 0)
    }

    /// Whoever has a position in this perpetual: its mark changed, funding began to be due, or prices came back.
    pub(super) fn look_at_holders_of(&mut self, instrument: u32) {
        if !self.has_terms_of_liquidation() || !self.instrument(instrument).is_perpetual() {
            return;
        }
        for account in 1..=self.accounts.len() as u32 {
            if self.holding(account, instrument).position != 0 {
                self.liquidations.pending.insert(account);
            }
        }
    }

    /// Whoever has some of the asset that this spot instrument makes collateral, and a position: its index changed.
    pub(super) fn look_at_owners_of_base(&mut self, instrument: u32) {
        let Kind::Spot { base, .. } = self.instrument(instrument).kind else { return };
        let is_collateral =
            self.instrument(instrument).spec.as_ref().is_some_and(|s| !s.collateral.is_empty());
        if !is_collateral || !self.has_terms_of_liquidation() {
            return;
        }
        for account in 1..=self.accounts.len() as u32 {
            if self.total(account, base) != 0 && self.holds_a_perpetual(account) {
                self.liquidations.pending.insert(account);
            }
        }
    }

    /// One side of a fill, whose fee is paid and whose lots are moved.
    pub(super) fn look_after_fill(
        &mut self,
        own: &Order,
        other: &Order,
        price: i64,
        fee: i128,
        closed: Option<&Closed>,
    ) {
        let instrument = self.instrument(own.instrument);
        let is_harmed = match instrument.kind {
            Kind::Outcome { .. } => false,
            Kind::Spot { .. } => true,
            Kind::Perpetual { mm_ppm, .. } => {
                let lots = closed.map_or(0, |closed| closed.lots);
                let lost = fee + instrument.value((price - instrument.mark).abs(), lots);
                let freed = instrument.value(instrument.mark, lots) * mm_ppm;
                let breaks_hedge = self.account(own.account).is_scenario;
                let is_costly = lost * 1_000_000 > freed || self.is_silent(own.instrument) || breaks_hedge;
                own.account == other.account || (lots != 0 && is_costly)
            }
        };
        // An order of id 0 is a liquidation's.
        let is_visited = own.id == 0;
        let may_be = self.has_terms_of_liquidation() && self.holds_a_perpetual(own.account);
        if is_harmed && !is_visited && may_be {
            self.liquidations.pending.insert(own.account);
        }
        if !is_visited {
            self.look_at_debt(own.account);
        }
    }

    /// One account, after another margin mode.
    pub(super) fn look_at(&mut self, account: u32) {
        if self.has_terms_of_liquidation() && self.holds_a_perpetual(account) {
            self.liquidations.pending.insert(account);
        }
    }

    /// Nobody below the requirement is missed: he is pending, in liquidation, or his prices are not fresh.
    pub(super) fn check_health(&self) -> Result<(), String> {
        for account in 1..=self.accounts.len() as u32 {
            let is_found = self.liquidations.pending.contains(&account)
                || self.liquidations.next_visits.contains_key(&account)
                || self.waits_for_prices(account);
            if !is_found && self.is_liquidatable(account) {
                return Err(format!("account {account} is below its requirement, and nobody looks"));
            }
        }
        Ok(())
    }
}
