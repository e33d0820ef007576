//! Waking whoever waits for a beacon: one datagram to every socket in `run/wake/`.
//!
//! A wake-up carries the name of the agent whose beacon is new, and may be lost; who waits looks at the beacons
//! themselves, now and then also unasked.
//! A socket that nobody listens on any more is removed by who finds it.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::failpoint::{self, Step};
use crate::id::RestartId;
use crate::name::AgentName;
use crate::owner;
use crate::paths::Home;
use crate::persist;

/// A socket that is woken at each beacon; its name goes when it is dropped.
#[derive(Debug)]
pub struct Listener {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Listener {
    /// Listens from now on.
    ///
    /// # Errors
    /// The socket cannot be made: `run/wake` is missing or not ours.
    pub fn bind(home: &Home) -> io::Result<Self> {
        let name = RestartId::fresh().to_string();
        let path = home.wake().join(&name);
        failpoint::reach("wake.bind");
        let socket = UnixDatagram::bind(&path).or_else(|error| match error.kind() {
            io::ErrorKind::InvalidInput => UnixDatagram::bind(Short::of(&home.wake())?.path(&name)),
            _ => Err(error),
        })?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path })
    }

    /// The socket, for a poller.
    pub fn socket(&self) -> &UnixDatagram {
        &self.socket
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Nothing is lost if it stays: the next wake-up finds nobody and removes it.
        drop(fs::remove_file(&self.path));
    }
}

/// A directory by a path that is short however long its own is: a socket's path may have 107 bytes (unix(7)).
struct Short(fs::File);

impl Short {
    fn of(dir: &Path) -> io::Result<Self> {
        fs::File::open(dir).map(Self)
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd())).join(name)
    }
}

/// Wakes all who listen; returns how many.
pub fn wake(home: &Home, agent: AgentName) -> usize {
    let (Ok(entries), Ok(sender)) = (persist::everything_in(&home.wake()), UnixDatagram::unbound()) else {
        return 0;
    };
    if sender.set_nonblocking(true).is_err() {
        return 0;
    }
    let mut woken = 0;
    for entry in entries.into_iter().filter(is_ours) {
        let path = entry.path();
        let name = agent.to_string();
        failpoint::reach("wake.send");
        let sent = sender.send_to(name.as_bytes(), &path).or_else(|error| match error.kind() {
            io::ErrorKind::InvalidInput => {
                let dir = Short::of(&home.wake())?;
                sender.send_to(name.as_bytes(), dir.path(&entry.file_name().to_string_lossy()))
            }
            _ => Err(error),
        });
        match sent {
            Ok(_) => woken += 1,
            // A full queue wakes as well as a new datagram does.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => woken += 1,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => drop(fs::remove_file(&path)),
            Err(_) => {}
        }
    }
    woken
}

/// A socket of our own, of the name that a [`Listener`] gives. What else lies there is not written to: a connection to a plain file
/// is refused as one to a socket that nobody listens on is, and a link leads elsewhere.
fn is_ours(entry: &fs::DirEntry) -> bool {
    let is_named = entry.file_name().to_str().is_some_and(|name| name.parse::<RestartId>().is_ok());
    let is_own_socket =
        |metadata: fs::Metadata| metadata.file_type().is_socket() && owner::is_ours(metadata.uid());
    is_named && entry.metadata().is_ok_and(is_own_socket) || failpoint::leaves_out(Step::OwnKind)
}

/// Removes the sockets of those who were killed while they waited; returns how many. Without this they would stay until
/// the next hook, and in a house where no agent reports for ever.
pub fn sweep(home: &Home) -> usize {
    let Ok(entries) = persist::everything_in(&home.wake()) else { return 0 };
    let deserted = entries.into_iter().filter(is_ours).filter(|entry| is_deserted(home, entry));
    deserted.filter(|entry| fs::remove_file(entry.path()).is_ok()).count()
}

fn is_deserted(home: &Home, entry: &fs::DirEntry) -> bool {
    let connected = UnixDatagram::unbound().and_then(|socket| {
        socket.connect(entry.path()).or_else(|error| match error.kind() {
            io::ErrorKind::InvalidInput => {
                socket.connect(Short::of(&home.wake())?.path(&entry.file_name().to_string_lossy()))
            }
            _ => Err(error),
        })
    });
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_with_a_long_path_is_woken_too() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(&dir.path().join("long".repeat(40))), None, None).unwrap();
        home.create().unwrap();
        let listener = Listener::bind(&home).unwrap();
        assert_eq!(wake(&home, AgentName::ROOT), 1);
        assert_eq!(listener.socket().recv(&mut [0; 8]).unwrap(), 6);
    }

    #[test]
    fn sockets_of_the_killed_are_swept_without_a_wake_up() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path()), None, None).unwrap();
        home.create().unwrap();
        let listener = Listener::bind(&home).unwrap();
        let gone = home.wake().join(RestartId::fresh().to_string());
        drop(UnixDatagram::bind(&gone).unwrap());
        let foreign = home.wake().join("notes");
        crate::persist::append_line(&foreign, "not ours").unwrap();
        assert_eq!(sweep(&home), 1);
        assert!(!gone.exists() && foreign.exists() && listener.path.exists());
    }

    #[test]
    fn what_is_no_socket_of_ours_is_neither_written_to_nor_removed() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path()), None, None).unwrap();
        home.create().unwrap();
        let theirs = dir.path().join("theirs");
        drop(UnixDatagram::bind(&theirs).unwrap());
        std::os::unix::fs::symlink(&theirs, home.wake().join(RestartId::fresh().to_string())).unwrap();
        crate::persist::append_line(&home.wake().join(RestartId::fresh().to_string()), "x").unwrap();
        crate::persist::append_line(&home.wake().join("notes.txt"), "x").unwrap();
        assert_eq!((wake(&home, AgentName::ROOT), sweep(&home)), (0, 0));
        assert_eq!(fs::read_dir(home.wake()).unwrap().count(), 3);
        assert!(theirs.exists());
    }

    #[test]
    fn who_listens_is_woken_and_who_is_gone_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path()), None, None).unwrap();
        home.create().unwrap();
        let listener = Listener::bind(&home).unwrap();
        let gone = home.wake().join(RestartId::fresh().to_string());
        drop(UnixDatagram::bind(&gone).unwrap());
        assert_eq!(wake(&home, AgentName::ROOT), 1);
        assert_eq!(listener.socket().recv(&mut [0; 8]).unwrap(), 6);
        assert!(!gone.exists());
        drop(listener);
        assert_eq!(wake(&home, AgentName::ROOT), 0);
        assert_eq!(fs::read_dir(home.wake()).unwrap().count(), 0);
    }
}
