//! Prices at which a position may be closed in a liquidation. Sources: the zero price of Lighter and the bankruptcy
//! and fillable prices of dYdX v4, which are one formula under two names.

use xos_units::{Amount, Ppm, Price, Qty, Requirement, division, notional};

/// A position of an account that is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Signed lots; not 0.
    pub lots: i64,
    /// Mark price.
    pub mark: Price,
    /// Quote atoms of a tick of a lot.
    pub k: u32,
    /// Maintenance requirement of this position.
    pub maintenance: Requirement,
    /// Maintenance requirement of the whole account, this position included; above 0.
    pub account_maintenance: Requirement,
}

impl Closing {
    /// The price at which closing the whole position uses up its share of the account's equity, the share being that of
    /// its maintenance requirement: mark less (long) or plus (short) equity x share / lots. Rounded in favour of
    /// whoever would pay a debt: up for a long, which sells, and down for a short, which buys. Not bounded: it may lie at or
    /// below 0, where no price saves the account, or beyond any tick.
    pub fn bankruptcy_ticks(&self, equity: Amount) -> i128 {
        self.ticks_for(division::portion_down(equity, self.maintenance.0, self.account_maintenance.0))
    }

    /// The bankruptcy price within `1 ..= most`.
    pub fn bankruptcy_price(&self, equity: Amount, most: Price) -> Price {
        let ticks = self.bankruptcy_ticks(equity).clamp(1, i128::from(most.0));
        Price(i64::try_from(ticks).expect("clamped to a price"))
    }

    /// The price that a liquidation order asks for while the account is not bankrupt (dYdX's fillable price): mark less
    /// `spread x (1 - equity / maintenance) x` the position's own maintenance requirement, for a short plus. The first
    /// factor is 0 for an account at its requirement and `spread` for a bankrupt one.
    pub fn fillable_ticks(&self, equity: Amount, spread: Ppm) -> i128 {
        let short = self.account_maintenance - equity.as_requirement();
        let short = short.0.clamp(0, self.account_maintenance.0);
        let own = self.maintenance.ceil();
        let full = division::share_down(own, spread);
        let past_the_whole = division::portion_down(full, short, self.account_maintenance.0);
        self.ticks_for(past_the_whole)
    }

    /// Mark moved against the position until the whole of it has lost `loss`.
    fn ticks_for(&self, loss: Amount) -> i128 {
        let lots = Qty(self.lots.abs());
        let value = notional(self.mark, lots, self.k);
        if self.lots > 0 {
            division::ticks_of_value(value - loss, lots, self.k, true)
        } else {
            division::ticks_of_value(value + loss, lots, self.k, false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: i128 = 1_000_000;

    fn closing(lots: i64, mark: i64, maintenance: i128, all: i128) -> Closing {
        Closing {
            lots,
            mark: Price(mark),
            k: 1,
            maintenance: Requirement(maintenance * ONE),
            account_maintenance: Requirement(all * ONE),
        }
    }

    #[test]
    fn vectors_f6_and_f7() {
        // One at 50,000, maintenance 1,500, equity 750.
        let long = closing(1, 50_000, 1_500, 1_500);
        assert_eq!(long.bankruptcy_ticks(Amount(750)), 49_250);
        // Adjustment 1, spread to maintenance 150 %: half of 2,250.
        assert_eq!(long.fillable_ticks(Amount(750), Ppm(1_500_000)), 48_875);
        let short = closing(-1, 50_000, 1_500, 1_500);
        assert_eq!(short.bankruptcy_ticks(Amount(750)), 50_750);
        assert_eq!(short.fillable_ticks(Amount(750), Ppm(1_500_000)), 51_125);
        assert_eq!(long.fillable_ticks(Amount(1_500), Ppm(1_500_000)), 50_000);
        assert_eq!(long.fillable_ticks(Amount(-9), Ppm(1_500_000)), 47_750);
    }

    #[test]
    fn a_deficit_moves_the_price_past_the_mark_and_rounding_never_leaves_a_debt() {
        assert_eq!(closing(3, 100, 10, 10).bankruptcy_ticks(Amount(-4)), 102);
        assert_eq!(closing(-3, 100, 10, 10).bankruptcy_ticks(Amount(-4)), 98);
        assert_eq!(closing(-1, 100, 10, 10).bankruptcy_ticks(Amount(-400)), -300);
        assert_eq!(closing(-1, 100, 10, 10).bankruptcy_price(Amount(-400), Price(1_000)), Price(1));
        assert_eq!(closing(1, 100, 10, 10).bankruptcy_price(Amount(-4_000), Price(1_000)), Price(1_000));
        // A third of the equity belongs to this position.
        assert_eq!(closing(1, 100, 10, 30).bankruptcy_ticks(Amount(60)), 80);
    }

    proptest! {
        /// Closing everything at the bankruptcy prices leaves no debt, and less than a tick of each lot over.
        #[test]
        fn all_positions_at_their_prices_use_up_the_equity(
            positions in proptest::collection::vec((1i64..1_000, any::<bool>(), 1i64..100_000, 1i128..10_000), 1..8),
            equity in -1_000_000i128..1_000_000
        ) {
            let all: i128 = positions.iter().map(|p| p.3).sum();
            let mut left = Amount(equity);
            let mut lots_of_all = 0;
            for &(lots, long, mark, maintenance) in &positions {
                let lots = if long { lots } else { -lots };
                let price = closing(lots, mark, maintenance, all).bankruptcy_ticks(Amount(equity));
                left += Amount((price - i128::from(mark)) * i128::from(lots));
                lots_of_all += i128::from(lots.abs());
            }
            prop_assert!(left.0 >= 0, "{} is owed", -left.0);
            prop_assert!(left.0 <= lots_of_all + positions.len() as i128);
        }
    }
}
