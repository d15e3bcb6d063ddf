//! A script that chance alone would seldom write: one account's orders are left with just about the headroom that
//! some of their fills need, then somebody reaches for all of them.

use super::{Chaos, Known};
use crate::workload::{Frame, command};
use xos_protocol::{CommandKind, CommandRecord, Int128, Side, Tif};

impl Chaos {
    /// Queues the frames of a squeeze.
    pub(super) fn plan_squeeze(&mut self) {
        let perpetuals: Vec<u32> =
            (1..).zip(&self.instruments).filter(|(_, k)| k.is_perpetual).map(|(i, _)| i).collect();
        if perpetuals.is_empty() {
            return;
        }
        let number = self.rng.bits();
        let aimed =
            self.live.nth_position(number).filter(|(_, instrument, _)| perpetuals.contains(instrument));
        let (account, instrument, position) = match aimed {
            Some((account, instrument, lots)) if self.rng.percent(60) => (account, instrument, lots),
            _ => {
                let instrument = *self.rng.pick(&perpetuals);
                (self.account(), instrument, self.rng.between(-6, 6) * self.scale.lot)
            }
        };
        // Against the position, so that the first orders close it and the last ones go beyond.
        let side = if position > 0 { Side::Sell } else { Side::Buy };
        let Known { price_max, qty_min, qty_max, .. } = self.known(instrument);
        let mark = self.live.marks.get(&instrument).copied().unwrap_or(1 + price_max / 2);
        let away = self.rng.between(1, 4);
        let start = (mark - side.opposite().sign() * self.rng.between(0, 2)).clamp(1, price_max);
        let moved = (start - side.sign() * away).clamp(1, price_max);
        let most = (qty_max / 4).max(qty_min);
        let lots = (position.abs() * self.rng.between(1, 3) / 3).clamp(qty_min, most);
        let taker = 1 + account % self.live.accounts.max(1);

        let mass_cancel = CommandRecord { account, side: 2, ..command(CommandKind::MassCancel) };
        let mark_at = |price| CommandRecord { instrument, price, ..command(CommandKind::SetMark) };
        let open = CommandRecord { instrument, ..command(CommandKind::SetInstrumentState) };
        let plenty = Int128::new(i128::from(self.scale.k) * i128::from(self.scale.lot) * 4_000);
        let deposit = CommandRecord { instrument: 1, amount: plenty, ..command(CommandKind::Deposit) };
        let mut script = vec![
            vec![mass_cancel, open, mark_at(start)],
            vec![CommandRecord { account, ..deposit }, CommandRecord { account: taker, ..deposit }],
        ];
        let mut total = 0;
        let orders = self.rng.between(2, 4).min((qty_max / (lots + 1)).max(1));
        for _ in 0..orders {
            let price = (start + self.rng.between(-1, 1)).clamp(1, price_max);
            let qty = lots + self.rng.between(0, 1);
            total += qty;
            let place = command(CommandKind::Place);
            script.push(vec![CommandRecord { account, instrument, side: side.code(), price, qty, ..place }]);
        }
        script.push(vec![mark_at(moved)]);
        script.push(self.withdraw_nearly_all(account, 1));
        let loss = i128::from(self.scale.k) * i128::from(total) * i128::from(away);
        let share = i128::from(self.rng.below(100));
        let amount = Int128::new(1 + loss * share / 60);
        script.push(vec![CommandRecord { account, amount, ..deposit }]);
        script.push(vec![CommandRecord {
            account: taker,
            instrument,
            side: side.opposite().code(),
            tif: if self.rng.percent(80) { Tif::Fok.code() } else { Tif::Ioc.code() },
            price: (start - side.sign()).clamp(1, price_max),
            qty: if self.rng.percent(60) { total } else { self.rng.between(1, total) },
            ..command(CommandKind::Place)
        }]);
        let time_ns = self.time_ns;
        self.set_up.extend(script.into_iter().map(|commands| Frame::commands(time_ns, commands)));
    }

    /// Smaller and smaller withdrawals: what cannot leave is refused, what can leaves.
    pub(super) fn withdraw_nearly_all(&mut self, account: u32, asset: u32) -> Vec<CommandRecord> {
        let order = i128::from(self.scale.k) * i128::from(self.scale.lot) * 16_384;
        let withdraw = CommandRecord { account, instrument: asset, ..command(CommandKind::Withdraw) };
        (0..19)
            .map(|halvings| CommandRecord { amount: Int128::new((order >> halvings).max(1)), ..withdraw })
            .collect()
    }
}
