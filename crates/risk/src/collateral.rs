//! Value of an asset as collateral: haircuts in tiers by size, nothing above the last tier.

use xos_units::{Amount, PPM_ONE, Ppm, Price, Qty, division::share_down, notional};

/// Lots up to which a haircut counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Haircut {
    /// Upper bound of the tier, lots.
    pub up_to: Qty,
    /// What is taken off the value of the lots of this tier.
    pub rate: Ppm,
}

/// Value of `lots` at the index price: each tier's part less its haircut, rounded down by tier. Haircuts never fall
/// from tier to tier, so a lot more is never worth more than the lot before it.
pub fn collateral_value(lots: Qty, index: Price, k: u32, tiers: &[Haircut]) -> Amount {
    let (mut value, mut below) = (Amount::ZERO, Qty::ZERO);
    for tier in tiers {
        let part = lots.min(tier.up_to) - below;
        if part <= Qty::ZERO {
            break;
        }
        value += share_down(notional(index, part, k), Ppm(PPM_ONE - tier.rate.0));
        below = tier.up_to;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tiers(rows: &[(i64, i32)]) -> Vec<Haircut> {
        rows.iter().map(|(up_to, rate)| Haircut { up_to: Qty(*up_to), rate: Ppm(*rate) }).collect()
    }

    #[test]
    fn haircuts_by_size_and_a_cap() {
        let tiers = tiers(&[(10, 50_000), (30, 200_000)]);
        let table =
            [(0, 0), (1, 95), (10, 950), (11, 1_030), (30, 2_550), (31, 2_550), (1_000, 2_550), (-3, 0)];
        for (lots, value) in table {
            assert_eq!(collateral_value(Qty(lots), Price(50), 2, &tiers), Amount(value), "{lots} lots");
        }
        assert_eq!(collateral_value(Qty(5), Price(50), 2, &[]), Amount::ZERO);
    }

    proptest! {
        /// Never more than the index says, never less for more lots, and two accounts count at least what one does.
        #[test]
        fn it_is_bounded_monotone_and_never_better_together(
            rows in proptest::collection::vec((1i64..1 << 20, 0i32..300_000), 1..5), a in 0i64..1 << 22, b in 0i64..1 << 22,
            index in 1i64..1 << 30, k in 1u32..1000
        ) {
            let (mut up_to, mut rate) = (0, 0);
            let rows: Vec<_> = rows.into_iter().map(|(more, worse)| {
                (up_to, rate) = (up_to + more, (rate + worse).min(PPM_ONE));
                (up_to, rate)
            }).collect();
            let tiers = tiers(&rows);
            let value = |lots| collateral_value(Qty(lots), Price(index), k, &tiers);
            prop_assert!(value(a) <= notional(Price(index), Qty(a), k));
            prop_assert!(value(a.max(b)) >= value(a.min(b)));
            prop_assert!(value(a) + value(b) + Amount(rows.len() as i128) >= value(a + b));
        }
    }
}
