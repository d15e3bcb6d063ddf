//! The rules of others, for comparison: one account after the other, each closed as far as it goes.

use super::{Candidate, LEVERAGE_PPM_BOUND};
use xos_units::{Amount, Qty, division::ratio_ppm_down};

/// What ranks a position in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Long or short.
    pub long: bool,
    /// Lots x mark.
    pub notional: Amount,
    /// Lots x entry price; above 0.
    pub entry: Amount,
    /// Equity of the account.
    pub equity: Amount,
    /// Equity that the position's bankruptcy leaves: margin behind this position alone.
    pub margin: Amount,
}

impl Standing {
    /// Hyperliquid's rank: (mark / entry) x (notional / equity), in millionths. Its documents give the form of a long; for a
    /// short the first factor is turned round, so that it grows with profit too.
    pub fn profit_times_leverage_ppm(&self) -> i128 {
        let (gained, from) =
            if self.long { (self.notional, self.entry) } else { (self.entry, self.notional) };
        let profit = ratio_ppm_down(gained, from, LEVERAGE_PPM_BOUND);
        let leverage = ratio_ppm_down(self.notional, self.equity, LEVERAGE_PPM_BOUND);
        i128::from(profit) * i128::from(leverage) / 1_000_000
    }

    /// BitMEX's rank, in millionths: profit in parts of entry, times effective leverage if it is a profit, divided by it if a
    /// loss; effective leverage is notional over the distance to bankruptcy.
    pub fn bitmex_ppm(&self) -> i128 {
        let profit = if self.long { self.notional - self.entry } else { self.entry - self.notional };
        let part = i128::from(ratio_ppm_down(profit.abs(), self.entry, LEVERAGE_PPM_BOUND));
        let leverage = i128::from(ratio_ppm_down(self.notional, self.margin, LEVERAGE_PPM_BOUND).max(1));
        if profit >= Amount::ZERO { part * leverage / 1_000_000 } else { -(part * 1_000_000 / leverage) }
    }
}

/// The highest score first, given by place, ties by account, each giving all its capacity until `wanted` is reached.
pub fn queue(wanted: Qty, candidates: &[Candidate], score: impl Fn(usize) -> i128) -> Vec<Qty> {
    let mut order: Vec<_> =
        (0..candidates.len()).map(|at| (-score(at), candidates[at].account, at)).collect();
    order.sort_unstable();
    one_by_one(wanted, candidates, order.into_iter().map(|(_, _, at)| at))
}

/// dYdX's rule: from candidate `start` on, in the order given and round its end, each giving all its capacity.
pub fn random_start(wanted: Qty, candidates: &[Candidate], start: usize) -> Vec<Qty> {
    let count = candidates.len();
    one_by_one(wanted, candidates, (0..count).map(|step| (start + step) % count))
}

fn one_by_one(wanted: Qty, candidates: &[Candidate], order: impl Iterator<Item = usize>) -> Vec<Qty> {
    let mut given = vec![Qty::ZERO; candidates.len()];
    let mut left = wanted;
    for at in order {
        if left == Qty::ZERO {
            break;
        }
        given[at] = candidates[at].capacity.min(left);
        left -= given[at];
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use xos_units::AccountId;

    fn standing(long: bool, notional: i128, entry: i128, equity: i128) -> Standing {
        let (notional, entry) = (Amount(notional), Amount(entry));
        Standing { long, notional, entry, equity: Amount(equity), margin: Amount(equity) }
    }

    #[test]
    fn vector_f10_and_its_mirror() {
        // Long from 100 at mark 110, notional 1,100, equity 500: 1.1 x 2.2.
        assert_eq!(standing(true, 1_100, 1_000, 500).profit_times_leverage_ppm(), 2_420_000);
        assert_eq!(standing(false, 1_000, 1_100, 500).profit_times_leverage_ppm(), 2_200_000);
        assert_eq!(
            standing(true, 1_100, 1_000, 0).profit_times_leverage_ppm(),
            i128::from(LEVERAGE_PPM_BOUND) * 1_100_000 / 1_000_000
        );
    }

    #[test]
    fn bitmex_divides_a_loss_by_leverage() {
        assert_eq!(standing(true, 1_100, 1_000, 500).bitmex_ppm(), 220_000);
        assert_eq!(standing(true, 800, 1_000, 400).bitmex_ppm(), -100_000);
        assert_eq!(standing(false, 800, 1_000, 400).bitmex_ppm(), 400_000);
    }

    #[test]
    fn the_first_gives_everything() {
        let of = |account, capacity| Candidate {
            account: AccountId(account),
            capacity: Qty(capacity),
            leverage_ppm: 1,
        };
        let all = [of(1, 10), of(2, 20), of(3, 30)];
        let lots = |given: Vec<Qty>| given.iter().map(|lots| lots.0).collect::<Vec<_>>();
        assert_eq!(lots(queue(Qty(25), &all, |at| i128::from(at == 1))), [5, 20, 0]);
        assert_eq!(lots(random_start(Qty(25), &all, 2)), [0, 0, 25]);
        assert_eq!(lots(random_start(Qty(45), &all, 2)), [10, 5, 30]);
        assert_eq!(lots(random_start(Qty(99), &all, 1)), [10, 20, 30]);
        assert!(random_start(Qty(1), &[], 0).is_empty());
    }

    proptest! {
        #[test]
        fn queues_conserve_too(capacities in proptest::collection::vec(0i64..1_000, 1..40), wanted in 0i64..30_000, start in any::<prop::sample::Index>()) {
            let all: Vec<Candidate> = capacities.iter().enumerate().map(|(at, &lots)| Candidate {
                account: AccountId(at as u32 + 1), capacity: Qty(lots), leverage_ppm: 1_000_000,
            }).collect();
            let due = wanted.min(capacities.iter().sum());
            let scored = queue(Qty(wanted), &all, |at| at as i128 % 7);
            let started = random_start(Qty(wanted), &all, start.index(all.len()));
            for given in [scored, started] {
                prop_assert_eq!(given.iter().map(|lots| lots.0).sum::<i64>(), due);
                prop_assert!(given.iter().zip(&all).all(|(lots, c)| lots.0 >= 0 && *lots <= c.capacity));
            }
        }
    }
}
