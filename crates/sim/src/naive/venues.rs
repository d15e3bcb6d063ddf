//! Section 30: how venues change, and when they may end.

use super::deploy::check_fees;
use super::deployers::check_venue_of_deployer;
use super::events::Cause;
use super::governance::{Asked, check_ceiling, highest};
use super::refusal::{Refusal, check, check_id};
use super::state::World;
use xos_protocol::{Change, EventRecord, MarketKind, Reject, VenueSpec, VenueUpdate};

impl World {
    pub(super) fn update_venue(
        &mut self,
        cause: &Cause,
        update: VenueUpdate,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Refusal> {
        let id = update.venue;
        self.check_standing_venue(id)?;
        let (account, delay_s) = (update.account, i64::from(update.delay_s));
        let asked = Asked { account, kind: MarketKind::Venue, target: id, delay_s };
        self.check_asked(asked)?;
        if account != 0 {
            check_venue_of_deployer(account, &update.spec)?;
        }
        let spec = self.check_update_of_venue(id, update.spec)?;
        self.announce_change(cause, asked, Change::Venue(Box::new(spec)), events);
        Ok(())
    }

    fn check_standing_venue(&self, id: u32) -> Result<(), Refusal> {
        check_id(id, self.venues.len(), Reject::UnknownVenue)?;
        check(!self.governance.closed_venues.contains(&id), Reject::VenueClosed, id, 0)
    }

    /// What a venue would be; the ceiling of its fees is the one before.
    pub(super) fn check_update_of_venue(&self, id: u32, mut spec: VenueSpec) -> Result<VenueSpec, Refusal> {
        self.check_standing_venue(id)?;
        let old = self.venues[id as usize - 1].clone();
        let fixed = |field: i128, holds: bool| check(holds, Reject::FieldIsFixed, id, field);
        fixed(183, old.symbol == spec.symbol)?;
        fixed(11, old.fees.is_some() == spec.fees.is_some())?;
        fixed(131, old.admission == spec.admission)?;
        fixed(133, old.counterparty == spec.counterparty)?;
        if let (Some(before), Some(after)) = (old.fees, spec.fees) {
            fixed(186, after.ceiling_ppm == 0 || after.ceiling_ppm == highest(before))?;
        }
        fixed(147, old.simulated == spec.simulated)?;
        if let (Some(before), Some(after)) = (old.fees, spec.fees) {
            check_fees(after)?;
            self.check_fee_bound(after)?;
            spec.fees = Some(check_ceiling(before, after)?);
        }
        self.check_venue_140(&spec)?;
        check(spec != old, Reject::NothingChanges, id, 0)?;
        Ok(spec)
    }

    /// The first instrument of a venue alone that is neither delisted nor decided.
    pub(super) fn trades_for(&self, venue: u32) -> Option<u32> {
        (1..=self.instruments.len() as u32).find(|&id| {
            let question = self.question_of(id);
            let is_over =
                if question == 0 { self.is_closed(id) } else { self.question(question).is_decided() };
            u32::from(self.instrument(id).terms.venue) == venue && !is_over
        })
    }
}
