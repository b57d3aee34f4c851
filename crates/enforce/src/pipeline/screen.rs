//! What is refused before any policy is asked: undeclared, drifted, malformed, or aimed at Mortise itself.

use super::case::Case;
use super::{Answer, Pipeline};
use crate::built_in::BuiltIn;
use crate::input::LiveThen;
use crate::refusal::Refusal;
use crate::screening;
use crate::session::lock;
use crate::validate::Complaint;
use vocab::id::RuleId;
use vocab::{Decision, Fault, Obligations, Reason, Verdict};

/// Failed validations of one tool after which the agent counts as uncertain.
pub(crate) const UNCERTAIN_AFTER_FAILURES: u64 = 2;

/// A refusal by a rule that is built in.
pub(super) struct Stop {
    pub(super) rule: RuleId,
    pub(super) reason: String,
    pub(super) schema: Vec<Complaint>,
    pub(super) allowed: &'static str,
    pub(super) how_to_ask: &'static str,
    pub(super) faults: Vec<Fault>,
}

impl Stop {
    pub(super) fn new(rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            rule: RuleId::new(rule.into()),
            reason: reason.into(),
            schema: Vec::new(),
            allowed: "",
            how_to_ask: "ask the operator of this gateway",
            faults: Vec::new(),
        }
    }

    /// A refusal by one of the rules that a preview knows too.
    pub(super) fn built_in(rule: BuiltIn, case: &Case) -> Self {
        let (allowed, how_to_ask) = match rule {
            BuiltIn::Inventory => (
                "only what this agent's inventory file declares and `mortise.lock` pins",
                "ask the agent's owner to request the privilege (`may_request`) or to declare it",
            ),
            BuiltIn::Schema | BuiltIn::SanitizeSchema => {
                ("arguments that match the tool's schema", "correct the arguments and call again")
            }
            _ => ("", "ask the operator of this gateway"),
        };
        let rule_id = rule.id(&case.call.principal.agent, &case.call.target);
        Self { allowed, how_to_ask, ..Self::new(rule_id.as_str(), rule.reason()) }
    }

    /// The decision this refusal is.
    pub(super) fn decision(&self, case: &Case) -> Decision {
        Decision {
            verdict: Verdict::Deny,
            reasons: vec![Reason {
                rule: self.rule.clone(),
                verdict: Verdict::Deny,
                text: Some(self.reason.as_str().into()),
                place: None,
                discharged_by: None,
            }],
            permits: Vec::new(),
            obligations: Obligations::default(),
            would: Vec::new(),
            faults: self.faults.clone(),
            bundle: case.snapshot.bundle.digest().clone(),
        }
    }
}

impl Pipeline {
    /// The checks that come before policy, cheapest and widest first.
    pub(super) fn screen(case: &mut Case) -> Result<(), Stop> {
        let (snapshot, call) = (&case.snapshot, &case.call);
        let arguments = call.arguments.examine();
        let tool = case.tool.as_deref();
        screening::inventory(snapshot, &call.principal.agent, &call.target, tool, arguments)
            .map_err(|rule| Stop::built_in(rule, case))?;
        if let Some(tool) = tool {
            let live = LiveThen::from(&case.route.live(&call.target));
            let pinned = screening::pin(tool, &live);
            case.seen.live = Some(live);
            pinned.map_err(|reason| Stop {
                how_to_ask: "ask the operator to review the change and run `mortise lock`",
                ..Stop::new(format!("pin/{}", case.call.action()), reason)
            })?;
        }
        let tool = case.tool.as_deref();
        screening::schema(tool, arguments).map_err(|schema| {
            lock(&case.in_flight.session).facts.validation_failed(case.call.action());
            Stop { schema, ..Stop::built_in(BuiltIn::Schema, case) }
        })?;
        let touches = screening::protected(snapshot, &case.route.working_directory(), tool, arguments);
        case.seen.protected = Some(touches.is_err());
        touches.map_err(|rule| Stop::built_in(rule, case))
    }

    /// Records a refusal by a built-in rule and tells the agent.
    pub(super) async fn stop(&self, case: &mut Case, stop: Stop) -> Answer {
        let decision = stop.decision(case);
        self.refuse(case, &decision, |refusal: &mut Refusal| {
            refusal.schema = stop.schema;
            if !stop.allowed.is_empty() {
                stop.allowed.clone_into(&mut refusal.allowed);
            }
            stop.how_to_ask.clone_into(&mut refusal.how_to_ask);
        })
        .await
    }
}
