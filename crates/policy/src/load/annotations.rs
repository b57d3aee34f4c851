//! The closed vocabulary of annotations: which there are, what they may say, what they may stand on.

use super::nearest::nearest;
use super::parse::Parsed;
use super::values::{self, Wrong};
use crate::rule::{Rule, RuleKind, RuleMode};
use std::sync::Arc;
use vocab::id::RuleId;
use vocab::redaction::parse_redactions;
use vocab::{Diagnostic, Obligations, Place, Verdict};

/// Every annotation there is.
const KEYS: [&str; 13] = [
    "id",
    "decision",
    "reason",
    "redact",
    "sandbox",
    "fallback",
    "uncertain",
    "approvers",
    "quorum",
    "ttl",
    "severity",
    "owner",
    "mode",
];
/// Those that only a guard may have.
const ON_GUARDS: [&str; 8] = ["decision", "redact", "sandbox", "fallback", "uncertain", "approvers", "quorum", "ttl"];

/// Reads the annotations of a policy. `None` when it has no usable `@id`; other errors are reported and left out.
pub(crate) fn read_rule(
    parsed: &Parsed,
    shipped: bool,
    approvers: &[&str],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Rule> {
    let mut reading = Reading { parsed, diagnostics, is_sound: true };
    reading.check_keys();
    let id = reading.id(shipped);
    let kind = reading.kind();
    reading.check_places(kind);
    let rule = reading.rule(kind, shipped, approvers);
    let is_soft = matches!(kind, RuleKind::Guard(verdict) if verdict != Verdict::Deny);
    if is_soft && rule.reason.is_none() && reading.is_sound {
        let warning = Diagnostic::warning("policy/no-reason", &*parsed.file, "a guard that gives no reason");
        let at = parsed.error("policy/no-reason", "").span.unwrap_or(parsed.span);
        let help = "add `@reason(\"...\")`: agent and person see it when the guard matches";
        reading.diagnostics.push(warning.at(&parsed.source, at).with_help(help));
    }
    Some(Rule { id: RuleId::new(id?), ..rule })
}

struct Reading<'a> {
    parsed: &'a Parsed,
    diagnostics: &'a mut Vec<Diagnostic>,
    is_sound: bool,
}

impl Reading<'_> {
    fn value(&self, key: &str) -> Option<&str> {
        // Asking Cedar for one key has it parse the key each time.
        self.parsed.policy.annotations().find_map(|(name, value)| (name == key).then_some(value))
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.is_sound = false;
        self.diagnostics.push(diagnostic);
    }

    fn complain(&mut self, key: &str, message: &str, help: &str) {
        let error = self.parsed.error_at("policy/annotation", key, format!("`@{key}` {message}"));
        self.report(error.with_help(help));
    }

    /// Reads one value, or reports why it cannot be read.
    fn read<T>(&mut self, key: &str, read: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        match read(self.value(key)?) {
            Ok(value) => Some(value),
            Err(Wrong { message, help, candidates }) => {
                let error = self.parsed.error_at("policy/annotation-value", key, format!("`@{key}`: {message}"));
                self.report(error.with_help(help).with_candidates(candidates));
                None
            }
        }
    }

    fn check_keys(&mut self) {
        let unknown: Vec<String> = self
            .parsed
            .policy
            .annotations()
            .map(|(key, _)| key.to_owned())
            .filter(|key| !KEYS.contains(&key.as_str()))
            .collect();
        for key in unknown {
            let error =
                self.parsed.error_at("policy/unknown-annotation", &key, format!("`@{key}` is not an annotation"));
            let known = KEYS.map(|key| format!("`@{key}`")).join(", ");
            self.report(error.with_candidates(nearest(&key, KEYS)).with_help(format!("there are {known}")));
        }
    }

    fn id(&mut self, shipped: bool) -> Option<Arc<str>> {
        let Some(id) = self.value("id").map(Arc::<str>::from) else {
            let error = self.parsed.error("policy/no-id", "a rule without `@id`");
            self.report(error.with_help("name the rule: decisions, approvals and tests refer to it by `@id(\"...\")`"));
            return None;
        };
        self.read("id", |id| values::id(id, shipped)).map(|()| id)
    }

    fn kind(&mut self) -> RuleKind {
        match self.parsed.policy.effect() {
            cedar_policy::Effect::Permit => RuleKind::Permit,
            // A value that cannot be read leaves the strictest: the load fails anyway.
            cedar_policy::Effect::Forbid => {
                RuleKind::Guard(self.read("decision", values::decision).unwrap_or(Verdict::Deny))
            }
        }
    }

    /// What stands where it means nothing would mislead whoever reads it.
    fn check_places(&mut self, kind: RuleKind) {
        let RuleKind::Guard(verdict) = kind else {
            for key in ON_GUARDS {
                if self.value(key).is_some() {
                    self.complain(
                        key,
                        "on a permit rule",
                        "only a `forbid` can be graduated; write a guard beside this rule",
                    );
                }
            }
            return;
        };
        let has = |key: &str| self.value(key).is_some();
        let can_ask =
            verdict == Verdict::Ask || self.value("fallback") == Some("ask") || self.value("uncertain") == Some("ask");
        let is_hard = !has("decision");
        let mut wrong = Vec::new();
        for (key, stands, needs) in [
            ("redact", verdict == Verdict::Sanitize, "`@decision(\"sanitize\")`"),
            ("sandbox", verdict == Verdict::Sandbox, "`@decision(\"sandbox\")`"),
            ("fallback", verdict == Verdict::Sandbox, "`@decision(\"sandbox\")`"),
            ("approvers", can_ask, "a guard that can ask"),
            ("quorum", can_ask, "a guard that can ask"),
            ("ttl", can_ask, "a guard that can ask"),
            ("uncertain", !is_hard, "a guard with `@decision`: this one denies anyway"),
        ] {
            if has(key) && !stands {
                wrong.push((key, needs));
            }
        }
        let lacks_redact = verdict == Verdict::Sanitize && !has("redact");
        for (key, needs) in wrong {
            self.complain(key, "means nothing here", &format!("it needs {needs}"));
        }
        if lacks_redact {
            self.complain(
                "decision",
                "is `sanitize`, but there is no `@redact`",
                "say what to redact: `@redact(\"args.body:mask\")`",
            );
        }
    }

    fn rule(&mut self, kind: RuleKind, shipped: bool, approvers: &[&str]) -> Rule {
        let shadow = self.read("mode", values::is_shadow).unwrap_or(false);
        let rights = self.read("sandbox", values::sandbox);
        let redactions = self.read("redact", |value| {
            parse_redactions(value).map_err(|error| Wrong {
                message: error.to_string(),
                help: "write terms like `args.body:mask` or `result.items[].email:pseudonymise`, separated by commas"
                    .to_owned(),
                candidates: Vec::new(),
            })
        });
        let obligations = Obligations {
            redact: redactions.iter().flatten().map(ToString::to_string).collect(),
            sandbox: matches!(kind, RuleKind::Guard(Verdict::Sandbox)).then(|| rights.unwrap_or_default()),
            fallback: self.read("fallback", values::ask_or_deny),
            approvers: self.read("approvers", |value| values::approvers(value, approvers)).unwrap_or_default(),
            quorum: self.read("quorum", values::quorum),
            ttl_s: self.read("ttl", values::ttl),
        };
        Rule {
            id: RuleId::new(""),
            kind,
            mode: if shadow { RuleMode::Shadow } else { RuleMode::Enforce },
            shipped,
            reason: self.text("reason"),
            place: Some(self.place()),
            span: self.parsed.span,
            obligations,
            redactions: redactions.unwrap_or_default(),
            uncertain: self.read("uncertain", values::ask_or_deny),
            severity: self.read("severity", values::severity),
            owner: self.text("owner"),
            text: self.parsed.text.clone(),
        }
    }

    fn text(&mut self, key: &str) -> Option<Arc<str>> {
        let text = self.value(key).map(Arc::<str>::from)?;
        self.read(key, values::text).map(|()| text)
    }

    fn place(&self) -> Place {
        Place { file: self.parsed.file.clone(), line: self.parsed.line }
    }
}
