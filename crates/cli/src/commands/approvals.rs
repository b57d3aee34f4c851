//! `mortise approvals`: a person answers, with a secret that is typed.

use crate::args::{ApprovalAnswer, Approvals};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use crate::reach;
use gateway::control::protocol::Request;
use serde_json::Value;
use store::Clock;
use vocab::Exit;
/// What shows texts of others; here under its old place as well.
use vocab::shown::visible;
use vocab::shown::{line as one_line, name};

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
    let now = Clock::system().now();
    for approval in shown {
        let rules: Vec<String> = strings(approval, "rules").map(name).collect();
        let expires = if text(approval, "state") == "pending" {
            format!("  expires {}", away(number(approval, "expires_us") - now))
        } else {
            String::new()
        };
        output.line(format!(
            "{}  {:<9} {:<28} agent {}  asked by {}{expires}",
            output.bold(&name(text(approval, "id"))),
            standing(approval),
            name(text(approval, "action")),
            name(text(approval, "agent")),
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
    output.line(format!("{}  {}", output.bold(&name(text(&shown, "id"))), standing(&shown)));
    let now = Clock::system().now();
    let line = |label: &str, what: &str| output.line(format!("  {label:<13} {}", one_line(what)));
    line("agent", &format!("{}, tier {}", text(&shown, "agent"), text(&shown, "tier")));
    line("on behalf of", Some(text(&shown, "user")).filter(|user| !user.is_empty()).unwrap_or("nobody who is known"));
    line("call", text(&shown, "action"));
    for rule in strings(&shown, "rules") {
        let reason = shown.get("reasons").and_then(|reasons| reasons.get(rule)).and_then(Value::as_str);
        line("asked by", &reason.map_or_else(|| rule.to_owned(), |reason| format!("{rule}: {reason}")));
    }
    let approvers: Vec<&str> = strings(&shown, "approvers").collect();
    let who = if approvers.is_empty() { "anybody who is enrolled".to_owned() } else { approvers.join(", ") };
    let quorum = shown.get("quorum").and_then(Value::as_u64).unwrap_or(1);
    line("approvers", &format!("{who}; {quorum} must approve"));
    line("asked", &when(&shown, "requested_us", now));
    line("expires", &when(&shown, "expires_us", now));
    for answer in shown.get("answers").and_then(Value::as_array).into_iter().flatten() {
        let said = if text(answer, "say") == "approve" { "approved" } else { "refused" };
        let (who, at) = (text(answer, "approver"), when(answer, "at_us", now));
        line("answer", &format!("{who} {said}, {at}: {}", text(answer, "reason")));
    }
    output.line("  arguments     (effective: what would run)");
    let arguments = shown.get("arguments").cloned().unwrap_or_default();
    let pretty = serde_json::to_string_pretty(&arguments).unwrap_or_default();
    // The agent wrote this text: control characters are shown, not obeyed.
    for line in visible(&pretty).lines() {
        output.line(format!("    {line}"));
    }
    if let Some(purpose) = shown.get("purpose_claimed").and_then(Value::as_str) {
        output.line(format!("  the agent says (unverified): {}", one_line(purpose)));
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

/// Where an approval stands, in a word for people.
fn standing(approval: &Value) -> &str {
    match text(approval, "state") {
        "pending" => "waiting",
        "consumed" => "run",
        other => other,
    }
}

/// A time with how far it is from now, both in microseconds since the epoch.
fn when(value: &Value, key: &str, now: i64) -> String {
    let time = number(value, key);
    let said = jiff::Timestamp::from_microsecond(time).and_then(|time| time.round(jiff::Unit::Second));
    said.map_or_else(|_| "?".to_owned(), |said| format!("{said}, {}", away(time - now)))
}

/// `in 14 min` or `3 s ago`.
fn away(micros: i64) -> String {
    let seconds = micros.unsigned_abs() / 1_000_000;
    let span = match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    };
    if micros < 0 { format!("{span} ago") } else { format!("in {span}") }
}

fn number(value: &Value, key: &str) -> i64 {
    value.get(key).and_then(Value::as_i64).unwrap_or_default()
}

fn strings<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    value.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_from_now() {
        let at = |seconds: i64| away(seconds * 1_000_000);
        assert_eq!(
            [at(0), at(119), at(120), at(7_199), at(7_200)],
            ["in 0 s", "in 119 s", "in 2 min", "in 119 min", "in 2 h"]
        );
        assert_eq!(at(-3), "3 s ago");
        let asked = serde_json::json!({ "t": 1_795_000_000_123_456_i64 });
        assert_eq!(when(&asked, "t", 1_795_000_003_000_000), "2026-11-18T11:06:40Z, 2 s ago");
        assert_eq!(when(&asked, "other", 0), "1970-01-01T00:00:00Z, in 0 s");
    }
}
