//! Section 19: deleveraging, the division of bankrupt positions over the other side.

use super::events::Cause;
use super::fill::{Mover, close_lots};
use super::liquidation::Listed;
use super::state::{House, Party, SETTLEMENT, World};
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

/// Lots that each gives: first of the first capacities, then of the rest.
fn divide(opposites: &[Opposite], lots: i64) -> BTreeMap<u32, i128> {
    let first: Vec<_> = opposites.iter().map(|o| (o.account, o.first, o.leverage)).collect();
    let mut given = pro_rata(lots.into(), &first);
    let left = i128::from(lots) - given.values().sum::<i128>();
    let rest: Vec<_> = opposites.iter().map(|o| (o.account, o.lots - o.first, o.leverage)).collect();
    for (account, more) in pro_rata(left, &rest) {
        *given.entry(account).or_default() += more;
    }
    given
}

fn receipts(opposites: &[Opposite], lots: i64, bankrupts: u32) -> BTreeMap<u32, Receipt> {
    let mut order: Vec<&Opposite> = opposites.iter().collect();
    order.sort_by_key(|o| (-o.score, o.account));
    let mut queue_left = i128::from(lots);
    let mut receipts = BTreeMap::new();
    for (rank, opposite) in (1..).zip(order) {
        let queue_lots = opposite.lots.min(queue_left);
        queue_left -= queue_lots;
        let receipt = Receipt {
            queue_rank: rank,
            candidates: opposites.len() as u32,
            bankrupts,
            queue_lots: queue_lots as i64,
            closed_lots: lots,
        };
        receipts.insert(opposite.account, receipt);
    }
    receipts
}

impl World {
    /// The end of a look: rounds by instrument, longs first; then every bankrupt account in order of visit.
    pub(super) fn deleverage(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let listed = std::mem::take(&mut self.liquidations.listed);
        let bankrupt = std::mem::take(&mut self.liquidations.bankrupt);
        for instrument in 1..=self.instruments.len() as u32 {
            for sign in [1, -1] {
                let of = |sign: i64| -> Vec<Listed> {
                    listed.iter().copied().filter(|l| l.instrument == instrument && l.sign == sign).collect()
                };
                let last: Vec<u32> = of(-sign).iter().map(|l| l.account).collect();
                for round in of(sign).chunks(65_536) {
                    self.deleverage_round(cause, instrument, round, &last, events);
                }
            }
        }
        for (account, rounding) in bankrupt {
            let left = self.health(account).equity.max(0).min(rounding);
            let fund = self.insurance_of(account);
            self.post(Party::Account(account), Party::House(fund), SETTLEMENT, left);
            if left > 0 {
                events.push(EventRecord {
                    account,
                    amount: Int128::new(left),
                    counter_amount: Int128::new(self.told(fund)),
                    ..cause.event(EventKind::InsuranceReceived)
                });
            }
            if self.liquidations.next_visits.contains_key(&account) && !self.is_liquidatable(account) {
                self.end_liquidation(cause, account, events);
            }
            // It may have left before, paid by insurance, and owes since its position was closed.
            self.look_at_debt(account);
        }
    }

    fn deleverage_round(
        &mut self,
        cause: &Cause,
        instrument: u32,
        round: &[Listed],
        last: &[u32],
        events: &mut Vec<EventRecord>,
    ) {
        let sign = round[0].sign;
        let mut closing = Vec::new();
        for listed in round {
            let position = self.holding(listed.account, instrument).position * sign;
            let lots = listed.lots.min(position);
            if lots > 0 {
                closing.push((listed.account, lots, listed.price));
            }
        }
        if closing.is_empty() {
            return;
        }
        let lots: i64 = closing.iter().map(|(_, lots, _)| lots).sum();
        let value: i128 =
            closing.iter().map(|&(_, lots, price)| self.instrument(instrument).value(price, lots)).sum();
        let tick = self.instrument(instrument).value(1, lots);
        let against = |value: i128, parts: i128| match sign {
            1 => -(-value).div_euclid(parts),
            _ => value.div_euclid(parts),
        };
        let price = against(value, tick) as i64;
        let opposites = self.opposites(sign, instrument, price, last);
        let receipts = receipts(&opposites, lots, closing.len() as u32);
        let given = divide(&opposites, lots);

        let (closes, gives) = if sign > 0 { (Side::Sell, Side::Buy) } else { (Side::Buy, Side::Sell) };
        for (account, lots, price) in closing {
            self.settle_funding(cause, instrument, account, events);
            let closed = self.move_lots(Mover { account, instrument, side: closes }, lots, price);
            let closed = closed.expect("a position closes");
            events.push(EventRecord {
                side: closes.code(),
                account,
                instrument,
                price,
                qty: lots,
                remaining: closed.position_after,
                amount: Int128::new(closed.realised),
                ..cause.event(EventKind::BankruptcyClosed)
            });
        }
        let mut paid = 0;
        for (account, part) in given.into_iter().filter(|(_, lots)| *lots > 0) {
            self.settle_funding(cause, instrument, account, events);
            // The whole and the rest apart: the product may be wide.
            let (whole, rest) = (value.div_euclid(lots.into()), value.rem_euclid(lots.into()));
            let part_value = whole * part + against(rest * part, lots.into());
            paid += part_value;
            let part = part as i64;
            let mut holding = self.holding(account, instrument);
            let realised = close_lots(&mut holding, part, part_value);
            self.account_mut(account).holdings.insert(instrument, holding);
            let clearing = Party::House(House::Clearing(instrument));
            self.post(clearing, Party::Account(account), SETTLEMENT, realised);
            let terms = self.instrument(instrument);
            let lost = (part_value - terms.value(terms.mark, part)) * i128::from(sign);
            let mut event = EventRecord {
                side: gives.code(),
                account,
                instrument,
                price,
                qty: part,
                remaining: holding.position,
                amount: Int128::new(realised),
                counter_amount: Int128::new(lost),
                ..cause.event(EventKind::Deleveraged)
            };
            event.set_receipt(&receipts[&account]);
            events.push(event);
            self.liquidations.pending.insert(account);
        }
        let rounded = (paid - value) * i128::from(sign);
        if rounded > 0 {
            let clearing = Party::House(House::Clearing(instrument));
            let [fund, _] = self.insurance_and_rounding(instrument);
            self.post(clearing, Party::House(fund), SETTLEMENT, rounded);
            events.push(EventRecord {
                instrument,
                amount: Int128::new(rounded),
                counter_amount: Int128::new(self.told(fund)),
                ..cause.event(EventKind::InsuranceReceived)
            });
        }
    }

    fn opposites(&self, sign: i64, instrument: u32, price: i64, last: &[u32]) -> Vec<Opposite> {
        let is_opposite = |&account: &u32| self.holding(account, instrument).position.signum() == -sign;
        let found = (1..=self.accounts.len() as u32).filter(is_opposite);
        let mut found: Vec<Opposite> =
            found.map(|account| self.opposite(account, instrument, price)).collect();
        for opposite in &mut found {
            if last.contains(&opposite.account) {
                opposite.first = 0;
            }
        }
        found
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
