//! How much of an account's shortage liquidation may free at a time (F18, Drift): a part that grows with time.

use xos_units::{Amount, PPM_ONE, Ppm, division};

/// Terms of a shortage that is freed little by little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Time in which the part grows by the whole, nanoseconds; above 0.
    pub duration_ns: u64,
    /// Part that may be freed at once.
    pub initial: Ppm,
    /// A shortage below this is freed whole.
    pub small: Amount,
}

impl Growth {
    /// What may be freed now of a `shortage` (`requirement` less equity, above 0), `freed` having been freed in `elapsed_ns`:
    /// min(1, elapsed / duration + initial) x (shortage + freed) - freed. Rounded down, in favour of the account. All of it
    /// once half of the requirement is gone: what is lost beyond would be somebody else's.
    pub fn freeable(&self, shortage: Amount, requirement: Amount, freed: Amount, elapsed_ns: u64) -> Amount {
        if shortage < self.small || shortage + shortage >= requirement {
            return shortage;
        }
        let one = i128::from(PPM_ONE);
        let whole = i128::from(self.duration_ns) * one;
        let grown = i128::from(elapsed_ns) * one + i128::from(self.initial.0) * i128::from(self.duration_ns);
        let due = division::portion_down(shortage + freed, grown.min(whole), whole);
        (due - freed).max(Amount::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn minute() -> Growth {
        Growth { duration_ns: 60 * SECOND_NS, initial: Ppm(100_000), small: Amount(50) }
    }

    #[test]
    fn f18_part_of_a_shortage() {
        let freeable = |shortage, freed, seconds| {
            minute().freeable(Amount(shortage), Amount(2_001), Amount(freed), seconds * SECOND_NS).0
        };
        assert_eq!(freeable(1_000, 0, 0), 100);
        assert_eq!(freeable(900, 100, 0), 0);
        assert_eq!(freeable(900, 100, 30), 500);
        assert_eq!(freeable(400, 600, 54), 400);
        assert_eq!(freeable(400, 600, 3_600), 400);
        // The smallest shortage that grows, and the largest that does not.
        assert_eq!((freeable(50, 0, 0), freeable(49, 0, 0), freeable(49, 900, 0)), (5, 49, 49));
        // A shortage that went down by itself: more was freed than is due.
        assert_eq!(freeable(60, 500, 6), 0);
        // Half of the requirement is gone.
        assert_eq!((freeable(1_000, 0, 0), freeable(1_001, 0, 0)), (100, 1_001));
    }

    proptest! {
        /// Never more than the shortage, never less as time goes by, and in the end all of it.
        #[test]
        fn it_grows_to_the_whole(
            shortage in 1i128..1 << 95,
            freed in 0i128..1 << 95,
            at in 0u64..1 << 40,
            later in 0u64..1 << 40,
            initial in 0i32..=1_000_000,
            equity in -(1i128 << 95)..1 << 96
        ) {
            let growth = Growth { initial: Ppm(initial), ..minute() };
            let (shortage, freed) = (Amount(shortage), Amount(freed));
            let freeable = |elapsed| growth.freeable(shortage, shortage + Amount(equity), freed, elapsed);
            let (now, then) = (freeable(at), freeable(at + later));
            prop_assert!(now >= Amount::ZERO && now <= then && then <= shortage);
            prop_assert!(equity > shortage.0 || now == shortage);
            prop_assert_eq!(freeable(growth.duration_ns), shortage);
            prop_assert_eq!(freeable(u64::MAX), shortage);
        }
    }
}
