//! `mortise trace`: reads, verifies, proves, compares and exports the log. Only what reveals payloads needs a gateway: that
//! is recorded.

mod bundle;
mod diff;
mod export;
mod payloads;
mod recorded;
mod usage;

pub(super) use payloads::reading_keys;

mod search;

use crate::args::{Global, Trace, TraceList};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use crate::timeline::{Row, Timeline, clock_time};
use anstyle::AnsiColor;
use proof::CosignatureVerifier;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::{LogReader, Outside, Place as LogPlace, Report, Verdict};
use vocab::shown::{line as one_line, name};
use vocab::{Event, Exit};

/// How often a followed log is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Runs one of the subcommands.
pub fn run(output: &Output, global: &Global, args: &Trace) -> Outcome {
    match args {
        Trace::Ls(list) => ls(output, &dir(global, list.log.as_ref())?, list),
        Trace::Tail(list) => tail(output, &dir(global, list.log.as_ref())?, list),
        Trace::Search(search) => search::run(output, global, search),
        Trace::Show { subject } => show(output, &dir(global, None)?, subject),
        Trace::Bundle(args) => bundle::write(output, &Place::find(global)?, args),
        Trace::Verify { bundle: Some(dir), key, .. } => bundle::verify(output, dir, key.as_deref()),
        Trace::Verify { log, key, witnesses, bundle: None } => {
            let dir = dir(global, log.as_ref())?;
            let trusted = witnesses.iter().map(|vkey| witness(vkey)).collect::<Result<Vec<_>, _>>()?;
            let (report, is_good) = verify(output, &dir, key.as_deref())?;
            if report.verdict != Verdict::Ok {
                return Ok(Exit::Verification);
            }
            let exit = cosigned(output, &dir, &report, &trusted)?;
            Ok(if is_good { exit } else { Exit::Verification })
        }
        Trace::Reveal { subject, reason } => payloads::reveal(output, &Place::find(global)?, subject, reason),
        Trace::Usage { days } => {
            let place = Place::find(global)?;
            usage::run(output, &place.log(), place.settings()?.retention, *days)
        }
        Trace::Prove { index, leaf } => prove(output, &dir(global, None)?, *index, leaf.as_deref()),
        Trace::Diff(args) => diff::run(output, global, args),
        Trace::Export(args) => export::run(output, global, args, &dir(global, args.log.as_ref())?),
    }
}

fn dir(global: &Global, chosen: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    match chosen {
        Some(chosen) => Ok(chosen.clone()),
        None => Ok(Place::find(global)?.log()),
    }
}

fn reader(dir: &Path) -> Result<LogReader, Failure> {
    LogReader::open(dir).map_err(|error| {
        Failure::new(Exit::Nothing, error.to_string()).with_help("nothing has been recorded for this project yet")
    })
}

fn wanted(list: &TraceList, row: &Row) -> bool {
    let verdict = row.verdict.map(vocab::Verdict::as_str);
    list.verdict.as_deref().is_none_or(|wanted| verdict == Some(wanted))
        && list.agent.as_deref().is_none_or(|wanted| row.agent == wanted)
}

fn ls(output: &Output, dir: &Path, list: &TraceList) -> Outcome {
    if let Some(word) = &list.verdict
        && vocab::Verdict::from_word(word).is_none()
    {
        return Err(Failure::new(Exit::Usage, format!("`{word}` is no verdict"))
            .with_help("allow, sandbox, sanitize, ask or deny"));
    }
    let mut timeline = Timeline::default();
    let mut events = std::collections::VecDeque::new();
    for record in reader(dir)?.iter_from(0) {
        let record = record.map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
        let Ok(event) = Event::from_bytes(&record.bytes).map(Event::into_owned) else { continue };
        timeline.read(record.index, &event);
        if list.events {
            events.push_back((record.index, event));
            if events.len() > list.limit {
                events.pop_front();
            }
        }
    }
    if list.events {
        for (index, event) in &events {
            print_event(output, *index, event, &clock_time(event.t));
        }
        return Ok(Exit::Ok);
    }
    if timeline.forgotten() > 0 {
        let (forgotten, looked_at) = (timeline.forgotten(), timeline.rows().len());
        output.message(format!("only the newest {looked_at} calls were looked at, not the {forgotten} before them; `mortise trace search` finds those too"));
    }
    let rows: Vec<&Row> = timeline.rows().iter().filter(|row| wanted(list, row)).collect();
    let rows = rows.get(rows.len().saturating_sub(list.limit)..).unwrap_or_default();
    if output.is_human() {
        for row in rows {
            output.line(row.render(output));
        }
        if rows.is_empty() {
            output.message("no call matches");
        }
    } else {
        output.json(&rows);
    }
    Ok(Exit::Ok)
}

fn tail(output: &Output, dir: &Path, list: &TraceList) -> Outcome {
    let reader = reader(dir)?;
    let from = reader.len().map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
    let mut records = reader.iter_from(from.saturating_sub(u64::try_from(list.limit).unwrap_or(u64::MAX)));
    loop {
        match records.next() {
            Some(Ok(record)) => {
                if let Ok(event) = Event::from_bytes(&record.bytes)
                    && is_shown(list, &event)
                {
                    print_event(output, record.index, &event, &clock_time(event.t));
                }
            }
            Some(Err(error)) => return Err(Failure::new(Exit::Environment, error.to_string())),
            None => std::thread::sleep(LOOK),
        }
    }
}

/// Whether a followed event is one of those asked for.
fn is_shown(list: &TraceList, event: &Event) -> bool {
    let verdict = event.decision.map(vocab::Verdict::as_str);
    list.verdict.as_deref().is_none_or(|wanted| verdict == Some(wanted))
        && list.agent.as_deref().is_none_or(|wanted| event.agent.as_deref() == Some(wanted))
}

/// An event with its index, for programs.
fn event_value(index: u64, event: &Event) -> Value {
    let mut value = serde_json::to_value(event).unwrap_or(Value::Null);
    if let Some(members) = value.as_object_mut() {
        members.insert("index".to_owned(), index.into());
    }
    value
}

fn print_event(output: &Output, index: u64, event: &Event, time: &str) {
    if !output.is_human() {
        output.line(event_value(index, event).to_string());
        return;
    }
    let text = |part: &Option<Cow<'_, str>>| part.as_deref().unwrap_or_default().to_owned();
    let verdict = event.decision.map(|verdict| output.verdict(verdict)).unwrap_or_default();
    let outcome = event.outcome.map(vocab::event::Outcome::as_str).unwrap_or_default();
    let target = match (&event.server, &event.tool_name) {
        (Some(server), Some(tool)) => name(&format!("{server}/{tool}")),
        (server, tool) => name(&format!("{}{}", text(server), text(tool))),
    };
    let rule = event.reasons.first().map(|reason| name(reason.rule.as_str())).unwrap_or_default();
    output.line(format!(
        "{:>6}  {}  {:<18} {:<28} {verdict} {outcome} {rule} {}",
        format!("#{index}"),
        output.dim(time),
        event.kind.as_str(),
        target,
        output.dim(&one_line(&text(&event.text)))
    ));
}

fn show(output: &Output, dir: &Path, subject: &str) -> Outcome {
    let reader = reader(dir)?;
    let environment = |error: store::ReadError| Failure::new(Exit::Environment, error.to_string());
    let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
    if let Ok(index) = subject.trim_start_matches('#').parse::<u64>() {
        found.extend(reader.get(index).map_err(environment)?.map(|bytes| (index, bytes)));
    } else {
        for record in reader.iter_from(0) {
            let record = record.map_err(environment)?;
            if Event::from_bytes(&record.bytes).is_ok_and(|event| event.call.as_deref() == Some(subject)) {
                found.push((record.index, record.bytes));
            }
        }
    }
    if found.is_empty() {
        if let Some(pruned) = pruned(&reader, subject)? {
            return Err(pruned);
        }
        return Err(Failure::new(Exit::Nothing, format!("the log has no event `{subject}`"))
            .with_help("`mortise trace ls` lists calls, `--events` every event with its index"));
    }
    for (index, bytes) in found {
        let value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if output.is_human() {
            output.line(output.bold(&format!("event #{index}")));
            output.line(vocab::shown::json(&serde_json::to_string_pretty(&value).unwrap_or_default()));
        } else {
            output.json(&json!({ "index": index, "event": value }));
        }
    }
    Ok(Exit::Ok)
}

/// The failure to show an event that was there once, if that is it.
fn pruned(reader: &LogReader, subject: &str) -> Result<Option<Failure>, Failure> {
    let Ok(index) = subject.trim_start_matches('#').parse::<u64>() else { return Ok(None) };
    let removed = reader.pruned(index).map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
    Ok(removed.map(|removed| {
        let first = removed.first;
        Failure::new(Exit::Nothing, format!("event #{index} was {removed}"))
            .with_help(format!("that removal left event #{first} as the first; `mortise trace verify` checks it"))
    }))
}

/// Verifies a log and says what was found; whether all of it is as it should be.
pub fn verify(output: &Output, dir: &Path, key: Option<&str>) -> Result<(Report, bool), Failure> {
    let report = store::verify(dir, key).map_err(|error| {
        Failure::new(Exit::Verification, error.to_string()).with_help("is this the directory of a log?")
    })?;
    let (word, place, what) = match &report.verdict {
        Verdict::Ok => ("ok", None, None),
        Verdict::Missing { place, what } => ("missing", Some(place.to_string()), Some(what.clone())),
        Verdict::Altered { place, what } => ("altered", Some(place.to_string()), Some(what.clone())),
    };
    // What records commit to is looked for when they can be believed.
    let kept = if report.verdict == Verdict::Ok { Some(payloads::look(output, dir)?) } else { None };
    let is_good = kept.as_ref().is_some_and(store::PayloadReport::is_good);
    if !output.is_human() {
        output.json(&json!({
            "payloads": kept.as_ref().map(payloads::to_json), "verdict": word, "place": place, "what": what, "origin": report.origin, "events": report.events,
            "sealed": report.sealed, "unsealed": report.unsealed, "checkpoints": report.checkpoints,
            "unknown": report.unknown, "not_run": report.not_run, "epochs": report.epochs,
            "derived_missing": report.derived_missing, "steps_back": report.steps_back,
            "pruned": report.pruned.as_ref().map(|pruned| json!({
                "first": pruned.removed.first, "index": pruned.index, "t": pruned.removed.t,
                "through": pruned.removed.through, "days": pruned.removed.days, "earlier": pruned.earlier,
            })),
        }));
        return Ok((report, is_good));
    }
    let colour = if report.verdict == Verdict::Ok { AnsiColor::Green } else { AnsiColor::Red };
    let word = output.paint(word, colour.on_default().bold());
    output.line(format!("{word}  log `{}`", name(&report.origin)));
    if let (Some(place), Some(what)) = (place, what) {
        output.line(format!("    {}: {}", one_line(&place), one_line(&what)));
    }
    if report.verdict != Verdict::Ok {
        output.line(format!("    found when {} events had been read", report.events));
        output.message(format!("  help: {}", remedy(&report.verdict)));
        return Ok((report, false));
    }
    let sealed = match report.unsealed {
        0 => "all sealed".to_owned(),
        unsealed => format!("{} sealed, {unsealed} not sealed yet", report.events.saturating_sub(unsealed)),
    };
    let checkpoints = match report.checkpoints {
        1 => "1 signed checkpoint".to_owned(),
        many => format!("{many} signed checkpoints"),
    };
    output.line(format!("    {} events, {sealed}; {checkpoints}", report.events));
    if let Some(store::PrunedRecords { index, removed, earlier }) = &report.pruned {
        let (first, through, days) = (removed.first, removed.through, removed.days);
        let last = first.saturating_sub(1);
        output.line(format!(
            "    events #0 to #{last} are pruned: up to {through}, kept for {days} days; event #{index} says so"
        ));
        if *earlier > 0 {
            output.line(format!("    {earlier} removals had been before that one"));
        }
    }
    if report.unfinished_bytes > 0 {
        let bytes = report.unfinished_bytes;
        output.line(format!("    behind them {bytes} bytes of a commit that was not finished, or of no record at all"));
    }
    if report.derived_missing > 0 {
        let missing = report.derived_missing;
        output.line(format!(
            "    {missing} files of hashes are not there, or not whole; they follow from the events, and the next gateway \
             writes them again"
        ));
    }
    if report.steps_back > 0 {
        let back = report.steps_back;
        output.line(format!(
            "    {back} events are stamped more than a minute before an earlier one: a clock was set back"
        ));
    }
    if report.unknown > 0 || report.not_run > 0 {
        output.line(format!(
            "    calls without an end: {} unknown (dispatched, nobody knows whether they ran), {} not run",
            report.unknown, report.not_run
        ));
    }
    if let Some(kept) = &kept {
        payloads::print(output, kept);
    }
    Ok((report, is_good))
}

/// What to do about a log that does not verify.
fn remedy(verdict: &Verdict) -> &'static str {
    let place = match verdict {
        Verdict::Missing { place, .. } | Verdict::Altered { place, .. } => place,
        Verdict::Ok => return "",
    };
    let is_below = |dir: &str| matches!(place, LogPlace::File(file) if file.starts_with(dir));
    match verdict {
        Verdict::Missing { place: LogPlace::Record(0), .. } => {
            "something was taken away that no retention was to remove: look for a copy of the log, and keep this one as it is"
        }
        _ if is_below("pruned") => "it cannot be made again: put it back from a copy of the log",
        _ if is_below("tile") => "it follows from the events: remove it, and the next gateway writes it again",
        Verdict::Altered { .. } if is_below("keys") => {
            "it repeats what the events say: remove it, and the next gateway writes it again"
        }
        _ if is_below("vkey") => {
            "`mortise keys ls` lists the log's keys; take the one to trust from elsewhere than the log"
        }
        Verdict::Missing { .. } => "something was taken away: look for a copy of the log, and keep this one as it is",
        _ => "something was changed: compare it with a copy of the log, and keep this one as it is",
    }
}

fn witness(vkey: &str) -> Result<CosignatureVerifier, Failure> {
    CosignatureVerifier::from_vkey(vkey).map_err(|error| {
        Failure::new(Exit::Usage, format!("`--witness {vkey}`: {error}"))
            .with_help("it is the line that `mortise witness` prints")
    })
}

/// Says how far each witness has cosigned the log. One that has not is a failure: it was asked for.
fn cosigned(output: &Output, dir: &Path, report: &Report, trusted: &[CosignatureVerifier]) -> Outcome {
    let mut exit = Exit::Ok;
    for witness in trusted {
        let name = witness.name().as_str();
        let found = store::cosigned(dir, witness)
            .map_err(|error| Failure::new(Exit::Verification, format!("witness `{name}`: {error}")))?;
        let outside = found.map(|cosigned| store::stamped_outside(dir, &cosigned)).transpose();
        let outside = outside.map_err(|error| Failure::new(Exit::Environment, error.to_string()))?.unwrap_or_default();
        let since = found.map(|cosigned| report.events.saturating_sub(cosigned.size));
        if !output.is_human() {
            let (size, time) = (found.map(|cosigned| cosigned.size), found.map(|cosigned| cosigned.time));
            output.json(&json!({
                "witness": name, "cosigned": size, "time_s": time, "since": since,
                "stamped_late": outside.late, "stamped_early": outside.early,
            }));
        } else if let Some((cosigned, since)) = found.zip(since) {
            let time = i64::try_from(cosigned.time).ok().and_then(|time| jiff::Timestamp::from_second(time).ok());
            let time = time.map_or_else(|| "an impossible time".to_owned(), |time| time.to_string());
            let size = cosigned.size;
            output.line(format!("    witness `{name}` cosigned {size} events, at {time}; {since} came since"));
            if outside != Outside::default() {
                let Outside { late, early } = outside;
                output.line(format!(
                    "    by its clock {late} of these are stamped later than that, and {early} of those since earlier"
                ));
            }
        }
        if found.is_none() {
            output.message(format!("witness `{name}` has cosigned nothing of this log"));
            exit = Exit::Verification;
        }
    }
    Ok(exit)
}

fn prove(output: &Output, dir: &Path, index: u64, leaf: Option<&Path>) -> Outcome {
    let proof = store::prove(dir, index).map_err(|error| match error {
        store::ProveError::Pruned { removed, .. } => {
            let first = removed.first;
            Failure::new(Exit::Nothing, format!("event #{index} was {removed}"))
                .with_help(format!("that removal left event #{first} as the first; proofs made before stay good"))
        }
        error => Failure::new(Exit::Nothing, error.to_string()),
    })?;
    if let Some(leaf) = leaf {
        let bytes = reader(dir)?.get(index).map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
        std::fs::write(leaf, bytes.unwrap_or_default())?;
    }
    output.raw(proof);
    Ok(Exit::Ok)
}
