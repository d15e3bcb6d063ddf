//! One cascade under one rule.

use super::world::{K, Position, STEPS, World};
use super::{Pricing, Rule, Ruling};
use crate::rng::Rng;
use std::time::Instant;
use xos_risk::adl::{Candidate, LEVERAGE_PPM_BOUND, Standing, leverage_ppm, pro_rata, queue, random_start};
use xos_risk::{Closing, unrealised};
use xos_units::{AccountId, Amount, Ppm, Price, Qty, Requirement, notional};

/// The price at which the book takes a liquidation, ppm off the mark.
const SLIPPAGE_PPM: i64 = 10_000;
const PRICE_MAX: Price = Price(1 << 39);

/// What a cascade did.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    pub(super) deficit: Amount,
    pub(super) haircut: Amount,
    pub(super) closed: Amount,
    pub(super) hedged_closed: Amount,
    pub(super) fills: u64,
    pub(super) allocations: u64,
    pub(super) bankrupt: u64,
    pub(super) liquidated: u64,
    pub(super) beyond_profit: Amount,
    pub(super) unresolved: Amount,
    pub(super) adl_ns: u128,
}

struct Cascade<'a> {
    world: World,
    ruling: &'a Ruling,
    rng: Rng,
    course: Course,
}

/// Runs all steps; the world is left as they leave it.
pub(super) fn run(world: World, ruling: &Ruling, seed: u64) -> (World, Course) {
    let mut cascade = Cascade { world, ruling, rng: Rng::new(seed ^ 0xad1), course: Course::default() };
    for step in 0..STEPS {
        cascade.world.reprice(step);
        for account in 0..cascade.world.traders.len() {
            cascade.visit(account);
        }
    }
    (cascade.world, cascade.course)
}

impl Cascade<'_> {
    fn maintenance(&self, position: &Position) -> Requirement {
        let market = &self.world.markets[position.market];
        let value = notional(market.mark, Qty(position.lots.abs()), K);
        value.times(Ppm(market.maintenance_ppm as i32))
    }

    /// Positions of an account, the largest maintenance requirement first.
    fn open(&self, account: usize) -> (Vec<usize>, Requirement) {
        let held = self.world.traders[account].positions.iter().copied();
        let mut open: Vec<usize> = held.filter(|&at| self.world.positions[at].lots != 0).collect();
        open.sort_by_key(|&at| (-self.maintenance(&self.world.positions[at]).0, at));
        let all =
            open.iter().fold(Requirement::ZERO, |sum, &at| sum + self.maintenance(&self.world.positions[at]));
        (open, all)
    }

    fn visit(&mut self, account: usize) {
        // At the highest maintenance rate there is, most accounts need no closer look.
        let trader = &self.world.traders[account];
        if trader.dead || trader.equity.as_requirement() >= trader.gross.times(Ppm(50_000)) {
            return;
        }
        let (open, all) = self.open(account);
        let equity = self.world.traders[account].equity;
        if open.is_empty() || equity.as_requirement() >= all {
            return;
        }
        self.course.liquidated += 1;
        for &at in &open {
            self.sell_to_book(at, equity, all);
        }
        let (open, all) = self.open(account);
        let equity = self.world.traders[account].equity;
        if equity < Amount::ZERO && !open.is_empty() {
            let begun = Instant::now();
            self.course.bankrupt += 1;
            self.course.deficit += -equity;
            self.world.traders[account].dead = true;
            for &at in &open {
                self.world.positions[at].dead = true;
            }
            let closings: Vec<Closing> = open.iter().map(|&at| self.closing(at, all)).collect();
            for (&at, closing) in open.iter().zip(&closings) {
                self.deleverage(at, closing.bankruptcy_price(equity, PRICE_MAX));
            }
            let left = self.world.traders[account].equity;
            self.course.unresolved += (-left).max(Amount::ZERO);
            self.course.adl_ns += begun.elapsed().as_nanos();
        }
    }

    fn closing(&self, at: usize, all: Requirement) -> Closing {
        let position = &self.world.positions[at];
        let mark = self.world.markets[position.market].mark;
        let maintenance = self.maintenance(position);
        Closing { lots: position.lots, mark, k: K, maintenance, account_maintenance: all }
    }

    /// As much as the book takes this step, no worse than the bankruptcy price; the first maker is the other side.
    fn sell_to_book(&mut self, at: usize, equity: Amount, all: Requirement) {
        let position = self.world.positions[at];
        let limit = self.closing(at, all).bankruptcy_price(equity, PRICE_MAX);
        let market = &mut self.world.markets[position.market];
        let off = market.mark.0 * SLIPPAGE_PPM / 1_000_000;
        let price = Price(market.mark.0 - position.lots.signum() * off);
        let worse = if position.lots > 0 { price < limit } else { price > limit };
        let lots = position.lots.abs().min(market.depth_left);
        if worse || lots == 0 || position.account == 0 {
            return;
        }
        let Some(maker) = market.maker else { return };
        market.depth_left -= lots;
        self.trade(at, maker, lots, price);
    }

    /// Moves lots of a position that is being closed to another at a price; both accounts stay marked.
    fn trade(&mut self, from: usize, to: usize, lots: i64, price: Price) {
        let sign = self.world.positions[from].lots.signum();
        for (at, by) in [(from, -sign * lots), (to, sign * lots)] {
            let position = &mut self.world.positions[at];
            let mark = self.world.markets[position.market].mark;
            let trader = &mut self.world.traders[position.account];
            let value = notional(price, Qty(lots), K);
            let paid = if by > 0 { value } else { -value };
            let at_mark = i128::from(mark.0) * i128::from(K) * i128::from(by);
            trader.equity += Amount(at_mark) - paid;
            trader.gross -= notional(mark, Qty(position.lots.abs()), K);
            // Cost carries the profit until the end: equity is the same, and nothing is divided.
            position.cost += paid;
            position.lots += by;
            trader.gross += notional(mark, Qty(position.lots.abs()), K);
        }
    }

    fn candidates(&self, market: usize, long: bool, price: Price) -> [(Vec<usize>, Vec<Candidate>); 2] {
        let most = self.world.markets[market].holders.len();
        let tier = || (Vec::with_capacity(most), Vec::with_capacity(most));
        let mut tiers = [tier(), tier()];
        for &at in &self.world.markets[market].holders {
            let position = &self.world.positions[at];
            if position.lots == 0 || (position.lots > 0) == long || position.dead {
                continue;
            }
            let leverage = match self.ruling.rule {
                Rule::ProRata => {
                    let trader = &self.world.traders[position.account];
                    leverage_ppm(trader.gross, trader.equity, LEVERAGE_PPM_BOUND)
                }
                Rule::Queue | Rule::RandomStart => 1,
            };
            let (account, lots) = (AccountId(position.account as u32 + 1), position.lots.abs());
            let profit = unrealised(position.lots, i128::from(price.0) * i128::from(K), position.cost);
            let first = match (self.ruling.hedge_aware, profit > Amount::ZERO) {
                (true, true) => lots - position.hedged.min(lots),
                (true, false) => 0,
                (false, true) => lots,
                (false, false) => 0,
            };
            for (tier, lots) in [first, lots - first].into_iter().enumerate() {
                if lots > 0 {
                    tiers[tier].0.push(at);
                    tiers[tier].1.push(Candidate { account, capacity: Qty(lots), leverage_ppm: leverage });
                }
            }
        }
        tiers
    }

    /// Closes a whole position against the other side.
    fn deleverage(&mut self, at: usize, bankruptcy: Price) {
        let position = self.world.positions[at];
        let (long, market) = (position.lots > 0, position.market);
        let price = match self.ruling.pricing {
            Pricing::Bankruptcy => bankruptcy,
            Pricing::PreviousMark => self.world.markets[market].previous,
        };
        let mut wanted = Qty(position.lots.abs());
        for (places, candidates) in self.candidates(market, long, price) {
            if wanted == Qty::ZERO || candidates.is_empty() {
                continue;
            }
            self.course.allocations += 1;
            let given = self.allocate(wanted, &places, &candidates);
            for (&to, lots) in places.iter().zip(given) {
                if lots > Qty::ZERO {
                    wanted -= lots;
                    self.take(at, to, lots, price);
                }
            }
        }
    }

    fn allocate(&mut self, wanted: Qty, places: &[usize], candidates: &[Candidate]) -> Vec<Qty> {
        match self.ruling.rule {
            Rule::ProRata => pro_rata(wanted, candidates, 100_000_000),
            Rule::RandomStart => {
                let start = self.rng.below(candidates.len() as u64) as usize;
                random_start(wanted, candidates, start)
            }
            Rule::Queue => {
                let scores: Vec<i128> =
                    places.iter().map(|&at| self.standing(at).profit_times_leverage_ppm()).collect();
                queue(wanted, candidates, |at| scores[at])
            }
        }
    }

    fn standing(&self, at: usize) -> Standing {
        let position = &self.world.positions[at];
        let mark = self.world.markets[position.market].mark;
        let value = notional(mark, Qty(position.lots.abs()), K);
        let entry = position.cost.abs().max(Amount(1));
        let equity = self.world.traders[position.account].equity;
        Standing { long: position.lots > 0, notional: value, entry, equity, margin: equity }
    }

    /// One deleveraging fill, and who lost what by it.
    fn take(&mut self, from: usize, to: usize, lots: Qty, price: Price) {
        let position = self.world.positions[to];
        let mark = self.world.markets[position.market].mark;
        let off = if position.lots > 0 { mark - price } else { price - mark };
        let haircut = Amount(i128::from(off.0) * i128::from(K) * i128::from(lots.0));
        let whole = unrealised(position.lots, i128::from(mark.0) * i128::from(K), position.cost);
        let share = whole.0.max(0) * i128::from(lots.0) / i128::from(position.lots.abs());
        let value = notional(mark, lots, K);
        let free = position.lots.abs() - position.hedged.min(position.lots.abs());
        let course = &mut self.course;
        course.haircut += haircut;
        course.closed += value;
        course.fills += 1;
        course.beyond_profit += Amount((haircut.0 - share).max(0));
        course.hedged_closed += notional(mark, Qty((lots.0 - free).max(0)), K);
        let trader = &mut self.world.traders[position.account];
        trader.haircut += haircut;
        trader.taken += value;
        trader.hits += 1;
        self.trade(from, to, lots.0, price);
        let position = &mut self.world.positions[to];
        position.hedged = position.hedged.min(position.lots.abs());
    }
}
