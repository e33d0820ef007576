//! What can go wrong in a run: which call of which name, and with which error.

use std::collections::BTreeMap;
use std::fmt;

use super::super::verbs::places::{injected, is_beyond, struck, survivor};
use crate::support::World;

/// Errors by call: those of calls that outlive the process, which are counted, and of others. Each call of a run gets
/// one of them, in turn.
const OUTLIVING: [(&[&str], &[&str]); 7] = [
    (&["write", "writev", "pwrite64"], &["ENOSPC", "EIO", INTERRUPTED]),
    (&["fsync", "fdatasync", "ftruncate", "fallocate"], &["ENOSPC", "EIO"]),
    (&["rename", "renameat", "renameat2", "link", "linkat"], &["ENOSPC", "EACCES", "EIO"]),
    (&["unlink", "unlinkat"], &["EACCES", "EIO"]),
    (&["clone3", "clone", "vfork"], &["EAGAIN"]),
    (&["connect"], &["EACCES", "EAGAIN"]),
    (&["sendto", "sendmsg"], &["EAGAIN"]),
];
/// (Not socketpair: crates panic where they get none, and whether there is room for it is asked before. The sweep limits
/// has too few descriptors in earnest.)
const OTHERS: [(&[&str], &[&str]); 4] = [
    (&["openat", "socket", "pipe2", "epoll_create1", "eventfd2"], &["EMFILE", "EACCES"]),
    (&["mkdir", "bind"], &["ENOSPC", "EACCES"]),
    (&["fchmod", "flock"], &["EACCES"]),
    (&["read", "getdents64"], &["EIO"]),
];
const INTERRUPTED: &str = "EINTR";

/// Calls that a signal may interrupt, many in one run. (Not wait4, which never waits here; writes are struck one by one,
/// because one to a counter of the runtime cannot be interrupted.)
const INTERRUPTIBLE: [&str; 9] =
    ["read", "openat", "connect", "fsync", "ftruncate", "flock", "poll", "epoll_wait", "getdents64"];

/// Every third call is interrupted: what is done again must succeed.
const INTERRUPTED_EVERY: usize = 3;

/// So many of the calls that only look are tried: there are hundreds of them.
const LOOKS_TRIED: usize = 20;

/// The first call that netsky itself makes; what comes before is the loader and the runtime.
const BEGINS: &str = "umask";

/// What goes wrong.
pub enum Shot {
    Error {
        call: String,
        nth: usize,
        error: &'static str,
        outlives: bool,
    },
    /// From the nth on, every third call of each name.
    Interruption {
        from: BTreeMap<String, usize>,
    },
    /// The survivor of the world cannot be looked at, at first or ever.
    Blindness {
        file: &'static str,
        error: &'static str,
        lasts: bool,
    },
}

impl Shot {
    /// What goes wrong in looking for survivors.
    pub fn blindnesses() -> Vec<Self> {
        let files = ["environ", "stat"].into_iter();
        let errors = files.flat_map(|file| ["EMFILE", "EIO"].map(|error| (file, error)));
        errors
            .flat_map(|(file, error)| [false, true].map(|lasts| Self::Blindness { file, error, lasts }))
            .collect()
    }

    pub fn options(&self, world: &World) -> Vec<String> {
        match self {
            Self::Blindness { file, error, lasts } => {
                let when = if *lasts { "1+" } else { "1" };
                let path = format!("-P/proc/{}/{file}", survivor(world));
                vec![path, "-etrace=openat".to_owned(), format!("-einject=openat:error={error}:when={when}")]
            }
            Self::Error { call, nth, error, .. } => {
                vec![format!("-etrace={call}"), format!("-einject={call}:error={error}:when={nth}")]
            }
            Self::Interruption { from } => {
                let inject = from
                    .iter()
                    .map(|(call, nth)| format!("-einject={call}:error=EINTR:when={nth}+{INTERRUPTED_EVERY}"));
                let names: Vec<&str> = from.keys().map(String::as_str).collect();
                inject.chain([format!("-etrace={}", names.join(","))]).collect()
            }
        }
    }

    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Interruption { .. } | Self::Error { error: INTERRUPTED, .. })
    }

    /// The calls that were struck in the last run.
    pub fn struck(&self, world: &World) -> Vec<String> {
        match self {
            Self::Blindness { .. } => injected(world),
            Self::Error { .. } | Self::Interruption { .. } => struck(world),
        }
    }

    pub fn outlives(&self) -> bool {
        matches!(self, Self::Error { outlives: true, .. })
    }
}

impl fmt::Display for Shot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error { call, nth, error, .. } => write!(f, "{error} at {call} {nth}"),
            Self::Interruption { from } => write!(f, "EINTR from {from:?}"),
            Self::Blindness { file, error, lasts } => {
                write!(f, "{error} at the survivor's {file}{}", if *lasts { ", always" } else { "" })
            }
        }
    }
}

/// The calls of a run.
#[derive(Default)]
pub struct Traced {
    /// Each with its number among those of its name, and what it was about.
    calls: Vec<(String, usize, String)>,
    /// How many of each name came before netsky itself began.
    before: BTreeMap<String, usize>,
}

/// All names of calls that matter, and the one with which netsky begins.
pub fn traced() -> String {
    let names = OUTLIVING.iter().chain(&OTHERS).flat_map(|(names, _)| *names).chain(&INTERRUPTIBLE);
    let mut names: Vec<&str> = names.copied().chain([BEGINS]).collect();
    names.sort_unstable();
    names.dedup();
    names.join(",")
}

impl Traced {
    pub fn read(world: &World) -> Self {
        let trace = std::fs::read_to_string(world.root().join("trace")).unwrap();
        let mut all: Vec<(String, usize, String)> = Vec::new();
        // Each thread counts for itself.
        let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut traced = Self::default();
        for line in trace.lines() {
            let digits = line.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(0);
            let (thread, rest) = line.split_at(digits);
            let Some((call, about)) = rest.trim_start().split_once('(') else { continue };
            if call == BEGINS {
                traced.before = all.iter().fold(BTreeMap::new(), |mut counts, (call, ..)| {
                    *counts.entry(call.clone()).or_default() += 1;
                    counts
                });
                all.clear();
                continue;
            }
            let nth = seen.entry((thread.to_owned(), call.to_owned())).or_insert(0);
            *nth += 1;
            all.push((call.to_owned(), *nth, about.to_owned()));
        }
        assert!(!all.is_empty(), "the trace does not show where netsky begins");
        traced.calls = all;
        traced
    }

    /// What is to be tried. `looks`: reading and opening too. Another `turn` has other errors at the same calls.
    pub fn shots(&self, looks: bool, turn: usize) -> Vec<Shot> {
        let mut shots = self.of(&OUTLIVING, true, usize::MAX, turn);
        if looks {
            shots.extend(self.of(&OTHERS, false, LOOKS_TRIED, turn));
        }
        shots.extend((1..=INTERRUPTED_EVERY).map(|first| self.interruption(first)));
        shots
    }

    fn of(
        &self,
        table: &[(&[&str], &[&'static str])],
        outlives: bool,
        most: usize,
        turn: usize,
    ) -> Vec<Shot> {
        let mut shots = Vec::new();
        for (names, errors) in table {
            let calls: Vec<_> = self
                .calls
                .iter()
                .filter(|(call, nth, about)| {
                    names.contains(&call.as_str()) && !is_beyond(about) && *nth > self.begun(call)
                })
                .collect();
            let thinned = calls.iter().step_by(calls.len().div_ceil(most).max(1));
            shots.extend(thinned.zip(errors.iter().cycle().skip(turn % errors.len())).map(
                |((call, nth, _), error)| Shot::Error { call: call.clone(), nth: *nth, error, outlives },
            ));
        }
        shots
    }

    /// How many calls of that name came before netsky itself began.
    fn begun(&self, call: &str) -> usize {
        self.before.get(call).copied().unwrap_or_default()
    }

    fn interruption(&self, first: usize) -> Shot {
        let from = INTERRUPTIBLE.iter().map(|call| ((*call).to_owned(), self.begun(call) + first)).collect();
        Shot::Interruption { from }
    }
}
