//! Deleveraging in proportion to capacity and leverage.

use super::Candidate;
use xos_units::{Qty, division::proportion_down};

/// Divides `wanted` lots: each candidate gives in proportion to capacity x min(leverage, `leverage_max_ppm`), none more
/// than its capacity; what a full candidate cannot give, the others give in the same proportions (water-filling). Whole lots
/// go by the largest remainder, ties to the smaller account. Gives the lots of each candidate in their order; they add up to
/// `wanted`, or to all the capacity where that is less. The order of the candidates changes nothing.
///
/// Each gives its exact share rounded down or up, so nobody is off by a lot. More leverage never gives less. Asking for
/// more can take one lot less from a candidate, whose remainder then loses to two others: the Alabama paradox, which every
/// division by largest remainders has. A round of deleveraging asks once for all its lots, so nobody can choose the total.
pub fn pro_rata(wanted: Qty, candidates: &[Candidate], leverage_max_ppm: i64) -> Vec<Qty> {
    let mut given = vec![Qty::ZERO; candidates.len()];
    let leverage = |at: usize| candidates[at].leverage_ppm.clamp(1, leverage_max_ppm);
    let weight = |at: usize| i128::from(candidates[at].capacity.0) * i128::from(leverage(at));
    let mut order: Vec<usize> = (0..candidates.len()).filter(|&at| candidates[at].capacity.0 > 0).collect();
    let mut weights: i128 = order.iter().map(|&at| weight(at)).sum();
    let mut left = wanted;
    let mut full = 0;
    // A candidate is full where (lots left) x leverage reaches (weight left): the highest leverage fills first.
    let fills = |left: Qty, top: i64, weights: i128| i128::from(left.0) * i128::from(top) >= weights;
    let highest = order.iter().map(|&at| leverage(at)).max().unwrap_or(0);
    if fills(left, highest, weights) {
        order.sort_unstable_by_key(|&at| (-leverage(at), candidates[at].account));
    }
    while full < order.len() {
        let top = if full == 0 { highest } else { leverage(order[full]) };
        if !fills(left, top, weights) {
            break;
        }
        while full < order.len() && leverage(order[full]) == top {
            let at = order[full];
            given[at] = candidates[at].capacity.min(left);
            left -= given[at];
            weights -= weight(at);
            full += 1;
        }
    }
    let rest = &order[full..];
    if left == Qty::ZERO || rest.is_empty() {
        return given;
    }
    let mut remainders = Vec::with_capacity(rest.len());
    let whole = left;
    for &at in rest {
        let (lots, remainder) = proportion_down(whole, weight(at), weights);
        given[at] = lots;
        left -= lots;
        remainders.push((-remainder, candidates[at].account, at));
    }
    // Fewer lots are left than there are candidates with a remainder.
    let seats = usize::try_from(left.0).expect("remainders add up to whole lots");
    if seats > 0 {
        remainders.select_nth_unstable(seats - 1);
        for &(_, _, at) in &remainders[..seats] {
            given[at] += Qty(1);
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adl::LEVERAGE_PPM_BOUND;
    use proptest::prelude::*;
    use xos_units::AccountId;

    fn of(account: u32, capacity: i64, leverage: i64) -> Candidate {
        Candidate { account: AccountId(account), capacity: Qty(capacity), leverage_ppm: leverage * 1_000_000 }
    }

    fn lots(given: &[Qty]) -> Vec<i64> {
        given.iter().map(|lots| lots.0).collect()
    }

    #[test]
    fn vectors() {
        let most = LEVERAGE_PPM_BOUND;
        // Equal leverage: by size. 10 of 100, 30, 70: 5, 1.5, 3.5; the tie of the halves goes to the smaller account.
        let even = [of(1, 100, 1), of(2, 30, 1), of(3, 70, 1)];
        assert_eq!(lots(&pro_rata(Qty(10), &even, most)), [5, 2, 3]);
        // Twice the leverage weighs twice: 100 x 2, 100 x 1.
        assert_eq!(lots(&pro_rata(Qty(30), &[of(1, 100, 2), of(2, 100, 1)], most)), [20, 10]);
        // The cap on leverage.
        assert_eq!(lots(&pro_rata(Qty(30), &[of(1, 100, 50), of(2, 100, 10)], 10_000_000)), [15, 15]);
        // Water-filling: by weight the first would give 90 of 120; it has 20, so the others give 100 by size.
        let uneven = [of(1, 20, 9), of(2, 30, 1), of(3, 90, 1)];
        assert_eq!(lots(&pro_rata(Qty(120), &uneven, most)), [20, 25, 75]);
        // More than there is, nothing, and nobody.
        assert_eq!(lots(&pro_rata(Qty(999), &uneven, most)), [20, 30, 90]);
        assert_eq!(lots(&pro_rata(Qty(0), &uneven, most)), [0, 0, 0]);
        assert_eq!(lots(&pro_rata(Qty(5), &[of(1, 0, 3)], most)), [0]);
        assert!(pro_rata(Qty(5), &[], most).is_empty());
    }

    /// The least counterexample to "asking for more never takes less": 10 of 6, 6 and 2 are 4.29, 4.29 and 1.43; 11 are
    /// 4.71, 4.71 and 1.57.
    #[test]
    fn the_alabama_paradox_is_one_lot() {
        let all = [of(1, 6, 1), of(2, 6, 1), of(3, 2, 1)];
        let of_wanted = |wanted| lots(&pro_rata(Qty(wanted), &all, LEVERAGE_PPM_BOUND));
        assert_eq!(
            (of_wanted(10), of_wanted(11), of_wanted(12)),
            (vec![4, 4, 2], vec![5, 5, 1], vec![5, 5, 2])
        );
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let one = (0i64..5_000, prop_oneof![Just(1_000_000i64), 1i64..200_000_000]);
        proptest::collection::vec(one, 1..60).prop_map(|all| {
            let numbered = all.into_iter().enumerate();
            let build = |(at, (capacity, leverage_ppm)): (usize, (i64, i64))| Candidate {
                account: AccountId(2 * at as u32 + 1),
                capacity: Qty(capacity),
                leverage_ppm,
            };
            numbered.map(build).collect()
        })
    }

    proptest! {
        #[test]
        fn it_conserves_and_nobody_flips_and_flat_pays_nothing(all in candidates(), wanted in 0i64..200_000) {
            let given = pro_rata(Qty(wanted), &all, LEVERAGE_PPM_BOUND);
            let capacity: i64 = all.iter().map(|c| c.capacity.0).sum();
            prop_assert_eq!(given.iter().map(|lots| lots.0).sum::<i64>(), wanted.min(capacity));
            for (lots, candidate) in given.iter().zip(&all) {
                prop_assert!(lots.0 >= 0 && *lots <= candidate.capacity);
            }
        }

        /// There is a level that explains every share to within one lot: who is not full stands at it, who is full below or at it.
        #[test]
        fn each_is_within_one_lot_of_its_exact_share(all in candidates(), wanted in 1i64..100_000) {
            let given = pro_rata(Qty(wanted), &all, LEVERAGE_PPM_BOUND);
            let weight = |c: &Candidate| i128::from(c.capacity.0) * i128::from(c.leverage_ppm);
            let both = || given.iter().zip(&all).filter(|(_, c)| c.capacity.0 > 0);
            for (low, c) in both() {
                for (high, d) in both().filter(|(lots, d)| **lots < d.capacity) {
                    prop_assert!(i128::from(low.0 - 1) * weight(d) <= i128::from(high.0 + 1) * weight(c));
                }
            }
        }

        #[test]
        fn the_order_changes_nothing(all in candidates(), wanted in 0i64..100_000, seed in any::<u64>()) {
            let mut order: Vec<usize> = (0..all.len()).collect();
            order.sort_by_key(|&at| (at as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let turned: Vec<Candidate> = order.iter().map(|&at| all[at]).collect();
            let (first, second) = (pro_rata(Qty(wanted), &all, LEVERAGE_PPM_BOUND), pro_rata(Qty(wanted), &turned, LEVERAGE_PPM_BOUND));
            for (at, &from) in order.iter().enumerate() {
                prop_assert_eq!(second[at], first[from]);
            }
        }

        /// An account cut in two, each half with its leverage, gives in sum the same to within one lot; so does everyone else.
        #[test]
        fn splitting_an_account_changes_one_lot_at_most(all in candidates(), wanted in 0i64..100_000, at in any::<prop::sample::Index>(), cut in 0i64..5_000) {
            let at = at.index(all.len());
            let cut = cut.min(all[at].capacity.0);
            let before = pro_rata(Qty(wanted), &all, LEVERAGE_PPM_BOUND);
            let mut split = all.clone();
            split[at].capacity = Qty(cut);
            split.push(Candidate { account: AccountId(2 * at as u32 + 2), capacity: all[at].capacity - Qty(cut), ..all[at] });
            let mut after = pro_rata(Qty(wanted), &split, LEVERAGE_PPM_BOUND);
            let second = after.pop().expect("the half that was added");
            after[at] += second;
            for (before, after) in before.iter().zip(&after) {
                prop_assert!((before.0 - after.0).abs() <= 1, "{} became {}", before.0, after.0);
            }
        }

        #[test]
        fn more_leverage_never_gives_less(all in candidates(), wanted in 0i64..100_000, at in any::<prop::sample::Index>(), more in 1i64..50_000_000) {
            let at = at.index(all.len());
            let before = pro_rata(Qty(wanted), &all, LEVERAGE_PPM_BOUND);
            let mut higher = all.clone();
            higher[at].leverage_ppm += more;
            let after = pro_rata(Qty(wanted), &higher, LEVERAGE_PPM_BOUND);
            prop_assert!(after[at] >= before[at], "{} became {}", before[at].0, after[at].0);
        }

        #[test]
        fn asking_for_more_takes_at_most_one_lot_less(all in candidates(), wanted in 0i64..100_000, more in 1i64..2_000) {
            let before = pro_rata(Qty(wanted), &all, LEVERAGE_PPM_BOUND);
            let after = pro_rata(Qty(wanted + more), &all, LEVERAGE_PPM_BOUND);
            for (before, after) in before.iter().zip(&after) {
                prop_assert!(after.0 + 1 >= before.0, "{} became {}", before.0, after.0);
            }
        }
    }
}
