//! Movements of money: those that events tell, and what of the ledger's postings they leave.

use crate::chunks::Kind;
use crate::facts::{Facts, Frame};
use crate::movements::Movement;
use xos_ledger::{Party, Reason};

type Change = (u64, u32, u32, i128, u8);

impl Facts {
    /// What of the ledger's movements no event told: a referrer's share, and stakes, whose asset no event names.
    pub(crate) fn explain_rest(&mut self, frame: &Frame<'_>) {
        for posting in frame.postings {
            let sides = [(posting.from, -posting.amount.0), (posting.to, posting.amount.0)];
            for (party, change) in sides {
                if let Party::User(account) = party {
                    let reason = posting.reason as u8;
                    self.changes.push((posting.sequence, account.0, posting.asset.0, change, reason));
                }
            }
        }
        let mut changes = std::mem::take(&mut self.changes);
        changes.sort_by_key(|(sequence, account, asset, ..)| (*sequence, *account, *asset));
        let same = |a: &Change, b: &Change| (a.0, a.1, a.2) == (b.0, b.1, b.2);
        for group in changes.chunk_by(same) {
            let rest: i128 = group.iter().map(|(.., change, _)| change).sum();
            if rest == 0 {
                continue;
            }
            let (sequence, account, asset, ..) = group[0];
            let is_it = |(.., change, reason): &&Change| *reason != 0 && *change == rest;
            let is_share = |(.., reason): &&Change| *reason == Reason::Referral as u8;
            let of = group.iter().find(is_share).or_else(|| group.iter().find(is_it)).unwrap_or(&group[0]);
            let movement = Movement {
                account,
                asset,
                change: rest,
                reason: of.4,
                instrument: 0,
                order_id: 0,
                trade_id: 0,
                side: 0,
                price: 0,
                qty: 0,
                fee: 0,
                pnl: 0,
                other: 0,
                bits: 0,
            };
            self.put_movement(sequence, movement, b"");
        }
        changes.clear();
        self.changes = changes;
    }

    /// A movement that an event told; one of nothing is no row unless it is a fill's.
    pub(crate) fn move_money(&mut self, sequence: u64, movement: Movement, text: &[u8], only_if_any: bool) {
        if only_if_any && movement.change == 0 {
            return;
        }
        self.changes.push((sequence, movement.account, movement.asset, -movement.change, 0));
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
