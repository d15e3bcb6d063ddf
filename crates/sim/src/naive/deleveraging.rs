//! Section 19: deleveraging, the division of a bankrupt position over the other side.

use super::events::Cause;
use super::fill::Mover;
use super::state::World;
use std::collections::BTreeMap;
use xos_protocol::{EventKind, EventRecord, Int128, Receipt, Side};

const MILLION: i128 = 1_000_000;
const LEVERAGE_MOST: i128 = 100 * MILLION;
const SCORE_MOST: i128 = 1_000 * MILLION;

/// Somebody on the other side.
struct Opposite {
    account: u32,
    lots: i128,
    first: i128,
    leverage: i128,
    score: i128,
}

/// `part x 10^6 / whole`, at most `most`.
fn ratio(part: i128, whole: i128, most: i128) -> i128 {
    if whole <= 0 { most } else { (part * MILLION / whole).min(most) }
}

/// Pro-rata by capacity and leverage; lots by account.
fn pro_rata(wanted: i128, candidates: &[(u32, i128, i128)]) -> BTreeMap<u32, i128> {
    let mut given = BTreeMap::new();
    let mut left = wanted;
    let mut among: Vec<(u32, i128, i128)> = candidates.iter().copied().filter(|c| c.1 > 0).collect();
    loop {
        let weights: i128 = among.iter().map(|(_, lots, leverage)| lots * leverage).sum();
        let Some(highest) = among.iter().map(|c| c.2).max() else { return given };
        if left * highest < weights {
            break;
        }
        among.sort_by_key(|c| c.0);
        for &(account, lots, _) in among.iter().filter(|c| c.2 == highest) {
            let gives = lots.min(left);
            given.insert(account, gives);
            left -= gives;
        }
        among.retain(|c| c.2 != highest);
    }
    let weights: i128 = among.iter().map(|(_, lots, leverage)| lots * leverage).sum();
    let shared = left;
    let mut by_remainder = Vec::new();
    for (account, lots, leverage) in among {
        let product = shared * lots * leverage;
        given.insert(account, product / weights);
        left -= product / weights;
        by_remainder.push((-(product % weights), account));
    }
    by_remainder.sort_unstable();
    for (_, account) in by_remainder.into_iter().take(left as usize) {
        *given.entry(account).or_default() += 1;
    }
    given
}

impl World {
    /// Closes the whole position of an account at a price against the other side.
    pub(super) fn deleverage(
        &mut self,
        cause: &Cause,
        bankrupt: u32,
        instrument: u32,
        price: i64,
        events: &mut Vec<EventRecord>,
    ) {
        let position = self.holding(bankrupt, instrument).position;
        let lots = position.abs();
        let mut opposites = self.opposites(bankrupt, instrument, price);
        let first: Vec<_> = opposites.iter().map(|o| (o.account, o.first, o.leverage)).collect();
        let mut given = pro_rata(lots.into(), &first);
        let left = i128::from(lots) - given.values().sum::<i128>();
        let rest: Vec<_> = opposites.iter().map(|o| (o.account, o.lots - o.first, o.leverage)).collect();
        for (account, more) in pro_rata(left, &rest) {
            *given.entry(account).or_default() += more;
        }
        let count = opposites.len() as u32;
        opposites.sort_by_key(|o| (-o.score, o.account));
        let mut queue_left = i128::from(lots);
        let mut receipts = BTreeMap::new();
        for (rank, opposite) in (1..).zip(&opposites) {
            let queue_lots = opposite.lots.min(queue_left);
            queue_left -= queue_lots;
            let receipt = Receipt {
                queue_rank: rank,
                candidates: count,
                bankrupt,
                queue_lots: queue_lots as i64,
                closed_lots: lots,
            };
            receipts.insert(opposite.account, receipt);
        }

        let side = if position > 0 { Side::Sell } else { Side::Buy };
        self.settle_funding(cause, instrument, bankrupt, events);
        let closed = self.move_lots(Mover { account: bankrupt, instrument, side }, lots, price);
        let closed = closed.expect("a whole position closes");
        events.push(EventRecord {
            side: side.code(),
            account: bankrupt,
            instrument,
            price,
            qty: lots,
            remaining: closed.position_after,
            amount: Int128::new(closed.realised),
            ..cause.event(EventKind::BankruptcyClosed)
        });
        for (account, lots) in given.into_iter().filter(|(_, lots)| *lots > 0) {
            let lots = lots as i64;
            self.settle_funding(cause, instrument, account, events);
            let other = Mover { account, instrument, side: side.opposite() };
            let closed = self.move_lots(other, lots, price).expect("nobody flips");
            let terms = self.instrument(instrument);
            let against = if position > 0 { price - terms.mark } else { terms.mark - price };
            let mut event = EventRecord {
                side: side.opposite().code(),
                account,
                instrument,
                price,
                qty: lots,
                remaining: closed.position_after,
                amount: Int128::new(closed.realised),
                counter_amount: Int128::new(terms.value(against, lots)),
                ..cause.event(EventKind::Deleveraged)
            };
            event.set_receipt(&receipts[&account]);
            events.push(event);
            self.liquidations.pending.insert(account);
        }
    }

    fn opposites(&self, bankrupt: u32, instrument: u32, price: i64) -> Vec<Opposite> {
        let sign = self.holding(bankrupt, instrument).position.signum();
        let is_opposite = |&account: &u32| self.holding(account, instrument).position.signum() == -sign;
        let found = (1..=self.accounts.len() as u32).filter(is_opposite);
        found.map(|account| self.opposite(account, instrument, price)).collect()
    }

    fn opposite(&self, account: u32, instrument: u32, price: i64) -> Opposite {
        let terms = self.instrument(instrument);
        let holding = self.holding(account, instrument);
        let lots = i128::from(holding.position.abs());
        let hedge = self.terms_of_liquidation(instrument).and_then(|terms| terms.hedge);
        let hedged = match hedge {
            Some(hedge) if holding.position < 0 => {
                (self.total(account, hedge.asset).max(0) / i128::from(hedge.atoms_per_lot)).min(lots)
            }
            _ => 0,
        };
        let profit = terms.value(price, holding.position) - holding.cost;
        let gross: i128 = (1..)
            .zip(&self.instruments)
            .filter(|(_, i)| i.is_perpetual())
            .map(|(id, i)| i.value(i.mark, self.holding(account, id).position.abs()))
            .sum();
        let equity = self.health(account).equity;
        let (value, cost) = (terms.value(terms.mark, holding.position.abs()), holding.cost.abs().max(1));
        let gain = if holding.position > 0 {
            ratio(value, cost, SCORE_MOST)
        } else {
            ratio(cost, value, SCORE_MOST)
        };
        Opposite {
            account,
            lots,
            first: if profit > 0 { lots - hedged } else { 0 },
            leverage: ratio(gross, equity, LEVERAGE_MOST).max(1),
            score: gain * ratio(value, equity, SCORE_MOST) / MILLION,
        }
    }
}
