//! What an order's eligibility is judged by: classes and rule, fixed when it is placed, interned in a table so that a
//! resting order carries one byte of it and eligibility is one bit of a row.

use xos_protocol::{ClassRule, PROFILES_MAX};

/// Classes of the account that counterparty rules may name, and the counterparty rule of the venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) classes: u32,
    pub(crate) rule: ClassRule,
}

impl Profile {
    /// No classes and no rule.
    pub(crate) const PLAIN: Self = Self { classes: 0, rule: ClassRule::NONE };

    /// Whether orders of the two may trade: both rules must accept.
    #[inline(always)]
    pub(crate) const fn is_eligible(&self, other: &Self) -> bool {
        self.rule.accepts(other.classes) && other.rule.accepts(self.classes)
    }
}

/// Number of a profile in the table; the plain one is 0.
pub(crate) type ProfileAt = u8;

/// Bits of the profiles whose resting orders an order may meet.
pub(crate) type Reach = u64;

/// Everybody.
pub(crate) const ALL: Reach = Reach::MAX;

/// Orders of the plain profile only.
pub(crate) const PLAIN: Reach = 1;

/// Whether plain orders may be met: only they are legs of implied liquidity.
#[inline(always)]
pub(crate) const fn meets_plain(reach: Reach) -> bool {
    reach & PLAIN != 0
}

const _: () = assert!(PROFILES_MAX < Reach::BITS as usize);

/// The profiles of resting orders.
#[derive(Debug)]
pub(crate) struct Profiles {
    table: Vec<Entry>,
    /// Profiles with resting orders, the plain one not counted.
    standing: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    profile: Profile,
    /// Resting orders; not counted of the plain one. Without any the place may be used again.
    orders: u32,
    /// Eligible profiles; the bits of places that are not used are set.
    reach: Reach,
}

impl Default for Profiles {
    fn default() -> Self {
        let plain = Entry { profile: Profile::PLAIN, orders: 0, reach: ALL };
        Self { table: vec![plain], standing: 0 }
    }
}

impl Profiles {
    /// Profiles with resting orders, the plain one not counted.
    pub(crate) fn standing(&self) -> usize {
        self.standing
    }

    /// The profile in a place.
    pub(crate) fn at(&self, at: ProfileAt) -> Profile {
        self.table[usize::from(at)].profile
    }

    #[inline]
    fn find(&self, profile: &Profile) -> Option<usize> {
        self.table.iter().position(|entry| entry.profile == *profile)
    }

    /// Whether a profile has resting orders, or needs no room.
    pub(crate) fn stands(&self, profile: &Profile) -> bool {
        self.find(profile).is_some_and(|at| at == 0 || self.table[at].orders > 0)
    }

    /// Which profiles an order of this one may meet.
    #[inline]
    pub(crate) fn reach(&self, profile: &Profile) -> Reach {
        self.find(profile).map_or_else(|| self.row(profile), |at| self.table[at].reach)
    }

    fn row(&self, profile: &Profile) -> Reach {
        let ineligible = |entry: &Entry| !profile.is_eligible(&entry.profile);
        let bits = self.table.iter().enumerate().filter(|(_, entry)| ineligible(entry));
        bits.fold(ALL, |row, (at, _)| row & !(1 << at))
    }

    /// One more order of a profile rests. There is room: it was looked for when the order was checked.
    pub(crate) fn enter(&mut self, profile: &Profile) -> ProfileAt {
        let at = match self.find(profile) {
            Some(0) => return 0,
            Some(at) => at,
            None => self.add(profile),
        };
        let entry = &mut self.table[at];
        self.standing += usize::from(entry.orders == 0);
        entry.orders += 1;
        ProfileAt::try_from(at).expect("the table is bounded")
    }

    /// An order of a profile rests no more.
    #[inline]
    pub(crate) fn leave(&mut self, at: ProfileAt) {
        let entry = &mut self.table[usize::from(at)];
        entry.orders -= 1;
        self.standing -= usize::from(entry.orders == 0);
    }

    #[cold]
    fn add(&mut self, profile: &Profile) -> usize {
        let unused = self.table.iter().skip(1).position(|entry| entry.orders == 0).map(|at| at + 1);
        let at = unused.unwrap_or(self.table.len());
        let entry = Entry { profile: *profile, orders: 0, reach: ALL };
        match unused {
            Some(at) => self.table[at] = entry,
            None => self.table.push(entry),
        }
        let row = self.row(profile);
        self.table[at].reach = row;
        for other in 0..self.table.len() {
            let bit = 1 << at;
            let reach = &mut self.table[other].reach;
            *reach = if row >> other & 1 == 1 { *reach | bit } else { *reach & !bit };
        }
        at
    }

    /// Counts the orders of every profile anew.
    pub(crate) fn audit(&self, profiles: impl Iterator<Item = ProfileAt>) -> Result<(), String> {
        let mut counts = vec![0; self.table.len()];
        for at in profiles {
            *counts.get_mut(usize::from(at)).ok_or(format!("profile {at} is not in the table"))? += 1;
        }
        counts[0] = 0;
        let standing = counts.iter().filter(|count| **count > 0).count();
        for (at, (entry, count)) in self.table.iter().zip(&counts).enumerate() {
            if entry.orders != *count || entry.reach != self.row(&entry.profile) {
                return Err(format!("profile {at} counts {} orders, {count} rest", entry.orders));
            }
        }
        if standing == self.standing { Ok(()) } else { Err(format!("{standing} profiles stand")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn profile(classes: u32, requires: u32, forbids: u32) -> Profile {
        Profile { classes, rule: ClassRule { requires, forbids } }
    }

    #[test]
    fn a_place_without_orders_is_used_again() {
        let mut profiles = Profiles::default();
        let (one, two) = (profile(1, 0, 0), profile(2, 1, 0));
        assert_eq!((profiles.enter(&Profile::PLAIN), profiles.enter(&one), profiles.enter(&one)), (0, 1, 1));
        assert!(profiles.stands(&one) && !profiles.stands(&two) && profiles.stands(&Profile::PLAIN));
        profiles.leave(1);
        profiles.leave(1);
        assert_eq!((profiles.standing(), profiles.enter(&two), profiles.standing()), (0, 1, 1));
        // The plain one lacks class 1, which the rule of the other requires.
        assert_eq!((profiles.reach(&Profile::PLAIN), profiles.reach(&one) & 3), (ALL & !2, 3));
    }

    proptest! {
        #[test]
        fn a_row_says_what_the_rules_say(steps in prop::collection::vec((0u32..4, 0u32..4, 0u32..4, any::<bool>()), 1..200)) {
            let (mut profiles, mut resting) = (Profiles::default(), Vec::new());
            for (classes, requires, forbids, leaves) in steps {
                if leaves && !resting.is_empty() {
                    let at = resting.swap_remove(classes as usize % resting.len());
                    profiles.leave(at);
                } else if requires & forbids == 0 {
                    let at = profiles.enter(&profile(classes, requires, forbids));
                    if at != 0 {
                        resting.push(at);
                    }
                }
                prop_assert!(profiles.audit(resting.iter().copied()).is_ok());
                let asked = profile(classes, requires, forbids);
                let reach = profiles.reach(&asked);
                for at in &resting {
                    let eligible = asked.is_eligible(&profiles.at(*at));
                    prop_assert_eq!(reach >> at & 1 == 1, eligible);
                }
            }
        }
    }
}
