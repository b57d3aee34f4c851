//! Audit bundles: written for somebody else, and checked as somebody else would.

use super::{payloads, recorded};
use crate::args::TraceBundle;
use crate::commands::approvals::visible;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use crate::reach;
use anstyle::AnsiColor;
use gateway::control::protocol::{Exported, Request};
use serde_json::{Value, json};
use std::path::Path;
use store::bundle::{BundleError, Disclose, Draft, Selection, verify_bundle, write_bundle};
use vocab::Exit;

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
    let draft = write_bundle(&log, &args.to, &selection, disclose, recorded).map_err(|error| failure(&error))?;
    if let Err(refused) = recorded::record(output, Some(place), exported(&draft, selection)) {
        draft.discard().map_err(|error| failure(&error))?;
        return Err(refused);
    }
    let manifest = draft.finish().map_err(|error| failure(&error))?;
    if !output.is_human() {
        output.json(&manifest);
        return Ok(Exit::Ok);
    }
    output.line(format!(
        "{} records, {} more to judge them by, each with its proof, in `{}`",
        manifest.selected,
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

fn failure(error: &BundleError) -> Failure {
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
        BundleError::Prove(_) | BundleError::Verify(_) => {
            Failure::new(Exit::Verification, text).with_help("`mortise trace verify` says what is wrong")
        }
        BundleError::Read(_) | BundleError::Io { .. } => Failure::new(Exit::Environment, text),
    }
}

/// Checks a bundle, and says what is wrong with it.
pub fn verify(output: &Output, dir: &Path, key: Option<&str>) -> Outcome {
    let report = verify_bundle(dir, key).map_err(|error| {
        Failure::new(Exit::Verification, error.to_string()).with_help("is this the directory of an audit bundle?")
    })?;
    let is_ok = report.problems == 0;
    let exit = if is_ok { Exit::Ok } else { Exit::Verification };
    if !output.is_human() {
        let problems: Vec<Value> =
            report.named.iter().map(|problem| json!({ "place": problem.place, "what": problem.what })).collect();
        output.json(&json!({
            "verdict": if is_ok { "ok" } else { "altered" }, "origin": report.origin, "size": report.size,
            "proved": report.proved, "selected": report.selected, "contiguous": report.is_contiguous,
            "left_out": report.left_out, "gaps": report.gaps,
            "payloads": report.payloads, "problems": report.problems, "named": problems,
        }));
        return Ok(exit);
    }
    let (word, colour) = if is_ok { ("ok", AnsiColor::Green) } else { ("altered", AnsiColor::Red) };
    output.line(format!(
        "{}  audit bundle of log `{}`",
        output.paint(word, colour.on_default().bold()),
        visible(&report.origin)
    ));
    for problem in &report.named {
        output.line(format!("    {}: {}", visible(&problem.place), visible(&problem.what)));
    }
    let more = report.problems.saturating_sub(report.named.len() as u64);
    if more > 0 {
        output.line(format!("    and {more} more"));
    }
    if report.size == 0 {
        output.line("    without a good key and checkpoint nothing else can be checked");
        return Ok(exit);
    }
    let gaps = if report.is_contiguous { "none left out between them" } else { "others may lie between them" };
    output.line(format!(
        "    {} records proved to be in a log of {} ({} asked for; {gaps})",
        report.proved, report.size, report.selected
    ));
    if report.left_out > 0 {
        output.line(format!("    {} records of the log are not in it: {}", report.left_out, stretches(&report.gaps)));
    }
    said_of_payloads(output, report.payloads.iter());
    if let Some(removed) = &report.pruned {
        output.line(format!("    events before #{} were {removed}", removed.first));
    }
    for (class, through, days, index) in &report.removals {
        output.line(format!("    event #{index}: `{class}` up to {through} removed, kept for {days} days"));
    }
    if key.is_none() {
        output.message("the key in the bundle was believed; give the one you know with `--key`");
    }
    Ok(exit)
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
