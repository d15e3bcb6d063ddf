//! Interest on debts in the settlement asset: by the hour, account by account, to the insurance fund that stands behind them.

use crate::engine::Engine;
use crate::oracle::NS_PER_S;
use crate::step::{Step, wide};
use std::collections::BTreeMap;
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::EventKind;
use xos_units::{AccountId, Amount, PPM_ONE, Qty, division::accrued_down};

const HOUR_NS: u64 = 3_600 * NS_PER_S;
const HOURS_PER_YEAR: i128 = 8_760;
/// Hours that one charge counts at most: what an outage may cost, and amounts stay within their width.
const HOURS_MAX: u64 = 720;

/// A rate of a millionth for an hour is one of so many parts.
const PARTS: i128 = PPM_ONE as i128 * HOURS_PER_YEAR;

/// A debt as it was at its account's last turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    pub(crate) debt: Amount,
    /// Of an atom, not charged yet; less than [`PARTS`].
    pub(crate) left: u64,
}

/// How far charging has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    /// Number of the hour that was charged last, from one; 0: no tick has come yet.
    pub(crate) hour: u64,
    /// Hours that the charge under way is for.
    pub(crate) hours: u32,
    /// The next account; 0: no charge is under way.
    pub(crate) cursor: u32,
    /// Who owed at the last turn.
    pub(crate) owed: BTreeMap<AccountId, Owed>,
}

impl Engine {
    pub(crate) fn interest_ppm(&self) -> i32 {
        self.assets.first().map_or(0, |asset| asset.debt_interest_ppm)
    }

    /// A tick: an hour began, or a charge goes on.
    #[cold]
    pub(crate) fn charge_interest(&mut self, step: &mut Step) {
        let hour = step.time_ns / HOUR_NS + 1;
        if self.interest.hour == 0 {
            self.interest.hour = hour;
        }
        if self.interest.cursor == 0 && hour > self.interest.hour {
            let hours = (hour - self.interest.hour).min(HOURS_MAX) as u32;
            (self.interest.hour, self.interest.hours, self.interest.cursor) = (hour, hours, 1);
        }
        let mut left = self.limits.funding_settlements_per_command_max;
        while self.interest.cursor > 0 && left > 0 {
            let id = AccountId(self.interest.cursor);
            if id.index() >= self.accounts.len() {
                self.interest.cursor = 0;
                break;
            }
            self.charge(step, id);
            self.interest.cursor += 1;
            left -= 1;
        }
    }

    /// Nobody pays what he does not have: interest on a debt that nothing covers would be money that never comes. Hours
    /// before the last turn count only for what was owed then.
    fn charge(&mut self, step: &mut Step, id: AccountId) {
        let before = self.interest.owed.remove(&id).unwrap_or_default();
        let total = self.ledger.settlement(id).total;
        if total >= Amount::ZERO {
            return;
        }
        let debt = -total;
        let old = debt.min(before.debt);
        let hours = Qty(i64::from(self.interest.hours));
        let (due, left) = accrued_down(
            old.times_lots(hours) + (debt - old),
            i128::from(self.interest_ppm()),
            i128::from(before.left),
            PARTS,
        );
        let amount = due.min(self.maintenance(id).0.floor()).max(Amount::ZERO);
        let left = u64::try_from(left).expect("less than the parts");
        self.interest.owed.insert(id, Owed { debt: debt + amount, left });
        if amount == Amount::ZERO {
            return;
        }
        let (user, fund) = (Party::User(id), self.fund_of(id));
        let result = self.ledger.post(user, fund, SETTLEMENT, amount, Reason::Interest, step.sequence);
        self.money(step.sequence, result);
        let event = step.push(EventKind::InterestCharged);
        event.account = id.0;
        event.amount = wide(amount);
        event.counter_amount = wide(total - amount);
        self.look_at(id);
        self.look_at_debt(id);
    }
}
