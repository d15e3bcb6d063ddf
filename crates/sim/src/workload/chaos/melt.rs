//! A script that chance alone would seldom write: a market with fine prices whose liquidation grows, an account with little
//! more than its margin, and a mark that goes against it in small steps while time passes.

use super::Chaos;
use crate::workload::{Frame, command, deployments};
use xos_protocol::{
    CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, GrowthSpec, InstrumentSpec, Int128,
    LiquidationPolicy, Product, Side, Tif, TrancheSpec,
};
use xos_units::Amount;

const SYMBOL: &str = "MELT";
const START: i64 = 1_000;
const LOTS: i64 = 100;
/// The account of a tranche.
const TAKER: u32 = 1;

impl Chaos {
    /// Deploys the market, or queues the frames in which it melts.
    pub(super) fn plan_melt(&mut self) {
        match self.melting {
            None => {
                let body = DeployCommand::Instrument(self.melting_market());
                self.set_up.push_back(Frame::deploy(self.time_ns, &body));
            }
            Some(instrument) if !self.known(instrument).is_settled => self.plan_steps(instrument),
            Some(_) => {}
        }
    }

    pub(super) fn observe_melting(&mut self, event: &EventRecord) {
        if event.kind() == Some(EventKind::InstrumentDeployed)
            && let Some(DeployCommand::Instrument(spec)) = &self.pending
            && spec.symbol == SYMBOL
        {
            self.melting = Some(event.instrument);
        }
    }

    fn melting_market(&mut self) -> InstrumentSpec {
        let rng = &mut self.rng;
        let mut spec = deployments::perpetual(rng, self.scale, SYMBOL.into());
        spec.product = Product::Perpetual {
            initial_margin_ppm: 200_000,
            maintenance_margin_ppm: *rng.pick(&[100_000, 100_000, 150_000, 199_999]),
        };
        let terms = &mut spec.terms;
        (terms.price_max_ticks, terms.band_ppm, terms.orders_per_account_max) = (2 * START, 0, 50);
        (terms.qty_min_lots, terms.qty_max_lots, terms.position_max_lots) = (1, 4 * LOTS, 20 * LOTS);
        (terms.notional_min, terms.notional_max) = (Amount(0), Amount(1 << 90));
        (spec.margin, spec.halt, spec.isolated_only) = (None, None, false);
        let mut liquidation = spec.liquidation.take().unwrap_or_default();
        liquidation.policy = LiquidationPolicy::Growing;
        liquidation.growth = Some(GrowthSpec {
            duration_s: *rng.pick(&[1, 2, 10]),
            initial_ppm: *rng.pick(&[0, 50_000, 333_333]),
            small_shortage: Amount(i128::from(rng.below(3))),
        });
        (liquidation.full_below, liquidation.cooldown_ms) = (Amount(0), *rng.pick(&[0, 0, 1]));
        (liquidation.tranche, liquidation.backstop_ppm) = (None, 0);
        if rng.one_in(3) {
            // A tranche that takes a part, as soon as nobody else does.
            let lot = i128::from(spec.terms.quote_atoms_per_tick_lot) * i128::from(START);
            let notional_max = Amount(lot * i128::from(LOTS) * i128::from(rng.between(1, 40)) / 100);
            liquidation.tranche = Some(TrancheSpec { account: TAKER, notional_max });
            liquidation.backstop_ppm = *rng.pick(&[800_000, 1_000_000]);
        }
        spec.liquidation = Some(liquidation);
        spec
    }

    fn plan_steps(&mut self, instrument: u32) {
        // A fresh account has nothing else, if there is room for one more.
        let fresh = self.rng.one_in(2);
        let (account, other) = match self.account() {
            other if fresh => (self.live.accounts + 1, other),
            account => (account, 1 + account % self.live.accounts),
        };
        let side = *self.rng.pick(&[Side::Buy, Side::Sell]);
        let record = |kind, account| CommandRecord { account, instrument, ..command(kind) };
        let order = |account, side: Side, price, qty| CommandRecord {
            side: side.code(),
            price,
            qty,
            ..record(CommandKind::Place, account)
        };
        let mark = |price| CommandRecord { price, ..record(CommandKind::SetMark, 0) };
        let value = i128::from(self.scale.k) * i128::from(START * LOTS);
        let deposit = |account, amount| {
            let amount = Int128::new(amount);
            CommandRecord { account, instrument: 1, amount, ..command(CommandKind::Deposit) }
        };
        let cancel_all = |account| CommandRecord { account, side: 2, ..command(CommandKind::MassCancel) };
        let mut owner = [0; 32];
        owner[..8].copy_from_slice(&self.rng.bits().to_le_bytes());
        let opened = CommandRecord { client_id: owner, ..command(CommandKind::OpenAccount) };
        let first = if fresh { opened } else { cancel_all(account) };
        let script = [
            vec![first, cancel_all(other), record(CommandKind::SetInstrumentState, 0), mark(START)],
            self.withdraw_nearly_all(account, 1),
            vec![deposit(account, value * 26 / 100), deposit(other, value * 20), deposit(TAKER, value)],
            vec![order(other, side.opposite(), START, LOTS)],
            vec![order(account, side, START, LOTS)],
        ];
        let mut time_ns = self.time_ns;
        let mut frames: Vec<Frame> =
            script.into_iter().map(|commands| Frame::commands(time_ns, commands)).collect();
        let mut price = START;
        for step in 0..16 {
            price -= side.sign() * self.rng.between(8, 30);
            let mut commands = vec![mark(price)];
            if step > 3 {
                commands.insert(0, order(other, side, price, LOTS));
            }
            frames.push(Frame::commands(time_ns, commands));
            if step == 3 {
                // It reduces at a loss by an order that rests, and the loss may have grown when somebody meets it.
                let worse = price - side.sign() * self.rng.between(1, 20);
                let back = mark(price + side.sign() * self.rng.between(0, 3));
                let meets = CommandRecord { tif: Tif::Ioc.code(), ..order(other, side, worse, LOTS) };
                let rests = order(account, side.opposite(), worse, self.rng.between(1, 30));
                frames.extend([rests, back, meets].map(|record| Frame::commands(time_ns, vec![record])));
            }
            for _ in 0..self.rng.below(4) {
                time_ns += *self.rng.pick(&[0, 1_000_000, 100_000_000, 300_000_000, 900_000_000]);
                frames.push(Frame::commands(time_ns, vec![command(CommandKind::Tick)]));
            }
        }
        self.set_up.extend(frames);
    }
}
