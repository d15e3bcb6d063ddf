//! The end of a funding interval: prices, samples, a jump over the hour, and trades in the middle of the settlement.

use super::Chaos;
use crate::workload::{Frame, command};
use xos_protocol::{CommandKind, CommandRecord};

const SECOND_NS: u64 = 1_000_000_000;

impl Chaos {
    /// Ticks with fresh prices around the end of an interval; commands of all kinds may come between them.
    pub(super) fn plan_interval(&mut self) {
        let mut time_ns = self.time_ns;
        for _ in 0..1 + self.rng.below(3) {
            time_ns += self.rng.below(2 * SECOND_NS);
            self.plan_prices(time_ns);
            self.set_up.push_back(Frame::commands(time_ns, vec![command(CommandKind::Tick)]));
        }
        time_ns += 3_600 * SECOND_NS * (1 + self.rng.below(9));
        self.plan_prices(time_ns);
        for _ in 0..self.rng.below(8) {
            self.set_up.push_back(Frame::commands(time_ns, vec![command(CommandKind::Tick)]));
            for at in 0..self.rng.below(4) {
                let record = self.draw_command(at);
                self.set_up.push_back(Frame::commands(time_ns, vec![record]));
            }
        }
    }

    fn plan_prices(&mut self, time_ns: u64) {
        let perpetuals: Vec<(u32, u32)> = (1..)
            .zip(&self.instruments)
            .filter(|(_, known)| known.is_perpetual)
            .map(|(id, known)| (id, known.sources))
            .collect();
        for (instrument, sources) in perpetuals {
            let price = self.near(instrument);
            let mut told = vec![CommandRecord { instrument, price, ..command(CommandKind::SetIndex) }];
            if sources > 0 {
                told = (1..=sources)
                    .map(|account| CommandRecord {
                        account,
                        instrument,
                        price,
                        expires_ns: time_ns,
                        ..command(CommandKind::PublishPrice)
                    })
                    .collect();
            }
            self.set_up.push_back(Frame::commands(time_ns, told));
        }
    }
}
