//! The row of orders that a price has reached: accounts take turns, so that many orders of one delay nobody else's.

use std::collections::BTreeMap;
use xos_units::{AccountId, OrderId};

/// Reached orders by account.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// Accounts in the order of their turns.
    turns: BTreeMap<u64, AccountId>,
    /// Of each its turn, and its orders as they were reached.
    orders: BTreeMap<AccountId, (u64, BTreeMap<u64, OrderId>)>,
    /// Turns and places are numbered as they are given.
    next_number: u64,
}

impl Row {
    /// Ids of all, account by account in the order of turns.
    pub(crate) fn ids(&self) -> impl Iterator<Item = OrderId> {
        self.turns.values().flat_map(|account| self.orders[account].1.values().copied())
    }

    pub(crate) fn len(&self) -> usize {
        self.orders.values().map(|(_, orders)| orders.len()).sum()
    }

    /// Whose turn it is, and the order of it that was reached first.
    pub(crate) fn first(&self) -> Option<OrderId> {
        let (_, account) = self.turns.first_key_value()?;
        self.orders[account].1.first_key_value().map(|(_, id)| *id)
    }

    /// An order was reached; gives its place.
    pub(super) fn push(&mut self, account: AccountId, id: OrderId) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let (turn, orders) = self.orders.entry(account).or_insert_with(|| (number, BTreeMap::new()));
        self.turns.insert(*turn, account);
        orders.insert(number, id);
        number
    }

    /// An order leaves its place. Without others the account has no turn any more.
    pub(super) fn remove(&mut self, account: AccountId, number: u64) {
        let Some((turn, orders)) = self.orders.get_mut(&account) else { return };
        orders.remove(&number);
        if orders.is_empty() {
            self.turns.remove(turn);
            self.orders.remove(&account);
        }
    }

    /// The account has had its turn: it goes behind all others.
    pub(super) fn turned(&mut self, account: AccountId) {
        let Some((turn, _)) = self.orders.get_mut(&account) else { return };
        self.turns.remove(turn);
        *turn = self.next_number;
        self.turns.insert(self.next_number, account);
        self.next_number += 1;
    }

    pub(super) fn holds(&self, account: AccountId, number: u64, id: OrderId) -> bool {
        let found = self.orders.get(&account);
        found.is_some_and(|(turn, orders)| {
            orders.get(&number) == Some(&id) && self.turns.get(turn) == Some(&account)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_take_turns_and_a_turn_is_kept_while_the_account_has_orders() {
        let mut row = Row::default();
        let places: Vec<u64> = [(7, 1), (7, 2), (7, 3), (2, 4), (7, 5), (9, 6)]
            .map(|(account, id)| row.push(AccountId(account), OrderId(id)))
            .to_vec();
        let ids = |row: &Row| row.ids().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(ids(&row), [1, 2, 3, 5, 4, 6]);
        row.remove(AccountId(7), places[0]);
        row.turned(AccountId(7));
        assert_eq!((ids(&row), row.first(), row.len()), (vec![4, 6, 2, 3, 5], Some(OrderId(4)), 5));
        row.remove(AccountId(2), places[3]);
        row.turned(AccountId(2));
        row.push(AccountId(2), OrderId(8));
        assert_eq!(ids(&row), [6, 2, 3, 5, 8]);
        // Whoever loses the order that was first keeps the turn with the next one.
        row.remove(AccountId(7), places[1]);
        assert_eq!(ids(&row), [6, 3, 5, 8]);
    }
}
