//! `netsky man`.

use super::{CommandError, Exit, output};

/// Print the man page, or that of one verb (roff)
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The verb, as in `netsky man restart`
    verb: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command(args.verb.as_deref())?)
        .render(&mut page)
        .map_err(|error| CommandError::failed("rendering the man page").because(error))?;
    output::data(&page).map(|()| Exit::Done)
}

/// What the page is about; the page of netsky names those of its verbs as `netsky-VERB`.
fn command(verb: Option<&str>) -> Result<clap::Command, CommandError> {
    let mut all = super::command_line();
    all.build();
    let Some(verb) = verb else { return Ok(all) };
    all.find_subcommand(verb)
        .filter(|found| !found.is_hide_set())
        .cloned()
        .ok_or_else(|| CommandError::new(Exit::Usage, format!("{verb:?} is no verb")).hint("netsky help"))
}
