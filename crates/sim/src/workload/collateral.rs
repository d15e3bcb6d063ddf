//! What the settlement asset and collateral of small worlds declare, right and wrong.

use super::deployments::{Scale, asset};
use crate::rng::Rng;
use xos_protocol::{AssetSpec, CollateralTier, InstrumentSpec};
use xos_units::Amount;

/// The settlement asset, with a limit of debt that accounts of this world reach, or none.
pub(super) fn settlement_asset(rng: &mut Rng, scale: Scale) -> AssetSpec {
    let order = i128::from(scale.k) * i128::from(scale.lot);
    let debt_max = *rng.pick(&[None, Some(0), Some(0), Some(0), Some(order * 20)]);
    let debt_interest_ppm = *rng.pick(&[0, 0, 1, 1_000_000]);
    AssetSpec { debt_max: debt_max.map(Amount), debt_interest_ppm, ..asset(1) }
}

/// One that is refused.
pub(super) fn bad_settlement_asset(rng: &mut Rng) -> AssetSpec {
    match rng.below(2) {
        0 => AssetSpec { debt_max: Some(Amount(*rng.pick(&[-1, 1 << 96]))), ..asset(1) },
        _ => AssetSpec { debt_interest_ppm: *rng.pick(&[-1, 1_000_001]), ..asset(1) },
    }
}

/// Makes one thing wrong in collateral.
pub(super) fn spoil_collateral(rng: &mut Rng, spec: &mut InstrumentSpec) {
    let tier = CollateralTier { up_to_lots: 1, haircut_ppm: 500_000 };
    spec.collateral = vec![tier];
    match rng.below(8) {
        5 => spec.collateral.clear(),
        6.. => spec.conversion_slippage_ppm = Some(*rng.pick(&[-1, 0, 500_000, 500_001])),
        0 => spec.collateral = vec![tier; *rng.pick(&[16, 17])],
        1 => spec.collateral[0].up_to_lots = *rng.pick(&[0, -1, i64::MAX]),
        2 => spec.collateral[0].up_to_lots = spec.terms.position_max_lots + rng.between(0, 1),
        3 => spec.collateral[0].haircut_ppm = *rng.pick(&[-1, 1_000_000, 1_000_001]),
        // One that may be declared a second time, or on a product that has none.
        _ => {}
    }
}
