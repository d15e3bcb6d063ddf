//! What must hold after every command, whatever the command was.

use super::state::{Holding, House, SETTLEMENT, World};
use xos_protocol::{InstrumentState, Side};

impl World {
    pub(super) fn check_invariants(&self) -> Result<(), String> {
        self.check_conservation()?;
        self.check_positions()?;
        self.check_collateral()?;
        self.check_worlds_apart()?;
        self.check_books()?;
        self.check_isolation()?;
        self.check_health()?;
        self.check_stakes()?;
        self.check_repayments()?;
        self.check_held()
    }

    /// For each asset the totals of all accounts and of the house add up to zero.
    fn check_conservation(&self) -> Result<(), String> {
        for asset in 1..=self.assets.len() as u32 {
            let users: i128 = self.accounts.iter().filter_map(|a| a.totals.get(&asset)).sum();
            let house: i128 =
                self.house.iter().filter(|((_, a), _)| *a == asset).map(|(_, amount)| amount).sum();
            if users + house != 0 {
                return Err(format!("asset {asset}: accounts hold {users}, the house {house}"));
            }
        }
        Ok(())
    }

    /// Positions add up to the complete sets of the question, or to zero; a position without lots has no cost.
    fn check_positions(&self) -> Result<(), String> {
        for instrument in 1..=self.instruments.len() as u32 {
            let question = self.question_of(instrument);
            if question != 0 && self.question(question).is_decided() && !self.question(question).is_settled {
                continue;
            }
            if question == 0 && self.is_closed(instrument) {
                continue;
            }
            let is_outcome = question != 0 && self.question(question).instruments().any(|i| i == instrument);
            if question != 0 && !is_outcome {
                self.check_reserved(question)?;
                continue;
            }
            let sets = if question == 0 { 0 } else { self.question(question).sets };
            let sum: i64 = (1..=self.accounts.len() as u32)
                .map(|account| self.holding(account, instrument).position)
                .sum();
            if sum != sets {
                return Err(format!("instrument {instrument}: positions add up to {sum}, sets are {sets}"));
            }
        }
        for (id, account) in (1..).zip(&self.accounts) {
            for (&instrument, holding) in &account.holdings {
                if !self.stands_in(id, instrument) && *holding != Holding::default() {
                    return Err(format!("account {id} has left instrument {instrument} with {holding:?}"));
                }
            }
        }
        Ok(())
    }

    /// A question's account holds one unit for every set; a perpetual's clearing account mirrors all costs.
    fn check_collateral(&self) -> Result<(), String> {
        for (id, question) in (1..).zip(&self.questions) {
            self.check_resolution_state(id)?;
            if question.is_decided() {
                self.check_settling(id)?;
                continue;
            }
            let held = self.house(House::Question(id), SETTLEMENT);
            if question.sets < 0 || held != question.unit_value(question.sets) {
                return Err(format!("question {id} holds {held} for {} sets", question.sets));
            }
        }
        for (id, instrument) in (1..).zip(&self.instruments) {
            let costs: i128 = self.accounts.iter().filter_map(|a| a.holdings.get(&id)).map(|h| h.cost).sum();
            let clearing = self.house(House::Clearing(id), SETTLEMENT);
            let held = instrument.funding.as_ref().map_or(0, |funding| funding.held);
            if let Some(funding) = &instrument.funding
                && funding.cursor.is_none()
                && (held != 0 || !funding.due.is_empty())
            {
                return Err(format!("perpetual {id}: a settlement of funding ended with {held} left"));
            }
            // While a delisted one is settled: what is left to settle, at its price.
            let all = (1..=self.accounts.len() as u32).map(|a| self.holding(a, id).position).sum();
            if instrument.is_perpetual() && costs + clearing != held + instrument.value(instrument.mark, all)
            {
                return Err(format!("perpetual {id}: costs {costs}, clearing {clearing}"));
            }
        }
        Ok(())
    }

    /// Isolated accounts stand in their own perpetual only, hold one asset, and nothing without a position or an order.
    fn check_isolation(&self) -> Result<(), String> {
        for (id, account) in (1..).zip(&self.accounts) {
            let Some((_, own)) = account.isolated else { continue };
            let others = account.totals.iter().any(|(&asset, &total)| asset != SETTLEMENT && total != 0);
            let elsewhere = (1..=self.instruments.len() as u32).any(|i| i != own && self.stands_in(id, i));
            let idle = !self.stands_in(id, own) && self.total(id, SETTLEMENT) > 0;
            if others || elsewhere || idle {
                return Err(format!(
                    "isolated account {id}: assets {others}, elsewhere {elsewhere}, idle {idle}"
                ));
            }
        }
        Ok(())
    }

    /// No bid reaches an ask; every resting order has lots left and was accepted for at least as many.
    fn check_books(&self) -> Result<(), String> {
        for order in &self.orders {
            let hides_all = order.visible() < 1 || order.visible() > order.remaining;
            if hides_all || order.remaining < 1 || order.remaining > order.total {
                return Err(format!("resting order {order:?} has impossible lots"));
            }
            if order.side == Side::Buy
                && self.instrument(order.instrument).auction == InstrumentState::Continuous
                && self.instrument(order.instrument).state != InstrumentState::Settled
                && !self.instrument(order.instrument).is_over
                && let Some(ask) = self.orders.iter().find(|ask| self.may_meet(ask, order))
            {
                return Err(format!("bid {} at {} meets ask {}", order.id, order.price, ask.id));
            }
        }
        Ok(())
    }

    /// Outside the settlement asset an account always has what its orders hold.
    fn check_held(&self) -> Result<(), String> {
        for account in 1..=self.accounts.len() as u32 {
            for asset in 2..=self.assets.len() as u32 {
                let free = self.free(account, asset);
                if free < 0 {
                    return Err(format!("account {account} has {free} free of asset {asset}"));
                }
            }
        }
        Ok(())
    }
}
