//! Facts and arguments, checked, and as the Cedar context of a request.
//!
//! The context is for rules that are left to Cedar, and for comparing. It is built from typed values: Cedar's JSON
//! constructors cost ten times as much.

use crate::arguments::{Fit, fit_record, present_fields};
use crate::parts::{Members, Part, Parts};
use crate::request::{Facts, Request};
use crate::schema::ActionShape;
use crate::vocabulary::{FINDING_KINDS, Names, SEVERITIES, bits};
use cedar_policy::{Context, RestrictedExpression};
use serde_json::{Map, Value};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use vocab::{ArgumentClass, Confidentiality, Mode, Origin};

/// Why a request could not be built. Says nothing of argument values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ContextError {
    /// Arguments are not an object.
    #[error("the arguments are not an object")]
    NotAnObject,
    /// A required argument is absent or of another type.
    #[error("a required argument is missing or of another type than its schema says")]
    Required,
    /// A fact in words that no list has.
    #[error("a fact is not a word of `{0}`")]
    Word(&'static str),
    /// Cedar refused the values.
    #[error("the context could not be built")]
    Cedar,
}

type Pairs = Vec<(String, RestrictedExpression)>;
type Built = Result<RestrictedExpression, ContextError>;

/// What is known of a call, checked as far as the context needs it.
pub(crate) struct Known<'a> {
    pub(crate) action: &'a ActionShape,
    pub(crate) arguments: &'a Map<String, Value>,
    pub(crate) facts: &'a Facts,
    pub(crate) mode: Mode,
    names: &'a Names,
    fit: Fit,
    /// Origins by class, as [`bits`], once they were asked for.
    origins: OnceCell<[usize; ArgumentClass::ALL.len()]>,
}

impl<'a> Known<'a> {
    /// Checks arguments and facts. In any case all of them: whether a call can be decided must not depend on what the
    /// rules look at.
    pub(crate) fn of(
        action: &'a ActionShape,
        request: &Request<'a>,
        mode: Mode,
        names: &'a Names,
    ) -> Result<Self, ContextError> {
        let arguments = request.arguments.as_object().ok_or(ContextError::NotAnObject)?;
        let fit = fit_record(&action.arguments, arguments);
        check_words(request.facts)?;
        if fit == Fit::No {
            return Err(ContextError::Required);
        }
        Ok(Self { action, arguments, facts: request.facts, mode, names, fit, origins: OnceCell::new() })
    }

    /// Takes the place of arguments that are gone. `arguments` is empty; whoever decides on this has made sure that no
    /// rule looks at them.
    pub(crate) fn without_arguments(
        action: &'a ActionShape,
        facts: &'a Facts,
        arguments: &'a Map<String, Value>,
        mode: Mode,
        names: &'a Names,
        unrepresentable: bool,
    ) -> Self {
        let fit = if unrepresentable { Fit::Lossy } else { Fit::Whole };
        Self { action, arguments, facts, mode, names, fit, origins: OnceCell::new() }
    }

    /// Builds the context, as far as it is looked at.
    pub(crate) fn context(&self, parts: &Parts) -> Result<Context, ContextError> {
        let mut pairs = Pairs::with_capacity(Part::ALL.len());
        for part in Part::ALL {
            let Some(members) = parts.of(part) else {
                continue;
            };
            let mut record = Record::of(members);
            match part {
                Part::Args => record.pairs.extend(present_fields(&self.action.arguments, self.arguments, members)),
                Part::Derived => self.derived(&mut record)?,
                Part::ArgOrigin => self.origins_by_argument(&mut record)?,
                Part::Targets => self.targets(&mut record)?,
                Part::Call => self.call(&mut record)?,
                Part::Session => self.session(&mut record)?,
                Part::Labels => self.labels(&mut record)?,
                Part::Origin => self.origins_by_class(&mut record)?,
                Part::Findings => self.findings(&mut record)?,
            }
            pairs.push((part.as_str().to_owned(), record.build()?));
        }
        Context::from_pairs(pairs).map_err(|_| ContextError::Cedar)
    }

    /// Whether policies see less of the arguments than there is.
    pub(crate) fn is_unrepresentable(&self) -> bool {
        self.fit != Fit::Whole
    }
}

/// A record of those members that are looked at.
struct Record<'a> {
    members: &'a Members,
    pairs: Pairs,
}

impl<'a> Record<'a> {
    fn of(members: &'a Members) -> Self {
        Self { members, pairs: Pairs::with_capacity(members.len()) }
    }

    /// Adds a member, if it is looked at.
    fn add(&mut self, name: &str, value: impl FnOnce() -> Built) -> Result<(), ContextError> {
        if self.members.has(name) {
            self.pairs.push((name.to_owned(), value()?));
        }
        Ok(())
    }

    fn add_long(&mut self, name: &str, value: i64) -> Result<(), ContextError> {
        self.add(name, || Ok(RestrictedExpression::new_long(value)))
    }

    fn add_text(&mut self, name: &str, value: &str) -> Result<(), ContextError> {
        self.add(name, || Ok(RestrictedExpression::new_string(value.to_owned())))
    }

    fn build(self) -> Built {
        RestrictedExpression::new_record(self.pairs).map_err(|_| ContextError::Cedar)
    }
}

impl Known<'_> {
    fn derived(&self, record: &mut Record<'_>) -> Result<(), ContextError> {
        let fields = self.action.arguments.fields.iter();
        for (name, _) in fields.filter(|(name, field)| ActionShape::is_text(&field.shape) && record.members.has(name)) {
            if let Some(text) = self.arguments.get(&**name).and_then(Value::as_str) {
                let mut derived = Record::of(&Members::All);
                derived.add_long("bytes", i64::try_from(text.len()).unwrap_or(i64::MAX))?;
                record.pairs.push(((**name).to_owned(), derived.build()?));
            }
        }
        Ok(())
    }

    /// Where the arguments of a class come from, as [`bits`]. A null is an absent argument to policies, but it still has
    /// come from somewhere.
    pub(crate) fn origins_of_class(&self, class: ArgumentClass) -> usize {
        let all = self.origins.get_or_init(|| {
            let mut all = [0; ArgumentClass::ALL.len()];
            for name in self.arguments.keys() {
                if let Some(of_class) = all.get_mut(self.action.argument(name).class as usize) {
                    *of_class |= bits(origins_of(name, self.facts), Origin::ALL);
                }
            }
            all
        });
        all.get(class as usize).copied().unwrap_or_default()
    }

    fn origins_by_class(&self, record: &mut Record<'_>) -> Result<(), ContextError> {
        ArgumentClass::ALL.iter().try_for_each(|class| {
            record.add(class.as_str(), || {
                self.names.origins(self.origins_of_class(*class)).ok_or(ContextError::Word("Origin"))
            })
        })
    }

    fn origins_by_argument(&self, record: &mut Record<'_>) -> Result<(), ContextError> {
        self.action.argument_names.iter().try_for_each(|name| {
            record.add(name, || {
                let present = self.arguments.contains_key(&**name).then(|| origins_of(name, self.facts));
                let origins = bits(present.into_iter().flatten(), Origin::ALL);
                self.names.origins(origins).ok_or(ContextError::Word("Origin"))
            })
        })
    }

    fn targets(&self, record: &mut Record<'_>) -> Result<(), ContextError> {
        let targets = &self.facts.targets;
        record.add("hosts", || Ok(texts(&targets.hosts, self.names)))?;
        record.add("paths", || Ok(texts(&targets.paths, self.names)))?;
        record.add("sql_classes", || Ok(texts(&targets.sql_classes, self.names)))?;
        record.add("commands", || Ok(texts(&targets.commands, self.names)))
    }

    fn call(&self, record: &mut Record<'_>) -> Result<(), ContextError> {
        let facts = self.facts;
        record.add_long("now", facts.now_s)?;
        record.add_long("chain_depth", facts.chain_depth)?;
        record.add("effect", || word("Effect", self.action.effect.as_str(), self.names))?;
        record.add("request_attested", || Ok(RestrictedExpression::new_bool(facts.request_attested)))?;
        record.add("unrepresentable", || Ok(RestrictedExpression::new_bool(self.is_unrepresentable())))?;
        if let Some(purpose) = &facts.purpose {
            record.add_text("purpose", purpose)?;
        }
        if let Some(confidence) = facts.confidence {
            record.add_long("confidence", i64::from(confidence))?;
        }
        if let Some(user) = &facts.on_behalf_of {
            record.add("on_behalf_of", || {
                let uid = self.names.uid("User", user.as_str()).ok_or(ContextError::Word("User"))?;
                Ok(RestrictedExpression::new_entity_uid(uid))
            })?;
        }
        if let Some(destination) = &facts.destination {
            record.add_text("destination", destination)?;
        }
        Ok(())
    }

    fn session(&self, record: &mut Record<'_>) -> Result<(), ContextError> {
        let facts = self.facts;
        record.add_long("calls", facts.calls)?;
        record.add_long("denials", facts.denials)?;
        record.add_long("cost_microusd", facts.cost_microusd)?;
        record.add_long("in_flight", facts.in_flight)?;
        record.add_long("calls_1m", facts.calls_1m)?;
        record.add_long("tool_calls_1m", facts.tool_calls_1m)?;
        record.add_long("agent_limit_1m", facts.agent_limit_1m)?;
        record.add_long("tool_limit_1m", facts.tool_limit_1m)?;
        record.add_text("mode", self.mode.as_str())
    }

    fn labels(&self, record: &mut Record<'_>) -> Result<(), ContextError> {
        let facts = self.facts;
        record.add("integrity", || word("Integrity", facts.integrity.as_str(), self.names))?;
        record.add("confidentiality", || {
            let labels = self.names.confidentialities(bits(&facts.confidentiality, Confidentiality::ALL));
            labels.ok_or(ContextError::Word("Confidentiality"))
        })?;
        record.add("sources", || Ok(texts(&facts.sources, self.names)))
    }

    fn findings(&self, record: &mut Record<'_>) -> Result<(), ContextError> {
        let findings = &self.facts.findings;
        record.add("worst", || word("Severity", &findings.worst, self.names))?;
        record.add("kinds", || {
            let kinds = findings.kinds.iter().map(|kind| word("FindingKind", kind, self.names));
            Ok(RestrictedExpression::new_set(kinds.collect::<Result<Vec<_>, _>>()?))
        })
    }
}

/// Where a present argument comes from: at least one origin. What nobody knows is `nowhere`.
pub(crate) fn origins_of<'a>(name: &str, facts: &'a Facts) -> &'a BTreeSet<Origin> {
    static NOWHERE: LazyLock<BTreeSet<Origin>> = LazyLock::new(|| BTreeSet::from([Origin::Nowhere]));
    facts.origins.get(name).filter(|origins| !origins.is_empty()).unwrap_or(&NOWHERE)
}

/// The words of findings are the only ones that are text in [`Facts`]: the types of the others hold nothing else.
fn check_words(facts: &Facts) -> Result<(), ContextError> {
    let check = |list: &[&str], name, word: &String| {
        if list.contains(&word.as_str()) { Ok(()) } else { Err(ContextError::Word(name)) }
    };
    check(SEVERITIES, "Severity", &facts.findings.worst)?;
    facts.findings.kinds.iter().try_for_each(|kind| check(FINDING_KINDS, "FindingKind", kind))
}

fn word(kind: &'static str, word: &str, names: &Names) -> Built {
    names.word(kind, word).ok_or(ContextError::Word(kind))
}

fn texts(texts: &BTreeSet<String>, names: &Names) -> RestrictedExpression {
    if texts.is_empty() {
        return names.nothing.clone();
    }
    RestrictedExpression::new_set(texts.iter().map(|text| RestrictedExpression::new_string(text.clone())))
}
