//! The balance of an account.

use xos_units::Amount;

/// What an account has of one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Everything, the held part included. Of the settlement asset it may be negative: a realised loss that
    /// other positions back.
    pub total: Amount,
    /// What resting spot orders hold.
    pub held: Amount,
}

impl Balance {
    /// Not held.
    #[inline(always)]
    pub fn free(self) -> Amount {
        self.total - self.held
    }
}
