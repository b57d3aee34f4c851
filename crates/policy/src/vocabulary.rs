//! The closed vocabularies that policies may name, and the Cedar names they have.
//!
//! Each is an *enum entity type*: a misspelt word is then a load error with its place, which it is not for strings.

use cedar_policy::{EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use std::collections::HashMap;
use std::str::FromStr;
use vocab::{Authn, Confidentiality, Effect, Integrity, Origin, Tier};

/// Kinds of findings, `FindingKind::"..."`.
pub const FINDING_KINDS: &[&str] = &[
    "secret",
    "personal_data",
    "injection",
    "hidden_text",
    "dangerous_target",
    "dangerous_command",
    "malware",
    "other",
];

/// Severities of findings and rules, mildest first, `Severity::"..."`.
pub const SEVERITIES: &[&str] = &[NO_FINDING, "info", "low", "medium", "high", "critical"];

/// The severity of no finding.
pub(crate) const NO_FINDING: &str = "none";

/// What a `@sandbox` may leave to a confined call. Without a word the call keeps none of them.
///
/// `network`: sockets stay reachable. `read`: files outside the sandbox can be read. `write`: files outside the
/// sandbox can be changed.
pub const SANDBOX_RIGHTS: &[&str] = &["network", "read", "write"];

/// The environment the generated schema names when no agent does: an enum type needs one word.
const NO_ENV: &str = "production";

/// The enum entity types of the schema with their words.
pub(crate) fn enums(envs: &[String]) -> Vec<(&'static str, Vec<String>)> {
    let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let mut envs = if envs.is_empty() { vec![NO_ENV.to_owned()] } else { envs.to_vec() };
    envs.sort();
    envs.dedup();
    vec![
        ("Origin", Origin::ALL.iter().map(|word| word.as_str().to_owned()).collect()),
        ("Confidentiality", Confidentiality::ALL.iter().map(|word| word.as_str().to_owned()).collect()),
        ("Integrity", Integrity::ALL.iter().map(|word| word.as_str().to_owned()).collect()),
        ("FindingKind", words(FINDING_KINDS)),
        ("Severity", words(SEVERITIES)),
        ("Effect", Effect::ALL.iter().map(|word| word.as_str().to_owned()).collect()),
        ("Tier", Tier::ALL.iter().map(|word| word.as_str().to_owned()).collect()),
        ("Authn", Authn::ALL.iter().map(|word| word.as_str().to_owned()).collect()),
        ("Env", envs),
    ]
}

/// Cedar names, parsed once.
#[derive(Debug)]
pub(crate) struct Names {
    types: HashMap<&'static str, EntityTypeName>,
    words: HashMap<&'static str, HashMap<String, RestrictedExpression>>,
    /// Every set of origins and of confidentialities, by bits in the order of `ALL`: calls carry a dozen of them.
    origin_sets: Vec<RestrictedExpression>,
    confidentiality_sets: Vec<RestrictedExpression>,
    /// The empty set: what most calls aim at.
    pub(crate) nothing: RestrictedExpression,
}

/// The entity types that are not enums.
const OPEN_TYPES: [&str; 7] = ["Agent", "Team", "AgentClass", "Server", "Zone", "User", "Action"];

impl Names {
    /// Parses every name; `None` would be a defect of the lists above.
    pub(crate) fn new(envs: &[String]) -> Option<Self> {
        let enums = enums(envs);
        let mut types = HashMap::new();
        for name in OPEN_TYPES.into_iter().chain(enums.iter().map(|(name, _)| *name)) {
            types.insert(name, EntityTypeName::from_str(name).ok()?);
        }
        let mut of_words: HashMap<&'static str, HashMap<String, RestrictedExpression>> = HashMap::new();
        for (name, words) in enums {
            for word in words {
                let uid = uid(&types, name, &word)?;
                of_words.entry(name).or_default().insert(word, RestrictedExpression::new_entity_uid(uid));
            }
        }
        let word = |kind: &str, word: &str| of_words.get(kind)?.get(word).cloned();
        let origins: Option<Vec<_>> = Origin::ALL.iter().map(|origin| word("Origin", origin.as_str())).collect();
        let labels: Option<Vec<_>> =
            Confidentiality::ALL.iter().map(|label| word("Confidentiality", label.as_str())).collect();
        Some(Self {
            types,
            origin_sets: subsets(&origins?),
            confidentiality_sets: subsets(&labels?),
            nothing: RestrictedExpression::new_set([]),
            words: of_words,
        })
    }

    /// A set of origins, by its [`bits`], as a value.
    pub(crate) fn origins(&self, bits: usize) -> Option<RestrictedExpression> {
        self.origin_sets.get(bits).cloned()
    }

    /// A set of confidentialities, by its [`bits`], as a value.
    pub(crate) fn confidentialities(&self, bits: usize) -> Option<RestrictedExpression> {
        self.confidentiality_sets.get(bits).cloned()
    }

    /// The name of an entity type.
    pub(crate) fn kind(&self, kind: &str) -> Option<&EntityTypeName> {
        self.types.get(kind)
    }

    /// The entity of a type and id.
    pub(crate) fn uid(&self, kind: &str, id: &str) -> Option<EntityUid> {
        uid(&self.types, kind, id)
    }

    /// A word of a closed vocabulary, as a value; `None` when it is not one.
    pub(crate) fn word(&self, kind: &'static str, word: &str) -> Option<RestrictedExpression> {
        self.words.get(kind)?.get(word).cloned()
    }
}

fn uid(types: &HashMap<&'static str, EntityTypeName>, kind: &str, id: &str) -> Option<EntityUid> {
    Some(EntityUid::from_type_name_and_id(types.get(kind)?.clone(), EntityId::new(id)))
}

fn subsets(words: &[RestrictedExpression]) -> Vec<RestrictedExpression> {
    let set = |bits: usize| {
        let chosen = words.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
        RestrictedExpression::new_set(chosen.map(|(_, word)| word.clone()))
    };
    (0..1 << words.len()).map(set).collect()
}

/// A set of words as a number, in the order of `all`. A value that is in no list gives a number beyond all sets.
pub(crate) fn bits<'a, T: PartialEq + 'a>(chosen: impl IntoIterator<Item = &'a T>, all: &[T]) -> usize {
    chosen.into_iter().fold(0, |bits, word| bits | 1 << all.iter().position(|other| other == word).unwrap_or(16))
}
