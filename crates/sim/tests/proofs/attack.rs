//! A search for a way to take money from the insurance fund, the tranche or an honest maker while the outside price
//! stands still: colluding accounts deposit, trade with each other at any price, move money, withdraw, get liquidated.

use crate::desk::{BUY, Desk, SECOND, SELL, USD, command, of, order, perpetual, seeds, terms};
use std::collections::VecDeque;
use xos_protocol::AssetSpec;
use xos_protocol::{
    CollateralTier, CommandKind, CommandRecord, DeployCommand, EventKind, Fees, Flags, GrowthSpec,
    InstrumentSpec, Int128, LiquidationPolicy, LiquidationPrice, LiquidationSpec, Product, ScenarioSpec,
    SelfTrade, Tif, TrancheSpec, UnderlyingSpec,
};
use xos_sim::rng::Rng;
use xos_units::{AccountId, Amount, AssetId, InstrumentId};

/// Ticks of the perpetuals and of the coin outside, where everything is worth what it is worth.
const OUTSIDE: i64 = 1_000;
const K: i128 = 3;
const COIN: u32 = 2;
const SPOT: u32 = 1;

/// What the exchange is like, and what the attackers may do to it.
#[derive(Clone, Copy, Debug)]
struct Rules {
    #[allow(dead_code, reason = "a report shows it")]
    initial_ppm: i32,
    /// The mark stays this near the outside price, thousandths.
    mark_off: i64,
    #[allow(dead_code, reason = "a report shows them")]
    fees: Fees,
}

struct Attack {
    desk: Desk,
    rng: Rng,
    rules: Rules,
    perpetuals: Vec<u32>,
    honest: u32,
    tranche: u32,
    /// Two accounts of one owner, their isolated accounts, two accounts of others.
    colluding: Vec<u32>,
    isolated: Vec<(u32, u32)>,
    put_in: i128,
    taken_out: i128,
    orders: VecDeque<u64>,
    /// Commands that follow the one before.
    plan: VecDeque<CommandRecord>,
    /// The last commands, for a report.
    trail: VecDeque<String>,
    /// What the fund, the tranche and the honest maker are worth at the outside price.
    start: [i128; 3],
    liquidated: u64,
}

/// A policy of liquidation of any kind.
fn terms_of_liquidation(rng: &mut Rng, tranche: u32) -> LiquidationSpec {
    let policy = *rng.pick(&[LiquidationPolicy::Ladder, LiquidationPolicy::Growing, LiquidationPolicy::Full]);
    let growth = GrowthSpec {
        duration_s: *rng.pick(&[1, 60, 86_400]),
        initial_ppm: *rng.pick(&[0, 100_000]),
        small_shortage: Amount(*rng.pick(&[0, 50])),
    };
    let price = *rng.pick(&[LiquidationPrice::Bankruptcy, LiquidationPrice::Fillable]);
    let backstop = TrancheSpec { account: tranche, notional_max: Amount(2_000_000) };
    LiquidationSpec {
        policy,
        growth: (policy == LiquidationPolicy::Growing).then_some(growth),
        price,
        spread_ppm: if price == LiquidationPrice::Fillable { *rng.pick(&[1, 1_500_000]) } else { 0 },
        tranche: rng.percent(50).then_some(backstop),
        fee_ppm: *rng.pick(&[0, 5_000]),
        slice_ppm: *rng.pick(&[1, 200_000, 1_000_000]),
        full_below: Amount(*rng.pick(&[0, 10_000, 1 << 40])),
        cooldown_ms: *rng.pick(&[0, 1_000, 30_000]),
        ..LiquidationSpec::default()
    }
}

impl Attack {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut desk = Desk::of(AssetSpec {
            debt_max: *rng.pick(&[None, Some(Amount(0)), Some(Amount(100_000))]),
            debt_interest_ppm: *rng.pick(&[0, 1_000_000]),
            ..AssetSpec::new("USD".into(), 6)
        });
        desk.deploy(&DeployCommand::Asset(AssetSpec::new("COIN".into(), 6)));
        let worlds = [
            (100_000, 0),
            (100_000, 15),
            (100_000, 40),
            (20_000, 0),
            (20_000, 2),
            (20_000, 8),
            (500_000, 40),
        ];
        let (initial_ppm, mark_off) = *rng.pick(&worlds);
        let taker_ppm = *rng.pick(&[0, 300, 2_000]);
        let fees = Fees { maker_ppm: *rng.pick(&[-taker_ppm, 0]), taker_ppm, ceiling_ppm: 0 };
        let product = Product::Spot { base: COIN, quote: USD, base_atoms_per_lot: 1 };
        let mut spot = InstrumentSpec::new("COIN-USD".into(), product, terms(fees));
        spot.collateral = vec![CollateralTier { up_to_lots: 1 << 20, haircut_ppm: 100_000 }];
        spot.conversion_slippage_ppm = *rng.pick(&[None, Some(0), Some(100_000)]);
        desk.deploy(&DeployCommand::Instrument(spot));
        desk.must(CommandRecord { instrument: SPOT, price: OUTSIDE, ..command(CommandKind::SetIndex, 0) });
        let tranche = desk.account(9, 3_000_000);
        let honest = desk.account(8, 1 << 50);
        desk.deposit(honest, COIN, 1 << 40);
        let mut perpetuals = Vec::new();
        for number in 0..2 {
            let mut spec = perpetual(&format!("PERP{number}"), initial_ppm, fees);
            spec.liquidation = Some(Box::new(terms_of_liquidation(&mut rng, tranche)));
            perpetuals.push(desk.deploy(&DeployCommand::Instrument(spec)));
            desk.mark(perpetuals[number], OUTSIDE);
        }
        desk.deploy(&DeployCommand::Underlying(UnderlyingSpec {
            symbol: "COIN".into(),
            // Marks that stray each for itself are no hedge of one another: scenario margin counts on their moving together.
            instruments: perpetuals[..if mark_off == 0 { 2 } else { 1 }].to_vec(),
            scenarios: [-160_000, -80_000, 80_000, 160_000]
                .map(|shock_ppm| ScenarioSpec { shock_ppm, weight_ppm: 1_000_000 })
                .to_vec(),
            maintenance_ppm: *rng.pick(&[100_000, 500_000]),
            floor_ppm: *rng.pick(&[0, 10_000]),
            width_ppm: 0,
        }));
        // Fees of two strangers fill the fund.
        let feed = InstrumentSpec {
            symbol: "FEED".into(),
            ..perpetual("FEED", 100_000, Fees { maker_ppm: 0, taker_ppm: 100_000, ceiling_ppm: 0 })
        };
        let feed = desk.deploy(&DeployCommand::Instrument(feed));
        desk.mark(feed, OUTSIDE);
        let strangers = [6, 7].map(|owner| desk.account(owner, 1 << 40));
        desk.trade(feed, strangers[0], strangers[1], BUY, OUTSIDE, 10_000);
        let mut attack = Self {
            rules: Rules { initial_ppm, mark_off, fees },
            colluding: [1, 1, 2, 3].map(|owner| desk.account(owner, 0)).to_vec(),
            isolated: Vec::new(),
            desk,
            rng,
            perpetuals,
            honest,
            tranche,
            put_in: 0,
            taken_out: 0,
            orders: VecDeque::new(),
            plan: VecDeque::new(),
            trail: VecDeque::new(),
            start: [0; 3],
            liquidated: 0,
        };
        let instrument = attack.perpetuals[0];
        for at in 0..2 {
            let parent = attack.colluding[at];
            let child = attack.desk.isolated(1, parent, instrument);
            attack.isolated.push((child, instrument));
            attack.colluding.push(child);
        }
        for account in attack.colluding.clone() {
            if !attack.isolated.iter().any(|(child, _)| *child == account) {
                let amount = attack.rng.between(1_000, 1_000_000).into();
                attack.desk.deposit(account, USD, amount);
                attack.put_in += amount;
            }
        }
        attack.start = attack.others();
        attack
    }

    /// What an account is worth outside.
    fn worth(&self, account: u32) -> i128 {
        let perpetuals = self.perpetuals.iter().map(|&instrument| {
            let (lots, cost) = self.desk.position(account, instrument);
            i128::from(lots) * i128::from(OUTSIDE) * K - cost
        });
        let coins = self.desk.engine.balance(AccountId(account), AssetId(COIN)).total.0;
        self.desk.cash(account) + perpetuals.sum::<i128>() + coins * i128::from(OUTSIDE) * K
    }

    fn others(&self) -> [i128; 3] {
        [self.desk.fund(), self.worth(self.tranche), self.worth(self.honest)]
    }

    /// The largest of this order that is accepted, some lots at least.
    fn largest(&self, order: CommandRecord) -> CommandRecord {
        let sizes = (0..13).rev().map(|bits| 1 << bits);
        let is_accepted = |order: &CommandRecord| {
            self.desk.engine.preview(order).is_some_and(|preview| preview.reject.is_none())
        };
        let mut qty = 0;
        for more in sizes {
            if is_accepted(&CommandRecord { qty: qty + more, ..order }) {
                qty += more;
            }
        }
        CommandRecord { qty: qty.max(1), ..order }
    }

    /// One attacker rests as much as he may at a price that suits the other, who takes it.
    fn collude(&mut self) -> CommandRecord {
        let rng = &mut self.rng;
        let instrument = *rng.pick(&self.perpetuals);
        let may_trade = |account: &u32| {
            let own = self.isolated.iter().find(|(child, _)| child == account);
            own.is_none_or(|(_, own)| *own == instrument)
        };
        let able: Vec<u32> = self.colluding.iter().copied().filter(may_trade).collect();
        let (one, other) = (*rng.pick(&able), *rng.pick(&able));
        let mark = self.desk.engine.instrument(InstrumentId(instrument)).expect("it stands").mark.0;
        let off = *rng.pick(&[0, 1, 10, 30, 60, 100, 200, 900]);
        let side = if rng.percent(50) { BUY } else { SELL };
        let price = if side == BUY { mark + off } else { mark - off };
        let flags = if rng.percent(50) { Flags::REDUCE_ONLY } else { 0 };
        let price = if rng.percent(80) { price } else { 2 * mark - price };
        let rests = rng.percent(50);
        let clears = command(CommandKind::MassCancel, self.honest);
        let most = self.largest(CommandRecord { flags, ..order(one, instrument, side, price, 1) });
        let partner = self.largest(order(other, instrument, 1 - side, price, 1));
        let both = most.qty.min(partner.qty);
        let (most, partner) = (CommandRecord { qty: both, ..most }, CommandRecord { qty: both, ..partner });
        let (first, second) = if rests { (most, partner) } else { (partner, most) };
        // The honest quotes are taken or gone: the two want each other.
        self.plan.push_back(first);
        self.plan.push_back(CommandRecord { tif: Tif::Ioc.code(), ..second });
        CommandRecord { side: 2, ..clears }
    }

    fn draw(&mut self) -> CommandRecord {
        if let Some(next) = self.plan.pop_front() {
            return next;
        }
        if self.rng.percent(20) {
            return self.collude();
        }
        let rng = &mut self.rng;
        let account = *rng.pick(&self.colluding);
        let own =
            self.isolated.iter().find(|(child, _)| *child == account).map(|(_, instrument)| *instrument);
        let instrument = match own {
            Some(instrument) => instrument,
            None if rng.percent(12) => SPOT,
            None => *rng.pick(&self.perpetuals),
        };
        let amount = |rng: &mut Rng| {
            let top = *rng.pick(&[100, 10_000, 200_000, 1_000_000]);
            Int128::new(rng.between(1, top).into())
        };
        match rng.below(100) {
            0..58 => {
                let mark =
                    self.desk.engine.instrument(InstrumentId(instrument)).map_or(OUTSIDE, |view| view.mark.0);
                let mark = if mark > 0 { mark } else { OUTSIDE };
                let off = *rng.pick(&[0, 1, 5, 30, 150, 999]);
                let price = (mark + rng.between(-off, off)).max(1);
                let side = if rng.percent(50) { BUY } else { SELL };
                let tif = *rng.pick(&[Tif::Gtc, Tif::Gtc, Tif::Ioc, Tif::Fok]);
                let reduce = if instrument != SPOT && rng.percent(30) { Flags::REDUCE_ONLY } else { 0 };
                let self_trade = if rng.percent(80) { SelfTrade::None } else { SelfTrade::CancelMaker };
                let top = *rng.pick(&[3, 40, 700]);
                CommandRecord {
                    tif: tif.code(),
                    flags: reduce,
                    self_trade: self_trade.code(),
                    ..order(account, instrument, side, price, rng.between(1, top))
                }
            }
            58..64 => CommandRecord {
                instrument: USD,
                amount: amount(rng),
                ..command(CommandKind::Deposit, account)
            },
            64..66 => CommandRecord {
                instrument: COIN,
                amount: Int128::new(rng.between(1, 400).into()),
                ..command(CommandKind::Deposit, account)
            },
            66..74 => {
                let available = self.desk.risk(account).withdrawable.0.max(1);
                let part = if rng.percent(60) { available } else { amount(rng).get() };
                CommandRecord {
                    instrument: USD,
                    amount: Int128::new(part),
                    ..command(CommandKind::Withdraw, account)
                }
            }
            74..76 => CommandRecord {
                instrument: COIN,
                amount: Int128::new(rng.between(1, 400).into()),
                ..command(CommandKind::Withdraw, account)
            },
            76..82 => {
                let to = *rng.pick(&self.colluding);
                let available = self.desk.risk(account).withdrawable.0.max(1);
                let part = if rng.percent(60) { available } else { amount(rng).get() };
                CommandRecord {
                    instrument: USD,
                    amount: Int128::new(part),
                    order_id: to.into(),
                    ..command(CommandKind::Transfer, account)
                }
            }
            82 => CommandRecord { side: rng.below(2) as u8, ..command(CommandKind::SetMarginMode, account) },
            83..85 => CommandRecord { instrument: 0, side: 2, ..command(CommandKind::MassCancel, account) },
            85..88 => match self.orders.pop_front() {
                Some(id) => {
                    let price = OUTSIDE + rng.between(-100, 100);
                    CommandRecord { order_id: id, price, ..command(CommandKind::Amend, account) }
                }
                None => command(CommandKind::Tick, 0),
            },
            88..97 if self.rules.mark_off > 0 => {
                let off = rng.between(-self.rules.mark_off, self.rules.mark_off);
                let price = OUTSIDE + OUTSIDE * off / 1_000;
                CommandRecord {
                    instrument: *rng.pick(&self.perpetuals),
                    price,
                    ..command(CommandKind::SetMark, 0)
                }
            }
            _ => {
                let longest = *rng.pick(&[3, 3, 40, 7_200]) * SECOND;
                self.desk.time_ns += rng.below(longest);
                command(CommandKind::Tick, 0)
            }
        }
    }

    /// The honest maker quotes around the outside price, never better than it.
    fn quote(&mut self) {
        let honest = self.honest;
        self.desk.must(CommandRecord { side: 2, ..command(CommandKind::MassCancel, honest) });
        let (away, lots) = (self.rng.between(0, 12), self.rng.between(1, 300));
        for instrument in [vec![SPOT], self.perpetuals.clone()].concat() {
            for (side, price) in [(BUY, OUTSIDE - away), (SELL, OUTSIDE + away)] {
                let quote = order(honest, instrument, side, price, lots);
                self.desk.send(CommandRecord { flags: Flags::POST_ONLY, ..quote });
            }
        }
    }

    fn step(&mut self, seed: u64) {
        if self.plan.is_empty() && self.rng.one_in(12) {
            self.quote();
        }
        let record = self.draw();
        let events = self.desk.send(record);
        self.trail.push_back(format!(
            "{record:?} -> {:?}",
            events.iter().map(|event| (event.kind(), event.reason)).collect::<Vec<_>>()
        ));
        if self.trail.len() > 40 {
            self.trail.pop_front();
        }
        let value =
            |asset: u32, amount: i128| if asset == COIN { amount * i128::from(OUTSIDE) * K } else { amount };
        self.put_in += of(&events, EventKind::Deposited)
            .map(|event| value(event.instrument, event.amount.get()))
            .sum::<i128>();
        self.taken_out += of(&events, EventKind::Withdrawn)
            .map(|event| value(event.instrument, event.amount.get()))
            .sum::<i128>();
        self.orders.extend(of(&events, EventKind::OrderAccepted).map(|event| event.order_id));
        self.liquidated += of(&events, EventKind::LiquidationStarted).count() as u64;
        // An account that owes is left behind; what counts is what the others can still take.
        let left: i128 = self.colluding.iter().map(|&account| self.worth(account).max(0)).sum();
        let gain = left + self.taken_out - self.put_in;
        let others = self.others();
        // Where the mark strays from the outside price, a tranche that takes over at the mark gains and loses by that.
        let lost = self.rules.mark_off == 0 && others.iter().zip(&self.start).any(|(now, start)| now < start);
        if gain > 0 || lost {
            let worths: Vec<_> =
                self.colluding.iter().map(|&account| (account, self.worth(account))).collect();
            panic!(
                "seed {seed}, {:?}: the attackers are {gain} ahead, fund, tranche and maker went from {:?} to {others:?}; {worths:?}\n{}",
                self.rules,
                self.start,
                self.trail.iter().cloned().collect::<Vec<_>>().join("\n")
            );
        }
    }
}

#[test]
fn nobody_profits_against_the_backstop_at_a_constant_outside_price() {
    let (mut liquidated, mut out) = (0, 0);
    let seeds = seeds(80);
    for seed in seeds.clone() {
        let mut attack = Attack::new(seed);
        for _ in 0..2_500 {
            attack.step(seed);
        }
        attack.desk.check();
        liquidated += attack.liquidated;
        out += u64::from(attack.taken_out > 0);
    }
    let runs = seeds.end - seeds.start;
    println!("{runs} runs: {liquidated} liquidations, {out} with money taken out");
    assert!(
        liquidated >= runs / 4 && out > runs / 2,
        "{liquidated} liquidations, {out} runs with money taken out"
    );
}
