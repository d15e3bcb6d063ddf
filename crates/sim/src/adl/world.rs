//! Accounts, positions and prices of a simulated cascade. Everything is drawn from the seed in whole numbers.

use crate::rng::Rng;
use xos_risk::unrealised;
use xos_units::{Amount, Price, Qty, notional};

/// Price of every market before the cascade: an atom is a millionth of a dollar, so a lot is worth ten.
pub(super) const START_TICKS: i64 = 1_000_000;
/// Quote atoms of a tick of a lot.
pub(super) const K: u32 = 10;
const LOT_ATOMS: i128 = START_TICKS as i128 * K as i128;
const DOLLAR: i128 = 1_000_000;
/// Steps of 15 seconds: twelve minutes.
pub(super) const STEPS: usize = 48;
/// The step at which prices are lowest.
const TROUGH: usize = 30;

/// One market.
#[derive(Clone, Debug)]
pub(super) struct Market {
    pub(super) mark: Price,
    pub(super) previous: Price,
    /// Maintenance margin rate, ppm.
    pub(super) maintenance_ppm: i128,
    /// Price at each step.
    pub(super) path: Vec<i64>,
    /// Positions, by place in the world's list, where they stand next to each other.
    pub(super) holders: Vec<usize>,
    /// Among them that of the first maker, who takes what the book takes.
    pub(super) maker: Option<usize>,
    /// Lots that the book takes in one step.
    pub(super) depth: i64,
    /// What is left of it in this step.
    pub(super) depth_left: i64,
}

/// A position of an account in a market.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) account: usize,
    pub(super) market: usize,
    pub(super) lots: i64,
    pub(super) cost: Amount,
    /// Lots that something outside the market offsets.
    pub(super) hedged: i64,
    /// Its account was bankrupt before.
    pub(super) dead: bool,
}

/// A cross-margined account.
#[derive(Clone, Debug, Default)]
pub(super) struct Trader {
    pub(super) cash: Amount,
    /// Its positions, by place in the world's list.
    pub(super) positions: Vec<usize>,
    /// Equity and gross notional at the marks of this step, kept as fills happen.
    pub(super) equity: Amount,
    pub(super) gross: Amount,
    /// Lost to deleveraging against the mark, and lots taken.
    pub(super) haircut: Amount,
    pub(super) taken: Amount,
    pub(super) hits: u64,
    pub(super) dead: bool,
}

/// The whole market before and during a cascade.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) markets: Vec<Market>,
    pub(super) traders: Vec<Trader>,
    pub(super) positions: Vec<Position>,
}

impl World {
    /// `accounts` traders over `markets` markets.
    pub(super) fn new(seed: u64, accounts: usize, markets: usize) -> Self {
        let mut rng = Rng::new(seed);
        let markets = (0..markets).map(|at| market(&mut rng, at)).collect();
        let mut world = Self { markets, traders: vec![Trader::default(); accounts], positions: Vec::new() };
        let makers = (accounts / 100).max(1);
        for account in makers..accounts {
            world.draw_trader(&mut rng, account);
        }
        world.balance(makers);
        world.sort_by_market();
        for market in 0..world.markets.len() {
            let open: i64 =
                world.markets[market].holders.iter().map(|&at| world.positions[at].lots.max(0)).sum();
            world.markets[market].depth = 1 + open / 400;
        }
        world.reprice(0);
        world
    }

    /// Draws what an account is and holds: a leveraged long, a short, a hedged fund or a basis trader.
    fn draw_trader(&mut self, rng: &mut Rng, account: usize) {
        let equity = heavy_tail(rng) * DOLLAR;
        let kind = rng.weighted(&[5, 35, 38, 14, 8]);
        let (leverage_tenths, legs) = match kind {
            0 => (rng.between(60, 120), rng.between(5, 25)),
            1 => (rng.between(3, 45), rng.between(1, 4)),
            2 => (rng.between(3, 120), rng.between(1, 6)),
            3 => (rng.between(10, 50), rng.between(6, 20)),
            _ => (rng.between(5, 20), rng.between(1, 3)),
        };
        self.traders[account].cash = Amount(equity);
        let count = self.markets.len() as u64;
        let each = equity * i128::from(leverage_tenths) / (10 * i128::from(legs));
        let lots = i64::try_from((each / LOT_ATOMS).max(1)).expect("a draw is bounded");
        for leg in 0..legs {
            // The larger markets are held more often.
            let market = rng.below(count).min(rng.below(count)) as usize;
            let (lots, hedged) = match kind {
                0 | 1 => (lots, 0),
                2 => (-lots, 0),
                // A fund is long one half and short the other: its shorts are the hedge of its longs.
                3 if leg % 2 == 0 => (lots, lots / 2),
                3 => (-lots, lots),
                _ => (-lots, lots * 9 / 10),
            };
            self.add(account, market, lots, hedged, rng.between(-20_000, 20_000));
        }
    }

    /// Adds to a position, entered `away_ppm` from the starting price.
    fn add(&mut self, account: usize, market: usize, lots: i64, hedged: i64, away_ppm: i64) {
        let entry = Price(START_TICKS + START_TICKS * away_ppm / 1_000_000);
        let value = notional(entry, Qty(lots.abs()), K);
        let cost = if lots > 0 { value } else { -value };
        let held = self.traders[account].positions.iter().copied();
        if let Some(at) = held.into_iter().find(|&at| self.positions[at].market == market) {
            let position = &mut self.positions[at];
            position.lots += lots;
            position.cost += cost;
            position.hedged = (position.hedged + hedged).min(position.lots.abs());
            return;
        }
        let at = self.positions.len();
        self.positions.push(Position { account, market, lots, cost, hedged, dead: false });
        self.traders[account].positions.push(at);
        self.markets[market].holders.push(at);
    }

    /// The makers take the other side of what the traders hold, with twice its value behind them.
    fn balance(&mut self, makers: usize) {
        for market in 0..self.markets.len() {
            let holders = self.markets[market].holders.clone();
            let net: i64 = holders.iter().map(|&at| self.positions[at].lots).sum();
            let (each, mut rest) = (net / makers as i64, net % makers as i64);
            for maker in 0..makers {
                let one = rest.signum();
                rest -= one;
                let lots = -(each + one);
                if lots != 0 {
                    self.add(maker, market, lots, lots.abs() / 2, 0);
                    self.traders[maker].cash += notional(Price(START_TICKS), Qty(2 * lots.abs()), K);
                }
            }
            let mut first = self.traders[0].positions.iter().copied();
            self.markets[market].maker = first.find(|&at| self.positions[at].market == market);
        }
    }

    /// Puts the positions of each market next to each other: deleveraging reads a market's from end to end.
    fn sort_by_market(&mut self) {
        let mut order: Vec<usize> = (0..self.positions.len()).collect();
        order.sort_by_key(|&at| self.positions[at].market);
        let mut moved = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            moved[from] = to;
        }
        self.positions = order.iter().map(|&from| self.positions[from]).collect();
        let lists = self.traders.iter_mut().map(|trader| &mut trader.positions);
        for at in lists.chain(self.markets.iter_mut().map(|market| &mut market.holders)).flatten() {
            *at = moved[*at];
        }
        for market in &mut self.markets {
            market.maker = market.maker.map(|at| moved[at]);
        }
    }

    /// Moves all marks to a step and recomputes every account.
    pub(super) fn reprice(&mut self, step: usize) {
        for market in &mut self.markets {
            market.previous = if step == 0 { Price(START_TICKS) } else { market.mark };
            market.mark = Price(market.path[step]);
            // Makers step back while it falls.
            let share = if (8..TROUGH + 4).contains(&step) { 10 } else { 1 };
            market.depth_left = market.depth / share;
        }
        for trader in &mut self.traders {
            (trader.equity, trader.gross) = (trader.cash, Amount::ZERO);
        }
        for position in &self.positions {
            let mark = self.markets[position.market].mark;
            let trader = &mut self.traders[position.account];
            let value = i128::from(mark.0) * i128::from(K);
            trader.equity += unrealised(position.lots, value, position.cost);
            trader.gross += notional(mark, Qty(position.lots.abs()), K);
        }
    }
}

fn market(rng: &mut Rng, at: usize) -> Market {
    // Majors fall by an eighth, the long tail by up to four fifths.
    let drop_ppm = match at {
        0 | 1 => rng.between(110_000, 150_000),
        2..12 => rng.between(180_000, 350_000),
        _ => rng.between(300_000, 800_000),
    };
    let bounce_ppm = rng.between(300_000, 700_000);
    let shape = |step: usize| -> i64 {
        if step <= TROUGH {
            // Slowly, then all at once.
            let part = step as i64 * 1_000 / TROUGH as i64;
            part * part * part / 1_000
        } else {
            let back = (step - TROUGH) as i64 * 1_000_000 / (STEPS - TROUGH) as i64;
            1_000_000 - back * bounce_ppm / 1_000_000
        }
    };
    let path = (0..STEPS).map(|step| {
        let fallen = drop_ppm * shape(step) / 1_000_000;
        let jitter = rng.between(-3_000, 3_000);
        START_TICKS * (1_000_000 - fallen + jitter) / 1_000_000
    });
    let path = path.collect();
    let maintenance_ppm = match at {
        0 | 1 => 12_500,
        2..12 => 25_000,
        _ => 50_000,
    };
    let start = Price(START_TICKS);
    Market {
        mark: start,
        previous: start,
        maintenance_ppm,
        path,
        holders: Vec::new(),
        maker: None,
        depth: 0,
        depth_left: 0,
    }
}

/// Dollars of equity: doubling again and again, each time with a chance of six in ten.
fn heavy_tail(rng: &mut Rng) -> i128 {
    let mut base = 1_500i128;
    while base < 50_000_000 && rng.percent(60) {
        base *= 2;
    }
    base + i128::from(rng.below(base as u64))
}
