//! A cascade of the shape of 10 October 2025 under different rules of deleveraging: the same accounts, the same prices,
//! and afterwards how much was taken beyond the deficit, from whom, and in what time.

mod cascade;
mod world;

use cascade::Course;
use world::World;
use xos_risk::unrealised;
use xos_units::Amount;

/// Who gives up lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// In proportion to capacity x leverage; the engine's rule.
    ProRata,
    /// By profit times leverage, one after the other.
    Queue,
    /// From a random account on, one after the other.
    RandomStart,
}

/// At what price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pricing {
    /// The price at which the bankrupt account's equity is used up.
    Bankruptcy,
    /// The mark before the one that made the account bankrupt.
    PreviousMark,
}

/// A rule with its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Name in the table.
    pub name: &'static str,
    /// Who.
    pub rule: Rule,
    /// At what price.
    pub pricing: Pricing,
    /// Whether lots that hedge something are asked for last.
    pub hedge_aware: bool,
}

/// The rulings that are compared.
pub const RULINGS: [Ruling; 4] = [
    Ruling { name: "pro-rata", rule: Rule::ProRata, pricing: Pricing::Bankruptcy, hedge_aware: true },
    Ruling { name: "queue", rule: Rule::Queue, pricing: Pricing::PreviousMark, hedge_aware: false },
    Ruling { name: "queue, own price", rule: Rule::Queue, pricing: Pricing::Bankruptcy, hedge_aware: false },
    Ruling {
        name: "random start",
        rule: Rule::RandomStart,
        pricing: Pricing::Bankruptcy,
        hedge_aware: false,
    },
];

/// Effective leverage before the cascade, upper ends of the buckets in tenths; the last is open.
pub const LEVERAGE_TENTHS: [i64; 4] = [10, 20, 50, 100];

/// What one ruling did. Amounts in atoms, a millionth of a dollar.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The ruling's name.
    pub name: &'static str,
    /// What bankrupt accounts owed when they were closed.
    pub deficit: i128,
    /// What the other side lost against the mark.
    pub haircut: i128,
    /// Haircut less deficit.
    pub overshoot: i128,
    /// Part of the haircut that was more than the profit on the lots taken.
    pub beyond_profit: i128,
    /// Deficit that no price could cover.
    pub unresolved: i128,
    /// Value closed, and the part of it that hedged something.
    pub closed: i128,
    /// Value closed that hedged something.
    pub hedged_closed: i128,
    /// Deleveraging fills.
    pub fills: u64,
    /// Bankrupt positions that were divided.
    pub allocations: u64,
    /// Accounts that became bankrupt.
    pub bankrupt: u64,
    /// Times an account was found below its requirement.
    pub liquidated: u64,
    /// Accounts that gave.
    pub payers: u64,
    /// Share of the haircut that falls on the twentieth of the profit that is hit hardest, ppm.
    pub hardest_twentieth_ppm: u64,
    /// Winners who gave more than ten times the average part of their profit.
    pub hit_tenfold: u64,
    /// Gini of haircut over profit: 0 if every winner gives the same part, 1 if one gives all; ppm.
    pub gini_ppm: u64,
    /// Curve behind it: of the winners' profit, ordered by the part they give, each twentieth's cumulative haircut, ppm.
    pub curve_ppm: Vec<u64>,
    /// By leverage: winners, their profit, their haircut.
    pub by_leverage: Vec<(u64, i128, i128)>,
    /// Time spent dividing and filling.
    pub adl_ns: u128,
}

/// A comparison.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Seed, accounts and markets it was drawn from.
    pub seed: u64,
    /// Accounts.
    pub accounts: usize,
    /// Markets.
    pub markets: usize,
    /// Positions before the cascade.
    pub positions: usize,
    /// One a ruling.
    pub outcomes: Vec<Outcome>,
}

/// A winner: its profit at the worst of the cascade, had nobody been deleveraged, and its leverage before.
struct Winner {
    account: usize,
    profit: Amount,
    leverage_tenths: i64,
}

/// Runs the same cascade under every ruling.
pub fn compare(seed: u64, accounts: usize, markets: usize) -> Comparison {
    let world = World::new(seed, accounts, markets);
    let winners = winners(&world);
    let outcomes = RULINGS.iter().map(|ruling| {
        let (after, course) = cascade::run(world.clone(), ruling, seed);
        outcome(ruling, &course, &after, &winners)
    });
    let outcomes = outcomes.collect();
    Comparison { seed, accounts, markets, positions: world.positions.len(), outcomes }
}

fn winners(start: &World) -> Vec<Winner> {
    let mut best = vec![Amount::ZERO; start.positions.len()];
    let mut world = start.clone();
    for step in 0..world::STEPS {
        world.reprice(step);
        for (best, position) in best.iter_mut().zip(&world.positions) {
            let value = i128::from(world.markets[position.market].mark.0) * i128::from(world::K);
            *best = (*best).max(unrealised(position.lots, value, position.cost));
        }
    }
    let profit_of = |account: usize| {
        let held = &start.traders[account].positions;
        held.iter().fold(Amount::ZERO, |sum, &at| sum + best[at])
    };
    (0..start.traders.len())
        .map(|account| {
            let trader = &start.traders[account];
            let leverage_tenths =
                i64::try_from(10 * trader.gross.0 / trader.equity.0.max(1)).unwrap_or(i64::MAX);
            Winner { account, profit: profit_of(account), leverage_tenths }
        })
        .filter(|winner| winner.profit > Amount::ZERO)
        .collect()
}

fn outcome(ruling: &Ruling, course: &Course, after: &World, winners: &[Winner]) -> Outcome {
    let paid = |winner: &Winner| after.traders[winner.account].haircut.0.max(0);
    let all: i128 = winners.iter().map(paid).sum::<i128>().max(1);
    let profits: i128 = winners.iter().map(|winner| winner.profit.0).sum::<i128>().max(1);
    let tenfold = |winner: &&Winner| paid(winner) / 10 * profits > all * winner.profit.0;
    let (gini_ppm, curve_ppm) = inequality(winners, &paid, all);
    let mut by_leverage = vec![(0, 0, 0); LEVERAGE_TENTHS.len() + 1];
    for winner in winners {
        let at = LEVERAGE_TENTHS.iter().position(|most| winner.leverage_tenths <= *most);
        let bucket = &mut by_leverage[at.unwrap_or(LEVERAGE_TENTHS.len())];
        bucket.0 += 1;
        bucket.1 += winner.profit.0;
        bucket.2 += paid(winner);
    }
    Outcome {
        name: ruling.name,
        deficit: course.deficit.0,
        haircut: course.haircut.0,
        overshoot: course.haircut.0 + course.unresolved.0 - course.deficit.0,
        beyond_profit: course.beyond_profit.0,
        unresolved: course.unresolved.0,
        closed: course.closed.0,
        hedged_closed: course.hedged_closed.0,
        fills: course.fills,
        allocations: course.allocations,
        bankrupt: course.bankrupt,
        liquidated: course.liquidated,
        payers: after.traders.iter().filter(|trader| trader.hits > 0).count() as u64,
        hardest_twentieth_ppm: 1_000_000 - curve_ppm[19],
        hit_tenfold: winners.iter().filter(tenfold).count() as u64,
        gini_ppm,
        curve_ppm,
        by_leverage,
        adl_ns: course.adl_ns,
    }
}

/// Gini of haircut over profit and the curve it comes from.
fn inequality(winners: &[Winner], paid: &impl Fn(&Winner) -> i128, all: i128) -> (u64, Vec<u64>) {
    let mut order: Vec<&Winner> = winners.iter().collect();
    order.sort_by(|a, b| (paid(a) * b.profit.0).cmp(&(paid(b) * a.profit.0)).then(a.account.cmp(&b.account)));
    let profits: i128 = winners.iter().map(|winner| winner.profit.0).sum::<i128>().max(1);
    let (mut profit, mut haircut, mut twice_area) = (0i128, 0i128, 0u128);
    let mut curve = vec![0];
    for winner in order {
        let before = ppm(haircut, all);
        let from = ppm(profit, profits);
        profit += winner.profit.0;
        haircut += paid(winner);
        let (to, after) = (ppm(profit, profits), ppm(haircut, all));
        twice_area += u128::from(to - from) * u128::from(before + after);
        while curve.len() as u64 * 50_000 <= to {
            curve.push(after);
        }
    }
    (1_000_000 - (twice_area / 1_000_000) as u64, curve)
}

fn ppm(part: i128, whole: i128) -> u64 {
    u64::try_from(part * 1_000_000 / whole).expect("a part is between nothing and the whole")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_cascade_and_pro_rata_does_not_overshoot() {
        let (first, again) = (compare(3, 1_500, 20), compare(3, 1_500, 20));
        let [pro_rata, queue, queue_at_bankruptcy, random] = &first.outcomes[..] else {
            panic!("four rulings")
        };
        for (one, two) in first.outcomes.iter().zip(&again.outcomes) {
            assert_eq!((one.haircut, one.fills, one.gini_ppm), (two.haircut, two.fills, two.gini_ppm));
            assert!(one.deficit > 0 && one.fills > 0 && one.payers > 0);
        }
        // Rounding to ticks is all that the bankruptcy price takes too much.
        for exact in [pro_rata, queue_at_bankruptcy, random] {
            assert!(exact.overshoot >= 0 && exact.overshoot * 1_000 <= exact.deficit, "{exact:?}");
        }
        assert!(queue.overshoot > 100 * pro_rata.overshoot);
        assert!(pro_rata.gini_ppm < queue_at_bankruptcy.gini_ppm && pro_rata.gini_ppm < random.gini_ppm);
        assert!(pro_rata.hedged_closed < queue.hedged_closed);
        assert_eq!(
            pro_rata.by_leverage.iter().map(|bucket| bucket.0).sum::<u64>(),
            random.by_leverage.iter().map(|bucket| bucket.0).sum::<u64>()
        );
    }
}
