//! A conversation as the brain sees it: the same for both APIs.
//!
//! Invariant: items stand in the order in which they happened. Tool descriptions are no part of it, only which tool
//! runs a shell command.

/// How the CLI wants a shell command to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    pub name: String,
    pub form: ShellForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShellForm {
    /// `{"command": "ls"}`: Claude Code's `Bash`, Codex's `shell_command`.
    Command,
    /// `{"cmd": "ls"}`: Codex's `exec_command`.
    Cmd,
    /// `{"command": ["bash", "-lc", "ls"]}`: Codex's older `shell`.
    Vector,
    /// A `local_shell_call` item with an `exec` action.
    LocalShell,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// What the CLI, its hooks or a person put before the model.
    Given(String),
    /// What the model answered.
    Said(String),
    /// A tool call of the model; its shell command, or empty when it was another tool.
    Called(String),
    /// What that tool printed.
    Result(String),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    pub items: Vec<Item>,
    /// None in the small requests beside the main conversation (titles, summaries, probes).
    pub shell: Option<Shell>,
    /// The CLI asked for an answer in JSON.
    pub wants_json: bool,
}

impl Conversation {
    /// Everything that was put before the model, oldest first; tool results are not among it.
    pub fn given(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.items.iter().filter_map(|item| match item {
            Item::Given(text) => Some(text.as_str()),
            Item::Said(_) | Item::Called(_) | Item::Result(_) => None,
        })
    }

    pub fn has_called(&self, command: &str) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Called(called) if called == command))
    }
}
