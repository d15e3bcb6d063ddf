//! The first prices of instruments.

use super::{Chaos, Frame};
use crate::workload::command;
use xos_protocol::{CommandKind, CommandRecord};

impl Chaos {
    /// Every source tells where the book starts.
    pub(super) fn plan_first_prices(&mut self, instrument: u32, sources: u32, price: i64) {
        for account in 1..=sources {
            let told = CommandRecord { account, instrument, price, ..command(CommandKind::PublishPrice) };
            let told = CommandRecord { expires_ns: self.time_ns, ..told };
            self.set_up.push_back(Frame::commands(self.time_ns, vec![told]));
        }
    }

    pub(super) fn mark_frame(&self, instrument: u32, price: i64) -> Frame {
        let record = CommandRecord { instrument, price, ..command(CommandKind::SetMark) };
        Frame::commands(self.time_ns, vec![record])
    }
}
