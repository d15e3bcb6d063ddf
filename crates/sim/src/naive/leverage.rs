//! Section 10: chosen leverage.

use super::events::Cause;
use super::refusal::{Refusal, check, check_id};
use super::state::World;
use xos_protocol::{CommandRecord, EventKind, EventRecord, Reject};

impl World {
    pub(super) fn set_leverage(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (account, id, leverage) = (command.account, command.instrument, command.qty);
        check_id(id, self.instruments.len(), Reject::UnknownInstrument)?;
        check(self.instrument(id).is_perpetual(), Reject::NotAPerpetual, id, 0)?;
        let most = self.leverage_max(account, id);
        let is_open = leverage >= 0 && i128::from(leverage) <= most;
        check(is_open, Reject::LeverageOutOfBounds, leverage, most)?;
        let chosen = &self.account(account).leverages;
        let limit = self.limits.perpetuals_per_account_max;
        let is_new = leverage > 0 && !chosen.contains_key(&id);
        let has_room = !is_new || chosen.len() < limit as usize;
        check(has_room, Reject::AccountInstrumentsLimit, chosen.len() as i128, limit)?;
        let mut after = self.standing(account);
        let headroom_before = self.headroom(&after);
        after.leverages.remove(&id);
        if leverage > 0 {
            after.leverages.insert(id, leverage);
        }
        let headroom = self.headroom(&after);
        let is_carried = headroom >= 0 || headroom >= headroom_before;
        check(is_carried, Reject::InsufficientMargin, -headroom, headroom_before)?;
        self.account_mut(account).leverages = after.leverages;
        events.push(EventRecord {
            account,
            instrument: id,
            qty: leverage,
            ..cause.event(EventKind::LeverageSet)
        });
        Ok(())
    }
}
