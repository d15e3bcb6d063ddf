//! Prints the incident list with both results of each; with `--json` for machines. Exit code 1 if one is not proven.

use std::process::ExitCode;
use xos_incidents::{INCIDENTS, Outcome, outcome};

fn main() -> ExitCode {
    // A scenario without its defence may stop the engine; that is a result, not a message.
    std::panic::set_hook(Box::new(|_| {}));
    let outcomes: Vec<Outcome> = INCIDENTS.iter().map(outcome).collect();
    if std::env::args().any(|word| word == "--json") {
        println!("{}", serde_json::to_string_pretty(&outcomes).expect("texts always serialise"));
    } else {
        for outcome in &outcomes {
            let verdict = if outcome.is_proven() { "ok  " } else { "FAIL" };
            println!("{verdict} {:<4}{}", outcome.number, outcome.what);
            println!("         defence: {} ({})", outcome.how, outcome.defence);
            println!("         with it: {}", outcome.harm_defended.as_deref().unwrap_or("no harm"));
            println!("         without: {}", outcome.harm_undefended.as_deref().unwrap_or("no harm"));
        }
    }
    if outcomes.iter().all(Outcome::is_proven) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
