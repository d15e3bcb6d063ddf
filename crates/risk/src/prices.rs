//! Index and mark: weighted medians, moving averages on logged seconds, bands. Ticks in, ticks out; formula F16 of the
//! market systems reference.

use xos_units::{PPM_ONE, Price};

/// Decay of one second in 2^-32: e^(-1/150), for an average of 150 s.
pub const DECAY_150_S: u32 = 4_266_429_413;
/// e^(-1/30), for an average of 30 s.
pub const DECAY_30_S: u32 = 4_154_161_520;
/// A moving average that was not advanced for longer than this begins anew.
pub const EMA_SECONDS_MAX: u64 = 1_800;

/// One second's weight in 2^-32.
const SECOND: i64 = 1 << 32;
/// Below this weight an average says nothing any more.
const WEIGHT_LEAST: i64 = 1 << 16;

/// A price and how much it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quote {
    /// Ticks.
    pub price: Price,
    /// At least 1.
    pub weight: u32,
}

/// The weighted median: the least price with at least half of the weight at or below it; where it is exactly half, the
/// mean of that price and the next higher one, rounded down. Sorts the quotes; none for no quotes.
pub fn weighted_median(quotes: &mut [Quote]) -> Option<Price> {
    quotes.sort_unstable();
    let whole: u64 = quotes.iter().map(|quote| u64::from(quote.weight)).sum();
    let mut below = 0;
    for (at, quote) in quotes.iter().enumerate() {
        below += u64::from(quote.weight);
        if 2 * below > whole {
            return Some(quote.price);
        }
        if 2 * below == whole {
            let next = quotes.get(at + 1).map_or(quote.price, |next| next.price);
            return Some(mean_down(quote.price, next));
        }
    }
    None
}

/// How many quotes are within `deviation_ppm` of the plain median: two that are far apart agree with nobody.
pub fn agreeing(quotes: &[Quote], deviation_ppm: i32) -> usize {
    let mut plain: Vec<Quote> = quotes.iter().map(|quote| Quote { weight: 1, ..*quote }).collect();
    let Some(middle) = weighted_median(&mut plain) else { return 0 };
    quotes.iter().filter(|quote| within(quote.price, middle, deviation_ppm) == quote.price).count()
}

/// The index of fresh quotes: the weighted median, after prices further than `deviation_ppm` from the plain median were
/// moved to that distance.
pub fn index_of(quotes: &mut [Quote], deviation_ppm: i32) -> Option<Price> {
    let mut plain: Vec<Quote> = quotes.iter().map(|quote| Quote { weight: 1, ..*quote }).collect();
    let middle = weighted_median(&mut plain)?;
    for quote in quotes.iter_mut() {
        quote.price = within(quote.price, middle, deviation_ppm);
    }
    weighted_median(quotes)
}

/// A price moved into the band of `ppm` around a middle; the width rounds down.
pub fn within(price: Price, middle: Price, ppm: i32) -> Price {
    let width = width(middle, ppm);
    price.clamp(middle - width, middle + width)
}

/// `ppm` of a price, rounded down.
pub fn width(price: Price, ppm: i32) -> Price {
    let width = i128::from(price.0) * i128::from(ppm) / i128::from(PPM_ONE);
    Price(i64::try_from(width).expect("a part of a price"))
}

/// The mean of two prices, rounded down.
pub fn mean_down(a: Price, b: Price) -> Price {
    Price((a.0 + b.0).div_euclid(2))
}

/// The middle one of three.
pub fn median_of_three(a: Price, b: Price, c: Price) -> Price {
    a.max(b).min(a.min(b).max(c))
}

/// The mark: the median of its components that exist (of two their mean, rounded down), moved into the band around the
/// index and into 1 to `price_max`. `basis` is the average distance of the middle of the book from the index.
pub fn mark_of(
    index: Price,
    basis: Option<Price>,
    own: Option<Price>,
    external: Option<Price>,
    band_ppm: i32,
    price_max: Price,
) -> Price {
    let anchored = index + basis.unwrap_or(Price::ZERO);
    let middle = match (own, external) {
        (Some(own), Some(external)) => median_of_three(anchored, own, external),
        (Some(other), None) | (None, Some(other)) => mean_down(anchored, other),
        (None, None) => anchored,
    };
    within(middle, index, band_ppm).clamp(Price(1), price_max)
}

/// An exponential moving average of ticks over whole seconds: sums of samples and of their weights, both decaying.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ema {
    /// Sum of sample x weight, in 2^-32 ticks.
    pub sum: i128,
    /// Sum of weights, in 2^-32 seconds.
    pub weight: i64,
}

impl Ema {
    /// `seconds` pass, in each of which the sample, if there is one, counts once. Work is bounded by
    /// [`EMA_SECONDS_MAX`].
    pub fn advance(&mut self, seconds: u64, sample: Option<Price>, decay: u32) {
        if seconds > EMA_SECONDS_MAX {
            *self = Self::default();
        }
        for _ in 0..seconds.min(EMA_SECONDS_MAX) {
            self.sum = (self.sum * i128::from(decay)).div_euclid(i128::from(SECOND));
            self.weight = (i128::from(self.weight) * i128::from(decay) / i128::from(SECOND)) as i64;
            if let Some(sample) = sample {
                self.sum += i128::from(sample.0) * i128::from(SECOND);
                self.weight += SECOND;
            }
        }
    }

    /// The average, to the nearest tick, half up; none if nothing was sampled for long.
    pub fn value(&self) -> Option<Price> {
        if self.weight < WEIGHT_LEAST {
            return None;
        }
        let weight = i128::from(self.weight);
        let value = (2 * self.sum + weight).div_euclid(2 * weight);
        Some(Price(i64::try_from(value).expect("an average of ticks")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quotes(of: &[(i64, u32)]) -> Vec<Quote> {
        of.iter().map(|&(price, weight)| Quote { price: Price(price), weight }).collect()
    }

    #[test]
    fn weighted_medians() {
        for (of, median) in [
            (vec![], None),
            (vec![(5, 3)], Some(5)),
            (vec![(10, 1), (13, 1)], Some(11)),
            (vec![(10, 1), (13, 2)], Some(13)),
            (vec![(30, 1), (10, 1), (20, 1)], Some(20)),
            // Half of the weight at 10 exactly: the mean of 10 and 20.
            (vec![(10, 2), (20, 1), (30, 1)], Some(15)),
            // The venue weights of Hyperliquid's oracle: 3, 2, 2, 1, 1, 1, 1, 1 add up to 12.
            (vec![(100, 3), (101, 2), (103, 2), (99, 1), (98, 1), (104, 1), (105, 1), (102, 1)], Some(101)),
        ] {
            assert_eq!(weighted_median(&mut quotes(&of)), median.map(Price), "{of:?}");
        }
    }

    #[test]
    fn a_price_far_from_the_median_is_moved_to_the_limit() {
        // 5 % of 1,000: the liar at 2,000 counts as 1,050 and, with half of the weight, moves the index no further.
        assert_eq!(index_of(&mut quotes(&[(1_000, 1), (1_000, 1), (2_000, 3)]), 50_000), Some(Price(1_050)));
        assert_eq!(index_of(&mut quotes(&[(1_000, 2), (1_001, 2), (999, 1)]), 50_000), Some(Price(1_000)));
        assert_eq!(index_of(&mut [], 50_000), None);
    }

    #[test]
    fn marks() {
        let mark =
            |basis, own, external| mark_of(Price(1_000), basis, own, external, 100_000, Price(1 << 30)).0;
        let some = |ticks| Some(Price(ticks));
        assert_eq!(mark(None, None, None), 1_000);
        assert_eq!(mark(some(4), some(1_010), None), 1_007);
        assert_eq!(mark(some(4), some(1_010), some(990)), 1_004);
        assert_eq!(mark(some(40), some(1_010), some(990)), 1_010);
        assert_eq!(mark(some(400), some(1_500), some(1_600)), 1_100);
        assert_eq!(mark(some(-400), some(500), some(1_600)), 900);
        assert_eq!(mark_of(Price(1_000), None, None, None, 100_000, Price(999)), Price(999));
    }

    #[test]
    fn an_average_of_150_seconds() {
        let mut ema = Ema::default();
        assert_eq!(ema.value(), None);
        ema.advance(1, Some(Price(100)), DECAY_150_S);
        assert_eq!(ema.value(), Some(Price(100)));
        // After 150 s of another value the first seconds count e^-1: 36.8 % of what they did.
        ema.advance(600, Some(Price(0)), DECAY_150_S);
        let mut step = Ema::default();
        step.advance(1_800, Some(Price(0)), DECAY_150_S);
        step.advance(150, Some(Price(10_000)), DECAY_150_S);
        assert_eq!(step.value(), Some(Price(6_321)));
        // Nothing sampled: the value stays, until its weight is gone or the gap too long.
        step.advance(300, None, DECAY_150_S);
        assert_eq!(step.value(), Some(Price(6_321)));
        step.advance(EMA_SECONDS_MAX, None, DECAY_150_S);
        assert!(step.value().is_some());
        step.advance(EMA_SECONDS_MAX + 1, None, DECAY_150_S);
        assert_eq!((step, step.value()), (Ema::default(), None));
    }

    #[test]
    fn constants_are_e_to_the_minus_one_second() {
        // decay^150 = e^-1 = 0.36787944 within a millionth.
        for (decay, seconds) in [(DECAY_150_S, 150), (DECAY_30_S, 30)] {
            let mut power = 1u64 << 32;
            for _ in 0..seconds {
                power = ((u128::from(power) * u128::from(decay)) >> 32) as u64;
            }
            assert!(((power * 100_000_000) >> 32).abs_diff(36_787_944) < 40, "{power}");
        }
    }

    proptest! {
        #[test]
        fn a_median_lies_between_its_prices(of in prop::collection::vec((1i64..1 << 40, 1u32..1_000_000), 1..16), ppm in 1i32..999_999) {
            let (low, high) = (of.iter().map(|q| q.0).min().unwrap(), of.iter().map(|q| q.0).max().unwrap());
            let index = index_of(&mut quotes(&of), ppm).unwrap();
            prop_assert!((low..=high).contains(&index.0));
            let mut turned = quotes(&of);
            turned.reverse();
            prop_assert_eq!(index_of(&mut turned, ppm), Some(index));
        }

        #[test]
        fn seconds_pass_one_by_one_or_together(first in 0i64..1 << 40, sample in 0i64..1 << 40, seconds in 0u64..1_800) {
            let mut together = Ema::default();
            together.advance(3, Some(Price(first)), DECAY_150_S);
            let mut single = together;
            together.advance(seconds, Some(Price(sample)), DECAY_150_S);
            for _ in 0..seconds {
                single.advance(1, Some(Price(sample)), DECAY_150_S);
            }
            prop_assert_eq!(single, together);
            // Sum and weight are each cut to 2^-32 of what they were: of prices near 2^38 ticks that shows.
            let (value, cut) = (together.value().unwrap().0, (first.max(sample) >> 30) + 1);
            prop_assert!((first.min(sample) - cut..=first.max(sample) + cut).contains(&value));
        }
    }
}
