//! Section 27: caps, referrers, volumes, and how a fee is divided.

use super::deploy::bound;
use super::events::Cause;
use super::money::share_down;
use super::refusal::{Refusal, check, refuse};
use super::state::{House, Order, Party, SETTLEMENT, World};
use xos_protocol::{
    CommandRecord, DayVolume, EventKind, EventRecord, FeeDivision, Fees, Int128, Reject, VenueSpec,
};
use xos_units::{AMOUNT_ATOMS_BOUND, Amount};

fn day_of(time_ns: u64) -> u32 {
    u32::try_from(time_ns / 1_000_000_000 / 86_400).expect("the clock ends before")
}

impl World {
    /// 507 of a venue: 143 to 146.
    pub(super) fn check_venue_143(spec: &VenueSpec) -> Result<(), Refusal> {
        let count = spec.tiers.len();
        bound(143, count as i128, count == 0 || (spec.fees.is_some() && count <= 16))?;
        for (place, tier) in spec.tiers.iter().enumerate() {
            let fees = spec.fees.expect("checked above");
            let before: Vec<(i128, i32, i32)> = std::iter::once((0, fees.taker_ppm, fees.maker_ppm))
                .chain(spec.tiers.iter().map(|t| (t.volume_from.0, t.taker_ppm, t.maker_ppm)))
                .collect();
            let least_taker = before.iter().map(|tier| tier.1).min().expect("there is one");
            let (volume, taker, maker) = before[place];
            let from = tier.volume_from.0;
            bound(144, from, from > volume && from < AMOUNT_ATOMS_BOUND)?;
            bound(145, tier.taker_ppm, tier.taker_ppm >= 0 && tier.taker_ppm <= taker)?;
            bound(146, tier.maker_ppm, tier.maker_ppm >= -least_taker && tier.maker_ppm <= maker)?;
        }
        Ok(())
    }

    pub(super) fn set_fee_cap(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (account, ppm, newest) = (command.account, command.qty, self.venues.len());
        let stands = command.order_id <= newest as u64;
        check(stands, Reject::UnknownVenue, command.order_id, newest as i128)?;
        let venue = u16::try_from(command.order_id).expect("it stands");
        self.check_not_isolated(account)?;
        check((-1..=100_000).contains(&ppm), Reject::FeeCapOutOfBounds, ppm, 100_000)?;
        self.check_orders_keep_to(account, venue, ppm)?;
        let caps = &mut self.governance.charges.caps;
        match i32::try_from(ppm).expect("it is within bounds") {
            -1 => caps.remove(&(account, venue)),
            ppm => caps.insert((account, venue), ppm),
        };
        events.push(EventRecord { account, venue, qty: ppm, ..cause.event(EventKind::FeeCapSet) });
        Ok(())
    }

    /// 261.
    fn check_orders_keep_to(&self, account: u32, venue: u16, ppm: i64) -> Result<(), Refusal> {
        let before = self.governance.charges.caps.get(&(account, venue));
        if ppm == -1 || before.is_some_and(|before| i64::from(*before) <= ppm) {
            return Ok(());
        }
        let is_above = |order: &&Order| {
            let (fees, _) = self.tier_and_cap(order.account, order.venue, order.instrument);
            self.charged(order.account) == account
                && order.venue == venue
                && i64::from(fees.taker_ppm.max(fees.maker_ppm)) > ppm
        };
        match self.orders.iter().filter(is_above).map(|order| order.id).min() {
            Some(id) => refuse(Reject::OrdersAboveCap, id, ppm),
            None => Ok(()),
        }
    }

    pub(super) fn set_referrer(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (account, newest) = (command.account, self.accounts.len());
        let stands = command.order_id >= 1 && command.order_id <= newest as u64;
        check(stands, Reject::UnknownReceiver, command.order_id, newest as i128)?;
        let referrer = u32::try_from(command.order_id).expect("it stands");
        self.check_not_isolated(account)?;
        self.check_not_isolated(referrer)?;
        self.check_real(account)?;
        self.check_real(referrer)?;
        let is_another = self.account(referrer).owner != self.account(account).owner;
        check(is_another, Reject::ReferrerOfOneOwner, referrer, account)?;
        let before = self.governance.charges.referrers.get(&account).copied();
        check(before.is_none(), Reject::ReferrerStands, account, before.unwrap_or(0))?;
        self.governance.charges.referrers.insert(account, referrer);
        events.push(EventRecord {
            account,
            order_id: referrer.into(),
            ..cause.event(EventKind::ReferrerSet)
        });
        Ok(())
    }

    /// Itself, or its parent.
    fn charged(&self, account: u32) -> u32 {
        match self.account(account).isolated {
            Some((parent, _)) => parent,
            None => account,
        }
    }

    /// The schedule in the tier of the account on this day, and its cap.
    fn tier_and_cap(&self, account: u32, venue: u16, instrument: u32) -> (Fees, Option<i32>) {
        let account = self.charged(account);
        let mut fees = self.fees(venue, instrument);
        if venue != 0 {
            let today = day_of(self.time_ns);
            let days = self.governance.charges.volumes.get(&(venue, account)).cloned().unwrap_or_default();
            let counts = |day: u32| day < today && today - day <= 30;
            let volume: i128 = days.iter().filter(|day| counts(day.0)).map(|day| day.1.0).sum();
            for tier in &self.venues[usize::from(venue) - 1].tiers {
                if volume >= tier.volume_from.0 {
                    (fees.maker_ppm, fees.taker_ppm) = (tier.maker_ppm, tier.taker_ppm);
                }
            }
        }
        (fees, self.governance.charges.caps.get(&(account, venue)).copied())
    }

    /// 436.
    pub(super) fn check_cap(&self, account: u32, venue: u16, instrument: u32) -> Result<(), Refusal> {
        match self.tier_and_cap(account, venue, instrument) {
            (fees, Some(cap)) => {
                let rate = fees.taker_ppm.max(fees.maker_ppm);
                check(rate <= cap, Reject::FeeAboveCap, rate, cap)
            }
            (_, None) => Ok(()),
        }
    }

    /// What the account of an order is charged now.
    pub(super) fn rates(&self, order: &Order) -> Fees {
        let (fees, cap) = self.tier_and_cap(order.account, order.venue, order.instrument);
        let most = cap.unwrap_or(i32::MAX);
        Fees { maker_ppm: fees.maker_ppm.min(most), taker_ppm: fees.taker_ppm.min(most), ..fees }
    }

    /// A fee base is volume of the account of an order, if its venue has tiers.
    pub(super) fn count_volume(&mut self, order: &Order, base: i128) {
        let venue = order.venue;
        let has_tiers = venue != 0 && !self.venues[usize::from(venue) - 1].tiers.is_empty();
        if !has_tiers || self.instrument(order.instrument).quote() != SETTLEMENT {
            return;
        }
        let (account, today) = (self.charged(order.account), day_of(self.time_ns));
        let days = self.governance.charges.volumes.entry((venue, account)).or_default();
        days.retain(|day| today - day.0 <= 30);
        if days.last().is_none_or(|day| day.0 != today) {
            days.push(DayVolume(today, Amount(0)));
        }
        days.last_mut().expect("just pushed").1 += Amount(base);
    }

    /// The same for both sides of a fill.
    pub(super) fn count_fill(&mut self, one: &Order, other: &Order, base: i128) {
        if self.account(one.account).owner != self.account(other.account).owner {
            self.count_volume(one, base);
            self.count_volume(other, base);
        }
    }

    /// What the payer of a fee owes goes to those whom the instrument names; a receipt tells.
    pub(super) fn divide_fee(
        &mut self,
        cause: &Cause,
        payer: &Order,
        fee: i128,
        events: &mut Vec<EventRecord>,
    ) {
        if fee == 0 {
            return;
        }
        let instrument = self.instrument(payer.instrument);
        let (asset, split) = (instrument.quote(), instrument.terms.split);
        let from = Party::Account(payer.account);
        if self.trades_simulated(payer.instrument) {
            return self.post(from, Party::House(House::Simulated), asset, fee);
        }
        let payer_charged = self.charged(payer.account);
        let referrer = match self.governance.charges.referrers.get(&payer_charged) {
            Some(&referrer) if split.referrer_ppm != 0 => referrer,
            _ => 0,
        };
        let for_referrer =
            if referrer == 0 { Party::House(House::Protocol) } else { Party::Account(referrer) };
        let mut left = fee;
        let shares = [
            (Party::House(House::Deployer(payer.instrument)), split.deployer_ppm),
            (Party::House(House::Venue(payer.venue)), split.venue_ppm),
            (for_referrer, split.referrer_ppm),
            (Party::House(House::Insurance), split.insurance_ppm),
            (Party::House(House::Protocol), split.protocol_ppm),
        ];
        for (receiver, ppm) in shares {
            let share = share_down(fee, ppm);
            self.post(from, receiver, asset, share);
            left -= share;
        }
        self.post(from, Party::House(House::Rounding), asset, left);
        if referrer != 0 {
            self.look_at_debt(referrer);
        }
        if split.receipts {
            let mut event = EventRecord {
                side: payer.side.code(),
                venue: payer.venue,
                account: payer.account,
                instrument: payer.instrument,
                order_id: payer.id,
                amount: Int128::new(fee),
                counter_amount: Int128::new(left),
                ..cause.event(EventKind::FeeDivided)
            };
            event.set_division(&FeeDivision { split, referrer, trade_id: self.last_trade_id });
            events.push(event);
        }
    }
}
