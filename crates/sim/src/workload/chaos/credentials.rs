//! Credentials: given, renewed, late, old, of no class, taken away.

use super::Chaos;
use crate::workload::{client_id, command};
use xos_protocol::{CommandKind, CommandRecord};

impl Chaos {
    pub(super) fn draw_credentials(&mut self) -> CommandRecord {
        let known = (1u64 << self.classes.min(3)) - 1;
        let rng = &mut self.rng;
        let classes = match rng.below(12) {
            0..3 => 0,
            3 => *rng.pick(&[1 << 32, -1, 1 << 31, i64::MAX]),
            _ => ((rng.bits() | rng.bits()) & known) as i64,
        };
        let soon = self.time_ns + 1 + rng.below(400);
        let ends_ns = match rng.below(10) {
            _ if classes == 0 && !rng.one_in(8) => 0,
            0 => self.time_ns.saturating_sub(rng.below(3)),
            1..4 => u64::MAX,
            _ => soon,
        };
        let issued_ns = match rng.below(10) {
            0 => self.time_ns + 1 + rng.below(100),
            1 => self.time_ns.saturating_sub(rng.below(500)),
            _ => self.time_ns,
        };
        CommandRecord {
            account: self.account(),
            order_id: issued_ns,
            qty: classes,
            expires_ns: ends_ns,
            client_id: if self.rng.one_in(20) { [0; 32] } else { client_id(self.rng.below(1_000)) },
            ..command(CommandKind::SetCredentials)
        }
    }

    /// Most accounts of the beginning have some classes.
    pub(super) fn plan_credentials(&mut self, accounts: u32, classes: u32) {
        let known = (1u64 << classes) - 1;
        for account in 1..=accounts {
            let held = ((self.rng.bits() | self.rng.bits()) & known) as i64;
            if held != 0 && !self.rng.one_in(4) {
                let record = CommandRecord {
                    account,
                    order_id: self.time_ns,
                    qty: held,
                    expires_ns: if self.rng.one_in(3) {
                        u64::MAX
                    } else {
                        self.time_ns + self.rng.below(4_000) + 1
                    },
                    client_id: client_id(1 + self.rng.below(1_000)),
                    ..command(CommandKind::SetCredentials)
                };
                self.set_up.push_back(crate::workload::Frame::commands(self.time_ns, vec![record]));
            }
        }
    }
}
