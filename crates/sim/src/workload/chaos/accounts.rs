//! The accounts of the beginning, and what they bring.

use super::Chaos;
use crate::workload::{Frame, client_id, command};
use xos_protocol::{CommandKind, CommandRecord, Int128};

impl Chaos {
    pub(super) fn plan_accounts(&mut self, assets: u32, classes: u32) {
        let accounts = if self.crowd { 8 } else { 3 } + self.rng.below(8) as u32;
        let owners = 2 + self.rng.below(u64::from(accounts - 1));
        let mut commands = Vec::new();
        for account in 1..=accounts {
            let mut record = command(CommandKind::OpenAccount);
            record.client_id = client_id(1_000_000 + self.rng.below(owners));
            record.side = self.opens_simulated();
            commands.push(record);
            if self.rng.one_in(3) {
                commands.push(CommandRecord { account, side: 1, ..command(CommandKind::SetMarginMode) });
            }
            for asset in 1..=assets {
                if asset == 1 || self.rng.percent(70) {
                    let amount = Int128::new(self.amount_of_some_orders());
                    let deposit = command(CommandKind::Deposit);
                    commands.push(CommandRecord { account, instrument: asset, amount, ..deposit });
                }
            }
        }
        for record in commands {
            self.set_up.push_back(Frame::commands(self.time_ns, vec![record]));
        }
        self.plan_credentials(accounts, classes);
    }

    /// Atoms for a few orders of this world.
    pub(super) fn amount_of_some_orders(&mut self) -> i128 {
        let order = i128::from(self.scale.k) * i128::from(self.scale.lot) * 60;
        1 + order * i128::from(self.rng.below(60)) * self.wealth / 300
    }
}
