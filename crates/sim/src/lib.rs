//! Seeded worlds: the naive engine, workloads, the differential harness, benchmarks and faults.

pub mod adl;
pub mod bench;
pub mod coverage;
pub mod differential;
pub mod disk;
pub mod naive;
pub mod real;
pub mod rng;
pub mod scenario;
pub mod workload;
