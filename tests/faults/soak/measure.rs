//! How much there is of everything when a round has settled.

use std::path::Path;
use std::time::Duration;

use super::census::{self, Process};
use super::home;
use super::underway::Ended;
use crate::support::world::wait;

/// The figures of one round, by name.
#[derive(Debug, Clone, Default)]
pub struct Measure {
    /// Which server it was: its figures belong to its own life.
    pub server: Option<Process>,
    pub server_memory: u64,
    pub server_files: u64,
    pub processes: u64,
    pub home_files: u64,
    pub home_bytes: u64,
    pub debris: u64,
    pub sockets: u64,
    /// Of the restart itself, where it went all the way.
    pub peak: Option<u64>,
    pub open: Option<u64>,
}

impl Measure {
    /// Measures a world whose agents are these `agents` in number.
    pub fn of(home: &Path, socket: &Path, user: &Path, restart: Option<&Ended>) -> Self {
        let server = census::servers(socket).first().copied();
        let of_server =
            |look: fn(i32) -> Option<u64>| server.and_then(|server| look(server.pid)).unwrap_or_default();
        let size = home::size(home);
        Self {
            server,
            server_memory: of_server(|pid| census::kilobytes(pid, "VmRSS")),
            server_files: of_server(census::open_files),
            processes: lasting(user),
            home_files: size.files,
            home_bytes: size.bytes,
            debris: size.debris,
            sockets: size.sockets,
            peak: restart.map(|ended| ended.peak).filter(|peak| *peak > 0),
            open: restart.map(|ended| ended.files).filter(|files| *files > 0),
        }
    }
}

/// The processes of a world that are still there at a second look: hooks and tmux clients come and go.
fn lasting(user: &Path) -> u64 {
    let mut left = census::with_entry("HOME", user);
    wait(Duration::from_millis(60), &mut || None::<()>);
    left.retain(|process| process.lives());
    left.len() as u64
}
