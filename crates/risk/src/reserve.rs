//! Fees and the reserves that cover them.

use xos_units::{Amount, Ppm, Price, Qty, division, notional};

/// What the mathematics needs to know of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeTerms {
    /// Ticks of one unit.
    pub ticks_per_unit: i64,
}

const ONE_LOT: Qty = Qty(1);

/// Base of the fee of a fill. For an outcome the smaller of what the two sides put up, so that buying YES and
/// selling NO cost the same and a fee never exceeds the smaller leg.
#[inline(always)]
pub fn fee_base(outcome: Option<OutcomeTerms>, price: Price, lots: Qty, k: u32) -> Amount {
    let ticks = match outcome {
        None => price,
        Some(terms) => price.min(Price(terms.ticks_per_unit) - price),
    };
    notional(ticks, lots, k)
}

/// Taker fee and maker fee of a fill; a negative maker fee is a rebate, never above the taker fee.
#[inline(always)]
pub fn fees_of_fill(base: Amount, taker: Ppm, maker: Ppm) -> (Amount, Amount) {
    let taker_fee = division::fee_up(base, taker);
    let maker_fee = if maker.0 >= 0 {
        division::fee_up(base, maker)
    } else {
        -division::share_down(base, Ppm(-maker.0)).min(taker_fee)
    };
    (taker_fee, maker_fee)
}

/// Reserve of one lot of an order of a perpetual (the fee) or an outcome (what it can lose, with the fee); of a
/// spot buy what it pays, with the fee. A spot sell reserves base atoms instead.
#[inline(always)]
pub fn reserve_per_lot(
    outcome: Option<OutcomeTerms>,
    pays_notional: bool,
    buy: bool,
    price: Price,
    k: u32,
    rate: Ppm,
) -> Amount {
    let Some(terms) = outcome else {
        let value = notional(price, ONE_LOT, k);
        let fee = division::fee_up(value, rate);
        return if pays_notional { value + fee } else { fee };
    };
    let unit = Price(terms.ticks_per_unit);
    let at_risk = if buy { price } else { unit - price };
    let fee_ticks = at_risk.min(Price(terms.ticks_per_unit / 2));
    notional(at_risk, ONE_LOT, k) + division::fee_up(notional(fee_ticks, ONE_LOT, k), rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rebates_stop_at_the_taker_fee() {
        assert_eq!(fees_of_fill(Amount(1_000_000), Ppm(500), Ppm(-200)), (Amount(500), Amount(-200)));
        assert_eq!(fees_of_fill(Amount(1_000_000), Ppm(100), Ppm(-200)), (Amount(100), Amount(-100)));
        assert_eq!(fees_of_fill(Amount(1), Ppm(1), Ppm(1)), (Amount(1), Amount(1)));
    }

    proptest! {
        /// Whoever cuts a fill into many pays no less for it and is given no more, whatever the parts.
        #[test]
        fn a_fill_cut_into_parts_costs_no_less(
            parts in proptest::collection::vec(1i128..1_000_000_000, 1..20), taker in 0i32..100_001, maker in -100_000i32..100_001
        ) {
            let (taker, maker) = (Ppm(taker), Ppm(maker.max(-taker)));
            let whole = fees_of_fill(Amount(parts.iter().sum()), taker, maker);
            let (mut taken, mut made) = (Amount::ZERO, Amount::ZERO);
            for part in parts {
                let (taker_fee, maker_fee) = fees_of_fill(Amount(part), taker, maker);
                prop_assert!(taker_fee + maker_fee >= Amount::ZERO);
                taken += taker_fee;
                made += maker_fee;
            }
            prop_assert!(taken >= whole.0 && made >= whole.1 && taken + made >= whole.0 + whole.1);
        }

        /// However an order is cut into fills, and at whatever better prices, its reserve covers them.
        #[test]
        fn a_reserve_covers_any_way_to_fill(
            unit in 2i64..1_000, at in 0i64..1_000_000, k in 1u32..1_000, rate in 0i32..100_000,
            fills in proptest::collection::vec((1i64..20, 0i64..1_000_000), 1..12), buy in any::<bool>()
        ) {
            let limit = 1 + at % (unit - 1);
            let terms = Some(OutcomeTerms { ticks_per_unit: unit });
            let lots: i64 = fills.iter().map(|(lots, _)| lots).sum();
            let reserve = reserve_per_lot(terms, true, buy, Price(limit), k, Ppm(rate)).times_lots(Qty(lots));
            let mut paid = Amount::ZERO;
            for (lots, better) in fills {
                let price = if buy { 1 + better % limit } else { limit + better % (unit - limit) };
                let leg = if buy { price } else { unit - price };
                paid += notional(Price(leg), Qty(lots), k);
                let base = fee_base(terms, Price(price), Qty(lots), k);
                let fee = division::fee_up(base, Ppm(rate));
                prop_assert!(fee <= notional(Price(price.min(unit - price)), Qty(lots), k));
                paid += fee;
            }
            prop_assert!(paid <= reserve, "{} > {}", paid.0, reserve.0);
        }
    }
}
