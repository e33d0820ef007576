//! `netsky history`: the restarts that are kept.

use std::time::Duration;

use crate::clock::{self, Deadline};
use crate::id::RestartId;
use crate::paths::Home;
use crate::process;
use crate::status::render;
use crate::status::{HistoryDocument, Palette, Phase, PhaseEntry, Record, Screen, Store};
use crate::text;

use super::envelopes::{self, Whereabouts};
use super::{Caller, CommandError, Exit, output};

/// List the restarts that are kept, show one, or follow the one in flight
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print each phase of the newest restart as it is reached, then exit as that restart did
    #[arg(long)]
    follow: bool,
    /// Print one JSON document
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show one restart: its phases, its agents, and why it failed
    Show {
        /// Its id, or as much of the beginning as no other restart has
        id: String,
    },
}

/// How often the record in flight is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One wait; it is begun again until the restart ends.
const ONE_WAIT: Duration = Duration::from_secs(3600);

pub(super) fn run(args: &Args, caller: &Caller) -> Result<Exit, CommandError> {
    let home = caller.existing_home()?;
    // How many are kept is asked when one is added, not here.
    let store = Store::of(&home, usize::MAX);
    match &args.what {
        Some(What::Show { id }) => show(&home, &store, id, args.json, caller),
        None if args.follow => follow(&home, &store, args.json),
        None => list(&home, &store, args.json, caller),
    }
}

fn list(home: &Home, store: &Store, json: bool, caller: &Caller) -> Result<Exit, CommandError> {
    let failed = |error| CommandError::failed("reading the restarts").because(error);
    let records = store.list().map_err(failed)?;
    output::passed_over(store.skipped().map_err(failed)?, "of the restart records passed over: no records");
    let envelopes = Whereabouts::look(home).map_err(envelopes::failed("looking for the hand-overs"))?;
    let restarts: Vec<Record> = records.into_iter().map(|record| seen_among(&envelopes, record)).collect();
    if json {
        output::json(&HistoryDocument { version: 1, restarts })?;
    } else if restarts.is_empty() {
        output::talk("netsky: there was no restart yet");
    } else {
        output::text(&render::history(&restarts, clock::utc_now(), screen(caller)))?;
    }
    Ok(Exit::Done)
}

fn show(home: &Home, store: &Store, id: &str, json: bool, caller: &Caller) -> Result<Exit, CommandError> {
    let record = store.find(id);
    let record = record.map_err(|error| {
        CommandError::failed("looking for a restart").because(error).hint("netsky history")
    })?;
    let record = seen_now(home, record)?;
    if json {
        output::json(&record)?;
    } else {
        output::text(&render::restart(&record, clock::utc_now(), screen(caller)))?;
    }
    Ok(Exit::Done)
}

fn screen(caller: &Caller) -> Screen {
    let palette = if caller.colour() { Palette::Color } else { Palette::Plain };
    Screen { width: caller.width(), palette }
}

/// The record with its hand-over as far as it is by now: what a restart wrote is frozen, an envelope moves on.
fn seen_among(envelopes: &Whereabouts, record: Record) -> Record {
    let state = record.handoff().map(|handoff| envelopes.state_of(handoff.id, handoff.state));
    match state {
        Some(state) => record.with_handoff_at(state),
        None => record,
    }
}

fn seen_now(home: &Home, record: Record) -> Result<Record, CommandError> {
    let envelopes = Whereabouts::look(home).map_err(envelopes::failed("looking for the hand-over"))?;
    Ok(seen_among(&envelopes, record))
}

fn follow(home: &Home, store: &Store, json: bool) -> Result<Exit, CommandError> {
    let failed = |error| CommandError::failed("following the restart").because(error);
    let Some(mut record) = store.latest().map_err(failed)? else {
        return Err(CommandError::failed("following the restart").because("there was none yet"));
    };
    if record.phase().is_terminal() {
        output::talk(&format!("netsky: no restart is in flight; {} was the last", record.id));
    }
    let mut said = 0;
    loop {
        if !json {
            output::text(&lines_after(&record, said))?;
        }
        said = record.phases().len();
        if record.phase().is_terminal() {
            break;
        }
        if let Some(next) = next_look(store, record.id, said)? {
            record = next;
        }
    }
    if json {
        output::json(&seen_now(home, record.clone())?)?;
    }
    Ok(ended_with(&record))
}

/// The record once it has more than `said` phases.
fn next_look(store: &Store, id: RestartId, said: usize) -> Result<Option<Record>, CommandError> {
    let look = || match store.find(&id.to_string()) {
        Ok(record) => (record.phases().len() > said).then_some(Ok(record)),
        Err(error) => Some(Err(CommandError::failed(format!("following the restart {id}")).because(error))),
    };
    process::poll(LOOK_EVERY, Deadline::after(ONE_WAIT), look).transpose()
}

/// One line for each phase but the first `said`; after the last of a restart that is not green, why.
fn lines_after(record: &Record, said: usize) -> String {
    let mut lines: String = record.phases().iter().skip(said).map(phase_line).collect();
    if said >= record.phases().len() {
        return lines;
    }
    if let Some(failure) = record.error() {
        lines.push_str(&format!("{}: {}\n", failure.step, text::one_line(&failure.message)));
        for line in failure.screen.iter().flatten() {
            lines.push_str(&format!("  | {}\n", text::one_line(line)));
        }
        if let Some(hint) = &failure.hint {
            lines.push_str(&format!("  hint: {}\n", text::one_line(hint)));
        }
    }
    if record.phase() == Phase::Degraded {
        let missing = record.agents().iter().filter(|agent| !agent.state.is_up());
        lines.extend(missing.map(|agent| {
            let why = agent.error.as_deref().map(text::one_line).unwrap_or_default();
            format!("{} is {}: {why}\n", agent.name, agent.state)
        }));
    }
    lines
}

fn phase_line(entry: &PhaseEntry) -> String {
    let after = text::duration(Duration::from_millis(entry.elapsed_ms));
    format!("{}  {after:>7}  {}\n", clock::stamp(entry.at), entry.phase)
}

/// The exit of a restart, for who followed it.
fn ended_with(record: &Record) -> Exit {
    match record.exit_code() {
        Some(0) => Exit::Done,
        Some(2) => Exit::Usage,
        Some(3) => Exit::Degraded,
        Some(4) => Exit::Blocked,
        Some(69) => Exit::Unavailable,
        Some(75) => Exit::Busy,
        Some(78) => Exit::Configuration,
        Some(code) if code > 128 => Exit::Signal(code - 128),
        Some(_) | None => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::{Scene, assert_valid};
    use super::super::setting;
    use super::*;
    use crate::id::{EnvelopeId, Generation};
    use crate::name::Actor;
    use crate::status::{Beginning, Ending, Failure, HandoffRecord, HandoffState};

    fn begun() -> Record {
        Record::begin(Beginning {
            id: RestartId::fresh(),
            pid: i32::try_from(std::process::id()).unwrap(),
            at: clock::utc_now(),
            actor: Actor::Owner,
            reason: None,
            generation: Generation::fresh(),
            clones: 0,
        })
    }

    fn errored(mut record: Record, exit_code: u8) -> Record {
        let message = "agent0 is\nnot up within 90s".to_owned();
        let failure =
            Failure { step: Phase::UpDetected, message, agent: None, screen: None, hint: Some("x".into()) };
        let ending = Ending::Errored { failure, exit_code };
        record.finish(ending, clock::utc_now(), Duration::from_secs(90)).unwrap();
        record
    }

    #[test]
    fn each_phase_is_one_line_and_is_said_once() {
        let mut record = begun();
        assert_eq!(lines_after(&record, 0).lines().count(), 1);
        record.advance(Phase::TearingDown, clock::utc_now(), Duration::from_millis(1500)).unwrap();
        let lines = lines_after(&record, 1);
        assert!(lines.ends_with("1.5s  tearing-down\n") && lines.lines().count() == 1, "{lines}");
        assert_eq!(lines_after(&record, 2), "");
    }

    #[test]
    fn a_failure_is_told_after_its_phase() {
        let lines = lines_after(&errored(begun(), 1), 1);
        let told: Vec<&str> = lines.lines().skip(1).collect();
        assert_eq!(told, ["up-detected: agent0 is not up within 90s", "  hint: x"]);
    }

    #[test]
    fn who_follows_a_restart_exits_as_it_did() {
        for code in [1, 2, 4, 69, 75, 78, 130, 143] {
            assert_eq!(ended_with(&errored(begun(), code)).code(), code);
        }
        assert_eq!(ended_with(&begun().interrupted()), Exit::Failed);
    }

    #[test]
    fn a_restart_is_followed_to_its_end() {
        let scene = Scene::new();
        let store = Store::of(&scene.home, 20);
        let record = begun();
        let _held = setting::take_lock(&scene.home, "restart", record.id, None).unwrap();
        store.write(&record).unwrap();
        let (writer, id) = (store.clone(), record.id);
        let restart = crate::process::beside(move || writer.write(&errored(record, 4)).unwrap()).unwrap();
        let seen = next_look(&store, id, 1).unwrap().unwrap();
        restart.blocking_recv().unwrap();
        assert_eq!(seen.phase(), Phase::Errored);
        assert_eq!(follow(&scene.home, &store, false).unwrap(), Exit::Blocked);
    }

    #[test]
    fn a_hand_over_that_was_pruned_was_taken() {
        let scene = Scene::new();
        let mut record = begun();
        let id = EnvelopeId::fresh();
        let handoff =
            HandoffRecord { id, state: HandoffState::Delivered, envelope: format!("{id}-from-owner.json") };
        record.note_handoff(handoff).unwrap();
        let seen = seen_now(&scene.home, errored(record, 1)).unwrap();
        assert_eq!(seen.handoff().unwrap().state, HandoffState::Taken);
        assert_valid("restart-record", &seen);
        assert_valid("history", &HistoryDocument { version: 1, restarts: vec![seen] });
    }
}
