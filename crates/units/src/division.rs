//! The divisions of money, each with its direction in its name. Where numbers are small, as nearly always, they
//! run on 64 bits; the wide path gives the same answer.

use crate::{Amount, PPM_ONE, Ppm, Price, Qty, RATE_ONE, Rate};

const ONE_U64: u64 = PPM_ONE as u64;
const ONE_I128: i128 = PPM_ONE as i128;

/// Fee on a base amount, rounded up: the payer never pays less than the rate. `base >= 0`, `rate >= 0`.
#[inline]
pub fn fee_up(base: Amount, rate: Ppm) -> Amount {
    match small_product(base, rate).and_then(|small| small.checked_add(ONE_U64 - 1)) {
        Some(small) => Amount(i128::from(small / ONE_U64)),
        None => Amount((base.0 * i128::from(rate.0) + ONE_I128 - 1) / ONE_I128),
    }
}

/// Rebate, share or discount on a base amount, rounded down. `base >= 0`, `rate >= 0`.
#[inline]
pub fn share_down(base: Amount, rate: Ppm) -> Amount {
    match small_product(base, rate) {
        Some(small) => Amount(i128::from(small / ONE_U64)),
        None => Amount(base.0 * i128::from(rate.0) / ONE_I128),
    }
}

#[inline(always)]
fn small_product(base: Amount, rate: Ppm) -> Option<u64> {
    debug_assert!(base.0 >= 0 && rate.0 >= 0);
    u64::try_from(base.0).ok()?.checked_mul(rate.0 as u64)
}

/// The part of a position's cost that leaves with `part` of `whole` lots, rounded up (towards plus infinity), so
/// that realised profit rounds down. `0 < part <= whole`; the whole leaves exactly.
#[inline]
pub fn cost_part_up(cost: Amount, part: Qty, whole: Qty) -> Amount {
    debug_assert!(part.0 > 0 && part.0 <= whole.0);
    if part == whole {
        return cost;
    }
    if let Ok(cost) = i64::try_from(cost.0)
        && let Some(product) = cost.checked_mul(part.0)
    {
        return Amount(i128::from(product.div_euclid(whole.0) + i64::from(product.rem_euclid(whole.0) != 0)));
    }
    // cost = a x whole + r, so cost x part / whole = a x part + r x part / whole without a wide product.
    let (part, whole) = (i128::from(part.0), i128::from(whole.0));
    let (a, r) = (cost.0.div_euclid(whole), cost.0.rem_euclid(whole));
    Amount(a * part + (r * part + whole - 1) / whole)
}

/// `whole x part / parts`, rounded down, and what is left of the product. `whole >= 0`, `0 <= part <= parts`,
/// `parts > 0`, `whole x part < 2^127`.
#[inline]
pub fn proportion_down(whole: Qty, part: i128, parts: i128) -> (Qty, i128) {
    debug_assert!(whole.0 >= 0 && part >= 0 && part <= parts && parts > 0);
    let product = part * i128::from(whole.0);
    let down = match (u64::try_from(product), u64::try_from(parts)) {
        (Ok(product), Ok(parts)) => i128::from(product / parts),
        _ => product / parts,
    };
    (Qty(i64::try_from(down).expect("no more than the whole")), product - down * parts)
}

/// `value x part / parts` of an amount of either sign, rounded towards minus infinity. `0 <= part <= parts < 2^126`,
/// `parts > 0`.
#[inline]
pub fn portion_down(value: Amount, part: i128, parts: i128) -> Amount {
    debug_assert!(part >= 0 && part <= parts && parts > 0);
    // value = a x parts + r, so value x part / parts = a x part + r x part / parts.
    let (a, r) = (value.0.div_euclid(parts), value.0.rem_euclid(parts));
    match r.checked_mul(part) {
        Some(product) => Amount(a * part + product / parts),
        None => Amount(a * part + long_division(r, part, parts)),
    }
}

/// `(value x part + left) / parts`, rounded down, and what is then left: what adds up turn by turn loses nothing. `value >= 0`,
/// `0 <= part <= parts < 2^63`, `0 <= left < parts`.
#[inline]
pub fn accrued_down(value: Amount, part: i128, left: i128, parts: i128) -> (Amount, i128) {
    debug_assert!(value.0 >= 0 && part >= 0 && part <= parts && left >= 0 && left < parts && parts < 1 << 63);
    // value = a x parts + r, so no product is wider than the value.
    let (a, r) = (value.0 / parts, value.0 % parts);
    let sum = r * part + left;
    (Amount(a * part + sum / parts), sum % parts)
}

/// `r x part / parts`, rounded down, one bit of `part` at a time: r x (the bits so far) = down x parts + left.
#[cold]
fn long_division(r: i128, part: i128, parts: i128) -> i128 {
    let (mut down, mut left) = (0i128, 0i128);
    for bit in (0..128 - part.leading_zeros()).rev() {
        (down, left) = (2 * down, 2 * left);
        if part >> bit & 1 == 1 {
            left += r;
        }
        // left < 3 x parts
        while left >= parts {
            left -= parts;
            down += 1;
        }
    }
    down
}

/// How many whole times `part` is in `value`. `value` at least 0, `part` above it.
#[inline]
pub fn whole_parts(value: Amount, part: Amount) -> i128 {
    debug_assert!(value.0 >= 0 && part.0 > 0);
    value.0 / part.0
}

/// A part of some lots, rounded up. `lots` and `rate` at least 0, `rate` at most one million.
#[inline]
pub fn lots_up(lots: Qty, rate: Ppm) -> Qty {
    debug_assert!(lots.0 >= 0 && rate.0 >= 0 && rate.0 <= PPM_ONE);
    let (one, rate) = (i64::from(PPM_ONE), i64::from(rate.0));
    // lots = a x 10^6 + r, so no product is wider than the lots.
    Qty(lots.0 / one * rate + (lots.0 % one * rate + one - 1) / one)
}

/// `lots x part / parts`, rounded up. `lots >= 0`, `0 <= part <= parts < 2^126`, `parts > 0`.
#[inline]
pub fn lots_portion_up(lots: Qty, part: i128, parts: i128) -> Qty {
    let up = -portion_down(Amount(-i128::from(lots.0)), part, parts).0;
    Qty(i64::try_from(up).expect("no more than the lots"))
}

/// Ticks of a value of `lots`, rounded towards plus infinity where `up`, else towards minus infinity. `lots > 0`.
#[inline]
pub fn ticks_of_value(value: Amount, lots: Qty, k: u32, up: bool) -> i128 {
    let per_tick = i128::from(lots.0) * i128::from(k);
    let down = value.0.div_euclid(per_tick);
    down + i128::from(up && value.0.rem_euclid(per_tick) != 0)
}

/// `part / whole` in millionths, rounded down and never above `most`; `most` where `whole <= 0`. `part >= 0`.
#[inline]
pub fn ratio_ppm_down(part: Amount, whole: Amount, most: i64) -> i64 {
    if whole.0 <= 0 {
        return most;
    }
    if let (Ok(part), Ok(whole)) = (u64::try_from(part.0), u64::try_from(whole.0))
        && let Some(product) = part.checked_mul(ONE_U64)
    {
        return i64::try_from(product / whole).unwrap_or(most).min(most);
    }
    match part.0.checked_mul(ONE_I128) {
        Some(product) => i64::try_from(product / whole.0).unwrap_or(most).min(most),
        None => i64::try_from((part.0 / whole.0).saturating_mul(ONE_I128)).unwrap_or(most).min(most),
    }
}

/// `part / whole` of a rate, rounded up. `0 <= part <= whole`, both of them amounts within bounds.
pub fn ratio_up(part: Amount, whole: Amount, rate: Ppm) -> Ppm {
    debug_assert!(part.0 >= 0 && part <= whole && whole.0 > 0 && rate.0 >= 0);
    let scaled = part.0 * i128::from(rate.0);
    Ppm(i32::try_from((scaled + whole.0 - 1) / whole.0).expect("at most the rate itself"))
}

/// What funding moves to a holder of `lots`: -(lots x index x k x rate), rounded down. Exact for every admitted value:
/// the whole part and the rest of one lot are multiplied apart.
pub fn funding_down(lots: i64, index: Price, k: u32, rate: Rate) -> Amount {
    let one = i128::from(RATE_ONE);
    let per_lot = i128::from(index.0) * i128::from(k) * i128::from(rate.0);
    let (whole, rest) = (per_lot.div_euclid(one), per_lot.rem_euclid(one));
    let lots = -i128::from(lots);
    Amount(lots * whole + (lots * rest).div_euclid(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fee_rounds_up_and_share_down() {
        let table = [
            (1, 1, 1, 0),
            (1_000_000, 250, 250, 250),
            (1_000_001, 250, 251, 250),
            (0, 500, 0, 0),
            (7, 0, 0, 0),
        ];
        for (base, rate, up, down) in table {
            assert_eq!(fee_up(Amount(base), Ppm(rate)), Amount(up), "{base} x {rate} ppm");
            assert_eq!(share_down(Amount(base), Ppm(rate)), Amount(down), "{base} x {rate} ppm");
        }
    }

    #[test]
    fn cost_part_rounds_up_in_both_signs() {
        assert_eq!(cost_part_up(Amount(10), Qty(1), Qty(3)), Amount(4));
        assert_eq!(cost_part_up(Amount(-10), Qty(1), Qty(3)), Amount(-3));
        assert_eq!(cost_part_up(Amount(-10), Qty(3), Qty(3)), Amount(-10));
    }

    #[test]
    fn ticks_and_ratios_round_as_they_say() {
        let ticks = |value, up| ticks_of_value(Amount(value), Qty(3), 2, up);
        assert_eq!((ticks(13, true), ticks(13, false), ticks(12, true)), (3, 2, 2));
        assert_eq!((ticks(-13, true), ticks(-13, false)), (-2, -3));
        let ratio = |part, whole| ratio_ppm_down(Amount(part), Amount(whole), 5_000_000);
        assert_eq!(
            (ratio(2, 3), ratio(9, 1), ratio(1, 0), ratio(1, -4)),
            (666_666, 5_000_000, 5_000_000, 5_000_000)
        );
        assert_eq!(ratio(1 << 120, 1 << 119), 2_000_000);
        assert_eq!(proportion_down(Qty(10), 3, 7), (Qty(4), 2));
        assert_eq!(accrued_down(Amount(10), 3, 5, 7), (Amount(5), 0));
        assert_eq!(accrued_down(Amount(10), 3, 4, 7), (Amount(4), 6));
        assert_eq!(accrued_down(Amount(i128::MAX), 7, 6, 7), (Amount(i128::MAX), 6));
        assert_eq!(
            (lots_up(Qty(5), Ppm(200_001)), lots_up(Qty(10_000_001), Ppm(200_000))),
            (Qty(2), Qty(2_000_001))
        );
    }

    proptest! {
        #[test]
        fn narrow_and_wide_paths_agree(base in 0i128..1i128 << 96, rate in 0i32..=1_000_000) {
            let exact = base * i128::from(rate);
            prop_assert_eq!(fee_up(Amount(base), Ppm(rate)).0, (exact + 999_999) / 1_000_000);
            prop_assert_eq!(share_down(Amount(base), Ppm(rate)).0, exact / 1_000_000);
        }

        #[test]
        fn a_cost_leaves_whole_however_it_is_cut(cost in -(1i128 << 80)..1i128 << 80, whole in 2i64..1 << 40, seed in 1i64..1 << 40) {
            let part = 1 + seed % (whole - 1);
            let first = cost_part_up(Amount(cost), Qty(part), Qty(whole));
            let exact_scaled = cost * i128::from(part);
            prop_assert!(first.0 * i128::from(whole) >= exact_scaled);
            prop_assert!((first.0 - 1) * i128::from(whole) < exact_scaled);
            let rest = Amount(cost) - first;
            prop_assert_eq!(first + cost_part_up(rest, Qty(whole - part), Qty(whole - part)), Amount(cost));
        }

        #[test]
        fn portions_of_any_width_are_exact(value in -(1i128 << 90)..1i128 << 90, part in 0i128..1 << 61, more in 0i128..1 << 61, shift in 0u32..60) {
            let parts = part + more + 1;
            // The same ratio with wide numbers gives the same, and the narrow one is checked by multiplying back.
            let down = portion_down(Amount(value), part, parts);
            prop_assert_eq!(portion_down(Amount(value), part << shift, parts << shift), down);
            let (a, r) = (value.div_euclid(parts), value.rem_euclid(parts));
            prop_assert_eq!(down.0, a * part + r * part / parts);
            prop_assert_eq!(long_division(r, part, parts), r * part / parts);
        }

        #[test]
        fn a_split_fill_never_pays_less(a in 0i128..1 << 40, b in 0i128..1 << 40, rate in 0i32..=1_000_000) {
            let split = fee_up(Amount(a), Ppm(rate)) + fee_up(Amount(b), Ppm(rate));
            prop_assert!(split >= fee_up(Amount(a + b), Ppm(rate)));
        }
    }
}
