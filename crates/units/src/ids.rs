//! Identifiers. All but venues and owners count from one, so a zero in a record is never somebody's.

macro_rules! id_from_one {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// Where the thing stands in a dense table; `usize::MAX` for the null id 0.
            #[inline(always)]
            pub const fn index(self) -> usize {
                (self.0 as usize).wrapping_sub(1)
            }

            /// The id of the thing at `index` of a dense table.
            #[inline(always)]
            pub fn from_index(index: usize) -> Self {
                Self(u32::try_from(index + 1).expect("tables are bounded far below u32"))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id_from_one!(
    /// A margin account; counts from one in order of opening.
    AccountId
);
id_from_one!(
    /// What a balance holds; counts from one in order of deployment. Asset 1 is the settlement asset.
    AssetId
);
id_from_one!(
    /// Spot, perpetual or outcome; counts from one in order of deployment.
    InstrumentId
);
id_from_one!(
    /// A prediction with mutually exclusive outcomes; counts from one in order of deployment.
    QuestionId
);

/// A front door to the instruments. Venue 0 always exists: the exchange's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct VenueId(pub u16);

/// The sequence number of the command that placed the order; unique for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct OrderId(pub u64);

/// Dense number of an owner (an address or a customer id); accounts with the same owner never trade with each
/// other under self-trade prevention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct OwnerId(pub u32);

impl std::fmt::Display for OrderId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
