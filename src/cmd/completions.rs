//! `netsky completions SHELL`.

use clap_complete::Shell;

use super::{CommandError, Exit, output};

/// Print the completion script for a shell
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// bash, zsh, fish, elvish or powershell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command_line(), "netsky", &mut script);
    output::data(&script).map(|()| Exit::Done)
}
