//! Agents that came up and are gone before the command that waited for them has ended.
//!
//! A slow clone is waited for long after agent0 was seen up; that agent0 lives is not true for ever. The process table
//! tells it: tmux may be dead, which is what may have ended them.

use crate::name::AgentName;
use crate::process::ProcessId;
use crate::state::spawned::{Spawned, SpawnedPane};

/// How an agent that was spawned has ended; `None`: it lives, or nobody knows its process.
pub(super) fn how(spawned: &Spawned, name: AgentName) -> Option<String> {
    spawned.agents.get(&name)?.pane.as_ref().and_then(how_of)
}

fn how_of(pane: &SpawnedPane) -> Option<String> {
    if ProcessId::of(pane.server).is_none() {
        // It may live on without a terminal; nobody reaches it there.
        return Some(format!("the tmux server (process {}) that it was in has ended", pane.server));
    }
    let process = pane.process.filter(|process| !process.is_alive())?;
    Some(format!("its process ({}) has ended", process.pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_lives_as_long_as_its_process_and_its_server() {
        let own = ProcessId::own().unwrap();
        let gone = ProcessId { started: own.started + 1, ..own };
        let pane = |server: i32, process: Option<ProcessId>| SpawnedPane {
            session: "$1".to_owned(),
            pane: "%1".to_owned(),
            server,
            process,
        };
        assert_eq!(how_of(&pane(own.pid, Some(own))), None);
        assert_eq!(how_of(&pane(own.pid, None)), None);
        assert!(how_of(&pane(own.pid, Some(gone))).unwrap().contains("its process"));
        assert!(how_of(&pane(i32::MAX, Some(own))).unwrap().contains("the tmux server"));
    }
}
