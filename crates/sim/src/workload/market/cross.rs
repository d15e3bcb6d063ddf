//! `cross`: an exchange-like mix over sixteen perpetuals with margin tiers, every account holding positions in four to
//! eight of them and a second asset as collateral, so that each margin check walks a portfolio.

use super::{MIDDLE, Market, MarketShape, Middle, Writer, asset, perpetual, terms};
use crate::workload::command;
use xos_protocol::{
    CollateralTier, CommandKind, CommandRecord, DeployCommand, InstrumentSpec, MarginSpec, MarginTier,
    Product, Side, Tif,
};
use xos_units::Amount;

/// Perpetuals of `cross`.
pub(super) const PERPETUALS: u32 = 16;
/// Positions of an account: this many and up to `POSITIONS_MORE` more.
const POSITIONS_LEAST: u32 = 4;
const POSITIONS_MORE: u32 = 5;
/// Cancels reach for one of the newest orders thirty times of a hundred.
const NEWEST: usize = 64;

impl Market {
    /// Sixteen perpetuals and accounts that hold four to eight of them. The mix is that of the W2 command file: 48 %
    /// good-till-cancelled (4 % of them marketable), 7 % immediate-or-cancel, 1 % fill-or-kill, 36 % cancels, 6 %
    /// moves, 2 % reductions; distances from the middle fall off exponentially with a mean of 60 ticks.
    pub fn cross(shape: MarketShape) -> Self {
        let mut deployments = vec![asset(1), asset(2)];
        deployments.extend((1..=PERPETUALS).map(|number| DeployCommand::Instrument(tiered(number))));
        deployments.push(DeployCommand::Instrument(collateral()));
        let middles = (0..PERPETUALS).map(|_| Middle::around(MIDDLE)).collect();
        let perpetuals: Vec<u32> = (1..=PERPETUALS).collect();
        let mut writer = Writer::new("cross", shape, 2, middles);
        let (mut prefill, first) = (Vec::new(), deployments.len() as u64);
        writer.next_sequence += first;
        writer.set_up(&mut prefill, &perpetuals);
        let (instrument, price) = (PERPETUALS + 1, MIDDLE);
        prefill.push(CommandRecord { instrument, price, ..command(CommandKind::SetIndex) });
        writer.next_sequence += 1;
        writer.take_positions(&mut prefill);
        while writer.book.resting() < shape.resting {
            let record = writer.cross_order();
            prefill.push(writer.rest_at_distance(record));
        }
        let commands = (0..shape.commands).map(|_| writer.draw_cross()).collect();
        writer.finish(&deployments, prefill, commands)
    }
}

/// Tiers that the larger positions reach: a position of 500 lots is worth 250 million atoms.
fn tiered(number: u32) -> InstrumentSpec {
    let tier = |millions: i128, initial_ppm, maintenance_ppm| MarginTier {
        notional_from: Amount(millions * 1_000_000),
        initial_ppm,
        maintenance_ppm,
    };
    let tiers = vec![tier(100, 60_000, 30_000), tier(200, 80_000, 40_000), tier(1_000, 100_000, 50_000)];
    let margin = Some(MarginSpec { tiers, open_interest_scaling: None });
    InstrumentSpec { margin, ..perpetual(number) }
}

/// Where the second asset is valued: it does not trade.
fn collateral() -> InstrumentSpec {
    let product = Product::Spot { base: 2, quote: 1, base_atoms_per_lot: 1_000 };
    let mut spec = InstrumentSpec::new("SPOT".into(), product, terms(1 << 24));
    let tier = |up_to_lots, haircut_ppm| CollateralTier { up_to_lots, haircut_ppm };
    spec.collateral = vec![tier(1_000, 50_000), tier(100_000, 100_000), tier(1 << 30, 200_000)];
    spec
}

/// The perpetuals of an account: a run around the circle of all.
fn instrument_of(account: u32, number: u32) -> u32 {
    let holds = POSITIONS_LEAST + account % POSITIONS_MORE;
    let first = account.wrapping_mul(7) % PERPETUALS;
    1 + (first + number % holds) % PERPETUALS
}

impl Writer {
    /// Every account trades each of its perpetuals with the account that stood there before it.
    fn take_positions(&mut self, prefill: &mut Vec<CommandRecord>) {
        for instrument in 1..=PERPETUALS {
            let all = 1..=self.shape.accounts;
            let holders =
                all.filter(|&account| (0..8).any(|number| instrument_of(account, number) == instrument));
            let holders: Vec<u32> = holders.collect();
            let neighbours = holders.iter().zip(holders.iter().cycle().skip(1));
            for (at, (&maker, &taker)) in neighbours.enumerate() {
                let side = (at % 2) as u8;
                let qty = self.rng.between(50, 500);
                let record = CommandRecord { instrument, qty, price: MIDDLE, ..command(CommandKind::Place) };
                let rests = CommandRecord { account: maker, side, ..record };
                let sequence = self.sequence();
                self.book.rest(sequence, &rests);
                let takes = CommandRecord { account: taker, side: 1 - side, tif: Tif::Ioc.code(), ..record };
                self.sequence();
                self.book.take(&takes);
                prefill.extend([rests, takes]);
            }
        }
    }

    fn cross_order(&mut self) -> CommandRecord {
        let account = 1 + self.rng.below(self.shape.accounts.into()) as u32;
        let number = self.rng.below(8) as u32;
        let instrument = instrument_of(account, number);
        if self.rng.one_in(64) {
            let step = self.rng.between(-1, 1);
            self.middles[instrument as usize - 1].step(step);
        }
        let (side, qty) = (self.rng.below(2) as u8, self.rng.between(1, 100));
        CommandRecord { account, instrument, side, qty, ..command(CommandKind::Place) }
    }

    fn draw_cross(&mut self) -> CommandRecord {
        let drawn = self.rng.below(1_000);
        let record = match drawn {
            // Larger books draw more cancels, so that their size holds.
            0..480 if self.book.resting() > self.shape.resting + self.shape.resting / 8 => None,
            0..550 => {
                let record = self.cross_order();
                Some(match drawn {
                    0..19 => self.marketable(record, Tif::Gtc),
                    19..480 => self.rest_at_distance(record),
                    _ => self.marketable(record, Tif::Ioc),
                })
            }
            550..560 => {
                let record = self.cross_order();
                Some(self.kill(record))
            }
            _ => None,
        };
        if let Some(record) = record {
            return record;
        }
        let number = self.rng.bits();
        let newest = self.rng.percent(30) && drawn < 920;
        let order_id = if newest { self.book.newest(number, NEWEST) } else { self.book.nth(number) };
        let Some(order_id) = order_id else {
            let record = self.cross_order();
            return self.rest_at_distance(record);
        };
        match drawn {
            920..980 => self.move_order(order_id),
            980.. => self.reduce(order_id),
            _ => self.cancel(order_id),
        }
    }

    /// Exponential distance from the middle, mean about 60 ticks, by the number of leading zero bits.
    fn distance(&mut self) -> i64 {
        let bits = self.rng.bits();
        let doublings = i64::from((bits | 1).leading_zeros());
        // Each halving of the probability is 60 x ln 2 = 41.6 ticks further; inside one it is even.
        1 + doublings * 416 / 10 + (self.rng.below(416) / 10) as i64
    }

    fn rest_at_distance(&mut self, mut record: CommandRecord) -> CommandRecord {
        let side = record.side().expect("0 or 1");
        let middle = self.middles[record.instrument as usize - 1].price;
        let price = middle - side.sign() * self.distance();
        record.price = match (side, self.book.best(record.instrument, side.opposite())) {
            (Side::Buy, Some(ask)) => price.min(ask - 1),
            (Side::Sell, Some(bid)) => price.max(bid + 1),
            _ => price,
        };
        let sequence = self.sequence();
        self.book.rest(sequence, &record);
        record
    }

    /// Reaches a few ticks into the other side; what is left of a good-till-cancelled order rests.
    fn marketable(&mut self, mut record: CommandRecord, tif: Tif) -> CommandRecord {
        let side = record.side().expect("0 or 1");
        let middle = self.middles[record.instrument as usize - 1].price;
        let best = self.book.best(record.instrument, side.opposite()).unwrap_or(middle);
        record.price = best + side.sign() * self.rng.between(0, 20);
        record.tif = tif.code();
        let sequence = self.sequence();
        let left = self.book.take(&record);
        if left > 0 && tif == Tif::Gtc {
            self.book.rest_part(sequence, &record, left);
        }
        record
    }

    /// Fill-or-kill: small, so that half of them fill.
    fn kill(&mut self, mut record: CommandRecord) -> CommandRecord {
        let side = record.side().expect("0 or 1");
        let middle = self.middles[record.instrument as usize - 1].price;
        let best = self.book.best(record.instrument, side.opposite()).unwrap_or(middle);
        record.price = best + side.sign() * self.rng.between(-20, 20);
        record.tif = Tif::Fok.code();
        self.sequence();
        if self.book.reachable(&record) >= i128::from(record.qty) {
            self.book.take(&record);
        }
        record
    }

    fn move_order(&mut self, order_id: u64) -> CommandRecord {
        let order = self.book.order(order_id);
        let step = self.rng.between(1, 20) * if self.rng.one_in(2) { 1 } else { -1 };
        let limit = self.book.best(order.instrument, order.side.opposite());
        let price = match (order.side, limit) {
            (Side::Buy, Some(ask)) => (order.price + step).min(ask - 1),
            (Side::Sell, Some(bid)) => (order.price + step).max(bid + 1),
            _ => order.price + step,
        };
        let price = if price == order.price { price - order.side.sign() } else { price };
        self.sequence();
        self.book.reprice(order_id, price);
        CommandRecord { account: order.account, order_id, price, ..command(CommandKind::Amend) }
    }

    /// Shrinks an order in place, or cancels one that cannot shrink.
    fn reduce(&mut self, order_id: u64) -> CommandRecord {
        let order = self.book.order(order_id);
        if order.remaining < 2 {
            return self.cancel(order_id);
        }
        let qty = order.total - self.rng.between(1, order.remaining - 1);
        self.sequence();
        self.book.shrink(order_id, qty);
        CommandRecord { account: order.account, order_id, qty, ..command(CommandKind::Amend) }
    }
}
