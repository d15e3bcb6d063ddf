//! Credential classes: what accounts have, what venues want, and orders that leave when the two part.

use crate::deploy::{check_count, check_free, check_symbol};
use crate::engine::Engine;
use crate::step::{Refused, Step, refused, wide};
use std::collections::{BTreeMap, BTreeSet};
use xos_protocol::{
    CLASSES_MAX, CancelReason, ClassRule, ClassSpec, ClientId, CommandRecord, EventFlags, EventKind,
    EventRecord, Reject, VenueSpec,
};
use xos_units::{AccountId, Amount, VenueId};

/// What is known of an account's last credential; its classes stand with the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    /// 0: it ran out, or was revoked.
    pub(crate) ends_ns: u64,
    pub(crate) issued_ns: u64,
    pub(crate) hash: ClientId,
}

/// The classes of the exchange, and the credentials of its accounts: by account for the state, by end for the clock.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    pub(crate) classes: Vec<ClassSpec>,
    /// Some venue asks for classes.
    pub(crate) restricts: bool,
    by_account: BTreeMap<AccountId, Credential>,
    by_end: BTreeSet<(u64, AccountId)>,
}

impl Admission {
    /// The bits of all classes.
    pub(crate) fn known(&self) -> u32 {
        ((1u64 << self.classes.len()) - 1) as u32
    }

    pub(crate) fn credential(&self, account: AccountId) -> Option<&Credential> {
        self.by_account.get(&account)
    }

    pub(crate) fn set(&mut self, account: AccountId, credential: Credential) {
        if let Some(before) = self.by_account.insert(account, credential) {
            self.by_end.remove(&(before.ends_ns, account));
        }
        if credential.ends_ns != 0 {
            self.by_end.insert((credential.ends_ns, account));
        }
    }

    #[inline(always)]
    fn due(&self, now_ns: u64) -> Option<AccountId> {
        self.by_end.first().filter(|(ends_ns, _)| *ends_ns <= now_ns).map(|(_, account)| *account)
    }
}

/// Fields 131 and 132: a rule names classes that there are, each on one side only.
pub(crate) fn check_rule(rule: ClassRule, known: u32, fields: [i128; 2]) -> Result<(), Refused> {
    if rule.requires & !known != 0 {
        return refused(Reject::SpecOutOfBounds, rule.requires, fields[0]);
    }
    if rule.forbids & !known != 0 || rule.forbids & rule.requires != 0 {
        return refused(Reject::SpecOutOfBounds, rule.forbids, fields[1]);
    }
    Ok(())
}

impl Engine {
    pub(crate) fn deploy_class(&mut self, step: &mut Step, spec: ClassSpec) -> Result<(), Refused> {
        check_count(self.admission.classes.len(), CLASSES_MAX)?;
        check_symbol(&spec.symbol)?;
        check_free(&spec.symbol, self.admission.classes.iter().map(|class| class.symbol.as_str()))?;
        // ---- Everything is checked. Below this line nothing fails. ----
        self.admission.classes.push(spec);
        step.emit(EventRecord {
            kind: EventKind::ClassDeployed.code(),
            instrument: self.admission.classes.len() as u32,
            ..Default::default()
        });
        Ok(())
    }

    pub(crate) fn check_venue_rules(&self, spec: &VenueSpec) -> Result<(), Refused> {
        check_rule(spec.admission, self.admission.known(), [131, 132])
    }

    pub(crate) fn set_credentials(
        &mut self,
        step: &mut Step,
        command: &CommandRecord,
    ) -> Result<(), Refused> {
        let account = self.known_account(command)?;
        let known = self.admission.known();
        let Some(classes) = u32::try_from(command.qty).ok().filter(|classes| classes & !known == 0) else {
            return refused(Reject::UnknownClasses, command.qty, known);
        };
        if classes != 0 && command.client_id == [0; 32] {
            return refused(Reject::CredentialMissing, classes, 0);
        }
        if classes != 0 && command.expires_ns <= step.time_ns {
            return refused(Reject::CredentialExpired, command.expires_ns, step.time_ns);
        }
        let mut issued_ns = command.order_id;
        if issued_ns > step.time_ns {
            return refused(Reject::CredentialFromFuture, issued_ns, step.time_ns);
        }
        if let Some(last) = self.admission.credential(account) {
            if classes != 0 && issued_ns <= last.issued_ns {
                return refused(Reject::CredentialNotNewer, issued_ns, last.issued_ns);
            }
            issued_ns = issued_ns.max(last.issued_ns);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let credential = Credential { ends_ns: command.expires_ns, issued_ns, hash: command.client_id };
        self.admission.set(account, credential);
        let before = std::mem::replace(&mut self.accounts[account.index()].classes, classes);
        let event = step.push(EventKind::CredentialsSet);
        event.account = account.0;
        (event.qty, event.remaining) = (classes.into(), before.into());
        event.amount = wide(Amount(credential.ends_ns.into()));
        event.counter_amount = wide(Amount(issued_ns.into()));
        self.leave_unadmitted(step, account);
        Ok(())
    }

    /// Credentials whose end has come give no classes any more.
    #[inline(always)]
    pub(crate) fn expire_credentials(&mut self, step: &mut Step) {
        while let Some(account) = self.admission.due(step.time_ns) {
            self.expire_credential(step, account);
        }
    }

    #[cold]
    fn expire_credential(&mut self, step: &mut Step, account: AccountId) {
        let first = step.events.len();
        if let Some(credential) = self.admission.credential(account).copied() {
            self.admission.set(account, Credential { ends_ns: 0, ..credential });
        }
        let before = std::mem::take(&mut self.accounts[account.index()].classes);
        let event = step.push(EventKind::CredentialsExpired);
        event.account = account.0;
        event.remaining = before.into();
        self.leave_unadmitted(step, account);
        step.events[first..].iter_mut().for_each(|event| event.flags |= EventFlags::OF_TIME);
        self.forget_empty_stands();
    }

    /// The admission rule of a venue.
    pub(crate) fn admission_of(&self, venue: VenueId) -> ClassRule {
        match usize::from(venue.0).checked_sub(1) {
            Some(at) => self.venues[at].admission,
            None => ClassRule::NONE,
        }
    }

    /// An order comes through a venue that wants this account.
    #[cold]
    pub(crate) fn check_admitted(&self, account: AccountId, venue: VenueId) -> Result<(), Refused> {
        let (rule, classes) = (self.admission_of(venue), self.accounts[account.index()].classes);
        if rule.requires & !classes != 0 {
            return refused(Reject::ClassesMissing, rule.requires & !classes, rule.requires);
        }
        if rule.forbids & classes != 0 {
            return refused(Reject::ClassesForbidden, rule.forbids & classes, rule.forbids);
        }
        Ok(())
    }

    /// The orders of an account leave whose venues its classes do not satisfy.
    fn leave_unadmitted(&mut self, step: &mut Step, account: AccountId) {
        let classes = self.accounts[account.index()].classes;
        let waiting =
            self.triggers_of(account, None, |trigger| !self.admission_of(trigger.venue).accepts(classes));
        let mut slots = self.orders_of(account, None, None);
        slots.retain(|slot| !self.admission_of(self.pool.order(*slot).venue).accepts(classes));
        for id in waiting {
            self.cancel_trigger(step, id, CancelReason::NotAdmitted);
        }
        for slot in slots {
            self.cancel_resting(step, slot, CancelReason::NotAdmitted);
        }
    }
}
