//! `netsky logs`.

use std::time::Duration;

use serde::Serialize;

use crate::clock::Deadline;
use crate::config::Flags;
use crate::constellation::scene;
use crate::constellation::trouble::Trouble;
use crate::exit::Exit;
use crate::id::Generation;
use crate::name::AgentName;
use crate::paths::Home;
use crate::persist;
use crate::process::{self, Interrupts};
use crate::text;
use crate::tmux::{PaneId, Tmux};

use super::setting::Settings;
use super::stage::open_tmux;
use super::{Caller, CommandError, output};

/// Show an agent's screen and what scrolled off it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The agent
    agent: AgentName,
    /// Go on showing what is new
    #[arg(short, long, conflicts_with_all = ["json", "generation"])]
    follow: bool,
    /// So many lines at the most
    #[arg(short = 'n', long, value_name = "LINES")]
    lines: Option<usize>,
    /// The kept screen of a generation that ended: its id, or last
    #[arg(long, value_name = "ID")]
    generation: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lines that scrolled off are shown up to this many, the newest where these are more than some megabytes.
const SCROLLBACK: u32 = 50_000;

/// How often a followed screen is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A kept screen is never larger than the history.
const LARGEST_SCREEN: u64 = 64 << 20;

/// `schemas/logs.schema.json`.
#[derive(Debug, Serialize)]
struct Document {
    version: u64,
    agent: AgentName,
    generation: Option<Generation>,
    lines: Vec<String>,
}

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let home = caller.existing_home()?;
    if let Some(wanted) = &args.generation {
        let (generation, screen) = kept(&home, args.agent, wanted)?;
        return show(args, Some(generation), &screen);
    }
    let settings = Settings::load(caller, home, Flags::default())?;
    let tmux = open_tmux(caller, &settings)?;
    let scene = scene::look(&settings.home, &tmux).map_err(Trouble::from)?;
    let Some(there) = scene.present(args.agent).filter(|there| there.ours) else {
        return Err(CommandError::failed(format!("reading the screen of {}: it has no session", args.agent))
            .hint(format!("netsky logs {} --generation last", args.agent)));
    };
    let screen = captured(&tmux, args.agent, there.pane)?;
    if args.follow {
        return follow(args, &tmux, there.pane, screen);
    }
    show(args, scene.spawned.generation(args.agent), &screen)
}

fn captured(tmux: &Tmux, agent: AgentName, pane: PaneId) -> Result<String, CommandError> {
    let doing = || format!("reading the screen of {agent}");
    let screens = tmux.capture(&[(pane, SCROLLBACK)]).map_err(|error| Trouble::from(&error))?;
    match screens.into_iter().next() {
        Some((_, Ok(screen))) => Ok(text::printable(&screen).into_owned()),
        Some((_, Err(refusal))) => Err(CommandError::failed(format!("{}: {}", doing(), refusal.words))
            .hint(format!("netsky logs {agent} --generation last"))),
        None => Err(CommandError::failed(doing())),
    }
}

fn show(args: &Args, generation: Option<Generation>, screen: &str) -> Result<Exit, CommandError> {
    let lines = last_of(screen, args.lines);
    if args.json {
        let lines = lines.into_iter().map(str::to_owned).collect();
        output::json(&Document { version: 1, agent: args.agent, generation, lines })?;
    } else {
        output::text(&lines.join("\n"))?;
    }
    Ok(Exit::Done)
}

/// The lines without the blank ones at the end, the last `limit` of them.
fn last_of(screen: &str, limit: Option<usize>) -> Vec<&str> {
    let lines: Vec<&str> = screen.trim_end().lines().map(str::trim_end).collect();
    let from = limit.map_or(0, |limit| lines.len().saturating_sub(limit));
    lines.into_iter().skip(from).collect()
}

fn follow(args: &Args, tmux: &Tmux, pane: PaneId, first: String) -> Result<Exit, CommandError> {
    let interrupts = Interrupts::watch()
        .map_err(|error| CommandError::failed("getting ready to be interrupted").because(error))?;
    output::text(&last_of(&first, args.lines).join("\n"))?;
    let mut shown = first;
    loop {
        let asked =
            process::poll(Duration::from_millis(50), Deadline::after(LOOK_EVERY), || interrupts.pending());
        if let Some(signal) = asked {
            return Ok(Exit::Signal(signal));
        }
        let screen = captured(tmux, args.agent, pane)?;
        let new = new_lines(&last_of(&shown, None), &last_of(&screen, None));
        if !new.is_empty() {
            output::text(&new.join("\n"))?;
        }
        shown = screen;
    }
}

/// So many lines are enough to find again where a screen begins now.
const RECOGNIZED: usize = 20;

/// What of `now` was not in `before`: a screen that is drawn anew shows from the first line that differs. It may begin
/// further down than before, where tmux forgot its oldest lines.
fn new_lines<'a>(before: &[&str], now: &[&'a str]) -> Vec<&'a str> {
    let same_from =
        |from: usize| before.iter().skip(from).zip(now).take_while(|(before, now)| before == now).count();
    let begins = |from: &usize| same_from(*from) >= RECOGNIZED.min(now.len()).min(before.len() - from);
    let moved = (1..before.len()).find(begins).map_or(0, same_from);
    now.get(same_from(0).max(moved)..).unwrap_or_default().to_vec()
}

fn kept(home: &Home, agent: AgentName, wanted: &str) -> Result<(Generation, String), CommandError> {
    let failed = || CommandError::failed(format!("reading a kept screen of {agent}"));
    let (names, _) = persist::list(&home.screens(agent)).map_err(|error| failed().because(error))?;
    let generations: Vec<Generation> =
        names.iter().filter_map(|name| name.strip_suffix(".txt")?.parse().ok()).collect();
    let generation = match wanted {
        "last" => generations.last().copied(),
        id => {
            generations.iter().copied().find(|generation| generation.to_string() == id.to_ascii_uppercase())
        }
    };
    let generation = generation.ok_or_else(|| {
        let known: Vec<String> = generations.iter().rev().take(5).map(ToString::to_string).collect();
        let hint =
            if known.is_empty() { "none is kept".to_owned() } else { format!("kept: {}", known.join(", ")) };
        CommandError::failed(format!("there is no kept screen of {agent} for {wanted:?}")).hint(hint)
    })?;
    let bytes = persist::read(&home.screen(agent, generation), LARGEST_SCREEN)
        .map_err(|error| failed().because(error))?;
    let screen = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    Ok((generation, text::printable(&screen).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_those_before_the_blank_ones() {
        assert_eq!(last_of("a\nb  \nc\n\n\n", Some(2)), ["b", "c"]);
        assert_eq!(last_of("", Some(2)), Vec::<&str>::new());
    }

    #[test]
    fn followed_screens_show_what_is_new() {
        assert_eq!(new_lines(&["a", "b"], &["a", "b", "c"]), ["c"]);
        assert_eq!(new_lines(&["a", "b"], &["a", "x"]), ["x"]);
        assert!(new_lines(&["a"], &["a"]).is_empty());
        let lines: Vec<String> = (0..100).map(|number| format!("line {number}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        // The oldest ten are gone, and the last line was drawn anew.
        assert_eq!(new_lines(&[&lines[..60], &["> "]].concat(), &lines[10..63]), lines[60..63]);
        assert_eq!(new_lines(&lines[..60], &["another", "screen"]), ["another", "screen"]);
    }
}
