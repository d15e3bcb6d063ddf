//! The exchange behind the bindings.

use crate::fault::Fault;
use std::time::{SystemTime, UNIX_EPOCH};
use xos_engine::{Engine, FrameHeader};
use xos_protocol::{CommandRecord, EventRecord};

/// An exchange in memory.
pub(crate) struct Backend {
    engine: Engine,
}

impl Backend {
    pub(crate) fn in_memory() -> Self {
        Self { engine: Engine::new() }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    fn header(&self, time_ns: Option<u64>) -> FrameHeader {
        let time_ns = time_ns.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(now.as_nanos()).unwrap_or(u64::MAX).max(self.engine.time_ns())
        });
        FrameHeader { first_sequence: self.engine.sequence() + 1, time_ns }
    }

    pub(crate) fn submit(
        &mut self,
        commands: &[CommandRecord],
        time_ns: Option<u64>,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Fault> {
        Ok(self.engine.apply_records(self.header(time_ns), commands, events)?)
    }

    pub(crate) fn deploy(
        &mut self,
        body: &[u8],
        time_ns: Option<u64>,
        events: &mut Vec<EventRecord>,
    ) -> Result<(), Fault> {
        Ok(self.engine.apply_deploy(self.header(time_ns), body, events)?)
    }

    pub(crate) fn snapshot(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    pub(crate) fn close(self) -> Result<(), Fault> {
        Ok(())
    }
}
