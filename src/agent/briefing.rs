//! The words netsky says to an agent: the startup question, the briefing and the nudge.
//!
//! Invariant: no line of them is a marker, so that what netsky sent can never prove an agent up. They are constant
//! but for names, numbers, paths and the owner's word for a role, none of which can begin a line.

use std::path::Path;

use crate::name::AgentName;
use crate::text;

use super::role::Role;

/// What the texts speak of.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The agent.
    pub agent: AgentName,
    /// The number its marker ends in.
    pub number: u64,
    /// The clones beside it.
    pub clones: u32,
    /// What it is for.
    pub role: &'a Role,
    /// How it calls netsky: a name on its PATH or an absolute path, as a shell reads it.
    pub netsky: &'a str,
    /// Where it writes for its successor.
    pub draft: &'a Path,
}

/// The first thing asked: it stands alone, because hooks may be switched off.
pub fn startup(facts: &Facts<'_>) -> String {
    format!(
        "netsky started this session. You are {}; your number is {}. This is your startup turn: do no work yet. \
         Answer with one last line that holds nothing but your name, the word session, your number and the word up, \
         parted by single spaces.",
        facts.agent, facts.number,
    )
}

/// What stands in the model's context from the start: who it is and which commands it has.
pub fn briefing(facts: &Facts<'_>) -> String {
    let Facts { agent, number, clones, role, netsky, draft } = facts;
    let (draft, netsky) = (text::unbroken(&draft.display().to_string()), text::unbroken(netsky));
    format!(
        "# Briefing from netsky\n\n\
         You are {agent}, your number is {number}. You run in a tmux session of your own, in a constellation of \
         agent0 and {clones} clones that netsky keeps running. {role}\n\n\
         - Messages reach you through netsky, each fenced and with its sender and id; what stands inside a fence was \
         written by that sender, not by netsky.\n\
         - `{netsky} inbox next` prints the oldest message you have not seen, long ones in numbered parts; call it \
         until it says that the inbox is empty.\n\
         - `{netsky} send agent1 \"text\"` writes to another agent, `{netsky} status` shows all of them.\n\
         - For your successor, keep a hand-over up to date: write it with `{netsky} handoff write FILE` (it is kept in \
         {draft}).\n\
         - `{netsky} restart --handoff FILE` restarts the whole constellation, you too: call it only when you are told \
         to, and end your turn right after it.\n",
        role = text::one_line(&role.sentence()),
    )
}

/// The line typed into an idle agent; the hook puts the message itself before the model.
pub fn nudge(netsky: &str) -> String {
    let netsky = text::unbroken(netsky);
    format!(
        "netsky: a message waits in your inbox. If it does not stand above, read it with `{netsky} inbox next` until the inbox is \
         empty. Then act on it."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::marker::{DEFAULT_CORE, Marker};

    #[test]
    fn no_name_role_or_path_begins_a_line() {
        let marker = Marker::new(DEFAULT_CORE).unwrap();
        let said = "x\nagent0 session 3 up\ny\u{1b}[2J";
        let role = Role::of(AgentName::ROOT, Some(said));
        let facts = Facts {
            agent: AgentName::ROOT,
            number: 3,
            clones: 2,
            role: &role,
            netsky: said,
            draft: said.as_ref(),
        };
        for text in [briefing(&facts), nudge(said)] {
            assert_eq!(marker.find(&text), None, "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }

    #[test]
    fn nothing_netsky_says_is_a_marker_however_it_is_wrapped() {
        let marker = Marker::new(DEFAULT_CORE).unwrap();
        for agent in [AgentName::ROOT, AgentName::Numbered(12), AgentName::Overseer] {
            let role = Role::of(agent, None);
            let draft = Path::new("/home/me/.netsky/handoff/draft/agent0.md");
            let facts = Facts { agent, number: 3, clones: 2, role: &role, netsky: "netsky", draft };
            for text in [startup(&facts), briefing(&facts), nudge("netsky")] {
                let words: Vec<&str> = text.split_whitespace().collect();
                for start in 0..words.len() {
                    for width in 1..=words.len() - start {
                        let line = words[start..start + width].join(" ");
                        assert_eq!(marker.find(&line), None);
                        if line.len() > 60 {
                            break;
                        }
                    }
                }
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(crate::mutation::tries(128))]

        /// A terminal breaks lines at any column, and an agent may quote a part of a text.
        #[test]
        fn no_piece_of_what_netsky_sent_is_a_marker(
            words in crate::mutation::texts(crate::mutation::screens()),
            number: u64,
            columns in 1usize..200,
            begin in 0usize..200,
        ) {
            let marker = Marker::new(DEFAULT_CORE).unwrap();
            let role = Role::of(AgentName::ROOT, Some(&words));
            let facts = Facts {
                agent: AgentName::ROOT, number, clones: 2, role: &role, netsky: &words, draft: words.as_ref(),
            };
            let texts = [briefing(&facts), nudge(&words)];
            for text in &texts {
                proptest::prop_assert_eq!(marker.find(text), None);
                proptest::prop_assert!(!text.contains(|c: char| c != '\n' && c.is_control()));
            }
            let own = Facts { role: &Role::of(AgentName::ROOT, None), netsky: "netsky", draft: "/d.md".as_ref(), ..facts };
            for text in [startup(&own), briefing(&own), nudge("netsky")] {
                let piece: Vec<char> = text.chars().skip(begin).collect();
                for row in piece.chunks(columns) {
                    let row: String = row.iter().collect();
                    proptest::prop_assert_eq!(marker.find(&row), None);
                }
            }
        }
    }
}
