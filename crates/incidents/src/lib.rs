//! The incident list: what went wrong on other exchanges, each as a scenario that passes with our defence and fails
//! with it switched off. A scenario that passes both ways proves nothing, and the test says so.
//!
//! `cargo run -p xos-incidents` prints the list with both results.

mod cases;
mod world;

pub use cases::INCIDENTS;
pub use world::World;

use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use xos_engine::Defence;

/// One incident.
#[derive(Clone, Copy)]
pub struct Incident {
    /// Its number in the reliability reference.
    pub number: &'static str,
    /// What happened, and where.
    pub what: &'static str,
    /// The defence that this scenario is about.
    pub defence: Defence,
    /// The defence in words.
    pub how: &'static str,
    /// Plays it; the harm that was done, if any.
    pub play: fn(&mut World) -> Result<(), String>,
}

/// Both results of an incident.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Its number.
    pub number: &'static str,
    /// What happened.
    pub what: &'static str,
    /// Name of the defence.
    pub defence: &'static str,
    /// The defence in words.
    pub how: &'static str,
    /// The harm in spite of the defence; none is right.
    pub harm_defended: Option<String>,
    /// The harm without the defence; some is right.
    pub harm_undefended: Option<String>,
}

impl Outcome {
    /// Whether the defence holds, and is needed.
    pub fn is_proven(&self) -> bool {
        self.harm_defended.is_none() && self.harm_undefended.is_some()
    }
}

/// Plays an incident with its defence and without it.
pub fn outcome(incident: &Incident) -> Outcome {
    Outcome {
        number: incident.number,
        what: incident.what,
        defence: incident.defence.name(),
        how: incident.how,
        harm_defended: harm(incident, true),
        harm_undefended: harm(incident, false),
    }
}

/// A halt or a panic is harm too: the exchange stands still.
fn harm(incident: &Incident, defended: bool) -> Option<String> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new();
        if !defended {
            world.engine.switch_off(incident.defence);
        }
        (incident.play)(&mut world)?;
        world.check()
    }));
    match played {
        Ok(result) => result.err(),
        Err(panic) => Some(match panic.downcast_ref::<String>() {
            Some(text) => format!("the engine stopped: {text}"),
            None => format!("the engine stopped: {}", panic.downcast_ref::<&str>().unwrap_or(&"no words")),
        }),
    }
}
