//! For people: how much was decided again, then what came out otherwise, by rule.

use super::again::Aim;
use super::report::{Difference, Group, Report, Summary};
use crate::report::{Tone, printable};
use std::fmt::Write as _;
use vocab::Verdict;

/// Gives a text its colour, or gives it back as it is.
type Paint<'a> = &'a dyn Fn(Tone, &str) -> String;

/// Renders what was found. `time` writes microseconds since the epoch for people.
#[must_use]
pub fn human(report: &Report, aim: Aim, time: &dyn Fn(i64) -> String, paint: Paint<'_>) -> String {
    let mut text = String::new();
    let summary = &report.summary;
    let span = report.span_us.map(|(first, last)| format!(", from {} to {}", time(first), time(last)));
    let _ = writeln!(text, "{} decisions{}", summary.decisions, span.unwrap_or_default());
    let _ = writeln!(text, "  {:>9}  exact", summary.exact);
    let _ = writeln!(text, "  {:>9}  from facts", summary.from_facts);
    if summary.earlier > 0 {
        let under = format!("{} of them under the earlier configuration that decided then", summary.earlier);
        let _ = writeln!(text, "             {}", paint(Tone::Quiet, &under));
    }
    let _ = writeln!(text, "  {:>9}  not replayable", summary.not_replayable);
    for (why, count) in &report.not_replayable {
        let _ = writeln!(text, "             {count:>9}  {}", paint(Tone::Quiet, &printable(why)));
    }
    for (index, call) in &report.altered {
        let altered = paint(Tone::Fail, "ALTERED");
        let _ = writeln!(text, "{altered}  the input of call {} (#{index}) is not the recorded one", printable(call));
    }
    let more = summary.altered.saturating_sub(u64::try_from(report.altered.len()).unwrap_or(u64::MAX));
    if more > 0 {
        let _ = writeln!(text, "  {}", paint(Tone::Quiet, &format!("and {more} more")));
    }
    for group in &report.groups {
        text.push('\n');
        of_group(&mut text, group, time, paint);
    }
    let _ = writeln!(text, "\n{}", statistic(report, aim, paint));
    text
}

/// The last line.
fn statistic(report: &Report, aim: Aim, paint: Paint<'_>) -> String {
    let summary = &report.summary;
    let decided = summary.exact + summary.from_facts;
    match (aim, summary.differences) {
        (_, 0) if decided == 0 => "nothing was decided again".to_owned(),
        (Aim::Same, 0) => paint(Tone::Pass, &format!("{decided} decided again, all as recorded")),
        (Aim::Same, many) => paint(Tone::Fail, &format!("{decided} decided again, {many} not as recorded")),
        (Aim::Others, 0) => {
            paint(Tone::Pass, &format!("{decided} decided again, nothing would have changed{}", others(summary)))
        }
        (Aim::Others, many) => {
            paint(Tone::Advisory, &format!("{decided} decided again, {many} would have changed{}", others(summary)))
        }
    }
}

/// What would have been done just so, for other reasons.
fn others(summary: &Summary) -> String {
    match summary.other_reasons {
        0 => String::new(),
        others => format!("; {others} would have had the same answer for other reasons"),
    }
}

fn of_group(text: &mut String, group: &Group, time: &dyn Fn(i64) -> String, paint: Paint<'_>) {
    let times = if group.count == 1 { "call" } else { "calls" };
    let verdicts = match group.from == group.to {
        true => format!("still {}, otherwise", verdict(group.from, paint)),
        false => format!("{} -> {}", verdict(group.from, paint), verdict(group.to, paint)),
    };
    let _ = writeln!(text, "{}  {verdicts}  {} {times}", printable(&group.rule), group.count);
    for example in &group.examples {
        of_example(text, example, time, paint);
    }
    let more = group.count.saturating_sub(u64::try_from(group.examples.len()).unwrap_or(u64::MAX));
    if more > 0 {
        let _ = writeln!(text, "  {}", paint(Tone::Quiet, &format!("and {more} more")));
    }
}

fn of_example(text: &mut String, example: &Difference, time: &dyn Fn(i64) -> String, paint: Paint<'_>) {
    let about = format!("#{} {} ({})", example.index, printable(&example.call), example.how.as_str());
    let (agent, action) = (printable(&example.agent), printable(&example.action));
    let _ = writeln!(text, "  {}  {agent}  {action}  {}", time(example.t), paint(Tone::Quiet, &about));
    for line in &example.change.because {
        let _ = writeln!(text, "      {}", printable(line));
    }
}

fn verdict(verdict: Verdict, paint: Paint<'_>) -> String {
    paint(Tone::Verdict(verdict), verdict.as_str())
}
