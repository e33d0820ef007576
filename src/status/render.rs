//! Status, history and one restart for people: strings only, no line wider than the screen.
//!
//! Foreign text is stripped of control characters. A colour repeats what a word says.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::document::{AgentStatus, Blocking, DesiredAgent, StatusDocument, TmuxAnswer};
use super::table::{Cell, Column, Look, Screen, table};
use super::{AgentState, Phase, Record};
use crate::clock;
use crate::text;

/// How many lines of a screen an error shows.
const SCREEN_LINES: usize = 12;

/// The constellation and its last restart. `permissions` is what agents may do, in words, with who chose it.
pub fn status(document: &StatusDocument, permissions: &str, now: DateTime<Utc>, screen: Screen) -> String {
    let mut out = vec![head(document, permissions, screen)];
    if document.tmux.answer == TmuxAnswer::Unknown {
        let note = format!("tmux did not answer on {}: what agents do is unknown", document.tmux.socket);
        out.push(screen.line(&note, Look::Bad) + "\n");
    }
    if !document.agents.is_empty() {
        out.push(String::from("\n") + &agents(&document.agents, now, screen));
    }
    if !document.blocking.is_empty() {
        out.push(String::from("\n") + &blocking(&document.blocking, screen));
    }
    if let Some(record) = &document.last_restart {
        out.push(
            String::from("\n")
                + &screen.line(&last_restart(record, now), look_of_phase(record.phase()))
                + "\n",
        );
    }
    out.concat()
}

fn head(document: &StatusDocument, permissions: &str, screen: Screen) -> String {
    let is_up = |wanted: &&DesiredAgent| {
        document.agents.iter().any(|agent| agent.record.name == wanted.name && agent.record.state.is_up())
    };
    let (said, look) = match &document.desired {
        None => ("nothing was started yet".to_owned(), Look::Plain),
        Some(desired) if desired.agents.is_empty() => {
            (format!("down since {} by {}", clock::stamp(desired.since), desired.actor), Look::Plain)
        }
        Some(desired) => {
            let (up, wanted) = (desired.agents.iter().filter(is_up).count(), desired.agents.len());
            (format!("{up} of {wanted} up"), if up == wanted { Look::Good } else { Look::Warning })
        }
    };
    screen.line(&format!("{said} · permissions: {permissions} · {}", document.home), look) + "\n"
}

/// The table of agents.
pub fn agents(agents: &[AgentStatus], now: DateTime<Utc>, screen: Screen) -> String {
    let columns = [
        Column::new("AGENT", 0),
        Column::new("STATE", 0),
        Column::new("SINCE", 1),
        Column::new("TYPE", 3),
        Column::new("PROOF", 4),
        Column::new("PID", 5),
        Column::new("GEN", 6),
        Column::elastic("LAST", 2),
    ];
    let rows: Vec<Vec<Cell>> = agents
        .iter()
        .map(|agent| {
            let state = agent.record.state;
            vec![
                Cell::plain(agent.record.name.to_string()),
                Cell::new(state.as_str(), look_of_state(state)),
                Cell::plain(agent.since.map(|since| age(since, now)).unwrap_or_default()),
                Cell::plain(&agent.record.profile),
                Cell::plain(agent.proof.map_or("", |proof| proof.as_str())),
                Cell::plain(agent.pid.map(|pid| pid.to_string()).unwrap_or_default()),
                Cell::plain(agent.generation.map(|id| short(&id.to_string())).unwrap_or_default()),
                Cell::new(
                    &note(agent),
                    if agent.record.error.is_some() { Look::Warning } else { Look::Faint },
                ),
            ]
        })
        .collect();
    table(&columns, &rows, screen)
}

fn note(agent: &AgentStatus) -> String {
    match (&agent.record.error, agent.limited_until, &agent.last) {
        (Some(error), _, _) => error.clone(),
        (None, Some(until), _) => format!("until {}", clock::stamp(until)),
        (None, None, Some(last)) => last.clone(),
        (None, None, None) => String::new(),
    }
}

fn blocking(blocking: &[Blocking], screen: Screen) -> String {
    let mut out = String::new();
    for item in blocking {
        let about = item.agent.map(|agent| format!("{agent}: ")).unwrap_or_default();
        out.push_str(&screen.line(&format!("! {about}{}", item.what), Look::Warning));
        out.push('\n');
        if let Some(hint) = &item.hint {
            out.push_str(&hinted(hint, screen));
        }
    }
    out
}

fn last_restart(record: &Record, now: DateTime<Utc>) -> String {
    let ago = age(record.started_at(), now);
    let why = record.error().map(|error| format!(": {}", error.message)).unwrap_or_default();
    format!("last restart: {}, {ago} ago by {}, {}{why}", record.phase(), record.actor, took(record))
}

/// The table of restarts, as they come.
pub fn history(records: &[Record], now: DateTime<Utc>, screen: Screen) -> String {
    let columns = [
        Column::new("ID", 0),
        Column::new("RESULT", 0),
        Column::new("AGE", 1),
        Column::new("TOOK", 4),
        Column::new("UP", 3),
        Column::new("BY", 5),
        Column::elastic("REASON", 2),
    ];
    let rows: Vec<Vec<Cell>> = records
        .iter()
        .map(|record| {
            let up = record.agents().len() - record.not_up().len();
            let why = record.error().map(|error| error.message.as_str()).or(record.reason.as_deref());
            vec![
                Cell::plain(record.id.to_string()),
                Cell::new(record.phase().as_str(), look_of_phase(record.phase())),
                Cell::plain(age(record.started_at(), now)),
                Cell::plain(text::duration(Duration::from_millis(record.elapsed_ms()))),
                Cell::plain(format!("{up}/{}", record.agents().len())),
                Cell::plain(record.actor.to_string()),
                Cell::plain(why.unwrap_or_default()),
            ]
        })
        .collect();
    table(&columns, &rows, screen)
}

/// One restart: what it was, its phases, its agents, and why it failed.
pub fn restart(record: &Record, now: DateTime<Utc>, screen: Screen) -> String {
    let mut out = vec![restart_head(record, now, screen), String::from("\n"), phases(record, screen)];
    if !record.agents().is_empty() {
        out.push(String::from("\n") + &restarted_agents(record, screen));
    }
    if let Some(handoff) = record.handoff() {
        let said = format!("hand-over {}: {}", handoff.state, handoff.envelope);
        out.push(String::from("\n") + &screen.line(&said, Look::Plain) + "\n");
    }
    if let Some(failure) = record.error() {
        let said = format!("{}: {}", failure.step, failure.message);
        out.push(String::from("\n") + &screen.line(&said, Look::Bad) + "\n");
        for line in failure.screen.iter().flatten().take(SCREEN_LINES) {
            out.push(screen.line(&format!("| {}", text::printable(line)), Look::Faint) + "\n");
        }
        if let Some(hint) = &failure.hint {
            out.push(hinted(hint, screen));
        }
    }
    out.concat()
}

fn restart_head(record: &Record, now: DateTime<Utc>, screen: Screen) -> String {
    let ended = match record.exit_code() {
        Some(code) => format!("exit code {code}"),
        None if record.phase().is_terminal() => "no exit code".to_owned(),
        None => format!("in flight, process {}", record.pid),
    };
    let first = format!("restart {} {}, {ended}", record.id, record.phase());
    let ago = age(record.started_at(), now);
    let began = clock::stamp(record.started_at());
    let second = format!("begun {began}, {ago} ago by {}, {}", record.actor, took(record));
    let mut out = screen.line(&first, look_of_phase(record.phase())) + "\n";
    out.push_str(&(screen.line(&second, Look::Plain) + "\n"));
    if let Some(reason) = &record.reason {
        out.push_str(&(screen.line(&format!("reason: {reason}"), Look::Plain) + "\n"));
    }
    out
}

fn phases(record: &Record, screen: Screen) -> String {
    let columns = [Column::new("PHASE", 0), Column::new("AFTER", 0), Column::new("AT", 1)];
    let rows: Vec<Vec<Cell>> = record
        .phases()
        .iter()
        .map(|entry| {
            vec![
                Cell::new(entry.phase.as_str(), look_of_phase(entry.phase)),
                Cell::plain(text::duration(Duration::from_millis(entry.elapsed_ms))),
                Cell::plain(clock::stamp(entry.at)),
            ]
        })
        .collect();
    table(&columns, &rows, screen)
}

fn restarted_agents(record: &Record, screen: Screen) -> String {
    let columns = [
        Column::new("AGENT", 0),
        Column::new("STATE", 0),
        Column::new("UP AFTER", 1),
        Column::new("BY", 3),
        Column::new("TYPE", 4),
        Column::elastic("NOTE", 2),
    ];
    let rows: Vec<Vec<Cell>> = record
        .agents()
        .iter()
        .map(|agent| {
            let after = agent.ready_ms.map(|ms| text::duration(Duration::from_millis(ms)));
            let answered = match agent.dialogs.as_slice() {
                [] => String::new(),
                dialogs => format!("answered {}", dialogs.join(", ")),
            };
            vec![
                Cell::plain(agent.name.to_string()),
                Cell::new(agent.state.as_str(), look_of_state(agent.state)),
                Cell::plain(after.unwrap_or_default()),
                Cell::plain(agent.ready_by.map_or("", |by| by.as_str())),
                Cell::plain(&agent.profile),
                Cell::plain(agent.error.clone().unwrap_or(answered)),
            ]
        })
        .collect();
    table(&columns, &rows, screen)
}

/// What to type, never clipped: a command that was cut cannot be pasted.
fn hinted(hint: &str, screen: Screen) -> String {
    format!("  {}\n", screen.paint(&text::one_line(hint), Look::Title))
}

fn took(record: &Record) -> String {
    let elapsed = text::duration(Duration::from_millis(record.elapsed_ms()));
    if record.phase().is_terminal() { format!("took {elapsed}") } else { format!("{elapsed} so far") }
}

/// How long ago; a time that has not come yet (the clock was set back) is just now.
pub fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = now.signed_duration_since(at).num_seconds().max(0).unsigned_abs();
    text::duration(Duration::from_secs(seconds))
}

/// The end of an id: its begin is a time and the same for all that were made together.
fn short(id: &str) -> String {
    id.get(id.len().saturating_sub(6)..).unwrap_or(id).to_owned()
}

fn look_of_state(state: AgentState) -> Look {
    match state {
        AgentState::Up | AgentState::Busy | AgentState::Idle => Look::Good,
        AgentState::Starting | AgentState::Blocked | AgentState::Limited => Look::Warning,
        AgentState::Missing | AgentState::Exited | AgentState::Hung => Look::Bad,
        AgentState::Unknown => Look::Faint,
    }
}

fn look_of_phase(phase: Phase) -> Look {
    match phase {
        Phase::Complete => Look::Good,
        Phase::Degraded | Phase::Interrupted => Look::Warning,
        Phase::Errored => Look::Bad,
        _ => Look::Plain,
    }
}

#[cfg(test)]
mod tests;
