//! Prices: what a change of mark or index means.

use crate::engine::Engine;
use crate::step::Step;
use xos_units::Price;

impl Engine {
    /// Gives an instrument a new mark. Every change of a mark comes through here.
    pub(crate) fn set_mark(&mut self, step: &mut Step, at: usize, mark: Price) {
        let instrument = &mut self.instruments[at];
        if instrument.mark != mark {
            instrument.set_mark(mark);
            self.mark_changed(step, at);
        }
    }

    /// What follows from a new mark, after its event.
    pub(crate) fn mark_changed(&mut self, step: &mut Step, at: usize) {
        let _ = (step, at);
    }
}
