//! What records commit to: verified, and revealed.

use super::reader;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, counted};
use crate::place::Place;
use crate::reach;
use gateway::control::protocol::Request;
use serde_json::{Value, json};
use std::path::Path;
use store::payload::{DataKeys, Found, PayloadReader};
use store::{KeysError, PayloadReport, ReadingKeys};
use vocab::event::{Payload, PayloadClass};
use vocab::shown::{line as one_line, name, visible};
use vocab::{Event, Exit};

/// The keys that reading the log in `log` takes; none for a log that was taken elsewhere, and none where one of them is
/// missing, which is said: what is proved without them still is. None is drawn.
pub fn reading_keys(output: &Output, log: &Path) -> Result<Option<ReadingKeys>, Failure> {
    match read_keys(log) {
        Err(error @ KeysError::Missing { .. }) => {
            output.message(format!("{error}, and none is drawn here: what is kept beside records is not opened"));
            output.message(format!("  help: {KEY_HELP}"));
            Ok(None)
        }
        Err(error @ KeysError::Changed { .. }) => {
            output.message(format!("{error}; what is kept beside records is not opened"));
            Ok(None)
        }
        Err(error @ KeysError::Malformed { .. }) => {
            output.message(format!("{error}; what is kept beside records is not opened"));
            output.message("  help: put it back from a copy");
            Ok(None)
        }
        read => read.map_err(key_failure),
    }
}

/// The data keys of the project whose log lies in `log`, for whoever cannot do without; none for a log that was taken elsewhere.
pub fn keys(log: &Path) -> Result<Option<DataKeys>, Failure> {
    Ok(read_keys(log).map_err(key_failure)?.map(|keys| keys.data_keys(log)))
}

fn key_failure(error: KeysError) -> Failure {
    let failure = Failure::new(Exit::Environment, error.to_string());
    match error {
        KeysError::Missing { .. } => failure.with_help(KEY_HELP),
        KeysError::Malformed { .. } => failure.with_help("put it back from a copy"),
        KeysError::Io { path, source } => Failure::unreadable(&path, &source),
        _ => failure,
    }
}

/// What to do about a missing key.
const KEY_HELP: &str = "put it back from a copy before the next gateway draws another, which opens nothing of before";

fn read_keys(log: &Path) -> Result<Option<ReadingKeys>, KeysError> {
    // Of `log` in the working directory the parent has no name.
    let state = log.parent().map(|parent| if parent == Path::new("") { Path::new(".") } else { parent });
    state.map_or(Ok(None), |state| ReadingKeys::read(&state.join("keys")))
}

/// Looks for the payloads of a log.
pub fn look(output: &Output, dir: &Path) -> Result<PayloadReport, Failure> {
    let keys = reading_keys(output, dir)?.map(|keys| keys.data_keys(dir));
    let report = store::verify_payloads(dir, keys.as_ref());
    Ok(report?)
}

/// What was found, for programs.
pub fn to_json(report: &PayloadReport) -> Value {
    let named = report.named.iter().map(|bad| {
        let verdict = if bad.is_altered { "altered" } else { "missing" };
        json!({ "index": bad.index, "payload": bad.name, "class": bad.class.as_str(), "verdict": verdict })
    });
    let removals = report.removals.iter().map(|removal| {
        json!({
            "index": removal.index, "t": removal.t, "class": removal.class.as_str(),
            "through": removal.through.to_string(), "days": removal.days,
        })
    });
    let erasures = report.erasures.iter().map(|erasure| {
        json!({
            "index": erasure.index, "t": erasure.t, "by": erasure.by, "why": erasure.why, "keys": erasure.keys,
        })
    });
    let damage = report.damage.iter().map(|damage| json!({ "file": damage.path, "offset": damage.offset }));
    json!({
        "ok": report.opened, "present": report.present, "pruned": report.pruned, "erased": report.erased,
        "lost": report.lost, "unsettled": report.unsettled, "missing": report.missing, "altered": report.altered,
        "damage": damage.collect::<Vec<Value>>(), "bad": named.collect::<Vec<Value>>(),
        "bad_keys": report.bad_keys, "removals": removals.collect::<Vec<Value>>(),
        "erasures": erasures.collect::<Vec<Value>>(),
    })
}

/// What was found, for people.
pub fn print(output: &Output, report: &PayloadReport) {
    let parts = [
        (report.opened, "opened and as recorded"),
        (report.present, "there (not opened: their keys are not here)"),
        (report.pruned, "pruned"),
        (report.erased, "erased"),
        (report.lost, "lost in a crash before their call left"),
        (report.unsettled, "not durable yet, or taken by a crash that the next start tells of"),
        (report.missing, "MISSING"),
        (report.altered, "ALTERED"),
    ];
    let said: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if !said.is_empty() {
        output.line(format!("    payloads: {}", said.join(", ")));
    }
    for removal in &report.removals {
        output.line(format!(
            "    event #{}: `{}` up to {} removed, kept for {}",
            removal.index,
            removal.class.as_str(),
            removal.through,
            counted(removal.days, "day")
        ));
    }
    for erasure in &report.erasures {
        let by = erasure.by.as_deref().map(|by| format!(" by {}", one_line(by))).unwrap_or_default();
        let why = erasure.why.as_deref().map(|why| format!(": {}", one_line(why))).unwrap_or_default();
        output.line(format!(
            "    event #{}: {} of a person destroyed{by}{why}",
            erasure.index,
            counted(erasure.keys, "data key")
        ));
    }
    for file in &report.bad_keys {
        output.line(format!("    `{}` does not open: it was altered, and so is what it seals", file.display()));
    }
    for damage in &report.damage {
        output.line(format!(
            "    `{}` cannot be read at byte {}",
            one_line(&damage.path.to_string_lossy()),
            damage.offset
        ));
    }
    for bad in &report.named {
        let verdict = if bad.is_altered { "is altered" } else { "is missing, and no event says why" };
        output.line(format!(
            "    event #{}: payload `{}` ({}) {verdict}",
            bad.index,
            name(&bad.name),
            bad.class.as_str()
        ));
    }
}

/// Shows what an event, or all events of a call, commit to. That it is read is recorded first.
pub fn reveal(output: &Output, place: &Place, subject: &str, reason: &str) -> Outcome {
    if reason.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "reading payloads needs a reason").with_help("say why with `--reason`"));
    }
    let log = place.log();
    let found = committed(&log, subject)?;
    if found.is_empty() {
        if let Some(pruned) = super::pruned(&reader(&log)?, subject)? {
            return Err(pruned);
        }
        return Err(Failure::new(Exit::Nothing, format!("nothing is kept of `{subject}`"))
            .with_help("how much is kept of an agent's calls is said by `capture` in its file"));
    }
    let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let request = Request::AccessRead { subject: subject.to_owned(), payloads: count, reason: reason.to_owned() };
    let recorded = reach::ask(place, &request)?;
    let at = recorded.get("index").and_then(Value::as_u64).unwrap_or_default();
    output.message(format!("recorded as event #{at}"));
    let keys = keys(&log)?.ok_or_else(|| Failure::new(Exit::Environment, "the keys of this log are not here"))?;
    let mut fates = store::fates(&log)?;
    let mut reader = PayloadReader::new(&log);
    let (mut shown, mut is_good) = (Vec::new(), true);
    for (index, t, payload) in found {
        let text = reader.read(&payload, t, &keys);
        let text = text.map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
        let (mut state, mut because) = fates.of(index, t, &payload, &text);
        if state == "missing" {
            // A removal is told first and done then: it may have been told since.
            fates = store::fates(&log)?;
            (state, because) = fates.of(index, t, &payload, &text);
        }
        is_good &= !matches!(state, "altered" | "missing");
        if output.is_human() {
            say(output, (index, &payload), &text, state, because);
        } else {
            let text = in_the_clear(&text);
            shown.push(json!({
                "index": index, "payload": payload.name, "class": payload.class.as_str(), "state": state,
                "event": because, "text": text,
            }));
        }
    }
    if !output.is_human() {
        output.rows(&shown);
    }
    Ok(if is_good { Exit::Ok } else { Exit::Verification })
}

fn in_the_clear(found: &Found) -> Option<String> {
    match found {
        Found::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    }
}

/// A payload; or in a word why it is not there, and the event that says so.
fn say(output: &Output, (index, payload): (u64, &Payload<'_>), found: &Found, state: &str, because: Option<u64>) {
    let head = format!("event #{index}  {} ({}, {} bytes)", payload.name, payload.class.as_str(), payload.bytes);
    output.line(output.bold(&head));
    let because = because.map(|event| format!(": event #{event} says so")).unwrap_or_default();
    output.line(in_the_clear(found).map_or_else(|| format!("({state}{because})"), |text| visible(&text)));
}

/// The payloads of an event, or of all events of a call: also of the call of an event that has none itself.
fn committed(log: &Path, subject: &str) -> Result<Vec<(u64, i64, Payload<'static>)>, Failure> {
    let reader = reader(log)?;
    let mut call = subject.to_owned();
    if let Ok(index) = subject.trim_start_matches('#').parse::<u64>() {
        let bytes = reader.get(index)?.unwrap_or_default();
        let Ok(event) = Event::from_bytes(&bytes) else { return Ok(Vec::new()) };
        match &event.call {
            Some(of) if event.payloads.is_empty() => call = of.to_string(),
            _ => return Ok(kept(index, event)),
        }
    }
    let mut found = Vec::new();
    for record in reader.iter_from(0) {
        let record = record?;
        if let Ok(event) = Event::from_bytes(&record.bytes)
            && event.call.as_deref() == Some(call.as_str())
        {
            found.extend(kept(record.index, event));
        }
    }
    Ok(found)
}

fn kept(index: u64, event: Event<'_>) -> Vec<(u64, i64, Payload<'static>)> {
    let t = event.t;
    event.payloads.into_iter().map(|payload| (index, t, payload.into_owned())).collect()
}

/// Bytes of a class that an event commits to.
pub fn bytes_of(event: &Event<'_>, class: PayloadClass) -> u64 {
    event.payloads.iter().filter(|payload| payload.class == class).map(|payload| payload.bytes).sum()
}
