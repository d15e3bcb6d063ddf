//! A script that chance alone would seldom write: an account with collateral and little cash loses on a perpetual, and bids
//! stand in the book of its collateral.

use super::{Chaos, Known};
use crate::workload::{Frame, command};
use xos_protocol::{CommandKind, CommandRecord, Int128, Side, Tif};

impl Chaos {
    /// Queues the frames of a debt.
    pub(super) fn plan_debt(&mut self) {
        let of = |wanted: fn(&Known) -> bool, known: &[Known]| -> Vec<u32> {
            (1..).zip(known).filter(|(_, known)| wanted(known)).map(|(id, _)| id).collect()
        };
        let spots = of(|known| known.converted != 0, &self.instruments);
        let perpetuals = of(|known| known.is_perpetual && known.sources == 0, &self.instruments);
        if spots.is_empty() || perpetuals.is_empty() || self.live.accounts < 2 {
            return;
        }
        let (spot, perpetual) = (*self.rng.pick(&spots), *self.rng.pick(&perpetuals));
        let account = self.account();
        let other = 1 + account % self.live.accounts;
        let Known { price_max, qty_min, qty_max, .. } = self.known(perpetual);
        let start = 1 + price_max / 2;
        let lots = (qty_min + self.rng.between(1, 6) * self.scale.lot).min(qty_max);
        let fallen = (start - self.rng.between(1 + start / 3, start)).max(1);
        let of_spot = self.known(spot);
        let index = (1 + of_spot.price_max / 2).max(2);

        let record = |kind, account, instrument| CommandRecord { account, instrument, ..command(kind) };
        let order = |account, instrument, side: Side, price, qty| CommandRecord {
            side: side.code(),
            price,
            qty,
            ..record(CommandKind::Place, account, instrument)
        };
        let unit = i128::from(self.scale.k) * i128::from(self.scale.lot);
        let amount_of = |lots: i128| Int128::new(unit * lots);
        let deposit =
            |account, asset, amount| CommandRecord { amount, ..record(CommandKind::Deposit, account, asset) };
        let mark = |price| CommandRecord { price, ..record(CommandKind::SetMark, 0, perpetual) };
        let set_index = |price| CommandRecord { price, ..record(CommandKind::SetIndex, 0, spot) };
        let open = |instrument| record(CommandKind::SetInstrumentState, 0, instrument);
        let mass_cancel = CommandRecord { side: 2, ..record(CommandKind::MassCancel, account, 0) };
        let few = i128::from(*self.rng.pick(&[1, 2, 6, 20]));
        let lots_of_spot = i128::from(of_spot.qty_max) * i128::from(of_spot.atoms_per_lot);
        let collateral = Int128::new(lots_of_spot);
        let mut script = vec![
            vec![mass_cancel, open(spot), open(perpetual), mark(start), set_index(index)],
            self.withdraw_nearly_all(account, of_spot.converted),
            self.withdraw_nearly_all(account, 1),
            vec![deposit(account, of_spot.converted, collateral), deposit(other, 1, amount_of(9_000))],
            vec![deposit(account, 1, amount_of(few))],
            vec![order(other, perpetual, Side::Sell, start, lots)],
            vec![order(account, perpetual, Side::Buy, start, lots)],
        ];
        // What may wait in the book of the collateral, a little too dear.
        let waits = self.rng.percent(85);
        let price = (index + 2).min(of_spot.price_max);
        let (half, third) = (of_spot.qty_max / 2, of_spot.qty_max / 3);
        let mut sells: Vec<CommandRecord> = [half, third, of_spot.qty_max - half - third]
            .map(|qty| order(account, spot, Side::Sell, price, qty.max(of_spot.qty_min)))
            .to_vec();
        sells.truncate(if waits { 3 } else { 0 });
        for _ in 0..self.rng.between(1, 3) {
            let price = (index + self.rng.between(-2, 1)).clamp(1, of_spot.price_max);
            let qty = self.rng.between(of_spot.qty_min, of_spot.qty_min.max(of_spot.qty_max / 2));
            script.push(vec![order(other, spot, Side::Buy, price, qty)]);
        }
        if self.rng.percent(75) {
            // It closes at a loss by itself.
            let sell = order(account, perpetual, Side::Sell, fallen, lots);
            script.push(vec![mark(fallen)]);
            script.push(vec![order(other, perpetual, Side::Buy, fallen, lots)]);
            // In one frame: before anybody looks, what it has stands in the book.
            sells.insert(0, CommandRecord { tif: Tif::Ioc.code(), ..sell });
            script.push(sells);
        } else {
            script.push(vec![mark(fallen)]);
        }
        script.push(vec![command(CommandKind::Tick)]);
        let mut time_ns = self.time_ns;
        for commands in script {
            self.set_up.push_back(Frame::commands(time_ns, commands));
        }
        for _ in 0..2 {
            time_ns += 1_000_000_000;
            self.set_up.push_back(Frame::commands(time_ns, vec![command(CommandKind::Tick)]));
        }
    }
}
