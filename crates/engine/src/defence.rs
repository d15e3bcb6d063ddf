//! The defences that the incident list names, each with a switch that only tests have: a scenario must pass with its
//! defence and fail without it, or it proves nothing. Without the feature `defence_switches` every question here is
//! answered by the compiler.

use crate::engine::Engine;

macro_rules! defences {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// A defence that a test can switch off.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Defence { $($(#[$doc])* $name),+ }

        impl Defence {
            /// Every defence.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

defences! {
    /// Fees round up.
    FeesRoundUp,
    /// A rebate is at most the taker fee of the same fill.
    RebateCap,
    /// Specifications stay within the bounds of the number types.
    SpecBounds,
    /// A client id takes effect once.
    Idempotence,
    /// What leaves is at most what is withdrawable.
    WithdrawalCheck,
    /// No account is exempt from margin: off, account 1 is.
    NoExemption,
    /// One command meets a bounded number of orders.
    MatchLimit,
    /// Unrealised profit does not leave.
    ProfitStays,
    /// Prices are at least one tick.
    PricesArePositive,
    /// The index is the weighted median of several sources: off, it is what was told last.
    MedianOfSources,
    /// The mark is the median of its averaged components: off, it is the middle of the book.
    MarkOfComponents,
    /// The mark stays in a band around the index: off, it is the last trade.
    MarkBand,
    /// What leaves keeps the initial margin and a tenth of the notional back.
    MarginStays,
    /// A liquidity tranche takes over positions up to its cap.
    TrancheCap,
    /// The insurance fund pays for one market no more than its share of a day.
    InsuranceDrawCap,
    /// Collateral is valued at the index: off, at the last trade of its own book.
    CollateralAtIndex,
    /// The premium prices a notional: off, the best bid and ask.
    ImpactNotional,
    /// The initial margin rate rises with open interest.
    OpenInterestScaling,
    /// After a restart nothing trades before prices are fresh.
    RestartLadder,
    /// Deleveraging takes from everybody in proportion: off, from the first of a queue by profit times leverage.
    ProRata,
    /// Insurance pays a debt before the position is closed and anything is given back: off, after both.
    PayerFirst,
}

/// The defences that are switched off.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Switches {
    #[cfg(feature = "defence_switches")]
    off: u64,
}

impl Switches {
    /// Whether a defence stands.
    #[inline(always)]
    pub(crate) const fn defends(self, defence: Defence) -> bool {
        #[cfg(feature = "defence_switches")]
        return self.off & 1 << defence as u8 == 0;
        #[cfg(not(feature = "defence_switches"))]
        {
            let _ = defence;
            true
        }
    }
}

impl Engine {
    /// Whether a defence stands: always, but in a test that switched it off.
    #[inline(always)]
    pub(crate) fn defends(&self, defence: Defence) -> bool {
        self.switches.defends(defence)
    }

    /// Switches a defence off, to show that its scenario notices.
    #[cfg(feature = "defence_switches")]
    pub fn switch_off(&mut self, defence: Defence) {
        self.switches.off |= 1 << defence as u8;
    }

    /// Keeps every posting from now on, for statements, and for tests that look between two legs of a command.
    pub fn keep_postings(&mut self) {
        self.ledger.keep_trail();
    }

    /// The postings kept since the last call.
    pub fn take_postings(&mut self) -> Vec<xos_ledger::Posting> {
        self.ledger.take_trail()
    }
}
