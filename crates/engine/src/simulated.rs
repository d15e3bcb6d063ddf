//! Section 27.6: simulated venues, whose accounts have money that is worth nothing and never meets any other.

use crate::deploy::check_bounds;
use crate::engine::Engine;
use crate::instrument::Instrument;
use crate::step::{Refused, refused};
use xos_ledger::{Party, SETTLEMENT};
use xos_protocol::Reject;
use xos_units::{AccountId, Amount, AssetId, InstrumentId, QuestionId, VenueId};

impl Engine {
    /// Whether the money of an account is worthless.
    pub fn is_simulated(&self, id: AccountId) -> bool {
        let simulated = &self.governance.state.simulated;
        !simulated.is_empty() && simulated.contains(&id.0)
    }

    /// Whether a venue's instruments are traded with worthless money.
    pub(crate) fn is_simulated_venue(&self, venue: VenueId) -> bool {
        usize::from(venue.0).checked_sub(1).is_some_and(|at| self.venues[at].simulated)
    }

    /// An account whose money is worthless stands; an isolated one is what its parent is.
    pub(crate) fn simulate(&mut self, id: AccountId, asked: bool) {
        let parent = self.accounts[id.index()].isolated.map(|isolated| isolated.parent);
        if asked || parent.is_some_and(|parent| self.is_simulated(parent)) {
            self.governance.state.simulated.insert(id.0);
            self.admission.restricts = true;
        }
    }

    /// What is not for accounts whose money is worthless.
    pub(crate) fn check_money_is_real(&self, id: AccountId) -> Result<(), Refused> {
        if self.is_simulated(id) { refused(Reject::MoneyIsSimulated, id.0, 0) } else { Ok(()) }
    }

    /// Both accounts have money of one kind.
    pub(crate) fn check_same_money(&self, id: AccountId, other: AccountId) -> Result<(), Refused> {
        match (self.is_simulated(id), self.is_simulated(other)) {
            (true, false) => refused(Reject::MoneyIsSimulated, id.0, other.0),
            (false, true) => refused(Reject::MoneyIsSimulated, other.0, id.0),
            _ => Ok(()),
        }
    }

    /// An instrument is traded with money of the account's kind.
    #[cold]
    pub(crate) fn check_money_kind(&self, id: AccountId, instrument: &Instrument) -> Result<(), Refused> {
        match (self.is_simulated(id), instrument.is_simulated) {
            (true, false) => refused(Reject::MoneyIsSimulated, id.0, 0),
            (false, true) => refused(Reject::InstrumentIsSimulated, instrument.id.0, instrument.own_venue.0),
            _ => Ok(()),
        }
    }

    /// The same of complete sets of a question.
    pub(crate) fn check_money_of_sets(&self, id: AccountId, question: QuestionId) -> Result<(), Refused> {
        let first = self.questions[question.index()].first;
        self.check_money_kind(id, &self.instruments[first.index()])
    }

    /// Field 148: nothing of a simulated instrument or question reaches beyond it.
    pub(crate) fn check_stays_apart(&self, venue: u16, reaches: usize) -> Result<(), Refused> {
        let most = if self.is_simulated_venue(VenueId(venue)) { 0 } else { i128::MAX };
        check_bounds(reaches as i128, 0..=most, 148)
    }

    /// Where money comes from that an account is credited with.
    pub(crate) fn source_of_money(&self, id: AccountId) -> Party {
        if self.is_simulated(id) { Party::Simulated } else { Party::External }
    }

    /// The insurance fund of an account; of simulated money there is none.
    pub(crate) fn fund_of(&self, id: AccountId) -> Party {
        if self.is_simulated(id) { Party::Simulated } else { Party::Insurance }
    }

    /// Who gets what rounding leaves of an instrument.
    pub(crate) fn rounding_of(&self, id: InstrumentId) -> Party {
        if self.instruments[id.index()].is_simulated { Party::Simulated } else { Party::Rounding }
    }

    /// Balance of a fund, as events tell it: of simulated money none.
    pub(crate) fn told_fund(&self, fund: Party) -> Amount {
        if fund == Party::Insurance { self.ledger.house(fund, SETTLEMENT) } else { Amount::ZERO }
    }

    /// What simulated accounts and the pools of simulated instruments have of an asset: what stands against it is the
    /// same below zero.
    pub(crate) fn simulated_money(&self, asset: AssetId) -> Amount {
        let accounts = self.governance.state.simulated.iter();
        let mut sum = accounts
            .map(|id| self.ledger.balance(AccountId(*id), asset).total)
            .fold(Amount::ZERO, |sum, total| sum + total);
        if asset == SETTLEMENT {
            for instrument in self.instruments.iter().filter(|instrument| instrument.is_simulated) {
                sum += self.ledger.house(Party::Clearing(instrument.id), SETTLEMENT);
            }
            for (at, question) in self.questions.iter().enumerate() {
                if self.instruments[question.first.index()].is_simulated {
                    sum += self.ledger.house(Party::Question(QuestionId::from_index(at)), SETTLEMENT);
                }
            }
        }
        sum
    }

    /// Invariant 34: simulated money and what stands against it add up to nothing, of every asset: none came from, or
    /// went to, where money is worth something.
    pub(crate) fn audit_simulated(&self) -> Result<(), String> {
        for asset in (0..self.assets.len()).map(AssetId::from_index) {
            let (found, against) = (self.simulated_money(asset), self.ledger.house(Party::Simulated, asset));
            if found + against != Amount::ZERO {
                return Err(format!(
                    "asset {asset}: {} simulated atoms against {}, which is no sum of nothing",
                    found.0, against.0
                ));
            }
        }
        for instrument in self.instruments.iter().filter(|instrument| instrument.is_simulated) {
            let held = self.ledger.house(Party::Deployer(instrument.id), instrument.quote());
            if held != Amount::ZERO {
                return Err(format!("the deployer of {} has {} simulated atoms", instrument.id, held.0));
            }
        }
        let stray = self.accounts.iter().enumerate().find_map(|(at, account)| {
            let id = AccountId::from_index(at);
            let strays = |instrument: &Instrument| self.check_money_kind(id, instrument).is_err();
            let stands = account.stands.iter();
            stands.map(|stand| &self.instruments[stand.key.instrument().index()]).find(|one| strays(one))
        });
        match stray {
            Some(instrument) => {
                Err(format!("an account stands in {} with money of another kind", instrument.id))
            }
            None => Ok(()),
        }
    }
}
