//! Chaos on the naive engine: its invariants after every command, what the workload reaches, and that the
//! differential harness catches a planted mistake.

use xos_protocol::{CommandRecord, EventKind, EventRecord, Int128};
use xos_sim::coverage::Coverage;
use xos_sim::differential::{AccountMargin, Machine, run_chaos};
use xos_sim::naive::{FrameError, NaiveEngine};

fn seeds() -> u64 {
    if std::env::var_os("XOS_LONG").is_some() { 2_000 } else { 320 }
}

/// The naive engine against itself: no panic, every invariant after every frame, the same bytes twice.
#[test]
fn chaos_keeps_the_invariants_and_reaches_everything() {
    let mut coverage = Coverage::default();
    for seed in 0..seeds() {
        match run_chaos(seed, 900, NaiveEngine::new, NaiveEngine::new) {
            Ok(covered) => coverage.add(&covered),
            Err(report) => panic!("{report}"),
        }
    }
    println!("{coverage:#?}");
    coverage.judge().unwrap_or_else(|unreached| panic!("{unreached}"));
}

/// An engine that tells one number of one kind of event wrongly.
struct Mistaken {
    inner: NaiveEngine,
    wrong: fn(&mut EventRecord),
}

impl Machine for Mistaken {
    fn apply_records(
        &mut self,
        first_sequence: u64,
        time_ns: u64,
        commands: &[CommandRecord],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        self.inner.apply_records(first_sequence, time_ns, commands, events)?;
        events.iter_mut().for_each(self.wrong);
        Ok(())
    }

    fn apply_deploy(
        &mut self,
        first_sequence: u64,
        time_ns: u64,
        body: &[u8],
        events: &mut Vec<EventRecord>,
    ) -> Result<(), FrameError> {
        self.inner.apply_deploy(first_sequence, time_ns, body, events)
    }

    fn state_bytes(&self) -> Vec<u8> {
        self.inner.state_bytes()
    }

    fn margins(&self) -> Vec<AccountMargin> {
        self.inner.margins()
    }

    fn state_hash(&self) -> [u8; 32] {
        self.inner.state_hash()
    }
}

#[test]
fn a_planted_mistake_is_caught_and_shrunk() {
    let wrong = |event: &mut EventRecord| {
        if event.kind() == Some(EventKind::PnlRealised) && event.amount.get() < 0 {
            event.amount = Int128::new(event.amount.get() - 1);
        }
    };
    let mistaken = || Mistaken { inner: NaiveEngine::new(), wrong };
    let report = (0..20)
        .find_map(|seed| run_chaos(seed, 700, NaiveEngine::new, mistaken).err())
        .expect("the mistake shows within twenty seeds");
    println!("{report}");
    assert!(report.shrunk.len() <= 30, "{report}");
    assert!(report.to_string().contains("left:  pnl_realised"));
}
