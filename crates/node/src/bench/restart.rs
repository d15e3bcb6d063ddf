//! How long a large exchange takes to write its snapshot and to come back from it.

use super::{BenchError, Mix};
use crate::exchange::Exchange;
use crate::options::Options;
use crate::replay::elapsed_ns;
use std::fmt;
use std::path::Path;
use std::time::Instant;
use xos_protocol::{CommandKind, CommandRecord};

/// Commands of one frame while the state is built.
const FRAME: usize = 65_536;
/// Commands after the snapshot, the tail that opening replays.
const TAIL: usize = 100_000;

/// A restart, measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartReport {
    /// Accounts, each with money.
    pub accounts: u64,
    /// Resting orders.
    pub orders: u64,
    /// Commands behind the snapshot.
    pub tail: u64,
    /// Size of the snapshot.
    pub snapshot_bytes: u64,
    /// How long the exchange stood still to write it, the audit before it included.
    pub snapshot_ns: u64,
    /// How long that audit alone takes.
    pub audit_ns: u64,
    /// How long opening took: the snapshot, its proof, the tail.
    pub open_ns: u64,
}

impl fmt::Display for RestartReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} accounts, {} resting orders: snapshot of {} bytes in {} ms, {} ms of it the audit; opened with a \
             tail of {} commands in {} ms",
            self.accounts,
            self.orders,
            self.snapshot_bytes,
            self.snapshot_ns / 1_000_000,
            self.audit_ns / 1_000_000,
            self.tail,
            self.open_ns / 1_000_000
        )
    }
}

/// Builds an exchange of this size in a new directory, takes a snapshot, goes on a little, and opens it again.
pub fn durable_restart(path: &Path, accounts: u32, orders: u32) -> Result<RestartReport, BenchError> {
    let options = Options { durable: false, ..Options::default() };
    let mut exchange = Exchange::open(path, options.clone())?;
    let mut mix = Mix::new(1, accounts);
    let mut events = Vec::new();
    for body in mix.deployments() {
        exchange.deploy(&body, None, &mut events)?;
    }
    drop(events);
    submit_all(&mut exchange, &mix.setup())?;
    let resting: Vec<_> = (0..orders).map(|number| resting_order(number, accounts)).collect();
    submit_all(&mut exchange, &resting)?;
    if exchange.engine().orders_resting() != orders as usize {
        let found = exchange.engine().orders_resting();
        return Err(BenchError::Wrong(format!("{found} orders rest, {orders} were placed")));
    }
    let begun = Instant::now();
    exchange.engine().audit().map_err(BenchError::Unsound)?;
    let audit_ns = elapsed_ns(begun);
    let begun = Instant::now();
    let info = exchange.snapshot()?;
    let snapshot_ns = elapsed_ns(begun);
    let ticks = vec![CommandRecord { kind: CommandKind::Tick.code(), ..Default::default() }; TAIL];
    submit_all(&mut exchange, &ticks)?;
    let hash = exchange.engine().state_hash();
    exchange.close()?;
    let begun = Instant::now();
    let again = Exchange::open(path, options)?;
    let open_ns = elapsed_ns(begun);
    let recovered = again.recovery().and_then(|recovery| recovery.snapshot_sequence);
    if again.engine().state_hash() != hash || recovered != Some(info.at.sequence) {
        return Err(BenchError::Wrong(format!("{} opens to another state", path.display())));
    }
    again.engine().audit().map_err(BenchError::Unsound)?;
    Ok(RestartReport {
        accounts: u64::from(accounts),
        orders: u64::from(orders),
        tail: TAIL as u64,
        snapshot_bytes: info.body_bytes,
        snapshot_ns,
        audit_ns,
        open_ns,
    })
}

fn submit_all(exchange: &mut Exchange, commands: &[CommandRecord]) -> Result<(), BenchError> {
    let mut events = Vec::new();
    for frame in commands.chunks(FRAME) {
        events.clear();
        exchange.submit(frame, None, &mut events)?;
    }
    Ok(())
}

/// Buys below 40,000 ticks, sells above 60,000: nothing meets.
fn resting_order(number: u32, accounts: u32) -> CommandRecord {
    let (side, step) = (number % 2, i64::from(number / 2 % 20_000));
    let price = if side == 0 { 40_000 - step } else { 60_000 + step };
    CommandRecord {
        kind: CommandKind::Place.code(),
        side: side as u8,
        account: 1 + number % accounts,
        instrument: 1,
        price,
        qty: 1 + i64::from(number % 7),
        client_id: Mix::client_id(u64::from(number) + 1),
        ..Default::default()
    }
}
