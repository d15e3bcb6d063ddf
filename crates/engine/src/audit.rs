//! The full recomputation of what is checked step by step in production: run at snapshots, at restore, by the
//! auditor, and in every test.

use crate::account::{Account, Stand};
use crate::engine::Engine;
use crate::frame::Violation;
use crate::orders::held_asset;
use std::hint::black_box;
use xos_book::NO_SLOT;
use xos_ledger::{Party, SETTLEMENT};
use xos_protocol::{InstrumentState, Side};
use xos_risk::worst_case;
use xos_units::{AccountId, Amount, AssetId, Qty, QuestionId};

/// Accounts whose orders are read ahead.
const AHEAD: usize = 16;

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
        self.check_everything()?;
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

    /// An audit without its report.
    pub(crate) fn check_everything(&self) -> Result<(), Violation> {
        let fail = |invariant, detail: String| Err(Violation { invariant, sequence: self.sequence, detail });
        if let Err(error) = self.ledger.audit() {
            return fail(1, error.to_string());
        }
        for instrument in &self.instruments {
            for (_, book) in instrument.groups() {
                if let Err(detail) = book.audit(&self.pool) {
                    return fail(13, format!("instrument {}: {detail}", instrument.id));
                }
            }
        }
        if let Err(detail) = self.audit_profiles() {
            return fail(8, detail);
        }
        if let Err(detail) = self.audit_reserves() {
            return fail(4, detail);
        }
        if let Err(detail) = self.audit_icebergs() {
            return fail(13, detail);
        }
        if let Err(detail) = self.audit_bests() {
            return fail(13, detail);
        }
        if let Err(detail) = self.triggers.audit() {
            return fail(13, detail);
        }
        if let Err(detail) = self.audit_positions() {
            return fail(17, detail);
        }
        if let Err(detail) = self.audit_stakes() {
            return fail(31, detail);
        }
        if let Err(detail) = self.audit_simulated() {
            return fail(34, detail);
        }
        if let Err(detail) = self.audit_health() {
            return fail(18, detail);
        }
        Ok(())
    }

    fn audit_reserves(&self) -> Result<(), String> {
        let (mut resting, mut held) = (0, Vec::new());
        for (at, account) in self.accounts.iter().enumerate() {
            let id = AccountId::from_index(at);
            self.read_orders_ahead(at);
            let mut orders = 0;
            for stand in &account.stands {
                let stored = Reserved {
                    orders: stand.orders,
                    buys: stand.buys,
                    sells: stand.sells,
                    buy_reserve: stand.buy_reserve(),
                    sell_reserve: stand.sell_reserve(),
                };
                let found = self.added_up(id, stand, &mut held)?;
                if stored != found {
                    let instrument = stand.key.instrument();
                    return Err(format!(
                        "account {id} instrument {instrument}: {stored:?}, orders say {found:?}"
                    ));
                }
                orders += stand.orders;
            }
            if orders != account.orders {
                return Err(format!("account {id} counts {} orders, {orders} rest", account.orders));
            }
            resting += orders as usize;
            self.audit_held(id, &mut held)?;
        }
        // Every list and every queue holds orders of the pool and no two the same: the counts say that they hold all.
        let queued: usize = self.instruments.iter().map(|instrument| instrument.orders() as usize).sum();
        if (resting, queued) == (self.pool.len(), self.pool.len()) {
            Ok(())
        } else {
            Err(format!("{} orders: accounts know {resting}, books {queued}", self.pool.len()))
        }
    }

    /// Adds up the orders of an account on an instrument; what they hold in the ledger goes to `held`.
    fn added_up(
        &self,
        id: AccountId,
        stand: &Stand,
        held: &mut Vec<(AssetId, Amount)>,
    ) -> Result<Reserved, String> {
        let instrument = &self.instruments[stand.key.instrument().index()];
        let (mut sum, mut slot, mut before) = (Reserved::default(), stand.head, NO_SLOT);
        while slot != NO_SLOT {
            let order = self.pool.order(slot);
            let listed = order.account == id && order.instrument == instrument.id && order.own_prev == before;
            if !listed || sum.orders == stand.orders || self.pool.find(order.id) != Some(slot) {
                return Err(format!("order {} is not where account {id} has it", order.id.0));
            }
            let per_lot = self.reserve_per_lot(instrument, order.venue, order.side, order.price);
            let remaining = self.whole_order(slot).remaining;
            let amount = per_lot.times_lots(remaining);
            let buys = order.side == Side::Buy;
            sum.orders += 1;
            *(if buys { &mut sum.buys } else { &mut sum.sells }) += remaining;
            match held_asset(instrument, order.side) {
                Some(asset) => match held.iter_mut().find(|(other, _)| *other == asset) {
                    Some((_, sum)) => *sum += amount,
                    None => held.push((asset, amount)),
                },
                None => *(if buys { &mut sum.buy_reserve } else { &mut sum.sell_reserve }) += amount,
            }
            (before, slot) = (slot, order.own_next);
        }
        Ok(sum)
    }

    /// Compares what the ledger holds for an account with what its orders hold, and empties `held`.
    fn audit_held(&self, id: AccountId, held: &mut Vec<(AssetId, Amount)>) -> Result<(), String> {
        for (asset, balance) in self.ledger.balances(id) {
            let at = held.iter().position(|(other, _)| *other == asset);
            let found = at.map_or(Amount::ZERO, |at| held.swap_remove(at).1);
            if balance.held != found {
                let kept = balance.held.0;
                return Err(format!("account {id} holds {kept} atoms of asset {asset}, orders {}", found.0));
            }
        }
        match held.pop() {
            Some((asset, found)) => {
                Err(format!("account {id} holds nothing of asset {asset}, orders {}", found.0))
            }
            None => Ok(()),
        }
    }

    /// Reads the first orders of accounts to come, so that they are in cache when their turn comes.
    fn read_orders_ahead(&self, at: usize) {
        let head = |account: usize| Some(self.accounts.get(account)?.stands.first()?.head);
        let far = head(at + 2 * AHEAD).map_or(0, |slot| self.pool.touch(slot));
        let near = head(at + AHEAD).filter(|slot| *slot != NO_SLOT);
        let near = near.map_or(0, |slot| self.pool.touch_index(self.pool.order(slot).id));
        black_box(far ^ near);
    }

    /// The holders of each question, and invariants 27 and 28: its collateral is what its sets, or what is still to be
    /// paid and the rounding of what was paid, come to.
    fn audit_questions(&self) -> Result<(), String> {
        for (at, question) in self.questions.iter().enumerate() {
            let id = QuestionId::from_index(at);
            let stands = |account: &&Account| !account.outcomes(question.first, question.outcomes).is_empty();
            let standing = self.accounts.iter().filter(stands).count();
            let listed = question.holders.iter().filter(|id| stands(&&self.accounts[id.index()])).count();
            if (listed, question.holders.len()) != (standing, standing) {
                return Err(format!("question {id}: {standing} accounts stand in it, {listed} are listed"));
            }
            let held = self.ledger.house(Party::Question(id), SETTLEMENT);
            let sound = match &question.settlement {
                None => held == question.unit.times_lots(Qty(question.sets)),
                Some(settlement) if settlement.is_done => held == Amount::ZERO && standing == 0,
                Some(settlement) => {
                    let kept = self.kept_by_rounding(id);
                    let most = Amount(i128::from(settlement.paid)).as_requirement();
                    kept == Amount::ZERO.as_requirement()
                        || (kept > Amount::ZERO.as_requirement() && kept < most)
                }
            };
            if !sound {
                return Err(format!("question {id} holds {} atoms for {} sets", held.0, question.sets));
            }
        }
        Ok(())
    }

    fn audit_positions(&self) -> Result<(), String> {
        let mut holding = vec![0; self.instruments.len()];
        let mut sums: Vec<(i128, i128, Amount)> = vec![(0, 0, Amount::ZERO); self.instruments.len()];
        for (at, account) in self.accounts.iter().enumerate() {
            for stand in &account.stands {
                let sum = &mut sums[stand.key.instrument().index()];
                sum.0 += i128::from(stand.lots.max(0));
                sum.1 += i128::from((-stand.lots).max(0));
                sum.2 += stand.holding().cost;
                let holds = stand.key.is_perpetual() && stand.lots != 0;
                let holders = &self.instruments[stand.key.instrument().index()].holders;
                if holds != holders.contains(AccountId::from_index(at)) {
                    return Err(format!("account {}: holders of {} are wrong", at + 1, stand.key.0));
                }
                holding[stand.key.instrument().index()] += usize::from(holds);
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
            if total != account.worst_cases().unwrap_or_default() {
                return Err(format!("account {}: worst cases add up to {}", at + 1, total.0));
            }
        }
        for (instrument, holding) in self.instruments.iter().zip(holding) {
            if instrument.holders.len() != holding {
                let listed = instrument.holders.len();
                return Err(format!(
                    "instrument {}: {holding} accounts hold, {listed} are listed",
                    instrument.id
                ));
            }
        }
        self.audit_questions()?;
        for (instrument, (long, short, cost)) in self.instruments.iter().zip(sums) {
            let question = instrument.question().map(|id| &self.questions[id.index()]);
            let is_settled = instrument.state == InstrumentState::Settled;
            let (sets, is_settling) = question.map_or((0, is_settled), |asked| match instrument.id {
                id if asked.being_added() == Some(id) => (0, true),
                id if id.0 >= asked.first.0 + asked.outcomes => (0, false),
                _ => (asked.sets, asked.is_settling()),
            });
            let sound = (long, short) == (instrument.long_lots, instrument.short_lots)
                && (is_settling || long - short == i128::from(sets));
            let clearing = self.ledger.house(Party::Clearing(instrument.id), SETTLEMENT);
            let held = instrument.funding.as_ref().map_or(Amount::ZERO, |funding| funding.held);
            let mirrored = instrument.question().is_some()
                || (cost - held == instrument.cost_sum
                    && cost - held + clearing == Amount((long - short) * instrument.mark_value));
            if !sound || !mirrored {
                return Err(format!("instrument {}: {long} long, {short} short, {sets} sets", instrument.id));
            }
        }
        Ok(())
    }
}
