//! One machine with two users: the owner, as whom netsky runs, and the intruder.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::complaint;
use super::super::verbs::places::CONFIG;
use super::witness::Witness;
use crate::support::World;
use crate::support::world::Ran;
use crate::sweep::{Finding, Harm, Run};

const PLAIN: u32 = 65_533;
pub const INTRUDER: u32 = 65_532;

/// A verb that has to do with what is another user's is back in this time.
const IN_TIME: Duration = Duration::from_secs(20);

/// Who netsky is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A user without privileges.
    User,
    Root,
}

impl Who {
    pub const ALL: [Self; 2] = [Self::User, Self::Root];

    pub fn uid(self) -> u32 {
        match self {
            Self::User => PLAIN,
            Self::Root => 0,
        }
    }
}

/// Why there is nobody to be.
pub fn obstacle() -> Option<String> {
    let must = std::env::var_os("CI").is_some();
    if !rustix::process::geteuid().is_root() {
        return Some("being another user needs root".to_owned());
    }
    let ran = becoming(INTRUDER).arg("true").output();
    let able = ran.as_ref().is_ok_and(|ran| ran.status.success());
    assert!(able || !must, "setpriv (util-linux) does not work: {ran:?}");
    (!able).then(|| "setpriv (util-linux) is needed".to_owned())
}

/// What follows is run by that user.
fn becoming(uid: u32) -> Command {
    let uid = uid.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups", "--"]);
    command
}

/// The program under test where every user may read it, which a checkout need not be.
pub struct Programs {
    dir: tempfile::TempDir,
}

impl Programs {
    pub fn of(run: &Run) -> Self {
        let dir = tempfile::Builder::new().prefix("nsk-bin-").tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let programs = Self { dir };
        fs::copy(run.netsky(), programs.netsky()).unwrap();
        programs
    }

    pub fn netsky(&self) -> PathBuf {
        self.dir.path().join("netsky")
    }
}

pub struct Ground {
    pub world: World,
    pub who: Who,
    pub netsky: PathBuf,
    /// Everybody may put something there; what is there stays its owner's (mode 1777).
    pub sticky: PathBuf,
    /// Everybody may do everything there (mode 0777).
    pub open: PathBuf,
    /// The intruder's own, and readable by all.
    pub lair: PathBuf,
    /// The owner's, and private: nothing may come to it or out of it.
    pub private: PathBuf,
}

/// In the owner's private file.
pub const SECRET: &str = "a secret of the owner's";

impl Ground {
    pub fn new(run: &Run, programs: &Programs, who: Who) -> Self {
        let mut world = run.world();
        let root = world.home.parent().unwrap().to_owned();
        let [sticky, open, lair] = ["sticky", "open", "lair"].map(|name| root.join(name));
        let private = world.user.join(".ssh");
        let netsky = programs.netsky();
        for (dir, mode, owner) in [
            (&root, 0o755, who.uid()),
            (&world.user, 0o755, who.uid()),
            (&world.work, 0o755, who.uid()),
            (&sticky, 0o1777, 0),
            (&open, 0o777, 0),
            (&lair, 0o777, INTRUDER),
            (&private, 0o700, who.uid()),
        ] {
            fs::create_dir_all(dir).unwrap();
            chown(dir, Some(owner), Some(owner)).unwrap();
            set_mode(dir, mode);
        }
        world.program = match who {
            Who::Root => netsky.clone(),
            Who::User => {
                let script =
                    format!("#!/bin/sh\nexec {} '{}' \"$@\"\n", words(&becoming(PLAIN)), netsky.display());
                let path = root.join("as-owner");
                fs::write(&path, script).unwrap();
                set_mode(&path, 0o755);
                path
            }
        };
        let ground = Self { world, who, netsky, sticky, open, lair, private };
        ground.owners_file(&ground.private.join("key"), SECRET);
        ground
    }

    /// agent0 is up from now on.
    pub fn bring_up(&self) {
        self.world.configure(CONFIG);
        self.world.netsky(["up", "0"]).run().expect(0);
    }

    pub fn home_at(&mut self, home: PathBuf) {
        self.world.set("NETSKY_HOME", home.clone());
        self.world.home = home;
    }

    pub fn root(&self) -> &Path {
        self.lair.parent().unwrap()
    }

    pub fn owners_file(&self, path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        set_mode(path, 0o600);
        self.give(path, self.who.uid());
    }

    pub fn his_file(&self, path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        set_mode(path, 0o666);
        self.give(path, INTRUDER);
    }

    /// A link is given away itself.
    pub fn give(&self, path: &Path, uid: u32) {
        lchown(path, Some(uid), Some(uid)).unwrap();
    }

    /// A command of the intruder's, in the environment of the world.
    pub fn his(&self, script: &str) -> Ran {
        let mut command = becoming(INTRUDER);
        command.args(["sh", "-c", script]);
        self.world.call(command).run()
    }

    /// A process of the intruder's that runs until this is dropped.
    pub fn his_process(&self, script: &str, environment: &[(&str, &str)]) -> Afoot {
        let mut command = becoming(INTRUDER);
        command.args(["sh", "-c", script]).env_clear().envs(&self.world.environment);
        command.envs(environment.iter().copied()).current_dir(&self.lair);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Afoot(command.spawn().unwrap())
    }

    /// Nothing may change there.
    pub fn witness(&self) -> Witness {
        Witness::of(&[&self.lair, &self.private])
    }

    /// Each of the verbs is refused in time, names `path` and says what to type.
    pub fn refuses(&self, verbs: &[&[&str]], code: i32, path: &Path) -> Vec<Finding> {
        let mut found = Vec::new();
        for verb in verbs {
            let ran = self.world.netsky(verb.iter().copied()).run();
            found.extend(refused(&ran, code, path, &format!("{verb:?}")));
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    /// Once nothing is in the way any more.
    pub fn up_works(&self) -> Vec<Finding> {
        let ran = self.world.netsky(["up", "0", "--agent", "demo"]).run();
        let why = || format!("up afterwards: {} {}", ran.code, ran.stderr);
        (ran.code != 0).then(|| (Harm::Other, why())).into_iter().collect()
    }
}

/// A verb that was refused says so, names what is in the way and, of a home or a setting, whose it is and what to type.
pub fn refused(ran: &Ran, code: i32, path: &Path, what: &str) -> Vec<Finding> {
    const WHOSE: [&str; 4] = ["uid ", "others may write to it", " other name", "unsafe permissions"];
    let mut found = complaint::findings(ran, what);
    let path = path.display().to_string();
    let says = |words: &str| ran.stderr.contains(words);
    let is_explained = code != 78 || says("hint: ") && WHOSE.iter().any(|words| says(words));
    if ran.code == 0 {
        found.push((Harm::FalseSuccess, format!("{what}: it was used: {} {}", ran.stdout, ran.stderr)));
    } else if ran.code != code || !says(&path) || !is_explained {
        let got = (ran.code, &ran.stdout, &ran.stderr);
        found.push((Harm::Other, format!("{what}: expected {code} and {path} explained, got {got:?}")));
    }
    if ran.took > IN_TIME {
        found.push((Harm::Other, format!("{what}: it took {:?}", ran.took)));
    }
    found
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Whatever it is, and nothing at the end of a link.
pub fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// A process that ends with the test.
pub struct Afoot(Child);

impl Afoot {
    pub fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }
}

impl Drop for Afoot {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
}
