//! Credential classes, and the rules of venues that name them.

use serde::{Deserialize, Serialize};

/// Classes of an exchange: one bit each.
pub const CLASSES_MAX: usize = 32;

/// A credential class: something that an issuer vouches for of an account (`kyc_1`, `accredited`, `region_eu`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSpec {
    /// Unique among classes.
    pub symbol: String,
    /// Whether counterparty rules may name it. Only such classes divide the book, so a class that is for admission
    /// alone is better left without.
    #[serde(default)]
    pub counterparty: bool,
}

/// What classes an account must have, and must not have. The bit of a class is 1 << (its id - 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// All of these.
    #[serde(default)]
    pub requires: u32,
    /// None of these.
    #[serde(default)]
    pub forbids: u32,
}

impl ClassRule {
    /// A rule that everybody satisfies.
    pub const NONE: Self = Self { requires: 0, forbids: 0 };

    /// Whether an account with these classes satisfies it.
    #[inline(always)]
    pub const fn accepts(self, classes: u32) -> bool {
        self.requires & !classes | self.forbids & classes == 0
    }

    /// Whether it is left out of a specification: everybody satisfies it.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}
