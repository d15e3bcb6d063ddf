//! Terms of volatility halts.

use crate::rng::Rng;
use xos_protocol::{HaltSpec, InstrumentSpec};

/// A halt that trades of this world reach, and that time of this world ends.
pub(super) fn halt(rng: &mut Rng) -> HaltSpec {
    HaltSpec {
        move_ppm: *rng.pick(&[1, 100_000, 300_000, 999_999]),
        window_s: *rng.pick(&[1, 1, 60, 600]),
        pause_s: *rng.pick(&[1, 1, 2, 3_600]),
        post_only_s: *rng.pick(&[0, 1, 60]),
    }
}

pub(super) fn spoil_halt(rng: &mut Rng, spec: &mut InstrumentSpec) {
    let mut halt = halt(rng);
    match rng.below(4) {
        0 => halt.move_ppm = *rng.pick(&[0, -1, 999_999, 1_000_000]),
        1 => halt.window_s = *rng.pick(&[0, 600, 601]),
        2 => halt.pause_s = *rng.pick(&[0, 86_400, 86_401]),
        _ => halt.post_only_s = *rng.pick(&[86_400, 86_401, u32::MAX]),
    }
    spec.halt = Some(Box::new(halt));
}
