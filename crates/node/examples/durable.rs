//! Measures the durable exchange in new folders inside the one given, and prints medians of several runs:
//!
//! `cargo run --release -p xos-node --example durable -- <folder> [runs] [accounts of the restart]`

use std::error::Error;
use std::path::{Path, PathBuf};
use xos_node::Options;
use xos_node::bench::{
    LatencyReport, Mix, durable_latency, durable_replay, durable_restart, durable_throughput_with,
};

fn in_fresh<T, E: Error + 'static>(
    root: &Path,
    measure: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, Box<dyn Error>> {
    let path = root.join("durable");
    std::fs::create_dir(&path)?;
    let report = measure(&path)?;
    std::fs::remove_dir_all(path)?;
    Ok(report)
}

fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

fn throughput(
    root: &Path,
    runs: usize,
    batch: usize,
    commands: usize,
    ids: bool,
) -> Result<(), Box<dyn Error>> {
    let ways =
        [("two threads", 1, true), ("one thread", usize::MAX, true), ("not synced", usize::MAX, false)];
    let mut rates = vec![Vec::new(); ways.len()];
    for _ in 0..runs {
        for (rates, (_, overlap_commands, durable)) in rates.iter_mut().zip(ways) {
            let mix = Mix::new(1, 1_000);
            let mix = if ids { mix } else { mix.without_client_ids() };
            let options = Options { overlap_commands, durable, ..Options::default() };
            let report = in_fresh(root, |path| durable_throughput_with(path, commands, batch, mix, options))?;
            rates.push(report.commands_per_s());
        }
    }
    for (rates, (way, ..)) in rates.into_iter().zip(ways) {
        let (best, ids) =
            (rates.iter().max().copied().unwrap_or(0), if ids { "client ids" } else { "no client ids" });
        println!(
            "batches of {batch}, {ids}, {way}: median {} commands per second, best {best}",
            median(rates)
        );
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let root = PathBuf::from(words.next().ok_or("usage: durable <folder> [runs] [accounts]")?);
    let runs: usize = words.next().map_or(Ok(5), |word| word.parse())?;
    let accounts: u32 = words.next().map_or(Ok(0), |word| word.parse())?;
    for ids in [false, true].into_iter().filter(|_| runs > 0) {
        for (batch, commands) in [(65_536, 1_000_000), (4_096, 500_000), (512, 200_000), (64, 60_000)] {
            throughput(&root, runs, batch, commands, ids)?;
        }
    }
    let mut latencies: Vec<LatencyReport> = Vec::new();
    for _ in 0..runs {
        latencies.push(in_fresh(&root, |path| durable_latency(path, 2_000))?);
    }
    latencies.sort_by_key(|report| report.p50_ns * 1_000 / report.raw_p50_ns);
    if let Some(median) = latencies.get(runs / 2) {
        println!("median of {runs} by ratio: {median}");
    }
    for (batch, commands) in [(4_096, 1_000_000), (512, 1_000_000), (64, 500_000), (1, 100_000)] {
        println!("{}", in_fresh(&root, |path| durable_replay(path, commands, batch, 1_000, runs.max(1)))?);
    }
    if accounts > 0 {
        println!("{}", in_fresh(&root, |path| durable_restart(path, accounts, accounts))?);
    }
    Ok(())
}
