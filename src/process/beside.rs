//! Work on a thread of its own, awaited where somebody waits for it.
//!
//! The ways of the standard library and of tokio panic where the system has no thread left; here that is an error.

use std::io;
use std::thread;

use tokio::sync::oneshot::{self, Receiver};

/// Runs `work` beside the caller, who may await what comes of it or not. It ends with the process at the latest.
///
/// # Errors
/// The system has no thread left; nothing was done.
pub fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<Receiver<T>> {
    let (sender, receiver) = oneshot::channel();
    // Who does not await it does not want it.
    thread::Builder::new().spawn(move || sender.send(work()).unwrap_or_else(drop))?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_it_can_be_awaited_or_not() {
        assert_eq!(beside(|| 6 * 7).unwrap().blocking_recv(), Ok(42));
        drop(beside(|| 6 * 7).unwrap());
    }
}
