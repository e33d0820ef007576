//! `netsky handoff deliver`: the whole protocol without a restart.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock;
use crate::config::Flags;
use crate::constellation::{handover, recovery};
use crate::handoff::claim::{self, Address, Claim, Claimed};
use crate::handoff::source::Source;
use crate::handoff::{HandoffError, Result as Handed, deliver};
use crate::id::RestartId;
use crate::name::AgentName;
use crate::paths::Home;
use crate::text;

use super::super::envelopes::{failed, failed_on_file};
use super::super::send::{Delivered, Sent, say_kept};
use super::super::setting::{self, BRIEF_VERB, Settings};
use super::super::{Caller, CommandError, Exit, notify, output};
use super::own_generation;

/// Take a text away from where it is and put it into agent0's inbox, without a restart
///
/// Whatever crashes in between, it is delivered once. What earlier commands took and did not get to deliver is
/// delivered too. Prints the id of the envelope.
#[derive(Debug, clap::Args)]
pub(in crate::cmd) struct Args {
    /// The file, which is taken away; - is standard input
    file: PathBuf,
    /// Wait so long for a restart in flight, as in 90s or 2m
    #[arg(long, value_name = "DUR", value_parser = text::parse_duration)]
    wait_lock: Option<Duration>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Say what would be done and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// What is typed before the file.
const COMMAND: &str = "netsky handoff deliver";

pub(super) fn run(args: &Args, home: Home, caller: &Caller) -> Result<Exit, CommandError> {
    let settings = Settings::load(caller, home, Flags::default())?;
    let doing = format!("delivering {}", args.file.display());
    if args.dry_run {
        let plan = plan(args, &settings, caller).map_err(failed_on_file(doing, COMMAND))?;
        return output::text(&plan).map(|()| Exit::Done);
    }
    // Standard input may be slow; nobody else waits for it.
    let source = source(&args.file, settings.config().handoff.max_bytes).map_err(failed(&doing))?;
    let lock = setting::take_lock(&settings.home, BRIEF_VERB, RestartId::fresh(), args.wait_lock)?;
    let address = Address {
        from: caller.actor(&settings.home),
        to: AgentName::ROOT,
        generation: caller.agent(&settings.home).and_then(|_| own_generation(caller)),
    };
    let delivered = claim_and_deliver(&settings, &source, address);
    // Also where ours failed: what others left must not wait for it.
    let recovered = recovery::recover(&settings.home, &lock, clock::utc_now());
    setting::say_stuck(&recovered.map_err(failed("delivering what was left"))?.stuck);
    handover::prune(&settings.home, settings.config().handoff.keep);
    drop(lock);
    let Some(delivered) = delivered.map_err(failed_on_file(doing, COMMAND))? else {
        output::talk("netsky: the hand-over is empty: there is nothing to deliver");
        let nothing = Sent { version: 1, from: address.from, deliveries: Vec::new() };
        return if args.json { output::json(&nothing).map(|()| Exit::Done) } else { Ok(Exit::Done) };
    };
    let notified = notify::agent(&settings, caller, AgentName::ROOT);
    Sent { version: 1, from: address.from, deliveries: vec![delivered.notified(notified)] }.report(args.json)
}

fn source(file: &Path, limit: u64) -> Handed<Source> {
    if file == Path::new("-") { Source::standard_input(limit) } else { Ok(Source::Named(file.to_owned())) }
}

/// The claim comes before any recovery: a file that is gone may be an old claim, which recovery would take from us.
fn claim_and_deliver(settings: &Settings, source: &Source, address: Address) -> Handed<Option<Delivered>> {
    let home = &settings.home;
    let limit = settings.config().handoff.max_bytes;
    let claim: Claim = match claim::claim(home, source, address, limit, clock::utc_now())? {
        Claimed::None => return Ok(None),
        Claimed::Claimed(claim) => claim,
        Claimed::Pending(claim) => {
            let id = claim.id();
            output::talk(&format!(
                "netsky: an earlier command took this file as {id} and did not deliver it"
            ));
            claim
        }
    };
    let delivery = deliver::deliver(home, &claim).inspect_err(|error| {
        if !matches!(error, HandoffError::SourceNotRemovable { .. }) {
            say_kept(claim.id(), claim.to());
        }
    })?;
    Ok(Some(Delivered::of(&delivery)))
}

fn plan(args: &Args, settings: &Settings, caller: &Caller) -> Handed<String> {
    let left = claim::pending(&settings.home)?.claims.len();
    let from = caller.actor(&settings.home);
    let what = match super::read(&args.file, settings.config().handoff.max_bytes)? {
        Source::Bytes(bytes) if bytes.is_empty() => "nothing: the hand-over is empty".to_owned(),
        Source::Bytes(bytes) => format!("{} from {from} to agent0", text::size(bytes.len() as u64)),
        Source::Named(_) | Source::Draft(_) => "nothing".to_owned(),
    };
    Ok(format!("would deliver {what}\nwould deliver {left} texts that earlier commands left\n"))
}

#[cfg(test)]
mod tests {
    use super::super::super::scene::Scene;
    use super::super::tests::give;
    use super::*;
    use crate::handoff::archive;
    use crate::handoff::inbox::{Inbox, Place};

    fn args(file: PathBuf) -> Args {
        Args { file, wait_lock: None, json: false, dry_run: false }
    }

    /// A scene with tmux, which has no server.
    fn scene_with_tmux() -> Scene {
        let mut scene = Scene::new();
        scene.caller.environment.insert("PATH".into(), std::env::var_os("PATH").unwrap());
        scene
    }

    fn inbox(scene: &Scene) -> usize {
        Inbox::of(&scene.home, AgentName::ROOT).list(Place::Delivered).unwrap().names.len()
    }

    #[test]
    fn a_file_is_taken_and_delivered_with_what_others_left() {
        let scene = scene_with_tmux();
        give(&scene, b"left by a crash");
        let file = scene.file("handover.md", b"go on");
        run(&Args { dry_run: true, ..args(file.clone()) }, scene.home.clone(), &scene.caller).unwrap();
        assert!(file.exists() && inbox(&scene) == 0);
        assert_eq!(run(&args(file.clone()), scene.home.clone(), &scene.caller).unwrap(), Exit::Done);
        assert!(!file.exists());
        assert_eq!((inbox(&scene), archive::list(&scene.home).unwrap().names.len()), (2, 2));
    }

    #[test]
    fn a_file_that_was_claimed_before_is_delivered_from_its_claim() {
        let scene = scene_with_tmux();
        let file = scene.file("handover.md", b"go on");
        let address = Address { from: crate::name::Actor::Owner, to: AgentName::ROOT, generation: None };
        claim::claim(&scene.home, &Source::Named(file.clone()), address, 1 << 20, clock::utc_now()).unwrap();
        assert!(!file.exists());
        assert_eq!(run(&args(file.clone()), scene.home.clone(), &scene.caller).unwrap(), Exit::Done);
        assert_eq!(inbox(&scene), 1);
        let again = run(&args(file), scene.home.clone(), &scene.caller).unwrap_err();
        assert!(again.message().contains("does not exist"), "{}", again.message());
    }

    #[test]
    fn what_others_left_is_delivered_though_ours_fails() {
        let scene = Scene::new();
        give(&scene, b"left by a crash");
        assert!(run(&args(scene.dir.path().join("nowhere")), scene.home.clone(), &scene.caller).is_err());
        assert_eq!(inbox(&scene), 1);
    }

    #[test]
    fn an_empty_file_stays_and_is_no_failure() {
        let scene = Scene::new();
        let file = scene.file("empty", b"");
        assert_eq!(run(&args(file.clone()), scene.home.clone(), &scene.caller).unwrap(), Exit::Done);
        assert!(file.exists() && inbox(&scene) == 0);
    }
}
