//! Where the exchange stands when the fault comes, and what it is doing.

use xos_sim::disk::{Fault, Operation};

use crate::world::Step;

/// What was done before, and what is done then.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) before: Vec<Step>,
    pub(crate) script: Vec<Step>,
    /// Frames from this size on are synced by a second thread.
    pub(crate) overlap: usize,
}

fn scene(name: &'static str, before: &[Step], script: &[Step]) -> Scene {
    Scene { name, before: before.to_vec(), script: script.to_vec(), overlap: usize::MAX }
}

pub(crate) fn scenes() -> Vec<Scene> {
    use Step::{Close, Market, Open, Snapshot, Submit};
    // The first two leave a segment without room for a third frame of eight.
    let boundary = [Open, Market, Submit(8), Submit(8), Submit(8)];
    let grown = [Open, Market, Submit(8), Submit(3), Snapshot, Submit(5), Submit(8), Snapshot, Submit(1)];
    vec![
        scene("empty", &[], &[Open, Market, Submit(3), Submit(1)]),
        scene("one record", &[Open], &[Market, Submit(1), Submit(12)]),
        scene(
            "mid",
            &[Open, Market, Submit(5), Submit(8), Submit(1)],
            &[Submit(4), Submit(1), Close, Open, Submit(2)],
        ),
        scene("segment boundary", &boundary, &[Submit(8), Submit(7), Submit(20), Submit(1)]),
        scene("during snapshot", &grown, &[Submit(2), Snapshot, Submit(3)]),
        Scene {
            overlap: 1,
            ..scene("second thread", &[Open, Market, Submit(8)], &[Submit(3), Snapshot, Submit(8), Submit(1)])
        },
    ]
}

/// One call of many frames, synced while the next ones execute.
pub(crate) fn overlapping() -> Scene {
    use Step::{Market, Open, Submit};
    Scene { overlap: 1, ..scene("overlapping", &[Open, Market, Submit(3)], &[Submit(20), Submit(30)]) }
}

/// The journal's own matrix tears writes at every eight bytes of a frame's header. Here the beginning, each
/// sector and the end do: what lies between differs for the journal only.
pub(crate) fn wanted(operation: &Operation, fault: Fault) -> bool {
    let (Fault::StopAfter(bytes) | Fault::ShortWrite(bytes)) = fault else { return true };
    let sector_end = (operation.offset as usize + bytes).is_multiple_of(512);
    sector_end || bytes == 1 || bytes == 80 || bytes + 1 == operation.bytes
}
