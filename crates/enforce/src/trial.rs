//! A call taken through screening, deciding and sanitising on stated facts: what a preview shows and a replay repeats.
//!
//! In the order of the pipeline, with its checks, its bundle and its redactors. What only the moment could say - the live
//! server, the people, the clock - is stated in [`Seen`]; what nobody looked at then is taken to be in order.

use crate::built_in::BuiltIn;
use crate::input::{LiveThen, Seen};
use crate::permit::Confinement;
use crate::preview::Probe;
use crate::snapshot::{Snapshot, ToolEntry};
use crate::validate::Complaint;
use crate::{late, sanitizing, screening};
use detect::{PseudonymKey, Redaction, Root};
use policy::{Facts, Request};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::RuleId;
use vocab::{Decision, Obligations, Operation, Reason, Target, Verdict};

/// The key of pseudonyms in a trial. What is made with it is checked and thrown away, never shown.
const THROWN_AWAY: [u8; 32] = [0; 32];

/// A call on stated facts.
#[derive(Clone, Copy)]
pub(crate) struct Trial<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) probe: &'a Probe<'a>,
    pub(crate) seen: &'a Seen,
}

/// What became of it.
pub(crate) struct Tried {
    /// As it would be recorded.
    pub(crate) decision: Decision,
    /// The built-in rule of a preview that ended it outside the policies.
    pub(crate) stopped: Option<BuiltIn>,
    /// What the schema objects to.
    pub(crate) complaints: Vec<Complaint>,
    /// Argument redactions made, by term, as they would be recorded.
    pub(crate) redactions: BTreeMap<String, u64>,
    /// How the tool is confined; `None` when the call does not leave.
    pub(crate) confinement: Option<Confinement>,
}

/// The end of a call outside the policies.
struct Stopped {
    by: Option<BuiltIn>,
    rule: RuleId,
    reason: &'static str,
    complaints: Vec<Complaint>,
}

/// The call as it would leave.
struct Left {
    decision: Decision,
    arguments: Value,
    redactions: BTreeMap<String, u64>,
    confinement: Confinement,
}

impl Left {
    fn unredacted(decision: Decision, arguments: Value) -> Self {
        Self { decision, arguments, redactions: BTreeMap::new(), confinement: Confinement::None }
    }
}

impl<'a> Trial<'a> {
    /// Takes the call through.
    pub(crate) fn run(&self) -> Tried {
        match self.screen().and_then(|()| self.decide()) {
            Ok(Left { decision, redactions, confinement, .. }) => {
                let redactions = if decision.verdict == Verdict::Deny { BTreeMap::new() } else { redactions };
                let confinement = Some(confinement).filter(|_| decision.verdict < Verdict::Ask);
                Tried { decision, stopped: None, complaints: Vec::new(), redactions, confinement }
            }
            Err(stopped) => Tried {
                decision: self.refusal(&stopped),
                stopped: stopped.by,
                complaints: stopped.complaints,
                redactions: BTreeMap::new(),
                confinement: None,
            },
        }
    }

    /// The refusal of what the inventory does not declare; `None` for what it does. Looks at no argument, but of a prompt.
    pub(crate) fn undeclared(&self) -> Option<Decision> {
        let Probe { agent, target, arguments, .. } = self.probe;
        let found = screening::inventory(self.snapshot, agent, target, self.tool(target), arguments);
        found.err().map(|by| self.refusal(&self.stop(by)))
    }

    fn refusal(&self, stopped: &Stopped) -> Decision {
        let reason = Reason {
            rule: stopped.rule.clone(),
            verdict: Verdict::Deny,
            text: Some(stopped.reason.into()),
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

    fn stop(&self, by: BuiltIn) -> Stopped {
        let rule = by.id(self.probe.agent, self.probe.target);
        Stopped { by: Some(by), rule, reason: by.reason(), complaints: Vec::new() }
    }

    fn stop_otherwise(rule: impl Into<String>, reason: &'static str) -> Stopped {
        Stopped { by: None, rule: RuleId::new(rule.into()), reason, complaints: Vec::new() }
    }

    /// What is refused before any policy is asked.
    fn screen(&self) -> Result<(), Stopped> {
        let Probe { agent, target, arguments, .. } = self.probe;
        let tool = self.tool(target);
        screening::inventory(self.snapshot, agent, target, tool, arguments).map_err(|by| self.stop(by))?;
        if let (Some(tool), Some(live)) = (tool, &self.seen.live) {
            screening::pin(tool, live)
                .map_err(|reason| Self::stop_otherwise(format!("pin/{}", target.action()), reason))?;
        }
        self.check_schema(target, arguments, BuiltIn::Schema)?;
        // A relative path is read from the project's folder, where servers start unless their file says otherwise.
        let touches =
            self.seen.protected.unwrap_or_else(|| screening::protected(self.snapshot, "", tool, arguments).is_err());
        if touches {
            return Err(self.stop(BuiltIn::ProtectedFiles));
        }
        let pinned = tool.map(|tool| &tool.description.definition);
        match (&self.seen.approved, pinned) {
            (Some(approved), Some(pinned)) if approved.definition != *pinned => {
                Err(Self::stop_otherwise(screening::APPROVED_OTHERWISE.0, screening::APPROVED_OTHERWISE.1))
            }
            _ => Ok(()),
        }
    }

    fn check_schema(&self, target: &Target, arguments: &Value, rule: BuiltIn) -> Result<(), Stopped> {
        let checked = screening::schema(self.tool(target), arguments);
        checked.map_err(|complaints| Stopped { complaints, ..self.stop(rule) })
    }

    fn tool(&self, target: &Target) -> Option<&'a ToolEntry> {
        self.snapshot.tool(target).map(|tool| &**tool)
    }

    /// The decision, after what it obliges to was done.
    fn decide(&self) -> Result<Left, Stopped> {
        let facts = self.probe.facts;
        let mut first = self.ask(self.probe.arguments, facts);
        if let Some(us) = self.seen.late_us {
            first = late::refused(first, us);
        }
        if first.verdict == Verdict::Deny {
            return Ok(Left::unredacted(first, Value::Null));
        }
        let left = self.sanitize(first)?;
        match left.decision.verdict {
            Verdict::Deny => Ok(left),
            Verdict::Ask => self.person(left),
            Verdict::Sandbox => self.sandbox(left),
            Verdict::Allow | Verdict::Sanitize if left.decision.obligations.sandbox.is_some() => self.sandbox(left),
            Verdict::Allow | Verdict::Sanitize => Ok(left),
        }
    }

    fn ask(&self, arguments: &Value, facts: &Facts) -> Decision {
        self.snapshot.bundle.decide(&Request {
            agent: self.probe.agent,
            authn: self.probe.authn,
            action: &self.probe.target.action(),
            server: &self.probe.target.server,
            arguments,
            facts,
        })
    }

    /// Applies the argument redactions, checks the schema again and decides once more.
    fn sanitize(&self, first: Decision) -> Result<Left, Stopped> {
        let stop = |by| self.stop(by);
        let met = &self.probe.facts.fulfilled;
        let terms = sanitizing::argument_terms(&first, met).map_err(stop)?;
        // What is to be done to the result has to be understood before anything runs.
        sanitizing::result_terms(&first).map_err(stop)?;
        if terms.is_empty() {
            let arguments = self.probe.arguments.clone();
            return Ok(Left::unredacted(first, arguments));
        }
        let (arguments, redactions) = self.redact(&terms);
        self.check_schema(self.probe.target, &arguments, BuiltIn::SanitizeSchema)?;
        let mut fulfilled = met.clone();
        fulfilled.extend(first.obligations.redact.iter().cloned());
        let mut second = self.ask(&arguments, &Facts { fulfilled: fulfilled.clone(), ..self.probe.facts.clone() });
        if let Some(us) = self.seen.late_again_us {
            second = late::refused(second, us);
        }
        let decision = sanitizing::merge(first, second, &fulfilled).map_err(stop)?;
        Ok(Left { decision, arguments, redactions, confinement: Confinement::None })
    }

    /// The arguments without what is taken out; those that were left then, if the same was taken out.
    fn redact(&self, terms: &[Redaction]) -> (Value, BTreeMap<String, u64>) {
        let mut arguments = self.probe.arguments.clone();
        let applied = detect::apply(Root::Args, &mut arguments, terms, &PseudonymKey::new(THROWN_AWAY));
        let redactions = applied.into_iter().map(|made| (made.redaction.to_string(), made.count)).collect();
        let names: BTreeSet<String> = terms.iter().map(ToString::to_string).collect();
        if let Some(then) = self.seen.redacted.as_ref().filter(|then| then.terms == names) {
            arguments.clone_from(&then.arguments);
        }
        (arguments, redactions)
    }

    /// A person is asked, unless that could not be done.
    fn person(&self, left: Left) -> Result<Left, Stopped> {
        match self.seen.not_asked {
            Some(why) => Err(Self::stop_otherwise(why.rule().0, why.rule().1)),
            None => Ok(left),
        }
    }

    /// The dry-run twin takes the call, or the guard's fallback decides. Never the tool itself, unless a person agreed.
    fn sandbox(&self, mut left: Left) -> Result<Left, Stopped> {
        let target = self.probe.target;
        let Some(twin) = self.tool(target).and_then(|tool| tool.description.dry_run.clone()) else {
            let fallback = left.decision.obligations.fallback == Some(Verdict::Ask);
            let is_approved = self.seen.approved.is_some();
            return match (fallback, is_approved) {
                (true, false) => {
                    left.decision.verdict = Verdict::Ask;
                    self.person(left)
                }
                (true, true)
                    if sanitizing::is_agreed(&self.snapshot.bundle, &left.decision, &self.probe.facts.discharges) =>
                {
                    Ok(left)
                }
                _ => {
                    left.decision.verdict = Verdict::Deny;
                    Ok(left)
                }
            };
        };
        let twin = Target { server: target.server.clone(), operation: Operation::Tool(twin) };
        let found = self.tool(&twin).ok_or_else(|| self.stop(BuiltIn::Twin))?;
        let pinned = LiveThen::Definition(found.description.definition.clone());
        if self.seen.twin.as_ref().is_some_and(|live| *live != pinned) {
            return Err(self.stop(BuiltIn::Twin));
        }
        self.check_schema(&twin, &left.arguments, BuiltIn::Twin)?;
        Ok(Left { confinement: Confinement::DryRun, ..left })
    }
}
