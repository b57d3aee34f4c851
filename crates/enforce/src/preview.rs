//! A call taken through the checks and the decision without a server, a session or the log.
//!
//! What a suite asks: the same inventory, schemas, built-in refusals, bundle and redactors as in the pipeline, in the
//! same order, on stated facts. What only a live server can say - whether its definition is still the pinned one - is
//! taken to be so.

pub use crate::built_in::BuiltIn;
use crate::snapshot::{Snapshot, ToolEntry};
use crate::validate::Complaint;
use crate::{sanitizing, screening};
use detect::{PseudonymKey, Root};
use policy::{Facts, Request};
use serde_json::Value;
use std::collections::BTreeSet;
use vocab::id::AgentId;
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
        let Probe { agent, target, arguments, .. } = self.probe;
        let tool = self.tool(target);
        screening::inventory(self.snapshot, agent, target, tool, arguments)?;
        self.check_schema(target, arguments, BuiltIn::Schema)?;
        // A relative path is read from the project's folder, where servers start unless their file says otherwise.
        Ok(screening::protected(self.snapshot, "", tool, arguments)?)
    }

    fn check_schema(&self, target: &Target, arguments: &Value, rule: BuiltIn) -> Result<(), Stopped> {
        screening::schema(self.tool(target), arguments).map_err(|complaints| Stopped { by: rule, complaints })
    }

    fn tool(&self, target: &Target) -> Option<&ToolEntry> {
        self.snapshot.tool(target).map(|tool| &**tool)
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
        let terms = sanitizing::argument_terms(&first, met)?;
        let mut arguments = self.probe.arguments.clone();
        if terms.is_empty() {
            return Ok((first, arguments));
        }
        detect::apply(Root::Args, &mut arguments, &terms, &PseudonymKey::new(THROWN_AWAY));
        self.check_schema(self.probe.target, &arguments, BuiltIn::SanitizeSchema)?;
        let mut fulfilled = met.clone();
        fulfilled.extend(first.obligations.redact.iter().cloned());
        let second = self.ask(&arguments, &fulfilled);
        Ok((sanitizing::merge(first, second, &fulfilled)?, arguments))
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
