//! Section 10: accounts, money from and to outside, complete sets.

use super::events::Cause;
use super::fill::close_lots;
use super::refusal::{Refusal, check, check_id};
use super::state::{Account, House, Party, SETTLEMENT, World};
use std::collections::BTreeMap;
use xos_protocol::{CommandRecord, EventKind, EventRecord, Int128, Reject, Side};
use xos_units::AMOUNT_ATOMS_BOUND;

impl World {
    pub(super) fn open_account(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (standing, limit) = (self.accounts.len() as u32, self.limits.accounts_max);
        let next = standing + 1;
        let is_next = command.account == 0 || command.account == next;
        check(is_next, Reject::UnknownAccount, command.account, next)?;
        check(standing < limit, Reject::AccountsLimit, standing, limit)?;
        let isolated = self.check_isolated(command, next)?;
        let owner = command.client_id;
        self.accounts.push(Account {
            owner,
            totals: BTreeMap::new(),
            holdings: BTreeMap::new(),
            leverages: BTreeMap::new(),
            is_scenario: false,
            isolated,
            classes: 0,
            credential: None,
        });
        let is_simulated = match isolated {
            Some((parent, _)) => self.is_simulated(parent),
            None => command.side == 1,
        };
        if is_simulated {
            self.governance.simulated.insert(next);
        }
        events.push(EventRecord {
            side: u8::from(is_simulated),
            account: next,
            instrument: command.instrument,
            order_id: command.order_id,
            ..cause.event(EventKind::AccountOpened)
        });
        Ok(())
    }

    fn check_amount(&self, command: &CommandRecord) -> Result<(), Refusal> {
        let amount = command.amount.get();
        check_id(command.instrument, self.assets.len(), Reject::UnknownAsset)?;
        check(amount >= 1, Reject::AmountNotPositive, amount, 1)?;
        check(amount < AMOUNT_ATOMS_BOUND, Reject::AmountAboveMax, amount, AMOUNT_ATOMS_BOUND - 1)
    }

    pub(super) fn deposit(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        self.check_not_isolated(command.account)?;
        self.check_amount(command)?;
        let (asset, amount) = (command.instrument, command.amount.get());
        let outside = self.outside_of(command.account);
        let supply = amount - self.house(outside, asset);
        check(supply < AMOUNT_ATOMS_BOUND, Reject::SupplyLimit, supply, AMOUNT_ATOMS_BOUND - 1)?;
        self.post(Party::House(outside), Party::Account(command.account), asset, amount);
        events.push(self.money_moved(cause, EventKind::Deposited, command));
        self.look_at_debt(command.account);
        Ok(())
    }

    pub(super) fn withdraw(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        self.check_not_isolated(command.account)?;
        self.check_real(command.account)?;
        self.check_amount(command)?;
        let (account, asset, amount) = (command.account, command.instrument, command.amount.get());
        let available = self.available(account, asset);
        check(amount <= available, Reject::InsufficientBalance, amount, available)?;
        self.post(Party::Account(account), Party::House(House::External), asset, amount);
        events.push(self.money_moved(cause, EventKind::Withdrawn, command));
        Ok(())
    }

    pub(super) fn transfer(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        self.check_amount(command)?;
        let (from, asset, amount) = (command.account, command.instrument, command.amount.get());
        let newest = self.accounts.len() as u64;
        let is_known = command.order_id >= 1 && command.order_id <= newest;
        check(is_known, Reject::UnknownReceiver, command.order_id, i128::from(newest))?;
        let to = command.order_id as u32;
        check(to != from, Reject::ReceiverIsSender, to, 0)?;
        let is_own = self.account(to).owner == self.account(from).owner;
        check(is_own, Reject::AnotherOwner, to, from)?;
        self.check_family(from, to, asset)?;
        self.check_one_kind(from, to)?;
        let available = self.available(from, asset);
        check(amount <= available, Reject::InsufficientBalance, amount, available)?;
        self.post(Party::Account(from), Party::Account(to), asset, amount);
        let moved = self.money_moved(cause, EventKind::Transferred, command);
        events.push(EventRecord { order_id: command.order_id, ..moved });
        self.look_at_debt(to);
        Ok(())
    }

    fn money_moved(&self, cause: &Cause, kind: EventKind, command: &CommandRecord) -> EventRecord {
        EventRecord {
            account: command.account,
            instrument: command.instrument,
            amount: command.amount,
            counter_amount: Int128::new(self.total(command.account, command.instrument)),
            ..cause.event(kind)
        }
    }

    /// What split and merge share: the question stands open and the quantity is positive.
    fn check_sets(&self, command: &CommandRecord) -> Result<(), Refusal> {
        self.check_undecided(command.instrument)?;
        check(command.qty >= 1, Reject::QtyNotPositive, command.qty, 1)
    }

    /// Headroom before and after `lots` of every outcome came for their unit value (negative: went).
    fn headroom_around(&self, account: u32, question: u32, lots: i64) -> (i128, i128) {
        let mut standing = self.standing(account);
        let before = self.headroom(&standing);
        let question = self.question(question);
        *standing.totals.entry(SETTLEMENT).or_default() -= question.unit_value(lots);
        for instrument in question.instruments() {
            standing.holdings.entry(instrument).or_default().position += lots;
        }
        (before, self.headroom(&standing))
    }

    pub(super) fn split_set(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        self.check_not_isolated(command.account)?;
        self.check_sets(command)?;
        let (account, id, lots) = (command.account, command.instrument, command.qty);
        self.check_not_resolver(account, id)?;
        self.check_kind_of_money(account, self.question(id).first_instrument)?;
        let question = self.question(id).clone();
        let terms = &question.spec.terms;
        check(lots <= terms.qty_max_lots, Reject::QtyAboveMax, lots, terms.qty_max_lots)?;
        let first = question.first_instrument;
        let new = question.instruments().filter(|&i| !self.stands_in(account, i)).count();
        let count = self.instruments_stood_in(account, first) as i128;
        let limit = self.instruments_limit(first);
        check(count + new as i128 <= limit, Reject::AccountInstrumentsLimit, count, limit)?;
        for instrument in question.instruments() {
            let buys = self.resting_lots(account, instrument, Side::Buy);
            let reached = self.holding(account, instrument).position + buys + lots;
            let max = terms.position_max_lots;
            check(reached <= max, Reject::PositionLimit, reached, max)?;
        }
        let locked = question.unit_value(question.sets) + question.unit_value(lots);
        let most = question.unit_value(1).saturating_mul(1 << 60).min((1 << 96) - 1);
        check(locked <= most, Reject::SupplyLimit, locked, most)?;
        let (before, after) = self.headroom_around(account, id, lots);
        check(after >= 0, Reject::InsufficientMargin, -after, before)?;
        self.check_debt(account, question.unit_value(lots))?;

        let value = question.unit_value(lots);
        self.post(Party::Account(account), Party::House(House::Question(id)), SETTLEMENT, value);
        for (instrument, part) in question.instruments().zip(question.unit_parts(lots)) {
            let holding = self.account_mut(account).holdings.entry(instrument).or_default();
            let close = lots.min(holding.closable_by(Side::Buy));
            let close_value = fraction_down(part, close, lots);
            close_lots(holding, close, close_value);
            holding.position += lots - close;
            holding.cost += part - close_value;
        }
        self.questions[id as usize - 1].sets += lots;
        events.push(set_changed(cause, EventKind::SetSplit, command, value));
        Ok(())
    }

    pub(super) fn merge_set(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        self.check_not_isolated(command.account)?;
        self.check_sets(command)?;
        let (account, id, lots) = (command.account, command.instrument, command.qty);
        let question = self.question(id).clone();
        let positions = question.instruments().map(|i| self.holding(account, i).position);
        // What others are short is not collateral: only sets that were split can be redeemed.
        let smallest = positions.min().expect("a question has outcomes").min(question.sets);
        check(smallest >= lots, Reject::NothingToReduce, smallest, lots)?;
        let (before, after) = self.headroom_around(account, id, -lots);
        check(after >= 0 || after >= before, Reject::InsufficientMargin, -after, before)?;

        let value = question.unit_value(lots);
        self.post(Party::House(House::Question(id)), Party::Account(account), SETTLEMENT, value);
        for (instrument, part) in question.instruments().zip(question.unit_parts(lots)) {
            let holding = self.account_mut(account).holdings.entry(instrument).or_default();
            close_lots(holding, lots, part);
        }
        self.questions[id as usize - 1].sets -= lots;
        events.push(set_changed(cause, EventKind::SetMerged, command, value));
        Ok(())
    }
}

fn set_changed(cause: &Cause, kind: EventKind, command: &CommandRecord, value: i128) -> EventRecord {
    EventRecord {
        account: command.account,
        instrument: command.instrument,
        qty: command.qty,
        amount: Int128::new(value),
        ..cause.event(kind)
    }
}

/// `floor(value x part / whole)`, without a product that would not fit.
fn fraction_down(value: i128, part: i64, whole: i64) -> i128 {
    let (part, whole) = (i128::from(part), i128::from(whole));
    value.div_euclid(whole) * part + value.rem_euclid(whole) * part / whole
}
