//! Hard bounds above every market, and what deployers may not declare at all.

use crate::engine::Engine;
use crate::step::{Refused, refused};
use xos_protocol::{
    Fees, InstrumentSpec, MarketBounds, MarketKind, Product, QuestionSpec, Reject, VenueSpec,
};
use xos_units::PPM_ONE;

/// Refuses with the number of the field.
fn check(holds: bool, value: impl Into<i128>, field: i128) -> Result<(), Refused> {
    if holds { Ok(()) } else { refused(Reject::OutsideMarketBounds, value, field) }
}

/// The least margin at which no position has more leverage, ppm, rounded up.
fn margin_of(leverage: u32) -> i128 {
    i128::from(PPM_ONE.unsigned_abs().div_ceil(leverage))
}

impl Engine {
    fn market_bounds(&self) -> Option<&MarketBounds> {
        self.governance.state.terms.as_ref().map(|terms| &terms.bounds)
    }

    /// Bounds of a spot instrument or a perpetual.
    pub(crate) fn check_market_bounds(&self, spec: &InstrumentSpec) -> Result<(), Refused> {
        let Some(bounds) = self.market_bounds() else { return Ok(()) };
        self.check_fee_bound(Some(&spec.terms.fees))?;
        let Product::Perpetual { initial_margin_ppm: initial, maintenance_margin_ppm: maintenance } =
            spec.product
        else {
            return Ok(());
        };
        let leverage = bounds.leverage_max;
        check(leverage == 0 || i128::from(initial) >= margin_of(leverage), initial, 16)?;
        check(maintenance >= bounds.maintenance_ppm_min, maintenance, 17)?;
        let (band, widest) = (spec.terms.band_ppm, bounds.band_ppm_max);
        check(widest == 0 || (1..=widest).contains(&band), band, 10)?;
        if let Some(oracle) = &spec.oracle {
            let widest = bounds.mark_band_ppm_max;
            check(widest == 0 || oracle.mark_band_ppm <= widest, oracle.mark_band_ppm, 40)?;
        }
        let sources = spec.oracle.as_ref().map_or(0, |oracle| oracle.sources_min);
        check(sources >= bounds.sources_min, sources, 35)?;
        let cap = spec.funding.as_ref().map_or(0, |funding| funding.cap);
        check(bounds.funding_cap_max == 0 || cap <= bounds.funding_cap_max, cap, 46)
    }

    /// The bound of fees, their ceiling included.
    pub(crate) fn check_fee_bound(&self, fees: Option<&Fees>) -> Result<(), Refused> {
        match (self.market_bounds(), fees) {
            (Some(bounds), Some(fees)) => {
                let most = bounds.fee_ppm_max;
                check(most == 0 || fees.highest_ppm() <= most, fees.highest_ppm(), 11)
            }
            _ => Ok(()),
        }
    }

    /// What is for the operator and for governance: collateral, a perpetual that nobody liquidates, the insurance fund beyond
    /// its bound, somebody else's tranche.
    pub(super) fn check_of_deployer(&self, account: u32, spec: &InstrumentSpec) -> Result<(), Refused> {
        if !spec.collateral.is_empty() {
            return refused(Reject::NotForDeployers, account, 58);
        }
        if matches!(spec.product, Product::Perpetual { .. }) && spec.liquidation.is_none() {
            return refused(Reject::NotForDeployers, account, 71);
        }
        let draw_max = self.market_bounds().map(|bounds| bounds.insurance_draw_max).unwrap_or_default();
        let Some(liquidation) = &spec.liquidation else { return Ok(()) };
        if liquidation.insurance_draw_max > draw_max {
            return refused(Reject::NotForDeployers, account, 77);
        }
        if liquidation.tranche.as_ref().is_some_and(|tranche| tranche.account != account) {
            return refused(Reject::NotForDeployers, account, 78);
        }
        Ok(())
    }

    /// A new perpetual of a deployer takes orders of isolated accounts only.
    pub(super) fn check_new_of_deployer(&self, account: u32, spec: &InstrumentSpec) -> Result<(), Refused> {
        self.check_isolated_start(account, spec)?;
        self.check_own_venue(account, spec.terms.venue)
    }

    /// What is new starts isolated, and reaches nothing beyond its own market.
    pub(super) fn check_isolated_start(&self, account: u32, spec: &InstrumentSpec) -> Result<(), Refused> {
        if matches!(spec.product, Product::Perpetual { .. }) && !spec.isolated_only {
            return refused(Reject::NotForDeployers, account, 62);
        }
        self.check_of_deployer(account, spec)
    }

    /// What a deployer brings for one venue alone is for a venue that it brought.
    fn check_own_venue(&self, account: u32, venue: u16) -> Result<(), Refused> {
        let mut markets = self.governance.state.markets.iter();
        let is_own = markets.any(|market| {
            let of = (market.account, market.kind, market.target);
            of == (account, MarketKind::Venue, venue.into())
        });
        if venue != 0 && !is_own {
            return refused(Reject::NotForDeployers, account, 142);
        }
        Ok(())
    }

    /// A venue of a deployer gives no rebates: they would be paid out of what takers of other venues owe to others.
    pub(super) fn check_venue_of_deployer(&self, account: u32, spec: &VenueSpec) -> Result<(), Refused> {
        let rates = spec.fees.iter().map(|fees| fees.maker_ppm);
        if rates.chain(spec.tiers.iter().map(|tier| tier.maker_ppm)).any(|rate| rate < 0) {
            return refused(Reject::NotForDeployers, account, 12);
        }
        Ok(())
    }

    /// A question of a deployer offsets nothing.
    pub(super) fn check_question_of_deployer(
        &self,
        account: u32,
        spec: &QuestionSpec,
    ) -> Result<(), Refused> {
        self.check_link_of_deployer(account, spec)?;
        self.check_own_venue(account, spec.terms.venue)
    }

    pub(super) fn check_link_of_deployer(&self, account: u32, spec: &QuestionSpec) -> Result<(), Refused> {
        if spec.link.is_some() { refused(Reject::NotForDeployers, account, 188) } else { Ok(()) }
    }
}
