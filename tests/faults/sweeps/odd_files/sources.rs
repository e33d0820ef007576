//! What netsky is handed as a text: refused by name before anything is torn down, or delivered whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::super::complaint;
use super::super::verbs::places::{CONFIG, wait_for_idle, words};
use super::things::{Print, Thing};
use super::visits::LIMIT;
use crate::recovery;
use crate::support::World;
use crate::support::world::{Ran, files};
use crate::sweep::{Finding, Harm, Run};

/// A source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// As it may lie in netsky's directories.
    Odd(Thing),
    Missing,
    BelowAFile,
    Unreadable,
    TwoNames,
    Elsewhere,
    NotUtf8,
    HostileName,
}

/// A source, and the words of the verb that it is given to.
pub struct Handed {
    source: Source,
    verb: &'static [&'static str],
    /// Whether it takes the source away.
    takes: bool,
}

const VERBS: [(&[&str], bool); 4] = [
    (&["restart", "0", "--handoff"], true),
    (&["handoff", "deliver"], true),
    (&["send", "agent0", "--file"], false),
    (&["handoff", "write", "--agent", "agent0"], false),
];

const SOURCES: [Source; 15] = [
    Source::Odd(Thing::LinkToAFile),
    Source::Odd(Thing::LinkToItself),
    Source::Odd(Thing::DanglingLink),
    Source::Odd(Thing::LinkToADirectory),
    Source::Odd(Thing::Fifo),
    Source::Odd(Thing::Socket),
    Source::Odd(Thing::Device),
    Source::Odd(Thing::Directory),
    Source::Odd(Thing::Sparse),
    Source::Missing,
    Source::BelowAFile,
    Source::Unreadable,
    Source::TwoNames,
    Source::Elsewhere,
    Source::NotUtf8,
];

const BYTES: &[u8] = b"do not lose me";
const NO_TEXT: &[u8] = b"do not \xff\xfe lose me";

impl Handed {
    pub fn all() -> Vec<Self> {
        let sources = || SOURCES.into_iter().chain([Source::HostileName]);
        let with = |(verb, takes)| sources().map(move |source| Self { source, verb, takes });
        VERBS.into_iter().flat_map(with).collect()
    }

    fn name(&self) -> String {
        format!("{}, given {:?}", self.verb.join(" "), self.source)
    }

    pub fn is_device(&self) -> bool {
        self.source == Source::Odd(Thing::Device)
    }

    pub fn findings(&self, run: &Run) -> Vec<Finding> {
        let world = run.world();
        world.configure(CONFIG);
        let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
        // Only a restart could tear something down.
        let restarts = self.verb[0] == "restart";
        if restarts {
            world.netsky(["up", "0"]).within(LIMIT).run().expect(0);
            wait_for_idle(&world);
        }
        let living = recovery::living(&world);
        let path = self.lay(&world, elsewhere.path());
        let print = Print::of(&path);
        let ran = world.netsky(words(self.verb, &path)).within(LIMIT).run();
        let what = self.name();
        let mut found = complaint::findings(&ran, &what);
        if self.is_delivered() {
            found.extend(self.whole(&world, &ran, &what));
            if path.exists() == self.takes {
                found.push((Harm::Doubled, format!("{what}: the source is there: {}", path.exists())));
            }
        } else {
            if ran.code != 1 || !ran.stderr.contains("odd") {
                let harm = if ran.code == 0 { Harm::FalseSuccess } else { Harm::Other };
                found.push((harm, format!("{what}: {ran:?}")));
            }
            if recovery::living(&world) != living {
                found.push((Harm::Other, format!("{what}: agents were torn down over it")));
            }
            let kept = ["handoff/claims", "handoff/archive", "handoff/draft", "inbox/agent0"]
                .iter()
                .flat_map(|dir| files(&world.home.join(dir)));
            let kept: Vec<PathBuf> = kept.filter(|path| path.is_file()).collect();
            if !kept.is_empty() || Print::of(&path) != print {
                found.push((Harm::Torn, format!("{what}: {kept:?}, the source {:?}", Print::of(&path))));
            }
        }
        found
    }

    fn is_delivered(&self) -> bool {
        match self.source {
            Source::TwoNames | Source::Elsewhere | Source::NotUtf8 | Source::HostileName => true,
            Source::Unreadable => rustix::process::geteuid().is_root(),
            Source::Odd(_) | Source::Missing | Source::BelowAFile => false,
        }
    }

    fn bytes(&self) -> &'static [u8] {
        if self.source == Source::NotUtf8 { NO_TEXT } else { BYTES }
    }

    fn lay(&self, world: &World, elsewhere: &Path) -> PathBuf {
        let path = world.work.join("odd");
        match self.source {
            Source::Odd(thing) => drop(thing.plant(&world.work, "odd", elsewhere)),
            Source::Missing => {}
            Source::BelowAFile => {
                fs::write(&path, BYTES).unwrap();
                return path.join("below");
            }
            Source::Unreadable => {
                fs::write(&path, BYTES).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
            }
            Source::TwoNames => {
                fs::write(&path, BYTES).unwrap();
                fs::hard_link(&path, world.work.join("other")).unwrap();
            }
            Source::Elsewhere => {
                let path = elsewhere.join("odd");
                fs::write(&path, BYTES).unwrap();
                return path;
            }
            Source::NotUtf8 => fs::write(&path, NO_TEXT).unwrap(),
            Source::HostileName => {
                let path = world.work.join("odd\n\u{1b}]0;owned\u{7}$(touch owned)");
                fs::write(&path, BYTES).unwrap();
                return path;
            }
        }
        path
    }

    /// It is in the inbox and the archive once, or it is the draft, byte for byte.
    fn whole(&self, world: &World, ran: &Ran, what: &str) -> Option<Finding> {
        let draft = fs::read(world.home.join("handoff/draft/agent0.md")).unwrap_or_default();
        let is_written = self.verb[1] == "write" && draft == self.bytes();
        let ids = || files(&world.home.join("handoff/archive")).into_iter().filter(|path| path.is_file());
        let id = ids().next().map(|path| path.file_name().unwrap().to_string_lossy()[..26].to_owned());
        let is_once = ids().count() == 1 && recovery::envelopes_of(world, "agent0").len() == 1;
        let is_whole = || {
            let id = id.unwrap_or_default();
            world.netsky(["inbox", "show", &id]).within(LIMIT).run().bytes[0] == self.bytes()
        };
        let is_well = ran.code == 0 && (is_written || is_once && is_whole());
        (!is_well).then(|| (Harm::Lost, format!("{what}: {ran:?}, {:?}", world.envelopes())))
    }
}
