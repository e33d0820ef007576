//! The directories that netsky lists or reads, a name that netsky would give there, and who says what was passed over.

use std::fs;
use std::path::PathBuf;

use super::things::Thing;
use crate::support::World;

/// A directory of the home.
pub struct Place {
    pub dir: &'static str,
    /// A name of netsky's that comes before all others, as what retention takes first; later than all others for a plain
    /// file, which retention is not to take here.
    pub names: [&'static str; 2],
    /// The verb that lists it, and says how much of it is something else.
    pub lister: Option<&'static [&'static str]>,
    /// What netsky itself puts there under such a name.
    pub own: Option<Thing>,
}

const ENVELOPES: [&str; 2] =
    ["01AHA6GW000000000000000000-from-owner.json", "7ZAHA6GW000000000000000000-from-owner.json"];
const BATCH: &str = "batch-01AHA6GW000000000000000000-2147483647.1-x";
const LIST_INBOX: Option<&[&str]> = Some(&["inbox", "list", "--all"]);
const LIST_HANDOFFS: Option<&[&str]> = Some(&["handoff", "list"]);

const fn place(
    dir: &'static str,
    names: [&'static str; 2],
    lister: Option<&'static [&'static str]>,
) -> Place {
    Place { dir, names, lister, own: None }
}

pub const ALL: &[Place] = &[
    place("handoff/archive", ENVELOPES, LIST_HANDOFFS),
    place("inbox/agent0", ENVELOPES, LIST_INBOX),
    place("inbox/agent0/cur", ENVELOPES, LIST_INBOX),
    place("inbox/agent0/done", ENVELOPES, LIST_INBOX),
    place("inbox", ["agent7", "agent7"], LIST_HANDOFFS),
    place(
        "handoff/claims",
        ["01AHA6GW000000000000000000-from-owner", "7ZAHA6GW000000000000000000-from-owner"],
        LIST_HANDOFFS,
    ),
    place("handoff/draft", ["agent7.md", "agent7.md"], None),
    place(
        "state/restart-status",
        [
            "20201120T190000Z-01AHA6GW000000000000000000.json",
            "20201120T190000Z-7ZAHA6GW000000000000000000.json",
        ],
        Some(&["history"]),
    ),
    place("state/beacons", ["agent7.json", "agent7.json"], None),
    place("state/prompts", ["agent7.launch.json", "agent7.launch.json"], None),
    place("state/markers", ["gave-up.json", "gave-up.json"], None),
    place("log/screens/agent0", ["01AHA6GW000000000000000000.txt", "01AHA6GW000000000000000000.txt"], None),
    // The process that laid this batch out is gone.
    Place { own: Some(Thing::Directory), ..place("run", [BATCH, BATCH], None) },
    Place {
        own: Some(Thing::Socket),
        ..place("run/wake", ["01AHA6GW000000000000000000", "7ZAHA6GW000000000000000000"], None)
    },
];

impl Place {
    /// Where it is, made if it is not there yet.
    pub fn path(&self, world: &World) -> PathBuf {
        let dir = world.home.join(self.dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }
}
