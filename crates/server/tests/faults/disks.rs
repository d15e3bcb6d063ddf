//! Disks that fail or are full: a simulated one at every operation, and a real file system of a few megabytes.

use crate::desk::{self, Desk, disk_options, market, open_rates, place, submit};
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use xos_node::{Exchange, Options};
use xos_protocol::SessionCode;
use xos_server::ClientError;
use xos_sim::disk::{Fault, Loss, SimDisk};

/// A market on a simulated disk, so that a fault can be planned at any later operation.
fn on(disk: &SimDisk) -> Exchange {
    Exchange::open_on(disk.as_disk(), disk_options()).expect("an exchange")
}

pub(crate) fn a_disk_fails() -> String {
    let faults = [
        Fault::SyncError(false),
        Fault::Error(ErrorKind::StorageFull, 0),
        Fault::Error(ErrorKind::Other, 100),
    ];
    let (mut halts, mut kept) = (0, 0);
    for fault in faults {
        for later in 0..8 {
            let disk = SimDisk::new();
            let mut exchange = on(&disk);
            market(&mut exchange);
            let desk = Desk::over(exchange, open_rates());
            let mut anna = desk.anna();
            submit(&mut anna, &[place(1, 0, 49_000, 1)]);
            disk.plan(disk.operation_count() + later, fault);
            let mut acknowledged = Vec::new();
            let ended = loop {
                anna.queue_commands(&[place(1, 0, 48_000, 1)]);
                match anna.send().map_err(ClientError::from).and_then(|()| anna.wait_outcomes(1)) {
                    Ok(outcomes) => acknowledged.push(outcomes.taken[0].first_sequence),
                    Err(error) => break error,
                }
                // A fault that no write or sync meets does not come to pass.
                if acknowledged.len() > 50 {
                    break ClientError::Unexpected(0);
                }
            };
            if matches!(ended, ClientError::Unexpected(0)) {
                continue;
            }
            halts += 1;
            // The goodbye may be lost with the connection, the end may not.
            if let ClientError::Goodbye(told) = &ended {
                assert_eq!(told.code, SessionCode::Halted.code());
            }
            assert!(desk.server.stop().is_err(), "{fault:?} {later}");
            disk.restart(Loss::Process);
            let exchange = on(&disk);
            kept += acknowledged.len();
            for sequence in acknowledged {
                let order = exchange.engine().order(xos_units::OrderId(sequence));
                assert!(order.is_some(), "{fault:?} {later}: order {sequence} was acknowledged");
            }
        }
    }
    assert!(halts >= 12, "only {halts} of 24 faults were met");
    format!("{halts} of 24 planned faults were met: {kept} orders acknowledged before them, 0 lost")
}

/// A file system of its own in memory; gone when dropped.
struct SmallFileSystem<'a>(&'a Path);

impl<'a> SmallFileSystem<'a> {
    /// `None` where this user may not mount.
    fn mount(path: &'a Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(path)
            .stderr(std::process::Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path))
    }
}

impl Drop for SmallFileSystem<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

pub(crate) fn a_file_system_is_full() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(small) = SmallFileSystem::mount(folder.path(), "3m") else {
        return "not run: this user may not mount a file system".into();
    };
    let path = folder.path().join("data");
    let options =
        || Options { segment_bytes: 1 << 20, limits: Some(desk::small_frames()), ..Options::default() };
    let mut exchange = Exchange::open(&path, options()).expect("an exchange");
    market(&mut exchange);
    let desk = Desk::over(exchange, open_rates());
    let mut anna = desk.anna();
    let mut acknowledged = Vec::new();
    let ended = loop {
        anna.queue_commands(&[place(1, 0, 48_000, 1); 100]);
        match anna.send().map_err(ClientError::from).and_then(|()| anna.wait_outcomes(100)) {
            Ok(outcomes) => {
                let runs = outcomes.taken.iter();
                acknowledged.extend(
                    runs.flat_map(|run| run.first_sequence..run.first_sequence + u64::from(run.count)),
                );
            }
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 1_000_000, "it is never full");
    };
    if let ClientError::Goodbye(told) = &ended {
        assert_eq!(told.code, SessionCode::Halted.code());
    }
    assert!(desk.server.stop().is_err());
    assert!(acknowledged.len() > 1_000, "{} only", acknowledged.len());
    let exchange = Exchange::open(&path, Options { limits: None, ..options() });
    // A full disk has no room for a new segment either: what is there can be read all the same.
    let found = match exchange {
        Ok(exchange) => exchange.engine().sequence(),
        Err(_) => {
            let log = xos_node::inspect(&path, 1, u64::MAX).expect("a log");
            log.map(|frame| frame.expect("a frame"))
                .map(|frame| frame.first_sequence + u64::from(frame.count) - 1)
                .max()
                .unwrap_or(0)
        }
    };
    let last = acknowledged.iter().max().copied().unwrap_or(0);
    assert!(found >= last, "sequence {last} was acknowledged, the log ends at {found}");
    drop(small);
    format!("{} orders acknowledged on 3 MB, 0 lost; the log ends at {found}", acknowledged.len())
}
