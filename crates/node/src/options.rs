//! How an exchange is opened, and where its time comes from.

use crate::machine::Failpoint;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use xos_protocol::{CommandRecord, Limits};

/// The largest body of a deployment, bytes; less where a segment has less room.
pub const DEPLOY_BYTES_MAX: u64 = 1 << 20;

/// A source of time: nanoseconds since 1970 UTC. It may jump; the log's time only goes forward.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        })
    }

    /// A clock of one's own, for simulations and tests.
    pub fn new(now_ns: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_ns))
    }

    /// What it shows now.
    pub fn now_ns(&self) -> u64 {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// How to open an exchange on a disk.
#[derive(Clone, Debug)]
pub struct Options {
    /// The declared limits. A new log begins with them; an existing log must have been begun with the same
    /// ones. `None`: those of the log, and the defaults for a new one.
    pub limits: Option<Limits>,
    /// Size of new segments of the log, a multiple of 512. A segment holds at least one whole frame, so the
    /// least is about `frame_commands_max` times 96 bytes.
    pub segment_bytes: u64,
    /// Take a snapshot by itself each time this many commands have been executed. `None`: only when asked.
    pub snapshot_every_commands: Option<u64>,
    /// How many snapshots to keep, at least 1. Two, so that a bad one has a substitute.
    pub snapshots_kept: usize,
    /// Whether `submit` and `deploy` return only when the log is on the disk (`fdatasync`). Without it, what
    /// was answered survives the death of the process but not a power cut.
    pub durable: bool,
    /// Time of commands that bring none.
    pub clock: Clock,
    /// How many of the last events of the log, executed again by opening, are kept for [`crate::Exchange::take_replayed`].
    pub replayed_events_max: usize,
    /// Frames of at least this many commands are synced by a second thread while they execute; for smaller
    /// ones handing over costs more than it gains. `usize::MAX` uses no second thread at all.
    pub overlap_commands: usize,
    /// Whether opening says `restart` to an exchange of which an instrument has an oracle. Only tests that open a log
    /// to look at it leave it out.
    #[doc(hidden)]
    pub says_restart: bool,
    /// Makes the engine fail on purpose, for tests of what happens then. Leave it alone.
    #[doc(hidden)]
    pub failpoint: Option<Failpoint>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: None,
            segment_bytes: 64 << 20,
            snapshot_every_commands: None,
            snapshots_kept: 2,
            durable: true,
            clock: Clock::system(),
            replayed_events_max: 0,
            overlap_commands: 512,
            says_restart: true,
            failpoint: None,
        }
    }
}

/// Refuses limits with which no frame, or no full frame, could be logged: name, value, least and most.
pub(crate) fn check_limits(limits: &Limits, payload_bytes_most: u64) -> Result<(), (u64, u64)> {
    let most = payload_bytes_most / size_of::<CommandRecord>() as u64;
    let value = u64::from(limits.frame_commands_max);
    if value == 0 || value > most { Err((value, most)) } else { Ok(()) }
}
