//! Movements of money: those that events tell, and what of the ledger's postings they leave.

use crate::chunks::Kind;
use crate::facts::{Change, Facts, Frame};
use crate::movements::Movement;
use xos_ledger::{Party, Reason};

const LOOKED_AT_MAX: usize = 64;

impl Facts {
    /// Takes what events told of a command from what was posted for it; what is left waits for the end of the frame,
    /// as a command that time caused may come twice.
    pub(crate) fn compare(&mut self, frame: &Frame<'_>, sequence: u64) {
        let mut told = std::mem::take(&mut self.told);
        while let Some(posting) = frame.postings.get(self.compared).filter(|one| one.sequence == sequence) {
            self.compared += 1;
            for (party, change) in [(posting.from, -posting.amount.0), (posting.to, posting.amount.0)] {
                if let Party::User(account) = party {
                    note(&mut told, (sequence, account.0, posting.asset.0, change, posting.reason as u8));
                }
            }
        }
        self.changes.extend(told.drain(..).filter(|(.., change, _)| *change != 0));
        self.told = told;
    }

    /// What of the ledger's movements no event told: a referrer's share, and stakes, whose asset no event names.
    pub(crate) fn explain_rest(&mut self, frame: &Frame<'_>) {
        while let Some(posting) = frame.postings.get(self.compared) {
            self.compare(frame, posting.sequence);
        }
        if self.changes.is_empty() {
            return;
        }
        let mut changes = std::mem::take(&mut self.changes);
        changes.sort_by_key(|(sequence, account, asset, ..)| (*sequence, *account, *asset));
        for group in changes.chunk_by(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2)) {
            let change: i128 = group.iter().map(|(.., change, _)| change).sum();
            if change == 0 {
                continue;
            }
            let (sequence, account, asset, ..) = group[0];
            let reason = group.iter().map(|(.., reason)| *reason).max().unwrap_or(0);
            let rest = Movement { account, asset, change, reason, ..Movement::default() };
            self.put_movement(sequence, rest, b"");
        }
        changes.clear();
        self.changes = changes;
    }

    /// A movement that an event told; one of nothing is no row unless it is a fill's.
    pub(crate) fn move_money(&mut self, sequence: u64, movement: Movement, text: &[u8], only_if_any: bool) {
        if only_if_any && movement.change == 0 {
            return;
        }
        if movement.change != 0 {
            note(&mut self.told, (sequence, movement.account, movement.asset, -movement.change, 0));
        }
        self.put_movement(sequence, movement, text);
    }

    pub(crate) fn put_movement(&mut self, sequence: u64, movement: Movement, text: &[u8]) {
        let m = movement;
        let balance = self.balances.entry((m.account, m.asset)).or_insert(0);
        *balance += m.change;
        self.number += 1;
        let row = [
            self.number.into(),
            sequence.into(),
            self.time_ns.into(),
            m.reason.into(),
            m.asset.into(),
            m.change,
            *balance,
            m.instrument.into(),
            m.order_id.into(),
            m.trade_id.into(),
            m.side.into(),
            m.price.into(),
            m.qty.into(),
            m.fee,
            m.pnl,
            m.other.into(),
            m.bits.into(),
        ];
        self.chunks.put(Kind::Movement, m.account, m.order_id, self.time_ns, &row, text);
    }
}

/// Adds to what is known of the same account and asset. A referrer's share is why there is a rest, whatever else there was.
fn note(changes: &mut Vec<Change>, (sequence, account, asset, change, reason): Change) {
    // Of a command of many accounts the end of the frame adds up what is not found here.
    match changes.iter_mut().rev().take(LOOKED_AT_MAX).find(|known| (known.1, known.2) == (account, asset)) {
        Some(known) => {
            known.3 += change;
            if known.4 != Reason::Referral as u8 && reason != 0 {
                known.4 = reason;
            }
        }
        None => changes.push((sequence, account, asset, change, reason)),
    }
}
