use super::*;

use proptest::prelude::*;

use crate::handoff::Envelope;
use crate::handoff::draft::Written;
use crate::state::desired::Desired;
use crate::state::epochs::OwnerEpochs;
use crate::state::spawned::Spawned;
use crate::status::Record;

type Law = fn(&[u8]) -> std::result::Result<(), TestCaseError>;

/// Files of the first format, each with the law of its type.
const FORMATS: [(&str, Law); 8] = [
    ("agents.json", reads_back::<Spawned>),
    ("desired.json", reads_back::<Desired>),
    ("draft.json", reads_back::<Written>),
    ("envelope.json", reads_back::<Envelope>),
    ("envelope-base64.json", reads_back::<Envelope>),
    ("restart-record-complete.json", reads_back::<Record>),
    ("restart-record-errored.json", reads_back::<Record>),
    ("restart-record-in-flight.json", reads_back::<Record>),
];

/// What is read can be written, is not longer than what was read (but for optional fields that were left out), and
/// is read again as the same.
pub(crate) fn reads_back<T: StateFile>(bytes: &[u8]) -> std::result::Result<(), TestCaseError> {
    if let Ok(value) = parse::<T>(bytes) {
        let written = serde_json::to_string(&value).unwrap();
        prop_assert!(written.len() <= 2 * bytes.len() + 500);
        let again: T =
            parse(written.as_bytes()).map_err(|why| TestCaseError::fail(format!("{why}: {written}")))?;
        prop_assert_eq!(serde_json::to_string(&again).unwrap(), written);
    }
    Ok(())
}

#[test]
fn owner_epochs_read_back_whatever_their_counters_hold() {
    for counter in ["0", "18446744073709551615", "18446744073709551616", "-1", "1e3", "null"] {
        reads_back::<OwnerEpochs>(format!("{{\"version\":1,\"all\":{counter},\"agents\":{{}}}}").as_bytes())
            .unwrap();
    }
}

#[derive(Debug, Default, PartialEq, Serialize, serde::Deserialize)]
struct Sample {
    version: u64,
    n: u32,
}
impl StateFile for Sample {}

#[test]
fn a_state_file_survives_and_unknown_fields_are_tolerated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    store(&path, &Sample { version: 1, n: 7 }).unwrap();
    assert!(matches!(load::<Sample>(&path).unwrap(), Loaded::Present(Sample { n: 7, .. })));
    replace(&path, br#"{"version":1,"n":8,"later":true}"#).unwrap();
    assert!(matches!(load::<Sample>(&path).unwrap(), Loaded::Present(Sample { n: 8, .. })));
}

#[test]
fn what_cannot_be_understood_is_moved_aside_and_never_read_as_empty() {
    let deep = "[".repeat(100_000);
    for bytes in ["", "{", "{\"version\":2,\"n\":1}", "\0\0\0", "{\"n\":1e999}", "\u{feff}{}", &deep] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        replace(&path, bytes.as_bytes()).unwrap();
        let Loaded::MovedAside(moved) = load::<Sample>(&path).unwrap() else { panic!("{bytes:?}") };
        assert!(moved.aside.exists() && !path.exists());
    }
}

#[test]
fn publish_never_replaces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("once.json");
    assert_eq!(publish(&path, b"first").unwrap(), Published::New);
    assert_eq!(publish(&path, b"second").unwrap(), Published::Existed);
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(list(dir.path()).unwrap().0, ["once.json"]);
}

#[test]
fn of_a_directory_the_plain_files_alone_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    replace(&at("b"), b"x").unwrap();
    replace(&at("a"), b"x").unwrap();
    for below in ["corrupt", "cur", "d"] {
        make_dir(&at(below)).unwrap();
    }
    std::os::unix::fs::symlink(at("a"), at("link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::RWXU).unwrap();
    append_line(&at(".tmp-x"), "x").unwrap();
    let files = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(list(dir.path()).unwrap(), (files.clone(), 4));
    assert_eq!(list_beside(dir.path(), &["cur"]).unwrap(), (files, 3));
    let dirs = ["corrupt", "cur", "d"].map(str::to_owned).to_vec();
    assert_eq!(list_dirs(dir.path()).unwrap(), (dirs, 4));
}

#[test]
fn a_directory_that_is_a_link_is_refused_and_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let [theirs, link, file] = ["theirs", "link", "file"].map(|name| dir.path().join(name));
    make_dir(&theirs).unwrap();
    replace(&file, b"x").unwrap();
    std::os::unix::fs::symlink(&theirs, &link).unwrap();
    assert!(list(&link).is_err() && list_dirs(&link).is_err());
    assert!(make_own_dir(&link).is_err() && prove_writable(&link).is_err());
    assert!(prove_own_dir(&link).is_err() && prove_own_dir(&file).is_err());
    prove_own_dir(&theirs).unwrap();
    prove_own_dir(&dir.path().join("nothing")).unwrap();
    assert_eq!(fs::read_dir(theirs).unwrap().count(), 0);
}

#[test]
fn what_is_no_plain_file_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    for write in [replace, write_volatile, rewrite_volatile] {
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert!(write(&path, b"x").is_err() && path.is_symlink());
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        assert!(write(&path, b"x").is_err());
        fs::remove_file(&path).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_lock_is_no_link_and_no_fifo() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.lock");
    std::os::unix::fs::symlink(dir.path().join("target"), &path).unwrap();
    assert!(exclusively(&path).is_err() && !dir.path().join("target").exists());
    fs::remove_file(&path).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
    assert!(exclusively(&path).is_err());
    fs::remove_file(&path).unwrap();
    drop(exclusively(&path).unwrap());
    exclusively(&path).unwrap();
}

#[test]
fn links_fifos_and_directories_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().join("real");
    replace(&real, b"x").unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    for path in [link.as_path(), fifo.as_path(), dir.path()] {
        assert!(read(path, 10).is_err(), "{path:?}");
    }
    assert_eq!(read(&real, 10).unwrap().unwrap(), b"x");
    assert!(read(&real, 0).is_err());
}

proptest::proptest! {
    #![proptest_config(crate::mutation::tries(512))]

    #[test]
    fn a_damaged_state_file_is_refused_or_reads_back_as_what_was_read(
        (name, bytes) in proptest::sample::select(&FORMATS).prop_flat_map(|(name, _)| {
            (proptest::strategy::Just(name), crate::mutation::mutants(vec![crate::mutation::format(name)]))
        }),
    ) {
        let (_, reads_back) = FORMATS.iter().find(|(known, _)| *known == name).unwrap();
        reads_back(&bytes)?;
    }
}
