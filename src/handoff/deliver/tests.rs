use std::fs;

use super::super::claim::{Address, Claimed, announce, copy_in, remove_source, rename_in};
use super::super::record::{Origin, hold};
use super::super::scene::{LIMIT, Scene, TO_ROOT, kind, named};
use super::super::source::{self, Opened, Source};
use super::*;
use crate::clock::utc_now;
use crate::id::{EnvelopeId, Generation};
use crate::name::Actor;

fn replay_all(scene: &Scene) -> Replay {
    let replay = replay(&scene.home, &mut |_| true).unwrap();
    assert!(replay.failed.is_empty(), "{:?}", replay.failed);
    replay
}

#[test]
fn a_claim_becomes_one_envelope_with_its_address() {
    let scene = Scene::new();
    let generation = Some(Generation::fresh());
    let to = AgentName::Numbered(3);
    let address = Address { from: Actor::Agent(AgentName::Numbered(1)), to, generation };
    let bytes = Source::Bytes(b"look".to_vec());
    let now = utc_now();
    let Claimed::Claimed(claim) = claim::claim(&scene.home, &bytes, address, LIMIT, now).unwrap() else {
        panic!("claimed")
    };
    let delivery = deliver(&scene.home, &claim).unwrap();
    assert_eq!((delivery.outcome, delivery.to), (Outcome::Delivered, to));
    let envelope = Inbox::of(&scene.home, to).read(claim.id()).unwrap();
    assert_eq!(envelope.from, address.from);
    assert_eq!(envelope.generation, generation);
    assert_eq!(envelope.ts.timestamp_millis(), now.timestamp_millis());
    assert_eq!(scene.settled(), [b"look"]);
}

/// How far a claimant got before it was killed.
fn claim_until(scene: &Scene, links: u64, steps: usize) {
    let path = scene.dir.path().join("h.md");
    let Opened::Suitable(suitable) = source::open(&path, LIMIT).unwrap() else { panic!("suitable") };
    if steps == 0 {
        return;
    }
    let origin = Origin::new(&path, &suitable.metadata);
    let claim = announce(&scene.home, TO_ROOT, Some(origin), utc_now()).unwrap();
    if links == 1 {
        if steps > 1 {
            assert!(rename_in(&scene.home, &path, &claim, LIMIT).unwrap());
        }
        return;
    }
    if steps > 1 {
        copy_in(&scene.home, &path, &suitable, &claim, LIMIT).unwrap();
    }
    if steps > 2 {
        assert!(remove_source(&claim).unwrap());
    }
}

#[test]
fn killed_between_any_two_steps_of_a_claim_the_text_arrives_once() {
    for (links, steps) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (2, 3)] {
        let scene = Scene::new();
        let path = scene.file("h.md", b"x");
        if links == 2 {
            rustix::fs::link(&path, scene.dir.path().join("other")).unwrap();
        }
        claim_until(&scene, links, steps);
        // What the user does next is to give the same command again, after recovery or before.
        replay_all(&scene);
        if path.exists() {
            let Claimed::Claimed(claim) = scene.claim(path.clone()).unwrap() else { panic!("claimed") };
            deliver(&scene.home, &claim).unwrap();
        }
        assert!(!path.exists());
        sweep_beside(&scene.home, utc_now() + TimeDelta::hours(2), |_| false).unwrap();
        assert_eq!(scene.settled(), [b"x"], "{links} links, {steps} steps");
    }
}

#[test]
fn killed_between_any_two_steps_of_a_delivery_the_text_arrives_once() {
    for steps in 0..=STEPS.len() {
        for place in [None, Some(Place::Shown), Some(Place::Taken)] {
            let scene = Scene::new();
            let claim = scene.claimed(b"x");
            let mut work = Work::new(&scene.home, &claim);
            for step in STEPS.iter().take(steps) {
                work.perform(*step).unwrap();
            }
            // A reader is quicker than the recovery.
            if scene.inbox().place_of(claim.id()).unwrap().is_some() {
                match place {
                    Some(Place::Shown) => {
                        scene.inbox().mark_shown(named(claim.id()), None, utc_now()).unwrap()
                    }
                    Some(_) => scene.inbox().mark_taken(claim.id()).unwrap(),
                    None => {}
                }
            }
            replay_all(&scene);
            replay_all(&scene);
            sweep_beside(&scene.home, utc_now() + TimeDelta::hours(2), |_| false).unwrap();
            assert_eq!(scene.settled(), [b"x"], "{steps} steps, {place:?}");
        }
    }
}

#[test]
fn a_writer_that_kept_the_file_open_cannot_make_two_versions() {
    let scene = Scene::new();
    let claim = scene.claimed(b"x");
    let mut work = Work::new(&scene.home, &claim);
    for step in [Step::RemoveSource, Step::Archive] {
        work.perform(step).unwrap();
    }
    persist::append_line(&scene.home.claims().join(claim.name().to_string()), "late").unwrap();
    replay_all(&scene);
    assert_eq!(scene.settled(), [b"x"]);
}

#[test]
fn what_may_not_be_delivered_yet_is_kept() {
    let scene = Scene::new();
    let (first, second) = (scene.claimed(b"1"), scene.claimed(b"2"));
    let replay = replay(&scene.home, &mut |claim| claim.id() == second.id()).unwrap();
    assert_eq!(replay.kept, std::slice::from_ref(&first));
    assert_eq!(replay.delivered.iter().map(|delivery| delivery.name).collect::<Vec<_>>(), [second.name()]);
    assert_eq!(replay_all(&scene).delivered[0].name, first.name());
    assert_eq!(scene.settled(), [b"1", b"2"]);
}

#[test]
fn odd_claims_are_reported_and_do_not_hold_up_the_others() {
    let scene = Scene::new();
    let odd = |name: &str| scene.home.claims().join(format!("{}-from-{name}", EnvelopeId::fresh()));
    persist::make_dir(&odd("owner")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", odd("agent1")).unwrap();
    persist::replace(&odd("agent2"), b"").unwrap();
    fs::File::create(odd("agent3")).unwrap().set_len(1 << 30).unwrap();
    scene.claimed(b"good");
    let replay = replay(&scene.home, &mut |_| true).unwrap();
    assert_eq!((replay.delivered.len(), replay.failed.len()), (1, 2), "{:?}", replay.failed);
    assert_eq!(replay.skipped, 2, "what is no file is no claim");
    assert!(replay.failed.iter().all(|(_, error)| matches!(error, HandoffError::ClaimOdd { .. })));
    // What can never be delivered is said once and then lies aside; what is somebody else's is counted each time.
    let again = super::replay(&scene.home, &mut |_| true).unwrap();
    assert_eq!((again.failed.len(), again.skipped), (0, 2));
    assert_eq!(fs::read_dir(scene.home.claims().join("corrupt")).unwrap().count(), 2);
}

#[test]
fn a_claim_that_was_renamed_is_delivered_whatever_became_of_the_place_it_came_from() {
    let scene = Scene::new();
    let dir = scene.dir.path().join("project");
    persist::make_dir(&dir).unwrap();
    let path = scene.file("project/h.md", b"x");
    assert_eq!(kind(&scene.claim(path)), "Claimed");
    fs::remove_dir(&dir).unwrap();
    // A link to itself: looking through it fails, and not with "no such file".
    std::os::unix::fs::symlink(&dir, &dir).unwrap();
    replay_all(&scene);
    assert_eq!(scene.settled(), [b"x"]);
}

#[test]
fn a_bare_claim_is_delivered_to_the_root_agent() {
    let scene = Scene::new();
    let name = EnvelopeName { id: EnvelopeId::fresh(), from: Actor::Watchdog };
    persist::replace(&scene.home.claims().join(name.to_string()), b"wake up").unwrap();
    replay_all(&scene);
    assert_eq!(scene.inbox().read(name.id).unwrap().from, Actor::Watchdog);
    assert_eq!(scene.settled(), [b"wake up"]);
}

#[test]
fn a_corrupt_archive_copy_is_moved_aside_and_written_again() {
    let scene = Scene::new();
    let claim = scene.claimed(b"x");
    persist::replace(&scene.home.archive().join(claim.name().file()), b"\0\0\0").unwrap();
    deliver(&scene.home, &claim).unwrap();
    assert_eq!(fs::read_dir(scene.home.archive().join("corrupt")).unwrap().count(), 1);
    assert_eq!(scene.settled(), [b"x"]);
}

#[test]
fn who_comes_second_learns_that_another_is_at_it() {
    let scene = Scene::new();
    let claim = scene.claimed(b"x");
    let held = hold(&scene.home, &claim).unwrap();
    assert_eq!(deliver(&scene.home, &claim).unwrap().outcome, Outcome::ByAnother);
    drop(held);
    assert_eq!(deliver(&scene.home, &claim).unwrap().outcome, Outcome::Delivered);
    assert_eq!(deliver(&scene.home, &claim).unwrap().outcome, Outcome::ByAnother, "done long ago");
    assert_eq!(scene.settled(), [b"x"]);
    persist::remove(&scene.home.archive().join(claim.name().file())).unwrap();
    assert_eq!(kind(&deliver(&scene.home, &claim)), "ClaimGone");
    assert_eq!(persist::list(&scene.home.claims()).unwrap().0, Vec::<String>::new());
}

#[test]
fn many_deliverers_and_a_quick_reader_leave_each_id_once() {
    let scene = Scene::new();
    let claims: Vec<Claim> = (0..30).map(|n| scene.claimed(format!("{n}").as_bytes())).collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| replay_all(&scene));
        }
        scope.spawn(|| {
            for claim in &claims {
                while scene.inbox().place_of(claim.id()).unwrap().is_none() {
                    std::thread::yield_now();
                }
                scene.inbox().mark_taken(claim.id()).unwrap();
            }
        });
    });
    replay_all(&scene);
    assert_eq!(scene.settled().len(), 30);
    assert_eq!(scene.inbox().list(Place::Taken).unwrap().names.len(), 30);
}

#[test]
fn debris_goes_after_an_hour_and_claims_never() {
    let scene = Scene::new();
    let claim = scene.claimed(b"x");
    let path = scene.file("h.md", b"y");
    claim_until(&scene, 1, 1);
    let old = format!("{}01ARZ3NDEKTSV4RRFFQ69G5FAV-x", persist::TEMPORARY_PREFIX);
    persist::make_dir(&scene.inbox().dir(Place::Shown)).unwrap();
    for dir in [scene.home.archive(), scene.inbox().dir(Place::Shown)] {
        persist::append_line(&dir.join(&old), "half").unwrap();
    }
    let swept =
        |hours, is_alive| sweep_beside(&scene.home, utc_now() + TimeDelta::hours(hours), is_alive).unwrap();
    assert_eq!(swept(0, |_| false), 2, "the young record may belong to somebody at work");
    for hours in [2, -2, 90_000, -90_000] {
        assert_eq!(
            swept(hours, ProcessId::is_alive),
            0,
            "and one whose claimant lives does, whatever the clock says"
        );
    }
    assert_eq!(swept(2, |_| false), 1);
    assert!(path.exists());
    assert_eq!(claim::pending(&scene.home).unwrap().claims, [claim]);
}
