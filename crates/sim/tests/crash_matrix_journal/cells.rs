//! The axes of the matrix: where the journal stands, what it is doing, what goes wrong.

pub(crate) use xos_sim::disk::axes::{Damage, damages, faults, losses};

use crate::world::{SEGMENT_BYTES, Step};

/// Where the journal stands when the fault comes: what was done before, and what it does then.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) before: Vec<Step>,
    pub(crate) script: Vec<Step>,
}

/// Appends of less and more than a sector, before, during and after a sync; the last stays unsynced.
fn commits() -> Vec<Step> {
    use Step::{Append, BeginSync, FinishSync, RunSync, Sync};
    vec![
        Append(20),
        Append(600),
        BeginSync,
        Append(40),
        RunSync,
        FinishSync,
        Append(500),
        Append(33),
        Sync,
        Append(96),
    ]
}

fn snapshot() -> Vec<Step> {
    use Step::{BeginSnapshot, CompleteSnapshot, FinishSnapshot, Sync, WriteSnapshot};
    vec![Sync, BeginSnapshot, WriteSnapshot(700), CompleteSnapshot, FinishSnapshot]
}

pub(crate) fn scenes() -> Vec<Scene> {
    use Step::{
        Append, BeginSnapshot, Close, CompleteSnapshot, FinishSnapshot, Open, RemoveSegments, Spare, Sync,
        WriteSnapshot,
    };
    // Leaves fewer bytes in the segment than the smallest frame takes.
    let nearly_full = SEGMENT_BYTES as usize - 128 - 80 - 48;
    let during = [
        Append(30),
        Sync,
        BeginSnapshot,
        WriteSnapshot(700),
        Append(600),
        Append(40),
        CompleteSnapshot,
        Sync,
        FinishSnapshot,
        Append(20),
    ];
    vec![
        Scene { name: "empty", before: vec![], script: [vec![Open], commits()].concat() },
        Scene { name: "one record", before: vec![Open, Append(96), Sync], script: commits() },
        Scene {
            name: "mid",
            before: vec![Open, Append(96), Sync, Append(300), Append(20), Sync, Append(50)],
            script: [commits(), vec![Close, Open, Append(20), Sync]].concat(),
        },
        Scene {
            name: "segment boundary",
            before: vec![Open, Append(nearly_full), Sync],
            script: [commits(), vec![Append(1000), Append(1000), Sync]].concat(),
        },
        Scene {
            name: "segment boundary, unsynced, pre-allocated",
            before: vec![Open, Append(30), Sync, Append(nearly_full - 160)],
            script: [vec![Spare], commits()].concat(),
        },
        Scene {
            name: "during snapshot",
            before: [vec![Open, Append(300)], snapshot(), vec![Append(500)], snapshot()].concat(),
            script: [during.to_vec(), commits()].concat(),
        },
        Scene {
            name: "removing segments",
            before: [vec![Open], vec![Append(1000); 5], snapshot(), vec![Append(1500), Sync], snapshot()]
                .concat(),
            script: [vec![RemoveSegments], commits()].concat(),
        },
    ]
}
