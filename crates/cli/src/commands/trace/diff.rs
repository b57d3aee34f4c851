//! `mortise trace diff`: two sequences of calls, held against each other.
//!
//! A call of one side is the same step as a call of the other when both are of the same tool and stand in the same order;
//! of all ways to pair them, one with most such pairs and most equal arguments is taken. Latency is shown, not compared.

mod align;
mod steps;

use crate::args::{Global, TraceDiff};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use align::{Pair, align};
use anstyle::AnsiColor;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use steps::{Of, Step, read};
use vocab::Exit;
use vocab::shown::{line as one_line, name};

/// Compares.
pub fn run(output: &Output, global: &Global, args: &TraceDiff) -> Outcome {
    let (first, second) = logs(global, args)?;
    let (a, b) = (read(&first, Of(args.a.as_deref()))?, read(&second, Of(args.b.as_deref()))?);
    for (steps, name, log) in [(&a, &args.a, &first), (&b, &args.b, &second)] {
        if steps.is_empty() {
            let name = name.as_deref().map_or_else(|| format!("`{}`", log.display()), |name| format!("`{name}`"));
            return Err(Failure::new(Exit::Nothing, format!("there is no call of {name}")).with_help(
                "`mortise trace ls --format json` says the session of each call; a run is named by its id",
            ));
        }
    }
    let hashes = Hashes::of(&first, &second);
    let mut names = Names::default();
    let (keys_a, keys_b) = (names.of(&a, hashes), names.of(&b, hashes));
    let aligned = align(&keys_a, &keys_b, &|a, b| a.action == b.action, &|a, b| a.arguments == b.arguments);
    if !aligned.is_best {
        output.message("the sequences are too long and too different to pair them at their best: paired in order");
    }
    if hashes == Hashes::Foreign {
        output.message("the logs have different keys, so arguments are not compared");
    }
    let lines: Vec<Line<'_>> = aligned.pairs.iter().filter_map(|pair| Line::of(*pair, &a, &b, hashes)).collect();
    let is_same = lines.iter().all(|line| matches!(line, Line::Same(..)));
    if output.is_human() {
        lines.iter().for_each(|line| human(output, line));
        output.line(summary(&lines));
    } else {
        output.json(&document(&lines, hashes, aligned.is_best));
    }
    Ok(if is_same { Exit::Ok } else { Exit::Blocking })
}

fn logs(global: &Global, args: &TraceDiff) -> Result<(PathBuf, PathBuf), Failure> {
    match args.logs.as_slice() {
        [] => Ok((Place::find(global)?.log(), Place::find(global)?.log())),
        [both] if args.b.is_some() => Ok((both.clone(), both.clone())),
        [a, b] => Ok((a.clone(), b.clone())),
        _ => Err(Failure::new(Exit::Usage, "what is to be compared with what?")
            .with_help("name two sessions or runs, or two logs with `--log A --log B`")),
    }
}

/// Whether argument hashes of both sides are of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hashes {
    Comparable,
    Foreign,
}

impl Hashes {
    /// A log's keys are drawn together: logs that are signed with one key have one hash key.
    fn of(a: &Path, b: &Path) -> Self {
        let key = |log: &Path| std::fs::read_to_string(log.join("vkey")).unwrap_or_default();
        if a == b || key(a) == key(b) { Self::Comparable } else { Self::Foreign }
    }
}

/// What calls are paired by, as numbers: they are compared millions of times.
#[derive(Clone, Copy)]
struct Key {
    /// Place of the call in its sequence.
    at: usize,
    action: usize,
    arguments: usize,
}

/// A number for each text.
#[derive(Default)]
struct Names<'a>(HashMap<&'a str, usize>);

impl<'a> Names<'a> {
    fn of(&mut self, steps: &'a [Step], hashes: Hashes) -> Vec<Key> {
        let mut number = |text: &'a str| {
            let next = self.0.len();
            *self.0.entry(text).or_insert(next)
        };
        let keys = steps.iter().enumerate().map(|(at, step)| {
            let arguments = if hashes == Hashes::Comparable { &step.args_hash } else { "" };
            Key { at, action: number(&step.action), arguments: number(arguments) }
        });
        keys.collect()
    }
}

/// One line of the comparison.
enum Line<'a> {
    Same(&'a Step, &'a Step),
    Changed(&'a Step, &'a Step, Vec<Field>),
    Removed(&'a Step),
    Added(&'a Step),
}

/// What is different in a pair: its name, then, now. Hashes have no text worth reading.
struct Field {
    name: &'static str,
    a: String,
    b: String,
}

impl<'a> Line<'a> {
    fn of(pair: Pair<'_, Key>, a: &'a [Step], b: &'a [Step], hashes: Hashes) -> Option<Self> {
        Some(match pair {
            Pair::Both(left, right) => {
                let (a, b) = (a.get(left.at)?, b.get(right.at)?);
                let fields = differences(a, b, hashes);
                if fields.is_empty() { Self::Same(a, b) } else { Self::Changed(a, b, fields) }
            }
            Pair::Left(left) => Self::Removed(a.get(left.at)?),
            Pair::Right(right) => Self::Added(b.get(right.at)?),
        })
    }
}

fn differences(a: &Step, b: &Step, hashes: Hashes) -> Vec<Field> {
    let mut fields = Vec::new();
    if hashes == Hashes::Comparable && a.args_hash != b.args_hash {
        fields.push(Field { name: "arguments", a: a.args_hash.clone(), b: b.args_hash.clone() });
    }
    let mut compare = |name, a: &str, b: &str| {
        if a != b {
            fields.push(Field { name, a: a.to_owned(), b: b.to_owned() });
        }
    };
    compare("verdict", a.verdict(), b.verdict());
    compare("rule", &a.rule, &b.rule);
    compare("outcome", a.outcome(), b.outcome());
    compare("labels", &a.labels, &b.labels);
    compare("model", &a.model, &b.model);
    fields
}

fn human(output: &Output, line: &Line<'_>) {
    let (mark, colour, step) = match line {
        Line::Same(a, _) => (" ", None, a),
        Line::Changed(a, ..) => ("~", Some(AnsiColor::Yellow), a),
        Line::Removed(a) => ("-", Some(AnsiColor::Red), a),
        Line::Added(b) => ("+", Some(AnsiColor::Green), b),
    };
    let latency = match line {
        Line::Same(a, b) | Line::Changed(a, b, _) => format!("{} / {}", latency(a), latency(b)),
        Line::Removed(step) | Line::Added(step) => latency(step),
    };
    let verdict = step.verdict.map_or_else(|| format!("{:<8}", "-"), |verdict| output.verdict(verdict));
    let mark = colour.map_or_else(|| mark.to_owned(), |colour| output.paint(mark, colour.on_default().bold()));
    let action = name(&step.action);
    output.line(format!("{mark} {verdict} {action:<34} {:<11} {}", step.outcome(), output.dim(&latency)));
    if let Line::Changed(.., fields) = line {
        for field in fields {
            let text = match field.name {
                "arguments" => "arguments differ".to_owned(),
                field_name => format!("{field_name}: {} -> {}", shown(&field.a), shown(&field.b)),
            };
            output.line(format!("    {}", one_line(&text)));
        }
    }
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn latency(step: &Step) -> String {
    step.latency_us.map_or_else(|| "-".to_owned(), |us| format!("{us} us"))
}

/// How many of each.
fn counts(lines: &[Line<'_>]) -> [(&'static str, usize); 4] {
    let count = |is: fn(&Line<'_>) -> bool| lines.iter().filter(|line| is(line)).count();
    [
        ("same", count(|line| matches!(line, Line::Same(..)))),
        ("changed", count(|line| matches!(line, Line::Changed(..)))),
        ("removed", count(|line| matches!(line, Line::Removed(_)))),
        ("added", count(|line| matches!(line, Line::Added(_)))),
    ]
}

fn summary(lines: &[Line<'_>]) -> String {
    counts(lines).map(|(name, count)| format!("{count} {name}")).join(", ")
}

fn document(lines: &[Line<'_>], hashes: Hashes, is_best: bool) -> Value {
    let summary: serde_json::Map<String, Value> =
        counts(lines).into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
    let different = lines.iter().filter(|line| !matches!(line, Line::Same(..)));
    let differences: Vec<Value> = different.map(entry).collect();
    let compared = hashes == Hashes::Comparable;
    json!({ "summary": summary, "differences": differences, "arguments_compared": compared, "best": is_best })
}

fn entry(line: &Line<'_>) -> Value {
    match line {
        Line::Same(a, b) => json!({ "change": "same", "a": a, "b": b }),
        Line::Changed(a, b, fields) => {
            let fields: Vec<&str> = fields.iter().map(|field| field.name).collect();
            json!({ "change": "changed", "fields": fields, "a": a, "b": b })
        }
        Line::Removed(a) => json!({ "change": "removed", "a": a }),
        Line::Added(b) => json!({ "change": "added", "b": b }),
    }
}
