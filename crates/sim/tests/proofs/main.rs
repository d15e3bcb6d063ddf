//! Promises about whole runs, searched for counterexamples on the engine itself. Every failure prints its seed or its case.

mod attack;
mod deleveraging;
mod desk;
mod fills;
mod isolated;
mod margin;
mod preview;
mod questions;
