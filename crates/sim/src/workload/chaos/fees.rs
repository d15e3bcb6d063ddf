//! Somebody sends for what is there of fees.

use super::Chaos;
use crate::workload::command;
use xos_protocol::{CommandKind, CommandRecord, MarketKind};

impl Chaos {
    pub(super) fn draw_collect(&mut self) -> CommandRecord {
        let is_venue = self.rng.one_in(2);
        let side = if is_venue { MarketKind::Venue } else { MarketKind::Instrument }.code();
        let order_id = if is_venue { self.rng.below(4) } else { self.instrument().into() };
        let instrument = if self.rng.one_in(3) { self.rng.below(5) as u32 } else { 1 };
        CommandRecord { side, order_id, instrument, ..command(CommandKind::CollectFees) }
    }

    /// A cap that refuses some orders, or none, or lowers what is charged once the schedule changes; or its end.
    pub(super) fn draw_cap(&mut self) -> CommandRecord {
        let (account, order_id) = (self.account(), self.rng.below(u64::from(self.venues) + 2));
        let qty = *self.rng.pick(&[-1, -1, 0, 1, 333, 500, 12_345, 99_999, 100_000, 100_001]);
        CommandRecord { account, order_id, qty, ..command(CommandKind::SetFeeCap) }
    }

    pub(super) fn draw_referrer(&mut self) -> CommandRecord {
        let account = self.account();
        let order_id = if self.rng.one_in(12) { self.rng.below(1 << 33) } else { self.account().into() };
        CommandRecord { account, order_id, ..command(CommandKind::SetReferrer) }
    }
}
