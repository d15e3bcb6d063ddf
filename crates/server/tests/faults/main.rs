//! The list of faults: each one is brought about, and what was found stands beside it. `cargo test -p xos-server --test
//! faults` prints it; words behind `--` choose faults by their names.
//!
//! Kills are random with a printed seed: `XOS_FAULT_SEED`. `XOS_LONG=1` makes more of them.

#[path = "../desk/mod.rs"]
mod desk;

mod clients;
mod disks;
mod kills;
mod lives;
mod sockets;
mod stops;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

/// A fault: what happens, what has to hold, and the function that brings it about and tells what it found.
struct Fault {
    name: &'static str,
    holds: &'static str,
    run: fn() -> String,
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "kill -9 at load",
        holds: "nothing acknowledged lost, nothing twice, accepted equals logged, sessions resume",
        run: kills::kill_at_load,
    },
    Fault {
        name: "SIGSTOP, SIGCONT at load",
        holds: "nobody is cut for it, everything is answered, accepted equals logged",
        run: stops::stop_at_load,
    },
    Fault {
        name: "disk full or failing (simulated)",
        holds: "ends, and nothing acknowledged is lost",
        run: disks::a_disk_fails,
    },
    Fault {
        name: "disk full (a small file system)",
        holds: "ends, and nothing acknowledged is lost",
        run: disks::a_file_system_is_full,
    },
    Fault {
        name: "flood, 100 times the rate",
        holds: "told, not logged; others do not notice; cancels pass",
        run: clients::a_flood,
    },
    Fault {
        name: "stalled reader",
        holds: "cut with a reason; others go on as fast",
        run: clients::who_never_reads,
    },
    Fault {
        name: "stalled reader of a book",
        holds: "left out, and given a whole book when it reads again",
        run: clients::who_never_reads_a_book,
    },
    Fault {
        name: "half-open sockets",
        holds: "let go after two heartbeats, orders leave if asked",
        run: sockets::half_open,
    },
    Fault {
        name: "more connections than allowed",
        holds: "told, and those who are in go on",
        run: sockets::too_many_connections,
    },
    Fault { name: "a byte at a time", holds: "served like any other", run: clients::a_byte_at_a_time },
    Fault {
        name: "garbage, before and behind a logon",
        holds: "ends the connection that sent it and no other",
        run: clients::garbage,
    },
    Fault {
        name: "any bytes behind sound headers",
        holds: "no panic, no command that nobody sent",
        run: sockets::noise,
    },
];

fn main() -> ExitCode {
    if lives::serves_as_child() {
        return ExitCode::SUCCESS;
    }
    let wished: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let (mut passed, mut failed) = (0, 0);
    for fault in FAULTS
        .iter()
        .filter(|fault| wished.is_empty() || wished.iter().any(|word| fault.name.contains(word.as_str())))
    {
        let begun = Instant::now();
        let (word, found) = match catch_unwind(fault.run) {
            Ok(found) => {
                passed += 1;
                ("ok", found)
            }
            Err(_) => {
                failed += 1;
                ("FAILED", "see above".to_string())
            }
        };
        println!("{word:<6} {}: {}", fault.name, fault.holds);
        println!("       {found} ({} ms)", begun.elapsed().as_millis());
    }
    println!("faults: {passed} passed, {failed} failed");
    if failed > 0 || passed == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
