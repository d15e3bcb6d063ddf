//! Runs a command file through the engine and prints the report as JSON:
//! `engine_bench FILE PREFILL [expected trades,lots,notional,resting]`.

use std::path::Path;
use xos_sim::bench::{CommandFile, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, prefill, rest @ ..] = words.as_slice() else {
        return Err("engine_bench FILE PREFILL [TRADES,LOTS,NOTIONAL,RESTING]".into());
    };
    let expected = match rest.first() {
        None => None,
        Some(list) => {
            let numbers: Vec<i128> = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
            Some(<[i128; 4]>::try_from(numbers).map_err(|_| "four expected totals, separated by commas")?)
        }
    };
    let prepared = CommandFile::read(Path::new(file))?.into_run(prefill.parse()?, expected)?;
    let report = run(&prepared, std::env::var_os("XOS_BENCH_FAST").is_none())?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    if report.passed { Ok(()) } else { Err("a closing check failed".into()) }
}
