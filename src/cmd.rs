//! The command line: one file a verb. A verb's `Args` are its help; its `run` reads as its story.
//!
//! Only here is anything printed, and only `main` ends the process.

mod attach;
mod caller;
mod completions;
mod config;
mod demo_agent;
mod down;
mod envelopes;
mod error;
mod handoff;
mod history;
mod hook;
mod inbox;
mod init;
mod launch;
mod logs;
mod man;
mod notify;
mod output;
mod overview;
mod progress;
mod restart;
#[cfg(test)]
mod scene;
mod send;
mod setting;
mod stage;
mod status;
mod supervise;
mod trust;
mod up;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use crate::exit::Exit;
use crate::{persist, text};
pub use caller::Caller;
pub use error::CommandError;

/// Keeps a constellation of AI coding agents running in tmux.
///
/// Without a verb: what runs, what keeps netsky from acting, and the next step.
#[derive(Debug, Parser)]
#[command(name = "netsky", version, disable_help_subcommand = true, max_term_width = 100)]
struct Cli {
    /// The constellation of this name, which lies in c/NAME of the home
    #[arg(short = 'C', long = "constellation", value_name = "NAME", global = true)]
    constellation: Option<String>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Up(up::Args),
    Restart(restart::Args),
    Down(down::Args),
    Status(status::Args),
    History(history::Args),
    Attach(attach::Args),
    Logs(logs::Args),
    Send(send::Args),
    Inbox(inbox::Args),
    Handoff(handoff::Args),
    Trust(trust::Args),
    Init(init::Args),
    Config(config::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(hide = true)]
    Hook(hook::Args),
    #[command(hide = true)]
    Supervise(supervise::Args),
    #[command(hide = true)]
    Launch(launch::Args),
    #[command(hide = true)]
    DemoAgent(demo_agent::Args),
}

/// Runs the command that this process was started as.
pub fn main() -> ExitCode {
    crate::process::keep_foreign_descriptors_back();
    let mut caller = Caller::look_around();
    if let Err(error) = crate::process::survive_full_files() {
        output::talk(&format!("netsky: a limit on the size of files would end this: {error}"));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(_) if hook::is_called(std::env::args_os()) => return Exit::Done.into(),
        Err(error) => return refuse(&error).into(),
    };
    caller.constellation = cli.constellation;
    match run(cli.verb, &caller) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::talk_lines(&error.message());
            error.exit.into()
        }
    }
}

fn run(verb: Option<Verb>, caller: &Caller) -> Result<Exit, CommandError> {
    // What a hook says nobody reads; it has a log.
    if !matches!(verb, Some(Verb::Hook(_))) {
        persist::on_moved_aside(|moved| output::talk(&text::unbroken(&format!("netsky: {moved}"))));
    }
    match verb {
        None => overview::run(caller),
        Some(Verb::Up(args)) => up::run(&args, caller),
        Some(Verb::Restart(args)) => restart::run(&args, caller),
        Some(Verb::Down(args)) => down::run(&args, caller),
        Some(Verb::Status(args)) => status::run(&args, caller),
        Some(Verb::History(args)) => history::run(&args, caller),
        Some(Verb::Attach(args)) => attach::run(&args, caller),
        Some(Verb::Logs(args)) => logs::run(&args, caller),
        Some(Verb::Send(args)) => send::run(&args, caller),
        Some(Verb::Inbox(args)) => inbox::run(&args, caller),
        Some(Verb::Handoff(args)) => handoff::run(&args, caller),
        Some(Verb::Trust(args)) => trust::run(&args, caller),
        Some(Verb::Init(args)) => init::run(&args, caller),
        Some(Verb::Config(args)) => config::run(&args, caller),
        Some(Verb::Completions(args)) => completions::run(&args),
        Some(Verb::Man(args)) => man::run(&args),
        Some(Verb::Hook(args)) => hook::run(&args, caller),
        Some(Verb::Supervise(args)) => supervise::run(&args, caller),
        Some(Verb::Launch(args)) => launch::run(&args, caller),
        Some(Verb::DemoAgent(args)) => demo_agent::run(&args, caller),
    }
}

/// Help and version go to standard output and are no failure; wrong usage is.
fn refuse(error: &clap::Error) -> Exit {
    let text = error.render();
    if error.use_stderr() {
        output::talk_lines(text.to_string().trim_end());
        return Exit::Usage;
    }
    match output::text(&text.to_string()) {
        Ok(()) => Exit::Done,
        Err(failed) => failed.exit,
    }
}

/// The whole command line, for completions and the man page.
fn command_line() -> clap::Command {
    Cli::command()
}
