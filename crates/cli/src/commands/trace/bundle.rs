//! Audit bundles: written for somebody else, and checked as somebody else would.

use super::{payloads, recorded};
use crate::args::TraceBundle;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, counted};
use crate::place::Place;
use crate::reach;
use anstyle::AnsiColor;
use gateway::control::protocol::{Exported, Request};
use proof::CosignatureVerifier;
use serde_json::{Value, json};
use std::path::Path;
use store::VerifyError;
use store::bundle::{BundleError, BundleReport, Disclose, Draft, Selection, verify_bundle, write_bundle};
use vocab::Exit;
use vocab::shown::line;

/// Writes a bundle. What is disclosed is recorded before it is read, the export before it is a bundle.
pub fn write(output: &Output, place: &Place, args: &TraceBundle) -> Outcome {
    let selection = Selection {
        agent: args.agent.clone(),
        since_us: args.since.as_deref().map(moment).transpose()?,
        until_us: args.until.as_deref().map(moment).transpose()?,
    };
    let log = place.log();
    let keys = match &args.disclose {
        Some(reason) if reason.trim().is_empty() => {
            return Err(Failure::new(Exit::Usage, "disclosing payloads needs a reason")
                .with_help("say to whom and why: `--disclose TEXT`"));
        }
        Some(_) => payloads::keys(&log)?,
        None => None,
    };
    let recorded = match &args.disclose {
        Some(reason) => {
            let subject = format!("audit bundle of {}", args.agent.as_deref().unwrap_or("all agents"));
            let request = Request::AccessRead { subject, payloads: 0, reason: reason.clone() };
            reach::ask(place, &request)?.get("index").and_then(Value::as_u64)
        }
        None => None,
    };
    let disclose = keys.as_ref().map_or(Disclose::Nothing, Disclose::With);
    let draft = write_bundle(&log, &args.to, &selection, disclose, recorded).map_err(failure)?;
    if let Err(refused) = recorded::record(output, Some(place), exported(&draft, selection)) {
        draft.discard().map_err(failure)?;
        return Err(refused);
    }
    let manifest = draft.finish().map_err(failure)?;
    if !output.is_human() {
        output.json(&manifest);
        return Ok(Exit::Ok);
    }
    output.line(format!(
        "{}, {} more to judge by, each with its proof, in `{}`",
        counted(manifest.selected, "record"),
        manifest.supporting,
        args.to.display()
    ));
    said_of_payloads(output, manifest.payloads.iter());
    output.line("    `VERIFY.md` in there says how to check it without Mortise");
    Ok(Exit::Ok)
}

/// What the log is told of it.
fn exported(draft: &Draft, selection: Selection) -> Exported {
    let manifest = draft.manifest();
    Exported {
        format: store::bundle::NAME.to_owned(),
        agent: selection.agent,
        since_us: selection.since_us,
        until_us: selection.until_us,
        records: manifest.size,
        rows: manifest.selected + manifest.supporting,
        bytes: draft.bytes(),
        sha256: draft.sha256(),
    }
}

fn failure(error: BundleError) -> Failure {
    let text = error.to_string();
    match error {
        BundleError::NotEmpty(_) => {
            Failure::new(Exit::Usage, text).with_help("name a directory that is empty or not there")
        }
        BundleError::Nothing => Failure::new(Exit::Nothing, text).with_help(
            "`mortise trace ls` shows what there is; what is not sealed yet is under a checkpoint in a second",
        ),
        BundleError::Unsealed => Failure::new(Exit::Environment, text)
            .with_help("start the gateway with `mortise up`, and write the bundle in a few seconds"),
        BundleError::Prove(error) => error.into(),
        BundleError::Verify(error) => error.into(),
        BundleError::Read(error) => error.into(),
        BundleError::Io { .. } => Failure::new(Exit::Environment, text),
    }
}

/// Checks a bundle, and says what is wrong with it.
pub fn verify(output: &Output, dir: &Path, key: Option<&str>, witnesses: &[CosignatureVerifier]) -> Outcome {
    let report = verify_bundle(dir, key, witnesses).map_err(|error| match error {
        VerifyError::Key(error) => Failure::new(Exit::Usage, format!("`--key`: {error}"))
            .with_help("it is the line in the file `vkey` of the log, or what `mortise keys ls` shows"),
        error => {
            Failure::new(Exit::Verification, error.to_string()).with_help("is this the directory of an audit bundle?")
        }
    })?;
    let exit = if report.problems == 0 { Exit::Ok } else { Exit::Verification };
    if output.is_human() {
        say(output, &report, key.is_some());
    } else {
        output.json(&to_json(&report));
    }
    Ok(exit)
}

fn to_json(report: &BundleReport) -> Value {
    let problems = report.named.iter().map(|problem| {
        let verdict = if problem.is_missing { "missing" } else { "altered" };
        json!({ "place": problem.place, "what": problem.what, "verdict": verdict })
    });
    let removals = report.removals.iter().map(
        |(class, through, days, index)| json!({ "class": class, "through": through, "days": days, "index": index }),
    );
    let cosigned = report
        .cosigned
        .iter()
        .map(|found| json!({ "witness": found.witness, "cosigned": found.size, "time_s": found.time }));
    json!({
        "verdict": report.verdict(), "origin": report.origin, "size": report.size, "selection": report.selection,
        "proved": report.proved, "selected": report.selected, "contiguous": report.is_contiguous,
        "left_out": report.left_out, "gaps": report.gaps, "payloads": report.payloads,
        "removals": removals.collect::<Vec<_>>(), "erasures": report.erasures,
        "pruned": report.pruned.as_ref().map(|removed| json!({
            "first": removed.first, "t": removed.t, "through": removed.through, "days": removed.days,
        })),
        "handovers": report.handovers, "witnesses": cosigned.collect::<Vec<_>>(),
        "problems": report.problems, "named": problems.collect::<Vec<_>>(),
    })
}

fn say(output: &Output, report: &BundleReport, has_key: bool) {
    let colour = if report.problems == 0 { AnsiColor::Green } else { AnsiColor::Red };
    output.line(format!(
        "{}  audit bundle of log `{}`",
        output.paint(report.verdict(), colour.on_default().bold()),
        line(&report.origin)
    ));
    for problem in &report.named {
        output.line(format!("    {}: {}", line(&problem.place), line(&problem.what)));
    }
    let more = report.problems.saturating_sub(report.named.len() as u64);
    if more > 0 {
        output.line(format!("    and {more} more"));
    }
    output.line(format!("    asked for: {}", asked(&report.selection)));
    if report.size == 0 {
        output.line(
            "    without a good key and checkpoint, and the lists of records and payloads, nothing else can be checked",
        );
        return;
    }
    let gaps = if report.is_contiguous { "none left out between them" } else { "others may lie between them" };
    output.line(format!(
        "    {} proved to be in a log of {} ({} asked for; {gaps})",
        counted(report.proved, "record"),
        report.size,
        report.selected
    ));
    if report.left_out > 0 {
        let (are, stretches) = (if report.left_out == 1 { "is" } else { "are" }, stretches(&report.gaps));
        output.line(format!("    {} of the log {are} not in it: {stretches}", counted(report.left_out, "record")));
    }
    said_of_payloads(output, report.payloads.iter());
    if let Some(removed) = &report.pruned {
        output.line(format!("    events before #{} were {removed}", removed.first));
    }
    for (class, through, days, index) in &report.removals {
        let days = counted(*days, "day");
        output.line(format!("    event #{index}: `{class}` up to {through} removed, kept for {days}"));
    }
    for index in &report.erasures {
        output.line(format!("    event #{index}: data keys destroyed, so that what was under them cannot be read"));
    }
    for index in &report.handovers {
        output.line(format!("    event #{index}: the log's key handed over to the next, and signed that it did"));
    }
    for found in &report.cosigned {
        let time = i64::try_from(found.time).ok().and_then(|time| jiff::Timestamp::from_second(time).ok());
        let time = time.map_or_else(|| "an impossible time".to_owned(), |time| time.to_string());
        output.line(format!(
            "    witness `{}` cosigned {}, at {time}",
            line(&found.witness),
            counted(found.size, "event")
        ));
    }
    if !has_key {
        output.message("the key in the bundle was believed; give the one you know with `--key`");
    }
    if report.witness_files > 0 && report.cosigned.is_empty() {
        output.message("witnesses have cosigned this log; give the keys you know with `--witness` to check that");
    }
}

/// What was asked for, as a person says it.
fn asked(selection: &Selection) -> String {
    let day = |us: i64| {
        jiff::Timestamp::from_microsecond(us).map_or_else(|_| "an impossible time".to_owned(), |time| time.to_string())
    };
    let agent = selection.agent.as_deref().map(|agent| format!("agent `{}`", line(agent)));
    let since = selection.since_us.map(|us| format!("from {}", day(us)));
    let until = selection.until_us.map(|us| format!("before {}", day(us)));
    let parts: Vec<String> = [agent, since, until].into_iter().flatten().collect();
    if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") }
}

/// The first few stretches of records.
fn stretches(gaps: &[(u64, u64)]) -> String {
    const SHOWN: usize = 8;
    let one = |(from, to): &(u64, u64)| if from == to { format!("#{from}") } else { format!("#{from} to #{to}") };
    let shown: Vec<String> = gaps.iter().take(SHOWN).map(one).collect();
    let more = if gaps.len() > SHOWN { " and others (`--format json` lists them)" } else { "" };
    shown.join(", ") + more
}

fn said_of_payloads<'a>(output: &Output, states: impl Iterator<Item = (&'a String, &'a u64)>) {
    let said: Vec<String> = states.map(|(state, count)| format!("{count} {state}")).collect();
    if !said.is_empty() {
        output.line(format!("    payloads: {}", said.join(", ")));
    }
}

/// A day (its beginning, UTC) or a moment, microseconds since the epoch.
fn moment(text: &str) -> Result<i64, Failure> {
    let moment = text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond).or_else(|| {
        let day = text.parse::<store::payload::Day>().ok()?;
        Some(day.plus(-1).end_us())
    });
    moment.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("`{text}` is not a time"))
            .with_help("write a day (`2026-11-28`, UTC) or a moment (`2026-11-28T08:00:00Z`)")
    })
}
