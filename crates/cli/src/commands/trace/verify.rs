//! `mortise trace verify`: whether the log, and what its records commit to, is as it was written.

use super::payloads;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, counted};
use anstyle::AnsiColor;
use proof::{CosignatureVerifier, Verifier};
use serde_json::{Value, json};
use std::path::Path;
use store::{Cosigned, Outside, PayloadReport, Place as LogPlace, Report, Verdict, VerifyError};
use vocab::Exit;

/// Runs the command. A witness that was asked for and has cosigned nothing is a failure.
pub(super) fn run(output: &Output, dir: &Path, key: Option<&str>, witnesses: &[String]) -> Outcome {
    let trusted = witnesses.iter().map(|vkey| witness(vkey)).collect::<Result<Vec<_>, _>>()?;
    let checked = Checked::of(output, dir, key, &trusted)?;
    checked.say(output);
    Ok(if checked.is_good() && checked.are_cosigned() { Exit::Ok } else { Exit::Verification })
}

/// Verifies the log of a demo, and says what was found; whether all of it is as it should be.
pub fn verify(output: &Output, dir: &Path) -> Result<bool, Failure> {
    let checked = Checked::of(output, dir, None, &[])?;
    checked.say(output);
    Ok(checked.is_good())
}

/// A key that is mistyped is a wrong command line, whatever it was to be held against.
pub(super) fn check_key(key: Option<&str>) -> Result<(), Failure> {
    key.map_or(Ok(()), |key| Verifier::from_vkey(key).map(drop).map_err(|error| VerifyError::Key(error).into()))
}

/// What was found.
struct Checked {
    report: Report,
    /// What became of that which records commit to. It is looked for when they can be believed.
    kept: Option<PayloadReport>,
    witnesses: Vec<Witnessed>,
}

/// How far a witness has cosigned the log.
struct Witnessed {
    name: String,
    cosigned: Option<Cosigned>,
    outside: Outside,
}

impl Checked {
    fn of(output: &Output, dir: &Path, key: Option<&str>, trusted: &[CosignatureVerifier]) -> Result<Self, Failure> {
        let report = store::verify(dir, key)?;
        let is_log_ok = report.verdict == Verdict::Ok;
        let kept = is_log_ok.then(|| payloads::look(output, dir)).transpose()?;
        let trusted = if is_log_ok { trusted } else { &[] };
        let witnesses = trusted.iter().map(|witness| Witnessed::of(dir, witness)).collect::<Result<_, _>>()?;
        Ok(Self { report, kept, witnesses })
    }

    fn is_good(&self) -> bool {
        self.kept.as_ref().is_some_and(PayloadReport::is_good)
    }

    fn are_cosigned(&self) -> bool {
        self.witnesses.iter().all(|witness| witness.cosigned.is_some())
    }

    /// The verdict on the log and all that its records commit to: what is altered is said before what is missing.
    fn word(&self) -> &'static str {
        let kept = self.kept.as_ref();
        match log_word(&self.report.verdict) {
            "ok" if kept.is_some_and(|kept| kept.altered > 0) => "altered",
            "ok" if kept.is_some_and(|kept| kept.missing > 0) => "missing",
            word => word,
        }
    }

    fn say(&self, output: &Output) {
        if !output.is_human() {
            return output.json(&self.to_json());
        }
        let report = &self.report;
        let colour = if self.word() == "ok" { AnsiColor::Green } else { AnsiColor::Red };
        let word = output.paint(self.word(), colour.on_default().bold());
        output.line(format!("{word}  log `{}`", report.origin));
        match &report.verdict {
            Verdict::Ok => {}
            Verdict::Missing { place, what } | Verdict::Altered { place, what } => {
                output.line(format!("    {place}: {what}"));
                output.line(format!("    found when {} had been read", counted(report.events, "event")));
                output.message(format!("  help: {}", remedy(&report.verdict)));
                return;
            }
        }
        if !self.is_good() {
            output.line("    the log itself is ok; not so what its events commit to:");
        }
        of_records(output, report);
        if let Some(kept) = &self.kept {
            payloads::print(output, kept);
        }
        self.witnesses.iter().for_each(|witness| witness.say(output, report));
    }

    fn to_json(&self) -> Value {
        let report = &self.report;
        let (place, what) = match &report.verdict {
            Verdict::Ok => (None, None),
            Verdict::Missing { place, what } | Verdict::Altered { place, what } => {
                (Some(place.to_string()), Some(what.clone()))
            }
        };
        json!({
            "verdict": self.word(), "log": log_word(&report.verdict), "place": place, "what": what,
            "payloads": self.kept.as_ref().map(payloads::to_json),
            "witnesses": self.witnesses.iter().map(|witness| witness.to_json(report)).collect::<Vec<Value>>(),
            "origin": report.origin, "events": report.events,
            "sealed": report.sealed, "unsealed": report.unsealed, "checkpoints": report.checkpoints,
            "unknown": report.unknown, "not_run": report.not_run, "epochs": report.epochs,
            "derived_missing": report.derived_missing, "steps_back": report.steps_back,
            "pruned": report.pruned.as_ref().map(|pruned| json!({
                "first": pruned.removed.first, "index": pruned.index, "t": pruned.removed.t,
                "through": pruned.removed.through, "days": pruned.removed.days, "earlier": pruned.earlier,
            })),
        })
    }
}

/// The verdict on the log alone.
const fn log_word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Missing { .. } => "missing",
        Verdict::Altered { .. } => "altered",
    }
}

fn of_records(output: &Output, report: &Report) {
    let sealed = match report.unsealed {
        0 => "all sealed".to_owned(),
        unsealed => format!("{} sealed, {unsealed} not sealed yet", report.events.saturating_sub(unsealed)),
    };
    let (events, checkpoints) = (counted(report.events, "event"), counted(report.checkpoints, "signed checkpoint"));
    output.line(format!("    {events}, {sealed}; {checkpoints}"));
    if let Some(store::PrunedRecords { index, removed, earlier }) = &report.pruned {
        let (last, through, days) = (removed.first.saturating_sub(1), removed.through, counted(removed.days, "day"));
        output.line(format!(
            "    events #0 to #{last} are pruned: up to {through}, kept for {days}; event #{index} says so"
        ));
        if *earlier > 0 {
            output.line(format!("    {} had been before that one", counted(*earlier, "removal")));
        }
    }
    if report.unfinished_bytes > 0 {
        let bytes = counted(report.unfinished_bytes, "byte");
        output.line(format!("    behind them {bytes} of a commit that was not finished, or of no record at all"));
    }
    match report.derived_missing {
        0 => {}
        1 => output.line(
            "    a file that follows from the events is not there, or not whole; the next gateway writes it again",
        ),
        many => output.line(format!(
            "    {many} files that follow from the events are not there, or not whole; the next gateway writes them again"
        )),
    }
    if report.steps_back > 0 {
        let events = counted(report.steps_back, "event");
        output.line(format!("    {events} stamped more than a minute before an earlier one: a clock was set back"));
    }
    if report.unknown > 0 || report.not_run > 0 {
        output.line(format!(
            "    calls without an end: {} unknown (dispatched, nobody knows whether they ran), {} not run",
            report.unknown, report.not_run
        ));
    }
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

pub(super) fn witness(vkey: &str) -> Result<CosignatureVerifier, Failure> {
    CosignatureVerifier::from_vkey(vkey).map_err(|error| {
        Failure::new(Exit::Usage, format!("`--witness {vkey}`: {error}"))
            .with_help("it is the line that `mortise witness` prints")
    })
}

impl Witnessed {
    fn of(dir: &Path, witness: &CosignatureVerifier) -> Result<Self, Failure> {
        let name = witness.name().as_str().to_owned();
        let cosigned = store::cosigned(dir, witness)
            .map_err(|error| Failure::new(Exit::Verification, format!("witness `{name}`: {error}")))?;
        let outside = cosigned.map(|cosigned| store::stamped_outside(dir, &cosigned)).transpose()?;
        Ok(Self { name, cosigned, outside: outside.unwrap_or_default() })
    }

    fn since(&self, report: &Report) -> Option<u64> {
        self.cosigned.map(|cosigned| report.events.saturating_sub(cosigned.size))
    }

    fn say(&self, output: &Output, report: &Report) {
        let name = &self.name;
        let Some((Cosigned { size, time }, since)) = self.cosigned.zip(self.since(report)) else {
            output.message(format!("witness `{name}` has cosigned nothing of this log"));
            return;
        };
        let time = i64::try_from(time).ok().and_then(|time| jiff::Timestamp::from_second(time).ok());
        let time = time.map_or_else(|| "an impossible time".to_owned(), |time| time.to_string());
        output.line(format!("    witness `{name}` cosigned {size} events, at {time}; {since} came since"));
        if self.outside != Outside::default() {
            let Outside { late, early } = self.outside;
            output.line(format!(
                "    by its clock {late} of these are stamped later than that, and {early} of those since earlier"
            ));
        }
    }

    fn to_json(&self, report: &Report) -> Value {
        let (size, time) = (self.cosigned.map(|cosigned| cosigned.size), self.cosigned.map(|cosigned| cosigned.time));
        json!({
            "witness": self.name, "cosigned": size, "time_s": time, "since": self.since(report),
            "stamped_late": self.outside.late, "stamped_early": self.outside.early,
        })
    }
}
