//! One page of its own: no script, nothing loaded, everything that is not ours escaped.

use super::again::Aim;
use super::report::{Difference, Group, Report};
use crate::report::printable;
use std::fmt::Write as _;
use vocab::Verdict;

/// Colours by the reader's own setting. Each verdict is a word first, and a colour beside it.
const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5b6270; --line: #d9dde3; --page: #ffffff; --raised: #f5f6f8;
  --allow: #17703a; --sandbox: #0b6b78; --sanitize: #2956b2; --ask: #8a5a00; --deny: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa3b2; --line: #333945; --page: #14171c;
  --raised: #1d2128; --allow: #6fcf97; --sandbox: #67c9d6; --sanitize: #8fb2ff; --ask: #e5b454; --deny: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0; }
.soft { color: var(--soft); }
code, .mono { font: .9em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
dl.counts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1.5rem 0; }
dl.counts div { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; font-size: .85rem; }
td.mono { white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .6rem 0; }
summary { cursor: pointer; padding: .6rem .8rem; }
details > div { padding: 0 .8rem .8rem; overflow-x: auto; }
ul { margin: .2rem 0 .6rem; padding-left: 1.2rem; }
.v { font-weight: 600; }
.allow { color: var(--allow); } .sandbox { color: var(--sandbox); } .sanitize { color: var(--sanitize); }
.ask { color: var(--ask); } .deny { color: var(--deny); }
";

/// The page. `time` writes microseconds since the epoch for people.
#[must_use]
pub fn html(report: &Report, aim: Aim, time: &dyn Fn(i64) -> String) -> String {
    let mut page = String::new();
    let title = match aim {
        Aim::Same => "Replay under the policies that decided",
        Aim::Others => "Replay under other policies",
    };
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    if let Some((first, last)) = report.span_us {
        let _ = writeln!(page, "<p class=\"soft\">{} to {}</p>", escaped(&time(first)), escaped(&time(last)));
    }
    let _ = writeln!(page, "<p class=\"soft\">bundle <code>{}</code></p>", escaped(&report.bundle));
    counts(&mut page, report);
    altered(&mut page, report);
    groups(&mut page, report, aim, time);
    not_replayable(&mut page, report);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn counts(page: &mut String, report: &Report) {
    let summary = &report.summary;
    page.push_str("<dl class=\"counts\">\n");
    for (name, count) in [
        ("decisions", summary.decisions),
        ("exact", summary.exact),
        ("from facts", summary.from_facts),
        ("not replayable", summary.not_replayable),
        ("different", summary.differences),
    ] {
        let _ = writeln!(page, "<div><dt>{name}</dt><dd>{count}</dd></div>");
    }
    page.push_str("</dl>\n");
}

fn altered(page: &mut String, report: &Report) {
    if report.altered.is_empty() {
        return;
    }
    page.push_str("<h2 class=\"deny\">Inputs that were altered</h2>\n<ul>\n");
    for (index, call) in &report.altered {
        let _ = writeln!(page, "<li>#{index} <code>{}</code></li>", escaped(call));
    }
    page.push_str("</ul>\n");
}

fn groups(page: &mut String, report: &Report, aim: Aim, time: &dyn Fn(i64) -> String) {
    let title = match aim {
        Aim::Same => "Not as recorded",
        Aim::Others => "What would have changed",
    };
    let _ = writeln!(page, "<h2>{title}</h2>");
    if report.groups.is_empty() {
        page.push_str("<p>Nothing.</p>\n");
    }
    for group in &report.groups {
        of_group(page, group, time);
    }
}

fn of_group(page: &mut String, group: &Group, time: &dyn Fn(i64) -> String) {
    let rule = escaped(&group.rule);
    let verdicts = match group.from == group.to {
        true => format!("still {}, otherwise", verdict(group.from)),
        false => format!("{} &rarr; {}", verdict(group.from), verdict(group.to)),
    };
    let times = if group.count == 1 { "call" } else { "calls" };
    let _ = writeln!(
        page,
        "<details>\n<summary><code>{rule}</code> {verdicts} <span class=\"soft\">{} {times}</span></summary>\n<div>\n\
         <table>\n<thead><tr><th>time</th><th>agent</th><th>tool</th><th>call</th></tr></thead>\n<tbody>",
        group.count
    );
    for example in &group.examples {
        of_example(page, example, time);
    }
    page.push_str("</tbody>\n</table>\n");
    let shown = u64::try_from(group.examples.len()).unwrap_or(u64::MAX);
    if group.count > shown {
        let _ = writeln!(page, "<p class=\"soft\">and {} more</p>", group.count - shown);
    }
    page.push_str("</div>\n</details>\n");
}

fn of_example(page: &mut String, example: &Difference, time: &dyn Fn(i64) -> String) {
    let _ = writeln!(
        page,
        "<tr><td class=\"mono\">{}</td><td>{}</td><td>{}</td><td><code>{}</code> <span class=\"soft\">#{}, {}</span>",
        escaped(&time(example.t)),
        escaped(&example.agent),
        escaped(&example.action),
        escaped(&example.call),
        example.index,
        example.how.as_str()
    );
    page.push_str("<ul>");
    for line in &example.change.because {
        let _ = write!(page, "<li>{}</li>", escaped(line));
    }
    page.push_str("</ul></td></tr>\n");
}

fn not_replayable(page: &mut String, report: &Report) {
    if report.not_replayable.is_empty() {
        return;
    }
    page.push_str("<h2>Not replayable</h2>\n<table>\n<thead><tr><th>why</th><th class=\"number\">decisions</th></tr></thead>\n<tbody>\n");
    for (why, count) in &report.not_replayable {
        let _ = writeln!(page, "<tr><td>{}</td><td class=\"number\">{count}</td></tr>", escaped(why));
    }
    page.push_str("</tbody>\n</table>\n");
}

fn verdict(verdict: Verdict) -> String {
    format!("<span class=\"v {verdict}\">{verdict}</span>")
}

/// Text as text, whatever it is: names of agents, tools and rules are somebody else's.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(escaped("<b a='1' b=\"2\">&\u{202e}"), "&lt;b a=&#39;1&#39; b=&quot;2&quot;&gt;&amp;\\u{202e}");
    }
}
