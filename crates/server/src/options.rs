//! How a server is started.

/// Commands a second and how many at once; a rate of 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Commands a second.
    pub per_s: u32,
    /// Commands that may come at once after a pause.
    pub burst: u32,
}

/// The declared limits and times of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// Connections open at a time.
    pub connections_max: usize,
    /// Sessions of one key.
    pub sessions_per_key_max: usize,
    /// Instruments one session may subscribe to.
    pub subscriptions_max: usize,
    /// Bytes that may wait to be sent to one connection; past that it is cut.
    pub outbox_bytes_max: usize,
    /// Events kept for those who come back.
    pub events_kept: usize,
    /// Runs of taken commands kept for each session.
    pub taken_kept: usize,
    /// Commands of one frame at most, however many wait.
    pub frame_commands_max: usize,
    /// Commands of one session that are no cancels.
    pub session_rate: Rate,
    /// Cancels of one session. They are always admitted; past this the session is read again when it has waited for them.
    pub cancel_rate: Rate,
    /// Commands for one account.
    pub account_rate: Rate,
    /// Commands from one network address.
    pub address_rate: Rate,
    /// How often the server says that it is there, milliseconds.
    pub heartbeat_ms: u32,
    /// How long a connection may take to log on, milliseconds.
    pub logon_ms: u32,
    /// How often time passes in the log without another command, milliseconds; 0: never by itself.
    pub tick_ms: u32,
    /// How long a thread looks for work before it sleeps, microseconds.
    pub spin_us: u32,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            sessions_per_key_max: 16,
            subscriptions_max: 256,
            outbox_bytes_max: 64 << 20,
            events_kept: 1 << 20,
            taken_kept: 4_096,
            frame_commands_max: 16_384,
            session_rate: Rate { per_s: 50_000, burst: 50_000 },
            cancel_rate: Rate { per_s: 100_000, burst: 100_000 },
            account_rate: Rate { per_s: 10_000, burst: 10_000 },
            address_rate: Rate { per_s: 200_000, burst: 200_000 },
            heartbeat_ms: 1_000,
            logon_ms: 5_000,
            tick_ms: 1_000,
            spin_us: 0,
        }
    }
}
