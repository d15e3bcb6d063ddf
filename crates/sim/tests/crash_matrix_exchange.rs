//! The crash matrix of the exchange: every disk operation of every scene, times every fault, times every way to
//! lose what was not synced; the engine stopping in every frame; damage to the medium. Nothing is sampled.
//! What is recovered is compared with a fresh engine that ran the same prefix of what was issued.

#[path = "crash_matrix_exchange/oracle.rs"]
mod oracle;
#[path = "crash_matrix_exchange/scenes.rs"]
mod scenes;
#[path = "crash_matrix_exchange/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use xos_node::Failpoint;
use xos_sim::disk::axes::{Damage, damages, faults, losses};
use xos_sim::disk::{Fault, Loss, Operation, OperationKind, SimDisk};

use oracle::{Checked, Outcome};
use scenes::Scene;
use world::{Step, World};

/// The result of the matrix, by step of the commit pipeline.
#[derive(Default)]
struct Tally {
    cells: u64,
    distinct: u64,
    steps: BTreeMap<(String, &'static str), u64>,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, step: String, name: impl FnOnce() -> String, result: Result<Outcome, String>) {
        self.cells += 1;
        let word = match result {
            Ok(Outcome::Whole) => "whole",
            Ok(Outcome::Prefix) => "prefix",
            Ok(Outcome::Refused) => "refused",
            Ok(Outcome::Halted) => "halted",
            Err(why) => {
                self.failures.push(format!("{}: {why}", name()));
                "FAILED"
            }
        };
        *self.steps.entry((step, word)).or_default() += 1;
    }

    fn report(&self, begun: Instant) {
        let (cells, failed) = (self.cells, self.failures.len() as u64);
        println!("crash matrix (exchange): {cells} cells, {} ok", cells - failed);
        println!("  {} distinct states in {:.1} s", self.distinct, begun.elapsed().as_secs_f64());
        for ((step, word), count) in &self.steps {
            println!("  {step:<44} {word:<8} {count:>7}");
        }
        assert_eq!(failed, 0, "{:#?}", &self.failures[..self.failures.len().min(20)]);
    }
}

/// The steps of the commit pipeline to which operations belong, by their numbers in the reliability page. A file
/// that was made under a temporary name keeps it here; after its renaming it is the segment itself.
fn steps_of(operations: &[Operation]) -> Vec<&'static str> {
    let mut renamed = BTreeSet::new();
    let step = |operation: &Operation| {
        let kind = operation.file.split_once('-').map_or(&*operation.file, |(kind, _)| kind);
        match operation.kind {
            OperationKind::Create => renamed.remove(&operation.file),
            OperationKind::Rename => renamed.insert(operation.file.clone()),
            _ => false,
        };
        let live = renamed.contains(&operation.file) && operation.kind != OperationKind::Rename;
        match (operation.kind, kind, live) {
            (OperationKind::Write, "segment", true) => "4 write",
            (OperationKind::Sync, "segment", true) => "5 fdatasync",
            (OperationKind::Remove, ..) => "16 removal",
            (OperationKind::SyncDir, ..) => "14 directory fsync",
            (_, "head", _) => "6 marker",
            (_, "segment", false) => "10 segment roll",
            (OperationKind::Create | OperationKind::Write, "snapshot", _) => "11 snapshot write",
            (OperationKind::Sync, "snapshot", _) => "12 snapshot fsync",
            (OperationKind::Rename, "snapshot", _) => "13 snapshot rename",
            _ => "another",
        }
    };
    operations.iter().map(step).collect()
}

/// Plays a scene with one fault and returns the world as it stands then.
fn play(scene: &Scene, fault: Option<(u64, Fault)>, failpoint: Option<Failpoint>) -> World {
    let mut world = World::new(scene.overlap, failpoint);
    world.run(&scene.before);
    if let Some((number, fault)) = fault {
        world.disk.plan(world.disk.operation_count() + number, fault);
    }
    world.run(&scene.script);
    world
}

/// The operations of a scene's script, played without a fault, and the steps to which they belong.
fn operations(scene: &Scene) -> Vec<(Operation, &'static str)> {
    let mut world = World::new(scene.overlap, None);
    world.disk.record();
    world.run(&scene.before);
    let before = world.disk.operations().len();
    world.run(&scene.script);
    assert!(world.complaints.is_empty() && world.acked > 0, "{}: {:?}", scene.name, world.complaints);
    let operations = world.disk.operations();
    let steps = steps_of(&operations);
    operations.into_iter().zip(steps).skip(before).collect()
}

/// Crashes at every operation.
fn crashes(scene: &Scene, tally: &mut Tally) {
    let mut checked = Checked::default();
    for (number, (operation, step)) in operations(scene).iter().enumerate() {
        for fault in faults(operation).into_iter().filter(|fault| scenes::wanted(operation, *fault)) {
            let world = play(scene, Some((number as u64, fault)), None);
            let name = |loss| format!("{}, {number} {operation:?}, {fault:?}, {loss:?}", scene.name);
            for complaint in &world.complaints {
                tally.add(step.to_string(), || name(Loss::Process), Err(complaint.clone()));
            }
            for loss in losses(&world.disk) {
                let disk = world.disk.fork();
                disk.restart(loss);
                let result = checked.recovery(&world, disk.fork());
                tally.add(step.to_string(), || name(loss), result);
                if checked.crashes_are_new(&world, &disk) {
                    match oracle::check_crashing_recovery(&world, &disk, &mut checked) {
                        Ok(outcomes) => {
                            for outcome in outcomes {
                                tally.add("a crash of the recovery".into(), String::new, Ok(outcome));
                            }
                        }
                        Err(why) => tally.add("a crash of the recovery".into(), || name(loss), Err(why)),
                    }
                }
            }
        }
    }
    tally.distinct += checked.distinct();
}

/// Step 7, execution: the engine stops in every frame of the scene, by an invariant and by a panic.
fn stops(scene: &Scene, tally: &mut Tally) {
    let whole = play(scene, None, None);
    for sequence in whole.issued.iter().map(|frame| frame.last_sequence()) {
        for panics in [false, true] {
            let failpoint = Some(Failpoint { sequence, panics });
            let world = play(scene, None, failpoint);
            let name = |loss| format!("{}, {failpoint:?}, {loss:?}", scene.name);
            for complaint in &world.complaints {
                tally.add("7 apply".into(), || name(Loss::Process), Err(complaint.clone()));
            }
            for loss in losses(&world.disk) {
                let disk = world.disk.fork();
                disk.restart(loss);
                tally.add("7 apply".into(), || name(loss), oracle::check_stop(&world, &disk, sequence));
            }
        }
    }
}

/// Damages to the medium, after the scene has ended with kill -9.
fn damaged(scene: &Scene, tally: &mut Tally) {
    let mut earlier = World::new(scene.overlap, None);
    earlier.run(&scene.before);
    let world = play(scene, None, None);
    world.disk.restart(Loss::Process);
    for damage in damages(&world.disk, &earlier.disk) {
        let disk = world.disk.fork();
        damage.apply(&disk);
        let result = oracle::check_damage(&world, &disk);
        let name = || match &damage {
            Damage::RollBack(file, _) => format!("{}, rollback of {file}", scene.name),
            other => format!("{}, {other:?}", scene.name),
        };
        tally.add(format!("medium: {}", damage.kind()), name, result);
    }
}

/// Failpoints panic on purpose; their words would bury everything else.
fn hush_failpoints() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&"failpoint") {
            others(info);
        }
    }));
}

#[test]
fn crash_matrix() {
    hush_failpoints();
    let begun = Instant::now();
    let mut tally = Tally::default();
    for scene in scenes::scenes() {
        crashes(&scene, &mut tally);
        stops(&scene, &mut tally);
        damaged(&scene, &mut tally);
    }
    tally.report(begun);
}

/// Frames of one call that are synced by a second thread while the next ones execute: the order of the disk's
/// operations is not fixed then, so the faults come by number and hit what they hit.
#[test]
fn crash_matrix_of_overlapping_frames() {
    let scene = scenes::overlapping();
    let mut results = (0, Vec::new());
    for number in 0..operations(&scene).len() as u64 + 4 {
        for fault in [Fault::Stop, Fault::StopAfter(300), Fault::SyncError(false), Fault::SyncError(true)] {
            let world = play(&scene, Some((number, fault)), None);
            results.1.extend(world.complaints.iter().cloned());
            for loss in losses(&world.disk) {
                let disk = world.disk.fork();
                disk.restart(loss);
                results.0 += 1;
                let checked = oracle::check_recovery(&world, &disk);
                results.1.extend(checked.err().map(|why| format!("{number} {fault:?} {loss:?}: {why}")));
            }
        }
    }
    println!("crash matrix (exchange), overlapping frames: {} cells, {} failed", results.0, results.1.len());
    assert!(results.1.is_empty(), "{:#?}", &results.1[..results.1.len().min(20)]);
}

/// Every step of the commit pipeline that touches the disk is among the operations.
#[test]
fn the_matrix_reaches_every_step() {
    let seen: BTreeSet<_> = scenes::scenes().iter().flat_map(operations).map(|(_, step)| step).collect();
    let wanted = [
        "10 segment roll",
        "11 snapshot write",
        "12 snapshot fsync",
        "13 snapshot rename",
        "14 directory fsync",
        "16 removal",
        "4 write",
        "5 fdatasync",
        "6 marker",
    ];
    assert!(seen.iter().copied().eq(wanted), "{seen:?}");
}

/// The oracle is no yes-man: a log that lost its newest answered frame is found out.
#[test]
fn a_lost_answer_is_noticed() {
    let scene = scenes::scenes().swap_remove(2);
    let world = play(&scene, None, None);
    let steps: Vec<Step> = scene.before.iter().chain(&scene.script).copied().collect();
    let mut shorter = World::new(scene.overlap, None);
    shorter.run(&steps[..steps.len() - 1]);
    let disk: SimDisk = shorter.disk.fork();
    disk.restart(Loss::Process);
    assert!(oracle::check_recovery(&shorter, &disk.fork()).is_ok());
    let complaint = oracle::check_recovery(&world, &disk).expect_err("an answer is missing");
    assert!(complaint.contains("was answered"), "{complaint}");
}
