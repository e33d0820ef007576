//! `netsky` alone: what runs, what keeps netsky from acting, and the one next step.

use crate::config::Flags;
use crate::exit::Exit;

use super::setting::Settings;
use super::stage::open_tmux;
use super::{Caller, CommandError, output, status};

pub(super) fn run(caller: &Caller) -> Result<Exit, CommandError> {
    let home = caller.home()?;
    if !home.exists().map_err(super::caller::home_error)? {
        output::text(
            "netsky keeps a constellation of AI coding agents running in tmux.\n\
             Nothing runs yet: there is no home. Try it without any account or network:\n\
             netsky up --agent demo",
        )?;
        return Ok(Exit::Done);
    }
    let settings = Settings::load(caller, home, Flags::default())?;
    let tmux = open_tmux(caller, &settings)?;
    let seen = status::see(caller, &settings, &tmux)?;
    seen.say_silence();
    let seen = seen.document;
    output::text(&status::drawn(caller, &settings, &seen))?;
    output::text(&format!("next: {}", next_step(&seen)))?;
    Ok(status::exit_of(&seen))
}

/// The first thing that stands in the way, else what one does with a constellation.
fn next_step(seen: &crate::status::StatusDocument) -> String {
    if let Some(hint) = seen.blocking.iter().find_map(|blocking| blocking.hint.clone()) {
        return hint;
    }
    match seen.agents.is_empty() {
        true => "netsky up".to_owned(),
        false => "netsky attach".to_owned(),
    }
}
