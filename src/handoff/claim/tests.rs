use std::os::unix::fs::symlink;
use std::sync::Barrier;

use super::super::deliver::{deliver, replay};
use super::super::scene::{LIMIT, Scene, TO_ROOT, kind};
use super::*;
use crate::clock::utc_now;

fn claimed(result: Result<Claimed>) -> Claim {
    match result.unwrap() {
        Claimed::Claimed(claim) => claim,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_taken_away_and_its_bytes_become_the_claim() {
    let scene = Scene::new();
    let path = scene.file("h.md", b"go on");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    let claim = claimed(scene.claim(path.clone()));
    assert!(!path.exists());
    let taken = fs::metadata(claim.path(&scene.home)).unwrap();
    assert_eq!((taken.ino(), taken.mode() & 0o777), (inode, 0o600), "one rename, no copy");
    assert_eq!(claim.origin(), Some(record::absolute(&path)));
    assert_eq!(find(&scene.home, claim.id()).unwrap(), Some(claim.clone()));
    assert_eq!(claim.read(&scene.home).unwrap(), b"go on");
}

#[test]
fn sources_that_cannot_be_taken_are_named_and_left_alone() {
    let scene = Scene::new();
    let at = |name: &str| scene.dir.path().join(name);
    scene.file("plain", b"x");
    scene.file("empty", b"");
    symlink(at("plain"), at("link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::RWXU).unwrap();
    fs::File::create(at("sparse")).unwrap().set_len(1 << 30).unwrap();
    persist::make_dir(&at("dir")).unwrap();
    let own = scene.home.archive().join("x.json");
    persist::replace(&own, b"x").unwrap();
    // Of another constellation.
    let other = scene.home.root().join("c/other");
    persist::make_dir(&other).unwrap();
    persist::replace(&other.join("home.json"), b"{}").unwrap();
    let elsewhere = other.join("config.toml");
    persist::replace(&elsewhere, b"# mine").unwrap();
    for (path, expected) in [
        (at("missing"), "SourceMissing"),
        (at("missing/below"), "SourceMissing"),
        (at("plain/below"), "SourceUnreadable"),
        (at("link"), "SourceIsLink"),
        (at("fifo"), "SourceNotRegular"),
        (at("dir"), "SourceNotRegular"),
        (at("sparse"), "SourceTooLarge"),
        (PathBuf::from("/dev/zero"), "SourceNotRegular"),
        (own.clone(), "SourceIsState"),
        (scene.home.root().join("home.json"), "SourceIsState"),
        (elsewhere, "SourceIsState"),
        (at("empty"), "None"),
        (PathBuf::from("/dev/null"), "None"),
    ] {
        let there = path.symlink_metadata().is_ok();
        assert_eq!(kind(&scene.claim(path.clone())), expected, "{path:?}");
        assert_eq!(path.symlink_metadata().is_ok(), there, "{path:?}");
        scene.nothing_is_claimed();
    }
}

/// Root may read everything, so this proves something only for others.
#[test]
#[expect(clippy::disallowed_methods, reason = "whether it can be tried, not whose something is")]
fn what_may_not_be_read_or_removed_is_named_and_left_alone() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let scene = Scene::new();
    let secret = scene.file("secret", b"x");
    fs::set_permissions(&secret, Permissions::from_mode(0o000)).unwrap();
    assert_eq!(kind(&scene.claim(secret)), "SourceUnreadable");

    let dir = scene.dir.path().join("fixed");
    persist::make_dir(&dir).unwrap();
    for (name, links) in [("fixed/one", 1), ("fixed/two", 2)] {
        let path = scene.file(name, b"x");
        if links == 2 {
            rustix::fs::link(&path, scene.dir.path().join("other")).unwrap();
        }
        fs::set_permissions(&dir, Permissions::from_mode(0o500)).unwrap();
        assert_eq!(kind(&scene.claim(path.clone())), "SourceNotRemovable");
        fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
        assert!(path.exists());
        scene.nothing_is_claimed();
    }
}

#[test]
fn a_draft_that_is_not_there_is_no_handover() {
    let scene = Scene::new();
    let draft = Source::Draft(scene.home.draft(AgentName::ROOT));
    assert_eq!(claim(&scene.home, &draft, TO_ROOT, LIMIT, utc_now()).unwrap(), Claimed::None);
}

#[test]
fn the_limit_itself_is_allowed() {
    let scene = Scene::new();
    let claim_of = |bytes: &[u8]| claim(&scene.home, &Source::Bytes(bytes.to_owned()), TO_ROOT, 3, utc_now());
    assert_eq!(kind(&claim_of(b"abc")), "Claimed");
    assert_eq!(kind(&claim_of(b"abcd")), "SourceTooLarge");
    assert_eq!(kind(&claim_of(b"")), "None");
    let path = scene.file("four", b"abcd");
    let named = claim(&scene.home, &Source::Named(path), TO_ROOT, 3, utc_now());
    assert_eq!(kind(&named), "SourceTooLarge");
}

#[test]
fn a_file_with_two_names_is_copied_and_loses_the_one_that_was_given() {
    let scene = Scene::new();
    let path = scene.file("one", b"x");
    let other = scene.dir.path().join("two");
    rustix::fs::link(&path, &other).unwrap();
    let claim = claimed(scene.claim(path.clone()));
    assert!(!path.exists() && other.exists());
    assert_eq!(fs::metadata(claim.path(&scene.home)).unwrap().nlink(), 1);
    persist::append_line(&other, "more").unwrap();
    assert_eq!(claim.read(&scene.home).unwrap(), b"x", "who still has it cannot change the claim");
}

#[test]
fn a_file_on_another_file_system_is_copied_and_removed() {
    let scene = Scene::new();
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    if device(elsewhere.path()) == device(scene.dir.path()) {
        return;
    }
    let path = elsewhere.path().join("h.md");
    persist::replace(&path, b"\xff from afar").unwrap();
    let claim = claimed(scene.claim(path.clone()));
    assert!(!path.exists());
    deliver(&scene.home, &claim).unwrap();
    assert_eq!(scene.settled(), [b"\xff from afar"]);
}

#[test]
fn the_same_file_given_twice_goes_on_with_its_claim_until_that_is_delivered() {
    let scene = Scene::new();
    let path = scene.file("h.md", b"x");
    let first = claimed(scene.claim(path.clone()));
    let spelled = scene.dir.path().join("home/../h.md");
    assert_eq!(scene.claim(spelled).unwrap(), Claimed::Pending(first.clone()));
    assert_eq!(kind(&scene.claim(scene.dir.path().join("other.md"))), "SourceMissing");
    // A new file under that name is a new hand-over.
    scene.file("h.md", b"y");
    let second = claimed(scene.claim(path.clone()));
    assert!(second.id() > first.id());
    for claim in [first, second] {
        deliver(&scene.home, &claim).unwrap();
    }
    assert_eq!(kind(&scene.claim(path)), "SourceMissing");
    assert_eq!(scene.settled(), [b"x", b"y"]);
}

#[test]
fn of_many_racers_one_wins() {
    for links in [1, 2] {
        for round in 0..20 {
            let scene = Scene::new();
            let path = scene.file("h.md", b"x");
            if links == 2 {
                rustix::fs::link(&path, scene.dir.path().join("other")).unwrap();
            }
            let start = Barrier::new(4);
            let results: Vec<String> = std::thread::scope(|scope| {
                let racer = || {
                    start.wait();
                    kind(&scene.claim(path.clone()))
                };
                let racers: Vec<_> = (0..4).map(|_| scope.spawn(racer)).collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).collect()
            });
            let won = results.iter().filter(|result| *result == "Claimed").count();
            assert_eq!(won, 1, "round {round}, {links} links: {results:?}");
            assert!(
                results.iter().all(|result| [
                    "Claimed",
                    "Pending",
                    "SourceChanged",
                    "SourceMissing",
                    "SourceUnreadable"
                ]
                .contains(&result.as_str())),
                "{results:?}"
            );
            replay(&scene.home, &mut |_| true).unwrap();
            assert_eq!(scene.settled(), [b"x"]);
        }
    }
}

#[test]
fn what_was_swapped_in_at_the_last_moment_is_looked_at_again() {
    let scene = Scene::new();
    let path = scene.file("h.md", b"x");
    let origin = |path: &Path| Some(Origin::new(path, &fs::metadata(path).unwrap()));
    let announced = announce(&scene.home, TO_ROOT, origin(&path), utc_now()).unwrap();
    persist::remove(&path).unwrap();
    symlink("/etc/passwd", &path).unwrap();
    assert_eq!(kind(&rename_in(&scene.home, &path, &announced, LIMIT)), "SourceChanged");
    assert!(path.is_symlink() && !announced.path(&scene.home).exists(), "it was put back");
    persist::remove(&path).unwrap();
    // A newer file of ours is simply the newer hand-over.
    persist::replace(&path, b"newer").unwrap();
    assert!(rename_in(&scene.home, &path, &announced, LIMIT).unwrap());
    assert_eq!(announced.read(&scene.home).unwrap(), b"newer");
}

#[test]
fn a_source_that_was_written_to_meanwhile_is_not_removed() {
    let scene = Scene::new();
    let path = scene.file("h.md", b"x");
    let origin = Origin::new(&path, &fs::metadata(&path).unwrap());
    let announced = announce(&scene.home, TO_ROOT, Some(origin), utc_now()).unwrap();
    persist::append_line(&path, "and this").unwrap();
    assert!(!remove_source(&announced).unwrap());
    assert!(path.exists());
}

#[test]
fn odd_things_among_the_claims_are_skipped_and_counted() {
    let scene = Scene::new();
    let claim = scene.claimed(b"x");
    persist::replace(&scene.home.claims().join("notes.txt"), b"x").unwrap();
    persist::make_dir(&scene.home.claims().join("dir")).unwrap();
    let found = pending(&scene.home).unwrap();
    assert_eq!((found.claims, found.skipped), (vec![claim], 2));
}

#[test]
fn a_claim_without_a_legible_record_goes_to_the_root_agent() {
    let scene = Scene::new();
    let claim = scene.claimed(b"x");
    persist::replace(&record::path(&scene.home, claim.name), b"{").unwrap();
    let found = pending(&scene.home).unwrap();
    assert!(scene.home.claims().join("corrupt").exists());
    assert_eq!(found.claims[0].to(), AgentName::ROOT);
    assert_eq!(found.claims[0].ts().timestamp_millis().unsigned_abs(), claim.id().made_at_ms());
}

#[test]
fn ids_keep_their_order_when_the_wall_clock_was_set_back() {
    // Made in the year 2096, and only there.
    let later = "03KQ4DHK000000000000000000-from-owner";
    for place in ["handoff/archive", "handoff/claims"] {
        let scene = Scene::new();
        let dir = scene.home.root().join(place);
        persist::replace(&dir.join(format!("{later}.json")), b"{}").unwrap();
        let [first, second] =
            [scene.claimed(b"x"), scene.claimed(b"y")].map(|claim| claim.name().to_string());
        assert!(first.as_str() > later && second > first, "{place}: {first} {second}");
    }
}
