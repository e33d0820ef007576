use super::*;

fn at(path: &Path) -> Home {
    Home::locate(Some(path), None, None).unwrap()
}

#[test]
fn a_home_is_found_by_variable_then_by_user() {
    let check = |netsky: Option<&str>, user: Option<&str>, name: Option<&str>| {
        Home::locate(netsky.map(Path::new), user.map(Path::new), name)
            .map(|home| home.root.display().to_string())
            .map_err(|error| error.to_string())
    };
    assert_eq!(check(Some("/n"), Some("/u"), None).unwrap(), "/n");
    assert_eq!(check(None, Some("/u"), Some("two")).unwrap(), "/u/.netsky/c/two");
    assert!(check(None, None, None).is_err());
    assert!(check(Some("n"), None, None).is_err());
    assert!(check(Some("/n"), None, Some("../x")).is_err());
}

#[test]
fn somebody_elses_directory_is_refused_and_untouched() {
    let dir = tempfile::tempdir().unwrap();
    persist::append_line(&dir.path().join("thesis.tex"), "x").unwrap();
    let home = at(dir.path());
    assert!(matches!(home.create(), Err(HomeError::Foreign { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_home_that_was_half_made_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let home = at(&dir.path().join("h"));
    assert!(matches!(home.open(), Err(HomeError::Missing { .. })));
    persist::make_dir(&home.root.join("state/beacons")).unwrap();
    home.create().unwrap();
    home.open().unwrap();
    assert_eq!(fs::metadata(home.beacons()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn an_empty_directory_that_others_may_write_to_becomes_ours_alone_and_one_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let home = at(dir.path());
    let mode = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o777);
    home.create().unwrap();
    assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o700);
    mode(0o720);
    let refused = home.create().unwrap_err();
    assert!(matches!(&refused, HomeError::NotOurs { why: NotOurs::Open { mode: 0o720 }, .. }), "{refused:?}");
}

#[test]
fn what_lies_in_a_home_is_looked_at_before_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let home = at(&dir.path().join("h"));
    home.create().unwrap();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&home.claims(), 0o730);
    let refused = home.open().unwrap_err();
    assert!(
        matches!(&refused, HomeError::NotOurs { path, why: NotOurs::Open { mode: 0o730 } } if *path == home.claims()),
        "{refused:?}"
    );
    mode(&home.claims(), 0o700);
    // What is odd and our own keeps nobody from looking.
    persist::append_line(&home.inbox(AgentName::Numbered(7)), "a file").unwrap();
    // A backup may hold other names of them.
    persist::append_line(&home.events(), "{}").unwrap();
    fs_link(&home.events(), &dir.path().join("backup"));
    home.open().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a backup does that")]
fn fs_link(from: &Path, to: &Path) {
    fs::hard_link(from, to).unwrap();
}

#[test]
fn a_directory_of_a_home_that_is_a_link_keeps_nobody_from_looking_and_is_not_written_through() {
    let dir = tempfile::tempdir().unwrap();
    let home = at(&dir.path().join("h"));
    home.create().unwrap();
    let moved = dir.path().join("moved");
    for directory in DIRECTORIES {
        let inside = home.root.join(directory);
        persist::rename(&inside, &moved).unwrap();
        std::os::unix::fs::symlink(&moved, &inside).unwrap();
        home.open().unwrap();
        let refused = home.create().unwrap_err();
        assert!(
            matches!(&refused, HomeError::NotOurs { path, why: NotOurs::Kind { .. } } if *path == inside),
            "{refused:?}"
        );
        fs::set_permissions(&moved, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(home.open(), Err(HomeError::NotOurs { why: NotOurs::Open { .. }, .. })));
        fs::set_permissions(&moved, fs::Permissions::from_mode(0o700)).unwrap();
        fs::remove_file(&inside).unwrap();
        persist::rename(&moved, &inside).unwrap();
    }
}

#[test]
fn a_home_is_one_place_whatever_it_is_called() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    std::os::unix::fs::symlink(&dir, dir.join("link")).unwrap();
    let home = dir.join("there");
    for called in ["there", "there/", ".//there/.", "link/there", "link/link/there/"] {
        assert_eq!(at(&dir.join(called)).root(), home, "before there is one: {called}");
    }
    at(&home).create().unwrap();
    std::os::unix::fs::symlink(&home, dir.join("other")).unwrap();
    for called in ["there", "there//", "link/there", "other", "link/other/"] {
        let same = at(&dir.join(called));
        assert_eq!(same.root(), home, "{called}");
        assert!(same.is_called(&dir.join(called)) && same.is_called(&home), "{called}");
        same.open().unwrap();
    }
    // A link that makes the path short enough for a socket is what it is there for.
    let long = dir.join("a long name".repeat(9));
    persist::make_dir(&long).unwrap();
    std::os::unix::fs::symlink(&long, dir.join("short")).unwrap();
    assert_eq!(at(&dir.join("short")).root(), dir.join("short"));
    // A link that leads nowhere is no home, and not made one elsewhere.
    std::os::unix::fs::symlink(dir.join("gone"), dir.join("dangling")).unwrap();
    assert_eq!(at(&dir.join("dangling")).root(), dir.join("dangling"));
}

#[test]
fn a_link_to_an_empty_directory_that_others_may_write_to_is_no_home() {
    let dir = tempfile::tempdir().unwrap();
    let (there, link) = (dir.path().join("there"), dir.path().join("link"));
    persist::make_dir(&there).unwrap();
    std::os::unix::fs::symlink(&there, &link).unwrap();
    fs::set_permissions(&there, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = at(&link).create().unwrap_err();
    assert!(matches!(&refused, HomeError::NotOurs { why: NotOurs::Open { .. }, .. }), "{refused:?}");
    assert_eq!(fs::read_dir(&there).unwrap().count(), 0);
    fs::set_permissions(&there, fs::Permissions::from_mode(0o700)).unwrap();
    at(&link).create().unwrap();
    at(&link).open().unwrap();
}
