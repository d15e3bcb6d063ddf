//! Auctions: begun for a moment, most often, so that they end.

use super::Chaos;
use crate::workload::command;
use xos_protocol::{CommandKind, CommandRecord};

impl Chaos {
    pub(super) fn draw_auction(&mut self) -> CommandRecord {
        let instrument = if self.rng.one_in(30) { 99 } else { self.instrument() };
        let ahead_ns = match self.rng.below(12) {
            0 => 0,
            1 => 60_000_000_000,
            2..6 => 1 + self.rng.below(10_000_000_000),
            _ => 1 + self.rng.below(1_000_000_000),
        };
        let expires_ns = self.time_ns + ahead_ns;
        CommandRecord { instrument, expires_ns, ..command(CommandKind::StartAuction) }
    }
}
