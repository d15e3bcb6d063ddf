//! What an account chose, whether it is isolated, its credential, and countdowns.

use super::source::{Read, Source};
use crate::account::Isolated;
use crate::admission::{Credential, Profile, ProfileAt};
use crate::engine::Engine;
use xos_protocol::PROFILES_MAX;
use xos_units::{AccountId, InstrumentId, VenueId};

impl Engine {
    pub(super) fn read_underlyings(&mut self, source: &mut Source) -> Read<()> {
        for _ in 0..source.u32("underlyings")? {
            self.scenarios.push(source.spec("underlying")?);
        }
        Ok(())
    }

    /// The profile of a resting order: its classes are in the snapshot, its rule is the venue's.
    #[inline(always)]
    pub(super) fn read_profile(&mut self, source: &mut Source, venue: VenueId) -> Read<ProfileAt> {
        let classes = source.u32("classes of an order")?;
        if self.admission.dividing == 0 && classes == 0 {
            return Ok(0);
        }
        let profile = Profile { classes, rule: self.counterparty_of(venue) };
        if self.profiles.standing() >= PROFILES_MAX && !self.profiles.stands(&profile) {
            return source.malformed("classes of an order");
        }
        let known = self.profiles.look_up(profile);
        Ok(self.profiles.place_of(&known, venue))
    }

    pub(super) fn read_choices(&mut self, source: &mut Source, id: AccountId) -> Read<()> {
        for _ in 0..source.u32("leverages")? {
            let (instrument, leverage) = (InstrumentId(source.u32("instrument")?), source.u32("leverage")?);
            if instrument.index() >= self.instruments.len() || leverage == 0 {
                return source.malformed("leverage");
            }
            self.choose_leverage(id, instrument, Some(leverage));
        }
        let parent = AccountId(source.u32("parent")?);
        if parent.0 != 0 {
            let instrument = InstrumentId(source.u32("isolated instrument")?);
            if !self.isolate(id, Isolated { parent, instrument }) {
                return source.malformed("isolated account");
            }
        }
        match source.array("credential")? {
            [0] => {}
            [1] => {
                self.accounts[id.index()].classes = source.u32("classes")?;
                let credential = Credential {
                    ends_ns: source.u64("end of a credential")?,
                    issued_ns: source.u64("issue of a credential")?,
                    hash: source.array("hash of a credential")?,
                };
                self.admission.set(id, credential);
            }
            _ => return source.malformed("credential"),
        }
        let is_scenario = source.word(|code| (code <= 1).then_some(code == 1), "margin mode")?;
        self.choose_margin_mode(id, is_scenario);
        Ok(())
    }

    pub(super) fn read_countdowns(&mut self, source: &mut Source) -> Read<()> {
        for _ in 0..source.count(12, "countdowns")? {
            let account = AccountId(source.u32("account")?);
            if account.index() >= self.accounts.len() {
                return source.malformed("account");
            }
            let deadline_ns = source.u64("deadline")?;
            self.countdowns.set(account, Some(deadline_ns));
        }
        Ok(())
    }
}
