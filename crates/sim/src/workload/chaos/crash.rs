//! A crash: the mark of a perpetual in which many hold positions jumps, and time passes.

use super::Chaos;
use crate::workload::{Frame, command};
use xos_protocol::{CommandKind, CommandRecord, Int128};

impl Chaos {
    /// Queues the frames of a crash.
    pub(super) fn plan_crash(&mut self) {
        let number = self.rng.bits();
        let instruments = &self.instruments;
        let is_perpetual = |instrument: u32| instruments[instrument as usize - 1].is_perpetual;
        let Some((account, instrument, lots)) = self.live.nth_position_of(number, is_perpetual) else {
            return;
        };
        let price_max = self.known(instrument).price_max;
        let mut mark = self.live.marks.get(&instrument).copied().unwrap_or(1 + price_max / 2);
        let mut time_ns = self.time_ns;
        if self.rng.one_in(3) {
            // A fund that can pay something: fees of trades fill it too, but seldom before they are needed.
            let amount = Int128::new(self.amount_of_some_orders());
            let deposit = CommandRecord { account, instrument: 1, amount, ..command(CommandKind::Deposit) };
            self.set_up.push_back(Frame::commands(time_ns, vec![deposit]));
        }
        let orders = CommandRecord { account, side: 2, ..command(CommandKind::MassCancel) };
        for step in 0..self.rng.between(1, 5) {
            // A mild one leaves something from which a fee can be paid.
            let part = if self.rng.one_in(3) { self.rng.between(7, 30) } else { self.rng.between(1, 6) };
            let against = if lots > 0 { -1 } else { 1 };
            let direction = if self.rng.percent(75) { against } else { -against };
            mark = (mark + direction * (mark / part).max(1)).clamp(1, price_max);
            let set_mark = CommandRecord { instrument, price: mark, ..command(CommandKind::SetMark) };
            let mut commands = vec![set_mark];
            if step == 0 && self.rng.one_in(3) {
                commands.insert(0, orders);
            }
            self.set_up.push_back(Frame::commands(time_ns, commands));
            time_ns += *self.rng.pick(&[0, 1, 1_000_000, 3_600_000_000_000, 86_400_000_000_000]);
            for _ in 0..self.rng.below(4) {
                self.set_up.push_back(Frame::commands(time_ns, vec![command(CommandKind::Tick)]));
            }
        }
    }
}
