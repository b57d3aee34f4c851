//! `mortise trace export`: the log for others.

use super::{reader, recorded};
use crate::args::{Global, TraceExport};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use gateway::control::protocol::Exported;
use serde_json::json;
use std::io;
use std::path::Path;
use store::ExportError;
use store::formats::{self, Done, Format, Job, Selection};
use vocab::Exit;

/// Writes a directory, or a file with `--as`.
pub(super) fn run(output: &Output, global: &Global, args: &TraceExport, dir: &Path) -> Outcome {
    let Some(name) = &args.as_format else { return tiles(output, dir, &args.to) };
    let format = formats::named(name).ok_or_else(|| {
        let known: Vec<String> = formats::ALL.iter().map(|format| format!("`{}`", format.name)).collect();
        Failure::new(Exit::Usage, format!("`{name}` is no format")).with_help(format!("one of {}", known.join(", ")))
    })?;
    if args.with_index && format.name != "jsonl" {
        let text = format!("`--with-index` is for `jsonl`; `{}` has indices as it is", format.name);
        return Err(Failure::new(Exit::Usage, text));
    }
    let time = |time: Option<&String>| time.map(|time| moment(time)).transpose();
    let selection =
        Selection { agent: args.agent.clone(), since: time(args.since.as_ref())?, until: time(args.until.as_ref())? };
    if selection.since.zip(selection.until).is_some_and(|(since, until)| since >= until) {
        return Err(Failure::new(Exit::Usage, "`--since` is not before `--until`, so nothing can be between them"));
    }
    let (log, file) = (dir.to_owned(), args.to.clone());
    let job = Job { log, file, format, selection, with_index: args.with_index };
    let mut recorded = false;
    let done = job.run(args.resume, |done| {
        recorded = record(output, global, &job, done)?;
        Ok(())
    });
    let done = done.map_err(failure)?;
    said(output, format, &job.file, &done, recorded);
    Ok(Exit::Ok)
}

fn said(output: &Output, format: &Format, file: &Path, done: &Done, recorded: bool) {
    if done.unreadable > 0 {
        output.message(format!("{} records are of a kind that this Mortise cannot read", done.unreadable));
    }
    if output.is_human() {
        let Done { records, rows, bytes, sha256, .. } = done;
        output.line(format!("{rows} rows from {records} events written to `{}` as {}", file.display(), format.name));
        output.line(format!("    {bytes} bytes, sha256 {sha256}"));
    } else {
        output.json(&json!({
            "file": file, "format": format.name, "origin": done.origin, "records": done.records, "rows": done.rows,
            "unreadable": done.unreadable, "bytes": done.bytes, "sha256": done.sha256, "recorded": recorded,
        }));
    }
}

/// Says in the log that there is an export.
fn record(output: &Output, global: &Global, job: &Job, done: &Done) -> Result<bool, formats::Failure> {
    let same = |place: &Place| std::fs::canonicalize(place.log()).ok() == std::fs::canonicalize(&job.log).ok();
    let Selection { agent, since, until } = job.selection.clone();
    let exported = Exported {
        format: job.format.name.to_owned(),
        agent,
        since_us: since,
        until_us: until,
        records: done.records,
        rows: done.rows,
        bytes: done.bytes,
        sha256: done.sha256.clone(),
    };
    let recorded = recorded::record(output, Place::find(global).ok().filter(same).as_ref(), exported);
    recorded.map_err(|failure| formats::Failure::Refused(failure.message))
}

/// A time as people write it, in microseconds since the epoch.
fn moment(text: &str) -> Result<i64, Failure> {
    let day = || {
        let day: jiff::civil::Date = text.parse().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    let time = text.parse::<jiff::Timestamp>().ok().or_else(day);
    time.map(jiff::Timestamp::as_microsecond).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("`{text}` is not a time"))
            .with_help("write `2026-11-28` (UTC) or `2026-11-28T08:00:00Z`")
    })
}

fn failure(error: formats::Failure) -> Failure {
    use formats::Failure as F;
    let (exit, help) = match &error {
        F::Read(_) => (Exit::Environment, ""),
        F::Io { path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
            return Failure::unreadable(path, source);
        }
        F::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            (Exit::Environment, "is the folder there that it is to lie in?")
        }
        F::Exists(_) => (Exit::Usage, "nothing is written over; name another file, or move that one away"),
        F::Unfinished(_) => (Exit::Usage, "go on with `--resume`, or remove it and the `.state` beside it"),
        F::Other(_) => (Exit::Usage, "give the options it was begun with, or remove it and the `.state` beside it"),
        F::Unsound(_) => (Exit::Verification, "`mortise trace verify` says what is wrong"),
        F::Refused(_) => (Exit::Denied, "an export is recorded before it is there; answer from a terminal of your own"),
        F::Busy(_) => (Exit::Environment, "wait for it, or end it"),
        F::Record(_) | F::Io { .. } => (Exit::Environment, "`--resume` goes on from where it stopped"),
    };
    match error {
        F::Read(error) => error.into(),
        error => Failure::new(exit, error.to_string()).with_help(help),
    }
}

fn tiles(output: &Output, dir: &Path, to: &Path) -> Outcome {
    reader(dir)?;
    let events = store::export(dir, to).map_err(|error| match error {
        ExportError::NotEmpty(_) => {
            Failure::new(Exit::Usage, error.to_string()).with_help("name a directory that is empty or not there")
        }
        ExportError::Unsound(_) => {
            Failure::new(Exit::Verification, error.to_string()).with_help("`mortise trace verify` says what is wrong")
        }
        ExportError::Io { .. } => Failure::new(Exit::Environment, error.to_string()),
    })?;
    if output.is_human() {
        output.line(format!("{events} events written to `{}`: checkpoint, vkey, tile/, tile/entries/", to.display()));
    } else {
        output.json(&json!({ "events": events, "directory": to }));
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_and_moments() {
        assert_eq!(moment("1970-01-02").unwrap(), 86_400_000_000);
        assert_eq!(moment("1970-01-01T00:00:01.5+00:00").unwrap(), 1_500_000);
        for bad in ["yesterday", "", "2026-13-01", "12"] {
            assert_eq!(moment(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }
}
