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
}
