//! Section 22: classes, credentials, and whom venues admit.

use super::deploy::{bound, check_room, check_symbol};
use super::events::Cause;
use super::refusal::{Refusal, check};
use super::state::{Credential, Order, World};
use super::triggers::Trigger;
use xos_protocol::{
    CancelReason, ClassRule, ClassSpec, CommandRecord, EventFlags, EventKind, EventRecord, Int128, Reject,
    Side, VenueSpec,
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

/// 507: a rule names classes that it may name, none on both sides.
fn check_rule(rule: ClassRule, may_name: u32, fields: [i128; 2]) -> Result<(), Refusal> {
    let known = |mask: u32| bits(mask).all(|bit| has(may_name, bit));
    bound(fields[0], rule.requires, known(rule.requires))?;
    let apart = bits(rule.forbids).all(|bit| !has(rule.requires, bit));
    bound(fields[1], rule.forbids, known(rule.forbids) && apart)
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
        let (all, dividing) = ((1u64 << self.classes.len()) - 1, self.dividing());
        check_rule(spec.admission, all as u32, [131, 132])?;
        check_rule(spec.counterparty, dividing, [133, 134])
    }

    /// The classes that counterparty rules may name.
    fn dividing(&self) -> u32 {
        (0..).zip(&self.classes).filter(|(_, class)| class.counterparty).map(|(bit, _)| 1 << bit).sum()
    }

    /// Those of them that an account has.
    pub(super) fn dividing_classes(&self, account: u32) -> u32 {
        let dividing = self.dividing();
        those(self.account(account).classes, |bit| has(dividing, bit))
    }

    fn counterparty_of(&self, venue: u16) -> ClassRule {
        if venue == 0 { ClassRule::NONE } else { self.venues[usize::from(venue) - 1].counterparty }
    }

    fn profile(&self, order: &Order) -> (u32, ClassRule) {
        (order.classes, self.counterparty_of(order.venue))
    }

    /// Whether the two orders accept each other.
    pub(super) fn are_eligible(&self, one: &Order, other: &Order) -> bool {
        let accepts = |rule: ClassRule, classes: u32| {
            bits(rule.requires).all(|bit| has(classes, bit))
                && bits(rule.forbids).all(|bit| !has(classes, bit))
        };
        let (one, other) = (self.profile(one), self.profile(other));
        accepts(one.1, other.0) && accepts(other.1, one.0)
    }

    pub(super) fn is_plain(&self, order: &Order) -> bool {
        self.profile(order) == (0, ClassRule::NONE)
    }

    /// Whether an order and plain orders accept each other.
    pub(super) fn accepts_plain(&self, order: &Order) -> bool {
        let plain = Order { venue: 0, classes: 0, ..order.clone() };
        self.are_eligible(order, &plain)
    }

    /// Whether no order that accepts plain ones bids more or asks less than this.
    pub(super) fn is_public(&self, instrument: u32, price: i64) -> bool {
        self.dividing() == 0
            || !self.publics(instrument).any(|(side, other)| match side {
                Side::Buy => other > price,
                Side::Sell => other < price,
            })
    }

    /// Whether those that do have somebody to trade with at it.
    pub(super) fn is_public_in_auction(&self, instrument: u32, price: i64) -> bool {
        let is_there = |side: Side, accepts: &dyn Fn(i64) -> bool| {
            self.publics(instrument).any(|(its, other)| its == side && accepts(other))
        };
        let asks_less = is_there(Side::Sell, &|ask| ask < price);
        let bids_more = is_there(Side::Buy, &|bid| bid > price);
        let (buys, sells) =
            (is_there(Side::Buy, &|bid| bid >= price), is_there(Side::Sell, &|ask| ask <= price));
        self.dividing() == 0 || (!asks_less || buys) && (!bids_more || sells)
    }

    /// Side and price of the orders that accept plain ones.
    fn publics(&self, instrument: u32) -> impl Iterator<Item = (Side, i64)> {
        let orders = self.orders.iter().filter(move |o| o.instrument == instrument && self.accepts_plain(o));
        orders.map(|o| (o.side, o.price))
    }

    /// Whether a resting order and one that an account places through no venue accept each other.
    pub(super) fn would_accept(&self, order: &Order, account: u32) -> bool {
        let placed = Order { venue: 0, classes: self.dividing_classes(account), ..order.clone() };
        self.are_eligible(order, &placed)
    }

    /// Whether the resting order is at a price that `incoming` accepts, and the two may trade.
    pub(super) fn may_meet(&self, resting: &Order, incoming: &Order) -> bool {
        resting.is_met_by(incoming) && self.are_eligible(resting, incoming)
    }

    /// 228.
    pub(super) fn check_profiles(&self, order: &Order) -> Result<(), Refusal> {
        let plain = (0, ClassRule::NONE);
        let mut standing: Vec<_> = self.orders.iter().map(|order| self.profile(order)).collect();
        standing.sort_unstable();
        standing.dedup();
        standing.retain(|profile| *profile != plain);
        let own = self.profile(order);
        let (count, limit) = (standing.len() as u32, self.limits.profiles_max);
        let stands = own == plain || standing.contains(&own);
        check(stands || count < limit, Reject::ProfilesLimit, count, limit)
    }

    /// Tells of each profile that the incoming order may not meet and whose best price is no worse than `reached`.
    pub(super) fn tell_skips(
        &self,
        cause: &Cause,
        incoming: &Order,
        reached: i64,
        events: &mut Vec<EventRecord>,
    ) {
        let limit = Order { price: reached, ..incoming.clone() };
        let skipped = |o: &&Order| o.is_met_by(&limit) && !self.are_eligible(o, incoming);
        // Best price first; the sort is stable, and the list is in order of time.
        let mut orders: Vec<&Order> = self.orders.iter().filter(skipped).collect();
        orders.sort_by_key(|o| o.price * incoming.side.sign());
        let mut told: Vec<(u32, ClassRule)> = Vec::new();
        for first in &orders {
            let profile = self.profile(first);
            if told.contains(&profile) {
                continue;
            }
            told.push(profile);
            let there = orders.iter().filter(|o| self.profile(o) == profile && o.price == first.price);
            let (classes, rule) = profile;
            let mut event = EventRecord {
                side: incoming.side.code(),
                venue: incoming.venue,
                account: incoming.account,
                instrument: incoming.instrument,
                order_id: incoming.id,
                price: first.price,
                qty: there.map(|o| o.visible()).sum(),
                remaining: incoming.remaining,
                amount: Int128::new(classes.into()),
                counter_amount: Int128::new(i128::from(rule.requires) + (i128::from(rule.forbids) << 32)),
                ..cause.event(EventKind::LiquiditySkipped)
            };
            event.detail = [0; 32];
            event.set_counterpart(first.id, first.account, first.venue, 0, 0);
            events.push(event);
        }
    }

    /// Whether a resting order of these classes' account may go on resting.
    fn may_stay(&self, order: &Order) -> bool {
        let (classes, dividing) = (self.account(order.account).classes, self.dividing());
        let shunned = |bit: u32| self.venues.iter().any(|venue| has(venue.counterparty.forbids, bit));
        self.admits(order.venue, order.account)
            && bits(order.classes).all(|bit| has(classes, bit))
            && bits(classes).all(|bit| !has(dividing, bit) || has(order.classes, bit) || !shunned(bit))
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

    /// Credentials whose end has come, the earliest first, until as many events were told as a turn has work.
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
            if events.len() - first >= self.limits.payouts_per_command_max as usize {
                break;
            }
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

    pub(super) fn leave_unadmitted(&mut self, cause: &Cause, account: u32, events: &mut Vec<EventRecord>) {
        let world = self.clone();
        let leaves = |order: &Order| order.account == account && !world.may_stay(order);
        let leaves_too = |t: &Trigger| t.account == account && !world.admits(t.venue, account);
        let orders = self.take_out(leaves);
        self.cancel_triggers(cause, CancelReason::NotAdmitted, leaves_too, events);
        for order in orders {
            self.cancelled(cause, &order, CancelReason::NotAdmitted, events);
        }
    }
}
