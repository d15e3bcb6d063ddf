//! Every incident passes with its defence and fails without it.

use xos_incidents::{INCIDENTS, outcome};

#[test]
fn every_defence_holds_and_is_needed() {
    let mut unproven = Vec::new();
    for incident in INCIDENTS {
        let outcome = outcome(incident);
        if !outcome.is_proven() {
            unproven.push(format!(
                "{} ({}): with its defence: {:?}; without: {:?}",
                outcome.number, outcome.defence, outcome.harm_defended, outcome.harm_undefended
            ));
        }
    }
    assert!(unproven.is_empty(), "{}", unproven.join("\n"));
}

#[test]
fn every_switch_is_used() {
    let used = |defence| INCIDENTS.iter().any(|incident| incident.defence == defence);
    let unused: Vec<_> = xos_engine::Defence::ALL.iter().filter(|defence| !used(**defence)).collect();
    assert!(unused.is_empty(), "no scenario switches off {unused:?}");
}
