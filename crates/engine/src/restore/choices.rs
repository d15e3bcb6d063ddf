//! What an account chose, and whether it is isolated.

use super::source::{Read, Source};
use crate::account::Isolated;
use crate::engine::Engine;
use xos_units::{AccountId, InstrumentId};

impl Engine {
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
        Ok(())
    }
}
