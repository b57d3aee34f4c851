//! What a path into the context stands for: `context.session.calls` is found when a rule is read, not when it is evaluated.
//!
//! Says the same as `context`, which builds the same members as Cedar's values; tests hold the two together.

use super::value::{Record, Set, Value, Values};
use crate::arguments::argument;
use crate::context::{Known, origins_of};
use crate::parts::Part;
use crate::schema::ActionShape;
use vocab::{ArgumentClass, Origin};

/// A member of a part of the context.
#[derive(Debug)]
pub(super) enum Member {
    /// One that every action has, or may have.
    Fact(Fact),
    /// One of a part that is different for every action.
    Named(Part, Box<str>),
}

/// The members of those parts that are the same for all actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Hosts,
    Paths,
    SqlClasses,
    Commands,
    Now,
    ChainDepth,
    Effect,
    RequestAttested,
    Unrepresentable,
    Purpose,
    Confidence,
    OnBehalfOf,
    Destination,
    Calls,
    Denials,
    CostMicrousd,
    InFlight,
    Calls1m,
    ToolCalls1m,
    AgentLimit1m,
    ToolLimit1m,
    Mode,
    Integrity,
    Confidentiality,
    Sources,
    Origin(ArgumentClass),
    Worst,
    Kinds,
}

/// Their names.
const FACTS: [(Part, &str, Fact); 32] = [
    (Part::Targets, "hosts", Fact::Hosts),
    (Part::Targets, "paths", Fact::Paths),
    (Part::Targets, "sql_classes", Fact::SqlClasses),
    (Part::Targets, "commands", Fact::Commands),
    (Part::Call, "now", Fact::Now),
    (Part::Call, "chain_depth", Fact::ChainDepth),
    (Part::Call, "effect", Fact::Effect),
    (Part::Call, "request_attested", Fact::RequestAttested),
    (Part::Call, "unrepresentable", Fact::Unrepresentable),
    (Part::Call, "purpose", Fact::Purpose),
    (Part::Call, "confidence", Fact::Confidence),
    (Part::Call, "on_behalf_of", Fact::OnBehalfOf),
    (Part::Call, "destination", Fact::Destination),
    (Part::Session, "calls", Fact::Calls),
    (Part::Session, "denials", Fact::Denials),
    (Part::Session, "cost_microusd", Fact::CostMicrousd),
    (Part::Session, "in_flight", Fact::InFlight),
    (Part::Session, "calls_1m", Fact::Calls1m),
    (Part::Session, "tool_calls_1m", Fact::ToolCalls1m),
    (Part::Session, "agent_limit_1m", Fact::AgentLimit1m),
    (Part::Session, "tool_limit_1m", Fact::ToolLimit1m),
    (Part::Session, "mode", Fact::Mode),
    (Part::Labels, "integrity", Fact::Integrity),
    (Part::Labels, "confidentiality", Fact::Confidentiality),
    (Part::Labels, "sources", Fact::Sources),
    (Part::Origin, ArgumentClass::Content.as_str(), Fact::Origin(ArgumentClass::Content)),
    (Part::Origin, ArgumentClass::Critical.as_str(), Fact::Origin(ArgumentClass::Critical)),
    (Part::Origin, ArgumentClass::Free.as_str(), Fact::Origin(ArgumentClass::Free)),
    (Part::Origin, ArgumentClass::Object.as_str(), Fact::Origin(ArgumentClass::Object)),
    (Part::Origin, ArgumentClass::Target.as_str(), Fact::Origin(ArgumentClass::Target)),
    (Part::Findings, "worst", Fact::Worst),
    (Part::Findings, "kinds", Fact::Kinds),
];

impl Member {
    /// What a name stands for; `None` when no action has such a member.
    pub(super) fn named(part: Part, name: &str) -> Option<Self> {
        if is_of_action(part) {
            return Some(Self::Named(part, name.into()));
        }
        fact(part, name).map(Self::Fact)
    }

    /// Its value in a call; `None` when it is not there.
    pub(super) fn of<'a>(&self, known: &'a Known<'a>) -> Option<Value<'a>> {
        match self {
            Self::Fact(fact) => fact.of(known),
            Self::Named(part, name) => of_action(*part, name, known),
        }
    }
}

/// The value of a member by its name; `None` when it is not there.
pub(super) fn look_up<'a>(part: Part, name: &str, known: &'a Known<'a>) -> Option<Value<'a>> {
    if is_of_action(part) { of_action(part, name, known) } else { fact(part, name)?.of(known) }
}

/// Every member of a part that is there.
pub(super) fn each<'a>(part: Part, known: &'a Known<'a>, mut take: impl FnMut(&'a str, &Value<'a>)) {
    let mut add = |name: &'a str, value: Option<Value<'a>>| {
        if let Some(value) = value {
            take(name, &value);
        }
    };
    match part {
        Part::Args | Part::Derived => {
            known.action.arguments.fields.keys().for_each(|name| add(name, of_action(part, name, known)));
        }
        Part::ArgOrigin => known.action.argument_names.iter().for_each(|name| add(name, of_action(part, name, known))),
        _ => {
            let members = FACTS.iter().filter(|(of, ..)| *of == part);
            members.for_each(|(_, name, fact)| add(name, fact.of(known)));
        }
    }
}

const fn is_of_action(part: Part) -> bool {
    matches!(part, Part::Args | Part::Derived | Part::ArgOrigin)
}

fn fact(part: Part, name: &str) -> Option<Fact> {
    FACTS.iter().find(|(of, this, _)| *of == part && *this == name).map(|(.., fact)| *fact)
}

fn of_action<'a>(part: Part, name: &str, known: &'a Known<'a>) -> Option<Value<'a>> {
    let (action, arguments) = (known.action, known.arguments);
    match part {
        Part::Args => Record::Argument(&action.arguments, arguments).get(name),
        Part::Derived => {
            action.arguments.fields.get(name).filter(|field| ActionShape::is_text(&field.shape))?;
            let text = argument(name, arguments)?.as_str()?;
            Some(Value::Record(Record::Derived { bytes: i64::try_from(text.len()).unwrap_or(i64::MAX) }))
        }
        Part::ArgOrigin => {
            action.argument_names.iter().find(|declared| ***declared == *name)?;
            let present = argument(name, arguments).map(|_| origins_of(name, known.facts));
            Some(origins(crate::vocabulary::bits(present.into_iter().flatten(), Origin::ALL)))
        }
        _ => None,
    }
}

const fn origins<'a>(bits: usize) -> Value<'a> {
    Value::Set(Set(Values::Origins(bits)))
}

impl Fact {
    fn of<'a>(self, known: &'a Known<'a>) -> Option<Value<'a>> {
        let facts = known.facts;
        let texts = |texts| Value::Set(Set(Values::Texts(texts)));
        Some(match self {
            Self::Hosts => texts(&facts.targets.hosts),
            Self::Paths => texts(&facts.targets.paths),
            Self::SqlClasses => texts(&facts.targets.sql_classes),
            Self::Commands => texts(&facts.targets.commands),
            Self::Now => Value::Long(facts.now_s),
            Self::ChainDepth => Value::Long(facts.chain_depth),
            Self::Effect => Value::word("Effect", known.action.effect.as_str()),
            Self::RequestAttested => Value::Bool(facts.request_attested),
            Self::Unrepresentable => Value::Bool(known.is_unrepresentable()),
            Self::Purpose => Value::Text(facts.purpose.as_deref()?),
            Self::Confidence => Value::Long(i64::from(facts.confidence?)),
            Self::OnBehalfOf => Value::word("User", facts.on_behalf_of.as_ref()?.as_str()),
            Self::Destination => Value::Text(facts.destination.as_deref()?),
            Self::Calls => Value::Long(facts.calls),
            Self::Denials => Value::Long(facts.denials),
            Self::CostMicrousd => Value::Long(facts.cost_microusd),
            Self::InFlight => Value::Long(facts.in_flight),
            Self::Calls1m => Value::Long(facts.calls_1m),
            Self::ToolCalls1m => Value::Long(facts.tool_calls_1m),
            Self::AgentLimit1m => Value::Long(facts.agent_limit_1m),
            Self::ToolLimit1m => Value::Long(facts.tool_limit_1m),
            Self::Mode => Value::Text(known.mode.as_str()),
            Self::Integrity => Value::word("Integrity", facts.integrity.as_str()),
            Self::Confidentiality => Value::Set(Set(Values::Confidentialities(&facts.confidentiality))),
            Self::Sources => texts(&facts.sources),
            Self::Origin(class) => origins(known.origins_of_class(class)),
            Self::Worst => Value::word("Severity", &facts.findings.worst),
            Self::Kinds => Value::Set(Set(Values::Words("FindingKind", &facts.findings.kinds))),
        })
    }
}
