//! The leverage that an account chooses on a perpetual.

use crate::account::Class;
use crate::engine::Engine;
use crate::scenario::{Hypothesis, Kind};
use crate::step::{Refused, Step, refused};
use xos_protocol::{CommandRecord, EventKind, EventRecord, Reject};
use xos_risk::worst_side;
use xos_units::{AccountId, InstrumentId, Qty};

impl Engine {
    pub(crate) fn set_leverage(&mut self, step: &mut Step, command: &CommandRecord) -> Result<(), Refused> {
        let account = self.known_account(command)?;
        let id = command.instrument();
        let Some(instrument) = self.instruments.get(id.index()) else {
            return refused(Reject::UnknownInstrument, command.instrument, self.instruments.len() as i128);
        };
        if instrument.class() != Class::Perpetual {
            return refused(Reject::NotAPerpetual, command.instrument, 0);
        }
        let stand = self.accounts[account.index()].stand(instrument.key);
        let worst = stand.map_or(Qty::ZERO, |stand| worst_side(stand.lots, stand.buys, stand.sells));
        let most = instrument.leverage_max(worst);
        if !(0..=i64::from(most)).contains(&command.qty) {
            return refused(Reject::LeverageOutOfBounds, command.qty, most);
        }
        let leverage = (command.qty != 0).then_some(command.qty as u32);
        let before = self.accounts[account.index()].leverage(id);
        let count = self.accounts[account.index()].leverages.as_ref().map_or(0, |chosen| chosen.len());
        let limit = self.limits.perpetuals_per_account_max;
        if leverage.is_some() && before.is_none() && count >= limit as usize {
            return refused(Reject::AccountInstrumentsLimit, count as i128, limit);
        }
        let mut margin = self.margin(account);
        let headroom = margin.headroom();
        margin.initial += instrument.initial_of(worst, leverage) - instrument.initial_of(worst, before);
        if self.is_scenario(account) {
            let after = Hypothesis { leverage: Some((id, leverage)), ..Hypothesis::default() };
            let relief = |hypothesis| self.relief(account, Kind::Initial, hypothesis);
            margin.initial -= relief(after) - relief(Hypothesis::default());
        }
        if margin.headroom() < xos_units::Amount::ZERO && margin.headroom() < headroom {
            return refused(Reject::InsufficientMargin, -margin.headroom().0, headroom.0);
        }
        // ---- Everything is checked. Below this line nothing fails. ----
        self.choose_leverage(account, id, leverage);
        step.emit(EventRecord {
            kind: EventKind::LeverageSet.code(),
            account: command.account,
            instrument: command.instrument,
            qty: command.qty,
            ..Default::default()
        });
        Ok(())
    }

    /// Keeps a choice, or forgets it.
    pub(crate) fn choose_leverage(&mut self, id: AccountId, instrument: InstrumentId, leverage: Option<u32>) {
        let chosen = &mut self.accounts[id.index()].leverages;
        let all = chosen.get_or_insert_default();
        all.retain(|(other, _)| *other != instrument);
        if let Some(leverage) = leverage {
            let at = all.partition_point(|(other, _)| *other < instrument);
            all.insert(at, (instrument, leverage));
        }
        if all.is_empty() {
            *chosen = None;
        }
    }
}
