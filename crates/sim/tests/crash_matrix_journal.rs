//! The crash matrix of the journal: every operation of every scene, times every fault, times every
//! way to lose what was not synced. Nothing is sampled. Then the damages to the medium, each bit of
//! a small log, and the negative controls: with a defence switched off, the matrix must fail.

#[path = "crash_matrix_journal/cells.rs"]
mod cells;
#[path = "crash_matrix_journal/oracle.rs"]
mod oracle;
#[path = "crash_matrix_journal/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use xos_journal::Defences;
use xos_sim::disk::{Fault, Loss, Operation, Sectors, SimDisk};

use cells::{Damage, Scene};
use oracle::{Checked, Outcome};
use world::{Step, World};

/// The result of a part of the matrix.
#[derive(Default)]
struct Tally {
    cells: u64,
    /// Cells that led to different files and promises.
    distinct: u64,
    results: BTreeMap<(String, &'static str), u64>,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, fault: &str, name: impl FnOnce() -> String, result: Result<Outcome, String>) {
        self.cells += 1;
        let word = match result {
            Ok(Outcome::Whole) => "whole",
            Ok(Outcome::Prefix) => "prefix",
            Ok(Outcome::Refused) => "refused",
            Err(why) => {
                self.failures.push(format!("{}: {why}", name()));
                "FAILED"
            }
        };
        *self.results.entry((fault.to_string(), word)).or_default() += 1;
    }

    fn failed(&self) -> u64 {
        self.failures.len() as u64
    }

    fn report(&self, title: &str, begun: Instant) {
        println!("{title}: {} cells, {} ok", self.cells, self.cells - self.failed());
        println!("  {} distinct states in {:.1} s", self.distinct, begun.elapsed().as_secs_f64());
        for ((fault, word), count) in &self.results {
            println!("  {fault:<44} {word:<8} {count:>7}");
        }
        assert_eq!(self.failed(), 0, "{:#?}", &self.failures[..self.failures.len().min(20)]);
    }
}

/// Plays a scene with one fault and returns the world as it stands then.
fn play(scene: &Scene, defences: Defences, fault: Option<(u64, Fault)>) -> World {
    let mut world = World::new(defences);
    world.run(&scene.before);
    if let Some((number, fault)) = fault {
        world.disk.plan(world.disk.operation_count() + number, fault);
    }
    world.run(&scene.script);
    world
}

/// The operations of a scene's script, played without a fault.
fn operations(scene: &Scene) -> Vec<Operation> {
    let mut world = World::new(Defences::default());
    world.run(&scene.before);
    world.disk.record();
    world.run(&scene.script);
    assert!(world.complaints.is_empty() && world.acked > 0, "{:?}", world.complaints);
    world.disk.operations()
}

fn fault_word(fault: Fault, loss: Loss) -> String {
    let fault = match fault {
        Fault::Stop => "stop",
        Fault::StopAfter(_) => "torn write",
        Fault::ShortWrite(_) => "short write",
        Fault::Interrupted => "EINTR",
        Fault::Error(std::io::ErrorKind::StorageFull, _) => "ENOSPC",
        Fault::Error(..) => "EIO",
        Fault::SyncError(_) => "EIO on sync",
    };
    let loss = match loss {
        Loss::Process => "kill -9",
        Loss::Power(..) => "power loss",
    };
    format!("{fault}, {loss}")
}

/// Crashes: every operation, every fault, every loss. `nested` also crashes each recovery.
fn crashes(scenes: &[Scene], defences: Defences, nested: bool, tally: &mut Tally) {
    for scene in scenes {
        let operations = operations(scene);
        let mut checked = Checked::default();
        for (number, operation) in operations.iter().enumerate() {
            for fault in cells::faults(operation) {
                let mut world = play(scene, defences, Some((number as u64, fault)));
                if !defences.poison && !world.disk.stopped() {
                    world.retry_sync();
                }
                let name = |loss| format!("{}, {operation:?}, {fault:?}, {loss:?}", scene.name);
                for complaint in &world.complaints {
                    tally.add("the running journal", || name(Loss::Process), Err(complaint.clone()));
                }
                for loss in cells::losses(&world.disk) {
                    let disk = world.disk.fork();
                    disk.restart(loss);
                    let result = checked.recovery(&world, disk.fork());
                    tally.add(&fault_word(fault, loss), || name(loss), result);
                    if nested && checked.crashes_are_new(&world, &disk) {
                        match oracle::check_crashing_recovery(&world, &disk, &mut checked) {
                            Ok(count) => {
                                tally.cells += count;
                                *tally
                                    .results
                                    .entry(("a crash of the recovery".to_string(), "ok"))
                                    .or_default() += count;
                            }
                            Err(why) => tally.add("a crash of the recovery", || name(loss), Err(why)),
                        }
                    }
                }
            }
        }
        tally.distinct += checked.distinct();
    }
}

/// Damages to the medium, after kill -9 at every operation.
fn damaged(scenes: &[Scene], defences: Defences, tally: &mut Tally) {
    for scene in scenes {
        let old =
            play(&Scene { name: "", before: vec![], script: scene.before.clone() }, defences, None).disk;
        for number in 0..=operations(scene).len() {
            let world = play(scene, defences, Some((number as u64, Fault::Stop)));
            world.disk.restart(Loss::Process);
            for damage in cells::damages(&world.disk, &old) {
                let disk = world.disk.fork();
                damage.apply(&disk);
                let snapshot = damage.file().starts_with("snapshot-").then_some(world.snapshot);
                let result = oracle::check_damage(&world, &disk, snapshot);
                tally.distinct += 1;
                tally.add(
                    damage.kind(),
                    || format!("{}, operation {number}, {}", scene.name, describe(&damage)),
                    result,
                );
            }
        }
    }
}

fn describe(damage: &Damage) -> String {
    match damage {
        Damage::RollBack(file, _) => format!("RollBack({file})"),
        other => format!("{other:?}"),
    }
}

#[test]
fn crash_matrix() {
    let begun = Instant::now();
    let mut tally = Tally::default();
    crashes(&cells::scenes(), Defences::default(), true, &mut tally);
    tally.report("crash matrix", begun);
}

#[test]
fn crash_matrix_of_damaged_media() {
    let begun = Instant::now();
    let mut tally = Tally::default();
    damaged(&cells::scenes(), Defences::default(), &mut tally);
    tally.report("crash matrix, damaged media", begun);
}

/// Every step of the commit pipeline that touches the disk is among the operations.
#[test]
fn the_matrix_reaches_every_step() {
    use xos_sim::disk::OperationKind::{Create, Remove, Rename, Sync, SyncDir, Write};
    let mut seen = BTreeSet::new();
    for scene in cells::scenes() {
        for operation in operations(&scene) {
            let file = operation.file.split_once('-').map_or(&*operation.file, |(kind, _)| kind).to_string();
            seen.insert((operation.kind, file, operation.file.ends_with(".tmp")));
        }
    }
    let wanted = [
        (Write, "segment", false), // 4 write
        (Sync, "segment", false),  // 5, 6 fdatasync
        (Write, "head", false),    // 6 the marker
        (Create, "segment", true), // 10 segment roll: create
        (Write, "segment", true),  // 10 write zeros and header
        (Sync, "segment", true),   // 10 fsync file
        (Rename, "segment", true), // 10 rename
        (Create, "spare.xosj.tmp", true),
        (Sync, "spare.xosj.tmp", true),
        (Rename, "spare.xosj.tmp", true),
        (Create, "snapshot", true),  // 11 snapshot
        (Write, "snapshot", true),   // 11
        (Sync, "snapshot", true),    // 12
        (Rename, "snapshot", true),  // 13
        (Remove, "snapshot", false), // 16 for snapshots
        (Remove, "segment", false),  // 16
        (SyncDir, "", false),        // 10, 14, 17
        (Sync, "head", false),       // close, snapshot
    ];
    for (kind, file, temporary) in wanted {
        assert!(
            seen.contains(&(kind, file.to_string(), temporary)),
            "{kind:?} {file} is missing in {seen:?}"
        );
    }
}

/// A small log, all files, all bits: identical, a clean prefix with all acknowledged, or refused.
#[test]
fn every_bit_of_a_small_log() {
    let begun = Instant::now();
    let mut tally = Tally::default();
    use Step::{Append, BeginSnapshot, CompleteSnapshot, FinishSnapshot, Open, Sync, WriteSnapshot};
    let snapshot = [Sync, BeginSnapshot, WriteSnapshot(60), CompleteSnapshot, FinishSnapshot];
    let script = [
        vec![Open, Append(40)],
        snapshot.to_vec(),
        vec![Append(1700), Sync, Append(20)],
        snapshot.to_vec(),
        vec![Append(70), Append(30), Sync, Append(50), Append(10)],
    ];
    let scene = Scene { name: "small", before: vec![], script: script.concat() };
    let world = play(&scene, Defences::default(), None);
    world.disk.restart(Loss::Process);
    for file in world.disk.names() {
        for offset in 0..world.disk.bytes(&file).len() {
            for bit in 0..8 {
                let disk = world.disk.fork();
                disk.flip(&file, offset, bit);
                let snapshot = file.starts_with("snapshot-").then_some(world.snapshot);
                let result = oracle::check_damage(&world, &disk, snapshot);
                let kind = file.split_once('-').map_or(&*file, |(kind, _)| kind);
                tally.distinct += 1;
                tally.add(&format!("a bit of a {kind}"), || format!("{file} {offset} {bit}"), result);
            }
        }
    }
    tally.report("every bit of a small log", begun);
}

/// A failing disk and a full one are told apart, and with space again the journal starts.
#[test]
fn a_full_disk_has_its_own_error() {
    use std::io::ErrorKind::{Other, StorageFull};
    for (kind, code) in [(StorageFull, 2), (Other, 1)] {
        let scene = cells::scenes().swap_remove(1);
        let world = play(&scene, Defences::default(), Some((0, Fault::Error(kind, 50))));
        let failure = world.failure.expect("a failed write");
        assert_eq!(failure.code(), code, "{failure}");
        assert!(failure.to_string().contains("segment-00000000000000000001.xosj at offset 304"), "{failure}");
        world.disk.restart(Loss::Process);
        let journal = world::open(&world.disk, Defences::default()).expect("space again");
        let torn = journal.report().torn_tail.as_ref().expect("half a frame");
        assert_eq!((torn.offset, torn.first_sequence), (304, 2));
    }
}

/// A disk that fills up while the first segment is made is left as it was found.
#[test]
fn a_first_open_on_a_full_disk_leaves_no_segment() {
    use std::io::ErrorKind::StorageFull;
    let whole = SimDisk::new();
    world::open(&whole, Defences::default()).expect("a good disk");
    let mut failed = 0;
    for number in 0..whole.operation_count() {
        let disk = SimDisk::new();
        disk.plan(number, Fault::Error(StorageFull, 50));
        let Err(error) = world::open(&disk, Defences::default()) else { continue };
        failed += 1;
        let names = disk.names();
        assert!(names.iter().all(|name| !name.ends_with(".tmp")), "{error}: {names:?}");
        disk.restart(Loss::Process);
        world::open(&disk, Defences::default()).expect("space again");
    }
    assert!(failed > 0, "no step of opening failed");
}

/// Where the promise ends: the power cut takes the marker, and rot hits what was synced last. What is
/// lost silently is at most the last frame on the disk; everything before it is refused.
#[test]
fn two_faults_at_once_cost_at_most_the_last_frame() {
    let mut silent = 0;
    let mut refused = 0;
    for scene in cells::scenes() {
        for number in 0..=operations(&scene).len() {
            let world = play(&scene, Defences::default(), Some((number as u64, Fault::Stop)));
            world.disk.restart(Loss::Power(usize::MAX, Sectors::None));
            let whole = world::open(&world.disk.fork(), world.defences).expect("a power cut alone");
            let last =
                world::contents(&whole).expect("readable").frames.last().map_or(0, |f| f.first_sequence);
            for damage in cells::damages(&world.disk, &SimDisk::new()) {
                if !matches!(damage, Damage::Flip(..)) || !damage.file().starts_with("segment-") {
                    continue;
                }
                let disk = world.disk.fork();
                damage.apply(&disk);
                match world::open(&disk, world.defences) {
                    Err(error) => {
                        refused += 1;
                        oracle::check_refusal(&error).expect("a good refusal");
                    }
                    Ok(journal) => {
                        silent += u64::from(journal.position().sequence < world.acked);
                        assert!(
                            journal.position().sequence + 1 >= last,
                            "{}, {number}, {damage:?}",
                            scene.name
                        );
                    }
                }
            }
        }
    }
    println!("power loss and rot at once: {refused} refused, {silent} lost the last acknowledged frame");
    assert!(refused > silent);
}

/// Runs a part of the matrix with other defences and counts the failures that say this.
fn failures_with(defences: Defences, saying: &str) -> usize {
    let mut tally = Tally::default();
    let scenes: Vec<_> = cells::scenes().into_iter().filter(|scene| scene.name == "mid").collect();
    crashes(&scenes, defences, false, &mut tally);
    damaged(&scenes, defences, &mut tally);
    let fitting: Vec<_> = tally.failures.iter().filter(|failure| failure.contains(saying)).collect();
    println!("{} of {} cells failed so, such as {:?}", fitting.len(), tally.cells, fitting.first());
    fitting.len()
}

#[test]
fn without_the_marker_acknowledged_records_are_lost() {
    assert!(failures_with(Defences { marker: false, ..Defences::default() }, "was acknowledged") > 0);
}

#[test]
fn without_the_torn_tail_rule_acknowledged_records_are_lost() {
    assert!(failures_with(Defences { torn_rule: false, ..Defences::default() }, "was acknowledged") > 0);
}

#[test]
fn without_knowing_holes_a_mere_power_cut_prevents_the_start() {
    assert!(failures_with(Defences { holes: false, ..Defences::default() }, "did not start: ") > 0);
}

#[test]
fn without_writing_again_what_recovery_showed_is_lost() {
    assert!(failures_with(Defences { rewrite: false, ..Defences::default() }, "after going on") > 0);
}

#[test]
fn trying_a_failed_sync_again_loses_acknowledged_records() {
    assert!(failures_with(Defences { poison: false, ..Defences::default() }, "was acknowledged") > 0);
}

#[test]
fn the_controls_have_their_control() {
    assert_eq!(failures_with(Defences::default(), ""), 0);
}
