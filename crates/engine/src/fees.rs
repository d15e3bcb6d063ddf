//! Section 27: who is paid shares of fees, and through which venues an instrument trades.

use crate::deploy::check_bounds;
use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::step::{Refused, Step, refused, wide};
use xos_ledger::{Party, Reason};
use xos_protocol::{CommandRecord, EventKind, InstrumentTerms, MarketKind, Reject, VenueSpec};
use xos_units::{AccountId, Amount, AssetId, InstrumentId, VenueId};

impl Engine {
    /// Fields 140 and 141 of a venue.
    pub(crate) fn check_venue_business(&self, spec: &VenueSpec) -> Result<(), Refused> {
        self.check_payee(spec.fees_to)?;
        let mut below = 0;
        for id in spec.lists.iter().flatten() {
            check_bounds((*id).into(), below + 1..=self.limits.instruments_max.into(), 141)?;
            below = i128::from(*id);
        }
        let listed = spec.lists.as_ref().map_or(0, Vec::len);
        check_bounds(listed as i128, 0..=if spec.simulated { 0 } else { i128::MAX }, 147)?;
        Self::check_tiers(spec)
    }

    /// Fields 140 and 142 of an instrument or of the outcomes of a question.
    pub(crate) fn check_terms_business(&self, terms: &InstrumentTerms) -> Result<(), Refused> {
        self.check_payee(terms.fees_to)?;
        let most = if self.is_closed_venue(terms.venue.into()) { 0 } else { self.venues.len() as i128 };
        check_bounds(terms.venue.into(), 0..=most, 142)
    }

    fn check_payee(&self, account: u32) -> Result<(), Refused> {
        check_bounds(account.into(), 0..=self.limits.accounts_max.into(), 140)
    }

    /// An order comes through a venue that brings orders for this instrument.
    #[cold]
    pub(crate) fn check_listed(&self, instrument: &Instrument, venue: VenueId) -> Result<(), Refused> {
        let (id, own) = (instrument.id.0, instrument.own_venue);
        self.check_venue_open(venue.0.into())?;
        if own != VenueId(0) {
            return if own == venue { Ok(()) } else { refused(Reject::OfAnotherVenue, id, own.0) };
        }
        let spec = usize::from(venue.0).checked_sub(1).and_then(|at| self.venues.get(at));
        if spec.is_some_and(|spec| spec.simulated) {
            return refused(Reject::NotListed, id, venue.0);
        }
        match spec.and_then(|spec| spec.lists.as_ref()) {
            Some(lists) if lists.binary_search(&id).is_err() => refused(Reject::NotListed, id, venue.0),
            _ => Ok(()),
        }
    }

    /// Whoever sends it: the whole share goes to the account that the specification names.
    pub(crate) fn collect_fees(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let (asset, market) = (command.asset(), command.order_id);
        if asset.0 == 0 || asset.index() >= self.assets.len() {
            return refused(Reject::UnknownAsset, asset.0, self.assets.len() as i128);
        }
        let (payer, payee) = self.share_of(command.side == MarketKind::Venue.code(), market)?;
        let payee = AccountId(payee);
        let stands = payee.0 != 0 && payee.index() < self.accounts.len();
        if !stands || self.is_isolated(payee) || self.is_simulated(payee) {
            return refused(Reject::NobodyToPay, market, payee.0);
        }
        let amount = self.ledger.house(payer, asset);
        if amount == Amount::ZERO {
            return refused(Reject::NothingToCollect, market, asset.0);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        let to = Party::User(payee);
        let result = self.ledger.post(payer, to, asset, amount, Reason::FeesCollected, step.sequence);
        self.money(step.sequence, result);
        self.asset_moved(payee, asset);
        self.look_at_debt(payee);
        self.tell_collected(step, command, payee, asset, amount);
        Ok(())
    }

    fn tell_collected(
        &self,
        step: &mut Step,
        command: &CommandRecord,
        payee: AccountId,
        asset: AssetId,
        amount: Amount,
    ) {
        let total = self.ledger.balance(payee, asset).total;
        let event = step.push(EventKind::FeesCollected);
        event.side = command.side;
        event.account = payee.0;
        event.instrument = asset.0;
        event.order_id = command.order_id;
        event.amount = wide(amount);
        event.counter_amount = wide(total);
    }

    /// The house account of a venue or of an instrument's deployer, and the account that it is for.
    fn share_of(&self, is_venue: bool, market: u64) -> Result<(Party, u32), Refused> {
        let at = usize::try_from(market).ok().and_then(|market| market.checked_sub(1));
        if is_venue {
            let Some(spec) = at.and_then(|at| self.venues.get(at)) else {
                return refused(Reject::UnknownVenue, market, self.venues.len() as i128);
            };
            return Ok((Party::Venue(VenueId(market as u16)), spec.fees_to));
        }
        let Some(instrument) = at.and_then(|at| self.instruments.get(at)) else {
            return refused(Reject::UnknownInstrument, market, self.instruments.len() as i128);
        };
        Ok((Party::Deployer(InstrumentId(market as u32)), self.terms_of(instrument).fees_to))
    }

    fn terms_of<'a>(&'a self, instrument: &'a Instrument) -> &'a InstrumentTerms {
        match (&instrument.spec, instrument.question()) {
            (Some(spec), _) => &spec.terms,
            (None, Some(question)) => &self.questions[question.index()].spec.terms,
            (None, None) => unreachable!("every instrument has a specification or a question"),
        }
    }
}
