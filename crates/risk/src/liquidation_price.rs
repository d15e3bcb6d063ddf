//! The price at which a position is due for liquidation (F5).

use xos_units::Price;

/// The first tick, as the mark moves against a position, at which its account is below maintenance; none if no
/// price of the instrument does it. `is_below` says so of a mark, all other marks standing still; a worse mark never
/// makes it false again, because no maintenance rate is above one.
pub fn liquidation_price(
    position_lots: i64,
    price_max: Price,
    is_below: impl Fn(Price) -> bool,
) -> Option<Price> {
    // Bad is the worst price of the range, good the best one.
    let (mut bad, mut good) = if position_lots > 0 { (1, price_max.0 + 1) } else { (price_max.0, 0) };
    if !is_below(Price(bad)) {
        return None;
    }
    while bad.abs_diff(good) > 1 {
        let middle = bad.midpoint(good);
        if is_below(Price(middle)) {
            bad = middle;
        } else {
            good = middle;
        }
    }
    Some(Price(bad))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tiers;
    use xos_units::{Amount, Ppm, Qty, notional};

    /// One lot at 50,000.00 with a tick and an atom of 0.01.
    const MARK: Price = Price(5_000_000);

    #[test]
    fn f5_liquidation_price() {
        // Maintenance 1/80 of notional, equity 5,000: 50,000 - 4,375 / 0.9875 = 45,569.62.
        let tiers = Tiers::one(Ppm(25_000), Ppm(12_500));
        let is_below = |lots: i64| {
            let tiers = tiers.clone();
            move |mark: Price| {
                let equity = Amount(500_000) + notional(mark - MARK, Qty(lots), 1);
                equity.as_requirement() < tiers.maintenance(notional(mark, Qty(lots.abs()), 1))
            }
        };
        assert_eq!(liquidation_price(1, Price(1 << 30), is_below(1)), Some(Price(4_556_962)));
        // Short: 50,000 + 4,375 / 1.0125 = 54,320.99.
        assert_eq!(liquidation_price(-1, Price(1 << 30), is_below(-1)), Some(Price(5_432_099)));
        assert_eq!(liquidation_price(-1, Price(5_432_098), is_below(-1)), None);
        assert_eq!(liquidation_price(1, Price(1 << 30), |_| false), None);
        assert_eq!(liquidation_price(1, Price(90), |_| true), Some(Price(90)));
    }
}
