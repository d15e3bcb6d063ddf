//! Funding: premium, rate and payment. Formulas F1 and F2 of the market systems reference; rates in 1e-12.

use xos_units::{Amount, Price, RATE_ONE, Rate, funding_down};

/// What filling a notional against one side of a book costs: value and lots of the fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impact {
    /// Ticks x lots of what was filled.
    pub value: i128,
    /// Lots filled.
    pub lots: i128,
}

/// Walks levels (ticks, lots), best first, until `notional` atoms are filled; the last level gives as many lots as are
/// needed, rounded up. None if the levels end before.
pub fn impact_of(levels: impl Iterator<Item = (Price, u128)>, notional: Amount, k: u32) -> Option<Impact> {
    let (mut left, mut filled) = (notional.0, Impact { value: 0, lots: 0 });
    for (price, lots) in levels {
        let per_lot = i128::from(price.0) * i128::from(k);
        let wanted = (left + per_lot - 1) / per_lot;
        let taken = i128::try_from(lots).unwrap_or(i128::MAX).min(wanted);
        filled.value += i128::from(price.0) * taken;
        filled.lots += taken;
        left -= per_lot * taken;
        if left <= 0 {
            return Some(filled);
        }
    }
    None
}

/// Premium of the book over the index (F2), in whole ones from -1 to 1:
/// (max(impact bid - index, 0) - max(index - impact ask, 0)) / index. A side that cannot fill the notional gives 0.
pub fn premium(index: Price, bid: Option<Impact>, ask: Option<Impact>) -> Rate {
    let one = i128::from(RATE_ONE);
    // Average price / index, in 1e-12, rounded down.
    let ratio = |impact: Impact| impact.value * one / (impact.lots * i128::from(index.0));
    let above = bid.map_or(0, |bid| (ratio(bid) - one).max(0));
    let below = ask.map_or(0, |ask| (one - ratio(ask)).max(0));
    Rate((above - below).clamp(-one, one) as i64)
}

/// The terms of a funding rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingTerms {
    /// Hours between two payments: 1, 4 or 8.
    pub interval_h: u8,
    /// Interest for 8 hours.
    pub interest: Rate,
    /// How far interest less premium counts.
    pub clamp: Rate,
    /// Most of a rate for an interval.
    pub cap: Rate,
}

/// The rate of an interval (F1): for 8 hours premium + clamp(interest - premium), scaled to the interval and rounded
/// towards zero, capped.
pub fn funding_rate(premium: Rate, terms: &FundingTerms) -> Rate {
    let (clamp, cap) = (terms.clamp.0, terms.cap.0);
    let eight_hours = premium.0 + (terms.interest.0 - premium.0).clamp(-clamp, clamp);
    Rate((eight_hours * i64::from(terms.interval_h) / 8).clamp(-cap, cap))
}

/// What funding moves to an account (negative: from it): -(lots x index x k x rate), rounded down to the atom, so that
/// a payer pays up to the next atom and a receiver receives down.
#[inline]
pub fn payment(lots: i64, index: Price, k: u32, rate: Rate) -> Amount {
    funding_down(lots, index, k, rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PERCENT: i64 = RATE_ONE / 100;

    fn terms(interval_h: u8) -> FundingTerms {
        FundingTerms {
            interval_h,
            interest: Rate(PERCENT / 100),
            clamp: Rate(PERCENT / 20),
            cap: Rate(4 * PERCENT),
        }
    }

    fn at(price: i64) -> Option<Impact> {
        Some(Impact { value: i128::from(price) * 7, lots: 7 })
    }

    #[test]
    fn f1_rate() {
        // Impact bid 10,100 over 10,000: premium 1 %, rate of 8 h 0.95 %, hourly 0.11875 %.
        let premium = premium(Price(10_000), at(10_100), None);
        assert_eq!(premium, Rate(PERCENT));
        assert_eq!(funding_rate(premium, &terms(8)), Rate(95 * PERCENT / 100));
        assert_eq!(funding_rate(premium, &terms(4)), Rate(475 * PERCENT / 1_000));
        assert_eq!(funding_rate(premium, &terms(1)), Rate(11_875 * PERCENT / 100_000));
        // Inside the clamp the rate is the interest; far outside it meets the cap.
        assert_eq!(funding_rate(Rate(0), &terms(8)), Rate(PERCENT / 100));
        assert_eq!(funding_rate(Rate(50 * PERCENT), &terms(8)), Rate(4 * PERCENT));
        assert_eq!(funding_rate(Rate(-50 * PERCENT), &terms(8)), Rate(-4 * PERCENT));
    }

    #[test]
    fn f2_premium() {
        for (bid, ask, percent) in [(99, 101, 0), (101, 102, 1), (97, 98, -2)] {
            assert_eq!(premium(Price(100), at(bid), at(ask)), Rate(percent * PERCENT));
        }
        assert_eq!(premium(Price(100), None, None), Rate(0));
        assert_eq!(premium(Price(1), at(1 << 39), None), Rate(RATE_ONE));
        assert_eq!(premium(Price(1 << 39), None, at(1)), Rate(1 - RATE_ONE));
    }

    #[test]
    fn impact_walks_the_book() {
        let levels = [(Price(100), 5u128), (Price(90), 10)];
        let walk = |notional| impact_of(levels.into_iter(), Amount(notional), 2);
        assert_eq!(walk(1_000), Some(Impact { value: 500, lots: 5 }));
        assert_eq!(walk(999), Some(Impact { value: 500, lots: 5 }));
        assert_eq!(walk(1_001), Some(Impact { value: 590, lots: 6 }));
        assert_eq!(walk(2_800), Some(Impact { value: 1_400, lots: 15 }));
        assert_eq!(walk(2_801), None);
    }

    #[test]
    fn the_payer_pays_up_and_the_receiver_receives_down() {
        let rate = Rate(RATE_ONE / 3);
        assert_eq!(payment(1, Price(10), 1, rate), Amount(-4));
        assert_eq!(payment(-1, Price(10), 1, rate), Amount(3));
        assert_eq!(payment(1, Price(10), 1, Rate(-rate.0)), Amount(3));
        assert_eq!(payment(0, Price(10), 1, rate), Amount(0));
        let most = payment((1 << 40) - 1, Price((1 << 40) - 1), u32::MAX, Rate(RATE_ONE / 10));
        assert!(most.0 < 0 && most.0 > -(1 << 109));
    }

    proptest! {
        #[test]
        fn nothing_is_made(lots in prop::collection::vec(1i64..1 << 40, 1..30), index in 1i64..1 << 40, k in 1u32.., rate in -100_000_000_000i64..100_000_000_000) {
            // Everybody long against one account that is short all of it.
            let short: i64 = lots.iter().sum();
            let sum: i128 = lots.iter().map(|&lots| payment(lots, Price(index), k, Rate(rate)).0).sum();
            let left = -(sum + payment(-short, Price(index), k, Rate(rate)).0);
            prop_assert!(left >= 0 && left <= lots.len() as i128, "{left}");
        }
    }
}
