//! `mortise retention`: how long things are kept, legal holds, and erasure.

use crate::args;
use crate::commands::approvals::{typed_secret, visible};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use crate::reach;
use gateway::control::protocol::Request;
use serde_json::{Value, json};
use vocab::Exit;
use vocab::event::PayloadClass;

/// Shows, removes, holds, releases, erases.
pub fn run(output: &Output, place: &Place, args: &args::Retention) -> Outcome {
    match args {
        args::Retention::Show => show(output, place),
        args::Retention::Prune => prune(output, place),
        args::Retention::Hold { name, decision } => hold(output, place, name, decision, false),
        args::Retention::Release { name, decision } => hold(output, place, name, decision, true),
        args::Retention::Erase { user, decision } => erase(output, place, user, decision),
    }
}

fn show(output: &Output, place: &Place) -> Outcome {
    let settings = place.settings()?;
    let retention = settings.retention;
    let status = reach::ask(place, &Request::Status)?;
    let holds = status.get("holds").and_then(Value::as_array).cloned().unwrap_or_default();
    let units = store::payload::units(&place.log())?;
    let kept = |class: PayloadClass| {
        let of: Vec<_> = units.iter().filter(|unit| unit.class == class).collect();
        (of.len(), of.iter().map(|unit| unit.bytes).sum::<u64>(), of.first().map(|unit| unit.day.to_string()))
    };
    if !output.is_human() {
        let classes: Vec<Value> = PayloadClass::ALL.iter().map(|class| {
            let (days, bytes, oldest) = kept(*class);
            json!({ "class": class.as_str(), "kept_days": retention.of(*class), "days": days, "bytes": bytes, "oldest": oldest })
        }).collect();
        output.json(&json!({ "records_days": retention.records_days, "payloads": classes, "holds": holds }));
        return Ok(Exit::Ok);
    }
    output.line(format!("records         kept for {} days", retention.records_days));
    for class in PayloadClass::ALL {
        let (days, bytes, oldest) = kept(class);
        let oldest = oldest.map(|day| format!(", since {day}")).unwrap_or_default();
        let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
        output.line(format!(
            "{:<15} kept for {} days; {days} on disk, {bytes} bytes{oldest}",
            class.as_str(),
            retention.of(class)
        ));
    }
    if holds.is_empty() {
        output.line("no legal hold");
    }
    for hold in &holds {
        let text = |name: &str| hold.get(name).and_then(Value::as_str).unwrap_or_default();
        let by = visible(text("by"));
        output.line(format!("legal hold `{}` by {by}: {}", visible(text("name")), visible(text("reason"))));
    }
    Ok(Exit::Ok)
}

fn prune(output: &Output, place: &Place) -> Outcome {
    let answer = reach::ask(place, &Request::Prune)?;
    if !output.is_human() {
        output.json(&answer);
        return Ok(Exit::Ok);
    }
    let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    for removed in list("removed") {
        let text = |name: &str| removed.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |name: &str| removed.get(name).and_then(Value::as_u64).unwrap_or_default();
        output.line(format!(
            "{} up to {}: {} payloads, {} bytes removed",
            text("class"),
            text("through"),
            number("payloads"),
            number("bytes")
        ));
    }
    if !list("holds").is_empty() {
        output.line("nothing is removed: a legal hold stands (`mortise retention show`)");
    } else if list("removed").is_empty() {
        output.line("nothing is past its time");
    }
    Ok(Exit::Ok)
}

fn hold(output: &Output, place: &Place, name: &str, decision: &args::Decision, release: bool) -> Outcome {
    let (approver, reason) = reasoned(decision)?;
    let secret = typed_secret(&format!("secret of {approver}: "))?;
    let answer = reach::ask(place, &Request::Hold { name: name.to_owned(), release, approver, secret, reason })?;
    if output.is_human() {
        let what = if release { "released" } else { "nothing is removed or erased from now on:" };
        output.line(format!("{what} legal hold `{name}`"));
    } else {
        output.json(&answer);
    }
    Ok(Exit::Ok)
}

fn erase(output: &Output, place: &Place, user: &str, decision: &args::Decision) -> Outcome {
    let (approver, reason) = reasoned(decision)?;
    let who = visible(user);
    output.message(format!("what was said in calls of `{who}` becomes unreadable, for good"));
    output.message(format!("records stay, and name `{who}` as before: who called what, and when"));
    let secret = typed_secret(&format!("secret of {approver}: "))?;
    let answer = reach::ask(place, &Request::Erase { user: user.to_owned(), approver, secret, reason })?;
    let keys = answer.get("keys").and_then(Value::as_u64).unwrap_or_default();
    if !output.is_human() {
        output.json(&answer);
    } else if keys == 0 {
        output.line(format!("nothing is kept of `{}`", visible(user)));
    } else {
        output.line(format!("{keys} data key(s) of `{}` destroyed", visible(user)));
    }
    Ok(if keys == 0 { Exit::Nothing } else { Exit::Ok })
}

fn reasoned(decision: &args::Decision) -> Result<(String, String), Failure> {
    if decision.reason.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "this needs a reason").with_help("say why with `--reason`"));
    }
    Ok((decision.approver.clone(), decision.reason.clone()))
}
