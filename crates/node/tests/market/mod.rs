//! A small market for the tests of this folder.

use xos_node::bench::Mix;
use xos_node::{Clock, Exchange, Options};
use xos_protocol::{EventRecord, Limits};

pub(crate) const TIME: u64 = 1_700_000_000_000_000_000;

/// Frames of at most 64 commands, segments of 64 KiB, a clock that stands still.
pub(crate) fn options() -> Options {
    let limits = Limits { frame_commands_max: 64, ..Limits::default() };
    Options {
        limits: Some(limits),
        segment_bytes: 64 << 10,
        clock: Clock::new(|| TIME),
        ..Options::default()
    }
}

/// A mix that counts the genesis as the first command.
pub(crate) fn mix() -> Mix {
    Mix::new(7, 20).starting_at(2)
}

/// Makes the market where there is none, then submits so many commands in batches of 50; returns all events.
pub(crate) fn trade(exchange: &mut Exchange, mix: &mut Mix, commands: usize) -> Vec<EventRecord> {
    let mut events = Vec::new();
    if exchange.engine().sequence() <= 1 {
        for body in mix.deployments() {
            exchange.deploy(&body, None, &mut events).unwrap();
        }
        exchange.submit(&mix.setup(), None, &mut events).unwrap();
    }
    for batch in mix.commands(commands).chunks(50) {
        exchange.submit(batch, None, &mut events).unwrap();
    }
    events
}
