//! A script that chance alone would seldom write: an account in scenario mode with a hedge and little money, of which one
//! half loses, and orders in both books that liquidation can meet.

use super::{Chaos, Known};
use crate::rng::Rng;
use crate::workload::deployments::liquidation;
use crate::workload::{Frame, command};
use xos_protocol::{CommandKind, CommandRecord, InstrumentSpec, Int128, Side};

/// In a world of hedges the first perpetuals can be held by everybody, are liquidated, and have marks that are set.
pub(super) fn ease(rng: &mut Rng, spec: &mut InstrumentSpec, hedged: bool) {
    if hedged {
        (spec.oracle, spec.isolated_only, spec.terms.venue, spec.terms.band_ppm) = (None, false, 0, 0);
        let terms = liquidation::terms(rng, spec);
        spec.liquidation.get_or_insert_with(|| Box::new(terms));
    }
}

impl Chaos {
    /// An underlying stands.
    pub(super) fn know_underlying(&mut self, underlying: u32, instruments: &[u32]) {
        let first = instruments[0];
        self.groups.push((underlying, first, self.known(first).price_max));
        if let [one, other, ..] = *instruments {
            self.hedges.push((one, other));
        }
    }

    /// Queues the frames of a hedge.
    pub(super) fn plan_hedge(&mut self) {
        let told = |id: u32| self.known(id).sources > 0;
        let able: Vec<(u32, u32)> =
            self.hedges.iter().copied().filter(|&(one, other)| !told(one) && !told(other)).collect();
        if able.is_empty() || self.live.accounts < 2 {
            return;
        }
        let (one, other) = *self.rng.pick(&able);
        let (long, short) = if self.rng.one_in(2) { (one, other) } else { (other, one) };
        let account = self.account();
        let maker = 1 + account % self.live.accounts;
        let start = |known: Known| 1 + known.price_max / 2;
        let (of_long, of_short) = (self.known(long), self.known(short));
        let (dear, cheap) = (start(of_long), start(of_short));
        let mut lots =
            |known: Known| (known.qty_min + self.rng.between(1, 6) * self.scale.lot).min(known.qty_max);
        let (longs, shorts) = (lots(of_long), lots(of_short));
        let part = *self.rng.pick(&[3, 10, 40]);
        let fallen = (dear - self.rng.between(1, 1 + dear / part)).max(1);

        let record = |kind, account, instrument| CommandRecord { account, instrument, ..command(kind) };
        let order = |account, instrument, side: Side, price, qty| CommandRecord {
            side: side.code(),
            price,
            qty,
            ..record(CommandKind::Place, account, instrument)
        };
        let mark = |instrument, price| CommandRecord { price, ..record(CommandKind::SetMark, 0, instrument) };
        let open = |instrument| record(CommandKind::SetInstrumentState, 0, instrument);
        let amount = Int128::new(i128::from(self.scale.k) * i128::from(self.scale.lot) * 9_000);
        let deposit = |account| CommandRecord { amount, ..record(CommandKind::Deposit, account, 1) };
        let mass_cancel = |account| CommandRecord { side: 2, ..record(CommandKind::MassCancel, account, 0) };
        let mode = CommandRecord { side: 1, ..record(CommandKind::SetMarginMode, account, 0) };
        let script = vec![
            vec![mass_cancel(account), mass_cancel(maker), open(long), open(short)],
            vec![mark(long, dear), mark(short, cheap), mode, deposit(account), deposit(maker)],
            vec![order(maker, long, Side::Sell, dear, longs), order(account, long, Side::Buy, dear, longs)],
            vec![
                order(maker, short, Side::Buy, cheap, shorts),
                order(account, short, Side::Sell, cheap, shorts),
            ],
            self.withdraw_nearly_all(account, 1),
            vec![
                order(maker, long, Side::Buy, fallen, longs),
                order(maker, short, Side::Sell, cheap, shorts),
            ],
            vec![mark(long, fallen)],
        ];
        let mut time_ns = self.time_ns;
        for commands in script {
            self.set_up.push_back(Frame::commands(time_ns, commands));
        }
        for _ in 0..3 {
            time_ns += *self.rng.pick(&[1, 1_000_000_000, 60_000_000_000]);
            self.set_up.push_back(Frame::commands(time_ns, vec![command(CommandKind::Tick)]));
        }
    }
}
