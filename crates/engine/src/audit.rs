//! The full recomputation of what is checked step by step in production: run at snapshots, at restore, by the
//! auditor, and in every test.

use crate::engine::{Engine, Violation};
use crate::orders::held_asset;
use std::collections::BTreeMap;
use xos_ledger::{Party, SETTLEMENT};
use xos_protocol::Side;
use xos_risk::worst_case;
use xos_units::{AccountId, Amount, AssetId, Qty};

/// What an audit counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Accounts.
    pub accounts: usize,
    /// Resting orders.
    pub orders: usize,
    /// Open (account, instrument) pairs.
    pub stands: usize,
    /// For each asset: sum of users' totals, sum of house balances; they add up to zero.
    pub assets: Vec<(AssetId, Amount, Amount)>,
}

/// Lots and reserves of an account on an instrument, added up from its orders.
#[derive(Default, PartialEq, Eq, Debug)]
struct Reserved {
    orders: u32,
    buys: Qty,
    sells: Qty,
    buy_reserve: Amount,
    sell_reserve: Amount,
}

impl Engine {
    /// Recomputes balances, books, reserves, worst cases and open interest from first principles.
    pub fn audit(&self) -> Result<AuditReport, Violation> {
        let fail = |invariant, detail: String| Err(Violation { invariant, sequence: self.sequence, detail });
        if let Err(error) = self.ledger.audit() {
            return fail(1, error.to_string());
        }
        for instrument in &self.instruments {
            if let Err(detail) = instrument.book.audit(&self.pool) {
                return fail(13, format!("instrument {}: {detail}", instrument.id));
            }
        }
        if let Err(detail) = self.audit_reserves() {
            return fail(4, detail);
        }
        if let Err(detail) = self.audit_positions() {
            return fail(17, detail);
        }
        let assets = (0..self.assets.len()).map(AssetId::from_index).map(|asset| {
            let house =
                self.ledger.house_accounts(asset).into_iter().fold(Amount::ZERO, |sum, (_, b)| sum + b);
            (asset, self.ledger.users_total(asset), house)
        });
        Ok(AuditReport {
            accounts: self.accounts.len(),
            orders: self.pool.len(),
            stands: self.accounts.iter().map(|account| account.stands.len()).sum(),
            assets: assets.collect(),
        })
    }

    fn audit_reserves(&self) -> Result<(), String> {
        let mut reserved: BTreeMap<(u32, u32), Reserved> = BTreeMap::new();
        let mut held: BTreeMap<(u32, u32), Amount> = BTreeMap::new();
        for instrument in &self.instruments {
            for side in [Side::Buy, Side::Sell] {
                for slot in instrument.book.queue(&self.pool, side) {
                    let order = self.pool.order(slot);
                    let per_lot = self.reserve_per_lot(instrument, order.venue, side, order.price);
                    let amount = per_lot.times_lots(order.remaining);
                    let sum = reserved.entry((order.account.0, instrument.key.0)).or_default();
                    sum.orders += 1;
                    *(if side == Side::Buy { &mut sum.buys } else { &mut sum.sells }) += order.remaining;
                    match held_asset(instrument, side) {
                        Some(asset) => *held.entry((order.account.0, asset.0)).or_default() += amount,
                        None if side == Side::Buy => sum.buy_reserve += amount,
                        None => sum.sell_reserve += amount,
                    }
                }
            }
        }
        for (at, account) in self.accounts.iter().enumerate() {
            let id = AccountId::from_index(at);
            let mut orders = 0;
            for stand in &account.stands {
                let stored = Reserved {
                    orders: stand.orders,
                    buys: stand.buys,
                    sells: stand.sells,
                    buy_reserve: stand.buy_reserve(),
                    sell_reserve: stand.sell_reserve(),
                };
                let found = reserved.remove(&(id.0, stand.key.0)).unwrap_or_default();
                if stored != found {
                    return Err(format!(
                        "account {id} instrument {}: {stored:?}, orders say {found:?}",
                        stand.key.0
                    ));
                }
                orders += stand.orders;
            }
            if orders != account.orders {
                return Err(format!("account {id} counts {} orders, {orders} rest", account.orders));
            }
            for asset in (0..self.assets.len()).map(AssetId::from_index) {
                let (kept, found) = (self.ledger.balance(id, asset).held, held.get(&(id.0, asset.0)));
                if kept != found.copied().unwrap_or_default() {
                    return Err(format!(
                        "account {id} holds {} atoms of asset {asset}, orders {found:?}",
                        kept.0
                    ));
                }
            }
        }
        if reserved.is_empty() { Ok(()) } else { Err("orders rest whose accounts do not know them".into()) }
    }

    fn audit_positions(&self) -> Result<(), String> {
        let mut sums: Vec<(i128, i128, Amount)> = vec![(0, 0, Amount::ZERO); self.instruments.len()];
        for (at, account) in self.accounts.iter().enumerate() {
            for stand in &account.stands {
                let sum = &mut sums[stand.key.instrument().index()];
                sum.0 += i128::from(stand.lots.max(0));
                sum.1 += i128::from((-stand.lots).max(0));
                sum.2 += stand.holding().cost;
                if stand.is_empty() || (stand.lots == 0 && stand.holding().cost != Amount::ZERO) {
                    return Err(format!("account {} keeps an empty stand", at + 1));
                }
            }
            let mut total = Amount::ZERO;
            for (id, stored) in account.questions() {
                let question = &self.questions[id.index()];
                let stands = account.outcomes(question.first, question.outcomes);
                let worst =
                    worst_case(stands.iter().map(|s| s.outcome()), question.outcomes as usize, question.unit);
                if worst != *stored {
                    return Err(format!(
                        "account {} question {id}: {} stored, {} found",
                        at + 1,
                        stored.0,
                        worst.0
                    ));
                }
                total += worst;
            }
            if total != account.worst_cases() {
                return Err(format!("account {}: worst cases add up to {}", at + 1, total.0));
            }
        }
        for (instrument, (long, short, cost)) in self.instruments.iter().zip(sums) {
            let sets = instrument.question().map_or(0, |id| self.questions[id.index()].sets);
            let sound = (long, short) == (instrument.long_lots, instrument.short_lots)
                && long - short == i128::from(sets);
            let clearing = self.ledger.house(Party::Clearing(instrument.id), SETTLEMENT);
            let mirrored = instrument.question().is_some()
                || (cost == instrument.cost_sum && cost + clearing == Amount::ZERO);
            if !sound || !mirrored {
                return Err(format!("instrument {}: {long} long, {short} short, {sets} sets", instrument.id));
            }
        }
        Ok(())
    }
}
