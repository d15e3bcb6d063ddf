//! Margin that grows with size: tiers with continuous deduction (F4), a rate that grows with open interest (F8),
//! and the leverage an account chose.

use xos_units::{Amount, PPM_ONE, Ppm, Requirement, division::ratio_up, widening};

/// One tier: from which notional on, and its rates. `n x rate - deduction` is its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tier {
    from: Amount,
    initial: Ppm,
    maintenance: Ppm,
    initial_deduction: Requirement,
    maintenance_deduction: Requirement,
}

/// Tiers in order of size. Rates never fall from one to the next and requirements are continuous, so a requirement
/// is the greatest of the lines: it is convex, and never less for a larger position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiers {
    tiers: Vec<Tier>,
}

impl Tiers {
    /// One tier for every size.
    pub fn one(initial: Ppm, maintenance: Ppm) -> Self {
        let none = Requirement::ZERO;
        let first = Tier {
            from: Amount::ZERO,
            initial,
            maintenance,
            initial_deduction: none,
            maintenance_deduction: none,
        };
        Self { tiers: vec![first] }
    }

    /// Adds the tier above `from` atoms of notional. Its deduction makes both requirements continuous there:
    /// the deduction below plus `from x (rate - rate below)`.
    pub fn push(&mut self, from: Amount, initial: Ppm, maintenance: Ppm) {
        let below = self.last();
        debug_assert!(from > below.from && initial >= below.initial && maintenance >= below.maintenance);
        let step = |rate: Ppm, below: Ppm| from.times(Ppm(rate.0 - below.0));
        let next = Tier {
            from,
            initial,
            maintenance,
            initial_deduction: below.initial_deduction + step(initial, below.initial),
            maintenance_deduction: below.maintenance_deduction + step(maintenance, below.maintenance),
        };
        self.tiers.push(next);
    }

    fn last(&self) -> Tier {
        *self.tiers.last().expect("there is always one tier")
    }

    fn at(&self, notional: Amount) -> &Tier {
        let above = self.tiers.iter().rposition(|tier| notional > tier.from).unwrap_or(0);
        &self.tiers[above]
    }

    /// Initial requirement of `notional >= 0`.
    pub fn initial(&self, notional: Amount) -> Requirement {
        let tier = self.at(notional);
        notional.times(tier.initial) - tier.initial_deduction
    }

    /// Maintenance requirement of `notional >= 0`.
    pub fn maintenance(&self, notional: Amount) -> Requirement {
        let tier = self.at(notional);
        notional.times(tier.maintenance) - tier.maintenance_deduction
    }

    /// Initial rate of the tier in which `notional` lies.
    pub fn initial_rate(&self, notional: Amount) -> Ppm {
        self.at(notional).initial
    }

    /// Highest leverage that the tier of `notional` allows: `leverage x rate <= 1`.
    pub fn leverage_max(&self, notional: Amount) -> u32 {
        (PPM_ONE / self.initial_rate(notional).0) as u32
    }
}

/// Margin rate of a chosen leverage, rounded up: 1 / leverage. `leverage >= 1`.
pub fn leverage_rate(leverage: u32) -> Ppm {
    Ppm((PPM_ONE as u32).div_ceil(leverage) as i32)
}

/// Open interest between whose bounds the initial rate rises from the first tier's to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenInterestScaling {
    /// Notional up to which nothing changes.
    pub lower: Amount,
    /// Notional from which on a position needs all of its value.
    pub upper: Amount,
}

impl OpenInterestScaling {
    /// F8: `base + (open interest - lower) / (upper - lower) x (1 - base)`, between base and one, rounded up.
    pub fn rate(&self, base: Ppm, open_interest: Amount) -> Ppm {
        if open_interest <= self.lower {
            return base;
        }
        if open_interest >= self.upper {
            return Ppm(PPM_ONE);
        }
        let rise = ratio_up(open_interest - self.lower, self.upper - self.lower, Ppm(PPM_ONE - base.0));
        Ppm(base.0 + rise.0)
    }
}

/// What the initial margin of a position with its orders is asked by.
#[derive(Clone, Copy, Debug)]
pub struct InitialTerms<'a> {
    /// By size.
    pub tiers: &'a Tiers,
    /// The rate of the instrument's open interest; at least the first tier's.
    pub open_interest_rate: Ppm,
    /// The rate of the leverage that the account chose.
    pub chosen_rate: Option<Ppm>,
}

impl InitialTerms<'_> {
    /// The greatest of tier, open interest and chosen leverage.
    pub fn requirement(&self, notional: Amount) -> Requirement {
        let flat = self.chosen_rate.map_or(self.open_interest_rate, |rate| rate.max(self.open_interest_rate));
        self.tiers.initial(notional).max(Requirement(widening(notional.0, i64::from(flat.0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const M: i128 = 1_000_000;

    /// Bitcoin: fortyfold up to 150 million, then twentyfold; maintenance is half of the initial margin.
    fn bitcoin() -> Tiers {
        let mut tiers = Tiers::one(Ppm(25_000), Ppm(12_500));
        tiers.push(Amount(150 * M), Ppm(50_000), Ppm(25_000));
        tiers
    }

    #[test]
    fn f4_deduction_makes_tiers_continuous() {
        let table = [
            (0, 0),
            (100 * M, 1_250_000),
            (150 * M, 1_875_000),
            (150 * M + 40, 1_875_001),
            (200 * M, 3_125_000),
        ];
        for (notional, maintenance) in table {
            assert_eq!(bitcoin().maintenance(Amount(notional)).ceil(), Amount(maintenance), "{notional}");
            assert_eq!(bitcoin().initial(Amount(notional)).ceil(), Amount(2 * maintenance), "{notional}");
        }
        assert_eq!(bitcoin().leverage_max(Amount(150 * M)), 40);
        assert_eq!(bitcoin().leverage_max(Amount(150 * M + 1)), 20);
    }

    #[test]
    fn f8_the_rate_grows_with_open_interest() {
        let scaling = OpenInterestScaling { lower: Amount(20 * M), upper: Amount(50 * M) };
        let table = [
            (0, 50_000),
            (20 * M, 50_000),
            (20 * M + 1, 50_001),
            (35 * M, 525_000),
            (50 * M - 1, 1_000_000),
            (50 * M, 1_000_000),
            (i128::MAX, 1_000_000),
        ];
        for (open_interest, rate) in table {
            assert_eq!(scaling.rate(Ppm(50_000), Amount(open_interest)), Ppm(rate), "{open_interest}");
        }
    }

    #[test]
    fn a_leverage_rounds_its_rate_up() {
        for (leverage, rate) in [(1, 1_000_000), (3, 333_334), (40, 25_000), (1_000_000, 1)] {
            assert_eq!(leverage_rate(leverage), Ppm(rate));
        }
    }

    fn tiers() -> impl Strategy<Value = (Tiers, Vec<i128>)> {
        let rates = (1i32..400_000, 0i32..=100);
        let further = proptest::collection::vec((1i128..1 << 40, 0i32..100_000, 0i32..=100), 0..6);
        (rates, further).prop_map(|((initial, part), further)| {
            let mut last = (0, initial, (initial * part / 100).max(1));
            let mut tiers = Tiers::one(Ppm(last.1), Ppm(last.2));
            let mut bounds = vec![0];
            for (width, more, part) in further {
                let initial = last.1 + more;
                let maintenance = last.2 + (initial - last.2) / 100 * part;
                last = (last.0 + width, initial, maintenance);
                tiers.push(Amount(last.0), Ppm(initial), Ppm(maintenance));
                bounds.push(last.0);
            }
            (tiers, bounds)
        })
    }

    proptest! {
        /// Continuous at every bound, never falling, maintenance never above initial, and merging two accounts'
        /// positions never needs less than they need apart.
        #[test]
        fn tiers_are_continuous_convex_and_ordered((tiers, bounds) in tiers(), a in 0i128..1 << 43, b in 0i128..1 << 43) {
            for requirement in [Tiers::initial, Tiers::maintenance] {
                let at = |notional: i128| requirement(&tiers, Amount(notional));
                for bound in &bounds {
                    let step = at(bound + 1) - at(*bound);
                    prop_assert!(step >= Requirement::ZERO && step <= Amount(1).times(Ppm(PPM_ONE)));
                }
                prop_assert!(at(a.max(b)) >= at(a.min(b)));
                prop_assert!(at(a) + at(b) <= at(a + b));
            }
            prop_assert!(tiers.maintenance(Amount(a)) <= tiers.initial(Amount(a)));
        }

        #[test]
        fn a_chosen_leverage_never_asks_less((tiers, _) in tiers(), n in 0i128..1 << 43, leverage in 1u32..200) {
            let mut terms = InitialTerms { tiers: &tiers, open_interest_rate: Ppm(0), chosen_rate: None };
            let without = terms.requirement(Amount(n));
            terms.chosen_rate = Some(leverage_rate(leverage));
            let with = terms.requirement(Amount(n));
            prop_assert!(with >= without);
            prop_assert!(with.0 * i128::from(leverage) >= n * M);
        }
    }
}
