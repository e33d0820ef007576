//! Speed and size, each row against its target, and against a floor that is measured in the same run.
//!
//! Run by `scripts/bench`, whose header says what the rows mean. The program is its own timed agent too: started with
//! `agent` as its first word it waits, notes the time and comes up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::string_slice,
    missing_docs,
    reason = "a benchmark is not shipped; it starts processes, asks the time, and may end where it stands"
)]

mod agent;
mod cost;
mod first_generation;
mod floor;
mod latency;
mod restart;
mod start;
mod table;
mod world;

use clap::Parser;

use table::Row;

/// Measures netsky against its targets
#[derive(Debug, Parser)]
#[command(name = "scripts/bench")]
pub(crate) struct Options {
    /// Only these rows: restart, growth, marker, hook, status, version, memory, binary, processes, waiting, first
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,
    /// Clones of the large rows
    #[arg(long, default_value_t = 100)]
    agents: u32,
    /// Clones of the growth row
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 400])]
    growth: Vec<u32>,
    /// How often restarts are measured
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// How often latencies are measured
    #[arg(long, default_value_t = 12)]
    latency_runs: usize,
    /// The first generation's waits are divided by this
    #[arg(long, default_value_t = 20)]
    hurry: u32,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

type Measurement = fn(&Options) -> Vec<Row>;

const ROWS: &[(&str, Measurement)] = &[
    ("restart", restart::large),
    ("growth", restart::growth),
    ("marker", latency::marker),
    ("hook", latency::hook),
    ("status", start::status),
    ("version", start::version),
    ("memory", cost::memory),
    ("binary", cost::binary),
    ("processes", cost::processes),
    ("waiting", cost::waiting),
    ("first", restart::first_generation),
];

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if words.get(1).is_some_and(|word| word == "agent") {
        agent::run(&words[2..]);
    }
    let options = Options::parse();
    for row in &options.rows {
        assert!(ROWS.iter().any(|(name, _)| name == row), "there is no row {row}");
    }
    let mut rows = Vec::new();
    for (name, measure) in ROWS {
        if options.rows.is_empty() || options.rows.iter().any(|row| row == name) {
            eprintln!("bench: {name}");
            rows.extend(measure(&options));
        }
    }
    table::print(&rows);
}
