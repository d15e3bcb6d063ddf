//! Seeded worlds: the naive engine, workloads, the differential harness and faults.

pub mod naive;
pub mod rng;
