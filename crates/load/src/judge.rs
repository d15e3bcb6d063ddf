//! The judgement of a run: the log read again, a plain book beside it, the money counted.

use crate::report::Check;
use std::path::Path;
use xos_node::{Exchange, FrameBody, Options, VerifyOptions, inspect, verify};
use xos_protocol::CommandKind;
use xos_sim::bench::ModelBooks;

/// What the log says.
pub(crate) struct Verdict {
    pub(crate) checks: Vec<Check>,
    pub(crate) frames: u64,
    pub(crate) commands: u64,
    pub(crate) orders: u64,
    pub(crate) trades: u64,
}

/// Reads the log in a folder and compares. `taken` commands were answered; `before` were there before the load.
pub(crate) fn judge(folder: &Path, before: u64, taken: u64) -> Result<Verdict, String> {
    let mut checks = Vec::new();
    let mut books = ModelBooks::default();
    let (mut frames, mut commands, mut of_node, mut end) = (0, 0, 0, before);
    for frame in inspect(folder, 1, u64::MAX).map_err(|error| error.to_string())? {
        let frame = frame.map_err(|error| error.to_string())?;
        if frame.first_sequence > before {
            frames += 1;
            commands += u64::from(frame.count);
            end = frame.first_sequence + u64::from(frame.count) - 1;
        }
        if let FrameBody::Commands(records) = &frame.body {
            for (at, command) in records.iter().enumerate() {
                let sequence = frame.first_sequence + at as u64;
                of_node += u64::from(sequence > before && command.kind == CommandKind::Tick.code());
                books.apply(sequence, command);
            }
        }
    }
    checks.push(Check::new(
        "accepted equals logged",
        taken + of_node == commands,
        format!("{taken} answered, {of_node} ticks, {commands} in the log"),
    ));
    let verified = verify(folder, &mut |_, _| {}, &VerifyOptions { quick: true, ..Default::default() });
    match verified {
        Ok(report) => {
            let sums: Vec<_> = report.conservation.iter().map(|line| line.sum.0).collect();
            checks.push(Check::new(
                "every asset adds up to zero",
                sums.iter().all(|sum| *sum == 0),
                format!("{sums:?}"),
            ));
            checks.push(Check::new(
                "chain, replay and full audit",
                report.end.sequence == end,
                format!(
                    "{} commands replayed, {} positions and stands",
                    report.commands, report.audit.stands
                ),
            ));
        }
        Err(error) => checks.push(Check::new("chain, replay and full audit", false, error.to_string())),
    }
    let options = Options { says_restart: false, ..Options::default() };
    let exchange = Exchange::open(folder, options).map_err(|error| error.to_string())?;
    let engine = exchange.engine();
    let difference = books.difference(engine);
    let orders = engine.orders_resting() as u64;
    let trades = engine.trades();
    checks.push(Check::new(
        "the books equal the naive replay's",
        difference.is_none(),
        difference.unwrap_or_else(|| format!("{orders} resting orders, one by one")),
    ));
    Ok(Verdict { checks, frames, commands, orders, trades })
}
