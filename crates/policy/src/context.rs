//! Facts and arguments as the Cedar context of a request.
//!
//! Built from typed values: Cedar's JSON constructors cost ten times as much.

use crate::parts::Parts;
use crate::request::{Facts, Request, Targets};
use crate::schema::{ActionShape, RecordShape, Shape};
use crate::vocabulary::Names;
use cedar_policy::{Context, RestrictedExpression};
use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use vocab::{ArgumentClass, Mode, Origin};

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

/// Builds the context of a call.
pub(crate) fn context(
    action: &ActionShape,
    request: &Request<'_>,
    mode: Mode,
    parts: Parts,
    names: &Names,
) -> Result<Context, ContextError> {
    let arguments = request.arguments.as_object().ok_or(ContextError::NotAnObject)?;
    let facts = request.facts;
    // Read in any case: whether a call can be decided must not depend on what the rules look at.
    let mut representable = true;
    let args = record(&action.arguments, arguments, &mut representable)?.ok_or(ContextError::Required)?;
    let findings = findings(facts, names)?;
    let mut pairs = Pairs::with_capacity(9);
    let mut add = |name: &str, build: &mut dyn FnMut() -> Built| -> Result<(), ContextError> {
        if parts.has(name) {
            pairs.push((name.to_owned(), build()?));
        }
        Ok(())
    };
    add("args", &mut || Ok(args.clone()))?;
    add("derived", &mut || derived(action, arguments))?;
    add("arg_origin", &mut || origins_by_argument(action, arguments, facts, names))?;
    add("targets", &mut || targets(facts, names))?;
    add("call", &mut || call(action, facts, representable, names))?;
    add("session", &mut || session(facts, mode))?;
    add("labels", &mut || labels(facts, names))?;
    add("origin", &mut || origins_by_class(action, arguments, facts, names))?;
    add("findings", &mut || Ok(findings.clone()))?;
    Context::from_pairs(pairs).map_err(|_| ContextError::Cedar)
}

type Built = Result<RestrictedExpression, ContextError>;

/// `None`: the value is not of this shape at all.
fn value(shape: &Shape, value: &Value, representable: &mut bool) -> Result<Option<RestrictedExpression>, ContextError> {
    Ok(match (shape, value) {
        (Shape::Bool, Value::Bool(yes)) => Some(RestrictedExpression::new_bool(*yes)),
        (Shape::Text, Value::String(text)) => Some(RestrictedExpression::new_string(text.clone())),
        (Shape::Long, Value::Number(number)) => Some(long(number, representable)),
        (Shape::Set(inner), Value::Array(items)) => {
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                match self::value(inner, item, representable)? {
                    Some(item) => values.push(item),
                    None => *representable = false,
                }
            }
            Some(RestrictedExpression::new_set(values))
        }
        (Shape::Record(shape), Value::Object(map)) => record(shape, map, representable)?,
        _ => None,
    })
}

/// A whole number beyond 64 bits is held at the nearest end, so that comparisons point the right way.
fn long(number: &Number, representable: &mut bool) -> RestrictedExpression {
    /// 2^53: up to here every whole `f64` is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(whole) = number.as_i64() {
        return RestrictedExpression::new_long(whole);
    }
    let float = number.as_f64().unwrap_or(f64::INFINITY);
    if float.fract() == 0.0 && float.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return RestrictedExpression::new_long(float as i64);
    }
    *representable = false;
    #[expect(clippy::cast_possible_truncation, reason = "`as` holds floats at the ends of the range")]
    RestrictedExpression::new_long(float as i64)
}

fn record(
    shape: &RecordShape,
    map: &Map<String, Value>,
    representable: &mut bool,
) -> Result<Option<RestrictedExpression>, ContextError> {
    // A member that the schema does not name is one that no policy can speak about.
    *representable &=
        map.keys().all(|key| shape.fields.contains_key(key.as_str()) || shape.hidden.contains(key.as_str()));
    let mut pairs = Pairs::with_capacity(shape.fields.len());
    for (name, field) in &shape.fields {
        let present = map.get(&**name).filter(|value| field.required || !value.is_null());
        match present.map(|present| value(&field.shape, present, representable)).transpose()?.flatten() {
            Some(value) => pairs.push((name.to_string(), value)),
            None if field.required => return Ok(None),
            None => *representable &= present.is_none(),
        }
    }
    new_record(pairs).map(Some)
}

fn derived(action: &ActionShape, arguments: &Map<String, Value>) -> Built {
    let mut pairs = Pairs::with_capacity(action.arguments.fields.len());
    for (name, _) in action.arguments.fields.iter().filter(|(_, field)| ActionShape::is_text(&field.shape)) {
        if let Some(text) = arguments.get(&**name).and_then(Value::as_str) {
            let bytes = RestrictedExpression::new_long(i64::try_from(text.len()).unwrap_or(i64::MAX));
            pairs.push((name.to_string(), new_record([("bytes".to_owned(), bytes)])?));
        }
    }
    new_record(pairs)
}

/// Where a present argument comes from: at least one origin. What nobody knows is `nowhere`.
fn origins_of<'a>(name: &str, facts: &'a Facts) -> &'a BTreeSet<Origin> {
    static NOWHERE: LazyLock<BTreeSet<Origin>> = LazyLock::new(|| BTreeSet::from([Origin::Nowhere]));
    facts.origins.get(name).filter(|origins| !origins.is_empty()).unwrap_or(&NOWHERE)
}

/// A null is an absent argument to policies, but it still has come from somewhere.
fn origins_by_class(action: &ActionShape, arguments: &Map<String, Value>, facts: &Facts, names: &Names) -> Built {
    let mut pairs = Pairs::with_capacity(ArgumentClass::ALL.len());
    for class in ArgumentClass::ALL {
        let present = arguments.keys().filter(|name| action.argument(name).class == *class);
        let origins = names.origins(present.flat_map(|name| origins_of(name, facts)));
        pairs.push((class.as_str().to_owned(), origins.ok_or(ContextError::Word("Origin"))?));
    }
    new_record(pairs)
}

fn origins_by_argument(action: &ActionShape, arguments: &Map<String, Value>, facts: &Facts, names: &Names) -> Built {
    let mut pairs = Pairs::with_capacity(action.argument_names.len());
    for name in &action.argument_names {
        let present = arguments.contains_key(&**name).then(|| origins_of(name, facts));
        let origins = names.origins(present.into_iter().flatten());
        pairs.push((name.to_string(), origins.ok_or(ContextError::Word("Origin"))?));
    }
    new_record(pairs)
}

fn targets(facts: &Facts, names: &Names) -> Built {
    let targets = &facts.targets;
    if *targets == Targets::default() {
        return Ok(names.no_targets.clone());
    }
    new_record([
        ("hosts".to_owned(), texts(&targets.hosts)),
        ("paths".to_owned(), texts(&targets.paths)),
        ("sql_classes".to_owned(), texts(&targets.sql_classes)),
        ("commands".to_owned(), texts(&targets.commands)),
    ])
}

fn call(action: &ActionShape, facts: &Facts, representable: bool, names: &Names) -> Built {
    let mut pairs = Pairs::with_capacity(9);
    pairs.extend([
        ("now".to_owned(), RestrictedExpression::new_long(facts.now_s)),
        ("chain_depth".to_owned(), RestrictedExpression::new_long(facts.chain_depth)),
        ("effect".to_owned(), word("Effect", action.effect.as_str(), names)?),
        ("request_attested".to_owned(), RestrictedExpression::new_bool(facts.request_attested)),
        ("unrepresentable".to_owned(), RestrictedExpression::new_bool(!representable)),
    ]);
    if let Some(purpose) = &facts.purpose {
        pairs.push(("purpose".to_owned(), RestrictedExpression::new_string(purpose.clone())));
    }
    if let Some(confidence) = facts.confidence {
        pairs.push(("confidence".to_owned(), RestrictedExpression::new_long(i64::from(confidence))));
    }
    if let Some(user) = &facts.on_behalf_of {
        let uid = names.uid("User", user.as_str()).ok_or(ContextError::Word("User"))?;
        pairs.push(("on_behalf_of".to_owned(), RestrictedExpression::new_entity_uid(uid)));
    }
    if let Some(destination) = &facts.destination {
        pairs.push(("destination".to_owned(), RestrictedExpression::new_string(destination.clone())));
    }
    new_record(pairs)
}

fn session(facts: &Facts, mode: Mode) -> Built {
    let long = |key: &str, value: i64| (key.to_owned(), RestrictedExpression::new_long(value));
    new_record([
        long("calls", facts.calls),
        long("denials", facts.denials),
        long("cost_microusd", facts.cost_microusd),
        long("in_flight", facts.in_flight),
        long("calls_1m", facts.calls_1m),
        long("tool_calls_1m", facts.tool_calls_1m),
        long("agent_limit_1m", facts.agent_limit_1m),
        long("tool_limit_1m", facts.tool_limit_1m),
        ("mode".to_owned(), RestrictedExpression::new_string(mode.as_str().to_owned())),
    ])
}

fn labels(facts: &Facts, names: &Names) -> Built {
    let confidentiality = names.confidentialities(&facts.confidentiality);
    new_record([
        ("integrity".to_owned(), word("Integrity", facts.integrity.as_str(), names)?),
        ("confidentiality".to_owned(), confidentiality.ok_or(ContextError::Word("Confidentiality"))?),
        ("sources".to_owned(), texts(&facts.sources)),
    ])
}

fn findings(facts: &Facts, names: &Names) -> Built {
    if facts.findings.worst == "none" && facts.findings.kinds.is_empty() {
        return Ok(names.no_findings.clone());
    }
    new_record([
        ("worst".to_owned(), word("Severity", &facts.findings.worst, names)?),
        ("kinds".to_owned(), words("FindingKind", facts.findings.kinds.iter().map(String::as_str), names)?),
    ])
}

fn word(kind: &'static str, word: &str, names: &Names) -> Built {
    names.word(kind, word).ok_or(ContextError::Word(kind))
}

fn words<'a>(kind: &'static str, words: impl Iterator<Item = &'a str>, names: &Names) -> Built {
    let values: Result<Vec<_>, _> = words.map(|word| self::word(kind, word, names)).collect();
    Ok(RestrictedExpression::new_set(values?))
}

fn texts(texts: &BTreeSet<String>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.iter().map(|text| RestrictedExpression::new_string(text.clone())))
}

fn new_record(pairs: impl IntoIterator<Item = (String, RestrictedExpression)>) -> Built {
    RestrictedExpression::new_record(pairs).map_err(|_| ContextError::Cedar)
}
