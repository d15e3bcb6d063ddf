//! A script at the upper bound of money: a question whose complete sets could lock all the atoms there may be.

use super::{Chaos, deployments};
use crate::workload::{Frame, command};
use xos_protocol::{CommandKind, CommandRecord, DeployCommand, Int128};
use xos_units::{AMOUNT_ATOMS_BOUND, Amount, QTY_LOTS_BOUND};

impl Chaos {
    /// Queues a question of the greatest unit, and splits up to the bound and one past it.
    pub(super) fn plan_giant(&mut self) {
        self.deployments += 1;
        let (rng, scale) = (&mut self.rng, self.scale);
        let mut spec = deployments::question(rng, scale, 10 + self.deployments, 2);
        let unit = 1 << 24;
        spec.ticks_per_unit = unit;
        spec.terms.price_max_ticks = unit - 1;
        spec.terms.quote_atoms_per_tick_lot = u32::MAX;
        spec.terms.qty_max_lots = QTY_LOTS_BOUND - 1;
        spec.terms.position_max_lots = QTY_LOTS_BOUND - 1;
        spec.terms.notional_max = Amount(AMOUNT_ATOMS_BOUND - 1);
        let unit_atoms = i128::from(unit) * i128::from(u32::MAX);
        let most = i64::try_from((AMOUNT_ATOMS_BOUND - 1) / unit_atoms).expect("about 2^40");

        let first = self.rng.between(280, 400);
        let (account, other) = (1, 2.min(self.live.accounts));
        let instrument = self.questions + 1;
        let amount = Int128::new(unit_atoms * i128::from(first));
        let deposit = CommandRecord { account, instrument: 1, amount, ..command(CommandKind::Deposit) };
        let split =
            |account, qty| CommandRecord { account, instrument, qty, ..command(CommandKind::SplitSet) };
        let time_ns = self.time_ns;
        self.set_up.push_back(Frame::deploy(time_ns, &DeployCommand::Question(spec)));
        let script =
            [deposit, split(account, first), split(other, most - first + 1), split(other, most - first)];
        self.set_up.extend(script.map(|record| Frame::commands(time_ns, vec![record])));
    }
}
