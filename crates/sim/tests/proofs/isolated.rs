//! An isolated account never costs its parent more than went into it.

use crate::desk::{BUY, Desk, SECOND, SELL, USD, command, of, order, perpetual, seeds};
use xos_protocol::{
    CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord, Fees, FundingSpec, Int128,
    LiquidationSpec, Tif, TrancheSpec,
};
use xos_sim::rng::Rng;
use xos_units::{Amount, InstrumentId};

const MARKETS: u32 = 2;

/// Random trading of two parents, their isolated accounts and two others while marks jump.
struct Run {
    desk: Desk,
    rng: Rng,
    /// Parent, its isolated accounts, net of what went from it to them.
    families: Vec<(u32, Vec<u32>, i128)>,
    traders: Vec<u32>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let (mut desk, mut rng) = (Desk::new(), Rng::new(seed));
        let tranche = desk.account(99, 50_000);
        for market in 1..=MARKETS {
            let fees = Fees { maker_ppm: -50, taker_ppm: 500, ceiling_ppm: 0 };
            let mut spec = perpetual(&format!("PERP{market}"), 100_000, fees);
            spec.isolated_only = false;
            spec.funding = rng.percent(50).then(|| {
                Box::new(FundingSpec {
                    interval_h: 1,
                    interest: 100_000_000,
                    clamp: 500_000_000,
                    cap: 40_000_000_000,
                    impact_notional: Amount(3_000),
                    sample_s: 5,
                })
            });
            let backstop =
                rng.percent(50).then_some(TrancheSpec { account: tranche, notional_max: Amount(60_000) });
            spec.liquidation =
                Some(Box::new(LiquidationSpec { tranche: backstop, ..LiquidationSpec::default() }));
            desk.deploy(&DeployCommand::Instrument(spec));
            desk.mark(market, 1_000);
        }
        let mut families = Vec::new();
        for owner in 1..=2 {
            let parent = desk.account(owner, i128::from(rng.between(20_000, 400_000)));
            let children = (1..=MARKETS).map(|market| desk.isolated(owner, parent, market)).collect();
            families.push((parent, children, 0));
        }
        let traders = (3..=4).map(|owner| desk.account(owner, 1_000_000)).collect();
        Self { desk, rng, families, traders }
    }

    /// A command and whether the parent's own money may become less by it.
    fn draw(&mut self) -> (CommandRecord, bool) {
        let rng = &mut self.rng;
        let family = &self.families[rng.below(2) as usize];
        let market = rng.between(1, MARKETS.into()) as u32;
        let mark = self.desk.engine.instrument(InstrumentId(market)).expect("it stands").mark.0;
        let child = family.1[market as usize - 1];
        let others = *rng.pick(&self.traders);
        let account = if rng.percent(50) { child } else { others };
        match rng.below(20) {
            0..12 => {
                let side = if rng.percent(50) { BUY } else { SELL };
                let price = (mark + rng.between(-20, 20)).max(1);
                let tif = if rng.percent(50) { Tif::Ioc.code() } else { Tif::Gtc.code() };
                let lots = rng.between(1, 60);
                (CommandRecord { tif, ..order(account, market, side, price, lots) }, account == child)
            }
            12 => (command(CommandKind::MassCancel, account), false),
            13 => {
                let amount = Int128::new(i128::from(rng.between(1, 20_000)));
                let (from, to) = if rng.percent(50) { (family.0, child) } else { (child, family.0) };
                let record = CommandRecord {
                    instrument: USD,
                    amount,
                    order_id: to.into(),
                    ..command(CommandKind::Transfer, from)
                };
                (record, from == family.0)
            }
            14..17 => {
                let by = if rng.percent(20) { rng.between(-250, 250) } else { rng.between(-30, 30) };
                let price = (mark + mark * by / 1_000).clamp(10, 1 << 19);
                (CommandRecord { instrument: market, price, ..command(CommandKind::SetMark, 0) }, false)
            }
            17 => {
                let price = mark + rng.between(-10, 10);
                (
                    CommandRecord {
                        instrument: market,
                        price: price.max(1),
                        ..command(CommandKind::SetIndex, 0)
                    },
                    false,
                )
            }
            _ => {
                self.desk.time_ns += SECOND * rng.between(1, 1_200) as u64;
                (command(CommandKind::Tick, 0), false)
            }
        }
    }

    /// One step; how often an isolated account was liquidated with less than nothing.
    fn step(&mut self, seed: u64) -> u64 {
        let before: Vec<i128> = self.families.iter().map(|family| self.desk.cash(family.0)).collect();
        let (record, may_fall) = self.draw();
        let events = self.desk.send(record);
        for (family, before) in self.families.iter_mut().zip(before) {
            let (parent, children, net) = family;
            for event in of(&events, EventKind::Transferred) {
                let (from, to, amount) = (event.account, event.order_id as u32, event.amount.get());
                *net += match (from == *parent, to == *parent) {
                    (true, false) if children.contains(&to) => amount,
                    (false, true) if children.contains(&from) => -amount,
                    _ => 0,
                };
            }
            let after = self.desk.cash(*parent);
            assert!(
                after >= before || may_fall,
                "seed {seed}: account {parent} had {before} and has {after} after {record:?}: {events:?}"
            );
        }
        let bankrupt =
            |event: &&EventRecord| self.families.iter().any(|family| family.1.contains(&event.account));
        of(&events, EventKind::BankruptcyClosed).filter(bankrupt).count() as u64
    }
}

#[test]
fn a_parent_loses_at_most_what_it_transferred() {
    let (mut bankrupt, mut pulled) = (0, 0);
    let seeds = seeds(60);
    for seed in seeds.clone() {
        let mut run = Run::new(seed);
        let start: Vec<i128> = run.families.iter().map(|family| run.desk.cash(family.0)).collect();
        for _ in 0..500 {
            bankrupt += run.step(seed);
            for ((parent, _, net), start) in run.families.iter().zip(&start) {
                // What the parent has is what it had less what went into its isolated accounts and did not come back.
                assert_eq!(run.desk.cash(*parent), start - net, "seed {seed}");
            }
            pulled += u64::from(run.families.iter().any(|family| family.2 > 0));
        }
        run.desk.check();
    }
    let runs = seeds.end - seeds.start;
    assert!(
        bankrupt >= runs / 2 && pulled > 100 * runs,
        "{bankrupt} bankruptcies, {pulled} steps with money inside"
    );
}
