//! `mortise trace`: reads, verifies, proves, compares and exports the log. Only what reveals payloads needs a gateway: that
//! is recorded.

mod bundle;
mod diff;
mod export;
mod payloads;
mod recorded;
mod usage;

mod search;
mod verify;

pub(super) use payloads::reading_keys;
pub(super) use verify::verify;

use crate::args::{Format, Global, Trace, TraceList};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use crate::timeline::{Row, Timeline, clock_time};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::LogReader;
use store::payload::Day;
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
        Trace::Verify { bundle: Some(dir), key, witnesses, .. } => {
            verify::check_key(key.as_deref())?;
            let trusted = witnesses.iter().map(|vkey| verify::witness(vkey)).collect::<Result<Vec<_>, _>>()?;
            bundle::verify(output, dir, key.as_deref(), &trusted)
        }
        Trace::Verify { log, key, witnesses, bundle: None } => {
            verify::run(output, &dir(global, log.as_ref())?, key.as_deref(), witnesses)
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
    Ok(LogReader::open(dir)?)
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
    let mut records = reader(dir)?.iter_from(0);
    let ended = records.try_for_each(|record| {
        let record = record?;
        let Ok(event) = Event::from_bytes(&record.bytes).map(Event::into_owned) else { return Ok(()) };
        timeline.read(record.index, &event);
        if list.events && is_shown(list, &event) {
            events.push_back((record.index, event));
            if events.len() > list.limit {
                events.pop_front();
            }
        }
        Ok::<(), store::ReadError>(())
    });
    // What is there is shown, also where the log is not whole: that it is not comes last, and is the exit code.
    let found = if list.events { print_events(output, &events) } else { print_calls(output, list, &timeline) };
    ended?;
    // A filter that selects nothing is one that may be misspelt.
    let is_filtered = list.agent.is_some() || list.verdict.is_some();
    Ok(if found == 0 && is_filtered { Exit::Nothing } else { Exit::Ok })
}

/// Prints events; how many there were.
fn print_events(output: &Output, events: &std::collections::VecDeque<(u64, Event<'_>)>) -> usize {
    if output.format == Format::Json {
        output.rows(&events.iter().map(|(index, event)| event_value(*index, event)).collect::<Vec<Value>>());
    } else {
        events.iter().for_each(|(index, event)| print_event(output, *index, event, &clock_time(event.t)));
    }
    if events.is_empty() {
        output.message("no event matches");
    }
    events.len()
}

/// Prints the newest calls that are wanted; how many there were.
fn print_calls(output: &Output, list: &TraceList, timeline: &Timeline) -> usize {
    if timeline.forgotten() > 0 {
        let (forgotten, looked_at) = (timeline.forgotten(), timeline.rows().len());
        output.message(format!("only the newest {looked_at} calls were looked at, not the {forgotten} before them; `mortise trace search` finds those too"));
    }
    let rows: Vec<&Row> = timeline.rows().iter().filter(|row| wanted(list, row)).collect();
    let rows = rows.get(rows.len().saturating_sub(list.limit)..).unwrap_or_default();
    if output.is_human() {
        // Of several days, each is named: a row has only the time of day.
        let days: Vec<String> = rows.iter().map(|row| Day::of(row.t).to_string()).collect();
        let is_one_day = days.first() == days.last();
        let mut named = "";
        for (row, day) in rows.iter().zip(&days) {
            if !is_one_day && named != day {
                output.line(output.dim(day));
                named = day;
            }
            output.line(row.render(output));
        }
    } else {
        output.rows(rows);
    }
    if rows.is_empty() {
        output.message("no call matches");
    }
    rows.len()
}

fn tail(output: &Output, dir: &Path, list: &TraceList) -> Outcome {
    if output.format == Format::Json {
        return Err(Failure::new(Exit::Usage, "what is followed has no end, so it is no JSON document")
            .with_help("`--format ndjson` writes one document a line"));
    }
    let reader = reader(dir)?;
    let from = reader.len()?;
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
            Some(Err(error)) => return Err(error.into()),
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
    let index = subject.trim_start_matches('#').parse::<u64>().ok();
    let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
    let ended = match index {
        Some(index) => {
            found.extend(reader.get(index)?.map(|bytes| (index, bytes)));
            Ok::<(), store::ReadError>(())
        }
        None => reader.iter_from(0).try_for_each(|record| {
            let record = record?;
            if Event::from_bytes(&record.bytes).is_ok_and(|event| event.call.as_deref() == Some(subject)) {
                found.push((record.index, record.bytes));
            }
            Ok(())
        }),
    };
    if found.is_empty() {
        ended?;
        return Err(pruned(&reader, subject)?.unwrap_or_else(|| no_event(index, subject)));
    }
    let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or(Value::Null);
    if output.is_human() {
        for (index, bytes) in &found {
            output.line(output.bold(&format!("event #{index}")));
            output.line(vocab::shown::json(&serde_json::to_string_pretty(&value(bytes)).unwrap_or_default()));
        }
    } else {
        let events = found.iter().map(|(index, bytes)| json!({ "index": index, "event": value(bytes) }));
        match (index, &*events.collect::<Vec<Value>>()) {
            (Some(_), [only]) => output.json(only),
            (_, events) => output.rows(events),
        }
    }
    ended?;
    Ok(Exit::Ok)
}

fn no_event(index: Option<u64>, subject: &str) -> Failure {
    let what = match index {
        Some(index) => format!("the log has no event #{index}"),
        None => format!("the log has no call `{}`", one_line(subject)),
    };
    Failure::new(Exit::Nothing, what).with_help("`mortise trace ls` lists calls, `--events` every event with its index")
}

/// The failure to show an event that was there once, if that is it.
fn pruned(reader: &LogReader, subject: &str) -> Result<Option<Failure>, Failure> {
    let Ok(index) = subject.trim_start_matches('#').parse::<u64>() else { return Ok(None) };
    let removed = reader.pruned(index)?;
    Ok(removed.map(|removed| {
        let first = removed.first;
        Failure::new(Exit::Nothing, format!("event #{index} was {removed}"))
            .with_help(format!("that removal left event #{first} as the first; `mortise trace verify` checks it"))
    }))
}

fn prove(output: &Output, dir: &Path, index: u64, leaf: Option<&Path>) -> Outcome {
    let proof = store::prove(dir, index).map_err(|error| match error {
        store::ProveError::Pruned { removed, .. } => {
            let first = removed.first;
            Failure::new(Exit::Nothing, format!("event #{index} was {removed}"))
                .with_help(format!("that removal left event #{first} as the first; proofs made before stay good"))
        }
        error => error.into(),
    })?;
    if let Some(leaf) = leaf {
        let bytes = reader(dir)?.get(index)?.unwrap_or_default();
        std::fs::write(leaf, bytes)
            .map_err(|error| Failure::new(Exit::Environment, format!("cannot write `{}`: {error}", leaf.display())))?;
    }
    output.raw(proof);
    Ok(Exit::Ok)
}
