//! The wall clock as a test sets it (`tests/fakes/clock.c`): for one command, or for a whole world while it runs.
//!
//! The monotonic clock goes on as it does. A world under a clock has its tmux server and its agents under it too.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use chrono::TimeDelta;

use crate::support::World;
use crate::support::world::Call;

/// How the clock is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    YearsAhead,
    YearsBack,
    DayBack,
    HourAhead,
    /// The host slept; the monotonic clock did not notice.
    NightAhead,
}

impl Jump {
    pub const ALL: [Self; 5] =
        [Self::YearsAhead, Self::YearsBack, Self::DayBack, Self::HourAhead, Self::NightAhead];

    /// By so much.
    pub fn offset(self) -> TimeDelta {
        match self {
            Self::YearsAhead => TimeDelta::days(3650),
            Self::YearsBack => TimeDelta::days(-3650),
            Self::DayBack => TimeDelta::days(-1),
            // An hour is how long debris is kept.
            Self::HourAhead => TimeDelta::minutes(61),
            Self::NightAhead => TimeDelta::hours(8),
        }
    }

    /// Whether what is dated by it looks old afterwards.
    pub fn is_back(self) -> bool {
        self.offset() < TimeDelta::zero()
    }
}

/// What is loaded before a program, built once.
fn library() -> Result<&'static Path, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref().map_err(Clone::clone)
}

fn build() -> Result<PathBuf, String> {
    if !cfg!(target_os = "linux") {
        return Err("a clock of one's own needs Linux".to_owned());
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (library, fresh) = (dir.join("clock.so"), dir.join(format!("clock-{}.so", std::process::id())));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes/clock.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&fresh).arg(source);
    let output = compiler.output().map_err(|error| format!("there is no C compiler: {error}"))?;
    if !output.status.success() {
        return Err(format!("the clock cannot be built: {}", String::from_utf8_lossy(&output.stderr)));
    }
    fs::rename(&fresh, &library).map_err(|error| error.to_string())?;
    Ok(library)
}

/// Why no clock can be set here.
pub fn obstacle() -> Option<String> {
    library().err()
}

/// A command to which it is another time.
pub fn under<'w>(call: Call<'w>, jump: Option<Jump>) -> Call<'w> {
    let Some(jump) = jump else { return call };
    call.env("LD_PRELOAD", library().unwrap()).env("WRONG_CLOCK", jump.offset().num_seconds().to_string())
}

/// Puts everything that is started in this world from now on under a clock that [`set`] sets.
pub fn install(world: &mut World) {
    let library = library().unwrap();
    set(world, None);
    world.set("LD_PRELOAD", library);
    world.set("WRONG_CLOCK", file(world));
    // The server is started with an environment of netsky's choice.
    let bin = world.root().join("bin");
    fs::create_dir(&bin).unwrap();
    let path = world.environment[std::ffi::OsStr::new("PATH")].clone();
    let tmux = std::env::split_paths(&path).map(|dir| dir.join("tmux")).find(|tmux| tmux.is_file()).unwrap();
    let script = format!(
        "#!/bin/sh\nexport LD_PRELOAD={library:?} WRONG_CLOCK={:?}\nexec {tmux:?} \"$@\"\n",
        file(world)
    );
    fs::write(bin.join("tmux"), script).unwrap();
    fs::set_permissions(bin.join("tmux"), fs::Permissions::from_mode(0o755)).unwrap();
    world
        .set("PATH", std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path))).unwrap());
}

/// What time it is from now on in a world that is under a clock.
pub fn set(world: &World, jump: Option<Jump>) {
    let next = world.root().join("clock.next");
    fs::write(&next, jump.map_or(0, |jump| jump.offset().num_seconds()).to_string()).unwrap();
    fs::rename(&next, file(world)).unwrap();
}

fn file(world: &World) -> PathBuf {
    world.root().join("clock")
}
