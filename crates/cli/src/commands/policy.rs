//! `mortise policy`: what the rules say, what waits, and putting it in force.

mod explain;
mod scope;

use crate::args;
use crate::commands::approvals::typed_secret;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use crate::reach;
use anstyle::AnsiColor;
use gateway::control::protocol::Request;
use gateway::process::{Compiled, ConfigurationError, compile};
use serde_json::{Value, json};
use vocab::Exit;
use vocab::shown::line;

/// Explains, compares, accepts.
pub fn run(output: &Output, place: &Place, args: &args::Policy) -> Outcome {
    match args {
        args::Policy::Explain { subject } => explain::run(output, &compiled(place)?, subject),
        args::Policy::Diff => diff(output, place),
        args::Policy::Accept { approver, reason } => accept(output, place, approver, reason),
        args::Policy::Schema => schema(output, &compiled(place)?),
    }
}

/// The project as its files say, which need not be what is in force.
fn compiled(place: &Place) -> Result<Compiled, Failure> {
    compile(&place.files()?).map_err(|error| match error {
        ConfigurationError::Invalid(found) => Failure::diagnostics(found),
        error => Failure::new(Exit::Configuration, error.to_string()),
    })
}

fn schema(output: &Output, compiled: &Compiled) -> Outcome {
    let text = compiled.bundle.schema_text();
    if output.is_human() {
        output.raw(text);
    } else {
        output.json(&json!({ "schema": text, "bundle": compiled.bundle.digest() }));
    }
    Ok(Exit::Ok)
}

fn diff(output: &Output, place: &Place) -> Outcome {
    let pending = pending(place)?;
    if !output.is_human() {
        output.json(&pending);
        return Ok(Exit::Ok);
    }
    if !waits(&pending) {
        output.message("nothing waits: the files are in force");
        return Ok(Exit::Ok);
    }
    for line in shown(output, &pending) {
        output.line(line);
    }
    output.message("put it in force with `mortise policy accept --as APPROVER --reason TEXT`");
    Ok(Exit::Ok)
}

fn accept(output: &Output, place: &Place, approver: &str, reason: &str) -> Outcome {
    if reason.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "a loosening needs a reason").with_help("say why with `--reason`"));
    }
    let pending = pending(place)?;
    let candidate = pending.get("candidate").and_then(Value::as_str).filter(|_| waits(&pending));
    let Some(candidate) = candidate else {
        return Err(Failure::new(Exit::Nothing, "nothing waits: the files are in force"));
    };
    for line in shown(output, &pending) {
        output.message(line);
    }
    let secret = typed_secret(&format!("secret of {approver}: "))?;
    // The digest of what was shown: an edit made meanwhile is not accepted unseen.
    let request = Request::PolicyAccept {
        approver: approver.to_owned(),
        secret,
        reason: reason.to_owned(),
        candidate: candidate.to_owned(),
    };
    let accepted = reach::ask(place, &request)?;
    if output.is_human() {
        output.line(format!("in force: {candidate}"));
    } else {
        output.json(&accepted);
    }
    Ok(Exit::Ok)
}

/// What waits, after the gateway has looked at the files once more.
fn pending(place: &Place) -> Result<Value, Failure> {
    let looked = reach::ask(place, &Request::Reload)?;
    if looked.get("edit").and_then(Value::as_str) == Some("refused") {
        return Err(Failure::new(Exit::Configuration, "the files are not valid; what was in force stays")
            .with_help("run `mortise check`"));
    }
    reach::ask(place, &Request::PolicyPending)
}

fn waits(pending: &Value) -> bool {
    pending.get("waiting").and_then(Value::as_bool).unwrap_or_default()
}

/// The difference as lines: what loosens first, because it is what a person answers for.
fn shown(output: &Output, pending: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, title, mark, colour) in
        [("loosens", "loosens", "+", AnsiColor::Yellow), ("tightens", "tightens", "-", AnsiColor::Green)]
    {
        let sentences = pending.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let sentences: Vec<&str> = sentences.collect();
        if sentences.is_empty() {
            continue;
        }
        lines.push(output.paint(title, colour.on_default().bold()));
        // File and rule names are somebody else's text.
        lines.extend(sentences.iter().map(|sentence| format!("  {mark} {}", line(sentence))));
    }
    let candidate = pending.get("candidate").and_then(Value::as_str).unwrap_or_default();
    lines.push(format!("candidate {}", line(candidate)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Colour, Format, Global};

    fn plain() -> Output {
        Output::new(&Global { project: None, format: Format::Human, color: Colour::Never })
    }

    #[test]
    fn the_difference_says_what_loosens_first() {
        let pending = json!({
            "waiting": true, "candidate": "sha256:ab",
            "tightens": ["`bot` loses the tool `desk/close`"], "loosens": ["`a\u{202e}.toml` is new"],
        });
        let expected = [
            "loosens",
            "  + `a\\u{202e}.toml` is new",
            "tightens",
            "  - `bot` loses the tool `desk/close`",
            "candidate sha256:ab",
        ];
        assert_eq!(shown(&plain(), &pending), expected);
        assert!(waits(&pending) && !waits(&json!({ "waiting": false })) && !waits(&json!({})));
    }
}
