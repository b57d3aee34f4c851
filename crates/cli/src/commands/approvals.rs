//! `mortise approvals`: a person answers, with a secret that is typed.

use crate::args::{ApprovalAnswer, Approvals};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use crate::reach;
use gateway::control::protocol::Request;
use serde_json::Value;
use vocab::Exit;

/// Shows and answers calls that wait.
pub fn run(output: &Output, place: &Place, args: &Approvals) -> Outcome {
    match args {
        Approvals::Ls { all } => list(output, place, *all),
        Approvals::Show { id } => show(output, place, id),
        Approvals::Approve(answer) => respond(output, place, answer, true),
        Approvals::Deny(answer) => respond(output, place, answer, false),
        Approvals::Enroll { approver } => enroll(output, place, approver),
    }
}

/// Reads a secret from the terminal: never from a file, a pipe or a variable, which an agent could fill.
pub fn typed_secret(prompt: &str) -> Result<String, Failure> {
    rpassword::prompt_password(prompt).map_err(|_| {
        Failure::new(Exit::Environment, "there is no terminal to type the secret on")
            .with_help("approvals need a secret that is typed; run this in a terminal of your own")
    })
}

fn list(output: &Output, place: &Place, all: bool) -> Outcome {
    let found = reach::ask(place, &Request::Approvals)?;
    let found = found.as_array().cloned().unwrap_or_default();
    let open = |approval: &&Value| all || text(approval, "state") == "pending";
    let shown: Vec<&Value> = found.iter().filter(open).collect();
    if !output.is_human() {
        output.json(&shown);
        return Ok(Exit::Ok);
    }
    if shown.is_empty() {
        output.message("nothing waits");
    }
    for approval in shown {
        let rules: Vec<&str> =
            approval.get("rules").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        output.line(format!(
            "{}  {:<9} {:<28} agent {}  asked by {}",
            output.bold(text(approval, "id")),
            text(approval, "state"),
            text(approval, "action"),
            text(approval, "agent"),
            rules.join(", ")
        ));
    }
    Ok(Exit::Ok)
}

fn show(output: &Output, place: &Place, id: &str) -> Outcome {
    let shown = reach::ask(place, &Request::ApprovalShow { id: id.to_owned() })?;
    if !output.is_human() {
        output.json(&shown);
        return Ok(Exit::Ok);
    }
    output.line(format!("{}  {}", output.bold(text(&shown, "id")), text(&shown, "state")));
    for (label, key) in [("agent", "agent"), ("on behalf of", "user"), ("tier", "tier"), ("call", "action")] {
        output.line(format!("  {label:<13} {}", text(&shown, key)));
    }
    for (label, key) in [("asked by", "rules"), ("approvers", "approvers"), ("quorum", "quorum")] {
        output.line(format!("  {label:<13} {}", shown.get(key).map(Value::to_string).unwrap_or_default()));
    }
    output.line("  arguments     (effective: what would run)");
    let arguments = shown.get("arguments").cloned().unwrap_or_default();
    let pretty = serde_json::to_string_pretty(&arguments).unwrap_or_default();
    // The agent wrote this text: control characters are shown, not obeyed.
    for line in visible(&pretty).lines() {
        output.line(format!("    {line}"));
    }
    if let Some(purpose) = shown.get("purpose_claimed").and_then(Value::as_str) {
        output.line(format!("  the agent says (unverified): {}", visible(purpose)));
    }
    Ok(Exit::Ok)
}

fn respond(output: &Output, place: &Place, answer: &ApprovalAnswer, approve: bool) -> Outcome {
    let secret = typed_secret(&format!("secret of {}: ", answer.approver))?;
    let request = Request::ApprovalAnswer {
        id: answer.id.clone(),
        approver: answer.approver.clone(),
        secret,
        approve,
        reason: answer.reason.clone(),
    };
    let said = reach::ask(place, &request)?;
    if output.is_human() {
        let state = text(&said, "state");
        let meaning = match state {
            "approved" => "approved: the stored call runs now",
            "denied" => "refused: the call will not run in this session",
            _ => "recorded: it waits for further people",
        };
        output.line(format!("{}  {meaning}", text(&said, "id")));
    } else {
        output.json(&said);
    }
    Ok(Exit::Ok)
}

fn enroll(output: &Output, place: &Place, approver: &str) -> Outcome {
    let present = typed_secret(&format!("present secret of {approver} (empty if none is set): "))?;
    let secret = typed_secret("new secret (8 characters or more): ")?;
    if typed_secret("once more: ")? != secret {
        return Err(Failure::new(Exit::Usage, "the two are not the same"));
    }
    let present = (!present.is_empty()).then_some(present);
    reach::ask(place, &Request::Enroll { approver: approver.to_owned(), secret, present })?;
    output.message(format!("`{approver}` can answer now; only a hash of the secret is kept"));
    Ok(Exit::Ok)
}

/// A text somebody else wrote, with everything that could steer a terminal shown as an escape.
pub fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '\n' => vec!['\n'],
            c if c.is_control() || is_steering(c) => c.escape_unicode().collect(),
            c => vec![c],
        })
        .collect()
}

/// Bidirectional controls, zero-width characters and tags.
const fn is_steering(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_agents_cannot_steer_the_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\n");
    }
}
