//! Price, quantity, position, amount and the typed rates.

use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

macro_rules! additive {
    ($name:ident) => {
        impl Add for $name {
            type Output = Self;
            #[inline(always)]
            fn add(self, rhs: Self) -> Self {
                Self(self.0 + rhs.0)
            }
        }
        impl Sub for $name {
            type Output = Self;
            #[inline(always)]
            fn sub(self, rhs: Self) -> Self {
                Self(self.0 - rhs.0)
            }
        }
        impl AddAssign for $name {
            #[inline(always)]
            fn add_assign(&mut self, rhs: Self) {
                self.0 += rhs.0;
            }
        }
        impl SubAssign for $name {
            #[inline(always)]
            fn sub_assign(&mut self, rhs: Self) {
                self.0 -= rhs.0;
            }
        }
        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
        }
    };
}

/// Ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Price(pub i64);

/// Lots of an order or a fill; never negative where it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Qty(pub i64);

/// Signed lots held: long is positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Position(pub i64);

/// Atoms of an asset: the token's own smallest unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Amount(pub i128);

/// A margin requirement or an equity in millionths of an atom, so that requirements add and compare exactly
/// without a division. [`Requirement::ceil`] is the only way back to atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Requirement(pub i128);

/// Parts per million: fees and margin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Ppm(pub i32);

/// Funding and premium, in 1e-12.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Rate(pub i64);

additive!(Price);
additive!(Qty);
additive!(Position);
additive!(Amount);
additive!(Requirement);

/// Value of `lots` at `price` in quote atoms: `ticks x lots x k`, exact. `k` is the instrument's
/// `quote_atoms_per_tick_lot`. With the admission bounds (2^40 x 2^40 x 2^32) it cannot overflow.
#[inline(always)]
pub fn notional(price: Price, lots: Qty, k: u32) -> Amount {
    match price.0.checked_mul(i64::from(k)) {
        Some(per_lot) => Amount(i128::from(per_lot) * i128::from(lots.0)),
        None => Amount(wide(i128::from(price.0) * i128::from(k), lots.0)),
    }
}

/// `a x b`, checked. Nearly every amount fits 64 bits, and then one widening multiplication cannot overflow.
#[inline(always)]
pub fn widening(a: i128, b: i64) -> i128 {
    match i64::try_from(a) {
        Ok(small) => i128::from(small) * i128::from(b),
        Err(_) => wide(a, b),
    }
}

/// `a x b`, checked, quickest where neither is negative.
#[inline(always)]
pub fn widening_up(a: i128, b: i64) -> i128 {
    match (u64::try_from(a), u64::try_from(b)) {
        // Below 2^64 x 2^63.
        (Ok(a), Ok(b)) => (u128::from(a) * u128::from(b)) as i128,
        _ => wide(a, b),
    }
}

#[cold]
#[inline(never)]
fn wide(a: i128, b: i64) -> i128 {
    a * i128::from(b)
}

impl Amount {
    /// This amount as a requirement: exact, and at the ends of the range as far as numbers go, where comparing with a
    /// requirement, which is bounded, still gives the right answer.
    #[inline(always)]
    pub fn as_requirement(self) -> Requirement {
        match u64::try_from(self.0) {
            Ok(small) => Requirement((u128::from(small) * crate::PPM_ONE as u128) as i128),
            Err(_) => Requirement(self.0.saturating_mul(i128::from(crate::PPM_ONE))),
        }
    }

    /// `self x rate` in millionths of an atom, exact.
    #[inline(always)]
    pub fn times(self, rate: Ppm) -> Requirement {
        Requirement(widening(self.0, i64::from(rate.0)))
    }

    /// `self x lots`, exact; used for amounts per lot.
    #[inline(always)]
    pub fn times_lots(self, lots: Qty) -> Amount {
        Amount(widening_up(self.0, lots.0))
    }

    /// Whole lots of `atoms_per_lot` in an amount, at most `most`; 0 of nothing or a debt.
    #[inline]
    pub fn whole_lots(self, atoms_per_lot: u64, most: Qty) -> Qty {
        let lots = (self.0 / i128::from(atoms_per_lot)).clamp(0, i128::from(most.0));
        Qty(lots as i64)
    }

    /// Absolute value.
    #[inline(always)]
    pub fn abs(self) -> Amount {
        Amount(self.0.abs())
    }
}

impl Requirement {
    /// Up to the next whole atom: a requirement rounds up.
    #[inline]
    pub fn ceil(self) -> Amount {
        let one = i128::from(crate::PPM_ONE);
        Amount(self.0.div_euclid(one) + i128::from(self.0.rem_euclid(one) != 0))
    }

    /// A part of it, up to the next millionth of an atom. `0 <= rate <= 1`.
    #[inline]
    pub fn share_up(self, rate: crate::Ppm) -> Requirement {
        // Nearly every requirement fits 64 bits, where dividing by a constant is a multiplication.
        if let Ok(small) = i64::try_from(self.0) {
            let (one, rate) = (crate::PPM_ONE as i64, i64::from(rate.0));
            let (whole, rest) = (small.div_euclid(one), small.rem_euclid(one) * rate);
            let part = i128::from(whole) * i128::from(rate);
            return Requirement(part + i128::from(rest / one + i64::from(rest % one != 0)));
        }
        let (one, rate) = (i128::from(crate::PPM_ONE), i128::from(rate.0));
        let (whole, rest) = (self.0.div_euclid(one), self.0.rem_euclid(one) * rate);
        Requirement(whole * rate + rest / one + i128::from(rest % one != 0))
    }

    /// Down to the whole atom: an equity rounds down.
    #[inline]
    pub fn floor(self) -> Amount {
        Amount(self.0.div_euclid(i128::from(crate::PPM_ONE)))
    }
}

impl Position {
    /// Absolute lots.
    #[inline(always)]
    pub fn lots(self) -> Qty {
        Qty(self.0.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_share_is_the_least_that_covers_its_part(
            whole in prop_oneof![any::<i64>().prop_map(i128::from), -(1i128 << 100)..1i128 << 100],
            rate in 0i32..=1_000_000,
        ) {
            let part = Requirement(whole).share_up(Ppm(rate)).0;
            let exact = whole * i128::from(rate);
            prop_assert!(part * 1_000_000 >= exact && (part - 1) * 1_000_000 < exact);
        }
    }
}
