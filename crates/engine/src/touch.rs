//! Reading ahead: before a run of commands executes, the memory they will need is read for all of them, so that the
//! cache misses of sixteen commands overlap instead of queueing. It changes nothing but time.

use crate::engine::Engine;
use std::hint::black_box;
use xos_book::{NO_SLOT, Slot};
use xos_protocol::{CommandKind, CommandRecord, Side};
use xos_units::{AccountId, OrderId};

/// Commands read ahead at a time.
pub(crate) const RUN: usize = 16;
/// Below these sizes everything is in cache and reading ahead only costs.
const ACCOUNTS_SMALL: usize = 4_096;
const ORDERS_SMALL: usize = 16_384;
/// Positions of an account that are read ahead, at most.
const STANDS_AHEAD: usize = 4;

/// Resting orders that a command will reach.
#[derive(Clone, Copy)]
struct Ahead {
    /// The one it names.
    named: Slot,
    /// The first that it meets.
    met: Slot,
    /// The one that it will stand behind.
    behind: Slot,
    /// The account's latest on its first instrument, whose neighbour a new order becomes.
    own: Slot,
}

impl Default for Ahead {
    fn default() -> Self {
        Self { named: NO_SLOT, met: NO_SLOT, behind: NO_SLOT, own: NO_SLOT }
    }
}

impl Engine {
    /// Whether the state is too large for the caches.
    pub(crate) fn is_large(&self) -> bool {
        self.accounts.len() > ACCOUNTS_SMALL || self.pool.len() > ORDERS_SMALL
    }

    /// Reads what the next commands will need, one level of pointers at a time. `sequence` is that of the first.
    pub(crate) fn touch(&self, sequence: u64, commands: &[CommandRecord]) {
        let mut seen = 0u64;
        for (id, command) in (sequence..).zip(commands) {
            if let Some(account) = self.accounts.get(command.account().index()) {
                seen ^= u64::from(account.orders);
                seen ^= self.ledger.touch(command.account());
            }
            // A new order goes into the index under its own sequence.
            let id = if command.order_id == 0 { OrderId(id) } else { command.order_id() };
            seen ^= self.pool.touch_index(id);
        }
        let mut aheads = [Ahead::default(); RUN];
        for (ahead, command) in aheads.iter_mut().zip(commands) {
            if let Some(account) = self.accounts.get(command.account().index())
                && let Some(stand) = account.stands.first()
            {
                seen ^= u64::from(stand.orders) ^ stand.sell_reserve().0 as u64;
                ahead.own = stand.head;
            }
            match command.kind() {
                Some(CommandKind::Place) => self.place_ahead(command, ahead),
                Some(CommandKind::Cancel | CommandKind::Amend) => {
                    ahead.named = self.pool.find(command.order_id()).unwrap_or(NO_SLOT);
                }
                _ => {}
            }
            for slot in [ahead.named, ahead.met, ahead.behind] {
                seen ^= self.pool.touch(slot);
            }
        }
        for ahead in &aheads {
            if ahead.named != NO_SLOT {
                let order = self.pool.order(ahead.named);
                seen ^= self.pool.touch(order.prev) ^ self.pool.touch(order.next);
                seen ^= self.pool.touch(order.own_prev) ^ self.pool.touch(order.own_next);
            } else {
                seen ^= self.pool.touch(ahead.own);
            }
            if ahead.met != NO_SLOT {
                let maker = self.pool.order(ahead.met).account;
                seen ^= u64::from(self.accounts[maker.index()].orders) ^ self.ledger.touch(maker);
            }
        }
        for ahead in aheads.iter().filter(|ahead| ahead.met != NO_SLOT) {
            let order = self.pool.order(ahead.met);
            seen ^= self.pool.touch(order.own_prev) ^ self.pool.touch(order.own_next);
            if let Some(stand) = self.accounts[order.account.index()].stands.first() {
                seen ^= u64::from(stand.orders) ^ stand.sell_reserve().0 as u64;
            }
        }
        black_box(seen);
    }

    /// Reads what these accounts have and hold, one level of pointers at a time.
    pub(crate) fn touch_accounts(&self, accounts: &[AccountId]) {
        let mut seen = 0u64;
        for &id in accounts {
            let account = &self.accounts[id.index()];
            seen ^= u64::from(account.orders) ^ account.stands.len() as u64 ^ self.ledger.touch(id);
            seen ^= u64::from(account.stands_in_questions());
        }
        for account in accounts {
            let account = &self.accounts[account.index()];
            for stand in account.stands.iter().take(STANDS_AHEAD) {
                seen ^= u64::from(stand.orders) ^ stand.lots as u64 ^ stand.holding().cost.0 as u64;
            }
            seen ^= account.worst_cases().map_or(0, |worst| worst.0 as u64);
        }
        black_box(seen);
    }

    /// The resting order that a place will meet first, or stand behind.
    fn place_ahead(&self, command: &CommandRecord, ahead: &mut Ahead) {
        let Some(instrument) = self.instruments.get(command.instrument().index()) else { return };
        let Some(side) = command.side() else { return };
        if let Some((best, oldest)) = instrument.book.front(side.opposite())
            && if side == Side::Buy { command.price() >= best } else { command.price() <= best }
        {
            ahead.met = oldest;
        } else {
            ahead.behind = instrument.book.back_of_level(side, command.price()).unwrap_or(NO_SLOT);
        }
    }
}
