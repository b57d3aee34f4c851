//! `mortise replay`: the decisions of the log, decided again. Needs no gateway, and changes nothing.

mod configuration;
mod since;

use crate::args::{self, Format};
use crate::commands::test::{paint, protected};
use crate::commands::trace::reading_keys;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use enforce::{Inputs, Snapshot, StoredInputs};
use gateway::process::Compiled;
use lab::replay::{Aim, Replay, Report, Selection};
use std::path::Path;
use store::{LogReader, ReadingKeys};
use vocab::{Event, Exit};

/// Decides again, and says what came out otherwise.
pub fn run(output: &Output, place: &Place, args: &args::Replay) -> Outcome {
    if output.format == Format::Junit {
        return Err(
            Failure::new(Exit::Usage, "a replay is not written as `junit`").with_help("`human`, `json` or `ndjson`")
        );
    }
    let now_us = store::Clock::system().now();
    let since_us = args.since.as_deref().map(|since| since::parse(since, now_us)).transpose()?;
    let selection = Selection { since_us, agent: args.agent.clone(), examples: args.examples };
    let aim = if args.policies.is_some() { Aim::Others } else { Aim::Same };
    let protected = protected(&place.root)?;
    let snapshot = |Compiled { project, bundle, .. }| Snapshot::new(project, bundle, protected.clone(), false);
    let present = snapshot(configuration::load(place, args.policies.as_deref())?);
    let earlier = |revision: &str| match configuration::earlier(place, revision) {
        Ok(found) => found.map(snapshot),
        Err(why) => {
            output.message(format!("an earlier configuration, `{revision}`, cannot be used: {why}"));
            None
        }
    };
    let log = args.log.clone().unwrap_or_else(|| place.log());
    let keys = reading_keys(output, &log)?;
    let inputs = inputs(&log, keys.as_ref());
    // Beside another log may lie anybody's key: a document is then told by its digest alone.
    let hasher = keys.filter(|_| args.log.is_none()).map(|keys| keys.hasher());
    let hash = hasher.as_ref().map(|hasher| |bytes: &[u8]| hasher.hash(bytes));
    let hash = hash.as_ref().map(|hash| hash as &dyn Fn(&[u8]) -> String);
    let mut replay = Replay::new(&present, &earlier, aim, selection, &*inputs, hash);
    let unread = read(&log, &mut replay)?;
    if unread > 0 {
        output.message(format!("{unread} records are none that this version reads: they were not looked at"));
    }
    let report = replay.finish();
    if let Some(path) = &args.html {
        let page = lab::replay::html(&report, aim, &time);
        std::fs::write(path, page)
            .map_err(|error| Failure::new(Exit::Environment, format!("cannot write `{}`: {error}", path.display())))?;
    }
    if output.is_human() {
        output.page(lab::replay::human(&report, aim, &time, &|tone, text| paint(output, tone, text)));
    } else {
        output.json(&lab::replay::json(&report, aim));
    }
    exit(&report, aim)
}

/// Where documents are found: beside the log, if its keys are here. Otherwise every call is decided from what its record
/// says.
fn inputs(log: &Path, keys: Option<&ReadingKeys>) -> Box<dyn Inputs> {
    match keys {
        Some(keys) => Box::new(StoredInputs::new(log, keys.data_keys(log))),
        None => Box::new(()),
    }
}

/// Reads the log; the number of records that this version does not read.
fn read(log: &Path, replay: &mut Replay<'_>) -> Result<u64, Failure> {
    let reader = LogReader::open(log)?;
    let mut unread = 0;
    for record in reader.iter_from(0) {
        let record = record?;
        match Event::from_bytes(&record.bytes) {
            Ok(event) => replay.take(record.index, &event),
            Err(_) => unread += 1,
        }
    }
    Ok(unread)
}

fn exit(report: &Report, aim: Aim) -> Outcome {
    let summary = &report.summary;
    if summary.altered > 0 {
        return Ok(Exit::Verification);
    }
    if summary.decisions == 0 {
        return Err(Failure::new(Exit::Nothing, "no decision was selected")
            .with_help("`mortise trace ls` lists the calls of the log"));
    }
    if summary.exact + summary.from_facts == 0 {
        return Err(Failure::new(Exit::Nothing, "no decision could be made again"));
    }
    // What other policies would have changed is an answer, not a finding.
    Ok(if aim == Aim::Same && summary.differences > 0 { Exit::Blocking } else { Exit::Ok })
}

/// `2026-11-28T07:12:09Z`.
fn time(t: i64) -> String {
    jiff::Timestamp::from_second(t.div_euclid(1_000_000)).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}
