//! Runs the engine under load and prints the report as JSON:
//! `engine_bench FILE PREFILL [TRADES,LOTS,NOTIONAL,RESTING]` for a command file,
//! `engine_bench steady|many|cross|implied|storm|eligible|thirds SEED ACCOUNTS RESTING COMMANDS` for a seeded workload.
//! With XOS_BENCH_FAST set the second pass, which times each kind of command, is left out.

use std::path::Path;
use xos_sim::bench::{CommandFile, Run, run};
use xos_sim::workload::MarketShape;

const USAGE: &str = "engine_bench FILE PREFILL [TRADES,LOTS,NOTIONAL,RESTING] | steady|many|cross|implied|storm SEED ACCOUNTS RESTING COMMANDS";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let prepared = match words.as_slice() {
        [
            name @ ("steady" | "many" | "cross" | "implied" | "storm" | "venue" | "eligible" | "thirds"),
            seed,
            accounts,
            resting,
            commands,
        ] => {
            let shape = MarketShape {
                seed: seed.parse()?,
                accounts: accounts.parse()?,
                resting: resting.parse()?,
                commands: commands.parse()?,
            };
            Run::named(name, shape).expect("named above")
        }
        [file, prefill] => CommandFile::read(Path::new(file))?.into_run(prefill.parse()?, None)?,
        [file, prefill, totals] => {
            let totals: Vec<i128> = totals.split(',').map(str::parse).collect::<Result<_, _>>()?;
            let totals = <[i128; 4]>::try_from(totals).map_err(|_| USAGE)?;
            CommandFile::read(Path::new(file))?.into_run(prefill.parse()?, Some(totals))?
        }
        _ => return Err(USAGE.into()),
    };
    let report = run(&prepared, std::env::var_os("XOS_BENCH_FAST").is_none())?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    if report.passed { Ok(()) } else { Err("a closing check failed".into()) }
}
