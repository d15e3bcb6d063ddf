//! Auctions: an instrument collects orders without matching them, then fills what crosses at one price, in turns of
//! bounded work. What pairs trade is in `auction/uncross.rs`.

mod phases;
mod price;
mod uncross;

use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::step::{Refused, Step, refused, wide};
pub use price::{AuctionPrice, AuctionView};
use xos_protocol::{Auction, CommandRecord, EventKind, Flags, InstrumentState, Reject};
use xos_units::{Amount, InstrumentId, Price};

/// What an auction collects: limit orders that rest, reduce-only ones where the instrument takes no others.
#[cold]
pub(crate) fn check_collected(instrument: &Instrument, flags: Flags, rests: bool) -> Result<(), Refused> {
    let only_reduces = instrument.gate_beside_auction() == InstrumentState::ReduceOnly;
    if only_reduces && !flags.has(Flags::REDUCE_ONLY) {
        return refused(Reject::InstrumentReduceOnly, instrument.id.0, 0);
    }
    if !rests || flags.has(Flags::MARKET) {
        return refused(Reject::InstrumentInAuction, instrument.id.0, 0);
    }
    Ok(())
}

fn push_started(step: &mut Step, id: InstrumentId, ends_ns: u64) {
    let event = step.push(EventKind::AuctionStarted);
    event.instrument = id.0;
    event.counter_amount = wide(Amount(ends_ns.into()));
}

impl Engine {
    pub(crate) fn start_auction(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let at = self.live_instrument(command)?;
        self.check_unsettled(at)?;
        if self.instruments[at].is_over {
            return refused(Reject::InstrumentCancelOnly, command.instrument, 0);
        }
        if let Some(auction) = self.auction_of(command.instrument()) {
            return refused(Reject::AuctionUnderWay, command.instrument, auction.ends_ns);
        }
        if command.expires_ns <= step.time_ns {
            return refused(Reject::AuctionEndsNotInFuture, command.expires_ns, step.time_ns);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        self.begin_auction(step, command.instrument(), command.expires_ns);
        Ok(())
    }

    /// An instrument that is in no auction collects orders until a logged time.
    pub(crate) fn begin_auction(&mut self, step: &mut Step, id: InstrumentId, ends_ns: u64) {
        let auction = Auction { instrument: id.0, ends_ns, price: None, filled_lots: 0 };
        let auctions = &mut self.governance.state.auctions;
        let place = auctions.partition_point(|other| other.instrument < id.0);
        auctions.insert(place, auction);
        self.enter_auction(&auction);
        push_started(step, id, ends_ns);
    }

    /// They are kept in order of instrument.
    fn place_of_auction(&self, id: InstrumentId) -> Option<usize> {
        self.governance.state.auctions.binary_search_by_key(&id.0, |auction| auction.instrument).ok()
    }

    /// The auction that an instrument is in.
    pub fn auction_of(&self, id: InstrumentId) -> Option<&Auction> {
        self.place_of_auction(id).map(|place| &self.governance.state.auctions[place])
    }

    /// Lets the instrument accept what its auction does.
    pub(crate) fn enter_auction(&mut self, auction: &Auction) {
        let instrument = &mut self.instruments[InstrumentId(auction.instrument).index()];
        instrument.auction =
            if auction.price.is_some() { InstrumentState::Uncrossing } else { InstrumentState::Auction };
        instrument.refresh_gate();
    }

    /// Whether the book of an instrument stands still because its auction is being filled.
    #[inline(always)]
    pub(crate) fn is_uncrossing(&self, id: InstrumentId) -> bool {
        self.instruments[id.index()].gate == InstrumentState::Uncrossing
    }

    /// Time passed: auctions whose end has come are priced and filled, together as far as one turn reaches.
    #[cold]
    pub(crate) fn pass_auctions(&mut self, step: &mut Step) {
        let mut meetings_left = self.limits.matches_per_command_max;
        // Finding a price takes a look at every order; the last one may overdraw.
        let mut looks_left = i64::from(meetings_left);
        for auction in self.governance.state.auctions.clone() {
            let id = InstrumentId(auction.instrument);
            match self.instruments[id.index()].gate {
                InstrumentState::Settled if looks_left > 0 => {
                    looks_left -= 1;
                    self.close_auction(step, id);
                }
                InstrumentState::Auction if auction.ends_ns <= step.time_ns && looks_left > 0 => {
                    looks_left -= 1 + i64::from(self.instruments[id.index()].orders());
                    self.price_auction(step, id);
                    self.go_on_uncrossing(step, id, &mut meetings_left);
                }
                InstrumentState::Uncrossing => self.go_on_uncrossing(step, id, &mut meetings_left),
                _ => {}
            }
        }
    }

    pub(crate) fn price_auction(&mut self, step: &mut Step, id: InstrumentId) {
        let AuctionPrice { price, lots, imbalance, reference } = self.auction_price(id);
        if let Some(auction) = self.auction_mut(id) {
            auction.price = Some(price.0);
            let auction = *auction;
            self.enter_auction(&auction);
        }
        let event = step.push(EventKind::AuctionPriced);
        event.instrument = id.0;
        event.price = price.0;
        event.qty = i64::try_from(lots).unwrap_or(i64::MAX);
        event.amount = wide(Amount(imbalance));
        event.counter_amount = wide(Amount(reference.0.into()));
    }

    fn auction_mut(&mut self, id: InstrumentId) -> Option<&mut Auction> {
        self.place_of_auction(id).map(|place| &mut self.governance.state.auctions[place])
    }

    fn go_on_uncrossing(&mut self, step: &mut Step, id: InstrumentId, meetings_left: &mut u32) {
        let price = self.auction_of(id).and_then(|auction| auction.price).unwrap_or(0);
        if self.uncross(step, id.index(), Price(price), meetings_left) {
            self.close_auction(step, id);
        }
    }

    pub(crate) fn close_auction(&mut self, step: &mut Step, id: InstrumentId) {
        let Some(place) = self.place_of_auction(id) else { return };
        let Auction { filled_lots: filled, price, .. } = self.governance.state.auctions.remove(place);
        self.agree_on_price(step.time_ns, id, price.unwrap_or(0), filled);
        let instrument = &mut self.instruments[id.index()];
        instrument.auction = InstrumentState::Continuous;
        instrument.refresh_gate();
        let event = step.push(EventKind::AuctionClosed);
        event.instrument = id.0;
        event.qty = filled;
        self.prices_reached(id.index());
    }
}
