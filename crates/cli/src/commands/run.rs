//! `mortise run`: starts an agent with its MCP endpoint and run token set.

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::reach;
use gateway::control::protocol::Request;
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use vocab::Exit;

/// Variables an agent gets, beside its own environment:
/// `MORTISE_MCP_URL`, `MORTISE_RUN_TOKEN`, `MORTISE_RUN_ID`, `MORTISE_AGENT`, `MORTISE_PROJECT`. Ends with the agent's code.
pub fn run(place: &Place, args: &args::Run) -> Outcome {
    let parent = std::env::var("MORTISE_RUN_TOKEN").ok().filter(|token| !token.is_empty());
    let begun = reach::ask(place, &Request::RunBegin { agent: args.agent.clone(), parent })?;
    let text = |key: &str| begun.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (program, rest) = args.command.split_first().ok_or_else(|| Failure::new(Exit::Usage, "no command"))?;
    let mut child = Command::new(program)
        .args(rest)
        .env("MORTISE_MCP_URL", text("url"))
        .env("MORTISE_RUN_TOKEN", text("token"))
        .env("MORTISE_RUN_ID", text("run"))
        .env("MORTISE_AGENT", &args.agent)
        .env("MORTISE_PROJECT", &place.root)
        .spawn()
        .map_err(|error| Failure::new(Exit::Environment, format!("cannot start `{program}`: {error}")))?;
    let status = child.wait()?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(Exit::Ok),
        (code, signal) => {
            let said = match (code, signal) {
                (Some(code), _) => format!("ended with {code}"),
                (None, Some(signal)) => format!("was ended by signal {signal}"),
                (None, None) => "ended".to_owned(),
            };
            // As a shell says it: 128 and the signal's number.
            let code = code.or(signal.map(|signal| 128 + signal)).and_then(|code| u8::try_from(code).ok());
            Err(Failure { passed_on: code, ..Failure::new(Exit::Internal, format!("the agent {said}")) })
        }
    }
}
