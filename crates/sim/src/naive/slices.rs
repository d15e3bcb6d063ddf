//! Section 19, rung 3: which position is reduced, and by how many lots.

use super::events::Cause;
use super::money::fee_up;
use super::state::World;
use xos_protocol::LiquidationPolicy;

impl World {
    /// Instrument and lots of the first order.
    pub(super) fn chosen_slice(&self, cause: &Cause, account: u32) -> Option<(u32, i64)> {
        if self.standing(account).is_scenario {
            let (_, instrument, lots) = self.least_requirement(cause, account, 0)?;
            return Some((instrument, lots));
        }
        let instrument = *self.workable(account).first()?;
        let lots = self.slice_of(cause, account, instrument);
        if lots > 0 { Some((instrument, lots)) } else { None }
    }

    /// Of the second one, after one on `instrument`: only in scenario mode.
    pub(super) fn chosen_after(&self, cause: &Cause, account: u32, instrument: u32) -> Option<(u32, i64)> {
        if !self.standing(account).is_scenario {
            return None;
        }
        let (required, other, lots) = self.least_requirement(cause, account, instrument)?;
        if required < self.health(account).required { Some((other, lots)) } else { None }
    }

    /// The requirement without the slice of each position but one, the least of them with its instrument and lots.
    fn least_requirement(&self, cause: &Cause, account: u32, but: u32) -> Option<(i128, u32, i64)> {
        let mut least: Option<(i128, u32, i64)> = None;
        for instrument in self.workable(account) {
            let lots = self.slice_of(cause, account, instrument);
            if instrument == but || lots == 0 {
                continue;
            }
            let mut standing = self.standing(account);
            let holding = standing.holdings.get_mut(&instrument).expect("it has a position");
            holding.position -= holding.position.signum() * lots;
            let required = self.maintenance_millionths(&standing);
            if least.is_none_or(|(before, ..)| required < before) {
                least = Some((required, instrument, lots));
            }
        }
        least
    }

    /// q
    fn slice_of(&self, cause: &Cause, account: u32, instrument: u32) -> i64 {
        let terms = self.terms_of_liquidation(instrument).expect("closable");
        let position = self.holding(account, instrument).position.abs();
        let market = self.instrument(instrument);
        if market.value(market.mark, position) <= terms.full_below.0 {
            return position;
        }
        match terms.policy {
            LiquidationPolicy::Full => position,
            LiquidationPolicy::Ladder => fee_up(position.into(), terms.slice_ppm) as i64,
            LiquidationPolicy::Growing => self.lots_due(cause, account, instrument, self.health(account)),
        }
    }
}
