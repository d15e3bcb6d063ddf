//! A position: average-cost accounting in net cost, so that adding never divides.

use xos_units::{Amount, Price, Qty, division::cost_part_up, notional};

/// Lots held, what they cost, and what closing realised so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Signed lots.
    pub lots: i64,
    /// Signed atoms paid for them; negative for a short.
    pub cost: Amount,
    /// Realised since the position was opened.
    pub realised: Amount,
}

/// What a fill closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Lots.
    pub lots: Qty,
    /// Profit; rounded down, the other side of the rounding stays in the cost.
    pub realised: Amount,
}

impl Holding {
    /// A fill of `lots` at `price`: opens, adds, reduces or flips.
    #[inline(always)]
    pub fn fill(&mut self, buy: bool, price: Price, lots: Qty, k: u32) -> Option<Closed> {
        let sign = if buy { 1 } else { -1 };
        let closing = if self.lots.signum() == -sign { lots.min(Qty(self.lots.abs())) } else { Qty::ZERO };
        let closed = (closing.0 > 0).then(|| self.close(notional(price, closing, k), closing));
        let opening = lots - closing;
        if opening.0 > 0 {
            let value = notional(price, opening, k);
            self.cost += if buy { value } else { -value };
            self.lots += sign * opening.0;
        }
        closed
    }

    /// Closes `lots` of the position against `value`.
    #[inline]
    pub fn close(&mut self, value: Amount, lots: Qty) -> Closed {
        let part = cost_part_up(self.cost, lots, Qty(self.lots.abs()));
        self.cost -= part;
        let realised = if self.lots > 0 { value - part } else { -value - part };
        self.lots -= self.lots.signum() * lots.0;
        self.realised += realised;
        Closed { lots, realised }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn open_add_reduce_flip() {
        let mut holding = Holding::default();
        assert_eq!(holding.fill(true, Price(100), Qty(2), 1), None);
        assert_eq!(holding.fill(true, Price(103), Qty(1), 1), None);
        assert_eq!((holding.lots, holding.cost), (3, Amount(303)));
        let closed = holding.fill(false, Price(110), Qty(1), 1).unwrap();
        assert_eq!((closed.lots, closed.realised), (Qty(1), Amount(9)));
        let closed = holding.fill(false, Price(90), Qty(5), 1).unwrap();
        assert_eq!((closed.lots, closed.realised), (Qty(2), Amount(-22)));
        assert_eq!((holding.lots, holding.cost, holding.realised), (-3, Amount(-270), Amount(-13)));
        let closed = holding.fill(true, Price(80), Qty(3), 1).unwrap();
        assert_eq!((closed.realised, holding.cost), (Amount(30), Amount::ZERO));
    }

    proptest! {
        #[test]
        fn value_is_never_made(fills in proptest::collection::vec((any::<bool>(), 1i64..500, 1i64..50), 1..60), last in 1i64..500) {
            let (mut holding, mut paid) = (Holding::default(), Amount::ZERO);
            for (buy, price, lots) in fills {
                holding.fill(buy, Price(price), Qty(lots), 3);
                let value = notional(Price(price), Qty(lots), 3);
                paid += if buy { value } else { -value };
                // Cost and realised profit always add up to what was paid, whatever was rounded between them.
                prop_assert_eq!(holding.cost - holding.realised, paid);
            }
            if holding.lots != 0 {
                let lots = Qty(holding.lots.abs());
                holding.fill(holding.lots < 0, Price(last), lots, 3);
                prop_assert_eq!(holding.cost, Amount::ZERO);
            }
        }
    }
}
