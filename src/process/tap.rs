//! The reading end of a child's output: emptied while the child runs, and once more when it has ended.
//!
//! A thread keeps the pipe from filling up. On a busy machine it may not have run when the child has ended already; so
//! whoever closes the tap reads what the pipe still holds, and what the child said is never cut short. A grandchild
//! that holds the pipe open, or fills it for ever, is not waited for.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};

use crate::clock::Deadline;

use super::beside;

/// Read at once.
const CHUNK: usize = 64 << 10;

/// A pipe never holds more (`/proc/sys/fs/pipe-max-size`).
const PIPE_HOLDS: usize = 1 << 20;

/// What is kept of one output, and whether it has ended.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    is_over: bool,
}

#[derive(Debug)]
struct Shared {
    pipe: OwnedFd,
    cap: usize,
    kept: Mutex<Kept>,
}

/// An output that is being emptied.
#[derive(Debug)]
pub(super) struct Tap {
    /// `None`: there is no pipe.
    shared: Option<Arc<Shared>>,
    /// Disconnected when the pipe has ended.
    ended: Receiver<()>,
}

impl Tap {
    /// Begins to empty `pipe`, of which `cap` bytes are kept.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn open(pipe: Option<impl Into<OwnedFd>>, cap: usize) -> io::Result<Self> {
        let (ending, ended) = mpsc::channel();
        let Some(pipe) = pipe else { return Ok(Self { shared: None, ended }) };
        let shared = Shared::of(pipe.into(), cap)?;
        let its = Arc::clone(&shared);
        beside(move || {
            its.empty();
            drop::<mpsc::Sender<()>>(ending);
        })?;
        Ok(Self { shared: Some(shared), ended })
    }

    /// What was said; waits for the pipe's end until then. And whether there was more than is kept.
    pub(super) fn close(self, until: Deadline) -> (Vec<u8>, bool) {
        let Some(shared) = self.shared else { return (Vec::new(), false) };
        // Either way what counts is what can be read now.
        self.ended.recv_timeout(until.remaining()).unwrap_or_default();
        let mut kept = shared.take_in();
        let mut bytes = std::mem::take(&mut kept.bytes);
        let is_capped = bytes.len() > shared.cap;
        bytes.truncate(shared.cap);
        (bytes, is_capped)
    }
}

impl Shared {
    fn of(pipe: OwnedFd, cap: usize) -> io::Result<Arc<Self>> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Arc::new(Self { pipe, cap, kept: Mutex::default() }))
    }

    /// Empties the pipe whenever there is something in it, until it ends.
    fn empty(&self) {
        loop {
            // A poll that is interrupted is repeated; one that fails leads to a read that says why.
            poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], None).unwrap_or_default();
            if self.take_in().is_over {
                return;
            }
        }
    }

    /// Takes in what the pipe holds now. Bytes are in the pipe or among those kept, and in nobody's hands between.
    fn take_in(&self) -> MutexGuard<'_, Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chunk = vec![0u8; CHUNK];
        let mut left = PIPE_HOLDS;
        while !kept.is_over && left > 0 {
            match rustix::io::read(&self.pipe, &mut chunk) {
                Ok(0) => kept.is_over = true,
                Ok(read) => {
                    left = left.saturating_sub(read);
                    // One byte beyond the cap is kept, to tell that there was more.
                    let wanted = read.min((self.cap + 1).saturating_sub(kept.bytes.len()));
                    kept.bytes.extend_from_slice(chunk.get(..wanted).unwrap_or_default());
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return kept,
                Err(_) => kept.is_over = true,
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_nobody_has_read_yet_is_read_at_the_end() {
        let (pipe, writer) = rustix::pipe::pipe().unwrap();
        let (_ending, ended) = mpsc::channel();
        // The thread has not run at all.
        let tap = Tap { shared: Some(Shared::of(pipe, 100).unwrap()), ended };
        rustix::io::write(&writer, b"no server running").unwrap();
        let (bytes, is_capped) = tap.close(Deadline::after(Duration::ZERO));
        assert_eq!((bytes.as_slice(), is_capped), (&b"no server running"[..], false));
    }

    #[test]
    fn a_pipe_that_is_filled_for_ever_is_left() {
        let (pipe, writer) = rustix::pipe::pipe().unwrap();
        let tap = Tap::open(Some(pipe), 10).unwrap();
        drop(beside(move || while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}).unwrap());
        let (bytes, is_capped) = tap.close(Deadline::after(Duration::from_millis(50)));
        assert_eq!((bytes.as_slice(), is_capped), (&b"xxxxxxxxxx"[..], true));
    }
}
