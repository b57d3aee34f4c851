//! From text to a [`Suite`], or to everything that is wrong with it.

use super::case::{Case, Located, Suite};
use super::diagnose::diagnose;
use super::facts::Stated;
use super::format::{CaseEntry, FindingsEntry, SuiteFile};
use govern::names::{is_canonical, is_tool_name, nearest};
use serde_json::Value;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Location, Options, Spanned};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use vocab::id::{AgentId, RuleId, ServerId, ToolName};
use vocab::redaction::parse_redactions;
use vocab::{Diagnostic, Operation, Place, Target};

/// Most bytes of one suite: 1 MiB, several thousand cases.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Most cases of one suite.
pub const MAX_CASES: usize = 10_000;

/// Most containers inside one another in a file: what the gateway accepts of a call's arguments, below the three the
/// format itself opens (file, `cases`, case).
pub const MAX_DEPTH: usize = canon::json::DEFAULT_DEPTH + 3;

/// Events that aliases may add to a file. A suite that shares one fact in every case stays far below; a bomb does not.
const MAX_ALIASED_EVENTS: usize = 100_000;

/// Reads a suite.
///
/// # Errors
/// What is wrong: the first thing the parser stumbles over, or everything found in what it could read.
pub fn read(file: &str, text: &str) -> Result<Suite, Vec<Diagnostic>> {
    if text.len() > MAX_FILE_BYTES {
        let complaint = Diagnostic::error("tests/too-long", file, format!("longer than {MAX_FILE_BYTES} bytes"));
        return Err(vec![complaint.with_help("split the suite into several files")]);
    }
    let parsed: SuiteFile =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| vec![diagnose(file, text, &error)])?;
    let mut reading = Reading { file: file.into(), found: Vec::new() };
    let suite = reading.suite(parsed);
    if reading.found.is_empty() { Ok(suite) } else { Err(reading.found) }
}

/// YAML 1.2 without its traps: one document, no merge keys, no unknown tags, no guesses.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_documents: 1 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_ALIASED_EVENTS, max_replay_stack_depth: 8 },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        reject_tagged_field_names: true,
        no_schema: true,
        with_snippet: false,
    }
}

struct Reading {
    file: Arc<str>,
    found: Vec<Diagnostic>,
}

impl Reading {
    fn suite(&mut self, parsed: SuiteFile) -> Suite {
        let SuiteFile { suite: name, agent, cases } = parsed;
        self.not_empty("suite", &name);
        if !is_canonical(&agent.value) {
            let help = "an agent has the name of its file: lower-case letters, digits, `-` and `_`";
            self.complain(&agent, "tests/agent", format!("`{}` is not an agent name", agent.value), help);
        }
        if let Some(beyond) = cases.get(MAX_CASES) {
            let help = "split the suite into several files";
            self.complain(beyond, "tests/too-many-cases", format!("more than {MAX_CASES} cases"), help);
        }
        let mut names: HashMap<String, u32> = HashMap::new();
        let cases = cases.into_iter().take(MAX_CASES);
        let cases = cases.filter_map(|case| self.case(case, &mut names)).collect();
        let agent = located(&agent, AgentId::new(agent.value.as_str()));
        Suite { name: name.value.into(), file: Arc::clone(&self.file), agent, cases }
    }

    fn case(&mut self, case: Spanned<CaseEntry>, names: &mut HashMap<String, u32>) -> Option<Case> {
        let line = line(&case.referenced);
        let entry = case.value;
        self.not_empty("name", &entry.name);
        if let Some(first) = names.insert(entry.name.value.clone(), line) {
            let message = format!("`{}` is the name of another case", entry.name.value);
            self.complain(&entry.name, "tests/duplicate-name", message, format!("the other is in line {first}"));
        }
        let confidence = entry.facts.confidence.as_ref().and_then(|confidence| self.percent(confidence));
        if let Some(findings) = &entry.facts.findings {
            self.findings(findings);
        }
        let redact = entry.redact.as_deref().map(|terms| self.redact(terms));
        let target = self.target(&entry.call);
        Some(Case {
            name: entry.name.value,
            kind: entry.kind,
            target: target?,
            arguments: Value::Object(entry.args.0),
            stated: Stated::of(entry.facts, confidence),
            expect: entry.expect,
            rule: entry.rule.as_ref().map(rule),
            not_rule: entry.not_rule.as_ref().map(rule),
            redact,
            severity: entry.severity,
            place: Place { file: Arc::clone(&self.file), line },
        })
    }

    fn percent(&mut self, confidence: &Spanned<u64>) -> Option<u8> {
        let percent = u8::try_from(confidence.value).ok().filter(|percent| *percent <= 100);
        if percent.is_none() {
            let message = format!("`confidence` is {}, and a percentage ends at 100", confidence.value);
            self.complain(confidence, "tests/confidence", message, "write a whole number from 0 to 100");
        }
        percent
    }

    fn target(&mut self, call: &Spanned<String>) -> Option<Located<Target>> {
        let text = call.value.as_str();
        let target = match (text.split_once('#'), text.split_once('/')) {
            (Some((server, _)), _) if is_canonical(server) => self.fixed(call, server),
            (None, Some((server, tool))) if is_canonical(server) && is_tool_name(tool) => {
                Some(Target { server: ServerId::new(server), operation: Operation::Tool(ToolName::new(tool)) })
            }
            _ => {
                let help = "write `server/tool`, or `server#resources/read` for a call that is no tool";
                self.complain(call, "tests/call", format!("`{text}` names no call"), help);
                None
            }
        };
        target.map(|target| located(call, target))
    }

    /// `server#resources/read` and its like.
    fn fixed(&mut self, call: &Spanned<String>, server: &str) -> Option<Target> {
        let suffix = call.value.strip_prefix(server).unwrap_or_default();
        if let Some(operation) = Operation::FIXED.into_iter().find(|operation| operation.suffix() == suffix) {
            return Some(Target { server: ServerId::new(server), operation });
        }
        let known: Vec<&str> = Operation::FIXED.iter().map(Operation::suffix).collect();
        let message = format!("`{suffix}` is not a call a server or its client can be asked for");
        let near: Vec<String> =
            nearest(suffix, known.iter().copied()).iter().map(|near| format!("{server}{near}")).collect();
        let help = format!("write one of {}", backticked(&known));
        self.complain_near(call, "tests/call", message, help, near);
        None
    }

    fn redact(&mut self, terms: &[Spanned<String>]) -> BTreeSet<String> {
        let mut set = BTreeSet::new();
        for term in terms {
            match parse_redactions(&term.value) {
                Ok(parsed) => set.extend(parsed.iter().map(ToString::to_string)),
                Err(error) => {
                    let help = "write `args.body:remove` or `result.items[].email:pseudonymise`; without a method it is `mask`";
                    self.complain(term, "tests/redact", error.to_string(), help);
                }
            }
        }
        set
    }

    fn findings(&mut self, findings: &FindingsEntry) {
        self.word(&findings.worst, policy::SEVERITIES, "a severity");
        for kind in &findings.kinds {
            self.word(kind, policy::FINDING_KINDS, "a kind of finding");
        }
    }

    fn word(&mut self, word: &Spanned<String>, known: &[&str], what: &str) {
        if !known.contains(&word.value.as_str()) {
            let near = nearest(&word.value, known.iter().copied());
            let help = format!("write one of {}", backticked(known));
            self.complain_near(word, "tests/unknown-word", format!("`{}` is not {what}", word.value), help, near);
        }
    }

    fn not_empty(&mut self, key: &str, text: &Spanned<String>) {
        if text.value.trim().is_empty() {
            self.complain(text, "tests/empty", format!("`{key}` is empty"), "say in a few words what it is about");
        }
    }

    fn complain<T>(&mut self, at: &Spanned<T>, code: &'static str, message: String, help: impl Into<String>) {
        self.complain_near(at, code, message, help, Vec::new());
    }

    fn complain_near<T>(
        &mut self,
        at: &Spanned<T>,
        code: &'static str,
        message: String,
        help: impl Into<String>,
        near: Vec<String>,
    ) {
        let complaint = Diagnostic::error(code, &*self.file, message).with_help(help).with_candidates(near);
        self.found.push(located(at, ()).complain(complaint));
    }
}

fn rule(text: &Spanned<String>) -> Located<RuleId> {
    located(text, RuleId::new(text.value.as_str()))
}

fn backticked(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn located<T, U>(at: &Spanned<T>, value: U) -> Located<U> {
    let (line, column, span) = place(&at.referenced);
    Located { value, line, column, span }
}

fn line(location: &Location) -> u32 {
    place(location).0
}

/// Line and column from 1, and the byte range when the parser knows it.
pub(super) fn place(location: &Location) -> (u32, u32, Option<(usize, usize)>) {
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let start = location.span().byte_offset().and_then(|start| usize::try_from(start).ok());
    let length = location.span().byte_len().and_then(|length| usize::try_from(length).ok());
    let span = start.map(|start| (start, start.saturating_add(length.unwrap_or(0))));
    (number(location.line()), number(location.column()), span)
}
