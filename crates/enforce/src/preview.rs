//! A call taken through the checks and the decision without a server, a session or the log.
//!
//! What a suite asks: the same inventory, schemas, built-in refusals, bundle and redactors as in the pipeline, in the
//! same order, on stated facts. What only a live server can say - whether its definition is still the pinned one - is
//! taken to be so.

use crate::snapshot::Snapshot;
use crate::validate::Complaint;
use detect::{PseudonymKey, Redaction, Root, parse_redactions};
use policy::{Facts, Request};
use serde_json::Value;
use std::collections::BTreeSet;
use vocab::id::{AgentId, RuleId};
use vocab::{Authn, Decision, Obligations, Operation, Reason, Target, Verdict};

/// The key of pseudonyms in a preview. What is made with it is checked and thrown away, never shown.
const THROWN_AWAY: [u8; 32] = [0; 32];

/// A call to be tried.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// Who acts.
    pub agent: &'a AgentId,
    /// How that was established.
    pub authn: Authn,
    /// What is called.
    pub target: &'a Target,
    /// The arguments, a JSON object.
    pub arguments: &'a Value,
    /// What else is known; [`declared`] has what the configuration itself says.
    pub facts: &'a Facts,
}

/// What would become of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The answer, as it would be recorded.
    pub decision: Decision,
    /// The built-in rule that ended it outside the policies; `None` when they decided.
    pub stopped: Option<BuiltIn>,
    /// What the schema objects to, when that is what stopped it.
    pub complaints: Vec<Complaint>,
}

/// The rules that are written in no file and can speak in a preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// Not declared for this agent, or not pinned.
    Inventory,
    /// The arguments do not match the tool's schema.
    Schema,
    /// The arguments point at Mortise's own files.
    ProtectedFiles,
    /// A redaction is not understood.
    SanitizeFailed,
    /// The redacted arguments do not match the tool's schema.
    SanitizeSchema,
    /// The redacted call asks for further redactions.
    NotConverging,
    /// The dry-run twin is missing or does not accept the call.
    Twin,
    /// No permit rule is satisfied.
    NoPermit,
    /// The request could not be built.
    Undecidable,
    /// The agent is uncertain.
    Uncertain,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Inventory,
        Self::Schema,
        Self::ProtectedFiles,
        Self::SanitizeFailed,
        Self::SanitizeSchema,
        Self::NotConverging,
        Self::Twin,
        Self::NoPermit,
        Self::Undecidable,
        Self::Uncertain,
    ];

    /// The id it speaks under about a call.
    #[must_use]
    pub fn id(self, agent: &AgentId, target: &Target) -> RuleId {
        match self {
            Self::Inventory => RuleId::new(format!("inventory/{agent}")),
            Self::Schema => RuleId::new(format!("schema/{}", target.action())),
            Self::ProtectedFiles => RuleId::new("builtin/protected-files"),
            Self::SanitizeFailed => RuleId::new("sanitize/failed"),
            Self::SanitizeSchema => RuleId::new("sanitize/schema"),
            Self::NotConverging => RuleId::new("sanitize/not-converging"),
            Self::Twin => RuleId::new("sandbox/twin"),
            Self::NoPermit => RuleId::new(policy::NO_PERMIT),
            Self::Undecidable => RuleId::new(policy::UNDECIDABLE),
            Self::Uncertain => RuleId::new(policy::UNCERTAIN),
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Inventory => "not declared for this agent",
            Self::Schema => "the arguments do not match the tool's schema",
            Self::ProtectedFiles => "Mortise's own files cannot be reached through a tool",
            Self::SanitizeFailed => "a redaction is not understood",
            Self::SanitizeSchema => "the redacted arguments fail the schema",
            Self::NotConverging => "the redacted call asks for further redactions",
            Self::Twin => "the dry-run twin is missing, changed or does not accept the call",
            Self::NoPermit => "no permit rule allows this",
            Self::Undecidable => "this call cannot be decided",
            Self::Uncertain => "the agent is uncertain about this call",
        }
    }
}

/// The facts that the configuration itself states about a call: limits, mode, person.
#[must_use]
pub fn declared(snapshot: &Snapshot, agent: &AgentId, target: &Target) -> Facts {
    let file = snapshot.agent(agent);
    let limit = |declared: Option<u32>| declared.map_or(i64::MAX, i64::from);
    Facts {
        on_behalf_of: file.and_then(|agent| agent.user.clone()),
        agent_limit_1m: limit(file.and_then(|agent| agent.limits.calls_per_minute)),
        tool_limit_1m: limit(snapshot.tool_limit(agent, target)),
        mode: file.map(|agent| agent.mode).unwrap_or_default(),
        ..Facts::default()
    }
}

/// What would become of a call on these facts.
#[must_use]
pub fn preview(snapshot: &Snapshot, probe: &Probe<'_>) -> Preview {
    let trial = Trial { snapshot, probe };
    match trial.screen().and_then(|()| trial.decide()) {
        Ok(decision) => Preview { decision, stopped: None, complaints: Vec::new() },
        Err(Stopped { by, complaints }) => Preview { decision: trial.refusal(by), stopped: Some(by), complaints },
    }
}

/// The end of a call outside the policies.
struct Stopped {
    by: BuiltIn,
    complaints: Vec<Complaint>,
}

impl From<BuiltIn> for Stopped {
    fn from(by: BuiltIn) -> Self {
        Self { by, complaints: Vec::new() }
    }
}

struct Trial<'a> {
    snapshot: &'a Snapshot,
    probe: &'a Probe<'a>,
}

impl Trial<'_> {
    fn refusal(&self, by: BuiltIn) -> Decision {
        let reason = Reason {
            rule: by.id(self.probe.agent, self.probe.target),
            verdict: Verdict::Deny,
            text: Some(by.reason().into()),
            place: None,
            discharged_by: None,
        };
        Decision {
            verdict: Verdict::Deny,
            reasons: vec![reason],
            permits: Vec::new(),
            obligations: Obligations::default(),
            would: Vec::new(),
            faults: Vec::new(),
            bundle: self.snapshot.bundle.digest().clone(),
        }
    }

    /// What is refused before any policy is asked.
    fn screen(&self) -> Result<(), Stopped> {
        self.check_inventory()?;
        self.check_schema(self.probe.target, self.probe.arguments, BuiltIn::Schema)?;
        self.check_protected()
    }

    fn check_inventory(&self) -> Result<(), Stopped> {
        let Probe { agent, target, arguments, .. } = self.probe;
        let inventory = &self.snapshot.inventory;
        let allowed = match target.operation {
            Operation::GetPrompt => {
                let prompt = arguments.get("name").and_then(Value::as_str).unwrap_or_default();
                inventory.allows_prompt(agent, &target.server, prompt)
            }
            _ => inventory.allows(agent, target),
        };
        allowed.map_err(|_| BuiltIn::Inventory)?;
        // INVARIANT: a declared tool that is not pinned has no schema, so it cannot be validated, so it cannot run.
        match target.operation {
            Operation::Tool(_) if self.snapshot.tool(target).is_none() => Err(BuiltIn::Inventory.into()),
            _ => Ok(()),
        }
    }

    fn check_schema(&self, target: &Target, arguments: &Value, rule: BuiltIn) -> Result<(), Stopped> {
        let Some(tool) = self.snapshot.tool(target) else {
            return Ok(());
        };
        tool.input.check(arguments).map_err(|complaints| Stopped { by: rule, complaints })
    }

    fn check_protected(&self) -> Result<(), Stopped> {
        let Probe { target, arguments, .. } = self.probe;
        let tool = self.snapshot.tool(target);
        let kind = |name: &str| tool.as_ref().map(|tool| tool.description.argument(name).kind).unwrap_or_default();
        // A relative path is read from the project's folder, where servers start unless their file says otherwise.
        let touches = |name: &str, text: &str| self.snapshot.protected.touches("", text, kind(name));
        let mut members = arguments.as_object().into_iter().flatten();
        match members.any(|(name, value)| any_text(value, &|text| touches(name, text))) {
            true => Err(BuiltIn::ProtectedFiles.into()),
            false => Ok(()),
        }
    }

    /// The decision, after what it obliges to was done.
    fn decide(&self) -> Result<Decision, Stopped> {
        let first = self.ask(self.probe.arguments, &self.probe.facts.fulfilled);
        if first.verdict == Verdict::Deny {
            return Ok(first);
        }
        let (decision, arguments) = self.sanitize(first)?;
        let sandboxed = match decision.verdict {
            Verdict::Sandbox => true,
            Verdict::Allow | Verdict::Sanitize => decision.obligations.sandbox.is_some(),
            Verdict::Ask | Verdict::Deny => false,
        };
        if sandboxed { self.sandbox(decision, &arguments) } else { Ok(decision) }
    }

    fn ask(&self, arguments: &Value, fulfilled: &BTreeSet<String>) -> Decision {
        let facts = Facts { fulfilled: fulfilled.clone(), ..self.probe.facts.clone() };
        self.snapshot.bundle.decide(&Request {
            agent: self.probe.agent,
            authn: self.probe.authn,
            action: &self.probe.target.action(),
            server: &self.probe.target.server,
            arguments,
            facts: &facts,
        })
    }

    /// Applies the argument redactions, checks the schema again and decides once more.
    fn sanitize(&self, first: Decision) -> Result<(Decision, Value), Stopped> {
        let met = &self.probe.facts.fulfilled;
        let terms = argument_terms(&first, met)?;
        let mut arguments = self.probe.arguments.clone();
        if terms.is_empty() {
            return Ok((first, arguments));
        }
        detect::apply(Root::Args, &mut arguments, &terms, &PseudonymKey::new(THROWN_AWAY));
        self.check_schema(self.probe.target, &arguments, BuiltIn::SanitizeSchema)?;
        let mut fulfilled = met.clone();
        fulfilled.extend(first.obligations.redact.iter().cloned());
        let second = self.ask(&arguments, &fulfilled);
        if second.verdict == Verdict::Sanitize && !argument_terms(&second, &fulfilled)?.is_empty() {
            return Err(BuiltIn::NotConverging.into());
        }
        Ok((merge(first, second), arguments))
    }

    /// The dry-run twin takes the call, or the guard's fallback decides. Never the tool itself.
    fn sandbox(&self, mut decision: Decision, arguments: &Value) -> Result<Decision, Stopped> {
        let target = self.probe.target;
        let Some(twin) = self.snapshot.tool(target).and_then(|tool| tool.description.dry_run.clone()) else {
            let fallback = decision.obligations.fallback;
            decision.verdict = if fallback == Some(Verdict::Ask) { Verdict::Ask } else { Verdict::Deny };
            return Ok(decision);
        };
        let twin = Target { server: target.server.clone(), operation: Operation::Tool(twin) };
        if self.snapshot.tool(&twin).is_none() {
            return Err(BuiltIn::Twin.into());
        }
        self.check_schema(&twin, arguments, BuiltIn::Twin)?;
        Ok(decision)
    }
}

/// The redactions of the arguments that are still to be made.
fn argument_terms(decision: &Decision, fulfilled: &BTreeSet<String>) -> Result<Vec<Redaction>, Stopped> {
    let mut terms = Vec::new();
    for text in &decision.obligations.redact {
        terms.extend(parse_redactions(text).map_err(|_| BuiltIn::SanitizeFailed)?);
    }
    terms.retain(|term| term.root == Root::Args && !fulfilled.contains(&term.to_string()));
    Ok(terms)
}

/// One decision out of the two: the second's verdict, but never looser than having sanitised, and the reasons of both.
fn merge(first: Decision, second: Decision) -> Decision {
    let verdict = if second.verdict == Verdict::Allow { Verdict::Sanitize } else { second.verdict };
    let mut reasons = second.reasons;
    for reason in first.reasons {
        if reason.verdict == Verdict::Sanitize && !reasons.iter().any(|known| known.rule == reason.rule) {
            reasons.push(reason);
        }
    }
    reasons.sort_by(|a, b| b.verdict.cmp(&a.verdict).then_with(|| a.rule.cmp(&b.rule)));
    let mut faults = first.faults;
    faults.extend(second.faults);
    let mut obligations = second.obligations;
    obligations.redact.extend(first.obligations.redact);
    Decision { verdict, reasons, faults, obligations, ..second }
}

/// Whether any text in a value has the property.
fn any_text(value: &Value, has: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => has(text),
        Value::Array(items) => items.iter().any(|item| any_text(item, has)),
        Value::Object(members) => members.values().any(|member| any_text(member, has)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
