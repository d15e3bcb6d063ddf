//! Measuring the durable exchange, always with a full audit at the end.

mod mix;

pub use mix::Mix;
