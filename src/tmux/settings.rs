//! What netsky's own server is set to, as the file that it is started with.
//!
//! A line that the server cannot parse would lose the whole file without a word, so every line is built and quoted
//! here, and the starter asks back what it set.

use std::ffi::OsString;
use std::path::Path;

use tmux_interface::{SetHook, SetOption};

use super::quote::NulInArgument;
use super::request::Request;

/// Whose table an option is in.
#[derive(Debug, Clone, Copy)]
enum Scope {
    Server,
    Session,
    Window,
}

const SETTINGS: [(Scope, &str, &str); 17] = [
    (Scope::Server, "exit-empty", "off"),
    (Scope::Server, "escape-time", "10"),
    // Known to every terminfo; what an agent's environment says is set at its launch.
    (Scope::Server, "default-terminal", "screen-256color"),
    (Scope::Session, "destroy-unattached", "off"),
    // A person whose agent is replaced is let go; another agent under the same keys would be a trap.
    (Scope::Session, "detach-on-destroy", "on"),
    (Scope::Session, "history-limit", "50000"),
    (Scope::Session, "mouse", "on"),
    (Scope::Session, "update-environment", ""),
    (Scope::Session, "set-titles", "off"),
    (Scope::Session, "status-left-length", "40"),
    (Scope::Session, "status-left", "#{session_name} "),
    (Scope::Session, "status-right", ""),
    (Scope::Window, "remain-on-exit", "on"),
    (Scope::Window, "allow-rename", "off"),
    (Scope::Window, "automatic-rename", "off"),
    // From 3.3; before that nothing passes through.
    (Scope::Window, "allow-passthrough", "off"),
    (Scope::Window, "window-size", "latest"),
];

/// The option that says whose the server is.
pub(super) const HOME_OPTION: &str = "@netsky_home";

/// The file.
pub(super) fn conf(home: &Path, (width, height): (u16, u16)) -> Result<Vec<u8>, NulInArgument> {
    let size = format!("{width}x{height}");
    let mut conf = Vec::new();
    for (scope, option, value) in SETTINGS {
        conf.extend(set(scope, option, value).source()?);
    }
    conf.extend(set(Scope::Session, "default-size", &size).source()?);
    // 3.2a sizes a new window by the client that asks, terminal or not; 3.3a dies of `manual` when it makes one.
    conf.extend(b"%if \"#{==:#{version},3.2a}\"\n");
    conf.extend(set(Scope::Window, "window-size", "manual").source()?);
    conf.extend(b"%endif\n");
    for (hook, command) in size_hooks(width, height) {
        conf.extend(
            Request::from(SetHook::new().global().hook_name(hook).command(command).build()).source()?,
        );
    }
    // Last: who finds it knows that all the others are set.
    let home_option = Request::from(SetOption::new().server().option(HOME_OPTION).build());
    conf.extend(home_option.arguments([OsString::from(home)]).source()?);
    Ok(conf)
}

fn set(scope: Scope, option: &'static str, value: &str) -> Request {
    let command = SetOption::new().quiet().option(option).value(value.to_owned());
    let command = match scope {
        Scope::Server => command.server(),
        Scope::Session => command.global(),
        Scope::Window => command.global().window(),
    };
    command.build().into()
}

/// An attached person's terminal decides the size; when the last one is gone the window gets its own size back.
///
/// The hooks do not say which session it was, so each looks at all of them, and touches only what differs.
fn size_hooks(width: u16, height: u16) -> [(&'static str, String); 2] {
    let detached = format!(
        "#{{&&:#{{==:#{{session_attached}},0}},#{{!=:#{{window_width}}x#{{window_height}},{width}x{height}}}}}"
    );
    let each =
        |condition: &str, command: &str| format!("run-shell -C \"#{{S:#{{?{condition},{command} ; ,}}}}\"");
    [
        (
            "client-attached",
            each("#{session_attached}", "set-option -w -t '#{session_id}:' window-size latest"),
        ),
        (
            "client-detached",
            each(&detached, &format!("resize-window -t '#{{session_id}}:' -x {width} -y {height}")),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_is_set_last_and_quoted() {
        let conf = String::from_utf8(conf(Path::new("/a b;#{pid}"), (200, 50)).unwrap()).unwrap();
        let last = conf.lines().last().unwrap();
        assert_eq!(last, "\"set-option\" \"-s\" \"@netsky_home\" \"/a b\\073\\043\\173pid\\175\"");
        assert!(conf.contains("\"set-option\" \"-g\" \"-q\" \"default-size\" \"200x50\"\n"), "{conf}");
        assert!(super::conf(Path::new("/a\0"), (200, 50)).is_err());
    }
}
