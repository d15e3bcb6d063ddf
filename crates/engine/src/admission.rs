//! Credential classes: what accounts have, what venues want, and orders that leave when the two part.

mod profiles;

pub(crate) use profiles::{ALL, Eligibility, PLAIN, Profile, ProfileAt, Profiles, Reach, meets_plain};

use crate::deploy::{check_count, check_free, check_symbol};
use crate::engine::Engine;
use crate::groups::is_better;
use crate::step::{Refused, Step, refused, wide};
use crate::views::BookView;
use std::collections::{BTreeMap, BTreeSet};
use xos_book::RestingOrder;
use xos_protocol::{
    CLASSES_MAX, CancelReason, ClassRule, ClassSpec, ClientId, CommandRecord, EventFlags, EventKind,
    EventRecord, InstrumentState, Reject, Side, VenueSpec,
};
use xos_units::{AccountId, Amount, InstrumentId, Price, VenueId};

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
    /// The bits of classes that counterparty rules may name.
    pub(crate) dividing: u32,
    /// Those that the counterparty rule of some venue forbids.
    pub(crate) shunned: u32,
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

/// A rule names classes that it may name, each on one side only.
fn check_rule(rule: ClassRule, known: u32, fields: [i128; 2]) -> Result<(), Refused> {
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
        self.add_class(spec);
        step.emit(EventRecord {
            kind: EventKind::ClassDeployed.code(),
            instrument: self.admission.classes.len() as u32,
            ..Default::default()
        });
        Ok(())
    }

    pub(crate) fn add_class(&mut self, spec: ClassSpec) {
        if spec.counterparty {
            self.admission.dividing |= 1 << self.admission.classes.len();
            if !self.pool.keeps_times() {
                self.keep_times();
            }
        }
        self.admission.classes.push(spec);
    }

    /// Orders of several groups will be compared: what rests already is numbered once.
    fn keep_times(&mut self) {
        let sides = [Side::Buy, Side::Sell];
        let mut slots = Vec::with_capacity(self.pool.len());
        for instrument in &self.instruments {
            sides.iter().for_each(|side| slots.extend(instrument.queue(&self.pool, *side, ALL)));
        }
        self.pool.keep_times(slots.into_iter());
    }

    pub(crate) fn check_venue_rules(&self, spec: &VenueSpec) -> Result<(), Refused> {
        check_rule(spec.admission, self.admission.known(), [131, 132])?;
        check_rule(spec.counterparty, self.admission.dividing, [133, 134])
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

    /// Credentials whose end has come give no classes any more: a bounded number a frame, the earliest first.
    #[inline(always)]
    pub(crate) fn expire_credentials(&mut self, step: &mut Step) {
        let mut left = self.limits.payouts_per_command_max as usize;
        while left > 0
            && let Some(account) = self.admission.due(step.time_ns)
        {
            let told = step.events.len();
            self.expire_credential(step, account);
            left = left.saturating_sub(step.events.len() - told);
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

    /// Some rule forbids these classes from now on, and no rule did before: orders whose account was given one since it
    /// placed them leave. A class comes here once in the life of an exchange.
    #[cold]
    pub(crate) fn leave_shunned(&mut self, step: &mut Step, classes: u32) {
        if classes == 0 {
            return;
        }
        for at in 0..self.accounts.len() {
            if self.accounts[at].classes & classes != 0 {
                self.leave_unadmitted(step, AccountId::from_index(at));
            }
        }
    }

    /// The admission rule of a venue.
    pub(crate) fn admission_of(&self, venue: VenueId) -> ClassRule {
        match usize::from(venue.0).checked_sub(1) {
            Some(at) => self.venues[at].admission,
            None => ClassRule::NONE,
        }
    }

    /// The counterparty rule of a venue.
    pub(crate) fn counterparty_of(&self, venue: VenueId) -> ClassRule {
        match usize::from(venue.0).checked_sub(1) {
            Some(at) => self.venues[at].counterparty,
            None => ClassRule::NONE,
        }
    }

    /// The profile of an order that an account places through a venue now.
    #[inline(always)]
    pub(crate) fn profile_of(&self, account: AccountId, venue: VenueId) -> Profile {
        let classes = self.accounts[account.index()].classes & self.admission.dividing;
        Profile { classes, rule: self.counterparty_of(venue) }
    }

    /// The same, with whom it may meet.
    #[inline(always)]
    pub(crate) fn eligibility_of(&self, account: AccountId, venue: VenueId) -> Eligibility {
        if self.admission.dividing == 0 { Eligibility::PLAIN } else { self.look_up(account, venue) }
    }

    /// The same for an order on its way into the book, where every order passes.
    #[inline(always)]
    pub(crate) fn eligibility_of_incoming(&self, account: AccountId, venue: VenueId) -> Eligibility {
        if self.admission.dividing == 0 { Eligibility::PLAIN } else { self.look_up_recent(account, venue) }
    }

    #[inline(never)]
    fn look_up(&self, account: AccountId, venue: VenueId) -> Eligibility {
        self.look_up_recent(account, venue)
    }

    #[inline(always)]
    fn look_up_recent(&self, account: AccountId, venue: VenueId) -> Eligibility {
        let classes = self.accounts[account.index()].classes & self.admission.dividing;
        match self.profiles.recent(venue.0.into(), classes) {
            Some(eligibility) => *eligibility,
            None => self.look_up_anew(account, venue),
        }
    }

    #[inline(never)]
    fn look_up_anew(&self, account: AccountId, venue: VenueId) -> Eligibility {
        self.profiles.look_up(self.profile_of(account, venue))
    }

    /// The orders that anybody without classes may meet: only they are public prices.
    #[inline(always)]
    pub(crate) fn public_reach(&self) -> Reach {
        if self.admission.dividing == 0 { ALL } else { self.profiles.reach_of_plain() }
    }

    /// Whether a trade at this price is public: it passes no better public order of either side.
    #[inline(always)]
    pub(crate) fn is_public(&self, at: usize, price: Price) -> bool {
        // Where nothing public rests, nothing public is passed.
        self.admission.dividing == 0
            || self.instruments[at].bits() & self.profiles.reach_of_plain() == 0
            || self.is_public_where_divided(at, price)
    }

    #[inline(never)]
    fn is_public_where_divided(&self, at: usize, price: Price) -> bool {
        let passes = |side| self.best_public(at, side).is_some_and(|best| is_better(side, best, price));
        !passes(Side::Buy) && !passes(Side::Sell)
    }

    /// The same in an auction, where public orders of both sides wait for their turn.
    pub(crate) fn is_public_in_auction(&self, at: usize, price: Price) -> bool {
        let (bid, ask) = (self.best_public(at, Side::Buy), self.best_public(at, Side::Sell));
        let (buys, sells) = (bid.is_some_and(|bid| bid >= price), ask.is_some_and(|ask| ask <= price));
        self.admission.dividing == 0
            || (buys || ask.is_none_or(|ask| ask >= price)) && (sells || bid.is_none_or(|bid| bid <= price))
    }

    fn best_public(&self, at: usize, side: Side) -> Option<Price> {
        self.instruments[at].best_price(side, self.public_reach())
    }

    /// Invariant 8 of a fill, from both profiles: each accepts the other, and the resting order claims no class that its
    /// account has lost.
    #[inline(always)]
    pub(crate) fn is_eligible(&self, taker: &Profile, maker: &RestingOrder) -> bool {
        let resting = self.profiles.at(maker.profile);
        let lost = resting.classes & !self.accounts[maker.account.index()].classes;
        lost == 0 && taker.is_eligible(&resting)
    }

    /// There is room for the profile of an order that may rest.
    #[inline(always)]
    pub(crate) fn check_profile(&self, account: AccountId, venue: VenueId) -> Result<(), Refused> {
        let (standing, limit) = (self.profiles.standing(), self.limits.profiles_max);
        if standing >= limit as usize && !self.profiles.stands(&self.profile_of(account, venue)) {
            return refused(Reject::ProfilesLimit, standing as i128, limit);
        }
        Ok(())
    }

    /// Whether a resting order may go on resting with these classes of its account.
    fn may_stay(&self, order: &RestingOrder, classes: u32) -> bool {
        let held = self.profiles.at(order.profile).classes;
        let shunned = classes & self.admission.dividing & self.admission.shunned;
        self.admission_of(order.venue).accepts(classes) && held & !classes == 0 && shunned & !held == 0
    }

    /// Every resting order is admitted and in the group of its profile, and eligible groups do not meet.
    pub(crate) fn audit_profiles(&self) -> Result<(), String> {
        let mut profiles = Vec::new();
        for instrument in &self.instruments {
            if !instrument.knows_its_groups() {
                return Err(format!("the groups of {} are others, or their best prices", instrument.id));
            }
            for (at, book) in instrument.groups() {
                if at != 0 && book.orders() > 0 {
                    profiles.push(at);
                }
                for slot in [Side::Buy, Side::Sell].iter().flat_map(|side| book.queue(&self.pool, *side)) {
                    let order = self.pool.order(slot);
                    let profile = self.profiles.at(at);
                    let classes = self.accounts[order.account.index()].classes;
                    let is_right = order.profile == at && profile.rule == self.counterparty_of(order.venue);
                    if !is_right || !self.may_stay(order, classes) {
                        return Err(format!("order {} must not rest with its profile", order.id.0));
                    }
                }
                let bid = book.best_price(Side::Buy);
                let reach = self.profiles.look_up(self.profiles.at(at)).reach;
                let ask = instrument.best_price(Side::Sell, reach);
                if let (Some(bid), Some(ask)) = (bid, ask)
                    && bid >= ask
                    && instrument.auction == InstrumentState::Continuous
                    // An auction that was cut off by the end of its market leaves a book that nobody trades on.
                    && instrument.state != InstrumentState::Settled
                    && !instrument.is_over
                {
                    return Err(format!("bid {} meets ask {} on {}", bid.0, ask.0, instrument.id));
                }
            }
        }
        self.profiles.audit(profiles.into_iter())
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

    /// The first `depth` levels of each side that an order of an account with these classes reaches through a venue;
    /// nothing where the venue does not admit it.
    pub fn depth(&self, instrument: InstrumentId, depth: usize, classes: u32, venue: VenueId) -> BookView {
        let Some(instrument) = self.instruments.get(instrument.index()) else { return BookView::default() };
        let is_known = usize::from(venue.0) <= self.venues.len();
        if !is_known || !self.admission_of(venue).accepts(classes) {
            return BookView::default();
        }
        let rule = self.counterparty_of(venue);
        let profile = Profile { classes: classes & self.admission.dividing, rule };
        let reach = self.profiles.look_up(profile).reach;
        BookView {
            bids: instrument.levels(Side::Buy, reach).take(depth).collect(),
            asks: instrument.levels(Side::Sell, reach).take(depth).collect(),
        }
    }

    /// The orders of an account leave whose venues or profiles its classes do not satisfy.
    fn leave_unadmitted(&mut self, step: &mut Step, account: AccountId) {
        let classes = self.accounts[account.index()].classes;
        let waiting =
            self.triggers_of(account, None, |trigger| !self.admission_of(trigger.venue).accepts(classes));
        let mut slots = self.orders_of(account, None, None);
        slots.retain(|slot| !self.may_stay(self.pool.order(*slot), classes));
        for id in waiting {
            self.cancel_trigger(step, id, CancelReason::NotAdmitted);
        }
        for slot in slots {
            self.cancel_resting(step, slot, CancelReason::NotAdmitted);
        }
    }
}
