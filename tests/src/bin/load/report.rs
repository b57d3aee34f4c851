//! The figures as Markdown, ready for `docs/performance.md`.

use crate::round::{Between, Measurement};
use crate::startup::Startup;
use crate::statistics::Spread;
use crate::subject::{ALL, MORTISE_1, MORTISE_16, Path, Subject};
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

const KIB_PER_MIB: f64 = 1024.0;
const BYTES_PER_MIB: f64 = 1024.0 * 1024.0;

/// Everything measured, by round.
#[derive(Default)]
pub struct Report {
    measured: HashMap<Subject, Vec<Measurement>>,
    pub startup: Startup,
}

/// One line of the comparison with the budgets. Less is better unless `more` is.
struct Budget {
    what: &'static str,
    unit: &'static str,
    more: bool,
    must: f64,
    aim: f64,
    measured: Option<Spread>,
}

impl Report {
    pub fn add(&mut self, subject: Subject, measurement: Measurement) {
        self.measured.entry(subject).or_default().push(measurement);
    }

    /// All tables.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "Medians over the rounds, [least – greatest]; µs.\n\n\
             | path | clients | p50 | p90 | p99 | calls/s | CPU µs/call | RSS idle, MiB | RSS peak, MiB |\n\
             |---|---:|---|---|---|---|---|---:|---:|\n",
        );
        // Text takes every write.
        for subject in ALL {
            let _ = writeln!(text, "{}", self.row(subject));
        }
        let syncs = self.measured.values().flatten().filter_map(|measured| measured.sync);
        let sync = cell(Spread::of(syncs.map(|sync| micros(&sync))), 0);
        let _ = writeln!(text, "| 2 KiB + `fdatasync`, zero-filled file | – | {sync} | – | – | – | – | – | – |\n");
        text += "| budget | unit | must | aim | measured | reached |\n|---|---|---:|---:|---|---|\n";
        for budget in self.budgets() {
            let _ = writeln!(text, "{budget}");
        }
        if let Some((events, took)) = self.startup.with_log {
            let took = took.as_secs_f64() * 1e3;
            let _ =
                writeln!(text, "\nStart-up with {events} events in the log, every one read and checked: {took:.0} ms.");
        }
        text
    }

    fn row(&self, subject: Subject) -> String {
        let used = |figure: fn(&Between) -> f64, digits| {
            cell(self.spread(subject, |measured| measured.between.as_ref().map(figure)), digits)
        };
        let seen = |figure: fn(&Measurement) -> f64| cell(self.spread(subject, |measured| Some(figure(measured))), 0);
        let Subject { path, clients } = subject;
        format!(
            "| {path} | {clients} | {} | {} | {} | {} | {} | {} | {} |",
            seen(|m| micros(&m.p50)),
            seen(|m| micros(&m.p90)),
            seen(|m| micros(&m.p99)),
            seen(|m| m.calls_per_s),
            used(|used| micros(&used.cpu_per_call), 0),
            used(|used| used.idle_kib as f64 / KIB_PER_MIB, 1),
            used(|used| used.peak_kib as f64 / KIB_PER_MIB, 1),
        )
    }

    fn budgets(&self) -> Vec<Budget> {
        let cpu = |subject| self.spread(subject, |m| m.between.as_ref().map(|used| micros(&used.cpu_per_call)));
        let millis = |values: &[Duration]| Spread::of(values.iter().map(|value| value.as_secs_f64() * 1e3));
        let idle = Spread::of(self.startup.idle_kib.iter().map(|kib| *kib as f64 / KIB_PER_MIB));
        let size = std::fs::metadata(harness::mortise()).map(|found| found.len() as f64 / BYTES_PER_MIB);
        let less = |what, unit, must, aim, measured| Budget { what, unit, more: false, must, aim, measured };
        vec![
            less(
                "added latency p50 over direct stdio, less one `fdatasync`",
                "µs",
                300.0,
                150.0,
                self.added(Path::Direct),
            ),
            less("the same over the raw proxy", "µs", 300.0, 150.0, self.added(Path::RawProxy)),
            Budget {
                what: "calls/s, 16 clients",
                unit: "1/s",
                more: true,
                must: 10_000.0,
                aim: 25_000.0,
                measured: self.spread(MORTISE_16, |measured| Some(measured.calls_per_s)),
            },
            less("gateway CPU per call, 16 clients", "µs", 100.0, 50.0, cpu(MORTISE_16)),
            less("start-up, new project", "ms", 15.0, 5.0, millis(&self.startup.first)),
            less("start-up again", "ms", 15.0, 5.0, millis(&self.startup.again)),
            less("idle RSS", "MiB", 40.0, 20.0, idle),
            less("binary", "MiB", 60.0, 30.0, Spread::of(size)),
        ]
    }

    /// What Mortise with one client adds to the p50 of a path beyond the disk's own commit, round by round.
    fn added(&self, path: Path) -> Option<Spread> {
        let base = self.measured.get(&Subject { path, clients: 1 })?;
        let ours = self.measured.get(&MORTISE_1)?;
        let added = ours.iter().zip(base).filter_map(|(ours, base)| Some((ours.p50, base.p50, ours.sync?)));
        Spread::of(added.map(|(ours, base, sync)| micros(&ours) - micros(&base) - micros(&sync)))
    }

    fn spread(&self, subject: Subject, figure: impl Fn(&Measurement) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.measured.get(&subject)?.iter().filter_map(figure))
    }
}

impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, unit, must, aim, .. } = self;
        let reached = match self.measured {
            None => "not measured",
            // A commit of the gateway cannot cost less than a commit: the disk changed on the way.
            Some(Spread { median, .. }) if median < 0.0 => "unsteady disk",
            Some(Spread { median, .. }) if self.within(median, *aim) => "aim",
            Some(Spread { median, .. }) if self.within(median, *must) => "must",
            Some(_) => "**no**",
        };
        let relation = if self.more { "≥" } else { "≤" };
        let measured = cell(self.measured, usize::from(*must < 100.0));
        write!(f, "| {what} | {unit} | {relation} {must} | {relation} {aim} | {measured} | {reached} |")
    }
}

impl Budget {
    fn within(&self, value: f64, bound: f64) -> bool {
        if self.more { value >= bound } else { value <= bound }
    }
}

fn micros(duration: &Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn cell(spread: Option<Spread>, digits: usize) -> String {
    match spread {
        None => "–".into(),
        Some(Spread { median, least, greatest }) if least == greatest => format!("{median:.digits$}"),
        Some(Spread { median, least, greatest }) => {
            format!("{median:.digits$} [{least:.digits$} – {greatest:.digits$}]")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_met_on_its_own_side() {
        let budget = |more, value| {
            let measured = Spread::of([value]);
            Budget { what: "w", unit: "u", more, must: 100.0, aim: 50.0, measured }.to_string()
        };
        assert!(budget(false, 50.0).ends_with("| aim |"));
        assert!(budget(false, 100.0).ends_with("| must |"));
        assert!(budget(false, 100.1).ends_with("| **no** |"));
        let more = Budget { what: "w", unit: "u", more: true, must: 10.0, aim: 20.0, measured: Spread::of([9.0]) };
        assert!(more.to_string().ends_with("| **no** |"));
        assert!(budget(false, -1.0).ends_with("| unsteady disk |"));
    }

    #[test]
    fn what_is_added_is_taken_round_by_round() {
        let measurement = |p50, sync: Option<u64>| Measurement {
            p50: Duration::from_micros(p50),
            p90: Duration::ZERO,
            p99: Duration::ZERO,
            calls_per_s: 1.0,
            between: None,
            sync: sync.map(Duration::from_micros),
        };
        let mut report = Report::default();
        for (ours, base, sync) in [(500, 50, 200), (900, 100, 700)] {
            report.add(MORTISE_1, measurement(ours, Some(sync)));
            report.add(Subject { path: Path::Direct, clients: 1 }, measurement(base, None));
        }
        let added = report.added(Path::Direct).unwrap();
        assert!((added.least - 100.0).abs() < 1e-6 && (added.greatest - 250.0).abs() < 1e-6, "{added:?}");
    }
}
