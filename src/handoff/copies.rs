//! The two copies of an envelope: one in the archive, one in the inbox of its agent.
//!
//! They are the same bytes. Whichever cannot be understood is moved aside, and the other one stands in its place from the
//! same moment on.

use std::path::Path;

use super::Result;
use super::envelope::{Envelope, EnvelopeName};
use super::inbox::{Inbox, Place};
use crate::paths::Home;
use crate::persist::Loaded;

/// Reads an envelope in a directory of an inbox; `None`: there is none, or neither copy can be understood.
pub(super) fn in_inbox(home: &Home, dir: &Path, name: EnvelopeName) -> Result<Option<Envelope>> {
    Envelope::load_or_mend(dir, name, || Ok(Envelope::load_bytes(&home.archive(), name)?.present()))
}

/// Reads an archived envelope; `None`: there is none, or neither copy can be understood.
pub(super) fn in_archive(home: &Home, name: EnvelopeName) -> Result<Option<Envelope>> {
    Envelope::load_or_mend(&home.archive(), name, || in_any_inbox(home, name))
}

fn in_any_inbox(home: &Home, name: EnvelopeName) -> Result<Option<Vec<u8>>> {
    for agent in Inbox::agents(home)?.0 {
        let inbox = Inbox::of(home, agent);
        for place in Place::ALL {
            if let Loaded::Present(bytes) = Envelope::load_bytes(&inbox.dir(place), name)? {
                return Ok(Some(bytes));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::archive;
    use super::super::scene::Scene;
    use super::*;
    use crate::clock::utc_now;
    use crate::name::AgentName;
    use crate::persist;

    /// Breaks the copy in `dir`, reads it, and says whether the other one has taken its place.
    fn check(scene: &Scene, dir: &Path, name: EnvelopeName, read: impl Fn() -> Option<Envelope>) -> bool {
        let path = dir.join(name.file());
        let whole = std::fs::read(&path).unwrap();
        persist::replace(&path, &whole[..whole.len() / 2]).unwrap();
        let is_read = read().is_some_and(|envelope| envelope.content().unwrap() == b"x");
        let lies_aside = std::fs::read_dir(dir.join("corrupt")).unwrap().count() == 1;
        assert!(scene.home.root().exists() && lies_aside);
        is_read && std::fs::read(&path).is_ok_and(|bytes| bytes == whole)
    }

    #[test]
    fn whichever_copy_is_corrupt_is_made_again_from_the_other() {
        let scene = Scene::new();
        let claim = scene.claimed(b"x");
        super::super::deliver::deliver(&scene.home, &claim).unwrap();
        let (inbox, name) = (scene.inbox(), claim.name());
        let delivered = inbox.dir(Place::Delivered);
        assert!(check(&scene, &delivered, name, || inbox.read(name.id).ok()));
        assert!(check(&scene, &scene.home.archive(), name, || archive::read(&scene.home, name.id).ok()));
        inbox.mark_shown(name, None, utc_now()).unwrap();
        assert!(check(&scene, &inbox.dir(Place::Shown), name, || inbox.read(name.id).ok()));
        assert_eq!(inbox.agent(), AgentName::ROOT);
    }

    #[test]
    fn with_neither_copy_there_is_none_and_both_lie_aside() {
        let scene = Scene::new();
        let claim = scene.claimed(b"x");
        super::super::deliver::deliver(&scene.home, &claim).unwrap();
        let (inbox, name) = (scene.inbox(), claim.name());
        persist::replace(&scene.home.archive().join(name.file()), b"{").unwrap();
        assert!(!{
            let delivered = inbox.dir(Place::Delivered);
            check(&scene, &delivered, name, || inbox.read(name.id).ok())
        });
        assert_eq!(std::fs::read_dir(scene.home.archive().join("corrupt")).unwrap().count(), 1);
    }
}
