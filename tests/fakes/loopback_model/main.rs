//! A model on loopback that plays a netsky agent, so that real agent CLIs run end to end with no account.
//!
//! It speaks the Anthropic Messages API (seen with Claude Code 2.1.197) and the OpenAI Responses API (Codex 0.169.0). Reading
//! order: `brain` decides what to answer, `conversation` is what it decides on, `behaviour` is the file by which a
//! test steers it, `anthropic` and `responses` translate, `wire` writes HTTP, `journal` keeps every request.
//!
//! Invariant: a request body is on disk, whole, before its answer begins. It keeps no state between requests: what was
//! said and done is read from the conversation that the CLI sends. It does not check credentials and does no TLS.
//!
//! `loopback-model --port-file FILE --log DIR --behaviour FILE`: binds 127.0.0.1 on a free port, writes the port into
//! FILE once it listens, and serves until it is killed.

#![allow(
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a program of its own: netsky's homes of effects are not its"
)]

mod anthropic;
mod behaviour;
mod brain;
mod conversation;
mod journal;
mod responses;
mod wire;

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use behaviour::Behaviour;
use brain::Reply;
use journal::Journal;
use wire::Request;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("usage: loopback-model --port-file FILE --log DIR --behaviour FILE")]
    Usage,
    #[error("listening on 127.0.0.1")]
    Listen(#[source] std::io::Error),
    #[error(transparent)]
    Journal(#[from] journal::Error),
    #[error(transparent)]
    Behaviour(#[from] behaviour::Error),
    #[error("reading a request")]
    Request(#[source] std::io::Error),
    #[error("parsing a request body")]
    Json(#[from] serde_json::Error),
    #[error("answering")]
    Answer(#[source] std::io::Error),
}

struct Args {
    port_file: PathBuf,
    log: PathBuf,
    behaviour: PathBuf,
}

/// What a path asks for.
#[derive(Clone, Copy)]
enum Route {
    CountTokens,
    Answer(Api),
}

#[derive(Clone, Copy)]
enum Api {
    Messages,
    Responses,
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loopback-model: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Error> {
    let args = parse(std::env::args().skip(1))?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::Listen)?;
    let port = listener.local_addr().map_err(Error::Listen)?.port();
    let journal = Arc::new(Journal::open(args.log)?);
    let behaviour = Arc::new(args.behaviour);
    journal::write_whole(&args.port_file, port.to_string().as_bytes())?;
    for stream in listener.incoming() {
        let stream = stream.map_err(Error::Listen)?;
        let (journal, behaviour) = (Arc::clone(&journal), Arc::clone(&behaviour));
        thread::spawn(move || {
            if let Err(error) = answer(stream, &journal, &behaviour) {
                eprintln!("loopback-model: {}", with_causes(&error));
            }
        });
    }
    Ok(())
}

fn parse(args: impl Iterator<Item = String>) -> Result<Args, Error> {
    let (mut port_file, mut log, mut behaviour) = (None, None, None);
    let mut args = args;
    while let Some(flag) = args.next() {
        let slot = match flag.as_str() {
            "--port-file" => &mut port_file,
            "--log" => &mut log,
            "--behaviour" => &mut behaviour,
            _ => return Err(Error::Usage),
        };
        *slot = Some(PathBuf::from(args.next().ok_or(Error::Usage)?));
    }
    Ok(Args {
        port_file: port_file.ok_or(Error::Usage)?,
        log: log.ok_or(Error::Usage)?,
        behaviour: behaviour.ok_or(Error::Usage)?,
    })
}

fn answer(stream: TcpStream, journal: &Journal, behaviour: &Path) -> Result<(), Error> {
    let Some(request) = wire::receive(stream).map_err(Error::Request)? else { return Ok(()) };
    let Some(route) = route_of(&request) else {
        let status = if request.method == "POST" { 404 } else { 200 };
        return wire::send_json(request, status, &[], &json!({})).map_err(Error::Answer);
    };
    journal.keep(route.name(), &request.body)?;
    // By `FromStr`, which serde_json compiles for itself, optimised.
    let body: Value = String::from_utf8_lossy(&request.body).parse()?;
    let answered = match (Behaviour::load(behaviour), route) {
        (Ok(behaviour), Route::Answer(api)) => return reply(request, api, &body, &behaviour),
        (Ok(behaviour), Route::CountTokens) => {
            wire::send_json(request, 200, &[], &json!({"input_tokens": behaviour.input_tokens}))
        }
        (Err(error), _) => {
            let error = json!({"error": {"type": "api_error", "message": with_causes(&error)}});
            wire::send_json(request, 500, &[], &error)
        }
    };
    answered.map_err(Error::Answer)
}

fn reply(request: Request, api: Api, body: &Value, behaviour: &Behaviour) -> Result<(), Error> {
    let conversation = match api {
        Api::Messages => anthropic::read(body),
        Api::Responses => responses::read(body),
    };
    let behaviour = behaviour.for_agent_in(&conversation)?;
    let streaming = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    let answered = match (brain::decide(&conversation, &behaviour), api) {
        (Reply::Refuse(refusal), api) => {
            let error = match api {
                Api::Messages => anthropic::refusal(&refusal),
                Api::Responses => responses::refusal(&refusal),
            };
            wire::send_json(request, refusal.status(), &refusal.headers(), &error)
        }
        (Reply::Answer(act), Api::Messages) if streaming => wire::send_events(
            request,
            behaviour.kept(&anthropic::events(&act, body, &behaviour)),
            behaviour.pace(),
        ),
        (Reply::Answer(act), Api::Messages) => {
            wire::send_json(request, 200, &[], &anthropic::whole(&act, body, &behaviour))
        }
        (Reply::Answer(act), Api::Responses) => {
            let events = responses::events(&act, &conversation, &behaviour);
            wire::send_events(request, behaviour.kept(&events), behaviour.pace())
        }
    };
    answered.map_err(Error::Answer)
}

fn route_of(request: &Request) -> Option<Route> {
    if request.method != "POST" {
        return None;
    }
    match request.path.split('?').next() {
        Some("/v1/messages") => Some(Route::Answer(Api::Messages)),
        Some("/v1/messages/count_tokens") => Some(Route::CountTokens),
        Some("/v1/responses") => Some(Route::Answer(Api::Responses)),
        _ => None,
    }
}

impl Route {
    fn name(self) -> &'static str {
        match self {
            Self::CountTokens => "count-tokens",
            Self::Answer(Api::Messages) => "messages",
            Self::Answer(Api::Responses) => "responses",
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
