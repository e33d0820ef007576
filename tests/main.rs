//! All tests through the binary and of the tree itself: one target.

#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test target: it has no public part, and what fails is to panic"
)]

mod layers;
mod support;

mod constellation;
mod documents;
mod exit_codes;
mod handover;
mod real_agents;
mod review;
mod servers;
