//! One record after the other: found, decided again, counted.

use super::compare::{self, Side};
use super::earlier::{Configurations, Earlier};
use super::remains;
use super::report::{Difference, How, Report};
use enforce::replay::{Declared, Redecided, redecide, redecide_without_arguments};
use enforce::{Confinement, DecisionInput, Inputs, Kept, Snapshot};
use serde_json::Value;
use std::collections::HashMap;
use std::rc::Rc;
use vocab::event::{Event, Kind, PayloadClass};
use vocab::{FaultKind, Target, UNDECLARED};

/// Under which policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Those that decided: every answer has to be the recorded one.
    Same,
    /// Others: what they would have answered.
    Others,
}

/// Which decisions, and how much is told of each difference.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Made at this time or later, microseconds since the epoch.
    pub since_us: Option<i64>,
    /// Of this agent.
    pub agent: Option<String>,
    /// Most examples of one kind.
    pub examples: usize,
}

/// A replay on its way through a log.
pub struct Replay<'a> {
    snapshot: &'a Snapshot,
    earlier: Earlier<'a>,
    aim: Aim,
    selection: Selection,
    inputs: &'a dyn Inputs,
    hash: Option<KeyedHash<'a>>,
    report: Report,
    /// Calls that were decided to leave and have not yet, by id: at most [`MAX_LEAVING`].
    leaving: HashMap<String, Leaving>,
}

/// A call that was decided again and leaves.
struct Leaving {
    how: How,
    now: Redecided,
    confinement: Confinement,
}

/// Calls whose dispatch is waited for. Far more than are in flight: what is left of those before never left, and is
/// forgotten.
const MAX_LEAVING: usize = 4_096;

/// The log's keyed hash of bytes, where the key is there: by it a document's arguments are those of the record.
pub type KeyedHash<'a> = &'a dyn Fn(&[u8]) -> String;

/// The configuration that decides a call again.
enum Under<'a> {
    /// The one the replay was begun with.
    Present(&'a Snapshot),
    /// The one that decided then.
    Earlier(Rc<Snapshot>),
}

impl Under<'_> {
    fn snapshot(&self) -> &Snapshot {
        match self {
            Self::Present(snapshot) => snapshot,
            Self::Earlier(snapshot) => snapshot,
        }
    }
}

/// How a decision's document was found.
enum Found {
    Document(Box<DecisionInput>),
    Gone,
    Altered,
    Unreadable(String),
}

/// Why there is no document of a decision.
fn gone(event: &Event<'_>) -> &'static str {
    match event.payloads.iter().any(|payload| payload.class == PayloadClass::DecisionInput) {
        true => "its input is not there any more, pruned or erased",
        false => "its input was not kept",
    }
}

impl<'a> Replay<'a> {
    /// A replay under this configuration. What another one has decided is decided again under that one, where `earlier` has
    /// it; unless the aim is what this one would have said.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        earlier: Configurations<'a>,
        aim: Aim,
        selection: Selection,
        inputs: &'a dyn Inputs,
        hash: Option<KeyedHash<'a>>,
    ) -> Self {
        let report = Report::new(snapshot.bundle.digest().to_string(), snapshot.revision().to_string());
        let earlier = Earlier::new(earlier);
        Self { snapshot, earlier, aim, selection, inputs, hash, report, leaving: HashMap::new() }
    }

    /// Takes the next record.
    pub fn take(&mut self, index: u64, event: &Event<'_>) {
        if event.kind == Kind::ToolDispatch {
            self.dispatched(index, event);
        }
        if event.kind != Kind::PolicyDecision || !self.is_selected(event) {
            return;
        }
        self.report.look(event.t);
        match self.decide(index, event) {
            Ok((how, now)) => {
                self.report.count(how);
                if !compare::is_same(event, &now, self.aim) {
                    self.differs(index, event, how, now, None);
                } else if let (Aim::Same, Some(confinement), Some(call)) = (self.aim, now.confinement, &event.call) {
                    if self.leaving.len() >= MAX_LEAVING {
                        self.leaving.clear();
                    }
                    self.leaving.insert(call.as_ref().to_owned(), Leaving { how, now, confinement });
                }
            }
            Err(why) => self.report.not_replayable(why),
        }
    }

    /// What was found.
    #[must_use]
    pub fn finish(self) -> Report {
        self.report.finished()
    }

    fn is_selected(&self, event: &Event<'_>) -> bool {
        self.selection.since_us.is_none_or(|since| event.t >= since)
            && self.selection.agent.as_deref().is_none_or(|agent| event.agent.as_deref() == Some(agent))
    }

    fn decide(&mut self, index: u64, event: &Event<'_>) -> Result<(How, Redecided), String> {
        if event.faults.iter().any(|fault| fault.kind == FaultKind::Panic) {
            return Err("a defect ended the decision".to_owned());
        }
        let under = self.under(event)?;
        let snapshot = under.snapshot();
        let declared = if self.aim == Aim::Same { Declared::Then } else { Declared::Now };
        let (how, now) = match self.find(event) {
            Found::Document(input) => {
                let now = redecide(snapshot, &input, declared);
                (How::Exact, now.ok_or("its operation is not known to this version")?)
            }
            Found::Gone => {
                let remains = remains::of(event, snapshot, self.aim)?;
                let now = redecide_without_arguments(snapshot, &remains, declared);
                (How::FromFacts, now.map_err(|lacking| format!("{}, and {lacking}", gone(event)))?)
            }
            Found::Altered => {
                self.report.altered(index, event.call.as_deref().unwrap_or_default(), self.selection.examples);
                return Err("its input was altered".to_owned());
            }
            Found::Unreadable(why) => return Err(format!("its input is {why}")),
        };
        if self.aim == Aim::Same && self.is_of_other_files(event, &now, snapshot) {
            return Err("the files around the policies were other ones".to_owned());
        }
        if matches!(under, Under::Earlier(_)) {
            self.report.summary.earlier += 1;
        }
        Ok((how, now))
    }

    /// Under which configuration a call is decided again: the very one that decided, if it is kept; one with other files and
    /// the same policies, if it is not.
    fn under(&mut self, event: &Event<'_>) -> Result<Under<'a>, String> {
        let present = self.snapshot;
        let is_of_bundle = event.policy_bundle.as_deref() == Some(present.bundle.digest().as_str());
        let is_of_files = event.config_revision.as_deref() == Some(present.revision().as_str());
        if self.aim == Aim::Others || is_of_bundle && is_of_files {
            return Ok(Under::Present(present));
        }
        match self.earlier.of(event) {
            Ok(earlier) => Ok(Under::Earlier(earlier)),
            Err(_) if is_of_bundle => Ok(Under::Present(present)),
            Err(why) => Err(why),
        }
    }

    /// The document that the record refers to. It has to be the one of this call, whoever kept it.
    fn find(&self, event: &Event<'_>) -> Found {
        let payload = event.payloads.iter().find(|payload| payload.class == PayloadClass::DecisionInput);
        let Some(payload) = payload else { return Found::Gone };
        let bytes = match self.inputs.input(payload, event.t) {
            Kept::Whole(bytes) => bytes,
            Kept::Gone => return Found::Gone,
            Kept::Altered => return Found::Altered,
        };
        if u64::try_from(bytes.len()).ok() != Some(payload.bytes) {
            return Found::Altered;
        }
        match DecisionInput::from_bytes(&bytes) {
            Ok(input) if self.is_of(event, &input) => Found::Document(Box::new(input)),
            Ok(_) => Found::Altered,
            Err(error) => Found::Unreadable(error.to_string()),
        }
    }

    fn is_of(&self, event: &Event<'_>, input: &DecisionInput) -> bool {
        let call = &input.call;
        let names = event.call.as_deref() == Some(call.id.as_str())
            && event.agent.as_deref() == Some(call.agent.as_str())
            && event.session.as_deref() == Some(call.session.as_str())
            && event.authn == Some(call.authn)
            && event.server.as_deref() == Some(call.server.as_str())
            && self.is_of_tool(event, call.target().as_ref());
        // A stored call may have been redacted before it was stored: the record's hash is of what came in.
        let hashed = match (self.hash, &event.args_hash, input.seen.approved.is_none()) {
            (Some(hash), Some(recorded), true) => hash(&canon::json::canonical(&call.arguments)) == **recorded,
            _ => true,
        };
        names && hashed
    }

    /// A name that nobody declared may be recorded as its digest alone, which only the log's key tells.
    fn is_of_tool(&self, event: &Event<'_>, target: Option<&Target>) -> bool {
        let (recorded, called) = (event.tool_name.as_deref(), target.map(Target::tool_name));
        match (event.detail.get("tool_digest").and_then(Value::as_str), called) {
            (Some(digest), Some(called)) if recorded == Some(UNDECLARED) => {
                self.hash.is_none_or(|hash| hash(&canon::json::canonical(&Value::from(called))) == digest)
            }
            _ => recorded == called,
        }
    }

    /// Whether the same policies stood among other files, and one of the answers is due to those: what the inventory
    /// declares, and what is pinned, is beside the bundle.
    fn is_of_other_files(&self, event: &Event<'_>, now: &Redecided, snapshot: &Snapshot) -> bool {
        let beside = |rule: &str| {
            ["inventory/", "pin/", "schema/", "sandbox/", "approval/"].iter().any(|first| rule.starts_with(first))
        };
        let reasons = event.reasons.iter().chain(&now.decision.reasons);
        event.config_revision.as_deref() != Some(snapshot.revision().as_str())
            && !compare::is_same(event, now, self.aim)
            && reasons.into_iter().any(|reason| reason.place.is_none() && beside(reason.rule.as_str()))
    }

    /// The tool has to have been confined as the decision says.
    fn dispatched(&mut self, index: u64, event: &Event<'_>) {
        let Some(leaving) = event.call.as_deref().and_then(|call| self.leaving.remove(call)) else { return };
        let Leaving { how, now, confinement } = leaving;
        let then = event.confinement.as_deref().unwrap_or_default();
        if then != confinement.as_str() {
            let line = format!("confined: then {then}, now {}", confinement.as_str());
            self.differs(index, event, how, now, Some(line));
        }
    }

    fn differs(&mut self, index: u64, event: &Event<'_>, how: How, now: Redecided, confined: Option<String>) {
        let now = Side::now(now);
        // A dispatch says nothing of the decision, which was the same.
        let Some(then) = Side::recorded(event).or_else(|| confined.is_some().then(|| now.clone())) else { return };
        let mut change = compare::change(&then, &now, self.aim);
        change.because.extend(confined);
        let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
        let action = remains::target(event).map(|target| target.action()).unwrap_or_default();
        let (call, agent) = (text(&event.call), text(&event.agent));
        let found = Difference { index, call, t: event.t, agent, action, how, change, then, now };
        let is_other = self.aim == Aim::Same || compare::is_done_otherwise(&found.then, &found.now);
        self.report.differs(found, is_other, self.selection.examples);
    }
}
