//! What most verbs need before they begin: the home, the settings, and the lock of those that write.
//!
//! A configuration with an error is never used in part. Who does not get the lock writes nothing and says who has it.

use std::error::Error;
use std::time::Duration;

use crate::clock::{self, Deadline};
use crate::config::{Config, ConfigErrors, Flags, Inputs, Loaded, Problem};
use crate::handoff::{HandoffError, claim};
use crate::id::{Generation, RestartId};
use crate::lock::{self, Asked, Holder, Lock, LockError};
use crate::owner::NotOurs;
use crate::paths::Home;
use crate::persist;
use crate::process::{self, ProcessId};
use crate::state::spawned::Spawned;
use crate::status::{Phase, Record, RecordName, Store};
use crate::text;

use super::caller::remedy;
use super::{Caller, CommandError, Exit, output};

/// A home and its settings.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) home: Home,
    pub(super) loaded: Loaded,
}

impl Settings {
    /// Reads the configuration of `home` with the caller's environment and what was typed.
    ///
    /// # Errors
    /// Exit 78 with everything that is wrong.
    pub(super) fn load(caller: &Caller, home: Home, flags: Flags) -> Result<Self, CommandError> {
        let inputs = Inputs { file: home.config(), environment: &caller.environment, flags };
        match Config::load(&inputs) {
            Ok(loaded) => Ok(Self { home, loaded }),
            Err(errors) => Err(configuration_error(&errors)),
        }
    }

    /// The settings themselves.
    pub(super) fn config(&self) -> &Config {
        &self.loaded.config
    }
}

/// The home, which need not exist yet but must not be somebody else's.
pub(super) fn possible_home(caller: &Caller) -> Result<Home, CommandError> {
    let home = caller.home()?;
    match home.exists() {
        Ok(_) => Ok(home),
        Err(_) => caller.existing_home(),
    }
}

/// Texts that were taken from their senders and could not be delivered yet: one loud line each.
pub(super) fn say_stuck(stuck: &[String]) {
    stuck.iter().for_each(|line| output::talk(&format!("netsky: {line}")));
}

/// An error with its causes, on one line.
pub(super) fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    text::one_line(&words)
}

fn configuration_error(errors: &ConfigErrors) -> CommandError {
    let error = CommandError::new(Exit::Configuration, "reading the configuration");
    match errors.problems.as_slice() {
        [only] => {
            let error = error.because(words(only));
            match hint_about(only) {
                Some(hint) => error.hint(hint),
                None => error,
            }
        }
        several => error.because(errors.to_string()).showing(several.iter().map(problem_line).collect()),
    }
}

/// A problem on one line, with what would be right.
fn problem_line(problem: &Problem) -> String {
    match hint_about(problem) {
        Some(hint) => format!("{} ({hint})", words(problem)),
        None => words(problem),
    }
}

fn hint_about(problem: &Problem) -> Option<String> {
    match problem {
        Problem::Unreadable { path, source } => Some(remedy(path, NotOurs::behind(source)?)),
        _ => problem.hint(),
    }
}

/// How often a waiting command asks for the lock again.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// So long is always waited where the lock is held by nobody who says so, or by who is done in a moment.
const COURTESY: Duration = Duration::from_millis(500);

const RESTART: &str = "restart";

/// The verb that holds the lock only for a moment.
pub(super) const BRIEF_VERB: &str = "handoff";

/// Takes the lock of the verbs that write and notes who has it: `verb`, by its `id`, in this process.
///
/// # Errors
/// Exit 75 where another process has it (and still had it after `wait`), naming that one; nothing was written.
pub(super) fn take_lock(
    home: &Home,
    verb: &str,
    id: RestartId,
    wait: Option<Duration>,
) -> Result<Lock, CommandError> {
    let mut lock = ask_for_lock(home, verb, wait, &|| None)?;
    name_holder(&mut lock, verb, id)?;
    Ok(lock)
}

/// What a restart is known by.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) id: RestartId,
    pub(super) generation: Generation,
}

/// [`take_lock`] for a restart, which waits no longer once a signal is `pending`. It gets its names under the lock: they
/// come after those of all restarts before it.
///
/// # Errors
/// As [`take_lock`], or what was before cannot be read.
pub(super) fn take_lock_for_restart(
    home: &Home,
    wait: Option<Duration>,
    pending: &dyn Fn() -> Option<u8>,
) -> Result<(Lock, Names), CommandError> {
    let mut lock = ask_for_lock(home, RESTART, wait, pending)?;
    let failed = |error: HandoffError| CommandError::failed("reading what was before").because(error);
    let id = Store::of(home, usize::MAX).next_id().map_err(|error| failed(error.into()))?;
    let claimed = claim::newest_generation(home).map_err(failed)?;
    let spawned = Spawned::load(home).map_err(|error| failed(error.into()))?;
    let generation = spawned.next_generation(claimed);
    name_holder(&mut lock, RESTART, id)?;
    Ok((lock, Names { id, generation }))
}

fn ask_for_lock(
    home: &Home,
    verb: &str,
    wait: Option<Duration>,
    pending: &dyn Fn() -> Option<u8>,
) -> Result<Lock, CommandError> {
    let limit = wait.unwrap_or_default();
    let (patience, courtesy) = (Deadline::after(limit), Deadline::after(COURTESY));
    let mut last = None;
    let asked = process::poll(ASK_EVERY, Deadline::after(limit.max(COURTESY)), || {
        match lock::ask(&home.restart_lock()) {
            Ok(Asked::Held(lock)) => Some(Ok(lock)),
            Ok(Asked::Busy(_)) if let Some(signal) = pending() => {
                Some(Err(CommandError::new(Exit::Signal(signal), format!("waiting to {verb}"))
                    .because(format!("ended by signal {signal}; nothing was done"))))
            }
            Ok(Asked::Busy(holder)) => {
                last = holder.filter(|holder| holder.process.is_alive());
                let is_brief = last.as_ref().is_none_or(|holder| is_done_in_a_moment(home, holder));
                let deadline = if is_brief && courtesy.at() > patience.at() { courtesy } else { patience };
                deadline.is_past().then(|| Err(in_flight(home, verb, wait, last.as_ref())))
            }
            Err(error) => Some(Err(no_lock(format!("starting {verb}"), error))),
        }
    });
    asked.unwrap_or_else(|| Err(in_flight(home, verb, wait, last.as_ref())))
}

/// Whoever edits the configuration does so in a moment.
const EDITED_WITHIN: Duration = Duration::from_secs(5);

/// Takes the lock of those who edit the configuration.
///
/// # Errors
/// Exit 75 where another has it for too long.
pub(super) fn take_config_lock(home: &Home, doing: &str) -> Result<Lock, CommandError> {
    let asked =
        process::poll(ASK_EVERY, Deadline::after(EDITED_WITHIN), || match lock::ask(&home.config_lock()) {
            Ok(Asked::Held(lock)) => Some(Ok(lock)),
            Ok(Asked::Busy(_)) => None,
            Err(error) => Some(Err(no_lock(doing.to_owned(), error))),
        });
    asked.unwrap_or_else(|| {
        Err(CommandError::new(Exit::Busy, doing)
            .because(format!(
                "another command has held {} for {}",
                home.config_lock().display(),
                text::duration(EDITED_WITHIN)
            ))
            .hint("try again"))
    })
}

fn no_lock(doing: String, error: LockError) -> CommandError {
    match error.not_ours() {
        Some(why) => {
            let hint = remedy(&error.path, why);
            CommandError::new(Exit::Configuration, doing).because(error).hint(hint)
        }
        None => CommandError::failed(doing).because(error),
    }
}

/// Whether the holder is about to let go: it holds the lock only for a moment, or its restart has ended.
fn is_done_in_a_moment(home: &Home, holder: &Holder) -> bool {
    holder.verb == BRIEF_VERB || phase_of(home, &holder.id).is_some_and(Phase::is_terminal)
}

/// Writes into the lock who has it, for those who lose.
pub(super) fn name_holder(lock: &mut Lock, verb: &str, id: RestartId) -> Result<(), CommandError> {
    let doing = || CommandError::failed(format!("starting {verb}"));
    let process = ProcessId::own()
        .ok_or_else(|| doing().because("the system does not tell when this process began"))?;
    let holder = Holder { id: id.to_string(), verb: verb.to_owned(), process, since: clock::utc_now() };
    lock.name_holder(&holder).map_err(|error| doing().because(error))
}

fn in_flight(home: &Home, verb: &str, wait: Option<Duration>, holder: Option<&Holder>) -> CommandError {
    let within = wait.map(|wait| format!(" within {}", text::duration(wait))).unwrap_or_default();
    let error = CommandError::new(Exit::Busy, format!("taking the lock for {verb}{within}"));
    let Some(holder) = holder else {
        return error.because("another netsky has it and has not said which one");
    };
    let phase = phase_of(home, &holder.id);
    let age = clock::utc_now().signed_duration_since(holder.since).to_std().unwrap_or_default();
    let error = error.because(holder_words(holder, phase, age));
    match phase {
        Some(_) => error.hint("netsky history --follow"),
        None => error.hint("netsky history"),
    }
}

fn holder_words(holder: &Holder, phase: Option<Phase>, age: Duration) -> String {
    let phase = phase.map(|phase| format!(", phase {phase}")).unwrap_or_default();
    let Holder { id, verb, process, .. } = holder;
    format!("netsky {verb} {id} is in flight, process {}{phase}, for {}", process.pid, text::duration(age))
}

/// How far the restart of that id is. Only reads: who lost the lock does not even move a broken record aside.
fn phase_of(home: &Home, id: &str) -> Option<Phase> {
    let (names, _) = persist::list(&home.restart_status()).ok()?;
    let is_it = |name: &&String| RecordName::parse(name).is_some_and(|name| name.id().to_string() == id);
    let name = names.iter().rev().find(is_it)?;
    persist::look::<Record>(&home.restart_status().join(name)).map(|record| record.phase())
}

#[cfg(test)]
mod tests {
    use super::super::scene::Scene;
    use super::*;
    use crate::name::Actor;
    use crate::status::{Beginning, Ending, Failure};

    #[test]
    fn every_error_of_a_configuration_is_one_line() {
        let scene = Scene::new();
        scene.configure("[constellation]\nclonse = 2\npermissions = \"all\"\n");
        let error = Settings::load(&scene.caller, scene.home.clone(), Flags::default()).unwrap_err();
        assert_eq!((error.exit, error.screen.len()), (Exit::Configuration, 2));
        let message = error.message();
        for part in ["config.toml:2", "constellation.clonse", "clones", "config.toml:3", "permissions"] {
            assert!(message.contains(part), "{part} in {message}");
        }
        scene.configure("[constellation]\nclonse = 2\n");
        let error = Settings::load(&scene.caller, scene.home.clone(), Flags::default()).unwrap_err();
        assert_eq!((error.screen.len(), error.hints.len()), (0, 1), "{}", error.message());
    }

    #[test]
    fn who_loses_the_lock_hears_who_has_it_in_under_a_second() {
        let scene = Scene::new();
        let id = RestartId::fresh();
        let _held = take_lock(&scene.home, "restart", id, None).unwrap();
        let begun = clock::monotonic_now();
        let error = take_lock(&scene.home, "up", RestartId::fresh(), None).unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert_eq!(error.exit, Exit::Busy);
        let message = error.message();
        let pid = format!("process {}", std::process::id());
        for part in ["taking the lock for up", "netsky restart", &id.to_string(), &pid] {
            assert!(message.contains(part), "{part} in {message}");
        }
    }

    #[test]
    fn who_waits_for_the_lock_says_how_long() {
        let scene = Scene::new();
        let _held = take_lock(&scene.home, "restart", RestartId::fresh(), None).unwrap();
        let wait = Some(Duration::from_millis(60));
        let error = take_lock(&scene.home, "restart", RestartId::fresh(), wait).unwrap_err();
        assert!(error.message().contains("within 60ms"), "{}", error.message());
    }

    #[test]
    fn the_holder_is_told_with_its_phase_and_age() {
        let process = ProcessId { pid: 42, started: 7 };
        let holder = Holder { id: "01".into(), verb: "restart".into(), process, since: clock::utc_now() };
        assert_eq!(
            holder_words(&holder, Some(Phase::TearingDown), Duration::from_secs(12)),
            "netsky restart 01 is in flight, process 42, phase tearing-down, for 12s"
        );
    }

    #[test]
    fn a_restart_that_has_ended_and_is_about_to_let_go_is_waited_for() {
        let scene = Scene::new();
        let (held, Names { id, generation }) = take_lock_for_restart(&scene.home, None, &|| None).unwrap();
        let store = Store::of(&scene.home, 20);
        let (pid, at) = (std::process::id().cast_signed(), clock::utc_now());
        let beginning = Beginning { id, pid, at, actor: Actor::Owner, reason: None, generation, clones: 0 };
        let mut record = Record::begin(beginning);
        store.write(&record).unwrap();
        assert_eq!(take_lock(&scene.home, "up", RestartId::fresh(), None).unwrap_err().exit, Exit::Busy);
        let message = "it failed".to_owned();
        let failure = Failure { step: Phase::Preflight, message, agent: None, screen: None, hint: None };
        record.finish(Ending::Errored { failure, exit_code: 1 }, at, Duration::ZERO).unwrap();
        store.write(&record).unwrap();
        let holder = process::beside(move || {
            process::poll(Duration::from_millis(200), Deadline::after(Duration::from_millis(200)), || {
                None::<()>
            });
            drop(held);
        });
        take_lock(&scene.home, "up", RestartId::fresh(), None).unwrap();
        holder.unwrap().blocking_recv().unwrap();
    }

    #[test]
    fn a_lock_that_is_freed_meanwhile_is_taken() {
        let scene = Scene::new();
        let held = take_lock(&scene.home, "restart", RestartId::fresh(), None).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let holder = crate::process::beside(move || {
            receiver.recv().unwrap();
            drop(held);
        })
        .unwrap();
        sender.send(()).unwrap();
        take_lock(&scene.home, "up", RestartId::fresh(), Some(Duration::from_secs(20))).unwrap();
        holder.blocking_recv().unwrap();
    }
}
