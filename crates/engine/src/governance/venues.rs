//! The end of a venue: it brings no orders any more, and its deployer's stake is free after the wait.

use super::check_standing;
use crate::engine::Engine;
use crate::step::{Refused, Step, refused};
use xos_protocol::{InstrumentState, MarketKind, Reject};

impl Engine {
    pub(crate) fn is_closed_venue(&self, id: u32) -> bool {
        self.governance.state.closed_venues.contains(&id)
    }

    pub(crate) fn check_venue_open(&self, id: u32) -> Result<(), Refused> {
        if self.is_closed_venue(id) { refused(Reject::VenueClosed, id, 0) } else { Ok(()) }
    }

    /// The first instrument that is a venue's own and still trades, or may trade again.
    pub(super) fn market_of_venue(&self, venue: u32) -> Option<u32> {
        let mut own = self.instruments.iter().filter(|instrument| u32::from(instrument.own_venue.0) == venue);
        let lives = own.find(|instrument| match instrument.question() {
            Some(question) => self.questions[question.index()].settlement.is_none(),
            None => instrument.state != InstrumentState::Settled,
        });
        lives.map(|instrument| instrument.id.0)
    }

    /// A venue that stands, is not closed, and whose own instruments are gone.
    pub(super) fn check_venue_ended(&self, id: u32) -> Result<(), Refused> {
        check_standing(id, self.venues.len(), Reject::UnknownVenue)?;
        self.check_venue_open(id)?;
        match self.market_of_venue(id) {
            Some(instrument) => refused(Reject::VenueHasMarkets, instrument, id),
            None => Ok(()),
        }
    }

    /// What rests stays where it is, as does its share of fees; nothing new comes through it.
    pub(super) fn close_venue(&mut self, step: &mut Step, id: u32) {
        self.governance.state.closed_venues.insert(id);
        self.admission.restricts = true;
        self.market_ended(step, MarketKind::Venue, id);
    }
}
