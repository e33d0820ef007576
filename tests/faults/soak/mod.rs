//! The soak: restart after restart, each with a fault that the seed chose, under the eyes of a sampler.
//!
//! Nothing here knows netsky's own code: what it looks at are `/proc`, the files of the home, and exit codes.
//! `NETSKY_FAULTS_SEED` is the seed, `NETSKY_FAULTS_ROUND` tries one round alone, `NETSKY_FAULTS_TELL` has each round
//! say how it went.

mod bystanders;
mod census;
mod course;
mod dice;
mod fault;
mod figures;
mod finish;
mod home;
mod invariants;
mod mail;
mod measure;
mod plants;
mod records;
mod restart;
mod round;
mod sampler;
mod settings;
mod underway;

pub use course::{Course, Size};
pub use dice::seed;
