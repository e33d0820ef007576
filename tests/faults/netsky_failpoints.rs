//! netsky as it ships, but for the feature it is built with.

use std::process::ExitCode;

fn main() -> ExitCode {
    netsky::cmd::main()
}
