//! A load on a server, without Python: `wire FOLDER RATE SECONDS CONNECTIONS [w2.bin PREFILL]`.
//! XOS_SPIN_US, XOS_SUBSCRIBERS and XOS_DURABLE=0 set the server.

use std::path::{Path, PathBuf};
use xos_load::{LoadOptions, Traffic, run};
use xos_server::ServerOptions;
use xos_sim::bench::{CommandFile, Run};
use xos_sim::workload::MarketShape;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |text| text.parse::<u64>());
    let (rate_per_s, seconds, connections) = (number(1, 100_000)?, number(2, 5)?, number(3, 8)? as usize);
    let workload = match args.get(4) {
        Some(path) => CommandFile::read(Path::new(path))?.into_run(number(5, 2_000)? as usize, None)?,
        None => {
            let shape = MarketShape { seed: 1, accounts: 1_000, resting: 2_000, commands: 3_000_000 };
            Run::named("steady", shape).ok_or("no such workload")?
        }
    };
    let set = |name: &str, default: u32| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let options = LoadOptions {
        folder: PathBuf::from(args.first().ok_or("a folder for the log")?),
        rate_per_s,
        seconds,
        connections,
        durable: set("XOS_DURABLE", 1) != 0,
        subscribers: set("XOS_SUBSCRIBERS", 0) as usize,
        server: ServerOptions { spin_us: set("XOS_SPIN_US", 0), ..ServerOptions::default() },
    };
    let report = run(&Traffic::of(workload, connections), &options)?;
    println!("{report}");
    if report.passed() { Ok(()) } else { Err("a closing check failed".into()) }
}
