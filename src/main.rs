//! The netsky command: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    netsky::cmd::main()
}
