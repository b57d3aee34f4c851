//! `mortise retention`: how long things are kept, legal holds, and erasure.

use crate::args;
use crate::commands::approvals::typed_secret;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, counted, size};
use crate::place::Place;
use crate::reach;
use gateway::control::protocol::Request;
use govern::project::Retention;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vocab::Exit;
use vocab::event::PayloadClass;
use vocab::shown::line;

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

/// Says what is in force, which is what the gateway goes by; and what an edit that is not in force would change.
fn show(output: &Output, place: &Place) -> Outcome {
    let status = reach::ask(place, &Request::Status)?;
    let stops = status.get("retention").cloned().unwrap_or_default();
    let in_force = in_force(&stops)?;
    let edited = edited(output, place, &in_force);
    let units = store::payload::units(&place.log())?;
    let kept = |class: PayloadClass| {
        let of: Vec<_> = units.iter().filter(|unit| unit.class == class).collect();
        (of.len() as u64, of.iter().map(|unit| unit.bytes).sum::<u64>(), of.first().map(|unit| unit.day.to_string()))
    };
    let (first, removed) = records(place)?;
    if !output.is_human() {
        let classes: Vec<Value> = PayloadClass::ALL.iter().map(|class| {
            let (days, bytes, oldest) = kept(*class);
            json!({ "class": class.as_str(), "kept_days": in_force.of(*class), "days": days, "bytes": bytes, "oldest": oldest })
        }).collect();
        let member = |name: &str| stops.get(name).cloned().unwrap_or_default();
        output.json(&json!({
            "records_days": in_force.records_days, "first_record": first, "payloads": classes, "not_in_force": edited,
            "holds": member("holds"), "holds_unknown": member("unknown"), "clock": member("clock"),
        }));
        return Ok(Exit::Ok);
    }
    let there = removed.map(|removed| format!("; those before event #{first} were {removed}")).unwrap_or_default();
    output.line(format!("records         kept for {}{there}", counted(in_force.records_days, "day")));
    for class in PayloadClass::ALL {
        let (days, bytes, oldest) = kept(class);
        let oldest = oldest.map(|day| format!(", since {day}")).unwrap_or_default();
        output.line(format!(
            "{:<15} kept for {}; {} on disk, {}{oldest}",
            class.as_str(),
            counted(in_force.of(class), "day"),
            counted(days, "day"),
            size(bytes)
        ));
    }
    if PayloadClass::ALL.into_iter().any(|class| in_force.of(class) > in_force.records_days) {
        output.line("records stay for as long as the payloads that they may commit to");
    }
    for (what, days) in &edited {
        let days = counted(*days, "day");
        output.line(format!("`mortise.toml` says {days} for {what}: that is not in force (`mortise policy diff`)"));
    }
    print_stops(output, &stops);
    Ok(Exit::Ok)
}

/// The days that the gateway goes by.
fn in_force(stops: &Value) -> Result<Retention, Failure> {
    let days = |name: &str| u32::try_from(stops.get("days")?.get(name)?.as_u64()?).ok();
    let read = || {
        Some(Retention {
            records_days: days("records")?,
            decision_input_days: days("decision_input")?,
            trace_text_days: days("trace_text")?,
        })
    };
    read().ok_or_else(|| {
        Failure::new(Exit::Environment, "the gateway that runs does not say how long things are kept")
            .with_help("it is of another version: end it, and the next command starts one of this version")
    })
}

/// What the file says otherwise, and how many days.
fn edited(output: &Output, place: &Place, in_force: &Retention) -> BTreeMap<&'static str, u32> {
    let Ok(settings) = place.settings() else {
        output.message("`mortise.toml` does not read (`mortise check`): what was accepted stays in force");
        return BTreeMap::new();
    };
    let words = |retention: &Retention| {
        let payloads = PayloadClass::ALL.map(|class| (class.as_str(), retention.of(class)));
        payloads.into_iter().chain([("records", retention.records_days)]).collect::<Vec<_>>()
    };
    let now = words(in_force);
    words(&settings.retention).into_iter().filter(|said| !now.contains(said)).collect()
}

/// Index of the first record that is there, and the removal that took those before it.
fn records(place: &Place) -> Result<(u64, Option<store::prune::Removed>), Failure> {
    let reader = store::LogReader::open(&place.log())?;
    let first = reader.first()?;
    Ok((first, first.checked_sub(1).map(|last| reader.pruned(last)).transpose()?.flatten()))
}

/// Why nothing is removed for now: holds, a list of holds that cannot be read, a clock that is not believed.
fn print_stops(output: &Output, stops: &Value) {
    let text = |of: &Value, name: &str| line(of.get(name).and_then(Value::as_str).unwrap_or_default());
    match (stops.get("unknown"), stops.get("holds").and_then(Value::as_array)) {
        (Some(why), _) => {
            output.line(format!("which legal holds stand is not known: {}", line(why.as_str().unwrap_or_default())));
            output.line("    put the file back from a copy; or see in the log which were placed and released");
            output.line("    (`mortise trace search type:store.held`), remove the file and place them again");
        }
        (None, Some(holds)) if holds.is_empty() => output.line("no legal hold"),
        (None, holds) => {
            for hold in holds.into_iter().flatten() {
                let (name, by, reason) = (text(hold, "name"), text(hold, "by"), text(hold, "reason"));
                output.line(format!("legal hold `{name}` by {by}: {reason}"));
            }
        }
    }
    if let Some(clock) = stops.get("clock").filter(|clock| clock.is_object()) {
        let number = |name: &str| clock.get(name).and_then(Value::as_u64).unwrap_or_default();
        output.line(format!(
            "the clock shows {}, more than a week after what was seen before: removals go by {} until it has been so on {} days ({} by now)",
            text(clock, "shows"),
            text(clock, "goes_by"),
            number("needed_days"),
            number("seen_days")
        ));
    }
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
        let (class, through, bytes) = (text("class"), text("through"), number("bytes"));
        if class == "records" {
            let (records, first) = (number("records"), number("first"));
            output.line(format!(
                "{class} up to {through}: {records} events, {bytes} bytes removed; the log begins with event #{first}"
            ));
        } else {
            let payloads = number("payloads");
            output.line(format!("{class} up to {through}: {payloads} payloads, {bytes} bytes removed"));
        }
    }
    if !list("holds").is_empty() {
        output.line("nothing is removed: a legal hold stands (`mortise retention show`)");
    } else if list("removed").is_empty() {
        output.line("nothing is past its time");
    }
    if answer.get("clock").is_some_and(Value::is_object) {
        output.line("the clock is further ahead than is believed at once (`mortise retention show`)");
    }
    Ok(Exit::Ok)
}

fn hold(output: &Output, place: &Place, name: &str, decision: &args::Decision, release: bool) -> Outcome {
    let (approver, reason) = reasoned(decision)?;
    let secret = typed_secret(&format!("secret of {approver}: "))?;
    let answer = reach::ask(place, &Request::Hold { name: name.to_owned(), release, approver, secret, reason })?;
    if output.is_human() {
        let what = if release { "released" } else { "nothing is removed or erased from now on:" };
        output.line(format!("{what} legal hold `{}`", line(name)));
    } else {
        output.json(&answer);
    }
    Ok(Exit::Ok)
}

fn erase(output: &Output, place: &Place, user: &str, decision: &args::Decision) -> Outcome {
    let (approver, reason) = reasoned(decision)?;
    let who = line(user);
    output.message(format!("with your secret, what was said in calls of `{who}` becomes unreadable, for good"));
    output.message(format!("records stay, and name `{who}` as before: who called what, and when"));
    let secret = typed_secret(&format!("secret of {approver}: "))?;
    let answer = reach::ask(place, &Request::Erase { user: user.to_owned(), approver, secret, reason })?;
    let keys = answer.get("keys").and_then(Value::as_u64).unwrap_or_default();
    if !output.is_human() {
        output.json(&answer);
    } else if keys == 0 {
        output.line(format!("nothing is kept of `{}`", line(user)));
    } else {
        output.line(format!("{} of `{}` destroyed", counted(keys, "data key"), line(user)));
    }
    Ok(if keys == 0 { Exit::Nothing } else { Exit::Ok })
}

fn reasoned(decision: &args::Decision) -> Result<(String, String), Failure> {
    if decision.reason.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "this needs a reason").with_help("say why with `--reason`"));
    }
    Ok((decision.approver.clone(), decision.reason.clone()))
}
