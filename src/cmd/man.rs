//! `netsky man`.

use super::{CommandError, Exit, output};

/// Print the man page (roff)
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Result<Exit, CommandError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(super::command_line())
        .render(&mut page)
        .map_err(|error| CommandError::failed("rendering the man page").because(error))?;
    output::data(&page).map(|()| Exit::Done)
}
