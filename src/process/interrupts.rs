//! Being told to end: noted by a signal handler, looked at between two steps, so that a record is always closed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use crate::failpoint::{self, Step};

/// The signals that ask this process to end, from the moment this is made.
#[derive(Debug, Clone)]
pub struct Interrupts {
    last: Arc<AtomicUsize>,
}

/// Has a write beyond the limit for files (`ulimit -f`) fail instead of ending the process. What is started later
/// has the system's way again.
///
/// # Errors
/// The handler cannot be installed.
pub fn survive_full_files() -> io::Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map(drop)
}

impl Interrupts {
    /// Notes SIGHUP, SIGINT and SIGTERM instead of ending by them.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn watch() -> io::Result<Self> {
        let last = Arc::new(AtomicUsize::new(0));
        if failpoint::leaves_out(Step::Signals) {
            return Ok(Self { last });
        }
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register_usize(
                signal,
                Arc::clone(&last),
                usize::try_from(signal).unwrap_or_default(),
            )?;
        }
        Ok(Self { last })
    }

    /// The last signal that came, if one did.
    pub fn pending(&self) -> Option<u8> {
        u8::try_from(self.last.load(Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }
}
