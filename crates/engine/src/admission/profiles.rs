//! What an order's eligibility is judged by: classes and rule, fixed when it is placed, interned in a table so that a
//! resting order carries one byte of it and eligibility is one bit of a row.

use xos_protocol::{ClassRule, PROFILES_MAX};
use xos_units::VenueId;

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
        self.rule.accepts(other.classes) & other.rule.accepts(self.classes)
    }
}

/// Number of a profile in the table; the plain one is 0.
pub(crate) type ProfileAt = u8;

/// Of a profile that is not in the table.
const NOWHERE: ProfileAt = ProfileAt::MAX;

/// The profile of an incoming order as the table has it: looked up once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eligibility {
    pub(crate) profile: Profile,
    /// Which groups it may meet.
    pub(crate) reach: Reach,
    at: ProfileAt,
    /// It is what the table remembers of its venue.
    is_recent: bool,
}

impl Eligibility {
    /// Of an order that meets everybody who has no rule.
    pub(crate) const PLAIN: Self = Self { profile: Profile::PLAIN, reach: ALL, at: 0, is_recent: false };
}

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
    /// By venue, the classes and the profile of the order that rested last: most accounts of a venue have the same.
    recent: Vec<Option<(u32, Eligibility)>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    profile: Profile,
    /// Instruments with resting orders of it; not counted of the plain one. Without any the place may be used again.
    books: u32,
    /// Eligible profiles; the bits of places that are not used are set.
    reach: Reach,
}

impl Default for Profiles {
    fn default() -> Self {
        let plain = Entry { profile: Profile::PLAIN, books: 0, reach: ALL };
        Self { table: vec![plain], standing: 0, recent: Vec::new() }
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
        self.find(profile).is_some_and(|at| at == 0 || self.table[at].books > 0)
    }

    /// The profile of an account with these classes through a venue, if the last order that rested had the same.
    #[inline(always)]
    pub(crate) fn recent(&self, venue: usize, classes: u32) -> Option<&Eligibility> {
        match self.recent.get(venue) {
            Some(Some((same, eligibility))) if *same == classes => Some(eligibility),
            _ => None,
        }
    }

    #[cold]
    fn remember(&mut self, venue: usize, eligibility: Eligibility) {
        self.recent.resize(self.recent.len().max(venue + 1), None);
        let eligibility = Eligibility { is_recent: true, ..eligibility };
        self.recent[venue] = Some((eligibility.profile.classes, eligibility));
    }

    /// A profile with its place, and which profiles an order of it may meet.
    #[inline]
    pub(crate) fn look_up(&self, profile: Profile) -> Eligibility {
        let (reach, at) = match self.find(&profile) {
            Some(at) => (self.table[at].reach, at as ProfileAt),
            None => (self.row(&profile), NOWHERE),
        };
        Eligibility { profile, reach, at, is_recent: false }
    }

    /// Whom plain orders may meet: the plain profile is the first of the table.
    #[inline(always)]
    pub(crate) fn reach_of_plain(&self) -> Reach {
        self.table[0].reach
    }

    fn row(&self, profile: &Profile) -> Reach {
        let ineligible = |entry: &Entry| !profile.is_eligible(&entry.profile);
        let bits = self.table.iter().enumerate().filter(|(_, entry)| ineligible(entry));
        bits.fold(ALL, |row, (at, _)| row & !(1 << at))
    }

    /// The place of a profile of which an order will rest. There is room: it was looked for when the order was checked.
    /// Nothing was added since the profile was looked up.
    #[inline(always)]
    pub(crate) fn place_of(&mut self, eligibility: &Eligibility, venue: VenueId) -> ProfileAt {
        if eligibility.is_recent { eligibility.at } else { self.find_place(eligibility, venue) }
    }

    #[inline(never)]
    fn find_place(&mut self, eligibility: &Eligibility, venue: VenueId) -> ProfileAt {
        if eligibility.at == NOWHERE {
            return self.add(&eligibility.profile);
        }
        self.remember(venue.0.into(), *eligibility);
        eligibility.at
    }

    /// An instrument has its first resting order of a profile.
    #[cold]
    pub(crate) fn enters(&mut self, at: ProfileAt) {
        let entry = &mut self.table[usize::from(at)];
        if entry.books == 0 {
            self.standing += 1;
        }
        entry.books += 1;
    }

    /// An instrument has no resting order of a profile any more.
    #[cold]
    pub(crate) fn leaves(&mut self, at: ProfileAt) {
        let entry = &mut self.table[usize::from(at)];
        entry.books -= 1;
        if entry.books == 0 {
            self.standing -= 1;
        }
    }

    #[cold]
    fn add(&mut self, profile: &Profile) -> ProfileAt {
        let unused = self.table.iter().skip(1).position(|entry| entry.books == 0).map(|at| at + 1);
        let at = unused.unwrap_or(self.table.len());
        let entry = Entry { profile: *profile, books: 0, reach: ALL };
        match unused {
            Some(at) => self.table[at] = entry,
            None => self.table.push(entry),
        }
        let row = self.row(profile);
        self.table[at].reach = row;
        self.recent.clear();
        for other in 0..self.table.len() {
            let bit = 1 << at;
            let reach = &mut self.table[other].reach;
            *reach = if row >> other & 1 == 1 { *reach | bit } else { *reach & !bit };
        }
        ProfileAt::try_from(at).expect("the table is bounded")
    }

    /// Counts the instruments of every profile anew: each is named once for every instrument with orders of it.
    pub(crate) fn audit(&self, profiles: impl Iterator<Item = ProfileAt>) -> Result<(), String> {
        let mut counts = vec![0; self.table.len()];
        for at in profiles {
            *counts.get_mut(usize::from(at)).ok_or(format!("profile {at} is not in the table"))? += 1;
        }
        counts[0] = 0;
        let standing = counts.iter().filter(|count| **count > 0).count();
        for (at, (entry, count)) in self.table.iter().zip(&counts).enumerate() {
            if entry.books != *count || entry.reach != self.row(&entry.profile) {
                return Err(format!("profile {at} counts {} instruments, {count} have it", entry.books));
            }
        }
        let is_right = |known: &(u32, Eligibility)| {
            let found = self.look_up(known.1.profile);
            (known.0, known.1.at, known.1.reach) == (known.1.profile.classes, found.at, found.reach)
        };
        if !self.recent.iter().flatten().all(is_right) {
            return Err("a profile that was looked up lately has changed".to_owned());
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
        let enter = |profiles: &mut Profiles, profile| {
            let at = profiles.place_of(&profiles.look_up(profile), VenueId(0));
            if at != 0 {
                profiles.enters(at);
            }
            at
        };
        let places = [Profile::PLAIN, one, one].map(|profile| enter(&mut profiles, profile));
        assert_eq!(places, [0, 1, 1]);
        assert!(profiles.stands(&one) && !profiles.stands(&two) && profiles.stands(&Profile::PLAIN));
        profiles.leaves(1);
        profiles.leaves(1);
        assert_eq!((profiles.standing(), enter(&mut profiles, two), profiles.standing()), (0, 1, 1));
        // The plain one lacks class 1, which the rule of the other requires.
        assert_eq!((profiles.look_up(Profile::PLAIN).reach, profiles.look_up(one).reach & 3), (ALL & !2, 3));
    }

    proptest! {
        #[test]
        fn a_row_says_what_the_rules_say(steps in prop::collection::vec((0u32..4, 0u32..4, 0u32..4, any::<bool>()), 1..200)) {
            let (mut profiles, mut resting) = (Profiles::default(), Vec::new());
            for (classes, requires, forbids, leaves) in steps {
                if leaves && !resting.is_empty() {
                    let at = resting.swap_remove(classes as usize % resting.len());
                    profiles.leaves(at);
                } else if requires & forbids == 0 {
                    let known = profiles.look_up(profile(classes, requires, forbids));
                    let at = profiles.place_of(&known, VenueId(0));
                    if at != 0 {
                        profiles.enters(at);
                        resting.push(at);
                    }
                }
                prop_assert!(profiles.audit(resting.iter().copied()).is_ok());
                let asked = profile(classes, requires, forbids);
                let reach = profiles.look_up(asked).reach;
                for at in &resting {
                    let eligible = asked.is_eligible(&profiles.at(*at));
                    prop_assert_eq!(reach >> at & 1 == 1, eligible);
                }
            }
        }
    }
}
