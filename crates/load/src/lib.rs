//! Load on a server, over sockets: open loop, each latency from the time at which a command was *due* to be sent, so
//! that a stall is paid by everybody who had to wait for it. A run that does not end in the right state has no speed.
//!
//! In the same run stand the bounds of the machine: the disk's own write and sync, the loopback's own echo.
#![warn(missing_docs)]

mod bounds;
mod judge;
mod lanes;
mod latency;
mod processor;
mod readers;
mod remote;
mod report;
mod run;
mod traffic;

pub use bounds::{Bounds, Percentiles};
pub use remote::{RemoteReport, load, prepare};
pub use report::{Check, LoadReport};
pub use run::{LoadError, LoadOptions, run};
pub use traffic::Traffic;
