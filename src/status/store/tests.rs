use std::path::Path;

use super::*;
use crate::id::Generation;
use crate::lock::{self, Asked, Holder};
use crate::name::Actor;
use crate::persist::Loaded;
use crate::status::record::tests::{at, complete};
use crate::status::{Beginning, Phase};

struct Place {
    dir: (tempfile::TempDir, std::fs::File),
    home: Home,
    store: Store,
}

fn place(keep: usize) -> Place {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::locate(Some(&dir.path().join("h")), None, None).unwrap();
    home.create().unwrap();
    let store = Store::of(&home, keep);
    // As whoever carries a restart has it.
    let lock = std::fs::File::create(home.restart_lock()).unwrap();
    Place { dir: (dir, lock), home, store }
}

/// A restart in its preflight, begun at this second by this process.
fn begun_at(second: u32, pid: i32) -> Record {
    let at = at(&format!("2026-11-20T19:00:{second:02}Z"));
    let id = ulid::Ulid::from_parts(at.timestamp_millis().unsigned_abs(), second.into());
    Record::begin(Beginning {
        id: id.to_string().parse().unwrap(),
        pid,
        at,
        actor: Actor::Owner,
        reason: None,
        generation: Generation::fresh(),
        clones: 0,
    })
}

fn own_pid() -> i32 {
    ProcessId::own().unwrap().pid
}

fn held(home: &Home) -> Lock {
    match lock::ask(&home.restart_lock()).unwrap() {
        Asked::Held(lock) => lock,
        Asked::Busy(holder) => panic!("{holder:?}"),
    }
}

#[test]
fn records_come_back_newest_first() {
    let Place { store, dir: _dir, .. } = place(20);
    assert_eq!(store.latest().unwrap(), None);
    let records = [begun_at(1, own_pid()), begun_at(3, own_pid()), begun_at(2, own_pid())];
    for record in &records {
        store.write(record).unwrap();
    }
    let [first, third, second] = records;
    assert_eq!(store.latest().unwrap().as_ref(), Some(&third));
    assert_eq!(store.list().unwrap(), [third, second, first]);
}

#[test]
fn one_restart_is_one_file_through_all_its_phases() {
    let Place { store, dir: _dir, .. } = place(20);
    let record = complete();
    store.write(&record).unwrap();
    store.write(&record).unwrap();
    assert_eq!(store.list().unwrap().len(), 1);
}

#[test]
fn a_record_is_found_by_the_begin_of_its_id_or_of_its_name() {
    let Place { store, dir: _dir, .. } = place(20);
    let (one, two) = (begun_at(1, own_pid()), begun_at(2, own_pid()));
    store.write(&one).unwrap();
    store.write(&two).unwrap();
    assert_eq!(store.find(&one.id.to_string()).unwrap(), one);
    assert_eq!(store.find(&one.id.to_string().to_lowercase()).unwrap(), one);
    assert_eq!(store.find("20261120T190002").unwrap(), two);
    assert!(matches!(store.find("01"), Err(FindError::Ambiguous { ids, .. }) if ids == [two.id, one.id]));
    for none in ["", "  ", "7ZZ", "../../etc"] {
        assert!(matches!(store.find(none), Err(FindError::NotFound { .. })), "{none:?}");
    }
}

#[test]
fn the_restart_made_last_is_the_last_whatever_times_the_others_tell() {
    let Place { home, store, dir: _dir } = place(2);
    // As older versions named it, ten years ahead, when it had waited for the lock.
    let ahead = begun_at(1, own_pid());
    let json = serde_json::to_string(&ahead).unwrap();
    let id = "01XDM7RGJPXJSS1RFND50KS9XD";
    let ahead = json.replace(&ahead.id.to_string(), id).replace("2026-", "2036-");
    persist::replace(&home.restart_status().join(format!("20361119T010203Z-{id}.json")), ahead.as_bytes())
        .unwrap();
    let mut made = Vec::new();
    for second in 1..=3 {
        let record = Record::begin(Beginning {
            id: store.next_id().unwrap(),
            pid: own_pid(),
            at: at(&format!("2026-11-20T19:00:{second:02}Z")),
            actor: Actor::Owner,
            reason: None,
            generation: Generation::fresh(),
            clones: 0,
        });
        store.write(&record).unwrap();
        store.prune(Some(record.id)).unwrap();
        assert_eq!(store.latest().unwrap().as_ref(), Some(&record));
        made.insert(0, record);
    }
    assert_eq!(store.list().unwrap(), made[..2]);
}

#[test]
fn what_cannot_be_understood_is_moved_aside() {
    let Place { home, store, dir: _dir } = place(20);
    let good = begun_at(1, own_pid());
    store.write(&good).unwrap();
    let json = serde_json::to_string(&good).unwrap();
    let half = json.get(..json.len() / 2).unwrap().to_owned();
    let broken = [
        String::new(),
        half,
        "\0\0\0\0".to_owned(),
        "[".repeat(10_000),
        "{\"version\":1,\"version\":1}".to_owned(),
        json.replace("\"version\":1", "\"version\":2"),
        json.replace("preflight", "perflight"),
        format!("\u{feff}{json}"),
        // Right in itself, but under a name that is not its own.
        json,
    ];
    for content in &broken {
        let path = store.path_of(&RecordName::of(begun_at(9, 1).id));
        persist::replace(&path, content.as_bytes()).unwrap();
        assert_eq!(store.list().unwrap(), std::slice::from_ref(&good), "{content}");
        assert!(!path.exists(), "{content}");
    }
    let aside = std::fs::read_dir(home.restart_status().join("corrupt")).unwrap();
    assert_eq!(aside.count(), broken.len());
}

#[test]
fn fields_of_a_later_version_are_tolerated_and_foreign_files_left_alone() {
    let Place { home, store, dir: _dir } = place(0);
    let record = begun_at(1, own_pid());
    let json = serde_json::to_string(&record).unwrap().replacen('{', "{\"later\":[1],", 1);
    persist::replace(&store.path_of(&RecordName::of(record.id)), json.as_bytes()).unwrap();
    let foreign = home.restart_status().join("notes.json");
    persist::replace(&foreign, b"mine").unwrap();
    assert_eq!(store.list().unwrap(), [record]);
    assert_eq!(store.prune(None).unwrap(), 1);
    assert!(foreign.exists());
}

#[test]
fn pruning_keeps_the_newest_and_the_one_in_flight() {
    let Place { store, dir: _dir, .. } = place(2);
    let records: Vec<Record> = (1..=4).map(|second| begun_at(second, own_pid())).collect();
    for record in &records {
        store.write(record).unwrap();
    }
    assert_eq!(store.prune(Some(records[0].id)).unwrap(), 1);
    let left: Vec<RestartId> = store.list().unwrap().iter().map(|record| record.id).collect();
    assert_eq!(left, [records[3].id, records[2].id, records[0].id]);
}

#[test]
fn a_reader_sees_a_gone_restart_as_interrupted_and_writes_nothing() {
    let Place { store, dir: _dir, .. } = place(20);
    // No process has this pid: it is above every pid_max.
    let record = begun_at(1, i32::MAX);
    store.write(&record).unwrap();
    let path = store.path_of(&RecordName::of(record.id));
    let before = std::fs::read(&path).unwrap();
    let seen = store.latest().unwrap().unwrap();
    assert_eq!((seen.phase(), seen.exit_code()), (Phase::Interrupted, None));
    assert_eq!(seen.error().unwrap().step, Phase::Preflight);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
#[cfg(target_os = "linux")]
fn who_has_the_pid_of_a_gone_restart_is_not_taken_for_it() {
    let Place { store, dir: (_dir, lock), .. } = place(20);
    // The lock file says nothing, as after a power cut.
    store.write(&begun_at(1, own_pid())).unwrap();
    assert_eq!(store.latest().unwrap().unwrap().phase(), Phase::Preflight);
    drop(lock);
    assert_eq!(store.latest().unwrap().unwrap().phase(), Phase::Interrupted);
}

#[test]
fn a_reused_pid_does_not_keep_a_restart_alive() {
    let Place { home, store, dir: _dir } = place(20);
    let record = begun_at(1, own_pid());
    store.write(&record).unwrap();
    let own = ProcessId::own().unwrap();
    let named = |process| Holder {
        id: record.id.to_string(),
        verb: "restart".to_owned(),
        process,
        since: record.started_at(),
    };
    let mut lock = held(&home);
    lock.name_holder(&named(own)).unwrap();
    assert_eq!(store.latest().unwrap().unwrap().phase(), Phase::Preflight);
    lock.name_holder(&named(ProcessId { started: own.started + 1, ..own })).unwrap();
    assert_eq!(store.latest().unwrap().unwrap().phase(), Phase::Interrupted);
}

#[test]
fn the_next_holder_of_the_lock_makes_the_interruption_durable() {
    let Place { home, store, dir: _dir } = place(20);
    let (gone, own, ended) = (begun_at(1, i32::MAX), begun_at(2, own_pid()), complete());
    for record in [&gone, &own, &ended] {
        store.write(record).unwrap();
    }
    let lock = held(&home);
    let settled = store.settle(&lock, Some(own.id)).unwrap();
    assert_eq!(settled.iter().map(|record| record.id).collect::<Vec<_>>(), [gone.id]);
    assert!(store.settle(&lock, Some(own.id)).unwrap().is_empty());
    let on_disk = persist::load::<Record>(Path::new(&store.path_of(&RecordName::of(gone.id)))).unwrap();
    assert!(matches!(on_disk, Loaded::Present(record) if record.phase() == Phase::Interrupted));
}
