//! A home for one test, and the law that recovery must keep.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::claim::{Address, Claim, Claimed, claim};
use super::inbox::{Inbox, Place};
use super::source::Source;
use super::{EnvelopeName, HandoffError, Result, archive, claim as claims};
use crate::clock::utc_now;
use crate::id::EnvelopeId;
use crate::name::{Actor, AgentName};
use crate::paths::Home;
use crate::persist;

pub(super) const LIMIT: u64 = 1 << 20;

pub(super) const TO_ROOT: Address = Address { from: Actor::Owner, to: AgentName::ROOT, generation: None };

pub(super) struct Scene {
    pub(super) dir: tempfile::TempDir,
    pub(super) home: Home,
}

impl Scene {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(&dir.path().join("home")), None, None).unwrap();
        home.create().unwrap();
        Self { dir, home }
    }

    /// A file outside the home.
    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        persist::replace(&path, bytes).unwrap();
        path
    }

    pub(super) fn claim(&self, path: PathBuf) -> Result<Claimed> {
        claim(&self.home, &Source::Named(path), TO_ROOT, LIMIT, utc_now())
    }

    pub(super) fn claimed(&self, bytes: &[u8]) -> Claim {
        match claim(&self.home, &Source::Bytes(bytes.to_owned()), TO_ROOT, LIMIT, utc_now()).unwrap() {
            Claimed::Claimed(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn inbox(&self) -> Inbox {
        Inbox::of(&self.home, AgentName::ROOT)
    }

    /// Every text in the archive, after proving that no claim is left, each id is in an inbox once, and the archive
    /// has what the inboxes have, byte for byte.
    pub(super) fn settled(&self) -> Vec<Vec<u8>> {
        assert_eq!(persist::list(&self.home.claims()).unwrap(), (vec![], 0), "claims are left");
        let mut seen: BTreeMap<EnvelopeId, PathBuf> = BTreeMap::new();
        for agent in Inbox::agents(&self.home).unwrap().0 {
            let inbox = Inbox::of(&self.home, agent);
            for place in Place::ALL {
                for name in inbox.list(place).unwrap().names {
                    let path = inbox.dir(place).join(name.file());
                    let archived = self.home.archive().join(name.file());
                    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(archived).unwrap());
                    assert_eq!(seen.insert(name.id, path), None, "an id is there twice");
                }
            }
        }
        let archived: BTreeSet<_> =
            archive::list(&self.home).unwrap().names.iter().map(|name| name.id).collect();
        assert_eq!(archived, seen.into_keys().collect());
        archived.iter().map(|id| archive::read(&self.home, *id).unwrap().content().unwrap()).collect()
    }

    pub(super) fn nothing_is_claimed(&self) {
        assert!(claims::pending(&self.home).unwrap().claims.is_empty());
        assert_eq!(persist::list(&self.home.claims()).unwrap(), (vec![], 0));
    }
}

/// The name of an envelope of the owner's.
pub(super) fn named(id: EnvelopeId) -> EnvelopeName {
    EnvelopeName { id, from: Actor::Owner }
}

/// The variant's name, for tables.
pub(super) fn kind<T: std::fmt::Debug>(result: &std::result::Result<T, HandoffError>) -> String {
    let text = match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error:?}"),
    };
    text.chars().take_while(char::is_ascii_alphabetic).collect()
}
