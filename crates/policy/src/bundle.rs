//! A compiled set of rules, ready to decide. Immutable; share it behind an `Arc`.

use crate::entities::Stores;
use crate::index::Index;
use crate::rule::{Rule, RuleKind};
use crate::schema::{Actions, Invisible, LazySchema, assembled};
use crate::shapes::{AgentShape, ServerShape};
use crate::vocabulary::Names;
use cedar_policy::{Authorizer, Entities, EntityUid, PolicyId, Schema};
use foldhash::HashMap;
use ring::digest::{Context, SHA256};
use std::sync::Arc;
use vocab::id::{AgentId, Digest, RuleId, ServerId};
use vocab::{Authn, Mode};

/// A compiled set of rules. One that failed to load is itself one: it denies all, with the reason.
#[derive(Debug)]
pub struct Bundle {
    pub(crate) digest: Digest,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    DenyAll { reason: Arc<str> },
    Live(Box<Live>),
}

/// What deciding needs.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) rules: Vec<Rule>,
    pub(crate) by_id: HashMap<PolicyId, usize>,
    pub(crate) index: Index,
    pub(crate) schema: LazySchema,
    pub(crate) soundness: Digest,
    pub(crate) actions: HashMap<Arc<str>, Placed<Arc<str>>>,
    pub(crate) shapes: Actions,
    pub(crate) agents: HashMap<AgentId, Placed<Mode>>,
    pub(crate) servers: HashMap<ServerId, Vec<EntityUid>>,
    pub(crate) stores: Stores,
    pub(crate) names: Names,
    pub(crate) authorizer: Authorizer,
    /// Digests of the built-in guards that are not in a file.
    pub(crate) uncertain_text: Digest,
    /// Where agents run.
    pub(crate) envs: Vec<String>,
}

impl Live {
    /// The entities as they are for a way of authenticating.
    pub(crate) fn entities(&self, authn: Authn) -> Option<&Entities> {
        self.stores.of(authn, &self.shapes, &self.names)
    }

    /// The schema of all actions.
    pub(crate) fn schema(&self) -> Result<&Schema, &str> {
        self.schema.get_or(|| assembled(&self.envs, self.shapes.values(), &self.names))
    }
}

/// Something that stands in groups: its number, itself and its groups (itself first), and what else is known.
#[derive(Debug)]
pub(crate) struct Placed<T> {
    pub(crate) number: usize,
    pub(crate) uids: Vec<EntityUid>,
    pub(crate) about: T,
}

impl Bundle {
    /// The policy that stands in for one that does not load.
    #[must_use]
    pub fn deny_all(reason: &str) -> Self {
        let digest = digest(&[b"mortise-policy-1 deny-all", reason.as_bytes()]);
        Self { digest, kind: Kind::DenyAll { reason: reason.into() } }
    }

    /// Digest over everything that can change a decision: rules, schema, agents, servers.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Digest over everything that the checks of the rules read; `None` when nothing loaded. Whoever keeps it, and which
    /// build checked, can spare an unchanged set these checks: see [`compile_known`](crate::compile_known).
    #[must_use]
    pub fn soundness(&self) -> Option<&Digest> {
        self.live().map(|live| &live.soundness)
    }

    /// The generated `.cedarschema`; empty when nothing loaded.
    #[must_use]
    pub fn schema_text(&self) -> &str {
        self.live().map_or("", |live| live.schema.text())
    }

    /// All rules, shipped ones first, then in order of file and place.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.live().into_iter().flat_map(|live| &live.rules)
    }

    /// The rules with something in their conditions that only Cedar evaluates, such as an extension function: each costs a
    /// call tens of times what the others cost.
    pub fn rules_left_to_cedar(&self) -> impl Iterator<Item = &Rule> {
        let filed = self.live().into_iter().flat_map(|live| live.rules.iter().zip(live.index.rules()));
        filed.filter(|(_, filed)| filed.condition.is_left_to_cedar()).map(|(rule, _)| rule)
    }

    /// Digest of a guard's text, to which approvals are bound; `None` when there is no such guard.
    #[must_use]
    pub fn guard_text_digest(&self, rule: &RuleId) -> Option<&Digest> {
        let live = self.live()?;
        if rule.as_str() == crate::decide::UNCERTAIN {
            return Some(&live.uncertain_text);
        }
        let rule = live.by_id.get(&PolicyId::new(rule.as_str())).and_then(|&number| live.rules.get(number))?;
        matches!(rule.kind, RuleKind::Guard(_)).then_some(&rule.text)
    }

    /// Per action that has any, what of its arguments policies cannot see.
    pub fn invisible(&self) -> impl Iterator<Item = (&str, &[Invisible])> {
        let actions = self.live().into_iter().flat_map(|live| live.shapes.values());
        actions.filter(|action| !action.invisible.is_empty()).map(|action| (&*action.id, &*action.invisible))
    }

    pub(crate) fn live(&self) -> Option<&Live> {
        match &self.kind {
            Kind::Live(live) => Some(live),
            Kind::DenyAll { .. } => None,
        }
    }
}

/// The digest of a live bundle, with its schema by digest.
pub(crate) fn bundle_digest(
    schema: &Digest,
    rules: &[Rule],
    agents: &[AgentShape],
    servers: &[ServerShape],
    actions: &Actions,
) -> Digest {
    let mut parts: Vec<String> = vec!["mortise-policy-1".to_owned(), schema.to_string()];
    let mut lines: Vec<String> = rules.iter().map(|rule| format!("rule {} {}", rule.id, rule.text)).collect();
    // Debug output of plain data: every field, in a fixed order; a new field changes the digest, as it must.
    lines.extend(agents.iter().map(|agent| format!("agent {agent:?}")));
    lines.extend(servers.iter().map(|server| format!("server {server:?}")));
    lines.extend(
        actions.values().map(|action| {
            format!("action {} {:?} {:?} {}", action.id, action.effect, action.declared, action.definition)
        }),
    );
    lines.sort();
    parts.extend(lines);
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    digest(&parts)
}

/// `sha256:` over length-prefixed parts: no two lists of parts share their bytes.
pub(crate) fn digest(parts: &[&[u8]]) -> Digest {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Digest::new(format!("sha256:{}", hex::encode(hash.finish())))
}
