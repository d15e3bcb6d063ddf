//! The engine against the naive engine, after every frame of seeded chaos: the same events, the same state hash.

use xos_engine::Engine;
use xos_sim::coverage::Coverage;
use xos_sim::differential::run_chaos;
use xos_sim::naive::NaiveEngine;

const FRAMES: usize = 900;

fn seeds() -> std::ops::Range<u64> {
    let read = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = read("XOS_SEED").unwrap_or(0);
    let long = std::env::var_os("XOS_LONG").is_some();
    first..first + read("XOS_SEEDS").unwrap_or(if long { 2_000 } else { 320 })
}

#[test]
fn the_two_engines_agree_after_every_frame() {
    let mut coverage = Coverage::default();
    let seeds = seeds();
    for seed in seeds.clone() {
        match run_chaos(seed, FRAMES, NaiveEngine::new, Engine::new) {
            Ok(covered) => coverage.add(&covered),
            Err(report) => panic!("{report}"),
        }
    }
    println!("seeds {seeds:?}: {coverage:#?}");
    if seeds.end - seeds.start >= 320 {
        coverage.judge().unwrap_or_else(|unreached| panic!("{unreached}"));
    }
}
