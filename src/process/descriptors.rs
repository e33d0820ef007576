//! File descriptors as the caller left them: which of the standard ones were closed, and the foreign ones, which nothing
//! that netsky starts inherits.
//!
//! The runtime opens `/dev/null` in place of a closed standard descriptor before `main`, so that no file of ours is
//! ever standard output. But from then on a closed standard output looks like one that swallows every answer, so what
//! was closed is asked before that.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::stdio::{stderr, stdin, stdout};

/// A bit for each standard descriptor that was closed.
static CLOSED: AtomicU8 = AtomicU8::new(0);

/// The first descriptor that is not a standard one.
const FIRST_FOREIGN: i32 = 3;

/// A descriptor that every process expects to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standard {
    /// 0.
    Input,
    /// 1.
    Output,
}

/// Runs before the runtime: nothing but system calls and an atomic.
#[ctor::ctor]
fn look() {
    let standard = [stdin(), stdout()];
    let closed = standard.map(|descriptor| u8::from(rustix::io::fcntl_getfd(descriptor).is_err()));
    let [input, output] = closed;
    CLOSED.store(input | output << 1, Ordering::Relaxed);
}

impl Standard {
    /// # Errors
    /// It was closed when this process began: nothing was to be read from it, nothing goes anywhere.
    pub fn was_open(self) -> io::Result<()> {
        let bit = match self {
            Self::Input => 1,
            Self::Output => 2,
        };
        if CLOSED.load(Ordering::Relaxed) & bit == 0 {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotConnected, "it is closed"))
    }
}

/// Whether so many descriptors can be had at once, for crates that panic where one cannot.
///
/// # Errors
/// They cannot.
pub fn room_for(descriptors: usize) -> io::Result<()> {
    let mut held = Vec::with_capacity(descriptors);
    for _ in 0..descriptors {
        held.push(rustix::io::fcntl_dupfd_cloexec(stderr(), FIRST_FOREIGN)?);
    }
    Ok(())
}

/// Keeps what else the caller had open (a lock, the end of a pipe) from everything that is started from now on: a tmux
/// server lives for weeks. Whoever is meant to have a descriptor of ours is given it as a standard one.
pub fn keep_foreign_descriptors_back() {
    close_fds::set_fds_cloexec(FIRST_FOREIGN, &[]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_up_to_the_limit_and_what_was_open_was_open() {
        room_for(3).unwrap();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap();
        assert!(room_for(usize::try_from(limit).unwrap()).is_err());
        Standard::Output.was_open().unwrap();
    }
}
