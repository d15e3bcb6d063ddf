//! Worlds of which a part is simulated: a venue whose instruments are traded with worthless money.

use super::Chaos;
use crate::rng::Rng;
use std::collections::BTreeSet;
use xos_protocol::{CommandKind, CommandRecord, DeployCommand, EventKind, EventRecord};

/// The venue whose money is worthless in such worlds.
const SIMULATED: u16 = 1;

/// The first venue becomes a simulated one, most instruments and questions its own; one in a while reaches beyond.
pub(super) fn set_apart(rng: &mut Rng, bodies: &mut [DeployCommand]) {
    let mut is_first = true;
    for body in bodies {
        match body {
            DeployCommand::Venue(spec) if is_first => {
                is_first = false;
                spec.simulated = true;
                spec.lists = if rng.one_in(20) { Some(vec![1]) } else { None };
                // Mostly it admits everybody, so that something is traded.
                if !rng.one_in(4) {
                    spec.admission = xos_protocol::ClassRule::NONE;
                }
            }
            DeployCommand::Instrument(spec) if rng.percent(60) => {
                spec.terms.venue = SIMULATED;
                if !rng.one_in(8) {
                    spec.collateral.clear();
                    spec.conversion_slippage_ppm = None;
                }
            }
            DeployCommand::Question(spec) if rng.percent(60) => {
                spec.terms.venue = SIMULATED;
                if !rng.one_in(8) {
                    spec.resolution = None;
                }
            }
            _ => {}
        }
    }
}

/// What of a world is simulated.
#[derive(Clone, Debug, Default)]
pub(super) struct Apart {
    pub(super) is_on: bool,
    pub(super) accounts: BTreeSet<u32>,
    pub(super) instruments: BTreeSet<u32>,
}

impl Chaos {
    /// A chaos with a simulated venue, mostly of simulated accounts.
    pub fn of_play(seed: u64) -> Self {
        Self::with(Rng::new(seed), false, true)
    }

    pub(super) fn observe_apart(&mut self, event: &EventRecord) {
        match event.kind() {
            Some(EventKind::AccountOpened) if event.side == 1 => {
                self.apart.accounts.insert(event.account);
            }
            Some(EventKind::InstrumentDeployed) => {
                let venue = match &self.pending {
                    Some(DeployCommand::Instrument(spec)) => spec.terms.venue,
                    Some(DeployCommand::Question(spec)) => spec.terms.venue,
                    _ => 0,
                };
                if self.apart.is_on && venue == SIMULATED {
                    self.apart.instruments.insert(event.instrument);
                }
            }
            _ => {}
        }
    }

    /// Orders find the venue, and accounts with the money of their instrument, more often than by chance.
    pub(super) fn go_apart(&mut self, record: &mut CommandRecord) {
        use CommandKind::{Place, PlaceBracket, PlaceTrigger, SplitSet};
        let is_order = matches!(record.kind(), Some(Place | PlaceTrigger | PlaceBracket));
        if !self.apart.is_on || !self.rng.percent(85) {
            return;
        }
        if is_order {
            let is_play = self.apart.instruments.contains(&record.instrument);
            if is_play {
                record.venue = SIMULATED;
            }
            self.pick_kind(record, is_play);
        } else if record.kind() == Some(SplitSet) {
            let first = self.outcomes_of(record.instrument).first().copied().unwrap_or(0);
            self.pick_kind(record, self.apart.instruments.contains(&first));
        }
    }

    fn pick_kind(&mut self, record: &mut CommandRecord, is_play: bool) {
        if self.apart.accounts.contains(&record.account) == is_play {
            return;
        }
        let fits = |account: &u32| self.apart.accounts.contains(account) == is_play;
        let fitting: Vec<u32> = (1..=self.live.accounts).filter(fits).collect();
        if !fitting.is_empty() {
            record.account = *self.rng.pick(&fitting);
        }
    }

    /// Whether the next account has worthless money.
    pub(super) fn opens_simulated(&mut self) -> u8 {
        u8::from(if self.apart.is_on { self.rng.percent(70) } else { self.rng.one_in(30) })
    }
}
