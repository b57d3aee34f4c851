//! `mortise keys`: the keys that sign the log.

use crate::args::{Global, Keys, KeysRotate};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use crate::reach;
use gateway::control::protocol::Request;
use gateway::control::{Client, ClientError};
use serde_json::{Value, json};
use std::path::Path;
use store::{Clock, ListedKey};
use vocab::Exit;
use vocab::shown::line;

/// Microseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Runs one of the subcommands.
pub fn run(output: &Output, global: &Global, args: &Keys) -> Outcome {
    match args {
        Keys::Ls { log: Some(log) } => ls(output, log),
        Keys::Ls { log: None } => ls(output, &Place::find(global)?.log()),
        Keys::Rotate(args) => rotate(output, &Place::find(global)?, args),
    }
}

fn ls(output: &Output, log: &Path) -> Outcome {
    let keys = store::log_keys(log)?;
    if output.is_human() {
        let now = Clock::system().now();
        keys.iter().for_each(|key| human(output, key, now));
        return Ok(Exit::Ok);
    }
    let value = |key: &ListedKey| {
        json!({
            "vkey": key.span.key.to_vkey(), "from": key.span.from, "until": key.span.until, "since": key.since,
            "why": key.why,
        })
    };
    output.rows(&keys.iter().map(value).collect::<Vec<Value>>());
    Ok(Exit::Ok)
}

fn human(output: &Output, key: &ListedKey, now: i64) {
    let sizes = match key.span.until {
        Some(until) => format!("signs sizes {} to {until}", key.span.from),
        None => format!("signs sizes from {}", key.span.from),
    };
    let age = key.since.map(|since| match now.saturating_sub(since).max(0) / DAY {
        0 => ", since today".to_owned(),
        1 => ", since yesterday".to_owned(),
        days => format!(", for {days} days"),
    });
    output.line(format!("{}  {sizes}{}", output.bold(&key.span.key.id().to_string()), age.unwrap_or_default()));
    output.line(format!("    {}", key.span.key.to_vkey()));
    if let Some(why) = &key.why {
        output.line(format!("    {}", output.dim(&line(why))));
    }
}

fn rotate(output: &Output, place: &Place, args: &KeysRotate) -> Outcome {
    if args.why.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "a rotation needs a reason").with_help("say why with `--why`"));
    }
    // Not started for this: whoever rotates a key should see the gateway that takes it.
    let mut client = Client::connect(&place.socket()).map_err(|error| match error {
        ClientError::NoGateway => Failure::new(Exit::Environment, error.to_string())
            .with_help("the gateway has the log open and changes its key: start it with `mortise up`"),
        error => reach::failure(error),
    })?;
    let request = Request::KeysRotate {
        reason: args.why.clone(),
        overlap_entries: args.overlap_entries,
        overlap_s: args.overlap_s,
    };
    let done = client.ask(&request).map_err(reach::failure)?;
    if !output.is_human() {
        output.json(&done);
        return Ok(Exit::Ok);
    }
    let text = |name: &str| done.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    output.line(text("new"));
    let index = done.get("index").and_then(Value::as_u64).unwrap_or_default();
    let before = match args.overlap_entries.min(args.overlap_s) {
        0 => "the key before does not sign any more:",
        _ => "the key before signs as well until the overlap is over:",
    };
    let from = index.saturating_add(1);
    output.message(format!("event #{index} says so: it signs the log from size {from} on; {before}"));
    output.message(format!("  {}", text("old")));
    output.message("give the new key to whoever pins the old one: auditors, and witnesses (a second `--log`)");
    Ok(Exit::Ok)
}
