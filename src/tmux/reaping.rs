//! How a process ended that its tmux server has missed.
//!
//! A server that is built with utempter has a helper forget each pane that ends, and is deaf to its other children while it
//! waits for that one (seen in 3.3a of Debian 12: SIGCHLD has its default action meanwhile, and nobody looks afterwards).
//! What ends in that moment stays a zombie, and its pane without a status, until another child ends. Told that one has
//! (SIGCHLD), the server looks for all, and the next look at it says how they ended.

use crate::process::{ProcessId, Signal};

use super::client::Tmux;
use super::snapshot::{Death, PaneRow};

impl Tmux {
    /// Has the server look for what it has missed, where it cannot say how an agent ended. To a server that has missed
    /// nothing it is as nothing.
    pub(super) fn have_reaped(&self, panes: &[PaneRow]) {
        let is_missed = |row: &PaneRow| row.dead == Some(Death::Unexplained) && row.agent().is_some();
        let server = self.bond.server().filter(|_| panes.iter().any(is_missed)).and_then(ProcessId::of);
        // Only the words about a death are at stake.
        server.and_then(|server| server.signal(Signal::Child).ok());
    }
}
