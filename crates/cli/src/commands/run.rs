//! `mortise run`: starts an agent with its MCP endpoint and run token set.

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::reach;
use gateway::control::protocol::Request;
use serde_json::Value;
use std::process::Command;
use vocab::Exit;

/// Variables an agent gets, beside its own environment:
/// `MORTISE_MCP_URL`, `MORTISE_RUN_TOKEN`, `MORTISE_RUN_ID`, `MORTISE_AGENT`, `MORTISE_PROJECT`.
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
    match status.code() {
        Some(0) => Ok(Exit::Ok),
        code => {
            let said = code.map_or_else(|| "was killed by a signal".to_owned(), |code| format!("ended with {code}"));
            Err(Failure::new(Exit::Internal, format!("the agent {said}")))
        }
    }
}
