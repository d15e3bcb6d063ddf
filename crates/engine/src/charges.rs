//! Section 27: what lowers the fees of single accounts, and fees of which receipts tell or referrers get a share.

use crate::deploy::check_bounds;
use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::orders::{FillSide, Incoming, Leg};
use crate::step::{Refused, Step, refused, wide};
use xos_book::RestingOrder;
use xos_ledger::{Party, Reason, SETTLEMENT};
use xos_protocol::{Charges, CommandRecord, DayVolume, EventKind, FeeDivision, Fees, Reject, VenueSpec};
use xos_risk::fee_base;
use xos_units::{AccountId, Amount, AssetId, InstrumentId, Ppm, Price, Qty, VenueId, division::share_down};

/// Highest rate that a schedule may have, and so the highest cap that means anything.
const CAP_PPM_MAX: i64 = 100_000;
const DAY_NS: u64 = 86_400_000_000_000;

/// What an account is charged through a venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChargeView {
    /// Its tier: 0 the schedule itself, then the tiers in order.
    pub tier: usize,
    /// Volume of the thirty whole days before today, settlement atoms.
    pub volume: Amount,
    /// Volume of today, which counts from tomorrow on.
    pub today: Amount,
    /// Highest rate that the account allows, ppm.
    pub cap_ppm: Option<i32>,
    /// What it is charged; none where the venue has no fees and no instrument is named.
    pub fees: Option<Fees>,
}

impl Engine {
    /// Fields 143 to 146 of a venue.
    pub(crate) fn check_tiers(spec: &VenueSpec) -> Result<(), Refused> {
        let most = if spec.fees.is_some() { VenueSpec::TIERS_MAX } else { 0 };
        check_bounds(spec.tiers.len() as i128, 0..=most as i128, 143)?;
        let Some(mut above) = spec.fees else { return Ok(()) };
        let least = spec.tiers.iter().map(|tier| tier.taker_ppm).chain([above.taker_ppm]).min().unwrap_or(0);
        let mut below = Amount::ZERO;
        for tier in &spec.tiers {
            let volume_max = xos_units::AMOUNT_ATOMS_BOUND - 1;
            check_bounds(tier.volume_from.0, below.0 + 1..=volume_max, 144)?;
            check_bounds(tier.taker_ppm.into(), 0..=above.taker_ppm.into(), 145)?;
            check_bounds(tier.maker_ppm.into(), (-least).into()..=above.maker_ppm.into(), 146)?;
            below = tier.volume_from;
            above = Fees { maker_ppm: tier.maker_ppm, taker_ppm: tier.taker_ppm, ..above };
        }
        Ok(())
    }

    pub(crate) fn set_fee_cap(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let account = self.known_account(command)?;
        let newest = self.venues.len();
        let named = u16::try_from(command.order_id).ok().filter(|venue| usize::from(*venue) <= newest);
        let Some(venue) = named.map(VenueId) else {
            return refused(Reject::UnknownVenue, command.order_id, newest as i128);
        };
        self.check_not_isolated(account)?;
        if !(-1..=CAP_PPM_MAX).contains(&command.qty) {
            return refused(Reject::FeeCapOutOfBounds, command.qty, CAP_PPM_MAX);
        }
        if command.qty >= 0 {
            self.check_orders_keep_to(account, venue, command.qty as i32)?;
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let caps = &mut self.governance.state.charges.caps;
        if command.qty < 0 {
            caps.remove(&(account.0, venue.0));
        } else {
            caps.insert((account.0, venue.0), command.qty as i32);
            self.heed_caps();
        }
        let event = step.push(EventKind::FeeCapSet);
        (event.account, event.venue, event.qty) = (account.0, venue.0, command.qty);
        Ok(())
    }

    /// From now on orders are asked whether they keep to a cap.
    pub(crate) fn heed_caps(&mut self) {
        self.charges_apart = true;
        self.admission.restricts = true;
    }

    pub(crate) fn set_referrer(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let account = self.known_account(command)?;
        let newest = self.accounts.len();
        let named = u32::try_from(command.order_id).ok().filter(|id| (1..=newest).contains(&(*id as usize)));
        let Some(referrer) = named.map(AccountId) else {
            return refused(Reject::UnknownReceiver, command.order_id, newest as i128);
        };
        self.check_not_isolated(account)?;
        self.check_not_isolated(referrer)?;
        self.check_money_is_real(account)?;
        self.check_money_is_real(referrer)?;
        if self.accounts[referrer.index()].owner == self.accounts[account.index()].owner {
            return refused(Reject::ReferrerOfOneOwner, referrer.0, account.0);
        }
        if let Some(stands) = self.governance.state.charges.referrers.get(&account.0) {
            return refused(Reject::ReferrerStands, account.0, *stands);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        self.governance.state.charges.referrers.insert(account.0, referrer.0);
        let event = step.push(EventKind::ReferrerSet);
        (event.account, event.order_id) = (account.0, referrer.0.into());
        Ok(())
    }

    /// Whose caps, referrer and volume count for an account.
    fn charged_account(&self, id: AccountId) -> AccountId {
        self.accounts[id.index()].isolated.map_or(id, |isolated| isolated.parent)
    }

    /// An order through a venue is not charged more than its account allows.
    #[cold]
    pub(crate) fn check_cap(
        &self,
        id: AccountId,
        venue: VenueId,
        instrument: &Instrument,
    ) -> Result<(), Refused> {
        let account = self.charged_account(id);
        let Some(cap) = self.governance.state.charges.caps.get(&(account.0, venue.0)) else { return Ok(()) };
        let rate_ppm = self.higher_rate(account, venue, instrument);
        if rate_ppm > *cap {
            return refused(Reject::FeeAboveCap, rate_ppm, *cap);
        }
        Ok(())
    }

    /// The higher rate of a schedule in the tier of an account.
    fn higher_rate(&self, account: AccountId, venue: VenueId, instrument: &Instrument) -> i32 {
        let fees = self.in_tier(account, venue, self.fees(venue, instrument));
        fees.taker_ppm.max(fees.maker_ppm)
    }

    /// A cap below what is charged is for orders to come: what rests was taken at its rate and must not get round it.
    fn check_orders_keep_to(&self, account: AccountId, venue: VenueId, cap: i32) -> Result<(), Refused> {
        let stands = self.governance.state.charges.caps.get(&(account.0, venue.0));
        if stands.is_some_and(|stands| *stands <= cap) {
            return Ok(());
        }
        let of_account = (account, InstrumentId(0))..=(account, InstrumentId(u32::MAX));
        let isolated = self.isolated.range(of_account).map(|(_, isolated)| *isolated);
        let slots = std::iter::once(account).chain(isolated).flat_map(|id| self.orders_of(id, None, None));
        let above = slots.map(|slot| self.pool.order(slot)).filter(|order| {
            let instrument = &self.instruments[order.instrument.index()];
            order.venue == venue && self.higher_rate(account, venue, instrument) > cap
        });
        match above.map(|order| order.id.0).min() {
            Some(first) => refused(Reject::OrdersAboveCap, first, cap),
            None => Ok(()),
        }
    }

    /// A schedule as it counts for an account.
    #[cold]
    pub(crate) fn lowered(&self, id: AccountId, venue: VenueId, fees: Fees) -> Fees {
        let account = self.charged_account(id);
        let fees = self.in_tier(account, venue, fees);
        match self.governance.state.charges.caps.get(&(account.0, venue.0)) {
            None => fees,
            Some(cap) => {
                Fees { maker_ppm: fees.maker_ppm.min(*cap), taker_ppm: fees.taker_ppm.min(*cap), ..fees }
            }
        }
    }

    /// Both schedules of a fill, whose volume counts.
    #[cold]
    pub(crate) fn lowered_of_fill(
        &mut self,
        incoming: &RestingOrder,
        resting: &RestingOrder,
        base: Amount,
        fees: (Fees, Fees),
    ) -> (Fees, Fees) {
        let sides = [(incoming.account, incoming.venue), (resting.account, resting.venue)];
        self.count_volumes(incoming.instrument.index(), base, sides);
        (self.lowered(sides[0].0, sides[0].1, fees.0), self.lowered(sides[1].0, sides[1].1, fees.1))
    }

    /// The fee base of a fill is volume of both sides, unless they have one owner.
    #[cold]
    pub(crate) fn count_volumes(&mut self, at: usize, base: Amount, sides: [(AccountId, VenueId); 2]) {
        let [owner, other] = sides.map(|(account, _)| self.accounts[account.index()].owner);
        if owner != other && self.instruments[at].quote() == SETTLEMENT {
            sides.into_iter().for_each(|(account, venue)| self.count_volume(account, venue, base));
        }
    }

    /// The same of a step of implied liquidity: a leg's unless it has the taker's owner, the taker's unless a leg has.
    #[cold]
    pub(crate) fn count_step(&mut self, incoming: &Incoming, price: Price, lots: Qty, legs: &[Leg]) {
        let taker = &incoming.order;
        let base = |engine: &Self, at: usize, price| {
            let instrument = &engine.instruments[at];
            fee_base(instrument.outcome_terms(), price, lots, instrument.k)
        };
        let mut meets_itself = false;
        for leg in legs {
            let order = self.pool.order(leg.slot);
            let (account, venue) = (order.account, order.venue);
            if order.owner == taker.owner {
                meets_itself = true;
                continue;
            }
            let base = base(self, leg.at, leg.price);
            self.count_volume(account, venue, base);
        }
        if !meets_itself {
            let base = base(self, incoming.at, price);
            self.count_volume(taker.account, taker.venue, base);
        }
    }

    fn count_volume(&mut self, account: AccountId, venue: VenueId, base: Amount) {
        if self.tiers_of(venue).is_none() {
            return;
        }
        let (account, today) = (self.charged_account(account), self.today());
        let days = self.governance.state.charges.volumes.entry((venue.0, account.0)).or_default();
        match days.last_mut() {
            Some(DayVolume(day, volume)) if *day == today => *volume += base,
            _ => {
                days.retain(|DayVolume(day, _)| day + Charges::DAYS >= today);
                days.push(DayVolume(today, base));
            }
        }
    }

    fn today(&self) -> u32 {
        (self.time_ns / DAY_NS) as u32
    }

    /// A venue that has tiers.
    fn tiers_of(&self, venue: VenueId) -> Option<&VenueSpec> {
        let spec = self.venues.get(usize::from(venue.0).checked_sub(1)?)?;
        (!spec.tiers.is_empty()).then_some(spec)
    }

    /// Volume of the thirty whole days before today, and of today.
    fn volumes(&self, account: AccountId, venue: VenueId) -> (Amount, Amount) {
        let (mut before, mut of_today, today) = (Amount::ZERO, Amount::ZERO, self.today());
        for DayVolume(day, volume) in
            self.governance.state.charges.volumes.get(&(venue.0, account.0)).into_iter().flatten()
        {
            if *day == today {
                of_today += *volume;
            } else if day + Charges::DAYS >= today {
                before += *volume;
            }
        }
        (before, of_today)
    }

    /// A schedule in the tier of an account: 0 where none is reached.
    fn tier_of(&self, account: AccountId, venue: VenueId) -> usize {
        let Some(spec) = self.tiers_of(venue) else { return 0 };
        let (volume, _) = self.volumes(account, venue);
        spec.tiers.iter().take_while(|tier| tier.volume_from <= volume).count()
    }

    fn in_tier(&self, account: AccountId, venue: VenueId, fees: Fees) -> Fees {
        let reached = self.tier_of(account, venue).checked_sub(1);
        match reached.and_then(|at| self.tiers_of(venue).map(|spec| spec.tiers[at])) {
            None => fees,
            Some(tier) => Fees { maker_ppm: tier.maker_ppm, taker_ppm: tier.taker_ppm, ..fees },
        }
    }

    /// What an account is charged through a venue on an instrument; nothing of what does not stand.
    pub fn charges(&self, id: AccountId, venue: VenueId, instrument: InstrumentId) -> Option<ChargeView> {
        if id.index() >= self.accounts.len() || usize::from(venue.0) > self.venues.len() {
            return None;
        }
        let account = self.charged_account(id);
        let (volume, today) = self.volumes(account, venue);
        let own = usize::from(venue.0).checked_sub(1).and_then(|at| self.venues[at].fees);
        let fees = own.or(self.instruments.get(instrument.index()).map(|instrument| instrument.fees));
        Some(ChargeView {
            tier: self.tier_of(account, venue),
            volume,
            today,
            cap_ppm: self.governance.state.charges.caps.get(&(account.0, venue.0)).copied(),
            fees: fees.map(|fees| self.lowered(id, venue, fees)),
        })
    }

    /// The account that brought an account.
    pub fn referrer(&self, id: AccountId) -> Option<AccountId> {
        let account = self.accounts.get(id.index()).map(|_| self.charged_account(id))?;
        self.governance.state.charges.referrers.get(&account.0).map(|referrer| AccountId(*referrer))
    }

    /// Divides a fee of which a referrer may have a share, or of which a receipt tells.
    #[cold]
    pub(crate) fn divide_apart(
        &mut self,
        step: &mut Step,
        at: usize,
        payer: &FillSide,
        quote: AssetId,
        fee: Amount,
    ) {
        if self.instruments[at].is_simulated {
            let (from, to) = (Party::User(payer.account), Party::Simulated);
            let result = self.ledger.post(from, to, quote, fee, Reason::Fee, step.sequence);
            return self.money(step.sequence, result);
        }
        let (instrument, split) = (self.instruments[at].id, self.instruments[at].split);
        let referrer = self.referrer(payer.account).filter(|_| split.referrer_ppm != 0);
        let parties = [
            (Party::Deployer(instrument), Reason::Fee),
            (Party::Venue(payer.venue), Reason::Fee),
            (referrer.map_or(Party::Protocol, Party::User), Reason::Referral),
            (Party::Insurance, Reason::Fee),
            (Party::Protocol, Reason::Fee),
            (Party::Rounding, Reason::Fee),
        ];
        let mut parts = split.parts().map(|ppm| share_down(fee, Ppm(ppm))).to_vec();
        let rounding = parts.iter().fold(fee, |left, part| left - *part);
        parts.push(rounding);
        for ((to, reason), part) in parties.into_iter().zip(parts) {
            let result = self.ledger.post(Party::User(payer.account), to, quote, part, reason, step.sequence);
            self.money(step.sequence, result);
        }
        if let Some(referrer) = referrer {
            self.asset_moved(referrer, quote);
            self.look_at_debt(referrer);
        }
        if split.receipts {
            let event = step.push(EventKind::FeeDivided);
            (event.side, event.venue) = (payer.side.code(), payer.venue.0);
            (event.account, event.instrument) = (payer.account.0, instrument.0);
            event.order_id = payer.order.0;
            (event.amount, event.counter_amount) = (wide(fee), wide(rounding));
            let referrer = referrer.map_or(0, |referrer| referrer.0);
            event.set_division(&FeeDivision { split, referrer, trade_id: self.last_trade_id });
        }
    }

    /// A restored state names accounts and venues that stand, caps within bounds, referrers of other owners.
    pub(crate) fn knows_whom_it_charges(&self) -> bool {
        let charges = &self.governance.state.charges;
        let stands = |account: u32| account >= 1 && account as usize <= self.accounts.len();
        let is_venue = |venue: u16| usize::from(venue) <= self.venues.len();
        let is_cap = |ppm: i32| (0..=CAP_PPM_MAX).contains(&ppm.into());
        let owner = |account: u32| self.accounts[account as usize - 1].owner;
        charges.caps.iter().all(|(&(account, venue), ppm)| stands(account) && is_venue(venue) && is_cap(*ppm))
            && charges
                .referrers
                .iter()
                .all(|(one, other)| stands(*one) && stands(*other) && owner(*one) != owner(*other))
            && charges.volumes.iter().all(|(&(venue, account), days)| {
                let rises = days.is_sorted_by(|DayVolume(day, _), DayVolume(next, _)| day < next);
                let is_positive = days.iter().all(|DayVolume(_, volume)| *volume >= Amount::ZERO);
                is_venue(venue) && stands(account) && rises && is_positive
            })
    }
}
