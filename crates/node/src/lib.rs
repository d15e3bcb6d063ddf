//! Sequencer, log adapters and the embedded exchange: the only crate with threads and a clock.
