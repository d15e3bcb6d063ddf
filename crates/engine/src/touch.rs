//! Reading ahead: before a run of commands executes, the memory they will need is read for all of them, so that the
//! cache misses of sixteen commands overlap instead of queueing. It changes nothing but time.

use crate::engine::Engine;
use std::hint::black_box;
use xos_protocol::{CommandKind, CommandRecord, Side};

/// Commands read ahead at a time.
pub(crate) const RUN: usize = 16;
/// Below these sizes everything is in cache and reading ahead only costs.
const ACCOUNTS_SMALL: usize = 4_096;
const ORDERS_SMALL: usize = 16_384;

impl Engine {
    /// Whether the state is too large for the caches.
    pub(crate) fn is_large(&self) -> bool {
        self.accounts.len() > ACCOUNTS_SMALL || self.pool.len() > ORDERS_SMALL
    }

    /// Reads what the next commands will need, one level of pointers at a time.
    pub(crate) fn touch(&self, commands: &[CommandRecord]) {
        let mut seen = 0u64;
        for command in commands {
            if let Some(account) = self.accounts.get(command.account().index()) {
                seen ^= u64::from(account.orders);
                seen ^= self.ledger.touch(command.account());
            }
            seen ^= self.pool.touch_index(command.order_id());
        }
        let mut slots = [None; RUN];
        for (slot, command) in slots.iter_mut().zip(commands) {
            if let Some(account) = self.accounts.get(command.account().index())
                && let Some(stand) = account.stands.first()
            {
                seen ^= u64::from(stand.orders) ^ stand.sell_reserve().0 as u64;
            }
            *slot = match command.kind() {
                Some(CommandKind::Place) => self.slot_ahead(command),
                Some(CommandKind::Cancel | CommandKind::Amend) => self.pool.find(command.order_id()),
                _ => None,
            };
            if let Some(slot) = *slot {
                seen ^= self.pool.order(slot).id.0 ^ u64::from(self.pool.order(slot).venue.0);
            }
        }
        for slot in slots.into_iter().flatten() {
            let order = self.pool.order(slot);
            seen ^= self.accounts[order.account.index()].orders as u64 ^ self.ledger.touch(order.account);
            seen ^= self.pool.touch(order.prev) ^ self.pool.touch(order.next);
            seen ^= self.pool.touch(order.own_prev) ^ self.pool.touch(order.own_next);
        }
        black_box(seen);
    }

    /// The resting order that a place will meet first, or stand behind.
    fn slot_ahead(&self, command: &CommandRecord) -> Option<xos_book::Slot> {
        let instrument = self.instruments.get(command.instrument().index())?;
        let side = command.side()?;
        let (best, oldest) = instrument.book.front(side.opposite())?;
        let crosses = if side == Side::Buy { command.price() >= best } else { command.price() <= best };
        if crosses {
            return Some(oldest);
        }
        instrument.book.back_of_level(side, command.price())
    }
}
