//! Section 27: who is paid shares of fees, and where instruments trade.

use super::deploy::bound;
use super::events::Cause;
use super::refusal::{Refusal, check, refuse};
use super::state::{House, Party, World};
use xos_protocol::{CommandRecord, EventKind, EventRecord, InstrumentTerms, Int128, Reject, VenueSpec};

impl World {
    /// 507 of a venue: 140, 141.
    pub(super) fn check_venue_140(&self, spec: &VenueSpec) -> Result<(), Refusal> {
        bound(140, spec.fees_to, spec.fees_to <= self.limits.accounts_max)?;
        let lists = spec.lists.as_deref().unwrap_or_default();
        for (place, &id) in lists.iter().enumerate() {
            let rises = place == 0 || id > lists[place - 1];
            bound(141, id, id >= 1 && rises && id <= self.limits.instruments_max)?;
        }
        bound(147, lists.len() as i128, !spec.simulated || lists.is_empty())?;
        Self::check_venue_143(spec)
    }

    /// 507 of terms: 140, 142.
    pub(super) fn check_terms_140(&self, terms: &InstrumentTerms) -> Result<(), Refusal> {
        bound(140, terms.fees_to, terms.fees_to <= self.limits.accounts_max)?;
        let venue = u32::from(terms.venue);
        let is_open = !self.governance.closed_venues.contains(&venue);
        bound(142, venue, venue as usize <= self.venues.len() && is_open)
    }

    /// 541, 431 and 432.
    pub(super) fn check_listed(&self, instrument: u32, venue: u16) -> Result<(), Refusal> {
        let is_over = self.governance.closed_venues.contains(&venue.into());
        check(!is_over, Reject::VenueClosed, venue, 0)?;
        let belongs_to = self.instrument(instrument).terms.venue;
        if belongs_to != 0 {
            return check(belongs_to == venue, Reject::OfAnotherVenue, instrument, belongs_to);
        }
        let lists = if venue == 0 { None } else { self.venues[usize::from(venue) - 1].lists.as_ref() };
        let is_listed =
            !self.is_simulated_venue(venue) && lists.is_none_or(|lists| lists.contains(&instrument));
        check(is_listed, Reject::NotListed, instrument, venue)
    }

    pub(super) fn collect_fees(
        &mut self,
        cause: &Cause,
        command: &CommandRecord,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let (asset, market) = (command.instrument, command.order_id);
        let is_asset = asset >= 1 && asset as usize <= self.assets.len();
        check(is_asset, Reject::UnknownAsset, asset, self.assets.len() as i128)?;
        let (house, account) = if command.side == 1 {
            let Some(venue) = (1..=self.venues.len()).find(|id| *id as u64 == market) else {
                return refuse(Reject::UnknownVenue, market, self.venues.len() as i128);
            };
            (House::Venue(venue as u16), self.venues[venue - 1].fees_to)
        } else {
            let Some(id) = (1..=self.instruments.len() as u32).find(|id| u64::from(*id) == market) else {
                return refuse(Reject::UnknownInstrument, market, self.instruments.len() as i128);
            };
            (House::Deployer(id), self.instrument(id).terms.fees_to)
        };
        let stands = (1..=self.accounts.len() as u32).contains(&account);
        let is_fit = stands && !self.is_isolated(account) && !self.is_simulated(account);
        check(is_fit, Reject::NobodyToPay, market, account)?;
        let amount = self.house(house, asset);
        check(amount > 0, Reject::NothingToCollect, market, asset)?;
        self.post(Party::House(house), Party::Account(account), asset, amount);
        self.look_at_debt(account);
        events.push(EventRecord {
            side: command.side,
            account,
            instrument: asset,
            order_id: market,
            amount: Int128::new(amount),
            counter_amount: Int128::new(self.total(account, asset)),
            ..cause.event(EventKind::FeesCollected)
        });
        Ok(())
    }
}
