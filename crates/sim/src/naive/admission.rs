//! Section 22: classes, credentials, and whom venues admit.

use super::deploy::{bound, check_room, check_symbol};
use super::events::Cause;
use super::refusal::{Refusal, check};
use super::state::{Credential, Order, World};
use super::triggers::Trigger;
use xos_protocol::{
    CancelReason, ClassRule, ClassSpec, CommandRecord, EventFlags, EventKind, EventRecord, Int128, Reject,
    VenueSpec,
};

/// The classes of a mask, as a set of bits.
fn bits(mask: u32) -> impl Iterator<Item = u32> {
    (0..32).filter(move |bit| mask >> bit & 1 == 1)
}

fn has(classes: u32, bit: u32) -> bool {
    classes >> bit & 1 == 1
}

/// Those of `mask` for which it is true.
fn those(mask: u32, is_true: impl Fn(u32) -> bool) -> u32 {
    bits(mask).filter(|&bit| is_true(bit)).map(|bit| 1 << bit).sum()
}

impl World {
    pub(super) fn deploy_class(
        &mut self,
        cause: &Cause,
        spec: ClassSpec,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let standing = self.classes.len() as u32;
        check_room(standing, 32)?;
        check_symbol(&spec.symbol, self.classes.iter().map(|class| &class.symbol))?;
        self.classes.push(spec);
        events.push(EventRecord { instrument: standing + 1, ..cause.event(EventKind::ClassDeployed) });
        Ok(())
    }

    /// 507 of the rules of a venue.
    pub(super) fn check_venue_rules(&self, spec: &VenueSpec) -> Result<(), Refusal> {
        let rule = spec.admission;
        let known = |mask: u32| bits(mask).all(|bit| (bit as usize) < self.classes.len());
        bound(131, rule.requires, known(rule.requires))?;
        bound(
            132,
            rule.forbids,
            known(rule.forbids) && bits(rule.forbids).all(|bit| !has(rule.requires, bit)),
        )
    }

    pub(super) fn set_credentials(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (account, classes) = (command.account, command.qty);
        let all: i64 = (0..self.classes.len()).map(|bit| 1i64 << bit).sum();
        let are_known = (0..=all).contains(&classes);
        check(are_known, Reject::UnknownClasses, classes, all)?;
        let (now, ends_ns, mut issued_ns) = (cause.time_ns, command.expires_ns, command.order_id);
        let gives = classes != 0;
        check(!gives || command.client_id != [0; 32], Reject::CredentialMissing, classes, 0)?;
        check(!gives || ends_ns > now, Reject::CredentialExpired, ends_ns, now)?;
        check(issued_ns <= now, Reject::CredentialFromFuture, issued_ns, now)?;
        if let Some(last) = self.account(account).credential {
            check(
                !gives || issued_ns > last.issued_ns,
                Reject::CredentialNotNewer,
                issued_ns,
                last.issued_ns,
            )?;
            issued_ns = issued_ns.max(last.issued_ns);
        }
        let before = self.account(account).classes;
        let known = self.account_mut(account);
        known.classes = classes as u32;
        known.credential = Some(Credential { ends_ns, issued_ns, hash: command.client_id });
        events.push(EventRecord {
            account,
            qty: classes,
            remaining: before.into(),
            amount: Int128::new(ends_ns.into()),
            counter_amount: Int128::new(issued_ns.into()),
            ..cause.event(EventKind::CredentialsSet)
        });
        self.leave_unadmitted(cause, account, events);
        Ok(())
    }

    /// Credentials whose end has come, the earliest first.
    pub(super) fn run_out_credentials(&mut self, cause: &Cause, events: &mut Vec<EventRecord>) {
        let first = events.len();
        let mut due: Vec<(u64, u32)> = Vec::new();
        for (id, account) in (1..).zip(&self.accounts) {
            if let Some(credential) = account.credential
                && credential.ends_ns != 0
                && credential.ends_ns <= cause.time_ns
            {
                due.push((credential.ends_ns, id));
            }
        }
        due.sort_unstable();
        for (_, account) in due {
            let known = self.account_mut(account);
            let before = std::mem::take(&mut known.classes);
            known.credential.iter_mut().for_each(|credential| credential.ends_ns = 0);
            let event = cause.event(EventKind::CredentialsExpired);
            events.push(EventRecord { account, remaining: before.into(), ..event });
            self.leave_unadmitted(cause, account, events);
        }
        events[first..].iter_mut().for_each(|event| event.flags |= EventFlags::OF_TIME);
    }

    fn admission_of(&self, venue: u16) -> ClassRule {
        if venue == 0 { ClassRule::NONE } else { self.venues[usize::from(venue) - 1].admission }
    }

    /// Whether the venue takes orders of the account.
    pub(super) fn admits(&self, venue: u16, account: u32) -> bool {
        self.check_admitted(account, venue).is_ok()
    }

    /// 226 and 227.
    pub(super) fn check_admitted(&self, account: u32, venue: u16) -> Result<(), Refusal> {
        let (rule, classes) = (self.admission_of(venue), self.account(account).classes);
        let missing = those(rule.requires, |bit| !has(classes, bit));
        check(missing == 0, Reject::ClassesMissing, missing, rule.requires)?;
        let forbidden = those(rule.forbids, |bit| has(classes, bit));
        check(forbidden == 0, Reject::ClassesForbidden, forbidden, rule.forbids)
    }

    fn leave_unadmitted(&mut self, cause: &Cause, account: u32, events: &mut Vec<EventRecord>) {
        let world = self.clone();
        let leaves = |order: &Order| order.account == account && !world.admits(order.venue, account);
        let leaves_too = |t: &Trigger| t.account == account && !world.admits(t.venue, account);
        let orders = self.take_out(leaves);
        self.cancel_triggers(cause, CancelReason::NotAdmitted, leaves_too, events);
        for order in orders {
            self.cancelled(cause, &order, CancelReason::NotAdmitted, events);
        }
    }
}
